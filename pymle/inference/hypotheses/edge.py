"""The information of a model whose null hypothesis holds values on the edge of their support."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pymle.bind import likelihood_of
from pymle.errors import AnalysisError
from pymle.inference.hypotheses.nesting import Null
from pymle.objective.held import HeldCurvature, held_curvature

#: Smallest eigenvalue of a scaled information that is positive beyond rounding, and one that is
#: negative beyond doubt.
_POSITIVE, _NEGATIVE = 1e-10, -1e-4


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
    program = likelihood_of(problem, null.weights).program
    found = held_curvature(
        *program,
        null.x,
        null.places,
        null.inward != 0,
        differenced=problem.effects is not None,
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


def positive(matrix: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """An information, if it is positive definite beyond rounding.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (k, k)
    labels : sequence of str

    Returns
    -------
    numpy.ndarray, shape (k, k)

    Raises
    ------
    AnalysisError
        It is not: a parameter vanishes under the null hypothesis, say.
    """
    scale = np.sqrt(np.abs(np.diagonal(matrix)))
    if not np.all(np.isfinite(matrix)) or np.any(scale == 0.0):
        lost = [lab for lab, size in zip(labels, scale, strict=True) if not size > 0.0]
        raise AnalysisError.vanishes(lost or list(labels))
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    if values[0] <= _POSITIVE:
        share = np.abs(vectors[:, 0])
        named = [labels[int(i)] for i in np.argsort(-share) if share[i] > 0.3 * share.max()]
        raise AnalysisError.vanishes(named)
    return matrix


def edge_covariance(null: Null, df: int) -> tuple[np.ndarray | None, list[str]]:
    """Covariance of the estimates of the entries on an edge, and what deserves to be said.

    Parameters
    ----------
    null : Null
    df : int
        Number of restrictions.

    Returns
    -------
    covariance : numpy.ndarray, shape (q, q), or None
        Up to scale for a single entry, whose mixture does not depend on it. None where the data
        are so far from the null hypothesis that the log-likelihood is not concave there.
    remarks : list of str
    """
    edge = np.flatnonzero(null.inward)
    if df == 1:
        return np.ones((1, 1)), []
    found = curvature_at(null)
    size = np.sqrt(np.abs(np.diagonal(found.hessian)))
    if np.all(np.isfinite(found.hessian)) and np.all(size > 0.0):
        lowest = np.linalg.eigvalsh(-found.hessian / np.outer(size, size))[0]
        if lowest < _NEGATIVE:
            return None, [
                "the data are far from the null hypothesis, and their information there is not "
                "positive definite: weights that give the largest p that any can"
            ]
    information = positive(-found.hessian, [*null.labels, *null.problem.layout.free_labels])
    remarks = []
    if found.squared.any():
        named = [null.labels[i] for i in np.flatnonzero(found.squared)]
        remarks.append(
            f"the log-likelihood is even in {', '.join(named)}: weights by the information "
            "of the square"
        )
    return np.linalg.inv(information)[np.ix_(edge, edge)], remarks
