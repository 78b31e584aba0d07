"""Ranges that derived quantities cannot leave, and the limits that follow."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymle
from pymle.model.ranges import range_of

POSITIVE, UNIT, UNKNOWN = (0.0, np.inf), (0.0, 1.0), (-np.inf, np.inf)

with pm.Model() as MODEL:
    TAU = pm.Gamma("tau", 1, 1, shape=3)
    A, S = pm.Normal("a"), pm.HalfNormal("s")
    P, W = pm.Beta("p", 1, 1), pm.Dirichlet("w", np.ones(3))
    U = pm.Uniform("u", 0.5, 2.0)

CASES = {
    "one over a root": (1 / pm.math.sqrt(TAU), POSITIVE),
    "a power": (TAU**-0.5, POSITIVE),
    "an even power": ((A - 1) ** 2, POSITIVE),
    "an odd power": ((A - 1) ** 3, UNKNOWN),
    "a product": (S * TAU, POSITIVE),
    "a product with a coefficient": (A * S, UNKNOWN),
    "a sum": (TAU.sum() + S, POSITIVE),
    "a difference": (S - P, UNKNOWN),
    "a Weibull median": ((np.log(2) * pm.math.exp(-A)) ** (1 / S), POSITIVE),
    "a share": (TAU[0] / (TAU[0] + S), UNIT),
    "a logistic function by hand": (1 / (1 + pm.math.exp(-A)), UNIT),
    "a quotient": (U / S, POSITIVE),
    "what is left of one": (1 - P, UNIT),
    "a product of probabilities": (W[0] * P * (1 - P), UNIT),
    "odds": (P / (1 - P), POSITIVE),
    "cumulated probabilities": (pt.cumsum(pm.math.sigmoid(A) + pt.zeros(3)), POSITIVE),
    "entries that are set": (pt.set_subtensor(TAU[0], A), UNKNOWN),
    "entries that are filled": (pt.set_subtensor(pt.zeros(3)[1:], TAU[:2]), POSITIVE),
    "joined": (pt.concatenate([[0.0], TAU]), POSITIVE),
    "a logarithm": (pt.log(TAU), UNKNOWN),
}


@pytest.mark.parametrize("name", list(CASES))
def test_ranges(name: str):
    graph, wanted = CASES[name]
    assert range_of(graph, MODEL) == wanted


def test_limits_of_a_scale_from_its_precision():
    """The same limits as where the scale itself is declared, by the delta method on its log."""
    y = np.array([1.3, 0.2, 2.4, 1.1, 3.2, 0.4])
    with pm.Model() as precise:
        tau = pm.Gamma("tau", 1, 1)
        pm.Deterministic("sigma", 1 / pm.math.sqrt(tau))
        pm.Normal("y", pm.Normal("mu", 0, 10), tau=tau, observed=y)
    with pm.Model() as scaled:
        pm.Normal("y", pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5), observed=y)
    found, wanted = (pymle.find_MLE(m, progressbar=False).conf_int() for m in (precise, scaled))
    limits = ["lower", "upper"]
    np.testing.assert_allclose(
        found.loc["sigma", limits].astype(float), wanted.loc["sigma", limits].astype(float), 1e-8
    )
