"""Many refits of one log-likelihood at once: Newton steps for all, each to its own maximum.

Refits begin near their maximum: at an estimate, for a resample of its data. Each ends where the
solver ends (half the squared Newton decrement below 1e-10, definite curvature, then Newton steps
down to rounding), and only there does it say that it converged. Whatever does not get there is left
to the solver.

The plain iteration takes full steps while the decrement falls. The damped one accepts a step by the
value that it gains, and adds to the diagonal of the information where it is indefinite or a step
fails (Levenberg and Marquardt); the damping is gone before anything converges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from pymle.objective.batched import Batch
from pymle.objective.likelihood import Likelihood

__all__ = ["Refits", "refit_many"]

#: Expected gain in log-likelihood at which an iteration has converged; what is no gain; and what
#: is none after the step that is about to be taken, as far as its convergence is quadratic.
_GAIN, _NOTHING, _NEXT = 1e-10, 1e-24, 1e-20
#: Length of the Newton step (units of the curvature at the start) that a maximum has there:
#: on a tail towards infinity the gain vanishes while the steps do not.
_SHORT = 1e-3
_MOST_PLAIN, _MOST_DAMPED = 12, 60
#: Damping, relative to the diagonal of the information, at which a search is stuck.
_STUCK = 1e8
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Refits:
    """Outcomes of refits, along the first axis.

    Attributes
    ----------
    x : numpy.ndarray, shape (n, k)
        Unconstrained points; where the iteration stopped if it did not converge.
    value : numpy.ndarray, shape (n,)
        Log-likelihoods; nan where values were not asked for.
    score, hessian : numpy.ndarray, shapes (n, k) and (n, k, k)
        Derivatives at the last point evaluated, from which a step below 1e-5 standard errors
        may have been taken.
    converged : numpy.ndarray of bool, shape (n,)
        Strict local maxima to rounding.
    start_value : numpy.ndarray, shape (n,)
        Log-likelihoods at the starts, with the same weights and data; as `value`.
    start_score : numpy.ndarray, shape (n, k)
        Scores at the starts.
    steps : numpy.ndarray of int, shape (n,)
        Evaluations.
    """

    x: np.ndarray
    value: np.ndarray
    score: np.ndarray
    hessian: np.ndarray
    converged: np.ndarray
    start_value: np.ndarray
    start_score: np.ndarray
    steps: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Refits]) -> Refits:
        """Several batches, one after the other."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    @classmethod
    def begun(cls, starts: np.ndarray) -> Refits:
        """Nothing known but the starts (n, k)."""
        n, k = starts.shape
        return cls(
            x=np.array(starts),
            value=np.full(n, np.nan),
            score=np.full((n, k), np.nan),
            hessian=np.full((n, k, k), np.nan),
            converged=np.zeros(n, dtype=bool),
            start_value=np.full(n, np.nan),
            start_score=np.full((n, k), np.nan),
            steps=np.zeros(n, dtype=int),
        )


def refit_many(
    likelihood: Likelihood,
    starts: np.ndarray,
    *,
    shares: np.ndarray | None = None,
    index: Sequence[np.ndarray | None] = (),
    replaced: Mapping[int, np.ndarray] | None = None,
    values: bool = False,
    least: np.ndarray | None = None,
    piece: int | None = None,
) -> Refits:
    """Refit with other weights, with other data, or both.

    Parameters
    ----------
    likelihood : Likelihood
        `can_batch` must hold.
    starts : numpy.ndarray, shape (k,) or (n, k)
        Unconstrained points.
    shares, index, replaced, piece
        As in `Batch`.
    values : bool
        Run the damped iteration, which is the more robust one and gives the values.
    least : numpy.ndarray, shape (k,), optional
        Smallest units of the coordinates in which a step is judged to be short; the roots of the
        curvature's diagonal at the start, where they are larger.

    Returns
    -------
    Refits
    """
    starts = np.atleast_2d(np.asarray(starts, dtype=np.float64))
    n = len(shares) if shares is not None else len(next(iter((replaced or {}).values()), starts))
    starts = np.broadcast_to(starts, (n, likelihood.size))
    batch = Batch(likelihood, shares=shares, index=index, replaced=replaced, piece=piece)
    least = np.zeros(likelihood.size) if least is None else np.asarray(least, dtype=np.float64)
    with np.errstate(all="ignore"):
        return (_damped if values else _plain)(batch, starts, least)


