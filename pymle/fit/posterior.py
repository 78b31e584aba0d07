"""The posterior beside the estimate."""

from __future__ import annotations

from pymle.fit.core import Core


class Posterior(Core):
    """The same model read as Bayes does."""
