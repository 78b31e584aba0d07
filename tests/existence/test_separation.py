"""Separation: found, named, told apart from overlap; what stays finite keeps its error."""

import numpy as np
import pymc as pm
import pytest
from scipy.optimize import linprog

import pymle
from pymle.verdict.recession import find_recession
from tests.existence import data_firth as data
from tests.existence.cases_no_maximum import (
    DUMMY,
    MIXED,
    examined,
    of_theme,
    quasi_design,
    regression,
)
from tests.existence.test_firth import endometrial_model


@pytest.mark.parametrize("case", of_theme("separation"))
def test_is_recognised(case):
    fit = examined(case)
    kind = fit.verdict.evidence["separation"]
    assert kind in fit.verdict.advice
    assert fit.summary().loc[list(fit.verdict.parameters), "se"].isna().all()
    if kind == "complete":
        assert fit.summary()["se"].isna().all()
        assert -0.01 < fit.loglik <= 1e-9  # the supremum is zero


@pytest.mark.filterwarnings("ignore::pymle.errors.NotCertifiedWarning")
def test_what_is_finite_agrees_with_glm_and_detectseparation():
    """brglm2's page: infinite for NV alone, and glm's estimates of the others."""
    fit = pymle.find_MLE(endometrial_model(), progressbar=False)
    assert dict(fit.verdict.parameters) == {"beta[NV]": 1.0}
    for name, values in data.ENDOMETRIAL_ML.items():
        row = fit.summary().loc[name, ["estimate", "se"]].astype(float)
        np.testing.assert_allclose(row, values, atol=6e-6)


@pytest.mark.filterwarnings("ignore::pymle.errors.NotCertifiedWarning")
def test_the_limit_is_the_fit_without_the_separated_observations():
    fit = pymle.find_MLE(regression(MIXED, quasi_design()), progressbar=False)
    rest = DUMMY == 0
    other = pymle.find_MLE(
        regression(MIXED[rest], quasi_design()[rest][:, [0, 2]], names=["x0", "x2"]),
        progressbar=False,
    )
    assert other.verdict.ok
    both = ["beta[x0]", "beta[x2]"]
    found = fit.summary().loc[both, ["estimate", "se", "lower", "upper"]].astype(float)
    expected = other.summary().loc[both, ["estimate", "se", "lower", "upper"]].astype(float)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(fit.loglik, other.loglik, atol=1e-8)


@pytest.mark.filterwarnings("ignore::pymle.errors.NotCertifiedWarning")
def test_an_empty_group_of_counts_leaves_the_others_their_mean():
    y = np.array([3, 5, 2, 4, 0, 0, 0])
    group = np.array([0, 0, 0, 0, 1, 1, 1])
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
        pm.Deterministic("mean", pm.math.exp(a))
        pm.Poisson("y", pm.math.exp(a + b * group), observed=y)
    table = pymle.find_MLE(model, progressbar=False).summary()
    np.testing.assert_allclose(table.loc["a", "estimate"], np.log(3.5), rtol=1e-8)
    np.testing.assert_allclose(table.loc["a", "se"], 1 / np.sqrt(14), rtol=1e-7)
    np.testing.assert_allclose(table.loc["mean", "se"], np.sqrt(14) / 4, rtol=1e-7)


@pytest.mark.filterwarnings("ignore::pymle.errors.NotCertifiedWarning")
def test_zero_weights_do_not_count():
    """The one observation that spoils separation has weight zero."""
    x, y = np.array([-2.0, -1.0, 1.0, 2.0, -3.0]), np.array([0, 0, 1, 1, 1])
    model = regression(y, np.column_stack([np.ones(5), x]))
    assert pymle.find_MLE(model, progressbar=False).verdict.ok
    fit = pymle.find_MLE(model, weights=[1, 1, 1, 1, 0], progressbar=False)
    assert fit.verdict.evidence["separation"] == "complete"
    assert fit.verdict.evidence["observations"] == 4


def separated_by_the_design(design, y):
    """Konis's programme on the signed rows of the design."""
    rows = np.where(y == 1, 1.0, -1.0)[:, None] * design
    found = linprog(
        -rows.sum(axis=0), A_ub=-rows, b_ub=np.zeros(len(y)), bounds=(-1, 1), method="highs"
    )
    return -found.fun > 1e-8


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_programme_on_the_design(seed):
    rng = np.random.default_rng(seed)
    seen = []
    for _ in range(25):
        n, p = rng.integers(5, 16), rng.integers(1, 4)
        columns = rng.normal(size=(n, p)).round(1 if rng.random() < 0.5 else 0)
        design = np.column_stack([np.ones(n), columns])
        if np.linalg.matrix_rank(design) < p + 1:
            continue
        y = rng.integers(0, 2, size=n)

        def rows(beta, design=design, y=y):
            with np.errstate(over="ignore"):
                return (y - 1 / (1 + np.exp(-design @ beta)))[:, None] * design

        points = np.concatenate([np.zeros((1, p + 1)), rng.normal(size=(2, p + 1))])
        found = find_recession(rows, points)
        seen.append(found is not None)
        assert seen[-1] == separated_by_the_design(design, y)
        if found is not None:
            along = np.where(y == 1, 1.0, -1.0) * (design @ found.direction)
            assert np.min(along) > -1e-7
            assert found.rising == np.sum(along > 1e-7)
    assert 0 < sum(seen) < len(seen)
