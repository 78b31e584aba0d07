"""Maximisation under equations and inequalities: which inequalities bind is found on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from pymle.optimize.chart import Constraint, Remembered, allowance
from pymle.optimize.constrained import ConstrainedSolution, maximise_subject_to
from pymle.optimize.differences import with_differenced_hessian
from pymle.optimize.objective import Objective
from pymle.optimize.records import Solution, Termination, TraceStep
from pymle.optimize.restore import derivatives_at, plain_units, restore
from pymle.optimize.subproblem import scaling

__all__ = ["Bound", "maximise_within"]

#: Violation of an inequality, relative to the size of its terms, that is rounding.
_TOUCHES = 1e-10
#: Log-likelihood that releasing an inequality has to promise.
_WORTH = 1e-10
#: Move away from an inequality that holds nothing back, in the units of the curvature.
_NUDGE = 0.3
#: Projections on the worst inequality, and how far beyond it each goes, in violations.
_MOST_PROJECTIONS, _BEYOND = 300, 0.5
_AWAY = {Termination.RUNAWAY, Termination.UNBOUNDED, Termination.EDGE}
_AT_FAULT = {Termination.INFEASIBLE, Termination.UNREACHABLE, Termination.DEPENDENT}


@dataclass(frozen=True)
class Bound:
    """The highest point found under constraints, and those that bind there.

    Attributes
    ----------
    solution : ConstrainedSolution
        Subject to the constraints in `active`, in that order.
    active : ndarray of int
        Rows of the constraint function: all equations, and the inequalities that bind.
    multipliers : ndarray, shape (m,)
        Derivatives of the maximum with respect to the constraints' right-hand sides; zero for
        inequalities that do not bind.
    values : ndarray, shape (m,)
        Of the constraint function.
    changes : int
        How often the set of binding inequalities changed.
    """

    solution: ConstrainedSolution
    active: np.ndarray
    multipliers: np.ndarray
    values: np.ndarray
    changes: int

    @property
    def plain(self) -> Solution:
        """The same as the record of an unconstrained search; its score is that along the set."""
        found = self.solution
        score = found.projected_score
        if score is not None and found.tangent.size:
            # The vector of least length with these derivatives along the set.
            score = np.linalg.lstsq(found.tangent.T, score, rcond=None)[0]
        elif score is not None:
            score = np.zeros(len(found.x))
        return Solution(
            x=found.x,
            value=found.value,
            score=score,
            hessian=found.hessian,
            converged=found.converged,
            termination=found.termination,
            record=found.record,
        )


class _Rows:
    """Chosen rows of a constraint function."""

    def __init__(self, constraint: Constraint, rows: list[int]) -> None:
        self._constraint, self._rows = constraint, np.array(rows, dtype=int)

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, jacobian = self._constraint.value_and_jacobian(x)
        self._size = len(value)
        return value[self._rows], jacobian[self._rows]

    def second(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        if not len(self._rows):
            return np.zeros((len(x), len(x)))
        full = np.zeros(self._size)
        full[self._rows] = weights
        return self._constraint.second(x, full)


@dataclass(frozen=True)
class _Limits:
    """The constraints, and the units in which their rounding is judged."""

    constraint: Constraint
    units: np.ndarray


class _BlockedError(Exception):
    """Raised while searching, by a point at which further inequalities fail."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x


