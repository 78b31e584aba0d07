"""Directions along which the likelihood of no observation ever falls: separation.

A concave log-likelihood has no maximum exactly if there is a direction, not flat, along which no
observation's term falls anywhere (Rockafellar 1970, theorem 27.1). For a regression this is
complete or quasi-complete separation (Albert and Anderson 1984), and a linear programme finds it
(Konis 2007). Here the programme is fed with the scores of the observations at points that its
own answers lead to, so that it needs no design matrix, link or family.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: Rows of the first programme, and violated rows that one look adds.
_FIRST_ROWS, _MORE_ROWS = 3000, 1000
#: Programmes that are solved before the search for a direction is given up.
_MOST_PROGRAMMES = 40
#: Lengths along a ray, in units of the distance that changes a typical score by itself.
_LENGTHS = np.concatenate([[0.0], 10.0 ** np.linspace(-2, 4, 13)])
#: Slope along a direction, relative to the size of a row, that is none.
_NO_SLOPE = 1e-7
#: Size of a row, relative to its largest, below which it has died away.
_DEAD = 1e-9
#: Entry of a unit vector that is what dying rows leave behind.
_ROUNDING = 1e-6
#: Coordinates up to which the fewest that suffice are looked for.
_MOST_DROPPED = 40


@dataclass(frozen=True)
class Recession:
    """A direction in which the log-likelihood rises for ever towards a limit.

    Attributes
    ----------
    direction : numpy.ndarray, shape (p,)
        In the coordinates of the rows; largest entry one in size.
    step : numpy.ndarray, shape (p,)
        The same of a length that changes a typical score by itself.
    share : numpy.ndarray, shape (p,)
        Sizes of its entries in units that make columns comparable; the largest is one.
    rising : int
        Observations whose term rises along it.
    observations : int
        All of them.
    unidentified : numpy.ndarray or None, shape (p, q)
        Basis of the directions in which what is left of the likelihood, far out, is flat; None
        where the limit could not be reached.
    """

    direction: np.ndarray
    step: np.ndarray
    share: np.ndarray
    rising: int
    observations: int
    unidentified: np.ndarray | None

    @property
    def complete(self) -> bool:
        """Whether every observation rises: complete separation."""
        return self.rising == self.observations


Rows = Callable[[np.ndarray], np.ndarray | None]


def find_recession(
    rows: Rows, points: np.ndarray, *, order: np.ndarray | None = None, seed: int = 0
) -> Recession | None:
    """Look for a direction along which no observation's log-density falls.

    Parameters
    ----------
    rows : callable
        Scores (n, p) of all observations at a point (p,); None outside the domain.
    points : numpy.ndarray, shape (m, p)
        Points to begin with, such as the start and the end of a search.
    order : numpy.ndarray, shape (r, p), optional
        Further rows whose product with the direction may not be negative.
    seed : int
        Choice of the first rows where there are many observations.

    Returns
    -------
    Recession or None
        None where no such direction exists, or none could be confirmed.

    Notes
    -----
    The necessary conditions at finitely many points make a linear programme whose answer
    maximises the number of observations that rise; the answer is confirmed along the rays from
    all points, and what contradicts it becomes a row of the next programme. If the programme has
    no answer there is none.

    References
    ----------
    Albert A, Anderson JA (1984), doi:10.1093/biomet/71.1.1. Konis K (2007), Linear programming
    algorithms for detecting separated data in binary logistic regression models, University of
    Oxford, section 4.
    """
    usable = [(point, found) for point in points if (found := _usable(rows(point))) is not None]
    points, seen = np.array([p for p, _ in usable]), [found for _, found in usable]
    if not seen or seen[0].shape[1] == 0:
        return None
    size = np.max(np.abs(np.stack(seen)), axis=(0, 1))
    if not np.all(np.isfinite(size)) or not np.any(size > 0):
        return None
    units = np.where(size > 0, size, 1.0)
    moving = size > 0
    largest = np.max([np.linalg.norm(each / units, axis=1) for each in seen], axis=0)
    programme = _Programme(moving, units, None if order is None else order / units)
    rng = np.random.default_rng(seed)
    for each in seen:
        programme.add(_sample(each / units, largest, rng))
    for _ in range(_MOST_PROGRAMMES):
        u = programme.solve()
        if u is None:
            return None
        wrong = _contradicting(rows, points, u, units, largest)
        if wrong is None:
            return None
        if len(wrong) == 0:
            return _described(rows, points, programme, u, units, largest)
        programme.add(wrong[:_MORE_ROWS])
    return None


class _Programme:
    """The linear programme: the direction along which most of the rows rise."""

    def __init__(self, moving: np.ndarray, units: np.ndarray, order: np.ndarray | None) -> None:
        self.moving, self.units = moving, units
        self.rows = np.zeros((0, len(units)))
        self.order = np.zeros((0, len(units))) if order is None else order

    def add(self, rows: np.ndarray) -> None:
        length = np.linalg.norm(rows, axis=1)
        kept = rows[length > 0] / length[length > 0, None]
        both = np.concatenate([self.rows, kept])
        # Observations with one predictor each have parallel rows everywhere.
        _, first = np.unique(np.round(both, 8) + 0.0, axis=0, return_index=True)
        self.rows = both[np.sort(first)]

    def solve(self, without: np.ndarray | None = None) -> np.ndarray | None:
        """The direction, largest entry one in size; None if no row can rise."""
        from scipy.optimize import linprog

        free = self.moving if without is None else self.moving & ~without
        if not np.any(free):
            return None
        n, p = len(self.rows), len(self.units)
        bound = 1e3 * free
        # More than the sum of slopes: a slope counts up to one, so that as many rows as
        # possible rise and none rises at the cost of others.
        matrix = np.block([[-self.rows, np.eye(n)], [-self.order, np.zeros((len(self.order), n))]])
        found = linprog(
            np.concatenate([np.zeros(p), -np.ones(n)]),
            A_ub=matrix,
            b_ub=np.zeros(len(matrix)),
            bounds=[*zip(-bound, bound, strict=True), *[(0.0, 1.0)] * n],
            method="highs",
        )
        if found.x is None:
            return None
        u = found.x[:p]
        top = np.max(np.abs(u))
        if top == 0 or not np.max(self.rows @ u) > _NO_SLOPE * top:
            return None
        return np.where(np.abs(u) > 1e-9 * top, u / top, 0.0)

    def fewest(self, u: np.ndarray) -> np.ndarray:
        """A direction with as many rising rows along fewer coordinates."""
        rising = np.sum(self.rows @ u > _NO_SLOPE)
        without = u == 0
        if np.sum(~without) > _MOST_DROPPED:
            return u
        for j in np.argsort(np.abs(u)):
            if without[j]:
                continue
            trial = without.copy()
            trial[j] = True
            other = self.solve(trial)
            if other is not None and np.sum(self.rows @ other > _NO_SLOPE) >= rising:
                u, without = other, trial
        return u


def _usable(rows: np.ndarray | None) -> np.ndarray | None:
    """Rows with zeros where a score is no number; None outside the domain.

    The score of a probability that rounds to one is zero times infinity in many a formula: the
    row says nothing at such a point.
    """
    if rows is None or len(rows) == 0:
        return None
    return np.where(np.all(np.isfinite(rows), axis=1)[:, None], rows, 0.0)


def _sample(rows: np.ndarray, largest: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    alive = rows[np.linalg.norm(rows, axis=1) > _DEAD * largest]
    if len(alive) <= _FIRST_ROWS:
        return alive
    return alive[rng.choice(len(alive), _FIRST_ROWS, replace=False)]


def _along(rows: Rows, point: np.ndarray, v: np.ndarray, length: float) -> np.ndarray | None:
    return _usable(rows(point + length * v))


def _contradicting(
    rows: Rows, points: np.ndarray, u: np.ndarray, units: np.ndarray, largest: np.ndarray
) -> np.ndarray | None:
    """Rows along the rays that fall in a direction; None where the rays leave the domain."""
    v, wrong, looked = u / units, [], 0
    for point in points:
        for length in _LENGTHS:
            found = _along(rows, point, v, length)
            if found is None:
                if length <= 1.0:
                    return None
                break
            looked += length >= 1.0
            scaled = found / units
            norm = np.linalg.norm(scaled, axis=1)
            slope = scaled @ u
            bad = (slope < -_NO_SLOPE * norm) & (norm > _DEAD * largest)
            if np.any(bad):
                worst = np.argsort(slope[bad] / norm[bad])
                wrong.append(scaled[bad][worst])
        if wrong:
            return np.concatenate(wrong)
    return None if looked == 0 else np.zeros((0, len(u)))


def _described(
    rows: Rows,
    points: np.ndarray,
    programme: _Programme,
    u: np.ndarray,
    units: np.ndarray,
    largest: np.ndarray,
) -> Recession | None:
    fewer = programme.fewest(u)
    again = _contradicting(rows, points, fewer, units, largest)
    if again is not None and len(again) == 0:
        u = fewer
    v = u / units
    rising = np.zeros(len(largest), dtype=bool)
    for point in points:
        found = _usable(rows(point))
        if found is not None:
            scaled = found / units
            rising |= scaled @ u > _NO_SLOPE * np.linalg.norm(scaled, axis=1) + _DEAD * largest
    return Recession(
        direction=v / np.max(np.abs(v)),
        step=v,
        share=np.abs(u) / np.max(np.abs(u)),
        rising=int(np.sum(rising)),
        observations=len(largest),
        unidentified=_flat_far_out(rows, points[0], u, units, largest),
    )


def _flat_far_out(
    rows: Rows, point: np.ndarray, u: np.ndarray, units: np.ndarray, largest: np.ndarray
) -> np.ndarray | None:
    """Directions in which the limit of the likelihood along a ray is flat."""
    v, length = u / units, 1.0
    left: np.ndarray | None = None
    for _ in range(60):
        found = _along(rows, point, v, length)
        if found is None:
            return None
        scaled = found / units
        norm = np.linalg.norm(scaled, axis=1)
        alive = norm > 1e-6 * largest
        if np.all(np.abs(scaled[alive] @ u) <= 1e-6 * norm[alive]):
            left = scaled[alive] / norm[alive, None]
            break
        length *= 2.0
    if left is None:
        return None
    if len(left) == 0:
        return np.eye(len(u))
    _, values, vectors = np.linalg.svd(left.T @ left)
    flat = vectors[values <= 1e-10 * values[0]]
    # Nothing in these units, which others would make large.
    return (np.where(np.abs(flat) < _ROUNDING, 0.0, flat) / units).T
