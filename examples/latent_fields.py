"""Latent series and fields: volatility, neighbouring areas, a Gaussian process under counts.

Simulated, so that what was integrated out can be set beside what it was.

    python examples/latent_fields.py [picture.png]
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pymc as pm

import pymle

PICTURE = Path(__file__).parent / "pictures" / "latent_fields.png"

rng = np.random.default_rng(12)

# Returns whose logarithmic volatility is a random walk.
DAYS = 150
VOLATILITY = np.cumsum(0.12 * rng.normal(size=DAYS)) - 1.0
RETURNS = np.exp(VOLATILITY) * rng.standard_t(8, size=DAYS)

# Counts in the cells of a five by five map.
SIDE = 5
row, column = (i.ravel() for i in np.indices((SIDE, SIDE)))
distance = np.abs(row[:, None] - row) + np.abs(column[:, None] - column)
NEIGHBOURS = (distance == 1).astype(int)
_precision = 4.0 * (np.diag(NEIGHBOURS.sum(axis=1)) - 0.9 * NEIGHBOURS)
RISK = np.linalg.cholesky(np.linalg.inv(_precision)) @ rng.normal(size=SIDE**2)
EXPECTED = rng.uniform(5, 30, size=SIDE**2)
CASES = rng.poisson(EXPECTED * np.exp(0.2 + RISK))

# Counts along a line.
PLACE = np.linspace(0, 8, 40)
RATE = np.exp(1.0 + np.sin(PLACE) + 0.4 * np.cos(2.3 * PLACE))
COUNTS = rng.poisson(RATE)


def volatility() -> pm.Model:
    """The stochastic volatility model of PyMC's gallery."""
    with pm.Model(coords={"day": np.arange(DAYS)}) as model:
        step = pm.Exponential("step", 10)
        start = pm.Normal.dist(0, 3)
        log_sd = pm.GaussianRandomWalk("log_sd", sigma=step, init_dist=start, dims="day")
        nu = pm.Exponential("nu", 0.1)
        pm.StudentT("returns", nu=nu, lam=pm.math.exp(-2 * log_sd), observed=RETURNS, dims="day")
    return model


def areas() -> pm.Model:
    """A conditional autoregression of the logarithmic risk."""
    with pm.Model() as model:
        level = pm.Normal("level", 0, 1)
        tau = pm.Gamma("tau", 2, 1)
        risk = pm.CAR("risk", mu=np.zeros(SIDE**2), W=NEIGHBOURS, alpha=0.9, tau=tau)
        pm.Poisson("cases", EXPECTED * pm.math.exp(level + risk), observed=CASES)
    return model


def process() -> pm.Model:
    """A latent Gaussian process under Poisson counts."""
    with pm.Model() as model:
        level = pm.Normal("level", 0, 2)
        length, size = pm.InverseGamma("length", 5, 5), pm.HalfNormal("size", 2)
        covariance = size**2 * pm.gp.cov.Matern52(1, ls=length)
        f = pm.gp.Latent(cov_func=covariance).prior("f", X=PLACE[:, None])
        pm.Deterministic("rate", pm.math.exp(level + f))
        pm.Poisson("counts", pm.math.exp(level + f), observed=COUNTS)
    return model


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit the three, print them, and draw what was integrated out."""
    fits = {}
    for name, build in {"volatility": volatility, "areas": areas, "process": process}.items():
        fits[name] = pymle.find_MLE(build(), progressbar=False)
        print(f"--- {name}\n{fits[name]}\n")

    log_sd = fits["volatility"].random_effects().table
    risk = fits["areas"].random_effects().table
    rate = fits["process"].derived("rate").table

    figure, (one, two, three) = plt.subplots(1, 3, figsize=(13, 4))
    one.plot(np.abs(RETURNS), ".", color="0.7", markersize=3, label="size of the return")
    one.plot(np.exp(VOLATILITY), color="0.3", linestyle=":", label="true volatility")
    one.plot(np.exp(log_sd["mode"].to_numpy()), label="volatility")
    one.fill_between(np.arange(DAYS), np.exp(log_sd["lower"]), np.exp(log_sd["upper"]), alpha=0.25)
    one.set(title="Stochastic volatility", xlabel="day", ylim=(0, 3 * np.exp(VOLATILITY.max())))
    one.legend()
    two.errorbar(RISK, risk["mode"], yerr=2 * risk["se"], fmt="o", color="C0", ecolor="0.7")
    two.axline((0, 0), slope=1, color="0.3", linestyle=":")
    two.set(title="Areas", xlabel="true log-risk", ylabel="predicted")
    three.plot(PLACE, COUNTS, ".", color="0.6", label="counts")
    three.plot(PLACE, RATE, color="0.3", linestyle=":", label="true rate")
    three.plot(PLACE, rate["estimate"], label="rate")
    three.fill_between(PLACE, rate["lower"], rate["upper"], alpha=0.25)
    three.set(title="Gaussian process", xlabel="place")
    three.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    plt.close(figure)
    return {"fits": fits, "log_sd": log_sd, "risk": risk, "rate": rate}


if __name__ == "__main__":
    main(*sys.argv[1:])
