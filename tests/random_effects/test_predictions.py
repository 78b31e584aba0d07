"""Predictions of linear mixed models: Henderson's equations by dense algebra, lme4's values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from scipy import stats

import pymle
from tests.reference.problem import load

SUBJECTS = [308, 309, 310, 330, 331, 332, 333, 334, 335]
SUBJECTS += [337, 349, 350, 351, 352, 369, 370, 371, 372]
DATA = load("lmm_sleepstudy.csv")
DAY, SUBJECT = DATA["Days"].to_numpy(dtype=float), DATA["subject"].to_numpy(dtype=int)
Y = DATA["y"].to_numpy()


def sleepstudy() -> pm.Model:
    with pm.Model(coords={"subject": SUBJECTS, "term": ["Intercept", "Days"]}) as model:
        day = pm.Data("day", DAY, dims="obs")
        subject = pm.Data("index", SUBJECT, dims="obs")
        beta = pm.Normal("beta", 0, 300, dims="term")
        sd = pm.Exponential.dist(0.1, shape=2)
        chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=2, sd_dist=sd)
        u = pm.MvNormal("u", np.zeros(2), chol=chol, dims=("subject", "term"))
        sigma = pm.HalfNormal("sigma", 50)
        mean = beta[0] + u[subject, 0] + (beta[1] + u[subject, 1]) * day
        pm.Deterministic("ratio", beta[1] / sigma)
        pm.Normal("reaction", mean, sigma, observed=Y, dims="obs")
    return model


@pytest.fixture(scope="module")
def fit() -> pymle.Fit:
    return pymle.find_MLE(sleepstudy(), progressbar=False)


class Dense:
    """The model at given variance parameters, by matrices of all rows."""

    def __init__(self, chol: np.ndarray, sigma: float) -> None:
        n = len(SUBJECTS)
        self.X = np.column_stack([np.ones_like(DAY), DAY])
        self.Z = self.effects(DAY, SUBJECT)
        factor = np.array([[chol[0], 0.0], [chol[1], chol[2]]])
        self.G = np.kron(np.eye(n), factor @ factor.T)
        self.V = self.Z @ self.G @ self.Z.T + sigma**2 * np.eye(len(Y))
        self.inverse = np.linalg.inv(self.V)
        self.covariance = np.linalg.inv(self.X.T @ self.inverse @ self.X)
        self.beta = self.covariance @ self.X.T @ self.inverse @ Y

    @staticmethod
    def effects(day: np.ndarray, subject: np.ndarray) -> np.ndarray:
        Z = np.zeros((len(day), 2 * len(SUBJECTS)))
        Z[np.arange(len(day)), 2 * subject] = 1.0
        Z[np.arange(len(day)), 2 * subject + 1] = day
        return Z

    def predicted(self, day: np.ndarray, subject: np.ndarray) -> tuple[np.ndarray, ...]:
        """BLUP, and its variance with known and with estimated coefficients."""
        x, z = np.column_stack([np.ones_like(day), day]), self.effects(day, subject)
        gain = z @ self.G @ self.Z.T @ self.inverse
        value = x @ self.beta + gain @ (Y - self.X @ self.beta)
        conditional = z @ self.G @ z.T - gain @ self.Z @ self.G @ z.T
        left = x - gain @ self.X
        return value, conditional, conditional + left @ self.covariance @ left.T


def differences(function, x: np.ndarray) -> np.ndarray:
    columns = []
    for i in range(len(x)):
        step = np.zeros(len(x))
        step[i] = 1e-3 * max(1.0, abs(x[i]))
        d1 = (function(x + step) - function(x - step)) / (2 * step[i])
        d2 = (function(x + 2 * step) - function(x - 2 * step)) / (4 * step[i])
        columns.append((4 * d1 - d2) / 3)
    return np.stack(columns, axis=-1)


NEW = np.array([0.0, 5.0, 12.0, 3.5]), np.array([0, 0, 4, 17])


def variances(fit: pymle.Fit) -> np.ndarray:
    return np.append(fit.params["chol"].values, float(fit.params["sigma"]))


def test_group_predictions_are_those_of_henderson(fit):
    """Value, and the variance: conditional, of the coefficients, of the variance parameters."""
    day, subject = NEW
    found = fit.predict({"day": day, "index": subject}, ["reaction"], prediction_limits=False)
    theta = variances(fit)
    dense = Dense(theta[:3], theta[3])
    value, _, variance = dense.predicted(day, subject)
    np.testing.assert_allclose(found.table["estimate"], value, rtol=1e-8)
    moved = differences(lambda t: Dense(t[:3], t[3]).predicted(day, subject)[0], theta)
    own = fit.covariance().loc[["chol[0]", "chol[1]", "chol[2]", "sigma"]]
    own = own[["chol[0]", "chol[1]", "chol[2]", "sigma"]].to_numpy()
    total = variance + moved @ own @ moved.T
    np.testing.assert_allclose(found.table["se"], np.sqrt(np.diag(total)), rtol=1e-5)
    np.testing.assert_allclose(found.covariance, total, rtol=1e-4, atol=1e-3)
    z = stats.norm.ppf(0.975)
    np.testing.assert_allclose(found.table["upper"], value + z * found.table["se"], rtol=1e-9)


def test_typical_and_new_groups_are_at_the_population_line(fit):
    """Prediction variance of the coefficients alone; a new observation varies between groups."""
    day, subject = NEW
    data = {"day": day, "index": subject}
    theta = variances(fit)
    dense = Dense(theta[:3], theta[3])
    x = np.column_stack([np.ones_like(day), day])
    for groups in ("typical", "new"):
        found = fit.predict(data, ["reaction"], groups=groups)
        np.testing.assert_allclose(found.table["estimate"], x @ dense.beta, rtol=1e-8)
        se = np.sqrt(np.diag(x @ dense.covariance @ x.T))
        np.testing.assert_allclose(found.table["se"], se, rtol=1e-6)
        z = np.column_stack([np.ones_like(day), day])
        factor = np.array([[theta[0], 0.0], [theta[1], theta[2]]])
        between = np.diag(z @ factor @ factor.T @ z.T) if groups == "new" else 0.0
        sd = np.sqrt(between + theta[3] ** 2 + se**2)
        width = found.table["prediction_upper"] - found.table["prediction_lower"]
        # The rest is the uncertainty of the variance parameters: limits are a little wider, by up
        # to 7.7% with 20,000 draws, and simulated (1.2% with 2,000, other signs of eigenvectors
        # give other draws).
        ratio = width / (2 * stats.norm.ppf(0.975) * sd)
        assert ratio.between(0.97, 1.077 + 4 * 0.012).all(), ratio


def test_limits_for_a_new_observation_of_a_kept_group(fit):
    found = fit.predict({"day": NEW[0], "index": NEW[1]}, ["reaction"], interval="draws").table
    sd = np.hypot(found["se"], float(fit.params["sigma"]))
    for lower, upper, spread in (
        ("lower", "upper", found["se"]),
        ("prediction_lower", "prediction_upper", sd),
    ):
        ratio = (found[upper] - found[lower]) / (2 * stats.norm.ppf(0.975) * spread)
        assert ratio.between(0.94, 1.08).all(), ratio


@pytest.mark.slow
def test_restricted_fit_has_the_fitted_values_of_lme4():
    """lmer(Reaction ~ Days + (Days | Subject), sleepstudy): ranef, fixef, AIC and BIC.

    Conditional modes as printed by ranef() in the vignette of lme4 (Bates, Maechler, Bolker and
    Walker 2015, doi:10.18637/jss.v067.i01); REML criterion 1743.6; npar = 6, so that
    AIC = 1755.628 and BIC = 1774.786, as AIC(fm1) and BIC(fm1) give.
    """
    fit = pymle.find_MLE(sleepstudy(), reml=["beta"], progressbar=False)
    assert fit.nparams == 6
    assert fit.aic == pytest.approx(1755.628, abs=2e-3)
    assert fit.bic == pytest.approx(1774.786, abs=2e-3)
    modes = fit.random_effects().modes["u"]
    published = {308: (2.2585509, 9.1989758), 309: (-40.3987381, -8.6196806)}
    for subject, values in published.items():
        np.testing.assert_allclose(modes.sel(subject=subject), values, atol=2e-3)
    fitted = fit.predict({"day": [0.0, 9.0], "index": [0, 0]}, ["reaction"]).table["estimate"]
    line = 251.405105 + 2.2585509, 10.467286 + 9.1989758
    np.testing.assert_allclose(fitted, [line[0], line[0] + 9 * line[1]], atol=5e-3)
    drawn = fit.simulate(400, random_seed=1)["reaction"]
    # Coefficients under a flat measure stay at their modes; they have no law to be drawn from.
    first = drawn.mean("sample").values[DAY == 0]
    np.testing.assert_allclose(first.mean(), 251.405, atol=3 * np.hypot(24.7, 25.6) / 84)
    record = fit.bootstrap(20, random_seed=1, progressbar=False)
    assert 0.4 < record.se["sigma"] / fit.summary().loc["sigma", "se"] < 1.8


def test_simulated_data_of_kept_and_new_groups(fit):
    theta = variances(fit)
    kept = fit.simulate(600, random_seed=2, groups="kept")["reaction"]
    value, _, _ = Dense(theta[:3], theta[3]).predicted(DAY, SUBJECT)
    error = (kept.mean("sample").values - value) / (theta[3] / np.sqrt(600))
    assert np.abs(error).max() < 4.5
    assert kept.values.std(axis=0).mean() == pytest.approx(theta[3], rel=0.02)
    new = fit.simulate(600, random_seed=2)["reaction"].values
    sd = np.sqrt(np.diag(Dense(theta[:3], theta[3]).V))
    assert np.mean(new.std(axis=0) / sd) == pytest.approx(1.0, abs=0.03)
    both = np.corrcoef(new[:, 0], new[:, 9])[0, 1]  # the same subject
    law = Dense(theta[:3], theta[3]).V
    assert both == pytest.approx(law[0, 9] / np.sqrt(law[0, 0] * law[9, 9]), abs=0.1)


def test_effects_and_comparisons(fit):
    """The slope: of these subjects on average, and of the population."""
    theta = variances(fit)
    dense = Dense(theta[:3], theta[3])
    kept = fit.effects("day").table
    days, index = np.concatenate([DAY * 0 + 1, DAY * 0]), np.concatenate([SUBJECT, SUBJECT])
    value, _, variance = dense.predicted(days, index)
    contrast = np.repeat([1.0, -1.0], len(DAY)) / len(DAY)
    assert kept.loc["day", "estimate"] == pytest.approx(contrast @ value, rel=1e-7)
    # The mean of all modes does not move with the variance parameters in a balanced design.
    expected = np.sqrt(contrast @ variance @ contrast)
    assert kept.loc["day", "se"] == pytest.approx(expected, rel=1e-4)
    table = fit.avg_comparisons({"day": 1.0}, {"day": 0.0}, groups="typical").table
    assert table["estimate"].iloc[0] == pytest.approx(dense.beta[1], rel=1e-7)
    assert table["se"].iloc[0] == pytest.approx(np.sqrt(dense.covariance[1, 1]), rel=1e-6)


def test_residuals(fit):
    theta = variances(fit)
    value, _, _ = Dense(theta[:3], theta[3]).predicted(DAY, SUBJECT)
    response = fit.residuals("response").table
    np.testing.assert_allclose(response["residual"], Y - value, atol=1e-6)
    pearson = fit.residuals("pearson").table["residual"]
    np.testing.assert_allclose(pearson, (Y - value) / theta[3], atol=1e-7)
    quantile = fit.residuals(random_seed=1)
    assert quantile.how == {"reaction": "simulated"}
    assert 0.8 < float(quantile.summary().loc["reaction", "std"]) < 1.2


def test_draws_and_what_is_refused(fit):
    tree = fit.draws(200, random_seed=1)
    assert tree["posterior"]["ratio"].shape == (1, 200)
    with pytest.raises(pymle.DataError, match='groups="new"'):
        fit.predict({"day": [1.0], "index": [18]})
    with pytest.raises(pymle.AnalysisError, match="'kept', 'new', 'typical'"):
        fit.predict(groups="population")
    with pytest.raises(pymle.AnalysisError, match="`v`"):
        fit.simulate(2, groups={"v": "kept"})


@pytest.mark.slow
def test_profile_limits_are_those_of_lme4(fit):
    """confint(fm1, oldNames = FALSE): Bates et al. (2015), section 5.1; the correlation too."""
    limits = fit.conf_int(method="profile")
    published = {
        "beta[Intercept]": (237.6807, 265.1295),
        "beta[Days]": (7.3587, 13.5759),
        "chol_stds[0]": (14.3815, 37.7160),
        "chol_stds[1]": (3.8012, 8.7534),
        "chol_corr[0, 1]": (-0.4815, 0.6850),
        "sigma": (22.8983, 28.8580),
    }
    for label, (lower, upper) in published.items():
        assert limits.loc[label, "lower"] == pytest.approx(lower, abs=1.5e-4)
        assert limits.loc[label, "upper"] == pytest.approx(upper, abs=1.5e-4)


def test_new_data_in_a_data_frame(fit):
    frame = pd.DataFrame({"day": NEW[0], "index": NEW[1]}, index=list("pqrs"))
    found = fit.predict(frame, var_names=["reaction"], prediction_limits=False).table
    wanted = fit.predict(
        dict(zip(("day", "index"), NEW, strict=True)),
        var_names=["reaction"],
        prediction_limits=False,
    ).table
    np.testing.assert_array_equal(found["estimate"], wanted["estimate"])
    assert list(found.index) == [f"reaction[{row}]" for row in "pqrs"]
    with pm.Model() as constant:
        pm.Normal("y", pm.Normal("mu"), 1.0, observed=Y[:5])
    with pytest.raises(pymle.DataError, match="its data are constants"):
        pymle.find_MLE(constant, progressbar=False).predict(frame)
