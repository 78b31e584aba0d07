"""Trust-region Newton with exact Hessians: to the maximum, to rounding."""

from __future__ import annotations

import numpy as np

from pymle.optimize.records import Termination
from pymle.optimize.run import Run
from pymle.optimize.stationary import settle
from pymle.optimize.subproblem import QuadraticModel
from pymle.optimize.tail import NewtonHistory

__all__ = ["TARGET_GAIN", "newton"]

#: The search ends when the expected gain in log-likelihood is below this.
TARGET_GAIN = 1e-10

_EPS = float(np.finfo(np.float64).eps)
_MOST_REJECTIONS = 100


def newton(run: Run) -> tuple[Termination, str]:
    """Maximise by trust-region Newton steps.

    Parameters
    ----------
    run : Run
        Already evaluated at its start; holds the final point afterwards.

    Returns
    -------
    Termination, str

    Notes
    -----
    The step maximises the second-order model exactly within a ball in the units of the curvature's
    diagonal [1]_, so indefinite curvature is used, not repaired: at a saddle the step follows the
    direction of upward curvature. All decisions (radius, acceptance, stopping) are invariant under
    rescaling of single coordinates; full steps are invariant under affine maps. Once the predicted
    gain drowns in the rounding of the log-likelihood, steps are judged by the score in the metric
    of the curvature.

    References
    ----------
    .. [1] Moré and Sorensen (1983), Computing a trust region step. doi:10.1137/0904038
    .. [2] Conn, Gould and Toint (2000), Trust-Region Methods, sections 6.1 and 17.4.
       doi:10.1137/1.9780898719857
    """
    hessian = run.evaluate_hessian(run.x)
    if hessian is None:
        return Termination.NON_FINITE_START, "The second derivatives at the start are not finite."
    run.hessian = hessian
    units: np.ndarray | None = None
    radius = float("nan")
    step: np.ndarray | None = None
    history = NewtonHistory()
    while True:
        assert run.score is not None
        assert run.hessian is not None
        model = QuadraticModel(run.score, run.hessian, units, run.hessian_error)
        if step is not None and units is not None:
            # The radius keeps its meaning in the parameters when the units change.
            before, now = float(np.linalg.norm(units * step)), model.length(step)
            rescaled = radius * now / before if before > 0.0 else 0.0
            radius = rescaled if np.isfinite(rescaled) and rescaled > 0.0 else radius
        units, step = model.units, None
        if not np.isfinite(radius):
            radius = model.natural_radius()
        history.add(run, model)
        run.log(model.expected_gain, radius)
        if np.abs(run.x).max() > 1e30 * max(1.0, float(np.abs(run.start).max())):
            return Termination.UNBOUNDED, "A coordinate exceeded 1e30 times its starting size."
        if _looks_stationary(model):
            ended = settle(run, history)
            if ended is not None:
                return ended
            if run.hessian is not hessian:  # settle found a higher point and moved there
                hessian, radius = run.hessian, float("nan")
                run.iterations += 1
                if run.iterations >= run.max_iterations:
                    return Termination.ITERATION_LIMIT, ""
                continue
        if run.iterations >= run.max_iterations:
            return Termination.ITERATION_LIMIT, ""
        outcome = _advance(run, model, radius)
        if isinstance(outcome, _Stalled):
            ended = _stalled(run, model, history, outcome)
            if ended is not None:
                return ended
            hessian, radius = run.hessian, float("nan")
            run.iterations += 1
            continue
        step, radius = outcome
        hessian = run.hessian
        run.iterations += 1


def _looks_stationary(model: QuadraticModel) -> bool:
    if 0.5 * model.decrement() ** 2 >= TARGET_GAIN:
        return False
    rest = np.abs(model.slope[~model.positive])
    return bool(rest.size == 0 or rest.max() <= 1e-8)


class _Stalled:
    """No trial step was accepted: why."""

    def __init__(self, *, non_finite: bool, infinite: bool) -> None:
        self.non_finite = non_finite
        self.infinite = infinite


def _advance(run: Run, model: QuadraticModel, radius: float) -> tuple[np.ndarray, float] | _Stalled:
    """One accepted step: moves the run and returns the step and the next radius."""
    non_finite = infinite = False
    for _ in range(_MOST_REJECTIONS):
        step, predicted, interior = model.step(radius)
        trial = run.x + step
        length = model.length(step)
        if not np.all(np.isfinite(trial)):
            radius *= 1e-3
            non_finite = True
            continue
        if np.array_equal(trial, run.x) or predicted <= 0.0:
            break
        value, score = run.evaluate(trial)
        if value == np.inf:
            infinite = True
        if not np.isfinite(value):
            non_finite, radius = True, 0.1 * length
            continue
        actual = value - run.value
        noise = 8.0 * _EPS * max(abs(value), abs(run.value))
        ratio = actual / predicted if actual > noise else (actual + noise) / (predicted + noise)
        drowned = predicted <= noise
        accept = ratio > 1e-4 and not (drowned and actual <= 0.0)
        if not accept and interior and model.definite and predicted <= 1e4 * noise >= -actual:
            # The value cannot tell any more whether this helps; the score can.
            accept = model.decrement(score) <= 0.5 * model.decrement()
            if not accept and drowned:
                break
        if accept:
            hessian = run.evaluate_hessian(trial)
            if hessian is None:
                non_finite, radius = True, 0.25 * length
                continue
            run.move(trial, value, score, hessian)
            return step, _next_radius(radius, length, ratio, interior)
        # Shrink to the maximum of the parabola through value, slope and trial value.
        slope = float(run.score @ step) if run.score is not None else 0.0
        fraction = 0.5 * slope / (slope - actual) if slope > max(actual, 0.0) else 0.25
        radius = length * float(np.clip(fraction, 0.02, 0.5))
    return _Stalled(non_finite=non_finite, infinite=infinite)


def _next_radius(radius: float, length: float, ratio: float, interior: bool) -> float:
    if ratio < 0.25:
        return 0.5 * length
    if interior:
        # An unrestricted step that worked never makes the region smaller than twice itself.
        return max(radius, 2.0 * length) if ratio > 0.7 else radius
    if ratio > 0.9:
        return 4.0 * length
    return 2.0 * length if ratio > 0.6 else length


def _stalled(
    run: Run, model: QuadraticModel, history: NewtonHistory, stalled: _Stalled
) -> tuple[Termination, str] | None:
    """Name the end of a search none of whose trial steps was accepted; None if it can go on."""
    before = run.x
    if stalled.infinite:
        return Termination.UNBOUNDED, "The log-likelihood is infinite at a trial point."
    # Values that are noisier than their last digit refuse good steps: let the score judge.
    ended = settle(run, history, by_score=True)
    if ended is not None or run.x is not before:
        return ended
    if stalled.non_finite:
        moved = np.abs(run.x - run.start).max()
        if moved >= 300.0:
            return (
                Termination.UNBOUNDED,
                f"A coordinate moved by {moved:.3g} on the unconstrained scale, where exponentials "
                "leave the floating-point range.",
            )
        return Termination.EDGE, "Every longer step leads to a value that is not finite."
    gain = 0.5 * model.decrement() ** 2
    return Termination.NO_PROGRESS, f"The expected gain at the end is {gain:.3g}."
