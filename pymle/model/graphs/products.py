"""Products of a transposed matrix with a vector, in the form that XLA computes fast.

On the CPU XLA takes ten times longer for ``X.T @ r`` than for ``r @ X`` (100 ms against 9 ms at
1,000,000 x 20, jax 0.10); the gradient of every linear predictor has the former.
"""

from __future__ import annotations

from typing import Any

from pytensor.graph.rewriting.basic import in2out, node_rewriter
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.math import Dot, dot


@node_rewriter([Dot])
def _vector_first(_graph: Any, node: Any) -> list[Any] | None:
    """``X.T @ r`` to ``r @ X``, for a vector or a single column."""
    left, right = node.inputs
    if left.owner is None or not isinstance(left.owner.op, DimShuffle):
        return None
    if left.owner.op.new_order != (1, 0):
        return None
    [matrix] = left.owner.inputs
    if right.type.ndim == 1:
        return [dot(right, matrix)]
    if right.type.ndim == 2 and right.type.shape[1] == 1:
        return [dot(right[:, 0], matrix)[:, None]]
    return None


vector_first = in2out(_vector_first, name="vector_first")
