"""Operations that move elements or add them up: which element goes where, as NumPy indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["MOVING", "Route", "positions", "routes"]


@dataclass(frozen=True)
class Route:
    """How the elements of one operand reach an output.

    Attributes
    ----------
    operand : int
    source : numpy.ndarray or None
        For each element of the output the operand's element that it is; -1 for none.
    target : numpy.ndarray or None
        For each element of the operand the output's element that it is added to; -1 for none.
    injective : bool
        No two elements have the same target.
    """

    operand: int
    source: np.ndarray | None = None
    target: np.ndarray | None = None
    injective: bool = False


#: What to ask for an operand's value: None where it is not known.
Reader = Callable[[int], np.ndarray | None]


def positions(shape: Sequence[int]) -> np.ndarray:
    """Flat positions in an array of this shape."""
    return np.arange(int(np.prod(shape))).reshape(shape)


def routes(equation: Any, shapes: Sequence[tuple[int, ...]], read: Reader) -> list | None:
    """Routes for each output of a moving operation; None where indices are not known.

    Parameters
    ----------
    equation : JaxprEqn
    shapes : sequence of tuple of int
        Shapes of the operands.
    read : callable
        Value of an operand known when the program is planned, or None.

    Returns
    -------
    list of list of Route or None
    """
    found = MOVING[equation.primitive.name](equation, shapes, read)
    if found is None or (found and isinstance(found[0], list)):
        return found
    return [found]


def _picked(source: np.ndarray) -> list[Route]:
    return [Route(0, source=source.reshape(-1))]


def _broadcast(equation: Any, shapes: Any, _read: Reader) -> list[Route]:
    shape, places = equation.params["shape"], equation.params["broadcast_dimensions"]
    lengths = [1] * len(shape)
    for place, length in zip(places, shapes[0], strict=True):
        lengths[place] = length
    return _picked(np.broadcast_to(positions(shapes[0]).reshape(lengths), shape))


def _as_it_is(equation: Any, shapes: Any, _read: Reader) -> list[Route] | None:
    if equation.params.get("dimensions") is not None and equation.primitive.name == "reshape":
        return None
    return _picked(positions(shapes[0]))


def _transpose(equation: Any, shapes: Any, _read: Reader) -> list[Route]:
    return _picked(positions(shapes[0]).transpose(equation.params["permutation"]))


def _rev(equation: Any, shapes: Any, _read: Reader) -> list[Route]:
    return _picked(np.flip(positions(shapes[0]), equation.params["dimensions"]))


def _slice(equation: Any, shapes: Any, _read: Reader) -> list[Route]:
    p = equation.params
    steps = p["strides"] or [1] * len(shapes[0])
    cut = tuple(map(slice, p["start_indices"], p["limit_indices"], steps))
    return _picked(positions(shapes[0])[cut])


def _starts(indices: list[Any], shape: Sequence[int], sizes: Sequence[int]) -> list[int] | None:
    if any(i is None for i in indices):
        return None
    limits = zip(indices, shape, sizes, strict=True)
    return [int(np.clip(int(i), 0, n - size)) for i, n, size in limits]


def _dynamic_slice(equation: Any, shapes: Any, read: Reader) -> list[Route] | None:
    sizes = equation.params["slice_sizes"]
    starts = _starts([read(i) for i in range(1, len(shapes))], shapes[0], sizes)
    if starts is None:
        return None
    cut = tuple(slice(a, a + n) for a, n in zip(starts, sizes, strict=True))
    return _picked(positions(shapes[0])[cut])


def _dynamic_update(_equation: Any, shapes: Any, read: Reader) -> list[Route] | None:
    starts = _starts([read(i) for i in range(2, len(shapes))], shapes[0], shapes[1])
    if starts is None:
        return None
    kept = positions(shapes[0])
    cut = tuple(slice(a, a + n) for a, n in zip(starts, shapes[1], strict=True))
    target = kept[cut].flatten()
    kept[cut] = -1
    return [Route(0, source=kept.reshape(-1)), Route(1, target=target, injective=True)]


def _split(equation: Any, shapes: Any, _read: Reader) -> list[list[Route]]:
    ends = np.cumsum(equation.params["sizes"])[:-1]
    parts = np.split(positions(shapes[0]), ends, equation.params["axis"])
    return [_picked(part) for part in parts]


def _concatenate(equation: Any, shapes: Any, _read: Reader) -> list[Route]:
    axis = equation.params["dimension"]
    whole = list(shapes[0])
    lengths = [shape[axis] for shape in shapes]
    whole[axis] = sum(lengths)
    parts = np.split(positions(whole), np.cumsum(lengths)[:-1], axis)
    return [Route(i, target=part.reshape(-1), injective=True) for i, part in enumerate(parts)]


def _stack(equation: Any, shapes: Any, _read: Reader) -> list[Route]:
    axis = equation.params["axis"]
    whole = list(shapes[0])
    whole.insert(axis, len(shapes))
    parts = np.moveaxis(positions(whole), axis, 0)
    return [Route(i, target=part.reshape(-1), injective=True) for i, part in enumerate(parts)]


def _unstack(equation: Any, shapes: Any, _read: Reader) -> list[list[Route]]:
    parts = np.moveaxis(positions(shapes[0]), equation.params["axis"], 0)
    return [_picked(part) for part in parts]


def _tile(equation: Any, shapes: Any, _read: Reader) -> list[Route]:
    return _picked(np.tile(positions(shapes[0]), equation.params["reps"]))


def _each(_equation: Any, shapes: Any, _read: Reader) -> list[list[Route]]:
    return [[Route(i, source=positions(shape).reshape(-1))] for i, shape in enumerate(shapes)]


def _pad(equation: Any, shapes: Any, _read: Reader) -> list[Route]:
    source = positions(shapes[0])
    for axis, (low, high, inner) in enumerate(equation.params["padding_config"]):
        length = source.shape[axis]
        spread = list(source.shape)
        spread[axis] = length + max(length - 1, 0) * inner
        wide = np.full(spread, -1)
        wide[(slice(None),) * axis + (slice(None, None, inner + 1),)] = source
        margins = [(0, 0)] * source.ndim
        margins[axis] = (max(low, 0), max(high, 0))
        wide = np.pad(wide, margins, constant_values=-1)
        cut = slice(max(-low, 0), wide.shape[axis] - max(-high, 0))
        source = wide[(slice(None),) * axis + (cut,)]
    flat = source.reshape(-1)
    return [Route(0, source=flat), Route(1, source=np.where(flat < 0, 0, -1))]


def _reduce_sum(equation: Any, shapes: Any, _read: Reader) -> list[Route]:
    axes = equation.params["axes"]
    kept = [1 if d in axes else n for d, n in enumerate(shapes[0])]
    target = np.broadcast_to(positions(kept), shapes[0]).reshape(-1)
    return [Route(0, target=target, injective=len(target) == int(np.prod(kept)))]


def _windows(
    shape: Sequence[int],
    indices: np.ndarray,
    sizes: Sequence[int],
    *,
    window: Sequence[int],
    dropped: Sequence[int],
    mapped: Sequence[int],
    batching: Sequence[int],
    index_batching: Sequence[int],
    clip: bool,
) -> np.ndarray:
    """Positions in the operand of all elements of all windows, in the windows' own layout.

    `window` are the dimensions of the result that run through a window; the others run
    through the indices. -1 where a window leaves the operand and is not moved back.
    """
    outer = indices.shape[:-1]
    within = [d for d in range(len(shape)) if d not in dropped and d not in batching]
    ndim = len(outer) + len(within)
    outer_dims = [d for d in range(ndim) if d not in window]
    strides = np.cumprod([1, *shape[:0:-1]])[::-1]

    def placed(array: np.ndarray, dims: Sequence[int]) -> np.ndarray:
        lengths = [1] * ndim
        for d, n in zip(dims, array.shape, strict=True):
            lengths[d] = n
        return array.reshape(lengths)

    start = np.zeros(outer, dtype=np.int64)
    inside = np.ones(outer, dtype=bool)
    for k, d in enumerate(mapped):
        at, last = indices[..., k].astype(np.int64), shape[d] - sizes[d]
        if clip:
            at = np.clip(at, 0, last)
        else:
            good = (at >= 0) & (at <= last)
            inside &= good
            at = np.where(good, at, 0)
        start += at * strides[d]
    for d, b in zip(batching, index_batching, strict=True):
        lengths = [1] * len(outer)
        lengths[b] = outer[b]
        start = start + strides[d] * np.arange(outer[b]).reshape(lengths)
    out = placed(start, outer_dims)
    for place, d in zip(window, within, strict=True):
        out = out + placed(np.arange(sizes[d]) * strides[d], [place])
    return np.where(placed(inside, outer_dims), out, -1)


def _clips(mode: Any) -> bool:
    # What is promised to be in bounds is moved there by XLA otherwise.
    return not any(word in str(mode).upper() for word in ("FILL", "ONE_HOT"))


def _gather(equation: Any, shapes: Any, read: Reader) -> list[Route] | None:
    indices = read(1)
    if indices is None:
        return None
    p, numbers = equation.params, equation.params["dimension_numbers"]
    source = _windows(
        shapes[0],
        indices,
        p["slice_sizes"],
        window=numbers.offset_dims,
        dropped=numbers.collapsed_slice_dims,
        mapped=numbers.start_index_map,
        batching=numbers.operand_batching_dims,
        index_batching=numbers.start_indices_batching_dims,
        clip=_clips(p["mode"]),
    )
    return _picked(source)


def _scattered(equation: Any, shapes: Any, read: Reader) -> np.ndarray | None:
    indices = read(1)
    if indices is None:
        return None
    numbers = equation.params["dimension_numbers"]
    dropped, batching = numbers.inserted_window_dims, numbers.operand_batching_dims
    lengths = iter([shapes[2][d] for d in numbers.update_window_dims])
    skipped = (*dropped, *batching)
    sizes = [1 if d in skipped else next(lengths) for d in range(len(shapes[0]))]
    target = _windows(
        shapes[0],
        indices,
        sizes,
        window=numbers.update_window_dims,
        dropped=dropped,
        mapped=numbers.scatter_dims_to_operand_dims,
        batching=batching,
        index_batching=numbers.scatter_indices_batching_dims,
        clip=_clips(equation.params["mode"]),
    )
    return np.broadcast_to(target, shapes[2]).reshape(-1)


def _injective(target: np.ndarray, size: int) -> bool:
    used = target[target >= 0]
    return len(used) <= size and (len(used) < 2 or int(np.bincount(used).max()) == 1)


def _scatter_add(equation: Any, shapes: Any, read: Reader) -> list[Route] | None:
    target = _scattered(equation, shapes, read)
    if target is None:
        return None
    size = int(np.prod(shapes[0]))
    return [
        Route(0, source=np.arange(size)),
        Route(2, target=target, injective=_injective(target, size)),
    ]


def _scatter(equation: Any, shapes: Any, read: Reader) -> list[Route] | None:
    target = _scattered(equation, shapes, read)
    kept = np.arange(int(np.prod(shapes[0])))
    if target is None or not _injective(target, len(kept)):
        # Which of several updates of one element lasts is left to JAX.
        return None
    kept[target[target >= 0]] = -1
    return [Route(0, source=kept), Route(2, target=target, injective=True)]


#: Rules by primitive.
MOVING: dict[str, Callable[[Any, Any, Reader], Any]] = {
    "broadcast_in_dim": _broadcast,
    "reshape": _as_it_is,
    "squeeze": _as_it_is,
    "expand_dims": _as_it_is,
    "transpose": _transpose,
    "rev": _rev,
    "slice": _slice,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update,
    "split": _split,
    "stack": _stack,
    "unstack": _unstack,
    "tile": _tile,
    "device_put": _each,
    "name": _each,
    "optimization_barrier": _each,
    "concatenate": _concatenate,
    "pad": _pad,
    "reduce_sum": _reduce_sum,
    "gather": _gather,
    "scatter-add": _scatter_add,
    "scatter_add": _scatter_add,
    "scatter": _scatter,
}
