"""Published mixed models of R's lme4, nlme and metafor, each as several users would write it.

Data of lme4, nlme and metafor's metadat, factors as codes in the order of their sorted labels.
``published_mixed.json`` has the reference values by the labels that the models give, with the
call that they came from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

from tests.reference.problem import HERE, load

#: Forms of each model by name; all forms of one are the same likelihood.
FORMS: dict[str, dict[str, Callable[[], None]]] = {}
COORDS: dict[str, Mapping[str, Any]] = {}


@cache
def published() -> dict[str, dict[str, Any]]:
    """Reference values: source, loglik, estimates and se by label, profile limits."""
    return json.loads((HERE / "published_mixed.json").read_text())


def form(name: str, how: str, **coords: Any) -> Callable[..., Any]:
    """Register one way to write a model."""

    def register(build: Callable[[], None]) -> Callable[[], None]:
        FORMS.setdefault(name, {})[how] = build
        COORDS.setdefault(name, coords)
        return build

    return register


def model(name: str, how: str) -> pm.Model:
    """The model of one form."""
    with pm.Model(coords=COORDS[name]) as out:
        FORMS[name][how]()
    return out


def data(name: str) -> tuple[pd.DataFrame, Callable[[str], np.ndarray]]:
    """A data set, and its columns of codes as integers."""
    frame = load(f"mixed_{name}.csv")
    return frame, lambda column: frame[column].to_numpy().astype(int)


def normal(mean: Any, sigma: Any, observed: pd.Series) -> None:
    pm.Normal("y", mean, sigma, observed=observed.to_numpy())


def factor(n: int) -> Any:
    return pm.LKJCholeskyCov("L", n=n, eta=2.0, sd_dist=pm.HalfNormal.dist(10.0))[0]


WORKERS = {"worker": [str(i) for i in range(1, 7)], "machine": list("ABC")}


@form("machines", "centred", **WORKERS)
def machines_centred() -> None:
    d, code = data("machines")
    beta = pm.Normal("beta", 60, 20, dims="machine")
    rate = pm.MvNormal("rate", mu=beta, chol=factor(3), dims=("worker", "machine"))
    normal(rate[code("worker"), code("machine")], pm.HalfNormal("sigma", 5), d["score"])


@form("machines", "non-centred")
def machines_non_centred() -> None:
    d, code = data("machines")
    beta, sigma = pm.Normal("beta", 60, 20, dims="machine"), pm.Exponential("sigma", 1)
    z = pm.Normal("z", 0, 1, dims=("machine", "worker"))
    u = pt.dot(factor(3), z)
    normal(beta[code("machine")] + u[code("machine"), code("worker")], sigma, d["score"])


BLOCKS = {"block": list(range(6)), "variety": list("GMV")}


@form("oats", "centred", **BLOCKS)
def oats_centred() -> None:
    d, code = data("oats")
    a, b = pm.Normal("a", 80, 50), pm.Normal("b", 0, 100)
    block = pm.Normal("block_level", a, pm.HalfNormal("sd_block", 20), dims="block")
    sd = pm.HalfNormal("sd_plot", 20)
    plot = pm.Normal("plot", block[:, None], sd, dims=("block", "variety"))
    mean = plot[code("block"), code("variety")] + b * d["nitro"].to_numpy()
    normal(mean, pm.HalfNormal("sigma", 20), d["y"])


@form("oats", "non-centred")
def oats_non_centred() -> None:
    d, code = data("oats")
    a, b = pm.Normal("a", 80, 50), pm.Normal("b", 0, 100)
    sd_block, sd_plot = pm.HalfCauchy("sd_block", 5), pm.HalfCauchy("sd_plot", 5)
    z, w = pm.Normal("z", dims="block"), pm.Normal("w", 0, 1, dims=("block", "variety"))
    mean = a + sd_block * z[code("block")] + sd_plot * w[code("block"), code("variety")]
    normal(mean + b * d["nitro"].to_numpy(), pm.HalfCauchy("sigma", 5), d["y"])


def pastes_parts() -> tuple[Any, ...]:
    d, code = data("pastes")
    names = ("sd_batch", "sd_cask", "sigma")
    return d, code, pm.Normal("mu", 60, 10), *(pm.HalfNormal(name, 5) for name in names)


@form("pastes", "a chain of levels")
def pastes_chain() -> None:
    d, code, mu, sd_batch, sd_cask, sigma = pastes_parts()
    batch_of = d.groupby("sample")["batch"].first().to_numpy().astype(int)
    batch = pm.Normal("batch", mu, sd_batch, shape=10)
    sample = pm.Normal("sample", batch[batch_of], sd_cask, shape=30)
    normal(sample[code("sample")], sigma, d["strength"])


@form("pastes", "a table of offsets")
def pastes_offsets() -> None:
    d, code, mu, sd_batch, sd_cask, sigma = pastes_parts()
    z, w = pm.Normal("z", 0, 1, shape=10), pm.Normal("w", 0, 1, shape=(10, 3))
    batch = code("batch")
    normal(mu + sd_batch * z[batch] + sd_cask * w[batch, code("cask")], sigma, d["strength"])


@form("cake", "cell means", recipe=list("ABC"))
def cake() -> None:
    d, code = data("cake")
    a, b = pm.Normal("a", 0, 50, dims="recipe"), pm.Normal("b", 0, 1)
    u = pm.Normal("u", 0, pm.HalfNormal("sd_batch", 10), shape=45)
    mean = a[code("recipe")] + b * (d["temp"].to_numpy() - 200) + u[code("batch")]
    normal(mean, pm.HalfNormal("sigma", 10), d["angle"])


TERMS = ["Intercept", "age", "female", "age:female"]


def growth() -> tuple[Any, ...]:
    d, code = data("orthodont")
    age, female = d["age"].to_numpy(), d["female"].to_numpy()
    X = np.column_stack([np.ones(len(d)), age, female, age * female])
    return d, code("subject"), age, X @ pm.Normal("beta", 0, 10, dims="term")


@form("orthodont", "MvNormal", term=TERMS)
def orthodont() -> None:
    d, subject, age, mean = growth()
    u = pm.MvNormal("u", mu=np.zeros(2), chol=factor(2), shape=(27, 2))
    normal(mean + u[subject, 0] + u[subject, 1] * age, pm.HalfNormal("sigma", 5), d["distance"])


@form("orthodont", "rows of offsets times the factor")
def orthodont_offsets() -> None:
    d, subject, age, mean = growth()
    u = pt.dot(pm.Normal("z", 0, 1, shape=(27, 2)), factor(2).T)
    mean = mean + (u[subject] * np.column_stack([np.ones(len(d)), age])).sum(axis=1)
    normal(mean, pm.HalfNormal("sigma", 5), d["distance"])


@form("orthodont_by_sex", "centred", term=TERMS, sex=["male", "female"])
def orthodont_by_sex() -> None:
    d, subject, _, mean = growth()
    u = pm.Normal("u", 0, pm.HalfNormal("sd_subject", 5), shape=27)
    sigma = pm.HalfNormal("sigma", 5, dims="sex")
    normal(mean + u[subject], sigma[d["female"].to_numpy().astype(int)], d["distance"])


@form("oxboys", "factor times offsets")
def oxboys() -> None:
    d, code = data("oxboys")
    b, age = pm.Normal("b", 0, 100, shape=5), d["age"].to_numpy()
    u = pt.dot(factor(3), pm.Normal("z", 0, 1, shape=(3, 26)))[:, code("boy")]
    fixed = sum(b[i] * age**i for i in range(5))
    mean = fixed + u[0] + u[1] * age + u[2] * age**2
    normal(mean, pm.HalfNormal("sigma", 5), d["height"])


@form("pixel", "nested beside correlated slopes")
def pixel() -> None:
    d, code = data("pixel")
    day, b = d["day"].to_numpy(), pm.Normal("b", [1000, 0, 0], [100, 10, 1], shape=3)
    u = pm.MvNormal("u", mu=pt.zeros(2), chol=factor(2), shape=(10, 2))
    side = pm.Normal("side", 0, pm.HalfNormal("sd_side", 20), shape=(10, 2))
    dog = code("dog")
    mean = b[0] + b[1] * day + b[2] * day**2 + u[dog, 0] + u[dog, 1] * day
    normal(mean + side[dog, code("side")], pm.HalfNormal("sigma", 20), d["pixel"])


@form("bodyweight", "slopes by group", diet=["1", "2", "3"])
def bodyweight() -> None:
    d, code = data("bodyweight")
    time, diet, rat = d["time"].to_numpy(), code("diet"), code("rat")
    a, b = pm.Normal("a", 300, 200, dims="diet"), pm.Normal("b", 0, 5, dims="diet")
    u = pt.dot(factor(2), pm.Normal("z", 0, 1, shape=(2, 16)))
    mean = a[diet] + b[diet] * time + u[0, rat] + u[1, rat] * time
    normal(mean, pm.HalfNormal("sigma", 20), d["weight"])


@form("ergostool", "a table of subjects and stools", kind=["T1", "T2", "T3", "T4"])
def ergostool() -> None:
    d, _ = data("ergostool")
    beta = pm.Normal("beta", 10, 5, dims="kind")
    u = pm.Normal("u", 0, pm.HalfNormal("sd_subject", 5), shape=9)
    table = d.sort_values(["subject", "type"])["effort"].to_numpy().reshape(9, 4)
    pm.Normal("y", beta + u[:, None], pm.HalfNormal("sigma", 5), observed=table)


@form("rail", "log standard deviation")
def rail() -> None:
    d, code = data("rail")
    sd = pm.Deterministic("sd_rail", pt.exp(pm.Normal("log_sd", 0, 5)))
    z = pm.Normal("z", 0, 1, shape=6)
    mean = pm.Normal("mu", 50, 50) + sd * z[code("rail")]
    normal(mean, pm.HalfNormal("sigma", 20), d["travel"])


def cycle() -> tuple[Any, ...]:
    d, code = data("ovary")
    turn = 2 * np.pi * d["time"].to_numpy()
    X = np.column_stack([np.ones(len(d)), np.sin(turn), np.cos(turn)])
    b, u = pm.Normal("b", 0, 10, shape=3), pm.Normal("u", 0, 1, shape=11)
    mare = code("mare")
    mean = X @ b + pm.HalfNormal("sd_mare", 5) * u[mare]
    return d["follicles"].to_numpy(), mare, mean, pm.HalfNormal("sigma", 5)


@form("ovary", "each residual given the one before")
def ovary() -> None:
    y, mare, mean, sigma = cycle()
    phi = pm.Uniform("phi", -1, 1)
    first = np.r_[True, mare[1:] != mare[:-1]]
    before = pt.concatenate([[0.0], (y - mean)[:-1]])
    mean = mean + pt.switch(first, 0.0, phi * before)
    sd = pt.switch(first, sigma, sigma * pt.sqrt(1 - phi**2))
    pm.Normal("y", mean, sd, observed=y)


@form("ovary", "a covariance matrix for each mare")
def ovary_matrices() -> None:
    y, mare, mean, sigma = cycle()
    phi = pm.Uniform("phi", -1, 1)
    for i in range(11):
        rows = np.flatnonzero(mare == i)
        lag = np.abs(np.subtract.outer(rows, rows))
        pm.MvNormal(f"y_{i}", mean[rows], cov=sigma**2 * phi**lag, observed=y[rows])


@form("bcg", "centred")
def bcg() -> None:
    d, _ = data("bcg")
    a, b, tau = pm.Normal("a", 0, 2), pm.Normal("b", 0, 1), pm.HalfNormal("tau", 1)
    theta = pm.Normal("theta", a + b * d["ablat"].to_numpy(), tau, shape=13)
    normal(theta, np.sqrt(d["vi"].to_numpy()), d["yi"])


def outcomes() -> tuple[np.ndarray, np.ndarray]:
    d, _ = data("berkey")
    return d["yi"].to_numpy().reshape(5, 2), d[["v1", "v2"]].to_numpy().reshape(5, 2, 2)


@form("berkey", "effects of each trial", outcome=["AL", "PD"])
def berkey() -> None:
    y, V = outcomes()
    mu = pm.Normal("mu", 0, 1, dims="outcome")
    theta = pm.MvNormal("theta", mu=mu, chol=factor(2), shape=(5, 2))
    for i in range(5):
        pm.MvNormal(f"y_{i}", theta[i], cov=V[i], observed=y[i])


@form("berkey", "integrated by hand")
def berkey_marginal() -> None:
    y, V = outcomes()
    mu, chol = pm.Normal("mu", 0, 10, dims="outcome"), factor(2)
    pm.MvNormal("y", mu, cov=V + chol @ chol.T, observed=y)


@form("konstantopoulos", "a chain of levels")
def konstantopoulos() -> None:
    d, code = data("konstantopoulos")
    district = pm.Normal("district", pm.Normal("mu"), pm.HalfNormal("sd_district"), shape=11)
    school = pm.Normal("school", district[code("district")], pm.HalfNormal("sd_school"), shape=56)
    normal(school, np.sqrt(d["vi"].to_numpy()), d["yi"])
