"""Covariances against statsmodels, Stata and closed forms."""

from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import statsmodels
import statsmodels.api as sm
from statsmodels.stats import sandwich_covariance as sw

import pymle

rng = np.random.default_rng(20240711)
N = 240
X = sm.add_constant(rng.normal(size=(N, 2)))
FIRM = rng.integers(0, 24, N)
YEAR = rng.integers(0, 21, N)
ETA = X @ [0.3, 0.5, -0.4] + 0.6 * rng.normal(size=24)[FIRM]

# McCullagh & Nelder (1989), section 6.3.2: damage to ships, incidents and months of service by
# type, year of construction and period of operation.
SHIPS_TEXT = """
1 1 1 127 0; 1 1 2 63 0; 1 2 1 1095 3; 1 2 2 1095 4; 1 3 1 1512 6; 1 3 2 3353 18;
1 4 2 2244 11; 2 1 1 44882 39; 2 1 2 17176 29; 2 2 1 28609 58; 2 2 2 20370 53;
2 3 1 7064 12; 2 3 2 13099 44; 2 4 2 7117 18; 3 1 1 1179 1; 3 1 2 552 1; 3 2 1 781 0;
3 2 2 676 1; 3 3 1 783 6; 3 3 2 1948 2; 3 4 2 274 1; 4 1 1 251 0; 4 1 2 105 0;
4 2 1 288 0; 4 2 2 192 0; 4 3 1 349 2; 4 3 2 1208 11; 4 4 2 2051 4; 5 1 1 45 0;
5 2 1 789 7; 5 2 2 437 7; 5 3 1 1157 5; 5 3 2 2161 12; 5 4 2 542 1
"""
SHIPS = np.array([row.split() for row in SHIPS_TEXT.split(";")], dtype=int)


def _regression(family, y, **more):
    """A regression of `y` on X, with Firm and year as pm.Data."""
    with pm.Model(coords={"x": ["const", "a", "b"], "obs": np.arange(len(y))}) as model:
        pm.Data("firm", FIRM, dims="obs")
        beta = pm.Normal("beta", 0, 10, dims="x")
        pm.Deterministic("ratio", beta[1] / beta[2])
        family(X @ beta, y, more)
    return model


def _logit(eta, y, more):
    pm.Bernoulli("y", logit_p=eta, observed=y, dims="obs")


def _poisson(eta, y, more):
    pm.Poisson("y", pm.math.exp(eta), observed=y, dims="obs")


def _normal(eta, y, more):
    pm.Normal("y", eta, pm.HalfNormal("sigma", 5), observed=y, dims="obs")


CASES = {
    "logit": (_logit, rng.binomial(1, 1 / (1 + np.exp(-ETA))), sm.families.Binomial()),
    "poisson": (_poisson, rng.poisson(np.exp(ETA)), sm.families.Poisson()),
    "normal": (_normal, ETA + rng.standard_t(4, N), sm.families.Gaussian()),
}


@pytest.fixture(scope="module", params=list(CASES))
def case(request):
    build, y, family = CASES[request.param]
    fit = pymle.find_MLE(_regression(build, y))

    def other(**how):
        return sm.GLM(y, X, family).fit(tol=1e-14, maxiter=200, **how).cov_params()

    return fit, other, sm.GLM(y, X, family).fit(tol=1e-14, maxiter=200)


@pytest.fixture(scope="module")
def counts():
    return pymle.find_MLE(_regression(*CASES["poisson"][:2]))


def _same(found, wanted, rtol=1e-6):
    found = found.to_numpy()[: len(wanted), : len(wanted)]
    scale = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    np.testing.assert_allclose(found / scale, wanted / scale, atol=rtol, rtol=0)


def test_sandwiches_are_those_of_statsmodels(case):
    fit, other, glm = case
    _same(fit.covariance("HC0"), other(cov_type="HC0"))
    _same(fit.covariance("sandwich"), other(cov_type="HC0"))
    # GLM.fit(cov_type="HC1") of statsmodels leaves the factor out; its function does not.
    _same(fit.covariance("HC1"), sw.cov_white_simple(glm))


