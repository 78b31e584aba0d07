"""The mean and the standard deviation of a normal sample.

The maximum-likelihood estimates have a closed form: the sample mean, and the root of the mean
squared deviation, whose divisor is n and not n - 1.

    python examples/gaussian.py [picture.png]
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pymc as pm

import pymle

PICTURE = Path(__file__).parent / "pictures" / "gaussian.png"


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit, print, draw; return the data and the fit."""
    np.random.seed(42)  # noqa: NPY002 - the draws are those of this seed and this generator
    y = np.random.normal(5, 2, size=100)  # noqa: NPY002

    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 10)
        pm.Normal("y", mu, sigma, observed=y)

    fit = pymle.find_MLE(model)
    print(fit)
    print()
    print(f"sample mean               {y.mean():.6f}")
    print(f"sample sd with divisor n  {y.std():.6f}  (with n - 1: {y.std(ddof=1):.6f})")

    draw(picture, y, float(fit.params["mu"]), float(fit.params["sigma"]))
    return {"y": y, "fit": fit}


def draw(picture: Path | str, y: np.ndarray, mu: float, sigma: float) -> None:
    at = np.linspace(y.min() - 2, y.max() + 2, 300)

    def density(mean: float, sd: float) -> np.ndarray:
        return np.exp(-0.5 * ((at - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    axes.hist(y, bins=15, density=True, color="0.85", edgecolor="white", label="100 draws")
    axes.plot(at, density(5, 2), color="0.45", ls="--", label="drawn from: normal(5, 2)")
    label = f"maximum likelihood: normal({mu:.2f}, {sigma:.2f})"
    axes.plot(at, density(mu, sigma), color="C0", lw=2.5, label=label)
    axes.set(xlabel="value", ylabel="density", title="A normal density fitted to 100 draws")
    axes.set_ylim(0, 1.35 * axes.get_ylim()[1])
    axes.legend(frameon=False, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:])
