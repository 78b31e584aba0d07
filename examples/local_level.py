"""The flow of the Nile, 1871 to 1970: a level that wanders, seen with noise.

A Gaussian random walk is integrated out exactly: the likelihood is the Kalman filter's.

    python examples/local_level.py [picture.png]
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
PICTURE = HERE / "pictures" / "local_level.png"


def build(flow: np.ndarray) -> pm.Model:
    """A random walk from a start about which little is said."""
    with pm.Model(coords={"year": np.arange(1871, 1971)}) as model:
        start = pm.Normal.dist(1000, 1000)
        step = pm.HalfNormal("step", 50)
        level = pm.GaussianRandomWalk("level", sigma=step, init_dist=start, dims="year")
        pm.Normal("flow", level, pm.HalfNormal("noise", 100), observed=flow, dims="year")
    return model


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit, print, and draw the level with its limits."""
    flow = pd.read_csv(HERE / "data" / "nile.csv")["y"].to_numpy()
    fit = pymle.find_MLE(build(flow), progressbar=False)
    print(fit, "\n")
    limits = fit.conf_int(method="profile")
    print(limits, "\n")
    level = fit.random_effects().table

    year = np.arange(1871, 1971)
    figure, ax = plt.subplots(figsize=(9, 4))
    ax.plot(year, flow, ".", color="0.5", label="flow")
    ax.plot(year, level["mode"], label="level")
    ax.fill_between(year, level["lower"], level["upper"], alpha=0.25)
    ax.set(ylabel="flow, 10^8 cubic metres")
    ax.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    plt.close(figure)
    return {"fit": fit, "limits": limits, "level": level, "flow": flow}


if __name__ == "__main__":
    main(*sys.argv[1:])
