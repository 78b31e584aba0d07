"""Profiles of fits under constraints: the maximum with a target held, where they hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.profile.counted import Counted
from pymle.inference.profile.solve import SETTLED, Failed, Place, Solver
from pymle.inference.profile.target import Target
from pymle.optimize import Termination, maximise_within
from pymle.restrict import Restricted

__all__ = ["blocked", "solver_for"]

#: Share of a gradient along the constraints below which they hold its function fast.
_HELD = 1e-9


def solver_for(fitted: Fitted, objective: Counted, target: Target) -> Solver:
    """What maximises with a target held, constraints of the fit included.

    Parameters
    ----------
    fitted : Fitted
    objective : Counted
    target : Target

    Returns
    -------
    Solver

    Raises
    ------
    AnalysisError
        Equations hold the target at its value.
    """
    bent = fitted.problem.coordinates.bent_coordinates
    constraints = fitted.estimator.constraints
    if fitted.estimate.restriction is None or constraints is None:
        return Solver(objective, target, bent)
    return _Under(objective, target, bent, fitted, Restricted(fitted.problem, constraints))


def blocked(solver: Solver, x: np.ndarray, sign: int) -> bool:
    """Whether binding constraints stop a target of one component on one side at once.

    Parameters
    ----------
    solver : Solver
    x : numpy.ndarray, shape (k,)
        The estimate.
    sign : int
        -1 below, +1 above.

    Returns
    -------
    bool
    """
    return isinstance(solver, _Under) and solver.stopped(x, sign)


class _Under(Solver):
    """A solver that keeps to the constraints; which inequalities bind is found anew each time."""

    constrained = True

    def __init__(
        self,
        objective: Counted,
        target: Target,
        bent: np.ndarray,
        fitted: Fitted,
        restricted: Restricted,
    ) -> None:
        super().__init__(objective, target, bent)
        self._restricted = restricted
        assert fitted.estimate.restriction is not None
        self._active = fitted.estimate.restriction.active
        equations = restricted.equations
        self._rows = np.concatenate([np.ones(target.size, dtype=bool), equations])
        x = fitted.estimate.x
        _, jacobian = restricted.function.value_and_jacobian(x)
        basis = np.linalg.qr(jacobian[equations].T)[0]
        for component in target.components:
            gradient = component.value_and_gradient(x)[1]
            left = gradient - basis @ (basis.T @ gradient)
            if np.linalg.norm(left) <= _HELD * np.linalg.norm(gradient):
                raise AnalysisError.held_by_constraints(component.label)

    def at(
        self, x: np.ndarray, score: np.ndarray | None = None, hessian: np.ndarray | None = None
    ) -> Place:
        del score, hessian  # those of the Lagrangian of the fit: the target is one more
        return self.solve(self.target.line(x), x)

    def stopped(self, x: np.ndarray, sign: int) -> bool:
        """Whether no direction that the binding constraints admit moves the target."""
        from scipy.optimize import linprog

        _, jacobian = self._restricted.function.value_and_jacobian(x)
        gradient = self.target.components[0].value_and_gradient(x)[1]
        lengths = np.linalg.norm(jacobian, axis=1, keepdims=True)
        rows = jacobian / np.where(lengths > 0.0, lengths, 1.0)
        equations = self._restricted.equations
        one_sided = self._active & ~equations
        if not one_sided.any():
            return False
        cost = -sign * gradient / np.linalg.norm(gradient)
        found = linprog(
            cost,
            A_ub=-rows[one_sided],
            b_ub=np.zeros(int(one_sided.sum())),
            A_eq=rows[equations] if equations.any() else None,
            b_eq=np.zeros(int(equations.sum())) if equations.any() else None,
            bounds=[(-1.0, 1.0)] * len(x),
            method="highs",
        )
        return found.status == 0 and -found.fun <= _HELD

    def solve(self, line: np.ndarray, *guesses: np.ndarray) -> Place:
        outside = False
        for guess in guesses:
            if not np.isfinite(self.objective.value(guess)):
                continue
            held = _Held(self.target, line, self._restricted.function)
            bound = maximise_within(self.objective, guess, held, self._rows, max_iterations=200)
            found, m = bound.solution, self.target.size
            if found.termination is Termination.INTERRUPTED:
                raise KeyboardInterrupt
            if found.termination in SETTLED and np.isfinite(found.value):
                tangent = bend = None
                if found.path is not None and found.hessian is not None:
                    tangent = found.path[:, :m]
                    bend = tangent.T @ found.hessian @ tangent
                return Place(line, found.x, found.value, found.multipliers[:m], tangent, bend)
            outside = outside or found.termination in (
                Termination.INFEASIBLE,
                Termination.UNREACHABLE,
                Termination.DEPENDENT,
            )
        raise Failed(outside)


class _Held:
    """The target's distance from its line, then the constraints."""

    def __init__(self, target: Target, line: np.ndarray, function: Any) -> None:
        self._target, self._line, self._function = target, line, function

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        here, first = self._target.value_and_jacobian(x)
        value, jacobian = self._function.value_and_jacobian(x)
        return np.concatenate([here - self._line, value]), np.concatenate([first, jacobian])

    def second(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        m = len(self._line)
        out = self._target.second(x, weights[:m])
        if np.any(weights[m:]):
            out = out + self._function.second(x, weights[m:])
        return out
