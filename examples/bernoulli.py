"""Ten tosses: the log-likelihood of a probability z is highest at the share of ones.

python examples/bernoulli.py [picture.png]
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pymc as pm

import pymle

PICTURE = Path(__file__).parent / "pictures" / "bernoulli.png"


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit, print, draw; return the data, the fit and the curve."""
    y = np.array([1, 0, 1, 1, 1, 0, 1, 0, 1, 1])

    with pm.Model() as model:
        # A prior that would draw z towards one half. Maximum likelihood drops it.
        z = pm.Beta("z", 5, 5)
        pm.Bernoulli("y", z, observed=y)

    likelihood = pymle.compile(model)  # compiled once, for the fit and for the curve
    fit = likelihood.fit()
    print(fit)
    print(f"\nshare of ones, mean(y): {y.mean():.6f}")

    grid = np.linspace(0.05, 0.98, 187)
    curve = np.array([likelihood.logp({"z": z}) for z in grid])

    draw(picture, y, grid, curve, fit)
    return {"y": y, "fit": fit, "grid": grid, "curve": curve}


def draw(
    picture: Path | str, y: np.ndarray, grid: np.ndarray, curve: np.ndarray, fit: pymle.Fit
) -> None:
    z = float(fit.params["z"])
    lower, upper = fit.conf_int().loc["z", ["lower", "upper"]]
    bottom = fit.loglik - 10

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    axes.axvspan(lower, upper, color="C0", alpha=0.12, lw=0, label="95% limits")
    axes.plot(grid, curve, color="C0", lw=2.5, label="log-likelihood of z")
    axes.plot([z, z], [bottom, fit.loglik], color="0.4", ls=":")
    axes.plot(z, fit.loglik, "o", color="C3", ms=8, zorder=4)
    axes.annotate(
        f"highest at z = mean(y) = {y.mean():.1f}",
        (z, fit.loglik),
        xytext=(0, 14),
        textcoords="offset points",
        ha="center",
        color="C3",
    )
    axes.set(
        xlim=(0, 1),
        ylim=(bottom, fit.loglik + 2.5),
        xlabel="z, the probability of a one",
        ylabel="log-likelihood",
        title=f"{y.sum()} ones in {len(y)} tosses",
    )
    axes.legend(frameon=False, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:])
