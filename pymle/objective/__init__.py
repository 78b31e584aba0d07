"""Log-likelihoods as functions of a vector; nothing here knows a model."""

from pymle.objective.conditional import AtModes, Leading
from pymle.objective.functions import CallableFunction, Rows
from pymle.objective.likelihood import Likelihood
from pymle.objective.marginal import Marginal, make_plan
from pymle.objective.natural import ElementwiseMap, PointFunction

__all__ = [
    "AtModes",
    "CallableFunction",
    "ElementwiseMap",
    "Leading",
    "Likelihood",
    "Marginal",
    "PointFunction",
    "Rows",
    "make_plan",
]
