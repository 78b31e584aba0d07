"""Rules of sparse forward differentiation: the tangent of an operation's outputs.

Each rule takes the operation, the arrays it is applied to (traced), and the lanes of those that
depend on the coordinates; it returns the lanes of each output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.objective.sparse_known import Known
from pymle.objective.sparse_lanes import (
    Lane,
    Pattern,
    Space,
    along,
    at_rows,
    keys_of,
    merge,
    pick,
    push,
    restrict,
    take,
)
from pymle.objective.sparse_places import Route, positions

__all__ = ["FLAT", "Operation", "cumulate", "elementwise", "is_elementwise", "move", "through"]

_NAMES = """
    abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil
    clamp convert_element_type copy copy_p cos cosh digamma div eq erf erf_inv erfc exp exp2 expm1
    floor ge gt igamma igamma_grad_a igammac integer_pow is_finite le lgamma log log1p log2
    logistic lt max min mul ne neg nextafter not one_minus_square or polygamma polynomial pow
    random_gamma_grad reduce_precision regularized_incomplete_beta rem round rsqrt select_n sign
    sin sinh sqrt square stop_gradient sub tan tanh xor zeta
"""
#: Primitives of JAX that do the same to every element.
ELEMENTWISE = frozenset(_NAMES.split())
_NO_SLOPE = """
    argmax argmin ceil floor is_finite iota nextafter round sign stop_gradient
"""
#: Operations without a derivative, or with the derivative zero.
FLAT = frozenset(_NO_SLOPE.split())
_SAME = frozenset({"add", "add_any", "copy", "copy_p", "convert_element_type", "reduce_precision"})
#: Operations that call programs of their own, element by element if those are.
_CALLS = frozenset({"jit", "pjit", "closed_call", "custom_jvp_call", "while", "scan"})


@dataclass(frozen=True)
class Operation:
    """One operation of a program with what it is applied to.

    Attributes
    ----------
    equation : JaxprEqn
    arrays : list of array
        Operands, traced.
    lanes : list of list of Lane
        Tangents of the operands; empty where an operand does not depend.
    known : list of Known or None
        Values that are known, and may be taken to stay.
    space : Space
    """

    equation: Any
    arrays: list[Any]
    lanes: list[list[Lane]]
    known: list[Known | None]
    space: Space

    @property
    def name(self) -> str:
        """The primitive's name."""
        return self.equation.primitive.name

    def bind(self, *arrays: Any) -> list[Any]:
        """The outputs for other operands."""
        primitive = self.equation.primitive
        out = primitive.bind(*arrays, **primitive.get_bind_params(self.equation.params))
        return list(out) if primitive.multiple_results else [out]

    @property
    def outputs(self) -> list[Any]:
        """Shapes and types of the outputs."""
        return [v.aval for v in self.equation.outvars]


def _floating(aval: Any) -> bool:
    return np.issubdtype(aval.dtype, np.floating)


# ----- element by element ------------------------------------------------------------------


def is_elementwise(equation: Any) -> bool:
    """Whether element i of each output depends on element i of each operand only."""
    shapes = [v.aval.shape for v in (*equation.invars, *equation.outvars)]
    shape = max(shapes, key=lambda s: (len(s), int(np.prod(s))))
    floats = [v.aval for v in equation.outvars if _floating(v.aval)]
    if not floats or any(aval.shape != shape for aval in floats):
        return False
    if equation.primitive.name in ELEMENTWISE:
        return all(_stretches(s, shape) for s in shapes)
    return _local(equation, shape)


