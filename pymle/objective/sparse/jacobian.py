"""Jacobians of functions with sparse derivatives, in one pass and on a pattern that stays.

The second derivatives of a log-density with respect to random effects are sparse, and what the
score function does with them shows where: effects are looked up by an index, combined row by
row, and added up again by an index. Here the traced program of a function is walked through with
the derivatives that are not zero, each known by its place before any number is computed. There
is no colouring and no product with a matrix of directions: each derivative is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pymle.objective.sparse.known import Known
from pymle.objective.sparse.lanes import Lane, NotSparseError, Pattern, Space, collect
from pymle.objective.sparse.program import Walk, flatten

__all__ = ["NotSparseError", "SparseJacobian", "dependence", "sparse_jacobian"]

#: Derivatives that one array on the way may have: about 0.8 GB with their places.
_MOST = 50_000_000


class SparseJacobian:
    """The Jacobian of a function with respect to its first argument, entry by entry.

    Made by `sparse_jacobian`.

    Attributes
    ----------
    rows, cols : numpy.ndarray
        Output element and coordinate of each entry (nnz,), sorted by row, then by column.
    shape : tuple of int
        Elements of the output, and coordinates.
    arguments : list of array
        What `evaluate` needs besides the function's own arguments: indices and constants.
    relied_on : tuple of int
        Leaves of ``args`` whose values the pattern rests on.
    """

    def __init__(
        self,
        rows: np.ndarray,
        cols: np.ndarray,
        shape: tuple[int, int],
        traced: Any,
        leaves: Sequence[Any],
        used: set[int],
    ) -> None:
        import jax

        self.rows, self.cols, self.shape = rows, cols, shape
        self.arguments = [jax.device_put(np.asarray(c)) for c in traced.consts]
        self.relied_on = tuple(sorted(used))
        self._jaxpr = traced.jaxpr
        self._expected = {i: leaves[i] for i in self.relied_on}
        self._jitted = jax.jit(self.evaluate)

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return len(self.rows)

    @property
    def steps(self) -> int:
        """Number of operations in the program that gives them."""
        return len(self._jaxpr.eqns)

    def evaluate(self, arguments: Sequence[Any], u: Any, *args: Any) -> Any:
        """Entries of the Jacobian as a pure function, to be used inside of other programs.

        Parameters
        ----------
        arguments : sequence of array
            `arguments`. Passed from outside, they are no constants of a compiled program.
        u : array (d,)
        *args
            As when the plan was made, with the same values in `relied_on`.

        Returns
        -------
        jax.Array (nnz,)
            To be differentiated, batched and compiled by JAX like anything else.
        """
        import jax
        from jax.core import eval_jaxpr

        return eval_jaxpr(self._jaxpr, arguments, *jax.tree.leaves((u, args)))[0]

    def values(self, u: Any, *args: Any) -> Any:
        """Entries of the Jacobian at a point.

        Parameters
        ----------
        u : array (d,)
        *args
            As when the plan was made.

        Returns
        -------
        jax.Array (nnz,)

        Raises
        ------
        ValueError
            If data that the pattern rests on are others now. (Not checked for what is traced.)
        """
        self.check(*args)
        return self._jitted(self.arguments, u, *args)

    def check(self, *args: Any) -> None:
        """Make sure that the data that the pattern rests on are the same.

        Raises
        ------
        ValueError
            If they are not.
        """
        import jax
        from jax.core import Tracer

        if not self.relied_on:
            return
        leaves = jax.tree.leaves(args)
        for i, expected in self._expected.items():
            given = leaves[i]
            if given is expected or isinstance(given, Tracer):
                continue
            if not np.array_equal(np.asarray(given), np.asarray(expected)):
                raise ValueError(
                    f"argument {i} is not the one that the sparse Jacobian was planned with: "
                    "its pattern rests on that. Plan again."
                )
            self._expected[i] = given


def sparse_jacobian(
    fun: Callable[..., Any],
    u: Any,
    *args: Any,
    known: Sequence[int] = (),
    most: int = _MOST,
) -> SparseJacobian:
    """Plan the Jacobian of a function with respect to its first argument.

    Parameters
    ----------
    fun : callable
        ``(u, *args) -> array``, traceable by JAX, with a forward derivative.
    u : array (d,)
        A point; its values do not matter.
    *args : pytrees of arrays
        Further arguments. Integers and booleans among them are taken for indices where they
        are used as such: their values shape the pattern, and have to stay. Numbers may change
        at every evaluation.
    known : sequence of int
        Leaves of `args` (as `jax.tree.leaves` counts them) that stay as a whole: their zeros
        are left out of matrix products, products and selections. The zeros of arrays that
        `fun` captured always are.
    most : int
        Derivatives that one array on the way may have.

    Returns
    -------
    SparseJacobian

    Raises
    ------
    NotSparseError
        If something on the way has more than `most` derivatives, or is complex.

    Notes
    -----
    The pattern holds every entry that can differ from zero: entries that cancel, or that are
    zero at some points, are in it. Structure is kept by all elementwise operations and calls of
    such, by what moves elements or adds them up at known places (gathers, scatters, slices,
    sums, ...), by products with matrices, cumulative sums, and by what works along an axis or
    within each of a stack of matrices. For anything else each output is taken to depend on all
    coordinates that reach the operation, and JAX differentiates it in as many directions.

    A derivative times a zero that is left out is zero, also where it is not finite.
    """
    import jax

    u = jax.numpy.asarray(u)
    if u.ndim != 1:
        raise ValueError(f"coordinates are a vector; these have {u.ndim} dimensions")
    leaves = jax.tree.leaves(args)
    used: set[int] = set()
    program = flatten(jax.make_jaxpr(fun)(u, *args))
    if len(program.outputs) != 1:
        raise ValueError(f"a function with one output is needed; this has {len(program.outputs)}")
    stay = [
        None
        if not _discrete(leaf) and i not in known
        else Known(frozenset([i]), used, structural=i in known, value=leaf)
        for i, leaf in enumerate(leaves)
    ]
    space = Space(u.size, most)
    walk = Walk(program, [None, *stay], [True] + [False] * len(leaves), space, used)
    places: list[Any] = []

    def values(*inputs: Any) -> Any:
        seed = Lane(Pattern(u.size, None, np.arange(u.size)[None]), 1.0)
        [array], [lanes] = walk.run(inputs, [[seed], *([] for _ in leaves)])
        rows, cols, entries = _entries(lanes, space, array.dtype)
        places[:] = [rows, cols, array.size]
        return entries

    traced = jax.make_jaxpr(values)(u, *leaves)
    rows, cols, size = places
    return SparseJacobian(rows, cols, (size, u.size), traced, leaves, used)


def dependence(
    fun: Callable[..., Any], u: Any, *args: Any, known: Sequence[int] = (), most: int = _MOST
) -> tuple[np.ndarray, np.ndarray]:
    """Which elements of a function's output depend on which coordinates.

    Parameters
    ----------
    fun, u, *args, known, most
        As in `sparse_jacobian`.

    Returns
    -------
    rows, cols : numpy.ndarray
        Pairs of output element and coordinate, sorted.
    """
    plan = sparse_jacobian(fun, u, *args, known=known, most=most)
    return plan.rows, plan.cols


def _discrete(leaf: Any) -> bool:
    return not np.issubdtype(np.asarray(leaf).dtype, np.inexact)


def _entries(lanes: list[Lane], space: Space, dtype: Any) -> tuple[np.ndarray, np.ndarray, Any]:
    """All lanes of a tangent as entries sorted by row and column."""
    import jax.numpy as jnp

    if not lanes:
        return np.zeros(0, int), np.zeros(0, int), jnp.zeros(0, dtype)
    pattern, values = collect(lanes, space, dtype)
    rows = np.broadcast_to(pattern.all_rows(), pattern.shape).T.reshape(-1)
    cols = np.broadcast_to(pattern.cols, pattern.shape).T.reshape(-1)
    values = jnp.broadcast_to(jnp.asarray(values, dtype), pattern.shape)
    return rows, cols, values.T.reshape(-1)
