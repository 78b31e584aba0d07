"""Limited-memory BFGS, finished by truncated Newton."""

from __future__ import annotations

import numpy as np

from pymle.optimize.newton_cg import _units, newton_cg
from pymle.optimize.records import Termination
from pymle.optimize.run import Run

__all__ = ["limited_memory"]


def limited_memory(run: Run) -> tuple[Termination, str]:
    """Climb by L-BFGS-B in scaled coordinates, then finish and certify by `newton_cg`.

    Parameters
    ----------
    run : Run

    Returns
    -------
    Termination, str

    Notes
    -----
    L-BFGS-B [1]_ decides nothing here: its stopping rules are about changes of the value, not about
    the expected gain. Where the objective has no Hessian-vector product, the finish differences
    the score.

    References
    ----------
    .. [1] Byrd, Lu, Nocedal and Zhu (1995). doi:10.1137/0916069
    """
    from scipy.optimize import minimize

    units = _units(run, np.ones(run.size), np.random.default_rng(0), first=True)
    origin = run.x.copy()
    worst = run.value

    def negative(y: np.ndarray) -> tuple[float, np.ndarray]:
        x = origin + y / units
        value, score = run.evaluate(x)
        if not np.isfinite(value):
            # A finite wall makes the line search turn back; its point is never kept.
            return 1e10 * (1.0 + abs(worst)), np.zeros_like(y)
        if value > run.value:
            run.move(x, value, score)
        return -value, -score / units

    def count(_: np.ndarray) -> None:
        run.iterations += 1
        run.log(float("nan"), float("nan"))

    found = minimize(
        negative,
        np.zeros(run.size),
        jac=True,
        method="L-BFGS-B",
        callback=count,
        options={"maxiter": run.max_iterations, "maxcor": 20, "ftol": 1e-12, "gtol": 1e-8},
    )
    termination, message = newton_cg(run)
    return termination, f"L-BFGS-B: {found.message}. {message}".strip()
