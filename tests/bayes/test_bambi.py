"""Models of bambi, without bambi: what has `build` and `backend`; and with it where it is there."""

import importlib.util
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import statsmodels.api as sm

import pymle
from pymle import ModelError, Notice

X = np.array([4.1, 5.3, 6.2, 3.8, 5.0, 7.1])
Y = np.array([1.0, 2.3, 2.9, 0.4, 1.8, 4.4])


class Stub:
    """As much of a bambi model as is looked at."""

    def __init__(self, built=False, centred=True, terms=("Intercept", "x")):
        self.center_predictors = centred
        self.components = {"mu": SimpleNamespace(common_terms=dict.fromkeys(terms))}
        self.backend = None
        self.built = False
        self.builds = 0
        if built:
            self.build()

    def build(self):
        self.builds += 1
        self.built = True
        with pm.Model() as model:
            intercept = pm.Normal("Intercept", 0, 10)
            slope = pm.Normal("x", 0, 10)
            pm.Normal("y", intercept + slope * (X - X.mean()), 1.0, observed=Y)
        self.backend = SimpleNamespace(model=model)


@pytest.mark.parametrize("built", [False, True])
def test_the_model_behind_is_fitted_and_built_once(built):
    stub = Stub(built)
    with pytest.warns(Notice, match="centred predictors"):
        fit = pymle.find_MLE(stub, progressbar=False)
    assert stub.builds == 1
    theirs = sm.OLS(Y, sm.add_constant(X)).fit().params
    assert float(fit.params["x"]) == pytest.approx(theirs[1], rel=1e-9)
    # What the notice says about the intercept of the formula.
    derived = fit.derived(f"Intercept - {float(X.mean())!r} * x").table["estimate"]
    assert derived.to_numpy() == pytest.approx([theirs[0]], rel=1e-9)


def test_no_notice_where_nothing_is_centred():
    for stub in (Stub(centred=False), Stub(terms=("Intercept",))):
        pymle.find_MLE(stub, progressbar=False)


def test_other_things_are_no_models():
    with pytest.raises(ModelError):
        pymle.find_MLE(SimpleNamespace(backend=None, build=lambda: None))


@pytest.mark.skipif(importlib.util.find_spec("bambi") is None, reason="bambi is not installed")
@pytest.mark.filterwarnings("ignore")
def test_a_model_of_bambi_with_groups():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import bambi
    rng = np.random.default_rng(0)
    group = np.repeat(list("abcdefgh"), 5)
    x = rng.normal(5, 1, 40)
    y = 1 + 2 * x + np.repeat(rng.normal(size=8), 5) + rng.normal(size=40)
    frame = pd.DataFrame({"x": x, "g": group, "y": y})
    fit = pymle.find_MLE(bambi.Model("y ~ x + (1|g)", frame), progressbar=False)
    theirs = sm.MixedLM(y, sm.add_constant(x), group).fit(reml=False)
    assert fit.loglik == pytest.approx(theirs.llf, abs=1e-5)
    assert float(fit.params["x"]) == pytest.approx(theirs.params[1], abs=1e-4)
