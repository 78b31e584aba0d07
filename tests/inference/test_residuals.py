"""Residuals against closed forms, and their distribution where the model is right."""

import numpy as np
import pymc as pm
import pytest
import statsmodels.api as sm
from scipy import stats

import pymle
from pymle.errors import AnalysisError

rng = np.random.default_rng(20261123)
N = 300
X = rng.normal(size=N)


def fit(build, **arguments):
    with pm.Model(**arguments) as model:
        build()
    return pymle.find_MLE(model, progressbar=False)


def line(x=X):
    return pm.Normal("a", 0, 2) + pm.Normal("b", 0, 2) * x


def test_quantile_residuals_of_a_normal_are_standardised():
    y = 1 + X + 0.5 * rng.normal(size=N)
    found = fit(
        lambda: pm.Normal("y", line(), pm.HalfNormal("s", 1), observed=y, dims="obs"),
        coords={"obs": [f"r{i}" for i in range(N)]},
    )
    residuals = found.residuals()
    assert residuals.how == {"y": "exact"}
    assert residuals.n == 0
    point = found.point
    expected = (y - point["a"] - point["b"] * X) / point["s"]
    assert residuals["residual"].to_numpy() == pytest.approx(expected, abs=1e-6)
    assert residuals["y"].sel(obs="r7").item() == pytest.approx(expected[7], abs=1e-6)
    assert residuals.table.index[7] == "y[r7]"
    pearson = found.residuals("pearson")
    assert np.asarray(pearson) == pytest.approx(expected)
    assert np.asarray(found.residuals("response")) == pytest.approx(expected * point["s"])
    assert residuals["fitted"].to_numpy() == pytest.approx(point["a"] + point["b"] * X)
    # Ten standard deviations out a probability is no longer 1 less something representable.
    far = y.copy()
    far[0] = point["a"] + point["b"] * X[0] + 10 * point["s"]
    other = found._fitted.problem.with_data({"y": far})
    from pymle.inference.residuals import residuals as compute

    moved = type(found._fitted)(found.estimate, other, found._fitted.estimator)
    assert compute(moved).table["residual"].iloc[0] == pytest.approx(10.0, rel=1e-6)


def test_quantile_residuals_of_counts_lie_within_the_mass():
    y = rng.poisson(np.exp(0.4 + 0.5 * X))
    found = fit(lambda: pm.Poisson("y", pm.math.exp(line()), observed=y))
    point = found.point
    law = stats.poisson(np.exp(point["a"] + point["b"] * X))
    low, high = stats.norm.ppf(law.cdf(y - 1)), stats.norm.ppf(law.cdf(y))
    first, second = (np.asarray(found.residuals(random_seed=s)) for s in (1, 2))
    for values in (first, second):
        assert np.all((values >= low - 1e-6) & (values <= high + 1e-6))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, np.asarray(found.residuals(random_seed=1)))
    reference = sm.GLM(y, sm.add_constant(X), family=sm.families.Poisson()).fit(tol=1e-12)
    assert np.asarray(found.residuals("pearson")) == pytest.approx(
        reference.resid_pearson, rel=1e-6, abs=1e-8
    )


def series():
    y = np.zeros(N)
    for i in range(1, N):
        y[i] = 0.3 + 0.6 * y[i - 1] + rng.normal()
    return y


