"""Models written as loops of scalar variables: the numbers of the model written with vectors."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

import pymle
from pymle.bind import likelihood_of
from pymle.model import loops

rng = np.random.default_rng(12)
T = 45
Y = 0.5 * rng.normal(size=T).cumsum() + rng.normal(size=T)
COUNTS = rng.poisson(3.0, size=(6, 4))


def _series() -> pm.Model:
    with pm.Model() as model:
        step, noise = pm.HalfNormal("step", 1), pm.HalfNormal("noise", 1)
        state = pm.Normal("x_0", 0, 2)
        for t in range(T):
            if t:
                state = pm.Normal(f"x_{t}", state, step)
            pm.Normal(f"y_{t}", state, noise, observed=Y[t])
    return model


def test_a_local_level_in_a_loop_has_the_likelihood_of_the_normal_law():
    names = [f"x_{t}" for t in range(T)]
    likelihood = pymle.compile(_series(), random=names)
    times = np.arange(float(T))
    law = 4.0 + 0.36 * np.minimum.outer(times, times) + 0.81 * np.eye(T)
    found = likelihood.logp({"step": 0.6, "noise": 0.9})
    assert found == pytest.approx(stats.multivariate_normal(np.zeros(T), law).logpdf(Y), abs=1e-9)


def _groups() -> pm.Model:
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 2, shape=6), pm.Normal("b", 0, 1)
        size, shift = pm.HalfNormal("size", 1), pm.Data("shift", 0.5)
        for g in range(6):
            mean = pt.exp(a[g] + b * g / 6 + shift)
            pm.Poisson(f"counts_{g}", mean, observed=COUNTS[g])
            pm.Gamma(f"wait_{g}", size, mean, observed=1.0 + g)
            pm.Bernoulli(f"any_{g}", logit_p=a[g], observed=np.array([True, g > 2]))
    return model


POINT = {"a": np.linspace(-0.5, 1, 6), "b": 0.3, "size": 1.7}


@pytest.mark.parametrize("objective", [pytest.param("mle", marks=pytest.mark.slow), "map"])
def test_terms_of_one_form_add_up_to_the_same(objective, monkeypatch):
    found = {}
    for many in (1, 1000):
        monkeypatch.setattr(loops, "MANY", many)
        likelihood = pymle.compile(_groups(), objective=objective)
        other = {"counts_2": COUNTS[0], "wait_4": 0.25, "any_1": np.array([False, True])}
        moved = likelihood_of(likelihood._problem.with_data(other))
        x = np.linspace(-0.5, 1, 8)
        found[many] = [
            likelihood.logp(POINT),
            *likelihood.score(POINT, scale="natural"),
            moved.value(x),
            *moved.value_and_score(x)[1],
        ]
    np.testing.assert_allclose(found[1], found[1000], rtol=1e-12, atol=1e-12)


def test_terms_of_one_form_are_one_term():
    x = pt.vector("x", shape=(9,))
    data = [pt.constant(np.array(float(i))) for i in range(3, 9)]
    terms = [(-0.5 * (x[i] - x[0] * d) ** 2, None) for i, d in enumerate(data, 2)]
    other = [(pt.exp(x[1]), None)]
    [one, alone] = loops.together([*terms, *other], x, set())
    value = np.linspace(-1, 1, 9)
    wanted = sum(-0.5 * (value[i] - value[0] * d) ** 2 for i, d in enumerate(range(3, 9), 2))
    assert float(one.eval({x: value})) == pytest.approx(wanted)
    assert float(alone.eval({x: value})) == pytest.approx(np.exp(value[1]))
