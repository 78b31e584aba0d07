"""Averages of a function over its rows, and how they change with the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pymle.objective.natural import extrapolated_differences

Call = Callable[..., tuple[Any, ...]]


def averaged(call: Call, weights: np.ndarray, axes: Sequence[int]) -> Call:
    """A lowered function with its outputs averaged over rows.

    Parameters
    ----------
    call : callable
        ``(x, held, weights, data) -> tuple of arrays``.
    weights : numpy.ndarray
        Broadcasts against the outputs; sums to one over the rows.
    axes : sequence of int
        Of the rows.

    Returns
    -------
    callable
        Of the same arguments.
    """
    over = tuple(axes)

    def average(x: Any, held: Any, w: Any, data: Any) -> tuple[Any, ...]:
        return tuple((out * weights).sum(axis=over) for out in call(x, held, w, data))

    return average


def slopes(call: Call, position: int, row_axis: int | None, route: str) -> Call:
    """Derivatives with respect to the columns of one data argument, all rows moving together.

    Parameters
    ----------
    call : callable
    position : int
        Of the data argument.
    row_axis : int or None
        Its axis of rows; None for a number.
    route : {"jax", "pytensor"}
        Exact on the first, extrapolated differences on the second.

    Returns
    -------
    callable
        Outputs have an axis for the columns (flat, in C order) at the end.
    """

    def shifted(x: Any, held: Any, w: Any, data: Any, shift: Any) -> tuple[Any, ...]:
        value = data[position]
        shape = [n for axis, n in enumerate(np.shape(value)) if axis != row_axis]
        step = shift.reshape(shape)
        if row_axis is not None:
            step = step.reshape([*shape[:row_axis], 1, *shape[row_axis:]])
        moved = (*data[:position], value + step, *data[position + 1 :])
        return call(x, held, w, moved)

    def size(data: Any) -> int:
        shape = np.shape(data[position])
        return int(np.prod([n for axis, n in enumerate(shape) if axis != row_axis], dtype=int))

    def exact(x: Any, held: Any, w: Any, data: Any) -> tuple[Any, ...]:
        import jax
        import jax.numpy as jnp

        return jax.jacfwd(lambda s: shifted(x, held, w, data, s))(jnp.zeros(size(data)))

    def differenced(x: Any, held: Any, w: Any, data: Any) -> tuple[Any, ...]:
        def flat(shift: np.ndarray) -> np.ndarray:
            outputs = shifted(x, held, w, data, shift)
            return np.concatenate([np.ravel(out) for out in outputs])

        now = [np.shape(out) for out in call(x, held, w, data)]
        found = extrapolated_differences(flat, np.zeros(size(data)))
        out, at = [], 0
        for shape in now:
            length = int(np.prod(shape, dtype=int))
            out.append(found[at : at + length].reshape((*shape, -1)))
            at += length
        return tuple(out)

    return exact if route == "jax" else differenced
