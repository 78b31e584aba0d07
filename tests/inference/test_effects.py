"""Average marginal effects and comparisons, against statsmodels and closed forms."""

import numpy as np
import pymc as pm
import pytest
import statsmodels.api as sm
from statsmodels.miscmodels.ordinal_model import OrderedModel

import pymle
from pymle.errors import AnalysisError, DataError

rng = np.random.default_rng(20261122)
N = 150
X = np.column_stack([np.ones(N), rng.normal(size=(N, 2)), rng.integers(0, 2, N)])
ETA = X @ [0.2, 0.5, -0.3, 0.6]
YES = rng.binomial(1, 1 / (1 + np.exp(-ETA)))
COUNTS = rng.poisson(np.exp(ETA))
LABELS = ["X[a]", "X[b]", "X[treated]"]


def regression(family, outcome):
    with pm.Model(coords={"predictor": ["one", "a", "b", "treated"]}) as model:
        data = pm.Data("X", X, dims=("obs", "predictor"))
        eta = data @ pm.Normal("beta", 0, 1, dims="predictor")
        if family == "logit":
            pm.Bernoulli("y", logit_p=eta, observed=outcome, dims="obs")
        else:
            pm.Poisson("y", pm.math.exp(eta), observed=outcome, dims="obs")
    return pymle.find_MLE(model, progressbar=False)


@pytest.fixture(scope="module")
def logit():
    return regression("logit", YES), sm.Logit(YES, X).fit(disp=0, tol=1e-12)


@pytest.fixture(scope="module")
def poisson():
    return regression("poisson", COUNTS), sm.Poisson(COUNTS, X).fit(disp=0, tol=1e-12)


@pytest.mark.parametrize("at", ["overall", "mean"])
@pytest.mark.parametrize("family", ["logit", "poisson"])
def test_effects_are_those_of_get_margeff(family, at, request):
    fit, reference = request.getfixturevalue(family)
    found = fit.effects(at=at).table
    expected = reference.get_margeff(at=at, dummy=True)
    assert list(found.index) == LABELS
    assert list(found["change"]) == ["d/dx", "d/dx", "0 -> 1"]
    assert found["estimate"].to_numpy() == pytest.approx(expected.margeff, abs=1e-8)
    assert found["se"].to_numpy() == pytest.approx(expected.margeff_se, abs=1e-8)
    assert found["p"].to_numpy() == pytest.approx(expected.pvalues, abs=1e-8)
    assert found[["lower", "upper"]].to_numpy() == pytest.approx(expected.conf_int(), abs=1e-7)


def test_how_the_data_are_changed(logit):
    fit, reference = logit
    slopes = reference.get_margeff().margeff
    assert fit.effects("X", how="derivative").table["estimate"].to_numpy()[1:] == pytest.approx(
        slopes, abs=1e-8
    )
    up = X.copy()
    up[:, 1] += 1
    unit = (reference.predict(up) - reference.predict(X)).mean()
    assert fit.effects("X[a]", how="unit").table["estimate"].item() == pytest.approx(unit)
    with pytest.raises(DataError, match=r"X\[c\]"):
        fit.effects("X[c]")
    with pytest.raises(AnalysisError, match="`how` = 'jump'"):
        fit.effects("X[a]", how="jump")


def test_standardisation_is_the_effect_of_a_binary_column(logit):
    fit, _ = logit
    effect = fit.effects("X[treated]").table.iloc[0]
    found = fit.avg_comparisons({"X[treated]": 1}, {"X[treated]": 0})
    row = found.table.iloc[0]
    for column in ("estimate", "se", "lower", "upper", "p"):
        assert row[column] == pytest.approx(effect[column])
    treated = fit.predict({"X[treated]": 1}, prediction_limits=False)
    control = fit.predict({"X[treated]": 0}, prediction_limits=False)
    ratio = fit.avg_comparisons({"X[treated]": 1}, {"X[treated]": 0}, comparison="ratio").table
    expected = treated["estimate"].mean() / control["estimate"].mean()
    assert ratio["estimate"].item() == pytest.approx(expected)
    log = fit.avg_comparisons({"X[treated]": 1}, {"X[treated]": 0}, comparison="lnratio").table
    assert log["estimate"].item() == pytest.approx(np.log(expected))
    assert ratio["lower"].item() == pytest.approx(np.exp(log["lower"].item()))
    lift = fit.avg_comparisons({"X[treated]": 1}, {"X[treated]": 0}, comparison="lift").table
    assert lift["estimate"].item() == pytest.approx(expected - 1)
    rows = fit.comparisons({"X[treated]": 1}, {"X[treated]": 0})
    assert rows.table["estimate"].mean() == pytest.approx(effect["estimate"])
    weights = np.full(N, 1 / N)
    assert np.sqrt(weights @ rows.covariance.to_numpy() @ weights) == pytest.approx(effect["se"])


