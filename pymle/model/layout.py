"""Which entry of which variable sits where: names, shapes, labels, vectors.

Two vectors describe a point: the *natural* one holds every entry of every parameter in
declaration order, the *unconstrained* one what the optimiser moves (fixed entries have no
place in it; a simplex of four has three).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import xarray as xr

from pymle.errors import PointError
from pymle.model.supports import Support


@dataclass(frozen=True)
class Block:
    """One parameter's place in both vectors.

    Attributes
    ----------
    name : str
    support : Support
    shape : tuple of int
        Natural shape.
    inner_shape : tuple of int
        Shape on the unconstrained scale, before entries are fixed.
    dims : tuple of (str or None)
        One per axis.
    labels : tuple of str
        One per natural entry, such as ``beta[x1]``.
    fixed : numpy.ndarray of bool
        Flat over the natural entries: held at a given value.
    natural : slice
        Place in the natural vector.
    free : slice
        Place in the unconstrained vector.
    """

    name: str
    support: Support
    shape: tuple[int, ...]
    inner_shape: tuple[int, ...]
    dims: tuple[str | None, ...]
    labels: tuple[str, ...]
    fixed: np.ndarray
    natural: slice
    free: slice

    @property
    def size(self) -> int:
        """Number of natural entries."""
        return self.natural.stop - self.natural.start

    @property
    def wholly_fixed(self) -> bool:
        """Whether no entry is estimated."""
        return bool(self.fixed.all()) and self.fixed.size > 0


@dataclass(frozen=True)
class Layout:
    """All blocks, in declaration order."""

    blocks: tuple[Block, ...]
    coords: Mapping[str, tuple[Any, ...]]

    @property
    def size(self) -> int:
        """Length of the unconstrained vector."""
        return self.blocks[-1].free.stop if self.blocks else 0

    @property
    def natural_size(self) -> int:
        """Length of the natural vector."""
        return self.blocks[-1].natural.stop if self.blocks else 0

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Labels of the natural vector."""
        return tuple(label for block in self.blocks for label in block.labels)

    @cached_property
    def fixed(self) -> np.ndarray:
        """Which natural entries are held."""
        if not self.blocks:
            return np.zeros(0, dtype=bool)
        return np.concatenate([block.fixed for block in self.blocks])

    @cached_property
    def free_labels(self) -> tuple[str, ...]:
        """One label per unconstrained coordinate.

        Where entries constrain each other the coordinates are those of single entries (of a
        Cholesky factor, of correlations), steps between entries (``cut[1] - cut[0]``), or, where
        they belong to none, numbered.
        """
        out: list[str] = []
        for block in self.blocks:
            if block.wholly_fixed:
                continue
            if block.support.elementwise:
                out += [
                    lab for lab, held in zip(block.labels, block.fixed, strict=True) if not held
                ]
            else:
                out += _coordinate_labels(block)
        return tuple(out)

    def block(self, name: str) -> Block:
        """The block of a variable."""
        for block in self.blocks:
            if block.name == name:
                return block
        raise PointError.unknown("name", name, [b.name for b in self.blocks])

    def to_natural(self, point: Mapping[str, Any]) -> np.ndarray:
        """Natural vector of a complete natural-scale point."""
        missing = [block.name for block in self.blocks if block.name not in point]
        if missing:
            raise PointError.incomplete(missing)
        parts = []
        for block in self.blocks:
            value = np.asarray(point[block.name], dtype=np.float64)
            if value.shape != block.shape:
                raise PointError.wrong_shape("point", block.name, value.shape, block.shape)
            parts.append(value.ravel())
        return np.concatenate(parts) if parts else np.zeros(0)

    def to_point(self, natural: np.ndarray) -> dict[str, np.ndarray]:
        """Natural-scale point by variable name."""
        return {b.name: np.array(natural[b.natural]).reshape(b.shape) for b in self.blocks}


def _coordinate_labels(block: Block) -> list[str]:
    """Labels of the coordinates of a variable whose entries constrain each other."""
    count, labels, kind = block.free.stop - block.free.start, block.labels, block.support.kind
    if kind == "cholesky" and count == block.size:
        return list(labels)  # the diagonal on a log scale, the rest as it is
    if kind == "ordered" and count == block.size:
        last = block.shape[-1]  # the first entry, then logs of steps
        rows = [labels[at : at + last] for at in range(0, count, last)]
        return [x for row in rows for x in (row[0], *(f"{b} - {a}" for a, b in pairwise(row)))]
    n = round((1 + np.sqrt(1 + 8 * count)) / 2)
    below = [(i, j) for i in range(1, n) for j in range(i)]
    transform = type(block.support.transform).__name__ if len(below) == count else ""
    if transform == "PackedCorrelationTransform" and block.size == count:
        place = {(i, j): at for at, (i, j) in enumerate(combinations(range(n), 2))}
        return [labels[place[j, i]] for i, j in below]
    if transform == "CorrelationFactorTransform" and block.size == n * n:
        return [labels[i * n + j] for i, j in below]
    return [f"{block.name} (coordinate {i})" for i in range(count)]


