"""Comparisons with posteriors known in closed form, from independent draws."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from scipy.special import ndtr

import pymle
from pymle.bayes.comparison.densities import density_of, modes_of, overlap_with_normal
from tests.bayes.exact import dataset

CHAINS, DRAWS = 4, 2000
SHAPE = (CHAINS, DRAWS)
N = CHAINS * DRAWS


def near(value, exact, sd, se=1.0, spread=1.0, count=N):
    """Within five Monte Carlo errors of a mean of independent draws."""
    assert value == pytest.approx(exact, abs=5.0 * spread * sd / np.sqrt(count) / se)


def compare(model, arrays, dims=None, coords=None, **kwargs):
    fit = pymle.find_MLE(model, progressbar=False)
    return fit.compare_posterior(dataset(arrays, dims, coords), progressbar=False, **kwargs)


@pytest.fixture(scope="module")
def normal_mean():
    """Five observations of variance one with mean 2, prior N(0, 1): posterior N(10/6, 1/6)."""
    y = np.array([0.5, 1.5, 2.0, 2.5, 3.5])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Deterministic("square", mu**2)
        pm.Normal("y", mu, 1, observed=y)
    mu = np.random.default_rng(1).normal(10 / 6, 6**-0.5, SHAPE)
    return compare(model, {"mu": mu, "square": mu**2})


def test_normal_mean(normal_mean):
    row = normal_mean.table.loc["mu"]
    se, sd = 5**-0.5, 6**-0.5
    assert row["mle"] == pytest.approx(2.0, abs=1e-10)
    assert row["se"] == pytest.approx(se, rel=1e-10)
    assert row["pull"] == pytest.approx(-1 / 3, abs=1e-10)
    assert row["pull_se"] == pytest.approx(-1 / 3 / se, abs=1e-9)
    assert row["map"] == pytest.approx(10 / 6, abs=1e-9)
    assert row["map_shift"] == pytest.approx(-1 / 3 / se, abs=1e-8)
    assert row["prior_weight"] == pytest.approx(1 / 6, abs=1e-10)
    near(row["mean"], 10 / 6, sd)
    near(row["median"], 10 / 6, sd, spread=1.2533)
    near(row["sd"], sd, sd, spread=0.7072)
    near(row["shift"], -1 / 3 / se, sd, se)
    near(row["sd_ratio"], sd / se, sd, se, spread=0.7072)
    near(row["mean_less_map"], 0.0, sd, se)
    near(row["remainder"], 0.0, sd, se)
    assert row["prior_share"] == pytest.approx(1.0, abs=0.08)
    # Ends of the exact interval; the highest-density one of a symmetric law is the same.
    for name, z in (("eti_lower", -1.96), ("eti_upper", 1.96)):
        near(row[name], 10 / 6 + z * sd, sd, spread=2.68)
    assert row["hdi_upper"] - row["hdi_lower"] == pytest.approx(2 * 1.96 * sd, rel=0.05)
    assert row["below"] == pytest.approx(ndtr((2 - 1.959964 * se - 10 / 6) / sd), abs=0.017)
    assert row["above"] == pytest.approx(ndtr(-(2 + 1.959964 * se - 10 / 6) / sd), abs=0.004)
    assert abs(row["skewness"]) < 5 * np.sqrt(6 / N)
    assert 0.9 * N < row["ess_bulk"] < 1.15 * N
    assert row["mcse"] == pytest.approx(sd / np.sqrt(N), rel=0.06)
    assert row["r_hat"] < 1.005
    assert row["modes"] == 1
    assert row["converged"]


def test_overlap_is_that_of_two_normals(normal_mean):
    x = np.linspace(-4, 6, 20001)
    both = np.minimum(stats.norm.pdf(x, 2, 5**-0.5), stats.norm.pdf(x, 10 / 6, 6**-0.5))
    assert normal_mean.table.loc["mu", "overlap"] == pytest.approx(np.trapezoid(both, x), abs=0.02)


def test_a_function_of_the_parameters_follows_the_delta_method(normal_mean):
    row = normal_mean.table.loc["square"]
    assert row["role"] == "deterministic"
    assert row["pull"] == pytest.approx(2 * 2 * -1 / 3, abs=1e-9)
    assert row["map"] == pytest.approx((10 / 6) ** 2, abs=1e-8)
    near(row["mean"], (10 / 6) ** 2 + 1 / 6, np.sqrt(4 * (10 / 6) ** 2 / 6 + 2 / 36))


def test_power_scaling_of_the_normal_mean(normal_mean):
    # arviz_stats 1.3.3: psense_summary(tree, round_to=6) of a tree with these draws, the log-prior
    # and the log-likelihoods of the five observations.
    table = normal_mean.sensitivity()
    assert table.loc["mu", "prior"] == pytest.approx(0.110122, rel=2e-3)
    assert table.loc["mu", "likelihood"] == pytest.approx(0.143732, rel=2e-3)
    assert table.loc["mu", "diagnosis"] == "prior and data disagree"


def test_pareto_k_of_a_normal_posterior_is_small(normal_mean):
    # Posterior N(10/6, 1/6) against N(2, 1/5): the ratio is bounded.
    assert normal_mean.pareto_k < 0.5


def test_sentences_of_the_normal_mean(normal_mean):
    assert [remark.kind for remark in normal_mean.remarks] == ["prior matters", "skewed"]
    # Limits of the square are formed on its logarithm: 4 exp(-1.96 * 2 / 2 / sqrt(5)) = 1.665.
    share = ndtr((np.sqrt(4 * np.exp(-1.959964 / np.sqrt(5))) - 10 / 6) * np.sqrt(6))
    assert normal_mean.table.loc["square", "below"] == pytest.approx(share, abs=0.02)
    assert "-0.75 standard errors and holds 17% of the information" in normal_mean.sentences[0]
    assert "maximum" in repr(normal_mean)
    assert "<table" in normal_mean._repr_html_()


@pytest.mark.parametrize(("shift", "sd"), [(0.0, 1.0), (1.0, 1.0), (0.5, 2.0), (3.0, 0.5)])
def test_overlap_of_normals(shift, sd):
    draws = np.random.default_rng(2).normal(shift, sd, 8000)
    x = np.linspace(-12, 12, 40001)
    exact = np.trapezoid(np.minimum(stats.norm.pdf(x), stats.norm.pdf(x, shift, sd)), x)
    assert overlap_with_normal(density_of(draws), 0.0, 1.0) == pytest.approx(exact, abs=0.02)


def test_density_at_a_bound_is_not_lost():
    draws = np.random.default_rng(3).exponential(size=20000)
    density = density_of(draws, 0.0, np.inf)
    assert density.x[0] == 0.0
    np.testing.assert_allclose(
        np.interp([0.05, 0.5, 2.0], density.x, density.height),
        np.exp([-0.05, -0.5, -2.0]),
        rtol=0.08,
    )


def test_modes():
    rng = np.random.default_rng(4)
    one, two = rng.normal(size=8000), rng.normal(4.0, 1.0, 4000)
    assert modes_of(one, -np.inf, np.inf) == 1
    assert modes_of(np.concatenate([one, two]), -np.inf, np.inf) == 2
    assert modes_of(rng.exponential(size=8000), 0.0, np.inf) == 1
    assert modes_of(rng.uniform(size=8000), 0.0, 1.0) == 1
    assert modes_of(rng.standard_t(2, size=8000), -np.inf, np.inf) == 1


def test_beta_binomial():
    n, y, a, b = 20, 7, 3.0, 5.0
    with pm.Model() as model:
        p = pm.Beta("p", a, b)
        pm.Binomial("y", n, p, observed=y)
    posterior = stats.beta(a + y, b + n - y)
    draws = posterior.rvs(SHAPE, random_state=np.random.default_rng(5))
    row = compare(model, {"p": draws}).table.loc["p"]
    p = y / n
    information, bend = n / (p * (1 - p)), (a - 1) / p**2 + (b - 1) / (1 - p) ** 2
    slope = (a - 1) / p - (b - 1) / (1 - p)
    assert row["mle"] == pytest.approx(p, abs=1e-9)
    assert row["se"] == pytest.approx(information**-0.5, rel=1e-8)
    assert row["pull"] == pytest.approx(slope / (information + bend), rel=1e-6)
    assert row["prior_weight"] == pytest.approx(bend / (information + bend), rel=1e-8)
    assert row["map"] == pytest.approx((a + y - 1) / (a + b + n - 2), abs=1e-8)
    near(row["mean"], posterior.mean(), posterior.std())
    near(row["sd"], posterior.std(), posterior.std(), spread=0.75)
    shift = (posterior.mean() - p) / row["se"]
    near(row["shift"], shift, posterior.std(), row["se"])
    # Below a tenth of a standard error no share of it is given.
    assert abs(shift) < 0.1
    assert np.isnan(row["prior_share"])


def test_gamma_poisson():
    y, a, rate = np.array([3, 1, 4, 0, 2, 5]), 2.0, 4.0
    with pm.Model() as model:
        mean = pm.Gamma("mean", a, rate)
        pm.Poisson("y", mean, observed=y)
    n, total = len(y), y.sum()
    posterior = stats.gamma(a + total, scale=1 / (rate + n))
    draws = posterior.rvs(SHAPE, random_state=np.random.default_rng(6))
    comparison = compare(model, {"mean": draws})
    row = comparison.table.loc["mean"]
    mle = total / n
    information, bend = total / mle**2, (a - 1) / mle**2
    pull = ((a - 1) / mle - rate) / (information + bend)
    assert row["mle"] == pytest.approx(mle, rel=1e-9)
    assert row["pull"] == pytest.approx(pull, rel=1e-7)
    assert row["map"] == pytest.approx((a + total - 1) / (rate + n), rel=1e-8)
    near(row["mean"], posterior.mean(), posterior.std())
    near(row["sd"], posterior.std(), posterior.std(), spread=0.8)
    near(row["shift"], (posterior.mean() - mle) / row["se"], posterior.std(), row["se"])
    assert row["prior_share"] == pytest.approx(row["pull_se"] / row["shift"])
    assert row["skewness"] == pytest.approx(posterior.stats("s"), abs=0.15)
    assert "prior decides" in {remark.kind for remark in comparison.remarks}


def test_regression_with_a_known_variance():
    rng = np.random.default_rng(7)
    # Orthogonal columns, so that each prior moves its own coefficient alone.
    X = np.sqrt(30) * np.linalg.qr(np.column_stack([np.ones(30), rng.normal(size=(30, 2))]))[0]
    y = X @ [1.0, -0.5, 2.0] + rng.normal(0, 2, 30)
    centre, prior_sd = np.array([0.0, 1.0, 0.0]), np.array([0.5, 0.1, 100.0])
    with pm.Model(coords={"x": ["one", "a", "b"]}) as model:
        beta = pm.Normal("beta", centre, prior_sd, dims="x")
        pm.Normal("y", X @ beta, 2.0, observed=y)
    information, bend = X.T @ X / 4, np.diag(prior_sd**-2.0)
    covariance = np.linalg.inv(information + bend)
    mle = np.linalg.solve(X.T @ X, X.T @ y)
    mean = covariance @ (information @ mle + bend @ centre)
    draws = rng.multivariate_normal(mean, covariance, SHAPE)
    comparison = compare(model, {"beta": draws}, {"beta": ["x"]}, {"x": ["one", "a", "b"]})
    table = comparison.table
    assert list(table.index) == ["beta[one]", "beta[a]", "beta[b]"]
    se = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose(table["mle"], mle, atol=1e-9)
    np.testing.assert_allclose(table["se"], se, rtol=1e-8)
    np.testing.assert_allclose(table["pull"], mean - mle, atol=1e-8)
    np.testing.assert_allclose(table["map"], mean, atol=1e-7)
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(table["prior_weight"], 1 - (sd / se) ** 2, atol=1e-8)
    for i in range(3):
        near(table["mean"].iloc[i], mean[i], sd[i])
        near(table["sd"].iloc[i], sd[i], sd[i], spread=0.7072)
    kinds = {remark.kind: remark.labels for remark in comparison.remarks}
    assert "beta[a]" in kinds["prior decides"]
    assert kinds["data decide"] == ("beta[b]",)
    # The axes of the picture: all three coefficients are of one size.
    assert len(comparison.plot()) == 1


def test_normal_sample_under_a_flat_prior():
    """With flat priors nothing pulls; what is left of the shift is skewness."""
    y = np.array([1.2, -0.4, 0.3, 2.2, 0.9, -1.1, 0.5, 1.6])
    n, squares = len(y), np.sum((y - y.mean()) ** 2)
    with pm.Model() as model:
        mu, sigma = pm.Flat("mu"), pm.HalfFlat("sigma")
        pm.Normal("y", mu, sigma, observed=y)
    rng = np.random.default_rng(8)
    sigma = np.sqrt(squares / rng.chisquare(n - 2, SHAPE))
    mu = rng.normal(y.mean(), sigma / np.sqrt(n))
    comparison = compare(model, {"mu": mu, "sigma": sigma})
    table = comparison.table
    np.testing.assert_allclose(table["pull"], 0.0, atol=1e-12)
    np.testing.assert_allclose(table["map_shift"], 0.0, atol=1e-6)
    np.testing.assert_allclose(table["remainder"], table["shift"])
    # mu is a Student t with n - 2 degrees of freedom.
    scale = np.sqrt(squares / (n - 2) / n)
    assert table.loc["mu", "sd"] == pytest.approx(stats.t(n - 2, scale=scale).std(), rel=0.06)
    assert table.loc["mu", "se"] == pytest.approx(np.sqrt(squares / n / n), rel=1e-8)
    # sigma is an inverse chi, whose mean is known.
    mean = np.sqrt(squares / 2) * np.exp(_log_gamma((n - 3) / 2) - _log_gamma((n - 2) / 2))
    near(table.loc["sigma", "mean"], mean, table.loc["sigma", "sd"])
    kinds = {remark.kind: remark.labels for remark in comparison.remarks}
    assert kinds["skewed"] == ("sigma",)
    assert set(kinds["wider"]) == {"mu", "sigma"}
    sensitivity = comparison.sensitivity()
    np.testing.assert_allclose(sensitivity["prior"], 0.0)
    assert (sensitivity["likelihood"] > 0.05).all()

    profiled = comparison.with_profile(progressbar=False)
    # Profile limits of mu: (n / 2) log(1 + d^2 n / squares) = 1.92.
    half = np.sqrt((np.exp(3.841458821 / n) - 1) * squares / n)
    assert profiled.table.loc["mu", "upper"] == pytest.approx(y.mean() + half, abs=1e-5)
    assert list(profiled.table["limits"]) == ["profile", "profile"]
    assert "skewed" not in {remark.kind for remark in profiled.remarks}


def _log_gamma(x):
    from scipy.special import gammaln

    return gammaln(x)


def test_shares_have_their_pull_within_the_simplex():
    y, a = np.array([12, 5, 3]), np.array([2.0, 2.0, 6.0])
    with pm.Model(coords={"kind": ["a", "b", "c"]}) as model:
        p = pm.Dirichlet("p", a, dims="kind")
        pm.Multinomial("y", y.sum(), p, observed=y)
    draws = np.random.default_rng(9).dirichlet(a + y, SHAPE)
    table = compare(model, {"p": draws}, {"p": ["kind"]}).table
    p = y / y.sum()
    # Coordinates: the first two shares.
    information = np.diag(y[:2] / p[:2] ** 2) + y[2] / p[2] ** 2
    bend = np.diag((a[:2] - 1) / p[:2] ** 2) + (a[2] - 1) / p[2] ** 2
    slope = (a[:2] - 1) / p[:2] - (a[2] - 1) / p[2]
    step = np.linalg.solve(information + bend, slope)
    np.testing.assert_allclose(table["pull"], [*step, -step.sum()], atol=1e-7)
    np.testing.assert_allclose(table["mle"], p, atol=1e-8)
    np.testing.assert_allclose(table["map"], (a + y - 1) / (a + y - 1).sum(), atol=1e-7)
    np.testing.assert_allclose(table["mean"], (a + y) / (a + y).sum(), atol=0.006)
