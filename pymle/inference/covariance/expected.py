"""The expected information: by summation over few outcomes, or by simulation."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pymle.bind import call_at, likelihood_of
from pymle.errors import AnalysisError
from pymle.estimation import hessian_of
from pymle.fitted import Fitted
from pymle.inference.covariance.information import whitened
from pymle.model.observations import observations_of
from pymle.model.predictive.simulate import Simulator
from pymle.objective.contributions import observation_scores

#: Distributions whose entries are independent counts, so that outcomes can be added up.
_COUNTS = frozenset(
    (
        "Bernoulli",
        "BetaBinomial",
        "Binomial",
        "Categorical",
        "DiscreteUniform",
        "DiscreteWeibull",
        "Geometric",
        "HyperGeometric",
        "NegBinomial",
        "NegativeBinomial",
        "Poisson",
    )
)
#: Outcomes that are tried, and the probability that they may leave out.
_MOST_OUTCOMES, _LEFT_OUT = 64, 1e-12
#: Scores of all outcomes together, up to which they are added up.
_MOST_ENTRIES = 200_000_000


@dataclass(frozen=True)
class Expected:
    """The whitened expected information.

    Attributes
    ----------
    middle : numpy.ndarray, shape (r, r)
        Its inverse.
    simulations : int
        Number of simulated data sets; zero where outcomes were added up.
    outcomes : int
        Number of outcomes that were added up; zero where data were simulated.
    error : float
        Largest relative Monte Carlo standard error of a standard error.
    """

    middle: np.ndarray
    simulations: int
    outcomes: int
    error: float


def expected_information(
    fitted: Fitted,
    simulations: int,
    random_seed: int | None,
    callback: Callable[[int, int], object] | None = None,
) -> Expected:
    """The expectation of the observed information at the estimate, data drawn from the model.

    Parameters
    ----------
    fitted : Fitted
    simulations : int
        Number of data sets.
    random_seed : int or None
    callback : callable, optional
        Called with the number of data sets done and their total.

    Returns
    -------
    Expected

    Raises
    ------
    AnalysisError
        The model cannot be simulated, or the mean of the informations has no inverse.

    Notes
    -----
    One observed variable of counts that takes few values (Bernoulli, Binomial with few
    trials, Poisson with small means): the products of scores are added up over all outcomes
    with their probabilities, which is exact up to 1e-12. Otherwise the observed information
    is averaged over simulated data sets. Predictors stay as they are.
    """
    if isinstance(simulations, bool) or int(simulations) != simulations or simulations < 2:
        raise AnalysisError.argument("simulations", simulations, "a whole number from 2")
    exact = _by_summation(fitted)
    if exact is None and fitted.estimate.objective != "mle":
        raise AnalysisError.needs_mle('cov="expected" by simulation')
    if exact is not None:
        information, outcomes = exact
        return Expected(_inverse(information), 0, outcomes, 0.0)
    pieces = _by_simulation(fitted, int(simulations), random_seed, callback)
    mean = pieces.mean(axis=0)
    middle = _inverse(mean)
    half = whitened(fitted.estimate, np.eye(len(fitted.estimate.x)))[0]
    gradient = half @ middle
    variance = np.sum(gradient * half, axis=1)
    spread = np.std(np.einsum("ai,nij,aj->na", gradient, pieces, gradient), axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = 0.5 * spread / variance / np.sqrt(len(pieces))
    return Expected(middle, len(pieces), 0, float(np.nanmax(relative, initial=0.0)))


def _inverse(information: np.ndarray) -> np.ndarray:
    try:
        np.linalg.cholesky(information)
    except np.linalg.LinAlgError:
        raise AnalysisError(
            'cov="expected": the mean information is not positive definite. Raise `simulations`, '
            'or use the observed information (cov="observed").'
        ) from None
    return np.linalg.inv(information)


def _white(fitted: Fitted, information: np.ndarray) -> np.ndarray:
    """A matrix on the scale on which the observed information is the identity."""
    first = whitened(fitted.estimate, information)[0]
    return whitened(fitted.estimate, first.T)[0]


def _by_summation(fitted: Fitted) -> tuple[np.ndarray, int] | None:
    """The whitened information by summation, and the number of outcomes; None if too many."""
    problem, x = copy.copy(fitted.problem), fitted.estimate.x
    problem.penalty = None  # the information is that of the likelihood
    if len(problem.observed) != 1 or len(problem.terms) != 1:
        return None
    [term] = problem.observed
    seen = observations_of(problem)
    values = seen.values[term.name]
    if (
        seen.laws[term.name] not in _COUNTS
        or values.shape != term.shape
        or problem.lowered.route != "jax"
        or np.max(values, initial=0) >= _MOST_OUTCOMES
        or values.size * len(x) * (np.max(values, initial=0) + 1) > _MOST_ENTRIES
    ):
        return None
    weights = None if fitted.weights is None else fitted.weights[0]
    terms = problem.lowered_terms  # lowered once, for all outcomes
    missing = np.ones(term.shape)
    total = np.zeros((len(x), len(x)))
    for outcome in range(_MOST_OUTCOMES):
        other = problem.with_data({term.name: np.full(term.shape, outcome, dtype=values.dtype)})
        with np.errstate(all="ignore"):
            probability = np.exp(np.asarray(call_at(other, terms, x)[0]))
        probability = np.where(np.isfinite(probability), probability, 0.0)
        if np.any(probability > 0):
            [scores] = observation_scores(likelihood_of(other), x)
            scores = np.where(probability[..., None] > 0, scores, 0.0)
            flat = scores.reshape(-1, len(x))
            mass = probability if weights is None else probability * weights
            total += flat.T @ (mass.reshape(-1, 1) * flat)
            missing = missing - probability
        if np.max(missing) <= _LEFT_OUT:
            return _white(fitted, total), outcome + 1
    return None


def _by_simulation(
    fitted: Fitted,
    simulations: int,
    random_seed: int | None,
    callback: Callable[[int, int], object] | None,
) -> np.ndarray:
    problem, x = fitted.problem, fitted.estimate.x
    data = Simulator(problem).draw(fitted.estimate.natural, random_seed, simulations)
    pieces = []
    for i in range(simulations):
        other = problem.with_data({name: draws[i] for name, draws in data.items()})
        information = -hessian_of(likelihood_of(other, fitted.weights), x)[0]
        if not np.all(np.isfinite(information)):
            raise AnalysisError(
                'cov="expected": the information is not finite in a simulated data set (number '
                f'{i}). Use the observed information (cov="observed").'
            )
        pieces.append(_white(fitted, information))
        if callback is not None:
            callback(i + 1, simulations)
    return np.array(pieces)
