"""The pound against the dollar, October 1981 to June 1985: returns whose variance wanders.

The logarithmic variance of each day is a first-order autoregression that nobody sees. It is
integrated out by Laplace's approximation: 945 variables, each of which touches two others.

    python examples/stochastic_volatility.py [picture.png]
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
PICTURE = HERE / "pictures" / "stochastic_volatility.png"


def build(returns: np.ndarray) -> pm.Model:
    """Normal returns; their logarithmic variance is a stationary autoregression."""
    with pm.Model(coords={"day": np.arange(len(returns))}) as model:
        phi = pm.Beta("phi", 20, 1.5)
        step = pm.HalfNormal("step", 1)
        sd = pm.HalfNormal("sd", 2)  # of a day whose logarithmic variance is at its mean
        first = pm.Normal.dist(0, step / pm.math.sqrt(1 - phi**2))
        h = pm.AR("h", rho=phi[None], sigma=step, init_dist=first, dims="day")
        pm.Deterministic("volatility", sd * pm.math.exp(h / 2), dims="day")
        pm.Normal("returns", 0, sd * pm.math.exp(h / 2), observed=returns, dims="day")
    return model


def main(picture: Path | str = PICTURE, days: int | None = None) -> dict[str, Any]:
    """Fit all or the first days, print, and draw the volatility with its limits."""
    returns = pd.read_csv(HERE / "data" / "pound.csv")["y"].to_numpy()[:days]
    fit = pymle.find_MLE(build(returns), progressbar=False)
    print(fit, "\n")
    h = fit.random_effects().table
    scale = float(fit.params["sd"])
    volatility = scale * np.exp(h[["mode", "lower", "upper"]] / 2)
    print(volatility.describe().loc[["min", "50%", "max"]], "\n")

    day = np.arange(len(returns))
    figure, ax = plt.subplots(figsize=(10, 4))
    ax.plot(day, np.abs(returns), ".", color="0.65", markersize=3, label="size of the return")
    ax.plot(day, volatility["mode"], label="volatility")
    ax.fill_between(day, volatility["lower"], volatility["upper"], alpha=0.25, label="95% limits")
    ax.axhline(scale, color="0.3", linestyle=":", label="its level")
    ax.set(xlabel="trading day", ylabel="per cent", ylim=(0, 4.5))
    ax.set_title("Pound against dollar, 1981 to 1985")
    ax.legend(loc="upper left", ncols=2)
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    plt.close(figure)
    return {"fit": fit, "h": h, "returns": returns}


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else PICTURE, int(sys.argv[2]) if sys.argv[2:] else None)
