"""Records of what an optimisation found and of what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

__all__ = ["Solution", "SolveRecord", "Termination", "TraceStep"]


class Termination(Enum):
    """Why an optimisation ended; the value is the sentence."""

    CONVERGED = (
        "Converged: the expected gain in log-likelihood is below 1e-10, the curvature is negative "
        "in every direction, and the score was reduced until it no longer fell."
    )
    CONVERGED_TO_ROUNDING = (
        "Converged to rounding: neither the log-likelihood nor its score can be improved in "
        "floating-point arithmetic, although the expected gain has not fallen below 1e-10."
    )
    CONVERGED_DERIVATIVE_FREE = (
        "Derivative-free restarts agree on this point; without a score the maximum cannot be "
        "located to rounding."
    )
    RUNAWAY = (
        "The log-likelihood keeps rising towards a limit at infinity: Newton steps do not shrink "
        "while the expected gain does, so no finite maximum exists in this direction."
    )
    UNBOUNDED = (
        "The log-likelihood appears to grow without bound, or a coordinate became astronomically "
        "large."
    )
    EDGE = (
        "The log-likelihood still rises where it stops being finite: the search ended at the edge "
        "of its domain."
    )
    FLAT = (
        "The log-likelihood is flat: moving along at least one direction does not change it, so "
        "the point is not a strict maximum."
    )
    DEGENERATE = (
        "The score vanishes, but the curvature in at least one direction is zero to rounding; a "
        "strict maximum cannot be established from second derivatives."
    )
    SADDLE = (
        "The score vanishes and the log-likelihood curves upwards in at least one direction, but "
        "no step along it raised the log-likelihood."
    )
    NO_PROGRESS = "No step raised the log-likelihood although its score is not zero."
    ITERATION_LIMIT = "The limit on the number of iterations was reached."
    TIME_LIMIT = "The limit on the time was reached."
    NON_FINITE_START = (
        "The log-likelihood or a derivative of it is not finite at the starting point."
    )
    INFEASIBLE = "No point was found at which the constraints hold."
    DEPENDENT = (
        "The gradients of the constraints are linearly dependent: one of them follows from the "
        "others, or a constraint function is stationary where it holds."
    )
    UNREACHABLE = (
        "The constraints hold only in a limit, at the edge of the support: no point of the "
        "unconstrained scale satisfies them."
    )
    INTERRUPTED = "Interrupted by the user; the best point so far is returned."


@dataclass(frozen=True)
class TraceStep:
    """One iteration: the state before its step.

    Attributes
    ----------
    iteration : int
    value : float
        Log-likelihood.
    expected_gain : float
        Half the squared Newton decrement; nan where the curvature is not negative definite.
    radius : float
        Trust-region radius in scaled units (about conditional standard errors); nan if none.
    """

    iteration: int
    value: float
    expected_gain: float
    radius: float


@dataclass(frozen=True)
class SolveRecord:
    """What an optimisation did.

    Attributes
    ----------
    method : str
        The route that ran ("newton", "newton-cg", "lbfgs", "derivative-free").
    start, end : ndarray, shape (k,)
    start_value, end_value : float
    iterations : int
        Accepted steps.
    evaluations : mapping of str to int
        Calls of each function of the objective.
    expected_gain : float
        Half the squared Newton decrement at the end, nan if unknown.
    trace : tuple of TraceStep
    seconds : float
    message : str
        What happened beyond the sentence of the termination, in words.
    step_ratio : float
        Length of a Newton step over that of the one before it, both in the metric of the curvature
        at the earlier point (invariant under affine maps); nan if unknown. It tends to 0 at a
        regular maximum (quadratic convergence), to a constant below one where the curvature
        vanishes at a finite maximum (2/3 for ``-x**4``), and to one or more where the maximum lies
        at infinity (1 for tails like ``-exp(-x)``, as under separation or for a variance that tends
        to zero on the log scale).
    decrement_ratio : float
        Newton decrement over that of the step before; near 0 at a regular maximum, a constant (0.61
        for ``-exp(-x)``) under linear convergence. nan if unknown.
    runaway : bool
        True if at least three consecutive Newton steps kept their direction and did not shrink
        while the decrement fell in a steady ratio, or if the log-likelihood is flat to rounding on
        one side of the point only: the maximum is at infinity along `runaway_direction`.
    runaway_direction : ndarray or None
        The last Newton step of a runaway, scaled so that its largest entry is one in size.
    hessian_error : float
        Relative error of the Hessian of the solution where the method differenced it with its
        error and it needs no further look; nan otherwise.
    """

    method: str
    start: np.ndarray
    end: np.ndarray
    start_value: float
    end_value: float
    iterations: int
    evaluations: Mapping[str, int]
    expected_gain: float
    trace: tuple[TraceStep, ...]
    seconds: float
    message: str = ""
    step_ratio: float = float("nan")
    decrement_ratio: float = float("nan")
    runaway: bool = False
    runaway_direction: np.ndarray | None = None
    hessian_error: float = float("nan")


@dataclass(frozen=True)
class Solution:
    """The point found, and how.

    Attributes
    ----------
    x : ndarray, shape (k,)
    value : float
        Log-likelihood at `x`.
    score : ndarray, shape (k,), or None
        Its gradient at `x`; None without a score.
    hessian : ndarray, shape (k, k), or None
        Its second derivatives at `x`, where the method computed them.
    converged : bool
        True for the three terminations whose name begins with CONVERGED, and for no other.
    termination : Termination
    record : SolveRecord
    """

    x: np.ndarray
    value: float
    score: np.ndarray | None
    hessian: np.ndarray | None
    converged: bool
    termination: Termination
    record: SolveRecord
