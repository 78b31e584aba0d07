"""The class Fit, which offers every analysis as a method."""

from pymle.fit.fit import Fit
from pymle.fit.hypotheses import compare

__all__ = ["Fit", "compare"]