def test_clusters_are_those_of_statsmodels(case):
    fit, other, _ = case
    for names, groups in (("firm", FIRM), ((FIRM, YEAR), np.stack([FIRM, YEAR], axis=1))):
        for cov, correction in (("CR0", False), ("CR1S", True)):
            how = {"groups": groups, "use_correction": correction}
            _same(fit.covariance(cov, clusters=names), other(cov_type="cluster", cov_kwds=how))


def test_hac_is_that_of_statsmodels(case):
    fit, other, _ = case
    for lags in (0, 5):
        _same(fit.covariance("HAC", lags=lags), other(cov_type="HAC", cov_kwds={"maxlags": lags}))
    rule = int(np.floor(4 * (N / 100) ** (2 / 9)))
    _same(fit.covariance("HAC"), other(cov_type="HAC", cov_kwds={"maxlags": rule}))
    _same(fit.covariance("HAC", lags=0), fit.covariance("HC0").to_numpy(), 1e-12)


def test_outer_products_by_their_formula(case):
    fit, _, _ = case
    scores = fit.scores(scale="unconstrained").to_numpy()
    wanted = np.linalg.inv(scores.T @ scores)
    np.testing.assert_allclose(
        fit.covariance("opg", scale="unconstrained"), wanted, rtol=1e-9, atol=1e-14
    )


def test_expected_information_of_canonical_links_is_the_observed_one(case):
    fit, _, glm = case
    if "sigma" in fit.params:
        found = fit.covariance("expected", simulations=50)
        error = found.attrs["monte_carlo_error"]
        assert 0 < error < 0.05
        wanted = fit.covariance().to_numpy()
        ratio = np.sqrt(np.diag(found) / np.diag(wanted))
        assert np.all(np.abs(ratio - 1) < 5 * error)
    else:
        found = fit.covariance("expected")
        assert found.attrs["outcomes"] > 1
        _same(found, glm.cov_params(), 1e-8)


def test_hc1_of_least_squares_subtracts_the_coefficients_alone():
    y = CASES["normal"][1]
    fit = pymle.find_MLE(_regression(_normal, y))
    found = fit.covariance("HC1")
    assert found.attrs["k"] == 3
    _same(found, sm.OLS(y, X).fit(cov_type="HC1").cov_params())
    all_of_them = fit.covariance("HC1", k=4)
    np.testing.assert_allclose(all_of_them * (N - 4), found * (N - 3), rtol=1e-12)
    np.testing.assert_allclose(found.attrs["factor"], N / (N - 3))


def test_normal_sigma_by_its_closed_form():
    y = CASES["normal"][1]
    fit = pymle.find_MLE(_regression(_normal, y))
    r = y - X @ fit.params["beta"].to_numpy()
    s2 = np.mean(r**2)
    # var(sigma) of the sandwich: (mean of (r^2 - s2)^2) / (4 s2 n); of the information s2 / (2 n).
    robust = fit.covariance("HC0").loc["sigma", "sigma"]
    np.testing.assert_allclose(robust, np.mean((r**2 - s2) ** 2) / (4 * s2 * N), rtol=1e-9)
    scores = fit.scores()
    np.testing.assert_allclose(scores["sigma"], -1 / s2**0.5 + r**2 / s2**1.5, rtol=1e-8)


