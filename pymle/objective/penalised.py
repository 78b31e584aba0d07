"""Firth's penalised likelihood: half the log-determinant of the expected information added.

The information is exact: for each observation the outer products of its scores are added up over
all its outcomes, with their probabilities. Both come from the lowered log-likelihood and score
with an outcome in the place of the data, so that any model of finitely many outcomes will do, and
the derivatives of the penalty are JAX's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Eigenvalue of the information, scaled to a unit diagonal, that is zero (for each coordinate).
_SINGULAR = 64.0 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of one observed variable.

    Attributes
    ----------
    data : int
        Place of its values among the data.
    weight : int
        Place of its weights among the weights.
    values : numpy.ndarray, shape (m,)
        All outcomes of all its observations.
    """

    data: int
    weight: int
    values: np.ndarray


def penalised(
    call: Callable[..., tuple],
    outcomes: Sequence[Outcomes],
    size: int,
    volume: np.ndarray,
) -> Callable[..., tuple]:
    """A log-likelihood with Firth's penalty, and its score.

    Parameters
    ----------
    call : callable
        ``(x, held, weights, data) -> (log-likelihood, score)``, traceable by JAX.
    outcomes : sequence of Outcomes
        One for each observed variable.
    size : int
        Length of ``x``.
    volume : numpy.ndarray of bool, shape (size,)
        Coordinates that are logs of steps between ordered entries: the information is with
        respect to the entries themselves.

    Returns
    -------
    callable
        ``(x, held, weights, data) -> (penalised log-likelihood, its score, log-likelihood)``.

    References
    ----------
    Firth D (1993), doi:10.1093/biomet/80.1.27. Heinze G, Schemper M (2002),
    doi:10.1002/sim.1047.
    """
    import jax
    import jax.numpy as jnp

    logs = jnp.asarray(np.flatnonzero(volume), dtype=int)

    def information(x: Any, held: Any, weights: Any, data: Any) -> Any:
        total = jnp.zeros((size, size))
        for each in outcomes:

            def share(outcome: Any, each: Outcomes = each) -> Any:
                given = list(data)
                like = jnp.asarray(data[each.data])
                given[each.data] = jnp.full(like.shape, outcome).astype(like.dtype)
                return _products(call, x, held, weights, tuple(given), each.weight, size)

            total = total + jnp.sum(jax.lax.map(share, jnp.asarray(each.values)), axis=0)
        return total

    def penalty(x: Any, held: Any, weights: Any, data: Any) -> Any:
        found = information(x, held, weights, data)
        sign, value = jnp.linalg.slogdet(found)
        # A determinant that is rounding alone is zero: parameters are not identified.
        plain = jax.lax.stop_gradient(found)
        unit = jnp.sqrt(jnp.abs(jnp.diagonal(plain)))
        lowest = jnp.linalg.eigvalsh(plain / jnp.outer(unit, unit))[0]
        half = jnp.where((sign > 0) & (lowest > _SINGULAR * size), 0.5 * value, -jnp.inf)
        return half - jnp.sum(x[logs])

    def with_penalty(x: Any, held: Any, weights: Any, data: Any) -> tuple:
        x, weights, data = jnp.asarray(x), tuple(weights), tuple(data)
        loglik, score = call(x, held, weights, data)[:2]
        extra = penalty(x, held, weights, data)
        slope = jax.jacfwd(penalty)(x, held, weights, data)
        return loglik + extra, score + slope, loglik

    return with_penalty


def _products(
    call: Callable[..., tuple], x: Any, held: Any, weights: Any, data: Any, place: int, size: int
) -> Any:
    """Outer products of the scores at given outcomes, times their probabilities and weights."""
    import jax
    import jax.numpy as jnp

    # The log-likelihood and the score are linear in the weights.
    logp = jax.grad(lambda w: call(x, held, w, data)[0])(weights)[place]
    _, pull = jax.vjp(lambda w: call(x, held, w, data)[1], weights)
    scores = jax.vmap(lambda v: pull(v)[0][place])(jnp.eye(size)).reshape(size, -1)
    logp, weight = logp.ravel(), jnp.ravel(weights[place])
    possible = jnp.isfinite(logp) & jnp.all(jnp.isfinite(scores), axis=0)
    mass = jnp.where(possible, weight * jnp.exp(jnp.where(possible, logp, 0.0)), 0.0)
    scores = jnp.where(possible, scores, 0.0)
    return (scores * mass) @ scores.T


def log_densities(call: Callable[..., tuple]) -> Callable[..., tuple]:
    """The log-density of every observation, as a compiled function.

    Parameters
    ----------
    call : callable
        ``(x, held, weights, data) -> (log-likelihood, ...)``, traceable by JAX.

    Returns
    -------
    callable
        Of the same arguments; one array for each observed variable.
    """
    import jax

    def each(x: Any, held: Any, weights: Any, data: Any) -> Any:
        return jax.grad(lambda w: call(x, held, w, data)[0])(weights)

    return jax.jit(each)


def find_outcomes(
    logps: Callable[[int], np.ndarray], most: int, left_out: float = 1e-9
) -> np.ndarray | None:
    """The outcomes from zero that any observation can have.

    Parameters
    ----------
    logps : callable
        Log-densities of all observations at an outcome.
    most : int
        Number of outcomes that are tried.
    left_out : float
        Probability that may be missing in the end, by rounding.

    Returns
    -------
    numpy.ndarray or None
        None where they are more, or lie elsewhere.
    """
    found: list[int] = []
    seen: Any = 0.0
    for outcome in range(most + 1):
        with np.errstate(all="ignore"):
            logp = np.asarray(logps(outcome), dtype=np.float64)
            probability = np.exp(logp)
        # One whose probability underflows here is possible all the same: elsewhere it counts.
        possible = np.isfinite(logp)
        if np.any(possible):
            found.append(outcome)
            seen = seen + np.where(possible, probability, 0.0)
        elif np.all(np.abs(seen - 1.0) <= left_out) and found:
            return np.array(found)
    return None
