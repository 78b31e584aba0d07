"""Disasters in British coal mines, 1851 to 1962: a rate that is a Gaussian process.

The logarithmic rate of each year is a latent Gaussian process under Poisson counts, integrated out
by Laplace's approximation.

    python examples/coal_mining.py [picture.png]
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm

import pymle

HERE = Path(__file__).parent
PICTURE = HERE / "pictures" / "coal_mining.png"


def build(disasters: pd.DataFrame) -> pm.Model:
    """A Matern process of the logarithmic rate, decades as the unit of time."""
    decade = ((disasters["year"] - 1851) / 10).to_numpy()
    with pm.Model(coords={"year": disasters["year"]}) as model:
        level = pm.Normal("level", 0, 2)
        length, size = pm.InverseGamma("length", 5, 10), pm.HalfNormal("size", 2)
        covariance = size**2 * pm.gp.cov.Matern52(1, ls=length)
        f = pm.gp.Latent(cov_func=covariance).prior("f", X=decade[:, None], dims="year")
        pm.Deterministic("log_rate", level + f, dims="year")
        counts = disasters["disasters"].to_numpy()
        pm.Poisson("disasters", pm.math.exp(level + f), observed=counts, dims="year")
    return model


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit, print, and draw the rate with its limits."""
    disasters = pd.read_csv(HERE / "data" / "coal.csv")
    fit = pymle.find_MLE(build(disasters), progressbar=False)
    print(fit, "\n")
    log_rate = fit.derived("log_rate").table

    year = disasters["year"]
    figure, ax = plt.subplots(figsize=(10, 4))
    ax.bar(year, disasters["disasters"], color="0.8", label="disasters")
    ax.plot(year, np.exp(log_rate["estimate"]), label="rate")
    ax.fill_between(
        year, np.exp(log_rate["lower"]), np.exp(log_rate["upper"]), alpha=0.3, label="95% limits"
    )
    ax.set(xlabel="year", ylabel="per year", title="Disasters in British coal mines")
    ax.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    plt.close(figure)
    return {"fit": fit, "log_rate": log_rate, "disasters": disasters}


if __name__ == "__main__":
    main(*sys.argv[1:])
