"""Arithmetic in double precision, whatever the width of the constants it starts from.

PyTensor types ``2.0`` as float32 and ``4`` as int8 where they are exact in it, and then computes
``sqrt(2.0)`` in single precision and ``100 * 2`` modulo 256. The constants are exact, so that
computing again in float64 and int64 gives what the model's author wrote.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.tensor.basic import MakeVector
from pytensor.tensor.elemwise import CAReduce, Elemwise
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.type import TensorType

try:
    from pytensor.graph.traversal import io_toposort
except ImportError:  # pragma: no cover - PyTensor 2
    from pytensor.graph.basic import io_toposort

__all__ = ["promote"]

_NARROW_FLOATS = ("float16", "float32")
_NARROW_INTS = ("int8", "int16", "int32", "uint8", "uint16", "uint32")
_OVERFLOWING = (ps.Add, ps.Sub, ps.Mul, ps.Sqr, ps.Pow, ps.Neg, ps.Abs)


def _exact_constants() -> dict[float, float]:
    """Constants of log-densities by their value in single precision.

    PyMC folds constants before we see the graph: what was ``sqrt(2.0)`` arrives as the float32
    nearest to it. Only numbers that single precision cannot hold are listed.
    """
    numbers = [2.0, 3.0, 5.0, 6.0, 7.0, 8.0, 10.0, 0.5, np.pi, 2 * np.pi, np.pi / 2, np.e]
    roots = [np.sqrt(n) for n in numbers]
    logs = [np.log(n) for n in numbers if n != np.e]
    inverses = [1 / n for n in (*numbers, *roots)]
    found = [*numbers, *roots, *logs, *inverses]
    found += [-f for f in found] + [factor * f for f in logs for factor in (0.5, -0.5, 2.0)]
    exact: dict[float, float] = {}
    for f in found:
        narrow = float(np.float32(f))
        if narrow != f:
            # The first spelling of a number is its own: 1 / sqrt(0.5) rounds off sqrt(2).
            exact.setdefault(narrow, f)
            # Divisions by such a constant are folded to products with its inverse, in float64.
            exact.setdefault(1.0 / narrow, 1.0 / f)
    return exact


_EXACT = _exact_constants()


def promote(outputs: Sequence[Variable]) -> list[Variable]:
    """Return the outputs with every float computed in float64, integer sums in int64.

    Parameters
    ----------
    outputs : sequence of Variable
        Graphs of dense tensors; other types are passed by.

    Returns
    -------
    list of Variable
        New graphs over the same roots; the variables themselves where nothing was narrow.
    """
    mapping: dict[Variable, Variable] = {}
    for node in io_toposort([], list(outputs)):
        inputs = [mapping[x] if x in mapping else _unfolded(x) for x in node.inputs]
        new = _computed(node, inputs)
        mapping |= {a: b for a, b in zip(node.outputs, new, strict=True) if a is not b}
    return [_float64(o) if _dtype(o) in _NARROW_FLOATS else o for o in map_all(mapping, outputs)]


def map_all(mapping: dict[Variable, Variable], variables: Sequence[Variable]) -> list[Variable]:
    """Return what each variable became."""
    return [mapping.get(x, x) for x in variables]


def _computed(node: Apply, inputs: list[Variable]) -> list[Variable]:
    op = node.op
    narrow = any(_dtype(x) in _NARROW_FLOATS for x in (*inputs, *node.outputs))
    if isinstance(op, Elemwise):
        if isinstance(op.scalar_op, ps.Cast) and narrow:
            if _dtype(node.outputs[0]) in _NARROW_FLOATS:
                return [_float64(inputs[0])]
        elif any(_dtype(o) in _NARROW_FLOATS for o in node.outputs):
            return op(*(_float64(x) for x in inputs), return_list=True)
        elif isinstance(op.scalar_op, _OVERFLOWING) and _dtype(node.outputs[0]) in _NARROW_INTS:
            return op(*(_int64(x) for x in inputs), return_list=True)
    if not narrow and all(a is b for a, b in zip(inputs, node.inputs, strict=True)):
        return list(node.outputs)
    if not narrow and [_dtype(x) for x in inputs] == [_dtype(x) for x in node.inputs]:
        return node.clone_with_new_inputs(inputs).outputs
    wide = [_float64(x) if _dtype(x) in _NARROW_FLOATS else x for x in inputs]
    if isinstance(op, RandomVariable):
        return op.make_node(*wide).outputs
    if not all(isinstance(v.type, TensorType) for v in (*inputs, *node.outputs)):
        # Loops, random generators and the like insist on the types they were made with.
        return node.clone_with_new_inputs(_as_before(inputs, node)).outputs
    if isinstance(op, MakeVector) and op.dtype in _NARROW_FLOATS:
        op = MakeVector("float64")
    elif isinstance(op, CAReduce) and getattr(op, "dtype", None) in _NARROW_FLOATS:
        op = op.clone(dtype="float64", acc_dtype="float64")
    try:
        return op.make_node(*wide).outputs
    except (TypeError, ValueError):
        return node.clone_with_new_inputs(_as_before(inputs, node)).outputs


def _as_before(inputs: list[Variable], node: Apply) -> list[Variable]:
    return [
        new if _dtype(new) == _dtype(old) else pt.cast(new, _dtype(old))
        for new, old in zip(inputs, node.inputs, strict=True)
    ]


def _dtype(x: Variable) -> str:
    return str(getattr(x.type, "dtype", ""))


def _float64(x: Variable) -> Variable:
    if not isinstance(x.type, TensorType) or _dtype(x) in ("float64", "bool"):
        return x
    if isinstance(x, Constant):
        return _unfolded(pt.constant(x.data.astype("float64"), name=x.name))
    return pt.cast(x, "float64")


def _unfolded(x: Variable) -> Variable:
    """Restore the digits of a well-known constant that was folded in single precision."""
    if not isinstance(x, Constant) or _dtype(x) != "float64" or x.data.size != 1:
        return x
    exact = _EXACT.get(float(x.data.reshape(())))
    return x if exact is None else pt.constant(np.full_like(x.data, exact), name=x.name)


def _int64(x: Variable) -> Variable:
    if _dtype(x) not in _NARROW_INTS:
        return x
    if isinstance(x, Constant):
        return pt.constant(x.data.astype("int64"), name=x.name)
    return pt.cast(x, "int64")
