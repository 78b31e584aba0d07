"""Random models with random defects, each with its log-density written a second time.

The second writing uses NumPy and SciPy alone, and SciPy's optimisers climb it: what is certified
has to be a maximum for them too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy import optimize, special, stats

import pymle

FAMILIES = (
    "normal", "student", "logit", "probit", "cloglog", "poisson", "negative binomial", "gamma",
    "weibull", "beta", "random intercept", "mixture",
)  # fmt: skip
DEFECTS = (
    "none", "few rows", "constant column", "zero column", "duplicated column", "separation",
    "one outcome", "huge column", "tiny column", "huge outcome", "two outcomes",
)  # fmt: skip
AUXILIARIES = ("half normal", "exponential", "log normal", "gamma", "uniform")
COEFFICIENTS = ("normal", "flat", "student", "laplace")
#: Where the uniform prior of an auxiliary parameter ends.
TOP = 50.0
HAS_AUXILIARY = frozenset(FAMILIES) - {"logit", "probit", "cloglog", "poisson"}
BINARY = frozenset({"logit", "probit", "cloglog"})
POSITIVE = frozenset({"gamma", "weibull"})
COUNTS = frozenset({"poisson", "negative binomial"})


@dataclass(frozen=True)
class Recipe:
    """What a model is composed of."""

    family: str
    defect: str
    auxiliary: str
    coefficients: str
    rows: int
    columns: int
    seed: int

    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Design matrix, outcome, and group of each row."""
        rng = np.random.default_rng(self.seed)
        n = 4 if self.defect == "few rows" else self.rows
        X = np.column_stack([np.ones(n), rng.normal(size=(n, self.columns))])
        last = X[:, -1]
        if self.defect == "constant column":
            last[:] = 3.0
        elif self.defect == "zero column":
            last[:] = 0.0
        elif self.defect == "duplicated column":
            X = np.column_stack([X, 2.0 * last])
        group = np.arange(n) % 4
        eta = X @ rng.normal(scale=0.6, size=X.shape[1])
        y = self._outcome(rng, eta, last, group)
        X[:, -1] *= {"huge column": 1e5, "tiny column": 1e-5}.get(self.defect, 1.0)
        return X, y, group

    def _outcome(
        self, rng: np.random.Generator, eta: np.ndarray, last: np.ndarray, group: np.ndarray
    ) -> np.ndarray:
        n = len(eta)
        if self.family in BINARY:
            y = rng.binomial(1, special.expit(eta)).astype(float)
            if self.defect == "separation":
                y = (last > np.median(last)).astype(float)
        elif self.family in COUNTS:
            y = rng.poisson(np.exp(eta) * rng.gamma(2.0, 0.5, size=n)).astype(float)
            if self.defect == "separation":
                y = np.where(last > np.median(last), 0.0, y)
        elif self.family in POSITIVE:
            y = np.exp(eta) * rng.gamma(2.0, 0.5, size=n)
        elif self.family == "beta":
            y = np.clip(rng.beta(2.0, 3.0, size=n), 1e-4, 1 - 1e-4)
        elif self.family == "mixture":
            y = np.where(rng.random(n) < 0.5, -2.0, 2.0) + rng.normal(size=n)
        else:
            y = eta + rng.normal(size=4)[group] + rng.normal(size=n)
        if self.defect == "one outcome":
            y = np.full(n, 0.5 if self.family == "beta" else 1.0)
        if self.defect == "two outcomes" and self.family not in BINARY | {"beta"}:
            y = np.where(np.arange(n) % 2, 2.0, 5.0)
        if self.defect == "huge outcome" and self.family not in BINARY | COUNTS | {"beta"}:
            y = 1e6 * y
        return y

    def model(self) -> pm.Model:
        """As a PyMC user would write it."""
        X, y, group = self.data()
        with pm.Model() as model:
            prior = {
                "normal": lambda **k: pm.Normal("beta", 0, 5, **k),
                "flat": lambda **k: pm.Flat("beta", **k),
                "student": lambda **k: pm.StudentT("beta", nu=3, mu=0, sigma=2, **k),
                "laplace": lambda **k: pm.Laplace("beta", 0, 2, **k),
            }[self.coefficients]
            aux = None
            if self.family in HAS_AUXILIARY:
                aux = {
                    "half normal": lambda: pm.HalfNormal("aux", 3),
                    "exponential": lambda: pm.Exponential("aux", 1),
                    "log normal": lambda: pm.LogNormal("aux", 0, 1),
                    "gamma": lambda: pm.Gamma("aux", 2, 1),
                    "uniform": lambda: pm.Uniform("aux", 0, TOP),
                }[self.auxiliary]()
            if self.family == "mixture":
                beta = prior(shape=2, initval=np.array([-1.0, 1.0]))
                pm.NormalMixture("y", np.array([0.5, 0.5]), beta, aux, observed=y)
                return model
            eta = pt.dot(X, prior(shape=X.shape[1], initval=np.zeros(X.shape[1])))
            whole = y.astype(int)
            if self.family == "normal":
                pm.Normal("y", eta, aux, observed=y)
            elif self.family == "student":
                pm.StudentT("y", nu=4.0, mu=eta, sigma=aux, observed=y)
            elif self.family == "logit":
                pm.Bernoulli("y", logit_p=eta, observed=whole)
            elif self.family == "probit":
                pm.Bernoulli("y", pm.math.invprobit(eta), observed=whole)
            elif self.family == "cloglog":
                pm.Bernoulli("y", 1 - pm.math.exp(-pm.math.exp(eta)), observed=whole)
            elif self.family == "poisson":
                pm.Poisson("y", pm.math.exp(eta), observed=whole)
            elif self.family == "negative binomial":
                pm.NegativeBinomial("y", mu=pm.math.exp(eta), alpha=aux, observed=whole)
            elif self.family == "gamma":
                pm.Gamma("y", aux, aux / pm.math.exp(eta), observed=y)
            elif self.family == "weibull":
                pm.Weibull("y", aux, pm.math.exp(eta), observed=y)
            elif self.family == "beta":
                mean = pm.math.sigmoid(eta)
                pm.Beta("y", mean * aux, (1 - mean) * aux, observed=y)
            else:
                effect = pm.Normal("effect", 0, aux, shape=4)
                pm.Normal("y", eta + effect[group], 1.0, observed=y)
        return model

    def log_density(self) -> Callable[[np.ndarray], float]:
        """Of ``[beta, log(aux)]``, by NumPy and SciPy."""
        X, y, group = self.data()
        family = self.family

        def value(theta: np.ndarray) -> float:
            with np.errstate(all="ignore"):
                aux = float(np.exp(theta[-1])) if family in HAS_AUXILIARY else 1.0
                if self.auxiliary == "uniform" and aux > TOP:
                    return -np.inf
                beta = theta[:-1] if family in HAS_AUXILIARY else theta
                if family == "mixture":
                    parts = stats.norm.logpdf(y[:, None], beta[None, :], aux)
                    found = np.sum(special.logsumexp(parts + np.log(0.5), axis=1))
                else:
                    eta = X @ beta
                    found = _density(family, y, eta, aux, group)
            return float(found) if np.isfinite(found) else -np.inf

        return value

    def coordinates(self, point: dict[str, np.ndarray]) -> np.ndarray:
        """The estimate as the second writing takes it."""
        parts = [np.atleast_1d(point["beta"]).astype(float)]
        if self.family in HAS_AUXILIARY:
            with np.errstate(divide="ignore"):
                parts.append(np.log(np.atleast_1d(point["aux"])))
        return np.concatenate(parts)


