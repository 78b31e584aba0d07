"""Log-likelihoods as functions of a vector; nothing here knows a model."""

from pymle.objective.combined import Combinations, Stacked
from pymle.objective.functions import CallableFunction, Rows
from pymle.objective.held import HeldCurvature, held_curvature
from pymle.objective.integrate.conditional import AtModes, Leading
from pymle.objective.likelihood import Likelihood
from pymle.objective.natural import ElementwiseMap, PointFunction

__all__ = [
    "AtModes",
    "CallableFunction",
    "Combinations",
    "ElementwiseMap",
    "HeldCurvature",
    "Leading",
    "Likelihood",
    "PointFunction",
    "Rows",
    "Stacked",
    "held_curvature",
]
