"""What single operations of a graph do: hand entries on, multiply, loop."""

from __future__ import annotations

from typing import Any

from pytensor.graph.traversal import ancestors
from pytensor.scan.op import Scan

# Operations that hand entries on, each where it stands or elsewhere.
VIEWS = {
    "AdvancedSubtensor",
    "AdvancedSubtensor1",
    "Alloc",
    "DimShuffle",
    "ExpandDims",
    "Index",
    "Rename",
    "Reshape",
    "SpecifyShape",
    "Squeeze",
    "Subtensor",
    "TensorFromXTensor",
    "Transpose",
    "ViewOp",
    "XTensorFromTensor",
}
# Those that set some entries of an array.
SETTING = {"AdvancedIncSubtensor", "AdvancedIncSubtensor1", "IncSubtensor"}
# All that hand entries on without mixing or changing them.
PASSING = VIEWS | SETTING | {"CumOp", "Join"}
INDEXING = {
    "AdvancedSubtensor",
    "AdvancedSubtensor1",
    "AdvancedIncSubtensor",
    "AdvancedIncSubtensor1",
    "Subtensor",
    "Index",
}
CONTRACTING = {"Dot", "MatMul", "BatchedDot", "XDot"}


def op_name(node: Any) -> str:
    """Name of an operation; of the one inside for a batched one."""
    op = node.op
    core = getattr(op, "core_op", None)
    return type(core if core is not None else op).__name__


def joined(node: Any) -> list[Any]:
    """What a Join puts together; with PyTensor 2 the axis is its first input."""
    return list(node.inputs if hasattr(node.op, "axis") else node.inputs[1:])


def is_product(node: Any) -> bool:
    """Whether an operation multiplies, divides or contracts its inputs."""
    scalar = getattr(node.op, "scalar_op", None)
    if scalar is not None:
        return type(scalar).__name__ in {"Mul", "TrueDiv"}
    return op_name(node) in CONTRACTING or "dot" in str(node.op).lower()


def passes(node: Any, variable: Any) -> bool:
    """Whether an operation hands the entries of one of its inputs on as they are."""
    scalar = getattr(node.op, "scalar_op", None)
    if scalar is not None:
        return type(scalar).__name__ in {"Identity", "Cast"}
    name = type(node.op).__name__
    if name in {"Subtensor", "AdvancedSubtensor", "AdvancedSubtensor1", "Index"}:
        return node.inputs[0] is variable
    return name in PASSING


def multipliers(node: Any, variable: Any) -> list[Any]:
    """What multiplies a sequence inside a Scan before anything else happens to it.

    Parameters
    ----------
    node : Apply
    variable : Variable
        An input of the node.

    Returns
    -------
    list of Variable
        Inputs of the node that are the same in every step, the scales of a state equation;
        empty for any other operation.
    """
    op = node.op
    if not isinstance(op, Scan):
        return []
    of_outer = op.get_oinp_iinp_iout_oout_mappings()["inner_inp_from_outer_inp"]
    outer_of = {
        op.inner_inputs[inner]: outer
        for place, outer in enumerate(node.inputs)
        for inner in of_outer.get(place, ())
    }
    sequences = op.inner_seqs(op.inner_inputs)
    same = set(op.inner_non_seqs(op.inner_inputs))
    todo = [inner for inner in sequences if outer_of.get(inner) is variable]
    found: list[Any] = []
    while todo:
        inside = todo.pop()
        for user in op.fgraph.apply_nodes:
            if inside not in user.inputs:
                continue
            if passes(user, inside):
                todo += user.outputs
            elif is_product(user):
                others = set(ancestors([i for i in user.inputs if i is not inside]))
                if not others & (set(op.inner_inputs) - same):
                    found += [outer_of[v] for v in others & same]
    return found
