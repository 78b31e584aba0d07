"""The last steps to a maximum from so near that curvature known from a neighbour will do."""

from __future__ import annotations

import time

import numpy as np

from pymle.optimize.chart import Chart, Place
from pymle.optimize.records import Solution, SolveRecord, Termination
from pymle.optimize.subproblem import QuadraticModel

__all__ = ["near_maximum"]

_EPS = float(np.finfo(np.float64).eps)
#: Expected gain beyond which this is no last step.
_NEAR = 0.5
#: Fall of the Newton decrement in one step that shows a regular maximum, and one that calls for
#: fresh curvature.
_QUADRATIC, _SLOW = 0.1, 0.3
_MANY = 4.0
_NEGLIGIBLE = 1e-12
_TARGET_GAIN = 1e-10
_MOST_STEPS = 12


def near_maximum(chart: Chart, hessian: np.ndarray) -> Solution | None:
    """Newton steps with a curvature that is kept, from a start that is nearly the maximum.

    Parameters
    ----------
    chart : Chart
        The start is its base.
    hessian : ndarray, shape (k, k)
        Second derivatives of the Lagrangian at a neighbouring point.

    Returns
    -------
    Solution or None
        None where this does not converge as it does near a regular maximum: the search proper
        has to look.

    Notes
    -----
    One evaluation of the Hessian where the neighbour's serves, at the end, against one for each
    step of the search proper. The decrement has to fall tenfold in one step at least: on a tail
    towards infinity it does not.
    """
    if chart.size == 0 or not chart.has_score:
        return None
    began = time.perf_counter()
    y = np.zeros(chart.size)
    place = chart.at(y)
    if place is None:
        return None
    value, score = chart.value_and_score(y)
    model = _model(score, place, hessian)
    if model is None or not model.expected_gain < _NEAR:
        return None
    start_value, decrement, fallen, steps, fresh = value, model.decrement(), False, 0, False
    slack = 1e-9 + 1e3 * _EPS * max(1.0, abs(value))
    while decrement >= _NEGLIGIBLE or not fallen:
        if steps == _MOST_STEPS:
            return None
        trial = y + model.newton(score)
        if np.array_equal(trial, y):
            break
        there, slope = chart.value_and_score(trial)
        if not np.isfinite(there) or there < value - slack:
            return None
        now = model.decrement(slope)
        steps += 1
        if now >= decrement:
            break
        fallen = fallen or now < _QUADRATIC * decrement
        # Steps still to go at this pace; curvature of the place itself costs a few of them.
        pace = np.log(max(now / decrement, _EPS))
        slow = now > _SLOW * decrement or np.log(_NEGLIGIBLE / max(now, _EPS)) / pace > _MANY
        before, y, value, score, decrement = decrement, trial, there, slope, now
        if slow and 0.5 * decrement**2 < _TARGET_GAIN and fallen:
            break
        if slow:
            if fresh and now > _SLOW * before:
                return None
            model = _fresh(chart, y, score)
            if model is None:
                return None
            decrement, fresh = model.decrement(), True
    final = chart.hessian(y)
    if not np.all(np.isfinite(final)) or chart.turned:
        return None
    model = QuadraticModel(score, final, None, chart.hessian_error)
    if not (fallen and model.definite and model.expected_gain < _TARGET_GAIN):
        return None
    record = SolveRecord(
        method="newton",
        start=np.zeros(chart.size),
        end=y,
        start_value=start_value,
        end_value=value,
        iterations=steps,
        evaluations={},
        expected_gain=model.expected_gain,
        trace=(),
        seconds=time.perf_counter() - began,
    )
    return Solution(y, value, score, final, True, Termination.CONVERGED, record)


def _model(score: np.ndarray, place: Place, hessian: np.ndarray) -> QuadraticModel | None:
    projected = place.tangent.T @ hessian @ place.tangent
    model = QuadraticModel(score, 0.5 * (projected + projected.T))
    return model if model.definite else None


def _fresh(chart: Chart, y: np.ndarray, score: np.ndarray) -> QuadraticModel | None:
    hessian = chart.hessian(y)
    if not np.all(np.isfinite(hessian)):
        return None
    model = QuadraticModel(score, hessian, None, chart.hessian_error)
    return model if model.definite else None
