"""Coordinates along which rays are straight: real entries, and the cutpoints of ordered ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pymle.model.layout import Layout


class Lines:
    """The part of the unconstrained vector that may go to infinity, on the natural scale.

    Entries of positive, bounded or otherwise curved variables stay where they are: on their
    working scale a straight line is none on the natural one, and `find_tails` looks at them.

    Parameters
    ----------
    layout : Layout
    x : numpy.ndarray, shape (k,)
        Where everything else stays.

    Attributes
    ----------
    places : numpy.ndarray of int, shape (p,)
        Their unconstrained coordinates.
    labels : tuple of str
        One per coordinate.
    """

    def __init__(self, layout: Layout, x: np.ndarray) -> None:
        self._x = np.array(x, dtype=np.float64)
        places: list[int] = []
        labels: list[str] = []
        self._ordered: list[np.ndarray] = []
        for block in layout.blocks:
            inner = np.arange(block.free.start, block.free.stop)
            if block.support.kind == "real":
                names = [n for n, held in zip(block.labels, block.fixed, strict=True) if not held]
            elif block.support.kind == "ordered" and not np.any(block.fixed):
                names = list(block.labels)
                self._ordered += list(inner.reshape(-1, block.shape[-1]))
            else:
                continue
            places += list(inner)
            labels += names
        self.places = np.array(places, dtype=int)
        self.labels = tuple(labels)

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return len(self.places)

    def of(self, x: np.ndarray) -> np.ndarray:
        """The coordinates (p,) of an unconstrained point."""
        full = np.array(x, dtype=np.float64)
        for row in self._ordered:
            full[row] = np.cumsum(np.concatenate([full[row[:1]], np.exp(full[row[1:]])]))
        return full[self.places]

    def to_x(self, z: np.ndarray) -> np.ndarray | None:
        """The unconstrained point (k,); None where cutpoints are not in order."""
        full = self._x.copy()
        full[self.places] = z
        for row in self._ordered:
            steps = np.diff(full[row])
            if np.any(steps <= 0):
                return None
            full[row[1:]] = np.log(steps)
        return full

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Derivative (k, p) of the unconstrained point with respect to the coordinates."""
        out = np.zeros((len(self._x), self.size))
        out[self.places, np.arange(self.size)] = 1.0
        column = {int(place): j for j, place in enumerate(self.places)}
        for row in self._ordered:
            with np.errstate(over="ignore"):
                slopes = np.exp(-np.asarray(x)[row[1:]])
            for before, here, slope in zip(row[:-1], row[1:], slopes, strict=True):
                out[here, column[int(here)]] = slope
                out[here, column[int(before)]] = -slope
        return out

    def order(self) -> np.ndarray:
        """Rows (r, p) whose product with a direction may not be negative: cutpoints stay in order.

        A middle category in which nobody is would let them collapse; along a ray they may not
        cross.
        """
        column = {int(place): j for j, place in enumerate(self.places)}
        rows = []
        for each in self._ordered:
            for before, here in pairwise(each):
                row = np.zeros(self.size)
                row[column[int(here)]], row[column[int(before)]] = 1.0, -1.0
                rows.append(row)
        return np.array(rows).reshape(-1, self.size)
