"""Restricted likelihoods: lme4's values, and closed forms of linear regression."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest

import pymle
from tests.reference.models_random import PROBLEMS

RNG = np.random.default_rng(54)
X = np.column_stack([np.ones(25), RNG.normal(size=(25, 2))])
Y = X @ [1.0, 0.5, -0.3] + RNG.normal(size=25)


def regression(columns: int = 3) -> pm.Model:
    with pm.Model(coords={"term": list("abc")[:columns]}) as model:
        beta = pm.Normal("beta", 0, 10, dims="term")
        sigma = pm.HalfNormal("sigma", 3)
        pm.Normal("y", X[:, :columns] @ beta, sigma, observed=Y)
    return model


def problem(name: str):
    [found] = [p for p in PROBLEMS if str(p) == name]
    return found


@pytest.mark.slow
def test_linear_regression():
    fit = pymle.find_MLE(regression(), reml=["beta"], progressbar=False)
    assert fit.verdict.ok
    hat, residual, *_ = np.linalg.lstsq(X, Y, rcond=None)
    sigma2 = float(residual[0]) / 22
    assert float(fit.params["sigma"]) ** 2 == pytest.approx(sigma2, rel=1e-9)
    # The integral of the likelihood over beta.
    expected = -0.5 * (22 * np.log(2 * np.pi * sigma2) + np.linalg.slogdet(X.T @ X)[1] + 22)
    assert fit.loglik == pytest.approx(expected, abs=1e-9)
    table = fit.random_effects().table
    assert list(table.index) == ["beta[a]", "beta[b]", "beta[c]"]
    np.testing.assert_allclose(table["mode"], hat, rtol=1e-8)
    errors = np.sqrt(sigma2 * np.diag(np.linalg.inv(X.T @ X)))
    np.testing.assert_allclose(table["se"], errors, rtol=1e-8)
    assert fit.estimate.reml == ("beta",)
    assert "beta (3, flat)" in fit.integrated
    assert fit.roles["beta"].reason == "integrated under a flat measure (`reml=`)"


def test_sleepstudy_is_that_of_lme4():
    """lmer(Reaction ~ Days + (Days | Subject), sleepstudy): lme4's manual page and vignette."""
    model = problem("lmm_sleepstudy-noncentred").model()
    fit = pymle.find_MLE(model, reml=["Intercept", "Days"], progressbar=False)
    assert -2 * fit.loglik == pytest.approx(1743.628, abs=5e-4)
    table = fit.summary()["estimate"]
    assert table["chol_stds[0]"] == pytest.approx(24.7407, abs=5e-4)
    assert table["chol_stds[1]"] == pytest.approx(5.9221, abs=1e-4)
    assert table["chol_corr[0, 1]"] == pytest.approx(0.066, abs=5e-4)
    assert table["sigma"] == pytest.approx(25.5918, abs=1e-4)
    effects = fit.random_effects().table
    assert effects.loc["Intercept", "mode"] == pytest.approx(251.405, abs=1e-3)
    assert effects.loc["Days", "mode"] == pytest.approx(10.467, abs=1e-3)
    assert effects.loc["Intercept", "conditional_sd"] == pytest.approx(6.825, abs=1e-3)
    assert effects.loc["Days", "conditional_sd"] == pytest.approx(1.546, abs=1e-3)


@pytest.mark.slow
def test_dyestuff_is_that_of_lme4():
    """lmer(Yield ~ 1 + (1 | Batch), Dyestuff)."""
    model = problem("lmm_dyestuff-centred").model()
    fit = pymle.find_MLE(model, reml=["Intercept"], progressbar=False)
    assert -2 * fit.loglik == pytest.approx(319.6543, abs=5e-5)
    assert float(fit.params["sd_batch"]) == pytest.approx(42.0006, abs=5e-4)
    assert float(fit.params["sigma"]) == pytest.approx(49.5101, abs=5e-4)


def test_comparisons_refuse_other_integrated_sets():
    full = pymle.find_MLE(regression(), progressbar=False)
    restricted = pymle.find_MLE(regression(), reml=["beta"], progressbar=False)
    with pytest.raises(pymle.AnalysisError, match="different parameters integrated out"):
        pymle.compare({"full": full, "restricted": restricted})
    with pytest.raises(pymle.AnalysisError, match="different parameters integrated out"):
        full.lr_test(restricted)


def test_what_cannot_be_integrated_under_a_flat_measure():
    with pytest.raises(pymle.ModelError, match="its values are constrained"):
        pymle.compile(regression(), reml=["sigma"])
    with pytest.raises(pymle.PointError, match="gamma"):
        pymle.compile(regression(), reml=["gamma"])
    with pytest.raises(pymle.ModelError, match="held by `fixed="):
        pymle.compile(regression(), reml=["beta"], fixed={"beta[a]": 1.0})
    with pytest.raises(pymle.ModelError, match="its role is `observed`"):
        pymle.compile(regression(), reml=["y"])


def test_flat_measures_and_laws_of_held_effects_are_no_probabilities():
    """Of discrete data a likelihood is at most one; integrals over coefficients are not."""
    unit = 1e-3
    with pm.Model() as model:
        beta, rate = pm.Normal("beta", 0, 1), pm.Exponential("rate", 1)
        pm.Bernoulli("y", logit_p=beta * unit, observed=[0, 1])
        pm.Poisson("k", rate, observed=1)
    laplace = np.log(0.25) + 0.5 * np.log(2 * np.pi) - 0.5 * np.log(0.5 * unit**2)
    found = pymle.compile(model, reml=["beta"]).logp({"rate": 1.0})
    assert found == pytest.approx(laplace - 1.0, abs=1e-9)
    held = 1e-3 * RNG.normal(size=30)
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 1)
        pm.Poisson("y", pm.math.exp(pm.Normal("u", 0, tau, shape=30)), observed=np.ones(30, int))
    fit = pymle.find_MLE(model, fixed={"u": held}, progressbar=False)
    assert float(fit.params["tau"]) == pytest.approx(np.sqrt(np.mean(held**2)), rel=1e-6)
