"""Marginal likelihoods that are known: linear Gaussian models, and Laplace by other means."""

from __future__ import annotations

import warnings

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import optimize, stats

import pymle

RNG = np.random.default_rng(20)
GROUP = np.repeat(np.arange(6), 5)
X = RNG.normal(size=30)
Y = 1.0 + 0.5 * X + RNG.normal(size=6)[GROUP] + 0.4 * RNG.normal(size=30)
COUNTS = RNG.poisson(np.exp(0.3 + 0.6 * RNG.normal(size=6))[GROUP])


def mixed_model(form: str) -> pm.Model:
    with pm.Model(coords={"group": list("abcdef")}) as model:
        a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
        tau, sigma = pm.HalfNormal("tau", 2), pm.HalfNormal("sigma", 2)
        if form == "centred":
            mean = pm.Normal("u", a, tau, dims="group")[GROUP]
        elif form == "centred at zero":
            mean = a + pm.Normal("u", 0, tau, dims="group")[GROUP]
        elif form == "non-centred":
            z = pm.Normal("z", 0, 1, dims="group")
            mean = a + pm.Deterministic("u", tau * z, dims="group")[GROUP]
        else:
            mean = a + pm.MvNormal("u", np.zeros(6), cov=tau**2 * pt.eye(6), dims="group")[GROUP]
        pm.Normal("y", mean + b * X, sigma, observed=Y)
    return model


def gaussian_marginal(a: float, b: float, tau: float, sigma: float) -> float:
    same = GROUP[:, None] == GROUP[None, :]
    covariance = sigma**2 * np.eye(30) + tau**2 * same
    return float(stats.multivariate_normal(a + b * X, covariance).logpdf(Y))


FORMS = ["centred", "centred at zero", "non-centred", "multivariate"]


@pytest.mark.parametrize("form", FORMS)
def test_linear_gaussian_models_are_exact(form: str):
    fit = pymle.find_MLE(mixed_model(form), progressbar=False)
    assert fit.verdict.ok
    at = {k: float(fit.params[k]) for k in ("a", "b", "tau", "sigma")}
    assert fit.loglik == pytest.approx(gaussian_marginal(**at), abs=1e-9)

    def minus(p):
        return -gaussian_marginal(p[0], p[1], np.exp(p[2]), np.exp(p[3]))

    best = optimize.minimize(minus, [at["a"], at["b"], np.log(at["tau"]), np.log(at["sigma"])])
    assert fit.loglik >= -best.fun - 1e-9
    assert fit.nobs == 30
    assert fit.nparams == 4
    # Best linear unbiased predictions and their variance given the parameters.
    shrink = 5 * at["tau"] ** 2 / (5 * at["tau"] ** 2 + at["sigma"] ** 2)
    residual = np.array([np.mean((Y - at["a"] - at["b"] * X)[g == GROUP]) for g in range(6)])
    effects = fit.random_effects()
    scale, shift = (at["tau"], 0.0) if form == "non-centred" else (1.0, 0.0)
    shift = at["a"] if form == "centred" else shift
    mode = effects.table["mode"].to_numpy() * scale - shift
    np.testing.assert_allclose(mode, shrink * residual, rtol=1e-8)
    sd = effects.table["conditional_sd"].to_numpy() * scale
    np.testing.assert_allclose(sd, at["tau"] * np.sqrt(1 - shrink), rtol=1e-8)
    assert np.all(effects.table["se"] >= effects.table["conditional_sd"])
    assert list(fit.point) == [*fit.params, "z" if form == "non-centred" else "u"]


def test_a_standard_deviation_of_zero_can_be_evaluated():
    for form in FORMS[:3]:
        likelihood = pymle.compile(mixed_model(form), fixed={"tau": 0.0})
        point = {"a": 1.1, "b": 0.4, "sigma": 0.7}
        expected = stats.norm(1.1 + 0.4 * X, 0.7).logpdf(Y).sum()
        assert likelihood.logp(point) == pytest.approx(expected, abs=1e-10)


def laplace_by_hand(log_density, size: int) -> float:
    """Laplace's approximation of one integral, by SciPy and differences."""
    found = optimize.minimize(lambda u: -log_density(u), np.zeros(size), options={"gtol": 1e-10})
    u, h, eye = found.x, 1e-4, np.eye(size)
    second = np.array(
        [
            [
                (
                    log_density(u + h * (a + b))
                    - log_density(u + h * (a - b))
                    - log_density(u - h * (a - b))
                    + log_density(u - h * (a + b))
                )
                / (4 * h * h)
                for b in eye
            ]
            for a in eye
        ]
    )
    return log_density(u) + 0.5 * size * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(-second)[1]


