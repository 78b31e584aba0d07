"""Log-likelihoods as functions of a vector; nothing here knows a model."""

from pymle.objective.functions import CallableFunction, Rows
from pymle.objective.likelihood import Likelihood
from pymle.objective.natural import ElementwiseMap, PointFunction

__all__ = ["CallableFunction", "ElementwiseMap", "Likelihood", "PointFunction", "Rows"]
