"""Coordinates along which rays are straight: real entries, sums to zero, ordered cutpoints."""

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
    natural : numpy.ndarray, shape (m, k), optional
        Derivative of the natural entries there: names entries that sum to zero.
    equations, inequalities : numpy.ndarray, shape (r, k), optional
        Gradients of linear constraints on the unconstrained scale: a ray keeps to the equations
        that hold at ``x``, and does not fall along an inequality.

    Attributes
    ----------
    places : numpy.ndarray of int, shape (q,)
        Their unconstrained coordinates.
    labels : tuple of str
        Names of what a ray moves.
    """

    def __init__(
        self,
        layout: Layout,
        x: np.ndarray,
        natural: np.ndarray | None = None,
        equations: np.ndarray | None = None,
        inequalities: np.ndarray | None = None,
    ) -> None:
        self._x = np.array(x, dtype=np.float64)
        places: list[int] = []
        labels: list[str] = []
        named: list[np.ndarray] = []
        self._ordered: list[np.ndarray] = []
        for block in layout.blocks:
            inner = np.arange(block.free.start, block.free.stop)
            move = np.eye(len(inner))
            if block.support.kind == "real":
                names = [n for n, held in zip(block.labels, block.fixed, strict=True) if not held]
            elif block.support.kind == "ordered" and not np.any(block.fixed):
                names = list(block.labels)
                self._ordered += list(inner.reshape(-1, block.shape[-1]))
            elif block.support.kind == "zerosum" and not np.any(block.fixed):
                names = list(layout.free_labels[block.free])
                if natural is not None:
                    names, move = list(block.labels), natural[block.natural, block.free]
            else:
                continue
            places += list(inner)
            labels += names
            named.append(move)
        self.places = np.array(places, dtype=int)
        self.labels = tuple(labels)
        self._inequalities = np.zeros((0, len(places)))
        if inequalities is not None:
            self._inequalities = inequalities[:, self.places]
        self._basis = np.eye(len(places))
        if equations is not None and len(equations) and len(places):
            self._basis = _null_space(equations[:, self.places])
        self._origin = self._full_of(self._x) if len(places) else np.zeros(0)
        self.names = _block_diagonal(named, len(labels), len(places)) @ self._basis

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self._basis.shape[1]

    def of(self, x: np.ndarray) -> np.ndarray:
        """The coordinates (p,) of an unconstrained point."""
        return np.linalg.lstsq(self._basis, self._full_of(x) - self._origin, rcond=None)[0]

    def _full_of(self, x: np.ndarray) -> np.ndarray:
        full = np.array(x, dtype=np.float64)
        for row in self._ordered:
            full[row] = np.cumsum(np.concatenate([full[row[:1]], np.exp(full[row[1:]])]))
        return full[self.places]

    def to_x(self, z: np.ndarray) -> np.ndarray | None:
        """The unconstrained point (k,); None where cutpoints are not in order."""
        full = self._x.copy()
        full[self.places] = self._origin + self._basis @ z
        for row in self._ordered:
            steps = np.diff(full[row])
            if np.any(steps <= 0):
                return None
            full[row[1:]] = np.log(steps)
        return full

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Derivative (k, p) of the unconstrained point with respect to the coordinates."""
        out = np.zeros((len(self._x), len(self.places)))
        out[self.places, np.arange(len(self.places))] = 1.0
        column = {int(place): j for j, place in enumerate(self.places)}
        for row in self._ordered:
            with np.errstate(over="ignore"):
                slopes = np.exp(-np.asarray(x)[row[1:]])
            for before, here, slope in zip(row[:-1], row[1:], slopes, strict=True):
                out[here, column[int(here)]] = slope
                out[here, column[int(before)]] = -slope
        return out @ self._basis

    def straight(self) -> np.ndarray:
        """Directions (k, r) of the unconstrained scale that bend nothing: no cutpoints in them."""
        bent = np.isin(self.places, np.concatenate([[-1], *self._ordered]))
        columns = self._basis[:, ~np.any(self._basis[bent] != 0.0, axis=0)]
        out = np.zeros((len(self._x), columns.shape[1]))
        out[self.places] = columns
        return out

    def order(self) -> np.ndarray:
        """Rows (r, p) whose product with a direction may not be negative: cutpoints stay in order.

        A middle category in which nobody is would let them collapse; along a ray they may not
        cross. Nor may a ray leave what inequalities allow.
        """
        column = {int(place): j for j, place in enumerate(self.places)}
        rows = list(self._inequalities)
        for each in self._ordered:
            for before, here in pairwise(each):
                row = np.zeros(len(self.places))
                row[column[int(here)]], row[column[int(before)]] = 1.0, -1.0
                rows.append(row)
        return np.array(rows).reshape(-1, len(self.places)) @ self._basis


def _null_space(rows: np.ndarray) -> np.ndarray:
    """Basis (q, p) of what rows (r, q) do not move: identity at coordinates that may be chosen."""
    from scipy.linalg import qr

    triangle, order = qr(rows, mode="r", pivoting=True)
    sizes = np.abs(np.diagonal(triangle))
    rank = int(np.sum(sizes > 1e-12 * max(float(sizes.max(initial=0.0)), 1e-300)))
    bound, free = order[:rank], order[rank:]
    basis = np.zeros((rows.shape[1], len(free)))
    basis[free, np.arange(len(free))] = 1.0
    basis[bound] = -np.linalg.solve(triangle[:rank, :rank], triangle[:rank, rank:])
    return basis


def _block_diagonal(blocks: list[np.ndarray], rows: int, columns: int) -> np.ndarray:
    out = np.zeros((rows, columns))
    i = j = 0
    for block in blocks:
        out[i : i + block.shape[0], j : j + block.shape[1]] = block
        i, j = i + block.shape[0], j + block.shape[1]
    return out
