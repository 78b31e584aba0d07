"""The information of a model whose null hypothesis holds values on the edge of their support."""

from __future__ import annotations

import numpy as np

from pymle.errors import AnalysisError
from pymle.inference.hypotheses.nesting import Null
from pymle.objective.held import HeldCurvature, held_curvature

#: Smallest eigenvalue of a scaled information that is positive beyond rounding.
_POSITIVE = 1e-10


def curvature_at(null: Null) -> HeldCurvature:
    """Derivatives with respect to the restricted entries, inwards, and everything else.

    Parameters
    ----------
    null : Null

    Returns
    -------
    HeldCurvature
        Of the log-likelihood; entries on an upper edge are measured downwards.

    Raises
    ------
    AnalysisError
        The model has no derivatives there.
    """
    problem = null.problem
    lowered = problem.lowered
    for block in problem.layout.blocks:
        inside = (null.places >= block.natural.start) & (null.places < block.natural.stop)
        if inside.any() and not block.support.elementwise:
            raise AnalysisError.edge_derivatives(
                null.on_edge, f"the entries of `{block.name}` constrain each other"
            )
    if lowered.route != "jax":
        raise AnalysisError.edge_derivatives(
            null.on_edge, f"the model is evaluated without JAX ({lowered.reason})"
        )
    found = held_curvature(
        lowered.call,
        null.x,
        problem.coordinates.held_vector,
        null.weights,
        problem.arguments(lowered),
        null.places,
        null.inward != 0,
    )
    if not (np.all(np.isfinite(found.score)) and np.all(np.isfinite(found.hessian))):
        raise AnalysisError.edge_derivatives(
            null.on_edge, "the log-likelihood has no finite derivatives there"
        )
    sign = np.ones(len(found.score))
    sign[: len(null.places)] = np.where(null.inward < 0, -1.0, 1.0)
    # A square moves inwards whichever edge it starts from.
    sign[: len(null.places)][found.squared] = 1.0
    return HeldCurvature(found.score * sign, found.hessian * np.outer(sign, sign), found.squared)


def positive_information(null: Null, found: HeldCurvature) -> np.ndarray:
    """Minus the Hessian, if it is positive definite.

    Parameters
    ----------
    null : Null
    found : HeldCurvature

    Returns
    -------
    numpy.ndarray, shape (r + k, r + k)

    Raises
    ------
    AnalysisError
        It is not: a parameter vanishes under the null hypothesis, say.
    """
    information = -found.hessian
    scale = np.sqrt(np.abs(np.diagonal(information)))
    labels = [*null.labels, *null.problem.layout.free_labels]
    if np.any(scale == 0.0):
        vanished = [lab for lab, size in zip(labels, scale, strict=True) if size == 0.0]
        raise AnalysisError.vanishes(vanished)
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    if values[0] <= _POSITIVE:
        share = np.abs(vectors[:, 0])
        named = [labels[i] for i in np.argsort(-share) if share[i] > 0.3 * share.max()]
        raise AnalysisError.vanishes(named)
    return information


def edge_covariance(null: Null, df: int) -> tuple[np.ndarray, list[str]]:
    """Covariance of the estimates of the entries on an edge, and what deserves to be said.

    Parameters
    ----------
    null : Null
    df : int
        Number of restrictions.

    Returns
    -------
    covariance : numpy.ndarray, shape (q, q)
        Up to scale for a single entry, whose mixture does not depend on it.
    remarks : list of str
    """
    edge = np.flatnonzero(null.inward)
    if df == 1:
        return np.ones((1, 1)), []
    found = curvature_at(null)
    information = positive_information(null, found)
    remarks = []
    if found.squared.any():
        named = [null.labels[i] for i in np.flatnonzero(found.squared)]
        remarks.append(
            f"the log-likelihood is even in {', '.join(named)}: weights by the information "
            "of the square"
        )
    return np.linalg.inv(information)[np.ix_(edge, edge)], remarks
