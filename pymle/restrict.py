"""Searches under constraints between parameters, and what they leave to a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pymle.bind import natural_function, point_function
from pymle.errors import AnalysisError
from pymle.estimate import Restriction
from pymle.model import Constraints, Problem
from pymle.objective.combined import Combinations, Stacked
from pymle.optimize import Bound, Objective, Solution, Termination, TraceStep, maximise_within
from pymle.verdict import Curvature, curvature_of

_AT_FAULT = {Termination.INFEASIBLE, Termination.UNREACHABLE, Termination.DEPENDENT}


class Restricted:
    """Takes the place of `maximise` where parameters are constrained.

    Parameters
    ----------
    problem : Problem
        At the data of the fit.
    constraints : Constraints

    Attributes
    ----------
    straight : bool
        The constraints are linear on the unconstrained scale: they leave a convex set.
    """

    def __init__(self, problem: Problem, constraints: Constraints) -> None:
        self._problem, self._constraints = problem, constraints
        natural = natural_function(problem)
        functions: list[Any] = []
        sizes: list[int] = []
        if len(constraints.linear.offset):
            linear = constraints.linear
            functions.append(Combinations(natural, linear.matrix, linear.offset))
            sizes.append(len(linear.offset))
        if constraints.graphs:
            lowered = problem.lowered_graphs(constraints.graphs)
            functions.append(point_function(problem, lowered))
            sizes.append(sum(constraints.sizes))
        self._natural = natural
        self._function = Stacked(functions, sizes, constraints.signs)
        self.straight = not constraints.graphs and self._moves_real_ones_only()
        self._found: dict[bytes, Bound] = {}

    def __call__(
        self,
        objective: Objective,
        start: np.ndarray,
        *,
        method: str = "auto",
        max_iterations: int = 500,
        max_seconds: float | None = None,
        callback: Callable[[TraceStep], object] | None = None,
    ) -> Solution:
        """As `maximise`; a search that does not get to the constraints has no value."""
        bound = maximise_within(
            objective,
            self.feasible(np.asarray(start, dtype=np.float64)),
            self._function,
            self._constraints.equations,
            method=method,
            max_iterations=max_iterations,
            max_seconds=max_seconds,
            callback=callback,
        )
        found = bound.plain
        self._found[found.x.tobytes()] = bound
        if found.termination in _AT_FAULT:
            return replace(found, value=-np.inf)
        return found

    def feasible(self, x: np.ndarray) -> np.ndarray:
        """A point at which the linear constraints hold, near another; itself if they do.

        Parameters
        ----------
        x : numpy.ndarray, shape (k,)

        Returns
        -------
        numpy.ndarray, shape (k,)
        """
        problem = self._problem
        natural = self._constraints.nearest(problem, self._natural.value(x))
        if natural is None:
            return x
        moved = problem.coordinates.unconstrain_rows(natural[None])[0]
        return moved if np.all(np.isfinite(moved)) else x

    def bound(self, solution: Solution) -> Bound:
        """What a search under the constraints left, from its solution.

        Raises
        ------
        AnalysisError
            No search got to a point at which the constraints hold, or they depend on each
            other there.
        """
        bound = self._found[solution.x.tobytes()]
        texts = self._constraints.texts
        if solution.termination is Termination.DEPENDENT:
            raise AnalysisError.constraints_dependent(texts)
        if solution.termination in _AT_FAULT:
            raise AnalysisError.constraints_out_of_reach(texts, bound.solution.termination.value)
        return bound

    def restriction(self, bound: Bound) -> Restriction:
        """The constraints as the estimate records them."""
        constraints = self._constraints
        active = np.zeros(len(constraints.texts), dtype=bool)
        active[bound.active] = True
        # g = sign (left - right) = c: raising the right side by one raises sign c by one.
        multipliers = np.where(active, constraints.signs * bound.multipliers, 0.0)
        return Restriction(
            texts=constraints.texts,
            relations=constraints.relations,
            active=active,
            values=constraints.signs * bound.values,
            multipliers=multipliers,
            tangent=bound.solution.tangent,
            jacobian=bound.solution.jacobian,
            hessian=bound.solution.hessian,
            notices=constraints.notices,
        )

    def untouched(self, bound: Bound) -> np.ndarray:
        """Which coordinates no binding constraint moves, shape (k,)."""
        return ~np.any(bound.solution.jacobian != 0.0, axis=0)

    def lagrangian(
        self, objective: Any, bound: Bound, curvature: Curvature
    ) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        """Value and score of the Lagrangian, with the curvature across that was filled in.

        Parameters
        ----------
        objective : Objective
        bound : Bound
        curvature : Curvature
            As `filled` gives it.

        Returns
        -------
        callable
        """
        found = bound.solution
        assert found.hessian is not None
        added = curvature.information + found.hessian

        def value_and_score(x: np.ndarray) -> tuple[float, np.ndarray]:
            value, score = objective.value_and_score(x)
            held, jacobian = self._function.value_and_jacobian(x)
            away = added @ (x - found.x)
            value = value - bound.multipliers @ held - 0.5 * (x - found.x) @ away
            return float(value), score - jacobian.T @ bound.multipliers - away

        return value_and_score

    def _moves_real_ones_only(self) -> bool:
        coordinates, layout = self._problem.coordinates, self._problem.layout
        moved = np.any(self._constraints.linear.matrix != 0.0, axis=0)
        return all(
            bool(np.all(coordinates.real_coordinates[block.free]))
            for block in layout.blocks
            if np.any(moved[block.natural])
        )


def filled(bound: Bound, error: float) -> Curvature | None:
    """The information along the constraints, filled up across them.

    Parameters
    ----------
    bound : Bound
    error : float
        Relative error of the second derivatives beyond rounding.

    Returns
    -------
    Curvature or None
        Its definiteness is that of the information along the set on which the binding
        constraints hold: across, in the units of the coordinates, it is one.
    """
    found = bound.solution
    if found.hessian is None:
        return None
    information = -found.hessian
    if not len(found.target):
        return curvature_of(information, error)
    units = np.sqrt(np.abs(np.diagonal(information)))
    units = np.where(units > 0.0, units, 1.0)
    m = len(found.target)
    basis, _ = np.linalg.qr((found.jacobian / units).T, mode="complete")
    across, along = basis[:, :m], basis[:, m:]
    scaled = information / np.outer(units, units)
    inner = along @ (along.T @ scaled @ along) @ along.T + across @ across.T
    return curvature_of(0.5 * (inner + inner.T) * np.outer(units, units), error)
