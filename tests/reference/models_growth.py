"""Growth and kinetic curves with random effects: nlme's data, R's self-starting curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from tests.reference.models_mixed import data, factor, form, normal


def logistic(two: bool, name: str, group: str, time: str, y: str, scale: float) -> None:
    d, code = data(name)
    which = code(group)
    n = int(which.max()) + 1
    Asym, xmid = pm.Normal("Asym", 10 * scale, 5 * scale), pm.Normal("xmid", 50, 1000)
    scal = pm.HalfNormal("scal", 500)
    sd = pm.HalfNormal("sd", scale, shape=2 if two else ())
    asym = pm.Normal("asym", Asym, sd[0] if two else sd, shape=n)[which]
    mid = pm.Normal("mid", xmid, sd[1], shape=n)[which] if two else xmid
    mean = asym / (1 + pt.exp(-(d[time].to_numpy() - mid) / scal))
    normal(mean, pm.HalfNormal("sigma", scale), d[y])


@form("orange", "centred")
def orange() -> None:
    logistic(False, "orange", "tree", "age", "circumference", 20.0)


@form("orange", "non-centred, priors far off")
def orange_far() -> None:
    d, code = data("orange")
    Asym, xmid, scal = (pm.HalfNormal(name, 100) for name in ("Asym", "xmid", "scal"))
    z, sd = pm.Normal("z", 0, 1, shape=5), pm.HalfNormal("sd", 1)
    share = pm.math.sigmoid((d["age"].to_numpy() - xmid) / scal)
    mean = (Asym + sd * z[code("tree")]) * share
    normal(mean, pm.HalfNormal("sigma", 1), d["circumference"])


@form("orange_two", "centred")
def orange_two() -> None:
    logistic(True, "orange", "tree", "age", "circumference", 20.0)


@form("soybean", "centred")
def soybean() -> None:
    logistic(True, "soybean", "plot", "time", "weight", 2.0)


def absorption(d: Any, ke: Any, ka: Any, cl: Any) -> Any:
    """SSfol: first-order absorption, one compartment."""
    t, dose = d["time"].to_numpy(), d["dose"].to_numpy()
    return dose * ke * ka / (cl * (ka - ke)) * (pt.exp(-ke * t) - pt.exp(-ka * t))


def kinetics() -> tuple[Any, ...]:
    d, code = data("theoph")
    lKe, lKa, lCl = pm.Normal("lKe", -2, 1), pm.Normal("lKa", 0, 1), pm.Normal("lCl", -3, 1)
    sds = pm.HalfNormal("sd_Ka", 1), pm.HalfNormal("sd_Cl", 1)
    return d, code("subject"), pt.exp(lKe), lKa, lCl, *sds, pm.HalfNormal("sigma", 1)


@form("theoph", "normal effects of logarithms")
def theoph() -> None:
    d, who, ke, lKa, lCl, sd_Ka, sd_Cl, sigma = kinetics()
    ka, cl = pm.Normal("ka", lKa, sd_Ka, shape=12), pm.Normal("cl", lCl, sd_Cl, shape=12)
    normal(absorption(d, ke, pt.exp(ka[who]), pt.exp(cl[who])), sigma, d["conc"])


@form("theoph", "log-normal effects")
def theoph_lognormal() -> None:
    d, who, ke, lKa, lCl, sd_Ka, sd_Cl, sigma = kinetics()
    ka = pm.LogNormal("ka", lKa, sd_Ka, shape=12)
    cl = pm.LogNormal("cl", lCl, sd_Cl, shape=12)
    normal(absorption(d, ke, ka[who], cl[who]), sigma, d["conc"])


@form("theoph_correlated", "offsets times the factor")
def theoph_correlated() -> None:
    d, code = data("theoph")
    lKe, b = pm.Normal("lKe", -2, 1), pm.Normal("b", [0, -3], 1, shape=2)
    sigma = pm.HalfNormal("sigma", 1)
    u = pt.exp(b + pt.dot(pm.Normal("z", 0, 1, shape=(12, 2)), factor(2).T))[code("subject")]
    normal(absorption(d, pt.exp(lKe), u[:, 0], u[:, 1]), sigma, d["conc"])


@form("loblolly", "centred")
def loblolly() -> None:
    d, code = data("loblolly")
    Asym, R0, lrc = pm.Normal("Asym", 100, 20), pm.Normal("R0", 0, 10), pm.Normal("lrc", -3, 1)
    asym = pm.Normal("asym", Asym, pm.HalfNormal("sd", 5), shape=14)[code("seed")]
    mean = asym + (R0 - asym) * pt.exp(-pt.exp(lrc) * d["age"].to_numpy())
    normal(mean, pm.HalfNormal("sigma", 2), d["height"])


@form("co2", "an effect beside a covariate")
def co2() -> None:
    d, code = data("co2")
    Asym, delta = pm.Normal("Asym", 30, 20), pm.Normal("delta", 0, 10)
    lrc, c0 = pm.Normal("lrc", -4, 1), pm.Normal("c0", 50, 20)
    u = pm.Normal("u", 0, pm.HalfNormal("sd", 5), shape=12)
    asym = Asym + delta * d["mississippi"].to_numpy() + u[code("plant")]
    mean = asym * (1 - pt.exp(-pt.exp(lrc) * (np.asarray(d["conc"]) - c0)))
    normal(mean, pm.HalfNormal("sigma", 2), d["uptake"])