ORDERED = pm.distributions.transforms.ordered
RIGHT = {
    "bernoulli": (
        "exact",
        lambda: pm.Bernoulli("y", logit_p=line(), observed=rng.binomial(1, 1 / (1 + np.exp(-X)))),
    ),
    "negative binomial": (
        "exact",
        lambda: pm.NegativeBinomial(
            "y", mu=pm.math.exp(line()), alpha=pm.HalfNormal("alpha", 2),
            observed=rng.negative_binomial(2, 2 / (2 + np.exp(0.3 + 0.5 * X))),
        ),
    ),
    "censored survival": (
        "exact",
        lambda: pm.Censored(
            "y", pm.Weibull.dist(pm.HalfNormal("alpha", 2), pm.HalfNormal("beta", 2)),
            lower=None, upper=1.2, observed=np.minimum(1.2, rng.weibull(1.5, N)),
        ),
    ),
    "zero-inflated": (
        "exact",
        lambda: pm.ZeroInflatedPoisson(
            "y", pm.Beta("p", 1, 1), pm.HalfNormal("m", 3),
            observed=np.where(rng.random(N) < 0.3, 0, rng.poisson(3, N)),
        ),
    ),
    "hurdle": (
        "exact",
        lambda: pm.HurdleGamma(
            "y", pm.Beta("p", 1, 1), pm.HalfNormal("m", 3), pm.HalfNormal("b", 3),
            observed=np.where(rng.random(N) < 0.3, 0, rng.gamma(2, 1, N)),
        ),
    ),
    "mixture": (
        "exact",
        lambda: pm.NormalMixture(
            "y", [0.5, 0.5], pm.Normal("m", 0, 2, shape=2, initval=[-2.0, 2.0]), 1.0,
            observed=np.where(rng.random(N) < 0.5, -2.0, 2.0) + rng.normal(size=N),
        ),
    ),
    "autoregression": (
        "one step ahead",
        lambda: pm.AR(
            "y", pm.Normal("r", 0, 1, shape=2), pm.HalfNormal("s", 1), constant=True,
            init_dist=pm.Normal.dist(0, 1), observed=series(),
        ),
    ),
    "random walk": (
        "one step ahead",
        lambda: pm.GaussianRandomWalk(
            "y", pm.Normal("m"), pm.HalfNormal("s", 1), init_dist=pm.Normal.dist(0, 1),
            observed=np.cumsum(rng.normal(size=N)),
        ),
    ),
    "ordered": (
        "exact",
        lambda: pm.OrderedLogistic(
            "y", eta=pm.Normal("b", 0, 1) * X,
            cutpoints=pm.Normal("c", 0, 2, shape=2, initval=[-1.0, 1.0], transform=ORDERED),
            observed=np.digitize(X + rng.logistic(size=N), [-1, 1]),
        ),
    ),
    "multivariate normal": (
        "given the entries before",
        lambda: pm.MvNormal(
            "y", pm.Normal("m", 0, 1, shape=2), np.array([[1.0, 0.5], [0.5, 1.0]]),
            observed=rng.multivariate_normal([0, 1], [[1, 0.5], [0.5, 1]], N),
        ),
    ),
    "multinomial": (
        "simulated",
        lambda: pm.Multinomial(
            "y", 10, pm.Dirichlet("p", np.ones(3)),
            observed=rng.multinomial(10, [0.2, 0.3, 0.5], 60),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_residuals_of_the_right_model_are_standard_normal(name):
    how, build = RIGHT[name]
    found = fit(build).residuals(random_seed=4)
    assert set(found.how.values()) == {how}
    values = np.asarray(found)
    assert np.isfinite(values).all()
    assert stats.kstest(values, "norm").pvalue > 0.001
    assert values.std() == pytest.approx(1.0, abs=0.12)


def test_simulated_residuals_agree_with_exact_ones():
    y = rng.gamma(2.0, np.exp(0.5 * X) / 2)
    found = fit(lambda: pm.Gamma("y", pm.HalfNormal("k", 3), pm.HalfNormal("k2", 3), observed=y))
    exact = np.asarray(found.residuals())
    simulated = found.residuals(method="simulated", n=2000, random_seed=1)
    assert simulated.n == 2000
    inside = np.abs(exact) < 2
    assert np.abs(np.asarray(simulated) - exact)[inside].max() < 0.25
    summary = simulated.summary()
    assert summary.loc["y", "count"] == N


def test_a_wrong_model_shows():
    y = rng.negative_binomial(1, 1 / (1 + np.exp(1 + 0.5 * X)))
    found = fit(lambda: pm.Poisson("y", pm.math.exp(line()), observed=y)).residuals(random_seed=1)
    assert stats.kstest(np.asarray(found), "norm").pvalue < 1e-4
    assert found.summary().loc["y", "std"] > 1.3


def test_several_observed_variables_and_what_is_refused():
    def build():
        pm.Normal("y", line(), 1.0, observed=X + rng.normal(size=N))
        pm.Categorical("z", pm.Dirichlet("p", np.ones(3)), observed=rng.integers(0, 3, N))

    found = fit(build)
    residuals = found.residuals(random_seed=1)
    assert list(residuals.how) == ["y", "z"]
    assert len(residuals) == 2 * N
    assert found.residuals("response", var_names="y").table.shape == (N, 3)
    with pytest.raises(AnalysisError, match="`z` is a category"):
        found.residuals("pearson")
    with pytest.raises(AnalysisError, match="`kind` = 'deviance'"):
        found.residuals("deviance")
    with pytest.raises(AnalysisError, match="`w`"):
        found.residuals(var_names="w")


def test_the_picture_has_a_quantile_plot_and_residuals_against_means():
    y = rng.poisson(2.0, N)
    residuals = fit(lambda: pm.Poisson("y", pm.Exponential("m", 1), observed=y)).residuals(
        random_seed=1
    )
    left, right = residuals.plot()
    assert left.get_ylabel() == "quantile residuals"
    assert right.get_xlabel() == "fitted mean"
    assert len(left.lines[-1].get_xdata()) == N
    with pytest.raises(AnalysisError):
        residuals.plot("x")