def _density(
    family: str, y: np.ndarray, eta: np.ndarray, aux: float, group: np.ndarray
) -> np.floating:
    mu = np.exp(eta)
    if family == "normal":
        terms = stats.norm.logpdf(y, eta, aux)
    elif family == "student":
        terms = stats.t.logpdf(y, 4.0, eta, aux)
    elif family == "logit":
        terms = -np.logaddexp(0.0, np.where(y > 0, -eta, eta))
    elif family == "probit":
        terms = special.log_ndtr(np.where(y > 0, eta, -eta))
    elif family == "cloglog":
        terms = np.where(y > 0, np.log(-np.expm1(-mu)), -mu)
    elif family == "poisson":
        terms = special.xlogy(y, mu) - mu - special.gammaln(y + 1)
    elif family == "negative binomial":
        terms = stats.nbinom.logpmf(y, aux, aux / (aux + mu))
    elif family == "gamma":
        terms = stats.gamma.logpdf(y, aux, scale=mu / aux)
    elif family == "weibull":
        terms = stats.weibull_min.logpdf(y, aux, scale=mu)
    elif family == "beta":
        p = special.expit(eta)
        terms = stats.beta.logpdf(y, p * aux, (1 - p) * aux)
    else:
        # Within a group of m rows the covariance is I + aux^2 J: its inverse and determinant.
        found = 0.0
        for each in np.unique(group):
            rest = (y - eta)[group == each]
            m, mean = len(rest), np.mean(rest)
            size = 1.0 + m * aux**2
            square = np.sum((rest - mean) ** 2) + m * mean**2 / size
            found -= 0.5 * (square + np.log(size) + m * np.log(2 * np.pi))
        return np.float64(found)
    return np.sum(terms)


