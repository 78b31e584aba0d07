"""Covariance of the estimates from the exact curvature, never from a repaired one."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymle.errors import AnalysisError
from pymle.estimate import Estimate
from pymle.verdict import Status

#: Share of a function's gradient in directions without curvature above which it has no SE.
_TOUCHES = 1e-6
#: Change on the way to an edge, in conditional standard errors, that does not matter any more.
_ARRIVED = 1e-3
#: The same along constraints, below which they hold a function fast.
_HELD = 1e-11
#: Up to this size the root of the information is inverted once for all rows.
_SMALL = 64


def unconstrained_covariance(estimate: Estimate) -> np.ndarray:
    """Inverse information on the unconstrained scale.

    Parameters
    ----------
    estimate : Estimate

    Returns
    -------
    numpy.ndarray, shape (k, k)
        NaN in the rows and columns of coordinates that the data do not determine or that
        ran to an edge of their support, and everywhere if the point is no maximum.
    """
    return jacobian_covariance(estimate, np.eye(len(estimate.x)))


def natural_covariance(estimate: Estimate) -> np.ndarray:
    """Covariance of the natural values by the delta method.

    Parameters
    ----------
    estimate : Estimate

    Returns
    -------
    numpy.ndarray, shape (m, m)
        Zero rows for fixed entries; NaN as in `unconstrained_covariance`.
    """
    return jacobian_covariance(estimate, estimate.jacobian)


def standard_errors(estimate: Estimate, jacobian: np.ndarray, covariance: Any = None) -> np.ndarray:
    """Delta-method standard errors of functions of the unconstrained vector.

    Parameters
    ----------
    estimate : Estimate
    jacobian : numpy.ndarray, shape (m, k)
    covariance : Covariance, optional
        As `estimate_covariance` gives it, in place of the observed information's.

    Returns
    -------
    numpy.ndarray, shape (m,)
    """
    if covariance is not None:
        return covariance.standard_errors(jacobian)
    _refuse_sampling(estimate)
    half, known = whitened(estimate, jacobian)
    out = np.sqrt(np.sum(half**2, axis=1))
    return np.where(known, out, np.nan)


def jacobian_covariance(
    estimate: Estimate, jacobian: np.ndarray, covariance: Any = None
) -> np.ndarray:
    """Delta-method covariance of functions of the unconstrained vector.

    Parameters
    ----------
    estimate : Estimate
    jacobian : numpy.ndarray, shape (m, k)
        Derivatives of the functions with respect to the unconstrained vector.
    covariance : Covariance, optional
        As `estimate_covariance` gives it, in place of the observed information's.

    Returns
    -------
    numpy.ndarray, shape (m, m)
        NaN for functions that move along a direction without curvature.

    Notes
    -----
    With a proven null space N of the information only functions whose gradient is
    orthogonal to N are identified; for those the inverse on any complement of N gives
    the same variance (Rao 1973, section 4a.4), and that is what is computed. Under constraints
    with tangent basis T it is ``T (T' I T)^-1 T'``, with I from the Lagrangian (Aitchison and
    Silvey 1958, doi:10.1214/aoms/1177706538).
    """
    if covariance is not None:
        return covariance.of(jacobian)
    _refuse_sampling(estimate)
    half, known = whitened(estimate, jacobian)
    out = half @ half.T
    out[~known, :] = np.nan
    out[:, ~known] = np.nan
    return out


def _refuse_sampling(estimate: Estimate) -> None:
    """With sampling weights the information is no covariance, and none is given by mistake."""
    if estimate.weights_kind == "sampling":
        raise AnalysisError.sampling_weights("The inverse information as a covariance")


def _dense(matrix: Any) -> np.ndarray:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def whitened(estimate: Estimate, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows divided by a root of the observed information.

    Parameters
    ----------
    estimate : Estimate
    jacobian : numpy.ndarray, shape (m, k)
        Derivatives of functions, or scores of units.

    Returns
    -------
    half : numpy.ndarray, shape (m, r)
        Its product with its transpose is the covariance of the functions.
    known : numpy.ndarray of bool, shape (m,)
        False for rows that lie along a direction without curvature.
    """
    rows = jacobian.shape[0]
    null = estimate.null_space
    curvature = estimate.curvature
    if null is None or curvature is None:
        fixed = ~np.any(_dense(jacobian) != 0, axis=1)
        return np.zeros((rows, 1)), fixed
    scale, information, dense = curvature.scale, curvature.information, _dense(jacobian)
    if estimate.restriction is not None:
        tangent = estimate.restriction.tangent
        information = tangent.T @ information @ tangent
        null = np.linalg.lstsq(tangent, null, rcond=None)[0]
        dense, scale = _along(dense, tangent, information, scale)
    scaled = dense / scale
    known = np.ones(rows, dtype=bool)
    information = information / np.outer(scale, scale)
    left = np.zeros(rows)
    if null.shape[1] and _flat(estimate):
        directions, _ = np.linalg.qr(null * scale[:, None], mode="complete")
        q = null.shape[1]
        size = np.linalg.norm(scaled, axis=1)
        touch = np.linalg.norm(scaled @ directions[:, :q], axis=1)
        known = touch <= _TOUCHES * np.where(size > 0, size, 1.0)
        complement = directions[:, q:]
        information = complement.T @ information @ complement
        scaled = scaled @ complement
    elif null.shape[1]:
        # Along a tail the curvature may be 1e-50 of what it is elsewhere: no common scale. What
        # does not move along the tail does not depend on where its coordinates are held.
        held, moving = _held_along(null)
        kept = np.setdiff1d(np.arange(len(null)), held)
        left = np.linalg.norm(dense @ moving, axis=1)
        size = np.linalg.norm(np.abs(dense) @ np.abs(moving), axis=1)
        known = left <= _TOUCHES * size
        information = information[np.ix_(kept, kept)]
        scaled = scaled[:, kept]
    if information.shape[0] == 0:
        return np.zeros((rows, 1)), known
    factor = np.linalg.cholesky(information)
    if len(factor) <= _SMALL:
        # SciPy's triangular solver wakes all threads even for two columns: ten milliseconds on a
        # busy machine, for microseconds of work.
        half = scaled @ np.linalg.solve(factor, np.eye(len(factor))).T
    else:
        from scipy.linalg import solve_triangular

        half = solve_triangular(factor, scaled.T, lower=True).T
    if null.shape[1] and not _flat(estimate):
        # What a function would still move by on the way to an edge or to infinity.
        known |= left <= _ARRIVED * np.linalg.norm(half, axis=1)
    return half, known


def _held_along(null: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (q,) that tell the points along directions (k, q) apart, and the directions.

    The directions come back with the identity at those coordinates.
    """
    from scipy.linalg import qr

    order = qr(null.T, mode="r", pivoting=True)[1]
    held = np.asarray(order[: null.shape[1]])
    return held, np.linalg.solve(null[held].T, null.T).T


def _flat(estimate: Estimate) -> bool:
    """Whether directions without curvature are flat, rather than tails on which a limit is near."""
    return estimate.verdict.status is Status.FLAT


def _along(
    jacobian: np.ndarray, tangent: np.ndarray, information: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives along constraints, and the scale there; what they hold fast is zero."""
    diagonal = np.diagonal(information)
    inner = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    moved = jacobian @ tangent
    before = np.linalg.norm(jacobian / scale, axis=1)
    moved[np.linalg.norm(moved / inner, axis=1) <= _HELD * before] = 0.0
    return moved, inner
