"""Posterior modes of conjugate models, their curvature, and what a MAP fit refuses."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymle

COUNTS = np.array([2, 0, 3, 1, 1, 4, 2])
HITS = np.array([1, 0, 1, 1, 0, 1, 1, 1, 0, 1])
Y = np.array([1.2, -0.4, 2.2, 0.9, 1.7])


def beta_bernoulli():
    with pm.Model() as model:
        pm.Bernoulli("y", pm.Beta("p", 3.0, 4.0), observed=HITS)
    return model


def gamma_poisson():
    with pm.Model() as model:
        pm.Poisson("y", pm.Gamma("rate", 3.0, 2.0), observed=COUNTS)
    return model


def normal_normal():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", -1.0, 0.5), 0.8, observed=Y)
    return model


def beta_case():
    a, b = 3 + HITS.sum() - 1, 4 + (1 - HITS).sum() - 1
    mode = a / (a + b)
    loglik = stats.bernoulli(mode).logpmf(HITS).sum()
    return beta_bernoulli(), "p", mode, mode * (1 - mode) / (a + b), loglik, stats.beta(3, 4)


def gamma_case():
    shape, rate = 3 + COUNTS.sum() - 1, 2 + len(COUNTS)
    mode = shape / rate
    loglik = stats.poisson(mode).logpmf(COUNTS).sum()
    return gamma_poisson(), "rate", mode, mode**2 / shape, loglik, stats.gamma(3, scale=0.5)


def normal_case():
    precision = 1 / 0.25 + len(Y) / 0.64
    mode = (-1 / 0.25 + Y.sum() / 0.64) / precision
    loglik = stats.norm(mode, 0.8).logpdf(Y).sum()
    return normal_normal(), "mu", mode, 1 / precision, loglik, stats.norm(-1, 0.5)


@pytest.mark.parametrize("case", [beta_case, gamma_case, normal_case])
def test_conjugate_modes_and_curvature(case):
    model, name, mode, variance, loglik, prior = case()
    fit = pymle.find_MAP(model)
    assert fit.verdict.ok
    np.testing.assert_allclose(fit.params[name], mode, rtol=1e-9)
    np.testing.assert_allclose(fit.covariance().to_numpy(), [[variance]], rtol=1e-8)
    np.testing.assert_allclose(fit.loglik, loglik, rtol=1e-10)
    np.testing.assert_allclose(fit.logposterior, loglik + prior.logpdf(mode), rtol=1e-10)


def test_jacobian_gives_the_mode_on_the_unconstrained_scale():
    """A Beta posterior on the logit scale has its mode at a / (a + b)."""
    a, b = 3 + HITS.sum(), 4 + (1 - HITS).sum()
    fit = pymle.find_MAP(beta_bernoulli(), jacobian=True)
    mode = a / (a + b)
    np.testing.assert_allclose(fit.params["p"], mode, rtol=1e-9)
    variance = fit.covariance("unconstrained").to_numpy()
    np.testing.assert_allclose(variance, [[1 / ((a + b) * mode * (1 - mode))]], rtol=1e-8)


def test_jacobian_on_the_log_scale():
    shape, rate = 3 + COUNTS.sum(), 2 + len(COUNTS)
    fit = pymle.find_MAP(gamma_poisson(), jacobian=True)
    np.testing.assert_allclose(fit.params["rate"], shape / rate, rtol=1e-9)
    variance = fit.covariance("unconstrained").to_numpy()
    np.testing.assert_allclose(variance, [[1 / shape]], rtol=1e-8)


def test_flat_priors_make_map_equal_to_mle():
    with pm.Model() as model:
        mu, sigma = pm.Flat("mu"), pm.HalfFlat("sigma")
        pm.Normal("y", mu, sigma, observed=Y)
    posterior, likelihood = pymle.find_MAP(model), pymle.find_MLE(model)
    for fit in (posterior, likelihood):
        np.testing.assert_allclose(fit.params["mu"], Y.mean(), rtol=1e-10)
        np.testing.assert_allclose(fit.params["sigma"], Y.std(), rtol=1e-10)
    np.testing.assert_allclose(posterior.logposterior, likelihood.loglik, rtol=1e-12)


def test_potential_is_part_of_the_posterior_either_way():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Potential("pull", -0.5 * 3.0 * (mu - 2.0) ** 2)
        pm.Normal("y", mu, 1.0, observed=Y)
    mode = (3.0 * 2.0 + Y.sum()) / (1 + 3 + len(Y))
    with pytest.warns(pymle.Notice, match="penalty"):
        kept = pymle.find_MAP(model)
    dropped = pymle.find_MAP(model, potentials={"pull": "prior"})
    for fit in (kept, dropped):
        np.testing.assert_allclose(fit.params["mu"], mode, rtol=1e-10)
    # As a prior it counts towards the posterior, not towards the likelihood.
    np.testing.assert_allclose(dropped.loglik, stats.norm(mode, 1).logpdf(Y).sum(), rtol=1e-10)
    np.testing.assert_allclose(kept.loglik - dropped.loglik, -1.5 * (mode - 2) ** 2, rtol=1e-8)


def test_joint_mode_with_random_effects_kept_as_parameters():
    """``random=[]``: the joint mode, here of two levels of normals with known scales."""
    y = np.array([2.0, 4.0, 9.0])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2)
        theta = pm.Normal("theta", mu, 1.5, shape=3)
        pm.Normal("y", theta, 1.0, observed=y)
    precision = np.diag([1 / 4 + 3 / 2.25, *(3 * [1 / 2.25 + 1])])
    precision[0, 1:] = precision[1:, 0] = -1 / 2.25
    mode = np.linalg.solve(precision, [0.0, *y])
    fit = pymle.find_MAP(model, random=[])
    assert fit.verdict.ok
    np.testing.assert_allclose(fit.params["mu"], mode[0], rtol=1e-10)
    np.testing.assert_allclose(fit.params["theta"], mode[1:], rtol=1e-10)
    np.testing.assert_allclose(fit.covariance(), np.linalg.inv(precision), atol=1e-12)


def test_what_belongs_to_likelihood_refuses_a_map_fit():
    fit = pymle.find_MAP(normal_normal())
    for name in ("aic", "aicc", "bic"):
        with pytest.raises(pymle.AnalysisError, match=r"maximum likelihood.*find_MLE"):
            getattr(fit, name)
    assert "z" not in fit.summary().columns
    assert "p" not in fit.summary().columns
    assert "posterior curvature" in repr(fit)
    assert "AIC" not in repr(fit)
    assert "AIC" not in fit._repr_html_()


def test_a_likelihood_fit_has_no_posterior():
    fit = pymle.find_MLE(normal_normal())
    with pytest.raises(pymle.AnalysisError, match="find_MAP"):
        _ = fit.logposterior
