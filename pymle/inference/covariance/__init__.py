"""Covariances of the estimates: from the curvature, from the scores, from both."""

from pymle.inference.covariance.choose import estimate_covariance
from pymle.inference.covariance.information import (
    jacobian_covariance,
    natural_covariance,
    standard_errors,
    unconstrained_covariance,
    whitened,
)
from pymle.inference.covariance.records import Covariance

__all__ = [
    "Covariance",
    "estimate_covariance",
    "jacobian_covariance",
    "natural_covariance",
    "standard_errors",
    "unconstrained_covariance",
    "whitened",
]
