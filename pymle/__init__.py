"""pymle: maximum likelihood for PyMC models."""

from pymle.compiled import Compiled
from pymle.errors import (
    AnalysisError,
    DataError,
    ModelError,
    NotCertifiedError,
    NotCertifiedWarning,
    Notice,
    PointError,
    PymleError,
    PymleWarning,
)
from pymle.find import compile, find_MAP, find_MLE
from pymle.fit import Fit, compare
from pymle.model import Roles, roles
from pymle.verdict import Status, Verdict

__all__ = [
    "AnalysisError",
    "Compiled",
    "DataError",
    "Fit",
    "ModelError",
    "NotCertifiedError",
    "NotCertifiedWarning",
    "Notice",
    "PointError",
    "PymleError",
    "PymleWarning",
    "Roles",
    "Status",
    "Verdict",
    "compare",
    "compile",
    "find_MAP",
    "find_MLE",
    "roles",
]
