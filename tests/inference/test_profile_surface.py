"""conf_int, records, contours, pictures and calibration of profiles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pymc as pm
import pytest

import pymle
from pymle.errors import AnalysisError
from pymle.inference.profile import Profile, Profiles
from tests.inference.test_profile_closed_forms import EIGHT, sigma_limits
from tests.reference import models_hard as hard
from tests.reference.problem import load, values


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(1)
    x = np.linspace(-1, 1, 12)
    with pm.Model(coords={"term": ["one", "slope"]}) as model:
        b = pm.Normal("b", 0, 10, dims="term")
        sigma = pm.HalfNormal("sigma", 5)
        pm.Deterministic("ratio", b[1] / sigma)
        pm.Deterministic("one", sigma / sigma)
        pm.Normal("y", b[0] + b[1] * x, sigma, observed=1 + 2 * x + rng.normal(size=12))
    return pymle.find_MLE(model)


def test_columns_and_rows(fit):
    wald = fit.conf_int()
    profile = fit.conf_int(method="profile")
    auto = fit.conf_int(method="auto")
    assert list(wald.columns) == ["lower", "upper", "scale"]
    assert list(profile.columns) == ["lower", "upper", "method", "lower_flag", "upper_flag"]
    assert list(auto.columns) == [*profile.columns, "nonquadratic"]
    for table in (profile, auto):
        assert (
            list(table.index) == list(wald.index) == ["b[one]", "b[slope]", "sigma", "ratio", "one"]
        )
    assert profile["lower"].dtype == profile["upper"].dtype == float
    assert list(profile.loc["one", ["lower", "upper", "method"]]) == [1.0, 1.0, "constant"]
    rest = profile.drop(index="one")
    assert set(rest["method"]) == {"profile"}
    assert set(rest["lower_flag"]) == {"found"}
    for label in rest.index:
        one = fit.profile(label)
        assert list(rest.loc[label, ["lower", "upper"]]) == pytest.approx([one.lower, one.upper])


def test_selection_and_levels(fit):
    assert list(fit.conf_int("b", method="profile").index) == ["b[one]", "b[slope]"]
    assert list(fit.conf_int("sig", "like", method="profile").index) == ["sigma"]
    at = fit.conf_int("b", coords={"term": "slope"}, method="auto", level=0.8)
    assert list(at.index) == ["b[slope]"]
    wide = fit.conf_int("b", method="profile", level=0.99)
    narrow = fit.conf_int("b", method="profile", level=0.8)
    assert np.all(wide["lower"] < narrow["lower"])
    assert np.all(wide["upper"] > narrow["upper"])


def test_refused_arguments(fit):
    with pytest.raises(AnalysisError, match="takes no covariance"):
        fit.conf_int(method="profile", cov="sandwich")
    with pytest.raises(AnalysisError, match='"wald", "profile"'):
        fit.conf_int(method="likelihood")
    with pytest.raises(AnalysisError, match="level"):
        fit.conf_int(method="profile", level=1.5)
    with pytest.raises(AnalysisError, match="calibrate"):
        fit.conf_int(method="auto", calibrate="bootstrap")
    with pytest.raises(AnalysisError, match="bootstrap"):
        fit.conf_int(method="profile", calibrate="bartlett")
    with pytest.raises(AnalysisError, match="scalar"):
        fit.contour("b", "sigma")
    with pytest.raises(AnalysisError, match="functions of each other"):
        fit.contour("sigma", "sigma^2")
    with pytest.raises(AnalysisError, match="MAP"):
        pymle.find_MAP(fit._problem.model).conf_int(method="auto")


def test_auto_keeps_wald_where_the_likelihood_is_quadratic():
    rng = np.random.default_rng(0)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=rng.normal(size=400))
    large = pymle.find_MLE(model)
    auto, wald = large.conf_int(method="auto"), large.conf_int()
    assert auto.loc["mu", "method"] == "wald"
    assert auto.loc["mu", "lower_flag"] == "wald"
    assert list(auto.loc["mu", ["lower", "upper"]]) == list(wald.loc["mu", ["lower", "upper"]])
    # Closed form: the signed root at mu +- z s / sqrt(n) is sqrt(n log(1 + z^2 / n)).
    z, n = 1.959963984540054, 400
    measure = abs(np.sqrt(n * np.log1p(z**2 / n)) / z - 1)
    assert auto.loc["mu", "nonquadratic"] == pytest.approx(measure, rel=1e-5)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=EIGHT)
    small = pymle.find_MLE(model).conf_int(method="auto")
    assert list(small["method"]) == ["profile", "profile"]
    assert list(small.loc["sigma", ["lower", "upper"]]) == pytest.approx(sigma_limits(EIGHT))
    # On the log scale: 2 n log r + n (r^-2 - 1) with r = exp(+-z / sqrt(2 n)).
    roots = [np.sqrt(8 * (2 * u + np.exp(-2 * u) - 1)) for u in (z / 4, -z / 4)]
    worst = max(abs(root / z - 1) for root in roots)
    assert small.loc["sigma", "nonquadratic"] == pytest.approx(worst, rel=1e-6)


def test_records(fit):
    one = fit.profile("sigma")
    assert isinstance(one, Profile)
    assert list(one.table.columns) == ["estimate", "lower", "upper", "lower_flag", "upper_flag"]
    assert one.table.index.tolist() == ["sigma"]
    assert "Profile likelihood, 95% limits" in repr(one)
    assert "sigma" in one._repr_html_()
    assert one.root[np.flatnonzero(one.value == one.estimate)[0]] == 0.0
    assert np.all(np.diff(one.value) > 0)
    assert np.all(np.diff(one.root) > 0)
    with pytest.raises(AttributeError):
        one.lower = 0.0
    several = fit.profile(["b", "sigma"])
    assert isinstance(several, Profiles)
    assert list(several) == ["b[one]", "b[slope]", "sigma"]
    pd.testing.assert_frame_equal(several.table.loc[["sigma"]], one.table)
    assert several["sigma"].label == "sigma"
    assert "sigma" in repr(several)
    assert several.better_fit is None
    with pytest.raises(KeyError):
        several["tau"]
    # The estimates of the other parameters along the profile are maxima.
    places = fit.profile("b[slope]").points
    likelihood = pymle.compile(fit._problem.model)
    for _, row in places.iterrows():
        point = {"b": np.array([row["b[one]"], row["b[slope]"]]), "sigma": row["sigma"]}
        score = likelihood.score(point)
        assert abs(float(score["sigma"])) < 1e-3
        assert likelihood.logp(point) == pytest.approx(row["loglik"], abs=1e-6)


def test_pictures(fit):
    both = fit.profile("sigma").plot()
    assert len(both) == 2
    assert both[0].get_xlabel() == "sigma"
    assert both[0].get_ylabel() == "signed root"
    labels = [line.get_label() for line in both[1].get_lines()]
    assert "profile" in labels
    assert "quadratic (Wald)" in labels
    ax = fit.profile("ratio").plot(scale="loglik")
    again = fit.profile("ratio").plot(both[0], scale="root")
    assert again is both[0]
    assert ax is not again
    panels = fit.profile().plot()
    assert len(panels) == 3
    with pytest.raises(ValueError, match="scale"):
        fit.profile("sigma").plot(scale="wald")
    joint = fit.contour("b[slope]", "sigma", level=0.5).plot()
    assert joint.get_ylabel() == "sigma"


def inside(contour, a, b):
    """Signed area test: whether a point lies in a closed curve."""
    from matplotlib.path import Path

    return Path(np.column_stack([contour.a, contour.b])).contains_point((a, b))


def test_contour_of_a_normal_sample():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=EIGHT)
    fit = pymle.find_MLE(model)
    found = fit.contour("mu", "sigma")
    assert [curve.level for curve in found.curves] == [0.5, 0.95]
    n, m, s = 8, EIGHT.mean(), EIGHT.std()
    for curve, wanted in zip(found.curves, (1.3862943611, 5.9914645471), strict=True):
        ratio = 2 * n * np.log(curve.b / s) + n * ((s**2 + (curve.a - m) ** 2) / curve.b**2 - 1)
        np.testing.assert_allclose(ratio, wanted, rtol=1e-3)
        assert curve.closed
        assert inside(curve, *found.estimate)
        assert 25 < len(curve.a) < 150
    assert inside(found.curves[1], found.curves[0].a[0], found.curves[0].b[0])
    assert set(found.table["level"]) == {0.5, 0.95}
    assert list(found.table.columns) == ["level", "mu", "sigma"]
    assert "95%: " in repr(found)
    # A function and a parameter.
    other = fit.contour("mu / sigma", "log(sigma)", level=0.95).curves[0]
    ratio = 2 * n * (other.b - np.log(s)) + n * (
        (s**2 + (other.a * np.exp(other.b) - m) ** 2) / np.exp(2 * other.b) - 1
    )
    np.testing.assert_allclose(ratio, 5.9914645471, rtol=1e-3)
    assert other.closed


def test_contour_follows_a_bend():
    """Rosenbrock's valley: a region that is no star around its centre."""
    reference = values()["hard_rosenbrock"]
    fit = pymle.find_MLE(hard.rosenbrock(load(reference["data"])))
    curve = fit.contour("a", "b", level=0.95).curves[0]
    assert curve.closed
    ratio = (1 - curve.a) ** 2 + 100 * (curve.b - curve.a**2) ** 2
    np.testing.assert_allclose(ratio, 5.9914645471, rtol=2e-3)
    reach = 1 + np.sqrt(5.9914645471) * np.array([-1, 1])
    assert [curve.a.min(), curve.a.max()] == pytest.approx(list(reach), abs=0.05)


