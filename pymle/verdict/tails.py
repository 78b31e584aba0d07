"""Parameters that ran into a tail of their working scale: to an edge of the support, or away.

On a log or log-odds scale the edge lies at infinity. A search stops there when nothing is
left to gain, with a curvature that is positive and as good as zero: a unit diagonal would hide
it. The test is the likelihood itself: flat towards the tail, not flat towards the inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pymle.verdict.curvature import Curvature, curvature_of

#: Conditional standard error on a log or log-odds scale above which a tail is looked for.
_WIDE = 5.0
#: Steps along a coordinate that are tried, in its own units.
_STEPS = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
#: Change of the log-likelihood that is none, and one that is rising.
_SAME = 1e-3
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
        Orthonormal directions of the unconstrained scale without curvature.
    towards : dict of str to float
        Label of each entry with the side: -1 lower, +1 upper.
    infinite : bool
        At least one goes to infinity on the natural scale too.
    rising : bool
        The log-likelihood still rises along at least one.
    """

    directions: np.ndarray
    towards: dict[str, float]
    infinite: bool
    rising: bool

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
        if q == k:
            return True
        basis = np.linalg.qr(self.directions, mode="complete")[0][:, q:]
        inner = curvature_of(basis.T @ curvature.information @ basis)
        return inner.positive and inner.expected_gain(basis.T @ score) < _SETTLED


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

    Returns
    -------
    Tails or None
    """
    directions: list[np.ndarray] = []
    towards: dict[str, float] = {}
    infinite = rising = False
    for i in np.flatnonzero(bent & (np.diagonal(curvature.information) < _WIDE**-2)):
        side, still = _side(value, x, int(i))
        if side == 0.0:
            continue
        towards[labels[int(i)]] = side
        directions.append(np.eye(len(x))[i])
        infinite |= not (lower_edge[i] if side < 0 else upper_edge[i])
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
    return Tails(np.stack(directions, axis=1), towards, infinite, rising)


def _side(value: Callable[[np.ndarray], float], x: np.ndarray, i: int) -> tuple[float, bool]:
    """Side of the tail (-1, +1; 0 where there is none), and whether the value rises towards it."""
    here = value(x)
    changed = {-1.0: False, 1.0: False}
    for step in _STEPS:
        change = {}
        for side in changed:
            moved = x.copy()
            moved[i] += side * step
            with np.errstate(all="ignore"):
                there = value(moved)
            change[side] = there - here if np.isfinite(there) else -np.inf
        rises = [side for side, c in change.items() if c > _SAME]
        if rises:
            return rises[0], True
        falls = [side for side, c in change.items() if c < -_SAME]
        if len(falls) == 2:
            return 0.0, False  # falls off on both sides: wide, but a maximum
        if falls:
            return -falls[0], False
    return 0.0, False  # flat on both sides: not identified, which the eigenvalues say
