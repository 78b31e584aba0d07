"""Derived quantities and tests."""

from __future__ import annotations

from pymle.fit.core import Core


class Hypotheses(Core):
    """Functions of the parameters and hypotheses about them."""
