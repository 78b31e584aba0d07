"""Starts for likelihoods with many hills: prior draws, scales set by the data, partial redraws."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from pymle.optimize.multistart import Exploration, choose, gather
from pymle.optimize.objective import Objective
from pymle.optimize.records import Solution, Termination, TraceStep
from pymle.optimize.solve import maximise

__all__ = ["profile_scales", "rounds"]

#: Shifts of a log-scale coordinate that are tried: factors from 1e-6 to 1e6.
_SHIFTS = np.linspace(-14.0, 14.0, 29)
#: The same where values are dear, nearest first, and the seconds for them.
_FEW_SHIFTS, _FEW_SECONDS = np.array([-1.0, 1.0, -2.0, 2.0, -3.5, 3.5]), 1.0
#: Starts a round from fresh draws, and from redraws of parts of good ends.
_FRESH, _STARTS_A_ROUND = 4, 6
#: Distinct ends from which later rounds draw; half of the draws take the best.
_POOL = 6
_MOST_ROUNDS = 20
#: Rounds without a gain after which the search ends.
_STANDSTILL = 6
#: Gain in log-likelihood that counts as one.
_GAIN = 1e-6


def profile_scales(objective: Objective, points: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Move scale coordinates of many points to where the data want them.

    Parameters
    ----------
    objective : Objective
    points : ndarray, shape (n, k)
    scales : ndarray of int
        Coordinates on a log scale (those of positive parameters), in the order of declaration;
        taken last first, because the scale of the noise is usually declared last.

    Returns
    -------
    ndarray, shape (n, k)
        Each coordinate in turn at the best of 29 shifts between -14 and 14; of a few for about a
        second where the objective is ``dear``.
    """
    points = np.array(points, dtype=np.float64)
    if getattr(objective, "dear", False):
        return np.array([_moved(objective, point, scales) for point in points])
    rows = np.arange(len(points))
    for coordinate in reversed(list(scales)):
        trials = np.repeat(points[None], len(_SHIFTS), axis=0)
        trials[:, :, coordinate] += _SHIFTS[:, None]
        with np.errstate(all="ignore"):
            values = objective.values(trials.reshape(-1, points.shape[1]))
        values = np.where(np.isfinite(values), values, -np.inf).reshape(len(_SHIFTS), -1)
        best = np.argmax(values, axis=0)
        usable = np.isfinite(values[best, rows])
        points[usable, coordinate] += _SHIFTS[best[usable]]
    return points


def _moved(objective: Objective, point: np.ndarray, scales: np.ndarray) -> np.ndarray:
    until = time.perf_counter() + _FEW_SECONDS
    best, highest = point, objective.value(point)
    for coordinate in reversed(list(scales)):
        base = best
        for shift in _FEW_SHIFTS:
            if time.perf_counter() > until:
                return best
            trial = base.copy()
            trial[coordinate] += shift
            value = objective.value(trial)
            if value > highest or (np.isfinite(value) and not np.isfinite(highest)):
                best, highest = trial, value
    return best


def rounds(
    objective: Objective,
    draws: np.ndarray,
    scales: np.ndarray,
    found: list[Solution],
    *,
    method: str = "auto",
    max_seconds: float = 30.0,
    seed: int = 0,
    callback: Callable[[TraceStep], object] | None = None,
) -> tuple[Exploration, list[Solution]]:
    """Search in rounds until several in a row bring no gain, or time is up.

    Parameters
    ----------
    objective : Objective
        With a fast `values`.
    draws : ndarray, shape (n, k)
        Points drawn from the priors.
    scales : ndarray of int
        Coordinates on a log scale.
    found : list of Solution
        What is at hand already.
    method, callback
        As in `maximise`.
    max_seconds : float
    seed : int

    Returns
    -------
    exploration : Exploration
        Over all solutions, those at hand included.
    drawn : list of Solution
        Those whose starts had nothing to do with the points found before.

    Notes
    -----
    Every round starts from fresh combinations of the draws, and from the second on also from the
    best points with a random share of their coordinates replaced by those of a draw. In every
    round scale coordinates are set by the data, and the starts are the most promising points that
    lie apart from each other.
    """
    began = time.perf_counter()
    rng = np.random.default_rng(seed)
    found = list(found)
    drawn: list[Solution] = []
    still = number = 0
    ended = "Several rounds in a row brought no gain."
    while still < _STANDSTILL and number < _MOST_ROUNDS:
        best = max(found, key=lambda s: (s.converged, s.value))
        fresh = profile_scales(objective, rng.permuted(draws, axis=0), scales)
        starts = choose(objective, fresh, _FRESH)
        if number:
            share = rng.choice([0.15, 0.3, 0.6], size=(len(draws), 1))
            mask = rng.random(draws.shape) < share
            pool = _pool(found, best)
            base = pool[rng.integers(len(pool), size=len(draws))]
            points = np.where(mask, draws[rng.permutation(len(draws))], base)
            points = profile_scales(objective, points, scales)
            starts = np.concatenate([starts, choose(objective, points, _STARTS_A_ROUND)])
        number += 1
        before = best.value if best.converged else -np.inf
        for at, start in enumerate(starts):
            left = max_seconds - (time.perf_counter() - began)
            if left <= 0:
                break
            solution = maximise(
                objective,
                start,
                method=method,
                max_iterations=200,
                max_seconds=left,
                callback=callback,
            )
            found.append(solution)
            if at < _FRESH:
                drawn.append(solution)
            if solution.termination is Termination.INTERRUPTED:
                left = 0.0
                break
        if max_seconds - (time.perf_counter() - began) <= 0 or left <= 0:
            ended = f"Stopped after {max_seconds} seconds or by the user."
            break
        now = max((s.value for s in found if s.converged), default=-np.inf)
        still = 0 if now > before + _GAIN else still + 1
    spread = np.std(draws, axis=0)
    exploration = gather(
        found,
        spread=np.where(spread > 0, spread, 1.0),
        termination=ended,
        seconds=time.perf_counter() - began,
    )
    return exploration, drawn


def _pool(found: list[Solution], best: Solution) -> np.ndarray:
    """The best point as often as all the other good ones together, shape (m, k)."""
    others: list[Solution] = []
    for solution in sorted(found, key=lambda s: -s.value if np.isfinite(s.value) else np.inf):
        new = all(abs(solution.value - o.value) > 1e-3 for o in [best, *others])
        if np.isfinite(solution.value) and np.all(np.isfinite(solution.x)) and new:
            others.append(solution)
        if len(others) == _POOL:
            break
    return np.array([best.x] * max(len(others), 1) + [s.x for s in others])
