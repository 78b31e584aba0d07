"""Predictions at the data of a fit and at new data, against statsmodels and closed forms."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import statsmodels.api as sm
import xarray as xr
from scipy import stats
from statsmodels.miscmodels.ordinal_model import OrderedModel

import pymle
from pymle.errors import AnalysisError, DataError

rng = np.random.default_rng(20261120)
N = 90
X = np.column_stack([np.ones(N), rng.normal(size=(N, 2))])
Y = X @ [1.0, 0.5, -0.4] + 0.7 * rng.normal(size=N)
COUNTS = rng.poisson(np.exp(X @ [0.6, 0.4, -0.3]))
YES = rng.binomial(1, 1 / (1 + np.exp(-X @ [0.3, 0.8, -0.5])))
NEW = np.array([[1.0, 0.2, -1.0], [1.0, 1.7, 0.4], [1.0, -2.2, 0.9], [1.0, 0.0, 0.0]])


def fit(model):
    return pymle.find_MLE(model, progressbar=False)


@pytest.fixture(scope="module")
def linear():
    with pm.Model(coords={"predictor": ["one", "a", "b"]}) as model:
        data = pm.Data("X", X, dims=("obs", "predictor"))
        beta = pm.Normal("beta", 0, 1, dims="predictor")
        mu = pm.Deterministic("mu", data @ beta, dims="obs")
        pm.Normal("y", mu, pm.HalfNormal("sigma", 1), observed=Y, dims="obs")
    return fit(model)


def test_a_linear_model_agrees_with_statsmodels(linear):
    reference = sm.OLS(Y, X).fit()
    for data, rows in ((None, X), ({"X": NEW}, NEW)):
        found = linear.predict(data, "y").table
        frame = reference.get_prediction(rows).summary_frame()
        ml = np.sqrt(reference.df_resid / N)  # statsmodels divides by n - k
        assert found["estimate"].to_numpy() == pytest.approx(frame["mean"], abs=1e-9)
        assert found["se"].to_numpy() == pytest.approx(frame["mean_se"] * ml, rel=1e-7)
        z = stats.norm.ppf(0.975)
        assert found["upper"].to_numpy() == pytest.approx(
            frame["mean"] + z * frame["mean_se"] * ml, abs=1e-7
        )
        half = z * np.sqrt(frame["mean_se"] ** 2 * ml**2 + ml**2 * reference.scale)
        for name, sign in (("prediction_lower", -1), ("prediction_upper", 1)):
            # Sigma is uncertain too, as in Student's t: a little outside the normal limits.
            error = sign * (found[name].to_numpy() - (frame["mean"] + sign * half)) / half
            assert np.all((error > -0.005) & (error < 0.015))


def test_labels_dims_and_the_model_itself(linear):
    found = linear.predict({"X": NEW}, draws=200)
    assert list(found.table.index[:4]) == ["y[0]", "y[1]", "y[2]", "y[3]"]
    assert found.names == ("y", "mu")
    array = found.to_xarray()["mu"]
    assert array.dims == ("obs", "statistic")
    assert array.sel(statistic="estimate").to_numpy() == pytest.approx(
        NEW @ linear.params["beta"].to_numpy()
    )
    assert found["y"].sel(statistic="prediction_upper").to_series().notna().all()
    assert found["se"].equals(found.table["se"])
    model = linear._problem.model
    assert model["X"].get_value().shape == X.shape
    assert int(model.dim_lengths["obs"].eval(mode="FAST_COMPILE")) == N


def test_contrasts_of_predictions_from_their_covariance(linear):
    found = linear.predict({"X": NEW}, "y", prediction_limits=False)
    contrast = NEW[0] - NEW[1]
    covariance = linear.covariance().loc[
        ["beta[one]", "beta[a]", "beta[b]"], ["beta[one]", "beta[a]", "beta[b]"]
    ]
    own = found.covariance.to_numpy()
    assert own[0, 0] + own[1, 1] - 2 * own[0, 1] == pytest.approx(
        contrast @ covariance.to_numpy() @ contrast
    )


def test_selection_of_names_and_coords(linear):
    new = xr.DataArray(NEW, dims=("obs", "predictor"), coords={"obs": list("wxyz")})
    found = linear.predict({"X": new}, "~mu", coords={"obs": ["x", "z"]}, draws=200)
    assert list(found.table.index) == ["y[x]", "y[z]"]
    assert list(found.to_xarray()["obs"].to_numpy()) == list("wxyz")
    frame = pd.DataFrame(NEW, index=["p", "q", "r", "s"])
    assert "y[p]" in linear.predict({"X": frame}, "y", draws=200).table.index
    with pytest.raises(AnalysisError, match="muu"):
        linear.predict(var_names="muu")


def test_columns_and_numbers_in_place_of_arrays(linear):
    found = linear.predict({"X[a]": 0.0}, "y", prediction_limits=False)["estimate"]
    changed = X.copy()
    changed[:, 1] = 0.0
    assert found.to_numpy() == pytest.approx(changed @ linear.params["beta"].to_numpy())
    with pytest.raises(DataError, match=r"X\[a\]"):
        linear.predict({"X[c]": 0.0})


def test_limits_by_draws_agree_with_the_delta_method(linear):
    delta = linear.predict({"X": NEW}, "y", prediction_limits=False).table
    drawn = linear.predict({"X": NEW}, "y", interval="draws", draws=20_000).table
    width = delta["upper"] - delta["lower"]
    assert np.abs((drawn["lower"] - delta["lower"]) / width).max() < 0.03
    assert np.abs((drawn["upper"] - delta["upper"]) / width).max() < 0.03


@pytest.mark.parametrize("family", ["logistic", "poisson"])
def test_limits_of_means_are_those_of_the_link_scale(family):
    outcome = YES if family == "logistic" else COUNTS
    with pm.Model() as model:
        data, beta = pm.Data("X", X), pm.Normal("beta", 0, 1, shape=3)
        observed = pm.Data("outcome", outcome)
        if family == "logistic":
            pm.Bernoulli("y", logit_p=data @ beta, observed=observed)
        else:
            pm.Poisson("y", pm.math.exp(data @ beta), observed=observed)
    kind = sm.families.Binomial() if family == "logistic" else sm.families.Poisson()
    reference = sm.GLM(outcome, X, family=kind).fit(tol=1e-12)
    found = fit(model).predict({"X": NEW}, draws=500).table
    frame = reference.get_prediction(NEW).summary_frame()
    assert found["estimate"].to_numpy() == pytest.approx(frame["mean"], rel=1e-7)
    assert found["se"].to_numpy() == pytest.approx(frame["mean_se"], rel=1e-6)
    assert found["lower"].to_numpy() == pytest.approx(frame["mean_ci_lower"], rel=1e-6)
    assert found["upper"].to_numpy() == pytest.approx(frame["mean_ci_upper"], rel=1e-6)
    assert set(found["prediction_lower"]) <= set(range(50))


def test_prediction_limits_of_a_small_sample_against_simulation():
    """A normal sample of eight: mixture quantiles against 200,000 simulated observations."""
    y = np.array([0.3, -1.2, 0.8, 0.1, 2.2, -0.4, 1.1, 0.6])
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("m", 0, 5), pm.HalfNormal("s", 5), observed=y)
    result = fit(model)
    found = result.predict(draws=50_000).table.iloc[0]
    points = result.draws(200_000, 3)["posterior"]
    m, s = points["m"].to_numpy().ravel(), points["s"].to_numpy().ravel()
    drawn = m + s * np.random.default_rng(4).standard_normal(len(m))
    expected = np.quantile(drawn, [0.025, 0.975])
    width = expected[1] - expected[0]
    assert found["prediction_lower"] == pytest.approx(expected[0], abs=0.01 * width)
    assert found["prediction_upper"] == pytest.approx(expected[1], abs=0.01 * width)


def line(x, y, *, x_dims=None, y_dims=None, coords=None, y_data=False, size=None):
    with pm.Model(coords=coords) as model:
        slope, sigma = pm.Normal("slope", 0, 1), pm.HalfNormal("sigma", 1)
        data = pm.Data("x", x, dims=x_dims)
        observed = pm.Data("y_values", y, dims=y_dims if y_data == "dims" else None)
        pm.Normal("y", slope * data, sigma, observed=observed if y_data else y, dims=y_dims)
    return model


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"y_data": True},
        {"x_dims": "obs", "y_dims": "obs"},
        {"x_dims": "obs", "y_dims": "obs", "y_data": "dims"},
        {"x_dims": "obs", "y_dims": "obs", "coords": {"obs": [f"r{i}" for i in range(N)]}},
        {"x_dims": "obs", "y_data": True},
    ],
    ids=["bare", "y as data", "dims", "y as data with dims", "coords", "dims of x alone"],
)
def test_the_outcome_follows_the_length_of_the_predictors(arguments):
    result = fit(line(X[:, 1], Y, **arguments))
    for rows in (3, N, 2 * N):
        x = np.linspace(-1, 2, rows)
        found = result.predict({"x": x}, draws=200)
        assert found["estimate"].to_numpy() == pytest.approx(x * result.params["slope"].item())
        assert found["prediction_upper"].gt(found["upper"]).all()
        assert result.simulate(2, 1, data={"x": x})["y"].shape == (2, rows)
    labels = result.predict(draws=200).table.index
    assert labels[1] == ("y[r1]" if "coords" in arguments else "y[1]")


def test_data_that_are_needed_or_disagree_are_named():
    trials = rng.integers(1, 9, N)
    successes = rng.binomial(trials, 0.4)
    with pm.Model() as model:
        x = pm.Data("x", X[:, 1], dims="obs")
        n = pm.Data("n", trials, dims="obs")
        p = pm.math.invlogit(pm.Normal("a", 0, 1) + pm.Normal("b", 0, 1) * x)
        pm.Binomial("y", n, p, observed=successes, dims="obs")
    result = fit(model)
    found = result.predict({"x": [0.0, 1.0], "n": [10, 100]}, draws=500).table
    point = result.point
    share = 1 / (1 + np.exp(-(point["a"] + point["b"] * np.array([0.0, 1.0]))))
    assert found["estimate"].to_numpy() == pytest.approx(share * [10, 100])
    single = result.predict({"x": [0.0, 1.0], "n": [1, 1]}, prediction_limits=False).table
    assert (found["upper"] / [10, 100]).to_numpy() == pytest.approx(single["upper"].to_numpy())
    with pytest.raises(DataError, match="Give `n` too"):
        result.predict({"x": [0.0, 1.0]})
    with pytest.raises(DataError, match="2 and 3 entries along `obs`"):
        result.predict({"x": [0.0, 1.0], "n": [1, 2, 3]})
    with pytest.raises(DataError, match="unknown name `z`"):
        result.predict({"z": [0.0]})


def test_groups_by_index():
    group = rng.integers(0, 3, N)
    y = np.array([0.0, 1.0, 3.0])[group] + rng.normal(size=N)
    with pm.Model(coords={"group": ["u", "v", "w"]}) as model:
        which = pm.Data("which", group, dims="obs")
        mean = pm.Normal("mean", 0, 9, dims="group")
        pm.Normal("y", mean[which], pm.HalfNormal("sigma", 1), observed=y, dims="obs")
    result = fit(model)
    found = result.predict({"which": [2, 0, 0]}, draws=200).table
    table = result.summary()
    assert found["estimate"].to_numpy() == pytest.approx(
        table.loc[["mean[w]", "mean[u]", "mean[u]"], "estimate"].to_numpy()
    )
    assert found["se"].iloc[0] == pytest.approx(table.loc["mean[w]", "se"])
    with pytest.raises(DataError, match="which"):
        result.predict({"which": [3]})


def test_without_data_the_observations_themselves_are_predicted():
    with pm.Model() as model:
        rate = pm.Exponential("rate", 1)
        pm.Deterministic("mean_wait", 1 / rate)
        pm.Exponential("wait", rate, observed=[0.3, 1.2, 0.7, 2.4])
    result = fit(model)
    found = result.predict(draws=4000)
    assert found["estimate"].to_numpy() == pytest.approx([1.15] * 5)
    assert found["se"].to_numpy() == pytest.approx([1.15 / 2] * 5)
    assert found["scale"].iloc[0] == "log"
    assert np.isnan(found.table.loc["mean_wait", "prediction_upper"])


def test_categories_are_predicted_by_their_probabilities():
    y = np.digitize(X[:, 1] + rng.logistic(size=N), [-1.0, 1.0])
    with pm.Model() as model:
        x = pm.Data("x", X[:, 1])
        cuts = pm.Normal(
            "cuts",
            0,
            2,
            shape=2,
            initval=[-1.0, 1.0],
            transform=pm.distributions.transforms.ordered,
        )
        pm.OrderedLogistic("y", eta=pm.Normal("b", 0, 1) * x, cutpoints=cuts, observed=y)
    result = fit(model)
    found = result.predict({"x": [0.5, -0.5]}, "y")
    assert found.to_xarray()["y"].dims == ("y_dim_0", "y_category", "statistic")
    point = result.point
    for row, x in enumerate((0.5, -0.5)):
        upto = 1 / (1 + np.exp(-(point["cuts"] - point["b"] * x)))
        expected = np.diff([0.0, *upto, 1.0])
        assert found["estimate"].to_numpy()[3 * row : 3 * row + 3] == pytest.approx(expected)
    reference = OrderedModel(y, X[:, [1]], distr="logit")
    other = reference.fit(method="bfgs", disp=False, gtol=1e-9)
    predicted = other.model.predict(other.params, np.array([[0.5], [-0.5]]))
    assert found["estimate"].to_numpy() == pytest.approx(predicted.ravel(), abs=1e-5)


def test_outcomes_that_depend_on_each_other():
    first = rng.normal(1.0, 0.5, N)
    second = 2.0 * first + rng.normal(size=N)
    with pm.Model() as model:
        x = pm.Data("x", X[:, 1])
        m = pm.Normal("m", x * pm.Normal("a", 0, 1), 0.5, observed=first)
        pm.Normal("y", pm.Normal("b", 0, 1) * m, 1.0, observed=second)
    result = fit(model)
    found = result.predict(draws=200)
    assert found.names == ("m", "y")
    assert found["y"].sel(statistic="estimate").to_numpy() == pytest.approx(
        result.params["b"].item() * first
    )
    with pytest.raises(DataError, match="Give `m` too"):
        result.predict({"x": [0.0, 1.0]})
    assert list(result.predict({"x": [0.0, 1.0]}, "m", draws=200)["estimate"]) == pytest.approx(
        [0.0, result.params["a"].item()]
    )
    # Simulation goes forward through both: the second varies with the first.
    for data in (None, {"x": rng.normal(size=40)}):
        drawn = result.simulate(400, 1, data=data)
        residual = drawn["y"].to_numpy() - result.params["b"].item() * drawn["m"].to_numpy()
        assert residual.std() == pytest.approx(1.0, abs=0.03)


def test_a_map_fit_predicts_and_says_so(linear):
    found = pymle.find_MAP(linear._problem.model, progressbar=False)
    table = found.predict({"X": NEW}, draws=500).table
    assert table["se"].notna().all()
    assert table["prediction_lower"].lt(table["lower"]).to_numpy()[:4].all()


def test_a_mean_without_closed_form_is_simulated_and_said():
    y = np.minimum(rng.weibull(1.5, 60) * 2.0, 3.0)
    with pm.Model() as model:
        law = pm.Weibull.dist(pm.HalfNormal("alpha", 2), pm.HalfNormal("beta", 2))
        pm.Censored("y", law, lower=None, upper=3.0, observed=y)
    result = fit(model)
    found = result.predict(draws=3000)
    assert found.simulated == ("y",)
    assert "no closed form" in found.notes[-1]
    assert found["se"].isna().all()
    point = result.point
    expected = stats.weibull_min(point["alpha"], scale=point["beta"])
    mean = expected.expect(ub=3.0) + 3.0 * expected.sf(3.0)
    assert found["estimate"].mean() == pytest.approx(mean, rel=0.01)


def test_bounds_of_censoring_are_data_that_a_prediction_needs():
    time, end = rng.weibull(1.3, N), rng.exponential(2.0, N)
    with pm.Model() as model:
        x, upper = pm.Data("x", X[:, 1], dims="obs"), pm.Data("end", end, dims="obs")
        law = pm.Weibull.dist(pm.HalfNormal("alpha", 2), pm.math.exp(pm.Normal("b", 0, 1) * x))
        pm.Censored("y", law, None, upper, observed=np.minimum(time, end), dims="obs")
    result = fit(model)
    with pytest.raises(DataError, match="Give `end` too"):
        result.predict({"x": [0.0, 1.0]})
    found = result.predict({"x": [0.0, 1.0], "end": [0.2, 0.3]}, draws=500)
    assert found["prediction_upper"].to_numpy() == pytest.approx([0.2, 0.3])


def test_what_is_identified_is_predicted_along_a_flat_direction():
    with pm.Model() as model:
        x = pm.Data("x", X[:, 1])
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        pm.Normal("y", (a + b) * x, 1.0, observed=Y)
    with pytest.warns(pymle.errors.NotCertifiedWarning):
        result = fit(model)
    with model:
        held = pymle.find_MLE(fixed={"b": 0.0}, progressbar=False)
    found, wanted = result.predict(), held.predict()
    columns = ["estimate", "se", "lower", "upper", "prediction_lower", "prediction_upper"]
    np.testing.assert_allclose(found.table[columns], wanted.table[columns], rtol=1e-6)
    assert any("held at the estimate" in note for note in found.notes)
    with pytest.raises(AnalysisError, match="no normal distribution to draw"):
        result.draws(10)


def test_arguments_out_of_range_are_named(linear):
    with pytest.raises(AnalysisError, match="`level` = 2"):
        linear.predict(level=2)
    with pytest.raises(AnalysisError, match="`interval` = 'exact'"):
        linear.predict(interval="exact")
    with pytest.raises(AnalysisError, match="`draws` = 3"):
        linear.predict(draws=3)


def test_printed_predictions(linear):
    text = repr(linear.predict({"X": NEW}, "y", draws=200))
    assert "Predictions with 95% limits" in text
    assert "y[3]" in text
    assert "at 200 asymptotic draws" in text
    assert "<table" in linear.predict({"X": NEW}, "y", draws=200)._repr_html_()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_labelled_models_of_pymc_dims():
    """`pymc.dims` announces at its import that it is experimental."""
    from pymc import dims as pmd

    x = X[:, 1]
    with pm.Model(coords={"obs": range(N)}) as model:
        data = pmd.Data("x", x, dims="obs")
        a, b = pmd.Normal("a", 0, 5), pmd.Normal("b", 0, 5)
        observed = pmd.as_xtensor(Y, dims=("obs",))
        pmd.Normal("y", a + b * data, pmd.HalfNormal("sigma", 1), observed=observed)
    result = fit(model)
    reference = sm.OLS(Y, X[:, :2]).fit()
    found = result.predict({"x": [0.0, 2.0]}).table
    frame = reference.get_prediction(np.array([[1.0, 0.0], [1.0, 2.0]])).summary_frame()
    ml = np.sqrt(reference.df_resid / N)
    assert found["estimate"].to_numpy() == pytest.approx(frame["mean"])
    assert found["se"].to_numpy() == pytest.approx(frame["mean_se"] * ml)
    assert result.effects("x").table["estimate"].item() == pytest.approx(reference.params[1])
    assert np.asarray(result.residuals()) == pytest.approx(
        reference.resid / np.sqrt(reference.ssr / N), abs=1e-6
    )
