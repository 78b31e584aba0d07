"""Parameters that the data do not identify, or hardly."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from tests.existence.case import Case, register
from tests.reference import models_hard as hard
from tests.reference.problem import load, values

CASES: dict[str, Case] = {}
FLAT, AWAY, SEVERAL = "flat direction", "no maximum", "several maxima"
rng = np.random.default_rng(607)
GROUP = np.repeat(np.arange(3), [4, 6, 8])
X = np.arange(18.0) % 5
Y = np.array([0.0, 2, -1])[GROUP] + 0.5 * X + np.tile([0.3, -0.4, 0.1, 0.2, -0.2, -0.1], 3)

CASES["one-hot columns beside an intercept"] = Case(
    "one-hot columns beside an intercept",
    "Intercept plus all dummies (InsectSprays): one direction is free.",
    lambda: hard.collinear(load(values()["hard_collinear_onehot"]["data"])),
    (FLAT,),
    ("b0", "b[A]", "b[F]"),
    loglik=values()["hard_collinear_onehot"]["loglik"],
    only_without=("b0", "b[A]", "b[F]"),
)


@register(CASES, "The dummy trap in a linear model.", FLAT, names=("a", "g[0]", "g[2]"))
def dummy_trap() -> None:
    g = pm.Normal("g", 0, 5, shape=3)
    pm.Deterministic("contrast", g[1] - g[0])
    mean = pm.Normal("a", 0, 5) + pt.dot(np.eye(3)[GROUP], g) + pm.Normal("b", 0, 5) * X
    pm.Normal("y", mean, pm.HalfNormal("sigma", 5), observed=Y)


@register(CASES, "The same column twice, in other units.", FLAT, names=("b[0]", "b[1]"))
def duplicated_column() -> None:
    b = pm.Normal("b", 0, 5, shape=2)
    columns = np.column_stack([X, 1000 * X])
    pm.Normal("y", pt.dot(columns, b), pm.HalfNormal("sigma", 5), observed=Y)


@register(CASES, "A constant column beside an intercept.", FLAT, names=("a", "b"))
def constant_column() -> None:
    mean = pm.Normal("a", 0, 5) + pm.Normal("b", 0, 5) * np.full(18, 7.0)
    pm.Normal("y", mean, pm.HalfNormal("sigma", 5), observed=Y)


@register(CASES, "A column of zeros (an empty cell of a design).", FLAT, names=("b[2]",))
def empty_cell() -> None:
    columns = np.column_stack([np.ones(18), X, np.zeros(18)])
    b = pm.Normal("b", 0, 5, shape=3)
    pm.Normal("y", pt.dot(columns, b), pm.HalfNormal("sigma", 5), observed=Y)


@register(CASES, "Age, period and cohort: each is the difference of the others.", FLAT)
def age_period_cohort() -> None:
    age, period = np.arange(18.0) % 6, np.arange(18.0) // 6
    columns = np.column_stack([np.ones(18), age, period, period - age])
    b = pm.Normal("b", 0, 5, shape=4)
    pm.Normal("y", pt.dot(columns, b), pm.HalfNormal("sigma", 5), observed=Y)


@register(
    CASES,
    "More coefficients than rows: the residuals vanish.",
    AWAY,
    FLAT,
    "not converged",
    "higher elsewhere",
)
def more_columns_than_rows() -> None:
    columns = rng.normal(size=(5, 8))
    b = pm.Normal("b", 0, 5, shape=8)
    pm.Normal("y", pt.dot(columns, b), pm.HalfNormal("sigma", 5), observed=np.arange(5.0) ** 2)


@register(CASES, "Only the sum of two parameters enters.", FLAT, names=("a", "b"))
def a_sum() -> None:
    a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
    pm.Deterministic("total", a + b)
    pm.Normal("y", a + b, 1.0, observed=[1.0, 2.0, 4.0])


@register(CASES, "Only the product of two parameters enters.", FLAT, names=("a", "b"))
def a_product() -> None:
    a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
    pm.Deterministic("product", a * b)
    pm.Normal("y", a * b * X, 1.0, observed=Y)


@register(CASES, "A scale times a scale.", FLAT, names=("tau", "lam"))
def scale_times_scale() -> None:
    tau, lam = pm.HalfNormal("tau", 1), pm.HalfNormal("lam", 1)
    pm.Normal("y", 0, tau * lam, observed=Y)


@register(CASES, "Two variances that only enter as their sum.", FLAT, names=("s1", "s2"))
def two_noise_variances() -> None:
    s1, s2 = pm.HalfNormal("s1", 1), pm.HalfNormal("s2", 1)
    pm.Normal("y", pm.Normal("mu", 0, 5), pm.math.sqrt(s1**2 + s2**2), observed=Y)


@register(
    CASES,
    "A random effect with a scale of its own times a second scale.",
    FLAT,
    names=("tau", "lam"),
    slow=True,
)
def random_scale_times_scale() -> None:
    tau, lam = pm.HalfNormal("tau", 1), pm.HalfNormal("lam", 1)
    z = pm.Normal("z", 0, 1, shape=3)
    mean = pm.Normal("mu", 0, 5) + tau * lam * z[GROUP]
    pm.Normal("y", mean, pm.HalfNormal("sigma", 5), observed=Y)


@register(CASES, "A random effect for each single observation beside its noise.", FLAT)
def effect_for_each_row() -> None:
    tau, sigma = pm.HalfNormal("tau", 1), pm.HalfNormal("sigma", 1)
    a = pm.Normal("a", 0, tau, shape=18)
    pm.Normal("y", pm.Normal("mu", 0, 5) + a, sigma, observed=Y)


@register(CASES, "Softmax without a reference category.", FLAT)
def softmax_without_reference() -> None:
    eta = pm.Normal("eta", 0, 5, shape=3)
    pm.Categorical("y", p=pm.math.softmax(eta), observed=GROUP)


@register(CASES, "Bradley-Terry abilities without an anchor.", FLAT, names=("ability[0]",))
def bradley_terry_without_anchor() -> None:
    ability = pm.Normal("ability", 0, 5, shape=3)
    first, second = np.array([0, 1, 2, 0]), np.array([1, 2, 0, 2])
    p = pm.math.sigmoid(ability[first] - ability[second])
    pm.Binomial("y", 10, p, observed=[6, 7, 4, 5])


@register(CASES, "Two factors of four items: loadings turn freely.", FLAT, slow=True)
def two_factors() -> None:
    load_ = np.array([[1.0, 0.2], [0.8, -0.4], [0.3, 0.9], [-0.2, 0.7], [0.6, 0.6]])
    draws = np.random.default_rng(3)
    y = draws.normal(size=(60, 2)) @ load_.T + 0.6 * draws.normal(size=(60, 5))
    loading = pm.Normal("loading", 0, 1, shape=(5, 2))
    psi = pm.HalfNormal("psi", 1, shape=5)
    cov = pt.dot(loading, loading.T) + pt.diag(psi**2)
    pm.MvNormal("y", np.zeros(5), cov=cov, observed=y)


@register(
    CASES,
    "Michaelis-Menten data in the linear range: Vmax and Km grow together.",
    AWAY,
    "higher elsewhere",
)
def michaelis_in_its_linear_range() -> None:
    s = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    vmax, km = pm.HalfNormal("vmax", 10), pm.HalfNormal("km", 10)
    v = np.array([1.0, 2.05, 3.0, 4.1, 5.2])
    pm.Normal("v", vmax * s / (km + s), pm.HalfNormal("sigma", 1), observed=v)


@register(
    CASES,
    "Two decays fitted to one: the two rates meet, and only the sum of the amplitudes is known.",
    FLAT,
    AWAY,
    "boundary",
    "higher elsewhere",
    "local maximum",
    "not converged",
    slow=True,
)
def two_decays_for_one() -> None:
    t = np.linspace(0, 3, 16)
    y = 2 * np.exp(-t) + np.tile([0.01, -0.01, -0.01, 0.01], 4)
    a, k = pm.HalfNormal("a", 5, shape=2), pm.HalfNormal("k", 5, shape=2)
    mean = a[0] * pm.math.exp(-k[0] * t) + a[1] * pm.math.exp(-k[1] * t)
    pm.Normal("y", mean, pm.HalfNormal("sigma", 1), observed=y)


@register(
    CASES,
    "ARMA(1,1) fitted to a sequence without memory: the two coefficients nearly cancel.",
    "maximum",
    FLAT,
    "several maxima",
    "local maximum",
    "boundary",
    slow=True,
)
def nearly_cancelling_arma() -> None:
    e = np.random.default_rng(11).normal(size=40)
    phi, theta = pm.Uniform("phi", -1, 1), pm.Uniform("theta", -1, 1)
    lag = np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
    g0 = (1 + 2 * phi * theta + theta**2) / (1 - phi**2)
    g1 = (1 + phi * theta) * (phi + theta) / (1 - phi**2)
    power = np.maximum(lag - 1, 0)
    inside = pt.sqrt(phi**2 + 1e-300) ** power * pt.sgn(phi) ** power
    cov = pt.where(pt.eq(lag, 0), g0, g1 * inside)
    sigma = pm.HalfNormal("sigma", 1)
    pm.MvNormal("y", np.zeros(40), cov=sigma**2 * cov, observed=e)


@register(
    CASES,
    "A change that is a step: its steepness is infinite, and its place between two times is free.",
    AWAY,
    FLAT,
    names=("steep",),
    only_without=("steep", "at"),
    with_se={"height": 0.04, "sigma": 0.02},  # sqrt(0.008 / 5) and sqrt(0.008 / 20)
)
def step_of_a_logistic_curve() -> None:
    t = np.arange(10.0)
    y = np.repeat([0.0, 3.0], 5) + np.tile([0.1, -0.1, -0.1, 0.1, 0.0], 2)
    steep = pm.HalfNormal("steep", 5)
    mean = pm.Normal("height", 0, 5) * pm.math.sigmoid(steep * (t - pm.Normal("at", 4.5, 1)))
    pm.Normal("y", mean, pm.HalfNormal("sigma", 1), observed=y)


@register(CASES, "A parameter of a regime that no observation visits.", FLAT, names=("high",))
def regime_without_data() -> None:
    low, high = pm.Normal("low", 0, 5), pm.Normal("high", 0, 5)
    pm.Normal("y", pt.where(X > 10, high, low), pm.HalfNormal("sigma", 5), observed=Y)


@register(
    CASES,
    "Factor of one with the sign of its loadings free, identified otherwise: mirrored maxima.",
    "maximum",
)
def one_factor() -> None:
    draws = np.random.default_rng(5)
    y = np.outer(draws.normal(size=40), [1.0, 0.8, 0.6]) + 0.5 * draws.normal(size=(40, 3))
    loading = pm.Normal("loading", 0, 1, shape=3)
    psi = pm.HalfNormal("psi", 1, shape=3)
    cov = pt.outer(loading, loading) + pt.diag(psi**2)
    pm.MvNormal("y", np.zeros(3), cov=cov, observed=y)


@register(
    CASES,
    "Columns that differ by 1e-7: collinear to the eye, not to the arithmetic.",
    "maximum",
    FLAT,
    "not converged",
)
def nearly_collinear() -> None:
    b = pm.Normal("b", 0, 5, shape=2)
    columns = np.column_stack([X, X + 1e-7 * np.cos(np.arange(18.0))])
    pm.Normal("y", pt.dot(columns, b), pm.HalfNormal("sigma", 5), observed=Y)
