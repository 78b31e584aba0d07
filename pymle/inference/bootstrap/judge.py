"""One refit through the solver, with a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pymle.bind import likelihood_of, natural_function
from pymle.estimation import hessian_of
from pymle.fitted import Fitted
from pymle.model import Problem
from pymle.objective import Likelihood
from pymle.optimize import Solution, Termination, is_kink, maximise
from pymle.optimize.kinks import settle_on_kink
from pymle.verdict import (
    Curvature,
    Saturated,
    Status,
    Tails,
    Verdict,
    assess,
    curvature_of,
    find_tails,
)

#: Statuses of refits whose estimate is one, with or without a standard error.
USABLE = frozenset({Status.MAXIMUM, Status.KINK, Status.DERIVATIVE_FREE})


@dataclass(frozen=True, eq=False)
class Refit:
    """A refit with its verdict.

    Attributes
    ----------
    x : numpy.ndarray, shape (k,)
    value : float
    verdict : Verdict
    direction : numpy.ndarray or None, shape (k,)
        Where it runs to an edge of the support or to infinity: the way there, in units of
        the curvature of the fit.
    """

    x: np.ndarray
    value: float
    verdict: Verdict
    direction: np.ndarray | None


def refit_one(
    fitted: Fitted,
    *,
    data: Mapping[str, np.ndarray] | None = None,
    shares: np.ndarray | None = None,
    codes: list[np.ndarray] | None = None,
    start: np.ndarray | None = None,
) -> Refit:
    """Refit to one data set or with one set of weights, by the solver.

    Parameters
    ----------
    fitted : Fitted
    data : mapping of str to numpy.ndarray, optional
        A data set by observed variable.
    shares : numpy.ndarray, shape (u,), optional
        Factors of the units.
    codes : list of numpy.ndarray, optional
        The unit of every observation, by observed variable.
    start : numpy.ndarray, shape (k,), optional
        The estimate by default.

    Returns
    -------
    Refit
        The local maximum near the start, or what was found instead.
    """
    weights = fitted.weights
    if shares is not None:
        assert codes is not None
        own = weights or [np.ones(term.shape) for term in fitted.problem.observed]
        weights = [w * shares[c].reshape(np.shape(w)) for w, c in zip(own, codes, strict=True)]
    if fitted.estimate.restriction is not None:
        return _restricted(fitted, data, weights)
    problem = fitted.problem if data is None else fitted.problem.with_data(data)
    likelihood = likelihood_of(problem, weights)
    x0 = fitted.estimate.x if start is None else np.asarray(start)
    likelihood.difference_if_needed(x0)
    solution = maximise(likelihood, x0)
    if solution.termination is Termination.INTERRUPTED:
        raise KeyboardInterrupt
    if solution.termination is Termination.NO_PROGRESS and likelihood.has_score:
        solution = settle_on_kink(likelihood, solution)
    verdict, tails = judge(problem, likelihood, solution, x0)
    direction = _direction(fitted, solution, tails, verdict)
    return Refit(np.array(solution.x), float(solution.value), verdict, direction)


def _restricted(
    fitted: Fitted, data: Mapping[str, np.ndarray] | None, weights: list[np.ndarray] | None
) -> Refit:
    """A whole new fit, which knows the constraints."""
    names = [term.name for term in fitted.problem.observed]
    own = None if weights is None else dict(zip(names, weights, strict=True))
    estimate = fitted.refit(
        start=fitted.estimate.layout.to_point(fitted.estimate.natural), data=data, weights=own
    ).estimate
    return Refit(np.array(estimate.x), float(estimate.solution.value), estimate.verdict, None)


def judge(
    problem: Problem, likelihood: Likelihood, solution: Solution, start: np.ndarray
) -> tuple[Verdict, Tails | None]:
    """What a solution is, without searches from other starts.

    Parameters
    ----------
    problem : Problem
        At the data of the refit.
    likelihood : Likelihood
    solution : Solution
    start : numpy.ndarray, shape (k,)

    Returns
    -------
    verdict : Verdict
    tails : Tails or None
    """
    coordinates, layout = problem.coordinates, problem.layout
    curvature: Curvature | None = None
    tails = None
    finite = np.isfinite(solution.value)
    if likelihood.has_score and finite:
        matrix, error = hessian_of(likelihood, solution.x, solution.hessian)
        curvature = curvature_of(-matrix, error)
        if curvature.finite:
            natural = natural_function(problem).value(solution.x)
            low, high = coordinates.edges(*coordinates.flat_bounds(natural))
            tails = find_tails(
                likelihood.value,
                solution.x,
                curvature,
                labels=layout.free_labels,
                bent=coordinates.bent_coordinates,
                lower_edge=low,
                upper_edge=high,
                saturated=[Saturated(f, labels) for f, labels in coordinates.saturated(natural)],
            )
    verdict = assess(
        solution,
        curvature,
        start=start,
        labels=layout.free_labels,
        bent=coordinates.bent_coordinates,
        tails=tails,
        exploration=None,
        concave=False,
        check=None,
        kink=(
            not solution.converged
            and likelihood.has_score
            and bool(finite)
            and is_kink(likelihood, solution)
        ),
    )
    return verdict, tails


def _direction(
    fitted: Fitted, solution: Solution, tails: Tails | None, verdict: Verdict
) -> np.ndarray | None:
    """The way to the edge or to infinity, one standard error of the fit in length."""
    layout = fitted.problem.layout
    if verdict.status not in (Status.BOUNDARY, Status.NO_MAXIMUM):
        return None
    found = np.zeros(len(solution.x))
    if tails is not None:
        for i, label in enumerate(layout.free_labels):
            found[i] = tails.towards.get(label, 0.0)
    runaway = solution.record.runaway_direction
    if not found.any() and runaway is not None:
        found = np.array(runaway)
    if not found.any():
        found = np.array([verdict.parameters.get(label, 0.0) for label in layout.free_labels])
    if not found.any():
        return None
    curvature = fitted.estimate.curvature
    length = 1.0
    if curvature is not None and curvature.positive:
        length = float(np.sqrt(found @ curvature.information @ found))
    return found / length if length > 0 else found
