"""Wald and profile limits where they differ: a standard deviation, and a nonlinear regression.

Eight observations say little about a standard deviation, and what they say is lopsided: it may
well be twice the estimate, and cannot be half of it. Wald limits, symmetric on a scale chosen in
advance, miss that. Profile limits follow the likelihood itself. In the second part, the velocity
of a reaction that saturates (Bates and Watts 1988, appendix A1.3: puromycin), the
half-saturation constant has a lopsided likelihood too.

    python examples/profile_limits.py [picture.png]
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm

import pymle

PICTURE = Path(__file__).parent / "pictures" / "profile_limits.png"

EIGHT = np.array([1.2, 0.3, 2.2, 3.1, 0.7, 1.9, -0.4, 1.1])

# Velocity of an enzyme's reaction by concentration of the substrate, cells treated with puromycin.
CONCENTRATION = np.array([0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.1, 1.1])
VELOCITY = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200], dtype=float)


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit, print, draw; return the fits and their limits."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 10)
        pm.Normal("y", mu, sigma, observed=EIGHT)
    sample = pymle.find_MLE(model)

    with pm.Model() as model:
        top = pm.HalfNormal("top", 1000)
        half = pm.HalfNormal("half", 10)
        sigma = pm.HalfNormal("sigma", 100)
        mean = top * CONCENTRATION / (half + CONCENTRATION)
        pm.Normal("velocity", mean, sigma, observed=VELOCITY)
    start = {"top": 200.0, "half": 0.1, "sigma": 10.0}
    enzyme = pymle.find_MLE(model, start=start)

    tables = {}
    for name, fit in (("eight observations", sample), ("puromycin", enzyme)):
        limits = {method: fit.conf_int(method=method) for method in ("wald", "profile")}
        tables[name] = pd.concat(
            {method: table[["lower", "upper"]] for method, table in limits.items()}, axis=1
        )
        print(name)
        print(tables[name].round(4).to_string())
        print()
    print(enzyme.conf_int(method="auto").round(4).to_string())

    draw(picture, sample, enzyme)
    return {"sample": sample, "enzyme": enzyme, "tables": tables}


def draw(picture: Path | str, sample: Any, enzyme: Any) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    sample.profile("sigma").plot(axes[0], scale="root")
    axes[0].set_title("Eight observations: sigma")
    enzyme.profile("half").plot(axes[1], scale="loglik")
    axes[1].set_title("Puromycin: half-saturation")
    enzyme.contour("top", "half").plot(axes[2])
    axes[2].set_title("Both constants jointly")
    figure.savefig(picture, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:])
