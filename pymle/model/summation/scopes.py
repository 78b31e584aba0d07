"""Which entries of discrete variables each element of a log-density depends on.

Read off the graph, operation by operation: what only moves entries is asked where it moves
numbered ones; what is not known is taken to mix everything. The answer may name an entry too
many, never one too few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.type import RandomType
from scipy import sparse

from pymle.model import walks
from pymle.model.operations import joined, op_name

try:
    from pytensor.graph.traversal import io_toposort
except ImportError:  # pragma: no cover - PyTensor 2
    from pytensor.graph.basic import io_toposort

_SAME = {
    "SpecifyShape",
    "ViewOp",
    "TensorFromScalar",
    "ScalarFromTensor",
    "DeepCopyOp",
    "CheckParameterValue",
    "Assert",
    "TypeCastingOp",
}
_MOVING = {"DimShuffle", "Reshape", "Subtensor", "AdvancedSubtensor", "AdvancedSubtensor1", "Join"}


class Scopes:
    """The entries on which elements depend.

    Parameters
    ----------
    outputs : sequence of Variable
        Tensors.
    places : mapping of Variable to int
        Number of the first entry of each discrete value variable; entries are numbered in the
        order of memory.
    n : int
        Number of entries.
    given : mapping of Variable to array
        A value for each input of the graphs: only shapes and indices are read.

    Attributes
    ----------
    shapes : dict
        Shape of every variable that depends on an entry, and of the outputs.
    structural : set of Variable
        Shared data that say which element depends on which entry.
    """

    def __init__(
        self,
        outputs: Sequence[Any],
        places: Mapping[Any, int],
        n: int,
        given: Mapping[Any, np.ndarray],
    ) -> None:
        self._n, self.structural = n, set()
        self._found: dict[Any, Any] = {}
        nodes = io_toposort([], list(outputs))
        below: set[Any] = set(places)
        for node in nodes:
            if any(i in below for i in node.inputs):
                below.update(node.outputs)
        chosen = [node for node in nodes if any(o in below for o in node.outputs)]
        wanted = dict.fromkeys(
            v
            for node in chosen
            for v in (*node.inputs, *node.outputs)
            if hasattr(v.type, "dtype") and not isinstance(v.type, RandomType)
        )
        wanted |= dict.fromkeys(outputs)
        numbers = [v for v in wanted if not isinstance(v, Constant)]
        with np.errstate(all="ignore"):
            found = walks.evaluate(list(numbers), given)
        self._values = dict(zip(numbers, found, strict=True))
        self.shapes = {v: self._value(v).shape for v in wanted}
        for value, first in places.items():
            size = int(np.prod(self._shape_of(value, given), dtype=int))
            rows = np.arange(size)
            self._found[value] = sparse.csr_matrix(
                (np.ones(size, bool), (rows, first + rows)), shape=(size, n)
            )
            self.shapes[value] = self._shape_of(value, given)
        for node in chosen:
            self._visit(node)

    @staticmethod
    def _shape_of(value: Any, given: Mapping[Any, np.ndarray]) -> tuple[int, ...]:
        return np.shape(given[value])

    def of(self, output: Any) -> list[tuple[int, ...]]:
        """The entries of each element of a graph, in the order of memory."""
        size = int(np.prod(self.shapes[output], dtype=int))
        matrix = self._found.get(output)
        if matrix is None:
            return [()] * size
        matrix = matrix.tocsr()
        matrix.sort_indices()
        return [
            tuple(int(e) for e in matrix.indices[matrix.indptr[i] : matrix.indptr[i + 1]])
            for i in range(size)
        ]

    def _value(self, variable: Any) -> np.ndarray:
        if isinstance(variable, Constant):
            return np.asarray(variable.data)
        return self._values[variable]

    def _visit(self, node: Any) -> None:
        inside = [i for i in node.inputs if i in self._found]
        if not inside:
            return
        name = type(node.op).__name__
        if hasattr(node.op, "scalar_op") and not hasattr(node.op, "axis"):
            self._broadcast(node)
        elif name in _SAME or type(node.op).__name__ == "Check":
            if node.inputs[0] in self._found:
                self._found[node.outputs[0]] = self._found[node.inputs[0]]
        elif name in _MOVING and self._moves(node):
            pass
        elif hasattr(node.op, "axis") and hasattr(node.op, "scalar_op"):
            self._reduce(node)
        elif name in {"Alloc", "Second"}:
            self._spread(node, [node.inputs[0]])
        elif name == "MakeVector":
            self._stack(node)
        elif hasattr(node.op, "core_op") or hasattr(node.op, "batch_ndim"):
            self._blockwise(node)
        else:
            self._mix(node)

    def _broadcast(self, node: Any) -> None:
        for output in node.outputs:
            self._spread(node, [i for i in node.inputs if i in self._found], output)

    def _spread(self, node: Any, inputs: Sequence[Any], output: Any = None) -> None:
        """Elements of a broadcast result depend on those they are made of."""
        output = node.outputs[0] if output is None else output
        shape, total = self.shapes[output], None
        for variable in inputs:
            if variable not in self._found:
                continue
            own = self.shapes[variable]
            positions = np.arange(int(np.prod(own, dtype=int))).reshape(own)
            rows = self._found[variable][np.broadcast_to(positions, shape).ravel()]
            total = rows if total is None else total + rows
        if total is not None:
            self._found[output] = total

    def _stack(self, node: Any) -> None:
        empty = sparse.csr_matrix((1, self._n), dtype=bool)
        rows = [self._found.get(i, empty) for i in node.inputs]
        self._found[node.outputs[0]] = sparse.vstack(rows, format="csr")

    def _moves(self, node: Any) -> bool:
        """Entries handed on, by position; False where a case is not known."""
        output, name = node.outputs[0], type(node.op).__name__
        if name == "Join":
            values = joined(node)
            rest = [i for i in node.inputs if i not in values]
        else:
            values, rest = [node.inputs[0]], list(node.inputs[1:])
        moved = [v for v in values if v in self._found]
        indices = [i for i in rest if i in self._found]
        if moved and indices:
            return False
        if indices:
            return self._picked(node, indices)
        self._structural(rest)
        numbered, rows, at = [], [], 0
        for value in values:
            shape = self.shapes[value]
            size = int(np.prod(shape, dtype=int))
            numbered.append(pt.constant(np.arange(at, at + size).reshape(shape)))
            rows.append(self._found.get(value, sparse.csr_matrix((size, self._n), dtype=bool)))
            at += size
        others = [self._constant(v) for v in rest]
        inputs = others + numbered if name == "Join" else numbered + others
        positions = walks.evaluate([node.op.make_node(*inputs).outputs[0]])[0]
        stacked = sparse.vstack(rows, format="csr")
        self._found[output] = stacked[positions.ravel().astype(int)]
        return True

    def _constant(self, variable: Any) -> Any:
        if variable in self._values and hasattr(variable.type, "dtype"):
            value = self._values[variable]
            return (
                variable.type.clone(shape=value.shape).make_constant(value)
                if hasattr(variable.type, "shape")
                else variable.type.make_constant(value)
            )
        return variable

    def _picked(self, node: Any, indices: Sequence[Any]) -> bool:
        """What depends on an index picks from values that do not."""
        value, rest = node.inputs[0], list(node.inputs[1:])
        if type(node.op).__name__ == "Subtensor":
            # Scalar indices: every element depends on all of them.
            self._mix(node, indices)
            return True
        self._structural([i for i in rest if i not in indices])
        shape = self.shapes[value]
        total = None
        for chosen in indices:
            axis = _axis(node, chosen)
            if axis is None:
                return False
            own = self.shapes[chosen]
            size = int(np.prod(own, dtype=int))
            wide = (*shape[:axis], max(size, 1), *shape[axis + 1 :])
            coded = np.broadcast_to(
                np.arange(max(size, 1)).reshape((-1,) + (1,) * (len(shape) - axis - 1)), wide
            )
            inputs = [pt.constant(np.ascontiguousarray(coded))]
            for other in rest:
                if other is chosen:
                    inputs.append(pt.constant(np.arange(size).reshape(own)))
                elif other in self._found:
                    inputs.append(pt.constant(np.zeros(self.shapes[other], dtype=int)))
                else:
                    inputs.append(self._constant(other))
            positions = walks.evaluate([node.op.make_node(*inputs).outputs[0]])[0]
            rows = self._found[chosen][positions.ravel().astype(int)]
            total = rows if total is None else total + rows
        self._found[node.outputs[0]] = total
        return True

    def _reduce(self, node: Any) -> None:
        [variable], output = node.inputs, node.outputs[0]
        axis = node.op.axis
        shape = self.shapes[variable]
        axes = tuple(range(len(shape))) if axis is None else tuple(np.atleast_1d(axis))
        axes = tuple(int(a) % max(len(shape), 1) for a in axes)
        kept = tuple(1 if a in axes else s for a, s in enumerate(shape))
        size = int(np.prod(kept, dtype=int))
        into = np.broadcast_to(np.arange(size).reshape(kept), shape).ravel()
        gather = sparse.csr_matrix(
            (np.ones(into.size), (into, np.arange(into.size))), shape=(size, into.size)
        )
        self._found[output] = (gather @ self._found[variable].astype(float)) > 0

    def _blockwise(self, node: Any) -> None:
        """Batched operations mix within each batch only."""
        batch = getattr(node.op, "batch_ndim", None)
        if batch is None:
            self._mix(node)
            return
        ndim = int(batch(node))
        for output in node.outputs:
            shape = self.shapes.get(output)
            if shape is None:
                continue
            lead, total = shape[:ndim], None
            for variable in node.inputs:
                if variable not in self._found:
                    continue
                own = self.shapes[variable]
                inner = own[ndim:] if len(own) >= ndim else ()
                front = own[: len(own) - len(inner)]
                size = int(np.prod(inner, dtype=int))
                blocks = int(np.prod(front, dtype=int))
                merge = sparse.kron(sparse.identity(blocks), np.ones((1, size)), format="csr")
                merged = (merge @ self._found[variable].astype(float)) > 0
                positions = np.arange(blocks).reshape(front)
                rows = merged[np.broadcast_to(positions, lead).ravel()]
                total = rows if total is None else total + rows
            if total is not None:
                repeat = int(np.prod(shape[ndim:], dtype=int))
                self._found[output] = total[np.repeat(np.arange(total.shape[0]), repeat)]

    def _mix(self, node: Any, inputs: Sequence[Any] | None = None) -> None:
        """Every element depends on every entry that comes in."""
        chosen = [i for i in (inputs or node.inputs) if i in self._found]
        hit = np.zeros(self._n, dtype=bool)
        for variable in chosen:
            hit[np.unique(self._found[variable].indices)] = True
        for output in node.outputs:
            if output not in self.shapes:
                continue
            size = int(np.prod(self.shapes[output], dtype=int))
            self._found[output] = sparse.csr_matrix(np.tile(hit, (size, 1)))

    def _structural(self, variables: Sequence[Any]) -> None:
        found = [v for v in variables if hasattr(v, "owner")]
        self.structural |= {
            v
            for v in ancestors(found)
            if isinstance(v, SharedVariable) and not isinstance(v.type, RandomType)
        }


def _axis(node: Any, chosen: Any) -> int | None:
    """The axis of the indexed array that one of its indices addresses."""
    if type(node.op).__name__ == "AdvancedSubtensor1":
        return 0
    symbolic = list(node.inputs[1:])
    listed = getattr(node.op, "idx_list", None)
    axis = 0
    if listed is None or op_name(node) != "AdvancedSubtensor":
        entries = symbolic
    else:
        # PyTensor 3: numbers stand for the symbolic indices, slices hold numbers.
        entries = [symbolic[e] if isinstance(e, int) else e for e in listed]
    for entry in entries:
        if entry is chosen:
            return axis
        kind = type(getattr(entry, "type", entry)).__name__
        if kind in {"NoneTypeT", "NoneType"}:
            continue
        if hasattr(entry, "type") and getattr(entry.type, "dtype", "") == "bool":
            return None
        axis += 1
    return None
