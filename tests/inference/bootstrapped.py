"""Models that are bootstrapped in several files."""

import numpy as np
import pymc as pm

import pymle

# Davison and Hinkley (1997), table 1.2: hours between failures of air-conditioning equipment, the
# data set `aircondit` of R's boot.
AIR = np.array([3, 5, 7, 18, 43, 85, 91, 98, 100, 130, 230, 487.0])


def fit(model, **arguments):
    return pymle.find_MLE(model, progressbar=False, **arguments)


def bootstrap(fitted, *arguments, **options):
    return fitted.bootstrap(*arguments, progressbar=False, **options)


def logistic(X, y, **arguments):
    with pm.Model(coords={"x": [f"x{i + 1}" for i in range(X.shape[1])]}) as model:
        design = pm.Data("X", X)
        a = pm.Normal("a", 0, 10)
        b = pm.Normal("b", 0, 10, dims="x")
        pm.Bernoulli("y", logit_p=a + design @ b, observed=y)
    return fit(model, **arguments)


def exponential(y):
    with pm.Model() as model:
        mu = pm.HalfNormal("mu", 100)
        pm.Exponential("y", 1 / mu, observed=y)
    return fit(model)


def normal(y, **arguments):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 100)
        sigma = pm.HalfNormal("sigma", 100)
        pm.Normal("y", mu, sigma, observed=y)
    return fit(model, **arguments)
