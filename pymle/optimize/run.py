"""The state of one optimisation in progress: counted evaluations, best point, trace, clock."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from pymle.optimize.objective import Objective
from pymle.optimize.records import Solution, SolveRecord, Termination, TraceStep

__all__ = ["Run", "TimeUpError", "frozen"]

_CONVERGED = (
    Termination.CONVERGED,
    Termination.CONVERGED_TO_ROUNDING,
    Termination.CONVERGED_DERIVATIVE_FREE,
)


class TimeUpError(Exception):
    """Raised by an evaluation after the deadline; `maximise` turns it into TIME_LIMIT."""


class Run:
    """Mutable while a method works on it, and private to `maximise`, which freezes it."""

    def __init__(
        self,
        objective: Objective,
        start: np.ndarray,
        *,
        method: str,
        max_iterations: int,
        max_seconds: float | None,
        callback: Callable[[TraceStep], object] | None,
    ) -> None:
        self.objective = objective
        self.method = method
        self.max_iterations = max_iterations
        self.callback = callback
        self.began = time.perf_counter()
        self.deadline = None if max_seconds is None else self.began + max_seconds
        self.counts: Counter[str] = Counter()
        self.trace: list[TraceStep] = []
        self.iterations = 0
        self.start = start
        self.start_value = float("nan")
        self.x = start.copy()
        self.value = float("nan")
        self.score: np.ndarray | None = None
        self.hessian: np.ndarray | None = None
        self.expected_gain = float("nan")
        self.step_ratio = float("nan")
        self.decrement_ratio = float("nan")
        self.runaway = False
        self.runaway_direction: np.ndarray | None = None
        self.products_are_differenced = False
        self.known_error = float("nan")

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.x.size

    @property
    def hessian_error(self) -> float:
        """Relative error of the Hessian beyond rounding, as the objective declares it."""
        return float(getattr(self.objective, "hessian_error", 0.0))

    def _count(self, name: str) -> None:
        # The first evaluation always runs: a solution without a value would say nothing.
        if self.deadline is not None and self.counts and time.perf_counter() > self.deadline:
            raise TimeUpError
        self.counts[name] += 1

    def evaluate(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and score; an unusable score makes the value nan, so that the point is refused."""
        self._count("value_and_score")
        with np.errstate(all="ignore"):
            value, score = self.objective.value_and_score(x)
        value, score = float(value), np.array(score, dtype=np.float64)
        if np.isfinite(value) and not np.all(np.isfinite(score)):
            value = float("nan")
        return value, score

    def evaluate_value(self, x: np.ndarray) -> float:
        """Value alone, for objectives without a score."""
        self._count("value")
        with np.errstate(all="ignore"):
            return float(self.objective.value(x))

    def evaluate_hessian(self, x: np.ndarray) -> np.ndarray | None:
        """Symmetrised second derivatives, None if any entry is not finite."""
        self._count("hessian")
        with np.errstate(all="ignore"):
            hessian = np.array(self.objective.hessian(x), dtype=np.float64)
        if not np.all(np.isfinite(hessian)):
            return None
        return 0.5 * (hessian + hessian.T)

    def product(self, x: np.ndarray, v: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Hessian times v, from the objective or by a central difference of the score.

        `scale` (about one over the standard errors) sets the length of the difference.
        """
        if not self.products_are_differenced:
            try:
                self._count("hessian_product")
                with np.errstate(all="ignore"):
                    return np.array(self.objective.hessian_product(x, v), dtype=np.float64)
            except (AttributeError, NotImplementedError):
                self.counts["hessian_product"] -= 1
                self.products_are_differenced = True
        norm = float(np.linalg.norm(scale * v))
        if norm == 0.0:
            return np.zeros_like(v)
        h = 1e-4 / norm
        up, down = self.evaluate(x + h * v), self.evaluate(x - h * v)
        return (up[1] - down[1]) / (2 * h)

    def begin(self) -> bool:
        """Evaluate the start; False if it is not finite there."""
        if self.objective.has_score:
            self.value, self.score = self.evaluate(self.x)
        else:
            self.value = self.evaluate_value(self.x)
        self.start_value = self.value
        return bool(np.isfinite(self.value))

    def move(
        self,
        x: np.ndarray,
        value: float,
        score: np.ndarray | None,
        hessian: np.ndarray | None = None,
    ) -> None:
        """Make another evaluated point the current one."""
        self.x, self.value, self.score, self.hessian = x, value, score, hessian

    def log(self, expected_gain: float, radius: float) -> None:
        """Add a row to the trace and show it to the callback."""
        self.expected_gain = expected_gain
        step = TraceStep(self.iterations, self.value, expected_gain, radius)
        self.trace.append(step)
        if self.callback is not None:
            self.callback(step)

    def finish(self, termination: Termination, message: str) -> Solution:
        """Freeze the run."""
        record = SolveRecord(
            method=self.method,
            start=frozen(self.start),
            end=frozen(self.x),
            start_value=self.start_value,
            end_value=self.value,
            iterations=self.iterations,
            evaluations=MappingProxyType({k: n for k, n in self.counts.items() if n}),
            expected_gain=self.expected_gain,
            trace=tuple(self.trace),
            seconds=time.perf_counter() - self.began,
            message=message,
            step_ratio=self.step_ratio,
            decrement_ratio=self.decrement_ratio,
            runaway=self.runaway,
            hessian_error=self.known_error,
            runaway_direction=(
                None if self.runaway_direction is None else frozen(self.runaway_direction)
            ),
        )
        return Solution(
            x=frozen(self.x),
            value=self.value,
            score=None if self.score is None else frozen(self.score),
            hessian=None if self.hessian is None else frozen(self.hessian),
            converged=termination in _CONVERGED,
            termination=termination,
            record=record,
        )


def frozen(array: np.ndarray) -> np.ndarray:
    """A copy that cannot be written to."""
    copy = np.array(array, dtype=np.float64)
    copy.setflags(write=False)
    return copy
