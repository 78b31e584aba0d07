"""From any point to one at which constraints hold."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pymle.optimize.chart import Constraint, Remembered, allowance
from pymle.optimize.records import Termination
from pymle.optimize.subproblem import QuadraticModel, scaling

__all__ = ["Nearby", "Reached", "derivatives_at", "independent", "plain_units", "reach", "restore"]

_EPS = float(np.finfo(np.float64).eps)
_MOST_STEPS, _MOST_HALVINGS = 60, 30
#: Steps beyond which convergence was not quadratic: the gradient may vanish where it ends.
_QUICK = 12
#: Constraint residual, relative to the size of the constraint's terms, that is rounding.
_HOLDS = 1e-12
#: Smallest singular value, of gradients scaled to length one, of independent constraints.
_INDEPENDENT = 1e-9
#: Residual left, as a share of that at the start, when the constraint holds only in a limit.
_IN_THE_LIMIT = 1e-6
#: Log-likelihood a step may promise before it is compared with the plain one.
_PROMISE = 1.0


@dataclass(frozen=True)
class Reached:
    """Where the way to the constraints ended.

    Attributes
    ----------
    x : ndarray, shape (k,)
    failure : Termination or None
        None where the constraints hold.
    message : str
    nearby : Nearby or None
        What is known of the curvature, from a point not far away.
    """

    x: np.ndarray
    failure: Termination | None = None
    message: str = ""
    nearby: Nearby | None = None


@dataclass(frozen=True)
class Nearby:
    """Derivatives at a point.

    Attributes
    ----------
    units : ndarray, shape (k,)
        About one over conditional standard errors.
    score : ndarray, shape (k,)
    hessian : ndarray, shape (k, k)
        Second derivatives of the Lagrangian.
    """

    units: np.ndarray
    score: np.ndarray
    hessian: np.ndarray


def derivatives_at(objective: Remembered, constraint: Constraint, x: np.ndarray) -> Nearby | None:
    """Units, score and second derivatives of the Lagrangian; None where they are not finite.

    Parameters
    ----------
    objective : Remembered
    constraint : Constraint
    x : ndarray, shape (k,)

    Returns
    -------
    Nearby or None
    """
    if not objective.has_score:
        return None
    value, score = objective.value_and_score(x)
    if not (np.isfinite(value) and np.all(np.isfinite(score))):
        return None
    hessian = objective.hessian(x)
    if not np.all(np.isfinite(hessian)):
        return None
    units = scaling(-hessian, score)
    _, jacobian = constraint.value_and_jacobian(x)
    if not np.all(np.isfinite(jacobian)):
        return None
    multipliers = np.linalg.lstsq((jacobian / units).T, score / units, rcond=None)[0]
    hessian = hessian - constraint.second(x, multipliers)
    if not np.all(np.isfinite(hessian)):
        return None
    return Nearby(scaling(-hessian, score), score, hessian)


def plain_units(x: np.ndarray) -> np.ndarray:
    """Units where no curvature is known, shape (k,)."""
    return 1.0 / np.maximum(np.abs(x), 1.0)


def independent(jacobian: np.ndarray, units: np.ndarray) -> bool:
    """Whether gradients of constraints are linearly independent to rounding.

    Parameters
    ----------
    jacobian : ndarray, shape (m, k)
    units : ndarray, shape (k,)

    Returns
    -------
    bool
    """
    scaled = jacobian / units
    lengths = np.linalg.norm(scaled, axis=1)
    if len(jacobian) > jacobian.shape[1] or not np.all(lengths > 0.0):
        return len(jacobian) == 0
    values = np.linalg.svd(scaled / lengths[:, None], compute_uv=False)
    return bool(values.min(initial=1.0) > _INDEPENDENT)


def reach(
    objective: Remembered,
    constraint: Constraint,
    target: np.ndarray,
    start: np.ndarray,
    nearby: Nearby | None = None,
    *,
    stay: bool = False,
) -> Reached:
    """A point near the start at which the constraints hold and the log-likelihood is finite.

    Parameters
    ----------
    objective : Remembered
    constraint : Constraint
    target : ndarray, shape (m,)
    start : ndarray, shape (k,)
    nearby : Nearby, optional
        The start is already where the maximum is expected, predicted from a point with these
        derivatives: only what is missing to the constraints is made good.
    stay : bool
        No move along the set is made.

    Returns
    -------
    Reached

    Notes
    -----
    The first trial is the step of Newton's method on the Lagrangian, which also moves along the
    set towards the maximum on it: from the maximum at a neighbouring target it leaves an error
    of second order. Then the nearest point in the units of the curvature; then the target is
    approached in stages.
    """
    value, jacobian = constraint.value_and_jacobian(start)
    if nearby is not None:
        near = restore(constraint, target, start, nearby.units)
        if near.failure is None and _usable(objective, near.x):
            return replace(near, nearby=nearby)
    nearby = derivatives_at(objective, constraint, start)
    units = plain_units(start) if nearby is None else nearby.units
    if _rest(value, jacobian, start, target, units) <= 4.0 * _EPS and _usable(objective, start):
        return Reached(start)
    plain: Reached | None = None
    if nearby is not None and not stay:
        predicted = _lagrange_step(nearby, value - target, jacobian)
        if predicted is not None:
            trial = restore(constraint, target, start + predicted[0], units)
            if trial.failure is None and _usable(objective, trial.x):
                if predicted[1] < _PROMISE:
                    return replace(trial, nearby=nearby)
                plain = restore(constraint, target, start, units)
                there = objective.value(trial.x)
                other = objective.value(plain.x) if plain.failure is None else -np.inf
                return plain if np.isfinite(other) and other > there else trial
    plain = restore(constraint, target, start, units)
    if plain.failure is None and _usable(objective, plain.x):
        return plain
    return _in_stages(objective, constraint, target, start, units, plain)


def _lagrange_step(
    nearby: Nearby, rest: np.ndarray, jacobian: np.ndarray
) -> tuple[np.ndarray, float] | None:
    """Newton's step on the Lagrangian, and the gain that its part along the set promises."""
    units, m = nearby.units, len(rest)
    if m > len(units) or not independent(jacobian, units):
        return None
    basis, triangle = np.linalg.qr((jacobian / units).T, mode="complete")
    normal = basis[:, :m] @ np.linalg.solve(triangle[:m].T, -rest)
    along = basis[:, m:] / units[:, None]
    step, gain = normal / units, 0.0
    if along.shape[1]:
        slope = along.T @ (nearby.score + nearby.hessian @ step)
        model = QuadraticModel(slope, along.T @ nearby.hessian @ along)
        move, gain, _ = model.step(max(model.natural_radius(), float(np.linalg.norm(normal))))
        step = step + along @ move
    return (step, gain) if np.all(np.isfinite(step)) else None


