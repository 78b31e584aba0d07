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
    StoredError,
)
from pymle.find import compile, find_MAP, find_MLE
from pymle.fit import Fit, compare
from pymle.fit.saved import SavedFit
from pymle.loading import load
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
    "SavedFit",
    "Status",
    "StoredError",
    "Verdict",
    "compare",
    "compile",
    "find_MAP",
    "find_MLE",
    "load",
    "roles",
]
