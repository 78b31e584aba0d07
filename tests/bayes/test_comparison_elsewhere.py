"""Draws made elsewhere, and estimates that are no plain maxima, in a comparison and in a tree."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from scipy import stats

import pymle
from pymle.bayes.flat import with_flat_priors
from pymle.bayes.tree import groups_of
from pymle.errors import AnalysisError
from tests.bayes.exact import dataset

DAYS = pd.date_range("2024-05-01", periods=4)
Y = np.array([0.5, -1.0, 3.0, 2.0])
SHAPE = (4, 500)


@pytest.fixture(scope="module")
def days():
    """One observation a day: the posterior of each mean is N(0.8 y, 0.8), its maximum y."""
    with pm.Model(coords={"day": DAYS}) as model:
        level = pm.Normal("level", 0, 2, dims="day")
        pm.Normal("y", level, 1.0, observed=Y, dims="day")
    fit = pymle.find_MLE(model, progressbar=False)
    draws = np.random.default_rng(1).normal(0.8 * Y, 0.8**0.5, (*SHAPE, 4))
    return fit, draws


def backwards(draws):
    """The same draws with the days in the other order."""
    return dataset({"level": draws[..., ::-1]}, {"level": ["day"]}, {"day": DAYS[::-1]})


def compare(fit, idata, **kwargs):
    return fit.compare_posterior(idata, False, progressbar=False, **kwargs)


def test_dates_in_another_order(days):
    fit, draws = days
    table = compare(fit, backwards(draws)).table
    np.testing.assert_allclose(table["mle"], Y, atol=1e-8)
    np.testing.assert_allclose(table["mean"], 0.8 * Y, atol=0.1)
    np.testing.assert_allclose(table["pull"], -Y / 5, rtol=1e-6)
    other = dataset({"level": draws}, {"level": ["day"]}, {"day": DAYS + pd.Timedelta("1D")})
    with pytest.raises(AnalysisError, match=r"coords .*2024-05-05.*along `day`"):
        compare(fit, other)


def test_log_densities_of_a_merged_tree_follow_the_labels(days):
    fit, draws = days
    groups = groups_of(fit.to_datatree(draws=10, posterior=backwards(draws)))
    found = groups["log_likelihood"]["y"].sel(day=DAYS).transpose("chain", "draw", "day")
    np.testing.assert_allclose(found, stats.norm(draws, 1).logpdf(Y), rtol=1e-9)
    with pytest.raises(AnalysisError, match="lacks `chain`"):
        fit.to_datatree(posterior=backwards(draws).isel(chain=0, drop=True))


def test_one_chain_is_judged_by_its_halves(days):
    fit, draws = days
    one = draws.reshape(1, -1, 4)
    comparison = compare(fit, dataset({"level": one}), random_seed=np.random.default_rng(3))
    assert comparison.table["converged"].all()
    assert comparison.table["r_hat"].between(0.99, 1.01).all()
    drifting = one + np.linspace(0, 3, one.shape[1])[:, None]
    assert not compare(fit, dataset({"level": drifting})).table["converged"].any()


def test_an_estimate_at_the_end_of_the_data_stands():
    x = np.array([0.3, 1.1, 2.7, 1.9, 0.8])
    with pm.Model() as model:
        b = pm.HalfNormal("b", 10, initval=3.0)
        pm.Uniform("x", 0, b, observed=x)
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model, progressbar=False)
    # Under a flat prior a Pareto law: its density falls like b^-5 beyond the largest value.
    draws = 2.7 * np.random.default_rng(4).uniform(size=SHAPE) ** -0.25
    comparison = compare(fit, dataset({"b": draws}))
    assert comparison.table.loc["b", "mle"] == pytest.approx(2.7, rel=1e-6)
    [remark] = [each for each in comparison.remarks if each.kind == "edge"]
    assert "support of the data" in remark.text
    with_flat_priors(fit._fitted)


def test_priors_of_what_has_no_estimate_give_no_pull():
    with pm.Model() as model:
        s = pm.HalfNormal("s", 1)
        mu = pm.Normal("mu", 0, s)
        pm.Normal("y", mu, 1.0, observed=Y)
    with pytest.warns(pymle.Notice):
        fit = pymle.find_MLE(model, parameters=["mu"], progressbar=False)
    comparison = compare(fit, dataset({"mu": np.random.default_rng(5).normal(size=SHAPE)}))
    assert np.isnan(comparison.table.loc["mu", "pull"])
    assert np.isnan(comparison.pareto_k)
    assert any("involve `s`" in note for note in comparison.notes)


def test_a_map_fit_knows_more_than_the_likelihood():
    with pm.Model() as model:
        pm.Normal("aside", 0, 1)
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1.0, observed=Y)
    with pytest.warns(pymle.Notice):
        fit = pymle.find_MAP(model, progressbar=False)
    rng = np.random.default_rng(6)
    arrays = {"mu": rng.normal(Y.sum() / 5, 5**-0.5, SHAPE), "aside": rng.normal(size=SHAPE)}
    comparison = fit.compare_posterior(dataset(arrays), progressbar=False)
    assert list(comparison.table.index) == ["mu"]
    assert comparison.table.loc["mu", "map"] == pytest.approx(Y.sum() / 5)
    assert any("`aside`" in note for note in comparison.notes)


def test_a_penalised_estimate_stands_in_neither_column():
    with pm.Model() as model:
        p = pm.Beta("p", 2, 5)
        pm.Bernoulli("y", p, observed=np.array([1, 0, 0, 1, 1, 1, 0, 1, 1, 1]))
    fit = pymle.find_MLE(model, penalty="firth", progressbar=False)
    draws = np.random.default_rng(7).beta(9, 8, SHAPE)
    comparison = fit.compare_posterior(dataset({"p": draws}), progressbar=False)
    row = comparison.table.loc["p"]
    # Seven of ten: the maximum, and the mode of Beta(9, 8). Firth's estimate is 7.5 / 11.
    assert row["mle"] == pytest.approx(0.7, rel=1e-6)
    assert row["map"] == pytest.approx(8 / 15, rel=1e-6)
    assert any("penalised" in note for note in comparison.notes)