def make_layout(
    names: Sequence[str],
    supports: Mapping[str, Support],
    shapes: Mapping[str, tuple[int, ...]],
    inner_shapes: Mapping[str, tuple[int, ...]],
    dims: Mapping[str, Sequence[str | None]],
    coords: Mapping[str, tuple[Any, ...]],
    held: Mapping[str, np.ndarray],
) -> Layout:
    """Lay parameters out in both vectors.

    Parameters
    ----------
    names : sequence of str
    supports, shapes, inner_shapes, dims : mappings by name
    coords : mapping of dim to labels
    held : mapping of name to flat bool array
        Natural entries that are fixed; missing names have none.

    Returns
    -------
    Layout

    Raises
    ------
    PointError
        Single entries of a variable whose entries constrain each other are fixed.
    """
    blocks: list[Block] = []
    natural = free = 0
    for name in names:
        shape, support = shapes[name], supports[name]
        size = int(np.prod(shape, dtype=int))
        fixed = np.asarray(held.get(name, np.zeros(size, dtype=bool)))
        if fixed.any() and not fixed.all() and not support.elementwise:
            raise PointError.not_single(name, support.text)
        inner = int(np.prod(inner_shapes[name], dtype=int))
        count = int((~fixed).sum()) if support.elementwise else (0 if fixed.any() else inner)
        own_dims = tuple(dims.get(name) or ()) or (None,) * len(shape)
        blocks.append(
            Block(
                name=name,
                support=support,
                shape=shape,
                inner_shape=inner_shapes[name],
                dims=own_dims,
                labels=entry_labels(name, shape, own_dims, coords),
                fixed=fixed,
                natural=slice(natural, natural + size),
                free=slice(free, free + count),
            )
        )
        natural, free = natural + size, free + count
    return Layout(tuple(blocks), dict(coords))


def entry_labels(
    name: str,
    shape: Sequence[int],
    dims: Sequence[str | None],
    coords: Mapping[str, Sequence[Any]],
) -> tuple[str, ...]:
    """Labels of the entries of an array, as ArviZ writes them.

    Parameters
    ----------
    name : str
    shape : sequence of int
    dims : sequence of (str or None), one per axis
    coords : mapping of dim to coordinate labels

    Returns
    -------
    tuple of str
        ``("beta[a, x1]", ...)`` in C order; a position where the dim has no coords.
    """
    if not shape:
        return (name,)
    axes = []
    for length, dim in zip(shape, dims, strict=True):
        given = coords.get(dim) if dim is not None else None
        usable = given is not None and len(given) == length
        axes.append([str(c) for c in given] if usable else [str(i) for i in range(length)])
    return tuple(
        f"{name}[{', '.join(axis[i] for axis, i in zip(axes, index, strict=True))}]"
        for index in np.ndindex(*shape)
    )


def entry_bounds(
    block: Block, bounds: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds that every single entry of a block has by itself, flat.

    Parameters
    ----------
    block : Block
    bounds : pair of numpy.ndarray
        Those of an elementwise support.

    Returns
    -------
    lower, upper : numpy.ndarray, shape (size,)
    """
    if block.support.elementwise:
        return bounds[0].ravel(), bounds[1].ravel()
    low, high = np.full(block.size, -np.inf), np.full(block.size, np.inf)
    if block.support.kind == "simplex":
        low, high = np.zeros(block.size), np.ones(block.size)
    elif block.support.kind == "correlation":
        low, high = -np.ones(block.size), np.ones(block.size)
    elif block.support.kind == "cholesky":
        low[diagonal_of_packed(block.shape)] = 0.0
    elif block.support.kind == "covariance":
        low.reshape(block.shape)[..., range(block.shape[-1]), range(block.shape[-1])] = 0.0
    return low, high


def diagonal_of_packed(shape: Sequence[int]) -> np.ndarray:
    """Flat positions of the diagonal in packed lower triangles along the last axis."""
    packed = shape[-1]
    order = int((np.sqrt(8 * packed + 1) - 1) / 2)
    inside = np.cumsum(np.arange(1, order + 1)) - 1
    starts = np.arange(0, int(np.prod(shape, dtype=int)), packed)
    return (starts[:, None] + inside).ravel()


def label_array(
    name: str,
    value: np.ndarray,
    dims: Sequence[str | None],
    coords: Mapping[str, Sequence[Any]],
) -> xr.DataArray:
    """An array with dims and coords, as far as they fit; other axes are numbered by name.

    Parameters
    ----------
    name : str
    value : numpy.ndarray
    dims : sequence of (str or None)
    coords : mapping of dim to coordinate labels

    Returns
    -------
    xarray.DataArray
    """
    named = [dim if dim else f"{name}_dim_{i}" for i, dim in enumerate(dims)]
    named += [f"{name}_dim_{i}" for i in range(len(named), value.ndim)]
    used = {
        dim: list(coords[dim])
        for dim, length in zip(named, value.shape, strict=True)
        if dim in coords and len(coords[dim]) == length
    }
    return xr.DataArray(value, dims=named, coords=used, name=name)
