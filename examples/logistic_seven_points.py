"""Logistic regression on seven points, with the likelihood written out.

The likelihood of seven outcomes is the product of seven probabilities; its logarithm is the sum of
their logarithms. The coefficients that make it largest are those of statsmodels' Logit.

Needs statsmodels, which the extra `test` installs: pip install '.[test]'

    python examples/logistic_seven_points.py [picture.png]
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pymc as pm
import statsmodels.api as sm

import pymle

PICTURE = Path(__file__).parent / "pictures" / "logistic_seven_points.png"


def sigmoid(t: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-t))


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit both ways, print, draw; return data, fits and both forms of the likelihood."""
    x = np.arange(1.0, 8.0)
    y = np.array([0, 0, 1, 0, 1, 1, 1])

    with pm.Model() as model:
        intercept = pm.Normal("intercept", 0, 10)
        slope = pm.Normal("slope", 0, 10)
        pm.Bernoulli("y", logit_p=intercept + slope * x, observed=y)

    fit = pymle.find_MLE(model)
    logit = sm.Logit(y, sm.add_constant(x)).fit(disp=False)
    print(fit)

    p = sigmoid(float(fit.params["intercept"]) + float(fit.params["slope"]) * x)
    of_what_happened = np.where(y == 1, p, 1 - p)
    product = float(np.prod(of_what_happened))
    sum_of_logs = float(np.sum(np.log(of_what_happened)))
    factors = "".join(f"P{i}" if one else f"(1 - P{i})" for i, one in enumerate(y, start=1))
    print(f"\nP1 ... P7              {np.array2string(p, precision=4)}")
    print(f"joint probability      {factors} = {product:.10f}")
    print(f"its logarithm          {np.log(product):.10f}")
    print(f"sum of the logarithms  {sum_of_logs:.10f}")
    print(f"log-likelihood, pymle  {fit.loglik:.10f}")
    print(f"statsmodels' Logit     {logit.llf:.10f}")
    print(f"\nstatsmodels' coefficients     {logit.params[0]:.6f}, {logit.params[1]:.6f}")
    print(f"statsmodels' standard errors  {logit.bse[0]:.6f}, {logit.bse[1]:.6f}")

    draw(picture, x, y, p, fit)
    return {
        "x": x,
        "y": y,
        "fit": fit,
        "logit": logit,
        "p": p,
        "product": product,
        "sum_of_logs": sum_of_logs,
    }


def draw(picture: Path | str, x: np.ndarray, y: np.ndarray, p: np.ndarray, fit: pymle.Fit) -> None:
    at = np.linspace(0, 8, 300)
    curve = sigmoid(float(fit.params["intercept"]) + float(fit.params["slope"]) * at)
    figure, axes = plt.subplots(figsize=(7.5, 4.6), layout="constrained")
    axes.plot(at, curve, color="C0", lw=2.5, label="fitted probability of a one")
    for number, (place, one, chance) in enumerate(zip(x, y, p, strict=True), start=1):
        # The length of the bar is the probability of what happened: P for a one, 1 - P for a zero.
        bottom, top = (0.0, chance) if one else (chance, 1.0)
        colour = "C2" if one else "C1"
        axes.plot(
            [place, place], [bottom, top], color=colour, lw=7, alpha=0.35, solid_capstyle="butt"
        )
        text = f"P{number}\n{chance:.2f}" if one else f"1 - P{number}\n{1 - chance:.2f}"
        axes.annotate(
            text,
            (place, 0.5 * (bottom + top)),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.plot([], [], color="C2", lw=7, alpha=0.35, label="probability of a one that happened")
    axes.plot([], [], color="C1", lw=7, alpha=0.35, label="probability of a zero that happened")
    axes.plot(x, y, "o", color="0.15", ms=7, label="outcomes", zorder=4, clip_on=False)
    axes.set(
        xlim=(0.3, 8),
        ylim=(-0.04, 1.04),
        xlabel="x",
        ylabel="probability",
        title=(
            f"The lengths of the bars multiply to {np.exp(fit.loglik):.4f}; "
            "any other sigmoid gives less"
        ),
    )
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:])
