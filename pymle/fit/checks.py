"""Residuals and influence."""

from __future__ import annotations

from pymle.fit.core import Core


class Checks(Core):
    """How well a fit describes its data."""
