"""Fits side by side."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import statsmodels.api as sm

import pymle

from .shared import counts, poisson


@pytest.fixture(scope="module")
def fits() -> dict[str, pymle.Fit]:
    X, y = counts()
    model = poisson(X, y)
    return {
        "full": pymle.find_MLE(model),
        "null": pymle.find_MLE(poisson(X[:, :1], y)),
        "middle": pymle.find_MLE(model, fixed={"beta[x2]": 0}),
    }


def test_criteria_as_in_statsmodels(fits):
    X, y = counts()
    table = pymle.compare(fits)
    for name, columns in (("full", [0, 1, 2, 3]), ("null", [0]), ("middle", [0, 1, 3])):
        k = len(columns)
        theirs = sm.GLM(y, X[:, columns], family=sm.families.Poisson()).fit(tol=1e-15)
        row = table.loc[name]
        assert row["aic"] == pytest.approx(theirs.aic, abs=1e-7)
        assert row["bic"] == pytest.approx(theirs.bic_llf, abs=1e-7)
        assert row["aicc"] == pytest.approx(theirs.aic + 2 * k * (k + 1) / (80 - k - 1), abs=1e-7)
        assert row["loglik"] == pytest.approx(theirs.llf, abs=1e-8)
        assert (row["nparams"], row["nobs"], row["verdict"]) == (k, 80, "maximum")
        assert fits[name].aicc == pytest.approx(row["aicc"])
    assert list(table.index) == ["middle", "full", "null"]
    assert table["aic"].is_monotonic_increasing
    np.testing.assert_allclose(table["delta"], table["aic"] - table["aic"].min())
    weights = np.exp(-table["delta"] / 2)
    np.testing.assert_allclose(table["weight"], weights / weights.sum())


@pytest.mark.parametrize("by", ["aic", "aicc", "bic"])
def test_sorted_by_each_criterion(fits, by):
    table = pymle.compare(fits, by=by)
    assert table[by].is_monotonic_increasing
    np.testing.assert_allclose(table["delta"], table[by] - table[by].iloc[0])
    assert table["weight"].sum() == pytest.approx(1.0)


def test_other_distributions_and_names_are_welcome(fits):
    _, y = counts()
    with pm.Model() as other:
        mu = pm.Normal("mu", 0, 10)
        alpha = pm.Exponential("alpha", 1)
        pm.NegativeBinomial("counts", mu=pt.exp(mu), alpha=alpha, observed=y)
    table = pymle.compare([fits["full"], pymle.find_MLE(other)])
    assert set(table.index) == {"fit 0", "fit 1"}


def test_refusals(fits):
    X, y = counts()
    full = fits["full"]
    with pytest.raises(pymle.AnalysisError, match="1 of 80 values"):
        pymle.compare({"a": full, "b": pymle.find_MLE(poisson(X, y + (np.arange(80) == 3)))})
    with pytest.raises(pymle.AnalysisError, match=r"shape \(80,\) in `a` and \(70,\) in `b`"):
        pymle.compare({"a": full, "b": pymle.find_MLE(poisson(X[:70], y[:70]))})
    with pytest.raises(pymle.AnalysisError, match="MAP"):
        pymle.compare({"a": full, "b": pymle.find_MAP(poisson(X, y))})
    weighted = pymle.find_MLE(poisson(X, y), weights=np.full(80, 2.0))
    with pytest.raises(pymle.AnalysisError, match="different weights"):
        pymle.compare({"a": full, "b": weighted})
    with pytest.raises(pymle.AnalysisError, match="at least two"):
        pymle.compare({"a": full})
    with pytest.raises(pymle.AnalysisError, match="`by`"):
        pymle.compare(fits, by="dic")
    with pytest.raises(pymle.AnalysisError, match="is no fit"):
        pymle.compare({"a": full, "b": 3})


def test_uncertified_fits_are_named():
    y = [1.0, 3.0]
    with pm.Model() as flat:
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        pm.Normal("y", a + b, 1, observed=y)
    with pm.Model() as plain:
        a = pm.Normal("a", 0, 1)
        pm.Normal("y", a, 1, observed=y)
    with pytest.warns(pymle.NotCertifiedWarning):
        uncertain = pymle.find_MLE(flat)
    with pytest.warns(pymle.NotCertifiedWarning, match=r"`flat` \(flat direction\)"):
        table = pymle.compare({"flat": uncertain, "plain": pymle.find_MLE(plain)})
    assert table.loc["flat", "verdict"] == "flat direction"
    assert table.loc["flat", "nparams"] == 1


def test_a_likelihood_without_rows():
    data = np.array([1.0, 2.0, 4.0])
    with pm.Model() as one:
        mu = pm.Normal("mu", 0, 1)
        pm.Potential("lik", pm.logp(pm.Normal.dist(mu, 1.0), data).sum())
    with pm.Model() as two:
        mu = pm.Normal("mu", 0, 1)
        pm.Potential("lik", pm.logp(pm.Normal.dist(mu, 2.0), data).sum())
    fits = {"one": pymle.find_MLE(one), "two": pymle.find_MLE(two)}
    table = pymle.compare(fits)
    assert np.isnan(table["bic"]).all()
    with pytest.raises(pymle.AnalysisError, match="BIC needs the number of observations"):
        pymle.compare(fits, by="bic")
