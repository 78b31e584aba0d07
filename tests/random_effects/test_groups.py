"""Independent groups of marginal likelihoods: their scores, and what is made from them."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy import integrate, stats

import pymle
from pymle.inference.covariance import group_scores

RNG = np.random.default_rng(51)
GROUP = np.repeat(np.arange(8), 5)
SCHOOL = GROUP // 2
X = RNG.normal(size=40)
Y = 1.0 + 0.5 * X + RNG.normal(size=8)[GROUP] + 0.4 * RNG.normal(size=40)
COUNTS = RNG.poisson(np.exp(0.3 + 0.4 * X + np.linspace(-1.2, 1.2, 8)[GROUP]))


def gaussian_model() -> pm.Model:
    with pm.Model(coords={"group": list("abcdefgh")}) as model:
        a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
        tau, sigma = pm.HalfNormal("tau", 2), pm.HalfNormal("sigma", 2)
        u = pm.Normal("u", a, tau, dims="group")
        pm.Normal("y", u[GROUP] + b * X, sigma, observed=Y)
    return model


def count_model() -> pm.Model:
    with pm.Model() as model:
        a, b, tau = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5), pm.HalfNormal("tau", 2)
        u = pm.Normal("u", 0, tau, shape=8)
        pm.Poisson("y", pm.math.exp(a + b * X + u[GROUP]), observed=COUNTS)
    return model


def by_group(p: np.ndarray) -> np.ndarray:
    """Log-likelihood of each group of the Gaussian model, by the normal law of its data."""
    a, b, tau, sigma = p[0], p[1], np.exp(p[2]), np.exp(p[3])
    covariance = sigma**2 * np.eye(5) + tau**2
    law = stats.multivariate_normal(np.zeros(5), covariance)
    return np.array([law.logpdf((Y - a - b * X)[g == GROUP]) for g in range(8)])


def by_integral(p: np.ndarray) -> np.ndarray:
    """The same of the count model, by SciPy's quadrature."""
    a, b, tau = p[0], p[1], np.exp(p[2])

    def one(g: int) -> float:
        counts, eta = COUNTS[g == GROUP], (a + b * X)[g == GROUP]

        def density(z: float) -> float:
            mean = np.exp(eta + tau * z)
            return float(np.exp(stats.poisson(mean).logpmf(counts).sum()) * stats.norm.pdf(z))

        return np.log(integrate.quad(density, -9, 9, epsabs=0, epsrel=1e-12, limit=400)[0])

    return np.array([one(g) for g in range(8)])


def differences(function, x: np.ndarray) -> np.ndarray:
    """Derivatives (G, k) by extrapolated central differences."""
    columns = []
    for i in range(len(x)):
        step = np.zeros(len(x))
        step[i] = 1e-3
        d1 = (function(x + step) - function(x - step)) / 2e-3
        d2 = (function(x + 2 * step) - function(x - 2 * step)) / 4e-3
        columns.append((4 * d1 - d2) / 3)
    return np.stack(columns, axis=1)


def test_linear_gaussian_groups():
    fit = pymle.find_MLE(gaussian_model(), progressbar=False)
    x = fit.estimate.x
    scores, labels = group_scores(fit._fitted)
    expected = differences(by_group, x)
    np.testing.assert_allclose(scores, expected, atol=1e-8)
    assert list(labels) == [f"u[{g}]" for g in "abcdefgh"]
    np.testing.assert_allclose(scores.sum(axis=0), fit.estimate.score, atol=1e-10)
    assert "8 groups that share `u`" in repr(fit.units())
    bread = np.linalg.inv(fit.estimate.curvature.information)
    sandwich = bread @ (expected.T @ expected) @ bread
    jacobian = np.diag([1.0, 1.0, np.exp(x[2]), np.exp(x[3])])
    found = fit.covariance("sandwich")
    np.testing.assert_allclose(found, jacobian @ sandwich @ jacobian, rtol=1e-6, atol=1e-12)
    table = fit.summary(cov="sandwich")
    np.testing.assert_allclose(table["se"], np.sqrt(np.diag(found)))
    scores_table = fit.scores(scale="unconstrained")
    np.testing.assert_allclose(scores_table, scores, atol=1e-12)


@pytest.mark.parametrize("points", [pytest.param(None, marks=pytest.mark.slow), 31])
def test_groups_of_counts(points: int | None):
    """Laplace's scores by group sum to the score; those of quadrature are the integrals'."""
    fit = pymle.find_MLE(count_model(), quadrature=points, progressbar=False)
    scores, _ = group_scores(fit._fitted)
    np.testing.assert_allclose(scores.sum(axis=0), fit.estimate.score, atol=1e-10)
    expected = differences(by_integral, fit.estimate.x)
    np.testing.assert_allclose(scores, expected, atol=1e-6 if points else 0.03)


def test_clusters_hold_whole_groups():
    fit = pymle.find_MLE(gaussian_model(), progressbar=False)
    scores, _ = group_scores(fit._fitted)
    summed = np.array([scores[2 * s : 2 * s + 2].sum(axis=0) for s in range(4)])
    found = fit.scores(scale="unconstrained", clusters=SCHOOL)
    np.testing.assert_allclose(found, summed, atol=1e-12)
    fit.summary(clusters=SCHOOL)
    with pytest.raises(pymle.AnalysisError, match="share random effects and lie in the clusters"):
        fit.summary(clusters=np.arange(40) % 3)
    with pytest.raises(pymle.AnalysisError, match="have no log-likelihood or score of their own"):
        fit.covariance("HAC")


def test_observations_without_effects_are_their_own_groups():
    other = RNG.normal(size=7)
    with gaussian_model() as model:
        pm.Normal("z", model["a"], model["sigma"], observed=other)
    fit = pymle.find_MLE(model, progressbar=False)
    scores, labels = group_scores(fit._fitted)
    assert len(labels) == 15
    x = fit.estimate.x

    def alone(p):
        return stats.norm(p[0], np.exp(p[3])).logpdf(other)

    expected = np.concatenate([differences(by_group, x), differences(alone, x)])
    order = np.lexsort(scores.T), np.lexsort(expected.T)
    np.testing.assert_allclose(scores[order[0]], expected[order[1]], atol=1e-8)
    assert "8 groups that share `u` and 7 observations without" in repr(fit.units())


def test_crossed_effects_leave_one_group():
    crossed = Y + np.linspace(-1, 1, 5)[np.arange(40) % 5]
    with pm.Model() as model:
        a, sigma = pm.Normal("a", 0, 5), pm.HalfNormal("sigma", 2)
        u = pm.Normal("u", 0, pm.HalfNormal("tau", 2), shape=8)
        v = pm.Normal("v", 0, pm.HalfNormal("phi", 2), shape=5)
        pm.Normal("y", a + u[GROUP] + v[np.arange(40) % 5], sigma, observed=crossed)
    fit = pymle.find_MLE(model, progressbar=False)
    with pytest.raises(pymle.AnalysisError, match="connects all observations"):
        fit.summary(cov="sandwich")
