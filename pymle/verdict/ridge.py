"""Ridges: directions along which the likelihood does not change although they bend.

At a point of a curved ridge the information is singular only to the rounding of its entries, and
scaling it to a unit diagonal can hide a coordinate that does nothing. What decides is the
likelihood itself: leave the point along the doubtful direction until the log-likelihood has fallen,
climb again, and see whether the climb ends at the same height in another place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pymle.optimize import Objective, Solution, Termination
from pymle.verdict.curvature import Curvature

#: Eigenvalue of the scaled information below which a direction is looked along.
_DOUBTFUL = 1e-6
#: Information of a log or log-odds coordinate that is hardly any.
_WIDE = 1.0 / 25.0
#: Smallest scale of such a coordinate: below, a step of one changes nothing.
_FLOOR = 1e-3
#: The same of other coordinates, relative to one over their size.
_REAL_FLOOR = 1e-6
#: Fall of the log-likelihood after which the climb begins, and height at which it is the same.
_FALL, _SAME = 0.1, 1e-6
#: Share of the way out that has to be left after the climb.
_STAYED = 0.3
#: Part of a direction beside all tails from which on it is none of them.
_ASIDE = 0.5
#: Uncertainty of eigenvalues from which on none can be called zero.
_BLURRED = 1e-3
#: Most directions that are looked along.
_MOST = 6
#: Steps along a direction, in units of the size of the point.
_STEPS = 4.0 ** np.arange(-6.0, 5.0)


@dataclass(frozen=True)
class Ridge:
    """What a look along doubtful directions found.

    Attributes
    ----------
    curvature : Curvature
        With a tolerance that counts the proven directions as flat.
    flat : int
        How many there are.
    higher : Solution or None
        A higher end that a climb reached.
    """

    curvature: Curvature
    flat: int
    higher: Solution | None = None


def look_along(
    objective: Objective,
    solution: Solution,
    curvature: Curvature,
    bent: np.ndarray,
    climb: Callable[[Objective, np.ndarray], Solution],
) -> Ridge:
    """Look along directions in which the information is nearly singular.

    Parameters
    ----------
    objective : Objective
    solution : Solution
        Converged.
    curvature : Curvature
        There.
    bent : numpy.ndarray of bool, shape (k,)
        Coordinates on a log or log-odds scale, on which a step of one is a natural unit.
    climb : callable
        ``(objective, start)`` to a solution.

    Returns
    -------
    Ridge

    Notes
    -----
    A direction is flat where the log-likelihood does not change along it at all, or where a climb
    that begins aside ends at the same height (to 1e-6) without coming back. A regular maximum,
    however ill-conditioned, draws the climb back; a maximum on the edge of a support does too.
    Nothing is done, and nothing evaluated, where no eigenvalue is below 1e-6.
    """
    natural = _on_natural_scale(solution.x, curvature, bent)
    values, vectors = natural.eigen
    if not values[0] < _DOUBTFUL:
        return Ridge(curvature, 0)
    flat = 0
    for i in range(min(_MOST, len(values))):
        if not values[i] < _DOUBTFUL:
            break
        direction = vectors[:, i] / natural.scale
        verdict = _is_flat(objective, solution, direction, climb)
        if isinstance(verdict, Solution):
            return Ridge(curvature, flat, verdict)
        if not verdict:
            break
        flat += 1
    if flat == 0:
        return Ridge(curvature, 0)
    # Every proven direction counts as flat, and those below it with it.
    above = max(2.0 * float(values[flat - 1]), natural.tolerance)
    if flat < len(values):
        above = min(above, 0.5 * (float(values[flat - 1]) + float(values[flat])))
    tolerance = max(above, curvature.tolerance)
    return Ridge(replace(natural, tolerance=tolerance, proven=flat), flat)


def runs_across(
    x: np.ndarray, curvature: Curvature, bent: np.ndarray, directions: np.ndarray
) -> bool:
    """Whether the information is singular in a direction that is none of a tail's.

    Two scales of which only the sum of squares enters are a ridge, on which the smaller one alone
    looks like a tail.

    Parameters
    ----------
    x : numpy.ndarray, shape (k,)
    curvature : Curvature
    bent : numpy.ndarray of bool, shape (k,)
    directions : numpy.ndarray, shape (k, q)
        Of the tails.

    Returns
    -------
    bool
    """
    natural = _on_natural_scale(x, curvature, bent)
    if natural.tolerance > _BLURRED:
        return False  # differences across an edge: `elsewhere` climbs instead
    values, vectors = natural.eigen
    null = vectors[:, values <= natural.tolerance]
    basis = np.linalg.qr(directions * natural.scale[:, None])[0]
    aside = null - basis @ (basis.T @ null)
    return bool(np.any(np.linalg.norm(aside, axis=0) > _ASIDE))


def elsewhere(
    objective: Objective,
    solution: Solution,
    curvature: Curvature,
    directions: np.ndarray,
    climb: Callable[[Objective, np.ndarray], Solution],
) -> Solution | None:
    """An end of the same height away from what looks like a tail, where curvature cannot tell.

    Parameters
    ----------
    objective : Objective
    solution : Solution
        Converged.
    curvature : Curvature
        There.
    directions : numpy.ndarray, shape (k, q)
        Of the tails.
    climb : callable
        ``(objective, start)`` to a solution.

    Returns
    -------
    Solution or None
        None where climbs come back, and where the information is known well enough for
        `runs_across`: nothing is evaluated then.
    """
    if not curvature.tolerance > _BLURRED:
        return None
    for direction in directions.T[:_MOST]:
        unit = direction / np.max(np.abs(direction) / np.maximum(np.abs(solution.x), 1.0))
        for side in (unit, -unit):
            outside, _ = _leave(objective, solution, side)
            if outside is None:
                continue
            again = climb(objective, outside)
            level = abs(again.value - solution.value) <= max(_SAME, 1e-11 * abs(solution.value))
            out = outside - solution.x
            ended = again.converged or again.termination is Termination.FLAT
            if ended and level and out @ (again.x - solution.x) >= _STAYED * (out @ out):
                return again
    return None


def _on_natural_scale(x: np.ndarray, curvature: Curvature, bent: np.ndarray) -> Curvature:
    """The information on a scale that does not blow up coordinates that do nothing."""
    floor = np.where(bent, _FLOOR, _REAL_FLOOR / np.maximum(np.abs(x), 1.0))
    return replace(curvature, scale=np.maximum(curvature.scale, floor))


def _is_flat(
    objective: Objective,
    solution: Solution,
    direction: np.ndarray,
    climb: Callable[[Objective, np.ndarray], Solution],
) -> bool | Solution:
    """Whether the direction is flat; a solution where the climb went higher."""
    size = float(np.max(np.abs(direction) / np.maximum(np.abs(solution.x), 1.0)))
    if not size > 0.0 or not np.isfinite(size):
        return False
    unit = direction / size
    outside: np.ndarray | None = None
    unchanged = 0
    for side in (unit, -unit):
        begin, still = _leave(objective, solution, side)
        unchanged += still
        outside = begin if outside is None else outside
    if unchanged == 2:
        return True
    if unchanged == 1 or outside is None:
        return False  # a tail: flat on one side only
    again = climb(objective, outside)
    allowed = max(_SAME, 1e-11 * abs(solution.value))
    if again.value > solution.value + 10.0 * allowed and again.converged:
        return again
    if not abs(again.value - solution.value) <= allowed:
        return False
    # How much of the way out is left, along the direction alone.
    out = outside - solution.x
    return bool(out @ (again.x - solution.x) >= _STAYED * (out @ out))


def _leave(
    objective: Objective, solution: Solution, unit: np.ndarray
) -> tuple[np.ndarray | None, bool]:
    """First point along a direction where the value has fallen; whether it never changes."""
    unchanged = True
    for step in _STEPS:
        with np.errstate(all="ignore"):
            value = objective.value(solution.x + step * unit)
        if not np.isfinite(value):
            return None, False
        fall = solution.value - value
        unchanged &= abs(fall) <= max(1e-7, 1e-10 * abs(solution.value))
        if fall >= _FALL:
            return solution.x + step * unit, False
    return None, unchanged
