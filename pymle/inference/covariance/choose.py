"""Which covariance: from what a user writes to a record."""

from __future__ import annotations

from typing import Any

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.covariance.records import Covariance

_KNOWN = '"observed"'


def estimate_covariance(
    fitted: Fitted, cov: str | None = None, *, clusters: Any = None
) -> Covariance:
    """A covariance of the estimates.

    Parameters
    ----------
    fitted : Fitted
    cov : str or Covariance, optional
        Which. A record that was made before is passed through.
    clusters : optional
        What groups the observations to independent units.

    Returns
    -------
    Covariance

    Raises
    ------
    AnalysisError
        An unknown name.
    """
    if isinstance(cov, Covariance):
        return cov
    if cov not in (None, "observed") or clusters is not None:
        raise AnalysisError.argument("cov", cov, _KNOWN)
    text = "observed information"
    if fitted.estimate.objective == "map":
        text = "posterior curvature"
    return Covariance(fitted.estimate, "observed", text)
