"""How the posterior answers to stronger and weaker priors and data, without sampling again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pymle.bayes.comparison.diagnostics import arrays_of_arviz, old_arviz
from pymle.bayes.comparison.matching import Draws
from pymle.bayes.densities import points_of
from pymle.fitted import Fitted
from pymle.model.joint import LIKELIHOOD, PRIORS, make_joint
from pymle.objective import PointFunction

#: Powers of the prior and of the likelihood, on both sides of one.
ALPHAS = (0.99, 1.01)
#: Sensitivity from which it deserves a remark (Kallioinen et al., section 2.5).
THRESHOLD = 0.05
CONFLICT = "prior and data disagree"
STRONG = "strong prior or weak data"
FINE = ""


def power_scaling(fitted: Fitted, draws: Draws, labels: Sequence[str]) -> pd.DataFrame:
    """Change of each marginal posterior as the priors or the likelihood are raised to a power.

    Parameters
    ----------
    fitted : Fitted
    draws : Draws
        Of all free variables of the model.
    labels : sequence of str
        Of the scalars.

    Returns
    -------
    pandas.DataFrame
        ``prior``, ``likelihood`` (derivatives of the cumulative Jensen-Shannon distance from
        the posterior with respect to the binary logarithm of the power) and ``diagnosis``, by
        label.

    Raises
    ------
    DrawsError
        A free variable is not among the draws.
    """
    columns = {}
    for kind, column in ((PRIORS, "prior"), (LIKELIHOOD, "likelihood")):
        # Flat priors have no power.
        flat = kind == PRIORS and draws.posterior.attrs.get("pymle_priors") == "flat"
        shape = draws.values.shape[1:]
        total = np.zeros(shape) if flat else log_total(fitted, draws, kind)
        columns[column] = _sensitivity(draws.values, total)
    table = pd.DataFrame(columns, index=list(labels))
    table["diagnosis"] = [
        diagnosis(p, d) for p, d in zip(table["prior"], table["likelihood"], strict=True)
    ]
    return table


def diagnosis(prior: float, likelihood: float) -> str:
    """What two sensitivities say; empty where nothing deserves a remark."""
    if prior >= THRESHOLD and likelihood >= THRESHOLD:
        return CONFLICT
    return STRONG if prior >= THRESHOLD else FINE


def log_total(fitted: Fitted, draws: Draws, kind: str) -> np.ndarray:
    """Sum of log-densities of one kind at all draws.

    Parameters
    ----------
    fitted : Fitted
    draws : Draws
    kind : {"prior", "likelihood"}
        Priors of the parameters (not the laws of random effects, which belong to the model), or
        the likelihood given random effects and missing values.

    Returns
    -------
    numpy.ndarray, shape (chains, draws)
    """
    problem = fitted.problem
    shape = draws.values.shape[1:]
    joint = make_joint(problem, (kind,))
    if not joint.terms:
        return np.zeros(shape)
    call = joint.lowered.call

    def summed(*arguments: Any) -> tuple[Any, ...]:
        # Summed draw by draw: one number for each draw and observation may not fit in memory.
        # A log-density that depends on nothing comes as a plain number.
        return (sum(out.sum() if hasattr(out, "sum") else out for out in call(*arguments)),)

    function = PointFunction(
        summed,
        held=problem.coordinates.held_vector,
        data=problem.arguments(joint.lowered),
        route=joint.lowered.route,
        programs={},
    )
    points, _ = points_of(problem, joint, draws.posterior)
    return function.values(points)[:, 0].reshape(shape)


def _sensitivity(values: np.ndarray, total: np.ndarray) -> np.ndarray:
    """One sensitivity for each scalar (m,)."""
    out = np.full(len(values), np.nan)
    if not np.all(np.isfinite(total)):
        return out
    if np.ptp(total) <= 1e-12 * max(1.0, float(np.abs(total).max())):
        return np.where(np.all(np.isfinite(values), axis=(1, 2)), 0.0, np.nan)
    weights = [_weights(total, alpha) for alpha in ALPHAS]
    for i in np.flatnonzero(np.all(np.isfinite(values), axis=(1, 2))):
        if np.ptp(values[i]) > 1e-12 * np.abs(values[i]).max():
            out[i] = _one(values[i], weights)
    return out


def _weights(total: np.ndarray, alpha: float) -> np.ndarray:
    """Normalised importance weights for a power, their tails smoothed where ArviZ does it."""
    logs = (alpha - 1.0) * total
    if not old_arviz():
        logs = arrays_of_arviz().power_scale_lw(total, alpha=alpha, axis=(-2, -1))
    weights = np.exp(logs - logs.max())
    return weights / weights.sum()


def _one(values: np.ndarray, weights: Sequence[np.ndarray]) -> float:
    if not old_arviz():
        return float(arrays_of_arviz().power_scale_sense(values, *weights, *ALPHAS))
    flat = values.ravel()
    lower, upper = (
        max(cumulative_distance(flat, w.ravel()), cumulative_distance(-flat, w.ravel()))
        for w in weights
    )
    return float(0.5 * (upper / np.log2(ALPHAS[1]) - lower / np.log2(ALPHAS[0])))


def cumulative_distance(values: np.ndarray, weights: np.ndarray) -> float:
    """Normalised cumulative Jensen-Shannon distance of draws and the same draws weighted.

    Parameters
    ----------
    values, weights : numpy.ndarray, shape (n,)
        Weights sum to one.

    Returns
    -------
    float
        In [0, 1].

    References
    ----------
    Kallioinen, Paananen, Buerkner and Vehtari (2023), Detecting and diagnosing prior and
    likelihood sensitivity with power-scaling, section 2.4. doi:10.1007/s11222-023-10366-5
    """
    order = np.argsort(values)
    width = np.diff(values[order])
    plain = np.arange(1, len(values)) / len(values)
    scaled = np.cumsum(weights[order])[:-1]
    areas = float(plain @ width), float(scaled @ width)

    def divergence(a: np.ndarray, b: np.ndarray, gap: float) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = np.where(a > 0.0, a * np.log2(a / (0.5 * (a + b))), 0.0)
        return max(0.0, float(width @ inside) + 0.5 / np.log(2.0) * gap)

    total = divergence(plain, scaled, areas[1] - areas[0])
    total += divergence(scaled, plain, areas[0] - areas[1])
    return float(np.sqrt(total / sum(areas)))
