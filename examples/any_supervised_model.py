"""Any supervised model: y given x has a distribution, and some h(x) gives its parameter.

First a Poisson regression, whose h is the exponential of a weighted sum, equal to statsmodels'.
Then a small neural network written in PyMC. Its units can be exchanged and mirrored without a
change in h, so its likelihood has several equal maxima: the weights are no answer by themselves,
what h predicts is. The two data sets come with statsmodels and are in the public domain.

Needs statsmodels, which the extra `test` installs: pip install '.[test]'

    python examples/any_supervised_model.py [picture.png]
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
import statsmodels.api as sm

import pymle

PICTURE = Path(__file__).parent / "pictures" / "any_supervised_model.png"
UNITS = 2


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit both models, print, draw; return what they gave."""
    poisson = poisson_regression()
    network = neural_network()
    draw(picture, poisson["table"], network)
    return {"poisson": poisson, "network": network}


def poisson_regression() -> dict[str, Any]:
    """Visits to a doctor in a year, from the RAND health insurance experiment."""
    data = sm.datasets.randhie.load_pandas().data
    # Physical limitation, chronic diseases, and health called good, fair or poor (not excellent).
    names = ["physlm", "disea", "hlthg", "hlthf", "hlthp"]
    x, visits = data[names].to_numpy(dtype=float), data["mdvis"].to_numpy()

    with pm.Model(coords={"predictor": names}) as model:
        X = pm.Data("X", x, dims=("person", "predictor"))
        intercept = pm.Normal("intercept", 0, 5)
        beta = pm.Normal("beta", 0, 1, dims="predictor")
        pm.Poisson("visits", pm.math.exp(intercept + X @ beta), observed=visits, dims="person")

    fit = pymle.find_MLE(model)
    theirs = sm.Poisson(visits, sm.add_constant(x)).fit(disp=False, tol=1e-12)
    print(fit)

    table = fit.summary()[["estimate", "se", "lower", "upper"]]
    table["statsmodels"], table["statsmodels se"] = theirs.params, theirs.bse
    print("\nBeside statsmodels' Poisson:\n")
    print(table.to_string(float_format="{:.6f}".format))
    print(f"\nlog-likelihood: pymle {fit.loglik:.6f}, statsmodels {theirs.llf:.6f}\n")
    return {"fit": fit, "statsmodels": theirs, "table": table}


def neural_network() -> dict[str, Any]:
    """Sea surface temperature by month, off Peru, 1950 to 2010, through a hidden layer."""
    data = sm.datasets.elnino.load_pandas().data.drop(columns="YEAR")
    degrees = data.to_numpy(dtype=float).ravel()
    # Counted from September, the coldest month, so that the year is one rise and one fall.
    month = np.tile((np.arange(12.0) - 8) % 12, len(data))
    grid = np.linspace(0, 11, 111)

    with pm.Model(coords={"unit": range(UNITS), "at": grid}) as model:
        weight = pm.Normal("weight", 0, 2, dims="unit")
        bias = pm.Normal("bias", 0, 2, dims="unit")
        out = pm.Normal("out", 0, 5, dims="unit")
        level = pm.Normal("level", 20, 10)
        sigma = pm.HalfNormal("sigma", 5)

        def h(t: Any) -> Any:
            hidden = pm.math.tanh(bias + weight * ((t[:, None] - 5.5) / 3.5))
            return level + hidden @ out

        pm.Normal("degrees", h(month), sigma, observed=degrees)
        pm.Deterministic("curve", h(grid), dims="at")

    fit = pymle.find_MLE(model, n_starts=20, random_seed=1)
    print("Neural network:", fit.verdict)
    print(fit.verdict.evidence["starts"])
    print(f"log-likelihood {fit.loglik:.6f}, {fit.nparams} parameters, {fit.nobs:g} observations")

    # The weights of one of the equal maxima would invite a reading that they do not bear; what
    # the network predicts is the same at all of them.
    curve = fit.summary(var_names="curve")["estimate"].to_numpy()
    predicted = pd.DataFrame(
        {"mean": pd.Series(degrees).groupby(month).mean(), "predicted": curve[::10]}
    )
    predicted.index = pd.Index(np.roll(data.columns.str.title(), -8), name="month")
    print("\nDegrees by month:\n")
    print(predicted.to_string(float_format="{:.2f}".format))
    return {
        "fit": fit,
        "model": model,
        "predicted": predicted,
        "month": month,
        "degrees": degrees,
        "grid": grid,
        "curve": curve,
    }


def draw(picture: Path | str, table: pd.DataFrame, network: dict[str, Any]) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")

    ratios = np.exp(table.drop(index="intercept"))
    words = [
        "physical limitation",
        "chronic diseases (per disease)",
        "health good, not excellent",
        "health fair, not excellent",
        "health poor, not excellent",
    ]
    at = np.arange(len(words))[::-1]
    reach = [ratios["estimate"] - ratios["lower"], ratios["upper"] - ratios["estimate"]]
    left.axvline(1, color="0.6", ls=":")
    left.errorbar(
        ratios["estimate"],
        at,
        xerr=reach,
        fmt="o",
        ms=9,
        color="C0",
        capsize=4,
        label="pymle, with 95% limits",
    )
    left.plot(
        ratios["statsmodels"], at, "x", color="C1", ms=7, mew=2, label="statsmodels", zorder=4
    )
    left.set_yticks(at, words)
    left.set(xlabel="visits to a doctor, multiplied by", title="A Poisson regression")
    left.set_ylim(-0.6, len(words) + 0.3)
    left.legend(frameon=False, loc="upper right")

    jitter = np.random.default_rng(0).uniform(-0.2, 0.2, size=len(network["month"]))
    right.plot(
        network["month"] + jitter, network["degrees"], ".", color="0.65", ms=4, label="1950 to 2010"
    )
    right.plot(
        np.arange(12), network["predicted"]["mean"], "o", color="C1", label="mean of the month"
    )
    right.plot(
        network["grid"],
        network["curve"],
        color="C0",
        lw=2.5,
        label=f"network, {UNITS} hidden units",
    )
    right.set_xticks(np.arange(12), network["predicted"].index)
    right.set(ylabel="sea surface temperature (°C)", title="A neural network")
    right.set_ylim(top=32)
    right.legend(frameon=False, loc="upper right")

    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Two models of y given x, fitted by the same call")
    figure.savefig(picture, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:])
