"""Adaptive Gauss-Hermite quadrature against SciPy's quadrature and products of fixed rules."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy import integrate, special, stats

import pymle
from tests.random_effects.test_groups import by_integral, count_model
from tests.reference.models_random import PROBLEMS
from tests.reference.problem import load, values

RNG = np.random.default_rng(52)
GROUP = np.repeat(np.arange(5), 6)
T = np.tile(np.linspace(-1, 1, 6), 5)
BINARY = RNG.integers(0, 2, 30)


def slopes_model() -> pm.Model:
    """Two effects for each group, written as two variables, and one group with data besides."""
    with pm.Model() as model:
        a = pm.Normal("a", 0, 5)
        s, r = pm.HalfNormal("s", 2), pm.HalfNormal("r", 2)
        u, v = pm.Normal("u", 0, s, shape=5), pm.Normal("v", 0, r, shape=5)
        pm.Bernoulli("y", logit_p=a + u[GROUP] + v[GROUP] * T, observed=BINARY)
    return model


def slopes_by_hand(a: float, s: float, r: float) -> float:
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / np.sqrt(2 * np.pi)
    u, v = s * nodes[:, None, None], r * nodes[None, :, None]
    total = 0.0
    for g in range(5):
        eta = a + u + v * T[g == GROUP]
        likelihood = np.prod(special.expit(np.where(BINARY[g == GROUP] == 1, eta, -eta)), axis=-1)
        total += np.log(weights @ likelihood @ weights)
    return float(total)


def test_one_effect_per_group():
    at = {"a": 0.4, "b": 0.3, "tau": 0.9}
    expected = by_integral(np.array([0.4, 0.3, np.log(0.9)])).sum()
    found = pymle.compile(count_model(), quadrature=31).logp(at)
    assert found == pytest.approx(expected, abs=1e-8)


def test_the_score_is_that_of_the_function_computed():
    """With three points the error is visible, and its derivative belongs to the score."""
    likelihood = pymle.compile(slopes_model(), quadrature=3)
    at = {"a": 0.2, "s": 0.8, "r": 1.2}
    score = likelihood.score(at)
    for name in at:
        steps = [likelihood.logp({**at, name: at[name] + h}) for h in (1e-3, -1e-3, 2e-3, -2e-3)]
        slope = (4 * (steps[0] - steps[1]) / 2e-3 - (steps[2] - steps[3]) / 4e-3) / 3
        assert score[name] == pytest.approx(slope, abs=1e-9)
    exact = slopes_by_hand(**at)
    assert abs(likelihood.logp(at) - exact) > 1e-6
    fine = pymle.compile(slopes_model(), quadrature=21)
    assert fine.logp(at) == pytest.approx(exact, abs=1e-8)


def test_cbpp_at_its_maximum():
    [problem] = [p for p in PROBLEMS if str(p) == "glmm_cbpp-noncentred"]
    fit = pymle.find_MLE(problem.model(), quadrature=25, progressbar=False)
    assert fit.verdict.ok
    assert "quadrature with 25 points" in fit.integrated
    data = load(values()["glmm_cbpp"]["data"])
    periods = data[["period2", "period3", "period4"]].to_numpy()
    eta = float(fit.params["Intercept"]) + periods @ fit.params["beta"].to_numpy()
    sd = float(fit.params["sd_herd"])
    total = 0.0
    for herd in np.unique(data["herd"]):
        rows = (data["herd"] == herd).to_numpy()
        size, cases = data["size"].to_numpy()[rows], data["incidence"].to_numpy()[rows]

        def density(z, size=size, cases=cases, own=eta[rows]):
            p = special.expit(own + sd * z)
            return np.prod(stats.binom(size.astype(int), p).pmf(cases)) * stats.norm.pdf(z)

        total += np.log(integrate.quad(density, -9, 9, epsabs=0, epsrel=1e-11, limit=200)[0])
    assert fit.loglik == pytest.approx(total, abs=1e-7)


def test_one_point_is_laplace():
    at = {"a": 0.4, "b": 0.3, "tau": 0.9}
    values_ = [pymle.compile(count_model(), quadrature=q).logp(at) for q in (None, 1)]
    assert values_[0] == values_[1]


def test_a_standard_deviation_of_zero():
    likelihood = pymle.compile(count_model(), quadrature=7, fixed={"tau": 0.0})
    plain = by_integral(np.array([0.4, 0.3, -np.inf])).sum()
    assert likelihood.logp({"a": 0.4, "b": 0.3}) == pytest.approx(plain, abs=1e-9)


def test_large_blocks_are_named():
    with pm.Model() as model:
        u = pm.Normal("u", 0, pm.HalfNormal("s", 2), shape=5)
        v = pm.Normal("v", 0, pm.HalfNormal("r", 2), shape=6)
        pm.Bernoulli("y", logit_p=u[GROUP] + v[np.tile(np.arange(6), 5)], observed=BINARY)
    likelihood = pymle.compile(model, quadrature=5)
    with pytest.raises(pymle.ModelError, match=r"`u\[0\]`, .* belong to one block of 11"):
        likelihood.logp({"s": 1.0, "r": 1.0})
    with pytest.raises(pymle.AnalysisError, match="quadrature"):
        pymle.compile(model, quadrature=0)


@pytest.mark.slow
def test_effects_in_increasing_order_are_integrated_where_they_are():
    """A transform in the declaration holds normal effects in a part of the plane."""
    data = np.array([-2.1, -1.7, -2.4, 1.9, 2.2, 1.5])
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 3)
        order = pm.distributions.transforms.ordered
        centre = pm.Normal("centre", 0, tau, shape=2, transform=order, initval=[-1, 1])
        pm.NormalMixture("y", [0.5, 0.5], centre, 1.0, observed=data)

    nodes, weights = np.polynomial.legendre.leggauss(200)
    a, share = 7.0 * nodes, 7.0 * weights
    each = np.exp(-0.5 * (data[:, None] - a) ** 2) / np.sqrt(2 * np.pi)
    density = np.prod(0.5 * each[:, :, None] + 0.5 * each[:, None, :], axis=0)
    law = share * stats.norm(0, 2).pdf(a)
    expected = 0.5 * (law @ density @ law)  # half of the plane: the density is symmetric
    found = pymle.compile(model, quadrature=25).logp({"tau": 2.0})
    assert found == pytest.approx(np.log(expected), abs=1e-3)
