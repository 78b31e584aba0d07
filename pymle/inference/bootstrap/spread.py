"""Standard errors of every replicate, and how units move the estimate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pymle.bind import likelihood_of
from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.bootstrap.batch import batchable
from pymle.inference.bootstrap.judge import refit_one
from pymle.inference.bootstrap.limits import skewness_acceleration
from pymle.inference.bootstrap.refits import Draws, Outcome, refit_block
from pymle.inference.bootstrap.values import values_at
from pymle.inference.quantity import Quantity
from pymle.objective.batched import spread_many, unit_scores
from pymle.objective.refits import Refits
from pymle.verdict import Status

#: Units up to which each is left out in turn; beyond, the first-order change is taken.
MOST_LEFT_OUT = 1000


@dataclass(frozen=True, eq=False)
class Spread:
    """Covariances on the unconstrained scale.

    Attributes
    ----------
    own : numpy.ndarray, shape (k, k)
        Of the estimate.
    each : numpy.ndarray, shape (n, k, k)
        Of every replicate; nan for those without a maximum inside.
    text : str
        What they are.
    """

    own: np.ndarray
    each: np.ndarray
    text: str

    def errors(self, item: Quantity, x: np.ndarray, points: np.ndarray) -> tuple:
        """Standard errors of a quantity: of the estimate (m,), of the replicates (n, m)."""
        own = _delta(item, x, self.own)
        each = np.full((len(points), item.size), np.nan)
        for i in np.flatnonzero(np.all(np.isfinite(self.each), axis=(1, 2))):
            each[i] = _delta(item, points[i], self.each[i])
        return own, each


def _delta(item: Quantity, x: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    jacobian = np.asarray(item.function.value_and_jacobian(x)[1])
    with np.errstate(all="ignore"):
        return np.sqrt(np.einsum("ij,jk,ik->i", jacobian, covariance, jacobian))


def spread_of(draws: Draws, outcome: Outcome) -> Spread:
    """Covariances of the estimate and of every replicate.

    Parameters
    ----------
    draws : Draws
    outcome : Outcome

    Returns
    -------
    Spread
        Of simulated data from the observed information; of resampled units the sandwich, which
        needs no more trust in the model than the resampling does.

    Raises
    ------
    AnalysisError
        Without exact second derivatives by JAX.
    """
    fitted, scheme = draws.fitted, draws.scheme
    if scheme.kind in ("block", "moving-block", "bayesian"):
        raise AnalysisError.bootstrap(
            f'studentised limits are not there for kind="{scheme.kind}": the standard errors of '
            'its replicates would need the dependence of the rows. Use "percentile"'
        )
    if not batchable(fitted):
        raise AnalysisError.bootstrap(
            "studentised limits need the exact curvature of every replicate, which this model "
            'has not (see `fit.record.hessian`). Use "bca" or "percentile"'
        )
    regular = outcome.regular
    k, done = len(fitted.estimate.x), len(outcome.status)
    each = np.full((done, k, k), np.nan)
    for at, block in draws.blocks(done):
        count = len(next(iter(block.values()))) if isinstance(block, dict) else len(block)
        points = outcome.x[at : at + count]
        points = np.where(np.isfinite(points), points, fitted.estimate.x)
        # Refits that begin where they ended stay there, and give the curvature.
        here = -refit_block(draws, block, start=points, damped=False).hessian
        if isinstance(block, dict):
            covariance = _inverse(here)
        else:
            covariance = _sandwich(draws, points, block, here)
        each[at : at + count] = covariance
    each[~regular] = np.nan
    curvature = fitted.estimate.curvature
    assert curvature is not None
    if scheme.units is None:
        own = _inverse(curvature.information[None])[0]
        return Spread(own, each, "observed information")
    ones = np.ones((1, len(scheme.units)))
    own = _sandwich(draws, fitted.estimate.x[None], ones, curvature.information[None])[0]
    return Spread(own, each, "sandwich")


def _inverse(information: np.ndarray) -> np.ndarray:
    out = np.full_like(information, np.nan)
    for i, matrix in enumerate(information):
        if np.all(np.isfinite(matrix)):
            try:
                half = np.linalg.inv(np.linalg.cholesky(matrix))
            except np.linalg.LinAlgError:
                continue
            out[i] = half.T @ half
    return out


def _sandwich(
    draws: Draws, points: np.ndarray, shares: np.ndarray, information: np.ndarray
) -> np.ndarray:
    fitted, scheme = draws.fitted, draws.scheme
    index = _index(draws)
    counts = np.ones(shares.shape[1]) if scheme.counts is None else scheme.counts
    middle = spread_many(fitted.likelihood, points, shares, index, counts)
    bread = _inverse(information)
    return bread @ middle @ bread


def _index(draws: Draws) -> list[np.ndarray]:
    terms = draws.fitted.problem.observed
    return [c.reshape(t.shape) for c, t in zip(draws.scheme.codes, terms, strict=True)]


def acceleration_of(draws: Draws, outcome: Outcome, item: Quantity) -> tuple[np.ndarray, str]:
    """The acceleration (m,) of BCa limits, and where it comes from.

    Parameters
    ----------
    draws : Draws
    outcome : Outcome
    item : Quantity

    Returns
    -------
    acceleration : numpy.ndarray, shape (m,)
    text : str

    Raises
    ------
    AnalysisError
        For blocks of a series, whose units are not independent, and where a parametric
        bootstrap has not kept the scores of the simulated data.

    Notes
    -----
    Resampled units: a sixth of the skewness of the jackknife values, each unit left out in turn
    and the model refitted [1]_; beyond a thousand units (or where units stand for several) of
    the first-order changes. Simulated data: a sixth of the skewness, over the replicates, of
    the score along the least favourable direction [1]_.

    References
    ----------
    .. [1] Davison and Hinkley (1997), Bootstrap Methods and Their Application, section 5.3.2.
       doi:10.1017/CBO9780511802843
    """
    fitted, scheme = draws.fitted, draws.scheme
    if scheme.kind in ("block", "moving-block", "bayesian"):
        reason = (
            "weights that are drawn as a posterior need no correction"
            if scheme.kind == "bayesian"
            else "the acceleration of BCa limits rests on independent units, and blocks of a "
            "series are none"
        )
        raise AnalysisError.bootstrap(f'{reason}. Use "percentile"')
    curvature = fitted.estimate.curvature
    if curvature is None or not curvature.positive:
        raise AnalysisError.bootstrap(
            "BCa limits need the curvature at the estimate, which this fit has not. Use "
            '"percentile"'
        )
    if scheme.units is None and fitted.estimate.restriction is not None:
        raise AnalysisError.bootstrap(
            "BCa limits from simulated data are not there for fits under constraints. Use "
            '"percentile", or kind="case"'
        )
    if scheme.units is None:
        return _least_favourable(draws, outcome, item), "scores of the simulated data"
    if scheme.counts is None and len(scheme.units) <= MOST_LEFT_OUT:
        changes = _left_out(draws, item)
        if changes is not None:
            return skewness_acceleration(changes, _strata(draws)), "jackknife, refitted"
    changes = _first_order(draws, item)
    if scheme.counts is not None:
        times = np.round(scheme.counts).astype(int)
        return (
            skewness_acceleration(np.repeat(changes, times, 0), np.repeat(_strata(draws), times)),
            "first-order changes by unit",
        )
    return skewness_acceleration(changes, _strata(draws)), "first-order changes by unit"


def _strata(draws: Draws) -> np.ndarray:
    assert draws.scheme.strata is not None
    return draws.scheme.strata


def _left_out(draws: Draws, item: Quantity) -> np.ndarray | None:
    """Minus the change (u, m) when a unit is left out; None where a refit fails."""
    fitted, scheme = draws.fitted, draws.scheme
    assert scheme.units is not None
    shares = 1.0 - np.eye(len(scheme.units))
    if batchable(fitted):
        blocks = [shares[at : at + 100] for at in range(0, len(shares), 100)]
        found = Refits.joined([refit_block(draws, block, damped=False) for block in blocks])
        points, failed = found.x, np.flatnonzero(~found.converged)
    else:
        points, failed = np.empty((len(shares), len(fitted.estimate.x))), np.arange(len(shares))
    for i in failed:
        refit = refit_one(fitted, shares=shares[i], codes=scheme.codes)
        if refit.verdict.status not in (Status.MAXIMUM, Status.KINK):
            return None
        points[i] = refit.x
    return -values_at(fitted, item, points)


def _first_order(draws: Draws, item: Quantity) -> np.ndarray:
    fitted, scheme = draws.fitted, draws.scheme
    assert scheme.units is not None
    if not batchable(fitted):
        raise AnalysisError.bootstrap(
            f"BCa limits of {len(scheme.units)} units need their exact scores by JAX, which this "
            'model has not. Use "percentile"'
        )
    ones = np.ones(len(scheme.units))
    scores = unit_scores(fitted.likelihood, fitted.estimate.x, ones, _index(draws))
    counts = ones if scheme.counts is None else np.where(scheme.counts > 0, scheme.counts, 1.0)
    return (scores / counts[:, None]) @ _direction(fitted, item)


def _direction(fitted: Fitted, item: Quantity) -> np.ndarray:
    """First-order change (k, m) of the quantity with the score."""
    curvature = fitted.estimate.curvature
    assert curvature is not None
    jacobian = np.asarray(item.function.value_and_jacobian(fitted.estimate.x)[1])
    return np.linalg.solve(curvature.information, jacobian.T)


def _least_favourable(draws: Draws, outcome: Outcome, item: Quantity) -> np.ndarray:
    fitted = draws.fitted
    score = outcome.start_score
    if not np.all(np.isfinite(score)):
        score = np.stack([_score_at(fitted, data) for data in _each(draws, len(outcome.status))])
    along = score @ _direction(fitted, item)
    return skewness_acceleration(along, np.zeros(len(along), dtype=int)) * np.sqrt(len(along))


def _each(draws: Draws, n: int) -> Iterator[dict[str, np.ndarray]]:
    for _, block in draws.blocks(n):
        for j in range(len(next(iter(block.values())))):
            yield {name: v[j] for name, v in block.items()}


def _score_at(fitted: Fitted, data: dict[str, np.ndarray]) -> np.ndarray:
    likelihood = likelihood_of(fitted.problem.with_data(data), fitted.weights)
    return likelihood.value_and_score(fitted.estimate.x)[1]
