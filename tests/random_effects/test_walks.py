"""Random walks in coordinates of nested halves: closed forms, also at steps of zero."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymle
from pymle.model.bridges import bridge

rng = np.random.default_rng(7)
T = 9
WALK = rng.normal(size=(2, T)).cumsum(axis=1)
SEEN = WALK[0] + rng.normal(size=T)
PAIRS = rng.normal(size=(T, 2)).cumsum(axis=0)


@pytest.mark.parametrize("length", [1, 2, 7, 100])
def test_sums_of_few_coordinates_are_brownian_motion(length):
    places, sizes = bridge(length)
    full = np.zeros((length, length))
    np.add.at(full, (np.arange(length)[:, None], places), sizes)
    times = np.arange(1.0, length + 1)
    np.testing.assert_allclose(full @ full.T, np.minimum.outer(times, times), atol=1e-12)
    # Nested halves: each touches about log2(length) others on either side.
    assert np.count_nonzero(full.T @ full) <= 3 * length * (np.log2(length) + 1)


def _covariance(step: float, noise: float) -> np.ndarray:
    times = np.arange(float(T))
    return 4.0 + step**2 * np.minimum.outer(times, times) + noise**2 * np.eye(T)


def _batches() -> pm.Model:
    with pm.Model() as model:
        step = pm.HalfNormal("step", 1, shape=2)
        drift = pm.Normal("drift", 0, 1)
        level = pm.GaussianRandomWalk(
            "level", mu=drift, sigma=step, init_dist=pm.Normal.dist(1, 2), shape=(2, T)
        )
        pm.Normal("y", level, pm.HalfNormal("noise", 1), observed=WALK)
    return model


def test_walks_side_by_side_with_drift_and_hardly_any_steps():
    likelihood = pymle.compile(_batches())
    for step in ([0.7, 1.3], [1e-12, 0.4], [1e-12, 1e-12]):
        found = likelihood.logp({"step": np.array(step), "drift": 0.3, "noise": 0.8})
        wanted = sum(
            stats.multivariate_normal(1.0 + 0.3 * np.arange(T), _covariance(s, 0.8)).logpdf(row)
            for s, row in zip(step, WALK, strict=True)
        )
        assert found == pytest.approx(wanted, abs=1e-9)


def test_walk_of_vectors():
    factor = np.array([[0.9, 0.0], [0.4, 0.5]])
    with pm.Model() as model:
        scale = pm.HalfNormal("scale", 1)
        level = pm.MvGaussianRandomWalk(
            "level",
            mu=np.array([0.1, -0.2]),
            chol=scale * factor,
            init_dist=pm.MvNormal.dist(np.zeros(2), np.eye(2)),
            shape=(T, 2),
        )
        pm.Normal("y", level, pm.HalfNormal("noise", 1), observed=PAIRS)
    likelihood = pymle.compile(model)
    times = np.arange(float(T))
    mean = np.outer(times, [0.1, -0.2]).ravel()
    for value in (1.2, 1e-12):
        walk = np.kron(np.minimum.outer(times, times), value**2 * factor @ factor.T)
        whole = walk + np.kron(np.ones((T, T)), np.eye(2)) + 0.25 * np.eye(2 * T)
        wanted = stats.multivariate_normal(mean, whole).logpdf(PAIRS.ravel())
        assert likelihood.logp({"scale": value, "noise": 0.5}) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.slow
def test_a_trend_whose_level_does_not_step_lies_on_the_boundary():
    # UKgas of R 4.2.2: StructTS(log10(UKgas), "trend") has no variance of the level either.
    gas = np.log10(
        [160.1, 129.7, 84.8, 120.1, 160.1, 124.9, 84.8, 116.9, 169.7, 140.9, 89.7, 123.3]
    )
    y = gas.reshape(3, 4).mean(axis=1).repeat(3) + 0.01 * np.array([1, -1, 0] * 3)
    with pm.Model() as model:
        s_level, s_slope = pm.HalfNormal("s_level", 1), pm.HalfNormal("s_slope", 1)
        slope = pm.GaussianRandomWalk(
            "slope", sigma=s_slope, init_dist=pm.Normal.dist(0, 1), shape=8
        )
        level = pm.GaussianRandomWalk(
            "level", mu=slope, sigma=s_level, init_dist=pm.Normal.dist(2, 1), shape=9
        )
        pm.Normal("y", level, pm.HalfNormal("s", 1), observed=y)
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model, progressbar=False)
    assert fit.verdict.status == "boundary"
    assert set(fit.verdict.parameters.values()) == {-1.0}
    fixed = dict.fromkeys(fit.verdict.parameters, 0.0)
    held = pymle.find_MLE(model, fixed=fixed, progressbar=False)
    assert held.loglik == pytest.approx(fit.loglik, abs=1e-6)


def _local_level() -> pm.Model:
    with pm.Model() as model:
        step, noise = pm.HalfNormal("step", 1), pm.HalfNormal("noise", 1)
        level = pm.GaussianRandomWalk("level", sigma=step, init_dist=pm.Normal.dist(0, 2), shape=T)
        pm.Normal("y", level, noise, observed=SEEN)
    return model


def test_the_same_model_written_twice_is_nested_at_the_edge():
    large = pymle.find_MLE(_local_level(), progressbar=False, n_starts=1)
    small = pymle.find_MLE(_local_level(), fixed={"step": 0.0}, progressbar=False, n_starts=1)
    found = large.lr_test(small)
    assert "step = 0 has the log-likelihood of the smaller one" in str(found)
    assert str(round(2 * (large.loglik - small.loglik), 3)) in str(found)
