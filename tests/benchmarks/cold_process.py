"""A whole process: build a logistic regression 1,000 x 5, fit it, print the table."""

import numpy as np
import pymc as pm

import pymle

rng = np.random.default_rng(1)
X = rng.normal(size=(1000, 5))
y = rng.random(1000) < 1 / (1 + np.exp(-(0.3 + X @ np.linspace(-1, 1, 5))))

with pm.Model(coords={"predictor": ["x1", "x2", "x3", "x4", "x5"]}) as model:
    intercept = pm.Normal("intercept", 0, 10)
    slope = pm.Normal("slope", 0, 5, dims="predictor")
    pm.Bernoulli("y", logit_p=intercept + X @ slope, observed=y.astype(int))

print(pymle.find_MLE(model, progressbar=False))
