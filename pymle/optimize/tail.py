"""Is the maximum at infinity? What successive Newton steps say about it."""

from __future__ import annotations

import math

import numpy as np

from pymle.optimize.records import Termination
from pymle.optimize.run import Run
from pymle.optimize.subproblem import QuadraticModel

__all__ = ["NewtonHistory", "follow_tail", "judge_tail"]

#: Newton steps taken beyond the end to observe whether they shrink.
_OBSERVED_STEPS = 4


class NewtonHistory:
    """Full Newton steps at the points visited, and how they compare with the ones before.

    With p and A the step and the information at a point, ``ratio = |p_new|_A / |p|_A`` is
    invariant under affine maps, as is the ratio of the decrements ``|p|_A``.
    """

    def __init__(self) -> None:
        self.steps: list[np.ndarray] = []
        self.step_ratios: list[float] = []
        self.decrement_ratios: list[float] = []
        self.cosines: list[float] = []
        self._model: QuadraticModel | None = None
        self._x: np.ndarray | None = None

    def add(self, run: Run, model: QuadraticModel) -> None:
        """Note the Newton step at the current point; a point without one starts anew."""
        self.note(run.x, model)
        if self.step_ratios:
            run.step_ratio = self.step_ratios[-1]
            run.decrement_ratio = self.decrement_ratios[-1]

    def note(self, x: np.ndarray, model: QuadraticModel) -> None:
        """As `add`, without telling the run."""
        if self._x is not None and np.array_equal(x, self._x):
            return
        if not model.definite:
            self.__init__()
            return
        step = model.newton()
        if self._model is not None:
            metric = self._model
            a, b = _coordinates(metric, self.steps[-1]), _coordinates(metric, step)
            before, now = math.sqrt(a @ a), math.sqrt(b @ b)
            if before > 0.0:
                self.step_ratios.append(now / before)
                self.decrement_ratios.append(model.decrement() / metric.decrement())
                self.cosines.append(float(a @ b) / (before * now) if now > 0.0 else 0.0)
        self.steps.append(step)
        self._model, self._x = model, x.copy()


def _coordinates(model: QuadraticModel, step: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(model.eigenvalues, 0.0)) * (model.vectors.T @ (model.units * step))


def follow_tail(
    run: Run, model: QuadraticModel, history: NewtonHistory
) -> tuple[Termination, str] | None:
    """Observe a few Newton steps beyond a converged point where convergence was not quadratic.

    Parameters
    ----------
    run : Run
        Its point stays; its ratios and `runaway` are set.
    model : QuadraticModel
        At the converged point, positive definite.
    history : NewtonHistory

    Returns
    -------
    (Termination, str) or None
        RUNAWAY if the maximum is at infinity, DEGENERATE if the curvature vanishes at it, None if
        nothing speaks against a regular maximum.

    Notes
    -----
    On a tail ``-exp(-ct)`` every Newton step is 1/c and the decrement falls by exp(-1/2); on
    ``-t**-a`` steps grow by 1 + 1/(a+1). At a degenerate finite maximum ``-t**m`` they shrink by
    (m-2)/(m-1) and the decrement by that to the power m/2. At a regular maximum both fall
    quadratically, down to rounding noise, which keeps neither direction nor ratio.
    """
    recent = history.decrement_ratios[-2:]
    if len(recent) == 2 and max(recent) < 0.1:
        return None
    tail = NewtonHistory()
    x, points = run.x, 0
    tail.note(x, model)
    while points < _OBSERVED_STEPS:
        x = x + tail.steps[-1]
        if not np.all(np.isfinite(x)):
            break
        value, score = run.evaluate(x)
        hessian = run.evaluate_hessian(x) if np.isfinite(value) else None
        if hessian is None:
            break
        following = QuadraticModel(score, hessian, None, run.hessian_error)
        # Rounding far out can make the curvature indefinite, and the history then starts anew:
        # what was observed until there counts.
        steps, decrements, cosines = tail.step_ratios, tail.decrement_ratios, tail.cosines
        before, last = len(tail.step_ratios), tail.steps[-1]
        tail.note(x, following)
        if len(tail.step_ratios) != before + 1:
            break
        last = tail.steps[-1]
        points += 1
    if points < 3:
        return None
    return judge_tail(run, steps, decrements, cosines, last, x)


def judge_tail(
    run: Run,
    step_ratios: list[float],
    decrement_ratios: list[float],
    cosines: list[float],
    last: np.ndarray,
    x: np.ndarray,
) -> tuple[Termination, str] | None:
    """Three or more steps that keep their direction while the decrement falls in a steady ratio.

    Every condition is there to tell a tail from the rounding noise of a regular maximum, whose
    steps keep neither their direction nor a ratio, and are tiny beside the coordinates.
    """
    steps, falls = np.array(step_ratios), np.array(decrement_ratios)
    if steps.size < 3 or not (np.all(np.isfinite(falls)) and np.all(falls > 0.2)):
        return None
    steady = bool(
        np.all(falls < 0.97)
        and np.ptp(np.log(falls)) < 0.3
        and np.ptp(steps) < 0.3
        and np.all(np.array(cosines) > 0.95)
        and np.any(np.abs(last) > 1e-8 * np.abs(x))
    )
    if not steady or not np.all(steps > 0.5):
        return None
    run.step_ratio, run.decrement_ratio = float(steps[-1]), float(falls[-1])
    said = (
        f"Successive Newton steps have length ratio {run.step_ratio:.3g} while the decrement "
        f"falls by the factor {run.decrement_ratio:.3g}."
    )
    if not np.all(steps > 0.9):
        return Termination.DEGENERATE, said
    run.runaway = True
    run.runaway_direction = last / np.abs(last).max()
    return Termination.RUNAWAY, said
