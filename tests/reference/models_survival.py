"""Censored data, in the several ways PyMC users write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

from tests.reference.problem import Problem, entries, same

LUNG = ["age", "sex", "ph_ecog", "ph_karno"]


def lung(data: pd.DataFrame) -> pm.Model:
    """``pm.Censored`` with the censoring time as upper limit."""
    time, event = data["time"].to_numpy(), data["event"].to_numpy()
    limit = np.where(event == 1, np.inf, time)
    with pm.Model(coords={"predictor": LUNG}) as model:
        X = pm.Data("X", data[LUNG].to_numpy(), dims=("patient", "predictor"))
        intercept = pm.Normal("Intercept", 0, 10)
        beta = pm.Normal("beta", 0, 1, dims="predictor")
        scale = pm.HalfNormal("scale", 2)
        pm.Deterministic("log_scale", pt.log(scale))
        latent = pm.Weibull.dist(alpha=1 / scale, beta=pt.exp(intercept + X @ beta))
        pm.Censored("time", latent, lower=None, upper=limit, observed=time, dims="patient")
    return model


def lung_strata(data: pd.DataFrame) -> pm.Model:
    """Exact and censored rows apart: an observed Weibull and a Potential of survival."""
    died = data["event"].to_numpy() == 1
    time = data["time"].to_numpy()
    stratum = data["sex"].to_numpy().astype(int) - 1
    with pm.Model(coords={"sex": ["sex1", "sex2"]}) as model:
        intercept = pm.Normal("Intercept", 0, 10)
        ecog = pm.Normal("ph_ecog", 0, 1)
        age = pm.Normal("age", 0, 1)
        log_scale = pm.Normal("log_scale", 0, 1, dims="sex")
        eta = intercept + ecog * data["ph_ecog"].to_numpy() + age * data["age"].to_numpy()
        alpha, beta = pt.exp(-log_scale[stratum]), pt.exp(eta)
        pm.Weibull("died", alpha[died], beta[died], observed=time[died])
        survival = -((time[~died] / beta[~died]) ** alpha[~died])
        pm.Potential("alive", survival)
    return model


def ovarian(data: pd.DataFrame) -> pm.Model:
    """A ``CustomDist`` whose logp takes the event indicator."""

    def logp(value, event, eta):
        return -event * eta - value * pt.exp(-eta)

    with pm.Model() as model:
        intercept = pm.Normal("Intercept", 0, 10)
        ecog = pm.Normal("ecog_ps", 0, 10)
        rx = pm.Normal("rx", 0, 10)
        eta = intercept + ecog * data["ecog_ps"].to_numpy() + rx * data["rx"].to_numpy()
        pm.CustomDist(
            "time", data["event"].to_numpy(), eta, logp=logp, observed=data["time"].to_numpy()
        )
    return model


def tobin(data: pd.DataFrame) -> pm.Model:
    """Tobit regression, 13 of 20 at the lower limit 0."""
    with pm.Model() as model:
        intercept = pm.Normal("Intercept", 0, 10)
        age = pm.Normal("age", 0, 10)
        quant = pm.Normal("quant", 0, 10)
        sigma = pm.HalfNormal("sigma", 10)
        pm.Deterministic("log_scale", pt.log(sigma))
        mu = intercept + age * data["age"].to_numpy() + quant * data["quant"].to_numpy()
        latent = pm.Normal.dist(mu, sigma)
        pm.Censored("durable", latent, lower=0, upper=None, observed=data["y"].to_numpy())
    return model


def salinity(data: pd.DataFrame) -> pm.Model:
    """Left, right and interval censored and exact concentrations."""
    left, right = data["left"].to_numpy(), data["right"].to_numpy()
    exact = left == right
    below = ~exact & np.isinf(left)
    above = ~exact & np.isinf(right)
    between = ~exact & ~below & ~above
    with pm.Model() as model:
        location = pm.Normal("location", 0, 100)
        scale = pm.HalfNormal("scale", 10)
        pm.Deterministic("log_scale", pt.log(scale))
        tolerance = pm.Logistic.dist(location, scale)
        pm.Logistic("exact", location, scale, observed=left[exact])
        pm.Potential("below", pm.logcdf(tolerance, right[below]))
        pm.Potential("above", pm.math.log1mexp(pm.logcdf(tolerance, left[above])))
        pm.Potential(
            "between",
            pm.math.logdiffexp(
                pm.logcdf(tolerance, right[between]), pm.logcdf(tolerance, left[between])
            ),
        )
    return model


PROBLEMS = [
    Problem(
        "surv_weibull_lung",
        lung,
        same("Intercept", "log_scale") | entries("beta", LUNG),
        point=lambda v: {
            "Intercept": v["Intercept"],
            "beta": [v[name] for name in LUNG],
            "scale": np.exp(v["log_scale"]),
        },
    ),
    Problem(
        "surv_weibull_strata_lung",
        lung_strata,
        same("Intercept", "ph_ecog", "age")
        | {f"log_scale_sex{i}": f"log_scale[sex{i}]" for i in (1, 2)},
    ),
    Problem("surv_exponential_ovarian", ovarian, same("Intercept", "ecog_ps", "rx")),
    Problem(
        "surv_tobit_tobin",
        tobin,
        same("Intercept", "age", "quant", "log_scale"),
        point=lambda v: {
            "Intercept": v["Intercept"],
            "age": v["age"],
            "quant": v["quant"],
            "sigma": np.exp(v["log_scale"]),
        },
    ),
    Problem(
        "surv_logistic_salinity",
        salinity,
        same("location", "log_scale"),
        point=lambda v: {"location": v["location"], "scale": np.exp(v["log_scale"])},
    ),
]
