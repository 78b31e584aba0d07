"""Tests of hypotheses and comparisons of fits."""

from pymle.inference.hypotheses.compare import compare_table
from pymle.inference.hypotheses.lr_test import LikelihoodRatio, LikelihoodRatios, lr_test
from pymle.inference.hypotheses.score_test import ScoreTest, score_test
from pymle.inference.hypotheses.wald_test import WaldTest, wald_test

__all__ = [
    "LikelihoodRatio",
    "LikelihoodRatios",
    "ScoreTest",
    "WaldTest",
    "compare_table",
    "lr_test",
    "score_test",
    "wald_test",
]
