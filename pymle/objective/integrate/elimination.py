"""Sparse positive definite matrices: log-determinant and solves by nested elimination.

The pattern is fixed, the values are not. In each round a set of unknowns that do not touch
each other is eliminated at once (groups of a hierarchical model in one round, the levels of a
nested one in as many rounds, a series of length n in about log n: cyclic reduction), and what
is left becomes a smaller matrix of the same kind; a core that is small or has filled up is
factorised densely. The plan is made once from the pattern with NumPy; the numbers run through
JAX, so that derivatives of the log-determinant come from JAX and no inverse is formed.

References
----------
.. [1] George and Liu (1981), Computer Solution of Large Sparse Positive Definite Systems.
.. [2] Luby (1986), A simple parallel algorithm for the maximal independent set problem.
   doi:10.1137/0215074
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.objective.integrate.ordering import LARGEST_CORE, Round, rounds_of


class TooDenseError(Exception):
    """The matrix fills up beyond what can be factorised."""


@dataclass(frozen=True)
class Elimination:
    """The plan for one pattern.

    Attributes
    ----------
    size : int
    diagonal : numpy.ndarray of int, shape (size,)
        Places of the diagonal among the values.
    upper : numpy.ndarray of int
        Places of the off-diagonal entries, one of each pair.
    rounds : tuple of Round
    core : numpy.ndarray of int
        Places of the diagonal and of the other entries in the flat dense core, below the
        diagonal.
    core_size : int
    """

    size: int
    diagonal: np.ndarray
    upper: np.ndarray
    rounds: tuple[Round, ...]
    core: np.ndarray
    core_size: int

    @property
    def arrays(self) -> dict[str, Any]:
        """Everything static, to be handed to a compiled program as arguments."""
        return {
            "diagonal": self.diagonal,
            "upper": self.upper,
            "rounds": [each.arrays for each in self.rounds],
            "core": self.core,
        }

    @property
    def pairs(self) -> int:
        """Products of two entries in one factorisation, the core left out."""
        return sum(len(each.arrays["to"]) for each in self.rounds)

    def factorise(self, arrays: dict[str, Any], values: Any) -> Factor:
        """Eliminate.

        Parameters
        ----------
        arrays : dict
            `arrays`, as arguments of the program.
        values : jax array, shape (nnz,)
            Entries in the order of the pattern that the plan was made from.

        Returns
        -------
        Factor
        """
        import jax.numpy as jnp

        diagonal, edges = _take(values, arrays["diagonal"]), _take(values, arrays["upper"])
        steps = []
        for each, a in zip(self.rounds, arrays["rounds"], strict=True):
            pivot = _take(diagonal, a["pivot"])
            diagonal = _take(diagonal, a["keep"])
            if len(a["edge"]) == 0:
                steps.append((pivot, None))
                edges = _put(each.edges, a["kept_to"], _take(edges, a["kept"]))
                continue
            touching = _take(edges, a["edge"])
            scaled = touching / _take(pivot, a["owner"])
            steps.append((pivot, scaled))
            diagonal = _add(diagonal, a["end"], -touching * scaled)
            edges = _put(each.edges, a["kept_to"], _take(edges, a["kept"]))
            if len(a["to"]):
                fill = -_take(touching, a["left"]) * _take(scaled, a["right"])
                edges = _add(edges, a["to"], fill)
        core = None
        if self.core_size:
            entries = jnp.concatenate([diagonal, edges])
            flat = _put(self.core_size**2, arrays["core"], entries)
            lower = flat.reshape(self.core_size, self.core_size)
            # The factorisation reads one triangle; its derivative in older JAX reads both.
            matrix = lower + jnp.tril(lower, -1).T
            core = jnp.linalg.cholesky(matrix, symmetrize_input=False)
        return Factor(arrays, tuple(steps), core)


@dataclass(frozen=True)
class Factor:
    """A factorised matrix (traced values)."""

    arrays: dict[str, Any]
    steps: tuple[tuple[Any, Any], ...]
    core: Any

    @property
    def smallest_pivot(self) -> Any:
        """Smallest pivot: positive if and only if the matrix is positive definite."""
        import jax.numpy as jnp

        lowest = [jnp.min(pivot) for pivot, _ in self.steps]
        if self.core is not None:
            last = jnp.min(jnp.diagonal(self.core))
            lowest.append(jnp.where(jnp.isnan(last), -jnp.inf, last))
        return jnp.min(jnp.stack(lowest))

    @property
    def logdet(self) -> Any:
        """Logarithm of the determinant; nan where the matrix is not positive definite."""
        import jax.numpy as jnp

        total = jnp.zeros(())
        for pivot, _ in self.steps:
            total = total + jnp.sum(jnp.log(pivot))
        if self.core is not None:
            total = total + 2.0 * jnp.sum(jnp.log(jnp.diagonal(self.core)))
        return total

    def solve(self, right: Any) -> Any:
        """The inverse times a vector (size,)."""
        import jax.numpy as jnp
        from jax.scipy.linalg import solve_triangular

        parts = []
        for a, (_, scaled) in zip(self.arrays["rounds"], self.steps, strict=True):
            own = _take(right, a["pivot"])
            parts.append(own)
            right = _take(right, a["keep"])
            if scaled is not None:
                right = _add(right, a["end"], -scaled * _take(own, a["owner"]))
        if self.core is not None:
            half = solve_triangular(self.core, right, lower=True)
            right = solve_triangular(self.core, half, lower=True, trans=1)
        for a, (pivot, scaled), own in zip(
            reversed(self.arrays["rounds"]), reversed(self.steps), reversed(parts), strict=True
        ):
            mine = own / pivot
            if scaled is not None:
                mine = _add(mine, a["owner"], -scaled * _take(right, a["end"]))
            # `back` undoes the split into eliminated and remaining unknowns.
            right = _take(jnp.concatenate([mine, right]), a["back"])
        return right


# Indices are unsigned and in bounds by construction: JAX's handling of others costs compilation.


def _take(values: Any, places: Any) -> Any:
    return values.at[places].get(mode="promise_in_bounds")


def _add(values: Any, places: Any, more: Any) -> Any:
    return values.at[places].add(more, mode="promise_in_bounds")


def _put(size: int, places: Any, values: Any) -> Any:
    import jax.numpy as jnp

    if len(places) == 0:
        return jnp.zeros(size)
    empty = jnp.zeros(size)
    return empty.at[places].set(values, unique_indices=True, mode="promise_in_bounds")


def eliminate(rows: np.ndarray, columns: np.ndarray, size: int) -> Elimination:
    """Plan the elimination of a symmetric matrix with a given pattern.

    Parameters
    ----------
    rows, columns : numpy.ndarray of int, shape (nnz,)
        Places of the entries. One of each off-diagonal pair is enough; where both are there
        the one above the diagonal is used. Every diagonal entry must be there.
    size : int

    Returns
    -------
    Elimination

    Raises
    ------
    TooDenseError
        The core would be larger than `LARGEST_CORE`.
    ValueError
        A diagonal entry is missing.
    """
    rows, columns = np.asarray(rows, dtype=np.int64), np.asarray(columns, dtype=np.int64)
    diagonal = np.full(size, -1, dtype=np.int64)
    on = np.flatnonzero(rows == columns)
    diagonal[rows[on]] = on
    if np.any(diagonal < 0):
        raise ValueError(f"no diagonal entry at {np.flatnonzero(diagonal < 0)[:5]}")
    off = np.flatnonzero(rows != columns)
    low, high = np.minimum(rows[off], columns[off]), np.maximum(rows[off], columns[off])
    # An entry above the diagonal comes first, its mirror image is dropped.
    order = np.lexsort((rows[off] > columns[off], low * size + high))
    keys = (low * size + high)[order]
    first = np.concatenate([[True], keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, bool)
    upper = off[order[first]]
    edges = np.stack([low[order[first]], high[order[first]]])
    rounds, edges, left = rounds_of(edges, size)
    if left > LARGEST_CORE:
        raise TooDenseError(f"a dense core of {left} unknowns")
    own = np.arange(left)
    core = np.concatenate([own * (left + 1), edges[1] * left + edges[0]]).astype(np.uint32)
    places = diagonal.astype(np.uint32), upper.astype(np.uint32)
    return Elimination(size, *places, tuple(rounds), core, left)
