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
from pymle.objective import Likelihood
from pymle.objective.combined import Combinations, Stacked
from pymle.optimize import (
    Bound,
    Objective,
    Search,
    Solution,
    Termination,
    TraceStep,
    differenced_hessian,
    maximise_within,
    same_value,
)
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
    function : Stacked
        Left minus right of every constraint, inequalities turned to ``>= 0``.
    equations : numpy.ndarray of bool, shape (m,)
        Which of them are equations.
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
        self.function = Stacked(functions, sizes, constraints.signs)
        self.straight = not constraints.graphs and self._moves_real_ones_only()
        self.equations = constraints.equations
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
            self.function,
            self.equations,
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

    def reassured(self, found: Search, free: Search, likelihood: Likelihood) -> Search:
        """What a search without the constraints says about one under inequalities alone.

        Its maximum is that under the constraints too, if they hold there (or at another
        maximum of the same height, such as one with the components of a mixture permuted).

        Parameters
        ----------
        found, free : Search
            With the constraints, and without.
        likelihood : Likelihood

        Returns
        -------
        Search
            `found` itself where the free maximum is not trusted or breaks the constraints.
        """
        best = free.solution
        if not (best.converged and free.trusted):
            return found
        others = () if free.exploration is None else free.exploration.solutions
        for each in (best, *others):
            if not (each.converged and same_value(each.value, best.value)):
                continue
            value, _ = self.function.value_and_jacobian(each.x)
            if not np.all(value >= 0.0):
                continue
            there = self(likelihood, each.x)
            if there.converged and same_value(there.value, best.value):
                kept = found.solution
                better = not (kept.converged and same_value(kept.value, there.value))
                return replace(found, solution=there if better else kept, trusted=True)
        return found

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
        """The constraints as the estimate records them.

        Parameters
        ----------
        bound : Bound

        Returns
        -------
        Restriction
        """
        constraints = self._constraints
        active = np.zeros(len(constraints.texts), dtype=bool)
        active[bound.active] = True
        return Restriction(
            texts=constraints.texts,
            relations=constraints.relations,
            active=active,
            values=constraints.signs * bound.values,
            # g = sign (left - right): raising a right side by one lowers g's by the sign.
            multipliers=np.where(active, constraints.signs * bound.multipliers, 0.0),
            tangent=bound.solution.tangent,
            jacobian=bound.solution.jacobian,
            hessian=bound.solution.hessian,
        )

    def single_entries(self, bound: Bound) -> dict[int, float]:
        """Values of natural entries that a binding linear constraint sets alone, by place.

        Parameters
        ----------
        bound : Bound

        Returns
        -------
        dict of int to float
        """
        linear = self._constraints.linear
        out: dict[int, float] = {}
        for row in bound.active:
            if row < len(linear.offset) and np.count_nonzero(linear.matrix[row]) == 1:
                place = int(np.flatnonzero(linear.matrix[row])[0])
                # Adding zero makes a negative zero positive.
                out[place] = float(-linear.offset[row] / linear.matrix[row, place]) + 0.0
        return out

    def _moves_real_ones_only(self) -> bool:
        coordinates, layout = self._problem.coordinates, self._problem.layout
        moved = np.any(self._constraints.linear.matrix != 0.0, axis=0)
        return all(
            bool(np.all(coordinates.real_coordinates[block.free]))
            for block in layout.blocks
            if np.any(moved[block.natural])
        )


class Bounded:
    """An end of a search under constraints, as a verdict and an estimate look at it.

    Parameters
    ----------
    restricted : Restricted
    solution : Solution
        As `Restricted` returned it.
    likelihood : Likelihood

    Attributes
    ----------
    error : float
        Relative error of the second derivatives beyond rounding.
    curvature : Curvature or None
        The information along the set on which the binding constraints hold, filled up with
        ones across it (in the units of the coordinates): definite if that along it is.
    untouched : numpy.ndarray of bool, shape (k,)
        Coordinates that no binding constraint moves.
    restriction : Restriction
        The constraints as the estimate records them.

    Raises
    ------
    AnalysisError
        No search got to a point at which the constraints hold, or they depend on each other
        there.
    """

    def __init__(self, restricted: Restricted, solution: Solution, likelihood: Likelihood) -> None:
        self._bound = bound = restricted.bound(solution)
        self._likelihood, self._function = likelihood, restricted.function
        self.error = 0.0
        if not likelihood.has_hessian:
            self.error = differenced_hessian(likelihood.value_and_score, solution.x)[1]
        self.curvature = _filled(bound, self.error)
        self._settled = restricted.single_entries(bound)
        self._restricted = restricted
        self.untouched = ~np.any(bound.solution.jacobian != 0.0, axis=0)
        self.restriction = restricted.restriction(bound)

    def gradients(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Gradients of equations and of inequalities that are linear; None where one is not.

        Parameters
        ----------
        x : numpy.ndarray, shape (k,)

        Returns
        -------
        tuple of numpy.ndarray, shapes (r, k) and (s, k), or None
            On the unconstrained scale; an inequality allows what does not fall along its own.
        """
        if not self._restricted.straight:
            return None
        jacobian = self._function.value_and_jacobian(x)[1]
        equations = self._restricted.equations
        return jacobian[equations], jacobian[~equations]

    def settled(self, natural: np.ndarray) -> np.ndarray:
        """Natural values, with those that a constraint sets alone at exactly that value.

        Parameters
        ----------
        natural : numpy.ndarray, shape (m,)

        Returns
        -------
        numpy.ndarray, shape (m,)
        """
        out = natural.copy()
        for place, value in self._settled.items():
            if abs(out[place] - value) <= 1e-9 * max(1.0, abs(value)):
                out[place] = value
        return out

    def value_and_score(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """The Lagrangian with `curvature` for second derivatives at the solution.

        Parameters
        ----------
        x : numpy.ndarray, shape (k,)

        Returns
        -------
        float, numpy.ndarray
        """
        bound, found = self._bound, self._bound.solution
        assert found.hessian is not None
        assert self.curvature is not None
        value, score = self._likelihood.value_and_score(x)
        held, jacobian = self._function.value_and_jacobian(x)
        away = x - found.x
        bent = (self.curvature.information + found.hessian) @ away
        value = value - bound.multipliers @ held - 0.5 * away @ bent
        return float(value), score - jacobian.T @ bound.multipliers - bent


def _filled(bound: Bound, error: float) -> Curvature | None:
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
