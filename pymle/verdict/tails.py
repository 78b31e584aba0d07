"""Parameters that ran into a tail of their working scale: to an edge of the support, or away.

On a log or log-odds scale the edge lies at infinity. A search stops there when nothing is
left to gain, with a curvature that is positive and as good as zero: a unit diagonal would hide
it. The test is the likelihood itself: flat towards the tail, not flat towards the inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from pymle.verdict.curvature import Curvature, curvature_of

#: Conditional standard error on a log or log-odds scale above which a tail is looked for.
_WIDE = 5.0
#: Steps along a coordinate that are tried, in its own units.
_STEPS = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
#: The same in sizes of a real coordinate, and the fall that is clear there.
_SIZES, _CLEAR = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0), 0.1
#: Size from which on a coordinate on no log scale may be on its way to infinity.
_LARGE = 1e3
#: Share of a joint direction from which on a coordinate is said to take part in it.
_TAKES_PART = 0.05
#: Change of the log-likelihood that is none, and one that is rising.
_SAME = 1e-3
#: Share of a step over which a slope shows.
_SHORT = 1e-4
#: Eigenvalue, at a unit diagonal, that leaves no doubt.
_STRICT = 1e-6
#: Step further out at which the curvature is looked at again, and its change that says no limit.
_FURTHER, _CHANGED = 2.0, 0.05
#: Expected gain of everything else below which it is settled.
_SETTLED = 1e-6


@dataclass(frozen=True)
class Saturated:
    """Entries of a variable whose entries constrain each other, at their own bounds.

    Attributes
    ----------
    free : slice
        The variable's unconstrained coordinates.
    labels : tuple of str
        Entries at a bound to 1e-7.
    """

    free: slice
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Tails:
    """What ran away.

    Attributes
    ----------
    directions : numpy.ndarray, shape (k, q)
        Directions of the unconstrained scale without curvature, in which a step of one changes
        a logarithm or log-odds by one.
    towards : dict of str to float
        Label of each entry with the side: -1 lower, +1 upper.
    infinite : bool
        At least one goes to infinity on the natural scale too.
    rising : bool
        The log-likelihood still rises along at least one.
    steady : bool
        The curvature of everything else has a limit on the way out.
    """

    directions: np.ndarray
    towards: dict[str, float]
    infinite: bool
    rising: bool
    steady: bool = True

    def settled(self, score: np.ndarray, curvature: Curvature) -> bool:
        """Whether everything else is at a strict maximum of its own.

        Parameters
        ----------
        score : numpy.ndarray, shape (k,)
        curvature : Curvature

        Returns
        -------
        bool
        """
        k, q = self.directions.shape
        if not self.steady:
            return False
        if q == k:
            return True
        basis = np.linalg.qr(self.directions, mode="complete")[0][:, q:]
        inner = curvature_of(basis.T @ curvature.information @ basis)
        return inner.positive and inner.expected_gain(basis.T @ score) < _SETTLED

    def strict(self, curvature: Curvature) -> bool:
        """Whether the information about everything else is far from singular.

        Parameters
        ----------
        curvature : Curvature

        Returns
        -------
        bool
        """
        k, q = self.directions.shape
        basis = np.linalg.qr(self.directions, mode="complete")[0][:, q:]
        inner = curvature_of(basis.T @ curvature.information @ basis)
        return q == k or (inner.positive and float(inner.eigen[0][0]) > _STRICT)


def find_tails(
    value: Callable[[np.ndarray], float],
    x: np.ndarray,
    curvature: Curvature,
    *,
    labels: Sequence[str],
    bent: np.ndarray,
    lower_edge: np.ndarray,
    upper_edge: np.ndarray,
    saturated: Sequence[Saturated],
    real: np.ndarray | None = None,
    hessian: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Tails | None:
    """Look for coordinates in a tail of their working scale.

    Parameters
    ----------
    value : callable
        Log-likelihood at a point.
    x : numpy.ndarray, shape (k,)
    curvature : Curvature
    labels : sequence of str
        One per unconstrained coordinate.
    bent : numpy.ndarray of bool, shape (k,)
        Coordinates on a log or log-odds scale with a natural entry of their own.
    lower_edge, upper_edge : numpy.ndarray of bool, shape (k,)
        Whether minus or plus infinity of a coordinate is a finite edge of the support.
    saturated : sequence of Saturated
        Variables whose entries constrain each other, as far as entries are at a bound.
    real : numpy.ndarray of bool, shape (k,), optional
        Coordinates that may be any real number: a user's own logarithm of a scale among them.
    hessian : callable, optional
        Second derivatives at a point: shows whether the curvature of everything else has a limit.

    Returns
    -------
    Tails or None
    """
    directions: list[np.ndarray] = []
    towards: dict[str, float] = {}
    outwards: list[Callable[[float], np.ndarray]] = []
    infinite = rising = False
    for i in np.flatnonzero(bent & (np.diagonal(curvature.information) < _WIDE**-2)):
        unit = np.eye(len(x))[i]
        side, still = _side(value, lambda step, unit=unit: x + step * unit)
        if side == 0.0:
            continue
        towards[labels[int(i)]] = side
        outwards.append(lambda step, unit=side * unit: x + step * unit)
        directions.append(np.eye(len(x))[i])
        infinite |= not (lower_edge[i] if side < 0 else upper_edge[i])
        rising |= still
    for i, side in [] if real is None else _real_tails(value, x, curvature, real):
        towards[labels[i]] = side
        unit = side * np.eye(len(x))[i]
        outwards.append(lambda step, unit=unit: x + step * unit)
        directions.append(np.abs(unit))
        infinite = True
    alone = np.any(np.array(directions, dtype=bool), axis=0) if directions else np.zeros_like(bent)
    joint = _joint(value, x, curvature, bent, ~alone)
    if joint is not None:
        direction, still, out = joint
        outwards.append(out)
        directions.append(direction)
        relative = direction / np.where(bent, 1.0, np.abs(x))
        for i in np.flatnonzero(np.abs(relative) > _TAKES_PART * np.max(np.abs(relative))):
            towards[labels[int(i)]] = float(np.sign(direction[i]))
            infinite |= not (lower_edge[i] if direction[i] < 0 else upper_edge[i])
        rising |= still
    for group in saturated:
        inner = curvature.information[group.free, group.free]
        vectors = np.linalg.eigh(inner)[1][:, : len(group.labels)]
        for column in vectors.T:
            direction = np.zeros(len(x))
            direction[group.free] = column
            directions.append(direction)
        towards |= dict.fromkeys(group.labels, -1.0)
    if not directions:
        return None
    found = Tails(np.stack(directions, axis=1), towards, infinite, rising)
    if hessian is None or rising or not outwards:
        return found
    further = outwards[-1](_FURTHER)
    return replace(found, steady=_steady(hessian, x, further, found.directions))


def _real_tails(
    value: Callable[[np.ndarray], float], x: np.ndarray, curvature: Curvature, real: np.ndarray
) -> list[tuple[int, float]]:
    """Real coordinates on level ground that ends on one side, with the other side.

    A step of one has no meaning on their scale: those are looked at whose conditional standard
    error is many times their own size, with steps of that size, and the fall is to be a clear one
    (to impossible data it is none).
    """

    def finite(at: np.ndarray) -> float:
        found = value(at)
        return found if np.isfinite(found) else float("nan")

    size = np.maximum(np.abs(x), 1.0)
    out = []
    for i in np.flatnonzero(real & (np.diagonal(curvature.information) < (_WIDE * size) ** -2)):
        unit = size[i] * np.eye(len(x))[i]
        side, still = _side(finite, lambda step, unit=unit: x + step * unit, _SIZES, _CLEAR)
        if side != 0.0 and not still and _slopes(finite, x, -side * unit):
            out.append((int(i), side))
    return out


def _slopes(value: Callable[[np.ndarray], float], x: np.ndarray, back: np.ndarray) -> bool:
    """Whether the way back goes up and down by slopes, rather than by steps alone."""
    pairs = ((x + step * back, x + (1.0 + _SHORT) * step * back) for step in _SIZES)
    return any(abs(value(a) - value(b)) > 0.0 for a, b in pairs)


def _steady(
    hessian: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    further: np.ndarray,
    directions: np.ndarray,
) -> bool:
    """Whether standard errors of everything else stay the same further out."""
    basis = np.linalg.qr(directions, mode="complete")[0][:, directions.shape[1] :]
    if not basis.shape[1]:
        return True
    with np.errstate(all="ignore"):
        here, there = (-basis.T @ hessian(p) @ basis for p in (x, further))
    if not np.all(np.isfinite(there)):
        return True  # beyond the arithmetic: nothing is learned
    a, b = np.diagonal(here), np.diagonal(there)
    return bool(np.all(np.abs(a - b) <= _CHANGED * np.maximum(np.abs(a), np.abs(b))))


def _joint(
    value: Callable[[np.ndarray], float],
    x: np.ndarray,
    curvature: Curvature,
    bent: np.ndarray,
    among: np.ndarray,
) -> tuple[np.ndarray, bool, Callable[[float], np.ndarray]] | None:
    """A direction in which coordinates that are logs, or are very large, run away together.

    The shapes of a beta-binomial that tends to a binomial go to infinity at a constant ratio, the
    mean and the variance of a truncated normal that tends to an exponential do: neither alone. A
    very large coordinate is looked at on the scale of its logarithm.
    """
    grown = ~bent & (np.abs(x) > _LARGE)
    places = np.flatnonzero(among & (bent | grown))
    if len(places) == 0 or not (grown.any() or len(places) > 1):
        return None
    unit = np.where(grown, x, 1.0)[places]
    part = curvature.information[np.ix_(places, places)] * np.outer(unit, unit)
    values, vectors = np.linalg.eigh(part)
    if not values[0] < _WIDE**-2:
        return None
    shape = np.zeros(len(x))
    shape[places] = vectors[:, 0] / np.max(np.abs(vectors[:, 0]))

    def move(step: float) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.where(grown, x * np.exp(step * shape), x + step * shape)

    side, still = _side(value, move)
    if side == 0.0:
        return None
    out = partial(_moved, move, side)
    return side * shape * np.where(grown, x, 1.0), still, out


def _moved(move: Callable[[float], np.ndarray], side: float, step: float) -> np.ndarray:
    return move(side * step)


def _side(
    value: Callable[[np.ndarray], float],
    move: Callable[[float], np.ndarray],
    steps: Sequence[float] = _STEPS,
    least: float = _SAME,
) -> tuple[float, bool]:
    """Side of the tail (-1, +1; 0 where there is none), and whether the value rises towards it."""
    here = value(move(0.0))
    seen = dict.fromkeys((-1.0, 1.0), 0)
    for step in steps:
        change = {}
        for side in seen:
            moved = move(side * step)
            with np.errstate(all="ignore"):
                there = value(moved)
            # No value at all (an integral without a conditional mode) says nothing.
            change[side] = -np.inf if there in (np.inf, -np.inf) else there - here
        rises = [side for side, c in change.items() if c > _SAME]
        if rises:
            return rises[0], True
        falls = [side for side, c in change.items() if c < -least]
        if len(falls) == 2:
            return 0.0, False  # falls off on both sides: wide, but a maximum
        for side, c in change.items():
            seen[side] += abs(c) <= _SAME
        if falls:
            # Level ground on the other side must have been seen, not only missed.
            away = -falls[0]
            level = seen[away] > 0 and not change[away] < -_SAME
            return (away, False) if level else (0.0, False)
    return 0.0, False  # flat on both sides: not identified, which the eigenvalues say