@dataclass(eq=False)
class _Model:
    """Second-order models at some points: expected gains and Newton steps where definite."""

    gain: np.ndarray
    step: np.ndarray
    units: np.ndarray


def _model(score: np.ndarray, hessian: np.ndarray) -> _Model:
    n, k = score.shape
    own = np.sqrt(np.abs(np.diagonal(hessian, axis1=1, axis2=2)))
    units = np.where(own > 0.0, own, 1.0)
    scaled = -hessian / (units[:, :, None] * units[:, None, :])
    slope = score / units
    gain, step = np.full(n, np.inf), np.full((n, k), np.nan)
    finite = np.all(np.isfinite(scaled), axis=(1, 2)) & np.all(np.isfinite(slope), axis=1)
    here = np.flatnonzero(finite)
    here = here[_definite(scaled[here] - 64.0 * k * _EPS * np.eye(k))]
    if len(here):
        y = np.linalg.solve(scaled[here], slope[here][..., None])[..., 0]
        gain[here] = 0.5 * np.einsum("ij,ij->i", slope[here], y)
        step[here] = y / units[here]
    return _Model(gain, step, units)


def _definite(matrices: np.ndarray) -> np.ndarray:
    """Which matrices (n, k, k) have a Cholesky factor; failures are found by halving."""
    if not len(matrices):
        return np.zeros(0, dtype=bool)
    try:
        np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return np.zeros(1, dtype=bool)
        half = len(matrices) // 2
        return np.concatenate([_definite(matrices[:half]), _definite(matrices[half:])])
    return np.ones(len(matrices), dtype=bool)


def _plain(batch: Batch, starts: np.ndarray, least: np.ndarray) -> Refits:
    """Full Newton steps, while the decrement falls."""
    out = Refits.begun(starts)
    n = len(starts)
    units, before = np.empty_like(out.x), np.full(n, np.inf)
    near, active = np.zeros(n, dtype=bool), np.arange(n)
    points = np.array(starts)
    for count in range(_MOST_PLAIN):
        _, score, hessian = batch.evaluate(active, points[active], values=False)
        model = _model(score, hessian)
        out.steps[active] = count + 1
        if count == 0:
            out.start_score[:] = score
            units[:] = np.maximum(model.units, least)
        gain, last = model.gain, before[active]
        # A last step that does not help, at rounding, is not taken.
        taken = (gain < last) | ~near[active]
        rows = active[taken]
        out.x[rows] = points[rows]
        out.score[rows], out.hessian[rows] = score[taken], hessian[taken]
        short = np.all(np.abs(units[active] * model.step) < _SHORT, axis=1)
        small = (gain < _GAIN) & short
        falls = gain < 0.49 * last
        following = gain * (gain / last) ** 2
        final = small & (following < _NEXT) & falls
        out.x[active[final]] += model.step[final]
        out.converged[active] = small | near[active]
        near[active] |= small
        before[active] = gain
        ended = final | ~falls | (gain < _NOTHING)
        points[active] = points[active] + model.step
        active = active[~ended]
        if not len(active):
            break
    return out


