"""Heteroskedasticity- and autocorrelation-consistent covariance of a series' scores."""

from __future__ import annotations

import numpy as np
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

from pymle.errors import AnalysisError
from pymle.estimate import Estimate
from pymle.inference.covariance.information import whitened
from pymle.inference.covariance.scores import Scores
from pymle.inference.covariance.units import Units


def newey_west_lags(n: int) -> int:
    """The number of lags ``floor(4 (n / 100)**(2 / 9))``.

    Parameters
    ----------
    n : int
        Length of the series.

    Returns
    -------
    int

    References
    ----------
    Newey, W. K. and West, K. D. (1994), section 3, Review of Economic Studies 61, 631-653,
    doi:10.2307/2297912.
    """
    return int(np.floor(4.0 * (n / 100.0) ** (2.0 / 9.0)))


def autocorrelated(
    estimate: Estimate, scores: Scores, units: Units, lags: int | None
) -> tuple[np.ndarray, int, int]:
    """The middle of a HAC sandwich with Bartlett weights.

    Parameters
    ----------
    estimate : Estimate
    scores : Scores
    units : Units
        Rows in time order, as the model shows them. Entries with a second axis are summed
        within each time.
    lags : int or None
        Number of lags; None for `newey_west_lags`.

    Returns
    -------
    middle : numpy.ndarray, shape (r, r)
    lags : int
    n : int
        Length of the series.

    Raises
    ------
    AnalysisError
        Several observed variables that do not share their times, times out of order,
        frequency weights, or a number of lags out of range.
    """
    if scores.kind == "frequency":
        raise AnalysisError(
            'cov="HAC" needs a series in time order, in which a row with a frequency weight has '
            "no place. Write the rows out."
        )
    lengths = {part.shape[0] for part in scores.parts}
    if len(lengths) > 1:
        raise AnalysisError(
            'cov="HAC" needs one series, and the observed variables have different lengths: '
            f"{sorted(lengths)}. Give them a common time dim."
        )
    times = units.index.get_level_values(0)
    comparable = is_numeric_dtype(times.dtype) or is_datetime64_any_dtype(times.dtype)
    if comparable and not times.is_monotonic_increasing:
        raise AnalysisError(
            'cov="HAC" takes the rows in time order, and the coordinates '
            f"{list(times[:4])}... are not increasing. Sort the data."
        )
    series = sum(
        part.reshape(len(part), -1, part.shape[-1]).sum(axis=1) for part in scores.weighted
    )
    half = whitened(estimate, np.asarray(series))[0]
    n = len(half)
    lags = newey_west_lags(n) if lags is None else lags
    if isinstance(lags, bool) or int(lags) != lags or not 0 <= lags < n:
        raise AnalysisError.argument("lags", lags, f"a whole number from 0 to {n - 1}")
    middle = half.T @ half
    for lag in range(1, int(lags) + 1):
        product = half[lag:].T @ half[:-lag]
        middle += (1.0 - lag / (lags + 1.0)) * (product + product.T)
    return middle, int(lags), n
