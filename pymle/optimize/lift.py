"""Off a plateau: where an end hardly depends on a coordinate, its other values are tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pymle.optimize.objective import Objective
from pymle.optimize.records import Solution, Termination

__all__ = ["lifted"]

#: Slope and curvature, per unit, of a coordinate that hardly matters.
_FLAT = 1e-3
#: Values tried for such a coordinate, and most coordinates of a problem that is looked at.
_TRIED, _MOST = np.arange(-10.0, 11.0, 2.0), 60
#: Ends that may lie on a plateau, beside those that converged.
_STUCK = (Termination.RUNAWAY, Termination.FLAT, Termination.EDGE)
#: Gain in log-likelihood that is one, relative to its size where that is large.
_GAIN = 1e-6


def lifted(
    objective: Objective, solution: Solution, solve: Callable[..., Solution], **options: Any
) -> Solution:
    """The solution, or a higher one from elsewhere along its flat coordinates.

    Parameters
    ----------
    objective : Objective
    solution : Solution
    solve : callable
        As `maximise`, with `options`.

    Returns
    -------
    Solution

    Notes
    -----
    A standard deviation that a search sends to zero leaves a plateau behind, on which a search may
    stop although larger values are better: in a Cholesky factor its row's sign means nothing at
    zero, and the way up may begin on the other side. So coordinates whose reflection changes
    nothing are reflected too.
    """
    ended = solution.termination
    there = solution.converged or ended in _STUCK
    if not there or solution.score is None or solution.hessian is None:
        return solution
    x, diagonal = solution.x, np.diagonal(solution.hessian)
    if x.size > _MOST or not np.all(np.isfinite(diagonal)):
        return solution
    flat = np.flatnonzero((np.abs(solution.score) < _FLAT) & (np.abs(diagonal) < _FLAT))
    if not len(flat) or len(flat) == x.size:
        return solution
    gain = _GAIN * max(1.0, abs(solution.value))
    bases = [x]
    for j in np.setdiff1d(np.arange(x.size), flat):
        mirrored = x.copy()
        mirrored[j] = -x[j]
        if x[j] != 0.0 and abs(_value(objective, mirrored) - solution.value) <= gain:
            bases.append(mirrored)
    best, highest = None, solution.value + gain
    for base in bases:
        for coordinate in flat:
            for value in _TRIED:
                trial = base.copy()
                trial[coordinate] = value
                found = _value(objective, trial)
                if found > highest:
                    best, highest = trial, found
    if best is None:
        return solution
    higher = solve(objective, best, **options)
    return higher if higher.value > solution.value else solution


def _value(objective: Objective, x: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        value = float(objective.value(x))
    return value if np.isfinite(value) else -np.inf
