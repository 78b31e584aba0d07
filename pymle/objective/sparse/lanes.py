"""Sparse tangents: where the derivatives of an array's elements are not zero, and their values.

A tangent is a list of *lanes*. A lane covers some elements ("rows") of the flattened array and
holds ``k`` derivatives of each: ``values[s, e]`` is the derivative of element ``rows[e]`` with
respect to coordinate ``cols[s, e]``. Lanes of one tangent add up, so they may overlap. In
``a[group] + b[item]`` each term is a lane of its own that lies along all rows: elementwise
operations then multiply arrays as they are, without indices. Rows and columns are NumPy arrays,
known when a program is traced; only values are traced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "Lane",
    "NotSparseError",
    "Pattern",
    "Space",
    "along",
    "collect",
    "keys_of",
    "merge",
    "pick",
    "push",
    "take",
    "total",
    "unique",
]

#: More lanes than this are joined to one: each costs operations of its own.
_MOST_LANES = 12


class NotSparseError(Exception):
    """The derivatives, or those of something on the way, are too many to be stored."""


@dataclass(frozen=True)
class Space:
    """How many coordinates there are, and how many derivatives an array on the way may have."""

    columns: int
    most: int

    def check(self, entries: int, what: str) -> None:
        """Stop before an array is made that is too large."""
        if entries > self.most:
            raise NotSparseError(f"{what}: {entries:,} derivatives, more than {self.most:,}")


@dataclass(frozen=True, eq=False)
class Pattern:
    """Where a lane lies.

    Attributes
    ----------
    size : int
        Elements of the array.
    rows : numpy.ndarray or None
        Elements covered (m,); None: all of them in order.
    cols : numpy.ndarray
        Coordinates (k, m), or (k, 1) if they are the same for all rows.
    distinct : bool
        No element occurs twice in `rows`.
    """

    size: int
    rows: np.ndarray | None
    cols: np.ndarray
    distinct: bool = True

    @property
    def length(self) -> int:
        """Number of elements covered."""
        return self.size if self.rows is None else len(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the values."""
        return len(self.cols), self.length

    @property
    def uniform(self) -> bool:
        """Whether all rows have the same coordinates."""
        return self.cols.shape[1] == 1

    def all_rows(self) -> np.ndarray:
        """The elements covered, written out."""
        return np.arange(self.size) if self.rows is None else self.rows

    def cols_at(self, at: np.ndarray) -> np.ndarray:
        """Coordinates of a selection of the rows."""
        return self.cols if self.uniform else self.cols[:, at]


class Lane(NamedTuple):
    """Derivatives: `values` has the shape of the pattern, or is one number for all."""

    pattern: Pattern
    values: Any


def in_order(rows: np.ndarray, size: int) -> np.ndarray | None:
    """The rows, or None if they are all in order."""
    return None if len(rows) == size and np.array_equal(rows, np.arange(size)) else rows


