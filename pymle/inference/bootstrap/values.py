"""A quantity at the replicates: where a replicate is infinite, its limit on the way there."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymle.fitted import Fitted
from pymle.inference.bootstrap.refits import Outcome
from pymle.inference.quantity import Quantity
from pymle.objective import ElementwiseMap

#: How far out a limit is looked for, in standard errors of the fit.
_NEAR, _FAR = 1e2, 1e3


def values_at(fitted: Fitted, item: Quantity, points: np.ndarray) -> np.ndarray:
    """A quantity (n, m) at many unconstrained points (n, k).

    Parameters
    ----------
    fitted : Fitted
    item : Quantity
    points : numpy.ndarray, shape (n, k)

    Returns
    -------
    numpy.ndarray, shape (n, m)
        nan where a point is.
    """
    out = np.full((len(points), item.size), np.nan)
    finite = np.flatnonzero(np.all(np.isfinite(points), axis=1))
    bounds = fitted.problem.coordinates.constant_bounds
    with np.errstate(all="ignore"):
        if item.rows is not None and bounds is not None and len(finite):
            # All points as one long vector: entry by entry it is the same map.
            layout, n = fitted.problem.layout, len(finite)
            every = ElementwiseMap(
                np.tile(fitted.problem.coordinates.held_vector, n),
                np.tile(~layout.fixed, n),
                np.tile(bounds[0], n),
                np.tile(bounds[1], n),
            )
            natural = every.value(points[finite].ravel()).reshape(n, -1)
            out[finite] = natural[:, item.rows]
        else:
            for i in finite:
                out[i] = item.function.value(points[i])
    return out


def replicates_of(fitted: Fitted, item: Quantity, outcome: Outcome) -> np.ndarray:
    """A quantity (n, m) at the refits of a bootstrap.

    Parameters
    ----------
    fitted : Fitted
    item : Quantity
    outcome : Outcome

    Returns
    -------
    numpy.ndarray, shape (n, m)
        nan for refits without an estimate. A refit that runs to the edge of the support has
        the limit there; one that runs to infinity has infinite entries where the quantity grows
        without bound on the way, and limits elsewhere.
    """
    usable = outcome.usable
    points = np.where(usable[:, None], outcome.x, np.nan)
    out = values_at(fitted, item, points)
    for i, direction in outcome.directions.items():
        if usable[i]:
            out[i] = _limit(item.function, outcome.x[i], direction)
    return out


def _limit(function: Any, x: np.ndarray, direction: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        here, near, far = (
            np.asarray(function.value(x + t * direction), dtype=np.float64)
            for t in (0.0, _NEAR, _FAR)
        )
        first, second = near - here, far - near
        grows = (np.abs(second) > 0.5 * np.abs(first)) & (np.abs(second) > 1e-3 * np.abs(near))
        limit = np.where(np.isnan(far), near, far)
        limit = np.where(grows, np.sign(second) * np.inf, limit)
        return np.where(np.isinf(near), near, limit)
