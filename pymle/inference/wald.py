"""Wald limits on the scale that the support suggests."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from pymle.estimate import Estimate
from pymle.inference.covariance import Covariance, standard_errors

#: Supports whose entries constrain each other and keep the identity scale.
JOINT = frozenset({"simplex", "cholesky", "covariance", "ordered", "zerosum", "custom"})


@dataclass(frozen=True)
class Limits:
    """Point estimates with standard errors and limits, one entry per label.

    Attributes
    ----------
    estimate, se, lower, upper : numpy.ndarray, shape (m,)
        Natural scale.
    scale : tuple of str
        Scale on which each pair of limits is symmetric: ``identity``, ``log``, ``logit``,
        ``fisher z``, or ``-`` where there are none.
    zero_inside : numpy.ndarray of bool, shape (m,)
        Whether zero is an interior point of the support, so that a test against it means
        something.
    """

    estimate: np.ndarray
    se: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    scale: tuple[str, ...]
    zero_inside: np.ndarray


def wald_limits(estimate: Estimate, level: float, covariance: Covariance | None = None) -> Limits:
    """Wald limits of all natural entries.

    Parameters
    ----------
    estimate : Estimate
    level : float
        Coverage, in (0, 1).
    covariance : Covariance, optional
        As `estimate_covariance` gives it; by default that of the observed information.

    Returns
    -------
    Limits

    Notes
    -----
    Identity scale where the support is unbounded, log of the distance to a single bound,
    logit for probabilities and Fisher's z for correlations; identity for other finite
    intervals and for entries that constrain each other, unless a limit would cross a
    bound. The choice follows from the support, never from the prior that was dropped.
    Valid where the log-likelihood is near to quadratic on that scale.
    """
    se = standard_errors(estimate, estimate.jacobian, covariance)
    # A free entry whose value no longer moves (it is its bound in floating point) has none.
    se = np.where((se == 0.0) & ~estimate.layout.fixed, np.nan, se)
    kinds = [b.support.kind for b in estimate.layout.blocks for _ in range(b.size)]
    zero = np.array(
        [
            kind not in {"simplex", "custom"} and low < 0.0 < high
            for kind, low, high in zip(kinds, estimate.lower, estimate.upper, strict=True)
        ],
        dtype=bool,
    )
    joint = np.array([kind in JOINT for kind in kinds], dtype=bool)
    lower, upper, scale = limits_between(
        estimate.natural, se, estimate.lower, estimate.upper, level, plain=joint
    )
    return Limits(estimate.natural, se, lower, upper, scale, zero)


def limits_between(
    value: np.ndarray,
    se: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    level: float,
    *,
    plain: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Limits around values with given standard errors and bounds.

    Parameters
    ----------
    value, se, low, high : numpy.ndarray, shape (m,)
    level : float
    plain : numpy.ndarray of bool, shape (m,), optional
        Entries that stay on the identity scale unless a limit would cross a bound.

    Returns
    -------
    lower, upper : numpy.ndarray, shape (m,)
    scale : tuple of str
    """
    # Not from scipy.special: its import is a noticeable part of a first fit.
    q = -NormalDist().inv_cdf(0.5 * (1.0 - level))
    lower, upper = np.full(len(value), np.nan), np.full(len(value), np.nan)
    scale = []
    for i, (v, s, a, b) in enumerate(zip(value, se, low, high, strict=True)):
        if not np.isfinite(s):
            scale.append("-")
            continue
        inside = plain is not None and plain[i] and a < v - q * s and v + q * s < b
        name = "identity" if inside else _scale(v, q * s, a, b)
        with np.errstate(over="ignore"):  # as wide as the support
            lower[i], upper[i] = _limits(v, q * s, a, b, name)
        scale.append(name)
    return lower, upper, tuple(scale)


def _scale(value: float, half: float, low: float, high: float) -> str:
    if half == 0.0 or not (np.isfinite(low) or np.isfinite(high)):
        return "identity"
    if not low < value < high:
        return "identity"  # on the edge itself no transformed scale exists
    if not (np.isfinite(low) and np.isfinite(high)):
        return "log"
    if (low, high) == (0.0, 1.0):
        return "logit"
    if (low, high) == (-1.0, 1.0):
        return "fisher z"
    inside = low < value - half and value + half < high
    return "identity" if inside else "logit"


def _limits(value: float, half: float, low: float, high: float, name: str) -> tuple[float, float]:
    if name == "identity":
        return value - half, value + half
    if name == "log":
        gap = value - low if np.isfinite(low) else high - value
        factor = np.exp(half / gap)
        if np.isfinite(low):
            return low + gap / factor, low + gap * factor
        return high - gap * factor, high - gap / factor
    # logit of the position in the interval; Fisher's z is half of it for (-1, 1)
    width = high - low
    share = (value - low) / width
    centre = np.log(share) - np.log1p(-share)
    step = half / (width * share * (1 - share))
    ends = [low + width / (1 + np.exp(-(centre + sign * step))) for sign in (-1, 1)]
    return float(ends[0]), float(ends[1])
