"""How many starts a fit deserves: one where it is enough, several where signs ask for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pymle.optimize.multistart import Exploration, explore, gather
from pymle.optimize.objective import Objective
from pymle.optimize.records import Solution, Termination, TraceStep
from pymle.optimize.solve import maximise

__all__ = ["Search", "search"]

#: Largest problem for which further starts are run without being asked for.
_MOST_COORDINATES = 100
#: Further starts, and seconds for them: after a first search that converged, and after one
#: that did not.
_CALM = (12, 1.0)
_ALARMED = (30, 4.0)
#: Dispersed points at which the curvature is looked at.
_LOOKS = 5


@dataclass(frozen=True)
class Search:
    """The outcome of a search.

    Attributes
    ----------
    solution : Solution
        The best.
    exploration : Exploration or None
        All starts, where more than one ran.
    concave : bool
        The log-likelihood was concave at every dispersed point looked at, which is why no
        further starts ran.
    """

    solution: Solution
    exploration: Exploration | None
    concave: bool


def search(
    objective: Objective,
    start: np.ndarray,
    candidates: Callable[[], np.ndarray],
    *,
    n_starts: int | str = "auto",
    method: str = "auto",
    callback: Callable[[TraceStep], object] | None = None,
) -> Search:
    """Maximise from a start, and from further ones where the first does not suffice.

    Parameters
    ----------
    objective : Objective
    start : numpy.ndarray, shape (k,)
    candidates : callable
        Gives dispersed points, shape (n, k); called only if they are needed.
    n_starts : int or "auto"
        Total number of starts. "auto" runs one where the log-likelihood is concave at all
        dispersed points looked at, and otherwise a few more, within seconds.
    method : str
        As in `maximise`.
    callback : callable, optional
        Called with a `TraceStep` at every iteration.

    Returns
    -------
    Search
    """
    first = maximise(objective, start, method=method, callback=callback)
    automatic = n_starts == "auto"
    if first.termination is Termination.INTERRUPTED or n_starts == 1:
        return Search(first, None, concave=False)
    if automatic and (objective.size > _MOST_COORDINATES or not objective.has_score):
        return Search(first, None, concave=False)
    points = candidates()
    points = points[np.all(np.isfinite(points), axis=1)]
    if automatic and first.converged and _concave(objective, points[:_LOOKS]):
        return Search(first, None, concave=True)
    count, seconds = _CALM if first.converged else _ALARMED
    if not automatic:
        count, seconds = int(n_starts) - 1, None
    exploration = explore(
        objective,
        _affordable(points, first, seconds),
        method=method,
        max_starts=count,
        max_seconds=seconds,
        first=first,
        callback=callback,
    )
    if exploration.higher_unconverged or not exploration.best.converged:
        exploration = _go_on(objective, exploration, method, callback)
    return Search(exploration.best, exploration, concave=False)


def _concave(objective: Objective, points: np.ndarray) -> bool:
    """Whether the Hessian is negative definite at every point, of which there must be some."""
    seen = 0
    for x in points:
        value, _ = objective.value_and_score(x)
        if not np.isfinite(value):
            continue
        hessian = objective.hessian(x) if objective.has_hessian else None
        if hessian is None or not np.all(np.isfinite(hessian)):
            return False
        diagonal = -np.diagonal(hessian)
        if not np.all(diagonal > 0):
            return False
        scale = np.sqrt(diagonal)
        if np.linalg.eigvalsh(-hessian / np.outer(scale, scale))[0] < 0:
            return False
        seen += 1
    return seen >= 3


def _affordable(points: np.ndarray, first: Solution, seconds: float | None) -> np.ndarray:
    """As many candidates as can be ranked in a tenth of the time."""
    calls = max(sum(first.record.evaluations.values()), 1)
    each = first.record.seconds / calls
    if seconds is None or each <= 0:
        return points
    return points[: max(int(0.1 * seconds / each), 8)]


def _go_on(
    objective: Objective,
    exploration: Exploration,
    method: str,
    callback: Callable[[TraceStep], object] | None,
) -> Exploration:
    """Continue from the highest unconverged end: it may only have run out of time."""
    unfinished = {Termination.TIME_LIMIT, Termination.ITERATION_LIMIT, Termination.NO_PROGRESS}
    ends = [
        s
        for s in exploration.solutions
        if not s.converged and s.termination in unfinished and np.isfinite(s.value)
    ]
    if not ends:
        return exploration
    highest = max(ends, key=lambda s: s.value)
    further = maximise(
        objective,
        highest.x,
        method=method,
        max_iterations=2000,
        max_seconds=10.0,
        callback=callback,
    )
    kept = [further if s is highest else s for s in exploration.solutions]
    return gather(
        kept,
        spread=np.maximum(np.abs(further.x), 1.0),
        starts_left=exploration.starts_left,
        termination=exploration.termination,
        seconds=exploration.seconds + further.record.seconds,
    )
