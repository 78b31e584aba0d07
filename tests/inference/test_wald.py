"""Wald tests against statsmodels, closed forms and multiplicity adjustments of other software."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import statsmodels.api as sm
import statsmodels.stats.multitest as multitest
from scipy import stats

import pymle
from pymle.inference.hypotheses.multiplicity import (
    FOR_P,
    LargestNormal,
    adjusted_p,
    critical_value,
)

from .shared import PREDICTORS, counts, poisson


@pytest.fixture(scope="module")
def fit() -> pymle.Fit:
    return pymle.find_MLE(poisson(*counts()))


@pytest.fixture(scope="module")
def theirs():
    X, y = counts()
    frame = pd.DataFrame(X, columns=PREDICTORS)
    return sm.GLM(y, frame, family=sm.families.Poisson()).fit(tol=1e-15)


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        ("beta[x1] = beta[x2]", "x1 = x2"),
        ("beta[x1] = 0.1", "x1 = 0.1"),
        ("beta[x1]", "x1 = 0"),
        ("2*beta[x1] + beta[x3] = beta[const] - 1", "2*x1 + x3 = const - 1"),
        ("beta[x1] = beta[x2], beta[x3] = 0.5", "x1 = x2, x3 = 0.5"),
        (["beta[x1] = 0", "beta[x2] = 0", "beta[x3] = 0"], "x1 = 0, x2 = 0, x3 = 0"),
        ("beta[x1] = beta[x2] = beta[x3]", "x1 = x2, x2 = x3"),
        ("0.1 = beta[x1]", "x1 = 0.1"),
    ],
)
def test_linear_hypotheses_as_in_statsmodels(fit, theirs, ours, other):
    found = fit.wald_test(ours)
    wanted = theirs.wald_test(other, scalar=True, use_f=False)
    assert found.statistic == pytest.approx(float(wanted.statistic), rel=1e-6)
    assert found.df == int(wanted.df_denom)
    assert found.p == pytest.approx(float(wanted.pvalue), rel=1e-6)
    single = theirs.t_test(other)
    np.testing.assert_allclose(np.abs(found.table["z"]), np.abs(np.ravel(single.tvalue)), rtol=1e-6)
    np.testing.assert_allclose(found.table["p"], np.ravel(single.pvalue), rtol=1e-6)


def test_robust_as_in_statsmodels(fit):
    X, y = counts()
    robust = sm.GLM(y, X, family=sm.families.Poisson()).fit(cov_type="HC0", tol=1e-15)
    found = fit.wald_test("beta[x1] = beta[x2], beta[x3] = 0", cov="HC0")
    wanted = robust.wald_test([[0, 1, -1, 0], [0, 0, 0, 1]], scalar=True, use_f=False)
    assert found.statistic == pytest.approx(float(wanted.statistic), rel=1e-6)


def test_whole_arrays_and_matrices(fit, theirs):
    whole = fit.wald_test("beta")
    wanted = theirs.wald_test(np.eye(4), scalar=True, use_f=False)
    assert whole.statistic == pytest.approx(float(wanted.statistic), rel=1e-6)
    assert list(whole.table.index) == [f"beta[{p}] = 0" for p in PREDICTORS]

    R, r = np.array([[0.0, 1, -1, 0], [0, 0, 1, 1]]), np.array([0.0, 0.2])
    matrix = fit.wald_test(R, value=r)
    wanted = theirs.wald_test((R, r), scalar=True, use_f=False)
    assert matrix.statistic == pytest.approx(float(wanted.statistic), rel=1e-6)
    assert matrix.hypotheses == ("beta[x1] - beta[x2] = 0", "beta[x2] + beta[x3] = 0.2")

    frame = pd.DataFrame({"beta[x2]": [-1.0], "beta[x1]": [1.0]}, index=["difference"])
    assert fit.wald_test(frame).p == pytest.approx(fit.wald_test("beta[x1] = beta[x2]").p)
    assert fit.wald_test(frame).hypotheses == ("difference = 0",)

    against = fit.wald_test("beta = beta[x1]")
    assert against.df == 3
    assert against.hypotheses[0] == "beta[const] = beta[x1]"


def test_smooth_hypotheses_by_hand(fit):
    found = fit.wald_test("exp(beta[x1]) * beta[const] = 1")
    names = ["beta[const]", "beta[x1]"]
    V = fit.covariance().loc[names, names].to_numpy()
    b0, b1 = (float(fit.params["beta"].sel(predictor=p)) for p in ("const", "x1"))
    gradient = np.array([np.exp(b1), b0 * np.exp(b1)])
    h = np.exp(b1) * b0 - 1
    assert found.statistic == pytest.approx(h**2 / (gradient @ V @ gradient), rel=1e-10)
    assert found.table["null"].iloc[0] == 1.0
    assert any("depends on how it is written" in remark for remark in found.remarks)
    assert not fit.wald_test("2 * beta[x1] - 1 = beta[x2]").remarks
    # Not invariant, which the remark is about.
    other = fit.wald_test("beta[const] = exp(-beta[x1])")
    assert other.statistic != pytest.approx(found.statistic, rel=1e-3)


def test_redundant_equations_count_once(fit):
    pairs = fit.wald_test(["beta[x1] = beta[x2]", "beta[x2] = beta[x3]", "beta[x1] = beta[x3]"])
    two = fit.wald_test("beta[x1] = beta[x2] = beta[x3]")
    assert pairs.df == two.df == 2
    assert pairs.statistic == pytest.approx(two.statistic, rel=1e-8)
    assert "do not follow from the others" in pairs.remarks[0]


def test_simplex_has_its_own_rank():
    n = np.array([18, 30, 52])
    with pm.Model() as model:
        share = pm.Dirichlet("share", np.ones(3))
        pm.Multinomial("n", 100, share, observed=n)
    fit = pymle.find_MLE(model)
    found = fit.wald_test("share = 1/3")
    assert found.df == 2
    # Neyman's modified chi-squared: the Wald test of a multinomial hypothesis.
    assert found.statistic == pytest.approx(np.sum((n - 100 / 3) ** 2 / n), rel=1e-9)
    with pytest.raises(pymle.AnalysisError, match="contradict"):
        fit.wald_test("share = 0.5")


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("beta[x1] = 0, beta[x1] = 1", "contradict each other"),
        ("beta[x1] - beta[x2] = 0; beta[x2] - beta[x1] = 1", "contradict each other"),
        ("1 = 2", "whatever the data say"),
        ("beta[x1] = beta[x1]", "whatever the data say"),
        ("beta = beta", "whatever the data say"),
        ("ratio[x1] = 0", "on the edge of the range"),
        ("ratio[x1] = -1", "outside of the range"),
        ("beta[x1] <= 0", 'expected "="'),
        ("", "nothing stands in it"),
        ("beta[x9] = 0", "Did you mean"),
        (3, "a matrix with 4 columns"),
        (np.ones((2, 3)), "a matrix with 4 columns"),
        (np.zeros((1, 4)), "whatever the data say"),
        (pd.DataFrame({"b": [1.0]}), "unknown name `b`"),
    ],
)
def test_what_is_refused(fit, what, text):
    with pytest.raises(pymle.AnalysisError, match=text):
        fit.wald_test(what)


def test_other_refusals(fit):
    with pytest.raises(pymle.AnalysisError, match="`level`"):
        fit.wald_test("beta[x1]", level=95)
    with pytest.raises(pymle.AnalysisError, match="`adjust`"):
        fit.wald_test("beta", adjust="tukey")
    with pytest.raises(pymle.AnalysisError, match="`value`"):
        fit.wald_test("beta[x1]", value=1.0)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 1)
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, sigma, observed=[1.0, 2.0, 4.0])
    with pytest.raises(pymle.AnalysisError, match="edge of the range"):
        pymle.find_MLE(model).wald_test("sigma = 0")
    with pytest.raises(pymle.AnalysisError, match="MAP"):
        pymle.find_MAP(model).wald_test("mu = 0")
    held = pymle.find_MLE(model, fixed={"mu": 2.0})
    with pytest.raises(pymle.AnalysisError, match="whatever the data say"):
        held.wald_test("mu = 1")


def test_without_a_standard_error():
    with pm.Model() as model:
        a = pm.Normal("a", 0, 1)
        b = pm.Normal("b", 0, 1)
        pm.Normal("y", a + b, 1, observed=[1.0, 3.0])
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model)
    assert fit.wald_test("a + b = 2").p == pytest.approx(1.0)
    with pytest.raises(pymle.AnalysisError, match=r"no standard error.*flat direction"):
        fit.wald_test("a = 0")


@pytest.mark.parametrize("adjust", [a for a in FOR_P if a != "single-step"])
def test_adjusted_p_as_in_statsmodels(fit, adjust):
    found = fit.wald_test("beta", adjust=adjust).table["p"]
    plain = fit.wald_test("beta").table["p"]
    np.testing.assert_allclose(found, multitest.multipletests(plain, method=adjust)[1], rtol=1e-12)
    p = np.array([0.001, np.nan, 0.03, 0.02, 0.5, 0.04, 0.04, 0.9])
    keep = np.isfinite(p)
    mine = adjusted_p(p, adjust, p, np.eye(8))
    assert np.isnan(mine[1])
    wanted = multitest.multipletests(p[keep], method=adjust)[1]
    np.testing.assert_allclose(mine[keep], wanted, rtol=1e-12)


def test_single_step(fit):
    found = fit.wald_test("beta[x1] = beta[x2], beta[x2] = beta[x3]", adjust="single-step")
    se = np.sqrt(np.diagonal(found.covariance))
    correlation = found.covariance.to_numpy() / np.outer(se, se)
    law = stats.multivariate_normal(cov=correlation, seed=2)
    for z, p in zip(found.table["z"], found.table["p"], strict=True):
        inside = law.cdf(np.full(2, abs(z)), lower_limit=-np.full(2, abs(z)))
        assert p == pytest.approx(1 - inside, rel=3e-3)
    half = (found.table["upper"] - found.table["lower"]) / 2 / found.table["se"]
    c = float(half.iloc[0])
    assert 1 - law.cdf(np.full(2, c), lower_limit=-np.full(2, c)) == pytest.approx(0.05, abs=1e-4)


def test_largest_of_correlated_normals_against_tables():
    # Dunnett, two-sided, 5%, infinite degrees of freedom (Dunnett 1964, doi:10.2307/2528490):
    # 2.21, 2.35, 2.44, 2.51 for 2 to 5 comparisons with one control.
    for m, wanted in zip((2, 3, 4, 5), (2.21, 2.35, 2.44, 2.51), strict=True):
        correlation = np.full((m, m), 0.5) + 0.5 * np.eye(m)
        assert critical_value(0.95, "single-step", correlation) == pytest.approx(wanted, abs=0.005)
    # All pairs of four means: the studentised range, whose correlation matrix is singular.
    pairs = [(i, j) for i in range(4) for j in range(i)]
    contrasts = np.array([[(k == i) - (k == j) for k in range(4)] for i, j in pairs]) / np.sqrt(2)
    largest = LargestNormal(contrasts @ contrasts.T)
    for t in (2.0, 3.0, 5.0, 7.0):
        wanted = stats.studentized_range.sf(t * np.sqrt(2), 4, np.inf)
        assert largest.tail(t) == pytest.approx(wanted, rel=3e-3)
    exact = stats.studentized_range.ppf(0.95, 4, np.inf) / np.sqrt(2)
    assert largest.quantile(0.95) == pytest.approx(exact, abs=1e-3)
    # Independent ones: Sidak.
    alone = critical_value(0.95, "single-step", np.eye(6))
    assert alone == pytest.approx(critical_value(0.95, "sidak", np.eye(6)), abs=1e-3)
    assert critical_value(0.95, "single-step", np.ones((3, 3))) == pytest.approx(1.95996, abs=1e-4)


def test_printed(fit):
    found = fit.wald_test("beta[x1] = beta[x2]", adjust="holm")
    lines = repr(found).splitlines()
    assert lines[0] == "Wald test of beta[x1] = beta[x2]: chi2(1) = 2.79028, p = 0.0948375"
    assert "covariance: observed information" in repr(found)
    assert "limits are those of each alone" in repr(found)
    assert "<table" in found._repr_html_()
    with pytest.raises(AttributeError):
        found.p = 0.5
