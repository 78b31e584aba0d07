"""Data and parameters drawn from a fit."""

import time

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymle
from pymle.errors import AnalysisError
from pymle.model import walks
from pymle.model.predictive.moments import moments_of
from pymle.model.predictive.simulate import Simulator

# PyMC 5 says so while it declares a truncated count.
pytestmark = pytest.mark.filterwarnings("ignore:Scan return signature:DeprecationWarning")
rng = np.random.default_rng(20261121)
N = 60
X = rng.normal(size=N)


def problem_of(build):
    """The problem of a model and its initial natural point."""
    with pm.Model() as model:
        build()
    problem = pymle.compile(model)._problem
    return problem, problem.layout.to_natural(problem.coordinates.complete(None))


def gaussian_process():
    kernel = pm.HalfNormal("eta") * pm.gp.cov.ExpQuad(1, ls=pm.HalfNormal("length"))
    process = pm.gp.Marginal(cov_func=kernel)
    where = np.linspace(0, 1, 12)[:, None]
    process.marginal_likelihood("y", X=where, y=X[:12], sigma=pm.HalfNormal("s"))


ORDERED = pm.distributions.transforms.ordered
CONSTRUCTS = {
    "censored": lambda: pm.Censored(
        "y", pm.Normal.dist(pm.Normal("m"), 1), lower=-1.0, upper=1.0, observed=np.clip(X, -1, 1)
    ),
    "truncated": lambda: pm.Truncated(
        "y", pm.Normal.dist(pm.Normal("m"), 1), lower=0.0, observed=np.abs(X)
    ),
    "truncated count": lambda: pm.Truncated(
        "y", pm.Poisson.dist(pm.HalfNormal("m", 3)), lower=1, observed=rng.poisson(3, 9) + 1
    ),
    "mixture": lambda: pm.NormalMixture(
        "y", pm.Dirichlet("w", np.ones(2)), pm.Normal("m", 0, 1, shape=2), 1.0, observed=X
    ),
    "zero-inflated": lambda: pm.ZeroInflatedPoisson(
        "y", pm.Beta("p", 1, 1), pm.HalfNormal("m", 3), observed=rng.poisson(2, N)
    ),
    "hurdle": lambda: pm.HurdleGamma(
        "y", pm.Beta("p", 1, 1), pm.HalfNormal("m", 3), pm.HalfNormal("b", 1), observed=np.abs(X)
    ),
    "autoregression": lambda: pm.AR(
        "y", pm.Normal("r", 0, 1, shape=1), 1.0, init_dist=pm.Normal.dist(0, 1), observed=X
    ),
    "random walk": lambda: pm.GaussianRandomWalk(
        "y", pm.Normal("m"), 1.0, init_dist=pm.Normal.dist(0, 1), observed=np.cumsum(X)
    ),
    "multivariate normal": lambda: pm.MvNormal(
        "y", pm.Normal("m", 0, 1, shape=2), np.eye(2), observed=X.reshape(-1, 2)
    ),
    "gaussian process": gaussian_process,
    "multinomial": lambda: pm.Multinomial(
        "y", 7, pm.Dirichlet("p", np.ones(3)), observed=rng.multinomial(7, [0.2, 0.3, 0.5], 5)
    ),
    "ordered": lambda: pm.OrderedLogistic(
        "y",
        eta=pm.Normal("b") * X,
        cutpoints=pm.Normal("c", 0, 1, shape=2, initval=[-1.0, 1.0], transform=ORDERED),
        observed=rng.integers(0, 3, N),
    ),
    "categorical": lambda: pm.Categorical(
        "y", pm.Dirichlet("p", np.ones(3)), observed=rng.integers(0, 3, N)
    ),
    "dirichlet": lambda: pm.Dirichlet(
        "y", pm.HalfNormal("a", 2, shape=3), observed=rng.dirichlet([1, 1, 1], 6)
    ),
    "custom law": lambda: pm.CustomDist(
        "y", pm.Normal("m"), dist=lambda m, size: pm.math.exp(pm.Normal.dist(m, 1, size=size)),
        observed=np.exp(X),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_data_of_every_construct_have_the_shape_of_the_observed(name):
    problem, natural = problem_of(CONSTRUCTS[name])
    simulator = Simulator(problem)
    [(label, drawn)] = simulator.draw(natural, 5, 4).items()
    rv = problem.model[label]
    observed = walks.evaluate([problem.model.rvs_to_values[rv]])[0]
    assert drawn.shape == (4, *observed.shape)
    assert drawn.dtype.kind == observed.dtype.kind
    assert np.isfinite(drawn).all()
    assert not np.array_equal(drawn[0], drawn[1])
    again = simulator.draw(natural, 5, 2)[label]
    assert np.array_equal(again, drawn[:2])
    stack = simulator.draw(np.tile(natural, (2, 1)), 5)[label]
    assert np.array_equal(stack, drawn[:2])
    assert np.isfinite(problem.with_data({label: drawn[0]}).given[label]).all()


def test_means_of_counts_without_zeros():
    """Closed form of the zero-truncated negative binomial: its mean over 1 - p0."""
    rv = pm.HurdleNegativeBinomial.dist(0.3, 1.7, 3.0)
    mean, variance = walks.evaluate([moments_of(rv).mean, moments_of(rv).variance])
    p0 = (3.0 / 4.7) ** 3.0
    first, second = 1.7 / (1 - p0), (1.7 + 1.7**2 / 3 + 1.7**2) / (1 - p0)
    assert mean == pytest.approx(0.3 * first)
    assert variance == pytest.approx(0.3 * second - (0.3 * first) ** 2)


def test_a_thousand_data_sets_of_a_thousand_rows_in_seconds():
    def build():
        beta = pm.Normal("beta", 0, 1, shape=5)
        design = rng.normal(size=(1000, 5))
        pm.Bernoulli("y", logit_p=design @ beta, observed=rng.integers(0, 2, 1000))

    problem, natural = problem_of(build)
    simulator = Simulator(problem)
    started = time.process_time()
    drawn = simulator.draw(natural + 0.3, 1, 1000)["y"]
    assert time.process_time() - started < 5.0
    assert drawn.shape == (1000, 1000)


def test_moments_of_simulated_regressions():
    y = rng.poisson(np.exp(0.4 + 0.5 * X))
    with pm.Model(coords={"obs": [f"r{i}" for i in range(N)]}) as model:
        x = pm.Data("x", X, dims="obs")
        mean = pm.math.exp(pm.Normal("a", 0, 1) + pm.Normal("b", 0, 1) * x)
        pm.Poisson("y", mean, observed=y, dims="obs")
    fit = pymle.find_MLE(model, progressbar=False)
    found = fit.simulate(4000, 3)["y"]
    assert found.dims == ("sample", "obs")
    assert found.sel(obs="r3").shape == (4000,)
    point = fit.point
    mean = np.exp(point["a"] + point["b"] * X)
    z = (found.mean("sample").to_numpy() - mean) / np.sqrt(mean / 4000)
    assert np.abs(z).max() < 4.5
    ratio = found.var("sample").to_numpy() / mean
    assert ratio.mean() == pytest.approx(1.0, abs=0.02)
    wider = fit.simulate(4000, 3, parameters="draws")["y"]
    assert wider.var().item() > found.var().item()
    with pytest.raises(AnalysisError, match="`parameters` = 'prior'"):
        fit.simulate(parameters="prior")


DISTRIBUTIONS = {
    "AsymmetricLaplace": lambda a: pm.AsymmetricLaplace.dist(b=a, kappa=1.5, mu=0.5),
    "BetaBinomial": lambda a: pm.BetaBinomial.dist(a, 3.0, 10),
    "Censored": lambda a: pm.Censored.dist(pm.Normal.dist(a, 2.0), -1.0, 2.5),
    "DirichletMultinomial": lambda a: pm.DirichletMultinomial.dist(
        7, pt.stack([a, a / 2, a * 2], axis=-1)
    ),
    "ExGaussian": lambda a: pm.ExGaussian.dist(mu=a, sigma=1.0, nu=2.0),
    "Gumbel": lambda a: pm.Gumbel.dist(a, 2.0),
    "HurdleGamma": lambda a: pm.HurdleGamma.dist(0.3, a, 3.0),
    "HyperGeometric": lambda a: pm.HyperGeometric.dist(20, 8, pt.cast(a * 2, "int64")),
    "InverseGamma": lambda a: pm.InverseGamma.dist(a + 4.0, 3.0),
    "Kumaraswamy": lambda a: pm.Kumaraswamy.dist(a, 3.0),
    "LogNormal": lambda a: pm.LogNormal.dist(a / 9, 0.5),
    "Mixture": lambda a: pm.Mixture.dist(
        [0.3, 0.7], [pm.Normal.dist(a, 1.0), pm.Exponential.dist(a)]
    ),
    "NegativeBinomial": lambda a: pm.NegativeBinomial.dist(mu=a, alpha=3.0),
    "SkewNormal": lambda a: pm.SkewNormal.dist(mu=a, sigma=2.0, alpha=3.0),
    "TruncatedNormal": lambda a: pm.TruncatedNormal.dist(a, 2.0, lower=0.0, upper=3.0),
    "Wald": lambda a: pm.Wald.dist(a, 3.0, alpha=0.5),
    "Weibull": lambda a: pm.Weibull.dist(a, 2.0),
    "ZeroInflatedBinomial": lambda a: pm.ZeroInflatedBinomial.dist(0.3, 5, a / 4),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_means_and_variances_are_those_of_draws(name):
    """Closed forms against 20,000 draws each: within 4.5 standard errors."""
    rv = DISTRIBUTIONS[name](np.full(20_000, 1.7))
    states = [v for v in rv.owner.inputs if hasattr(v, "set_value")]
    for i, state in enumerate(states):
        if "Random" in type(state.type).__name__:
            state.set_value(np.random.default_rng(i))
    found = moments_of(rv)
    y, mean, variance = (
        np.asarray(v, dtype=float) for v in walks.evaluate([rv, found.mean, found.variance])
    )
    deviation = y - mean
    error = deviation.mean(axis=0) / (deviation.std(axis=0) / np.sqrt(len(y)))
    assert np.abs(error).max() < 4.5
    squares = deviation**2 - variance
    error = squares.mean(axis=0) / (squares.std(axis=0) / np.sqrt(len(y)))
    assert np.abs(error).max() < 4.5


def test_what_cannot_be_drawn_says_what_to_give():
    def potential():
        pm.Potential("likelihood", -((pm.Normal("m") - 1.0) ** 2))

    with pytest.raises(AnalysisError, match=r"`likelihood`.*pm\.CustomDist"):
        Simulator(problem_of(potential)[0])

    def custom():
        pm.CustomDist("y", pm.Normal("m"), logp=lambda y, m: -((y - m) ** 2), observed=X)

    problem, natural = problem_of(custom)
    with pytest.raises(AnalysisError, match="random="):
        Simulator(problem).draw(natural, 1)


def test_draws_are_an_arviz_tree():
    with pm.Model(coords={"predictor": ["one", "x"], "obs": np.arange(N) + 100}) as model:
        data = pm.Data("X", np.column_stack([np.ones(N), X]), dims=("obs", "predictor"))
        beta = pm.Normal("beta", 0, 5, dims="predictor")
        pm.Deterministic("mu", data @ beta, dims="obs")
        sigma = pm.HalfNormal("sigma", 1)
        pm.Deterministic("cv", sigma / beta[0])
        pm.Normal("y", data @ beta, sigma, observed=1 + X + 0.5 * rng.normal(size=N), dims="obs")
    fit = pymle.find_MLE(model, progressbar=False)
    tree = fit.draws(4000, 2)
    posterior = tree["posterior"]
    assert posterior["beta"].dims == ("chain", "draw", "predictor")
    assert posterior["mu"].dims == ("chain", "draw", "obs")
    assert posterior["mu"].sel(obs=100).shape == (1, 4000)
    assert posterior.attrs["draws"] == "asymptotic"
    assert tree["observed_data"]["y"].shape == (N,)
    assert tree["constant_data"]["X"].shape == (N, 2)
    beta, covariance = posterior["beta"].to_numpy()[0], fit.covariance().to_numpy()[:2, :2]
    assert np.cov(beta.T) == pytest.approx(covariance, rel=0.1, abs=1e-4)
    log_sigma = np.log(posterior["sigma"].to_numpy())
    assert log_sigma.std() == pytest.approx(1 / np.sqrt(2 * N), rel=0.05)
    assert posterior["cv"].to_numpy() == pytest.approx(
        posterior["sigma"].to_numpy() / posterior["beta"].to_numpy()[..., 0]
    )
    table = az.summary(tree, var_names=["beta", "sigma"], kind="stats")
    assert list(table.index) == ["beta[one]", "beta[x]", "sigma"]
    again = fit.draws(10, 2)["posterior"]["beta"].to_numpy()
    assert np.array_equal(again, posterior["beta"].to_numpy()[:, :10])
    robust = fit.draws(500, 2, cov="HC1", deterministics=False)["posterior"]
    assert "mu" not in robust


def test_map_draws_are_called_so():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("m", 0, 1), 1.0, observed=X)
    tree = pymle.find_MAP(model, progressbar=False).draws(2000, 1)
    assert "MAP" in tree["posterior"].attrs["description"]
    sd = 1 / np.sqrt(N + 1)
    assert tree["posterior"]["m"].to_numpy().std() == pytest.approx(sd, rel=0.05)
