"""Time series with exact Gaussian likelihoods, and mixed models in their marginal form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

from tests.reference.problem import Problem, same


def lh(data: pd.DataFrame) -> pm.Model:
    """``pm.AR`` started from the stationary distribution."""
    with pm.Model() as model:
        mean = pm.Normal("mean", 0, 10)
        ar1 = pm.Uniform("ar1", -1, 1)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Deterministic("sigma2", sigma**2)
        pm.AR(
            "y",
            rho=pt.stack([mean * (1 - ar1), ar1]),
            sigma=sigma,
            constant=True,
            init_dist=pm.Normal.dist(mean, sigma / pt.sqrt(1 - ar1**2)),
            observed=data["y"].to_numpy(),
        )
    return model


def lh_covariance(data: pd.DataFrame) -> pm.Model:
    """The same as a multivariate normal with the autocovariances of the process."""
    y = data["y"].to_numpy()
    lag = np.abs(np.subtract.outer(np.arange(len(y)), np.arange(len(y))))
    with pm.Model() as model:
        mean = pm.Normal("mean", 0, 10)
        ar1 = pm.Uniform("ar1", -1, 1)
        sigma2 = pm.Exponential("sigma2", 1)
        covariance = sigma2 / (1 - ar1**2) * ar1**lag
        pm.MvNormal("y", mu=pt.full(len(y), mean), cov=covariance, observed=y)
    return model


def lakehuron(data: pd.DataFrame) -> pm.Model:
    """Conditional normals, and a Potential for the stationary law of the first two years."""
    y, t = data["y"].to_numpy(), data["t"].to_numpy()
    with pm.Model() as model:
        intercept = pm.Normal("Intercept", 0, 1000)
        slope = pm.Normal("t", 0, 1)
        ar1 = pm.Normal("ar1", 0, 1)
        ar2 = pm.Normal("ar2", 0, 1)
        sigma = pm.HalfNormal("sigma", 1)
        pm.Deterministic("sigma2", sigma**2)
        mu = intercept + slope * t
        expected = mu[2:] + ar1 * (y[1:-1] - mu[1:-1]) + ar2 * (y[:-2] - mu[:-2])
        pm.Normal("y", expected, sigma, observed=y[2:])
        variance = sigma**2 * (1 - ar2) / ((1 + ar2) * ((1 - ar2) ** 2 - ar1**2))
        correlation = ar1 / (1 - ar2)
        shape = pt.stack([pt.stack([1.0, correlation]), pt.stack([correlation, 1.0])])
        first = pm.MvNormal.dist(mu=mu[:2], cov=variance * shape)
        pm.Potential("first_two", pm.logp(first, y[:2]))
    return model


def nile(data: pd.DataFrame) -> pm.Model:
    """Local level, diffuse start: the differences are a moving average."""
    change = np.diff(data["y"].to_numpy())
    n = len(change)
    neighbours = np.eye(n, k=1) + np.eye(n, k=-1)
    with pm.Model() as model:
        sd_eps = pm.HalfNormal("sd_eps", 100)
        sd_level = pm.HalfNormal("sd_level", 100)
        var_eps = pm.Deterministic("var_eps", sd_eps**2)
        var_level = pm.Deterministic("var_level", sd_level**2)
        covariance = (var_level + 2 * var_eps) * np.eye(n) - var_eps * neighbours
        pm.MvNormal("change", mu=np.zeros(n), cov=covariance, observed=change)
    return model


def ovary(data: pd.DataFrame) -> pm.Model:
    """AR(1) errors within mares: each count given the one before, the first marginally."""
    y, mare = data["y"].to_numpy(), data["mare"].to_numpy()
    first = np.r_[True, mare[1:] != mare[:-1]]
    before = np.maximum(np.arange(len(y)) - 1, 0)
    with pm.Model() as model:
        intercept = pm.Normal("Intercept", 0, 10)
        sine = pm.Normal("sin", 0, 10)
        cosine = pm.Normal("cos", 0, 10)
        phi = pm.Uniform("phi", -1, 1)
        sigma = pm.HalfNormal("sigma", 10)
        mu = intercept + sine * data["sin"].to_numpy() + cosine * data["cos"].to_numpy()
        carried = pt.where(first, 0.0, phi * (y[before] - mu[before]))
        sd = pt.where(first, sigma, sigma * pt.sqrt(1 - phi**2))
        pm.Normal("follicles", mu + carried, sd, observed=y)
    return model


def dyestuff(data: pd.DataFrame) -> pm.Model:
    """One-way random effects, integrated out by hand: one multivariate normal per batch."""
    y = data.sort_values("batch", kind="stable")["y"].to_numpy().reshape(6, 5)
    with pm.Model(coords={"batch": range(6), "sample": range(5)}) as model:
        intercept = pm.Normal("Intercept", 0, 1000)
        sd_batch = pm.HalfNormal("sd_batch", 50)
        sigma = pm.HalfNormal("sigma", 50)
        covariance = sd_batch**2 * np.ones((5, 5)) + sigma**2 * np.eye(5)
        mu = intercept * np.ones(5)
        pm.MvNormal("yield", mu=mu, cov=covariance, observed=y, dims=("batch", "sample"))
    return model


def sleepstudy(data: pd.DataFrame) -> pm.Model:
    """Correlated random intercept and slope: one multivariate normal per subject."""
    y = data.sort_values(["subject", "Days"])["y"].to_numpy().reshape(18, 10)
    Z = np.column_stack([np.ones(10), np.arange(10.0)])
    with pm.Model(coords={"subject": range(18), "day": range(10)}) as model:
        intercept = pm.Normal("Intercept", 0, 100)
        days = pm.Normal("Days", 0, 10)
        sd0 = pm.HalfNormal("sd_intercept", 50)
        sd1 = pm.HalfNormal("sd_Days", 50)
        rho = pm.Uniform("rho", -1, 1)
        sigma = pm.HalfNormal("sigma", 50)
        cross = rho * sd0 * sd1
        G = pt.stack([pt.stack([sd0**2, cross]), pt.stack([cross, sd1**2])])
        covariance = pt.dot(pt.dot(Z, G), Z.T) + sigma**2 * np.eye(10)
        mu = intercept + days * np.arange(10.0)
        pm.MvNormal("reaction", mu=mu, cov=covariance, observed=y, dims=("subject", "day"))
    return model


def penicillin(data: pd.DataFrame) -> pm.Model:
    """Crossed random effects: one multivariate normal of 144."""
    y = data["y"].to_numpy()
    plate, sample = (data[k].to_numpy() for k in ("plate", "sample"))
    same_plate = (plate[:, None] == plate).astype(float)
    same_sample = (sample[:, None] == sample).astype(float)
    with pm.Model() as model:
        intercept = pm.Normal("Intercept", 0, 10)
        sd_plate = pm.Exponential("sd_plate", 1)
        sd_sample = pm.Exponential("sd_sample", 1)
        sigma = pm.Exponential("sigma", 1)
        covariance = (
            sd_plate**2 * same_plate + sd_sample**2 * same_sample + sigma**2 * np.eye(len(y))
        )
        pm.MvNormal("diameter", mu=intercept * np.ones(len(y)), cov=covariance, observed=y)
    return model


PROBLEMS = [
    Problem(
        "ts_ar1_lh",
        lh,
        same("ar1", "mean", "sigma2"),
        point=lambda v: {"ar1": v["ar1"], "mean": v["mean"], "sigma": np.sqrt(v["sigma2"])},
    ),
    Problem("ts_ar1_lh", lh_covariance, same("ar1", "mean", "sigma2")),
    Problem(
        "ts_ar2_xreg_lakehuron",
        lakehuron,
        same("ar1", "ar2", "Intercept", "t", "sigma2"),
        point=lambda v: {
            **{k: v[k] for k in ("ar1", "ar2", "Intercept", "t")},
            "sigma": np.sqrt(v["sigma2"]),
        },
    ),
    Problem(
        "ts_locallevel_nile",
        nile,
        same("var_eps", "var_level"),
        point=lambda v: {
            "sd_eps": np.sqrt(v["var_eps"]),
            "sd_level": np.sqrt(v["var_level"]),
        },
    ),
    Problem("ts_gls_ar1_ovary", ovary, same("Intercept", "sin", "cos", "phi", "sigma")),
    Problem("lmm_dyestuff", dyestuff, same("Intercept", "sd_batch", "sigma")),
    Problem(
        "lmm_sleepstudy",
        sleepstudy,
        same("Intercept", "Days", "sd_intercept", "sd_Days", "rho", "sigma"),
    ),
    Problem("lmm_penicillin", penicillin, same("Intercept", "sd_plate", "sd_sample", "sigma")),
]
