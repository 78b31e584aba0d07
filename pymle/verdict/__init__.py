"""Verdicts: what a fit turned out to be, with the evidence."""

from pymle.verdict.assess import assess, derivative_check, is_level
from pymle.verdict.curvature import Curvature, curvature_of
from pymle.verdict.lines import Lines
from pymle.verdict.numerics import (
    find_loudness,
    find_randomness,
    find_trouble,
    find_wrong_slopes,
    troubled,
)
from pymle.verdict.quiet import best_quiet, is_loud, quiet_end
from pymle.verdict.records import Status, Verdict
from pymle.verdict.ridge import Ridge, elsewhere, look_along, runs_across
from pymle.verdict.separation import Separation, find_separation, is_suspicious, separated
from pymle.verdict.support import Edges, at_the_edge, find_edges
from pymle.verdict.tails import Saturated, Tails, find_tails
from pymle.verdict.unbounded import Growth, find_growth, grows

__all__ = [
    "Curvature",
    "Edges",
    "Growth",
    "Lines",
    "Ridge",
    "Saturated",
    "Separation",
    "Status",
    "Tails",
    "Verdict",
    "assess",
    "at_the_edge",
    "best_quiet",
    "curvature_of",
    "derivative_check",
    "elsewhere",
    "find_edges",
    "find_growth",
    "find_loudness",
    "find_randomness",
    "find_separation",
    "find_tails",
    "find_trouble",
    "find_wrong_slopes",
    "grows",
    "is_level",
    "is_loud",
    "is_suspicious",
    "look_along",
    "quiet_end",
    "runs_across",
    "separated",
    "troubled",
]
