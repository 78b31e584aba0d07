"""Generalised linear mixed models as users write them, against lme4, glmmTMB and ordinal.

``generalised.json`` holds the values with the calls that gave them (R 4.2.2); standard deviations
and dispersions of glmmTMB are logarithms there. Log-likelihoods to 1e-6, estimates to 2e-4
standard errors (glmmTMB's own optimiser stops about there), standard errors to 1e-3 relative.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymle
from tests.reference.problem import load

VALUES = json.loads((Path(__file__).parent / "generalised.json").read_text(encoding="utf-8"))
SPECIES = ["GP", "PR", "DM", "EC-A", "EC-L", "DES-L", "DF"]


def bacteria():
    """Non-centred, a matrix with named columns."""
    d = load("glmm_bacteria.csv")
    columns = ["drug", "drugplus", "late"]
    id_ = d["id"].to_numpy().astype(int)
    with pm.Model(coords={"column": columns, "child": range(50)}) as model:
        a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5, dims="column")
        sd, z = pm.HalfNormal("sd", 2), pm.Normal("z", 0, 1, dims="child")
        eta = a + pt.dot(d[columns].to_numpy(), b) + sd * z[id_]
        pm.Bernoulli("y", logit_p=eta, observed=d["y"].to_numpy().astype(int))
    return model, ["a", *(f"b[{c}]" for c in columns), "sd"]


def salamanders(kind):
    """One column for each species, indexed by name of the coefficient."""
    d = load("glmm_salamanders.csv").astype(int)
    site, y, no = (d[c].to_numpy() for c in ("site", "count", "unmined"))
    dummies = np.eye(7)[d["spp"].to_numpy()][:, 1:]
    main = np.column_stack([np.ones(len(d)), dummies, no])
    small = main[:, [0, 7]]
    design = {"nb1": np.column_stack([main, dummies * no[:, None]]), "zip": main, "hurdle": small}
    X, Z = design[kind], {"nb1": None, "zip": main, "hurdle": small}[kind]
    with pm.Model() as model:
        b, sd = pm.Normal("b", 0, 5, shape=X.shape[1]), pm.HalfNormal("sd", 2)
        u = pm.Normal("u", 0, sd, shape=23)
        mu = pm.math.exp(X @ b + u[site])
        labels = [f"b[{i}]" for i in range(X.shape[1])]
        if Z is not None:
            g = pm.Normal("g", 0, 5, shape=Z.shape[1])
            zero = Z @ g
            labels += [f"g[{i}]" for i in range(Z.shape[1])]
        if kind == "nb1":
            phi = pm.HalfNormal("phi", 5)
            pm.NegativeBinomial("y", mu=mu, alpha=mu / phi, observed=y)
            return model, [*labels, "log phi", "log sd"]
        if kind == "zip":
            pm.ZeroInflatedPoisson("y", 1 - pm.math.invlogit(zero), mu, observed=y)
            return model, [*labels, "log sd"]
        w = pm.Normal("w", 0, pm.HalfNormal("sd_zero", 2), shape=23)
        alpha, psi = pm.HalfNormal("alpha", 10), 1 - pm.math.invlogit(zero + w[site])
        pm.HurdleNegativeBinomial("y", psi=psi, mu=mu, alpha=alpha, observed=y)
        return model, [*labels, "log alpha", "log sd", "log sd_zero"]


def owls():
    """An offset as a factor of the mean, zero inflation, linear variance."""
    d = load("glmm_owls.csv")
    at = (d["time"] - d["time"].mean()) / d["time"].std()
    X = np.column_stack([np.ones(len(d)), d["satiated"], d["male"], at, d["satiated"] * d["male"]])
    nest = d["nest"].to_numpy().astype(int)
    with pm.Model(coords={"nest": range(nest.max() + 1)}) as model:
        b, sd = pm.Normal("b", 0, 5, shape=5), pm.HalfNormal("sd", 2)
        u = pm.Normal("u", 0, sd, dims="nest")
        mu = d["brood"].to_numpy() * pm.math.exp(X @ b + u[nest])
        phi, psi = pm.HalfNormal("phi", 5), pm.Beta("psi", 1, 1)
        calls = d["calls"].to_numpy().astype(int)
        pm.ZeroInflatedNegativeBinomial("y", psi=psi, mu=mu, alpha=mu / phi, observed=calls)
    # In the order of the fit: logit of the zeros, log phi, log sd.
    return model, [*(f"b[{i}]" for i in (0, 1, 2, 3, 4)), "logit zero psi", "log phi", "log sd"]


def sleepstudy():
    """Correlated intercepts and slopes, and a variance that changes with the days."""
    d = load("lmm_sleepstudy.csv")
    days, subject = d["Days"].to_numpy(), d["subject"].to_numpy().astype(int)
    with pm.Model() as model:
        b, s = pm.Normal("b", 0, 300, shape=2), pm.Normal("s", 0, 3, shape=2)
        sd = pm.Exponential.dist(0.1, shape=2)
        chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=2, sd_dist=sd, compute_corr=True)
        u = pt.dot(chol, pm.Normal("z", 0, 1, shape=(2, 18)))
        mean = b[0] + u[0, subject] + (b[1] + u[1, subject]) * days
        pm.Normal("y", mean, pm.math.exp(0.5 * (s[0] + s[1] * days)), observed=d["y"])
    return model, ["b[0]", "b[1]", "s[0]", "s[1]", "log chol_stds[0]", "log chol_stds[1]"]


def wine():
    """Ordered logistic with judges, cutpoints in increasing order."""
    d = load("clmm_wine.csv").astype(int)  # ratings from 0 on
    with pm.Model() as model:
        b, sd = pm.Normal("b", 0, 5, shape=2), pm.HalfNormal("sd", 2)
        u = pm.Normal("u", 0, sd, shape=9)
        ordered = pm.distributions.transforms.ordered
        cut = pm.Normal("cut", 0, 5, shape=4, transform=ordered, initval=[-2.0, 0.0, 1.0, 2.0])
        eta = b[0] * d["tempwarm"].to_numpy() + b[1] * d["contactyes"].to_numpy()
        eta += u[d["judge"].to_numpy()]
        pm.OrderedLogistic("y", eta=eta, cutpoints=cut, observed=d["y"].to_numpy())
    return model, [*(f"cut[{i}]" for i in range(4)), "b[0]", "b[1]", "log sd"]


def simulated(kind):
    """A slope and twelve groups."""
    d = load("glmm_simulated.csv")
    group = d["g"].to_numpy().astype(int) - 1
    with pm.Model() as model:
        a, b, sd = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5), pm.HalfNormal("sd", 2)
        size = pm.HalfNormal("size", 10)
        eta = a + b * d["x"].to_numpy() + pm.Normal("u", 0, sd, shape=12)[group]
        p = pm.math.invlogit(eta)
        if kind == "gamma":
            pm.Gamma("y", alpha=size, beta=size / pm.math.exp(eta), observed=d["gam"])
        elif kind == "beta":
            pm.Beta("y", alpha=p * size, beta=(1 - p) * size, observed=d["beta"])
        else:
            outcome = d["bb"].to_numpy().astype(int)
            pm.BetaBinomial("y", n=20, alpha=p * size, beta=(1 - p) * size, observed=outcome)
    return model, ["a", "b", "log size", "log sd"]


CASES = {
    "bact7": (bacteria, 7),
    "gamma": (lambda: simulated("gamma"), None),
    "beta": (lambda: simulated("beta"), None),
    "betabin": (lambda: simulated("betabin"), None),
    "wine10": (wine, 10),
    "sleep_disp": (sleepstudy, None),
    "sal_nbinom1": (lambda: salamanders("nb1"), None),
    "sal_zip": (lambda: salamanders("zip"), None),
    "sal_hurdle_re": (lambda: salamanders("hurdle"), None),
    "owls_zinb1": (owls, None),
}
QUICK = {"bact7", "gamma"}
# Draws from wide priors of seventeen coefficients begin where a search takes longer than it may.
ONE_START = {"sal_zip"}


def on_scale(label, table):
    """Estimate and standard error of a row, transformed as its label says."""
    *scale, name = label.split(" ")
    estimate, se = table.loc[name, "estimate"], table.loc[name, "se"]
    if scale == ["log"]:
        return np.log(estimate), se / estimate
    if scale:
        return np.log((1 - estimate) / estimate), se / (estimate * (1 - estimate))
    return estimate, se


# PyMC 5's own call, where it builds a truncated distribution.
@pytest.mark.filterwarnings("ignore:Scan return signature:DeprecationWarning")
@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES],
)
def test_fit_equals_reference(name):
    build, points = CASES[name]
    model, labels = build()
    starts = 1 if name in ONE_START else "auto"
    fit = pymle.find_MLE(model, quadrature=points, n_starts=starts, progressbar=False)
    reference = VALUES[name]
    assert fit.verdict.ok, fit.verdict
    assert abs(fit.loglik - reference["loglik"]) < 1e-6
    table = fit.summary()
    for label, value, se in zip(labels, reference["estimates"], reference["se"], strict=False):
        estimate, own = on_scale(label, table)
        assert abs(estimate - value) < 2e-4 * (own if se is None else se), label
        if se is not None:
            assert own == pytest.approx(se, rel=1e-3), label
