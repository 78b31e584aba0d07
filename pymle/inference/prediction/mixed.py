"""Quantiles of a normal observation whose parameters are uncertain, without simulation of it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from pymle.bind import point_function
from pymle.inference.prediction.targets import Target
from pymle.model.predictive.newdata import NewData

#: Evaluations of a normal distribution function at a time, and the least number of draws.
_EVALUATIONS, _LEAST = 4_000_000, 100


def normal_limits(
    new: NewData, targets: Sequence[Target], points: np.ndarray, ends: Sequence[float]
) -> dict[str, np.ndarray]:
    """Prediction limits of normally distributed variables.

    Parameters
    ----------
    new : NewData
    targets : sequence of Target
        With mean and variance.
    points : numpy.ndarray, shape (n, k)
        Asymptotic draws of the unconstrained vector, followed by the effects where there are
        any; fewer of them are used for many rows.
    ends : sequence of float
        Probabilities.

    Returns
    -------
    dict of str to numpy.ndarray, shape (2, size)
        Where the average of the distribution functions over the draws has these values.
    """
    if not targets:
        return {}
    graphs = [graph for t in targets for graph in (t.graph, t.variance)]
    function = point_function(new.problem, new.lowered(graphs))
    total = sum(t.size for t in targets)
    used = points[: max(_LEAST, _EVALUATIONS // max(1, total))]
    flat = function.values(used)
    out, at = {}, 0
    for target in targets:
        size = target.size
        mean, variance = flat[:, at : at + size], flat[:, at + size : at + 2 * size]
        at += 2 * size
        out[target.name] = np.stack([_quantile(mean, np.sqrt(variance), q) for q in ends])
    return out


def _quantile(mean: np.ndarray, sd: np.ndarray, probability: float) -> np.ndarray:
    """Quantile (m,) of the equal mixtures of normal distributions (n, m), by Newton's method."""
    from scipy.special import ndtr

    z = NormalDist().inv_cdf(probability)
    spread = np.sqrt(np.mean(sd**2, axis=0) + mean.var(axis=0))
    found = mean.mean(axis=0) + z * spread
    for _ in range(20):
        scaled = (found - mean) / sd
        density = np.mean(np.exp(-0.5 * scaled**2) / sd, axis=0) / np.sqrt(2 * np.pi)
        step = (np.mean(ndtr(scaled), axis=0) - probability) / density
        step = np.clip(step, -spread, spread)
        found = found - step
        if np.all(np.abs(step) <= 1e-9 * spread):
            break
    return found
