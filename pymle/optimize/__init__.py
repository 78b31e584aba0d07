"""Maximisation of log-likelihoods: functions of a vector; nothing here knows a model."""

from pymle.optimize.active_set import Bound, maximise_within
from pymle.optimize.constrained import ConstrainedSolution, maximise_subject_to
from pymle.optimize.differences import differenced_hessian, directional_check
from pymle.optimize.kinks import is_kink
from pymle.optimize.multistart import Exploration, explore, same_value
from pymle.optimize.objective import Objective
from pymle.optimize.records import Solution, SolveRecord, Termination, TraceStep
from pymle.optimize.rounds import profile_scales
from pymle.optimize.search import Search, search, value_noise
from pymle.optimize.solve import maximise
from pymle.optimize.starts import dispersed, spread_out

__all__ = [
    "Bound",
    "ConstrainedSolution",
    "Exploration",
    "Objective",
    "Search",
    "Solution",
    "SolveRecord",
    "Termination",
    "TraceStep",
    "differenced_hessian",
    "directional_check",
    "dispersed",
    "explore",
    "is_kink",
    "maximise",
    "maximise_subject_to",
    "maximise_within",
    "profile_scales",
    "same_value",
    "search",
    "spread_out",
    "value_noise",
]
