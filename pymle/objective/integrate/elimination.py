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

#: Multiplications that cost as much as one more round: its dispatch, and its compilation once.
_ROUND_COST = 4e6
#: Rounds after which small groups are gone.
_FEW_ROUNDS = 4
#: Largest dense core.
LARGEST_CORE = 6000
#: Multiplications by gather and scatter that cost as much as one of a dense factorisation.
_SCATTER_COST = 40.0
#: Rounds within which an independent set is made maximal.
_SWEEPS = 12


class TooDenseError(Exception):
    """The matrix fills up beyond what can be factorised."""


@dataclass(frozen=True)
class Round:
    """One round of elimination.

    Attributes
    ----------
    arrays : dict of str to numpy.ndarray
        ``pivot`` (places of the eliminated unknowns), ``keep`` (places of the others),
        ``back`` (the inverse of both),
        ``edge`` (off-diagonal entries that touch an eliminated unknown), ``owner`` and ``end``
        (their eliminated and their remaining unknown), ``kept`` (other off-diagonal entries)
        and ``kept_to`` (their places in the next round), ``left``, ``right``, ``to`` (pairs of
        edges of one eliminated unknown, and the entry that they change).
    size, edges : int
        Unknowns and off-diagonal entries of the next round.
    """

    arrays: dict[str, np.ndarray]
    size: int
    edges: int


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
    # Small groups are gone after a few rounds: no core, and none of its library calls, is left.
    rounds, edges_left, left = _plan(edges, size, 0.0, most=_FEW_ROUNDS)
    if left:
        rounds, edges_left, left = _plan(edges, size, _ROUND_COST)
    edges = edges_left
    if left > LARGEST_CORE:
        raise TooDenseError(f"a dense core of {left} unknowns")
    own = np.arange(left)
    core = np.concatenate([own * (left + 1), edges[1] * left + edges[0]]).astype(np.uint32)
    places = diagonal.astype(np.uint32), upper.astype(np.uint32)
    return Elimination(size, *places, tuple(rounds), core, left)


def _plan(
    edges: np.ndarray, size: int, round_cost: float, most: int | None = None
) -> tuple[list[Round], np.ndarray, int]:
    """Rounds, and what is left after them: entries, and how many unknowns."""
    rounds: list[Round] = []
    while size and (most is None or len(rounds) < most):
        chosen = _independent(edges, size, round_cost)
        if chosen is None:
            break
        step, edges, size = _round(edges, size, chosen)
        rounds.append(step)
    return rounds, edges, size


def _independent(edges: np.ndarray, size: int, round_cost: float) -> np.ndarray | None:
    """Unknowns to eliminate together (a mask), or None where dense is cheaper."""
    a, b = edges
    if len(a) == 0:
        return np.ones(size, dtype=bool)
    degree = np.bincount(a, minlength=size) + np.bincount(b, minlength=size)
    # Unknowns with many neighbours fill the matrix: they wait.
    bound = max(4, 2 * int(np.median(degree)), int(degree.min()))
    eligible = degree <= bound
    # A fixed pseudo-random order breaks ties, so that a chain loses nearly half in a round.
    tie = np.random.default_rng(size).permutation(size)
    rank = np.empty(size, dtype=np.int64)
    rank[np.lexsort((tie, degree))] = np.arange(size)
    chosen = np.zeros(size, dtype=bool)
    open_ = eligible.copy()
    for _ in range(_SWEEPS):
        live = open_[a] & open_[b]
        best = np.full(size, np.iinfo(np.int64).max)
        np.minimum.at(best, a[live], rank[b[live]])
        np.minimum.at(best, b[live], rank[a[live]])
        new = open_ & (rank < best)
        if not new.any():
            break
        chosen |= new
        open_ &= ~new
        open_[b[new[a]]] = False
        open_[a[new[b]]] = False
    fill = float(np.sum(degree[chosen].astype(float) ** 2)) / 2
    gain = (size**3 - (size - chosen.sum()) ** 3) / 3.0
    if size <= LARGEST_CORE and fill * _SCATTER_COST + round_cost > gain:
        return None
    return chosen if chosen.any() else None


def _round(edges: np.ndarray, size: int, chosen: np.ndarray) -> tuple[Round, np.ndarray, int]:
    a, b = edges
    pivot, keep = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    place = np.empty(size, dtype=np.int64)
    place[pivot], place[keep] = np.arange(len(pivot)), np.arange(len(keep))
    touches = chosen[a] | chosen[b]
    edge = np.flatnonzero(touches)
    owner = np.where(chosen[a[edge]], a[edge], b[edge])
    end = np.where(chosen[a[edge]], b[edge], a[edge])
    order = np.lexsort((end, owner))
    edge, owner, end = edge[order], place[owner[order]], place[end[order]]
    left, right = _pairs(owner, len(pivot))
    kept = np.flatnonzero(~touches)
    n = len(keep)
    old = place[a[kept]] * n + place[b[kept]]
    low, high = end[left], end[right]
    new = np.minimum(low, high) * n + np.maximum(low, high)
    keys, inverse = np.unique(np.concatenate([old, new]), return_inverse=True)
    arrays = {
        "pivot": pivot,
        "keep": keep,
        "edge": edge,
        "owner": owner,
        "end": end,
        "back": np.argsort(np.concatenate([pivot, keep])),
        "kept": kept,
        "kept_to": inverse[: len(old)],
        "left": left,
        "right": right,
        "to": inverse[len(old) :],
    }
    small = {name: array.astype(np.uint32) for name, array in arrays.items()}
    return Round(small, n, len(keys)), np.stack([keys // max(n, 1), keys % max(n, 1)]), n


def _pairs(owner: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs (p < q) of positions with the same owner; ``owner`` is sorted."""
    degree = np.bincount(owner, minlength=count)
    begin = np.concatenate([[0], np.cumsum(degree)[:-1]])
    after = degree[owner] - 1 - (np.arange(len(owner)) - begin[owner])
    left = np.repeat(np.arange(len(owner)), after)
    starts = np.concatenate([[0], np.cumsum(after)[:-1]]) if len(after) else np.zeros(0, int)
    right = np.arange(len(left)) - np.repeat(starts, after) + left + 1
    return left, right
