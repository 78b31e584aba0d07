"""Ends of searches in rounding: back to where the log-likelihood can still be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pymle.optimize import Objective, Solution, Termination, value_noise

#: Noise of the log-likelihood that makes an end no point at all, and one that does no harm.
_LOUD, _QUIET = 1.0, 1e-3
#: Halvings of the way back, and ends that are looked at.
_HALVINGS, _HIGHEST = 24, 60


def is_loud(objective: Objective, end: Solution) -> bool:
    """Whether the log-likelihood where a search ended is rounding rather than a value.

    Parameters
    ----------
    objective : Objective
    end : Solution

    Returns
    -------
    bool
        It changes by more than one under relative changes of 1e-12 of the point, where its slope
        explains none of it.
    """
    if end.score is None or not np.isfinite(end.value):
        return False
    if not np.all(np.isfinite(end.score)):
        return True
    # (At the edge of a support there is no value on one side, and that is no noise.)
    noise = value_noise(objective, end)
    return bool(np.isfinite(noise) and noise > _LOUD)


def best_quiet(objective: Objective, ends: Sequence[Solution]) -> Solution | None:
    """The highest of several ends whose value is no rounding.

    Parameters
    ----------
    objective : Objective
    ends : sequence of Solution

    Returns
    -------
    Solution or None
        None where none of the highest is.
    """
    finite = [end for end in ends if np.isfinite(end.value) and end.score is not None]
    for end in sorted(finite, key=lambda each: -each.value)[:_HIGHEST]:
        if value_noise(objective, end) < _QUIET:
            return end
    return None


def quiet_end(objective: Objective, end: Solution, origin: np.ndarray) -> Solution | None:
    """The furthest point on the straight way to an end at which the value is no rounding.

    Parameters
    ----------
    objective : Objective
        With a score.
    end : Solution
    origin : numpy.ndarray, shape (k,)
        Where the search began.

    Returns
    -------
    Solution or None
        Not converged; None where the origin is as bad.
    """
    near, far, found = 0.0, 1.0, None
    for halving in range(_HALVINGS):
        share = 0.0 if halving == 0 else 0.5 * (near + far)
        x = origin + share * (end.x - origin)
        with np.errstate(all="ignore"):
            value, score = objective.value_and_score(x)
        here = replace(
            end,
            x=x,
            value=float(value),
            score=np.asarray(score),
            hessian=None,
            converged=False,
            termination=Termination.NO_PROGRESS,
        )
        fine = np.isfinite(value) and np.all(np.isfinite(score))
        if fine and value_noise(objective, here) < _QUIET:
            near, found = share, here
        elif halving == 0:
            return None
        else:
            far = share
    return found
