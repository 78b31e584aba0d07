"""Analyses of fits with random effects: what holds, and what is refused."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy import optimize, stats

import pymle

ERROR = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
EFFECT = 3 * np.array([28.0, 8, -3, 7, -1, 1, 18, 12])


@pytest.fixture(scope="module")
def fit() -> pymle.Fit:
    with pm.Model(coords={"school": list("ABCDEFGH")}) as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        pm.Normal("y", theta, ERROR, observed=EFFECT, dims="school")
    return pymle.find_MLE(model, progressbar=False)


def profile(tau: float) -> float:
    sd = np.hypot(ERROR, tau)
    mu = np.sum(EFFECT / sd**2) / np.sum(sd**-2)
    return float(stats.norm(mu, sd).logpdf(EFFECT).sum())


def test_profile_limits_of_a_standard_deviation(fit):
    found = fit.profile("tau")
    target = fit.loglik - 0.5 * stats.chi2(1).ppf(0.95)
    upper = optimize.brentq(lambda t: profile(t) - target, float(fit.params["tau"]), 500)
    assert found.upper == pytest.approx(upper, rel=1e-6)
    lower = optimize.brentq(lambda t: profile(t) - target, 1e-6, float(fit.params["tau"]))
    assert found.lower == pytest.approx(lower, rel=1e-6)


def test_bootstrap_draws_new_effects(fit):
    record = fit.bootstrap(40, random_seed=2, progressbar=False)
    assert record.kind == "parametric"
    # Simulated effects spread the means of the replicates as the standard error says.
    assert 0.6 < record.se["mu"] / fit.summary().loc["mu", "se"] < 1.5
    for kind in ("case", "bayesian"):
        with pytest.raises(pymle.AnalysisError, match="parametric"):
            fit.bootstrap(10, kind=kind, progressbar=False)


def test_likelihood_ratio_of_a_variance_component(fit):
    null = pymle.find_MLE(fit._problem.model, fixed={"tau": 0.0}, progressbar=False)
    test = fit.lr_test(null)
    statistic = 2 * (fit.loglik - profile(0.0))
    assert test.statistic == pytest.approx(statistic, abs=1e-7)
    assert test.p == pytest.approx(0.5 * stats.chi2(1).sf(statistic), rel=1e-6)


def test_effects_at_the_edge_have_the_errors_of_the_model_without_them():
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 5)
        theta = pm.Normal("theta", mu, tau, shape=8)
        pm.Normal("y", theta, ERROR, observed=EFFECT / 3)
    with pytest.warns(pymle.NotCertifiedWarning, match="boundary"):
        edge = pymle.find_MLE(model, progressbar=False)
    table = edge.random_effects().table
    se = 1 / np.sqrt(np.sum(ERROR**-2))
    np.testing.assert_allclose(table["se"], se, rtol=1e-3)
    assert np.isnan(edge.summary().loc["tau", "se"])
