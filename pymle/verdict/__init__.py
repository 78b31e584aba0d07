"""Verdicts: what a fit turned out to be, with the evidence."""

from pymle.verdict.assess import assess, derivative_check
from pymle.verdict.curvature import Curvature, curvature_of
from pymle.verdict.records import Status, Verdict
from pymle.verdict.tails import Saturated, Tails, find_tails

__all__ = [
    "Curvature",
    "Saturated",
    "Status",
    "Tails",
    "Verdict",
    "assess",
    "curvature_of",
    "derivative_check",
    "find_tails",
]
