"""Maximisation on the set where smooth functions hold given values: `maximise_subject_to`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from pymle.optimize.chart import Chart, Constraint, Place, Remembered
from pymle.optimize.differences import with_differenced_hessian
from pymle.optimize.near import near_maximum
from pymle.optimize.objective import Objective
from pymle.optimize.records import Solution, SolveRecord, Termination, TraceStep
from pymle.optimize.restore import Nearby, derivatives_at, independent, plain_units, reach
from pymle.optimize.solve import maximise
from pymle.optimize.subproblem import scaling

__all__ = ["ConstrainedSolution", "maximise_subject_to"]

_MOST_CHARTS = 100


@dataclass(frozen=True)
class ConstrainedSolution:
    """The highest point found on the set where ``g(x) = c``.

    Attributes
    ----------
    x : ndarray, shape (k,)
    value : float
        Log-likelihood there.
    score : ndarray, shape (k,), or None
        Its gradient, which the multipliers balance.
    hessian : ndarray, shape (k, k), or None
        Second derivatives of the Lagrangian, ``l'' - sum_i multiplier_i g_i''``.
    target, constrained : ndarray, shape (m,)
        The values c, and g at `x`.
    jacobian : ndarray, shape (m, k)
        Derivatives of g at `x`.
    multipliers : ndarray, shape (m,)
        Derivatives of the constrained maximum with respect to the values c; nan without a
        score.
    tangent : ndarray, shape (k, k - m)
        Basis of the directions along the set.
    projected_score : ndarray, shape (k - m,), or None
        Gradient along the set, in that basis.
    projected_hessian : ndarray, shape (k - m, k - m), or None
        Second derivatives along the set (of the Lagrangian), in that basis.
    path : ndarray, shape (k, m), or None
        Derivative of the constrained maximum's place with respect to the values c; None where
        the curvature along the set is singular.
    converged : bool
    termination : Termination
    record : SolveRecord
        `expected_gain` is half the squared projected Newton decrement.
    """

    x: np.ndarray
    value: float
    score: np.ndarray | None
    hessian: np.ndarray | None
    target: np.ndarray
    constrained: np.ndarray
    jacobian: np.ndarray
    multipliers: np.ndarray
    tangent: np.ndarray
    projected_score: np.ndarray | None
    projected_hessian: np.ndarray | None
    path: np.ndarray | None
    converged: bool
    termination: Termination
    record: SolveRecord

    def predict(self, target: np.ndarray | float) -> np.ndarray:
        """Where the maximum will be, to first order, when the constraints hold other values.

        Parameters
        ----------
        target : array_like, shape (m,) or scalar

        Returns
        -------
        ndarray, shape (k,)
        """
        if self.path is None:
            return self.x
        return self.x + self.path @ (np.atleast_1d(np.asarray(target, dtype=float)) - self.target)


class _TurnedError(Exception):
    """Raised by the callback inside a search whose chart has been left behind."""


def maximise_subject_to(
    objective: Objective,
    start: np.ndarray | ConstrainedSolution,
    constraint: Constraint,
    target: np.ndarray | float,
    *,
    known: tuple[float, np.ndarray, np.ndarray] | None = None,
    stay: bool = False,
    method: str = "auto",
    max_iterations: int = 500,
    max_seconds: float | None = None,
    callback: Callable[[TraceStep], object] | None = None,
    watch: Callable[[np.ndarray], object] | None = None,
) -> ConstrainedSolution:
    """Find a local maximum of a log-likelihood where smooth functions hold given values.

    Parameters
    ----------
    objective : Objective
        The log-likelihood, a function of a vector on the unconstrained scale.
    start : array_like, shape (k,), or ConstrainedSolution
        Need not satisfy the constraints. A solution for neighbouring targets is followed along
        its path.
    constraint : object
        ``value_and_jacobian(x)`` with shapes (m,) and (m, k), and ``second(x, weights)``, the
        (k, k) second derivatives of the weighted sum (`Quantity.function` is one).
    target : array_like, shape (m,) or scalar
        Values c that the functions shall hold.
    known : (float, ndarray, ndarray), optional
        Value, score and Hessian at the start, where they are at hand.
    stay : bool
        Begin at the point nearest to the start that satisfies the constraints, without a first
        move along them.
    method, max_iterations, max_seconds, callback
        As in `maximise`.
    watch : callable, optional
        Called with the present point (k,) at every iteration; what it raises ends the search.

    Returns
    -------
    ConstrainedSolution
        With the termination INFEASIBLE, UNREACHABLE (they hold only in a limit, at the edge of
        a support) or DEPENDENT where the constraints are at fault, else as `maximise` ends.

    Raises
    ------
    ValueError
        If the start has the wrong shape or is not finite, or the method does not exist.

    Notes
    -----
    Trust-region Newton steps along the set with the exact second derivatives of the Lagrangian,
    each followed by the way back to the set across it; so every point satisfies the
    constraints to rounding, the log-likelihood itself is the measure of progress, and no penalty
    enters. It is the unconstrained search in the coordinates of a `Chart` (the saddles, flat
    directions, ends at infinity and limits of work have the same names), and the maximum is
    located to rounding: judged by the Newton decrement of the projected score.
    """
    began = time.perf_counter()
    target = np.atleast_1d(np.asarray(target, dtype=np.float64))
    if objective.has_score and not objective.has_hessian:
        objective = with_differenced_hessian(objective)
    counted = Remembered(objective)
    nearby: Nearby | None = None
    if isinstance(start, ConstrainedSolution):
        x = start.predict(target)
        if start.converged and start.score is not None and start.hessian is not None:
            nearby = Nearby(scaling(-start.hessian, start.score), start.score, start.hessian)
    else:
        x = np.array(start, dtype=np.float64)
        if known is not None:
            counted.know(x, *known)
    if x.shape != (objective.size,) or not np.all(np.isfinite(x)):
        raise ValueError(
            f"start has shape {x.shape}; pass a finite vector of shape ({objective.size},)."
        )
    origin = x
    reached = reach(counted, constraint, target, x, nearby, stay=stay)
    if reached.failure is not None:
        found = _ended(counted, reached.x, reached.failure, reached.message)
        return _solution(counted, constraint, target, None, found, [found], origin, began)
    searches: list[Solution] = []
    x, left, nearby = reached.x, max_iterations, reached.nearby
    for _ in range(_MOST_CHARTS):
        here = nearby or derivatives_at(counted, constraint, x)
        units = plain_units(x) if here is None else here.units
        _, jacobian = constraint.value_and_jacobian(x)
        if not independent(jacobian, units):
            searches.append(_ended(counted, x, Termination.DEPENDENT, ""))
            return _solution(
                counted, constraint, target, None, searches[-1], searches, origin, began
            )
        chart = Chart(counted, constraint, target, x, units)
        seconds = None if max_seconds is None else began + max_seconds - time.perf_counter()
        found = None
        if nearby is not None and method in ("auto", "newton"):
            found, nearby = near_maximum(chart, nearby.hessian), None
        turned = False
        if found is None:
            found, turned = _search(chart, method, left, seconds, callback, watch)
        searches.append(found)
        left -= found.record.iterations
        place = chart.at(found.x)
        assert place is not None
        if not turned or left <= 0:
            break
        x = place.x
    return _solution(counted, constraint, target, (chart, place), found, searches, origin, began)


def _search(
    chart: Chart,
    method: str,
    max_iterations: int,
    max_seconds: float | None,
    callback: Callable[[TraceStep], object] | None,
    watch: Callable[[np.ndarray], object] | None,
) -> tuple[Solution, bool]:
    """Search in one chart; True if it should go on in another, around where it got."""
    trace: list[TraceStep] = []

    def look(step: TraceStep) -> None:
        trace.append(step)
        if watch is not None:
            watch(chart.present.x)
        if callback is not None:
            callback(step)
        if chart.turned:
            raise _TurnedError

    start = np.zeros(chart.size)
    try:
        found = maximise(
            chart,
            start,
            method=method,
            max_iterations=max_iterations,
            max_seconds=max_seconds,
            callback=look,
        )
    except _TurnedError:
        place = chart.present
        value, score = chart.value_and_score(place.y)
        record = SolveRecord(
            method, start, place.y, value, value, max(trace[-1].iteration, 1), {}, float("nan"),
            tuple(trace), 0.0,
        )  # fmt: skip
        return Solution(
            place.y, value, score, None, False, Termination.ITERATION_LIMIT, record
        ), True
    return found, False


def _ended(objective: Remembered, x: np.ndarray, reason: Termination, said: str) -> Solution:
    """A search that could not begin."""
    value = objective.value(x)
    record = SolveRecord("none", x, x, value, value, 0, {}, float("nan"), (), 0.0, said)
    return Solution(x, value, None, None, False, reason, record)


def _solution(
    objective: Remembered,
    constraint: Constraint,
    target: np.ndarray,
    end: tuple[Chart, Place] | None,
    found: Solution,
    searches: list[Solution],
    start: np.ndarray,
    began: float,
) -> ConstrainedSolution:
    x = found.x if end is None else end[1].x
    value, jacobian = constraint.value_and_jacobian(x)
    m, k = jacobian.shape
    score = hessian = path = None
    multipliers, tangent = np.full(m, np.nan), np.zeros((k, max(k - m, 0)))
    direction = found.record.runaway_direction
    if end is not None:
        chart, place = end
        tangent = place.tangent
        if direction is not None:
            direction = tangent @ direction
        if objective.has_score:
            score = objective.value_and_score(x)[1]
            multipliers = chart.multipliers(place)
            curved = chart.lagrangian(place, multipliers)
            hessian = curved if np.all(np.isfinite(curved)) else None
            path = _path(chart, place, hessian)
    record = replace(
        found.record,
        start=start,
        end=x,
        start_value=searches[0].record.start_value,
        iterations=sum(each.record.iterations for each in searches),
        evaluations=MappingProxyType(dict(objective.counts)),
        trace=tuple(step for each in searches for step in each.record.trace),
        seconds=time.perf_counter() - began,
        runaway_direction=direction,
    )
    projected = None if hessian is None else tangent.T @ hessian @ tangent
    return ConstrainedSolution(
        x=x,
        value=found.value,
        score=score,
        hessian=hessian,
        target=target,
        constrained=value,
        jacobian=jacobian,
        multipliers=multipliers,
        tangent=tangent,
        projected_score=None if end is None else found.score,
        projected_hessian=projected,
        path=path,
        converged=found.converged,
        termination=found.termination,
        record=record,
    )


def _path(chart: Chart, place: Place, hessian: np.ndarray | None) -> np.ndarray | None:
    """Derivative of the maximum's place with respect to the targets."""
    if hessian is None:
        return None
    inward, tangent = chart.inward(place), place.tangent
    try:
        moved = np.linalg.solve(tangent.T @ hessian @ tangent, tangent.T @ hessian @ inward)
    except np.linalg.LinAlgError:
        return None
    path = inward - tangent @ moved
    return path if np.all(np.isfinite(path)) else None
