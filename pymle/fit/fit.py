"""The class Fit: all analyses in one place."""

from __future__ import annotations

from pymle.fit.checks import Checks
from pymle.fit.comparison import Comparison
from pymle.fit.constrained import Constrained
from pymle.fit.effects import Effects
from pymle.fit.existence import Existence
from pymle.fit.hypotheses import Hypotheses
from pymle.fit.integration import Integration
from pymle.fit.intervals import Intervals
from pymle.fit.posterior import Posterior
from pymle.fit.predictions import Predictions
from pymle.fit.storing import Storing
from pymle.fit.tables import Tables


class Fit(
    Intervals,
    Tables,
    Hypotheses,
    Predictions,
    Posterior,
    Comparison,
    Storing,
    Effects,
    Integration,
    Checks,
    Constrained,
    Existence,
):
    """A maximum-likelihood or MAP fit.

    Made by `find_MLE`, `find_MAP` and `Compiled.fit`; prints as a table with the verdict.
    Points, estimates and limits are on the natural scale, log-likelihoods carry all
    constants and are never negated.

    Parameters
    ----------
    fitted : Fitted
    """
