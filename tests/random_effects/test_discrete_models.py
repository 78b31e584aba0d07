"""Published kinds of models with discrete latent variables: against their sums by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import optimize, stats

import pymle

RNG = np.random.default_rng(5)
SITES, VISITS = 20, 3
SEEN = RNG.binomial(1, 0.5 * (RNG.uniform(size=SITES) < 0.6)[:, None] * np.ones(VISITS))
SITE = np.repeat(np.arange(SITES), VISITS)


def occupied(psi: float, p: float) -> float:
    k = SEEN.sum(axis=1)
    return float(np.log(psi * p**k * (1 - p) ** (VISITS - k) + (1 - psi) * (k == 0)).sum())


@pytest.mark.parametrize("long", [False, True])
def test_occupancy_of_sites_in_a_table_and_row_by_row(long: bool):
    with pm.Model() as model:
        psi, p = pm.Beta("psi", 1, 1), pm.Beta("p", 1, 1)
        z = pm.Bernoulli("z", psi, shape=SITES)
        rate = z[SITE] * p if long else z[:, None] * p
        pm.Bernoulli("y", rate, observed=SEEN.ravel() if long else SEEN)
    likelihood = pymle.compile(model)
    at = {"psi": 0.55, "p": 0.45}
    assert likelihood.logp(at) == pytest.approx(occupied(**at), abs=1e-9)
    slope = likelihood.score(at)
    step = 1e-6
    for name in at:
        up, down = {**at, name: at[name] + step}, {**at, name: at[name] - step}
        difference = (occupied(**up) - occupied(**down)) / (2 * step)
        assert float(np.ravel(slope[name])[0]) == pytest.approx(difference, rel=1e-6)


YEARS = np.arange(1851, 1881)
DISASTERS = np.concatenate([RNG.poisson(3, 18), RNG.poisson(1, 12)])
DISASTERS[[4, 20]] = -999


def test_a_change_point_in_counts_some_of_which_are_missing():
    """Missing counts that nothing depends on drop out, although their support has no end."""
    with warnings.catch_warnings(), pm.Model() as model:
        warnings.simplefilter("ignore")
        when = pm.DiscreteUniform("when", YEARS.min(), YEARS.max())
        early, late = pm.Exponential("early", 1), pm.Exponential("late", 1)
        rate = pm.math.switch(when >= YEARS, early, late)
        pm.Poisson("disasters", rate, observed=np.ma.masked_values(DISASTERS, -999))
    seen = DISASTERS >= 0
    terms = [
        stats.poisson.logpmf(DISASTERS, np.where(t >= YEARS, 3.1, 0.9))[seen].sum() for t in YEARS
    ]
    expected = np.logaddexp.reduce(terms) - np.log(len(YEARS))
    found = pymle.compile(model).logp({"early": 3.1, "late": 0.9})
    assert found == pytest.approx(expected, abs=1e-9)


CAUGHT = np.repeat(
    [[1, 1, 0, 1], [1, 0, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 1]],
    [1, 6, 2, 2, 4, 1],
    axis=0,
)


def survival(phi: float, p: float) -> float:
    total = 0.0
    for history in CAUGHT:
        dead, alive = 0.0, 1.0
        for seen in history[1:]:
            dead, alive = dead + alive * (1 - phi), alive * phi
            dead, alive = dead * (seen == 0), alive * (p if seen else 1 - p)
        total += np.log(dead + alive)
    return total


def test_capture_and_recapture_with_latent_survival():
    """A Cormack-Jolly-Seber model; the dead stay dead, which has probability zero otherwise."""
    with pm.Model() as model:
        phi, p = pm.Beta("phi", 1, 1), pm.Beta("p", 1, 1)
        alive = pt.ones(len(CAUGHT))
        for t in range(1, CAUGHT.shape[1]):
            alive = pm.Bernoulli(f"alive_{t}", alive * phi, shape=len(CAUGHT))
            pm.Bernoulli(f"seen_{t}", alive * p, observed=CAUGHT[:, t])
    fit = pymle.find_MLE(model, progressbar=False)
    best = optimize.minimize(lambda v: -survival(*v), [0.7, 0.6], method="Nelder-Mead")
    assert fit.loglik == pytest.approx(-best.fun, abs=1e-7)
    assert float(fit.params["phi"]) == pytest.approx(best.x[0], abs=1e-3)
    at = {"phi": 0.6, "p": 0.5}
    assert pymle.compile(model).logp(at) == pytest.approx(survival(**at), abs=1e-9)


def test_a_chain_written_as_a_loop():
    means, P = np.array([-1.0, 1.5]), np.array([[0.8, 0.2], [0.3, 0.7]])
    y = np.array([-1.2, -0.4, 1.1, 2.0, 1.3, -0.9, -1.5])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5, shape=2)
        states = [pm.Categorical("state_0", [0.5, 0.5])]
        for t in range(1, len(y)):
            states.append(pm.Categorical(f"state_{t}", pt.as_tensor(P)[states[-1]]))
        pm.Normal("y", mu[pt.stack(states)], 0.7, observed=y)
    emission = stats.norm(means, 0.7).logpdf(y[:, None])
    forward = np.log(0.5) + emission[0]
    for row in emission[1:]:
        forward = np.logaddexp.reduce(forward[:, None] + np.log(P), axis=0) + row
    found = pymle.compile(model).logp({"mu": means})
    assert found == pytest.approx(np.logaddexp.reduce(forward), abs=1e-9)


def test_numbers_present_that_are_counted_in_part():
    """An N-mixture model with an end, and two discrete variables on one row."""
    counted = np.array([[3, 4], [0, 1], [6, 4]])
    with warnings.catch_warnings(), pm.Model() as model:
        # PyMC 5 calls a function of PyTensor that is deprecated.
        warnings.simplefilter("ignore")
        rate, p = pm.Exponential("rate", 0.1), pm.Beta("p", 1, 1)
        present = pm.Truncated("present", pm.Poisson.dist(rate), upper=40, shape=3)
        pm.Binomial("counted", n=present[:, None], p=p, observed=counted)
    n = np.arange(41)
    law = stats.poisson.logpmf(n, 6.0) - stats.poisson.logcdf(40, 6.0)
    rows = [
        np.logaddexp.reduce(law + sum(stats.binom.logpmf(c, n, 0.5) for c in row))
        for row in counted
    ]
    found = pymle.compile(model).logp({"rate": 6.0, "p": 0.5})
    assert found == pytest.approx(sum(rows), abs=1e-8)


def test_several_indicators_and_a_missing_covariate():
    y = np.array([0.3, 2.4, 3.9, 5.1, 1.8])
    x = np.ma.masked_values([0, 1, -1, 1, -1], -1)
    with warnings.catch_warnings(), pm.Model() as model:
        warnings.simplefilter("ignore")
        q, mu = pm.Beta("q", 1, 1), pm.Normal("mu", 0, 3)
        treated = pm.Bernoulli("treated", 0.3, observed=x)
        kind = pm.Categorical("kind", pt.stack([q, 1 - q]), shape=5)
        pm.Normal("y", mu + 2.0 * treated + 1.5 * kind, 1.0, observed=y)
    at, expected = {"q": 0.4, "mu": 0.2}, 0.0
    for value, seen in zip(y, x, strict=True):
        terms = []
        for t, chance in ((0, 0.7), (1, 0.3)):
            if seen is not np.ma.masked and seen != t:
                continue
            for k, share in ((0, 0.4), (1, 0.6)):
                density = stats.norm.logpdf(value, 0.2 + 2.0 * t + 1.5 * k, 1.0)
                terms.append(np.log(chance * share) + density)
        expected += np.logaddexp.reduce(terms)
    assert pymle.compile(model).logp(at) == pytest.approx(expected, abs=1e-9)


def test_what_cannot_be_summed_stops_with_its_name():
    with pm.Model() as field:
        z = pm.Bernoulli("z", 0.5, shape=(12, 12))
        b = pm.Normal("b", 0, 1)
        pm.Potential("ties", b * ((z[1:] * z[:-1]).sum() + (z[:, 1:] * z[:, :-1]).sum()))
        pm.Normal("y", z, 1.0, observed=np.zeros((12, 12)))
    with pytest.raises(pymle.ModelError, match=r"`z` .* reach the same data together"):
        pymle.compile(field, parameters=["b"])
    with pm.Model() as together:
        z = pm.Bernoulli("z", 0.5, shape=60)
        pm.Normal("y", pm.Normal("b", 0, 1) * z.sum(), 1.0, observed=1.0)
    with pytest.raises(pymle.ModelError, match=r"`z` .* reach the same data together"):
        pymle.compile(together)
