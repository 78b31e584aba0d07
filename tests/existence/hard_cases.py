"""The table of hard cases: what pymle says about each, and what other functions report.

``python -m tests.existence.hard_cases`` prints verdict and advice of every case (names as
arguments choose some). ``--others`` runs PyMC's and pymc-extras' ``find_MAP`` on the same models
instead, in PyTensor's plain mode, with a limit of a minute each. ``--markdown`` writes table rows.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import signal
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pymc as pm

import pymle
from tests.existence import (
    cases_boundary,
    cases_identification,
    cases_maxima,
    cases_numerics,
)
from tests.existence.case import Case
from tests.existence.truths import TRUTHS

SECONDS = 60


def _theirs() -> dict[str, Case]:
    """The list next door, in the same form."""
    out = {}
    for each in cases_numerics.CASES:
        name, truth = each.name.replace("-", " "), TRUTHS[each.name]
        wanted = tuple(each.statuses)
        out[name] = Case(name, truth, each.build, wanted, each.named, each.arguments)
    return out


CASES: dict[str, Case] = {
    **cases_boundary.CASES,
    **cases_identification.CASES,
    **cases_maxima.CASES,
    **_theirs(),
}


def fitted(case: Case) -> tuple[pymle.Fit | None, str]:
    """The fit of a case, or None with the error that refused it.

    Parameters
    ----------
    case : Case

    Returns
    -------
    fit : Fit or None
    error : str
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = case.build()
        try:
            return pymle.find_MLE(model, progressbar=False, **case.arguments), ""
        except pymle.PymleError as error:
            return None, str(error)


def wrong(case: Case, fit: pymle.Fit | None, error: str) -> str:
    """What is wrong with the answer to a case; empty where nothing is.

    Parameters
    ----------
    case : Case
    fit : Fit or None
    error : str

    Returns
    -------
    str
    """
    if fit is None:
        return "" if not case.statuses and error else f"refused: {error}"
    verdict = fit.verdict
    if str(verdict.status) not in case.statuses:
        return f"{verdict.status}, not {' or '.join(case.statuses)}"
    missing = set(case.names) - set(verdict.parameters)
    if missing:
        return f"does not name {sorted(missing)}"
    if case.loglik is not None and not -0.1 <= fit.loglik - case.loglik <= 1e-6:
        return f"log-likelihood {fit.loglik}, supremum {case.loglik}"
    table = fit.summary()
    known = {label: (table.loc[label, "estimate"], value) for label, value in case.at.items()}
    for label, (found, value) in known.items():
        if not np.isclose(found, value, rtol=1e-4, atol=2e-3):
            return f"{label} = {found}, not {value}"
    for label, value in case.with_se.items():
        if not np.isclose(table.loc[label, "se"], value, rtol=1e-4):
            return f"se of {label} = {table.loc[label, 'se']}, not {value}"
    for label in case.only_without:
        if np.isfinite(table.loc[label, "se"]):
            return f"a standard error for {label}: {table.loc[label, 'se']}"
    return ""


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"longer than {SECONDS} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def others(case: Case) -> dict[str, str]:
    """What PyMC's and pymc-extras' ``find_MAP`` report on the model of a case.

    Parameters
    ----------
    case : Case

    Returns
    -------
    dict of str to str
    """
    import pytensor

    logging.disable(logging.WARNING)
    out = {}
    for name, call in (("pm.find_MAP", _pymc), ("pymc-extras find_MAP", _extras)):
        quiet = io.StringIO()
        try:
            with (
                _limited(),
                warnings.catch_warnings(record=True) as caught,
                pytensor.config.change_flags(mode="FAST_COMPILE"),
                contextlib.redirect_stdout(quiet),
                contextlib.redirect_stderr(quiet),
            ):
                warnings.simplefilter("always")
                with case.build():
                    out[name] = call()
        except Exception as error:  # noqa: BLE001 - what it reports is the point
            out[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
            continue
        said = {str(w.message).splitlines()[0][:80] for w in caught if _about_the_fit(w)}
        out[name] += f"; warns: {'; '.join(sorted(said))}" if said else "; no warning"
    return out


def _about_the_fit(warning: warnings.WarningMessage) -> bool:
    return issubclass(warning.category, RuntimeWarning | UserWarning) and not issubclass(
        warning.category, DeprecationWarning | FutureWarning
    )


def _short(point: Mapping[str, Any]) -> str:
    parts = [
        f"{name} = {np.array2string(np.asarray(value), precision=3, threshold=3, edgeitems=1)}"
        for name, value in point.items()
        if not name.endswith("__")
    ]
    return ", ".join(parts[:3]).replace("\n", " ")


def _pymc() -> str:
    point, result = pm.find_MAP(progressbar=False, return_raw=True)
    state = "success" if getattr(result, "success", False) else "no success"
    return f"{state}: {_short(point)}"


def _extras() -> str:
    import pymc_extras

    found = pymc_extras.find_MAP(
        method="L-BFGS-B",
        gradient_backend="pytensor",
        progressbar=False,
        compile_kwargs={"mode": "FAST_COMPILE"},
    )
    posterior = found["posterior"]
    point = {name: posterior[name].to_numpy()[0, 0] for name in posterior.data_vars}
    state = "success" if bool(found["optimizer_result"]["success"]) else "no success"
    return f"{state}: {_short(point)}"


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--others", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args(arguments)
    bad = 0
    for name, case in CASES.items():
        if options.names and name not in options.names:
            continue
        if options.others:
            said = others(case)
            print(f"| {name} | {' | '.join(said.values())} |", flush=True)
            continue
        began = time.perf_counter()
        fit, error = fitted(case)
        trouble = wrong(case, fit, error)
        bad += bool(trouble)
        status = "refused" if fit is None else str(fit.verdict.status)
        named = [] if fit is None else [f"`{label}`" for label in list(fit.verdict.parameters)[:4]]
        advice = error if fit is None else fit.verdict.advice
        if options.markdown:
            flag = f" **{trouble}**" if trouble else ""
            print(f"| {name} | {status}{flag} | {', '.join(named)} | {advice} |", flush=True)
            continue
        print(f"{name}\n    {case.truth}\n    {status}: {', '.join(named)}\n    {advice}")
        print(f"    {'WRONG: ' + trouble if trouble else 'right'}"
              f" ({time.perf_counter() - began:.1f} s)", flush=True)  # fmt: skip
    print(f"{bad} wrong")


if __name__ == "__main__":
    main()