def restore(
    constraint: Constraint, target: np.ndarray, x: np.ndarray, units: np.ndarray
) -> Reached:
    """Gauss-Newton steps of least length, in the units, with halving.

    Parameters
    ----------
    constraint : Constraint
    target : ndarray, shape (m,)
    x : ndarray, shape (k,)
    units : ndarray, shape (k,)

    Returns
    -------
    Reached
    """
    first, moves = np.nan, [np.inf, np.inf]
    with np.errstate(all="ignore"):
        value, jacobian = constraint.value_and_jacobian(x)
        if not (np.all(np.isfinite(value)) and np.all(np.isfinite(jacobian))):
            return Reached(x, Termination.INFEASIBLE, "The constraints are not finite there.")
        lengths = np.linalg.norm(jacobian / units, axis=1)
        lengths = np.where(lengths > 0.0, lengths, 1.0)
        for number in range(_MOST_STEPS):
            rest = value - target
            size = float(np.linalg.norm(rest / lengths))
            first = size if np.isnan(first) else first
            close = _rest(value, jacobian, x, target, units)
            if close <= 2.0 * _EPS:
                return _arrived(constraint, x, jacobian, units, slow=number > _QUICK)
            scaled = jacobian / units / lengths[:, None]
            step = np.linalg.lstsq(scaled, -rest / lengths, rcond=1e-12)[0] / units
            moved = None
            for halving in range(_MOST_HALVINGS):
                trial = x + 0.5**halving * step
                there, slope = constraint.value_and_jacobian(trial)
                finite = np.all(np.isfinite(there)) and np.all(np.isfinite(slope))
                if finite and float(np.linalg.norm((there - target) / lengths)) < size:
                    moved = trial, there, slope
                    break
            if moved is None:
                if close <= _HOLDS:
                    return _arrived(constraint, x, jacobian, units, slow=number > _QUICK)
                break
            moves = [moves[1], float(np.linalg.norm(moved[0] - x))]
            x, value, jacobian = moved
    shrinking = moves[1] < 0.9 * moves[0]
    return _not_reached(constraint, target, x, units, lengths, first, shrinking=shrinking)


