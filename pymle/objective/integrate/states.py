"""Conditional modes of random effects at many parameter values, with the information there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pymle.objective.integrate.marginal import Marginal


def conditional_states(
    marginal: Marginal,
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """A function of many points that gives the conditional law of the effects at each.

    Parameters
    ----------
    marginal : Marginal

    Returns
    -------
    callable
        Of points (n, k); it returns the modes (n, d), whether each was found with a positive
        definite information (n,), and the information (n, e): minus the second derivatives of
        the joint log-density on the pattern of the plan. Compiled once for each n.
    """
    import jax

    laplace, static = marginal.plan.laplace, marginal.plan.static
    _, held, weights, data = marginal.program
    own = data[: len(data) - len(jax.tree.leaves(static)) - 1]

    @jax.jit
    def states(rows: Any, held: Any, weights: Any, own: Any, static: Any, start: Any) -> Any:
        def state(x: Any) -> Any:
            u, converged = laplace.mode(x, held, weights, own, static, start)
            _, values, pivot = laplace.look(x, u, held, weights, own, static)
            return u, converged, values, pivot

        return jax.lax.map(state, rows)

    def evaluate(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        out = states(points, held, weights, own, static, data[-1])
        modes, converged, values, pivots = (np.asarray(each) for each in out)
        return modes, converged & (pivots > 0.0), values

    return evaluate
