"""Profiles, bootstrap and the limits that come of them."""

from __future__ import annotations

from pymle.fit.core import Core


class Intervals(Core):
    """Intervals of a fit beyond Wald limits."""
