"""Functions of a frozen estimate: covariance, limits, derived quantities."""

from pymle.inference.covariance import (
    Covariance,
    estimate_covariance,
    jacobian_covariance,
    natural_covariance,
    standard_errors,
    unconstrained_covariance,
)
from pymle.inference.derived import Derived, derived
from pymle.inference.quantity import Quantity, quantity
from pymle.inference.wald import Limits, wald_limits

__all__ = [
    "Covariance",
    "Derived",
    "Limits",
    "Quantity",
    "derived",
    "estimate_covariance",
    "jacobian_covariance",
    "natural_covariance",
    "quantity",
    "standard_errors",
    "unconstrained_covariance",
    "wald_limits",
]
