"""Scores, and second derivatives, of every single observation.

The objective is linear in the weights of the observations, so the score of one observation is
the derivative of the score with respect to its weight: exact, whatever the model, and without
a derivative beyond those that the score itself took.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pymle.objective.likelihood import Likelihood

if TYPE_CHECKING:
    from pymle.objective.integrate.marginal import Marginal

#: Entries that are propagated at a time (numbers of observations times coordinates).
_ENTRIES = 8_000_000
#: Entries up to which second derivatives of all observations are kept.
_MOST_SECOND = 15_000_000


def observation_scores(likelihood: Likelihood, x: np.ndarray) -> list[np.ndarray]:
    """The score of every observation, at weight one.

    Parameters
    ----------
    likelihood : Likelihood
        With a score.
    x : numpy.ndarray, shape (k,)
        Unconstrained point.

    Returns
    -------
    list of numpy.ndarray
        For each observed variable the shape of its log-density, and k. Their sum, weighted,
        is the score of the objective less what no weight multiplies (Potentials, priors).

    Notes
    -----
    On the route ``jax`` k reverse passes through the weights, in batches: about the cost of
    a Hessian, and k numbers of memory per observation. On the interpreted route the score
    is evaluated once for each observation.
    """
    x = np.asarray(x, dtype=np.float64)
    held, weights, data = likelihood._arguments
    if likelihood.route != "jax":
        return _one_by_one(likelihood, x)
    program = _program(likelihood, "observation scores", _scores_program)
    found = program(x, held, weights, data)
    return [np.moveaxis(np.asarray(a), 0, -1) for a in found]


def conditional_scores(
    likelihood: Marginal, x: np.ndarray
) -> tuple[float, np.ndarray, list[np.ndarray]]:
    """The joint log-density at fixed random effects: value, score, and that of every observation.

    They are held where the search has its best conditional mode.

    Parameters
    ----------
    likelihood : Marginal
    x : numpy.ndarray, shape (k,)
        Unconstrained point.

    Returns
    -------
    value : float
    score : numpy.ndarray, shape (k,)
        With respect to the parameters.
    each : list of numpy.ndarray
        As `observation_scores`.
    """
    held, weights, data = likelihood._arguments
    program = _program(likelihood, "conditional scores", _conditional_program)
    value, score, found = program(np.asarray(x, dtype=np.float64), held, weights, data)
    return float(value), np.asarray(score), [np.moveaxis(np.asarray(a), 0, -1) for a in found]


def _conditional_program(likelihood: Any) -> Any:
    import jax
    import jax.numpy as jnp

    size, joint, count = likelihood.size, likelihood.plan.laplace._joint_call, likelihood._count

    def conditional(x: Any, held: Any, weights: Any, data: Any) -> Any:
        def outer(w: Any) -> Any:
            value, score = joint(jnp.concatenate([x, data[-1]]), held, w, data[:count])[:2]
            return score[:size], value

        score, pull, value = jax.vjp(outer, weights, has_aux=True)
        return value, score, jax.lax.map(lambda v: pull(v)[0], jnp.eye(size))

    return jax.jit(conditional)


def observation_informations(likelihood: Likelihood, x: np.ndarray) -> list[np.ndarray] | None:
    """Minus the second derivatives of every observation, at weight one.

    Parameters
    ----------
    likelihood : Likelihood
    x : numpy.ndarray, shape (k,)

    Returns
    -------
    list of numpy.ndarray or None
        For each observed variable the shape of its log-density, and (k, k). None where JAX
        has no exact second derivatives of the model, or where there are too many of them.
    """
    held, weights, data = likelihood._arguments
    entries = sum(int(np.prod(np.shape(w), dtype=int)) for w in weights) * likelihood.size**2
    if not likelihood.has_hessian or entries > _MOST_SECOND:
        return None
    program = _program(likelihood, "observation informations", _informations_program)
    found = program(np.asarray(x, dtype=np.float64), held, weights, data)
    out = [-np.moveaxis(np.asarray(a), (0, 1), (-2, -1)) for a in found]
    return [0.5 * (a + np.swapaxes(a, -1, -2)) for a in out]


def _program(likelihood: Likelihood, name: str, build: Callable[[Likelihood], Any]) -> Any:
    if name not in likelihood._programs:
        likelihood._programs[name] = build(likelihood)
    return likelihood._programs[name]


def _scores(likelihood: Likelihood) -> Callable[..., Any]:
    """A traceable function that gives arrays (k, *shape), one for each observed variable."""
    import jax
    import jax.numpy as jnp

    size, call = likelihood.size, likelihood._call
    rows = sum(int(np.prod(np.shape(w), dtype=int)) for w in likelihood._arguments[1])
    batch = int(max(1, min(size, _ENTRIES // max(rows, 1))))

    def scores(x: Any, held: Any, weights: Any, data: Any) -> Any:
        _, pull = jax.vjp(lambda w: call(x, held, w, data)[1], weights)
        basis = jnp.eye(size)
        if batch >= size:
            return jax.vmap(lambda v: pull(v)[0])(basis)
        return jax.lax.map(lambda v: pull(v)[0], basis, batch_size=batch)

    return scores


def _scores_program(likelihood: Likelihood) -> Any:
    import jax

    return jax.jit(_scores(likelihood))


def _informations_program(likelihood: Likelihood) -> Any:
    import jax

    # The likelihood itself, with its data, shall not outlive its caller in the program.
    scores, size = _scores(likelihood), likelihood.size

    def second(x: Any, held: Any, weights: Any, data: Any) -> Any:
        # Columns one after the other: each is as large as all scores.
        def column(v: Any) -> Any:
            return jax.jvp(lambda z: scores(z, held, weights, data), (x,), (v,))[1]

        return jax.lax.map(column, jax.numpy.eye(size))

    return jax.jit(second)


def _one_by_one(likelihood: Likelihood, x: np.ndarray) -> list[np.ndarray]:
    held, weights, data = likelihood._arguments
    nothing = [np.zeros(np.shape(w)) for w in weights]

    def score(given: list[np.ndarray]) -> np.ndarray:
        return np.array(likelihood._call(x, held, tuple(given), data)[1], dtype=np.float64)

    rest = score(nothing)
    out = []
    for place, zero in enumerate(nothing):
        found = np.empty((*zero.shape, len(x)))
        for entry in np.ndindex(zero.shape):
            one = [w.copy() for w in nothing]
            one[place][entry] = 1.0
            found[entry] = score(one) - rest
        out.append(found)
    return out