def maximise_within(
    objective: Objective,
    start: np.ndarray,
    constraint: Constraint,
    equations: np.ndarray,
    *,
    method: str = "auto",
    max_iterations: int = 500,
    max_seconds: float | None = None,
    callback: Callable[[TraceStep], object] | None = None,
) -> Bound:
    """Find a local maximum where ``g(x) = 0`` in some rows and ``g(x) >= 0`` in the others.

    Parameters
    ----------
    objective : Objective
    start : array_like, shape (k,)
        Need not satisfy the constraints.
    constraint : object
        As in `maximise_subject_to`.
    equations : array_like of bool, shape (m,)
        Rows that hold with equality.
    method, max_iterations, max_seconds, callback
        As in `maximise`.

    Returns
    -------
    Bound

    Notes
    -----
    A primal active-set method [1]_: the search runs where the inequalities met so far hold with
    equality; one that fails at a trial point joins them where the way crosses it, and at each
    maximum the one whose release promises most, by its multiplier, is released. The
    log-likelihood rises from one maximum to the next, so that none is visited twice.

    References
    ----------
    .. [1] Nocedal and Wright (2006), Numerical Optimization, section 16.5.
       doi:10.1007/978-0-387-40065-5
    """
    began = time.perf_counter()
    if objective.has_score and not objective.has_hessian:
        objective = with_differenced_hessian(objective)
    objective = Remembered(objective)
    equations = np.asarray(equations, dtype=bool)
    x = np.array(start, dtype=np.float64)
    here = derivatives_at(objective, _Rows(constraint, []), x)
    limits = _Limits(constraint, plain_units(x) if here is None else here.units)
    always = [int(i) for i in np.flatnonzero(equations)]
    x = _entered(limits, x, always)
    working = always + _independent(constraint, x, always, _failing(limits, x, always))
    best, released, stuck = -np.inf, -1, set[int]()
    history: list[ConstrainedSolution] = []
    allowed = 50 + 10 * len(equations)
    for changes in range(allowed + 1):
        if changes == allowed:
            # Inequalities that keep coming and going: what there is, and that it is unfinished.
            unfinished = maximise_subject_to(
                objective, x, _Rows(constraint, working), np.zeros(len(working)), max_iterations=1
            )
            history.append(_unfinished(unfinished, Termination.ITERATION_LIMIT))
            break
        left = None if max_seconds is None else began + max_seconds - time.perf_counter()
        outcome = _climb(objective, x, limits, working, method, max_iterations, left, callback)
        if isinstance(outcome, _Crossing):
            x, working = outcome.x, [*working, outcome.row]
            continue
        found = outcome
        history.append(found)
        if found.termination in _AT_FAULT:
            fewer = _fewer(limits, x, working, always) if len(history) == 1 else None
            if fewer is None:
                break
            working = fewer
            continue
        if found.termination in _AWAY:
            crossing = _far_away(limits, found, working)
            if crossing is not None:
                x, working = crossing.x, [*working, crossing.row]
                continue
        if found.termination in (Termination.INTERRUPTED, Termination.TIME_LIMIT):
            break
        # A release that led nowhere is not tried again before the log-likelihood has risen.
        if found.value > best + 1e-12 * max(1.0, abs(best)) or not np.isfinite(best):
            stuck.clear()
        else:
            stuck.add(released)
        best = max(best, found.value)
        x, released = found.x, _promising(found, working, always, stuck)
        if released < 0:
            released = _idle(found, working, always, stuck)
            if released >= 0:
                x = _nudged(found, working.index(released))
        if released < 0:
            if _promising(found, working, always, set()) >= 0:
                history[-1] = _unfinished(found, Termination.NO_PROGRESS)
            break
        working = [i for i in working if i != released]
    return _bound(objective, constraint, working, history, changes, began)


def _entered(limits: _Limits, x: np.ndarray, always: list[int]) -> np.ndarray:
    """A point inside the inequalities, by projections on the worst and somewhat beyond [1]_.

    References
    ----------
    .. [1] Motzkin and Schoenberg (1954), The relaxation method for linear inequalities.
       doi:10.4153/CJM-1954-038-x
    """
    start = x
    for _ in range(_MOST_PROJECTIONS):
        failing = _failing(limits, x, always)
        if not failing:
            return x
        value, jacobian = limits.constraint.value_and_jacobian(x)
        if not (np.all(np.isfinite(value)) and np.all(np.isfinite(jacobian))):
            return start
        lengths = np.linalg.norm(jacobian[failing] / limits.units, axis=1)
        away = value[failing] / np.where(lengths > 0.0, lengths, np.inf)
        worst = failing[int(np.argmin(away))]
        target = np.append(np.zeros(len(always)), -_BEYOND * value[worst])
        moved = restore(_Rows(limits.constraint, [*always, worst]), target, x, limits.units)
        if np.array_equal(moved.x, x) or not np.all(np.isfinite(moved.x)):
            return start
        x = moved.x
    return start


