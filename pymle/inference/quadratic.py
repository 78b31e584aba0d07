"""Whether a likelihood is quadratic enough for Wald limits: the signed root where they stand."""

from __future__ import annotations

import numpy as np

from pymle.inference.profile.limits import Follower, Side
from pymle.inference.profile.solve import Failed

__all__ = ["ENOUGH", "nonquadratic"]

#: Share of its quadratic value by which the signed root may differ at a Wald limit.
ENOUGH = 0.02


def nonquadratic(
    follower: Follower, sides: list[Side], places: tuple[float, float], cutoff: float
) -> float:
    """Relative distance of the signed root from its quadratic value at the two Wald limits.

    Parameters
    ----------
    follower : Follower
    sides : list of Side
        Below and above; keep what is evaluated.
    places : tuple of two float
        The Wald limits on the line.
    cutoff : float
        Normal quantile of the limits.

    Returns
    -------
    float
        Zero for a quadratic log-likelihood, whose signed root at a Wald limit is the normal
        quantile; infinite where the likelihood cannot be maximised there; nan without Wald limits.

    Notes
    -----
    The signed root at a limit says which coverage the likelihood gives it. At 0.02 and a level
    of 0.95 a Wald limit is passed on where its likelihood-ratio level is between 0.945 and 0.954.
    """
    origin = float(follower.start.line[0])
    distances = [side.sign * (place - origin) for side, place in zip(sides, places, strict=True)]
    if not all(np.isfinite(d) and d > 0.0 for d in distances):
        return float("nan")
    worst = 0.0
    for side, distance in zip(sides, distances, strict=True):
        try:
            knot = follower.evaluate(side, distance)
        except Failed:
            return float("inf")
        worst = max(worst, abs(knot.root / cutoff - 1.0))
    return worst
