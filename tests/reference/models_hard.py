"""Hard cases: one curved valley that must be right, and likelihoods that have no certificate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

from tests.reference.problem import Problem, same


def rosenbrock(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        a = pm.Normal("a", 0, 10)
        b = pm.Normal("b", 0, 10)
        pm.Normal("y1", a, 1, observed=data["y1"].to_numpy())
        pm.Normal("y2", 10 * (b - a**2), 1, observed=data["y2"].to_numpy())
    return model


def separation(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        b0 = pm.Normal("b0", 0, 10)
        b1 = pm.Normal("b1", 0, 10)
        eta = b0 + b1 * data["x"].to_numpy()
        pm.Bernoulli("y", logit_p=eta, observed=data["y"].to_numpy().astype(int))
    return model


SPRAYS = list("ABCDEF")


def collinear(data: pd.DataFrame) -> pm.Model:
    with pm.Model(coords={"spray": SPRAYS}) as model:
        b0 = pm.Normal("b0", 0, 10)
        b = pm.Normal("b", 0, 10, dims="spray")
        mu = pm.math.exp(b0 + pt.dot(data[SPRAYS].to_numpy(), b))
        pm.Poisson("count", mu, observed=data["y"].to_numpy().astype(int))
    return model


def boundary(data: pd.DataFrame) -> pm.Model:
    """Between-batch variance estimated at zero, in the marginal form."""
    y = data.sort_values("batch", kind="stable")["y"].to_numpy().reshape(6, 5)
    with pm.Model() as model:
        intercept = pm.Normal("Intercept", 0, 10)
        sd_batch = pm.HalfNormal("sd_batch", 5)
        sigma = pm.HalfNormal("sigma", 5)
        covariance = sd_batch**2 * np.ones((5, 5)) + sigma**2 * np.eye(5)
        pm.MvNormal("yield", mu=intercept * np.ones(5), cov=covariance, observed=y)
    return model


def cauchy(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        theta = pm.Normal("theta", 0, 10)
        pm.Cauchy("x", theta, 1, observed=data["x"].to_numpy())
    return model


def all_successes(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        p = pm.Beta("p", 1, 1)
        pm.Binomial("successes", n=25, p=p, observed=data["successes"].to_numpy().astype(int))
    return model


def all_successes_logit(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        eta = pm.Normal("eta", 0, 10)
        successes = data["successes"].to_numpy().astype(int)
        pm.Binomial("successes", n=25, logit_p=eta, observed=successes)
    return model


PROBLEMS = [
    Problem(
        "hard_rosenbrock", rosenbrock, same("a", "b"), starts={"standard": {"a": -1.2, "b": 1.0}}
    ),
]
