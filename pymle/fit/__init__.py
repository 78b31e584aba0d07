"""The class Fit, which offers every analysis as a method."""

from pymle.fit.fit import Fit

__all__ = ["Fit"]
