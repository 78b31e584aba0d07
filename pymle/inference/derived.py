"""Functions of the parameters with delta-method standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pymle.estimate import Estimate
from pymle.inference.covariance import Covariance, standard_errors
from pymle.inference.wald import Limits, limits_between

#: Standard error relative to its value that is none.
ROUNDING = 1e-13


@dataclass(frozen=True)
class Derived:
    """A derived array with its derivative.

    Attributes
    ----------
    name : str
    labels : tuple of str
        One per entry.
    value : numpy.ndarray, shape (m,)
    jacobian : numpy.ndarray, shape (m, k)
        With respect to the unconstrained vector.
    low, high : float or numpy.ndarray, shape (m,)
        Range that the expression cannot leave (``exp`` is positive), else infinite.
    joint : bool
        Entries of a parameter that constrain each other: identity scale unless a limit would
        cross a bound.
    free : numpy.ndarray of bool or None, shape (m,)
        Entries of parameters that are estimated; None for other functions.
    conditional : numpy.ndarray or None, shape (m,)
        Variances that remain when the parameters are known: those of functions of random
        effects, which are predicted; None for functions of the parameters.
    """

    name: str
    labels: tuple[str, ...]
    value: np.ndarray
    jacobian: np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray
    joint: bool = False
    free: np.ndarray | None = None
    conditional: np.ndarray | None = None


def derived(
    estimate: Estimate,
    items: Sequence[Derived],
    level: float,
    covariance: Covariance | None = None,
) -> Limits:
    """Delta-method limits of derived quantities.

    Parameters
    ----------
    estimate : Estimate
    items : sequence of Derived
    level : float
        Coverage, in (0, 1).
    covariance : Covariance, optional
        As `estimate_covariance` gives it; by default that of the observed information.

    Returns
    -------
    Limits
        Entries of all items, one after the other. An entry that is not finite (nan
        beyond the data, say) has no standard error.
    """
    value = np.concatenate([item.value for item in items])
    jacobian = np.concatenate([item.jacobian for item in items])
    finite = np.isfinite(value) & np.all(np.isfinite(jacobian), axis=1)
    se = np.full(len(value), np.nan)
    se[finite] = standard_errors(estimate, jacobian[finite], covariance)
    # The diagonal of a correlation matrix is constant: what is left of its derivative is rounding.
    se = np.where(se <= ROUNDING * np.abs(value), 0.0, se)
    low = np.concatenate([np.broadcast_to(item.low, item.value.shape) for item in items])
    high = np.concatenate([np.broadcast_to(item.high, item.value.shape) for item in items])
    # A free entry whose value no longer moves (it is its bound in floating point) has none.
    stuck = np.concatenate(
        [
            np.broadcast_to(False if item.free is None else item.free, item.value.shape)
            for item in items
        ]
    )
    se = np.where((se == 0.0) & stuck, np.nan, se)
    plain = np.concatenate([np.full(item.value.shape, item.joint) for item in items])
    remaining = np.concatenate(
        [np.zeros(i.value.shape) if i.conditional is None else i.conditional for i in items]
    )
    se = np.where(remaining > 0.0, np.sqrt(se**2 + remaining), se)
    lower, upper, scale = limits_between(value, se, low, high, level, plain=plain)
    # What is predicted is no parameter of which zero could be a hypothesis.
    predicted = np.concatenate([np.full(i.value.shape, i.conditional is not None) for i in items])
    zero = (low < 0.0) & (high > 0.0) & (se > 0) & ~predicted
    return Limits(value, se, lower, upper, scale, zero)
