"""A program over many rows as a sum over blocks of rows that stay in the processor's cache.

Nearly all log-likelihoods are sums over observations, and so are their scores and Hessians. Over
a million rows their intermediate arrays go through memory once per operation and tangent, which
takes most of the time. Here the traced program is read operation by operation: what lies along
the rows is cut to a block, what is summed over the rows becomes a partial sum, and only what
passes through such sums linearly afterwards is accepted. So the sum over all blocks is the
program itself, by construction; a program that cannot be read in this way is left as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["NotRowwiseError", "block_program"]

#: Entries (rows times coordinates) of a block: a few arrays of them stay in a core's cache.
_ENTRIES = 160_000
#: Fewest and most rows of a block.
_FEWEST, _MOST = 512, 16_384
#: Entries of what does not depend on rows, and is computed again in every block.
_REPEATED = 1000

#: Primitives of JAX that do the same to every entry.
_NAMES = """
    abs acos acosh add and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil clamp
    convert_element_type copy cos cosh digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt
    igamma igammac integer_pow is_finite le lgamma log log1p logistic lt max min mul ne neg
    nextafter not or polygamma pow regularized_incomplete_beta rem round rsqrt select_n sign sin
    sinh sqrt square stop_gradient sub tan tanh xor zeta
"""
_ELEMENTWISE = frozenset(_NAMES.split())
_INLINED = ("jit", "pjit", "closed_call", "core_call")


class NotRowwiseError(Exception):
    """The program is no sum over rows, as far as this module can tell."""


@dataclass(frozen=True)
class _Value:
    """A value inside a block.

    `axis` is the axis that lies along the rows, None for what is the same in all blocks;
    `partial` marks a sum over the block's rows.
    """

    array: Any
    axis: int | None = None
    partial: bool = False

    @property
    def same(self) -> bool:
        return self.axis is None and not self.partial


@dataclass
class _Block:
    """A block of `rows` out of `total` rows, being evaluated.

    `most` entries may be computed anew in every block; `conditions` are taken to hold.
    """

    total: int
    rows: int
    first: Any
    most: int
    conditions: list[Any] = field(default_factory=list)

    def part(self, value: _Value) -> _Value:
        """A value as a partial sum: what does not depend on rows counts in the first block."""
        import jax.numpy as jnp

        if value.partial:
            return value
        if value.axis is not None:
            raise NotRowwiseError("rows where a sum over rows is expected")
        array = jnp.asarray(value.array)
        return _Value(jnp.where(self.first, array, jnp.zeros_like(array)), partial=True)


def block_program(
    call: Callable[..., tuple], held: Any, weights: Sequence[Any], data: Sequence[Any], size: int
) -> Callable[..., Any]:
    """Value, score and Hessian of a lowered log-likelihood, block by block.

    Parameters
    ----------
    call : callable
        ``(x, held, weights, data) -> (value, score, ...)``, traceable by JAX.
    held : array
    weights, data : sequence of array
        Those with as many rows as the longest are cut into blocks.
    size : int
        Length of ``x``.

    Returns
    -------
    callable
        ``(x, held, weights, data) -> (value, score, hessian, exact)`` for arrays of the same
        shapes. Where ``exact`` is false some check over all rows has failed (a probability
        outside of its range, say): the numbers mean nothing then, and the program itself
        has to be asked.

    Raises
    ------
    NotRowwiseError
        If the program cannot be read as a sum over rows.
    """
    import jax
    import jax.numpy as jnp

    arrays = (*weights, *data)
    total = max((a.shape[0] for a in arrays if np.ndim(a)), default=0)
    cut = [bool(np.ndim(a)) and a.shape[0] == total for a in arrays]
    rows = _rows(total, size)
    if total < 2 * rows:
        raise NotRowwiseError("too few rows")
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(np.shape(a), a.dtype), (weights, data))
    vector = jax.ShapeDtypeStruct((size,), np.float64)
    traced = jax.make_jaxpr(lambda x, h, w, d: call(x, h, w, d)[:2])(
        vector, jax.ShapeDtypeStruct(np.shape(held), np.float64), *shapes
    )

    def block(x: Any, held: Any, every: Sequence[Any], start: Any, length: int) -> tuple:
        """Value, score, Hessian of some rows; and whether all checks hold there."""
        parts = [
            _Value(jax.lax.dynamic_slice_in_dim(a, start, length), 0) if along else _Value(a)
            for a, along in zip(every, cut, strict=True)
        ]

        def score(z: Any) -> Any:
            state = _Block(total, length, start == 0, max(size, _REPEATED))
            inputs = [_Value(z), _Value(held), *parts]
            out = _evaluate(traced.jaxpr, traced.consts, inputs, state)
            value, gradient = (state.part(v).array for v in out)
            fine = jnp.asarray(True)
            for condition in state.conditions:
                fine = fine & condition
            return gradient, (value, gradient, fine)

        hessian, (value, gradient, fine) = jax.jacfwd(score, has_aux=True)(x)
        return value, gradient, hessian, fine

    def join(a: tuple, b: tuple) -> tuple:
        return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] & b[3]

    def program(x: Any, held: Any, weights: Any, data: Any) -> tuple:
        every = (*weights, *data)
        nothing = jnp.zeros(()), jnp.zeros(size), jnp.zeros((size, size)), jnp.asarray(True)
        sums = jax.lax.fori_loop(
            0,
            total // rows,
            lambda i, sums: join(sums, block(x, held, every, i * rows, rows)),
            nothing,
        )
        rest = total % rows
        if rest:
            sums = join(sums, block(x, held, every, total - rest, rest))
        return sums

    # What cannot be read is found here, not when it is compiled.
    jax.eval_shape(program, vector, jax.ShapeDtypeStruct(np.shape(held), np.float64), *shapes)
    return program


def _rows(total: int, size: int) -> int:
    """Rows of a block: a divisor of the total near the best number, if there is one."""
    best = int(np.clip(_ENTRIES // max(size, 1), _FEWEST, _MOST))
    near = [r for r in range(best // 2, min(3 * best // 2, total) + 1) if total % r == 0]
    return min(near, key=lambda r: abs(r - best)) if near else best


def _evaluate(
    jaxpr: Any, consts: Sequence[Any], inputs: Sequence[_Value], block: _Block
) -> list[_Value]:
    """The outputs of a traced program for one block."""
    known: dict[Any, _Value] = {}

    def read(atom: Any) -> _Value:
        return _Value(atom.val) if hasattr(atom, "val") else known[atom]

    known.update((v, _Value(c)) for v, c in zip(jaxpr.constvars, consts, strict=True))
    known.update(zip(jaxpr.invars, inputs, strict=True))
    for equation in jaxpr.eqns:
        found = _apply(equation, [read(atom) for atom in equation.invars], block)
        known.update(zip(equation.outvars, found, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, inputs: list[_Value], block: _Block) -> list[_Value]:
    name = equation.primitive.name
    if name in _INLINED:
        inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
        return _evaluate(inner.jaxpr, inner.consts, inputs, block)
    if all(v.same for v in inputs) and not (
        name == "broadcast_in_dim" and block.total in equation.params["shape"]
    ):
        if name.startswith("custom_"):
            raise NotRowwiseError(f"{name} has a derivative of its own")
        if max(math.prod(a.aval.shape) for a in (*equation.invars, *equation.outvars)) > block.most:
            raise NotRowwiseError("much work that every block would repeat")
        out = _bind(equation, *(v.array for v in inputs))
        return [_Value(a) for a in (out if equation.primitive.multiple_results else [out])]
    if any(v.partial for v in inputs):
        return [_linear(equation, inputs, block)]
    if name in _ELEMENTWISE:
        return [_elementwise(equation, inputs)]
    rule = _RULES.get(name)
    if rule is None:
        raise NotRowwiseError(f"{name} along the rows")
    out = rule(equation, inputs, block)
    return out if isinstance(out, list) else [out]


def _bind(equation: Any, *arrays: Any, **changed: Any) -> Any:
    return equation.primitive.bind(*arrays, **(equation.params | changed))


def _elementwise(equation: Any, inputs: list[_Value]) -> _Value:
    """The same operation for every entry: operands along the rows, and such as are constant."""
    [axis, *others] = {v.axis for v in inputs if v.axis is not None}
    if others:
        raise NotRowwiseError("rows along two axes")
    for v in inputs:
        if v.axis is None and np.ndim(v.array) > axis and np.shape(v.array)[axis] != 1:
            raise NotRowwiseError("a parameter per row")
    return _Value(_bind(equation, *(v.array for v in inputs)), axis)


def _linear(equation: Any, inputs: list[_Value], block: _Block) -> _Value:
    """Operations that a sum passes through: linear in what is a partial sum."""
    name = equation.primitive.name
    if any(v.axis is not None for v in inputs):
        raise NotRowwiseError(f"{name} of rows and a sum over rows")
    partial = [v.partial for v in inputs]
    moved = {"reshape", "squeeze", "expand_dims", "transpose", "slice", "broadcast_in_dim"}
    together = {"add", "sub", "concatenate"}
    if name in moved | {"neg", "copy", "reduce_sum", "convert_element_type"}:
        if name == "convert_element_type" and not np.issubdtype(
            equation.params["new_dtype"], np.floating
        ):
            raise NotRowwiseError("a sum over rows as a whole number")
        allowed = True
    elif name in ("mul", "dot_general"):
        allowed = sum(partial) == 1
    elif name == "div":
        allowed = partial == [True, False]
    elif name == "select_n":
        allowed = not partial[0]
        inputs = [inputs[0], *(block.part(v) for v in inputs[1:])]
    elif name == "scatter-add":
        allowed = not partial[1]
        inputs = [block.part(inputs[0]), inputs[1], block.part(inputs[2])]
    else:
        allowed = name in together
        inputs = [block.part(v) for v in inputs] if allowed else inputs
    if not allowed:
        raise NotRowwiseError(f"{name} of a sum over rows")
    return _Value(_bind(equation, *(v.array for v in inputs)), partial=True)


def _broadcast(equation: Any, inputs: list[_Value], block: _Block) -> _Value:
    value, *_ = inputs
    shape = list(equation.params["shape"])
    places = equation.params["broadcast_dimensions"]
    if value.axis is None:
        # Repeated along a new axis as long as the rows: taken to lie along them. Where it is
        # something else the operations that follow do not fit, and the program is refused.
        lengths = np.shape(value.array)
        kept = {p for p, n in zip(places, lengths, strict=True) if n == block.total}
        new = [i for i, n in enumerate(shape) if n == block.total and i not in kept]
        if len(new) != 1 or kept:
            raise NotRowwiseError("rows along two axes")
        axis = new[0]
    else:
        axis = places[value.axis]
    shape[axis] = block.rows
    if block.total in shape:
        raise NotRowwiseError("rows along two axes")
    return _Value(_bind(equation, value.array, shape=tuple(shape)), axis)


def _reshape(equation: Any, inputs: list[_Value], block: _Block) -> _Value:
    [value] = inputs
    assert value.axis is not None
    if equation.params["dimensions"] is not None:
        raise NotRowwiseError("a reshape with an order of its own")
    before = math.prod(np.shape(value.array)[: value.axis])
    sizes = list(equation.params["new_sizes"])
    for axis, length in enumerate(sizes):
        if length == block.total and math.prod(sizes[:axis]) == before:
            sizes[axis] = block.rows
            return _Value(_bind(equation, value.array, new_sizes=tuple(sizes)), axis)
    raise NotRowwiseError("a reshape across the rows")


def _squeeze(equation: Any, inputs: list[_Value], _block: _Block) -> _Value:
    [value] = inputs
    assert value.axis is not None
    gone = [d % np.ndim(value.array) for d in equation.params["dimensions"]]
    return _Value(_bind(equation, value.array), value.axis - sum(d < value.axis for d in gone))


def _transpose(equation: Any, inputs: list[_Value], _block: _Block) -> _Value:
    [value] = inputs
    axis = list(equation.params["permutation"]).index(value.axis)
    return _Value(_bind(equation, value.array), axis)


def _slice(equation: Any, inputs: list[_Value], block: _Block) -> _Value:
    [value] = inputs
    axis, p = value.axis, equation.params
    assert axis is not None
    step = 1 if p["strides"] is None else p["strides"][axis]
    if p["start_indices"][axis] != 0 or p["limit_indices"][axis] != block.total or step != 1:
        raise NotRowwiseError("some of the rows")
    limits = list(p["limit_indices"])
    limits[axis] = block.rows
    return _Value(_bind(equation, value.array, limit_indices=tuple(limits)), axis)


def _along_another_axis(equation: Any, inputs: list[_Value], _block: _Block) -> list[_Value]:
    """Operations within each row."""
    [value] = inputs
    if equation.params["axis"] == value.axis:
        raise NotRowwiseError(f"{equation.primitive.name} along the rows")
    out = _bind(equation, value.array)
    several = equation.primitive.multiple_results
    return [_Value(a, value.axis) for a in (out if several else [out])]


def _concatenate(equation: Any, inputs: list[_Value], _block: _Block) -> _Value:
    axes = {v.axis for v in inputs}
    if len(axes) != 1 or equation.params["dimension"] in axes:
        raise NotRowwiseError("rows joined with something else")
    return _Value(_bind(equation, *(v.array for v in inputs)), inputs[0].axis)


def _reduce(equation: Any, inputs: list[_Value], block: _Block) -> _Value:
    import jax.numpy as jnp

    [value] = inputs
    assert value.axis is not None
    axes, name = equation.params["axes"], equation.primitive.name
    out = _bind(equation, value.array)
    if value.axis not in axes:
        return _Value(out, value.axis - sum(a < value.axis for a in axes))
    if name == "reduce_sum" and np.issubdtype(out.dtype, np.floating):
        return _Value(out, partial=True)
    if name == "reduce_and":
        # Taken to hold for all rows; whoever asked learns whether it does.
        block.conditions.append(jnp.all(out))
        return _Value(jnp.ones(out.shape, dtype=bool))
    if name == "reduce_or":
        block.conditions.append(~jnp.any(out))
        return _Value(jnp.zeros(out.shape, dtype=bool))
    raise NotRowwiseError(f"{name} over the rows")


def _dot(equation: Any, inputs: list[_Value], _block: _Block) -> _Value:
    left, right = inputs
    (contract, batch) = equation.params["dimension_numbers"]
    pairs, joint = list(zip(*contract, strict=True)), list(zip(*batch, strict=True))
    out = _bind(equation, left.array, right.array)
    if left.axis is not None and right.axis is not None:
        if (left.axis, right.axis) in pairs:
            return _Value(out, partial=True)
        if (left.axis, right.axis) in joint:
            return _Value(out, joint.index((left.axis, right.axis)))
        raise NotRowwiseError("a product of rows with other rows")
    side = 0 if left.axis is not None else 1
    value = inputs[side]
    assert value.axis is not None
    used = {*contract[side], *batch[side]}
    if value.axis in used:
        raise NotRowwiseError("a product of the rows with something as long")
    free = [d for d in range(np.ndim(value.array)) if d not in used]
    before = len(joint)
    if side == 1:
        before += np.ndim(left.array) - len({*contract[0], *batch[0]})
    return _Value(out, before + free.index(value.axis))


def _gather(equation: Any, inputs: list[_Value], _block: _Block) -> _Value:
    """Entries of a parameter picked by each row's index."""
    operand, index = inputs
    numbers = equation.params["dimension_numbers"]
    last = np.ndim(index.array) - 1
    if not operand.same or index.axis in (None, last) or numbers.operand_batching_dims:
        raise NotRowwiseError("rows picked out of rows")
    out = _bind(equation, operand.array, index.array)
    places = [d for d in range(np.ndim(out)) if d not in numbers.offset_dims]
    return _Value(out, places[index.axis])