def check(recipe: Recipe) -> str:
    """Fit, and hold a certificate against SciPy's optimisers.

    Parameters
    ----------
    recipe : Recipe

    Returns
    -------
    str
        The status.
    """
    model = recipe.model()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = pymle.find_MLE(model, progressbar=False)
    verdict = fit.verdict
    if not verdict.ok:
        assert any(w.category is pymle.NotCertifiedWarning for w in caught), "silent"
        assert verdict.advice
        return str(verdict.status)
    value = recipe.log_density()
    here = recipe.coordinates(fit.point)
    top = value(here)
    assert abs(top - fit.loglik) <= 1e-6 * (1 + abs(top)), ("log-likelihood", top, fit.loglik)
    se = fit.summary()["se"].to_numpy()
    assert np.all(np.isfinite(se)), "a certificate without standard errors"
    assert np.all(se > 0)
    highest = max(_climb(value, start) for start in _starts(recipe, here))
    assert highest <= top + 1e-4 + 1e-8 * abs(top), ("higher", highest, top)
    _falls_on_all_sides(value, here, _steps(recipe, fit), top)
    return str(verdict.status)


def _starts(recipe: Recipe, here: np.ndarray) -> list[np.ndarray]:
    """The estimate, points around it on several scales, and the origin."""
    rng = np.random.default_rng(recipe.seed + 1)
    size = np.maximum(np.abs(here), 1e-3)
    around = [here + s * size * rng.normal(size=len(here)) for s in (0.1, 0.5, 1.0)]
    return [here, np.zeros(len(here)), *around]


def _climb(value: Callable[[np.ndarray], float], start: np.ndarray) -> float:
    """Highest value that SciPy reaches from a start."""

    def cost(theta: np.ndarray) -> float:
        found = -value(theta)
        return found if np.isfinite(found) else 1e12

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        first = optimize.minimize(cost, start, method="BFGS")
        options = {"maxiter": 400 * len(start), "xatol": 1e-9, "fatol": 1e-9}
        second = optimize.minimize(cost, first.x, method="Nelder-Mead", options=options)
    return -float(min(cost(start), first.fun, second.fun))


def _steps(recipe: Recipe, fit: pymle.Fit) -> np.ndarray:
    """Standard errors in the order and on the scale of the second writing."""
    table = fit.summary()
    out = [row["se"] for label, row in table.iterrows() if str(label).startswith("beta")]
    if recipe.family in HAS_AUXILIARY:
        out.append(table.loc["aux", "se"] / table.loc["aux", "estimate"])
    return np.array(out, dtype=float)


def _falls_on_all_sides(
    value: Callable[[np.ndarray], float], here: np.ndarray, se: np.ndarray, top: float
) -> None:
    """A third of a standard error along a coordinate lowers the log-likelihood."""
    for i in range(len(here)):
        for side in (-0.3, 0.3):
            there = here.copy()
            there[i] += side * se[i]
            assert value(there) <= top - 1e-5, ("flat along a coordinate", i, side)
