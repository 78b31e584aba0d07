"""Repairs of a log-density graph: exact where PyMC's own graph or its JAX translation is not.

Three functions, in the order of their use::

    outputs = before_gradient(outputs)      # then pytensor.grad
    outputs = before_lowering(outputs)      # [value, score, ...], then jax_funcify
    names = differenced_ops(outputs)        # empty: JAX may differentiate the score

They rebuild the graph functionally: the caller's graph is not modified, roots (inputs, shared
variables) stay the same objects, and nothing is registered for other users of PyTensor except a
translation of our own Ops.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.utils import CheckParameterValue
from pytensor.graph.basic import Apply, Variable
from pytensor.raise_op import CheckAndRaise
from pytensor.scalar.math import Erfcx
from pytensor.tensor.elemwise import Elemwise

from pymle.model.special_ops import register_with_jax, special

try:
    from pytensor.graph.traversal import io_toposort
except ImportError:  # PyTensor 2
    from pytensor.graph.basic import io_toposort

__all__ = ["before_gradient", "before_lowering", "differenced_ops"]


def _check(node: Apply) -> list[Variable] | None:
    if not isinstance(node.op, CheckAndRaise):
        return None
    value, *conditions = node.inputs
    if not conditions:
        return [value]
    refused = -np.inf if isinstance(node.op, CheckParameterValue) else np.nan
    condition = conditions[0] if len(conditions) == 1 else pt.all(pt.stack(conditions))
    return [pt.switch(condition, value, np.asarray(refused, dtype=value.dtype))]


def _erfcx(node: Apply) -> list[Variable] | None:
    if isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, Erfcx):
        return [special("erfcx")(*node.inputs)]
    return None


def _rebuild(outputs, rules):
    mapping = {}
    for node in io_toposort([], outputs):
        inputs = [mapping.get(x, x) for x in node.inputs]
        if any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
            node_ = node.clone_with_new_inputs(inputs)
        else:
            node_ = node
        new = None
        for rule in rules:
            new = rule(node_)
            if new is not None:
                break
        for old, out in zip(node.outputs, new or node_.outputs, strict=True):
            if out is not old:
                mapping[old] = out
    return [mapping.get(x, x) for x in outputs]


def before_gradient(outputs: Sequence[Variable]) -> list[Variable]:
    """Repair log-density outputs before PyTensor differentiates them."""
    return _rebuild(list(outputs), (_check, _erfcx))


def before_lowering(outputs: Sequence[Variable]) -> list[Variable]:
    """Repair [value, score, ...] before the graph is translated to JAX."""
    register_with_jax()
    return _rebuild(list(outputs), (_check, _erfcx))


def differenced_ops(outputs: Sequence[Variable]) -> tuple[str, ...]:
    """Return the names of Ops that JAX cannot differentiate in these outputs."""
    return ()
