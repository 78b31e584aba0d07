"""Weights, held values, Potentials, start and context: closed forms of each."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymle
from tests.model_bank.univariate import unit_correlation

rng = np.random.default_rng(5)
X = np.column_stack([np.ones(16), rng.normal(size=16)])
Y = X @ [1.0, -2.0] + rng.normal(size=16)


def regression(x=X, y=Y):
    with pm.Model(coords={"predictor": ["one", "x1"]}) as model:
        beta = pm.Normal("beta", 0, 10, dims="predictor")
        pm.Normal("y", x @ beta, pm.HalfNormal("sigma", 5), observed=y)
    return model


def test_frequency_weights_equal_replicated_rows():
    weights = rng.integers(0, 4, 16)
    keep = np.repeat(np.arange(16), weights)
    x, y = X[keep], Y[keep]
    fit = pymle.find_MLE(regression(), weights=weights)
    beta, *_ = np.linalg.lstsq(x, y, rcond=None)
    sigma = np.sqrt(np.mean((y - x @ beta) ** 2))
    np.testing.assert_allclose(fit.params["beta"], beta, rtol=1e-9)
    np.testing.assert_allclose(fit.params["sigma"], sigma, rtol=1e-9)
    np.testing.assert_allclose(fit.loglik, stats.norm(x @ beta, sigma).logpdf(y).sum(), rtol=1e-10)
    expected = sigma**2 * np.linalg.inv(x.T @ x)
    np.testing.assert_allclose(fit.covariance().to_numpy()[:2, :2], expected, rtol=1e-7)
    assert fit.nobs == weights.sum()
    np.testing.assert_allclose(fit.bic, 3 * np.log(weights.sum()) - 2 * fit.loglik)


def test_weights_by_observed_variable():
    counts, hits = np.array([1, 4, 2]), np.array([1, 0])
    with pm.Model() as model:
        pm.Poisson("counts", pm.Exponential("rate", 1), observed=counts)
        pm.Bernoulli("hits", pm.Beta("p", 1, 1), observed=hits)
    fit = pymle.find_MLE(model, weights={"hits": [3.0, 1.0]})
    np.testing.assert_allclose(fit.params["p"], 0.75, rtol=1e-10)
    np.testing.assert_allclose(fit.params["rate"], counts.mean(), rtol=1e-10)
    assert fit.nobs == 3 + 4


@pytest.mark.parametrize(
    ("weights", "seen"),
    [
        (np.ones(5), r"shape \(5,\)"),
        (-np.ones(16), "negative"),
        (np.full(16, np.nan), "non-finite"),
        ({"z": np.ones(16)}, "unknown name `z`"),
    ],
)
def test_weights_that_do_not_fit(weights, seen):
    with pytest.raises(pymle.DataError, match=f"(?s)weights|data.*{seen}"):
        pymle.find_MLE(regression(), weights=weights)


def test_hold_a_whole_variable():
    fit = pymle.find_MLE(regression(), fixed={"sigma": 2.0})
    beta, *_ = np.linalg.lstsq(X, Y, rcond=None)
    np.testing.assert_allclose(fit.params["beta"], beta, rtol=1e-10)
    assert fit.params["sigma"] == 2.0
    np.testing.assert_allclose(fit.covariance(), 4.0 * np.linalg.inv(X.T @ X), rtol=1e-8)
    assert fit.nparams == 2
    assert list(fit.summary().index) == ["beta[one]", "beta[x1]"]
    assert "held: sigma = 2" in repr(fit)
    assert fit.point["sigma"] == 2.0
    np.testing.assert_allclose(fit.loglik, stats.norm(X @ beta, 2).logpdf(Y).sum(), rtol=1e-10)


@pytest.mark.parametrize("value", [0.0, 1.0, -2.5])
def test_hold_a_single_entry_by_label(value):
    fit = pymle.find_MLE(regression(), fixed={"beta[x1]": value})
    rest = Y - value * X[:, 1]
    np.testing.assert_allclose(fit.params["beta"], [rest.mean(), value], rtol=1e-9)
    np.testing.assert_allclose(fit.params["sigma"], rest.std(), rtol=1e-9)
    assert fit.nparams == 2
    assert list(fit.summary().index) == ["beta[one]", "sigma"]
    np.testing.assert_allclose(fit.summary().loc["beta[one]", "se"], rest.std() / 4, rtol=1e-8)


def test_hold_entries_of_a_bounded_vector():
    y = np.array([[3, 5, 4], [2, 2, 5]])
    with pm.Model(coords={"kind": ["a", "b", "c"]}) as model:
        rate = pm.Exponential("rate", 1.0, dims="kind")
        pm.Poisson("y", rate, observed=y)
    fit = pymle.find_MLE(model, fixed={"rate[b]": 1.25, "rate[c]": 4.0})
    np.testing.assert_allclose(fit.params["rate"], [2.5, 1.25, 4.0], rtol=1e-10)
    np.testing.assert_allclose(fit.summary().loc["rate[a]", "se"], np.sqrt(2.5 / 2), rtol=1e-8)


def test_hold_a_simplex():
    with pm.Model() as model:
        p = pm.Dirichlet("p", np.ones(3))
        rate = pm.Exponential("rate", 1)
        pm.Multinomial("y", 10, p, observed=[2, 3, 5])
        pm.Poisson("n", rate, observed=[10])
    fit = pymle.find_MLE(model, fixed={"p": [0.2, 0.2, 0.6]})
    np.testing.assert_allclose(fit.params["p"], [0.2, 0.2, 0.6], rtol=1e-12)
    assert fit.nparams == 1
    expected = stats.multinomial(10, [0.2, 0.2, 0.6]).logpmf([2, 3, 5]) + stats.poisson(10).logpmf(
        10
    )
    np.testing.assert_allclose(fit.loglik, expected, rtol=1e-10)


def test_hold_on_the_edge_of_the_support():
    """The closure of the support belongs to the parameter space: extra variance zero."""
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 1)
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("y", mu, pm.math.sqrt(1.0 + tau**2), observed=Y)
    fit = pymle.find_MLE(model, fixed={"tau": 0.0})
    np.testing.assert_allclose(fit.params["mu"], Y.mean(), rtol=1e-10)
    assert fit.params["tau"] == 0.0
    np.testing.assert_allclose(fit.loglik, stats.norm(Y.mean(), 1).logpdf(Y).sum(), rtol=1e-10)


def test_hold_a_probability_at_one():
    y = np.array([2, 0, 5, 1])
    with pm.Model() as model:
        psi, mu = pm.Beta("psi", 1, 1), pm.Exponential("mu", 1)
        pm.ZeroInflatedPoisson("y", psi, mu, observed=y)
    fit = pymle.find_MLE(model, fixed={"psi": 1.0})
    np.testing.assert_allclose(fit.params["mu"], 2.0, rtol=1e-10)
    np.testing.assert_allclose(fit.loglik, stats.poisson(2).logpmf(y).sum(), rtol=1e-10)


def test_potential_alone_is_the_likelihood():
    y = rng.normal(3, 2, 25)
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 1), pm.HalfNormal("sigma", 1)
        pm.Potential("loglik", pm.logp(pm.Normal.dist(mu, sigma), y).sum())
    fit = pymle.find_MLE(model)
    assert fit.verdict.ok
    np.testing.assert_allclose(fit.params["mu"], y.mean(), rtol=1e-9)
    np.testing.assert_allclose(fit.params["sigma"], y.std(), rtol=1e-9)
    np.testing.assert_allclose(fit.loglik, stats.norm(y.mean(), y.std()).logpdf(y).sum())
    assert np.isnan(fit.nobs)
    assert np.isfinite(fit.aic)
    with pytest.raises(pymle.AnalysisError, match=r"number of observations.*Potential"):
        _ = fit.bic


def test_potential_stays_or_goes_as_told():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Potential("pull", -0.5 * 4.0 * (mu - 10.0) ** 2)
        pm.Normal("y", mu, 1.0, observed=Y)
    with pytest.warns(pymle.Notice, match="`pull` holds only parameters and acts as a penalty"):
        kept = pymle.find_MLE(model)
    np.testing.assert_allclose(kept.params["mu"], (40 + Y.sum()) / 20, rtol=1e-10)
    dropped = pymle.find_MLE(model, potentials={"pull": "prior"})
    np.testing.assert_allclose(dropped.params["mu"], Y.mean(), rtol=1e-10)
    declared = pymle.find_MLE(model, potentials={"pull": "likelihood"})
    np.testing.assert_allclose(declared.params["mu"], kept.params["mu"], rtol=1e-10)


def test_potential_as_a_constraint():
    """An indicator keeps the fit inside; inside it the maximum is the sample mean."""
    y = np.array([0.5, 1.5, 1.0])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1, initval=0.5)
        pm.Potential("positive", pm.math.switch(mu > 0, 0.0, -np.inf))
        pm.Normal("y", mu, 1.0, observed=y)
    with pytest.warns(pymle.Notice, match="positive"):
        fit = pymle.find_MLE(model)
    assert fit.verdict.ok
    np.testing.assert_allclose(fit.params["mu"], 1.0, rtol=1e-9)


@pytest.mark.parametrize("start", [{"sigma": 30.0}, {"beta[x1]": -40.0}, {"beta": [100.0, 100.0]}])
def test_partial_starts_reach_the_same_maximum(start):
    fit = pymle.find_MLE(regression(), start=start)
    beta, *_ = np.linalg.lstsq(X, Y, rcond=None)
    np.testing.assert_allclose(fit.params["beta"], beta, rtol=1e-9)
    for name, value in start.items():
        whole = name.partition("[")[0]
        assert np.all(np.isin(value, fit.record.start[whole]))


def test_inside_the_model_block():
    with pm.Model():
        pm.Normal("y", pm.Normal("mu", 0, 1), 1.0, observed=Y)
        for call in (pymle.find_MLE, pymle.compile):
            fit = call() if call is pymle.find_MLE else call().fit()
            np.testing.assert_allclose(fit.params["mu"], Y.mean(), rtol=1e-12)
        mode = pymle.find_MAP().params["mu"]
    np.testing.assert_allclose(mode, Y.sum() / 17, rtol=1e-12)


PRIORS_OF_SCALE = {
    "HalfNormal": lambda: pm.HalfNormal("theta", 1),
    "Exponential": lambda: pm.Exponential("theta", 50),
    "Gamma": lambda: pm.Gamma("theta", 20, 1),
    "HalfFlat": lambda: pm.HalfFlat("theta"),
    "LogNormal": lambda: pm.LogNormal("theta", 4, 0.1),
}
PRIORS_OF_SHARE = {
    "Beta": lambda: pm.Beta("theta", 50, 2),
    "Uniform": lambda: pm.Uniform("theta", 0, 1),
    "LogitNormal": lambda: pm.LogitNormal("theta", -3, 0.1),
    "Kumaraswamy": lambda: pm.Kumaraswamy("theta", 5, 5),
}


@pytest.mark.parametrize("prior", list(PRIORS_OF_SCALE))
def test_limits_do_not_depend_on_the_dropped_prior_of_a_scale(prior):
    with pm.Model() as model:
        pm.Normal("y", 0.0, PRIORS_OF_SCALE[prior](), observed=Y)
    sigma, n = np.sqrt(np.mean(Y**2)), len(Y)
    half = stats.norm.ppf(0.975) / np.sqrt(2 * n)
    row = pymle.find_MLE(model).summary().loc["theta"]
    np.testing.assert_allclose(
        row[["estimate", "lower", "upper"]].astype(float),
        sigma * np.exp([0.0, -half, half]),
        rtol=1e-9,
    )


@pytest.mark.parametrize("prior", list(PRIORS_OF_SHARE))
def test_limits_do_not_depend_on_the_dropped_prior_of_a_share(prior):
    hits = np.array([1, 0, 0, 1, 0, 1, 0, 0])
    with pm.Model() as model:
        pm.Bernoulli("y", PRIORS_OF_SHARE[prior](), observed=hits)
    at, half = np.log(3 / 5), stats.norm.ppf(0.975) / np.sqrt(8 * 3 / 8 * 5 / 8)
    row = pymle.find_MLE(model).summary().loc["theta"]
    np.testing.assert_allclose(
        row[["estimate", "lower", "upper"]].astype(float),
        1 / (1 + np.exp(-(at + np.array([0.0, -half, half])))),
        rtol=1e-9,
    )


def test_correlation_matrix():
    """PyMC 5 declares the correlations above the diagonal, PyMC 6 the Cholesky factor."""
    y = np.random.default_rng(2).multivariate_normal([0, 0], [[1.0, -0.6], [-0.6, 1.0]], size=30)
    with pm.Model() as model:
        declared = pm.LKJCorr("r", n=2, eta=2)
        whole = declared @ declared.T if declared.ndim == 2 else None
        r12 = pm.Deterministic("r12", declared[0] if whole is None else whole[0, 1])
        matrix = pm.math.stack([pm.math.stack([1.0, r12]), pm.math.stack([r12, 1.0])])
        pm.MvNormal("y", np.zeros(2), matrix, observed=y)
    fit = pymle.find_MLE(model)
    r, variance, loglik = unit_correlation(y)
    row = fit.summary().loc["r12"]
    np.testing.assert_allclose(row[["estimate", "se"]].astype(float), [r, np.sqrt(variance)])
    np.testing.assert_allclose(fit.loglik, loglik, rtol=1e-10)
    assert fit.verdict.ok
    assert fit.nparams == 1
