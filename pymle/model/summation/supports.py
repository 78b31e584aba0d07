"""The finite supports of discrete variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.type import RandomType

from pymle.errors import ModelError
from pymle.model import compat, walks
from pymle.model.density import replace_random

#: Laws on 0, 1, ... (or 1, 2, ...) without an end.
_ENDLESS = {
    "PoissonRV": 0,
    "NegBinomialRV": 0,
    "GeometricRV": 1,
    "DiscreteWeibullRV": 0,
}
_RISING = {"DimShuffle", "Subtensor", "AdvancedSubtensor", "AdvancedSubtensor1", "Reshape", "Alloc"}


def states(
    model: Any,
    name: str,
    values: Mapping[str, Any],
    bounds: Mapping[str, tuple[np.ndarray, np.ndarray]],
    given: Mapping[Any, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value of each entry of a discrete variable.

    Parameters
    ----------
    model : pymc.Model
    name : str
    values : mapping of str to Variable
        Value variables of all free variables.
    bounds : mapping of str to (numpy.ndarray, numpy.ndarray)
        Of the discrete variables declared before.
    given : mapping of Variable to array
        For the value variables.

    Returns
    -------
    low, high : numpy.ndarray of int
        In the variable's shape.

    Raises
    ------
    ModelError
        The support has no end, depends on what is estimated, or is not that of single entries.
    """
    rv = model[name]
    shape = np.shape(given[values[name]])

    def value(argument: Any) -> np.ndarray:
        [graph] = replace_random(model, values, [compat.as_tensor(argument)])
        return _value(name, graph, values, bounds, given)

    low, high = _of(name, rv.owner.op, list(rv.owner.inputs), value)
    if not np.all(np.isfinite(high)):
        raise ModelError.endless(
            name.removesuffix("_unobserved"), type(rv.owner.op).__name__.removesuffix("RV")
        )
    low = np.broadcast_to(np.asarray(low), shape).astype(int)
    return low, np.broadcast_to(np.asarray(high), shape).astype(int)


def _of(name: str, op: Any, inputs: list[Any], value: Any) -> tuple[Any, Any]:
    kind = type(op).__name__
    plain = [i for i in inputs if not isinstance(i.type, RandomType)]
    if kind == "BernoulliRV":
        return 0, 1
    if kind == "CategoricalRV":
        return 0, _length(plain[-1], value) - 1
    if kind == "DiscreteUniformRV":
        return value(plain[-2]), value(plain[-1])
    if kind in {"BinomialRV", "BetaBinomialRV"}:
        return 0, value(plain[-2] if kind == "BinomialRV" else plain[-3])
    if kind == "HyperGeometricRV":
        return 0, value(plain[-1])
    if kind == "DiscreteMarkovChainRV" or "DiscreteMarkovChain" in kind:
        return 0, _length(plain[0], value) - 1
    if kind in _ENDLESS:
        return _ENDLESS[kind], np.inf
    if kind in {"TruncatedRV", "CensoredRV"}:
        base = getattr(op, "base_rv_op", None)
        lower, upper = value(plain[-2]), value(plain[-1])
        if base is None:
            raise ModelError.cannot_sum(name, "its law is cut off from one that is not known")
        least, most = _of(name, base, plain[:-2], value)
        return np.maximum(least, np.ceil(lower)), np.minimum(most, np.floor(upper))
    raise ModelError.cannot_sum(name, f"the support of its law ({kind}) is not known to be finite")


def _length(p: Any, value: Any) -> int:
    """Number of categories of an array of probabilities."""
    known = p.type.shape[-1]
    return int(known) if known is not None else int(value(p.shape[-1]))


def _value(
    name: str,
    graph: Any,
    values: Mapping[str, Any],
    bounds: Mapping[str, tuple[np.ndarray, np.ndarray]],
    given: Mapping[Any, np.ndarray],
) -> np.ndarray:
    """Value of an argument that bounds a support."""
    above = set(ancestors([graph]))
    own = [n for n, v in values.items() if v in above]
    if _only_shapes(graph, [values[n] for n in own]):
        return walks.evaluate([graph], given)[0]
    for other in own:
        if other not in bounds:
            raise ModelError.cannot_sum(
                name, f"its support depends on `{other}`, which is not summed out itself"
            )
    if not _rising(graph, {values[n] for n in own}):
        raise ModelError.cannot_sum(
            name, f"its support is a function of {', '.join(f'`{n}`' for n in own)}"
        )
    tops = {**given, **{values[n]: np.asarray(bounds[n][1]) for n in own}}
    return walks.evaluate([graph], tops)[0]


def _only_shapes(graph: Any, leaves: list[Any]) -> bool:
    """Whether a graph reads no more than the shapes of some variables."""
    waiting, seen = [graph], set()
    while waiting:
        variable = waiting.pop()
        if variable in seen:
            continue
        seen.add(variable)
        if variable in leaves:
            return False
        owner = variable.owner
        if owner is not None and type(owner.op).__name__ not in {"Shape", "Shape_i"}:
            waiting.extend(owner.inputs)
    return True


def _rising(graph: Any, leaves: set[Any]) -> bool:
    """Whether an expression grows with some variables: they are picked, added, or cast."""
    if graph in leaves:
        return True
    owner = graph.owner
    if owner is None or not set(ancestors([graph])) & leaves:
        return True
    scalar = type(getattr(owner.op, "scalar_op", None)).__name__
    if type(owner.op).__name__ in _RISING:
        return _rising(owner.inputs[0], leaves) and not any(
            set(ancestors([i])) & leaves for i in owner.inputs[1:] if hasattr(i, "owner")
        )
    if scalar in {"Add", "Cast", "Identity", "Maximum", "Minimum"}:
        return all(_rising(i, leaves) for i in owner.inputs)
    if scalar == "Sub":
        left, right = owner.inputs
        return _rising(left, leaves) and not set(ancestors([right])) & leaves
    return False
