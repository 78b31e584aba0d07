"""Trees of fits: ArviZ's functions run on them and say what theory says."""

import warnings

import arviz as az
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

import pymle
from pymle.bayes.tree import groups_of

OLD = az.__version__.startswith("0.")
rng = np.random.default_rng(11)
Y = rng.normal(2.0, 1.0, size=40)
EFFECTS = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERRORS = np.array([3.0, 2, 4, 3, 2, 3, 2, 4])


@pytest.fixture(scope="module")
def normal():
    with pm.Model(coords={"row": np.arange(40) + 100}) as model:
        mu = pm.Normal("mu", 0, 3)
        sigma = pm.Exponential("sigma", 0.5)
        pm.Deterministic("ratio", mu / sigma)
        pm.Normal("y", mu, sigma, observed=Y, dims="row")
    return pymle.find_MLE(model)


@pytest.fixture(scope="module")
def schools():
    with pm.Model(coords={"school": list("abcdefgh")}) as model:
        mu = pm.Normal("mu", 0, 50)
        tau = pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        pm.Deterministic("double", 2 * theta, dims="school")
        pm.Normal("y", theta, ERRORS, observed=EFFECTS, dims="school")
    return pymle.find_MLE(model)


@pytest.fixture(scope="module")
def tree(normal):
    return normal.to_datatree(draws=500, random_seed=3)


def test_container_and_groups(normal, tree):
    assert type(tree) is (az.InferenceData if OLD else xr.DataTree)
    groups = groups_of(tree)
    assert set(groups) == {
        "posterior", "log_likelihood", "log_prior", "observed_data",
        "estimate", "standard_error", "covariance", "verdict",
    }  # fmt: skip
    posterior = groups["posterior"]
    assert posterior["mu"].dims == ("chain", "draw")
    assert dict(posterior.sizes) == {"chain": 4, "draw": 500}
    for attrs in (tree.attrs, posterior.attrs):
        assert attrs["inference_library"] == "pymle"
        assert attrs["inference_library_version"]
        assert attrs["kind"] == "asymptotic draws"
        assert "no posterior sample" in attrs["description"]
    assert groups["log_likelihood"]["y"].dims == ("chain", "draw", "row")
    assert list(groups["log_likelihood"]["row"].values) == list(range(100, 140))
    assert float(groups["estimate"]["ratio"]) == normal.summary().loc["ratio", "estimate"]
    assert float(groups["standard_error"]["sigma"]) == normal.summary().loc["sigma", "se"]
    found = groups["covariance"]["natural"].sel(entry="mu", entry_="sigma")
    assert float(found) == normal.covariance().loc["mu", "sigma"]
    assert str(groups["verdict"]["status"].values) == "maximum"
    assert bool(groups["verdict"]["ok"])


def test_draws_and_densities_are_those_of_theory(normal, tree):
    groups = groups_of(tree)
    posterior = groups["posterior"]
    mean, sd = Y.mean(), Y.std()
    mu, sigma = posterior["mu"].values, posterior["sigma"].values
    n = mu.size
    # mu ~ N(mean, sd^2 / 40) and log sigma ~ N(log sd, 1 / 80), independent.
    assert abs(mu.mean() - mean) < 4 * sd / np.sqrt(40 * n)
    assert abs(np.log(sigma).mean() - np.log(sd)) < 4 / np.sqrt(80 * n)
    assert stats.kstest((mu.ravel() - mean) * np.sqrt(40) / sd, "norm").pvalue > 1e-3
    assert stats.kstest(np.log(sigma.ravel() / sd) * np.sqrt(80), "norm").pvalue > 1e-3
    np.testing.assert_allclose(posterior["ratio"], mu / sigma, rtol=1e-12)
    expected = stats.norm(mu[..., None], sigma[..., None]).logpdf(Y)
    np.testing.assert_allclose(groups["log_likelihood"]["y"], expected, rtol=1e-10)
    np.testing.assert_allclose(
        groups["log_prior"]["sigma"], stats.expon(scale=2.0).logpdf(sigma), rtol=1e-10
    )


def test_arviz_runs_on_it(tree):
    table = az.summary(tree)
    assert set(table.index) >= {"mu", "sigma", "ratio"}
    assert float(table.loc["mu", "mean"]) == pytest.approx(Y.mean(), abs=0.05)
    loo = az.loo(tree)
    elpd = float(loo.elpd_loo if OLD else loo.elpd)
    # Leave-one-out predictive densities of a normal model, from its t distribution.
    n = len(Y)
    terms = []
    for i in range(n):
        rest = np.delete(Y, i)
        scale = rest.std(ddof=1) * np.sqrt(1 + 1 / (n - 1))
        terms.append(stats.t(n - 2, rest.mean(), scale).logpdf(Y[i]))
    assert elpd == pytest.approx(sum(terms), abs=0.5)
    if OLD:
        for component in ("prior", "likelihood"):
            assert np.isfinite(float(az.psens(tree, component=component)["mu"]))
    else:
        found = az.psense_summary(tree, var_names=["mu", "sigma"])
        assert float(found.loc["mu", "likelihood"]) > 0.05 > float(found.loc["mu", "prior"])
    az.plot_forest(tree, var_names=["mu", "sigma"])
    az.plot_pair(tree, var_names=["mu", "sigma"])


