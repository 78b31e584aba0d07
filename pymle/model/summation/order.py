"""In which order discrete entries are summed out, and what a sum over them needs.

Pure combinatorics on numbered entries: nothing here knows a model or a graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: States of an entry up to which one between two others is summed out together with many like it:
#: a chain is then halved by each round. With more states the ends go first.
_FEW_STATES = 8


@dataclass(frozen=True)
class Factor:
    """A table over some entries: one row of an array.

    Attributes
    ----------
    scope : tuple of int
        Entries, ascending.
    table : int
        Which array.
    row : int
        Which row of it.
    """

    scope: tuple[int, ...]
    table: int
    row: int


@dataclass(frozen=True)
class Step:
    """Entries that are summed out together, since they look alike and do not touch.

    Attributes
    ----------
    states : tuple of int
        States of the entry's neighbours, then its own.
    operands : tuple of (int, tuple of int, numpy.ndarray)
        Array, place of each of its axes among ``states``, and rows.
    result : int
        Number of the array that is made.
    entries : tuple of int
    """

    states: tuple[int, ...]
    operands: tuple[tuple[int, tuple[int, ...], np.ndarray], ...]
    result: int
    entries: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """All steps, and where the sum of each connected part ends up.

    Attributes
    ----------
    steps : tuple of Step
    parts : numpy.ndarray of int, shape (p, 2)
        Array and row of every connected part's sum.
    part_of : numpy.ndarray of int, shape (n,)
        The part of each entry.
    largest : float
        Cells of the largest table.
    hardest : int
        The entry whose sum needs it.
    """

    steps: tuple[Step, ...]
    parts: np.ndarray
    part_of: np.ndarray
    largest: float
    hardest: int


def colours(scopes: Sequence[tuple[int, ...]], n: int) -> np.ndarray:
    """A number for every entry, different within each scope.

    Parameters
    ----------
    scopes : sequence of tuple of int
    n : int
        Number of entries.

    Returns
    -------
    numpy.ndarray of int, shape (n,)
    """
    beside: list[set[int]] = [set() for _ in range(n)]
    for scope in scopes:
        for entry in scope:
            beside[entry].update(scope)
    out = np.full(n, -1)
    for entry in range(n):
        taken = {int(out[other]) for other in beside[entry] if other != entry}
        out[entry] = next(c for c in range(n + 1) if c not in taken)
    return out


def plan(factors: Sequence[Factor], states: np.ndarray, tables: int, limit: float) -> Plan:
    """The rounds of a sum over all entries.

    Parameters
    ----------
    factors : sequence of Factor
    states : numpy.ndarray of int, shape (n,)
        Number of states of each entry.
    tables : int
        How many arrays there are already.
    limit : float
        Cells beyond which planning stops; `Plan.largest` then exceeds it.

    Returns
    -------
    Plan
    """
    n = len(states)
    holding: list[list[Factor]] = [[] for _ in range(n)]
    for factor in factors:
        for entry in factor.scope:
            holding[entry].append(factor)
    part_of = _parts(factors, n)
    alive, steps, ends = set(range(n)), [], {}
    largest, hardest = 0.0, 0
    while alive:
        beside = {e: _beside(e, holding[e]) for e in alive}
        chosen = _independent(alive, beside, states)
        groups: dict[tuple, list[tuple[int, tuple[int, ...], list[Factor]]]] = {}
        for entry in chosen:
            around = beside[entry]
            axes = (*around, entry)
            held = sorted(holding[entry], key=lambda f: (f.scope, f.table))
            shape = tuple(int(states[e]) for e in axes)
            key = (
                shape,
                tuple((f.table, tuple(axes.index(e) for e in f.scope)) for f in held),
            )
            groups.setdefault(key, []).append((entry, around, held))
        for (shape, pattern), members in groups.items():
            cells = float(np.prod(np.asarray(shape, dtype=float))) * len(members)
            if cells > largest:
                largest, hardest = cells, members[0][0]
            if largest > limit:
                return Plan(tuple(steps), np.zeros((0, 2), int), part_of, largest, hardest)
            operands = tuple(
                (table, places, np.array([held[j].row for _, _, held in members]))
                for j, (table, places) in enumerate(pattern)
            )
            steps.append(Step(shape, operands, tables, tuple(entry for entry, _, _ in members)))
            for row, (entry, around, held) in enumerate(members):
                for factor in held:
                    for other in factor.scope:
                        if other != entry:
                            holding[other].remove(factor)
                made = Factor(around, tables, row)
                for other in around:
                    holding[other].append(made)
                if not around:
                    ends[int(part_of[entry])] = (tables, row)
            tables += 1
        alive -= set(chosen)
    parts = np.array([ends[p] for p in range(len(ends))], dtype=int).reshape(-1, 2)
    return Plan(tuple(steps), parts, part_of, largest, hardest)


def _beside(entry: int, held: Sequence[Factor]) -> tuple[int, ...]:
    return tuple(sorted({e for factor in held for e in factor.scope} - {entry}))


def _independent(
    alive: set[int], beside: Mapping[int, tuple[int, ...]], states: np.ndarray
) -> list[int]:
    """Entries of few neighbours no two of which are neighbours."""
    fewest = min(len(beside[e]) for e in alive)
    taken: set[int] = set()
    chosen = []
    for entry in sorted(alive, key=lambda e: (len(beside[e]) > 2, e)):
        around = beside[entry]
        few = max(int(states[e]) for e in (entry, *around)) <= _FEW_STATES
        if len(around) > max(fewest, 2 if few else 0) or entry in taken:
            continue
        chosen.append(entry)
        taken.update(around)
        taken.add(entry)
    return chosen


def _parts(factors: Sequence[Factor], n: int) -> np.ndarray:
    """Number of the connected part of each entry, in the order of their first entries."""
    above = list(range(n))

    def root(e: int) -> int:
        while above[e] != e:
            above[e] = above[above[e]]
            e = above[e]
        return e

    for factor in factors:
        first, *others = factor.scope or (0,)
        for other in others:
            a, b = sorted((root(first), root(other)))
            above[b] = a
    roots = [root(e) for e in range(n)]
    number = {r: i for i, r in enumerate(sorted(set(roots)))}
    return np.array([number[r] for r in roots], dtype=int)
