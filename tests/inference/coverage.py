"""Coverage of nominal 95% limits in simulated data: Wald, profile, bootstrap and auto.

    python -m tests.inference.coverage [model ...] --sets 1000 --json study.json
    python -m tests.inference.coverage --json study.json --tables

Each data set has a seed of its own, so that a study that was stopped goes on from its file, and any
set can be looked at alone. Limits of a set that has none (no certificate, an estimate on an edge,
an error that says why) count as not covering, and are counted. Infinite limits are limits.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import pymle
from tests.inference.coverage_exact import AVERAGED, REFERENCES, Z, averaged, bootstrapped
from tests.inference.coverage_models import CASES, Case

LIKELIHOOD = ("natural", "wald", "profile", "auto")
BOOTSTRAP = ("bca", "studentized")
STAGES = ("sets", "bootstrap", "calibrated")
NOTHING = [float("nan"), float("nan")]
Limits = dict[str, dict[str, list[float]]]


def draw(name: str, i: int, seed: int = 1) -> np.ndarray:
    """The i-th data set of a model."""
    return CASES[name].draw(np.random.default_rng([seed, zlib.crc32(name.encode()), i]))


class Study:
    """One model, compiled once, and its limits for one data set after another."""

    def __init__(self, name: str, *, seed: int = 1, replicates: int = 399, n_boot: int = 199):
        self.name, self.seed = name, seed
        self.replicates, self.n_boot = replicates, n_boot
        self.case: Case = CASES[name]
        self._compiled: Any = None
        self._known: dict[bytes, dict[str, Any]] = {}

    def fit(self, i: int) -> Any:
        if self._compiled is None:
            self._compiled = pymle.compile(self.case.model(draw(self.name, 0, self.seed)))
        return self._compiled.fit(data={"data": draw(self.name, i, self.seed)}, progressbar=False)

    def one(self, stage: str, i: int) -> dict[str, Any]:
        """What one data set gives: limits by label and method, and what went wrong."""
        if stage != "sets":
            return self._new(stage, i)
        data = draw(self.name, i, self.seed).tobytes()  # few outcomes come again and again
        if data not in self._known:
            self._known[data] = self._new(stage, i)
        return self._known[data]

    def _new(self, stage: str, i: int) -> dict[str, Any]:
        notes: list[str] = []
        limits: Limits = {label: {} for label in self.case.truth}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = self.fit(i)
            getattr(self, f"_{stage}")(fit, i, limits, notes)
        return {"limits": limits, "status": fit.verdict.status.value, "notes": notes}

    def _sets(self, fit: Any, _: int, limits: Limits, notes: list[str]) -> None:
        table = fit.summary(self.case.names)
        for label in limits:
            row = table.loc[label]
            half = Z * float(row["se"]) if row["se"] > 0.0 else np.nan
            limits[label]["natural"] = [row["estimate"] - half, row["estimate"] + half]
            limits[label]["wald"] = [float(row["lower"]), float(row["upper"])]
        for method in ("profile", "auto"):
            options = {"method": method, "progressbar": False}
            self._take(limits, notes, method, lambda o=options: fit.conf_int(self.case.names, **o))

    def _bootstrap(self, fit: Any, i: int, limits: Limits, notes: list[str]) -> None:
        found: list[Any] = []

        def replicates() -> Any:
            found.append(
                fit.bootstrap(
                    self.replicates, "parametric", self.case.names, random_seed=i, progressbar=False
                )
            )
            return found[0].conf_int("bca")

        self._take(limits, notes, "bca", replicates)
        if not found:
            for label in limits:
                limits[label]["studentized"] = NOTHING
            return
        self._take(limits, notes, "studentized", lambda: found[0].conf_int("studentized"))
        for status, count in found[0].status.value_counts().items():
            if status != "maximum" and count:
                notes.append(f"replicates: {status} ({count})")

    def _calibrated(self, fit: Any, i: int, limits: Limits, notes: list[str]) -> None:
        options = {"calibrate": "bootstrap", "n_boot": self.n_boot, "random_seed": i}

        def take() -> Any:
            return fit.conf_int(self.case.names, method="profile", progressbar=False, **options)

        self._take(limits, notes, "calibrated", take)

    @staticmethod
    def _take(limits: Limits, notes: list[str], method: str, get: Callable[[], Any]) -> None:
        try:
            table = get()
        except pymle.errors.PymleError as error:
            notes.append(f"{method}: {str(error).split('. ')[0][:120]}")
            table = None
        for label in limits:
            if table is None:
                limits[label][method] = NOTHING
                continue
            row = table.loc[label]
            limits[label][method] = [float(row["lower"]), float(row["upper"])]
            if method == "auto":
                limits[label]["straight"] = [float(row["method"] == "wald")] * 2
            if method in ("profile", "auto"):
                sides = {"lower": row["lower_flag"], "upper": row["upper_flag"]}
                odd = {k: v for k, v in sides.items() if v not in ("found", "wald")}
                notes += [f"{method}: {label} {side} {flag}" for side, flag in odd.items()]


def new_record() -> dict[str, Any]:
    return {stage: {"count": 0, "limits": {}, "status": {}, "notes": {}} for stage in STAGES}


def extend(record: dict[str, Any], study: Study, stage: str, until: int) -> None:
    """Go on with one stage of a record up to so many data sets."""
    part = record[stage]
    for i in range(part["count"], until):
        found = study.one(stage, i)
        for label, methods in found["limits"].items():
            for method, ends in methods.items():
                part["limits"].setdefault(label, {}).setdefault(method, []).append(ends)
        for key, values in (("status", [found["status"]]), ("notes", sorted(set(found["notes"])))):
            for value in values:
                value = value.split(" (")[0] if value.startswith("replicates") else value
                part[key][value] = part[key].get(value, 0) + 1
        part["count"] = i + 1


def covered(ends: Any, truth: float) -> np.ndarray:
    """Whether each pair of limits contains the truth; a pair that is not there does not."""
    low, high = np.asarray(ends, dtype=float).reshape(-1, 2).T
    return (low <= truth) & (truth <= high)


def without(ends: Any) -> int:
    """How many sets have no limits."""
    return int(np.isnan(np.asarray(ends, dtype=float).reshape(-1, 2)).any(axis=1).sum())


def coverage(name: str, record: dict[str, Any]) -> dict[str, dict[str, np.ndarray]]:
    """For each label and method whether the limits of each set cover."""
    out: dict[str, dict[str, np.ndarray]] = {}
    for label, truth in CASES[name].truth.items():
        out[label] = {
            method: covered(ends, truth)
            for stage in STAGES
            for method, ends in record[stage]["limits"].get(label, {}).items()
            if method != "straight"
        }
    return out


def expected(name: str, label: str, sets: int, seed: int = 1) -> dict[str, np.ndarray]:
    """What the reference decides about each simulated data set."""
    reference = REFERENCES[name][label]
    data = np.stack([draw(name, i, seed) for i in range(sets)])
    return reference.covers(reference.statistics(data), CASES[name].truth[label])


def beyond(methods: dict[str, Any]) -> tuple[float, float]:
    """Distance of auto from 0.95 beyond that of the better of the two, with its standard error."""
    off = {m: abs(float(np.mean(methods[m])) - 0.95) for m in ("wald", "profile", "auto")}
    better = min(("profile", "wald"), key=lambda m: off[m])
    apart = np.asarray(methods["auto"], dtype=float) - np.asarray(methods[better], dtype=float)
    error = float(apart.std() / np.sqrt(apart.size))
    return off["auto"] - off[better], error


def tables(study: dict[str, Any]) -> list[str]:
    """The tables of the page, in Markdown."""
    out = [
        "| model: parameter | Wald, natural scale | Wald | profile | auto | auto keeps Wald "
        "| BCa | studentised |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, record in study["models"].items():
        for label, methods in coverage(name, record).items():
            exact = REFERENCES[name][label].exact(CASES[name].truth[label]) or {}
            cells = [f"{name}: {label}"]
            cells += [_cell(methods.get(method), exact.get(method)) for method in LIKELIHOOD]
            straight = np.asarray(record["sets"]["limits"][label]["straight"])[:, 0]
            cells.append(f"{100 * straight.mean():.0f}%")
            known = bootstrapped(name, label)
            cells += [_cell(methods.get(method), known.get(method)) for method in BOOTSTRAP]
            out.append("| " + " | ".join(cells) + " |")
    out += ["", "How much farther from 0.95 auto is than the better of Wald and profile:", ""]
    out += ["| model: parameter | simulated | standard error | exact |", "|---|---|---|---|"]
    for name, record in study["models"].items():
        for label, methods in coverage(name, record).items():
            excess, error = beyond(methods)
            exact = REFERENCES[name][label].exact(CASES[name].truth[label])
            known = "-" if exact is None else f"{beyond(exact)[0]:.3f}"
            out.append(f"| {name}: {label} | {excess:.3f} | {error:.3f} | {known} |")
    out += ["", "Sets without limits, and what the fits were:", ""]
    out += ["| model | sets | not certified | without limits |", "|---|---|---|---|"]
    for name, record in study["models"].items():
        out.append("| " + " | ".join([name, *_counts(record)]) + " |")
    out += ["", "Against the reference on the same data sets:", ""]
    out += ["| model: parameter | sets | decisions that differ |", "|---|---|---|"]
    for name, record in study["models"].items():
        for label, methods in coverage(name, record).items():
            decided = expected(name, label, record["sets"]["count"], study["seed"])
            differ = [f"{m} {int(np.sum(methods[m] != decided[m]))}" for m in LIKELIHOOD]
            cells = [f"{name}: {label}", str(record["sets"]["count"]), ", ".join(differ)]
            out.append("| " + " | ".join(cells) + " |")
    out += ["", "Exact coverage averaged over true values:", ""]
    out += ["| model: parameter | true values | Wald | profile, auto |", "|---|---|---|---|"]
    for name, label in AVERAGED:
        truths, found = averaged(name, label)
        cells = [f"{name}: {label}", f"{truths[0]:g} to {truths[-1]:g}"]
        for method in ("wald", "auto"):
            of = found[method]
            off = np.abs(of - 0.95).mean()
            cells.append(f"{of.mean():.3f} ({of.min():.3f} to {of.max():.3f}), off by {off:.3f}")
        out.append("| " + " | ".join(cells) + " |")
    return out


def _cell(inside: np.ndarray | None, exact: float | None) -> str:
    if inside is None:
        return "-"
    return f"{inside.mean():.3f}" + ("" if exact is None else f" ({exact:.3f})")


def _counts(record: dict[str, Any]) -> list[str]:
    part = record["sets"]
    odd = {k: v for k, v in part["status"].items() if k != "maximum"}
    none: Counter[str] = Counter()
    for stage in STAGES:
        for label, methods in record[stage]["limits"].items():
            for method, ends in methods.items():
                if method != "natural" and without(ends):
                    none[f"{method} of {label}"] = without(ends)
    sizes = f"{part['count']}" + (f", {n} bootstrap" if (n := record["bootstrap"]["count"]) else "")
    return [
        sizes,
        ", ".join(f"{v} {k}" for k, v in odd.items()) or "none",
        ", ".join(f"{v} {k}" for k, v in none.items()) or "none",
    ]


def load(path: Path | None, seed: int) -> dict[str, Any]:
    if path is not None and path.exists():
        study = json.loads(path.read_text(encoding="utf-8"))
        if study["seed"] != seed:
            raise SystemExit(f"{path} was made with seed {study['seed']}, not {seed}")
        return study
    return {"seed": seed, "replicates": None, "n_boot": None, "models": {}}


def save(path: Path | None, study: dict[str, Any]) -> None:
    if path is None:
        return
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(study), encoding="utf-8")
    beside.replace(path)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.inference.coverage")
    parser.add_argument("models", nargs="*", help="names from the list; all by default")
    parser.add_argument("--sets", type=int, default=0, help="data sets of each model")
    parser.add_argument("--bootstrap", type=int, default=0, help="of these, how many bootstrapped")
    parser.add_argument("--calibrated", type=int, default=0, help="of these, with calibration")
    parser.add_argument("--replicates", type=int, default=399, help="of each bootstrap")
    parser.add_argument("--n-boot", type=int, default=99, help="of each calibration")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where the study is kept, and goes on from")
    parser.add_argument("--tables", action="store_true", help="print the tables of the study")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.models if name not in CASES]
    if unknown:
        parser.error(f"unknown models {unknown}; there are {list(CASES)}")
    study = load(given.json, given.seed)
    study |= {"replicates": given.replicates, "n_boot": given.n_boot}
    for name in given.models or list(CASES):
        one = Study(name, seed=given.seed, replicates=given.replicates, n_boot=given.n_boot)
        for stage in STAGES:
            wanted, begun = getattr(given, stage), time.perf_counter()
            if not wanted:
                continue
            record = study["models"].setdefault(name, new_record())
            step = 100 if stage == "sets" else 20
            for until in [*range(step, wanted, step), wanted]:
                extend(record, one, stage, until)
                save(given.json, study)
            seconds = time.perf_counter() - begun
            shares = {
                f"{label} {method}": round(float(inside.mean()), 3)
                for label, methods in coverage(name, record).items()
                for method, inside in methods.items()
            }
            print(f"{name}, {stage} {wanted}: {seconds:.0f} s {shares}", flush=True)
    if given.tables:
        print("\n".join(tables(study)))


if __name__ == "__main__":
    main()
