"""Random walks in standard normal coordinates that keep them sparse.

Standardised increments would do for a step of zero, but a state is the sum of all before it: the
information about them is dense. Here the last state comes first, then the one half way given
both its ends, and so on (Lévy's construction of Brownian motion): every state is a sum of about
log2(T) coordinates, what is eliminated has the pattern of nested halves, and a step of zero is
an ordinary point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.traversal import ancestors

from pymle.model import checks, compat

#: Longest walk that is standardised; longer ones keep the band of their own states.
_LONGEST = 500
#: The same where the drift has random effects in it: the sum of a drift is dense.
_LONGEST_DRIFTING = 150


@dataclass(frozen=True)
class Walk:
    """A random walk with normal steps of one law.

    Attributes
    ----------
    first, step : Variable
        The random variables of the initial value and of the increments, as PyMC keeps them.
    vectors : bool
        Whether a state is a vector (`pm.MvGaussianRandomWalk`).
    length : int
        Number of states.
    """

    first: Any
    step: Any
    vectors: bool
    length: int


def normal_walk(rv: Any, shape: tuple[int, ...], effects: tuple[Any, ...] = ()) -> Walk | None:
    """The parts of a random walk that can be standardised; None for anything else.

    Parameters
    ----------
    rv : Variable
    shape : tuple of int
        Of its values.
    effects : tuple of Variable
        Random variables that are integrated.

    Returns
    -------
    Walk or None
        Initial values and increments are normal, and the scale of the increments is the same
        at all steps.
    """
    if type(rv.owner.op).__name__ != "RandomWalkRV":
        return None
    first, step, *_ = rv.owner.inputs
    if first.owner is None or step.owner is None:
        return None
    names = {type(v.owner.op).__name__ for v in (first, step)}
    if len(names) != 1 or not names <= {"NormalRV", "MvNormalRV"}:
        return None
    vectors = names == {"MvNormalRV"}
    drift, scale = checks.plain_inputs(step)[-2:]
    length = shape[-2 if vectors else -1]
    if length < 2:
        return None
    # The axis of the steps comes first in what PyMC keeps.
    if vectors:
        own = one_matrix(scale).type.ndim > 2 or one_matrix(_spread(first)).type.ndim > 2
    else:
        own = scale.type.ndim == step.type.ndim and scale.type.shape[0] != 1
    if own:
        return None
    above = set(ancestors([drift]))
    drifting = any(other in above for other in effects if other is not rv)
    return Walk(first, step, vectors, length) if _short_enough(length, drifting=drifting) else None


def one_matrix(covariance: Any) -> Any:
    """The covariance that all rows share, without the axes that PyMC adds for them."""
    node = covariance.owner
    while node is not None and type(node.op).__name__ == "DimShuffle" and covariance.type.ndim > 2:
        inner, order = node.inputs[0], tuple(node.op.new_order)
        extra = covariance.type.ndim - inner.type.ndim
        if order != ("x",) * extra + tuple(range(inner.type.ndim)):
            break
        covariance, node = inner, inner.owner
    return covariance


def _spread(rv: Any) -> Any:
    return checks.plain_inputs(rv)[-1]


def _short_enough(length: int, *, drifting: bool) -> bool:
    return length <= (_LONGEST_DRIFTING if drifting else _LONGEST)


def walk_expression(
    walk: Walk,
    inner: Any,
    by_values: Callable[[list[Any]], list[Any]],
    factor: Callable[[Any], Any],
) -> Any:
    """The states of a walk as an expression of standard normal coordinates.

    Parameters
    ----------
    walk : Walk
    inner : Variable
        Coordinates in the shape of the walk.
    by_values : callable
        Puts natural value variables in the place of random variables.
    factor : callable
        The lower factor of a covariance.

    Returns
    -------
    Variable
    """
    parts = [*checks.plain_inputs(walk.first)[-2:], *checks.plain_inputs(walk.step)[-2:]]
    if walk.vectors:
        parts[1::2] = [one_matrix(matrix) for matrix in parts[1::2]]
    origin, spread, drift, scale = (compat.as_tensor(v) for v in by_values(parts))
    # (T, B) or (T, B, S), as PyMC keeps the laws.
    z = pt.moveaxis(inner, -2 if walk.vectors else -1, 0)
    begin, rest = z[:1], z[1:]
    if walk.vectors:
        start = origin + pt.dot(begin, factor(spread).T)
        moved = pt.dot(_brownian(rest, walk.length - 1), factor(scale).T)
    else:
        start = origin + spread * begin
        moved = scale * _brownian(rest, walk.length - 1)
    states = start + pt.cumsum(pt.broadcast_to(drift, rest.shape), axis=0) + moved
    out = pt.concatenate([pt.broadcast_to(start, begin.shape), states], axis=0)
    return pt.moveaxis(out, 0, -2 if walk.vectors else -1)


def _brownian(z: Any, length: int) -> Any:
    """Standard Brownian motion at 1, ..., length from as many standard normal coordinates."""
    places, sizes = bridge(length)
    sizes = sizes.reshape(*sizes.shape, *[1] * (z.type.ndim - 1))
    return pt.sum(sizes * z[places], axis=1)


def bridge(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Brownian motion at the integers, as sums of few standard normal coordinates.

    Parameters
    ----------
    length : int
        Number of times, 1 to ``length``.

    Returns
    -------
    places : numpy.ndarray of int, shape (length, depth)
        Which coordinates each time adds up.
    sizes : numpy.ndarray, shape (length, depth)
        Their factors; zero where a time needs fewer.

    Notes
    -----
    The coordinate of a time is the one of its midpoint displacement, so that
    ``G @ G.T = min(s, t)`` for the matrix ``G`` of the factors.

    References
    ----------
    Lévy P (1948), Processus stochastiques et mouvement brownien. Gauthier-Villars.
    """
    rows: list[dict[int, float]] = [{} for _ in range(length + 1)]
    rows[length] = {length - 1: float(np.sqrt(length))}
    todo = [(0, length)]
    while todo:
        low, high = todo.pop()
        if high - low < 2:
            continue
        middle = (low + high) // 2
        up = (middle - low) / (high - low)
        row = {k: (1.0 - up) * v for k, v in rows[low].items()}
        for k, v in rows[high].items():
            row[k] = row.get(k, 0.0) + up * v
        row[middle - 1] = float(np.sqrt((middle - low) * (high - middle) / (high - low)))
        rows[middle] = row
        todo += [(low, middle), (middle, high)]
    depth = max(len(row) for row in rows[1:])
    places = np.zeros((length, depth), dtype=np.int64)
    sizes = np.zeros((length, depth))
    for i, row in enumerate(rows[1:]):
        entries = sorted((k, v) for k, v in row.items() if v != 0.0)
        places[i, : len(entries)] = [k for k, _ in entries]
        places[i, len(entries) :] = i
        sizes[i, : len(entries)] = [v for _, v in entries]
    return places, sizes
