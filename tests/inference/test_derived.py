"""Derived quantities: delta method, draws and profiles, against published values."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

import pymle

from .shared import budworms, counts, poisson


@pytest.fixture(scope="module")
def worms() -> pymle.Fit:
    return pymle.find_MLE(budworms())


@pytest.fixture(scope="module")
def fit() -> pymle.Fit:
    return pymle.find_MLE(poisson(*counts()))


def test_doses_as_in_mass(worms):
    # R: dose.p(glm(SF ~ sex + ldose - 1, family = binomial), cf = c(1, 3), p = 1:3/4), as
    # printed by help(dose.p) of MASS 7.3; females come first.
    published = {
        0.25: (2.231265, 0.2499089),
        0.50: (3.263587, 0.2297539),
        0.75: (4.295910, 0.2746874),
    }
    for p, (dose, se) in published.items():
        text = f"({np.log(p / (1 - p))} - a[F]) / b"
        found = worms.derived(text)
        assert found.estimate.iloc[0] == pytest.approx(dose, abs=1e-6)
        # glm stops at a relative change of the deviance of 1e-8.
        assert found.se.iloc[0] == pytest.approx(se, abs=2e-6)


def test_entries_of_parameters_have_the_limits_of_the_table():
    rng = np.random.default_rng(2)
    with pm.Model(coords={"group": ["a", "b", "c"]}) as model:
        share = pm.Dirichlet("share", np.ones(3), dims="group")
        early = pm.Dirichlet("early", np.ones(3))
        sigma = pm.HalfNormal("sigma", 1)
        p = pm.Beta("p", 1, 1)
        w = pm.Uniform("w", -3, 4)
        r = pm.LKJCorr("r", n=2, eta=1)
        pm.Multinomial("n", 200, share, observed=[60, 90, 50])
        pm.Multinomial("few", 5, early, observed=[1, 3, 1])
        pm.Binomial("k", 30, p, observed=4)
        pm.Normal("y", w, sigma, observed=rng.normal(size=12))
        pm.MvNormal(
            "z",
            np.zeros(2),
            cov=pt.stacklists([[1.0, r[0]], [r[0], 1.0]]) if r.ndim == 1 else r,
            observed=rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=40),
        )
    fit = pymle.find_MLE(model)
    wanted = fit.conf_int()
    for name in ("share", "early", "sigma", "p", "w", "r"):
        found = fit.derived(name).table
        rows = [label for label in found.index if label in wanted.index]
        assert rows
        same = wanted.loc[rows]
        np.testing.assert_allclose(found.loc[rows, "lower"], same["lower"], rtol=1e-12)
        np.testing.assert_allclose(found.loc[rows, "upper"], same["upper"], rtol=1e-12)
        assert list(found.loc[rows, "scale"]) == list(same["scale"])
    assert set(fit.derived("share").table["scale"]) == {"identity"}
    assert "logit" in set(fit.derived("early").table["scale"])


def test_limits_by_hand(fit):
    beta = fit.summary("beta").loc["beta[x1]"]
    z = stats.norm.ppf(0.975)
    found = fit.derived("ratio[x1]").table.loc["ratio[x1]"]
    assert found["estimate"] == pytest.approx(np.exp(beta["estimate"]))
    assert found["se"] == pytest.approx(np.exp(beta["estimate"]) * beta["se"])
    assert found["lower"] == pytest.approx(np.exp(beta["estimate"] - z * beta["se"]))
    two = fit.derived("beta[x1] * beta[x3]", level=0.9)
    covariance = fit.covariance().loc[["beta[x1]", "beta[x3]"], ["beta[x1]", "beta[x3]"]]
    b1, b3 = (float(fit.params["beta"].sel(predictor=p)) for p in ("x1", "x3"))
    gradient = np.array([b3, b1])
    se = np.sqrt(gradient @ covariance @ gradient)
    assert two.se.iloc[0] == pytest.approx(se)
    np.testing.assert_allclose(
        two.table[["lower", "upper"]].iloc[0].astype(float),
        b1 * b3 + stats.norm.ppf(0.95) * se * np.array([-1, 1]),
    )


def test_several_at_once_labelled(fit):
    found = fit.derived({"ratio": "ratio", "total": lambda p: p["beta"].sum()})
    assert found.names == ("ratio", "total")
    assert list(found.table.index[-2:]) == ["ratio[x3]", "total"]
    covariance = fit.covariance().to_numpy()
    assert found.table.loc["total", "se"] == pytest.approx(np.sqrt(covariance.sum()))
    np.testing.assert_allclose(
        np.sqrt(np.diagonal(found.covariance)), found.se.to_numpy(), rtol=1e-12
    )
    arrays = found.to_xarray()
    assert arrays["ratio"].dims == ("predictor", "statistic")
    assert float(arrays["ratio"].sel(predictor="x2", statistic="se")) == pytest.approx(
        found.table.loc["ratio[x2]", "se"]
    )
    assert float(arrays["total"].sel(statistic="upper")) == found.table.loc["total", "upper"]

    every = fit.derived()
    assert every.names == ("ratio",)
    two = fit.derived([lambda p: p["beta"][0], lambda p: p["beta"][1]])
    assert two.names == ("function", "function 2")

    one = fit.derived("ratio", coords={"predictor": ["x1", "x3"]})
    assert list(one.table.index) == ["ratio[x1]", "ratio[x3]"]
    assert list(one.covariance.index) == ["ratio[x1]", "ratio[x3]"]
    kept = one.to_xarray()["ratio"].sel(statistic="estimate").to_numpy()
    np.testing.assert_array_equal(np.isnan(kept), [True, False, True, False])


def test_draws(fit):
    found = fit.derived(["ratio", "beta[x1]"], method="draws", draws=10_000, random_seed=3)
    again = fit.derived(["ratio", "beta[x1]"], method="draws", draws=10_000, random_seed=3)
    assert found.table.equals(again.table)
    delta = fit.derived(["ratio", "beta[x1]"]).table
    np.testing.assert_allclose(found.table["se"], delta["se"], rtol=0.03)
    # The exponential of a normal variable: quantiles go with it, the sd is known.
    b, s = fit.summary("beta").loc["beta[x3]", ["estimate", "se"]]
    exact = np.sqrt(np.expm1(s**2)) * np.exp(b + s**2 / 2)
    assert found.table.loc["ratio[x3]", "se"] == pytest.approx(exact, rel=0.02)
    np.testing.assert_allclose(
        found.table[["lower", "upper"]], delta[["lower", "upper"]], atol=0.08 * delta["se"].max()
    )


def test_profile_is_equivariant(fit):
    found = fit.derived("ratio[x3]", method="profile").table.iloc[0]
    direct = fit.derived("beta[x3]", method="profile").table.iloc[0]
    for side in ("lower", "upper"):
        assert np.log(found[side]) == pytest.approx(direct[side], abs=1e-5)
        assert found[f"{side}_flag"] == "found"


def test_simultaneous_limits(fit):
    names = [f"beta[{x}]" for x in ("x1", "x2", "x3")]
    alone = fit.derived(names)
    wide = {adjust: fit.derived(names, adjust=adjust) for adjust in ("bonferroni", "sidak")}
    assert wide["bonferroni"].critical == pytest.approx(stats.norm.isf(0.025 / 3))
    assert wide["sidak"].critical == pytest.approx(stats.norm.isf((1 - 0.95 ** (1 / 3)) / 2))
    single = fit.derived(names, adjust="single-step")
    correlation = fit.correlation().loc[names, names].to_numpy()
    c = single.critical
    inside = stats.multivariate_normal(cov=correlation, seed=1).cdf(
        np.full(3, c), lower_limit=-np.full(3, c)
    )
    assert inside == pytest.approx(0.95, abs=3e-4)
    assert alone.critical < c < wide["sidak"].critical + 1e-3
    np.testing.assert_allclose(single.table["upper"], single.estimate + c * single.se, rtol=1e-9)


def test_robust_covariances_are_taken(fit):
    found = fit.derived("ratio", cov="HC0")
    beta = fit.covariance("HC0").loc["beta[x1]", "beta[x1]"]
    ratio = found.table.loc["ratio[x1]"]
    assert ratio["se"] == pytest.approx(ratio["estimate"] * np.sqrt(beta))


def test_rows_of_an_observation_dim_are_no_burden():
    rng = np.random.default_rng(1)
    x = rng.normal(size=20_000)
    with pm.Model() as model:
        slope = pm.Normal("slope", 0, 1)
        pm.Deterministic("mean", slope * x)
        pm.Normal("y", slope * x, 1, observed=x + rng.normal(size=x.size))
    fit = pymle.find_MLE(model)
    found = fit.derived("mean")
    assert len(found.table) == x.size
    np.testing.assert_allclose(found.se, np.abs(x) / np.sqrt(x @ x), rtol=1e-9)


def test_map_fits_have_posterior_curvature():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1, observed=[1.0, 3.0])
    fit = pymle.find_MAP(model)
    found = fit.derived("2 * mu")
    assert found.se.iloc[0] == pytest.approx(2 / np.sqrt(3))
    assert "posterior curvature" in repr(found)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"what": "beta", "level": 1.5}, "`level` = 1.5"),
        ({"what": "beta", "method": "guess"}, '"delta", "profile" or "draws"'),
        ({"what": "beta", "adjust": "holm"}, "no limits (that )?go with it"),
        ({"what": [], "level": 0.9}, "at least one quantity"),
        ({"what": ["beta", "ratio"], "name": "both"}, "pass a dict"),
        ({"what": "ratio", "coords": {"predictor": "x9"}}, "unknown name `x9`"),
        ({"what": "beta[x1]", "coords": {"predictor": "x1"}}, "unknown name `predictor`"),
        ({"what": "beta", "method": "draws", "draws": 3}, "at least 100"),
        ({"what": "beta", "method": "profile", "cov": "HC0"}, "a profile uses the likelihood"),
    ],
)
def test_arguments_that_are_refused(fit, arguments, text):
    with pytest.raises(pymle.AnalysisError, match=text):
        fit.derived(**arguments)


def test_no_deterministics():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1, observed=[1.0, 3.0])
    with pytest.raises(pymle.AnalysisError, match=r"no pm\.Deterministic"):
        pymle.find_MLE(model).derived()


def test_without_a_certificate_there_are_no_standard_errors():
    with pm.Model() as model:
        a = pm.Normal("a", 0, 1)
        b = pm.Normal("b", 0, 1)
        pm.Deterministic("sum", a + b)
        pm.Normal("y", a + b, 1, observed=[1.0, 3.0])
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model)
    table = fit.derived(["a", "sum"]).table
    assert np.isnan(table.loc["a", "se"])
    assert table.loc["sum", "se"] == pytest.approx(1 / np.sqrt(2))
    with pytest.raises(pymle.AnalysisError, match="no normal distribution to draw"):
        fit.derived("a", method="draws")


def test_printed(fit):
    text = repr(fit.derived("ratio"))
    assert text.startswith("Derived quantities with 95% limits by the delta method\n")
    assert "ratio[x1]" in text
    assert "observed information" in text
    assert "<table" in fit.derived("ratio")._repr_html_()


def test_beside_an_edge_what_has_no_limit_has_no_standard_error():
    """Eight schools: Rubin (1981), doi:10.3102/10769986006004377; the mode has no variation."""
    y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    se = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    with pm.Model() as schools:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        pm.Normal("y", mu, pt.sqrt(tau**2 + se**2), observed=y)
    with pytest.warns(pymle.NotCertifiedWarning, match="boundary"):
        schools_fit = pymle.find_MLE(schools, progressbar=False)
    table = schools_fit.derived(["mu / 2", "mu + tau", "mu / tau"]).table
    half = 0.5 * np.sum(se**-2) ** -0.5
    np.testing.assert_allclose(table["se"].iloc[:2], [half, 2 * half], rtol=1e-5)
    # The ratio's error grows like 1 / tau all the way to the edge.
    assert table.iloc[2][["se", "lower", "upper"]].isna().all()
