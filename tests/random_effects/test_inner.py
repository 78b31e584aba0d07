"""What is said where random effects have no conditional mode, or the data are impossible."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from scipy.integrate import quad

import pymle
from pymle import bind
from pymle.objective.integrate.modes import other_mode

GROUP = np.repeat(np.arange(5), 4)
Y = np.random.default_rng(4).normal(size=20)


def test_effects_that_nothing_holds_are_named():
    """The law of the effects has the wrong sign: it pushes them away."""
    with pm.Model() as model:
        level = pm.Flat("level", shape=5)
        pm.Potential("law", 10.0 * (level**2).sum())
        pm.Bernoulli("y", logit_p=pm.Normal("a", 0, 1) + level[GROUP], observed=Y > 0)
    assert "law of level" in pymle.roles(model, random=["level"])["law"].reason
    with pytest.raises(pymle.PointError, match=r"no conditional mode.*`?level\[\d\]") as error:
        pymle.find_MLE(model, random=["level"], progressbar=False)
    assert "start=" in str(error.value)


def test_impossible_data_are_named_with_random_effects_too():
    with pm.Model() as model:
        u = pm.Normal("u", 0, pm.HalfNormal("tau", 1), shape=5)
        data = np.where(np.arange(20) == 7, -1.0, np.exp(Y))
        pm.Exponential("y", pm.math.exp(u[GROUP]), observed=data)
    with pytest.raises(pymle.PointError, match=r"Observed variable `y`.*7"):
        pymle.find_MLE(model, progressbar=False)


def test_a_saddle_of_the_inner_search_is_left():
    """At u = 0 the slope in u ** 2 is zero, and the search begins there: no mode, a saddle."""
    sd, noise = 1.1, 0.3
    seen = 1.0 + 0.1 * np.random.default_rng(0).normal(size=20)
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 1)
        u = pm.Normal("u", 0, tau, shape=5)
        pm.Normal("y", u[GROUP] ** 2, noise, observed=seen)

    def half(y):
        """The integral over one of the two modes, which mirror each other."""

        def density(z):
            return np.exp(stats.norm.logpdf(y, (sd * z) ** 2, noise).sum()) * stats.norm.pdf(z)

        return np.log(quad(density, 0.3, 2.0, epsabs=0.0, epsrel=1e-10)[0])

    likelihood = pymle.compile(model, quadrature=25)
    expected = sum(half(seen[g == GROUP]) for g in range(5))
    assert likelihood.logp({"tau": sd}) == pytest.approx(expected, abs=1e-6)
    with pytest.warns(pymle.Notice, match="second mode"):
        fit = pymle.find_MLE(model, progressbar=False)
    modes = fit.random_effects().modes["u"]
    assert (modes > 0.9).all()


@pytest.mark.parametrize("largest", [bind._DIRECT, 0])
def test_a_search_that_is_too_far_from_the_last_mode_begins_anew(largest, monkeypatch):
    """Standardised effects at the mode of a small scale overflow at a large one."""
    group, counts = np.repeat(np.arange(4), 3), np.array([9, 7, 8, 0, 1, 0, 3, 2, 4, 0, 0, 0])
    with pm.Model() as model:
        a, tau = pm.Normal("a", 0, 5), pm.HalfNormal("tau", 1)
        u = pm.Normal("u", 0, tau, shape=4)
        pm.Poisson("y", pm.math.exp(a + u[group]), observed=counts)
    monkeypatch.setattr(bind, "_DIRECT", largest)
    fresh = bind.likelihood_of(pymle.compile(model)._problem)
    far = np.array([0.5, np.log(2000.0)])
    expected = fresh.value(far)
    used = bind.likelihood_of(pymle.compile(model)._problem)
    used.value(np.array([0.5, 0.0]))
    assert np.isfinite(expected)
    assert used.value(far) == pytest.approx(expected, rel=1e-10)


def test_a_second_mode_is_found_and_said():
    """Effects that enter as squares: the mirror image is as high, and is left out."""
    y = np.array([4.1, 3.8, 2.2, 2.0, 6.3, 5.9])
    with pm.Model() as model:
        u = pm.Normal("u", 0, pm.HalfNormal("tau", 2), shape=3)
        pm.Normal("y", u[np.repeat(np.arange(3), 2)] ** 2, 0.3, observed=y)
    likelihood = pymle.compile(model)
    found = other_mode(likelihood._likelihood(), np.array([np.log(2.0)]))
    assert found is not None
    assert found.there == pytest.approx(-found.here, abs=1e-8)
    assert found.lower == pytest.approx(0.0, abs=1e-8)
    with pytest.warns(pymle.Notice, match="second mode"):
        fit = pymle.find_MLE(model, progressbar=False)
    assert "`u[" in fit.verdict.evidence["inner_modes"]