def unique(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct keys, and for each key its place among them."""
    if len(keys) < 2 or np.all(keys[1:] > keys[:-1]):
        return keys, np.arange(len(keys))
    top = int(keys.max()) + 1
    if top <= 16 * len(keys):
        present = np.zeros(top, dtype=bool)
        present[keys] = True
        return np.flatnonzero(present), (np.cumsum(present) - 1)[keys]
    found, inverse = np.unique(keys, return_inverse=True)
    return found, inverse.reshape(-1)


def keys_of(pattern: Pattern, rows: np.ndarray, columns: int) -> np.ndarray:
    """One number for each entry (slot by slot): row and column together."""
    return (rows.astype(np.int64) * columns + pattern.cols).reshape(-1)


def _same(a: Pattern, b: Pattern) -> bool:
    if a is b:
        return True
    if a.shape != b.shape or a.size != b.size or a.cols.shape != b.cols.shape:
        return False
    if (a.rows is None) != (b.rows is None):
        return False
    # The first differences are usually at the ends: the rest is not compared then.
    if not np.array_equal(a.cols[:, :8], b.cols[:, :8]):
        return False
    if a.rows is not None and not (a.rows is b.rows or np.array_equal(a.rows, b.rows)):
        return False
    return a.cols is b.cols or np.array_equal(a.cols, b.cols)


# ----- values ------------------------------------------------------------------------------


def take(values: Any, at: np.ndarray | None) -> Any:
    """The columns `at` of values (k, m); a slice or a broadcast where they are one."""
    from jax import lax

    if at is None or isinstance(values, float):
        return values
    k, m = values.shape
    if in_order(at, m) is None:
        return values
    if len(at) == 0:
        return lax.slice_in_dim(values, 0, 0, axis=1)
    first = int(at[0])
    if first == at[-1] and np.all(at == first):
        one = lax.slice_in_dim(values, first, first + 1, axis=1)
        return lax.broadcast_in_dim(one, (k, len(at)), (0, 1))
    step = int(at[1]) - first
    if step > 0 and np.array_equal(at, first + step * np.arange(len(at))):
        return lax.slice_in_dim(values, first, int(at[-1]) + 1, step, axis=1)
    numbers = lax.GatherDimensionNumbers((0,), (1,), (1,))
    return lax.gather(
        values,
        at.astype(np.int32)[:, None],
        numbers,
        (k, 1),
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )


def total(values: Any, at: np.ndarray, count: int, dtype: Any = np.float64) -> Any:
    """Sums of the columns of values (k, m) that go to the same place of `count`."""
    import jax.numpy as jnp
    from jax import lax

    if isinstance(values, float):
        return jnp.asarray((values * np.bincount(at, minlength=count)).astype(dtype)[None])
    k = len(values)
    if k == 1:
        numbers = lax.ScatterDimensionNumbers((), (0,), (0,))
        start, updates = jnp.zeros(count, values.dtype), values[0]
    else:
        numbers = lax.ScatterDimensionNumbers((0,), (1,), (1,))
        start, updates = jnp.zeros((k, count), values.dtype), values
    out = lax.scatter_add(
        start,
        at.astype(np.int32)[:, None],
        updates,
        numbers,
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )
    return out.reshape(k, count)


def along(values: Any, factor: Any, pattern: Pattern) -> Any:
    """Values times a factor for each element (size,), or one for all."""
    import jax.numpy as jnp

    if isinstance(values, float) and values == 1.0:
        return jnp.broadcast_to(at_rows(factor, pattern), pattern.shape)
    return jnp.broadcast_to(values * at_rows(factor, pattern), pattern.shape)


def at_rows(array: Any, pattern: Pattern) -> Any:
    """The elements of an array that the lane covers, to go with its values."""
    return array.reshape(()) if array.size == 1 else take(array.reshape(1, -1), pattern.rows)


# ----- lanes -------------------------------------------------------------------------------


def _flat(lane: Lane, dtype: Any) -> Any:
    import jax.numpy as jnp

    return jnp.broadcast_to(jnp.asarray(lane.values, dtype), lane.pattern.shape).reshape(-1)


def _regular(keys: np.ndarray, size: int, columns: int) -> tuple[Pattern, np.ndarray | None]:
    """The pattern of sorted distinct keys, and the place of each entry in it.

    Where all rows that occur have equally many entries, they become slots of one lane.
    """
    rows, cols = np.divmod(keys, columns)
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    m = len(starts)
    k = len(keys) // m if m else 1
    if m * k == len(keys) and np.array_equal(starts, k * np.arange(m)):
        slots = cols.reshape(m, k).T
        if m > 1 and np.all(slots == slots[:, :1]):
            slots = slots[:, :1]
        here = in_order(rows[starts], size)
        place = None if k == 1 else (np.arange(k) * m + np.arange(m)[:, None]).reshape(-1)
        return Pattern(size, here, np.ascontiguousarray(slots)), place
    return Pattern(size, rows, cols[None], distinct=False), None


def _joined(keys: np.ndarray, values: Any, size: int, space: Space, dtype: Any) -> Lane:
    """One lane from entries (values flat, or one number), those at the same place summed."""
    found, inverse = unique(keys)
    pattern, place = _regular(found, size, space.columns)
    to = inverse if place is None else place[inverse]
    if len(found) == len(keys):
        if not isinstance(values, float):
            order = np.empty(len(keys), dtype=np.int64)
            order[to] = np.arange(len(keys))
            values = take(values.reshape(1, -1), order).reshape(pattern.shape)
        return Lane(pattern, values)
    if not isinstance(values, float):
        values = values.reshape(1, -1)
    return Lane(pattern, total(values, to, len(found), dtype).reshape(pattern.shape))


def collect(lanes: Sequence[Lane], space: Space, dtype: Any = np.float64) -> Lane:
    """All lanes of a tangent as one, without duplicates."""
    import jax.numpy as jnp

    size = lanes[0].pattern.size
    keys = np.concatenate([keys_of(p, p.all_rows(), space.columns) for p, _ in lanes])
    constant = {v if isinstance(v, float) else None for _, v in lanes}
    if len(constant) == 1 and None not in constant:
        return _joined(keys, constant.pop(), size, space, dtype)
    values = [_flat(lane, dtype) for lane in lanes]
    return _joined(keys, jnp.concatenate(values), size, space, dtype)


def merge(lanes: Sequence[Lane], space: Space, dtype: Any = np.float64) -> list[Lane]:
    """The lanes of a sum: those that lie alike are added."""
    out: list[Lane] = []
    for lane in lanes:
        if lane.pattern.cols.size == 0 or lane.pattern.length == 0:
            continue
        for i, (pattern, values) in enumerate(out):
            if _same(pattern, lane.pattern):
                out[i] = Lane(pattern, values + lane.values)
                break
        else:
            out.append(lane)
    space.check(sum(k * m for k, m in (lane.pattern.shape for lane in out)), "a tangent")
    return [collect(out, space, dtype)] if len(out) > _MOST_LANES else out


def restrict(lane: Lane, keep: np.ndarray) -> Lane:
    """What lies on the elements marked in `keep` (size,)."""
    pattern = lane.pattern
    at = np.flatnonzero(keep if pattern.rows is None else keep[pattern.rows])
    if len(at) == pattern.length:
        return lane
    rows = at if pattern.rows is None else pattern.rows[at]
    values = take(lane.values, at)
    return Lane(Pattern(pattern.size, rows, pattern.cols_at(at), pattern.distinct), values)


def pick(lane: Lane, source: np.ndarray, space: Space) -> Lane:
    """The tangent of an array whose elements are those at `source` (-1: a constant)."""
    pattern, size = lane.pattern, len(source)
    if size == pattern.size and in_order(source, size) is None:
        return lane
    if pattern.distinct:
        if pattern.rows is None:
            at = source
        else:
            where = np.full(pattern.size + 1, -1)
            where[pattern.rows] = np.arange(pattern.length)
            at = where[source]
        rows = None
        if at.size and at.min() < 0:
            rows = np.flatnonzero(at >= 0)
            at = at[rows]
        space.check(len(at) * len(pattern.cols), "a selection")
        values = take(lane.values, at)
        return Lane(Pattern(size, rows, pattern.cols_at(at)), values)
    order = np.argsort(pattern.all_rows(), kind="stable")
    count = np.bincount(pattern.all_rows(), minlength=pattern.size + 1)
    start = np.cumsum(count) - count
    each = np.where(source < 0, 0, count[source])
    space.check(int(each.sum()) * len(pattern.cols), "a selection")
    rows = np.repeat(np.arange(size), each)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(each) - each, each)
    at = order[np.repeat(start[source], each) + within]
    values = take(lane.values, at)
    return Lane(Pattern(size, rows, pattern.cols_at(at), distinct=False), values)


def push(
    lane: Lane, target: np.ndarray, size: int, space: Space, *, injective: bool, dtype: Any
) -> Lane:
    """The tangent of an array to whose element ``target[i]`` element i is added (-1: none)."""
    import jax.numpy as jnp

    pattern = lane.pattern
    values: Any = lane.values
    to = target if pattern.rows is None else target[pattern.rows]
    if to.size and to.min() < 0:
        at = np.flatnonzero(to >= 0)
        to = to[at]
        values = take(values, at)
        pattern = Pattern(len(at), None, pattern.cols_at(at), pattern.distinct)
    if injective and pattern.distinct:
        return Lane(Pattern(size, in_order(to, size), pattern.cols), values)
    if pattern.uniform and pattern.length > 1 and len(pattern.cols) > 1:
        # The same coordinates everywhere: the slots are summed side by side.
        found, inverse = unique(to)
        if len(found) < len(to):
            sums = total(values, inverse, len(found), dtype)
            sums = jnp.broadcast_to(sums, (len(pattern.cols), len(found)))
            return Lane(Pattern(size, in_order(found, size), pattern.cols), sums)
        return Lane(Pattern(size, in_order(to, size), pattern.cols), values)
    keys = keys_of(pattern, to, space.columns)
    if not isinstance(values, float):
        values = values.reshape(-1)
    return _joined(keys, values, size, space, dtype)
