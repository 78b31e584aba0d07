"""Points that satisfy linear constraints inside the supports, by linear programming."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from pymle.model.problem import Problem

#: Distance to a bound, as a share of the room there is, that counts as inside.
_INSIDE = 1e-7
#: Share of the best margin that a start keeps.
_KEPT = 0.1


@dataclass(frozen=True)
class Linear:
    """Linear functions of the natural values, ``matrix @ natural + offset``.

    Attributes
    ----------
    matrix : numpy.ndarray, shape (p, m)
    offset : numpy.ndarray, shape (p,)
    """

    matrix: np.ndarray
    offset: np.ndarray

    def holds(self, natural: np.ndarray, relations: tuple[str, ...]) -> bool:
        """Whether every row compares with zero as its relation says, to rounding."""
        value = self.matrix @ natural + self.offset
        size = 1e-12 * (np.abs(self.matrix) @ np.abs(natural) + np.abs(self.offset))
        for each, allowed, relation in zip(value, size, relations, strict=True):
            low = relation != "<=" and each < -allowed
            high = relation != ">=" and each > allowed
            if low or high:
                return False
        return True


def structure(problem: Problem) -> Linear:
    """Equations that the supports themselves impose: entries of a simplex add up to one.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Linear
    """
    size = problem.layout.natural_size
    rows, offsets = [], []
    for block in problem.layout.blocks:
        kind = block.support.kind
        if block.wholly_fixed or not (kind == "simplex" or _one_zero_sum(block)):
            continue
        places = np.arange(block.natural.start, block.natural.stop).reshape(-1, block.shape[-1])
        for group in places:
            row = np.zeros(size)
            row[group] = 1.0
            rows.append(row)
            offsets.append(-1.0 if kind == "simplex" else 0.0)
    return Linear(np.array(rows).reshape(-1, size), np.array(offsets, dtype=float))


def _one_zero_sum(block: Any) -> bool:
    return block.support.kind == "zerosum" and len(block.shape) == 1


def interior(problem: Problem, linear: Linear, relations: tuple[str, ...]) -> float | None:
    """How far inside the supports the constraints can hold.

    Parameters
    ----------
    problem : Problem
    linear : Linear
    relations : tuple of str

    Returns
    -------
    float or None
        Largest margin to all bounds (at most one, and half of an interval), zero where they
        hold at an edge alone; None where they cannot hold.
    """
    program = _Program(problem, linear, relations)
    cost = np.zeros(program.columns)
    cost[-1] = -1.0
    found = program.solve(cost, 0.0)
    if found is None:
        return None
    margin = float(found[-1])
    return margin if margin > _INSIDE else 0.0


def nearest(
    problem: Problem, linear: Linear, relations: tuple[str, ...], natural: np.ndarray
) -> np.ndarray | None:
    """The point that satisfies the constraints with the least sum of changes from another.

    Parameters
    ----------
    problem : Problem
    linear : Linear
    relations : tuple of str
    natural : numpy.ndarray, shape (m,)

    Returns
    -------
    numpy.ndarray or None
    """
    margin = interior(problem, linear, relations)
    if margin is None:
        return None
    program = _Program(problem, linear, relations, near=natural)
    size = problem.layout.natural_size
    cost = np.zeros(program.columns)
    cost[size : 2 * size] = 1.0 / np.maximum(np.abs(natural), 1.0)
    found = program.solve(cost, _KEPT * margin)
    return None if found is None else found[:size]


class _Program:
    """Natural values, their changes from a point if there is one, and the margin."""

    def __init__(
        self,
        problem: Problem,
        linear: Linear,
        relations: tuple[str, ...],
        near: np.ndarray | None = None,
    ) -> None:
        layout, coordinates = problem.layout, problem.coordinates
        size = layout.natural_size
        here = layout.to_natural(coordinates.complete(None)) if near is None else near
        lower, upper = coordinates.flat_bounds(here)
        self.columns = size + (0 if near is None else size) + 1
        self._above: list[np.ndarray] = []
        self._least: list[float] = []
        self._equal: list[np.ndarray] = []
        self._values: list[float] = []
        self._bounds = [(None, None)] * (self.columns - 1) + [(0.0, 1.0)]
        for i in np.flatnonzero(layout.fixed):
            self._bounds[i] = (here[i], here[i])
        room = np.where(np.isfinite(upper - lower), 0.5 * (upper - lower), 1.0)
        room = np.minimum(room, 1.0)
        for i in np.flatnonzero(~layout.fixed):
            if np.isfinite(lower[i]):
                self._at_least({i: 1.0, -1: -room[i]}, lower[i])
            if np.isfinite(upper[i]):
                self._at_least({i: -1.0, -1: -room[i]}, -upper[i])
        for block in layout.blocks:
            if block.support.kind == "ordered" and not block.wholly_fixed:
                places = np.arange(block.natural.start, block.natural.stop)
                for group in places.reshape(-1, block.shape[-1]):
                    for a, b in pairwise(group):
                        self._at_least({int(b): 1.0, int(a): -1.0, -1: -1e-3}, 0.0)
        fixed = structure(problem)
        for row, offset in zip(fixed.matrix, fixed.offset, strict=True):
            self._row(row, offset, "=")
        for row, offset, relation in zip(linear.matrix, linear.offset, relations, strict=True):
            self._row(row, offset, relation)
        if near is not None:
            for i in range(size):
                self._at_least({size + i: 1.0, i: -1.0}, -near[i])
                self._at_least({size + i: 1.0, i: 1.0}, near[i])

    def _at_least(self, entries: dict[int, float], least: float) -> None:
        row = np.zeros(self.columns)
        for place, value in entries.items():
            row[place] = value
        self._above.append(row)
        self._least.append(float(least))

    def _row(self, coefficients: np.ndarray, offset: float, relation: str) -> None:
        scale = float(np.linalg.norm(coefficients))
        row = np.zeros(self.columns)
        row[: len(coefficients)] = coefficients / scale
        if relation == "=":
            self._equal.append(row)
            self._values.append(-offset / scale)
        else:
            sign = -1.0 if relation == "<=" else 1.0
            self._above.append(sign * row)
            self._least.append(-sign * offset / scale)

    def solve(self, cost: np.ndarray, margin: float) -> np.ndarray | None:
        from scipy.optimize import linprog

        bounds = [*self._bounds[:-1], (margin, 1.0)]
        found = linprog(
            cost,
            A_ub=-np.array(self._above) if self._above else None,
            b_ub=-np.array(self._least) if self._above else None,
            A_eq=np.array(self._equal) if self._equal else None,
            b_eq=np.array(self._values) if self._equal else None,
            bounds=bounds,
            method="highs",
        )
        return found.x if found.status == 0 else None
