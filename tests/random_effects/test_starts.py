"""Marginal fits from impossible initial points, and what is said at an edge."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest

import pymle

# McGilchrist and Aisbett (1991), doi:10.2307/2532138: the first eight patients, two catheters each.
TIME = np.array([[8, 16], [23, 13], [22, 28], [447, 318], [30, 12], [24, 245], [7, 9], [511, 30]])
SEEN = np.array([[1, 1], [1, 0], [1, 1], [1, 1], [1, 1], [1, 1], [1, 1], [1, 1]], dtype=bool)


def test_shape_that_begins_at_a_thousand():
    """BUGS writes the shape of its Weibull models as Gamma(1, 0.001): PyMC begins at the mean."""
    with pm.Model() as model:
        r = pm.Gamma("r", 1, 1e-3)
        b = pm.Normal("b", 0, pm.HalfNormal("sigma", 1), shape=(8, 1))
        scale = pm.math.exp(-(pm.Normal("alpha", 0, 100) + b) / r)
        law = pm.Weibull.dist(alpha=r, beta=scale)
        upper = np.where(SEEN, np.inf, TIME)
        pm.Censored("t", law, lower=None, upper=upper, observed=TIME.astype(float))
    assert float(model.initial_point()["r_log__"]) == pytest.approx(np.log(1000))
    likelihood = pymle.compile(model)
    fit, again = likelihood.fit(), likelihood.fit(start={"r": 1.0, "alpha": -4.0})
    assert fit.verdict.ok
    assert fit.loglik == pytest.approx(again.loglik, abs=1e-8)


def test_edge_by_laplace_names_quadrature():
    """Two-sided groups of two trials: no more variation between groups than chance."""
    with pm.Model() as model:
        b = pm.Normal("b", pm.Normal("mu", 0, 2), pm.HalfNormal("tau", 1), shape=6)
        pm.Binomial("y", 2, logit_p=b, observed=[1, 1, 0, 2, 1, 1])
    with pytest.warns(pymle.NotCertifiedWarning, match="compare with `quadrature=7`"):
        pymle.find_MLE(model, progressbar=False)