@dataclass(frozen=True)
class _Crossing:
    """Where the way leaves an inequality: the last point inside, and its row."""

    x: np.ndarray
    row: int


def _climb(
    objective: Objective,
    x: np.ndarray,
    limits: _Limits,
    working: list[int],
    method: str,
    max_iterations: int,
    max_seconds: float | None,
    callback: Callable[[TraceStep], object] | None,
) -> ConstrainedSolution | _Crossing:
    """Search with the working set at equality, up to the first inequality that fails."""
    inside: list[np.ndarray] = []

    def watch(present: np.ndarray) -> None:
        if _failing(limits, present, working):
            raise _BlockedError(present)
        inside.append(present)

    try:
        found = maximise_subject_to(
            objective,
            x,
            _Rows(limits.constraint, working),
            np.zeros(len(working)),
            stay=True,
            method=method,
            max_iterations=max_iterations,
            max_seconds=max_seconds,
            callback=callback,
            watch=watch,
        )
    except _BlockedError as blocked:
        return _crossing(limits, inside[-1] if inside else None, blocked.x, working)
    if found.score is not None and found.hessian is not None:
        # There, and not at the start, the curvature tells what is small.
        limits = replace(limits, units=scaling(-found.hessian, found.score))
    if found.termination not in _AT_FAULT and _failing(limits, found.x, working):
        return _crossing(limits, inside[-1] if inside else None, found.x, working)
    return found


def _failing(limits: _Limits, x: np.ndarray, apart: list[int]) -> list[int]:
    """Rows that are negative beyond rounding, the worst first."""
    value, jacobian = limits.constraint.value_and_jacobian(x)
    with np.errstate(all="ignore"):  # not finite far out: such rows fail
        size = value / allowance(value, jacobian, x, 0.0, limits.units)
    size[apart] = 0.0
    rows = np.flatnonzero(~(size >= -_TOUCHES))
    return [int(i) for i in rows[np.argsort(size[rows], kind="stable")]]


def _crossing(
    limits: _Limits, inside: np.ndarray | None, outside: np.ndarray, working: list[int]
) -> _Crossing:
    failing = _failing(limits, outside, working)
    if inside is None:
        return _Crossing(outside, failing[0])
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        there = _failing(limits, inside + middle * (outside - inside), working)
        if there:
            high, failing = middle, there
        else:
            low = middle
        if high - low <= 1e-15 * high:
            break
    return _Crossing(inside + low * (outside - inside), failing[0])


def _far_away(limits: _Limits, found: ConstrainedSolution, working: list[int]) -> _Crossing | None:
    """Where a way to infinity meets an inequality, however far."""
    direction = found.record.runaway_direction
    if direction is None:
        return None
    for length in 2.0 ** np.arange(0, 31):
        outside = found.x + length * direction
        with np.errstate(all="ignore"):
            value, jacobian = limits.constraint.value_and_jacobian(outside)
        if not (np.all(np.isfinite(value)) and np.all(np.isfinite(jacobian))):
            return None
        if _failing(limits, outside, working):
            return _crossing(limits, found.x, outside, working)
    return None


def _independent(
    constraint: Constraint, x: np.ndarray, always: list[int], rows: list[int]
) -> list[int]:
    """Those rows whose gradients are independent of the ones before."""
    _, jacobian = constraint.value_and_jacobian(x)
    kept: list[int] = []
    for row in rows:
        chosen = jacobian[[*always, *kept, row]]
        lengths = np.linalg.norm(chosen, axis=1, keepdims=True)
        if len(chosen) > len(x) or not np.all(lengths > 0.0):
            continue
        if np.linalg.svd(chosen / lengths, compute_uv=False)[-1] > 1e-6:
            kept.append(row)
    return kept


