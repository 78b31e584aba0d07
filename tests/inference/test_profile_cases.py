"""Profiles where something is not regular: edges, infinity, flat directions, better fits."""

from __future__ import annotations

import warnings

import numpy as np
import pymc as pm
import pytest
from scipy.optimize import brentq

import pymle
from pymle.errors import AnalysisError, BetterFitWarning
from tests.inference.test_profile_closed_forms import EIGHT, Q, limits, sigma_limits
from tests.reference import models_distributions as samples
from tests.reference import models_hard as hard
from tests.reference.problem import load, values

ROOT = np.sqrt(Q)


def fitted(name, build, **given):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pymle.errors.NotCertifiedWarning)
        return pymle.find_MLE(build(load(values()[name]["data"])), progressbar=False, **given)


# ----- edges of the support ---------------------------------------------------------------


def test_all_successes_at_the_edge():
    found = fitted("hard_all_successes", hard.all_successes).profile("p")
    lower, upper = values()["hard_all_successes"]["profile_ci95"]["p"]
    assert found.lower == pytest.approx(lower, abs=1e-8)
    assert found.lower == pytest.approx(np.exp(-Q / 50), abs=1e-8)
    assert found.upper == upper == 1.0
    assert (found.lower_flag, found.upper_flag) == ("found", "edge")


def test_all_successes_in_log_odds():
    found = fitted("hard_all_successes", hard.all_successes_logit).profile("eta")
    p = np.exp(-Q / 50)
    assert found.lower == pytest.approx(np.log(p / (1 - p)), rel=1e-6)
    assert found.upper == np.inf
    assert (found.lower_flag, found.upper_flag) == ("found", "unbounded")


def test_scale_estimated_at_zero():
    """The published limits are lme4's, read off a spline; the mean has a closed form here."""
    data = load(values()["hard_boundary_dyestuff2"]["data"])
    found = fitted("hard_boundary_dyestuff2", hard.boundary).profile()
    published = values()["hard_boundary_dyestuff2"]["profile_ci95"]
    for name, (lower, upper) in published.items():
        if name != "Intercept":
            assert found[name].lower == pytest.approx(lower, abs=1e-3)
            assert found[name].upper == pytest.approx(upper, abs=1e-3)
    assert found["sd_batch"].lower == 0.0
    assert found["sd_batch"].lower_flag == "edge"
    assert found["sd_batch"].upper_flag == "found"

    # A balanced layout: given the mean, both variances are sums of squares, as long as the
    # one between batches does not fall below the one within, which it then equals.
    y = data.sort_values("batch", kind="stable")["y"].to_numpy().reshape(6, 5)
    within = ((y - y.mean(1, keepdims=True)) ** 2).sum()

    def height(mu):
        between = 5 * ((y.mean(1) - mu) ** 2).sum()
        a, b = within / 24, between / 6
        if b < a:
            a = b = (within + between) / 30
        return -0.5 * (24 * np.log(a) + within / a + 6 * np.log(b) + between / b)

    top = height(y.mean())
    wanted = limits(lambda m: 2 * (top - height(m)), y.mean(), y.mean() - 4, y.mean() + 4)
    mean = found["Intercept"]
    assert [mean.lower, mean.upper] == pytest.approx(wanted, rel=1e-7)
    assert [mean.lower, mean.upper] == pytest.approx(published["Intercept"], abs=2e-3)
    # On the way the scale comes back from zero.
    assert mean.points["sd_batch"].iloc[0] > 0.4


def test_edge_reached_from_inside():
    """One success in 200: zero is outside; none of a component with one observation is not."""
    with pm.Model() as model:
        w = pm.Uniform("w", 0, 1)
        y = np.array([0.1, -0.3, 0.5, 0.9, -1.2, 2.4])
        normals = [pm.Normal.dist(0, 1), pm.Normal.dist(2, 1)]
        pm.Mixture("y", pm.math.stack([1 - w, w]), comp_dists=normals, observed=y)
    fit = pymle.find_MLE(model)
    found = fit.profile("w")
    assert 0 < found.estimate < 1
    assert found.lower == 0.0
    assert found.lower_flag == "edge"
    assert found.upper_flag == "found"
    a, b = np.exp(-(y**2) / 2), np.exp(-((y - 2) ** 2) / 2)

    def ratio(v):
        return (
            2
            * np.log(((1 - found.estimate) * a + found.estimate * b) / ((1 - v) * a + v * b)).sum()
        )

    assert ratio(0.0) < Q
    wanted = brentq(lambda v: ratio(v) - Q, found.estimate, 1 - 1e-12)
    assert found.upper == pytest.approx(wanted, rel=1e-8)
    assert found.points.iloc[0]["signed_root"] == pytest.approx(-np.sqrt(ratio(0.0)), abs=1e-5)


