"""Distribution functions of the observed variables at their data, for residuals."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.basic import logcdf
from pytensor.tensor.random.type import RandomType

from pymle.model import walks
from pymle.model.density import repaired, replace_random
from pymle.model.lower import double_precision
from pymle.model.predictive.labelled import plain_variable
from pymle.model.predictive.moments import moments_of
from pymle.model.predictive.simulate import values_read
from pymle.model.problem import Problem

EXACT, AHEAD, ENTRYWISE = "exact", "one step ahead", "given the entries before"


@dataclass(frozen=True)
class Cumulative:
    """Probabilities to lie below and not above an observation.

    Attributes
    ----------
    how : str
        ``exact``; ``one step ahead`` (given the series so far); ``given the entries before``
        (of a multivariate normal vector).
    below : numpy.ndarray
        Logarithm of the probability of smaller values.
    upto : numpy.ndarray
        Logarithm of the probability of values not larger.
    scores : numpy.ndarray or None
        Standard normal scores themselves, where those are computed instead.
    mean : numpy.ndarray or None
        Mean of every entry given what its probabilities are given, where that is a series.
    """

    how: str
    below: np.ndarray
    upto: np.ndarray
    scores: np.ndarray | None = None
    mean: np.ndarray | None = None


def cumulative(
    problem: Problem, name: str, y: np.ndarray, natural: np.ndarray
) -> Cumulative | None:
    """The distribution function of an observed variable at its data and at a natural point.

    Parameters
    ----------
    problem : Problem
    name : str
    y : numpy.ndarray
        The observed values.
    natural : numpy.ndarray, shape (m,)

    Returns
    -------
    Cumulative or None
        None where PyMC has no distribution function.
    """
    rv = plain_variable(problem, name)
    kind = type(rv.owner.op).__name__
    values = problem.density.values

    def evaluated(graphs: list[Any], given: dict[Any, np.ndarray]) -> list[np.ndarray]:
        with double_precision():
            # In this order: the repairs copy the graph, and copies of the model's variables
            # would be drawn at random.
            outputs = repaired(replace_random(problem.model, values, graphs))
        if any(isinstance(v.type, RandomType) for v in values_read(outputs)):
            raise NotImplementedError("a random draw is left in the distribution function")
        with problem._swapped(), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return walks.evaluate(outputs, {**problem._given(natural), **given})

    if kind == "MvNormalRV":
        centre = rv.owner.inputs[-2]
        mean, covariance = evaluated([centre, rv.owner.inputs[-1]], {})
        scores = _whitened(y - mean, covariance)
        return Cumulative(ENTRYWISE, np.full(y.shape, -np.inf), np.zeros(y.shape), scores)
    ahead = {"AutoRegressiveRV": _autoregressive, "RandomWalkRV": _random_walk}.get(kind)
    if ahead is None and getattr(rv.owner.op, "ndim_supp", 0):
        return None
    symbol, past = (pt.tensor(n, dtype=str(y.dtype), shape=(None,) * y.ndim) for n in "yp")
    # A mass at a point shows as a step to the next smaller number.
    smaller = y - 1 if y.dtype.kind in "iub" else np.nextafter(y, -np.inf)
    mean = None
    try:
        with warnings.catch_warnings(), double_precision():
            warnings.simplefilter("ignore")
            if ahead is not None:
                graph, means = ahead(rv, symbol, past)
            else:
                graph, means = (
                    (_categorical if kind == "CategoricalRV" else _logcdf)(rv, symbol),
                    None,
                )
        sides = [{symbol: at.astype(y.dtype), past: y} for at in (y, smaller)]
        [upto], [below] = (evaluated([graph], given) for given in sides)
        if means is not None:
            [mean] = evaluated([means], {past: y})
    except (NotImplementedError, TypeError, ValueError, IndexError, AttributeError):
        return None
    if upto.shape != y.shape or np.isnan(upto).any() or np.isnan(below).any():
        return None
    how = EXACT if ahead is None else AHEAD
    return Cumulative(how, np.minimum(below, upto), np.minimum(upto, 0.0), mean=mean)


def _logcdf(rv: Any, at: Any) -> Any:
    return pt.broadcast_to(logcdf(rv, at, warn_rvs=False), at.shape)


def _categorical(rv: Any, at: Any) -> Any:
    """The order of the categories is that of their numbers."""
    p = rv.owner.inputs[-1]
    total: Any = pt.cumsum(p, axis=-1)
    total = pt.broadcast_to(total, (*at.shape, p.shape[-1])) if at.ndim else total
    inside: Any = pt.clip(at, 0, p.shape[-1] - 1)
    picked = pt.take_along_axis(total, inside[..., None], axis=-1)[..., 0]
    return pt.log(pt.switch(pt.lt(at, 0), 0.0, pt.minimum(picked, 1.0)))


def _random_walk(rv: Any, at: Any, past: Any) -> tuple[Any, Any]:
    """Each position given the one before it."""
    start, steps = rv.owner.inputs[:2]
    first = logcdf(start, at[..., :1], warn_rvs=False)
    later = logcdf(steps, at[..., 1:] - past[..., :-1], warn_rvs=False)
    return pt.concatenate([first, later], axis=-1), _joined(
        _mean(start), past[..., :-1] + _mean(steps), past
    )


def _autoregressive(rv: Any, at: Any, past: Any) -> tuple[Any, Any]:
    """Each entry given as many before it as the order."""
    rhos, sigma, start = (cast("Any", v) for v in rv.owner.inputs[:3])
    order, constant = rv.owner.op.ar_order, int(rv.owner.op.constant_term)
    mean = sum(
        rhos[..., i + constant, None] * past[..., order - (i + 1) : -(i + 1)] for i in range(order)
    )
    if constant:
        mean = mean + rhos[..., 0, None]
    first = logcdf(start, at[..., :order], warn_rvs=False)
    later = logcdf(pm.Normal.dist(mean, sigma[..., None]), at[..., order:], warn_rvs=False)
    return pt.concatenate([first, later], axis=-1), _joined(_mean(start), mean, past)


def _mean(rv: Any) -> Any:
    found = moments_of(rv)
    if found is None:
        raise NotImplementedError("no mean in closed form")
    return found.mean


def _joined(first: Any, later: Any, past: Any) -> Any:
    """Means of a series: of its start, then of the entries given those before."""
    start = past.shape[-1] - later.shape[-1]
    filled = pt.broadcast_to(first, (*past.shape[:-1], start))
    return pt.concatenate([filled, later], axis=-1)


def _whitened(deviations: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Deviations of each entry from its mean given those before it, in standard deviations."""
    factor = np.linalg.cholesky(covariance)
    factor = np.broadcast_to(factor, (*deviations.shape, deviations.shape[-1]))
    return np.linalg.solve(factor, deviations[..., None])[..., 0]
