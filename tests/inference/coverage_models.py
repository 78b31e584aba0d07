"""The models of the coverage study: how their data are drawn, and what is true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pymc as pm

DOSES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
PER_DOSE = 4
TIMES = np.linspace(0.0, 3.0, 12)
SHARES = np.array([0.1, 0.3, 0.6])
CENSORED_AT = 1.2


@dataclass(frozen=True)
class Case:
    """A model, a way to draw its data, and the values that its limits should cover."""

    model: Callable[[np.ndarray], pm.Model]
    draw: Callable[[np.random.Generator], np.ndarray]
    truth: dict[str, float]

    @property
    def names(self) -> list[str]:
        """The variables of the labels."""
        return list(dict.fromkeys(label.split("[")[0] for label in self.truth))


def _normal(y):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=pm.Data("data", y))
    return model


def _exponential(y):
    with pm.Model() as model:
        pm.Exponential("y", pm.HalfNormal("rate", 5), observed=pm.Data("data", y))
    return model


def _binomial(y):
    with pm.Model() as model:
        pm.Binomial("y", 20, pm.Beta("p", 1, 1), observed=pm.Data("data", y))
    return model


def _poisson(y):
    with pm.Model() as model:
        pm.Poisson("y", pm.HalfNormal("mean", 5), observed=pm.Data("data", y))
    return model


GROUP = np.repeat([0.0, 1.0], 5)


def _two_poissons(y):
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 10), pm.Normal("b", 0, 10)
        pm.Poisson("y", pm.math.exp(a + b * GROUP), observed=pm.Data("data", y))
    return model


def _logistic(y):
    x = np.repeat(DOSES, PER_DOSE)
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 10), pm.Normal("b", 0, 10)
        pm.Bernoulli("y", logit_p=a + b * x, observed=pm.Data("data", y))
    return model


def _negative_binomial(y):
    with pm.Model() as model:
        mu, alpha = pm.HalfNormal("mu", 10), pm.HalfNormal("alpha", 10)
        pm.NegativeBinomial("y", mu=mu, alpha=alpha, observed=pm.Data("data", y))
    return model


def _weibull(y):
    with pm.Model() as model:
        alpha, beta = pm.HalfNormal("alpha", 5), pm.HalfNormal("beta", 5)
        lifetime = pm.Weibull.dist(alpha, beta)
        pm.Censored("y", lifetime, None, CENSORED_AT, observed=pm.Data("data", y))
    return model


def _correlation(y):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10, shape=2)
        sd = pm.HalfNormal("sd", 5, shape=2)
        rho = pm.Uniform("rho", -1, 1)
        across = rho * sd[0] * sd[1]
        rows = [pm.math.stack([sd[0] ** 2, across]), pm.math.stack([across, sd[1] ** 2])]
        pm.MvNormal("y", mu, cov=pm.math.stack(rows), observed=pm.Data("data", y))
    return model


def _simplex(y):
    with pm.Model() as model:
        pm.Multinomial("y", 30, pm.Dirichlet("p", np.ones(3)), observed=pm.Data("data", y))
    return model


def _mixture(y):
    """Draws from a known normal distribution, and a share from one with another mean."""
    with pm.Model() as model:
        share, mu = pm.Beta("share", 1, 1), pm.Normal("mu", 0, 10)
        weights = pm.math.stack([1.0 - share, share])
        means = pm.math.stack([0.0, mu])
        pm.NormalMixture("y", weights, means, 1.0, observed=pm.Data("data", y))
    return model


def _decay(y):
    with pm.Model() as model:
        a, k, sigma = pm.Normal("a", 1, 10), pm.HalfNormal("k", 5), pm.HalfNormal("sigma", 5)
        pm.Normal("y", a * pm.math.exp(-k * TIMES), sigma, observed=pm.Data("data", y))
    return model


def _logistic_draw(rng):
    p = 1.0 / (1.0 + np.exp(-0.8 * np.repeat(DOSES, PER_DOSE)))
    return (rng.random(len(p)) < p).astype(int)


def _correlated(rng):
    root = np.linalg.cholesky([[1.0, 0.5], [0.5, 1.0]])
    return rng.normal(size=(20, 2)) @ root.T


CASES: dict[str, Case] = {
    "normal, n = 8": Case(_normal, lambda rng: rng.normal(size=8), {"mu": 0.0, "sigma": 1.0}),
    "exponential, n = 10": Case(_exponential, lambda rng: rng.exponential(size=10), {"rate": 1.0}),
    "binomial, 20 trials": Case(
        _binomial, lambda rng: np.asarray(rng.binomial(20, 0.2)), {"p": 0.2}
    ),
    "Poisson, n = 10": Case(_poisson, lambda rng: rng.poisson(0.5, size=10), {"mean": 0.5}),
    "Poisson regression, n = 10": Case(
        _two_poissons, lambda rng: rng.poisson(0.6 * 2.0**GROUP), {"b": float(np.log(2.0))}
    ),
    "logistic regression, n = 20": Case(_logistic, _logistic_draw, {"b": 0.8}),
    "negative binomial, n = 30": Case(
        _negative_binomial,
        lambda rng: rng.negative_binomial(2.0, 2.0 / (2.0 + 4.0), size=30),
        {"mu": 4.0, "alpha": 2.0},
    ),
    "Weibull, censored, n = 25": Case(
        _weibull,
        lambda rng: np.minimum(rng.weibull(1.5, size=25), CENSORED_AT),
        {"alpha": 1.5, "beta": 1.0},
    ),
    "correlation, n = 20": Case(_correlation, _correlated, {"rho": 0.5}),
    "simplex, n = 30": Case(
        _simplex,
        lambda rng: rng.multinomial(30, SHARES),
        {f"p[{i}]": float(share) for i, share in enumerate(SHARES)},
    ),
    "mixture, n = 60": Case(
        _mixture,
        lambda rng: rng.normal(size=60) + 3.0 * (rng.random(60) < 0.4),
        {"share": 0.4, "mu": 3.0},
    ),
    "exponential decay, n = 12": Case(
        _decay, lambda rng: 2.0 * np.exp(-0.7 * TIMES) + 0.2 * rng.normal(size=12), {"k": 0.7}
    ),
}
