"""Tests of hypotheses and comparisons of fits."""

from pymle.inference.hypotheses.wald_test import WaldTest, wald_test

__all__ = ["WaldTest", "wald_test"]
