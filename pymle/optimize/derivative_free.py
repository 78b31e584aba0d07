"""Maximisation of a black box without a score."""

from __future__ import annotations

import numpy as np

from pymle.optimize.records import Termination
from pymle.optimize.run import Run

__all__ = ["derivative_free"]

#: Restarts agree when none of them gains more log-likelihood than this.
_AGREEMENT = 1e-8
_MOST_ROUNDS = 30


def derivative_free(run: Run) -> tuple[Termination, str]:
    """Nelder-Mead and Powell in turn, restarted until two rounds gain nothing.

    Parameters
    ----------
    run : Run

    Returns
    -------
    Termination, str
        CONVERGED_DERIVATIVE_FREE if two successive restarts, from fresh simplices of different
        orientation, agree with the point found to 1e-8 in log-likelihood.

    Notes
    -----
    Fit for about ten coordinates or fewer. Locates a maximum to the square root of rounding at
    best (1e-8 standard errors squared), and cannot tell a flat direction from a slow one by itself.

    References
    ----------
    .. [1] Gao and Han (2012), Implementing the Nelder-Mead simplex algorithm with adaptive
       parameters. doi:10.1007/s10589-010-9329-3
    """
    k = run.size
    lengths = 0.1 * np.maximum(np.abs(run.x), 1.0)
    rng = np.random.default_rng(0)
    agreed = 0
    for number in range(_MOST_ROUNDS):
        run.log(float("nan"), float("nan"))
        if run.iterations >= run.max_iterations:
            return Termination.ITERATION_LIMIT, ""
        before, at = run.value, run.x.copy()
        if number % 3 == 2:
            _powell(run, lengths)
        else:
            _nelder_mead(run, lengths, rng)
        run.iterations += 1
        gained, moved = run.value - before, np.abs(run.x - at)
        if not np.all(np.isfinite(run.x)) or np.abs(run.x).max() > 1e30:
            return Termination.UNBOUNDED, ""
        if run.value == np.inf:
            return Termination.UNBOUNDED, "The log-likelihood is infinite."
        agreed = agreed + 1 if gained <= _AGREEMENT else 0
        if agreed == 2:
            return _name_the_end(run, lengths)
        # The next simplex has the size of the last move, within bounds: too small a one would
        # agree with itself.
        lengths = np.clip(2.0 * moved, 0.05 * lengths, 10.0 * lengths)
        lengths = np.maximum(lengths, 1e-6 * np.maximum(np.abs(run.x), 1e-3))
        if number == 0 and k == 1:
            lengths = np.maximum(lengths, 1e-3)
    return Termination.NO_PROGRESS, f"{_MOST_ROUNDS} restarts did not agree."


def _climb(run: Run, x: np.ndarray) -> float:
    """Minus the value at x, remembering the best point."""
    value = run.evaluate_value(x) if np.all(np.isfinite(x)) else np.nan
    if np.isnan(value):
        return np.inf
    if value > run.value:
        run.move(x.copy(), value, None)
    return -value


def _nelder_mead(run: Run, lengths: np.ndarray, rng: np.random.Generator) -> None:
    from scipy.optimize import minimize

    k = run.size
    simplex = np.vstack([run.x, run.x + np.diag(lengths * rng.choice([-1.0, 1.0], size=k))])
    with np.errstate(all="ignore"):
        minimize(
            lambda x: _climb(run, x),
            run.x.copy(),
            method="Nelder-Mead",
            options={
                "initial_simplex": simplex,
                "adaptive": k > 2,
                "xatol": 0.0,
                "fatol": 1e-10,
                "maxfev": 1000 * (k + 1),
                "maxiter": 1000 * (k + 1),
            },
        )


def _powell(run: Run, lengths: np.ndarray) -> None:
    from scipy.optimize import minimize

    origin = run.x.copy()
    with np.errstate(all="ignore"):
        minimize(
            lambda y: _climb(run, origin + lengths * y),
            np.zeros(run.size),
            method="Powell",
            options={"xtol": 1e-9, "ftol": 1e-13, "maxfev": 1000 * (run.size + 1)},
        )


def _name_the_end(run: Run, lengths: np.ndarray) -> tuple[Termination, str]:
    """A coordinate that can be moved without any change makes the point not a strict maximum."""
    noise = 64.0 * np.finfo(np.float64).eps * abs(run.value)
    for i in range(run.size):
        reach = 10.0 * max(float(lengths[i]), abs(float(run.x[i])), 1.0)
        changes = []
        for move in (-reach, -0.1 * reach, 0.1 * reach, reach):
            x = run.x.copy()
            x[i] += move
            changes.append(run.evaluate_value(x) - run.value)
        if np.all(np.abs(changes) <= noise):
            return Termination.FLAT, f"Coordinate {i} does not change the log-likelihood."
    return Termination.CONVERGED_DERIVATIVE_FREE, ""