def _stretches(small: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an operand is repeated along axes of length one: JAX's operations do that."""
    if small == ():
        return True
    return len(small) == len(shape) and all(a in (1, b) for a, b in zip(small, shape, strict=True))


def _local(equation: Any, shape: tuple[int, ...]) -> bool:
    name, params = equation.primitive.name, equation.params
    fits = all(v.aval.shape in ((), shape) for v in (*equation.invars, *equation.outvars))
    if not fits:
        return False
    if name in ELEMENTWISE:
        return True
    if name == "broadcast_in_dim":
        return equation.invars[0].aval.shape == ()
    if name not in _CALLS:
        return False
    inner = params.get("body_jaxpr", params.get("jaxpr", params.get("call_jaxpr")))
    inner = getattr(inner, "jaxpr", inner)
    if name == "scan" and not _carries(equation, inner):
        return False
    return all(_local(e, shape) for e in inner.eqns)


def _carries(equation: Any, inner: Any) -> bool:
    """Whether a loop hands everything on as it is: it takes nothing apart and stacks nothing."""
    outside, inside = ([v.aval.shape for v in (*j.invars, *j.outvars)] for j in (equation, inner))
    return outside == inside


def elementwise(op: Operation) -> list[list[Lane]]:
    """Tangents of an elementwise operation: each lane times the derivative at its elements."""
    import jax.numpy as jnp

    out: list[list[Lane]] = [[] for _ in op.outputs]
    shape = next(aval.shape for aval in op.outputs if _floating(aval))
    for i, lanes in enumerate(op.lanes):
        if not lanes:
            continue
        if op.arrays[i].shape != shape:
            source = np.broadcast_to(positions(op.arrays[i].shape), shape).reshape(-1)
            lanes = [pick(lane, source, op.space) for lane in lanes]
        if op.name == "select_n":
            out[0] += _selected(op, i, lanes)
            continue
        factors = [
            jnp.broadcast_to(f, shape) if hasattr(f, "size") and f.size > 1 else f
            for f in _factors(op, i)
        ]
        if op.name == "mul":
            lanes = _where_not_zero(op.known[1 - i], lanes)
        for j, factor in enumerate(factors):
            if factor is None:
                continue
            for lane in lanes:
                values = lane.values
                if isinstance(factor, float):
                    values = values * factor
                elif op.name == "div" and i == 0:
                    values = along(values, 1.0 / factor, lane.pattern)
                else:
                    values = along(values, factor, lane.pattern)
                if not isinstance(values, float):
                    values = values.astype(op.outputs[j].dtype)
                out[j].append(Lane(lane.pattern, values))
    return [merge(lanes, op.space, aval.dtype) for lanes, aval in zip(out, op.outputs, strict=True)]


def _factors(op: Operation, i: int) -> list[Any]:
    """Derivative of each output with respect to operand i: an array, a number, or None."""
    import jax
    import jax.numpy as jnp

    if op.name in _SAME:
        return [1.0]
    if op.name == "neg":
        return [-1.0]
    if op.name == "sub":
        return [1.0 if i == 0 else -1.0]
    if op.name == "mul":
        return [op.arrays[1 - i]]
    if op.name == "div" and i == 0:
        return [op.arrays[1]]

    def function(z: Any) -> list[Any]:
        return op.bind(*op.arrays[:i], z, *op.arrays[i + 1 :])

    tangents = jax.jvp(function, (op.arrays[i],), (jnp.ones_like(op.arrays[i]),))[1]
    return [
        jnp.broadcast_to(t, aval.shape) if _floating(aval) else None
        for t, aval in zip(tangents, op.outputs, strict=True)
    ]


def _selected(op: Operation, i: int, lanes: list[Lane]) -> list[Lane]:
    """Where case i is the one selected; never a product, which could be zero times infinity."""
    import jax.numpy as jnp

    which, known = op.arrays[0], op.known[0]
    if which.dtype == bool:
        chosen = which if i == 2 else ~which
    else:
        chosen = which == i - 1
    if chosen.size > 1:
        chosen = jnp.broadcast_to(chosen, op.outputs[0].shape)
    elsewhere = {id(a.pattern) for j, other in enumerate(op.lanes) if j != i for a in other}
    out = []
    for lane in lanes:
        if known is not None and known.structural and id(lane.pattern) not in elsewhere:
            here = np.broadcast_to(known.value == i - 1, op.outputs[0].shape).reshape(-1)
            # Few of the elements: the rest is left out. Otherwise regular lanes are quicker.
            if 2 * np.count_nonzero(here) <= len(here):
                out.append(restrict(lane, here))
                continue
        there = jnp.broadcast_to(at_rows(chosen, lane.pattern), lane.pattern.shape)
        out.append(Lane(lane.pattern, jnp.where(there, lane.values, 0.0)))
    return out


def _where_not_zero(known: Known | None, lanes: list[Lane]) -> list[Lane]:
    """Without the elements that a known factor makes zero, where those are most."""
    if known is None or not known.structural or known.value.size != lanes[0].pattern.size:
        return lanes
    here = known.value.reshape(-1) != 0
    few = 2 * np.count_nonzero(here) <= len(here)
    return [restrict(lane, here) for lane in lanes] if few else lanes


# ----- moving and adding -------------------------------------------------------------------


def move(op: Operation, paths: list[list[Route]]) -> list[list[Lane]]:
    """Tangents of an operation that moves elements or adds them."""
    out = []
    for aval, found in zip(op.outputs, paths, strict=True):
        size, lanes = int(np.prod(aval.shape)), []
        for route in found:
            for lane in op.lanes[route.operand]:
                if route.source is not None:
                    lanes.append(pick(lane, route.source, op.space))
                else:
                    assert route.target is not None
                    pushed = push(
                        lane,
                        route.target,
                        size,
                        op.space,
                        injective=route.injective,
                        dtype=aval.dtype,
                    )
                    lanes.append(pushed)
        out.append(merge(lanes, op.space, aval.dtype))
    return out


# ----- through the columns that are there ----------------------------------------------------


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
        return [a for a, aval in zip(out, op.outputs, strict=True) if _floating(aval)]

    primals = tuple(op.arrays[i] for i in dependent)
    tangents = iter(jax.vmap(lambda *t: jax.jvp(function, primals, t)[1])(*seeds))
    table = np.full((width, fibres.count), -1)
    table[slot, fibre] = column
    return [
        [_lane(next(tangents).reshape(width, -1), table, where)] if _floating(aval) else []
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
