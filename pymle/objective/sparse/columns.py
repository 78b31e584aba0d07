"""Rules for operations by the coordinates that reach them: JAX's own derivative, compressed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.objective.sparse.lanes import Lane, Pattern, Space, keys_of, merge, push, take
from pymle.objective.sparse.rules import Operation, floating

__all__ = ["Fibres", "cumulate", "fibres_along", "one_fibre", "through"]


@dataclass(frozen=True)
class Fibres:
    """Parts of an operation that do not reach each other.

    Attributes
    ----------
    count : int
    inputs, outputs : list of numpy.ndarray or None
        The fibre of each element of each operand and output; None where there is one fibre.
    """

    count: int
    inputs: list[np.ndarray | None]
    outputs: list[np.ndarray | None]


def one_fibre(op: Operation) -> Fibres:
    """Every output may depend on everything."""
    return Fibres(1, [None] * len(op.arrays), [None] * len(op.outputs))


def through(op: Operation, fibres: Fibres) -> list[list[Lane]]:
    """Tangents by JAX's own rule, for as many directions as a fibre has active columns.

    Correct for any operation. All elements of a fibre's outputs are taken to depend on all
    columns that are active in it.
    """
    import jax

    space, dependent = op.space, [i for i, lanes in enumerate(op.lanes) if lanes]
    entries = {
        i: [_fibre_keys(lane.pattern, fibres.inputs[i], space) for lane in op.lanes[i]]
        for i in dependent
    }
    active = np.unique(np.concatenate([k for keys in entries.values() for k in keys]))
    fibre, column = np.divmod(active, space.columns)
    counts = np.bincount(fibre, minlength=fibres.count)
    width = int(counts.max())
    slot = np.arange(len(active)) - (np.cumsum(counts) - counts)[fibre]
    sizes = [int(np.prod(a.shape)) for a in (*(op.arrays[i] for i in dependent), *op.outputs)]
    space.check(width * max(sizes), op.name)

    seeds = []
    for i in dependent:
        array, lanes = op.arrays[i], op.lanes[i]
        seeds.append(_seeds(array, lanes, entries[i], active, slot, width))

    def function(*changed: Any) -> list[Any]:
        arrays = list(op.arrays)
        for i, array in zip(dependent, changed, strict=True):
            arrays[i] = array
        out = op.bind(*arrays)
        return [a for a, aval in zip(out, op.outputs, strict=True) if floating(aval)]

    primals = tuple(op.arrays[i] for i in dependent)
    tangents = iter(jax.vmap(lambda *t: jax.jvp(function, primals, t)[1])(*seeds))
    table = np.full((width, fibres.count), -1)
    table[slot, fibre] = column
    return [
        [_lane(next(tangents).reshape(width, -1), table, where)] if floating(aval) else []
        for aval, where in zip(op.outputs, fibres.outputs, strict=True)
    ]


def _fibre_keys(pattern: Pattern, fibre: np.ndarray | None, space: Space) -> np.ndarray:
    rows = pattern.all_rows()
    where = np.zeros(len(rows), dtype=np.int64) if fibre is None else fibre[rows]
    return keys_of(pattern, where, space.columns)


def _seeds(
    array: Any,
    lanes: Sequence[Lane],
    keys: Sequence[np.ndarray],
    active: np.ndarray,
    slot: np.ndarray,
    width: int,
) -> Any:
    """Tangents of an operand in all directions (width, *shape)."""
    import jax.numpy as jnp

    size = int(np.prod(array.shape))
    out = None
    for (pattern, values), key in zip(lanes, keys, strict=True):
        at = slot[np.searchsorted(active, key)] * size
        at += np.broadcast_to(pattern.all_rows(), pattern.shape).reshape(-1)
        values = jnp.broadcast_to(jnp.asarray(values, array.dtype), pattern.shape).reshape(-1)
        if out is None and len(at) == width * size and np.array_equal(at, np.arange(len(at))):
            out = values
            continue
        out = jnp.zeros(width * size, array.dtype) if out is None else out
        out = out.at[at.astype(np.int32)].add(values, mode="promise_in_bounds")
    assert out is not None
    return out.reshape(width, *array.shape)


def _lane(values: Any, table: np.ndarray, where: np.ndarray | None) -> Lane:
    """A lane from tangents (width, size) and the column of each slot of each fibre."""
    size = values.shape[1]
    cols = table if where is None or table.shape[1] == 1 else table[:, where]
    if np.all(cols >= 0):
        return Lane(Pattern(size, None, cols), values)
    at = np.flatnonzero(np.broadcast_to(cols, values.shape) >= 0)
    pattern = Pattern(size, at % size, cols.reshape(1, -1)[:, at], distinct=False)
    return Lane(pattern, take(values.reshape(1, -1), at))


# ----- along an axis -------------------------------------------------------------------------


def cumulate(op: Operation) -> list[list[Lane]]:
    """A cumulative sum: an element depends on those before it only."""
    aval, space = op.outputs[0], op.space
    axis, back = op.equation.params["axis"], op.equation.params["reverse"]
    length = aval.shape[axis]
    stride = int(np.prod(aval.shape[axis + 1 :]))
    size = int(np.prod(aval.shape))
    out = []
    for lane in op.lanes[0]:
        pattern, rows = lane.pattern, lane.pattern.all_rows()
        place = rows // stride % length
        each = place + 1 if back else length - place
        space.check(int(each.sum()) * len(pattern.cols), "a cumulative sum")
        at = np.repeat(np.arange(len(rows)), each)
        step = np.arange(len(at)) - np.repeat(np.cumsum(each) - each, each)
        to = rows[at] + (-step if back else step) * stride
        spread = Pattern(len(at), None, pattern.cols_at(at))
        wide = Lane(spread, take(lane.values, at))
        out.append(push(wide, to, size, space, injective=False, dtype=aval.dtype))
    return [merge(out, space, aval.dtype)]


def fibres_along(op: Operation) -> Fibres | None:
    """Fibres of operations that work along some axes, or within each matrix of a stack."""
    name, params = op.name, op.equation.params
    shapes = [np.shape(a) for a in op.arrays]
    if name.startswith("reduce_") and "axes" in params:
        axes = tuple(params["axes"])
        count = int(np.prod([n for d, n in enumerate(shapes[0]) if d not in axes], dtype=int))
        kept = [1 if d in axes else n for d, n in enumerate(shapes[0])]
        inside = np.broadcast_to(np.arange(count).reshape(kept), shapes[0]).reshape(-1)
        return Fibres(count, [inside] * len(shapes), [np.arange(count)] * len(op.outputs))
    if name in ("cumprod", "cummax", "cummin", "cumlogsumexp", "sort"):
        axis = params["dimension"] if name == "sort" else params["axis"]
        kept = [1 if d == axis else n for d, n in enumerate(shapes[0])]
        count = int(np.prod(kept))
        inside = np.broadcast_to(np.arange(count).reshape(kept), shapes[0]).reshape(-1)
        return Fibres(count, [inside] * len(shapes), [inside] * len(op.outputs))
    if name in ("cholesky", "lu", "eigh"):
        return _stacked(shapes, [a.shape for a in op.outputs], shapes[0][:-2])
    if name == "triangular_solve":
        if op.lanes[0]:
            return _stacked(shapes, [op.outputs[0].shape], shapes[0][:-2])
        # Right-hand sides do not reach each other.
        kept = list(shapes[1])
        kept[-2 if params["left_side"] else -1] = 1
        count = int(np.prod(kept))
        inside = np.broadcast_to(np.arange(count).reshape(kept), shapes[1]).reshape(-1)
        return Fibres(count, [None, inside], [inside])
    return None


def _stacked(shapes: list, outputs: list, stack: tuple[int, ...]) -> Fibres | None:
    depth, count = len(stack), int(np.prod(stack))
    if any(s[:depth] != stack for s in (*shapes, *outputs)):
        return None

    def ids(shape: tuple[int, ...]) -> np.ndarray:
        return np.repeat(np.arange(count), int(np.prod(shape[depth:])))

    return Fibres(count, [ids(s) for s in shapes], [ids(s) for s in outputs])
