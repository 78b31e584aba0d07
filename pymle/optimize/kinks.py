"""Maxima at a kink: where the score jumps from rising to falling and no curvature exists."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pymle.optimize.objective import Objective
from pymle.optimize.records import Solution, Termination
from pymle.optimize.solve import maximise

__all__ = ["is_kink", "settle_on_kink"]

#: Coordinates up to which a search without derivatives is worth its time.
_MOST = 12
#: Distances at which the slope is looked at on both sides, relative to the coordinates.
_NEAR, _FAR = 1e-7, 1e-5


def is_kink(objective: Objective, solution: Solution) -> bool:
    """Whether the score jumps at a point: its size does not shrink as the two sides close in.

    Parameters
    ----------
    objective : Objective
    solution : Solution
        Not converged.

    Returns
    -------
    bool
    """
    if solution.score is None or not np.any(solution.score):
        return False
    size = np.maximum(np.abs(solution.x), 1e-3)
    for i in np.argsort(-np.abs(solution.score * size))[:4]:
        jumps = []
        for distance in (_FAR, _NEAR):
            step = np.zeros(solution.x.size)
            step[i] = distance * size[i]
            with np.errstate(all="ignore"):
                below = float(objective.value_and_score(solution.x - step)[1][i])
                above = float(objective.value_and_score(solution.x + step)[1][i])
            jumps.append(below - above)
            if not (np.isfinite(below) and np.isfinite(above) and below > 0 > above):
                break
        else:
            if jumps[1] > 0.5 * jumps[0]:
                return True
    return False


def settle_on_kink(objective: Objective, solution: Solution) -> Solution:
    """Climb from a stalled end without derivatives, where few coordinates allow it.

    Parameters
    ----------
    objective : Objective
    solution : Solution
        Ended without progress.

    Returns
    -------
    Solution
        Not converged; with the score at the point, which is no use at a kink.
    """
    if solution.x.size > _MOST or not is_kink(objective, solution):
        return solution
    climbed = maximise(objective, solution.x, method="derivative-free", max_seconds=5.0)
    if not climbed.value > solution.value:
        return solution
    value, score = objective.value_and_score(climbed.x)
    record = replace(
        solution.record, end=climbed.x, end_value=value, message="Ended at a kink, without score."
    )
    return replace(
        solution,
        x=climbed.x,
        value=value,
        score=score,
        hessian=None,
        converged=False,
        termination=Termination.NO_PROGRESS,
        record=record,
    )
