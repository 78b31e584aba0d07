"""Repairs of a log-density graph: exact where PyMC's own graph or its JAX translation is not.

Four functions, in the order of their use::

    variables = before_derivation(variables)  # then transformed_conditional_logp
    outputs = before_gradient(outputs)      # then pytensor.grad
    outputs = before_lowering(outputs)      # [value, score, ...], then jax_funcify
    names = differenced_ops(outputs)        # empty: JAX may differentiate the score

Graphs are rebuilt functionally: the caller's graph is not modified, its roots (inputs, shared
variables) stay the same objects, and nothing is registered for other users of PyTensor except
the translation of our own Ops.

Notes
-----
What PyMC asserts (``CheckParameterValue``, ``Assert``) becomes a condition on the whole output,
which is -inf where it fails: an assertion cannot be raised inside compiled JAX code, and one that
is left inside an expression could cancel (``-inf - -inf``) or turn into 0 (``log1mexp``).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.builders import OpFromGraph
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import clone_replace
from pytensor.raise_op import CheckAndRaise
from pytensor.scan.op import Scan
from pytensor.tensor.elemwise import Elemwise

from pymle.model.graphs.fields import dense
from pymle.model.graphs.patterns import RULES
from pymle.model.graphs.precision import promote
from pymle.model.graphs.special_ops import PiecewisePolynomial, Special, register_with_jax
from pymle.model.graphs.sums import SUM_RULES, shares
from pymle.model.graphs.zeros import ZERO_RULES, squared_distances

try:
    from pytensor.graph.traversal import io_toposort, walk
except ImportError:  # pragma: no cover - PyTensor 2
    from pytensor.graph.basic import io_toposort, walk

__all__ = ["before_derivation", "before_gradient", "before_lowering", "differenced_ops"]

Rule = Callable[[Apply], list[Variable] | None]


def before_derivation(variables: Sequence[Variable]) -> list[Variable]:
    """Repair a model's random variables before PyMC derives their log-densities.

    Parameters
    ----------
    variables : sequence of Variable
        All random variables of a model, together.

    Returns
    -------
    list of Variable
        The same variables over parameters in float64. PyMC rewrites the parameters' graphs while
        it derives: constants would be folded in single precision, and known expressions lose
        their form.
    """
    new = _rebuild(promote(variables), (squared_distances, dense))[0]
    for after, before in zip(new, variables, strict=True):
        after.name = before.name
    return new


def before_gradient(outputs: Sequence[Variable]) -> list[Variable]:
    """Repair log-density terms before PyTensor differentiates them.

    Parameters
    ----------
    outputs : sequence of Variable
        Log-density graphs as PyMC builds them, not rewritten yet.

    Returns
    -------
    list of Variable
        The same quantities in float64, -inf where an assertion of PyMC's fails, with special
        functions whose first and second derivatives are right.
    """
    return _hoist_checks(promote(outputs))


def before_lowering(outputs: Sequence[Variable]) -> list[Variable]:
    """Repair value and score before they are translated to JAX.

    Parameters
    ----------
    outputs : sequence of Variable
        The value and its derivatives.

    Returns
    -------
    list of Variable
        The same quantities, over Ops that have a right JAX translation where there is one.

    Notes
    -----
    Imports JAX.
    """
    register_with_jax()
    return _rebuild(list(outputs), (_strip_check, _inner_graph, *RULES))[0]


def differenced_ops(outputs: Sequence[Variable]) -> tuple[str, ...]:
    """Return the names of Ops through which JAX cannot differentiate.

    Parameters
    ----------
    outputs : sequence of Variable
        What :func:`before_lowering` returned (the score decides).

    Returns
    -------
    tuple of str
        Sorted names; empty when the Hessian may be taken by JAX from the lowered score.
    """
    register_with_jax()
    found: set[str] = set()
    for node in io_toposort([], list(outputs)):
        found |= _undifferentiable(node)
    return tuple(sorted(found))


def _changed(new: Sequence[Variable], old: Sequence[Variable]) -> bool:
    return any(a is not b for a, b in zip(new, old, strict=True))


def rebuild(outputs: list[Variable], rules: Sequence[Rule]) -> list[Variable]:
    """Apply rules to every node, roots first.

    Parameters
    ----------
    outputs : list of Variable
    rules : sequence of callable
        From a node to its new outputs, or None to leave it.

    Returns
    -------
    list of Variable
    """
    return _rebuild(outputs, rules)[0]


def _rebuild(
    outputs: list[Variable], rules: Sequence[Rule]
) -> tuple[list[Variable], dict[Variable, Variable]]:
    """Apply the rules to every node, roots first; return the new outputs and the mapping."""
    mapping: dict[Variable, Variable] = {}
    for node in io_toposort([], outputs):
        inputs = [mapping.get(x, x) for x in node.inputs]
        if _changed(inputs, node.inputs):
            results = list(node.clone_with_new_inputs(inputs).outputs)
        else:
            results = list(node.outputs)
        for rule in rules:
            owner = results[0].owner
            if owner is None or owner.outputs != results:
                break
            results = rule(owner) or results
        mapping |= {a: b for a, b in zip(node.outputs, results, strict=True) if a is not b}
    return [mapping.get(x, x) for x in outputs], mapping


def _strip_check(node: Apply) -> list[Variable] | None:
    return [node.inputs[0]] if isinstance(node.op, CheckAndRaise) else None


def _check_to_switch(node: Apply) -> list[Variable] | None:
    """Keep an assertion local: inside the loop whose variables it speaks of."""
    if not isinstance(node.op, CheckAndRaise):
        return None
    value, *conditions = node.inputs
    if not conditions or "float" not in str(getattr(value.type, "dtype", "")):
        return [value]
    return [pt.switch(_all(conditions), value, np.asarray(-np.inf, dtype=value.type.dtype))]


def _all(conditions: Sequence[Variable]) -> Variable:
    scalars = [pt.as_tensor_variable(c).astype("bool") for c in conditions]
    return scalars[0] if len(scalars) == 1 else pt.all(pt.stack(scalars))


def _hoist_checks(outputs: list[Variable]) -> list[Variable]:
    new_outputs, mapping = _rebuild(outputs, _BEFORE_GRADIENT)
    hoisted = []
    for old, new in zip(outputs, new_outputs, strict=True):
        conditions: dict[Variable, None] = {}
        for variable in walk([old], lambda v: v.owner.inputs if v.owner else None):
            owner = variable.owner
            if owner is not None and isinstance(owner.op, CheckAndRaise):
                conditions |= {mapping.get(c, c): None for c in owner.inputs[1:]}
        if conditions and "float" in str(getattr(new.type, "dtype", "")):
            hoisted.append(pt.switch(_all(list(conditions)), new, -np.inf))
        else:
            hoisted.append(new)
    return hoisted


def _inner_graph(node: Apply) -> list[Variable] | None:
    """Repair the inner graph of a loop; open a composite Op that needs a repair inside."""
    op = node.op
    if not isinstance(op, Scan | OpFromGraph):
        return None
    # PyTensor 3 holds inner graphs frozen.
    graph = op.fgraph.unfreeze() if hasattr(op.fgraph, "unfreeze") else op.fgraph
    inputs, inner = list(graph.inputs), list(graph.outputs)
    new, _ = _rebuild(inner, (_check_to_switch, _inner_graph, *RULES))
    if not _changed(new, inner):
        return None
    if isinstance(op, OpFromGraph):
        return clone_replace(new, dict(zip(inputs, node.inputs, strict=True)))
    repaired = FunctionGraph(inputs, new, clone=True)
    if hasattr(op, "clone_with_inner_graph"):
        loop = op.clone_with_inner_graph(repaired)
    else:
        loop = copy.copy(op)
        loop.fgraph = repaired
        loop._fn = None
    return loop(*node.inputs, return_list=True)


# Shares first: the logarithm of one must not be taken apart as that of a product.
_BEFORE_GRADIENT: tuple[Rule, ...] = (
    _strip_check,
    _inner_graph,
    shares,
    *RULES,
    *SUM_RULES,
    *ZERO_RULES,
)

# Scalar Ops that JAX evaluates but whose derivatives it lacks, or has in some arguments only.
_NO_DERIVATIVE = frozenset(
    {
        "BetaInc",
        "BetaIncInv",
        "GammaInc",
        "GammaIncC",
        "GammaIncInv",
        "GammaIncCInv",
        "Hyp2F1",
        "Iv",
        "Jv",
        "Ive",
        "Kv",
        "Kve",
        "Owens_t",
        "ScalarLoop",
        "Grad2F1Loop",
    }
)


def _undifferentiable(node: Apply) -> set[str]:
    op = node.op
    if isinstance(op, Elemwise):
        scalar = op.scalar_op
        if isinstance(scalar, Special):
            return set()
        name = type(scalar).__name__
        inner = getattr(scalar, "fgraph", None)
        found = {name} if name in _NO_DERIVATIVE else set()
        if inner is not None and not found:
            found = {
                type(n.op).__name__
                for n in inner.apply_nodes
                if type(n.op).__name__ in _NO_DERIVATIVE
            }
        return found
    if isinstance(op, PiecewisePolynomial):
        return set()
    inner = getattr(op, "fgraph", None)
    if inner is not None:
        return set().union(*(_undifferentiable(n) for n in inner.apply_nodes), set())
    return set() if _has_translation(op) else {type(op).__name__}


def _has_translation(op: object) -> bool:
    from pytensor.link.jax.dispatch import jax_funcify

    return jax_funcify.dispatch(type(op)) is not jax_funcify.dispatch(object)
