"""Eight schools: the joint mode runs away, the marginal likelihood does not.

Effects of coaching on test scores in eight schools, with their standard errors (Rubin 1981). The
joint density of the centred model grows without bound as the spread between schools goes to
zero. The marginal likelihood has its maximum there too, but a finite one: the schools differ no
more than their standard errors explain, and the limit for the spread says how much is possible.

    python examples/eight_schools.py [picture.png]
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pymc as pm

import pymle

PICTURE = Path(__file__).parent / "pictures" / "eight_schools.png"

EFFECT = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
SE = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def build() -> pm.Model:
    """The model as everybody writes it."""
    with pm.Model(coords={"school": list("ABCDEFGH")}) as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        pm.Normal("y", theta, SE, observed=EFFECT, dims="school")
    return model


def joint(tau: float) -> float:
    """Joint log-density of data and effects, at its maximum over mu and theta."""
    shrink = tau**2 / (tau**2 + SE**2)
    mu = np.average(EFFECT, weights=1 / (tau**2 + SE**2))
    theta = mu + shrink * (EFFECT - mu)
    squares = ((EFFECT - theta) / SE) ** 2 + ((theta - mu) / tau) ** 2
    return float(np.sum(-0.5 * squares - np.log(SE * tau) - np.log(2 * np.pi)))


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit by the joint mode and by the marginal likelihood; draw both along tau."""
    model = build()
    print(pymle.roles(model), "\n")
    with warnings.catch_warnings():
        # Both verdicts are the story; they are printed.
        warnings.simplefilter("ignore", pymle.NotCertifiedWarning)
        mode = pymle.find_MAP(model, random=[], progressbar=False)
        fit = pymle.find_MLE(model, progressbar=False)
    print("The joint mode:", mode.verdict, "\n")
    print(fit, "\n")

    # The marginal likelihood at given spreads: mu is estimated anew at each.
    spreads = np.geomspace(0.02, 40.0, 80)
    likelihood = pymle.compile(model)
    best_mu = [np.average(EFFECT, weights=1 / (tau**2 + SE**2)) for tau in spreads]
    marginal = np.array(
        [likelihood.logp({"mu": m, "tau": t}) for m, t in zip(best_mu, spreads, strict=True)]
    )
    limits = fit.conf_int("tau", method="profile")
    print(limits, "\n")
    upper = float(limits.loc["tau", "upper"])

    # With the spread at a plausible value, the schools' own effects.
    held = pymle.find_MLE(model, fixed={"tau": 5.0}, progressbar=False)
    effects = held.random_effects()
    print(effects)

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.semilogx(spreads, [joint(tau) for tau in spreads], label="joint density")
    left.semilogx(spreads, marginal, label="marginal likelihood")
    left.axvline(upper, color="grey", linestyle=":", label="95% limit")
    left.set(xlabel="tau", ylabel="log-density, highest over the rest", ylim=(-62, -15))
    left.legend()
    effects.plot(ax=right)
    right.set_title("Schools at tau = 5")
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    plt.close(figure)
    return {"mode": mode, "fit": fit, "upper": upper, "effects": effects, "marginal": marginal}


if __name__ == "__main__":
    main(*sys.argv[1:])
