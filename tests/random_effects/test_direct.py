"""Large plans run in NumPy: the same numbers as the compiled route, failures and saddles too."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest

import pymle
from pymle import bind
from pymle.objective.integrate.direct import Direct
from tests.reference.models_random import PROBLEMS
from tests.reference.problem import values

RNG = np.random.default_rng(11)
FIRST, SECOND = RNG.integers(0, 40, 300), RNG.integers(0, 9, 300)
ETA = RNG.normal(0, 0.8, 40)[FIRST] + RNG.normal(0, 0.5, 9)[SECOND]
COUNTS = RNG.poisson(np.exp(0.3 + ETA))


@pytest.fixture
def direct(monkeypatch):
    monkeypatch.setattr(bind, "_DIRECT", 0)


def crossed():
    with pm.Model() as model:
        mean = pm.Normal("mean", 0, 5)
        tau, omega = pm.HalfNormal("tau", 1), pm.HalfNormal("omega", 1)
        u = pm.Normal("u", 0, tau, shape=40)
        v = pm.Normal("v", 0, omega, shape=9)
        pm.Poisson("y", pm.math.exp(mean + u[FIRST] + v[SECOND]), observed=COUNTS)
    return model


def test_value_score_modes_and_variances_equal_the_compiled_ones(monkeypatch):
    compiled = pymle.compile(crossed())
    there = compiled._problem
    point = np.array([0.2, -0.3, 0.1])
    one = bind.likelihood_of(there)
    monkeypatch.setattr(bind, "_DIRECT", 0)
    other = bind.likelihood_of(pymle.compile(crossed())._problem)
    assert isinstance(other, Direct)
    assert not isinstance(one, Direct)
    for x in (point, point + 0.4, point + 0.4001, np.array([0.1, -8.0, 0.1])):
        (value, score), (value2, score2) = one.value_and_score(x), other.value_and_score(x)
        assert value2 == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(score2, score, rtol=1e-10, atol=1e-10 * np.abs(score).max())
    for a, b in zip(one.mode_and_jacobian(point), other.mode_and_jacobian(point), strict=True):
        np.testing.assert_allclose(b, a, atol=1e-9)
    rows = RNG.normal(size=(3, 49))
    rows[0, 1:] = 0.0
    np.testing.assert_allclose(
        other.conditional_variance(point, rows), one.conditional_variance(point, rows), rtol=1e-9
    )
    np.testing.assert_allclose(
        other.conditional_covariance(point, rows),
        one.conditional_covariance(point, rows),
        rtol=1e-9,
        atol=1e-12,
    )
    # Draws of unit vectors are the columns of a root of the covariance.
    drawn = other.conditional_draws(np.tile(point, (49, 1)), np.eye(49)) - other.mode(point)
    covariance = one.conditional_covariance(point, np.eye(49))
    np.testing.assert_allclose(drawn.T @ drawn, covariance, atol=1e-9)


NAMES = {"lmm_penicillin-noncentred", "glmm_cbpp-centred", "ssm_ricker_poisson-centred"}


@pytest.mark.parametrize("problem", [p for p in PROBLEMS if str(p) in NAMES], ids=str)
def test_reference_without_compiled_factorisations(problem, direct):
    reference = values()[problem.name]
    declared = {"random": ["X"]} if problem.name.startswith("ssm") else {}
    fit = pymle.find_MLE(problem.model(), **declared, progressbar=False)
    assert fit.verdict.ok, fit.verdict
    assert abs(fit.loglik - reference["loglik"]) < 1e-6


def test_a_mode_that_is_not_found_is_an_error(direct):
    with pm.Model() as model:
        level = pm.Flat("level", shape=5)
        pm.Potential("law", 10.0 * (level**2).sum())
        group = np.repeat(np.arange(5), 4)
        pm.Bernoulli("y", logit_p=pm.Normal("a", 0, 1) + level[group], observed=COUNTS[:20] > 1)
    with pytest.raises(pymle.PointError, match="no conditional mode"):
        pymle.find_MLE(model, random=["level"], progressbar=False)