def test_contour_open_at_an_edge():
    reference = values()["hard_boundary_dyestuff2"]
    with pytest.warns(pymle.errors.NotCertifiedWarning):
        fit = pymle.find_MLE(hard.boundary(load(reference["data"])))
    curve = fit.contour("sd_batch", "sigma", level=0.95).curves[0]
    assert curve.flag == "edge"
    assert curve.a.min() < 1e-6
    assert 2.5 < curve.a.max() < 4.0


def test_calibration_of_a_pivot():
    """Sigma of a normal sample: the law of the likelihood ratio does not depend on the truth."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=EIGHT)
    fit = pymle.find_MLE(model)
    table = fit.conf_int(
        "sigma", method="profile", calibrate="bootstrap", n_boot=399, random_seed=2
    )
    again = fit.conf_int(
        "sigma", method="profile", calibrate="bootstrap", n_boot=399, random_seed=2
    )
    pd.testing.assert_frame_equal(table, again)
    assert table.attrs["calibration"]["sigma"] == "bootstrap (399 data sets, 0 failed)"
    draws = np.random.default_rng(0).chisquare(7, 400_000) / 8
    ratio = 8 * (draws - np.log(draws) - 1)
    cutoff = table.attrs["cutoffs"]["sigma"] ** 2
    # Within three standard errors of a 0.95 quantile from 399 draws.
    assert 0.95 - 0.033 < np.mean(ratio < cutoff) < 0.95 + 0.033
    low, high = sigma_limits(EIGHT)
    assert table.loc["sigma", "lower"] < low
    assert table.loc["sigma", "upper"] > high
    with pytest.raises(AnalysisError, match="at least 19"):
        fit.profile("sigma", calibrate="bootstrap", n_boot=10, random_seed=0)
    with pytest.raises(AnalysisError, match="Repeat the rows"):
        pymle.find_MLE(model, weights=np.full(8, 2.0)).profile("mu", calibrate="bootstrap")
