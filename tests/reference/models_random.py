"""The random-effects problems of the bank, centred and non-centred."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

from tests.reference.problem import load, values


def effect(name: str, sd, n: int, centred: bool):
    """Independent Normal effects of one grouping factor."""
    if centred:
        return pm.Normal(name, 0, sd, shape=n)
    return pm.Deterministic(name, sd * pm.Normal(f"{name}_offset", 0, 1, shape=n))


def index(data: pd.DataFrame, column: str) -> tuple[np.ndarray, int]:
    codes = data[column].to_numpy().astype(int)
    return codes, int(codes.max()) + 1


def sleepstudy(data: pd.DataFrame, centred: bool) -> pm.Model:
    subject, n = index(data, "subject")
    with pm.Model() as model:
        intercept = pm.Normal("Intercept", 0, 100)
        days = pm.Normal("Days", 0, 10)
        sd = pm.Exponential.dist(0.1, shape=2)
        chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=2, sd_dist=sd)
        if centred:
            u = pm.MvNormal("u", mu=np.zeros(2), chol=chol, shape=(n, 2))
        else:
            offset = pm.Normal("u_offset", 0, 1, shape=(n, 2))
            u = pm.Deterministic("u", pt.dot(offset, chol.T))
        sigma = pm.HalfNormal("sigma", 50)
        day = data["Days"].to_numpy()
        mu = intercept + u[subject, 0] + (days + u[subject, 1]) * day
        pm.Normal("reaction", mu, sigma, observed=data["y"].to_numpy())
    return model


def penicillin(data: pd.DataFrame, centred: bool) -> pm.Model:
    (plate, n_plates), (sample, n_samples) = index(data, "plate"), index(data, "sample")
    with pm.Model() as model:
        intercept = pm.Normal("Intercept", 0, 10)
        a = effect("a", pm.Exponential("sd_plate", 1), n_plates, centred)
        b = effect("b", pm.Exponential("sd_sample", 1), n_samples, centred)
        sigma = pm.Exponential("sigma", 1)
        mu = intercept + a[plate] + b[sample]
        pm.Normal("diameter", mu, sigma, observed=data["y"].to_numpy())
    return model


def dyestuff(data: pd.DataFrame, centred: bool) -> pm.Model:
    batch, n = index(data, "batch")
    with pm.Model() as model:
        intercept = pm.Normal("Intercept", 0, 1000)
        a = effect("a", pm.HalfNormal("sd_batch", 50), n, centred)
        sigma = pm.HalfNormal("sigma", 50)
        pm.Normal("yield", intercept + a[batch], sigma, observed=data["y"].to_numpy())
    return model


def cbpp(data: pd.DataFrame, centred: bool) -> pm.Model:
    herd, n = index(data, "herd")
    periods = ["period2", "period3", "period4"]
    with pm.Model(coords={"period": periods}) as model:
        intercept = pm.Normal("Intercept", 0, 5)
        beta = pm.Normal("beta", 0, 5, dims="period")
        a = effect("a", pm.HalfNormal("sd_herd", 1), n, centred)
        eta = intercept + pt.dot(data[periods].to_numpy(), beta) + a[herd]
        size, cases = (data[k].to_numpy().astype(int) for k in ("size", "incidence"))
        pm.Binomial("incidence", n=size, logit_p=eta, observed=cases)
    return model


def epilepsy(data: pd.DataFrame, centred: bool) -> pm.Model:
    subject, n = index(data, "subject")
    columns = ["Base", "trt", "Base_trt", "Age", "Visit"]
    with pm.Model(coords={"predictor": columns}) as model:
        intercept = pm.Normal("Intercept", 0, 5)
        beta = pm.Normal("beta", 0, 5, dims="predictor")
        a = effect("a", pm.HalfNormal("sd_subject", 1), n, centred)
        theta = pm.Exponential("theta", 0.1)
        mu = pt.exp(intercept + pt.dot(data[columns].to_numpy(), beta) + a[subject])
        seizures = data["y"].to_numpy().astype(int)
        pm.NegativeBinomial("seizures", mu=mu, alpha=theta, observed=seizures)
    return model


def epilepsy_poisson(data: pd.DataFrame, centred: bool) -> pm.Model:
    (subject, n_subjects), (row, n_rows) = index(data, "subject"), index(data, "obs")
    columns = ["lbase", "trt", "lbase_trt", "lage", "V4"]
    with pm.Model(coords={"predictor": columns}) as model:
        intercept = pm.Normal("Intercept", 0, 5)
        beta = pm.Normal("beta", 0, 5, dims="predictor")
        a = effect("a", pm.HalfNormal("sd_subject", 1), n_subjects, centred)
        b = effect("b", pm.HalfNormal("sd_obs", 1), n_rows, centred)
        eta = intercept + pt.dot(data[columns].to_numpy(), beta) + a[subject] + b[row]
        pm.Poisson("seizures", pt.exp(eta), observed=data["y"].to_numpy().astype(int))
    return model


def nile(data: pd.DataFrame, centred: bool) -> pm.Model:
    y = data["y"].to_numpy()
    with pm.Model() as model:
        sd_level = pm.HalfNormal("sd_level", 100)
        sd_eps = pm.HalfNormal("sd_eps", 100)
        if centred:
            start = pm.Normal.dist(0, 10_000)
            level = pm.GaussianRandomWalk(
                "level", sigma=sd_level, init_dist=start, steps=len(y) - 1
            )
        else:
            start = pm.Normal("start", 0, 10_000)
            step = pm.Normal("step", 0, 1, shape=len(y) - 1)
            walk = sd_level * pt.concatenate([np.zeros(1), pt.cumsum(step)])
            level = pm.Deterministic("level", start + walk)
        pm.Normal("flow", level, sd_eps, observed=y)
    return model


def ricker(data: pd.DataFrame, centred: bool) -> pm.Model:
    """Centred only: each state given the one before, as a Potential over flat states."""
    y = data["y"].to_numpy().astype(int)
    with pm.Model() as model:
        logr, logK, logQ = (pm.Normal(name, 0, 2) for name in ("logr", "logK", "logQ"))
        X = pm.Flat("X", shape=len(y), initval=np.log((y + 1) / 50))
        expected = X[:-1] + pt.exp(logr) * (1 - pt.exp(X[:-1] - logK))
        transition = pm.Normal.dist(expected, pt.exp(logQ / 2))
        pm.Potential("transition", pm.logp(transition, X[1:]))
        pm.Poisson("count", 50 * pt.exp(X), observed=y)
    return model


def wine(data: pd.DataFrame, centred: bool) -> pm.Model:
    judge, n = index(data, "judge")
    with pm.Model() as model:
        warm, contact = pm.Normal("tempwarm", 0, 5), pm.Normal("contactyes", 0, 5)
        cuts = pm.Normal(
            "theta",
            0,
            10,
            shape=4,
            transform=pm.distributions.transforms.ordered,
            initval=np.arange(4.0),
        )
        a = effect("a", pm.HalfNormal("sd_judge", 2), n, centred)
        eta = (
            warm * data["tempwarm"].to_numpy() + contact * data["contactyes"].to_numpy() + a[judge]
        )
        rating = data["y"].to_numpy().astype(int)
        pm.OrderedLogistic("rating", eta=eta, cutpoints=cuts, observed=rating)
    return model


@dataclass(frozen=True)
class RandomProblem:
    """A model whose ``effects`` have to be integrated out."""

    name: str
    build: Callable[[pd.DataFrame, bool], pm.Model]
    centred: bool
    effects: tuple[str, ...]

    def model(self) -> pm.Model:
        return self.build(load(values()[self.name]["data"]), self.centred)

    def __str__(self) -> str:
        return f"{self.name}-{'centred' if self.centred else 'noncentred'}"


def both(name: str, build, *effects: str, offsets: tuple[str, ...] = ()) -> list[RandomProblem]:
    names = offsets or tuple(f"{effect}_offset" for effect in effects)
    return [
        RandomProblem(name, build, True, effects),
        RandomProblem(name, build, False, names),
    ]


PROBLEMS = [
    *both("lmm_sleepstudy", sleepstudy, "u"),
    *both("lmm_penicillin", penicillin, "a", "b"),
    *both("lmm_dyestuff", dyestuff, "a"),
    *both("glmm_cbpp", cbpp, "a"),
    *both("glmm_nb_epil2", epilepsy, "a"),
    *both("glmm_olre_epil", epilepsy_poisson, "a", "b"),
    *both("hard_boundary_dyestuff2", dyestuff, "a"),
    *both("ts_locallevel_nile", nile, "level", offsets=("step",)),
    *both("clmm_wine", wine, "a"),
    RandomProblem("ssm_ricker_poisson", ricker, True, ("X",)),
]
