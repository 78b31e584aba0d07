"""The log-likelihood maximised with one or two functions of the parameters held.

One Newton iteration on the held problem yields, besides its step, everything a profile is followed
with: the slope of the profile (the multiplier), its curvature, and the direction in which the other
parameters move. A warm start one step away needs two or three of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymle.inference.profile.counted import Counted, Reduced
from pymle.inference.profile.target import Target
from pymle.optimize import Termination, maximise
from pymle.optimize.constrained import maximise_subject_to
from pymle.optimize.differences import with_differenced_hessian

__all__ = ["SETTLED", "Failed", "Place", "Solver"]

#: Expected gain at which a Newton iteration is the last one: what it leaves is of third order.
_LAST = 1e-8
#: Newton iterations before the search that is safe from anywhere takes over.
_ITERATIONS = 12
#: Halvings of a step.
_HALVINGS = 4
#: Largest problem whose Hessian is factorised.
LARGEST_DENSE = 1000
#: Curvature of a log or log-odds coordinate below which it lies in a tail.
_TAIL = 1e-3
#: Steps by which a coordinate in a tail is brought back, and the gain that counts.
_BACK = (3.0, 6.0, 9.0, 12.0, 15.0, 18.0, 22.0, 26.0, 32.0, 40.0)
_GAIN = 1e-7
#: Ends of a search whose value is that of the constrained maximum.
SETTLED = {
    Termination.CONVERGED,
    Termination.CONVERGED_TO_ROUNDING,
    Termination.CONVERGED_DERIVATIVE_FREE,
    # The value is that of the supremum, although no point attains it, or several do.
    Termination.RUNAWAY,
    Termination.FLAT,
    Termination.DEGENERATE,
}

_UNREACHABLE = {Termination.INFEASIBLE, Termination.UNREACHABLE}


class Failed(Exception):  # noqa: N818 - control flow inside the package, never seen by a user
    """No constrained maximum was found.

    Parameters
    ----------
    outside : bool
        The log-likelihood is not finite there, or the value is out of the function's reach.
    """

    def __init__(self, outside: bool) -> None:
        super().__init__(outside)
        self.outside = outside


@dataclass(frozen=True)
class Place:
    """A point of a profile.

    Attributes
    ----------
    line : numpy.ndarray, shape (m,)
        Where the held functions are, on their lines.
    x : numpy.ndarray, shape (k,)
        The maximum there.
    value : float
        Log-likelihood.
    slope : numpy.ndarray, shape (m,), or None
        Derivative of the profile log-likelihood along the lines; None without a score.
    tangent : numpy.ndarray, shape (k, m), or None
        Derivative of ``x``; None where the curvature does not determine it.
    bend : numpy.ndarray, shape (m, m), or None
        Second derivatives of the profile log-likelihood.
    """

    line: np.ndarray
    x: np.ndarray
    value: float
    slope: np.ndarray | None
    tangent: np.ndarray | None
    bend: np.ndarray | None


@dataclass(frozen=True)
class _System:
    """One Newton iteration on the held problem, solved."""

    step: np.ndarray
    change: float
    gain: float
    miss: float
    slope: np.ndarray
    tangent: np.ndarray
    bend: np.ndarray


class Solver:
    """Maximises an objective with a target held.

    Parameters
    ----------
    objective : Counted
    target : Target
    bent : numpy.ndarray of bool, shape (k,)
        Coordinates on a log or log-odds scale.

    Attributes
    ----------
    constrained : bool
        Other constraints hold besides.
    """

    constrained = False

    def __init__(self, objective: Counted, target: Target, bent: np.ndarray) -> None:
        self.objective = objective
        self.target = target
        self._bent = bent
        self._free = np.arange(objective.size)
        if target.places is not None:
            self._free = np.setdiff1d(self._free, target.places)
        self._smooth = objective.has_score and objective.size <= LARGEST_DENSE
        if self._smooth and not objective.has_hessian:
            differenced = with_differenced_hessian(objective)
            self._hessian = differenced.hessian
        else:
            self._hessian = objective.hessian

    def at(
        self,
        x: np.ndarray,
        score: np.ndarray | None = None,
        hessian: np.ndarray | None = None,
    ) -> Place:
        """The profile at a point that is a maximum already, as far as its curvature tells."""
        line = self.target.line(x)
        if not self.objective.has_score:
            return Place(line, x, self.objective.value(x), None, None, None)
        value, found = self.objective.value_and_score(x)
        score = found if score is None else score
        system = self._system(x, score, line, hessian=hessian) if self._smooth else None
        if system is None:
            return Place(line, x, value, None, None, None)
        return Place(line, x, value, system.slope, system.tangent, system.bend)

    def solve(self, line: np.ndarray, *guesses: np.ndarray) -> Place:
        """The constrained maximum near a guess.

        Parameters
        ----------
        line : numpy.ndarray, shape (m,)
        *guesses : numpy.ndarray, shape (k,)
            Tried in turn, the best first.

        Returns
        -------
        Place

        Raises
        ------
        Failed
            No maximum from any of them.
        """
        found = None
        for guess in guesses if self._smooth else ():
            found = self._newton(self.target.put(guess, line), line)
            if found is not None:
                break
        if found is None:
            found = self._search(line, guesses)
        return self._brought_back(found)

    def _newton(self, x: np.ndarray, line: np.ndarray) -> Place | None:
        """Newton iterations; None as soon as something looks unusual."""
        value, score = self.objective.value_and_score(x)
        if not np.isfinite(value):
            return None
        slope = None
        for _ in range(_ITERATIONS):
            system = self._system(x, score, line, slope)
            if system is None:
                return None
            slope = system.slope
            if system.gain < _LAST and system.miss < 1e-4:
                end = self.target.put(x + system.step, line)
                return Place(line, end, value + system.change, slope, system.tangent, system.bend)
            moved = self._advance(x, value, system, line)
            if moved is None:
                return None
            x, value, score = moved
        return None

    def _advance(
        self, x: np.ndarray, value: float, system: _System, line: np.ndarray
    ) -> tuple[np.ndarray, float, np.ndarray] | None:
        """A step that raises the log-likelihood, counting what is missed of the constraint."""
        noise = 1e-11 * max(1.0, abs(value))
        weight = 1.5 * np.abs(system.slope) + 1e-3

        def merit(point: np.ndarray, height: float) -> float:
            if self.target.places is not None:
                return height
            with np.errstate(all="ignore"):
                return height - float(weight @ np.abs(self.target.line(point) - line))

        before, fraction = merit(x, value), 1.0
        for _ in range(_HALVINGS):
            trial = self.target.put(x + fraction * system.step, line)
            height, score = self.objective.value_and_score(trial)
            if np.isfinite(height) and merit(trial, height) >= before - noise:
                return trial, height, score
            fraction *= 0.35
        return None

    def _system(
        self,
        x: np.ndarray,
        score: np.ndarray,
        line: np.ndarray,
        slope: np.ndarray | None = None,
        hessian: np.ndarray | None = None,
    ) -> _System | None:
        """The Newton iteration at a point; None where the curvature is not negative there."""
        if hessian is None:
            hessian = self._hessian(x)
        if not np.all(np.isfinite(hessian)):
            return None
        with np.errstate(all="ignore"):
            if self.target.places is not None:
                return self._held(score, hessian)
            return self._constrained(x, score, hessian, line, slope)

    def _held(self, score: np.ndarray, hessian: np.ndarray) -> _System | None:
        free, places, signs = self._free, self.target.places, self.target.signs
        assert places is not None
        inner = -hessian[np.ix_(free, free)]
        cross = hessian[np.ix_(free, places)] * signs
        solved = _solve_positive(inner, np.column_stack([score[free], cross]))
        if solved is None:
            return None
        step = np.zeros(len(score))
        step[free] = solved[:, 0]
        tangent = np.zeros((len(score), len(places)))
        tangent[free] = solved[:, 1:]
        tangent[places, np.arange(len(places))] = signs
        gain = 0.5 * float(score[free] @ solved[:, 0])
        return _System(
            step=step,
            change=gain,
            gain=gain,
            miss=0.0,
            slope=signs * score[places] + cross.T @ solved[:, 0],
            tangent=tangent,
            bend=hessian[np.ix_(places, places)] * np.outer(signs, signs) + cross.T @ solved[:, 1:],
        )

    def _constrained(
        self,
        x: np.ndarray,
        score: np.ndarray,
        hessian: np.ndarray,
        line: np.ndarray,
        slope: np.ndarray | None,
    ) -> _System | None:
        """The same for functions: a step on the tangent space of the constraint."""
        m = self.target.size
        here, jacobian = self.target.value_and_jacobian(x)
        if not (np.all(np.isfinite(here)) and np.all(np.isfinite(jacobian))):
            return None
        units = np.sqrt(np.abs(np.diagonal(hessian)))
        units = np.where(units > 0.0, units, 1.0)
        q, r = np.linalg.qr((jacobian / units).T, mode="complete")
        normal, tangential, r = q[:, :m], q[:, m:], r[:m]
        if np.any(np.abs(np.diagonal(r)) <= 1e-14 * max(1.0, float(np.abs(r).max()))):
            return None
        scaled = score / units
        if slope is None:
            slope = np.linalg.solve(r, normal.T @ scaled)
        lagrangian = hessian - self.target.second(x, slope)
        if not np.all(np.isfinite(lagrangian)):
            return None
        lagrangian = lagrangian / np.outer(units, units)
        across = np.linalg.solve(r.T, np.column_stack([line - here, np.eye(m)]))
        moved = normal @ across  # (k, 1 + m): towards the constraint, and along the line
        inner = -tangential.T @ lagrangian @ tangential
        sides = tangential.T @ (lagrangian @ moved)
        sides[:, 0] += tangential.T @ scaled
        solved = _solve_positive(inner, sides)
        if solved is None:
            return None
        full = moved + tangential @ solved
        step = full[:, 0]
        # The gain beyond what the constraint forces.
        gain = 0.5 * float(sides[:, 0] @ solved[:, 0])
        change = float(scaled @ step + 0.5 * step @ lagrangian @ step)
        pulled = lagrangian @ full
        return _System(
            step=step / units,
            change=change,
            gain=gain,
            miss=float(np.linalg.norm(across[:, 0])),
            slope=np.linalg.solve(r, normal.T @ (scaled + pulled[:, 0])),
            tangent=full[:, 1:] / units[:, None],
            bend=np.linalg.solve(r, normal.T @ pulled[:, 1:]),
        )

    def _search(self, line: np.ndarray, guesses: tuple[np.ndarray, ...]) -> Place:
        """The search that is safe from anywhere."""
        if self.target.places is None:
            return self._search_constrained(line, guesses)
        best, outside = None, True
        for guess in guesses:
            start = self.target.put(guess, line)
            reduced = Reduced(self.objective, start, self._free)
            if not np.isfinite(reduced.value(start[self._free])):
                continue
            outside = False
            solution = maximise(reduced, start[self._free], max_iterations=200)
            if solution.termination is Termination.INTERRUPTED:
                raise KeyboardInterrupt
            gain = solution.record.expected_gain
            # A kink stops the search without a vanishing score.
            settled = solution.termination in SETTLED or gain < 1e-6
            settled = settled or solution.termination is Termination.NO_PROGRESS
            if settled and np.isfinite(solution.value):
                best = reduced.whole(solution.x)
                break
        if best is None:
            raise Failed(outside)
        return self._place(best, line)

    def _search_constrained(self, line: np.ndarray, guesses: tuple[np.ndarray, ...]) -> Place:
        outside = False
        for guess in guesses:
            if not np.isfinite(self.objective.value(guess)):
                continue
            place, jacobian = self.target.value_and_jacobian(guess)
            if not (np.all(np.isfinite(place)) and np.all(np.isfinite(jacobian))):
                continue  # at a bound in floating point, from where nothing leads back
            found = maximise_subject_to(
                self.objective, guess, self.target, line, max_iterations=200
            )
            if found.termination is Termination.INTERRUPTED:
                raise KeyboardInterrupt
            if found.termination in SETTLED and np.isfinite(found.value):
                return self._place(found.x, line)
            outside = outside or found.termination in _UNREACHABLE
        raise Failed(outside)

    def _place(self, x: np.ndarray, line: np.ndarray) -> Place:
        """A maximum found by the search, with its derivatives as far as they exist."""
        if not self.objective.has_score:
            return Place(line, x, self.objective.value(x), None, None, None)
        value, score = self.objective.value_and_score(x)
        system = self._system(x, score, line) if self._smooth else None
        if system is not None and system.gain < 1e-3:
            return Place(line, x, value, system.slope, system.tangent, system.bend)
        if self.target.places is not None:
            return Place(line, x, value, self.target.signs * score[self.target.places], None, None)
        jacobian = self.target.value_and_jacobian(x)[1]
        if not np.all(np.isfinite(jacobian)):
            return Place(line, x, value, None, None, None)  # at a bound in floating point
        slope = np.linalg.lstsq(jacobian.T, score, rcond=None)[0]
        return Place(line, x, value, slope, None, None)

    def _brought_back(self, found: Place) -> Place:
        """The same, unless a coordinate in a tail is worth more inside.

        A scale that vanished has a score of zero whatever the others do: only a look inside
        tells whether it should come back.
        """
        if found.slope is None or self.target.places is None or not self._smooth:
            return found
        free = self._free[self._bent[self._free]]
        if not len(free):
            return found
        diagonal = np.abs(np.diagonal(self._hessian(found.x))[free])
        for place in free[diagonal < _TAIL]:
            best, start = found.value + _GAIN, None
            for step in _BACK:
                for side in (1.0, -1.0):
                    trial = found.x.copy()
                    trial[place] += side * step
                    height = self.objective.value(trial)
                    if np.isfinite(height) and height > best:
                        best, start = height, trial
            if start is not None:
                found = self._search(found.line, (start,))
        return found


def _solve_positive(matrix: np.ndarray, sides: np.ndarray) -> np.ndarray | None:
    """Solution of a system with a positive definite matrix; None where it is not."""
    if not len(matrix):
        return np.zeros_like(sides)
    scale = np.sqrt(np.abs(np.diagonal(matrix)))
    if not np.all(scale > 0.0):
        return None
    scaled = matrix / np.outer(scale, scale)
    try:
        factor = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        return None
    from scipy.linalg import cho_solve

    # Not by a general solver, whose threads wait for each other on a busy machine.
    found = cho_solve((factor, True), sides / scale[:, None], check_finite=False)
    return found / scale[:, None]
