"""Verdicts: what a fit turned out to be, with the evidence."""

from pymle.verdict.assess import assess, derivative_check, is_level
from pymle.verdict.curvature import Curvature, curvature_of
from pymle.verdict.records import Status, Verdict
from pymle.verdict.ridge import Ridge, look_along
from pymle.verdict.separation import Separation, find_separation, is_suspicious, separated
from pymle.verdict.tails import Saturated, Tails, find_tails

__all__ = [
    "Curvature",
    "Ridge",
    "Saturated",
    "Separation",
    "Status",
    "Tails",
    "Verdict",
    "assess",
    "curvature_of",
    "derivative_check",
    "find_separation",
    "find_tails",
    "is_level",
    "is_suspicious",
    "look_along",
    "separated",
]
