"""What a user may write for a function of the parameters, and what is refused."""

import datetime

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr

import pymle
from pymle.inference import quantity


@pytest.fixture(scope="module")
def fit() -> pymle.Fit:
    generator = np.random.default_rng(4)
    X = generator.normal(size=(60, 3))
    y = X @ np.array([1.0, 2.0, 3.0]) + generator.normal(size=60)
    days = [datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)]
    coords = {"predictor": ["x1", "x, 2", "it's [3]"], "number": [10, 20], "day": days}
    with pm.Model(coords=coords) as model:
        data = pm.Data("X", X, dims=("obs", "predictor"))
        beta = pm.Normal("beta", 0, 1, dims="predictor")
        lam = pm.Normal("lambda", 0, 1)
        exp = pm.Normal("exp", 0, 1)
        one = pm.Normal("one", 0, 1, shape=1)
        level = pm.Normal("level", 0, 1, dims="number")
        rate = pm.Gamma("rate", 1, 1, dims="day")
        sigma = pm.HalfNormal("my sigma|a::b", 1)
        share = pm.Dirichlet("share", np.ones(3))
        pm.Normal("unused")
        pm.Deterministic("R 2", sigma**2)
        pm.Deterministic("mean", data @ beta + lam, dims="obs")
        pm.Deterministic("odds", pt.exp(beta), dims="predictor")
        pm.Deterministic("lost", model["unused"] + lam)
        pm.Normal("y", data @ beta + lam, sigma, observed=y, dims="obs")
        pm.Normal("z", exp + one[0], 1, observed=[0.5, 1.5, 2.0])
        pm.Normal("one_data", one, 1, observed=[1.0])
        pm.Normal("levels", level, 1, observed=[1.0, 3.0])
        pm.Poisson("counts", rate, observed=[3, 4])
        pm.Multinomial("votes", 10, share, observed=[2, 3, 5])
    with pytest.warns(pymle.Notice):
        return pymle.find_MLE(model)


def value_of(fit, what, name=None):
    found = quantity(fit._fitted, what, name)
    return found, found.at(fit.estimate.x)


@pytest.mark.parametrize(
    ("what", "labels", "dims"),
    [
        ("beta", ["beta[x1]", "beta[x, 2]", "beta[it's [3]]"], ("predictor",)),
        ("beta[x, 2]", ["beta[x, 2]"], ()),
        ("beta[it's [3]]", ["beta[it's [3]]"], ()),
        ("level[20]", ["level[20]"], ()),
        ("rate[2024-01-02]", ["rate[2024-01-02]"], ()),
        ("one", ["one[0]"], (None,)),
        ("one[0]", ["one[0]"], ()),
        ("lambda", ["lambda"], ()),
        ("exp", ["exp"], ()),
        ("exp(exp)", ["exp(exp)"], ()),
        ("lambda * 2", ["lambda * 2"], ()),
        ("my sigma|a::b", ["my sigma|a::b"], ()),
        ("`my sigma|a::b`", ["my sigma|a::b"], ()),
        ("log(`my sigma|a::b`)", ["log(`my sigma|a::b`)"], ()),
        ("R 2", ["R 2"], ()),
        ("odds[x, 2]", ["odds[x, 2]"], ()),
        ("mean(X @ beta)", ["mean(X @ beta)"], ()),
        (
            "beta - beta[x1]",
            [f"(beta - beta[x1])[{c}]" for c in ("x1", "x, 2", "it's [3]")],
            ("predictor",),
        ),
    ],
)
def test_names_labels_and_expressions(fit, what, labels, dims):
    found, at = value_of(fit, what)
    assert list(found.labels) == labels
    assert found.dims == dims
    assert at.value.shape == (len(labels),)
    assert at.jacobian.shape == (len(labels), len(fit.estimate.x))


def test_values_and_derivatives_against_differences(fit):
    x = fit.estimate.x
    for what in ("exp(beta) * lambda", "R 2", "share", lambda p: p["beta"] ** 2, "y - mean"):
        found, at = value_of(fit, what)
        for i in (0, 3, len(x) - 1):
            unit = np.zeros(len(x))
            unit[i] = 1e-5
            difference = (found.function.value(x + unit) - found.function.value(x - unit)) / 2e-5
            np.testing.assert_allclose(at.jacobian[:, i], difference, rtol=1e-5, atol=1e-7)


def test_variables_of_the_model_and_symbolic_expressions(fit):
    model = fit._fitted.problem.model
    found, _ = value_of(fit, model["odds"])
    assert found.name == "odds"
    _, at = value_of(fit, pt.exp(model["beta"]))
    np.testing.assert_allclose(at.value, np.exp(fit.params["beta"]))