def test_the_ships_of_stata():
    """Stata 12, `poisson accident yr_con op_75_79, vce(cluster ship)` and so on.

    As recorded in statsmodels 0.14, discrete/tests/results/results_count_robust_cluster.py.
    """
    ship, year, period, service, accident = SHIPS.T
    design = np.stack([year, period == 2, np.ones(len(ship))], axis=1).astype(float)

    def poisson(offset):
        with pm.Model() as model:
            beta = pm.Normal("beta", 0, 10, shape=3)
            pm.Poisson("y", pm.math.exp(design @ beta + offset), observed=accident)
        return pymle.find_MLE(model)

    plain, exposed = poisson(0.0), poisson(np.log(service))

    def se(fit, **how):
        return fit.summary("beta", **how)["se"].to_numpy()

    clustered = [0.19933709357097, 0.11093628220713, 1.1048569901548]
    np.testing.assert_allclose(se(plain, clusters=ship), clustered, rtol=1e-6)
    np.testing.assert_allclose(se(plain, cov="cluster", clusters=ship), clustered, rtol=1e-6)
    with_exposure = [0.03817694295902, 0.09213163536669, 0.0968656626603]
    np.testing.assert_allclose(se(exposed, cov="CR1", clusters=ship), with_exposure, rtol=1e-6)
    # vce(robust) of Stata has the factor n / (n - 1), that of clusters of one row each.
    robust = [0.19233713248134, 0.55301404772037, 0.66532523368388]
    rows = np.arange(len(ship))
    np.testing.assert_allclose(se(plain, cov="CR1", clusters=rows), robust, rtol=1e-6)
    np.testing.assert_allclose(se(plain, cov="HC1", cov_kwds={"k": 1}), robust, rtol=1e-6)


def test_the_negative_binomial_of_stata():
    """Stata 12, `nbreg accident yr_con op_75_79, vce(cluster ship)`; no canonical link."""
    ship, year, period, _, accident = SHIPS.T
    design = np.stack([year, period == 2, np.ones(len(ship))], axis=1).astype(float)
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 10, shape=3)
        alpha = pm.Exponential("alpha", 1)
        pm.NegativeBinomial("y", pm.math.exp(design @ beta), 1 / alpha, observed=accident)
    fit = pymle.find_MLE(model)
    np.testing.assert_allclose(fit.params["alpha"], 2.3302983089051, rtol=1e-6)
    found = fit.summary(clusters=ship)
    wanted = [0.27216090050938, 0.09972456245386, 1.2335785495143, 0.52392329936749]
    np.testing.assert_allclose(found["se"], wanted, rtol=1e-6)
    # Wald limits on the log scale, as Stata's for alpha.
    limits = found.loc["alpha", ["lower", "upper"]].astype(float)
    np.testing.assert_allclose(limits, [1.4998057895818, 3.6206622525444], rtol=1e-6)
    # Dispersion does not move the mean.
    assert fit.covariance("HC1").attrs["k"] == 3


def test_petersens_benchmark():
    """Petersen (2009) and his page of test data: standard errors by firm, year, and both.

    The values with six digits are R's `plm::vcovHC(type = "HC1")`, CR0 times n / (n - 2), as
    printed at stackoverflow.com/questions/8389843.
    """
    path = Path(statsmodels.__file__).parent / "stats" / "tests" / "test_data.txt"
    firm, year, x, y = np.loadtxt(path).T
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 10), pm.Normal("b", 0, 10)
        pm.Normal("y", a + b * x, pm.HalfNormal("sigma", 5), observed=y)
    fit = pymle.find_MLE(model)

    def se(clusters):
        found = fit.summary(["a", "b"], cov="CR1S", clusters=clusters)["se"]
        return [round(float(v), 4) for v in found]

    assert se(firm) == [0.0670, 0.0506]
    assert se(year) == [0.0234, 0.0334]
    assert se((firm, year)) == [0.0651, 0.0536]

    def in_r(clusters):
        found = fit.summary(["a", "b"], cov="CR0", clusters=clusters)["se"]
        return [round(float(v * np.sqrt(5000 / 4998)), 6) for v in found]

    assert in_r(firm) == [0.066952, 0.050550]
    assert in_r(year) == [0.022189, 0.031679]


