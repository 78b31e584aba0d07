"""The one public verb of the optimiser: `maximise`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pymle.optimize.derivative_free import derivative_free
from pymle.optimize.differences import with_differenced_hessian
from pymle.optimize.limited_memory import limited_memory
from pymle.optimize.newton import newton
from pymle.optimize.newton_cg import newton_cg
from pymle.optimize.objective import Objective
from pymle.optimize.quasi_newton import quasi_newton
from pymle.optimize.records import Solution, Termination, TraceStep
from pymle.optimize.run import Run, TimeUpError

__all__ = ["LARGEST_DENSE", "METHODS", "maximise"]

#: Up to this many coordinates "auto" factorises dense Hessians.
LARGEST_DENSE = 400

METHODS = {
    "newton": newton,
    "newton-cg": newton_cg,
    "quasi-newton": quasi_newton,
    "lbfgs": limited_memory,
    "derivative-free": derivative_free,
}


def maximise(
    objective: Objective,
    start: np.ndarray,
    *,
    method: str = "auto",
    max_iterations: int = 500,
    max_seconds: float | None = None,
    callback: Callable[[TraceStep], object] | None = None,
) -> Solution:
    """Find a local maximum of a log-likelihood.

    Parameters
    ----------
    objective : Objective
        The log-likelihood, a function of a vector on the unconstrained scale.
    start : array_like, shape (k,)
    method : {"auto", "newton", "newton-cg", "quasi-newton", "lbfgs", "derivative-free"}
        "auto" takes "newton" up to 400 coordinates (with a Hessian differenced from the score
        where the objective has none), "quasi-newton" instead where the objective says that it is
        ``costly``, "newton-cg" beyond, "derivative-free" without a score.
    max_iterations : int
        Limit on accepted steps.
    max_seconds : float, optional
        No evaluation begins later than this; the best point so far is returned.
    callback : callable, optional
        Called with a `TraceStep` at every iteration.

    Returns
    -------
    Solution

    Notes
    -----
    The trust-region Newton method needs a Hessian and an eigendecomposition per iteration, locates
    the maximum to rounding, leaves saddle points, and decides definiteness. "newton-cg" needs
    Hessian-vector products only and checks definiteness by a Lanczos run, which can miss a small
    eigenvalue. A `KeyboardInterrupt` ends the run and returns the best point.

    Raises
    ------
    ValueError
        If the start has the wrong shape or is not finite, or the method is unknown or needs a
        score that the objective does not have.
    """
    x = np.array(start, dtype=np.float64)
    if x.shape != (objective.size,):
        raise ValueError(
            f"start has shape {x.shape}, but the objective is a function of {objective.size} "
            f"coordinates; pass a vector of shape ({objective.size},)."
        )
    if not np.all(np.isfinite(x)):
        raise ValueError(f"start is not finite at positions {np.flatnonzero(~np.isfinite(x))}.")
    method = _choose(objective, method)
    if method in ("newton", "quasi-newton") and not objective.has_hessian:
        objective = with_differenced_hessian(objective)
    run = Run(
        objective,
        x,
        method=method,
        max_iterations=max_iterations,
        max_seconds=max_seconds,
        callback=callback,
    )
    try:
        if not run.begin():
            return run.finish(
                Termination.NON_FINITE_START, f"The value at the start is {run.start_value}."
            )
        if x.size == 0:
            run.expected_gain, run.hessian = 0.0, np.zeros((0, 0))
            return run.finish(Termination.CONVERGED, "There is no coordinate to optimise.")
        # Overflow is met everywhere on the way and is judged by the values it leads to.
        with np.errstate(all="ignore"):
            termination, message = METHODS[method](run)
    except TimeUpError:
        termination, message = Termination.TIME_LIMIT, f"Stopped after {max_seconds} seconds."
    except KeyboardInterrupt:
        termination, message = Termination.INTERRUPTED, ""
    return run.finish(termination, message)


def _choose(objective: Objective, method: str) -> str:
    if method == "auto":
        if not objective.has_score:
            return "derivative-free"
        if objective.size > LARGEST_DENSE:
            return "newton-cg"
        costly = getattr(objective, "costly", False) and not objective.has_hessian
        return "quasi-newton" if costly else "newton"
    if method not in METHODS:
        known = ", ".join(f'"{name}"' for name in ("auto", *METHODS))
        raise ValueError(f'unknown method "{method}"; choose one of {known}.')
    if method != "derivative-free" and not objective.has_score:
        raise ValueError(
            f'method "{method}" needs a score, and this objective has none; '
            'use method="derivative-free" or "auto".'
        )
    return method
