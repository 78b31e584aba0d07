"""Covariances of the estimates: from the curvature, from the scores, from both."""

from pymle.inference.covariance.choose import estimate_covariance
from pymle.inference.covariance.groups import group_scores
from pymle.inference.covariance.information import (
    jacobian_covariance,
    natural_covariance,
    standard_errors,
    unconstrained_covariance,
    whitened,
)
from pymle.inference.covariance.records import Covariance
from pymle.inference.covariance.scores import score_table, scores_of, unit_scores, units_of
from pymle.inference.covariance.units import Units, declared_units, evident_units

__all__ = [
    "Covariance",
    "Units",
    "declared_units",
    "estimate_covariance",
    "evident_units",
    "group_scores",
    "jacobian_covariance",
    "natural_covariance",
    "score_table",
    "scores_of",
    "standard_errors",
    "unconstrained_covariance",
    "unit_scores",
    "units_of",
    "whitened",
]