def _fewer(
    limits: _Limits, x: np.ndarray, working: list[int], always: list[int]
) -> list[int] | None:
    """Only the worst of the inequalities that fail at the start: all at once cannot hold."""
    failing = _failing(limits, x, always)
    fewer = [*always, *failing[:1]]
    return fewer if len(fewer) < len(working) else None


def _promising(
    found: ConstrainedSolution, working: list[int], always: list[int], stuck: set[int]
) -> int:
    """The inequality whose release promises most; -1 where none does."""
    if not np.all(np.isfinite(found.multipliers)):
        return -1
    curved = np.full(len(working), np.nan)
    if found.path is not None and found.hessian is not None:
        curved = -np.einsum("ki,kl,li->i", found.path, found.hessian, found.path)
    most, which = _WORTH, -1
    for place, row in enumerate(working):
        slope = float(found.multipliers[place])
        if row in always or row in stuck or not slope > 0.0:
            continue
        gain = 0.5 * slope**2 / curved[place] if curved[place] > 0.0 else np.inf
        if gain > most:
            most, which = gain, row
    return which


def _idle(
    found: ConstrainedSolution, working: list[int], always: list[int], stuck: set[int]
) -> int:
    """An inequality that holds nothing back, and behind which the curvature is upward; else -1.

    Where two components of a mixture are held equal the log-likelihood is stationary whatever
    their order: only the second derivatives tell that it rises as they part.
    """
    if found.hessian is None or found.score is None:
        return -1
    units = scaling(-found.hessian, found.score)
    scaled = found.hessian / np.outer(units, units)
    for place, row in enumerate(working):
        if row in always or row in stuck:
            continue
        # The slope along a move of one unit.
        slope = float(found.multipliers[place]) * np.linalg.norm(found.jacobian[place] / units)
        if abs(slope) > 1e-6:
            continue
        kept = np.delete(found.jacobian, place, axis=0) / units
        along = np.linalg.qr(kept.T, mode="complete")[0][:, len(kept) :]
        highest = float(np.linalg.eigvalsh(along.T @ scaled @ along)[-1])
        if highest > 1e-8:
            return row
    return -1


def _nudged(found: ConstrainedSolution, place: int) -> np.ndarray:
    """A point a little inside one of the inequalities."""
    assert found.hessian is not None
    assert found.score is not None
    return found.x + _inward(found, place, scaling(-found.hessian, found.score))


def _inward(found: ConstrainedSolution, place: int, units: np.ndarray) -> np.ndarray:
    """The shortest move, of length `_NUDGE` in the units, that changes one constraint alone."""
    wanted = np.zeros(len(found.jacobian))
    wanted[place] = 1.0
    move = np.linalg.lstsq(found.jacobian / units, wanted, rcond=None)[0]
    return _NUDGE * move / np.linalg.norm(move) / units


def _unfinished(found: ConstrainedSolution, reason: Termination) -> ConstrainedSolution:
    return replace(found, converged=False, termination=reason)


def _bound(
    objective: Remembered,
    constraint: Constraint,
    working: list[int],
    history: list[ConstrainedSolution],
    changes: int,
    began: float,
) -> Bound:
    found = history[-1]
    record = replace(
        found.record,
        start=history[0].record.start,
        start_value=history[0].record.start_value,
        iterations=sum(each.record.iterations for each in history),
        evaluations=MappingProxyType(dict(objective.counts)),
        trace=tuple(step for each in history for step in each.record.trace),
        seconds=time.perf_counter() - began,
    )
    found = replace(found, record=record)
    value, _ = constraint.value_and_jacobian(found.x)
    multipliers = np.zeros(len(value))
    multipliers[working] = found.multipliers
    return Bound(found, np.array(working, dtype=int), multipliers, value, changes)
