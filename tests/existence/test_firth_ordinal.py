"""Firth's penalty in ordinal models against a direct maximisation written in NumPy."""

import numpy as np
import pymc as pm
import pytest
from scipy import optimize, special

import pymle
from tests.existence.cases_no_maximum import DUMMY, Z, ordered_model

LEVELS = np.array([0, 1, 2, 0, 1, 2, 1, 2, 2, 2])
#: Opinion on stem cell research (four levels, by row) of women and men in three groups of
#: religion: Agresti (2010), Analysis of Ordinal Categorical Data, table 4.1.
STEM_CELLS = np.array(
    [
        [34, 41, 58, 21, 30, 64],
        [67, 83, 63, 52, 52, 50],
        [30, 23, 15, 24, 18, 16],
        [25, 14, 12, 15, 11, 11],
    ]
)


def logistic(x):
    return 1.0 / (1.0 + np.exp(-x))


def cumulative(link):
    """Probabilities (n, 3) of slopes and two cutpoints."""
    design = np.column_stack([DUMMY, Z])

    def probabilities(theta):
        below = [link(cut - design @ theta[:2]) for cut in theta[2:]]
        return np.column_stack([below[0], below[1] - below[0], 1.0 - below[1]])

    return probabilities


def adjacent(theta):
    """Probabilities (6, 4): log-odds of neighbours with an intercept each and common slopes."""
    religion, female = np.array([1.0, 2, 3, 1, 2, 3]), np.array([1.0, 1, 1, 0, 0, 0])
    steps = theta[:3] + (religion * theta[3] + female * theta[4])[:, None]
    # log(p_j / p_(j + 1)) is a step: sums from the last level.
    logits = np.column_stack([np.cumsum(steps[:, ::-1], axis=1)[:, ::-1], np.zeros(6)])
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True)


def direct(probabilities, counts, start):
    """The penalised maximum, and standard errors from the expected information there."""

    def information(theta):
        # Derivatives by complex steps: exact.
        columns = []
        for j in range(len(theta)):
            step = theta.astype(complex)
            step[j] += 1e-30j
            columns.append(probabilities(step).imag / 1e-30)
        slopes = np.stack(columns, axis=-1)
        rows = counts.sum(axis=1)[:, None] / probabilities(theta)
        return np.einsum("nj,nja,njb->ab", rows, slopes, slopes)

    def cost(theta):
        with np.errstate(all="ignore"):
            p = probabilities(theta)
            if not np.all(p > 0):
                return 1e6
            sign, size = np.linalg.slogdet(information(theta))
        return -np.sum(counts * np.log(p)) - 0.5 * size if sign > 0 else 1e6

    options = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 20_000, "maxfev": 20_000}
    found = np.asarray(start, dtype=float)
    for _ in range(3):
        found = optimize.minimize(cost, found, method="Nelder-Mead", options=options).x
    return found, np.sqrt(np.diag(np.linalg.inv(information(found)))), -cost(found)


@pytest.mark.parametrize("law", ["logistic", pytest.param("probit", marks=pytest.mark.slow)])
def test_cumulative_models_under_separation(law):
    link = logistic if law == "logistic" else special.ndtr
    counts = np.eye(3)[LEVELS]
    expected, se, top = direct(cumulative(link), counts, [1.0, 0.0, -1.0, 0.5])
    model = ordered_model(LEVELS, np.column_stack([DUMMY, Z]), probit=law == "probit")
    fit = pymle.find_MLE(model, penalty="firth", progressbar=False)
    assert fit.verdict.ok
    table = fit.summary(cov="expected")
    np.testing.assert_allclose(table["estimate"].astype(float), expected, atol=1e-5)
    np.testing.assert_allclose(table["se"].astype(float), se, rtol=1e-4)
    np.testing.assert_allclose(fit.estimate.maximum, top, atol=1e-8)


def test_adjacent_categories_with_weights():
    expected, se, _ = direct(adjacent, STEM_CELLS.T, [-1.0, 0.5, 0.0, 0.2, 0.0])
    level, group = np.indices(STEM_CELLS.shape)
    religion, female = 1.0 + group.ravel() % 3, (group.ravel() < 3).astype(float)
    with pm.Model() as model:
        a, b, c = pm.Normal("a", 0, 5, shape=3), pm.Normal("b", 0, 5), pm.Normal("c", 0, 5)
        eta = b * religion + c * female
        steps = a[None, :] + eta[:, None]
        logits = [steps[:, j:].sum(axis=1) for j in range(3)] + [0.0 * eta]
        pm.Categorical("y", logit_p=pm.math.stack(logits, axis=1), observed=level.ravel())
    weights = STEM_CELLS.ravel()
    fit = pymle.find_MLE(model, penalty="firth", weights=weights, progressbar=False)
    assert fit.verdict.ok
    table = fit.summary(cov="expected")
    np.testing.assert_allclose(table["estimate"].astype(float), expected, atol=1e-6)
    np.testing.assert_allclose(table["se"].astype(float), se, rtol=1e-6)
