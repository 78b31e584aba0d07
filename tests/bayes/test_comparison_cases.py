"""Comparisons in which something is missing: an estimate, convergence, names, coords."""

import warnings

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

import pymle
from pymle.errors import AnalysisError
from tests.bayes.exact import cells, container, dataset

SHAPE = (4, 500)


@pytest.fixture(scope="module")
def regression():
    """Coefficients along a dim, with a posterior that is the likelihood: flat priors."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 3))
    y = X @ [1.0, 0.0, -1.0] + rng.normal(size=40)
    with pm.Model(coords={"x": ["a", "b", "c"]}) as model:
        beta = pm.Flat("beta", dims="x")
        pm.Normal("y", X @ beta, 1.0, observed=y)
    fit = pymle.find_MLE(model, progressbar=False)
    mean, covariance = fit.point["beta"], np.linalg.inv(X.T @ X)
    draws = rng.multivariate_normal(mean, covariance, SHAPE)
    return fit, draws


def posterior(draws, labels=("a", "b", "c"), dim="x"):
    return dataset({"beta": draws}, {"beta": [dim]}, {dim: list(labels)})


def compare(fit, idata, **kwargs):
    return fit.compare_posterior(idata, False, progressbar=False, **kwargs)


def test_all_containers_say_the_same(regression):
    fit, draws = regression
    plain = compare(fit, posterior(draws))
    tree = container(posterior(draws), sample_stats=_diverging(3))
    other = compare(fit, tree)
    pd.testing.assert_frame_equal(plain.table, other.table)
    assert plain.divergences is None
    assert other.divergences == 3
    assert "divergences" in {remark.kind for remark in other.remarks}
    assert plain.table["shift"].abs().max() < 0.2
    np.testing.assert_allclose(plain.table["sd_ratio"], 1.0, atol=0.08)
    assert plain.table["overlap"].min() > 0.93
    assert plain.table["map"].isna().all()


def _diverging(count):
    flags = np.zeros(SHAPE, dtype=bool)
    flags[0, :count] = True
    return xr.Dataset({"diverging": (("chain", "draw"), flags)})


def test_dims_and_labels_in_another_order(regression):
    fit, draws = regression
    plain = compare(fit, posterior(draws))
    turned = posterior(draws[..., [2, 0, 1]], ["c", "a", "b"]).transpose("x", "draw", "chain")
    pd.testing.assert_frame_equal(plain.table, compare(fit, turned).table)
    # A dim that was never named has its entries in the model's order.
    unnamed = dataset({"beta": draws})
    pd.testing.assert_frame_equal(plain.table, compare(fit, unnamed).table)
    sensitivity = compare(fit, turned).sensitivity()
    pd.testing.assert_frame_equal(sensitivity, compare(fit, posterior(draws)).sensitivity())


def test_wrong_draws_are_refused_by_name(regression):
    fit, draws = regression
    with pytest.raises(
        AnalysisError, match=r"`beta` have coords \[a, b, d\] along `x`.*\[a, b, c\]"
    ):
        compare(fit, posterior(draws, ["a", "b", "d"]))
    with pytest.raises(AnalysisError, match=r"`beta` has shape \(2,\).*\(3,\)"):
        compare(fit, posterior(draws[..., :2], ["a", "b"]))
    with pytest.raises(AnalysisError, match="no name in common"):
        compare(fit, posterior(draws).rename(beta="gamma"))
    with pytest.raises(AnalysisError, match="no group `posterior`"):
        compare(fit, {"prior": posterior(draws)})
    with pytest.raises(AnalysisError, match="lacks `chain`"):
        compare(fit, posterior(draws).isel(chain=0, drop=True))
    broken = draws.copy()
    broken[0, 0, 1] = np.nan
    with pytest.raises(AnalysisError, match="1 of 6000 draws of `beta` are not finite"):
        compare(fit, posterior(broken))
    with pytest.raises(AnalysisError, match="4 chains of 3 draws"):
        compare(fit, posterior(draws).isel(draw=slice(3)))
    with pytest.raises(AnalysisError, match="level"):
        compare(fit, posterior(draws), level=1.5)
    with pytest.raises(AnalysisError, match="where `idata` is given"):
        compare(fit, posterior(draws), draws=100)
    comparison = compare(fit, posterior(draws))
    with pytest.raises(AnalysisError, match="unknown name `bta`"):
        comparison.plot("bta")
    with pytest.raises(AnalysisError, match="one for each group"):
        comparison.plot(axes=[None, None])
    with pytest.raises(AnalysisError, match="3, one for each"):
        comparison.plot_densities(axes=[None], profile=False)


def test_chains_that_disagree_are_not_compared(regression):
    fit, draws = regression
    moved = draws.copy()
    moved[0, :, 1] += 3.0
    comparison = compare(fit, posterior(moved))
    row = comparison.table.loc["beta[b]"]
    assert not row["converged"]
    assert row["r_hat"] > 1.1
    assert np.isfinite(row["mean"])
    assert row[["shift", "sd_ratio", "overlap", "remainder", "below"]].isna().all()
    assert comparison.table.loc["beta[a]", "converged"]
    first = comparison.remarks[0]
    assert first.kind == "not converged"
    assert first.labels == ("beta[b]",)
    assert "Vehtari" in first.text
    assert "more than one mode" in first.text
    comparison.plot()


def test_few_effective_draws_are_not_compared(regression):
    fit, draws = regression
    few = compare(fit, posterior(draws[:, :60]))
    assert not few.table["converged"].any()
    assert few.remarks[0].kind == "not converged"
    assert "400 is wanted with 4 chains" in few.remarks[0].text


def test_two_modes_are_said(regression):
    fit, draws = regression
    halves = draws.copy()
    halves[:, ::2, 2] -= 4.0
    comparison = compare(fit, posterior(halves))
    assert comparison.table.loc["beta[c]", "modes"] == 2
    assert {r.kind: r.labels for r in comparison.remarks}["multimodal"] == ("beta[c]",)


def test_missing_and_unknown_variables_are_reported():
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=[1.0, 2.0, 3.5, 2.5, 0.5])
    fit = pymle.find_MLE(model, progressbar=False)
    draws = np.random.default_rng(2).normal(1.9, 0.5, SHAPE)
    comparison = compare(fit, dataset({"mu": draws, "nu": draws}))
    assert comparison.missing == ("sigma",)
    assert comparison.unknown == ("nu",)
    assert np.isfinite(comparison.table.loc["sigma", "mle"])
    assert np.isnan(comparison.table.loc["sigma", "mean"])
    assert "`sigma`" in repr(comparison)
    with pytest.raises(AnalysisError, match="`sigma`"):
        comparison.sensitivity()
    comparison.plot()
    # What is held in the fit is no row of the comparison.
    held = pymle.find_MLE(model, fixed={"sigma": 1.0}, progressbar=False)
    other = compare(held, dataset({"mu": draws}))
    assert list(other.table.index) == ["mu"]
    assert other.missing == ()
    assert any("`sigma` was held" in note for note in other.notes)
    assert np.isfinite(other.sensitivity().loc["mu", "prior"])


def test_separated_data_have_a_posterior_through_the_prior_alone():
    x, y = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1])
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 2.5)
        pm.Bernoulli("y", logit_p=beta * x, observed=y)
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model, progressbar=False)
    grid = np.linspace(-5, 20, 5001)
    logits = grid[:, None] * x
    density = (logits * y - np.logaddexp(0, logits)).sum(axis=1) - 0.5 * (grid / 2.5) ** 2
    draws = cells(np.random.default_rng(3), density, grid, SHAPE)
    comparison = fit.compare_posterior(dataset({"beta": draws}), progressbar=False)
    row = comparison.table.loc["beta"]
    assert row[["mle", "se", "shift", "pull", "overlap", "map_shift"]].isna().all()
    assert row["map"] == pytest.approx(grid[np.argmax(density)], abs=0.01)
    weight = np.exp(density - density.max())
    assert row["mean"] == pytest.approx(weight @ grid / weight.sum(), abs=5 * 2 / np.sqrt(2000))
    assert "no maximum" in {remark.kind for remark in comparison.remarks}
    assert "exists only through the prior" in " ".join(comparison.sentences)
    assert np.isnan(comparison.pareto_k)
    for axes in (comparison.plot(), comparison.plot_densities(), comparison.plot_influence()):
        assert np.size(axes) == 1


def test_a_flat_direction_repeats_the_prior():
    rng = np.random.default_rng(4)
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        pm.Deterministic("total", a + b)
        pm.Normal("y", a + b, 1.0, observed=np.array([1.0, 2.0, 3.0]))
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model, progressbar=False)
    precision = np.eye(2) + 3.0
    mean = np.linalg.solve(precision, [6.0, 6.0])
    ab = rng.multivariate_normal(mean, np.linalg.inv(precision), SHAPE)
    arrays = {"a": ab[..., 0], "b": ab[..., 1], "total": ab.sum(axis=-1)}
    comparison = fit.compare_posterior(dataset(arrays), progressbar=False)
    table = comparison.table
    assert table.loc[["a", "b"], "mle"].isna().all()
    # The sum is identified: its estimate is the mean of the data.
    assert table.loc["total", "mle"] == pytest.approx(2.0, abs=1e-6)
    assert table.loc["total", "se"] == pytest.approx(3**-0.5, rel=1e-6)
    assert table.loc["total", "shift"] == pytest.approx((12 / 7 - 2) * 3**0.5, abs=0.15)
    np.testing.assert_allclose(table.loc[["a", "b"], "map"], mean, atol=1e-6)
    assert "flat along a direction" in " ".join(comparison.sentences)


def test_missing_values_are_compared_with_their_predictions():
    """A missing value between its law and an observation of it: everything is normal."""
    y, z = np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.0, 2.0, 3.0, 5.0])
    model = pm.Model()
    with model, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyMC says that it imputes
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("z", pm.Normal("y", mu, 1.0, observed=y), 1.0, observed=z)
    with pytest.warns(pymle.Notice):
        fit = pymle.find_MLE(model, progressbar=False)
    rng = np.random.default_rng(5)
    precision = np.array([[4 + 1 / 100, -1.0], [-1.0, 2.0]])
    both = rng.multivariate_normal(
        np.linalg.solve(precision, [6.0, 5.0]), np.linalg.inv(precision), SHAPE
    )
    arrays = {"mu": both[..., 0], "y_unobserved": both[..., 1:]}
    table = fit.compare_posterior(dataset(arrays), progressbar=False).table
    assert list(table.index) == ["mu", "y_unobserved[0]"]
    mle = (6 + 5 / 2) / 3.5
    np.testing.assert_allclose(table["mle"], [mle, (mle + 5) / 2], atol=1e-7)
    np.testing.assert_allclose(table["se"], [3.5**-0.5, np.sqrt(1 / 2 + 1 / 4 / 3.5)], rtol=1e-6)
    row = table.loc["y_unobserved[0]"]
    assert row["role"] == "missing value"
    assert row["sd_ratio"] == pytest.approx(1.0, abs=0.1)
    # The prior of mu moves the prediction half as far.
    np.testing.assert_allclose(table["pull"], np.array([1.0, 0.5]) * -mle / 100 / 3.51, rtol=1e-5)


def test_a_map_fit_is_compared_with_the_same_table():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1, observed=np.array([0.5, 1.5, 2.0, 2.5, 3.5]))
    draws = np.random.default_rng(6).normal(10 / 6, 6**-0.5, SHAPE)
    of_map = pymle.find_MAP(model, progressbar=False).compare_posterior(
        dataset({"mu": draws}), progressbar=False
    )
    row = of_map.table.loc["mu"]
    assert row["mle"] == pytest.approx(2.0, abs=1e-8)
    assert row["map"] == pytest.approx(10 / 6, abs=1e-8)
    assert row["pull"] == pytest.approx(-1 / 3, abs=1e-8)
    assert any("MAP fit" in note for note in of_map.notes)


def test_weights_are_mentioned(regression):
    fit, draws = regression
    weighted = pymle.find_MLE(fit._problem.model, weights=np.full(40, 2.0), progressbar=False)
    comparison = compare(weighted, posterior(draws))
    assert any("without these weights" in note for note in comparison.notes)
    assert comparison.table["sd_ratio"].min() > 1.3


def test_draws_under_flat_priors_know_no_prior():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1, observed=np.array([0.5, 1.5, 2.0, 2.5, 3.5]))
    fit = pymle.find_MLE(model, progressbar=False)
    flat = dataset({"mu": np.random.default_rng(7).normal(2.0, 5**-0.5, SHAPE)})
    flat.attrs["pymle_priors"] = "flat"
    comparison = fit.compare_posterior(flat, progressbar=False)
    row = comparison.table.loc["mu"]
    assert row[["pull", "map", "prior_weight"]].isna().all()
    assert abs(row["shift"]) < 0.15
    assert comparison.pareto_k < 0.5
    assert any("flat priors" in note for note in comparison.notes)
    assert comparison.sensitivity().loc["mu", "prior"] == 0.0
    assert {remark.kind for remark in comparison.remarks} == {"data decide"}
