"""Predictions, simulated data, draws and effects."""

from __future__ import annotations

from pymle.fit.core import Core


class Predictions(Core):
    """What a fit says about data, seen and new."""