def test_a_link_that_is_not_canonical_keeps_the_observed_information():
    y = CASES["logit"][1]
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 10, shape=3)
        pm.Bernoulli("y", pm.math.invprobit(X @ beta), observed=y)
    fit = pymle.find_MLE(model)
    probit = sm.Probit(y, X).fit(disp=0, tol=1e-12, method="newton")  # observed information
    _same(fit.covariance(), probit.cov_params())
    scores = probit.model.score_obs(probit.params)
    bread = np.linalg.inv(-probit.model.hessian(probit.params))
    _same(fit.covariance("HC0"), bread @ scores.T @ scores @ bread)
    _same(fit.covariance("opg"), np.linalg.inv(scores.T @ scores))
    link = sm.families.links.Probit()
    glm = sm.GLM(y, X, sm.families.Binomial(link)).fit(tol=1e-14)  # expected information
    _same(fit.covariance("expected"), glm.cov_params())
    assert np.max(np.abs(fit.covariance() / fit.covariance("expected") - 1).to_numpy()) > 1e-3


def test_everything_in_the_tables_follows_the_covariance(counts):
    fit = counts
    for how in ({"cov": "HC0"}, {"clusters": "firm"}, {"cov": "CR0", "clusters": "firm"}):
        matrix = fit.covariance(**how)
        table = fit.summary(**how)
        se = np.sqrt(np.diag(matrix))
        np.testing.assert_allclose(table["se"][:3], se)
        np.testing.assert_allclose(table["z"][:3], table["estimate"][:3] / se)
        limits = fit.conf_int(**how)
        np.testing.assert_allclose(limits["upper"][:3], table["estimate"][:3] + 1.959964 * se, 1e-6)
        b = fit.params["beta"].to_numpy()
        gradient = np.array([0.0, 1 / b[2], -b[1] / b[2] ** 2])
        wanted = np.sqrt(gradient @ matrix.to_numpy() @ gradient)
        np.testing.assert_allclose(table.loc["ratio", "se"], wanted, rtol=1e-9)
        correlation = fit.correlation(**how).to_numpy()
        np.testing.assert_allclose(np.diag(correlation), 1.0)
        np.testing.assert_allclose(correlation[0, 1], matrix.iloc[0, 1] / se[0] / se[1])


def test_the_table_says_what_it_rests_on(counts):
    fit = counts
    plain = fit.summary()
    assert plain.columns.name is None
    assert plain.attrs == {}
    assert fit.covariance().attrs["covariance"] == "observed"
    assert fit.summary(cov="sandwich").columns.name == "HC0: 240 rows of `y`"
    table = fit.summary(clusters="firm")
    assert table.columns.name == "CR1: 24 clusters by `firm`"
    assert table.to_string().startswith("CR1: 24 clusters by `firm`")
    assert table.attrs["covariance_text"] == (
        "cluster sandwich (CR1, G / (G - 1)): 24 clusters by `firm`"
    )
    assert table.attrs["n_units"] == 24
    assert "n = 240, k = 3" in fit.covariance("HC1").attrs["covariance_text"]
    assert "5 lags" in fit.summary(cov="HAC", cov_kwds={"lags": 5}).attrs["covariance_text"]


def test_names_of_other_software(counts):
    fit = counts
    pairs = {"robust": "HC0", "hc0": "HC0", "nonrobust": "observed", "oim": "observed"}
    pairs |= {"bhhh": "opg", "eim": "expected", "OPG": "opg"}
    for alias, name in pairs.items():
        pd.testing.assert_frame_equal(fit.covariance(alias), fit.covariance(name))
    with pytest.raises(pymle.errors.AnalysisError, match='"sandwich", "HC0", "HC1"'):
        fit.covariance("HC3")


def test_the_interpreted_route_gives_the_same(counts):
    model = _regression(*CASES["poisson"][:2])
    compiled, interpreted = counts, pymle.find_MLE(model, backend="pytensor")
    np.testing.assert_allclose(interpreted.scores(), compiled.scores(), atol=1e-9)
    _same(interpreted.covariance("HC0"), compiled.covariance("HC0").to_numpy(), 1e-8)