def test_end_of_the_likelihood_itself():
    """The limit of a shifted exponential: the likelihood is zero beyond the smallest value."""
    y = np.array([2.0, 2.5, 3.7, 2.2])
    with pm.Model() as model:
        shift = pm.Normal("shift", 0, 10)
        scale = pm.HalfNormal("scale", 5)
        inside = pm.math.switch(pm.math.lt(shift, 2.0), 0.0, -np.inf)
        pm.Potential("y", (-pm.math.log(scale) - (y - shift) / scale).sum() + inside)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = pymle.find_MLE(model, start={"shift": 1.0})
    assert fit.verdict.status == "edge of the support"
    assert float(fit.params["shift"]) == pytest.approx(2.0, abs=1e-9)
    with pytest.raises(AnalysisError, match="edge of the support"):
        fit.profile("shift")


# ----- infinity ---------------------------------------------------------------------------


def test_complete_separation_has_one_end():
    fit = fitted("hard_separation_complete", hard.separation)
    assert fit.verdict.status == "no maximum"
    data = load(values()["hard_separation_complete"]["data"])
    found = fit.profile()
    slope, intercept = found["b1"], found["b0"]
    assert (slope.lower_flag, slope.upper_flag) == ("found", "unbounded")
    assert (intercept.lower_flag, intercept.upper_flag) == ("unbounded", "found")
    assert slope.upper == np.inf
    assert intercept.lower == -np.inf
    # The supremum of the log-likelihood is zero.
    from scipy.optimize import minimize_scalar

    x, y = data["x"].to_numpy(), data["y"].to_numpy()

    def fall(b1):
        def negative(b0):
            return np.logaddexp(0, -(2 * y - 1) * (b0 + b1 * x)).sum()

        centre = -b1 * x[y == 1].min()
        return 2 * minimize_scalar(negative, bracket=(centre, centre + 1), tol=1e-14).fun

    assert fall(slope.lower) == pytest.approx(Q, rel=1e-6)


def test_degrees_of_freedom_go_to_infinity():
    found = fitted("hard_student_nu_infinite", samples.student, n_starts=1).profile("nu")
    assert (found.lower_flag, found.upper_flag) == ("found", "unbounded")
    assert found.upper == np.inf
    assert 10 < found.lower < 100


def test_not_identified_has_no_ends():
    fit = fitted("hard_collinear_onehot", hard.collinear)
    assert fit.verdict.status == "flat direction"
    found = fit.profile(["b0", "b"])
    assert set(found.table["lower_flag"]) == set(found.table["upper_flag"]) == {"unbounded"}
    assert np.all(found.table["lower"] == -np.inf)
    assert np.all(found.table["upper"] == np.inf)
    # What is identified has limits: the mean of a Poisson sample.
    mean = fit.profile("b0 + b[A]")
    y = load(values()["hard_collinear_onehot"]["data"])
    counts = y.loc[y["A"] == 1, "y"].to_numpy()
    n, m = len(counts), counts.mean()
    wanted = limits(lambda v: 2 * n * (v - m - m * np.log(v / m)), m, 1e-3, 100)
    assert [mean.lower, mean.upper] == pytest.approx(list(np.log(wanted)), rel=1e-6)


# ----- several maxima ---------------------------------------------------------------------

#: At scale 1 the lower hill is 5.24 below in twice the log-likelihood, the valley 5.64.
TWO_HILLS = np.array([-2.0, -2.4, 2.1, 2.5, 1.8])


def cauchy(n_starts, start):
    with pm.Model() as model:
        theta = pm.Normal("theta", 0, 10)
        pm.Cauchy("y", theta, 1.0, observed=TWO_HILLS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pymle.errors.NotCertifiedWarning)
        return pymle.find_MLE(model, start=start, n_starts=n_starts)


def cauchy_height(theta):
    z = TWO_HILLS - np.atleast_1d(theta)[:, None]
    return -np.log(np.pi * (1 + z**2)).sum(axis=1)


def test_better_fit_is_returned_and_nothing_changed():
    fit = cauchy(1, {"theta": -1.8})
    before = fit.loglik
    assert float(fit.params["theta"]) < 0
    with pytest.warns(BetterFitWarning, match="`theta` met the log-likelihood"):
        found = fit.profile("theta")
    better = found.better_fit
    assert isinstance(better, pymle.Fit)
    assert better.loglik > fit.loglik == before
    grid = np.linspace(-10, 10, 20001)
    height = cauchy_height(grid)
    assert better.loglik == pytest.approx(height.max(), abs=1e-6)
    assert found.loglik == better.loglik
    assert found.estimate == pytest.approx(grid[height.argmax()], abs=1e-3)
    # The limits belong to the better fit.
    direct = cauchy(1, {"theta": 2.0}).profile("theta")
    assert [found.lower, found.upper] == pytest.approx([direct.lower, direct.upper], rel=1e-8)
    with pytest.warns(BetterFitWarning):
        table = fit.conf_int(method="profile")
    assert table.loc["theta", "lower"] == pytest.approx(found.lower)


