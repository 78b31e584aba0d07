"""Dims of expressions, followed through elementwise arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytensor.tensor.elemwise import DimShuffle, Elemwise

from pymle.model import compat


def dims_of_graph(
    graph: Any, variables: Mapping[str, Any], dims: Mapping[str, Sequence[str | None]]
) -> tuple[str | None, ...]:
    """Dims of an expression of named variables.

    Parameters
    ----------
    graph : Variable
    variables : mapping of str to Variable
        The model's named variables.
    dims : mapping of str to sequence of str
        Dims of those that have some.

    Returns
    -------
    tuple of (str or None)
        One per axis. An axis has the dim of the variables that are combined along it, one
        entry at a time, where these agree; None after anything but elementwise arithmetic.
    """
    names = {compat.as_tensor(variable): name for name, variable in variables.items()}

    def walk(variable: Any) -> tuple[str | None, ...]:
        blank = (None,) * variable.type.ndim
        if variable in names:
            own = tuple(dims.get(names[variable]) or ())
            return own if len(own) == len(blank) else blank
        node = variable.owner
        if node is None:
            return blank
        if isinstance(node.op, DimShuffle):
            inner = walk(node.inputs[0])
            return tuple(None if axis == "x" else inner[axis] for axis in node.op.new_order)
        if isinstance(node.op, Elemwise):
            parts = [walk(each) for each in node.inputs]
            found = []
            for axis in range(len(blank)):
                said = {part[axis] for part in parts if part[axis] is not None}
                found.append(said.pop() if len(said) == 1 else None)
            return tuple(found)
        return blank

    return walk(graph)
