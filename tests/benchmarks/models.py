"""The models that are timed, with simulated data of any size."""

import numpy as np
import pymc as pm


def logistic_data(n, k, seed=1):
    """Design matrix (n, k) and zeros and ones (n,); the linear predictor has variance one."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, k))
    slopes = np.linspace(-1, 1, k)
    eta = 0.3 + X @ (slopes / np.linalg.norm(slopes))
    return X, (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(np.int64)


def logistic(X, y):
    """Logistic regression with an intercept; `X` and `y` are `pm.Data`, so that they can change."""
    coords = {"predictor": [f"x{i + 1}" for i in range(X.shape[1])]}
    with pm.Model(coords=coords) as model:
        X = pm.Data("X", X, dims=("obs", "predictor"))
        Y = pm.Data("Y", y, dims="obs")
        intercept = pm.Normal("intercept", 0, 10)
        slope = pm.Normal("slope", 0, 5, dims="predictor")
        pm.Bernoulli("y", logit_p=intercept + X @ slope, observed=Y, dims="obs")
    return model


def count_data(groups, per_group, seed=1):
    """Group of each row and its count; no group is without a count, so a maximum exists."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), per_group)
    counts = rng.poisson(np.exp(1 + 0.5 * rng.normal(size=groups))[group])
    counts[::per_group] += np.bincount(group, counts) == 0
    return group, counts


def poisson_effects(group, counts):
    """Poisson regression with one effect per group: the maximum is the log of each mean."""
    with pm.Model() as model:
        effect = pm.Normal("effect", 0, 10, shape=int(group.max()) + 1)
        pm.Poisson("y", pm.math.exp(effect[group]), observed=counts)
    return model
