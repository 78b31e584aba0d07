"""The rule for matrix products, by far the longest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymle.objective.sparse.columns import Fibres, through
from pymle.objective.sparse.lanes import (
    Lane,
    Pattern,
    along,
    keys_of,
    merge,
    push,
    take,
    total,
    unique,
)
from pymle.objective.sparse.places import positions
from pymle.objective.sparse.rules import Operation

__all__ = ["product"]

#: Share of entries of a known matrix below which its zeros are left out.
_SPARSE = 0.5
#: How many numbers more than there are derivatives a dense product may work on.
_PADDED = 8


@dataclass(frozen=True)
class _Sides:
    """A product as seen from one operand: batch b, summed index c, free index j of its own.

    Attributes
    ----------
    batch, summed, free : numpy.ndarray
        The three indices of each element of the operand.
    other : numpy.ndarray
        Flat position in the other operand, by (batch, summed, its free index).
    out : numpy.ndarray
        Flat position in the output, by (batch, free index, the other's free index).
    order : tuple of int
        Dimensions of the other operand, those of `other` in turn.
    """

    batch: np.ndarray
    summed: np.ndarray
    free: np.ndarray
    other: np.ndarray
    out: np.ndarray
    order: tuple[int, ...]


def product(op: Operation) -> list[list[Lane]]:
    """Tangents of a product: from each operand that depends, the other one held."""
    lanes = [lane for side in (0, 1) if op.lanes[side] for lane in _one_sided(op, side)]
    return [merge(lanes, op.space, op.outputs[0].dtype)]


def _sides(op: Operation, side: int) -> _Sides:
    (contract, batch) = op.equation.params["dimension_numbers"]
    shapes = [np.shape(a) for a in op.arrays]

    def grouped(which: int) -> tuple[np.ndarray, tuple[int, ...]]:
        """Positions by (batch, summed, free), and the dimensions in this order."""
        used = [*batch[which], *contract[which]]
        order = [*used, *(d for d in range(len(shapes[which])) if d not in used)]
        nb, nc = len(batch[which]), len(contract[which])
        lengths = [shapes[which][d] for d in order]
        parts = (lengths[:nb], lengths[nb : nb + nc], lengths[nb + nc :])
        sizes = [int(np.prod(p)) for p in parts]
        return positions(shapes[which]).transpose(order).reshape(sizes), tuple(order)

    (own, _), (other, order) = grouped(side), grouped(1 - side)
    index = np.empty((3, own.size), dtype=np.int64)
    index[:, own.reshape(-1)] = np.indices(own.shape).reshape(3, -1)
    out = positions((own.shape[0], *((own, other)[side].shape[2], (own, other)[1 - side].shape[2])))
    # The output has the left operand's free index first.
    out = out if side == 0 else out.transpose(0, 2, 1)
    return _Sides(*index, other=other, out=out, order=order)


def _one_sided(op: Operation, side: int) -> list[Lane]:
    sides, known = _sides(op, side), op.known[1 - side]
    own = Operation(op.equation, op.arrays, [[], []], op.known, op.space)
    own.lanes[side] = op.lanes[side]
    if known is not None and known.structural and not op.lanes[1 - side]:
        there = known.value.reshape(-1) != 0
        if np.count_nonzero(there) <= _SPARSE * there.size:
            return [_without_zeros(own, side, lane, sides, there) for lane in own.lanes[side]]
    columns = op.space.columns
    fibre = sides.batch * sides.out.shape[1] + sides.free
    keys = [keys_of(pattern, fibre[pattern.all_rows()], columns) for pattern, _ in own.lanes[side]]
    entries = sum(map(len, keys))
    found = unique(np.concatenate(keys))[0]
    width = int(np.bincount(found // columns).max())
    apart = all(len(unique(k)[0]) == len(k) for k in keys)
    if not apart and width * len(fibre) <= _PADDED * entries:
        return _dense(own, side, sides, fibre)
    return [
        _expanded(own, side, lane, sides, key)
        for lane, key in zip(own.lanes[side], keys, strict=True)
    ]


def _dense(op: Operation, side: int, sides: _Sides, fibre: np.ndarray) -> list[Lane]:
    count = sides.out.shape[0] * sides.out.shape[1]
    to = np.empty(sides.out.size, dtype=np.int64)
    to[sides.out.reshape(-1)] = np.repeat(np.arange(count), sides.out.shape[2])
    inputs: list[np.ndarray | None] = [None, None]
    inputs[side] = fibre
    return through(op, Fibres(count, inputs, [to]))[0]


def _expanded(op: Operation, side: int, lane: Lane, sides: _Sides, keys: np.ndarray) -> Lane:
    """Each derivative times a row of the other operand, summed over the summed index."""
    import jax.numpy as jnp

    pattern, space = lane.pattern, op.space
    nb, nj, ni = sides.out.shape
    space.check(len(keys) * ni, "a product")
    rows = np.broadcast_to(pattern.all_rows(), pattern.shape).reshape(-1)
    found, inverse = unique(keys)
    fibre, column = np.divmod(found, space.columns)
    counts = np.bincount(fibre, minlength=nb * nj)
    width = int(counts.max())
    regular = bool(np.all(counts == width))
    place = inverse
    if regular:
        slot = np.arange(len(found)) - (np.cumsum(counts) - counts)[fibre]
        place = (slot * (nb * nj) + fibre)[inverse]
    # Rows of the other operand (b, c), one for each derivative.
    at = sides.batch[rows] * sides.other.shape[1] + sides.summed[rows]
    dtype = op.outputs[0].dtype
    values = lane.values
    if not isinstance(values, float):
        values = jnp.broadcast_to(values, pattern.shape).reshape(1, -1)
    if len(found) == len(keys):
        order = np.empty(len(keys), dtype=np.int64)
        order[place] = np.arange(len(keys))
        at, values = at[order], take(values, order)
    table = jnp.transpose(op.arrays[1 - side], sides.order).reshape(-1, ni).T
    out = take(table, at) * values
    if len(found) < len(keys):
        out = total(out, place, len(found), dtype)
    if regular:
        cols = np.ascontiguousarray(column.reshape(nb * nj, width).T)
        whole = out.reshape(ni, width, nb, nj).transpose(1, 2, 3, 0).reshape(width, -1)
        to = sides.out.reshape(-1)
        back = np.empty_like(to)
        back[to] = np.arange(len(to))
        if nb * nj > 1:
            cols = np.repeat(cols, ni, axis=1)[:, back]
        return Lane(Pattern(len(to), None, cols), take(whole, back))
    flat = sides.out.reshape(-1, ni)[fibre].T.reshape(-1)
    spread = Pattern(sides.out.size, flat, np.tile(column, ni)[None], distinct=False)
    return Lane(spread, out.reshape(1, -1))


def _without_zeros(op: Operation, side: int, lane: Lane, sides: _Sides, there: np.ndarray) -> Lane:
    """Each derivative times the entries of the other operand that are not zero."""
    import jax.numpy as jnp

    pattern, space = lane.pattern, op.space
    rows = np.broadcast_to(pattern.all_rows(), pattern.shape).reshape(-1)
    cols = np.broadcast_to(pattern.cols, pattern.shape).reshape(-1)
    nb, nc, ni = sides.other.shape
    line, free = np.nonzero(there[sides.other].reshape(nb * nc, ni))
    counts = np.bincount(line, minlength=nb * nc)
    start = np.cumsum(counts) - counts
    at = sides.batch[rows] * nc + sides.summed[rows]
    each = counts[at]
    space.check(int(each.sum()), "a product")
    entry = np.repeat(np.arange(len(rows)), each)
    step = np.arange(len(entry)) - np.repeat(np.cumsum(each) - each, each)
    which = start[at[entry]] + step
    factor = sides.other.reshape(nb * nc, ni)[line[which], free[which]]
    to = sides.out[sides.batch[rows[entry]], sides.free[rows[entry]], free[which]]
    values = lane.values
    if not isinstance(values, float):
        values = jnp.broadcast_to(values, pattern.shape).reshape(1, -1)
    spread = Pattern(len(entry), None, cols[entry][None])
    if len(entry):
        picked = take(op.arrays[1 - side].reshape(1, -1), factor)
        values = along(take(values, entry), picked, spread)
    dtype = op.outputs[0].dtype
    return push(Lane(spread, values), to, sides.out.size, space, injective=False, dtype=dtype)
