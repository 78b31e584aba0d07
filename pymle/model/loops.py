"""Loops of scalar variables: many terms of one form become a few terms of vectors.

A model that is written with a Python loop, ``x.append(pm.Normal(f"x_{t}", x[-1], sigma))``, has a
term of its own for every variable. Terms that are the same operations on other leaves (entries
of the unconstrained vector, constants, observed numbers) are one term of gathered leaves: what is
translated and compiled no longer grows with the length of the loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import toposort
from pytensor.tensor.subtensor import Subtensor

from pymle.model import compat
from pymle.model.density import repaired
from pymle.model.lower import flat_sum

#: Terms from which on a model is looked at for loops.
MANY = 40
#: Terms of one form from which on they become one.
_SEVERAL = 4
#: Largest graph of a term that is compared with others.
_LARGEST = 2000


def totals(
    density: Any, weights: Mapping[str, Any], further: Sequence[Sequence[bool]]
) -> list[Any]:
    """The objective, and sums of some of its terms, as functions of the unconstrained vector.

    Parameters
    ----------
    density : Density
    weights : mapping of str to Variable
        Of observed variables.
    further : sequence of sequence of bool
        Which terms other sums have.

    Returns
    -------
    list of Variable
        Scalars, parameter checks repaired.
    """
    chosen = [[True] * len(density.terms), *further]
    if len(density.terms) < MANY:
        parts = [flat_sum(term.logp, weights.get(term.name)) for term in density.terms]
        sums = [
            sum((p for p, k in zip(parts, kept, strict=True) if k), pt.zeros(())) for kept in chosen
        ]
        return density.substitute(repaired(sums))
    logps = density.substitute([term.logp for term in density.terms])
    pairs = [
        (logp, weights.get(term.name)) for logp, term in zip(logps, density.terms, strict=True)
    ]
    named = {density.model.rvs_to_values[rv] for rv in density.model.observed_RVs}
    sums = []
    for kept in chosen:
        some = [pair for pair, k in zip(pairs, kept, strict=True) if k]
        sums.append(sum(together(some, density.x, named), pt.zeros(())))
    return repaired(sums)


@dataclass(frozen=True)
class _Form:
    """What a term computes, without its leaves: equal for terms that can become one."""

    key: tuple[Any, ...]
    leaves: tuple[Any, ...]


def together(terms: Sequence[tuple[Any, Any | None]], x: Any, named: set[Any]) -> list[Any]:
    """Sums of terms, those of one form as one term of vectors.

    Parameters
    ----------
    terms : sequence of (Variable, Variable or None)
        Elementwise log-densities as functions of ``x``, and their weights.
    x : Variable
        The vector whose entries are gathered.
    named : set of Variable
        Constants that stand for data: kept as they are.

    Returns
    -------
    list of Variable
        Scalars that add up to the same.
    """
    kinds = _Numbers()
    groups: dict[Any, list[tuple[Any, Any | None, _Form]]] = {}
    for place, (logp, weight) in enumerate(terms):
        form = _form(logp, x, kinds)
        key = (weight is None, *form.key) if form is not None else ("alone", place)
        groups.setdefault(key, []).append((logp, weight, form))  # type: ignore[arg-type]
    out = []
    for members in groups.values():
        found = None
        if len(members) >= _SEVERAL:
            found = _one(members, x, named)
        if found is None:
            out += [pt.sum(logp if w is None else w * logp) for logp, w, _ in members]
        else:
            out.append(found)
    return out


class _Numbers:
    """A number for each operation and type: equal ones have the same."""

    def __init__(self) -> None:
        self._by_id: dict[int, int] = {}
        self._equal: dict[Any, int] = {}
        self._alive: list[Any] = []

    def __call__(self, thing: Any) -> int:
        found = self._by_id.get(id(thing))
        if found is None:
            found = self._equal.setdefault(thing, len(self._equal))
            self._by_id[id(thing)] = found
            self._alive.append(thing)
        return found


def _form(logp: Any, x: Any, number: _Numbers) -> _Form | None:
    """The form of a term; None for one that is too large to be one of many."""
    nodes = list(toposort([logp])) if logp.owner is not None else []
    if not 0 < len(nodes) <= _LARGEST:
        return None
    places: dict[Any, int] = {}
    leaves: list[Any] = []
    key: list[Any] = []

    def known(variable: Any) -> tuple[Any, ...]:
        if variable in places:
            return ("at", places[variable])
        if variable is x or not _may_vary(variable):
            return ("same", _identity(variable, number))
        places[variable] = len(places)
        leaves.append(variable)
        return ("leaf", number(variable.type))

    for node in nodes:
        if _entry(node, x) is not None:
            variable = node.outputs[0]
            places[variable] = len(places)
            leaves.append(variable)
            key.append(("entry", number(variable.type)))
            continue
        key.append((number(node.op), *(known(v) for v in node.inputs)))
        for output in node.outputs:
            places[output] = len(places)
    return _Form((*key, ("result", places[logp])), tuple(leaves))


def _may_vary(variable: Any) -> bool:
    """Whether a root can differ from term to term: constants and data of a known shape."""
    if not isinstance(variable, Constant | SharedVariable):
        return False
    if not compat.is_array_type(variable.type) or variable.type.dtype == "bool":
        return False
    return None not in variable.type.shape


def _identity(variable: Any, number: _Numbers) -> Any:
    """What distinguishes a leaf that has to be the same in all terms."""
    if isinstance(variable, Constant):
        data = variable.data
        if isinstance(data, np.ndarray) and data.dtype != bool:
            return number(variable.type), data.tobytes()
        if not isinstance(data, np.ndarray):
            return number(variable.type), repr(data)
    return id(variable)


def _entry(node: Any, x: Any) -> np.ndarray | None:
    """The places in ``x`` that a node picks by constants; None for any other node."""
    if not isinstance(node.op, Subtensor):
        return None
    base = node.inputs[0]
    if base is x:
        inner: np.ndarray | None = np.arange(x.type.shape[0])
    else:
        inner = _entry(base.owner, x) if base.owner is not None else None
    if inner is None or not all(isinstance(v, Constant) for v in node.inputs[1:]):
        return None
    index = _index(node)
    return None if index is None else np.asarray(inner[index])


def _index(node: Any) -> tuple[Any, ...] | None:
    numbers = [int(np.asarray(v.data)) for v in node.inputs[1:]]

    def given(part: Any) -> Any:
        if isinstance(part, slice):
            return slice(given(part.start), given(part.stop), given(part.step))
        if part is None:
            return None
        # A place among the inputs (PyTensor 3), or a type that stands for the next one.
        return numbers[part] if isinstance(part, int) else queue.pop(0)

    queue = list(numbers)
    return tuple(given(part) for part in node.op.idx_list)


def _one(
    members: Sequence[tuple[Any, Any | None, _Form]],
    x: Any,
    named: set[Any],
) -> Any | None:
    """The sum of terms of one form; None where an operation has no vectors."""
    first, weight, form = members[0]
    swaps = {}
    for place, leaf in enumerate(form.leaves):
        others = [each.leaves[place] for _, _, each in members]
        vector = _stacked(others, x, named)
        if vector is not None:
            swaps[leaf] = vector
    if not swaps:
        return len(members) * pt.sum(first) if weight is None else None
    try:
        many = vectorize_graph(first, swaps)
    except (
        NotImplementedError,
        TypeError,
        ValueError,
    ):  # an operation that cannot be repeated: its terms stay by themselves
        return None
    if many.type.ndim != first.type.ndim + 1:
        return None
    if weight is not None and any(w.type.shape != weight.type.shape for _, w, _ in members):
        return None
    if weight is None:
        return pt.sum(many)
    return pt.sum(pt.stack([w for _, w, _ in members]) * many)


def _stacked(leaves: Sequence[Any], x: Any, named: set[Any]) -> Any | None:
    """Leaves of all terms along a first axis; None if they are all the same."""
    first = leaves[0]
    if all(leaf is first for leaf in leaves):
        return None
    if first.owner is not None:
        places = np.stack([_entry(leaf.owner, x) for leaf in leaves])
        if np.all(places == places[0]):
            return None
        return x[places.ravel()].reshape(places.shape)
    if all(isinstance(leaf, Constant) and leaf not in named for leaf in leaves):
        values = np.stack([np.asarray(leaf.data) for leaf in leaves])
        if np.all(values == values[:1]):
            return None
        return pt.constant(values)
    return pt.stack(list(leaves))
