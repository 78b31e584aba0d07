"""Several starts in one batch: climbed together, finished by the ordinary search."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from pymle.optimize.multistart import same_value
from pymle.optimize.objective import Objective
from pymle.optimize.records import Solution, SolveRecord, Termination, TraceStep
from pymle.optimize.run import frozen
from pymle.optimize.together import End, Ends, climb_together

__all__ = ["can_climb_together", "solve_together"]

#: Places of the highest maxima that the ordinary search finishes, and ends that are no maxima
#: below the best, with the iterations for each of these.
_PLACES, _OTHERS, _FEW = 12, 8, 30
#: Distance, in conditional standard errors, at which ends are one place.
_NEAR = 1e-2
#: Ends that the ordinary search always finishes, and what the others are called.
_FINISHED = (End.SLOW, End.STRAGGLER)
_NAMES = {
    End.REGULAR: Termination.CONVERGED,
    End.SLOW: Termination.NO_PROGRESS,
    End.STRAGGLER: Termination.ITERATION_LIMIT,
    End.LEVEL: Termination.DEGENERATE,
    End.STALLED: Termination.NO_PROGRESS,
    End.EDGE: Termination.EDGE,
    End.UNBOUNDED: Termination.UNBOUNDED,
    End.LIMIT: Termination.ITERATION_LIMIT,
    End.TIME: Termination.TIME_LIMIT,
    End.INTERRUPTED: Termination.INTERRUPTED,
    End.NO_START: Termination.NON_FINITE_START,
}
_OPEN = (End.LEVEL, End.STALLED, End.EDGE, End.UNBOUNDED)


def can_climb_together(objective: Objective, method: str) -> bool:
    """Whether searches of an objective can run in a batch.

    Parameters
    ----------
    objective : Objective
        With a method ``evaluations``, and ``together`` true.
    method : str
        As in `maximise`; only the trust-region Newton method runs in batches.

    Returns
    -------
    bool
    """
    return method in ("auto", "newton") and bool(getattr(objective, "together", False))


def solve_together(
    objective: Any,
    starts: np.ndarray,
    solve: Callable[..., Solution],
    *,
    method: str = "auto",
    max_iterations: int = 500,
    max_seconds: float | None = None,
    callback: Callable[[TraceStep], object] | None = None,
) -> list[Solution]:
    """Maximise from several starts, in one batch as far as it goes.

    Parameters
    ----------
    objective : Objective
        For which `can_climb_together` holds.
    starts : ndarray, shape (n, k)
    solve : callable
        The ordinary search, with the arguments of `maximise`.
    method, max_iterations, callback
        As in `maximise`.
    max_seconds : float, optional
        For all together.

    Returns
    -------
    list of Solution
        In the order of the starts. After an interruption what there is.

    Notes
    -----
    The ordinary search goes on from the ends at the highest places, from all that are maxima only
    by the look of them, and from the highest of the others: what is certified is its point.
    Searches that ended within a hundredth of a standard error of such a place have its end as
    theirs; their starts and counts are their own. Maxima at lower places are those of the batch,
    to rounding as well.
    """
    ends = climb_together(
        objective.evaluations,
        starts,
        max_iterations=max_iterations,
        max_seconds=max_seconds,
        callback=callback,
    )
    finish = _Finish(objective, starts, ends, solve)
    if End.INTERRUPTED not in ends.ends:
        left = None if max_seconds is None else max(max_seconds - ends.seconds, 0.0)
        finish.run(
            method=method, max_iterations=max_iterations, max_seconds=left, callback=callback
        )
    return finish.solutions


class _Finish:
    """Solutions from the ends of a batch, some of them after more of the ordinary search."""

    def __init__(
        self, objective: Objective, starts: np.ndarray, ends: Ends, solve: Callable[..., Solution]
    ) -> None:
        self._objective, self._starts, self._ends, self._solve = objective, starts, ends, solve
        self.solutions = [self._as_it_is(i) for i in range(len(starts))]
        self._options: dict[str, Any] = {}
        self._left: float | None = None

    def run(self, *, max_seconds: float | None, max_iterations: int, **options: Any) -> None:
        """The ordinary search from the ends that need or deserve it."""
        self._options, self._left = options, max_seconds
        ends, kinds = self._ends, self._ends.ends
        order = [int(i) for i in np.argsort(-ends.value, kind="stable")]
        places = _places(ends, [i for i in order if kinds[i] is End.REGULAR])
        todo: list[list[int]] = places[:_PLACES]
        todo += [[i] for i in order if kinds[i] in _FINISHED]
        for members in todo:
            left = max_iterations
            if kinds[members[0]] is End.STRAGGLER:
                left = max(max_iterations - int(ends.iterations[members[0]]), 1)
            if not self._go_on(members, left):
                return
        best = max((s.value for s in self.solutions if s.converged), default=-np.inf)
        below = 0
        for i in order:
            if kinds[i] not in _OPEN:
                continue
            below += not ends.value[i] > best
            if below > _OTHERS or not self._go_on([i], _FEW if below else max_iterations):
                return
            found = self.solutions[i]
            if found.termination is Termination.ITERATION_LIMIT and found.value > best:
                self._ends.x[i] = found.x
                if not self._go_on([i], max_iterations):
                    return

    def _go_on(self, members: list[int], max_iterations: int) -> bool:
        """Finish searches at one place; False after an interruption, or without time."""
        head, began = members[0], time.perf_counter()
        if self._left is not None and self._left <= 0.0:
            return False
        solution = self._solve(
            self._objective,
            self._ends.x[head],
            max_iterations=max_iterations,
            max_seconds=self._left,
            **self._options,
        )
        if self._left is not None:
            self._left -= time.perf_counter() - began
        for i in members:
            if i == head or self._same(solution, i):
                self.solutions[i] = replace(
                    solution, record=self._record(i, solution.record, own=i == head)
                )
        return solution.termination is not Termination.INTERRUPTED

    def _same(self, solution: Solution, i: int) -> bool:
        return (
            solution.converged
            and solution.hessian is not None
            and same_value(solution.value, float(self._ends.value[i]))
            and bool(_near(self._ends.x[i], solution.x, solution.hessian))
        )

    def _record(self, i: int, later: SolveRecord, *, own: bool) -> SolveRecord:
        """What both searches did, together; where only the place is shared its own counts."""
        mine = self.solutions[i].record
        counts = dict(mine.evaluations)
        for name, number in later.evaluations.items() if own else ():
            counts[name] = counts.get(name, 0) + number
        return replace(
            later,
            start=mine.start,
            start_value=mine.start_value,
            iterations=mine.iterations + (later.iterations if own else 0),
            evaluations=MappingProxyType(counts),
            trace=later.trace if own else (),
            seconds=mine.seconds + (later.seconds if own else 0.0),
        )

    def _as_it_is(self, i: int) -> Solution:
        """What the batch found, without more."""
        ends = self._ends
        kind = ends.ends[i]
        number = int(ends.evaluations[i])
        x, value = frozen(ends.x[i]), float(ends.value[i])
        finite = bool(np.all(np.isfinite(ends.hessian[i])))
        record = SolveRecord(
            method="newton",
            start=frozen(self._starts[i]),
            end=x,
            start_value=float(ends.start_value[i]),
            end_value=value,
            iterations=int(ends.iterations[i]),
            evaluations=MappingProxyType({"value_and_score": number, "hessian": number}),
            expected_gain=float(ends.gain[i]),
            trace=(),
            seconds=ends.seconds / len(self._starts),
            message="In a batch with other starts.",
        )
        return Solution(
            x=x,
            value=value,
            score=frozen(ends.score[i]),
            hessian=frozen(ends.hessian[i]) if finite else None,
            converged=kind is End.REGULAR,
            termination=_NAMES[kind],
            record=record,
        )


def _places(ends: Ends, order: list[int]) -> list[list[int]]:
    """Rows at one place each, highest first, from rows ordered by value."""
    places: list[list[int]] = []
    for i in order:
        for place in reversed(places):
            head = place[0]
            if not same_value(float(ends.value[head]), float(ends.value[i])):
                places.append([i])
                break
            if _near(ends.x[i], ends.x[head], ends.hessian[head]):
                place.append(i)
                break
        else:
            places.append([i])
    return places


def _near(x: np.ndarray, center: np.ndarray, hessian: np.ndarray) -> bool:
    """Whether a point is within a hundredth of a conditional standard error of a maximum."""
    return bool(np.all(np.abs(x - center) * np.sqrt(np.abs(np.diagonal(hessian))) <= _NEAR))