def _scatter_add(equation: Any, inputs: list[_Value], block: _Block) -> _Value:
    """Rows added to the entry that each one's index names: a sum over rows."""
    operand, index, updates = inputs
    numbers = equation.params["dimension_numbers"]
    places = [d for d in range(np.ndim(updates.array)) if d not in numbers.update_window_dims]
    last = np.ndim(index.array) - 1
    matched = (
        index.axis is not None
        and index.axis != last
        and updates.axis is not None
        and places[index.axis] == updates.axis
    )
    if not operand.same or not matched or numbers.operand_batching_dims:
        raise NotRowwiseError("rows added to rows")
    start = block.part(operand)
    return _Value(_bind(equation, start.array, index.array, updates.array), partial=True)


_RULES: dict[str, Callable[[Any, list[_Value], _Block], _Value | list[_Value]]] = {
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "transpose": _transpose,
    "slice": _slice,
    "split": _along_another_axis,
    "cumsum": _along_another_axis,
    "cumlogsumexp": _along_another_axis,
    "concatenate": _concatenate,
    "reduce_sum": _reduce,
    "reduce_and": _reduce,
    "reduce_or": _reduce,
    "reduce_max": _reduce,
    "reduce_min": _reduce,
    "dot_general": _dot,
    "gather": _gather,
    "scatter-add": _scatter_add,
}
