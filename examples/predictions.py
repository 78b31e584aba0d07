"""Seizures under progabide: predictions, an average effect, and residuals that show a wrong model.

A Poisson and a negative binomial regression of 236 counts. Their means do not differ much, but only
the second says something credible about the next patient, and the residuals show why.

Needs statsmodels, which the extra `test` installs: pip install '.[test]'

    python examples/predictions.py [picture.png]
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

PICTURE = Path(__file__).parent / "pictures" / "predictions.png"
DATA = Path(__file__).parent / "data" / "epilepsy.csv"
KINDS = ["poisson", "negative binomial"]
COLUMNS = ["one", "base", "age", "progabide"]


def design(base: np.ndarray, age: np.ndarray, progabide: np.ndarray) -> np.ndarray:
    """Columns of the regression: an intercept, logarithms of base and age, the treatment."""
    columns = [np.ones(len(base)), np.log(base / 4), np.log(age), progabide]
    return np.column_stack(columns).astype(float)


def declare(kind: str, X: np.ndarray, seizures: np.ndarray) -> pm.Model:
    with pm.Model(coords={"column": COLUMNS}) as model:
        data = pm.Data("X", X, dims=("period", "column"))
        beta = pm.Normal("beta", 0, 5, dims="column")
        mean = pm.math.exp(data @ beta)
        if kind == "poisson":
            pm.Poisson("seizures", mean, observed=seizures, dims="period")
        else:
            alpha = pm.HalfNormal("alpha", 5)
            pm.NegativeBinomial("seizures", mu=mean, alpha=alpha, observed=seizures, dims="period")
    return model


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit both models, predict, print, draw; return what was found."""
    table = pd.read_csv(DATA)
    X = design(table["base"].to_numpy(), table["age"].to_numpy(), table["progabide"].to_numpy())
    seizures = table["seizures"].to_numpy()
    fits = {kind: pymle.find_MLE(declare(kind, X, seizures)) for kind in KINDS}

    patients = design(np.array([12, 24, 48]), np.full(3, 28), np.ones(3))
    print("Three new patients under progabide, with 12, 24 and 48 seizures in eight weeks before:")
    predictions = {}
    for kind, fit in fits.items():
        predictions[kind] = fit.predict({"X": patients}, random_seed=1)
        print(f"\n{kind}\n{predictions[kind].table.drop(columns='scale').round(2).to_string()}")

    effects = {kind: fit.effects("X[progabide]") for kind, fit in fits.items()}
    print("\nAverage effect of progabide on the seizures of two weeks:\n")
    both = pd.concat([effect.table for effect in effects.values()], keys=list(effects))
    print(both.drop(columns=["z", "p"]).round(4).to_string())
    theirs = sm.Poisson(seizures, X).fit(disp=False, tol=1e-12).get_margeff(dummy=True)
    print(f"\nstatsmodels, poisson: {theirs.margeff[-1]:.4f}, se {theirs.margeff_se[-1]:.4f}")

    residuals = {kind: fit.residuals(random_seed=2) for kind, fit in fits.items()}
    print("\nQuantile residuals, standard normal for a model that is right:\n")
    print(pd.concat([each.summary() for each in residuals.values()], keys=list(residuals)))

    draw(picture, fits, residuals, table)
    return {
        "fits": fits,
        "predictions": predictions,
        "effects": effects,
        "theirs": theirs,
        "residuals": residuals,
    }


def draw(
    picture: Path | str, fits: dict[str, pymle.Fit], residuals: dict[str, Any], table: pd.DataFrame
) -> None:
    figure, (top, bottom) = plt.subplots(2, 2, figsize=(9.5, 7.5), layout="constrained")
    base = np.geomspace(6, 150, 25)
    new = {"X": design(base, np.full(25, 28), np.ones(25))}
    treated = table[table["progabide"] == 1]
    for axes, (kind, fit) in zip(top, fits.items(), strict=True):
        found = fit.predict(new, random_seed=1).table
        axes.fill_between(
            base, found["prediction_lower"], found["prediction_upper"], color="C0", alpha=0.2,
            label="95% of new patients", lw=0,
        )  # fmt: skip
        axes.fill_between(
            base, found["lower"], found["upper"], color="C0", alpha=0.5, label="mean, 95%", lw=0
        )
        axes.plot(base, found["estimate"], color="C0")
        axes.plot(treated["base"], treated["seizures"], "o", color="0.3", ms=3, label="observed")
        axes.set(xscale="log", ylim=(-2, 70), title=f"{kind}: under progabide")
        axes.set(xlabel="seizures in the eight weeks before", ylabel="seizures in two weeks")
    top[0].legend(loc="upper left", frameon=False)
    for axes, (kind, found) in zip(bottom, residuals.items(), strict=True):
        found.plot(axes=[axes, axes.inset_axes([0.66, 0.08, 0.32, 0.3])])
        axes.set(title=f"{kind}: quantile residuals", ylim=(-6, 11))
        axes.child_axes[0].set(xticks=[], yticks=[], xlabel="", ylabel="against mean")
    figure.savefig(picture, dpi=110)
    plt.close(figure)
    print(f"\npicture: {picture}")


if __name__ == "__main__":
    main(*sys.argv[1:])
