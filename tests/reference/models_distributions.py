"""Samples from one distribution."""

from __future__ import annotations

import pandas as pd
import pymc as pm
import pytensor.tensor as pt

from tests.reference.problem import Problem, same


def weibull(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        shape = pm.Exponential("shape", 1)
        scale = pm.HalfNormal("scale", 10)
        pm.Weibull("serving", shape, scale, observed=data["x"].to_numpy())
    return model


def gamma(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        shape = pm.HalfCauchy("shape", 5)
        rate = pm.HalfCauchy("rate", 5)
        pm.Gamma("serving", alpha=shape, beta=rate, observed=data["x"].to_numpy())
    return model


def lognormal(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        mu = pm.Normal("meanlog", 0, 10)
        sigma = pm.HalfNormal("sdlog", 1)
        pm.LogNormal("length", mu, sigma, observed=data["x"].to_numpy())
    return model


def gumbel(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        loc = pm.Normal("loc", 0, 100)
        scale = pm.HalfNormal("scale", 10)
        pm.Gumbel("sea_level", mu=loc, beta=scale, observed=data["x"].to_numpy())
    return model


def negative_binomial(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        mu = pm.Exponential("mu", 1 / 20)
        size = pm.HalfNormal("size", 5)
        parasites = data["x"].to_numpy().astype(int)
        pm.NegativeBinomial("parasites", mu=mu, alpha=size, observed=parasites)
    return model


def pareto(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        alpha = pm.Gamma("alpha", 2, 1)
        pm.Pareto("loss", alpha=alpha, m=1.0, observed=data["x"].to_numpy())
    return model


def beta_binomial(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        alpha = pm.Exponential("alpha", 1)
        beta = pm.Exponential("beta", 1)
        males = data["nMales"].to_numpy().astype(int)
        pm.BetaBinomial("males", n=12, alpha=alpha, beta=beta, observed=males)
    return model


def mixture(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        w = pm.Beta("w", 1, 1)
        mu1 = pm.Normal("mu1", 0, 100)
        mu2 = pm.Normal("mu2", 0, 100)
        sd1 = pm.HalfNormal("sd1", 10)
        sd2 = pm.HalfNormal("sd2", 10)
        pm.NormalMixture(
            "waiting",
            w=pt.stack([w, 1 - w]),
            mu=pt.stack([mu1, mu2]),
            sigma=pt.stack([sd1, sd2]),
            observed=data["x"].to_numpy(),
        )
    return model


def student(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        nu = pm.Gamma("nu", 2, 0.1)
        mu = pm.Normal("mu", 0, 100)
        sigma = pm.HalfNormal("sigma", 10)
        pm.StudentT("waiting", nu=nu, mu=mu, sigma=sigma, observed=data["x"].to_numpy())
    return model


PROBLEMS = [
    Problem("dist_weibull_groundbeef", weibull, same("shape", "scale")),
    Problem("dist_gamma_groundbeef", gamma, same("shape", "rate")),
    Problem("dist_lognormal_rivers", lognormal, same("meanlog", "sdlog")),
    Problem("dist_gumbel_portpirie", gumbel, same("loc", "scale")),
    Problem("dist_negbin_toxocara", negative_binomial, same("mu", "size")),
    Problem("dist_pareto1_danish", pareto, same("alpha")),
    Problem("dist_betabinomial_saxony", beta_binomial, same("alpha", "beta"), weights="Freq"),
]
