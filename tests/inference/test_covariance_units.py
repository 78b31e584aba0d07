"""Which units are independent: evident, declared, and refused."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest

import pymle
from pymle.errors import AnalysisError

rng = np.random.default_rng(7)
SCHOOL = np.repeat(np.arange(10), 6)
CLASS = np.tile(np.arange(6), 10)
Y = rng.normal(size=60) + rng.normal(size=10)[SCHOOL]


@pytest.fixture(scope="module")
def pupils():
    """One row per pupil, with schools as data, as coords of the same length and as labels."""
    coords = {
        "pupil": [f"p{i}" for i in range(60)],
        "of_school": [f"s{i}" for i in SCHOOL],
        "school": [f"s{i}" for i in range(10)],
    }
    with pm.Model(coords=coords) as model:
        pm.Data("school_index", SCHOOL, dims="pupil")
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("y", mu, 1.0, observed=Y, dims="pupil")
    return pymle.find_MLE(model)


def _cr0():
    sums = np.bincount(SCHOOL, weights=Y - Y.mean())
    return float(np.sqrt(np.sum(sums**2)) / 60)


def _se(fit, **how):
    return float(fit.summary(**how)["se"].iloc[0])


def test_rows_are_units(pupils):
    units = pupils.units()
    assert len(units) == 60
    assert units.text == "60 rows of `y`"
    assert "evident" in repr(units)
    scores = pupils.scores()
    assert list(scores.index[:2]) == ["p0", "p1"]
    assert scores.index.name == "pupil"
    np.testing.assert_allclose(scores["mu"], Y - Y.mean(), atol=1e-12)
    np.testing.assert_allclose(scores.sum(), 0.0, atol=1e-10)


@pytest.mark.parametrize(
    "clusters",
    [
        SCHOOL,
        list(SCHOOL),
        pd.Series([f"s{i}" for i in SCHOOL]),
        pd.Categorical([f"s{i}" for i in SCHOOL]),
        "school_index",
        "of_school",
        {"y": SCHOOL},
        {"y": "school_index"},
    ],
)
def test_one_way(pupils, clusters):
    np.testing.assert_allclose(_se(pupils, cov="CR0", clusters=clusters), _cr0(), rtol=1e-12)
    wanted = _cr0() * np.sqrt(10 / 9)
    np.testing.assert_allclose(_se(pupils, clusters=clusters), wanted, rtol=1e-12)
    units = pupils.units(clusters)
    assert len(units) == 10
    assert "declared" in repr(units)
    assert len(pupils.scores(clusters=clusters)) == 10


@pytest.mark.parametrize(
    "clusters",
    [
        (SCHOOL, CLASS),
        ["school_index", CLASS],
        np.stack([SCHOOL, CLASS], axis=1),
        pd.DataFrame({"school": SCHOOL, "class": CLASS}),
    ],
)
def test_two_ways(pupils, clusters):
    r = Y - Y.mean()
    parts = [np.sum(np.bincount(c, weights=r) ** 2) for c in (SCHOOL, CLASS)]
    wanted = np.sqrt(sum(parts) - np.sum(r**2)) / 60
    np.testing.assert_allclose(_se(pupils, cov="CR0", clusters=clusters), wanted, rtol=1e-12)
    wanted = np.sqrt(parts[0] * 10 / 9 + parts[1] * 6 / 5 - np.sum(r**2) * 60 / 59) / 60
    np.testing.assert_allclose(_se(pupils, cov="CR1", clusters=clusters), wanted, rtol=1e-12)


def test_clusters_of_one_row_are_rows(pupils):
    np.testing.assert_allclose(
        _se(pupils, cov="CR0", clusters=np.arange(60)), _se(pupils, cov="HC0"), rtol=1e-12
    )
    np.testing.assert_allclose(
        _se(pupils, cov="CR0", clusters="pupil"), _se(pupils, cov="HC0"), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("clusters", "text"),
    [
        ("school_indx", "Did you mean `school_index`"),
        ("school", "such as `school_index`"),
        (SCHOOL[:5], r"shape \(5,\)"),
        (np.where(SCHOOL > 3, np.nan, SCHOOL), "missing"),
        (np.zeros(60), "all observations are in one cluster"),
        ({"x": SCHOOL}, "unknown name `x`"),
    ],
)
def test_clusters_that_do_not_fit(pupils, clusters, text):
    with pytest.raises(AnalysisError, match=text):
        pupils.covariance(clusters=clusters)


def test_arguments_that_do_not_belong_together(pupils):
    for how, text in (
        ({"cov": "CR1"}, "needs `clusters=`"),
        ({"cov": "HC1", "clusters": SCHOOL}, '"CR1S"'),
        ({"cov": "observed", "clusters": SCHOOL}, "does not use `clusters`"),
        ({"cov": "HC0", "cov_kwds": {"k": 2}}, "`k` belongs"),
        ({"cov": "HC0", "cov_kwds": {"lags": 2}}, "`lags` belongs"),
        ({"cov": "HC0", "cov_kwds": {"maxlags": 2}}, "lags"),
        ({"cov": "HAC", "cov_kwds": {"lags": 60}}, "from 0 to 59"),
        ({"cov": "HC1", "cov_kwds": {"k": 60}}, "more independent units"),
        ({"cov": "expected", "cov_kwds": {"simulations": 1}}, "simulations"),
    ):
        with pytest.raises(AnalysisError, match=text):
            pupils.summary(**how)
    with pytest.raises(AnalysisError, match="one way"):
        pupils.scores(clusters=(SCHOOL, CLASS))


def test_few_clusters_are_said(pupils):
    record = pymle.inference.estimate_covariance(pupils._fitted, clusters=SCHOOL)
    assert "10 clusters are few" in repr(record)
    assert "are few" in pupils.summary(clusters=SCHOOL).attrs["covariance_notes"]


def test_a_dim_of_the_observed_variable_and_entries_of_a_table():
    y = rng.normal(size=(12, 5)) + rng.normal(size=(12, 1))
    with pm.Model(coords={"child": list("abcdefghijkl"), "year": range(2001, 2006)}) as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("y", mu, 1.0, observed=y, dims=("child", "year"))
    fit = pymle.find_MLE(model)
    assert fit.units().text == "60 entries of `y`"
    assert fit.scores().index.names == ["child", "year"]
    by_child = np.sqrt(np.sum((y - y.mean()).sum(axis=1) ** 2)) / 60
    np.testing.assert_allclose(_se(fit, cov="CR0", clusters="child"), by_child, rtol=1e-12)
    by_year = np.sqrt(np.sum((y - y.mean()).sum(axis=0) ** 2)) / 60
    np.testing.assert_allclose(_se(fit, cov="CR0", clusters="year"), by_year, rtol=1e-12)
    both = fit.covariance("CR0", clusters=("child", "year"))
    entries = np.sum((y - y.mean()) ** 2) / 60**2
    np.testing.assert_allclose(both.iloc[0, 0], by_child**2 + by_year**2 - entries, rtol=1e-12)


def test_a_row_of_a_multivariate_variable_is_one_unit():
    rows = rng.normal(size=(30, 3)) @ np.array([[1.0, 0.5, 0.0], [0, 1.0, 0.3], [0, 0, 1.0]])
    with pm.Model(coords={"row": range(30), "item": list("abc")}) as model:
        mu = pm.Normal("mu", 0, 10, dims="item")
        pm.MvNormal("y", mu, np.eye(3), observed=rows, dims=("row", "item"))
    fit = pymle.find_MLE(model)
    assert fit.units().text == "30 rows of `y`"
    r = rows - rows.mean(axis=0)
    np.testing.assert_allclose(fit.covariance("HC0"), r.T @ r / 30**2, rtol=1e-9, atol=1e-15)


def test_several_observed_variables_share_their_rows():
    x, z = rng.normal(size=(2, 40)) + rng.normal(size=40)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("a", mu, 1.0, observed=x)
        pm.Normal("b", mu, 1.0, observed=z)
        pm.Normal("c", mu, 2.0, observed=rng.normal(size=15))
    fit = pymle.find_MLE(model)
    assert fit.units().text == "40 rows of `a`, `b`; 15 rows of `c`"
    m = float(fit.params["mu"])
    meat = np.sum((x + z - 2 * m) ** 2)
    c = fit._problem.lowered  # the data of c, as the fit has them
    third = next(d.value for d in c.data if d.value.shape == (15,))
    meat += np.sum(((third - m) / 4) ** 2)
    np.testing.assert_allclose(_se(fit, cov="HC0"), np.sqrt(meat) / (80 + 15 / 4), rtol=1e-9)
    assert list(fit.scores().index.names) == ["variable", "unit"]
    with pytest.raises(AnalysisError, match="observed variable `b`"):
        fit.covariance(clusters={"a": np.arange(40)})
    declared = {"a": np.arange(40), "b": np.arange(40), "c": 100 + np.arange(15)}
    np.testing.assert_allclose(
        _se(fit, cov="CR0", clusters=declared), _se(fit, cov="HC0"), rtol=1e-12
    )


def test_different_dims_do_not_share_rows():
    with pm.Model(coords={"man": range(9), "woman": range(9)}) as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("a", mu, 1.0, observed=rng.normal(size=9), dims="man")
        pm.Normal("b", mu, 1.0, observed=rng.normal(size=9), dims="woman")
    assert pymle.find_MLE(model).units().text == "9 rows of `a`; 9 rows of `b`"


@pytest.fixture(scope="module")
def series():
    steps = np.random.default_rng(1).normal(size=(4, 50))
    y = np.zeros((4, 50))
    for t in range(1, 50):
        y[:, t] = 0.6 * y[:, t - 1] + steps[:, t]
    return y


def test_a_series_is_one_unit_and_refused(series):
    with pm.Model() as model:
        rho = pm.Uniform("rho", -1, 1)
        pm.AR("y", [rho], sigma=1.0, init_dist=pm.Normal.dist(), observed=series[0])
    fit = pymle.find_MLE(model)
    for cov in ("HC0", "opg", "HAC"):
        with pytest.raises(AnalysisError, match="one joint log-density"):
            fit.covariance(cov)
    for refused in (fit.scores, fit.influence, fit.units):
        with pytest.raises(AnalysisError, match="parametric bootstrap"):
            refused()
    with pytest.raises(AnalysisError, match="one joint log-density"):
        fit.covariance(clusters=np.arange(50))
    # The expected information needs no units.
    found = fit.covariance("expected", simulations=100)
    error = found.attrs["monte_carlo_error"]
    # AR(1): information (n - 1 steps of variance y) / (1 - rho^2), to the first order.
    rho = float(fit.params["rho"])
    wanted = np.sqrt((1 - rho**2) / 49)
    assert abs(np.sqrt(found.iloc[0, 0]) / wanted - 1) < 5 * error + 0.03


def test_several_series_are_units_of_their_own(series):
    with pm.Model() as model:
        rho = pm.Uniform("rho", -1, 1)
        init = pm.Normal.dist(size=4)
        pm.AR("y", rho[..., None], sigma=1.0, init_dist=init, observed=series)
    batch = pymle.find_MLE(model)
    assert batch.units().text == "4 rows of `y`"
    with pm.Model() as model:
        rho = pm.Uniform("rho", -1, 1)
        for i in range(4):
            init = pm.Normal.dist()
            pm.AR(f"y{i}", [rho], sigma=1.0, init_dist=init, observed=series[i])
    single = pymle.find_MLE(model)
    with pytest.raises(AnalysisError, match="one observed variable per series"):
        single.covariance("HC0")
    declared = single.covariance("CR0", clusters={f"y{i}": i for i in range(4)})
    np.testing.assert_allclose(declared, batch.covariance("HC0"), rtol=1e-8)


def test_a_series_given_its_past_takes_hac(series):
    y = series[0]
    with pm.Model(coords={"time": range(49)}) as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("y", mu, 1.0, observed=y[1:], dims="time")
    fit = pymle.find_MLE(model)
    assert _se(fit, cov="HAC", cov_kwds={"lags": 6}) > 1.3 * _se(fit, cov="HC0")
    with pm.Model(coords={"time": range(49)[::-1]}) as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("y", mu, 1.0, observed=y[1:], dims="time")
    with pytest.raises(AnalysisError, match="time order"):
        pymle.find_MLE(model).covariance("HAC")


def test_potentials_are_refused_and_named():
    y = rng.normal(size=20)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Potential("likelihood", pm.logp(pm.Normal.dist(mu, 1.0), y).sum())
    fit = pymle.find_MLE(model)
    with pytest.raises(AnalysisError, match=r"`likelihood`.*pm\.CustomDist"):
        fit.covariance("HC0")
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("y", mu, 1.0, observed=y)
        pm.Potential("penalty", -((mu - 3.0) ** 2))
    fit = pymle.find_MLE(model, potentials={"penalty": "likelihood"})
    with pytest.raises(AnalysisError, match="`penalty`"):
        fit.covariance("HC0")
    dropped = pymle.find_MLE(model, potentials={"penalty": "prior"})
    assert _se(dropped, cov="HC0") == pytest.approx(np.std(y) / np.sqrt(20))


def test_a_potential_without_parameters_does_no_harm():
    y = rng.normal(size=20)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("y", mu, 1.0, observed=y)
        pm.Potential("constant", pm.math.log(2.0) + 0.0)
    with pytest.warns(pymle.Notice, match="acts as a penalty"):
        fit = pymle.find_MLE(model)
    assert _se(fit, cov="HC0") == pytest.approx(np.std(y) / np.sqrt(20))


def test_map_fits_have_no_robust_covariance(pupils):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("y", mu, 1.0, observed=Y)
    fit = pymle.find_MAP(model)
    for cov in ("HC0", "opg", "HAC", "expected"):
        with pytest.raises(AnalysisError, match="MAP fit"):
            fit.covariance(cov)
    for refused in (fit.scores, fit.influence):
        with pytest.raises(AnalysisError, match="MAP fit"):
            refused()
    assert fit.covariance("observed").shape == (1, 1)


def test_a_fit_that_is_no_maximum_has_no_standard_errors():
    x = rng.normal(size=30)
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        pm.Normal("y", a + b + 0 * x, 1.0, observed=x)
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model)
    # Only the sum is identified: each alone has no standard error, the sum has.
    assert fit.covariance("HC0").isna().all().all()
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        pm.Deterministic("total", a + b)
        pm.Normal("y", a + b, 1.0, observed=x)
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model)
    table = fit.summary(cov="HC0")
    assert table["se"][["a", "b"]].isna().all()
    np.testing.assert_allclose(table.loc["total", "se"], np.std(x) / np.sqrt(30), rtol=1e-6)


def test_at_the_edge_standard_errors_are_conditional_on_it():
    y = np.array([0.0] * 12)
    z = rng.normal(size=12)
    with pm.Model() as model:
        p = pm.Beta("p", 1, 1)
        mu = pm.Normal("mu", 0, 1)
        pm.Bernoulli("y", p, observed=y.astype(int))
        pm.Normal("z", mu, 1.0, observed=z)
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model)
    table = fit.summary(cov="HC0")
    assert np.isnan(table.loc["p", "se"])
    np.testing.assert_allclose(table.loc["mu", "se"], np.std(z) / np.sqrt(12), rtol=1e-6)


def test_parameters_of_one_cluster_each_have_no_clustered_error():
    x = rng.normal(size=60)
    with pm.Model() as model:
        effect = pm.Normal("effect", 0, 10, shape=10)
        slope = pm.Normal("slope", 0, 10)
        pm.Normal("y", effect[SCHOOL] + slope * x, 1.0, observed=Y)
    fit = pymle.find_MLE(model)
    table = fit.summary(cov="CR0", clusters=SCHOOL)
    # The scores of an effect add up to zero in its own school.
    within = x - (np.bincount(SCHOOL, x) / 6)[SCHOOL]
    r = Y - fit.params["effect"].to_numpy()[SCHOOL] - float(fit.params["slope"]) * x
    meat = np.sum(np.bincount(SCHOOL, weights=within * r) ** 2)
    np.testing.assert_allclose(table.loc["slope", "se"], np.sqrt(meat) / np.sum(within**2))
    with pm.Model() as model:
        effect = pm.Normal("effect", 0, 10, shape=10)
        pm.Normal("y", effect[SCHOOL], 1.0, observed=Y)
    alone = pymle.find_MLE(model)
    assert alone.summary(cov="CR0", clusters=SCHOOL)["se"].isna().all()
    assert alone.covariance("CR0", clusters=SCHOOL).isna().all().all()


def test_one_observation():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("y", mu, 1.0, observed=0.3)
    with pytest.raises(AnalysisError, match="one observation"):
        pymle.find_MLE(model).covariance("HC0")


def test_single_values_are_units_of_their_own():
    with pm.Model() as model:
        p = pm.Dirichlet("p", np.ones(3))
        for i, counts in enumerate(([3, 4, 5], [6, 5, 1], [2, 2, 8])):
            pm.Multinomial(f"y{i}", 12, p, observed=counts)
    fit = pymle.find_MLE(model)
    assert fit.units().text == "1 value of `y0`; 1 value of `y1`; 1 value of `y2`"
    assert fit.scores(scale="unconstrained").shape == (3, 2)


def test_constrained_fits_are_those_of_the_smaller_model():
    x, z = rng.normal(size=(2, 60))
    y = Y + 0.5 * x + 0.5 * z

    def fit(design, **more):
        with pm.Model() as model:
            beta = pm.Normal("beta", 0, 10, shape=design.shape[1])
            pm.Normal("y", design @ beta, pm.HalfNormal("sigma", 2), observed=y)
        return pymle.find_MLE(model, **more)

    one = np.ones(60)
    tied = fit(np.stack([one, x, z], axis=1), constraints="beta[1] = beta[2]")
    small = fit(np.stack([one, x + z], axis=1))
    for how in ({"cov": "HC0"}, {"cov": "HC1"}, {"cov": "opg"}, {"clusters": SCHOOL}):
        np.testing.assert_allclose(
            tied.summary(**how)["se"].iloc[[0, 1, 3]], small.summary(**how)["se"], rtol=1e-6
        )


def test_scores_of_constrained_entries():
    counts = np.array([[3, 4, 5], [2, 6, 4], [5, 5, 2], [1, 7, 4]])
    with pm.Model() as model:
        p = pm.Dirichlet("p", np.ones(3))
        pm.Multinomial("y", 12, p, observed=counts)
    fit = pymle.find_MLE(model)
    with pytest.raises(AnalysisError, match="constrain each other"):
        fit.scores()
    scores = fit.scores(scale="unconstrained")
    assert scores.shape == (4, 2)
    np.testing.assert_allclose(scores.sum(), 0.0, atol=1e-9)
    # Covariance of the shares of four independent rows.
    share = counts / 12
    wanted = (share - share.mean(axis=0)).T @ (share - share.mean(axis=0)) / 16
    np.testing.assert_allclose(fit.covariance("HC0"), wanted, atol=1e-10)
