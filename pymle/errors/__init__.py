"""Errors and warnings of pymle; the constructors own the text.

Every message says what was seen, what was expected, and the next step.
"""

from pymle.errors.analysis import AnalysisError
from pymle.errors.base import (
    BetterFitWarning,
    NotCertifiedError,
    NotCertifiedWarning,
    Notice,
    PymleError,
    PymleWarning,
)
from pymle.errors.inputs import DataError, PointError
from pymle.errors.model import ModelError
from pymle.errors.stored import StoredError

__all__ = [
    "AnalysisError",
    "BetterFitWarning",
    "DataError",
    "ModelError",
    "NotCertifiedError",
    "NotCertifiedWarning",
    "Notice",
    "PointError",
    "PymleError",
    "PymleWarning",
    "StoredError",
]
