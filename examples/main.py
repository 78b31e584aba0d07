"""The main job: a real data set, from pm.Model to a printed table, a picture and a posterior.

Pasture grows along an S-shaped curve. Nine measurements, a nonlinear model with priors, its
maximum-likelihood fit, and beside it the posterior of the same model, sampled with pm.sample from
the point that the fit found.

    python examples/main.py [picture.png]
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
PICTURE = HERE / "pictures" / "main.png"

REMARK = """
Nine measurements are few. The estimates agree within their errors, but sigma's, the root of the
residual sum of squares over 9, is low after three curve parameters were fitted, and the standard
errors inherit that. The posterior averages over sigma: for the curve its standard deviations are
about 1.7 times the standard errors."""


def main(
    picture: Path | str = PICTURE, *, draws: int = 1000, tune: int = 1000, chains: int = 4
) -> dict[str, Any]:
    """Fit, print, sample, draw; return the fit, the posterior and the table of both."""
    data = pd.read_csv(HERE / "data" / "rat42.csv")
    model = growth_model(data)

    print(pymle.roles(model), end="\n\n")
    fit = pymle.find_MLE(model)
    print(fit, end="\n\n")

    # All chains start at the fit, without jitter: from far away one may end on a lower mode.
    # One process: a forked one may stop dead once JAX, which the fit uses, has started threads.
    with model:
        trace = pm.sample(
            draws=draws,
            tune=tune,
            chains=chains,
            cores=1,
            initvals=fit.point,
            init="adapt_diag",
            target_accept=0.98,
            random_seed=42,
            progressbar=False,
        )
    table = side_by_side(fit, trace)
    print("The fit and the posterior, which the priors take part in:\n")
    print(table.to_string(float_format="{:.4g}".format))
    print(REMARK)

    draw(picture, data, fit, trace, table)
    print(f"\nPicture: {picture}")
    return {"data": data, "model": model, "fit": fit, "trace": trace, "table": table}


def growth_model(data: pd.DataFrame) -> pm.Model:
    """The logistic growth curve, ceiling / (1 + exp(offset - rate * days))."""
    coords = {"field": np.arange(len(data)), "day": np.linspace(0, 90, 91)}
    with pm.Model(coords=coords) as model:
        days = pm.Data("days", data["days"].to_numpy(dtype=float), dims="field")
        ceiling = pm.Normal("ceiling", 80, 20)
        offset = pm.Normal("offset", 2, 2)
        rate = pm.HalfNormal("rate", 0.2)
        sigma = pm.HalfNormal("sigma", 5)

        def grown(t: Any) -> Any:
            return ceiling / (1 + pm.math.exp(offset - rate * t))

        pm.Deterministic("halfway", offset / rate)  # the day on which half the ceiling is reached
        pm.Deterministic("curve", grown(coords["day"]), dims="day")
        pm.Normal("yield", grown(days), sigma, observed=data["yield"].to_numpy(), dims="field")
    return model


def side_by_side(fit: pymle.Fit, trace: Any) -> pd.DataFrame:
    """One row per parameter: maximum likelihood on the left, posterior on the right."""
    table = fit.summary()[["estimate", "se", "lower", "upper"]]
    draws = pd.DataFrame({name: trace.posterior[name].values.ravel() for name in table.index})
    table["mean"], table["sd"] = draws.mean(), draws.std()
    table["2.5%"], table["97.5%"] = draws.quantile(0.025), draws.quantile(0.975)
    table.columns = pd.MultiIndex.from_tuples(
        [("maximum likelihood", name) for name in table.columns[:4]]
        + [("posterior", name) for name in table.columns[4:]]
    )
    return table


def draw(
    picture: Path | str, data: pd.DataFrame, fit: pymle.Fit, trace: Any, table: pd.DataFrame
) -> None:
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 4.6), width_ratios=(1.35, 1), layout="constrained"
    )
    curve = fit.summary(var_names="curve")
    day = np.asarray(trace.posterior["day"])
    drawn = trace.posterior["curve"].values.reshape(-1, len(curve))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)

    left.fill_between(day, low, high, color="C1", alpha=0.25, lw=0, label="posterior, 95%")
    left.fill_between(
        day, curve["lower"], curve["upper"], color="C0", alpha=0.35, lw=0, label="95% limits"
    )
    left.plot(day, curve["estimate"], color="C0", lw=2, label="maximum likelihood")
    left.plot(data["days"], data["yield"], "o", color="0.15", label="measured", zorder=4)
    halfway = fit.summary().loc["halfway"]
    ceiling = float(fit.params["ceiling"])
    left.axhline(ceiling, color="0.5", ls=":", lw=1)
    left.annotate(f"ceiling {ceiling:.1f}", (1, ceiling + 1), color="0.3")
    left.plot([halfway["estimate"]] * 2, [0, ceiling / 2], color="0.5", ls=":", lw=1)
    left.annotate(
        f"half of it on day {halfway['estimate']:.1f}\n"
        f"({halfway['lower']:.1f} to {halfway['upper']:.1f})",
        (halfway["estimate"] + 1.5, 3),
        color="0.3",
    )
    left.set(xlim=(0, 90), ylim=(0, 85), xlabel="days grown", ylabel="yield of pasture")
    left.set_title("Nine measurements and a growth curve")
    left.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 0.86))

    # All parameters on one axis: distance from the estimate, in its standard errors.
    at = np.arange(len(table))[::-1].astype(float)
    likelihood, posterior = table["maximum likelihood"], table["posterior"]
    estimate, se = likelihood["estimate"], likelihood["se"]
    for shift, colour, label, centre, lower, upper in (
        (0.12, "C0", "maximum likelihood", estimate, likelihood["lower"], likelihood["upper"]),
        (-0.12, "C1", "posterior", posterior["mean"], posterior["2.5%"], posterior["97.5%"]),
    ):
        middle = (centre - estimate) / se
        reach = [(centre - lower) / se, (upper - centre) / se]
        right.errorbar(middle, at + shift, xerr=reach, fmt="o", color=colour, lw=2, label=label)
    right.axvline(0, color="0.6", ls=":", lw=1)
    names = [f"{name}\n{value:.3g}" for name, value in estimate.items()]
    right.set_yticks(at, names)
    right.set(
        ylim=(-0.6, len(table) - 0.1), xlabel="distance from the estimate, in standard errors"
    )
    right.set_title("95% limits and the posterior's 95%")
    right.legend(frameon=False, loc="upper right")

    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:])
