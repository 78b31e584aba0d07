"""Every distribution: value against an independent reference, derivatives against differences.

PyMC's own log-density, evaluated by PyTensor without compilation, is compared second.
"""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pymc as pm
import pytensor
import pytest
from pytensor.compile.mode import Mode

import pymle
from tests.matrix import bank_compound, bank_continuous, bank_discrete, bank_multivariate
from tests.matrix.case import Case
from tests.matrix.differences import differences
from tests.matrix.exceptions import PYMC_DIFFERS

CASES = {
    c.name: c
    for bank in (bank_continuous, bank_discrete, bank_multivariate, bank_compound)
    for c in bank.CASES
}
POINTS = [
    pytest.param(case, k, id=f"{case.name}-{k}")
    for case in CASES.values()
    for k in range(len(case.points))
]


@cache
def _compiled(name: str):
    case = CASES[name]
    with warnings.catch_warnings():
        # A Potential as the likelihood and flat indexed parameters are announced.
        warnings.simplefilter("ignore", pymle.Notice)
        return pymle.compile(case.model(), parameters=list(case.points[0]))


def _flat(case: Case, k: int) -> np.ndarray:
    return np.concatenate([np.ravel(np.asarray(v, float)) for v in case.points[k].values()])


def _point(case: Case, x: np.ndarray) -> dict[str, np.ndarray]:
    out, start = {}, 0
    for name, value in case.points[0].items():
        size = np.size(value)
        out[name] = x[start : start + size].reshape(np.shape(value))
        start += size
    return out


@pytest.mark.parametrize(("case", "k"), POINTS)
def test_value_score_and_hessian(case: Case, k: int) -> None:
    likelihood = _compiled(case.name)
    x = _flat(case, k)
    value = likelihood.logp(_point(case, x))
    expected = case.reference(**case.points[k])
    assert value == pytest.approx(expected, abs=1e-10 * max(1.0, abs(expected)))

    steps = case.radius * np.where(x == 0, 1.0, np.abs(x))
    score = np.asarray(likelihood.score(_point(case, x)))
    slopes = differences(lambda z: likelihood.logp(_point(case, z)), x, steps)
    np.testing.assert_allclose(score, slopes, rtol=1e-7, atol=1e-7)

    hessian = np.asarray(likelihood.hessian(_point(case, x)))
    curvature = differences(lambda z: np.asarray(likelihood.score(_point(case, z))), x, steps)
    # Diagonal scale; a parameter that is linear in the log-likelihood borrows its row's.
    size = np.abs(hessian).max(axis=1, initial=0.0)
    diagonal = np.abs(np.diag(hessian))
    scale = np.sqrt(np.where(diagonal < 1e-8 * size, size, diagonal))
    tolerance = 1e-5 * np.outer(scale, scale) + 1e-10
    assert np.all(np.abs(hessian - curvature) <= tolerance), (hessian, curvature)


@cache
def _own(name: str):
    model = CASES[name].model()
    inputs = [model.rvs_to_values[rv] for rv in model.free_RVs]
    terms = [*model.observed_RVs, *model.potentials]
    # PyMC's sparse CAR needs PyTensor's rewrites to evaluate at all.
    mode = Mode(linker="py", optimizer="fast_compile" if name == "CAR" else None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        total = model.logp(vars=terms, jacobian=False)
        function = pytensor.function(inputs, total, mode=mode, on_unused_input="ignore")
    return model, function


@pytest.mark.parametrize(("case", "k"), POINTS)
def test_pymc_agrees_or_the_difference_is_explained(case: Case, k: int) -> None:
    model, function = _own(case.name)
    values = []
    for rv in model.free_RVs:
        value = np.asarray(case.points[k][rv.name], float)
        values.append(value if model.rvs_to_transforms[rv] is None else np.log(value))
    with np.errstate(all="ignore"):
        own = float(function(*values))
    expected = case.reference(**case.points[k])
    gap = abs(own - expected) / max(1.0, abs(expected)) if np.isfinite(own) else np.inf
    limit, reason = PYMC_DIFFERS.get((case.name, k), (1e-10, "no difference is known"))
    assert gap <= limit, f"PyMC {own!r}, expected {expected!r}: {reason}"


def test_all_distributions_are_covered() -> None:
    covered = {name.split()[0] for name in CASES} | set(EXCLUDED)
    covered |= {w for name in CASES for w in name.split()}
    missing = {
        name
        for name in pm.distributions.__all__
        if name not in covered and not name.startswith("_")
    }
    assert missing == set()


#: Exported by PyMC and not in the matrix, with the reason.
EXCLUDED = {
    "Continuous": "base class",
    "Discrete": "base class",
    "Distribution": "base class",
    "SymbolicRandomVariable": "base class",
    "DensityDist": "the former name of CustomDist",
    "Lognormal": "alias of LogNormal",
    "DiracDelta": "no parameter to estimate: a point mass",
    "Flat": "improper: constant log-density, used as prior throughout",
    "HalfFlat": "improper: constant log-density, used as prior throughout",
    "PolyaGamma": "a black-box Op without gradient that needs the package polyagamma",
    "Simulator": "its log-density is a random number",
    "WishartBartlett": "a function that declares several variables",
    "LKJCholeskyCov": "in the matrix, by value of eta",
    "LKJCorr": "in the matrix, by value of eta",
}
