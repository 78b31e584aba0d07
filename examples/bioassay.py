"""Which dose kills half of the moths? Derived quantities and tests on a bioassay.

Batches of twenty tobacco budworm moths of each sex were exposed to a pyrethroid for three days
(Collett 1991; `budworm` in Venables and Ripley's MASS, whose `dose.p` gives the same standard
errors).

    python examples/bioassay.py [picture.png]
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pymc as pm

import pymle

PICTURE = Path(__file__).parent / "pictures" / "bioassay.png"

SEXES = ["female", "male"]
DOSES = np.array([1.0, 2, 4, 8, 16, 32])  # micrograms
DEAD = np.array([[0, 2, 6, 10, 12, 16], [1, 4, 9, 13, 18, 20]])
BATCH = 20


def build() -> pm.Model:
    """A line on the logit scale for each sex, over the binary logarithm of the dose."""
    with pm.Model(coords={"sex": SEXES, "dose": DOSES}) as model:
        intercept = pm.Normal("intercept", 0, 10, dims="sex")
        slope = pm.Normal("slope", 0, 10, dims="sex")
        # An exponential is known to be positive: its limits are symmetric on the log scale.
        pm.Deterministic("LD50", pm.math.exp(-np.log(2) * intercept / slope), dims="sex")
        rate = intercept[:, None] + slope[:, None] * np.log2(DOSES)
        pm.Binomial("dead", BATCH, logit_p=rate, observed=DEAD, dims=("sex", "dose"))
    return model


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit, test whether the sexes differ, and give the dose that kills half."""
    model = build()
    separate = pymle.find_MLE(model)

    print("Do the sexes need slopes of their own?\n")
    wald = separate.wald_test("slope[female] = slope[male]")
    print(wald, "\n")

    # The same by likelihood: one slope for both, as an equation between the parameters.
    parallel = pymle.find_MLE(model, constraints="slope[female] = slope[male]")
    same = pymle.find_MLE(
        model, constraints="slope[female] = slope[male], intercept[female] = intercept[male]"
    )
    ratio = separate.lr_test(parallel, same, names=["separate", "parallel", "same"])
    print(ratio, "\n")

    table = pymle.compare({"separate": separate, "parallel": parallel, "same": same})
    print(table.to_string(), "\n")

    doses = parallel.derived("LD50")
    print(doses, "\n")
    profiled = parallel.derived("LD50", method="profile")
    print(profiled, "\n")
    potency = parallel.derived("exp(log(LD50[female]) - log(LD50[male]))", name="relative potency")
    print(potency)

    draw(picture, parallel, doses)
    return {
        "separate": separate,
        "parallel": parallel,
        "wald": wald,
        "ratio": ratio,
        "table": table,
        "doses": doses,
        "profiled": profiled,
        "potency": potency,
    }


def draw(picture: Path | str, fit: pymle.Fit, doses: Any) -> None:
    figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
    grid = np.geomspace(0.8, 40, 200)
    table = doses.table
    for i, sex in enumerate(SEXES):
        a = float(fit.params["intercept"].sel(sex=sex))
        b = float(fit.params["slope"].sel(sex=sex))
        axes.plot(grid, 1 / (1 + np.exp(-a - b * np.log2(grid))), color=f"C{i}", label=sex)
        axes.plot(DOSES, DEAD[i] / BATCH, "o", color=f"C{i}")
        row = table.loc[f"LD50[{sex}]"]
        axes.errorbar(
            row["estimate"],
            0.5,
            xerr=[[row["estimate"] - row["lower"]], [row["upper"] - row["estimate"]]],
            color=f"C{i}",
            capsize=4,
            lw=2.5,
        )
    axes.axhline(0.5, color="0.8", lw=1, zorder=0)
    axes.set_xscale("log", base=2)
    axes.set_xticks(DOSES, [f"{dose:g}" for dose in DOSES])
    axes.set(
        xlabel="dose (micrograms)",
        ylabel="share of 20 moths killed",
        title="Dose that kills half, with 95% limits",
    )
    axes.legend(frameon=False, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:])