def test_the_baseline_of_a_comparison_is_the_data_of_the_fit(poisson):
    fit, reference = poisson
    found = fit.avg_comparisons({"X[a]": X[:, 1] + 0.5}).table
    moved = X.copy()
    moved[:, 1] += 0.5
    expected = (reference.predict(moved) - reference.predict(X)).mean()
    assert found["estimate"].item() == pytest.approx(expected)


def test_powers_of_a_column_are_followed_through_the_model():
    x = rng.normal(size=80)
    y = 1 + 0.5 * x - 0.3 * x**2 + 0.2 * rng.normal(size=80)
    with pm.Model() as model:
        data = pm.Data("x", x)
        a, b, c = (pm.Normal(name, 0, 1) for name in "abc")
        pm.Normal("y", a + b * data + c * data**2, pm.HalfNormal("s", 1), observed=y)
    fit = pymle.find_MLE(model, progressbar=False)
    found = fit.effects("x").table.iloc[0]
    point, covariance = fit.point, fit.covariance().loc[["b", "c"], ["b", "c"]].to_numpy()
    assert found["estimate"] == pytest.approx(point["b"] + 2 * point["c"] * x.mean())
    gradient = np.array([1.0, 2 * x.mean()])
    assert found["se"] == pytest.approx(np.sqrt(gradient @ covariance @ gradient))


def test_categories_whole_numbers_and_deterministics():
    x, group = X[:, 1], rng.integers(0, 2, N)
    y = np.digitize(x + 0.5 * group + rng.logistic(size=N), [-1.0, 1.0])
    with pm.Model(coords={"obs": range(N)}) as model:
        data = pm.Data("x", x, dims="obs")
        which = pm.Data("group", group, dims="obs")
        shift = pm.Normal("shift", 0, 2)
        eta = pm.Normal("b", 0, 1) * data + shift * which
        pm.Deterministic("eta", eta, dims="obs")
        cuts = pm.Normal(
            "cuts", 0, 2, shape=2, initval=[-1.0, 1.0],
            transform=pm.distributions.transforms.ordered,
        )  # fmt: skip
        pm.OrderedLogistic("y", eta=eta, cutpoints=cuts, observed=y, dims="obs")
    fit = pymle.find_MLE(model, progressbar=False)
    found = fit.effects("x").table
    assert [label.partition(": ")[0] for label in found.index] == ["x", "x", "x"]
    assert found["estimate"].sum() == pytest.approx(0.0, abs=1e-12)
    reference = OrderedModel(y, np.column_stack([x, group]), distr="logit")
    other = reference.fit(method="bfgs", disp=False, gtol=1e-9)
    step = 1e-5
    sides = [
        reference.predict(other.params, np.column_stack([x + s * step, group])).mean(axis=0)
        for s in (1, -1)
    ]
    assert found["estimate"].to_numpy() == pytest.approx(
        (sides[0] - sides[1]) / (2 * step), abs=1e-5
    )
    jump = fit.effects("group").table
    assert set(jump["change"]) == {"0 -> 1"}
    assert fit.effects("x", of="eta").table["estimate"].item() == pytest.approx(
        fit.params["b"].item()
    )
    with pytest.raises(AnalysisError, match="whole numbers"):
        fit.effects("group", how="derivative")
    with pytest.raises(AnalysisError, match="`group` holds whole numbers"):
        fit.effects("x", at="mean")


def test_frequency_weights_count_rows():
    weights = rng.integers(1, 4, N)
    with pm.Model() as model:
        x = pm.Data("x", X[:, 1])
        eta = pm.Normal("a", 0, 1) + pm.Normal("b", 0, 1) * x
        pm.Bernoulli("y", logit_p=eta, observed=YES)
    found = pymle.find_MLE(model, weights=weights, progressbar=False).effects("x").table.iloc[0]
    rows = np.repeat(np.arange(N), weights)
    reference = sm.Logit(YES[rows], sm.add_constant(X[rows, 1])).fit(disp=0, tol=1e-12)
    expected = reference.get_margeff()
    assert found["estimate"] == pytest.approx(expected.margeff[0], abs=1e-8)
    assert found["se"] == pytest.approx(expected.margeff_se[0], abs=1e-8)


def test_robust_covariances_and_map_fits(logit):
    fit, _ = logit
    robust = sm.Logit(YES, X).fit(disp=0, tol=1e-12, cov_type="HC0").get_margeff(dummy=True)
    found = fit.effects(cov="HC0")
    assert found.table["se"].to_numpy() == pytest.approx(robust.margeff_se, abs=1e-7)
    assert "HC0" in repr(found) or "sandwich" in repr(found)
    posterior = pymle.find_MAP(fit._problem.model, progressbar=False)
    assert list(posterior.effects("X[a]").table.columns) == [
        "change", "estimate", "se", "lower", "upper"
    ]  # fmt: skip


def test_models_without_columns_say_so():
    with pm.Model() as model:
        pm.Poisson("y", pm.Exponential("rate", 1), observed=COUNTS)
    fit = pymle.find_MLE(model, progressbar=False)
    with pytest.raises(AnalysisError, match=r"pm\.Data"):
        fit.effects("x")
