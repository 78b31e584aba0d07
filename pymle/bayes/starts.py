"""Where chains start: dispersed draws of the normal approximation, with its variances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.bayes.approximation import Approximation
from pymle.errors import PymleError
from pymle.errors.sampling import PosteriorError
from pymle.fitted import Fitted
from pymle.model.sampled import sampler_coordinates
from pymle.verdict import Status

#: Degrees of freedom of the law from which chains start: wider than the approximation.
FREEDOM = 4.0
#: Draws from which variances on the sampler's scale are computed.
_DRAWS = 400
#: Draws tried for each start.
_TRIES = 50


@dataclass(frozen=True)
class Starts:
    """Starting points of chains and what is known about the scales of the posterior.

    Attributes
    ----------
    points : tuple of dict of str to numpy.ndarray
        One for each chain, natural scale, free variables by name.
    mean, variance : numpy.ndarray, shape (k,)
        Of the approximation on PyMC's unconstrained scale, in the order of its NUTS.
    """

    points: tuple[dict[str, np.ndarray], ...]
    mean: np.ndarray
    variance: np.ndarray


def dispersed_starts(
    approximation: Approximation, model: Any, chains: int, rng: np.random.Generator
) -> Starts:
    """Draw a start for every chain.

    Parameters
    ----------
    approximation : Approximation
    model : pymc.Model
        That will be sampled.
    chains : int
    rng : numpy.random.Generator

    Returns
    -------
    Starts

    Raises
    ------
    AnalysisError
        Draws have no finite density.

    Notes
    -----
    Parameters are drawn from a Student-t law with 4 degrees of freedom around the mode, wider
    than the posterior so that chains that agree have come together from different places;
    random effects and missing values from their normal law given these. Draws without a finite
    log-density are replaced.
    """
    coordinates = sampler_coordinates(model)
    initial = approximation.problem.initial
    free = [rv.name for rv in model.free_RVs]
    found: list[dict[str, np.ndarray]] = []
    for _ in range(_TRIES):
        rows = approximation.draw(chains, rng, FREEDOM)
        heights = approximation.log_posterior(rows.points)
        for point, height in zip(_points(approximation, rows.points, free), heights, strict=True):
            full = {**initial, **point}
            inner = coordinates(full).values()
            if np.isfinite(height) and all(np.all(np.isfinite(v)) for v in inner):
                found.append(point)
        if len(found) >= chains:
            break
    else:
        raise PosteriorError.no_laplace(
            "no finite density", "draws around the mode have no finite log-density"
        )
    rows = approximation.draw(_DRAWS, rng)
    flat = np.array(
        [
            np.concatenate(list(coordinates({**initial, **point}).values()))
            for point in _points(approximation, rows.points, free)
        ]
    )
    flat = flat[np.all(np.isfinite(flat), axis=1)]
    if len(flat) < _DRAWS // 2:
        raise PosteriorError.no_laplace(
            "draws outside the support", "most draws around the mode leave the support"
        )
    variance = np.var(flat, axis=0, ddof=1)
    # What the objective does not depend on is not part of the approximation: PyMC's own scale.
    variance = np.where(variance > 0.0, variance, 1.0)
    return Starts(tuple(found[:chains]), flat.mean(axis=0), variance)


def starts_or_reason(
    fitted: Fitted, posterior: Any, model: Any, chains: int, rng: np.random.Generator
) -> Starts | str:
    """Starts from a posterior's approximation, or why there are none.

    Parameters
    ----------
    fitted : Fitted
    posterior : callable
        Gives the fitted mode of the posterior that will be sampled.
    model : pymc.Model
    chains : int
    rng : numpy.random.Generator

    Returns
    -------
    Starts or str
        A clause that completes "because ...".
    """
    if not fitted.problem.lowered.has_score:
        return "the log-density has no gradient"
    try:
        mode = posterior()
        status = mode.estimate.verdict.status
        if status is not Status.MAXIMUM:
            return (
                "the search for the mode of the posterior ended with the verdict "
                f"'{status.value}', so that its normal approximation is no guide"
            )
        return dispersed_starts(Approximation(mode), model, chains, rng)
    except PymleError as error:
        return f"its normal approximation failed ({str(error).rstrip('.')})"


def _points(
    approximation: Approximation, points: np.ndarray, free: list[str]
) -> list[dict[str, np.ndarray]]:
    names = tuple(name for name in approximation.names if name in free)
    values = approximation.natural(points, names)
    return [{name: value[i] for name, value in values.items()} for i in range(len(points))]
