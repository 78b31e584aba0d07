"""Seizures of 59 patients: standard errors from the model, from scores, and by patient.

A Poisson regression with four counts of every patient says too much about too little: counts
vary more than Poisson counts, and those of one patient resemble each other. The estimates
stay what they are; the sandwich by patient makes their standard errors honest. Deleting one
patient at a time shows who moves them.

Needs statsmodels, which the extra `test` installs: pip install '.[test]'

    python examples/robust_errors.py [picture.png]
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

HERE = Path(__file__).parent
PICTURE = HERE / "pictures" / "robust_errors.png"
PREDICTORS = ["one", "base", "progabide", "base:progabide", "age", "visit 4"]


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit, print the standard errors of each kind, draw; return everything."""
    data = pd.read_csv(HERE / "data" / "epilepsy.csv")
    base, age = np.log(data["base"] / 4), np.log(data["age"])
    columns = [
        np.ones(len(data)),
        base,
        data["progabide"],
        base * data["progabide"],
        age,
        data["visit"] == 4,
    ]
    X = np.stack([np.asarray(c, dtype=float) for c in columns], axis=1)

    with pm.Model(coords={"predictor": PREDICTORS}) as model:
        pm.Data("patient", data["patient"].to_numpy())
        beta = pm.Normal("beta", 0, 10, dims="predictor")
        pm.Poisson("seizures", pm.math.exp(X @ beta), observed=data["seizures"].to_numpy())

    fit = pymle.find_MLE(model)
    print(fit)
    print("\nThe same estimates with standard errors by patient:\n")
    print(fit.summary(clusters="patient").to_string(float_format="{:.4f}".format))

    errors = pd.DataFrame(
        {
            "information": fit.summary()["se"],
            "rows (HC0)": fit.summary(cov="HC0")["se"],
            "patients (CR1)": fit.summary(clusters="patient")["se"],
        }
    )
    print("\nStandard errors:\n")
    print(errors.to_string(float_format="{:.4f}".format))

    # statsmodels' factor is G / (G - 1) * (n - 1) / (n - k): the name for that is CR1S.
    glm = sm.GLM(data["seizures"].to_numpy(), X, sm.families.Poisson())
    groups = data["patient"].to_numpy()
    theirs = glm.fit(cov_type="cluster", cov_kwds={"groups": groups})
    ours = fit.summary(cov="CR1S", clusters="patient")["se"].to_numpy()
    print(
        f"\nlargest relative difference to statsmodels: {np.max(np.abs(ours / theirs.bse - 1)):.1e}"
    )

    influence = fit.influence(clusters="patient")
    print(f"\n{influence}")
    patient = int(influence.largest(1).index[0])
    without = pymle.find_MLE(model, weights=(groups != patient).astype(float))
    place = PREDICTORS.index("base:progabide")
    values = [float(f.params["beta"][place]) for f in (fit, without)]
    one_step = values[0] - influence.changes.iloc[patient - 1, place]
    print(
        f"\nThe coefficient of base:progabide is {values[0]:.3f}; without patient {patient} it is "
        f"{one_step:.3f} by one step and {values[1]:.3f} by a refit."
    )

    draw(picture, errors, influence)
    return {
        "fit": fit,
        "errors": errors,
        "statsmodels": theirs,
        "influence": influence,
        "one_step": one_step,
        "refit": values[1],
    }


def draw(picture: Path | str, errors: pd.DataFrame, influence: Any) -> None:
    """Ratios of standard errors, and Cook's distance of each patient."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), width_ratios=(1, 1.3))
    places = np.arange(len(errors))
    for i, name in enumerate(errors.columns):
        left.plot(errors[name] / errors["information"], places, "o", color=f"C{i}", label=name)
    left.set_yticks(
        places, [label.removeprefix("beta[").removesuffix("]") for label in errors.index]
    )
    left.invert_yaxis()
    left.set_xlabel("standard error, in units of the information's")
    left.legend(fontsize="small")
    influence.plot(ax=right)
    right.set_xlabel("patients, in the order of the data")
    right.set_title("what deleting one patient changes", fontsize="medium")
    figure.tight_layout()
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    main(*sys.argv[1:2])
