"""Reaction times after nights of little sleep: correlated intercepts and slopes, as lme4 fits them.

Eighteen subjects, ten days each (Belenky et al. 2003). Written with LKJCholeskyCov in the
non-centred form; `lmer(Reaction ~ Days + (Days | Subject), REML = FALSE)` gives the same numbers.

    python examples/sleepstudy.py [picture.png]
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

import pymle

HERE = Path(__file__).parent
PICTURE = HERE / "pictures" / "sleepstudy.png"


def build(data: pd.DataFrame) -> pm.Model:
    """Each subject has an intercept and a slope of its own."""
    subject, names = pd.factorize(data["subject"])
    coords = {"term": ["intercept", "slope"], "subject": names}
    with pm.Model(coords=coords) as model:
        line = pm.Normal("line", 0, 100, dims="term")
        spread = pm.Exponential.dist(0.05, shape=2)
        chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=2, sd_dist=spread)
        z = pm.Normal("z", 0, 1, dims=("term", "subject"))
        deviation = pm.Deterministic("deviation", pt.dot(chol, z).T, dims=("subject", "term"))
        sigma = pm.HalfNormal("sigma", 50)
        intercept, slope = (line[i] + deviation[subject, i] for i in (0, 1))
        pm.Normal("reaction", intercept + slope * data["Days"], sigma, observed=data["y"])
    return model


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit, print, and draw how the subjects deviate from the average line."""
    model = build(pd.read_csv(HERE / "data" / "sleepstudy.csv").astype({"subject": int}))
    print(pymle.roles(model), "\n")
    fit = pymle.find_MLE(model, progressbar=False)
    print(fit, "\n")
    limits = fit.conf_int(["line", "sigma"], method="profile")
    print(limits, "\n")
    # The subjects: functions of the standardised effects and of the parameters.
    found = fit.derived("deviation").table
    print(found.head())

    figure, axes = plt.subplots(1, 2, figsize=(9, 5), sharey=False)
    for term, ax in zip(("intercept", "slope"), axes, strict=True):
        part = found[[str(i).endswith(f", {term}]") for i in found.index]].sort_values("estimate")
        ax.hlines(range(len(part)), part["lower"], part["upper"], color="0.6")
        ax.plot(part["estimate"], range(len(part)), "o", markersize=4)
        ax.set_yticks(range(len(part)), [str(i).split("[")[1].split(",")[0] for i in part.index])
        ax.axvline(0.0, color="0.3", linewidth=0.8, linestyle=":")
        ax.set(title=f"{term}: deviation from the average", ylabel="subject")
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    plt.close(figure)
    return {"fit": fit, "limits": limits, "deviations": found}


if __name__ == "__main__":
    main(*sys.argv[1:])
