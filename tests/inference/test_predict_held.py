"""Prediction limits where some parameters have no standard error: those are held."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest

import pymle
from pymle.errors import AnalysisError

GROUP = np.repeat([0, 1, 2], 4)
Y = np.array([1.3, 0.2, 2.4, 1.1, 3.2, 0.4, 2.2, 2.9, 4.1, 3.3, 2.7, 3.8])
LIMITS = ["prediction_lower", "prediction_upper"]


def _means(*, trap: bool):
    with pm.Model() as model:
        mean = pm.Normal("b", 0, 10, shape=3)[GROUP]
        if trap:
            mean = mean + pm.Normal("a", 0, 10)
        pm.Normal("y", mean, pm.HalfNormal("sigma", 5), observed=Y)
    return pymle.find_MLE(model, progressbar=False)


def test_flat_directions_do_not_matter_for_what_is_identified():
    with pytest.warns(pymle.NotCertifiedWarning):
        flat = _means(trap=True)
    found, wanted = flat.predict(), _means(trap=False).predict()
    exact = ["estimate", "se", "lower", "upper"]
    np.testing.assert_allclose(found.table[exact], wanted.table[exact], rtol=1e-5)
    # Limits of new observations are simulated: 2000 draws each.
    np.testing.assert_allclose(found.table[LIMITS], wanted.table[LIMITS], atol=0.1)
    assert any("held at the estimate" in note for note in found.notes)
    assert not any("held at the estimate" in note for note in wanted.notes)


def test_scale_of_groups_at_zero():
    """Eight schools: Rubin (1981), doi:10.3102/10769986006004377; the mode has no variation."""
    y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    se = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    with pm.Model() as schools:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        pm.Normal("y", pm.Normal("theta", mu, tau, shape=8), se, observed=y)
    with pytest.warns(pymle.NotCertifiedWarning, match="boundary"):
        fit = pymle.find_MLE(schools, progressbar=False)
    table = fit.predict().table
    mean, error = np.average(y, weights=se**-2), np.sum(se**-2) ** -0.5
    np.testing.assert_allclose(table["estimate"], mean, rtol=1e-6)
    np.testing.assert_allclose(table["se"], error, rtol=1e-4)
    effects = fit.random_effects().table
    np.testing.assert_allclose(effects["mode"], mean, rtol=1e-6)
    np.testing.assert_allclose(effects["se"], error, rtol=1e-4)
    half = 1.959964 * np.sqrt(se**2 + error**2)
    np.testing.assert_allclose(table["prediction_lower"], mean - half, atol=0.05 * half.max())
    np.testing.assert_allclose(table["prediction_upper"], mean + half, atol=0.05 * half.max())


def test_effects_that_are_scaled_by_zero():
    """They have their own law: nothing is known about them."""
    with pm.Model() as schools:
        z = pm.Normal("z", 0, 1, shape=8)
        mean = pm.Normal("mu", 0, 5) + pm.HalfCauchy("tau", 5) * z
        pm.Normal(
            "y", mean, [15.0, 10, 16, 11, 9, 11, 10, 18], observed=[28, 8, -3, 7, -1, 1, 18, 12]
        )
    with pytest.warns(pymle.NotCertifiedWarning, match="boundary"):
        effects = pymle.find_MLE(schools, progressbar=False).random_effects().table
    np.testing.assert_allclose(effects["mode"], 0.0, atol=1e-4)
    np.testing.assert_allclose(effects["se"], 1.0, rtol=1e-4)


def test_without_observed_variables():
    with pm.Model() as model:
        pm.Potential("likelihood", -((pm.Normal("mu", 0, 5) - Y) ** 2).sum())
    with pytest.raises(AnalysisError, match="no observed variable"):
        pymle.find_MLE(model, progressbar=False).predict()
