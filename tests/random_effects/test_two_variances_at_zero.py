"""Tests of two variance components at once, against derivatives of the normal density by hand."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymle
from pymle.inference.hypotheses.edge import curvature_at
from pymle.inference.hypotheses.nesting import held_null

RNG = np.random.default_rng(8)
ROW, COLUMN = np.repeat(np.arange(8), 5), np.tile(np.arange(5), 8)
NOISE = RNG.normal(size=40)
APART = NOISE + 2.0 * RNG.normal(size=8)[ROW] + 2.0 * RNG.normal(size=5)[COLUMN]


@pytest.fixture(scope="module")
def compiled() -> dict[str, pymle.Compiled]:
    with pm.Model() as model:
        a, b = pm.HalfNormal("a", 1), pm.HalfNormal("b", 1)
        u, v = pm.Normal("u", 0, a, shape=8), pm.Normal("v", 0, b, shape=5)
        mean = pm.Normal("mu", 0, 5) + u[ROW] + v[COLUMN]
        pm.Normal("y", mean, pm.HalfNormal("sigma", 1), observed=NOISE)
    return {
        "both": pymle.compile(model),
        "none": pymle.compile(model, fixed={"a": 0.0, "b": 0.0}),
    }


def by_hand(y: np.ndarray, mu: float, sigma: float) -> np.ndarray:
    """Second derivatives in both variances, the mean and the logarithm of sigma."""
    one = np.ones((len(y), 1))
    parts = [(g[:, None] == g[None, :]).astype(float) for g in (ROW, COLUMN)]
    parts.append(2.0 * sigma**2 * np.eye(len(y)))  # of the covariance in log sigma
    W, r = np.eye(len(y)) / sigma**2, (y - mu)[:, None]
    out = np.zeros((4, 4))
    for i, A in zip((0, 1, 3), parts, strict=True):
        for j, B in zip((0, 1, 3), parts, strict=True):
            out[i, j] = 0.5 * np.trace(W @ A @ W @ B) - (r.T @ W @ A @ W @ B @ W @ r).item()
        out[i, 2] = out[2, i] = -(one.T @ W @ A @ W @ r).item()
    out[2, 2] = -(one.T @ W @ one).item()
    second = 4.0 * sigma**2 * np.eye(len(y))  # the covariance bends in log sigma
    out[3, 3] += (0.5 * r.T @ W @ second @ W @ r).item() - 0.5 * np.trace(W @ second)
    return out


def test_derivatives_in_variances_at_zero(compiled):
    small = compiled["none"].fit(progressbar=False)
    labels = list(small._fitted.problem.layout.labels)
    null = held_null(small._fitted, np.array([labels.index("a"), labels.index("b")]))
    found = curvature_at(null)
    assert found.squared.all()
    order = [list(null.problem.layout.free_labels).index(k) for k in ("mu", "sigma")]
    order = [0, 1, *(2 + i for i in order)]
    hand = by_hand(NOISE, float(small.params["mu"]), float(small.params["sigma"]))
    np.testing.assert_allclose(
        found.hessian[np.ix_(order, order)], hand, rtol=1e-6, atol=1e-6 * np.abs(hand).max()
    )


@pytest.mark.slow
def test_data_far_from_the_null_hypothesis(compiled):
    """Where the log-likelihood is not concave at the null, the largest tail of any weights."""
    large, small = (compiled[k].fit(data={"y": APART}, progressbar=False) for k in ("both", "none"))
    test = large.lr_test(small)
    statistic = 2 * (large.loglik - small.loglik)
    tails = stats.chi2([1, 2]).sf(statistic)
    assert test.p == pytest.approx(tails.mean(), rel=1e-9)
    assert "the largest p that any can" in repr(test)
