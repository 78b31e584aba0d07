"""The point estimate beside the posterior, and what the prior did."""

from pymle.bayes.comparison.compare import compare
from pymle.bayes.comparison.record import PosteriorComparison
from pymle.bayes.comparison.scalars import default_names, known_names
from pymle.bayes.comparison.sentences import Remark

__all__ = ["PosteriorComparison", "Remark", "compare", "default_names", "known_names"]
