"""Rules of sparse forward differentiation: the tangent of an operation's outputs.

Each rule takes the operation, the arrays it is applied to (traced), and the lanes of those that
depend on the coordinates; it returns the lanes of each output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.objective.sparse.known import Known
from pymle.objective.sparse.lanes import (
    Lane,
    Space,
    along,
    at_rows,
    merge,
    pick,
    push,
    restrict,
)
from pymle.objective.sparse.places import Route, positions

__all__ = ["FLAT", "Operation", "elementwise", "floating", "is_elementwise", "move"]

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


def floating(aval: Any) -> bool:
    """Whether a type has derivatives."""
    return np.issubdtype(aval.dtype, np.floating)


# ----- element by element ------------------------------------------------------------------


def is_elementwise(equation: Any) -> bool:
    """Whether element i of each output depends on element i of each operand only."""
    shapes = [v.aval.shape for v in (*equation.invars, *equation.outvars)]
    shape = max(shapes, key=lambda s: (len(s), int(np.prod(s))))
    floats = [v.aval for v in equation.outvars if floating(v.aval)]
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
    shape = next(aval.shape for aval in op.outputs if floating(aval))
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
        jnp.broadcast_to(t, aval.shape) if floating(aval) else None
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
