"""Likelihoods with several maxima."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from tests.existence.case import Case, register
from tests.reference import models_hard as hard
from tests.reference.problem import load, values

CASES: dict[str, Case] = {}
SEVERAL, LOCAL, FINE = "several maxima", "local maximum", "maximum"
CAUCHY = values()["hard_cauchy_two_obs"]

CASES["two Cauchy observations"] = Case(
    "two Cauchy observations",
    "Two equal maxima that describe different distributions, and a minimum between them.",
    lambda: hard.cauchy(load(CAUCHY["data"])),
    (SEVERAL,),
    loglik=CAUCHY["loglik"],
)
CASES["two Cauchy observations from the minimum"] = Case(
    "two Cauchy observations from the minimum",
    "The same, started at the minimum, where the score is zero.",
    lambda: hard.cauchy(load(CAUCHY["data"])),
    (SEVERAL,),
    arguments={"start": {"theta": 0.0}},
    loglik=CAUCHY["loglik"],
)


@register(CASES, "Five Cauchy observations: five hills of different height.", FINE, LOCAL)
def five_cauchy_observations() -> None:
    pm.Cauchy("y", pm.Normal("mu", 0, 10), 0.1, observed=[-20.0, -5.0, 0.0, 0.3, 15.0])


@register(CASES, "A sign that only enters squared: two equivalent maxima.", FINE)
def only_its_square() -> None:
    pm.Normal("y", pm.Normal("a", 0, 5) ** 2, 1.0, observed=[3.0, 5.0])


@register(CASES, "Exchangeable components, well apart: equivalent maxima.", FINE)
def labels_switch() -> None:
    y = np.concatenate([np.linspace(-5, -3, 12), np.linspace(3, 5, 12)])
    mu = pm.Normal("mu", 0, 5, shape=2)
    pm.NormalMixture("y", [0.5, 0.5], mu, pm.HalfNormal("sigma", 1), observed=y)


@register(CASES, "Started where both components are the same: a saddle.", FINE)
def started_on_a_saddle() -> None:
    y = np.concatenate([np.linspace(-5, -3, 12), np.linspace(3, 5, 12)])
    mu = pm.Normal("mu", 0, 5, shape=2, initval=np.zeros(2))
    pm.NormalMixture("y", [0.5, 0.5], mu, 1.0, observed=y)


@register(CASES, "A frequency: one hill for every half cycle.", FINE, LOCAL)
def a_frequency() -> None:
    t = np.linspace(0, 10, 60)
    y = 2 * np.sin(2 * np.pi * 0.73 * t + 0.4) + np.tile([0.3, -0.3, -0.2, 0.2], 15)
    f = pm.Uniform("f", 0, 3)
    wave = pt.sin(2 * np.pi * f * t), pt.cos(2 * np.pi * f * t)
    mean = pm.Normal("a", 0, 5) * wave[0] + pm.Normal("b", 0, 5) * wave[1]
    pm.Normal("y", mean, pm.HalfNormal("sigma", 1), observed=y)


@register(CASES, "Two parameter values for one distribution, and a start between them.", FINE)
def symmetric_double_well() -> None:
    a = pm.Normal("a", 0, 5)
    pm.Normal("y", (a - 1) * (a + 2), 1.0, observed=[0.0])
    pm.Normal("z", (a + 0.5) ** 2, 1.0, observed=[2.0])


@register(CASES, "A low wide hill near the start, a high narrow one far from it.", FINE, LOCAL)
def a_needle_far_away() -> None:
    a = pm.Normal("a", 0, 5)
    bump = pt.logaddexp(-0.5 * a**2, 3.0 - 0.5 * ((a - 30) / 0.05) ** 2)
    pm.Potential("loglik", bump)


@register(CASES, "A hidden layer of two units: permuted and mirrored maxima.", FINE, slow=True)
def hidden_units() -> None:
    x = np.linspace(-3, 3, 40)
    y = 2 * np.tanh(1.5 * x - 1) - 1.0 * np.tanh(0.7 * x + 2) + np.tile([0.1, -0.1], 20)
    w, c, v = (pm.Normal(n, 0, 1, shape=2) for n in "wcv")
    mean = pt.dot(pt.tanh(x[:, None] * w + c), v)
    pm.Normal("y", mean, pm.HalfNormal("sigma", 1), observed=y)


@register(CASES, "Three components for two clusters.", FINE, LOCAL, "flat direction", "no maximum",
          "boundary", "higher elsewhere", slow=True)  # fmt: skip
def one_component_too_many() -> None:
    y = np.concatenate([np.linspace(-5, -3, 12), np.linspace(3, 5, 12)])
    mu = pm.Normal("mu", 0, 5, shape=3)
    w = pm.Dirichlet("w", np.ones(3))
    pm.NormalMixture("y", w, mu, pm.HalfNormal("sigma", 1), observed=y)


@register(CASES, "A correlation with two maxima of one height.", SEVERAL)
def bimodal_correlation() -> None:
    rho = pm.Uniform("rho", -1, 1)
    cov = pt.stack([pt.stack([1.0, rho]), pt.stack([rho, 1.0])])
    y = 0.5 * np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    pm.MvNormal("y", np.zeros(2), cov=cov, observed=y)
