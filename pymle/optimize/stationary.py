"""What to do at a point whose score is zero to the tolerance: polish, probe, name."""

from __future__ import annotations

import numpy as np

from pymle.optimize.records import Termination
from pymle.optimize.run import Run
from pymle.optimize.subproblem import QuadraticModel
from pymle.optimize.tail import NewtonHistory, follow_tail

__all__ = ["settle"]

_EPS = float(np.finfo(np.float64).eps)
_TARGET_GAIN = 1e-10
#: Newton decrement (distance to the maximum in standard errors) below which nothing is left.
_NEGLIGIBLE = 1e-12


def settle(
    run: Run, history: NewtonHistory, *, by_score: bool = False
) -> tuple[Termination, str] | None:
    """Finish at a stationary point, or hand back to the search.

    Parameters
    ----------
    run : Run
    history : NewtonHistory
        Newton steps so far.
    by_score : bool
        The search has stalled: values no longer tell points apart, the score may.

    Returns
    -------
    (Termination, str) or None
        None if the search should go on: the curvature is upward somewhere, or the point moved.
    """
    assert run.score is not None
    assert run.hessian is not None
    fresh = QuadraticModel(run.score, run.hessian, None, run.hessian_error)
    if fresh.negative.any():
        if not by_score:
            return None
        return _no_ascent(run, fresh)
    if not fresh.definite:
        gain = 0.5 * fresh.decrement() ** 2
        slope = np.abs(fresh.slope[~fresh.positive]).max()
        if gain >= 1e3 * _TARGET_GAIN or slope > 1e-6:
            return None
        if gain < _TARGET_GAIN or by_score:
            return _probe_null(run, fresh)
        return None
    if by_score and fresh.expected_gain > 1e-3 * max(1.0, abs(run.value)):
        return None
    polished = _polish(run, fresh)
    gain = polished.expected_gain
    run.expected_gain = gain
    if not polished.definite:
        # Nearer to the stationary point the curvature turned out singular or upward.
        return _probe_null(run, polished) if not polished.negative.any() else None
    history.add(run, polished)
    if gain < _TARGET_GAIN:
        return follow_tail(run, polished, history) or (Termination.CONVERGED, "")
    if by_score and gain <= max(1e-8, 1e3 * _EPS * abs(run.value)):
        return Termination.CONVERGED_TO_ROUNDING, f"The expected gain at the end is {gain:.3g}."
    return None


def _polish(run: Run, model: QuadraticModel) -> QuadraticModel:
    """Newton steps judged by the score alone, until it no longer falls.

    Near a maximum the log-likelihood is flat to half of its digits, its score is not: the value
    cannot tell points apart that differ by 1e-8 standard errors. The factorisation is kept between
    steps (each still gains the digits that the Hessian has right), and the Hessian is evaluated
    again at the end.
    """
    assert run.score is not None
    x, value, score = run.x, run.value, run.score
    decrement = model.decrement()
    slack = 1e-9 + 1e3 * _EPS * max(1.0, abs(value))
    for _ in range(20):
        if decrement < _NEGLIGIBLE:
            break
        trial = x + model.newton(score)
        if np.array_equal(trial, x):
            break
        trial_value, trial_score = run.evaluate(trial)
        trial_decrement = model.decrement(trial_score)
        if not np.isfinite(trial_value) or trial_value < run.value - slack:
            break
        if not trial_decrement < 0.7 * decrement:
            # A last step that still helps is kept, but is not a reason to go on.
            if trial_decrement < decrement:
                x, value, score = trial, trial_value, trial_score
            break
        x, value, score, decrement = trial, trial_value, trial_score, trial_decrement
    if x is run.x:
        return model
    hessian = run.evaluate_hessian(x)
    if hessian is None:
        return model
    run.move(x, value, score, hessian)
    return QuadraticModel(score, hessian, None, run.hessian_error)


def _probe(run: Run, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray, list]:
    """Changes in log-likelihood on both sides of the point along a direction, and the points."""
    lengths = 10.0 ** np.arange(-3, 3)
    sides, points = [], []
    for sign in (1.0, -1.0):
        changes = []
        for length in lengths:
            x = run.x + sign * length * direction
            value, score = run.evaluate(x) if np.all(np.isfinite(x)) else (np.nan, run.x)
            changes.append(value - run.value)
            points.append((x, value, score))
        sides.append(np.array(changes))
    return sides[0], sides[1], points


