"""Models of bambi, without bambi: what has `build` and `backend`; and with it where it is there."""

import importlib.util
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import statsmodels.api as sm
from scipy import stats

import pymle
from pymle import AnalysisError, ModelError, Notice
from tests.bayes.exact import dataset

X = np.array([4.1, 5.3, 6.2, 3.8, 5.0, 7.1])
Y = np.array([1.0, 2.3, 2.9, 0.4, 1.8, 4.4])


class Stub:
    """As much of a bambi model as is looked at."""

    def __init__(self, built=False, centred=True):
        self.centred = centred
        self.backend = None
        self.built = False
        self.builds = 0
        if built:
            self.build()

    def build(self):
        self.builds += 1
        self.built = True
        mean = X.mean() if self.centred else 0.0
        with pm.Model() as model:
            intercept = pm.Normal("Intercept", 0, 10)
            slope = pm.Normal("x", 0, 10)
            pm.Normal("y", intercept + slope * (X - mean), 1.0, observed=Y)
        terms = SimpleNamespace(
            intercept_term=SimpleNamespace(name="Intercept", alias=None),
            common_terms={"x": SimpleNamespace(name="x", alias=None)},
        )
        component = SimpleNamespace(
            component=terms,
            design_matrix_without_intercept=X[:, None] if self.centred else None,
        )
        self.backend = SimpleNamespace(model=model, distributional_components={"mu": component})


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
    pymle.find_MLE(Stub(centred=False), progressbar=False)


def test_intercepts_that_bambi_moved_are_moved_back():
    stub = Stub()
    with pytest.warns(Notice, match="centred predictors"):
        fit = pymle.find_MLE(stub, progressbar=False)
    design = np.column_stack([np.ones(6), X - X.mean()])
    precision = design.T @ design + np.eye(2) / 100
    mean = np.linalg.solve(precision, design.T @ Y)
    both = np.random.default_rng(1).multivariate_normal(mean, np.linalg.inv(precision), (4, 500))
    plain = dataset({"Intercept": both[..., 0], "x": both[..., 1]})
    # As bambi returns them: with the intercept of the formula, and marked.
    moved = plain.assign(Intercept=plain["Intercept"] - plain["x"] * X.mean())
    moved.attrs["modeling_interface"] = "bambi"
    found = fit.compare_posterior(moved, progressbar=False)
    pd.testing.assert_frame_equal(
        found.table, fit.compare_posterior(plain, progressbar=False).table, rtol=1e-9
    )
    assert found.table.loc["Intercept", "mean"] == pytest.approx(mean[0], abs=0.1)
    assert any("moved back" in note for note in found.notes)
    assert np.isfinite(found.sensitivity().to_numpy()[:, :2].astype(float)).all()
    tree = fit.to_datatree(draws=10, posterior=moved)
    total = tree["log_prior"]["Intercept"].values
    np.testing.assert_allclose(total, stats.norm(0, 10).logpdf(plain["Intercept"]), rtol=1e-9)
    # Without the bambi model nobody knows how far.
    inner = pymle.find_MLE(Stub(True).backend.model, progressbar=False)
    with pytest.raises(AnalysisError, match="moved `Intercept`"):
        inner.compare_posterior(moved, progressbar=False)


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