def test_functions_return_anything_like_an_array(fit):
    beta = fit.params["beta"].to_numpy()
    found, at = value_of(fit, lambda p: (p["beta"][0], p["lambda"]))
    assert found.shape == (2,)
    assert list(found.labels) == ["function[0]", "function[1]"]

    labelled = xr.DataArray(np.zeros(3), dims="q", coords={"q": list("abc")})
    found, at = value_of(fit, lambda p: labelled + p["beta"], "sums")
    assert list(found.labels) == ["sums[a]", "sums[b]", "sums[c]"]
    np.testing.assert_allclose(at.value, beta)
    np.testing.assert_allclose(at.jacobian[:, :3], np.eye(3), atol=1e-9)

    found, _ = value_of(fit, lambda p: pd.Series(p["beta"], index=["u", "v", "w"]), "series")
    assert found.labels[0] == "series[u]"

    found, at = value_of(fit, lambda p: pt.exp(p["beta"]), "symbolic")
    np.testing.assert_allclose(at.value, np.exp(beta))
    assert found.dims == ("predictor",)

    # No array operation of NumPy's: differences, in steps of a standard error.
    found, at = value_of(fit, lambda p: float(p["lambda"]) ** 2, "square")
    place = fit.estimate.layout.free_labels.index("lambda")
    lam = float(fit.params["lambda"])
    np.testing.assert_allclose(at.jacobian[0, place], 2 * lam, rtol=1e-9)
    assert not found.function.exact


def test_tiny_parameters_are_differenced_on_their_own_scale():
    y = 1e-6 * np.array([1.0, 2.0, 4.0, 5.0, 3.5])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1e-6, observed=y)
    fit = pymle.find_MLE(model)
    found, at = value_of(fit, lambda p: float(np.exp(float(p["mu"]) * 1e6)))
    np.testing.assert_allclose(at.jacobian[0, 0], 1e6 * at.value[0], rtol=1e-7)
    assert not found.function.exact


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("betta", "Did you mean `beta`"),
        ("beta[x9]", "Did you mean `beta\\[x1\\]`"),
        ("beta[10]", "unknown name"),
        ("level[0]", "unknown name"),
        ("foo(beta)", "unknown name `foo`"),
        ("beta +", "does not read as arithmetic"),
        ("2beta", "does not read as arithmetic"),
        ("beta[x1", "not closed"),
        ("", "does not read"),
        ("1 / 0", "cannot be computed"),
        ("10^400", "cannot be computed"),
        ("beta @ X", "mismatch"),
        ("sum(beta, 1, 2)", "cannot be computed"),
        ("beta > 0", "unexpected '>'"),
        ("__import__('os')", "unknown name|unexpected"),
        ("y", "`y` is observed"),
        ("unused", "data say nothing"),
        ("unused + lambda", "data say nothing"),
        ("lost", "data say nothing"),
        (3.5, "expected a name"),
        (None, "expected a name"),
        (lambda p: p["bta"], "KeyError: 'bta'.*`beta`"),
        (lambda: 1.0, "0 positional arguments"),
        (lambda _: None, "NoneType"),
        (lambda _: {"a": 1.0}, "dict"),
        (lambda _: "one", "str"),
        (lambda p: 1j * p["lambda"], "complex"),
        (lambda p: (p["beta"], 1.0), "tuple"),
        (lambda _: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_what_is_refused(fit, what, text):
    with pytest.raises(pymle.AnalysisError, match=text):
        value_of(fit, what)


def test_labels_that_differ_in_quotes_only():
    with pm.Model(coords={"q": ["a", "'a'", "a,b", "a, b"]}) as model:
        mu = pm.Normal("mu", 0, 5, dims="q")
        pm.Normal("y", mu, 1, observed=[1.0, 2.0, 3.0, 4.0])
    fit = pymle.find_MLE(model)
    for label, value in zip(["mu[a]", "mu['a']", "mu[a,b]", "mu[a, b]"], range(1, 5), strict=True):
        assert value_of(fit, label)[1].value[0] == pytest.approx(value)
    with pytest.raises(pymle.AnalysisError, match="but for quotes"):
        value_of(fit, 'mu["a"]')


def test_held_entries_are_constants():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5, shape=2)
        pm.Normal("y", mu, 1, observed=[1.0, 2.0])
    fit = pymle.find_MLE(model, fixed={"mu[0]": 1.5})
    _, at = value_of(fit, "mu[0] * 2")
    assert at.value[0] == 3.0
    assert not np.any(at.jacobian)
