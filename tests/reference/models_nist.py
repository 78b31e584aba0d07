"""The 27 NIST StRD nonlinear regressions, with the weak priors one writes without the answer.

Normal priors are centred at 0 with a scale of the order one would call wide for the quantity.
Parameters for which the formula is not defined at 0 (widths, periods, powers in a denominator)
are positive, as a user would declare them. Nothing is chosen to make the fit succeed: several
start on a saddle (two equal exponentials, ``b1 (1 - exp(-b2 x))`` at 0) or on a plateau.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

from tests.reference.nist_means import MEANS
from tests.reference.problem import Problem, same, values

MATHS = SimpleNamespace(exp=pt.exp, cos=pt.cos, sin=pt.sin, arctan=pt.arctan, pi=np.pi)


def normal(scale: float):
    return lambda name: pm.Normal(name, 0, scale)


def positive(scale: float):
    return lambda name: pm.HalfNormal(name, scale)


def half_normal(name: str):
    return pm.HalfNormal(name, 10)


def exponential(name: str):
    return pm.Exponential(name, 1)


def half_cauchy(name: str):
    return pm.HalfCauchy(name, 5)


MISRA = ([normal(1000), normal(1)], half_normal)
CHWIRUT = ([normal(1), positive(1), positive(1)], half_normal)
LANCZOS = ([normal(10)] * 6, exponential)
PEAK = [normal(100), normal(200), positive(50)]
GAUSS = ([normal(100), normal(1), *PEAK, *PEAK], half_cauchy)
CYCLE = [positive(100), normal(10), normal(10)]

PRIORS = {
    "nist_misra1a": MISRA,
    "nist_misra1b": MISRA,
    "nist_misra1c": MISRA,
    "nist_misra1d": MISRA,
    "nist_chwirut1": CHWIRUT,
    "nist_chwirut2": CHWIRUT,
    "nist_lanczos1": LANCZOS,
    "nist_lanczos2": LANCZOS,
    "nist_lanczos3": LANCZOS,
    "nist_gauss1": GAUSS,
    "nist_gauss2": GAUSS,
    "nist_gauss3": GAUSS,
    "nist_danwood": ([normal(10)] * 2, exponential),
    "nist_kirby2": ([normal(10)] * 5, half_normal),
    "nist_hahn1": ([normal(10)] * 7, half_normal),
    "nist_nelson": ([normal(10)] * 3, exponential),
    "nist_mgh17": ([normal(10)] * 3 + [normal(1)] * 2, exponential),
    "nist_mgh09": ([normal(10)] * 4, half_normal),
    "nist_mgh10": ([normal(10), normal(10_000), normal(1000)], half_cauchy),
    "nist_thurber": ([normal(1000)] * 4 + [normal(1)] * 3, half_cauchy),
    "nist_roszman1": ([normal(1), normal(1), normal(10_000), normal(1000)], exponential),
    "nist_enso": ([normal(10)] * 3 + CYCLE + CYCLE, half_normal),
    "nist_boxbod": ([normal(1000), normal(10)], half_cauchy),
    "nist_rat42": ([normal(1000), normal(10), normal(1)], half_normal),
    "nist_rat43": ([normal(1000), normal(10), normal(10), positive(10)], half_cauchy),
    "nist_eckerle4": ([normal(10), positive(10), normal(1000)], exponential),
    "nist_bennett5": ([normal(1000), normal(100), positive(10)], exponential),
}


def swap(first: str, second: str) -> dict[str, str]:
    """Exchange of two groups of parameters, such as the exponentials ``12`` and ``34``."""
    pairs = [(f"b{i}", f"b{j}") for i, j in zip(first, second, strict=True)]
    return dict(pairs) | {j: i for i, j in pairs}


LANCZOS_SWAPS = [
    {f"b{2 * i + k}": f"b{2 * j + k}" for i, j in enumerate(order) for k in (1, 2)}
    for order in permutations(range(3))
][1:]
# A cycle of negative period is the same cycle with its sine mirrored.
ENSO_SYMMETRIES = [
    {
        name: ("-" if name in mirrored else "") + source
        for name, source in ({n: n for n in ("b4", "b6", "b7", "b9")} | exchange).items()
    }
    for exchange in ({}, swap("456", "789"))
    for mirrored in ((), ("b4", "b6"), ("b7", "b9"), ("b4", "b6", "b7", "b9"))
][1:]
SYMMETRIES: dict[str, list[Mapping[str, str]]] = {
    "nist_lanczos1": LANCZOS_SWAPS,
    "nist_lanczos2": LANCZOS_SWAPS,
    "nist_lanczos3": LANCZOS_SWAPS,
    "nist_gauss1": [swap("345", "678")],
    "nist_gauss2": [swap("345", "678")],
    "nist_gauss3": [swap("345", "678")],
    "nist_mgh17": [swap("24", "35")],
    "nist_enso": ENSO_SYMMETRIES,
}


def builder(name: str):
    mean, (priors, sigma_prior) = MEANS[name], PRIORS[name]

    def build(data: pd.DataFrame) -> pm.Model:
        y = data["y"].to_numpy()
        with pm.Model() as model:
            x = [
                pm.Data(column, data[column].to_numpy()) for column in data.columns if column != "y"
            ]
            b = [prior(f"b{i}") for i, prior in enumerate(priors, start=1)]
            sigma = sigma_prior("sigma")
            mu = mean(MATHS, *x, *b)
            pm.Normal("y", mu, sigma, observed=np.log(y) if name == "nist_nelson" else y)
        return model

    return build


def problem(name: str) -> Problem:
    value = values()[name]
    return Problem(
        name,
        builder(name),
        same(*value["estimates"]),
        symmetries=SYMMETRIES.get(name, ()),
        starts=value["starts"],
    )


PROBLEMS = [problem(name) for name in PRIORS]
__all__ = ["PROBLEMS"]
