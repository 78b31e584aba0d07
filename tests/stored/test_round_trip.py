"""Saved fits say what the fits said, to the last bit, and become fits again with their model."""

import datetime

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

import pymle

rng = np.random.default_rng(7)
X = rng.normal(size=(30, 2))
Y = X @ [1.0, -1.0] + 0.5 + 0.7 * rng.normal(size=30)
DAYS = pd.date_range("2024-02-27", periods=30)


def regression(labels=("x1", "x2"), dim="predictor"):
    with pm.Model(coords={dim: labels, "day": DAYS}) as model:
        design = pm.Data("X", X, dims=("day", dim))
        beta = pm.Normal("beta", 0, 10, dims=dim)
        a = pm.Normal("a", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Deterministic("ratio", beta / sigma, dims=dim)
        pm.Normal("y", a + design @ beta, sigma, observed=Y, dims="day")
    return model


def schools():
    with pm.Model(coords={"school": list("abcdefgh")}) as model:
        mu = pm.Normal("mu", 0, 50)
        tau = pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        errors = np.array([3.0, 2, 4, 3, 2, 3, 2, 4])
        effects = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
        pm.Normal("y", theta, errors, observed=effects, dims="school")
    return model


def standardised():
    with pm.Model() as model:
        a = pm.Normal("a", 0, 10)
        s = pm.HalfNormal("s", 1)
        z = pm.Normal("z", 0, 1, shape=3)
        pm.Normal("y", a + s * z, 1.0, observed=Y.reshape(10, 3))
    return model


def odd_names():
    with pm.Model() as model:
        a = pm.Normal("1|g: größe µ (x)", 0, 1)
        b = pm.Normal("~b", 0, 1, shape=2)
        pm.Normal("byte", a + b[0] - b[1], 1.0, observed=np.array([1.0, 2.5]))
        pm.Normal("a b", b, 1.0, observed=np.array([0.5, -0.0]))
    return model


def separated():
    with pm.Model() as model:
        b = pm.Normal("b", 0, 10)
        x = np.array([-2.0, -1.0, 1.0, 2.0])
        pm.Bernoulli("y", logit_p=b * x, observed=np.array([0, 0, 1, 1]))
    return model


def means():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        w = pm.Dirichlet("w", np.ones(3))
        pm.Normal("y", mu, 1.0, observed=Y)
        pm.Multinomial("n", 10, w, observed=np.array([3, 3, 4]))
    return model


CASES = {
    "weights": (regression, {"weights": np.arange(30) % 4}),
    "sampling weights": (
        regression,
        {"weights": 1.0 + np.arange(30) % 3, "weights_kind": "sampling"},
    ),
    "one entry held": (regression, {"fixed": {"beta[x2]": -0.9}}),
    "constraints": (regression, {"constraints": ["beta[x1] >= 1.5", "a = 0.25"]}),
    "random effects": (schools, {}),
    "odd names": (odd_names, {}),
    "no certificate": (separated, {}),
    "simplex": (means, {}),
}


@pytest.fixture(scope="module")
def fits():
    """A function that makes each fit once."""
    made = {}

    def make(name):
        if name not in made:
            build, options = CASES[name]
            model = build()
            certified = name != "no certificate"
            if certified:
                made[name] = model, pymle.find_MLE(model, **options)
            else:
                with pytest.warns(pymle.NotCertifiedWarning):
                    made[name] = model, pymle.find_MLE(model, **options)
        return made[name]

    return make


def same(a, b):
    """Two frames, attrs included, to the last bit."""
    pd.testing.assert_frame_equal(a, b, check_exact=True)
    assert a.columns.name == b.columns.name
    assert str(a.attrs) == str(b.attrs)


@pytest.mark.parametrize("name", CASES)
def test_a_saved_fit_says_the_same(fits, name, tmp_path):
    _, fit = fits(name)
    saved = pymle.load(fit.save(tmp_path / "fit.nc"))
    assert str(saved) == str(fit)
    assert saved._repr_html_() == fit._repr_html_()
    assert saved.verdict == fit.verdict
    assert saved.verdict.status is fit.verdict.status
    for number in ("loglik", "nobs", "nparams", "objective", "notices", "integrated"):
        assert getattr(saved, number) == getattr(fit, number)
    if name != "sampling weights":
        assert (saved.aic, saved.aicc, saved.bic) == (fit.aic, fit.aicc, fit.bic)
    else:
        with pytest.raises(pymle.AnalysisError, match="sampling weights"):
            _ = saved.aic
    same(saved.summary(level=0.9), fit.summary(level=0.9))
    same(saved.conf_int(level=0.99), fit.conf_int(level=0.99))
    for scale in ("natural", "unconstrained"):
        same(saved.covariance(scale=scale), fit.covariance(scale=scale))
    same(saved.correlation(), fit.correlation())
    same(saved.constraints, fit.constraints)
    xr.testing.assert_identical(saved.params, fit.params)
    assert saved.point.keys() == fit.point.keys()
    for key, value in fit.point.items():
        assert np.array_equal(saved.point[key], value)
        assert np.array_equal(np.signbit(saved.point[key]), np.signbit(value))
    assert str(saved.roles) == str(fit.roles)
    assert str(saved.record) == str(fit.record)


@pytest.mark.parametrize(
    "name", ["sampling weights", "one entry held", "constraints", "random effects"]
)
def test_with_its_model_it_is_the_fit_again(fits, name, tmp_path):
    model, fit = fits(name)
    again = pymle.load(fit.save(tmp_path / "fit.nc"), model=model)
    assert type(again) is pymle.Fit
    assert str(again) == str(fit)
    same(again.summary(), fit.summary())
    assert str(again.record) == str(fit.record)
    assert again.loglik == fit.loglik
    if name == "one entry held":
        pd.testing.assert_frame_equal(
            again.conf_int("sigma", method="profile"),
            fit.conf_int("sigma", method="profile"),
            rtol=1e-8,
        )
    if name == "sampling weights":
        same(again.covariance("CR1", clusters=np.arange(30) // 3),
             fit.covariance("CR1", clusters=np.arange(30) // 3))  # fmt: skip


def test_random_effects(fits, tmp_path):
    _, fit = fits("random effects")
    saved = pymle.load(fit.save(tmp_path / "fit.nc"))
    for level in (0.95, 0.5):
        mine, theirs = saved.random_effects(level), fit.random_effects(level)
        same(mine.table, theirs.table)
        xr.testing.assert_identical(mine.se["theta"], theirs.se["theta"])
    same(saved.summary(["mu", "theta"]), fit.summary(["mu", "theta"]))
    same(
        saved.summary("theta", coords={"school": ["b", "h"]}),
        fit.summary("theta", coords={"school": ["b", "h"]}),
    )


def test_a_map_fit(tmp_path):
    # The joint mode, which needs `random=[]` again.
    model = standardised()
    fit = pymle.find_MAP(model, random=[], jacobian=True)
    saved = pymle.load(fit.save(tmp_path / "fit.nc"))
    assert str(saved) == str(fit)
    assert saved.logposterior == fit.logposterior
    with pytest.raises(pymle.AnalysisError, match="MAP fit"):
        _ = saved.aic
    same(saved.covariance(), fit.covariance())
    again = pymle.load(tmp_path / "fit.nc", model=model)
    assert again.logposterior == fit.logposterior
    assert str(again) == str(fit)


@pytest.mark.parametrize(
    "labels",
    [
        ("x1", "größe µ"),
        (3, 10**17),
        (0.1, float("inf")),
        (True, False),
        tuple(pd.date_range("2024-01-31 12:00:00.000000001", periods=2)),
        tuple(pd.date_range("2024-03-31", periods=2, tz="Europe/Berlin")),
        tuple(np.array(["2024-01", "2024-02"], dtype="datetime64[M]")),
        (datetime.date(2024, 2, 29), datetime.date(1, 1, 1)),
        tuple(pd.cut([1.0, 2.0], [0.0, 1.0, 2.0])),
        tuple(pd.period_range("2024Q1", periods=2, freq="Q")),
        (("a", 1), ("b", 2.5)),
        (np.str_("p"), np.int16(4)),
    ],
    ids=str,
)
def test_labels_of_every_kind(labels, tmp_path):
    from pymle.stored.pack import Packer, Unpacker

    packer = Packer({})
    document = packer.pack(tuple(labels))
    back = Unpacker({}, packer.arrays).unpack(document)
    assert back == tuple(labels)
    assert [type(b) for b in back] == [type(a) for a in labels]


@pytest.mark.parametrize("suffix", [".zarr", ".nc4"])
def test_dates_and_text_in_both_formats(suffix, tmp_path):
    model = regression(labels=(datetime.date(2024, 2, 29), datetime.date(2024, 3, 1)), dim="größe")
    fit = pymle.find_MLE(model)
    saved = pymle.load(fit.save(tmp_path / f"fit{suffix}"))
    assert str(saved) == str(fit)
    xr.testing.assert_identical(saved.params, fit.params)
    xr.testing.assert_identical(
        saved.constant_data["X"],
        xr.DataArray(X, dims=("day", "größe"), coords=fit_coords(fit), name="X"),
    )
    assert str(pymle.load(tmp_path / f"fit{suffix}", model=model)) == str(fit)


def fit_coords(fit):
    return {"day": list(DAYS), "größe": fit.params["beta"]["größe"].values}


def test_new_data_come_from_the_file(tmp_path):
    model = regression()
    compiled = pymle.compile(model)
    fit = compiled.fit(data={"X": X[:, ::-1], "y": Y + 1.0})
    again = pymle.load(fit.save(tmp_path / "fit.nc"), model=model)
    assert str(again) == str(fit)
    expected = np.linalg.lstsq(np.column_stack([np.ones(30), X[:, ::-1]]), Y + 1.0)[0]
    refitted = again.profile("a")
    assert refitted.estimate == pytest.approx(expected[0], rel=1e-8)


def test_empty_arrays(tmp_path):
    with pm.Model(coords={"none": [], "some": ["a"]}) as model:
        pm.Data("empty", np.zeros((0, 2)), dims=("none", None))
        b = pm.Normal("b", dims="some")
        pm.Normal("y", b[0], 1.0, observed=Y)
    fit = pymle.find_MLE(model)
    saved = pymle.load(fit.save(tmp_path / "fit.nc"))
    assert str(saved) == str(fit)
    assert saved.constant_data["empty"].shape == (0, 2)