def _arrived(
    constraint: Constraint, x: np.ndarray, jacobian: np.ndarray, units: np.ndarray, *, slow: bool
) -> Reached:
    """The constraints hold; after many steps their gradients may have vanished on the way."""
    if slow and _stationary(constraint, x, jacobian, units):
        return Reached(x, Termination.DEPENDENT, "A constraint is stationary there.")
    return Reached(x)


def _stationary(
    constraint: Constraint, x: np.ndarray, jacobian: np.ndarray, units: np.ndarray
) -> bool:
    """Whether a constraint's gradient is nothing beside its curvature, over one unit."""
    for i, row in enumerate(jacobian):
        weights = np.zeros(len(jacobian))
        weights[i] = 1.0
        curved = constraint.second(x, weights) / np.outer(units, units)
        if np.linalg.norm(row / units) <= 1e-6 * np.linalg.norm(curved):
            return True
    return False


def _not_reached(
    constraint: Constraint,
    target: np.ndarray,
    x: np.ndarray,
    units: np.ndarray,
    lengths: np.ndarray,
    first: float,
    *,
    shrinking: bool,
) -> Reached:
    value, jacobian = constraint.value_and_jacobian(x)
    if _rest(value, jacobian, x, target, units) <= _HOLDS:
        return _arrived(constraint, x, jacobian, units, slow=True)
    left = np.abs(value - target) / lengths
    worst = int(np.argmax(left))
    said = f"Constraint {worst} came to {value[worst]:.6g}, its target is {target[worst]:.6g}."
    if float(np.linalg.norm(left)) <= _IN_THE_LIMIT * first:
        # Steps that shrink lead to a finite place, where the constraint's gradient vanishes.
        return Reached(x, Termination.DEPENDENT if shrinking else Termination.UNREACHABLE, said)
    return Reached(x, Termination.INFEASIBLE, said)


def _in_stages(
    objective: Remembered,
    constraint: Constraint,
    target: np.ndarray,
    start: np.ndarray,
    units: np.ndarray,
    failed: Reached,
) -> Reached:
    """Approach the target in stages, from points at which the log-likelihood is finite."""
    if not _usable(objective, start):
        return Reached(failed.x, failed.failure or Termination.NON_FINITE_START, failed.message)
    x = start
    origin, _ = constraint.value_and_jacobian(start)
    done, stage = 0.0, 0.5
    while stage > 1e-3:
        share = min(done + stage, 1.0)
        trial = restore(constraint, origin + share * (target - origin), x, units)
        if trial.failure is None and _usable(objective, trial.x):
            x, done, stage = trial.x, share, 2.0 * stage
            if done == 1.0:
                return Reached(x)
        else:
            stage *= 0.5
    reason = failed.failure or Termination.NON_FINITE_START
    return Reached(x, reason, failed.message)


def _usable(objective: Remembered, x: np.ndarray) -> bool:
    if not objective.has_score:
        return bool(np.isfinite(objective.value(x)))
    value, score = objective.value_and_score(x)
    return bool(np.isfinite(value) and np.all(np.isfinite(score)))


def _rest(
    value: np.ndarray, jacobian: np.ndarray, x: np.ndarray, target: np.ndarray, units: np.ndarray
) -> float:
    """Largest residual relative to the size of its constraint's terms; infinite without values."""
    if not (np.all(np.isfinite(value)) and np.all(np.isfinite(jacobian))):
        return np.inf
    terms = allowance(value, jacobian, x, target, units)
    return float((np.abs(value - target) / terms).max(initial=0.0))
