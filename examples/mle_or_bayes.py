"""MLE or Bayes? Three data sets on which they agree, argue, and talk past each other.

The same PyMC model is fitted by maximum likelihood, which drops its priors, and sampled, which
keeps them. `compare_posterior` sets the answers beside each other and says what the prior did.

1. Reaction times of 18 subjects (Belenky et al. 2003): 180 measurements leave the priors nothing
   to say. One number differs, the spread between the subjects: of 18 of them it is uncertain and
   its distribution skewed, which a symmetric interval cannot show.
2. O-rings of the space shuttle (Dalal et al. 1989): 23 launches, seven with damage. A prior that
   looks harmless, a standard normal for the change of the log-odds by 10 degrees, holds half of
   the information about it.
3. Coaching in eight schools (Rubin 1981): the likelihood of the spread between schools is highest
   at zero, where maximum likelihood puts it. The posterior stays away from zero, and by how much
   is the prior's answer.

    python examples/mle_or_bayes.py [folder for pictures] [draws for each chain]
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm

import pymle

PICTURES = Path(__file__).parent / "pictures"
SLEEP = Path(__file__).parent / "data" / "sleepstudy.csv"

# Temperature at launch (degrees Fahrenheit), and whether an O-ring was damaged (Dalal, Fowlkes
# and Hoadley 1989, Journal of the American Statistical Association 84, 945-957, table 1).
TEMPERATURE = np.array(
    [66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58]
)
DAMAGED = np.array([0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1])

# Effects of coaching on test scores and their standard errors (Rubin 1981, Journal of Educational
# Statistics 6, 377-401, table 1).
EFFECT = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
SE = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def sleep() -> pm.Model:
    """Every subject has its own level; the days without sleep add to it."""
    table = np.genfromtxt(SLEEP, delimiter=",", names=True)
    subject = table["subject"].astype(int)
    coords = {"subject": [f"{i + 1}" for i in range(subject.max() + 1)]}
    with pm.Model(coords=coords) as model:
        level = pm.Normal("level", 250, 100)
        per_day = pm.Normal("per_day", 0, 50)
        between = pm.HalfNormal("between", 100)
        within = pm.HalfNormal("within", 100)
        z = pm.Normal("z", 0, 1, dims="subject")
        own = pm.Deterministic("own", level + between * z, dims="subject")
        pm.Normal("y", own[subject] + per_day * table["Days"], within, observed=table["y"])
    return model


def orings() -> pm.Model:
    """The log-odds of damage fall with the temperature, in steps of 10 degrees around 70."""
    with pm.Model() as model:
        at_70 = pm.Normal("at_70", 0, 1.5)
        per_10 = pm.Normal("per_10", 0, 1)
        pm.Deterministic("risk_at_31", pm.math.sigmoid(at_70 - 3.9 * per_10))
        pm.Bernoulli("y", logit_p=at_70 + per_10 * (TEMPERATURE - 70) / 10, observed=DAMAGED)
    return model


def schools() -> pm.Model:
    """The schools' effects vary around a common one."""
    with pm.Model(coords={"school": list("ABCDEFGH")}) as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        z = pm.Normal("z", 0, 1, dims="school")
        theta = pm.Deterministic("theta", mu + tau * z, dims="school")
        pm.Normal("y", theta, SE, observed=EFFECT, dims="school")
    return model


def compared(model: pm.Model, names: list[str], sampling: dict[str, Any]) -> Any:
    """Fit, sample, compare."""
    with warnings.catch_warnings():
        # Verdict, sampler and starts are part of what is printed below.
        warnings.simplefilter("ignore", pymle.PymleWarning)
        fit = pymle.find_MLE(model, progressbar=False)
        settings = {"random_seed": 1, "target_accept": 0.95, "progressbar": False}
        idata = fit.sample(**{**settings, **sampling})
        return fit.compare_posterior(idata, var_names=names, progressbar=False)


def save(axes: Any, title: str, path: Path, names: tuple[str, ...] = ()) -> Path:
    """Put a title above a picture, and names above its panels, and write it."""
    panels = np.ravel(np.asarray(axes, dtype=object))
    for panel, name in zip(panels, names, strict=False):
        panel.set_title(name, fontsize="medium")
    figure = panels[0].figure
    figure.suptitle(title, fontsize="large", fontweight="bold")
    figure.savefig(path, dpi=120)
    return path


def main(pictures: Path | str = PICTURES, **sampling: Any) -> dict[str, Any]:
    """Compare on all three data sets; print and draw. Arguments of `fit.sample` are passed on."""
    folder = Path(pictures)
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"pictures": []}

    print("1. Reaction times: the data decide\n")
    first = compared(sleep(), ["level", "per_day", "between", "within", "own"], sampling)
    print(first, "\n")
    found["sleep"] = first
    axes = first.plot_densities(["level", "per_day", "between"])
    title = "Reaction times: likelihood and posterior agree, save for the spread between subjects"
    names = ("reaction time, rested (ms)", "slower by each day (ms)", "spread of subjects (ms)")
    found["pictures"].append(save(axes, title, folder / "mle_or_bayes_sleep.png", names))

    print("2. O-rings: prior and data both count\n")
    second = compared(orings(), ["at_70", "per_10", "risk_at_31"], sampling)
    print(second, "\n")
    print(second.sensitivity().to_string(), "\n")
    found["orings"] = second
    axes = second.plot_densities(["at_70", "per_10", "risk_at_31"])
    title = "O-rings, 23 launches: the prior pulls the slope nearly half way to zero"
    names = ("log-odds of damage at 70 F", "change by 10 F warmer", "risk of damage at 31 F")
    found["pictures"].append(save(axes, title, folder / "mle_or_bayes_orings.png", names))
    axes = second.plot_influence(["at_70", "per_10"])
    axes.set_yticks([1, 0], ["at 70 F", "by 10 F warmer"])
    title = "O-rings: how far the prior moves the two coefficients"
    found["pictures"].append(save(axes, title, folder / "mle_or_bayes_influence.png"))

    print("3. Eight schools: the estimate lies at the edge\n")
    third = compared(schools(), ["mu", "tau", "theta"], sampling)
    print(third)
    found["schools"] = third
    title = "Eight schools: maximum likelihood pools them, the posterior does not"
    found["pictures"].append(save(third.plot(), title, folder / "mle_or_bayes_schools.png"))
    axes = third.plot_densities(["mu", "tau"])
    title = "Eight schools: the likelihood of their spread is highest at zero"
    names = ("mean effect of coaching", "spread between schools")
    found["pictures"].append(save(axes, title, folder / "mle_or_bayes_tau.png", names))
    return found


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES,
        draws=int(sys.argv[2]) if len(sys.argv) > 2 else 1000,
    )
