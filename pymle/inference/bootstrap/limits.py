"""Limits from replicates: percentile, basic, normal, studentised, BCa. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

METHODS = ("percentile", "basic", "normal", "studentized", "bca")

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Scale:
    """A scale on which limits are formed, increasing, with its inverse and its derivative."""

    name: str
    to: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


def scale_for(value: float, low: float, high: float, *, plain: bool) -> Scale:
    """The scale that a support suggests.

    Parameters
    ----------
    value : float
        The estimate.
    low, high : float
        Range that it cannot leave.
    plain : bool
        The natural scale, whatever the support.

    Returns
    -------
    Scale
        Identity without a bound, log of the distance to a single one, logit between two and
        Fisher's z for correlations: those of Wald limits.
    """
    below, above = np.isfinite(low), np.isfinite(high)
    if plain or not (below or above) or not low < value < high:
        return Scale("identity", _same, _same, np.ones_like)
    if below and above:
        width = high - low
        name = {(0.0, 1.0): "logit", (-1.0, 1.0): "fisher z"}.get((low, high), "logit")
        # Fisher's z is half the logit of the place in (-1, 1): the limits are the same.
        return Scale(
            name,
            lambda t: np.log(t - low) - np.log(high - t),
            lambda u: low + width / (1.0 + np.exp(-u)),
            lambda t: width / ((t - low) * (high - t)),
        )
    if below:
        return Scale(
            "log", lambda t: np.log(t - low), lambda u: low + np.exp(u), lambda t: 1.0 / (t - low)
        )
    return Scale(
        "log", lambda t: -np.log(high - t), lambda u: high - np.exp(-u), lambda t: 1.0 / (high - t)
    )


def _same(value: np.ndarray) -> np.ndarray:
    return value


def quantiles(sorted_values: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Quantiles of sorted replicates, interpolated on the scale of normal quantiles.

    Parameters
    ----------
    sorted_values : numpy.ndarray, shape (n,)
        May begin with minus infinity and end with infinity.
    probabilities : numpy.ndarray

    Returns
    -------
    numpy.ndarray
        Where a probability lies beyond the first or last replicate, that one.

    Notes
    -----
    Place ``(n + 1) p``; between two replicates as in R's ``boot`` [1]_. Next to an infinite
    replicate the infinite one counts unless the place is exactly at the finite one.

    References
    ----------
    .. [1] Davison and Hinkley (1997), Bootstrap Methods and Their Application, eq. (5.8).
       doi:10.1017/CBO9780511802843
    """
    n = len(sorted_values)
    out = np.empty(len(probabilities))
    for i, p in enumerate(probabilities):
        place = (n + 1) * p
        below = int(np.floor(place + 1e-9))
        if not np.isfinite(p):
            out[i] = np.nan
        elif below < 1 or below >= n:
            out[i] = sorted_values[0 if below < 1 else n - 1]
        elif abs(place - round(place)) < 1e-9:
            out[i] = sorted_values[round(place) - 1]
        else:
            a, b = sorted_values[below - 1], sorted_values[below]
            if not (np.isfinite(a) and np.isfinite(b)):
                out[i] = a if p < 0.5 else b
                continue
            left, right = (_NORMAL.inv_cdf((below + j) / (n + 1)) for j in (0, 1))
            out[i] = a + (_NORMAL.inv_cdf(p) - left) / (right - left) * (b - a)
    return out


def tails(level: float) -> np.ndarray:
    """The two tail probabilities of a level."""
    return np.array([0.5 * (1.0 - level), 0.5 * (1.0 + level)])


def at(probabilities: np.ndarray, replicates: np.ndarray) -> tuple[float, float]:
    """Quantiles of one entry's replicates, none of them nan: percentile and BCa limits."""
    low, high = quantiles(np.sort(replicates), probabilities)
    return float(low), float(high)


def basic(value: float, replicates: np.ndarray, level: float, scale: Scale) -> tuple[float, float]:
    """Basic limits: the replicates reflected about the estimate, on a scale."""
    with np.errstate(all="ignore"):
        centre = scale.to(np.array([value]))[0]
        ends = quantiles(np.sort(scale.to(replicates)), tails(level)[::-1])
        low, high = scale.back(2.0 * centre - ends)
    return float(low), float(high)


