"""Why a conditional mode was not found: at which random effects, and what happened there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymle.objective.integrate.laplace import SINGULAR
from pymle.objective.integrate.marginal import Marginal

#: How many places are named.
_NAMED = 4


@dataclass(frozen=True)
class InnerFailure:
    """Where the search for the conditional mode ended.

    Attributes
    ----------
    what : str
        ``not finite``, ``not concave`` or ``not settled``.
    places : numpy.ndarray of int
        Coordinates of the random effects at which it shows most.
    modes : numpy.ndarray, shape (d,)
        Where the search ended.
    """

    what: str
    places: np.ndarray
    modes: np.ndarray


def inner_failure(marginal: Marginal, x: np.ndarray) -> InnerFailure | None:
    """Look at the end of a search for the conditional mode.

    Parameters
    ----------
    marginal : Marginal
    x : numpy.ndarray, shape (k,)

    Returns
    -------
    InnerFailure or None
        None where the mode was found.
    """
    x = np.asarray(x, dtype=np.float64)
    u, converged, slope, diagonal, pivot = marginal.inner_state(x)
    if converged:
        return None
    bad = ~np.isfinite(slope) | ~np.isfinite(diagonal)
    if bad.any():
        return InnerFailure("not finite", np.flatnonzero(bad)[:_NAMED], u)
    if not pivot > SINGULAR * np.max(np.abs(diagonal)):
        flat = np.flatnonzero(diagonal <= 0.0)
        places = flat if len(flat) else np.argsort(diagonal)
        return InnerFailure("not concave", places[:_NAMED], u)
    size = np.abs(slope) / np.sqrt(np.maximum(diagonal, 1e-300))
    return InnerFailure("not settled", np.argsort(-size)[:_NAMED], u)
