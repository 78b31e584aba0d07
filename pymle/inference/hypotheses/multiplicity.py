"""Several p-values or limits at once: adjusted so that the statement about all of them holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pymle.errors import AnalysisError

#: Adjustments that give simultaneous limits as well as p-values.
FOR_LIMITS = ("bonferroni", "sidak", "single-step")
#: Adjustments of p-values, named as in statsmodels.
FOR_P = (*FOR_LIMITS, "holm", "holm-sidak", "simes-hochberg", "fdr_bh", "fdr_by")

#: Entries of a simulation, the least and most draws, and the most variables that take turns.
_ENTRIES, _FEWEST, _MOST, _TURNS = 2**22, 2**10, 2**16, 200


def check_adjust(adjust: str | None, known: tuple[str, ...]) -> None:
    """Refuse an adjustment that is not known here.

    Parameters
    ----------
    adjust : str or None
    known : tuple of str

    Raises
    ------
    AnalysisError
    """
    if adjust is None or adjust in known:
        return
    expected = f"None or one of {', '.join(known)}"
    if adjust in FOR_P:
        expected += (
            f" (`{adjust}` adjusts p-values step by step, and has no limits that go with it)"
        )
    raise AnalysisError.argument("adjust", adjust, expected)


def adjusted_p(
    p: np.ndarray,
    adjust: str | None,
    z: np.ndarray,
    correlation: np.ndarray,
    random_seed: int = 0,
) -> np.ndarray:
    """P-values adjusted for their number.

    Parameters
    ----------
    p : numpy.ndarray, shape (m,)
        NaN stays NaN and does not count.
    adjust : str or None
        One of `FOR_P`.
    z : numpy.ndarray, shape (m,)
        The normal statistics behind them.
    correlation : numpy.ndarray, shape (m, m)
        Of the statistics.
    random_seed : int

    Returns
    -------
    numpy.ndarray, shape (m,)

    Notes
    -----
    ``single-step`` is the probability that the largest of the correlated normal statistics
    exceeds the one seen (Hothorn, Bretz and Westfall 2008, doi:10.1002/bimj.200810425); the
    step-wise ones follow Holm (1979), Hochberg (1988, doi:10.1093/biomet/75.4.800), Benjamini
    and Hochberg (1995) and Benjamini and Yekutieli (2001, doi:10.1214/aos/1013699998).
    """
    out = np.full(len(p), np.nan)
    keep = np.isfinite(p)
    known = p[keep]
    m = len(known)
    if m == 0 or adjust is None:
        return p.copy()
    if adjust == "single-step":
        largest = LargestNormal(correlation[np.ix_(keep, keep)], random_seed)
        out[keep] = [largest.tail(abs(each)) for each in z[keep]]
        return out
    order = np.argsort(known, kind="stable")
    up, rank = known[order], np.arange(1, m + 1)
    left = m - rank + 1
    with np.errstate(divide="ignore"):
        if adjust == "bonferroni":
            found = m * up
        elif adjust == "sidak":
            found = -np.expm1(m * np.log1p(-up))
        elif adjust == "holm":
            found = np.maximum.accumulate(left * up)
        elif adjust == "holm-sidak":
            found = np.maximum.accumulate(-np.expm1(left * np.log1p(-up)))
        elif adjust == "simes-hochberg":
            found = np.minimum.accumulate((left * up)[::-1])[::-1]
        else:
            factor = float(np.sum(1.0 / rank)) if adjust == "fdr_by" else 1.0
            found = np.minimum.accumulate((factor * m / rank * up)[::-1])[::-1]
    back = np.empty(m)
    back[order] = np.minimum(found, 1.0)
    out[keep] = back
    return out


def critical_value(
    level: float, adjust: str | None, correlation: np.ndarray, random_seed: int = 0
) -> float:
    """How many standard errors limits extend to either side.

    Parameters
    ----------
    level : float
        Coverage of all limits together, in (0, 1); of each one without an adjustment.
    adjust : str or None
        One of `FOR_LIMITS`.
    correlation : numpy.ndarray, shape (m, m)
        Of the estimates.
    random_seed : int

    Returns
    -------
    float
    """
    from scipy.stats import norm

    m = max(len(correlation), 1)
    if adjust == "single-step":
        return LargestNormal(correlation, random_seed).quantile(level)
    miss = 1.0 - level
    if adjust == "bonferroni":
        miss /= m
    elif adjust == "sidak":
        miss = -np.expm1(np.log(level) / m)
    return float(norm.isf(0.5 * miss))


@dataclass(frozen=True)
class LargestNormal:
    """The largest size among correlated standard normal variables.

    Attributes
    ----------
    correlation : numpy.ndarray, shape (m, m)
        May be singular.
    random_seed : int

    Notes
    -----
    The probability that any of them exceeds t is the sum of the m single probabilities times
    the mean of one over the number that exceed t together, given that one of them, drawn at
    random, does (Naiman and Priebe 2001, doi:10.1198/10618600152628338). That mean lies between 1/m
    and 1 and is simulated, so that the relative error is small however small the probability.
    """

    correlation: np.ndarray
    random_seed: int = 0

    def tail(self, t: float) -> float:
        """Probability that the largest size exceeds ``t``."""
        from scipy.stats import norm

        m = len(self.correlation)
        each = 2.0 * norm.sf(t)
        if m == 1 or t == 0.0 or each == 0.0:
            return float(min(each, 1.0))
        base, uniform = self._draws
        high = norm.isf(uniform * norm.sf(t))
        shares = []
        for j in self._which:
            moved = base + (high - base[:, j])[:, None] * self.correlation[j]
            beyond = np.abs(moved) >= t * (1.0 - 1e-12)
            beyond[:, j] = True
            shares.append(np.mean(1.0 / np.sum(beyond, axis=1)))
        return float(min(max(m * each * float(np.mean(shares)), each), 1.0))

    def quantile(self, level: float) -> float:
        """The size that the largest does not exceed with probability ``level``."""
        from scipy.optimize import brentq
        from scipy.stats import norm

        m = len(self.correlation)
        low, high = norm.isf(0.5 * (1.0 - level)), norm.isf(0.5 * (1.0 - level) / m)
        if m == 1:
            return float(low)

        def excess(t: float) -> float:
            return np.log(self.tail(t)) - np.log1p(-level)

        if excess(low) <= 0.0:
            return float(low)
        if excess(high) >= 0.0:
            return float(high)
        return float(brentq(excess, low, high, xtol=1e-8))  # type: ignore[arg-type]

    @cached_property
    def _which(self) -> np.ndarray:
        """Variables that take their turn as the one that exceeds: all, or a random sample."""
        rng = np.random.default_rng(self.random_seed)
        return rng.permutation(len(self.correlation))[:_TURNS]

    @cached_property
    def _draws(self) -> tuple[np.ndarray, np.ndarray]:
        """Correlated normal draws (n, m), each with its mirror image, and uniform ones (n,)."""
        m = len(self.correlation)
        count = int(np.clip(_ENTRIES // (m * len(self._which)), _FEWEST, _MOST))
        rng = np.random.default_rng(self.random_seed)
        values, vectors = np.linalg.eigh(self.correlation)
        half = rng.standard_normal((count, m)) @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
        uniform = (np.arange(count) + rng.random(count)) / count
        uniform = rng.permutation(uniform)
        return np.concatenate([half, -half]), np.concatenate([uniform, 1.0 - uniform])
