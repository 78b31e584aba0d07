"""Maximisation of log-likelihoods: functions of a vector; nothing here knows a model."""

from pymle.optimize.differences import differenced_hessian, directional_check
from pymle.optimize.multistart import Exploration, explore
from pymle.optimize.objective import Objective
from pymle.optimize.records import Solution, SolveRecord, Termination, TraceStep
from pymle.optimize.search import Search, search
from pymle.optimize.solve import maximise
from pymle.optimize.starts import dispersed

__all__ = [
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
    "maximise",
    "search",
]