def _probe_null(run: Run, model: QuadraticModel) -> tuple[Termination, str] | None:
    """Tell whether directions without curvature are flat, fall, or rise towards infinity."""
    noise = 64.0 * _EPS * max(abs(run.value), _EPS)
    fallen = 0
    nulls = np.flatnonzero(~model.positive)
    run.expected_gain = float("nan")
    for i in nulls:
        y = np.zeros(run.size)
        y[i] = 1.0
        direction = model.to_step(y)
        up, down, points = _probe(run, direction)
        if _move_to_higher(run, points, noise):
            return None
        # The shortest moves are flat for any smooth function: only longer ones are evidence.
        flat_up, flat_down = (bool(np.all(np.abs(side[2:4]) <= noise)) for side in (up, down))
        if (flat_up and flat_down) or _on_a_ridge(run, model, direction, noise):
            return Termination.FLAT, f"{nulls.size} direction(s) without curvature."
        if flat_up != flat_down:
            run.runaway = True
            sign = 1.0 if flat_up else -1.0
            run.runaway_direction = sign * direction / np.abs(direction).max()
            return (
                Termination.RUNAWAY,
                "The log-likelihood is flat to rounding on one side of the point and falls on the "
                "other.",
            )
        fallen += 1
    return Termination.DEGENERATE, f"{fallen} direction(s) without curvature to rounding."


def _on_a_ridge(run: Run, model: QuadraticModel, direction: np.ndarray, noise: float) -> bool:
    """Whether a flat set bends away from its tangent: go along it, then climb back by Newton."""
    for length in (0.01, 0.1):
        for sign in (1.0, -1.0):
            x = run.x + sign * length * direction
            value, score = run.evaluate(x)
            for _ in range(30):
                if not np.isfinite(value) or abs(value - run.value) <= noise:
                    break
                x = x + model.newton(score)
                value, score = run.evaluate(x)
            along = float(model.units * (x - run.x) @ (model.units * direction))
            if not abs(value - run.value) <= noise or abs(along) < 0.5 * length:
                return False
    return True


def _no_ascent(run: Run, model: QuadraticModel) -> tuple[Termination, str] | None:
    """Name a stalled point with upward curvature, or move on from it; None if it moved or rises."""
    assert run.score is not None
    noise = 64.0 * _EPS * max(abs(run.value), _EPS)
    slope = np.abs(model.slope[~model.positive]).max()
    # On a plateau the units of the curvature mean nothing: judge by coordinates' own sizes.
    plateau = bool(np.all(np.abs(run.score * run.x) <= noise + _TARGET_GAIN))
    if not plateau and (0.5 * model.decrement() ** 2 > 1e-6 or slope > 1e-6):
        return None
    run.expected_gain = float("nan")
    y = np.zeros(run.size)
    y[int(np.argmin(model.eigenvalues))] = 1.0
    direction = model.to_step(y)
    own = np.abs(direction) / np.where(run.x != 0.0, np.abs(run.x), np.inf)
    scales = [1.0] + ([1.0 / float(own.max())] if own.max() > 0.0 else [])
    flat = False
    for scale in scales:
        up, down, points = _probe(run, scale * direction)
        if _move_to_higher(run, points, noise):
            return None
        flat = flat or all(bool(np.all(np.abs(side[:3]) <= noise)) for side in (up, down))
    if flat:
        return Termination.FLAT, "The curvature and the changes along it are below rounding."
    return Termination.SADDLE, f"The smallest scaled curvature is {model.eigenvalues[0]:.3g}."


def _move_to_higher(run: Run, points: list, noise: float) -> bool:
    """Go to the best probed point if it is higher beyond rounding."""
    values = np.array([value for _, value, _ in points])
    values[~np.isfinite(values)] = -np.inf
    best = int(np.argmax(values))
    if not values[best] > run.value + max(noise, _TARGET_GAIN):
        return False
    x, value, score = points[best]
    hessian = run.evaluate_hessian(x)
    if hessian is None:
        return False
    run.move(x, value, score, hessian)
    return True
