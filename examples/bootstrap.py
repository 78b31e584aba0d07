"""How long do air conditioners last? Five kinds of bootstrap limits beside the exact ones.

Twelve times between failures of the air-conditioning equipment of an aircraft (Proschan 1963;
example 1.1 of Davison and Hinkley 1997, `aircondit` in R's boot). Under an exponential
distribution the mean has exact limits, so that one sees what each method misses in so small a
sample.

    python examples/bootstrap.py [picture.png]
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
from scipy import stats

import pymle

PICTURE = Path(__file__).parent / "pictures" / "bootstrap.png"

HOURS = np.array([3, 5, 7, 18, 43, 85, 91, 98, 100, 130, 230, 487.0])
METHODS = ["percentile", "basic", "normal", "studentized", "bca"]
KINDS = {"case": "rows drawn again", "parametric": "exponential data simulated"}


def main(picture: Path | str = PICTURE, *, n: int = 4999) -> dict[str, Any]:
    """Fit, resample, print, draw; return the table of limits and the bootstraps."""
    with pm.Model() as model:
        mean = pm.HalfNormal("mean", 100)
        pm.Exponential("y", 1 / mean, observed=HOURS)

    fit = pymle.find_MLE(model)
    boots = {kind: fit.bootstrap(n, kind, random_seed=1) for kind in KINDS}
    print(boots["case"])

    rows = {("exact", ""): exact(0.95)}
    for kind, boot in boots.items():
        for method in METHODS:
            limits = boot.conf_int(method).loc["mean"]
            rows[kind, method] = (float(limits["lower"]), float(limits["upper"]))
    for method in ("wald", "profile"):
        limits = fit.conf_int(method=method).loc["mean"]
        rows["likelihood", method] = (float(limits["lower"]), float(limits["upper"]))
    table = pd.DataFrame(rows, index=["lower", "upper"]).T
    print()
    print(table.round(1).to_string())

    draw(picture, table, boots)
    return {"fit": fit, "boots": boots, "table": table}


def exact(level: float) -> tuple[float, float]:
    """Twice the sum over the mean has a chi-squared distribution."""
    tails = [(1 + level) / 2, (1 - level) / 2]
    low, high = 2 * HOURS.sum() / stats.chi2(2 * len(HOURS)).ppf(tails)
    return float(low), float(high)


def draw(picture: Path | str, table: pd.DataFrame, boots: dict[str, Any]) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    bins = list(np.linspace(0, 300, 61))
    for (kind, text), color in zip(KINDS.items(), ("C0", "C1"), strict=True):
        values = boots[kind].replicates["mean"]
        left.hist(values, bins=bins, histtype="step", density=True, color=color, label=text)
    left.axvline(HOURS.mean(), color="0.4", lw=1)
    left.set(xlabel="mean of a replicate (hours)", title="4,999 replicates", yticks=[])
    left.legend(frameon=False)

    color = {"exact": "k", "likelihood": "0.5", "case": "C0", "parametric": "C1"}
    for place, ((kind, _), row) in enumerate(table.iterrows()):
        right.plot([row["lower"], row["upper"]], [-place] * 2, color=color[kind], lw=3)
    names = [f"{method} {kind}".strip() for kind, method in table.index]
    right.set_yticks(-np.arange(len(names)), names)
    for end in table.loc[("exact", "")]:
        right.axvline(end, color="k", lw=0.6, ls=":")
    right.set(xlabel="95% limits of the mean (hours)", title="Limits", xscale="log")
    right.set_xticks([40, 60, 100, 150, 200, 300], ["40", "60", "100", "150", "200", "300"])
    right.minorticks_off()
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:])