def test_what_is_integrated_carries_its_jacobian():
    """Gamma effects: Laplace on the log scale, as by hand."""
    with pm.Model() as model:
        shape = pm.HalfNormal("shape", 3)
        rate = pm.Gamma("rate", shape, shape, shape=6)
        pm.Poisson("y", (2.0 * rate)[GROUP], observed=COUNTS)
    likelihood = pymle.compile(model)

    def group(counts):
        def log_density(u):
            rate = np.exp(u[0])
            return (
                stats.poisson(2.0 * rate).logpmf(counts).sum()
                + stats.gamma(1.7, scale=1 / 1.7).logpdf(rate)
                + u[0]
            )

        return log_density

    expected = sum(laplace_by_hand(group(COUNTS[g == GROUP]), 1) for g in range(6))
    assert likelihood.logp({"shape": 1.7}) == pytest.approx(expected, abs=1e-5)


def test_missing_responses_drop_out():
    y = np.where(np.arange(30) % 7 == 3, np.nan, Y)
    with warnings.catch_warnings(), pm.Model() as model:
        warnings.simplefilter("ignore")
        a, sigma = pm.Normal("a", 0, 5), pm.HalfNormal("sigma", 2)
        pm.Normal("y", a, sigma, observed=y)
    with pytest.warns(pymle.Notice, match="missing at random"):
        fit = pymle.find_MLE(model, progressbar=False)
    seen = y[np.isfinite(y)]
    assert float(fit.params["a"]) == pytest.approx(seen.mean(), abs=1e-9)
    assert float(fit.params["sigma"]) == pytest.approx(seen.std(), abs=1e-9)
    assert fit.nobs == len(seen)
    assert fit.loglik == pytest.approx(stats.norm(seen.mean(), seen.std()).logpdf(seen).sum())


def test_a_partly_missing_covariate_is_integrated():
    x = np.where(np.arange(30) % 5 == 2, np.nan, X)
    with warnings.catch_warnings(), pm.Model() as model:
        warnings.simplefilter("ignore")
        m, s = pm.Normal("m", 0, 5), pm.HalfNormal("s", 2)
        a, b, sigma = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5), pm.HalfNormal("sigma", 2)
        filled = pm.Normal("x", m, s, observed=x)
        pm.Normal("y", a + b * filled, sigma, observed=Y)
    likelihood = pymle.compile(model)
    at = {"m": 0.2, "s": 1.3, "a": 0.8, "b": 0.6, "sigma": 0.9}
    known = np.isfinite(x)
    expected = (
        stats.norm(0.2, 1.3).logpdf(x[known]).sum()
        + stats.norm(0.8 + 0.6 * x[known], 0.9).logpdf(Y[known]).sum()
        + stats.norm(0.8 + 0.6 * 0.2, np.hypot(0.9, 0.6 * 1.3)).logpdf(Y[~known]).sum()
    )
    assert likelihood.logp(at) == pytest.approx(expected, abs=1e-9)


def test_partly_missing_rows_of_a_multivariate_normal_are_marginal():
    data = RNG.multivariate_normal([1.0, -1.0], [[2.0, 0.6], [0.6, 1.0]], size=12)
    data[3, 0] = data[7, 1] = np.nan
    with warnings.catch_warnings(), pm.Model() as model:
        warnings.simplefilter("ignore")
        mu = pm.Normal("mu", 0, 5, shape=2)
        pm.MvNormal("y", mu, cov=np.array([[2.0, 0.6], [0.6, 1.0]]), observed=data)
    mean, covariance = np.array([0.9, -0.7]), np.array([[2.0, 0.6], [0.6, 1.0]])
    whole = np.isfinite(data).all(axis=1)
    expected = stats.multivariate_normal(mean, covariance).logpdf(data[whole]).sum()
    expected += stats.norm(mean[1], 1.0).logpdf(data[3, 1])
    expected += stats.norm(mean[0], np.sqrt(2.0)).logpdf(data[7, 0])
    assert pymle.compile(model).logp({"mu": mean}) == pytest.approx(expected, abs=1e-8)


def test_map_keeps_the_priors_of_the_parameters_alone():
    model = mixed_model("centred")
    fit = pymle.find_MAP(model, progressbar=False)
    at = {k: float(fit.params[k]) for k in ("a", "b", "tau", "sigma")}
    assert fit.loglik == pytest.approx(gaussian_marginal(**at), abs=1e-9)
    prior = (
        stats.norm(0, 5).logpdf([at["a"], at["b"]]).sum()
        + stats.halfnorm(0, 2).logpdf([at["tau"], at["sigma"]]).sum()
    )
    assert fit.logposterior == pytest.approx(fit.loglik + prior, abs=1e-9)


def test_an_operation_without_derivatives_cannot_be_integrated():
    with pytest.raises(pymle.ModelError, match="integrate out"):
        pymle.find_MLE(mixed_model("centred"), backend="pytensor", progressbar=False)


def test_observations_that_share_effects_have_no_terms_of_their_own():
    likelihood = pymle.compile(mixed_model("centred"))
    point = {"a": 1.0, "b": 0.5, "tau": 1.0, "sigma": 0.5}
    with pytest.raises(pymle.AnalysisError, match="share a random effect"):
        likelihood.logp_per_observation(point)
