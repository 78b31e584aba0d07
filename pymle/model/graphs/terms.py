"""Reading a graph: which scalar operation computes a variable, and from what."""

from __future__ import annotations

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.exceptions import NotScalarConstantError

from pymle.model.graphs.special_ops import Special

try:
    from pytensor.tensor.basic import get_underlying_scalar_constant_value as _scalar_constant
except ImportError:  # pragma: no cover - later PyTensor
    from pytensor.tensor import get_scalar_constant_value as _scalar_constant

try:
    from pytensor.graph.traversal import ancestors
except ImportError:  # pragma: no cover - PyTensor 2
    from pytensor.graph.basic import ancestors

__all__ = ["args_of", "computed_by", "depends_on_parameters", "key_of", "scalar_value"]


def computed_by(variable: Variable, kind: type | tuple[type, ...]) -> bool:
    """Whether a variable is computed elementwise by this scalar Op."""
    node = variable.owner
    return (
        node is not None and isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, kind)
    )


def args_of(variable: Variable, kind: type | tuple[type, ...]) -> list[Variable] | None:
    """Return the inputs of that scalar Op, None where another one computes the variable."""
    return list(variable.owner.inputs) if computed_by(variable, kind) else None


def key_of(variable: Variable) -> str | None:
    """Return the name of the special function that computes a variable."""
    return variable.owner.op.scalar_op.key if computed_by(variable, Special) else None


def scalar_value(variable: Variable) -> float | None:
    """Return a scalar constant's value, through broadcasting and casts."""
    while variable.owner is not None and isinstance(variable.owner.op, DimShuffle):
        variable = variable.owner.inputs[0]
    if isinstance(variable, Constant):
        data = np.asarray(variable.data)
        return float(data.reshape(-1)[0]) if data.size == 1 else None
    try:
        return float(_scalar_constant(variable))
    except (NotScalarConstantError, TypeError, ValueError):
        return None


def depends_on_parameters(x: Variable) -> bool:
    """Whether a variable depends on anything but constants and data."""
    return any(
        v.owner is None and not isinstance(v, Constant | SharedVariable) for v in ancestors([x])
    )