def normal(value: float, replicates: np.ndarray, level: float, scale: Scale) -> tuple[float, float]:
    """Normal limits with the bias and the standard deviation of the replicates, on a scale."""
    with np.errstate(all="ignore"):
        moved = scale.to(replicates)
        centre = scale.to(np.array([value]))[0]
        if not np.all(np.isfinite(moved)):
            return float("nan"), float("nan")
        z = _NORMAL.inv_cdf(tails(level)[1]) * moved.std(ddof=1)
        middle = 2.0 * centre - moved.mean()
        low, high = scale.back(np.array([middle - z, middle + z]))
    return float(low), float(high)


def studentized(
    value: float,
    se: float,
    replicates: np.ndarray,
    errors: np.ndarray,
    level: float,
    scale: Scale,
) -> tuple[float, float]:
    """Studentised limits: each replicate in units of its own standard error, on a scale.

    A replicate at an edge of its support or at infinity has no standard error: it counts as
    infinitely far on its side. Leaving it out would take the tails away.
    """
    with np.errstate(all="ignore"):
        centre = scale.to(np.array([value]))[0]
        away = scale.to(replicates) - centre
        t = away / (errors * np.abs(scale.slope(replicates)))
        t = np.sort(np.where(np.isfinite(t), t, np.copysign(np.inf, away)))
        if len(t) < 2 or not np.isfinite(se):
            return float("nan"), float("nan")
        own = se * abs(scale.slope(np.array([value]))[0])
        low, high = scale.back(centre - own * quantiles(t, tails(level)[::-1]))
    return float(low), float(high)


def beyond(probabilities: np.ndarray, n: int) -> bool:
    """Whether a probability lies before the first or after the last of n replicates."""
    place = (n + 1) * np.asarray(probabilities)
    return bool(np.any((place < 1.0 - 1e-9) | (place > n + 1e-9)))


def bca_tails(
    value: float, replicates: np.ndarray, acceleration: float, level: float
) -> np.ndarray:
    """Probabilities of the replicates that bias-corrected and accelerated limits ask for.

    Parameters
    ----------
    value : float
    replicates : numpy.ndarray, shape (n,)
    acceleration : float
    level : float

    Returns
    -------
    numpy.ndarray, shape (2,)
        nan where all replicates lie on one side of the estimate, or beyond the point where
        the transformation that they rest on turns back.

    References
    ----------
    .. [1] Efron (1987), Better bootstrap confidence intervals, section 3.
       doi:10.2307/2289144
    """
    # Ties (a discrete statistic) count half.
    tied = np.isclose(replicates, value, rtol=1e-12, atol=0.0)
    share = float(np.mean((replicates < value) & ~tied) + 0.5 * np.mean(tied))
    if not 0.0 < share < 1.0 or not np.isfinite(acceleration):
        return np.array([np.nan, np.nan])
    bias = _NORMAL.inv_cdf(share)
    adjusted = []
    for p in tails(level):
        z = bias + _NORMAL.inv_cdf(p)
        below = 1.0 - acceleration * z
        adjusted.append(_NORMAL.cdf(bias + z / below) if below > 0.0 else float("nan"))
    return np.array(adjusted)


def inside(ends: tuple[float, float], low: float, high: float) -> bool:
    """Whether limits stay within a range; nan ones do."""
    return not (ends[0] < low or ends[1] > high)


def skewness_acceleration(influence: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Acceleration (m,) from influence values (u, m): a sixth of their skewness.

    Parameters
    ----------
    influence : numpy.ndarray, shape (u, m)
        Changes of the estimate when a unit is added (minus those when it is left out).
    strata : numpy.ndarray of int, shape (u,)
        Values are centred within each.

    Returns
    -------
    numpy.ndarray, shape (m,)
        Zero for an entry that no unit moves.
    """
    centred = np.array(influence)
    for stratum in np.unique(strata):
        here = strata == stratum
        centred[here] -= centred[here].mean(axis=0)
    second = np.sum(centred**2, axis=0)
    third = np.sum(centred**3, axis=0)
    with np.errstate(all="ignore"):
        return np.where(second > 0, third / (6.0 * second**1.5), 0.0)