def _damped(batch: Batch, starts: np.ndarray, least: np.ndarray) -> Refits:
    """Damped Newton steps that raise the value."""
    out = Refits.begun(starts)
    n = len(starts)
    units, points = np.empty_like(out.x), np.array(starts)
    out.value[:] = -np.inf
    gain, damping = np.full(n, np.inf), np.zeros(n)
    predicted, near, active = np.zeros(n), np.zeros(n, dtype=bool), np.arange(n)
    for count in range(_MOST_DAMPED):
        value, score, hessian = batch.evaluate(active, points[active], values=True)
        model = _model(score, hessian)
        out.steps[active] = count + 1
        first = count == 0
        if first:
            out.start_value[:], out.start_score[:] = value, score
            units[:] = np.maximum(model.units, least)
        finite = np.isfinite(value) & np.all(np.isfinite(score), axis=1)
        finite &= np.all(np.isfinite(hessian), axis=(1, 2))
        held = out.value[active]
        slack = 1e-9 + 1e3 * _EPS * np.maximum(1.0, np.abs(held))
        rise = value - held
        # Below the rounding of the log-likelihood a step is judged by the score.
        helped = (rise >= -slack) & (model.gain < gain[active])
        by_value = rise >= 1e-4 * predicted[active]
        enough = by_value | ((predicted[active] < slack) & helped)
        taken = finite & (first | np.where(near[active], helped, enough))
        falls = model.gain < 0.49 * gain[active]
        ended = (first & ~finite) | (near[active] & ~(taken & falls))
        rows = active[taken]
        out.x[rows], out.value[rows] = points[rows], value[taken]
        out.score[rows], out.hessian[rows] = score[taken], hessian[taken]
        gain[rows] = model.gain[taken]
        damping[active] = _next_damping(
            damping[active], taken, rise / predicted[active], predicted[active] < slack, first=first
        )
        small = gain[active] < _GAIN
        damping[active[small]] = 0.0
        step, damping[active], predicted[active] = _damped_step(
            out.score[active], out.hessian[active], 1e-3 * units[active], damping[active]
        )
        short = np.all(np.abs(units[active] * step) < _SHORT, axis=1)
        near[active] = (small & short) | (near[active] & ~taken)
        points[active] = out.x[active] + step
        ended |= near[active] & (gain[active] < _NOTHING)
        ended |= (damping[active] >= _STUCK) | ~np.all(np.isfinite(step), axis=1)
        active = active[~ended]
        if not len(active):
            break
    out.converged[:] = near & np.isfinite(out.value)
    return out


def _next_damping(
    damping: np.ndarray, taken: np.ndarray, ratio: np.ndarray, rounding: np.ndarray, *, first: bool
) -> np.ndarray:
    """Less after a step as good as predicted, more after one that was not."""
    if first:
        return np.zeros_like(damping)
    eased = np.where(damping < 1e-6, 0.0, 0.1 * damping)
    raised = np.maximum(4.0 * damping, 1e-3)
    kept = np.where((ratio > 0.75) | rounding, eased, damping)
    return np.where(
        taken, np.where((ratio < 0.25) & ~rounding, raised, kept), np.maximum(16.0 * damping, 4e-3)
    )


def _damped_step(
    score: np.ndarray, hessian: np.ndarray, floor: np.ndarray, damping: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps with the least damping that makes the information definite, and predicted gains."""
    n, k = score.shape
    units = np.maximum(np.sqrt(np.abs(np.diagonal(hessian, axis1=1, axis2=2))), floor)
    scaled = -hessian / (units[:, :, None] * units[:, None, :])
    slope = score / units
    damping = np.array(damping)
    y = np.full((n, k), np.nan)
    rest = np.flatnonzero(np.all(np.isfinite(scaled), axis=(1, 2)))
    while len(rest):
        trial = scaled[rest] + damping[rest, None, None] * np.eye(k)
        fine = _definite(trial)
        done = rest[fine]
        y[done] = np.linalg.solve(trial[fine], slope[done][..., None])[..., 0]
        rest = rest[~fine]
        damping[rest] = np.maximum(4.0 * damping[rest], 1e-3)
        rest = rest[damping[rest] < _STUCK]
    predicted = np.einsum("ij,ij->i", slope, y) - 0.5 * np.einsum("ij,ijk,ik->i", y, scaled, y)
    return y / units, damping, predicted
