"""Variance components: limits, edges, shares and tests, against the balanced one-way layout."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy import optimize, stats

import pymle
from tests.reference.problem import load

CUT = stats.chi2(1).ppf(0.95)


def one_way(file: str) -> tuple[pm.Model, np.ndarray]:
    data = load(file)
    batch, y = data["batch"].to_numpy(dtype=int), data["y"].to_numpy()
    batch = batch - batch.min()
    with pm.Model(coords={"batch": list("ABCDEF")}) as model:
        mu, tau = pm.Normal("mu", 0, 2000), pm.HalfNormal("tau", 50)
        sigma = pm.HalfNormal("sigma", 50)
        u = pm.Normal("u", 0, tau, dims="batch")
        pm.Deterministic("icc", tau**2 / (tau**2 + sigma**2))
        pm.Normal("y", mu + u[batch], sigma, observed=y)
    return model, np.stack([y[batch == i] for i in range(6)])


def loglik(groups: np.ndarray, mu: float, variance: float, sigma: float) -> float:
    """By sums of squares within and between batches (Searle, Casella and McCulloch 1992, 3.7)."""
    a, n = groups.shape
    within = np.sum((groups - groups.mean(axis=1, keepdims=True)) ** 2)
    total = sigma**2 + n * variance
    between = n * np.sum((groups.mean(axis=1) - mu) ** 2)
    logs = a * (n - 1) * np.log(sigma**2) + a * np.log(total) + a * n * np.log(2 * np.pi)
    return -0.5 * (logs + within / sigma**2 + between / total)


def profile(groups: np.ndarray, tau: float) -> float:
    mean = groups.mean()
    found = optimize.minimize_scalar(
        lambda s: -loglik(groups, mean, tau**2, np.exp(s)),
        bounds=(-3, 8),
        method="bounded",
        options={"xatol": 1e-12},
    )
    return -float(found.fun)


@pytest.mark.slow
def test_limits_of_dyestuff():
    """confint(lmer(Yield ~ 1 + (1 | Batch), Dyestuff, REML = FALSE)): lme4's documentation.

    lme4 interpolates its profile by splines, which leaves a few units in the fifth digit.
    """
    model, groups = one_way("lmm_dyestuff.csv")
    fit = pymle.find_MLE(model, progressbar=False)
    limits = fit.conf_int(method="profile", var_names=["tau", "sigma", "mu"])
    published = {
        "tau": (12.19853, 84.06305),
        "sigma": (38.22998, 67.65770),
        "mu": (1486.4515, 1568.5485),
    }
    for label, ends in published.items():
        np.testing.assert_allclose(limits.loc[label, ["lower", "upper"]].astype(float), ends, 2e-4)
    tau = float(fit.params["tau"])
    exact = [
        optimize.brentq(lambda t: 2 * (fit.loglik - profile(groups, t)) - CUT, *ends)
        for ends in ((1e-3, tau), (tau, 300.0))
    ]
    np.testing.assert_allclose(limits.loc["tau", ["lower", "upper"]].astype(float), exact, 1e-6)
    # A share keeps its limits inside (0, 1).
    for what in ("icc", "tau**2 / (tau**2 + sigma**2)"):
        row = fit.derived(what).table.iloc[0]
        assert row["scale"] == "logit"
        assert 0.0 < row["lower"] < row["estimate"] < row["upper"] < 1.0
    null = pymle.find_MLE(model, fixed={"tau": 0.0}, progressbar=False)
    test = null.score_test()
    assert test.statistic == pytest.approx(score_statistic(groups), rel=1e-4)
    assert test.p == pytest.approx(0.5 * stats.chi2(1).sf(test.statistic), rel=1e-6)
    table = null.predict(var_names=["y"], prediction_limits=False).table
    np.testing.assert_allclose(table["estimate"], groups.mean())
    np.testing.assert_allclose(table["se"], groups.std() / np.sqrt(30), rtol=1e-6)


def score_statistic(groups: np.ndarray) -> float:
    """Of the variance between batches at zero, by differences of the log-likelihood."""
    mean, sd = groups.mean(), groups.std()

    def value(z: np.ndarray) -> float:
        return loglik(groups, mean + z[0] * sd, z[1] * sd**2, sd * np.exp(z[2]))

    h, unit = 1e-3, np.eye(3) * 1e-3
    score = (value(unit[1]) - value(-unit[1])) / (2 * h)
    information = np.array(
        [
            [
                -(value(p + q) - value(p - q) - value(q - p) + value(-p - q)) / (4 * h**2)
                for p in unit
            ]
            for q in unit
        ]
    )
    return float(score**2 * np.linalg.inv(information)[1, 1])


def test_a_variance_at_zero():
    """Dyestuff2 (Box and Tiao 1973): the batches differ less than their noise."""
    model, groups = one_way("hard_boundary_dyestuff2.csv")
    with pytest.warns(pymle.NotCertifiedWarning, match="boundary"):
        fit = pymle.find_MLE(model, progressbar=False)
    found = fit.profile("tau")
    assert found.lower == 0.0
    assert found.table.loc["tau", "lower_flag"] == "edge"
    top = profile(groups, 0.0)
    assert fit.loglik == pytest.approx(top, abs=1e-8)
    exact = optimize.brentq(lambda t: 2 * (top - profile(groups, t)) - CUT, 1e-3, 20.0)
    assert found.upper == pytest.approx(exact, rel=1e-6)
    region = fit.contour("tau", "sigma", level=0.5, progressbar=False)
    assert "limit of work" in repr(region) or "closed" in repr(region)
    table = fit.predict(groups="new", var_names=["y"]).table
    np.testing.assert_allclose(table["se"], groups.std() / np.sqrt(30), rtol=1e-4)
    # An observation of a new batch: tau stays at its edge, mean and sigma are uncertain.
    half = 1.96 * np.sqrt(groups.var() * (1 + 1 / 30))
    limits = table[["prediction_lower", "prediction_upper"]] - groups.mean()
    np.testing.assert_allclose(np.abs(limits), half, rtol=0.06)
    with pytest.raises(pymle.AnalysisError, match="boundary"):
        fit.draws(5)
