"""Log-likelihoods as functions of a vector; nothing here knows a model."""

from pymle.objective.likelihood import Likelihood
from pymle.objective.natural import PointFunction

__all__ = ["Likelihood", "PointFunction"]
