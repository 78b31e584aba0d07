"""Lip cancer in the 56 counties of Scotland, 1975 to 1980: a map smoothed over neighbours.

The logarithmic risk of a county is a line in the share of people who work outdoors, plus a
conditional autoregression over the neighbouring counties, which is integrated out by Laplace's
approximation.

    python examples/lip_cancer.py [picture.png]
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
PICTURE = HERE / "pictures" / "lip_cancer.png"


def neighbours(counties: pd.DataFrame) -> np.ndarray:
    """The matrix with a one for each pair of counties that share a border."""
    matrix = np.zeros((len(counties), len(counties)), dtype=int)
    for row, others in enumerate(counties["neighbours"].astype(str)):
        matrix[row, [int(each) - 1 for each in others.split()]] = 1
    return matrix


def build(counties: pd.DataFrame) -> pm.Model:
    """Poisson counts; risk from outdoor work, and from the neighbourhood."""
    matrix = neighbours(counties)
    with pm.Model(coords={"county": counties["county"]}) as model:
        level, outdoor = pm.Normal("level", 0, 1), pm.Normal("outdoor", 0, 1)
        alpha, tau = pm.Beta("alpha", 1, 1), pm.Gamma("tau", 2, 2)
        phi = pm.CAR("phi", mu=np.zeros(56), W=matrix, alpha=alpha, tau=tau, dims="county")
        log_risk = level + outdoor * counties["outdoor"].to_numpy() / 10 + phi
        pm.Deterministic("log_risk", log_risk, dims="county")
        rate = counties["expected"].to_numpy() * pm.math.exp(log_risk)
        pm.Poisson("cases", rate, observed=counties["cases"].to_numpy(), dims="county")
    return model


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit, print, and draw the smoothed risks beside the raw ones."""
    counties = pd.read_csv(HERE / "data" / "lip_cancer.csv")
    fit = pymle.find_MLE(build(counties), progressbar=False)
    print(fit, "\n")
    risk = fit.derived("log_risk").table

    raw = (counties["cases"] / counties["expected"]).to_numpy()
    order = np.arange(1, 57)
    figure, ax = plt.subplots(figsize=(10, 4.5))
    ax.plot(order, raw, "o", color="0.6", markersize=4, label="cases / expected")
    middle = np.exp(risk["estimate"].to_numpy())
    lower, upper = np.exp(risk["lower"].to_numpy()), np.exp(risk["upper"].to_numpy())
    ax.errorbar(order, middle, [middle - lower, upper - middle], fmt=".", label="smoothed risk")
    line = np.exp(fit.point["level"] + fit.point["outdoor"] * counties["outdoor"] / 10)
    ax.step(order, line, where="mid", color="0.3", linewidth=0.8, label="from outdoor work alone")
    ax.axhline(1.0, color="0.6", linestyle=":", linewidth=0.8)
    ax.set(xlabel="county, by falling raw risk", ylabel="relative risk", yscale="log")
    ax.set_ylim(0.1, 10)
    ax.set_title("Lip cancer in Scotland")
    ax.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    plt.close(figure)
    return {"fit": fit, "risk": risk, "counties": counties}


if __name__ == "__main__":
    main(*sys.argv[1:])
