"""Data and models that several tests of hypotheses use."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import statsmodels.api as sm

PREDICTORS = ["const", "x1", "x2", "x3"]


def counts() -> tuple[np.ndarray, np.ndarray]:
    """A design matrix with a constant, and counts."""
    rng = np.random.default_rng(0)
    X = sm.add_constant(rng.normal(size=(80, 3)))
    return X, rng.poisson(np.exp(X @ [0.3, 0.2, 0.1, -0.3]))


def poisson(X: np.ndarray, y: np.ndarray) -> pm.Model:
    """Poisson regression; the first columns of the design may be given alone."""
    with pm.Model(coords={"predictor": PREDICTORS[: X.shape[1]]}) as model:
        beta = pm.Normal("beta", 0, 1, dims="predictor")
        pm.Deterministic("ratio", pt.exp(beta), dims="predictor")
        pm.Poisson("y", pt.exp(X @ beta), observed=y)
    return model


# Venables and Ripley, MASS (2002), section 7.2, and help(dose.p).
LDOSE = np.arange(6.0)
DEAD = np.array([[0, 2, 6, 10, 12, 16], [1, 4, 9, 13, 18, 20]])


def budworms() -> pm.Model:
    """glm(SF ~ sex + ldose - 1, family = binomial)."""
    with pm.Model(coords={"sex": ["F", "M"]}) as model:
        a = pm.Normal("a", 0, 10, dims="sex")
        b = pm.Normal("b", 0, 10)
        pm.Binomial("dead", 20, logit_p=a[:, None] + b * LDOSE, observed=DEAD)
    return model
