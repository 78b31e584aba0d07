"""Which covariance: from what a user writes to a record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pymle.bind import point_function
from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.covariance.expected import expected_information
from pymle.inference.covariance.hac import autocorrelated
from pymle.inference.covariance.records import Covariance
from pymle.inference.covariance.sandwich import Meat, outer_products, robust
from pymle.inference.covariance.scores import scores_of, ways_of
from pymle.inference.covariance.units import Units
from pymle.model.predictive.moments import moments_of

#: What other software calls them.
_ALIASES = {
    "oim": "observed",
    "hessian": "observed",
    "nonrobust": "observed",
    "bhhh": "opg",
    "hc0": "HC0",
    "white": "HC0",
    "hc1": "HC1",
    "cr0": "CR0",
    "cr1": "CR1",
    "cluster": "CR1",
    "cr1s": "CR1S",
    "hac": "HAC",
    "newey-west": "HAC",
    "eim": "expected",
    "fisher": "expected",
}
_KNOWN = (
    '"observed", "opg", "sandwich", "HC0", "HC1", "cluster", "CR0", "CR1", "CR1S", "HAC" '
    'or "expected"'
)
_CLUSTERED = ("CR0", "CR1", "CR1S")
_CORRECTIONS = {
    "HC1": "n / (n - k) with n = {n:g}, k = {k}",
    "CR1": "G / (G - 1)",
    "CR1S": "G / (G - 1) * (n - 1) / (n - k) with n = {n:g}, k = {k}",
}
#: Relative size of a derivative of the mean that is rounding.
_ROUNDING = 1e-12
#: What the observed curvature is called, by objective.
_OBSERVED = {
    "mle": "observed information",
    "map": "posterior curvature",
    "penalised": "observed information, penalty included",
}


def estimate_covariance(
    fitted: Fitted,
    cov: str | Covariance | None = None,
    *,
    clusters: Any = None,
    k: int | None = None,
    lags: int | None = None,
    simulations: int = 200,
    random_seed: int | None = 0,
    callback: Callable[[int, int], object] | None = None,
) -> Covariance:
    """A covariance of the estimates.

    Parameters
    ----------
    fitted : Fitted
    cov : str or Covariance, optional
        Which; see `pymle.Fit.covariance`. None is the observed information, with ``clusters``
        ``CR1``, and with sampling weights ``HC0``. A record is passed through.
    clusters : optional
        What groups the observations to independent units.
    k : int, optional
        Number of parameters that ``HC1`` and ``CR1S`` subtract.
    lags : int, optional
        Number of lags of ``HAC``.
    simulations : int
        Number of data sets of ``expected``.
    random_seed : int, optional
        For ``expected``.
    callback : callable, optional
        Called with the number of simulated data sets and their total.

    Returns
    -------
    Covariance

    Raises
    ------
    AnalysisError
        Unknown names, arguments that do not belong together, dependent data, MAP fits.
    """
    if isinstance(cov, Covariance):
        return cov
    estimate = fitted.estimate
    sampling = estimate.weights_kind == "sampling"
    name = _name(cov, clustered=clusters is not None, sampling=sampling)
    _check_arguments(name, cov, clusters, k, lags)
    map_fit = estimate.objective == "map"
    if name == "observed":
        if sampling:
            raise AnalysisError.sampling_weights("The inverse information as a covariance")
        return Covariance(estimate, name, _OBSERVED[estimate.objective])
    what = f'cov="{name}"'
    if estimate.objective != "mle" and (map_fit or name != "expected"):
        raise AnalysisError.needs_mle(what)
    if sampling and name in ("opg", "expected"):
        raise AnalysisError.sampling_weights(what)
    if estimate.null_space is None:
        return Covariance(estimate, name, f"{name}: none, as the point is no strict maximum")
    if name == "expected":
        return _expected(fitted, simulations, random_seed, callback)
    problem = fitted.problem
    if name == "HAC" and problem.effects is not None:
        raise AnalysisError.shared_effects(problem.effects.names)
    ways = ways_of(fitted, clusters, what)
    scores = scores_of(fitted, what)
    kind = ", sampling weights" if sampling else ""
    if name == "HAC":
        middle, used, length = autocorrelated(estimate, scores, ways[0], lags)
        text = (
            f"HAC (Newey-West, Bartlett weights, {used} lags{kind}): {ways[0].text}, in time order"
        )
        return Covariance(
            estimate, name, text, middle, details={"lags": used, "n": length, "units": ways[0]}
        )
    if name == "opg":
        if len(ways) > 1:
            raise AnalysisError.argument("clusters", "two ways", 'one way for cov="opg"')
        meat = outer_products(estimate, scores, ways[0], what)
        text = f"outer product of the scores (OPG): {ways[0].text}"
        return _record(fitted, name, text, meat, ways, None)
    used_k = None
    if name in ("HC1", "CR1S"):
        used_k = _mean_parameters(fitted) if k is None else _checked_k(k)
    meat = robust(estimate, scores, ways, name, used_k or 0, what)
    rows = float(sum(fitted.estimate.nobs_by.values()))
    correction = _CORRECTIONS.get(name, "").format(
        n=meat.count if name == "HC1" else rows, k=used_k
    )
    label = f"{name}{', ' + correction if correction else ''}{kind}"
    kind_of = "cluster sandwich" if name in _CLUSTERED else "sandwich"
    text = f"{kind_of} ({label}): " + " x ".join(way.text for way in ways)
    return _record(fitted, name, text, meat, ways, used_k)


def _record(
    fitted: Fitted, name: str, text: str, meat: Meat, ways: list[Units], k: int | None
) -> Covariance:
    details: dict[str, Any] = {
        "n_units": meat.count,
        "factor": meat.factor[0] if len(meat.factor) == 1 else meat.factor,
        "units": ways[0] if len(ways) == 1 else tuple(ways),
    }
    if k is not None:
        details["k"] = k
    return Covariance(fitted.estimate, name, text, meat.middle, meat.notes, details)


def _expected(
    fitted: Fitted,
    simulations: int,
    random_seed: int | None,
    callback: Callable[[int, int], object] | None,
) -> Covariance:
    found = expected_information(fitted, simulations, random_seed, callback)
    if found.outcomes:
        how = f"exact, {found.outcomes} outcomes added up"
    else:
        how = (
            f"{found.simulations} simulated data sets, Monte Carlo error of a standard error at "
            f"most {100 * found.error:.2g}%"
        )
    details = {
        "simulations": found.simulations,
        "outcomes": found.outcomes,
        "monte_carlo_error": found.error,
    }
    return Covariance(
        fitted.estimate,
        "expected",
        f"expected information ({how})",
        found.middle,
        details=details,
    )


def _name(cov: Any, *, clustered: bool, sampling: bool) -> str:
    if cov is None:
        return "CR1" if clustered else "HC0" if sampling else "observed"
    known = set(_ALIASES.values())
    if isinstance(cov, str):
        text = cov.strip().lower()
        if text in ("sandwich", "robust"):
            return "CR0" if clustered else "HC0"
        for each in (cov, text):
            if each in known:
                return each
        if text in _ALIASES:
            return _ALIASES[text]
    raise AnalysisError.argument("cov", cov, _KNOWN)


def _check_arguments(name: str, cov: Any, clusters: Any, k: Any, lags: Any) -> None:
    if clusters is None and name in _CLUSTERED:
        raise AnalysisError(
            f"cov={cov!r} needs `clusters=`: an array of labels, or the name of a dim, of coords "
            'or of a pm.Data. Without clusters the rows are the units: cov="HC0" or "HC1".'
        )
    if clusters is not None and name not in (*_CLUSTERED, "opg"):
        raise AnalysisError(
            f"cov={cov!r} does not use `clusters`. With clusters there are "
            '"CR0" (no correction), "CR1" (G / (G - 1)) and "CR1S" '
            "(G / (G - 1) * (n - 1) / (n - k), as statsmodels and Stata's regress)."
        )
    if k is not None and name not in ("HC1", "CR1S"):
        raise AnalysisError(f'`k` belongs to cov="HC1" and "CR1S", not to {name!r}.')
    if lags is not None and name != "HAC":
        raise AnalysisError(f'`lags` belongs to cov="HAC", not to {name!r}.')


def _checked_k(k: Any) -> int:
    if isinstance(k, bool) or int(k) != k or k < 0:
        raise AnalysisError.argument("k", k, "a whole number")
    return int(k)


def _mean_parameters(fitted: Fitted) -> int:
    """Number of estimated coordinates that move the mean of an observed variable.

    A regression's coefficients and not its dispersion, as in `statsmodels` and R's
    `sandwich`; all parameters where no closed form of the mean of a distribution is known.
    """
    problem, x = fitted.problem, fitted.estimate.x
    if problem.effects is not None:
        return fitted.estimate.nparams
    moments = [moments_of(problem.model[term.name]) for term in problem.observed]
    means = [moment.mean for moment in moments if moment is not None]
    if len(means) < len(moments):
        return fitted.estimate.nparams
    jacobian = point_function(problem, problem.lowered_graphs(means)).value_and_jacobian(x)[1]
    size = np.max(np.abs(jacobian), axis=0, initial=0.0)
    if not np.all(np.isfinite(size)) or not np.any(size > 0):
        return fitted.estimate.nparams
    moving = size > _ROUNDING * np.max(size)
    if fitted.estimate.restriction is not None:
        along = (jacobian / np.where(moving, size, np.inf)) @ fitted.estimate.restriction.tangent
        return int(np.linalg.matrix_rank(along))
    return int(np.sum(moving))
