"""Discrete latent variables of finite support: summed out exactly."""

from pymle.model.summation.terms import dependent, without_discrete
from pymle.model.summation.view import summed_out

__all__ = ["dependent", "summed_out", "without_discrete"]
