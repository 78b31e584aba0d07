"""Log-densities taken apart into additive pieces that depend on few discrete entries each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import ancestors
from pytensor.raise_op import CheckAndRaise

from pymle.model.graphs.repairs import rebuild
from pymle.model.operations import joined

_HANDING_ON = {"SpecifyShape", "ViewOp"}


@dataclass(frozen=True)
class Piece:
    """Elements that enter a sum.

    Attributes
    ----------
    graph : Variable
    size : int
        Number of elements.
    count : int
        How often each is added; -1 where it is subtracted.
    """

    graph: Any
    size: int
    count: int = 1


def pieces_of(
    logps: Sequence[Any], places: Mapping[Any, int], n: int, given: Mapping[Any, np.ndarray]
) -> tuple[list[Piece], list[list[tuple[int, ...]]], tuple[Any, ...]]:
    """Additive pieces of log-densities, with the entries that each element depends on.

    Parameters
    ----------
    logps : sequence of Variable
    places : mapping of Variable to int
        Number of the first entry of each discrete value variable.
    n : int
        Number of entries.
    given : mapping of Variable to array

    Returns
    -------
    pieces : list of Piece
        The first is the first log-density itself where each element of it depends on one entry
        at most.
    scopes : list of list of tuple of int
        For each piece the entries of each element.
    structural : tuple of Variable
        Shared data that decide about them.
    """
    # Sparse matrices are imported where they are needed: that changes the warnings' filters.
    from pymle.model.summation.scopes import Scopes

    symbols = set(places)
    prepared = rebuild([pt.as_tensor_variable(g) for g in logps], [_elementwise_check(symbols)])
    todo = [(graph, 1) for graph in prepared]
    candidates = _candidates([g for g, _ in todo], symbols)
    found = Scopes(candidates, places, n, given)
    pieces: list[Piece] = []
    scopes: list[list[tuple[int, ...]]] = []
    while todo:
        graph, count = todo.pop(0)
        own = found.of(graph)
        if max((len(s) for s in own), default=0) > 1:
            parts = _split(graph, found.shapes)
            if parts is not None:
                todo[:0] = [(part, count * times) for part, times in parts]
                continue
        pieces.append(Piece(graph, len(own), count))
        scopes.append(own)
    return pieces, scopes, tuple(found.structural)


def _candidates(graphs: Sequence[Any], symbols: set[Any]) -> list[Any]:
    """The graphs and all that they may be split into."""
    out: dict[Any, None] = {}
    todo = list(graphs)
    while todo:
        graph = todo.pop()
        if graph in out:
            continue
        out[graph] = None
        if symbols & set(ancestors([graph])):
            todo += _operands(graph)
    return list(out)


def _operands(graph: Any) -> list[Any]:
    node = graph.owner
    if node is None:
        return []
    scalar = type(getattr(node.op, "scalar_op", None)).__name__
    name = type(node.op).__name__
    if name in {"Sum", "DimShuffle", "Reshape"} or name in _HANDING_ON:
        return [node.inputs[0]]
    if scalar in {"Add", "Sub"} and not hasattr(node.op, "axis"):
        return list(node.inputs)
    return []


def _split(graph: Any, shapes: Mapping[Any, tuple[int, ...]]) -> list[tuple[Any, int]] | None:
    """Operands of a sum, each with how often its elements enter; None where it is none."""
    operands = _operands(graph)
    if not operands:
        return None
    node, size = graph.owner, int(np.prod(shapes[graph], dtype=int))
    scalar = type(getattr(node.op, "scalar_op", None)).__name__
    if type(node.op).__name__ == "Sum":
        return [(operands[0], 1)]
    out = []
    for place, operand in enumerate(operands):
        own = int(np.prod(shapes[operand], dtype=int))
        if own == 0 or size % own:
            return None
        sign = -1 if scalar == "Sub" and place == 1 else 1
        out.append((operand, sign * (size // own)))
    return out


def _elementwise_check(symbols: set[Any]) -> Any:
    """A rule: conditions on discrete values hold for each element by itself.

    PyMC asks whether all elements satisfy them; here other values of other entries stand
    beside each other.
    """

    def rule(node: Any) -> list[Any] | None:
        if not isinstance(node.op, CheckAndRaise):
            return None
        value, *conditions = node.inputs
        leaves = [leaf for c in conditions for leaf in _leaves(c)]
        own = [leaf for leaf in leaves if symbols & set(ancestors([leaf]))]
        if not own:
            # The log-density of a whole series: a sum behind its check.
            series = any(
                type(getattr(o.owner, "op", None)).__name__ == "Sum" for o in _parts(value)
            )
            if not leaves or not series or not symbols & set(ancestors([value])):
                return None
            return [value + pt.switch(pt.all(pt.stack([pt.all(i) for i in leaves])), 0.0, -np.inf)]
        for leaf in leaves:
            fits = leaf in own and _fits(leaf, value)
            held = leaf if fits else pt.all(leaf)
            value = pt.switch(held, value, -np.inf)
        return [value]

    return rule


def _parts(value: Any) -> list[Any]:
    return [value, *_operands(value)]


def _leaves(condition: Any) -> list[Any]:
    """What a condition asks to be true, all together."""
    node = condition.owner
    if node is None:
        return (
            [] if isinstance(condition, Constant) and bool(np.all(condition.data)) else [condition]
        )
    name = type(node.op).__name__
    scalar = type(getattr(node.op, "scalar_op", None)).__name__
    if (name == "All" and node.op.axis is None) or name == "MakeVector":
        return [leaf for i in node.inputs for leaf in _leaves(i)]
    if name == "All" and condition.type.ndim == 0:
        return [leaf for i in node.inputs for leaf in _leaves(i)]
    if name == "Join":
        return [leaf for i in joined(node) for leaf in _leaves(i)]
    copied = scalar in {"Cast", "Identity"} and not hasattr(node.op, "axis")
    if copied or name in {"ScalarFromTensor", "TensorFromScalar", "SpecifyShape"}:
        return _leaves(node.inputs[0])
    if name == "DimShuffle" and node.inputs[0].type.ndim == 0:
        return _leaves(node.inputs[0])
    return [condition]


def _fits(leaf: Any, value: Any) -> bool:
    """Whether a condition has an element, or one for all, for each element of a value."""
    return leaf.type.ndim <= value.type.ndim
