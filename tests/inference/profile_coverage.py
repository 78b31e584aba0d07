"""Simulated coverage of Wald, profile and auto limits: the study behind the threshold of "auto".

    python -m tests.inference.profile_coverage [data sets per model] [model ...]

For each data set the limits of every parameter by Wald and by profile likelihood, and the measure
that "auto" decides by, are computed once, so that every threshold can be looked at.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm

import pymle
from pymle.inference.profile import follow

THRESHOLDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Case:
    """A model with its truth and a way to draw its data."""

    model: Callable[[np.random.Generator], pm.Model]
    draw: Callable[[np.random.Generator], dict[str, np.ndarray]]
    truth: dict[str, float]


def normal(n: int) -> Case:
    def model(rng):
        with pm.Model() as m:
            mu, sigma = pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5)
            pm.Normal("y", mu, sigma, observed=pm.Data("data", rng.normal(size=n)))
        return m

    return Case(model, lambda rng: {"data": rng.normal(size=n)}, {"mu": 0.0, "sigma": 1.0})


def binomial(n: int, p: float) -> Case:
    def model(rng):
        with pm.Model() as m:
            pm.Binomial("y", n, pm.Beta("p", 1, 1), observed=pm.Data("data", n // 2))
        return m

    return Case(model, lambda rng: {"data": np.asarray(rng.binomial(n, p))}, {"p": p})


def exponential(n: int) -> Case:
    def model(rng):
        with pm.Model() as m:
            pm.Exponential(
                "y", pm.HalfNormal("rate", 5), observed=pm.Data("data", rng.exponential(size=n))
            )
        return m

    return Case(model, lambda rng: {"data": rng.exponential(size=n)}, {"rate": 1.0})


def gamma(n: int) -> Case:
    def model(rng):
        with pm.Model() as m:
            a, b = pm.HalfNormal("a", 5), pm.HalfNormal("b", 5)
            pm.Gamma("y", a, b, observed=pm.Data("data", rng.gamma(2.0, size=n)))
        return m

    return Case(model, lambda rng: {"data": rng.gamma(2.0, size=n)}, {"a": 2.0, "b": 1.0})


def logistic(n: int) -> Case:
    x = np.linspace(-2, 2, n)
    p = 1 / (1 + np.exp(-(0.5 + x)))

    def model(rng):
        with pm.Model() as m:
            a, b = pm.Normal("a", 0, 10), pm.Normal("b", 0, 10)
            data = pm.Data("data", (rng.random(n) < p).astype(int))
            pm.Bernoulli("y", logit_p=a + b * x, observed=data)
        return m

    return Case(model, lambda rng: {"data": (rng.random(n) < p).astype(int)}, {"a": 0.5, "b": 1.0})


def poisson(n: int) -> Case:
    x = np.linspace(-1, 1, n)
    rate = np.exp(0.3 + 0.8 * x)

    def model(rng):
        with pm.Model() as m:
            a, b = pm.Normal("a", 0, 10), pm.Normal("b", 0, 10)
            pm.Poisson("y", pm.math.exp(a + b * x), observed=pm.Data("data", rng.poisson(rate)))
        return m

    return Case(model, lambda rng: {"data": rng.poisson(rate)}, {"a": 0.3, "b": 0.8})


def negative_binomial(n: int) -> Case:
    def draw(rng):
        return {"data": rng.negative_binomial(2.0, 2.0 / (2.0 + 4.0), size=n)}

    def model(rng):
        with pm.Model() as m:
            mu, alpha = pm.HalfNormal("mu", 10), pm.HalfNormal("alpha", 10)
            pm.NegativeBinomial("y", mu=mu, alpha=alpha, observed=pm.Data("data", **_v(draw(rng))))
        return m

    return Case(model, draw, {"mu": 4.0, "alpha": 2.0})


def weibull(n: int) -> Case:
    """With a third of the times censored at 1.2."""

    def draw(rng):
        return {"data": np.minimum(rng.weibull(1.5, size=n), 1.2)}

    def model(rng):
        with pm.Model() as m:
            alpha, beta = pm.HalfNormal("alpha", 5), pm.HalfNormal("beta", 5)
            lifetime = pm.Weibull.dist(alpha, beta)
            pm.Censored(
                "y", lifetime, lower=None, upper=1.2, observed=pm.Data("data", **_v(draw(rng)))
            )
        return m

    return Case(model, draw, {"alpha": 1.5, "beta": 1.0})


def correlation(n: int) -> Case:
    root = np.linalg.cholesky([[1, 0.5], [0.5, 1]])

    def draw(rng):
        return {"data": rng.normal(size=(n, 2)) @ root.T}

    def model(rng):
        with pm.Model() as m:
            rho = pm.Uniform("rho", -1, 1)
            cov = pm.math.stack([pm.math.stack([1.0, rho]), pm.math.stack([rho, 1.0])])
            pm.MvNormal("y", np.zeros(2), cov=cov, observed=pm.Data("data", **_v(draw(rng))))
        return m

    return Case(model, draw, {"rho": 0.5})


def decay(n: int) -> Case:
    t = np.linspace(0, 3, n)

    def draw(rng):
        return {"data": 2.0 * np.exp(-0.7 * t) + 0.2 * rng.normal(size=n)}

    def model(rng):
        with pm.Model() as m:
            a, k = pm.Normal("a", 1, 10), pm.HalfNormal("k", 5)
            sigma = pm.HalfNormal("sigma", 5)
            pm.Normal(
                "y", a * pm.math.exp(-k * t), sigma, observed=pm.Data("data", **_v(draw(rng)))
            )
        return m

    return Case(model, draw, {"a": 2.0, "k": 0.7, "sigma": 0.2})


def simplex(n: int) -> Case:
    shares = np.array([0.1, 0.3, 0.6])

    def model(rng):
        with pm.Model() as m:
            p = pm.Dirichlet("p", np.ones(3))
            pm.Multinomial("y", n, p, observed=pm.Data("data", rng.multinomial(n, shares)))
        return m

    truth = {f"p[{i}]": float(v) for i, v in enumerate(shares)}
    return Case(model, lambda rng: {"data": rng.multinomial(n, shares)}, truth)


def _v(drawn: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"value": drawn["data"]}


CASES: dict[str, Case] = {
    "normal n=8": normal(8),
    "normal n=200": normal(200),
    "binomial n=20 p=0.3": binomial(20, 0.3),
    "binomial n=50 p=0.05": binomial(50, 0.05),
    "exponential n=5": exponential(5),
    "gamma n=15": gamma(15),
    "logistic n=30": logistic(30),
    "logistic n=200": logistic(200),
    "poisson n=10": poisson(10),
    "negative binomial n=40": negative_binomial(40),
    "weibull n=25, censored": weibull(25),
    "correlation n=10": correlation(10),
    "decay n=12": decay(12),
    "simplex n=30": simplex(30),
}


def simulate(case: Case, count: int, seed: int = 1) -> dict[str, np.ndarray]:
    """For each parameter rows of (wald covers, profile covers, measure), one a data set."""
    rng = np.random.default_rng(seed)
    compiled = pymle.compile(case.model(rng), n_starts=1)
    labels = list(case.truth)
    rows: dict[str, list[Any]] = {label: [] for label in labels}
    enough = follow.ENOUGH
    follow.ENOUGH = -1.0  # profile limits of every row
    try:
        for _ in range(count):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fit = compiled.fit(data=case.draw(rng), progressbar=False)
                wald = fit.conf_int()
                profile = fit.conf_int(method="auto", progressbar=False)
            for label, true in case.truth.items():
                w, p = wald.loc[label], profile.loc[label]
                rows[label].append(
                    (
                        float(w["lower"] <= true <= w["upper"]),
                        float(p["lower"] <= true <= p["upper"]),
                        float(p["nonquadratic"]),
                    )
                )
    finally:
        follow.ENOUGH = enough
    return {label: np.array(rows[label]) for label in labels}


def report(name: str, found: dict[str, np.ndarray]) -> Iterator[str]:
    """Coverage of each method, and of auto at each threshold."""
    for label, rows in found.items():
        wald, profile, measure = rows.T
        cells = [f"{name + ': ' + label:34s}", f"{wald.mean():.3f}", f"{profile.mean():.3f} |"]
        for threshold in THRESHOLDS:
            uses = measure <= threshold
            auto = np.where(uses, wald, profile)
            cells.append(f"{auto.mean():.3f} ({100 * uses.mean():3.0f}%)")
        yield " ".join(cells)


def main(arguments: list[str]) -> None:
    count = int(arguments[0]) if arguments else 1000
    names = arguments[1:] or list(CASES)
    print(f"{count} data sets a model; standard error at 0.95: {np.sqrt(0.0475 / count):.4f}")
    heads = " ".join(f"auto {t:<7g}" for t in THRESHOLDS)
    print(f"{'model: parameter':34s} wald  profile | {heads}  (share of Wald rows)")
    for name in names:
        found = simulate(CASES[name], count)
        for line in report(name, found):
            print(line, flush=True)
        folder = Path("coverage")
        if folder.is_dir():  # keep the raw rows where a folder of that name waits for them
            path = folder / f"{name.replace(' ', '_').replace(',', '')}.json"
            path.write_text(json.dumps({k: v.tolist() for k, v in found.items()}))


if __name__ == "__main__":
    main(sys.argv[1:])
