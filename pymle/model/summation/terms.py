"""The log-density of what is left when discrete variables are summed out, as a graph.

The elements of all terms that depend on discrete entries are factors over these. Entries that
never meet in a factor take all their states at once: a mixture's indicators need as many
evaluations of the log-density as there are components, a chain's the square of its states, however
long they are. The factors are then summed entry by entry (variable elimination), all that look
alike together, so that a chain of n states takes log2(n) rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import zero_grad
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.graph.traversal import ancestors

from pymle.errors import ModelError
from pymle.model import compat
from pymle.model.density import Term
from pymle.model.summation.order import Factor, Plan, colours, plan
from pymle.model.summation.pieces import Piece, pieces_of
from pymle.model.summation.supports import states as states_of

#: Numbers that one evaluation may hold.
LARGEST = 3e7
#: Up to so many evaluations are written out; more are one batch.
_WRITTEN_OUT = 6


@dataclass(frozen=True)
class Summed:
    """What replaces the terms of an objective.

    Attributes
    ----------
    terms : tuple of Term
    structural : tuple of Variable
        Shared data on which the order of summation depends.
    """

    terms: tuple[Term, ...]
    structural: tuple[Any, ...] = ()


def summed_term(
    model: Any,
    names: Sequence[str],
    terms: Sequence[Term],
    values: Mapping[str, Any],
    given: Mapping[Any, np.ndarray],
) -> Summed:
    """Terms of which discrete variables are summed out.

    Parameters
    ----------
    model : pymc.Model
    names : sequence of str
        The discrete variables; their laws are among the terms.
    terms : sequence of Term
    values : mapping of str to Variable
        Value variables of all free variables.
    given : mapping of Variable to array
        Values for them: shapes are read.

    Returns
    -------
    Summed
        All terms; those that depend on the variables are one, on the first observed variable
        among them, with an element for each part that can be summed by itself.

    Raises
    ------
    ModelError
        A support that is not finite, or more joint states than can be held.
    """
    symbols = {values[name] for name in names}
    inside = [t for t in terms if symbols & set(ancestors([t.logp]))]
    if not inside:
        return Summed(tuple(terms))
    entries = _entries(model, names, values, given)
    sizes = [low.size for low, _ in entries.values()]
    first = dict(zip(names, np.cumsum(sizes) - sizes, strict=True))
    places = {values[name]: int(first[name]) for name in names}
    counts = np.concatenate([(high - low + 1).ravel() for low, high in entries.values()])
    owner = [name for name in names for _ in range(entries[name][0].size)]
    if np.any(counts < 1):
        raise ModelError.cannot_sum(owner[int(np.argmin(counts))], "its support is empty")
    pieces, scopes, structural = pieces_of([t.logp for t in inside], places, len(counts), given)
    colour = colours(list(dict.fromkeys(s for each in scopes for s in each)), len(counts))
    configurations = _configurations(colour, counts, owner, sum(len(s) for s in scopes))
    batches = {
        values[name]: _values_of(entries[name], first[name], configurations, colour, counts)
        for name in names
    }
    elements = _evaluated(pieces, batches)
    factors, tables, alone = _factors(elements, pieces, scopes, colour, counts, configurations)
    order = plan(factors, counts, len(tables), LARGEST)
    if order.largest > LARGEST:
        raise ModelError.too_joint(owner[order.hardest], order.largest)
    sums = _run(order, tables)
    new = _as_terms(inside, sums, order, scopes, alone)
    at = terms.index(inside[0])
    kept = [t for t in terms if t not in inside]
    before = sum(t in kept for t in terms[:at])
    return Summed((*kept[:before], *new, *kept[before:]), structural)


def dependent(logps: Mapping[str, Any], symbols: Sequence[Any]) -> tuple[str, ...]:
    """Names of the graphs that depend on some variables."""
    return tuple(n for n, g in logps.items() if set(symbols) & set(ancestors([g])))


def without_discrete(
    problem: Any, terms: Sequence[Term], naturals: Mapping[str, Any]
) -> tuple[tuple[Term, ...], dict[str, Any]]:
    """Terms of which a problem's discrete variables are summed out, and natural values.

    Parameters
    ----------
    problem : Problem
    terms : sequence of Term
    naturals : mapping of str to Variable
        Natural values as functions of the vector.

    Returns
    -------
    terms : tuple of Term
    naturals : dict of str to Variable
        Data that decide about the order of the sum are constants of both.

    Raises
    ------
    ModelError
        They cannot be summed, or the range or scale of a parameter depends on one.
    """
    if not problem.summed:
        return tuple(terms), dict(naturals)
    values, _ = problem._derived
    given = {values[n]: v.astype(values[n].dtype) for n, v in problem.initial.items()}
    found = summed_term(problem.model, problem.summed, terms, values, given)
    symbols = [values[n] for n in problem.summed]
    held = dependent(naturals, symbols)
    if held:
        names = [v.name for v in symbols if v in set(ancestors([naturals[held[0]]]))]
        raise ModelError.cannot_sum(names[0], f"the range of `{held[0]}` depends on it")
    if not found.structural:
        return found.terms, dict(naturals)
    swaps = {v: compat.constant_like(v) for v in found.structural}
    graphs = [t.logp for t in found.terms] + list(naturals.values())
    new = clone_replace(graphs, swaps, rebuild_strict=False)
    frozen = tuple(replace(t, logp=g) for t, g in zip(found.terms, new, strict=False))
    return frozen, dict(zip(naturals, new[len(frozen) :], strict=True))


def _entries(
    model: Any, names: Sequence[str], values: Mapping[str, Any], given: Mapping[Any, np.ndarray]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    bounds: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name in names:
        bounds[name] = states_of(model, name, values, bounds, given)
    return bounds


def _configurations(
    colour: np.ndarray, counts: np.ndarray, owner: Sequence[str], elements: int
) -> np.ndarray:
    """State of each colour in each evaluation (b, c); the last colour changes fastest."""
    most = [int(counts[colour == c].max()) for c in range(int(colour.max()) + 1)]
    if np.prod(np.asarray(most, dtype=float)) * max(elements, 1) > LARGEST:
        worst = owner[int(np.argmax(colour))]
        raise ModelError.too_joint(worst, float(np.prod(np.asarray(most, float)) * elements))
    return np.stack([a.ravel() for a in np.indices(most)], axis=1)


def _values_of(
    bounds: tuple[np.ndarray, np.ndarray],
    first: int,
    configurations: np.ndarray,
    colour: np.ndarray,
    counts: np.ndarray,
) -> np.ndarray:
    """Values of one variable in every evaluation (b, *shape)."""
    low, _ = bounds
    own = slice(int(first), int(first) + low.size)
    state = np.minimum(configurations[:, colour[own]], counts[own] - 1)
    return (low.ravel() + state).reshape(len(configurations), *low.shape)


def _evaluated(pieces: Sequence[Piece], batches: Mapping[Any, np.ndarray]) -> Any:
    """All elements in all evaluations, one vector: (b * m + 1,), the last one zero."""
    b = len(next(iter(batches.values())))
    constants = {v: v.type.clone(shape=a.shape[1:]) for v, a in batches.items()}
    if b <= _WRITTEN_OUT:
        rows = []
        for i in range(b):
            swaps = {
                v: constants[v].make_constant(a[i].astype(v.dtype)) for v, a in batches.items()
            }
            graphs = clone_replace([p.graph for p in pieces], swaps, rebuild_strict=False)
            flat = [_flat(g, p) for g, p in zip(graphs, pieces, strict=True)]
            rows.append(pt.concatenate(flat) if len(flat) > 1 else flat[0])
        flat_all = pt.concatenate(rows) if b > 1 else rows[0]
    else:
        swaps = {v: pt.constant(a.astype(v.dtype), dtype=v.dtype) for v, a in batches.items()}
        columns = []
        for piece in pieces:
            if set(batches) & set(ancestors([piece.graph])):
                graph = vectorize_graph(piece.graph, swaps).reshape((b, piece.size))
            else:
                graph = pt.broadcast_to(piece.graph.reshape((1, piece.size)), (b, piece.size))
            columns.append(graph if piece.count == 1 else graph * piece.count)
        whole = pt.concatenate(columns, axis=1) if len(columns) > 1 else columns[0]
        flat_all = whole.reshape((b * sum(p.size for p in pieces),))
    return pt.concatenate([flat_all, pt.zeros(1)])


def _flat(graph: Any, piece: Piece) -> Any:
    flat = graph.reshape((piece.size,))
    return flat if piece.count == 1 else flat * piece.count


def _factors(
    elements: Any,
    pieces: Sequence[Piece],
    scopes: Sequence[Sequence[tuple[int, ...]]],
    colour: np.ndarray,
    counts: np.ndarray,
    configurations: np.ndarray,
) -> tuple[list[Factor], list[Any], tuple[np.ndarray, Any]]:
    """Tables over scopes, and the elements that depend on no entry."""
    m = sum(p.size for p in pieces)
    most = configurations.max(axis=0) + 1
    strides = np.concatenate([np.cumprod(most[::-1])[-2::-1], [1]]).astype(int)
    flat = [scope for each in scopes for scope in each]
    members: dict[tuple[int, ...], list[int]] = {}
    for place, scope in enumerate(flat):
        members.setdefault(scope, []).append(place)
    free = np.array(members.pop((), []), dtype=int)
    groups: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for scope in members:
        groups.setdefault(tuple(int(counts[e]) for e in scope), []).append(scope)
    factors: list[Factor] = []
    tables: list[Any] = []
    for shape, found in groups.items():
        deep = max(len(members[scope]) for scope in found)
        places = np.full((len(found), deep), -1)
        offsets = np.zeros((len(found), *shape), dtype=int)
        grid = np.indices(shape)
        for row, scope in enumerate(found):
            places[row, : len(members[scope])] = members[scope]
            offsets[row] = sum(strides[colour[e]] * grid[j] for j, e in enumerate(scope))
            factors.append(Factor(scope, len(tables), row))
        wide = places.reshape(len(found), deep, *(1,) * len(shape))
        index = np.where(wide >= 0, offsets[:, None] * m + wide, len(configurations) * m)
        picked = elements[index.ravel()].reshape(index.shape)
        tables.append(picked.sum(axis=1) if deep > 1 else picked[:, 0])
    alone = elements[free] if free.size else None
    return factors, tables, (free, alone)


def _run(order: Plan, tables: list[Any]) -> Any:
    """The sum of every part (p,)."""
    arrays = list(tables)
    for step in order.steps:
        total = None
        for table, places, rows in step.operands:
            picked = arrays[table][rows]
            # Axes in ascending order of their place, one for each of the step's.
            turned = picked.transpose(0, *(1 + np.argsort(places)))
            axes: list[Any] = [0]
            at = 1
            for place in range(len(step.states)):
                if place in places:
                    axes.append(at)
                    at += 1
                else:
                    axes.append("x")
            spread = turned.dimshuffle(*axes)
            total = spread if total is None else total + spread
        if total is None:
            raise AssertionError("an entry without a law")
        shape = (len(step.entries), *step.states)
        arrays.append(_log_sum(pt.broadcast_to(total, shape)))
    out = [(table, arrays[table]) for table in dict.fromkeys(order.parts[:, 0].tolist())]
    flat = pt.concatenate([a for _, a in out]) if len(out) > 1 else out[0][1]
    starts, at = {}, 0
    for table, _ in out:
        starts[table] = at
        at += next(len(s.entries) for s in order.steps if s.result == table)
    index = np.array([starts[int(t)] + int(r) for t, r in order.parts])
    return flat if np.array_equal(index, np.arange(at)) else flat[index]


def _log_sum(x: Any) -> Any:
    """Logarithm of a sum of exponentials along the last axis; what is impossible has no slope."""
    top: Any = zero_grad(pt.max(x, axis=-1, keepdims=True))
    top = pt.switch(pt.isinf(top), 0.0, top)
    total = pt.exp(x - top).sum(axis=-1)
    some = pt.gt(total, 0.0)
    return pt.switch(some, pt.log(pt.switch(some, total, 1.0)), -np.inf) + top[..., 0]


def _as_terms(
    inside: Sequence[Term],
    sums: Any,
    order: Plan,
    scopes: Sequence[Sequence[tuple[int, ...]]],
    alone: tuple[np.ndarray, Any],
) -> list[Term]:
    """The summed parts as a term of an observed variable; others keep their rows."""
    observed = [t for t in inside if t.kind == "observed"]
    free, constant = alone
    parts = len(order.parts)
    if len(observed) == 1 and len(observed[0].shape) > 0 and inside[0] is observed[0]:
        # One row of data for each part: the term keeps its shape.
        size = int(np.prod(observed[0].shape, dtype=int))
        own = list(scopes[0]) if len(scopes[0]) == size else []
        part = [int(order.part_of[s[0]]) if s else -1 for s in own]
        used = [p for p in part if p >= 0]
        lone = all(place < size for place in free)
        if own and lone and len(set(used)) == len(used) == parts:
            pool = sums if constant is None else pt.concatenate([sums, constant])
            at = {int(place): parts + i for i, place in enumerate(free)}
            index = np.array([p if p >= 0 else at[i] for i, p in enumerate(part)])
            return [
                Term(
                    observed[0].name,
                    "observed",
                    pool[index].reshape(observed[0].shape),
                    observed[0].shape,
                    observed[0].rows,
                )
            ]
    whole = sums if constant is None else pt.concatenate([sums, constant])
    size = parts + len(free)
    if not observed:
        return [Term(inside[0].name, "potential", whole)]
    first, *others = observed
    return [Term(first.name, "observed", whole, (size,), first.rows)] + [
        # Their log-densities are in the joint sum: with the first.
        Term(t.name, "observed", compat.as_tensor(pt.zeros(())), (), t.rows)
        for t in others
    ]
