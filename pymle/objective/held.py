"""Derivatives with respect to held natural values, which may lie on the edge of their support."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Share of the largest slope of the log-likelihood below which one is zero by symmetry.
_FLAT = 1e-9
#: Steps of differences in a square, and how many are tried: from where the log-likelihood has
#: changed by about one.
_RATIO, _STEPS = 4.0, 12


@dataclass(frozen=True)
class HeldCurvature:
    """First and second derivatives with respect to held values and the coordinates.

    Attributes
    ----------
    score : numpy.ndarray, shape (q + k,)
        Held values first.
    hessian : numpy.ndarray, shape (q + k, q + k)
    squared : numpy.ndarray of bool, shape (q,)
        The log-likelihood is even in this held value (a standard deviation at zero):
        derivatives are with respect to its square.
    """

    score: np.ndarray
    hessian: np.ndarray
    squared: np.ndarray


def held_curvature(
    call: Callable[..., tuple],
    held: np.ndarray,
    weights: Sequence[Any],
    data: Sequence[Any],
    x: np.ndarray,
    places: np.ndarray,
    on_edge: np.ndarray,
    *,
    differenced: bool = False,
) -> HeldCurvature:
    """Differentiate a log-likelihood at held values.

    Parameters
    ----------
    call : callable
        ``(x, held, weights, data) -> (value, ...)``, traceable by JAX.
    held : array, shape (m,)
        Natural vector that carries the held values.
    weights, data : sequence of arrays
    x : numpy.ndarray, shape (k,)
    places : numpy.ndarray of int, shape (q,)
        Which of the held values.
    on_edge : numpy.ndarray of bool, shape (q,)
        Those that lie on the edge of their support, where the log-likelihood may be even in
        them.
    differenced : bool
        Derivatives with respect to squares by extrapolated differences of exact first and second
        derivatives, in place of exact third and fourth ones: those of a marginal likelihood take
        minutes to compile.

    Returns
    -------
    HeldCurvature
    """
    import jax
    import jax.numpy as jnp

    q = len(places)
    start = jnp.concatenate([jnp.asarray(held)[places], jnp.asarray(x, dtype=jnp.float64)])
    fixed = jnp.asarray(held, dtype=jnp.float64)

    def value(z: Any) -> Any:
        return call(z[q:], fixed.at[places].set(z[:q]), tuple(weights), tuple(data))[0]

    def slope(z: Any) -> Any:
        gradient = jax.grad(value)(z)
        return gradient, gradient

    program = _once(jax.jacfwd(slope, has_aux=True))
    second, first = program(start)
    score, hessian = np.array(first), np.array(second)
    size = np.sqrt(np.abs(np.diagonal(hessian)))
    squared = np.zeros(q, dtype=bool)
    for i in np.flatnonzero(on_edge):
        # Even in this value: its slope and all mixed derivatives vanish.
        others = np.arange(q + len(x)) != i
        even = abs(score[i]) <= _FLAT * max(size[i], 1.0) and np.all(
            np.abs(hessian[i, others]) <= _FLAT * np.maximum(size[i] * size[others], 1.0)
        )
        squared[i] = bool(even) and np.isfinite(size[i])
    if differenced:
        values = score.copy(), hessian.copy()
        for i in np.flatnonzero(squared):
            row = _in_square(
                lambda z: program(jnp.asarray(z))[::-1], np.array(start), int(i), squared
            )
            score[i], hessian[i, :], hessian[:, i] = 0.5 * values[1][i, i], row, row
        return HeldCurvature(score, 0.5 * (hessian + hessian.T), squared)
    for i in np.flatnonzero(squared):
        units = [jnp.eye(len(start))[j] for j in np.flatnonzero(squared) if j <= i]

        def of_square(z: Any, units: Any = units) -> Any:
            curved = _along(_along(value, units[-1]), units[-1])
            bends = [_along(_along(curved, unit), unit)(z) for unit in units]
            return curved(z), jax.grad(curved)(z), bends

        bend, gradient, bends = _once(of_square)(start)
        score[i] = 0.5 * float(bend)
        hessian[i, :] = hessian[:, i] = 0.5 * np.array(gradient)
        for j, mixed in zip(np.flatnonzero(squared), bends, strict=False):
            hessian[i, j] = hessian[j, i] = float(mixed) / (12.0 if i == j else 4.0)
    return HeldCurvature(score, 0.5 * (hessian + hessian.T), squared)


def _in_square(
    program: Callable[[np.ndarray], tuple[Any, Any]], z: np.ndarray, i: int, squared: np.ndarray
) -> np.ndarray:
    """Second derivatives with respect to the square of ``z[i]``, which is zero, and everything.

    Differences of slopes in steps of the square, each a quarter of the one before, extrapolated
    to a step of zero where they agree best (Ridders 1982, doi:10.1016/S0141-1195(82)80057-0).
    """
    others = np.setdiff1d(np.flatnonzero(squared), [i])

    def slopes(square: float) -> np.ndarray:
        moved = z.copy()
        moved[i] = np.sqrt(square)
        first, second = (np.array(each) for each in program(moved))
        bends = 0.5 * np.diagonal(second)
        first[others] = bends[others]
        first[i] = first[i] / (2.0 * moved[i]) if square else bends[i]
        return first

    here = slopes(0.0)
    square = 1.0 / max(abs(here[i]), np.finfo(float).tiny ** 0.5)
    best, error = np.full(len(z), np.nan), np.full(len(z), np.inf)
    before: list[np.ndarray] = []
    for _ in range(_STEPS):
        row = [(slopes(square) - here) / square]
        for order, older in enumerate(before, start=1):
            weight = _RATIO**order
            row.append((weight * row[-1] - older) / (weight - 1.0))
            far = np.maximum(np.abs(row[-1] - row[-2]), np.abs(row[-1] - older))
            nearer = far < error
            best, error = np.where(nearer, row[-1], best), np.where(nearer, far, error)
        before = row if np.all(np.isfinite(row[0])) else []
        square /= _RATIO
    return best


def _once(function: Callable[..., Any]) -> Any:
    """A program that runs once: compiled with little effort."""
    import jax

    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


def _along(function: Callable[[Any], Any], direction: Any) -> Callable[[Any], Any]:
    """The derivative of a function along a direction, as a function."""
    import jax

    return lambda z: jax.jvp(function, (z,), (direction,))[1]
