"""Pupils in classes in schools, and the share of the variance that is each level's.

Simulated, fifteen schools with four classes of ten. Written centred, each level's mean being the
level above it.

    python examples/three_levels.py [picture.png]
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pymc as pm

import pymle

PICTURE = Path(__file__).parent / "pictures" / "three_levels.png"

SCHOOLS, CLASSES, PUPILS = 15, 4, 10
rng = np.random.default_rng(3)
school_of = np.repeat(np.arange(SCHOOLS), CLASSES)
class_of = np.repeat(np.arange(SCHOOLS * CLASSES), PUPILS)
_school = 50 + 4 * rng.normal(size=SCHOOLS)
_class = _school[school_of] + 3 * rng.normal(size=SCHOOLS * CLASSES)
SCORE = _class[class_of] + 8 * rng.normal(size=len(class_of))


def build() -> pm.Model:
    """Three levels, and the share of variance that is between schools and between classes."""
    coords = {"school": range(1, SCHOOLS + 1), "class": range(SCHOOLS * CLASSES)}
    with pm.Model(coords=coords) as model:
        mean = pm.Normal("mean", 50, 20)
        sd_school, sd_class = pm.HalfNormal("sd_school", 10), pm.HalfNormal("sd_class", 10)
        sd_pupil = pm.HalfNormal("sd_pupil", 10)
        school = pm.Normal("school_mean", mean, sd_school, dims="school")
        group = pm.Normal("class_mean", school[school_of], sd_class, dims="class")
        pm.Normal("score", group[class_of], sd_pupil, observed=SCORE)
        total = sd_school**2 + sd_class**2 + sd_pupil**2
        pm.Deterministic("share_schools", sd_school**2 / total)
        pm.Deterministic("share_classes", sd_class**2 / total)
    return model


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit, print the shares with limits, and draw the schools."""
    fit = pymle.find_MLE(build(), progressbar=False)
    print(fit, "\n")
    limits = fit.conf_int(["sd_school", "sd_class"], method="profile")
    print(limits, "\n")
    effects = fit.random_effects()

    figure, ax = plt.subplots(figsize=(6, 4.5))
    effects.plot("school_mean", ax=ax)
    ax.axvline(float(fit.params["mean"]), color="0.3", linestyle=":")
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    plt.close(figure)
    return {"fit": fit, "limits": limits, "effects": effects}


if __name__ == "__main__":
    main(*sys.argv[1:])
