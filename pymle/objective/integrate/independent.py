"""Independent blocks of random effects: which effects and which data belong together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.objective.integrate.elimination import Elimination, Factor
from pymle.objective.sparse.jacobian import dependence


@dataclass(frozen=True)
class Independent:
    """The blocks into which a joint log-density falls given the parameters.

    Attributes
    ----------
    effects : numpy.ndarray of int, shape (d,)
        Block of each coordinate of the random effects.
    elements : numpy.ndarray of int, shape (m,)
        Block of each element of the joint log-density; ``count`` where it touches no effect.
    count : int
        Number of blocks.
    sizes : numpy.ndarray of int, shape (count,)
        Coordinates of each.
    """

    effects: np.ndarray
    elements: np.ndarray
    count: int
    sizes: np.ndarray

    @property
    def places(self) -> np.ndarray:
        """Place of each coordinate within its block (d,)."""
        order = np.argsort(self.effects, kind="stable")
        begin = np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(int)
        out = np.empty(len(order), dtype=int)
        out[order] = np.arange(len(order)) - begin[self.effects[order]]
        return out

    def members(self, block: int) -> np.ndarray:
        """Coordinates of a block."""
        return np.flatnonzero(self.effects == block)


def independent_blocks(
    elements: Callable[..., Any],
    rows: np.ndarray,
    columns: np.ndarray,
    *,
    outer: int,
    inner: int,
    arguments: Sequence[Any],
) -> Independent:
    """Find the blocks.

    Parameters
    ----------
    elements : callable
        ``(z, *arguments) -> (m,)``, the elements of the joint log-density of ``z = [x, u]``.
    rows, columns : numpy.ndarray of int
        Pattern of the information about the effects.
    outer, inner : int
        Lengths of ``x`` and ``u``.
    arguments : sequence

    Returns
    -------
    Independent

    Notes
    -----
    An element that touches several effects joins them, also where their second derivatives
    are zero: what it adds cannot be told apart.
    """
    import jax
    import jax.numpy as jnp
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    def of_effects(u: Any, x: Any, *rest: Any) -> Any:
        return elements(jnp.concatenate([x, u]), *rest)

    out, into = dependence(of_effects, np.zeros(inner), np.zeros(outer), *arguments)
    shape = jax.eval_shape(of_effects, np.zeros(inner), np.zeros(outer), *arguments).shape
    size = inner + shape[0]
    a = np.concatenate([rows, inner + out]).astype(np.int64)
    b = np.concatenate([columns, into]).astype(np.int64)
    graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    _, codes = np.unique(labels[:inner], return_inverse=True)
    blocks = int(codes.max(initial=-1)) + 1
    of = np.full(int(labels.max(initial=0)) + 1, blocks)
    of[labels[:inner]] = codes
    return Independent(codes, of[labels[inner:]], blocks, np.bincount(codes))


def pivot_blocks(elimination: Elimination, blocks: np.ndarray) -> dict[str, Any]:
    """Block of the unknown behind every pivot, in the order of a factorisation.

    Parameters
    ----------
    elimination : Elimination
    blocks : numpy.ndarray of int, shape (d,)

    Returns
    -------
    dict
        ``rounds`` (a list of arrays) and ``core``.
    """
    rounds = []
    for each in elimination.rounds:
        rounds.append(blocks[each.arrays["pivot"]])
        blocks = blocks[each.arrays["keep"]]
    return {"rounds": rounds, "core": blocks}


def logdet_by_block(factor: Factor, pivots: dict[str, Any], count: int) -> Any:
    """Logarithm of the determinant of every block (count,).

    Parameters
    ----------
    factor : Factor
    pivots : dict
        As `pivot_blocks` gives it.
    count : int
    """
    import jax.numpy as jnp

    total = jnp.zeros(count)
    for (pivot, _), of in zip(factor.steps, pivots["rounds"], strict=True):
        total = total.at[of].add(jnp.log(pivot))
    if factor.core is not None:
        total = total.at[pivots["core"]].add(2.0 * jnp.log(jnp.diagonal(factor.core)))
    return total


def inverse_root(factor: Factor, z: Any) -> Any:
    """A root of the inverse times a vector: of independent unit variances, the inverse's.

    Parameters
    ----------
    factor : Factor
    z : array, shape (d,)

    Returns
    -------
    array, shape (d,)
        ``R z`` with ``R R'`` the inverse; blocks are not mixed.
    """
    import jax.numpy as jnp
    from jax.scipy.linalg import solve_triangular

    parts = []
    for a in factor.arrays["rounds"]:
        parts.append(z.at[a["pivot"]].get(mode="promise_in_bounds"))
        z = z.at[a["keep"]].get(mode="promise_in_bounds")
    if factor.core is not None:
        z = solve_triangular(factor.core, z, lower=True, trans=1)
    rounds = zip(
        reversed(factor.arrays["rounds"]), reversed(factor.steps), reversed(parts), strict=True
    )
    for a, (pivot, scaled), own in rounds:
        mine = own / jnp.sqrt(pivot)
        if scaled is not None:
            far = z.at[a["end"]].get(mode="promise_in_bounds")
            mine = mine.at[a["owner"]].add(-scaled * far, mode="promise_in_bounds")
        z = jnp.concatenate([mine, z])
        z = z.at[a["back"]].get(mode="promise_in_bounds")
    return z
