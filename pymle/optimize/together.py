"""Climb from many starts at once: one compiled program evaluates them all, step after step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from pymle.optimize.many_models import ManyModels, at_points
from pymle.optimize.newton import TARGET_GAIN
from pymle.optimize.records import TraceStep

__all__ = ["End", "Ends", "climb_together"]

_EPS = float(np.finfo(np.float64).eps)
#: As in the ordinary search: refused steps in a row, and the decrement that is nothing.
_MOST_REJECTIONS, _NEGLIGIBLE = 100, 1e-12
#: Fall of the decrement, twice in a row, that only a regular maximum shows.
_QUADRATIC = 0.1
#: Slope and curvature of a coordinate along which `lifted` looks for something higher.
_FLAT = 1e-3
#: Way on the unconstrained scale after which exponentials leave the floating-point range.
_FAR = 300.0
#: So few searches left are finished one by one: a step of a batch costs as much as four of theirs.
_STRAGGLERS = 4

#: Values (n,), scores (n, k) and Hessians (n, k, k) at points (n, k).
Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


class End(Enum):
    """Where a search of the batch was left.

    ``REGULAR`` is a strict maximum to rounding, reached by quadratic convergence; ``SLOW`` looks
    like one, reached otherwise (a tail, a plateau); ``STRAGGLER`` was still climbing.
    """

    REGULAR = auto()
    SLOW = auto()
    STRAGGLER = auto()
    LEVEL = auto()
    STALLED = auto()
    EDGE = auto()
    UNBOUNDED = auto()
    LIMIT = auto()
    TIME = auto()
    INTERRUPTED = auto()
    NO_START = auto()


@dataclass(eq=False)
class Ends:
    """What the batch knows of each search, along the first axis.

    Attributes
    ----------
    x, value, score, hessian : ndarray, shapes (n, k), (n,), (n, k), (n, k, k)
        At the last accepted point.
    start_value, gain : ndarray, shape (n,)
        Log-likelihoods at the starts; half the squared Newton decrements at the ends.
    iterations, evaluations : ndarray of int, shape (n,)
    ends : ndarray of End, shape (n,)
    seconds : float
    """

    x: np.ndarray
    value: np.ndarray
    score: np.ndarray
    hessian: np.ndarray
    start_value: np.ndarray
    gain: np.ndarray
    iterations: np.ndarray
    evaluations: np.ndarray
    ends: np.ndarray
    seconds: float = 0.0


def climb_together(
    evaluate: Evaluate,
    starts: np.ndarray,
    *,
    max_iterations: int = 500,
    max_seconds: float | None = None,
    callback: Callable[[TraceStep], object] | None = None,
) -> Ends:
    """Trust-region Newton from many starts in lock-step.

    Parameters
    ----------
    evaluate : callable
        Values (n,), scores (n, k) and Hessians (n, k, k) at points (n, k).
    starts : ndarray, shape (n, k)
    max_iterations : int
        Accepted steps of each search.
    max_seconds : float, optional
        For all together.
    callback : callable, optional
        Called with the best value so far at every step.

    Returns
    -------
    Ends

    Notes
    -----
    The decisions are those of `newton`, taken for all searches at once: radius, acceptance, the
    score in place of the value where the gain drowns in rounding, Newton steps down to rounding
    at the end. Refused steps cost a Hessian here, which they do not there. What `newton` does
    beyond that (following tails, probing flat directions, naming stalled points) is left to it.
    """
    climb = _Climb(evaluate, starts, max_iterations, max_seconds, callback)
    try:
        with np.errstate(all="ignore"):
            climb.run()
    except KeyboardInterrupt:
        climb.leave(np.flatnonzero(climb.active), End.INTERRUPTED)
    climb.out.seconds = time.perf_counter() - climb.began
    return climb.out


class _Climb:
    """The searches of one batch, and which of them still go on."""

    def __init__(
        self,
        evaluate: Evaluate,
        starts: np.ndarray,
        max_iterations: int,
        max_seconds: float | None,
        callback: Callable[[TraceStep], object] | None,
    ) -> None:
        self.began = time.perf_counter()
        self._evaluate = evaluate
        self._most = max_iterations
        self._deadline = np.inf if max_seconds is None else self.began + max_seconds
        self._callback = callback
        n, k = starts.shape
        self.active = np.ones(n, dtype=bool)
        nan, zero = np.full(n, np.nan), np.zeros(n, dtype=int)
        self.out = Ends(
            x=np.array(starts, dtype=np.float64),
            value=nan.copy(),
            score=np.full((n, k), np.nan),
            hessian=np.full((n, k, k), np.nan),
            start_value=nan.copy(),
            gain=nan.copy(),
            iterations=zero.copy(),
            evaluations=zero.copy(),
            ends=np.full(n, End.NO_START, dtype=object),
        )
        self._models = ManyModels(
            np.zeros((n, k)), np.ones((n, k)), np.zeros((n, k, k)), np.zeros((n, k)), np.zeros(n)
        )
        self._radius, self._rejected = nan.copy(), zero.copy()
        self._starts, self._broken = self.out.x.copy(), np.zeros(n, dtype=bool)
        # Whether the last step was of quadratic convergence, and whether two in a row were.
        self._fast, self._regular = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)

    def leave(self, rows: np.ndarray, end: End) -> None:
        """End some of the searches."""
        self.out.ends[rows] = end
        self.active[rows] = False

    def run(self) -> None:
        """Step until all have ended."""
        out, everyone = self.out, np.arange(len(self.out.x))
        value, score, hessian = self._at(everyone, out.x)
        out.value[:], out.start_value[:] = value, value
        out.score[:], out.hessian[:] = score, hessian
        fine = _finite(value, score, hessian)
        self.leave(everyone[~fine], End.NO_START)
        rows = everyone[fine]
        if len(rows):
            self._models.put(rows, at_points(score[rows], hessian[rows]))
            self._radius[rows] = self._models.take(rows).natural_radii()
        while np.any(self.active):
            rows = np.flatnonzero(self.active)
            if time.perf_counter() > self._deadline:
                self.leave(rows, End.TIME)
                return
            if len(rows) <= min(_STRAGGLERS, len(everyone) // 2):
                self.leave(rows, End.STRAGGLER)
                return
            near = self._look(rows)
            rows = np.flatnonzero(self.active)
            self._step(rows, near[rows])
            self._tell()

    def _tell(self) -> None:
        if self._callback is None:
            return
        values = np.where(np.isfinite(self.out.value), self.out.value, -np.inf)
        best, done = int(np.argmax(values)), int(self.out.iterations.max())
        self._callback(TraceStep(done, values[best], float(self.out.gain[best]), float("nan")))

    def _at(
        self, rows: np.ndarray, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.out.evaluations[rows] += 1
        return self._evaluate(points)

    def _look(self, rows: np.ndarray) -> np.ndarray:
        """Which searches are near a maximum, shape (n,); those that need no step are ended."""
        out, models = self.out, self._models.take(rows)
        decrement = models.decrements()
        gain = 0.5 * decrement**2
        definite = models.definite
        out.gain[rows] = np.where(definite, gain, np.nan)
        level = np.where(models.positive, 0.0, np.abs(models.slope)).max(axis=1) <= 1e-8
        small = (gain < TARGET_GAIN) & level
        saddle = np.any(models.eigenvalues < -models.tolerance[:, None], axis=1)
        self.leave(rows[small & ~definite & ~saddle], End.LEVEL)
        there = small & definite & (decrement < _NEGLIGIBLE)
        self._arrive(rows[there])
        far = np.abs(out.x[rows]).max(axis=1) > 1e30
        self.leave(rows[far], End.UNBOUNDED)
        self.leave(rows[~small & (out.iterations[rows] >= self._most)], End.LIMIT)
        near = np.zeros(len(out.x), dtype=bool)
        near[rows[small & definite]] = True
        return near

    def _arrive(self, rows: np.ndarray) -> None:
        """End searches at a maximum: regular ones as such, the others for a closer look."""
        out = self.out
        diagonal = np.abs(np.diagonal(out.hessian[rows], axis1=1, axis2=2))
        flat = np.any((np.abs(out.score[rows]) < _FLAT) & (diagonal < _FLAT), axis=1)
        fine = self._regular[rows] & ~flat
        self.leave(rows[fine], End.REGULAR)
        self.leave(rows[~fine], End.SLOW)

    def _step(self, rows: np.ndarray, near: np.ndarray) -> None:
        """One trial step for each search."""
        if not len(rows):
            return
        out, models = self.out, self._models.take(rows)
        step, predicted, interior = models.steps(self._radius[rows])
        step[near] = models.newton()[near]
        trial = out.x[rows] + step
        length = models.lengths(step)
        wild = ~np.all(np.isfinite(trial), axis=1)
        self._broken[rows[wild]] = True
        self._shrink(rows[wild], 1e-3 * self._radius[rows[wild]])
        still = ~wild & (np.all(trial == out.x[rows], axis=1) | (~near & (predicted <= 0.0)))
        self._arrive(rows[still & near])
        self._stall(rows[still & ~near])
        on = np.flatnonzero(~wild & ~still)
        if not len(on):
            return
        rows, near, trial, step = rows[on], near[on], trial[on], step[on]
        predicted, interior, length = predicted[on], interior[on], length[on]
        models = models.take(on)
        value, score, hessian = self._at(rows, trial)
        usable = np.isfinite(value) & np.all(np.isfinite(score), axis=1)
        curved = _finite(value, score, hessian)
        self._broken[rows[~usable]] = True
        before = out.value[rows]
        actual = value - before
        noise = 8.0 * _EPS * np.maximum(np.abs(value), np.abs(before))
        ratio = np.where(actual > noise, actual / predicted, (actual + noise) / (predicted + noise))
        drowned = predicted <= noise
        accept = (ratio > 1e-4) & ~(drowned & (actual <= 0.0))
        decrement, trial_decrement = models.decrements(), models.decrements(models.slopes(score))
        unclear = ~accept & interior & models.definite
        unclear &= (predicted <= 1e4 * noise) & (actual >= -1e4 * noise)
        # The value cannot tell any more whether this helps; the score can.
        accept |= unclear & (trial_decrement <= 0.5 * decrement)
        slack = 1e-9 + 1e3 * _EPS * np.maximum(1.0, np.abs(before))
        helps = (actual >= -slack) & (trial_decrement < decrement)
        accept = np.where(near, helps, accept) & curved
        last = near & ~(accept & (trial_decrement < 0.7 * decrement))
        moved = np.flatnonzero(accept)
        radius = _next_radii(self._radius[rows], length, ratio, interior)
        self._move(rows[moved], trial[moved], value[moved], score[moved], hessian[moved])
        self._rescale(rows[moved], step[moved], length[moved], radius[moved], near[moved])
        self._arrive(rows[last])
        refused = ~accept & ~near
        self._stall(rows[refused & unclear & drowned])
        slope = np.sum(out.score[rows] * step, axis=1)
        fraction = np.where(slope > np.maximum(actual, 0.0), 0.5 * slope / (slope - actual), 0.25)
        shorter = length * np.clip(fraction, 0.02, 0.5)
        shorter = np.where(usable, np.where(curved, shorter, 0.25 * length), 0.1 * length)
        self._shrink(rows[refused], shorter[refused])

    def _shrink(self, rows: np.ndarray, radius: np.ndarray) -> None:
        self._radius[rows] = radius
        self._rejected[rows] += 1
        self._stall(rows[self._rejected[rows] >= _MOST_REJECTIONS])

    def _stall(self, rows: np.ndarray) -> None:
        """End searches none of whose trial steps was accepted."""
        out = self.out
        out.ends[rows] = End.STALLED
        broken = rows[self._broken[rows]]
        out.ends[broken] = End.EDGE
        moved = np.abs(out.x[broken] - self._starts[broken]).max(axis=1) >= _FAR
        out.ends[broken[moved]] = End.UNBOUNDED
        self.active[rows] = False

    def _move(
        self,
        rows: np.ndarray,
        x: np.ndarray,
        value: np.ndarray,
        score: np.ndarray,
        hessian: np.ndarray,
    ) -> None:
        """Go to accepted points: new models there, and how the decrement fell on the way."""
        if not len(rows):
            return
        out, old = self.out, self._models.take(rows)
        out.x[rows], out.value[rows] = x, value
        out.score[rows], out.hessian[rows] = score, hessian
        out.iterations[rows] += 1
        self._rejected[rows], self._broken[rows] = 0, False
        new = at_points(score, hessian, old.units)
        fast = old.definite & new.definite & (new.decrements() < _QUADRATIC * old.decrements())
        small = 0.5 * new.decrements() ** 2 < TARGET_GAIN
        self._regular[rows] |= fast & self._fast[rows] & small
        self._fast[rows] = fast
        out.gain[rows] = np.where(new.definite, 0.5 * new.decrements() ** 2, np.nan)
        self._models.put(rows, new)

    def _rescale(
        self,
        rows: np.ndarray,
        step: np.ndarray,
        length: np.ndarray,
        radius: np.ndarray,
        near: np.ndarray,
    ) -> None:
        """Radii keep their meaning in the parameters when the units change."""
        models = self._models.take(rows)
        rescaled = radius * models.lengths(step) / length
        rescaled = np.where(np.isfinite(rescaled) & (rescaled > 0.0), rescaled, radius)
        self._radius[rows] = np.where(near, self._radius[rows], rescaled)


def _finite(value: np.ndarray, score: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    return (
        np.isfinite(value)
        & np.all(np.isfinite(score), axis=1)
        & np.all(np.isfinite(hessian), axis=(1, 2))
    )


def _next_radii(
    radius: np.ndarray, length: np.ndarray, ratio: np.ndarray, interior: np.ndarray
) -> np.ndarray:
    """The rule of `newton`, for each."""
    inside = np.where(ratio > 0.7, np.maximum(radius, 2.0 * length), radius)
    edge = np.where(ratio > 0.9, 4.0 * length, np.where(ratio > 0.6, 2.0 * length, length))
    return np.where(ratio < 0.25, 0.5 * length, np.where(interior, inside, edge))