def test_random_effects_are_drawn_around_their_modes(schools):
    tree = groups_of(schools.to_datatree(draws=1000, random_seed=5))
    posterior, table = tree["posterior"], schools.random_effects().table
    theta = posterior["theta"]
    assert theta.dims == ("chain", "draw", "school")
    np.testing.assert_allclose(posterior["double"], 2 * theta, rtol=1e-12)
    mean, sd = (np.asarray(f(("chain", "draw"))) for f in (theta.mean, theta.std))
    # The normal law around the mode at each draw: delta-method errors up to curvature in tau.
    np.testing.assert_allclose(sd, table["se"], rtol=0.06)
    assert np.all(np.abs(mean - table["mode"]) < 0.2 * table["se"])
    expected = stats.norm(theta.values, ERRORS).logpdf(EFFECTS)
    np.testing.assert_allclose(tree["log_likelihood"]["y"], expected, rtol=1e-8)
    assert "Conditional on random effects" in tree["log_likelihood"].attrs["densities"]
    assert set(tree["log_prior"]) == {"mu", "tau"}
    np.testing.assert_array_equal(tree["estimate"]["theta"], table["mode"])


def test_merged_with_a_sampled_posterior(normal):
    sampled = xr.Dataset(
        {
            "mu": (("chain", "draw"), rng.normal(2.0, 0.1, size=(2, 7))),
            "sigma": (("chain", "draw"), rng.gamma(100.0, 0.01, size=(2, 7))),
        }
    )
    extra = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((2, 7), dtype=bool))})
    if OLD:
        given = az.InferenceData(posterior=sampled, sample_stats=extra)
    else:
        given = xr.DataTree.from_dict({"/posterior": sampled, "/sample_stats": extra})
    merged = groups_of(normal.to_datatree(draws=50, random_seed=1, posterior=given))
    xr.testing.assert_equal(merged["posterior"], sampled)
    xr.testing.assert_equal(merged["sample_stats"], extra)
    assert merged["asymptotic"].sizes["draw"] == 50
    assert merged["asymptotic"].attrs["kind"] == "asymptotic draws"
    about = normal.to_datatree(draws=50, random_seed=1, posterior=given).attrs
    assert about["posterior"] == "sampled"
    assert "draws" not in about
    mu, sigma = sampled["mu"].values[..., None], sampled["sigma"].values[..., None]
    expected = stats.norm(mu, sigma).logpdf(Y)
    np.testing.assert_allclose(merged["log_likelihood"]["y"], expected, rtol=1e-10)
    assert "estimate" in merged
    assert "observed_data" in merged
    again = normal.to_datatree(draws=50, random_seed=1, posterior=sampled)
    xr.testing.assert_equal(groups_of(again)["posterior"], sampled)


def test_a_posterior_of_something_else(normal):
    other = xr.Dataset({"other": (("chain", "draw"), np.zeros((1, 3)))})
    with pytest.raises(pymle.AnalysisError, match=r"hold `other`, but .* `mu`, `sigma`"):
        normal.to_datatree(posterior=other)
    with pytest.raises(pymle.AnalysisError, match=r"expected what `fit\.sample"):
        normal.to_datatree(posterior=[1, 2])
    half = xr.Dataset({"mu": (("chain", "draw"), np.zeros((1, 3)))})
    with pytest.warns(
        pymle.Notice, match=r"no group `log_likelihood`, `log_prior`.*need `sigma` too"
    ):
        groups = groups_of(normal.to_datatree(draws=10, posterior=half))
    assert "log_likelihood" not in groups
    assert "log_prior" not in groups


def test_weights_enter_the_log_likelihood():
    weights = np.arange(40) % 3
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 3)
        pm.Normal("y", mu, 1.0, observed=Y)
    fit = pymle.find_MLE(model, weights=weights)
    groups = groups_of(fit.to_datatree(draws=20, chains=1, random_seed=0))
    mu = groups["posterior"]["mu"].values[..., None]
    expected = weights * stats.norm(mu, 1.0).logpdf(Y)
    np.testing.assert_allclose(groups["log_likelihood"]["y"], expected, rtol=1e-10, atol=1e-14)
    assert "times its weight" in groups["log_likelihood"].attrs["densities"]


def test_no_draws_without_standard_errors():
    with pm.Model() as model:
        b = pm.Normal("b", 0, 10)
        x = np.array([-2.0, -1.0, 1.0, 2.0])
        pm.Bernoulli("y", logit_p=b * x, observed=np.array([0, 0, 1, 1]))
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model)
    with pytest.warns(pymle.Notice, match="no asymptotic draws"):
        groups = groups_of(fit.to_datatree())
    assert "posterior" not in groups
    assert str(groups["verdict"]["status"].values) == str(fit.verdict.status.value)


def test_arguments(normal):
    with pytest.raises(pymle.AnalysisError, match="`draws` = 0"):
        normal.to_datatree(draws=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        groups = groups_of(normal.to_datatree(draws=5, log_likelihood=False))
    assert "log_likelihood" not in groups


def test_random_effects_with_sampling_weights():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 50)
        theta = pm.Normal("theta", mu, 5.0, shape=8)
        pm.Normal("y", theta, ERRORS, observed=EFFECTS)
    weighted = pymle.find_MLE(model, random=["theta"], weights=np.ones(8), weights_kind="sampling")
    tree = groups_of(weighted.to_datatree(draws=1000, random_seed=1))
    se = weighted.summary().loc["mu", "se"]
    assert tree["posterior"]["mu"].values.std() == pytest.approx(se, rel=0.1)
    effects = weighted.random_effects().table
    remaining = effects["se"] ** 2 - effects["conditional_sd"] ** 2
    share = 1 / (1 + (5.0 / ERRORS) ** 2)
    np.testing.assert_allclose(remaining, (share * se) ** 2, rtol=1e-6)
