"""Discrete latent variables of finite support: summed out exactly."""

from pymle.model.summation.terms import Summed, dependent, frozen, summed_term
from pymle.model.summation.view import summed_out

__all__ = ["Summed", "dependent", "frozen", "summed_out", "summed_term"]
