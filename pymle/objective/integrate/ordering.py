"""In which order unknowns are eliminated: rounds of such that do not touch each other.

Two ways are tried. Unknowns of few neighbours first, round after round (groups, levels, series);
and, where something dense is left, all at once what remains when those of most neighbours are
set aside (crossed factors: the larger one goes, the other ones are left as a dense core).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymle.objective.sparse.lanes import unique

#: Multiplications that cost as much as one more round: its dispatch, and its compilation once.
_ROUND_COST = 4e6
#: Rounds after which small groups are gone.
_FEW_ROUNDS = 4
#: Largest dense core.
LARGEST_CORE = 6000
#: Multiplications by gather and scatter that cost as much as one of a dense factorisation.
_SCATTER_COST = 200.0
#: Rounds within which an independent set is made maximal.
_SWEEPS = 12
#: Sweeps after which the unknowns of many neighbours are set aside, and the share of the largest
#: number of neighbours that counts as many in one of them.
_COVER_SWEEPS, _MANY = 400, 0.8


@dataclass(frozen=True)
class Round:
    """One round of elimination.

    Attributes
    ----------
    arrays : dict of str to numpy.ndarray
        ``pivot`` (places of the eliminated unknowns), ``keep`` (places of the others),
        ``back`` (the inverse of both),
        ``edge`` (off-diagonal entries that touch an eliminated unknown), ``owner`` and ``end``
        (their eliminated and their remaining unknown), ``kept`` (other off-diagonal entries)
        and ``kept_to`` (their places in the next round), ``left``, ``right``, ``to`` (pairs of
        edges of one eliminated unknown, and the entry that they change).
    size, edges : int
        Unknowns and off-diagonal entries of the next round.
    """

    arrays: dict[str, np.ndarray]
    size: int
    edges: int


def rounds_of(edges: np.ndarray, size: int) -> tuple[list[Round], np.ndarray, int]:
    """Plan the rounds.

    Parameters
    ----------
    edges : numpy.ndarray of int, shape (2, m)
        Pairs of unknowns that touch each other, the smaller first, sorted.
    size : int

    Returns
    -------
    rounds : list of Round
    edges : numpy.ndarray of int, shape (2, n)
        What is left.
    left : int
        Unknowns that are left.
    """
    # Small groups are gone after a few rounds: no core, and none of its library calls, is left.
    found = _plan(edges, size, 0.0, most=_FEW_ROUNDS)
    if not found[2]:
        return found
    found = _plan(edges, size, _ROUND_COST)
    if not found[2]:
        return found
    rest = _uncovered(edges, size)
    if rest is None or _fill(edges, size, rest) * _SCATTER_COST >= _cost(found):
        return found
    first, edges_left, left = _round(edges, size, rest)
    rounds, edges_left, left = _plan(edges_left, left, _ROUND_COST)
    other = [first, *rounds], edges_left, left
    return other if _cost(other) < _cost(found) else found


def _cost(found: tuple[list[Round], np.ndarray, int]) -> float:
    rounds, _, left = found
    pairs = sum(len(each.arrays["to"]) for each in rounds)
    return pairs * _SCATTER_COST + left**3 / 3.0 + len(rounds) * _ROUND_COST


def _fill(edges: np.ndarray, size: int, chosen: np.ndarray) -> float:
    degree = np.bincount(edges.reshape(-1), minlength=size)[chosen].astype(float)
    return float(np.sum(degree * (degree - 1.0))) / 2.0


def _uncovered(edges: np.ndarray, size: int) -> np.ndarray | None:
    """A large set of unknowns that do not touch each other (a mask).

    Those of most neighbours are set aside until nothing that is left touches: a vertex cover.
    """
    a, b = edges
    inside = np.ones(size, dtype=bool)
    tie = np.random.default_rng(size).permutation(size)
    for _ in range(_COVER_SWEEPS):
        if len(a) == 0:
            return inside
        degree = np.bincount(a, minlength=size) + np.bincount(b, minlength=size)
        rank = degree * size + tie
        highest = np.zeros(size, dtype=np.int64)
        np.maximum.at(highest, a, rank[b])
        np.maximum.at(highest, b, rank[a])
        aside = (degree >= _MANY * degree.max()) & (rank > highest)
        inside &= ~aside
        live = ~(aside[a] | aside[b])
        a, b = a[live], b[live]
    return None


def _plan(
    edges: np.ndarray, size: int, round_cost: float, most: int | None = None
) -> tuple[list[Round], np.ndarray, int]:
    """Rounds, and what is left after them: entries, and how many unknowns."""
    rounds: list[Round] = []
    while size and (most is None or len(rounds) < most):
        chosen = _independent(edges, size, round_cost)
        if chosen is None:
            break
        step, edges, size = _round(edges, size, chosen)
        rounds.append(step)
    return rounds, edges, size


def _independent(edges: np.ndarray, size: int, round_cost: float) -> np.ndarray | None:
    """Unknowns to eliminate together (a mask), or None where dense is cheaper."""
    a, b = edges
    if len(a) == 0:
        return np.ones(size, dtype=bool)
    degree = np.bincount(a, minlength=size) + np.bincount(b, minlength=size)
    # Unknowns with many neighbours fill the matrix: they wait.
    bound = max(4, 2 * int(np.median(degree)), int(degree.min()))
    eligible = degree <= bound
    # A fixed pseudo-random order breaks ties, so that a chain loses nearly half in a round.
    tie = np.random.default_rng(size).permutation(size)
    rank = np.empty(size, dtype=np.int64)
    rank[np.lexsort((tie, degree))] = np.arange(size)
    chosen = np.zeros(size, dtype=bool)
    open_ = eligible.copy()
    for _ in range(_SWEEPS):
        live = open_[a] & open_[b]
        best = np.full(size, np.iinfo(np.int64).max)
        np.minimum.at(best, a[live], rank[b[live]])
        np.minimum.at(best, b[live], rank[a[live]])
        new = open_ & (rank < best)
        if not new.any():
            break
        chosen |= new
        open_ &= ~new
        open_[b[new[a]]] = False
        open_[a[new[b]]] = False
    fill = float(np.sum(degree[chosen].astype(float) ** 2)) / 2
    gain = (size**3 - (size - chosen.sum()) ** 3) / 3.0
    if size <= LARGEST_CORE and fill * _SCATTER_COST + round_cost > gain:
        return None
    return chosen if chosen.any() else None


def _round(edges: np.ndarray, size: int, chosen: np.ndarray) -> tuple[Round, np.ndarray, int]:
    a, b = edges
    pivot, keep = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    place = np.empty(size, dtype=np.int64)
    place[pivot], place[keep] = np.arange(len(pivot)), np.arange(len(keep))
    touches = chosen[a] | chosen[b]
    edge = np.flatnonzero(touches)
    owner = np.where(chosen[a[edge]], a[edge], b[edge])
    end = np.where(chosen[a[edge]], b[edge], a[edge])
    order = np.lexsort((end, owner))
    edge, owner, end = edge[order], place[owner[order]], place[end[order]]
    left, right = _pairs(owner, len(pivot))
    kept = np.flatnonzero(~touches)
    n = len(keep)
    old = place[a[kept]] * n + place[b[kept]]
    low, high = end[left], end[right]
    new = np.minimum(low, high) * n + np.maximum(low, high)
    keys, inverse = unique(np.concatenate([old, new]))
    arrays = {
        "pivot": pivot,
        "keep": keep,
        "edge": edge,
        "owner": owner,
        "end": end,
        "back": np.argsort(np.concatenate([pivot, keep])),
        "kept": kept,
        "kept_to": inverse[: len(old)],
        "left": left,
        "right": right,
        "to": inverse[len(old) :],
    }
    small = {name: array.astype(np.uint32) for name, array in arrays.items()}
    return Round(small, n, len(keys)), np.stack([keys // max(n, 1), keys % max(n, 1)]), n


def _pairs(owner: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs (p < q) of positions with the same owner; ``owner`` is sorted."""
    degree = np.bincount(owner, minlength=count)
    begin = np.concatenate([[0], np.cumsum(degree)[:-1]])
    after = degree[owner] - 1 - (np.arange(len(owner)) - begin[owner])
    left = np.repeat(np.arange(len(owner)), after)
    starts = np.concatenate([[0], np.cumsum(after)[:-1]]) if len(after) else np.zeros(0, int)
    right = np.arange(len(left)) - np.repeat(starts, after) + left + 1
    return left, right