def test_hills_are_flagged_and_the_first_crossing_is_the_limit():
    fit = cauchy(20, None)
    found = fit.profile("theta", level=0.9812)  # a cut-off of 5.5, between hill and valley
    grid = np.linspace(-12, 12, 240001)
    fall = 2 * (cauchy_height(grid).max() - cauchy_height(grid))
    first = np.flatnonzero(fall[: fall.argmin()] > found.cutoff**2)[-1]
    assert found.lower == pytest.approx(grid[first], abs=1e-3)
    assert found.elsewhere
    assert "further values" in repr(found)
    # Beyond the valley the whole of both hills is accepted, and is not monotone.
    found = fit.profile("theta", level=0.99, curve=True)
    first = np.flatnonzero(fall[: fall.argmin()] > found.cutoff**2)[-1]
    assert found.lower == pytest.approx(grid[first], abs=1e-3)
    assert not found.monotone
    assert "does not fall all the way" in repr(found)


# ----- what is refused --------------------------------------------------------------------


def normal_model():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Deterministic("constant", 0 * mu + 1)
        pm.Normal("y", mu, sigma, observed=EIGHT)
    return model


def test_refusals():
    with pytest.raises(AnalysisError, match="MAP"):
        pymle.find_MAP(normal_model()).profile("mu")
    fit = pymle.find_MLE(normal_model(), fixed={"sigma": 1.0})
    with pytest.raises(AnalysisError, match="`sigma` was fixed"):
        fit.profile("sigma")
    with pytest.raises(AnalysisError, match="does not depend"):
        fit.profile("constant")
    with pytest.raises(AnalysisError, match="Did you mean `y`"):
        fit.profile("my")
    with pytest.raises(AnalysisError, match="level"):
        fit.profile("mu", level=95)
    assert list(fit.profile()) == ["mu"]


def test_a_point_that_is_no_maximum_is_refused():
    with pm.Model() as model:
        a, b = pm.Normal("a"), pm.Normal("b")
        pm.Potential("saddle", a**2 - b**2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = pymle.find_MLE(model, start={"a": 0.0, "b": 0.0}, n_starts=1)
    if fit.verdict.status in ("saddle", "not converged"):
        with pytest.raises(AnalysisError, match="maximum of the likelihood"):
            fit.profile("a")


# ----- interruption, work -----------------------------------------------------------------


def test_interruption_keeps_what_is_done(monkeypatch):
    fit = pymle.find_MLE(normal_model())
    likelihood = fit._fitted.likelihood
    original, calls = type(likelihood).value_and_score, []

    def counting(self, x):
        calls.append(1)
        if len(calls) > 12:
            raise KeyboardInterrupt
        return original(self, x)

    monkeypatch.setattr(type(likelihood), "value_and_score", counting)
    found = fit.profile()
    first = found["mu"]
    assert first.lower_flag == "found"
    assert first.upper_flag == "interrupted"
    assert np.isnan(first.upper)
    assert "sigma" not in found
    calls.clear()
    table = fit.conf_int(["mu", "sigma"], method="profile")
    assert list(table["lower_flag"]) == ["found", "interrupted"]
    assert np.isnan(table.loc["sigma", "lower"])


def test_cost_is_a_few_refits():
    fit = pymle.find_MLE(normal_model())
    refit = fit.record.evaluations
    for one in fit.profile().values():
        assert one.evaluations["value_and_score"] <= 12 * refit["value_and_score"]
        assert one.evaluations["hessian"] <= 12 * refit["hessian"]
        assert one.places <= 10


def test_hundred_parameters():
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(120), 8)
    y = rng.poisson(np.exp(rng.normal(1, 0.3, 120))[group])
    with pm.Model() as model:
        b = pm.Normal("b", 0, 10, shape=120)
        pm.Poisson("y", pm.math.exp(b[group]), observed=y)
    found = pymle.find_MLE(model).profile()
    assert len(found) == 120
    assert set(found.table["lower_flag"]) == set(found.table["upper_flag"]) == {"found"}
    mean = y.reshape(120, 8).mean(1)
    for i in (0, 57, 119):
        m = mean[i]
        wanted = limits(lambda v, m=m: 16 * (v - m - m * np.log(v / m)), m, 1e-3, 50)
        one = found[f"b[{i}]"]
        assert [one.lower, one.upper] == pytest.approx(list(np.log(wanted)), rel=1e-7)
    assert max(one.places for one in found.values()) <= 8


def test_weights_count_as_rows():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=EIGHT)
    weighted = pymle.find_MLE(model, weights=np.full(8, 3.0)).profile("sigma")
    assert [weighted.lower, weighted.upper] == pytest.approx(
        sigma_limits(np.repeat(EIGHT, 3)), rel=1e-7
    )
