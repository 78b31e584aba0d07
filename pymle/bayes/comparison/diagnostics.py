"""Effective sample sizes, R-hat and highest-density intervals, by whichever ArviZ is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

#: Beyond this rank-normalised split R-hat chains disagree (Vehtari et al. 2021, section 4).
RHAT = 1.01
#: Effective draws that each chain must contribute (400 for their four; the same section).
ESS_PER_CHAIN = 100


@dataclass(frozen=True)
class Convergence:
    """What chains say about themselves, one number for each scalar (m,).

    Attributes
    ----------
    ess_bulk, ess_tail : numpy.ndarray
        Effective sample sizes for the middle of the distribution and for its tails.
    rhat : numpy.ndarray
        Rank-normalised split R-hat, the larger of that and of the folded one.
    constant : numpy.ndarray of bool
        All draws are the same.
    needed : float
        Effective draws below which nothing is compared.
    """

    ess_bulk: np.ndarray
    ess_tail: np.ndarray
    rhat: np.ndarray
    constant: np.ndarray
    needed: float

    @property
    def converged(self) -> np.ndarray:
        """Where the draws can be taken for the posterior; constants are."""
        with np.errstate(invalid="ignore"):
            fine = (self.rhat <= RHAT) & (np.fmin(self.ess_bulk, self.ess_tail) >= self.needed)
        return fine | self.constant


def convergence(draws: np.ndarray) -> Convergence:
    """Judge chains.

    Parameters
    ----------
    draws : numpy.ndarray, shape (m, chains, draws)
        nan for scalars without draws.

    Returns
    -------
    Convergence

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), Rank-normalization, folding, and
    localization: an improved R-hat. doi:10.1214/20-BA1221
    """
    m = len(draws)
    out = np.full((3, m), np.nan)
    finite = np.all(np.isfinite(draws), axis=(1, 2))
    spread = np.ptp(draws.reshape(m, -1), axis=1)
    constant = finite & (spread <= 1e-14 * np.abs(draws).max(axis=(1, 2)))
    for i in np.flatnonzero(finite & ~constant):
        out[:, i] = _judged(draws[i])
    return Convergence(*out, constant=constant, needed=float(ESS_PER_CHAIN * draws.shape[1]))


def _judged(draws: np.ndarray) -> tuple[float, float, float]:
    """Bulk and tail effective sample size, and R-hat, of one scalar (chains, draws)."""
    if old_arviz():
        import arviz

        bulk, tail = arviz.ess(draws, method="bulk"), arviz.ess(draws, method="tail")
        rhat = arviz.rhat
    else:
        array_stats = arrays_of_arviz()
        bulk = array_stats.ess(draws, method="bulk")
        tail = array_stats.ess(draws, method="tail", prob=(0.05, 0.95))
        rhat = array_stats.rhat
    if len(draws) > 1:
        return float(bulk), float(tail), float(rhat(draws, method="rank"))
    # ArviZ has none for one chain, whose two halves are compared all the same.
    half = draws.shape[1] // 2
    halves = np.stack([draws[0, :half], draws[0, draws.shape[1] - half :]])
    folded = np.abs(halves - np.median(halves))
    both = [float(rhat(_normal_scores(each), method="identity")) for each in (halves, folded)]
    return float(bulk), float(tail), max(both)


def _normal_scores(draws: np.ndarray) -> np.ndarray:
    """Normal quantiles of the ranks among all draws (Vehtari et al. 2021, section 4.1)."""
    from scipy.stats import norm, rankdata

    ranks = rankdata(draws).reshape(draws.shape)
    return norm.ppf((ranks - 0.375) / (draws.size + 0.25))


def old_arviz() -> bool:
    """Whether ArviZ is of the generation before `arviz_stats`."""
    import arviz

    return arviz.__version__.startswith("0.")


def arrays_of_arviz() -> Any:
    """Functions of plain arrays of ArviZ 1, which declares no usable types for them."""
    from importlib import import_module

    return import_module("arviz_stats.base").array_stats


def highest_density(draws: np.ndarray, level: float) -> tuple[float, float]:
    """The shortest interval that holds a share of the draws.

    Parameters
    ----------
    draws : numpy.ndarray, shape (n,)
    level : float

    Returns
    -------
    lower, upper : float
    """
    if old_arviz():
        import arviz

        low, high = np.ravel(arviz.hdi(np.asarray(draws), hdi_prob=level))
        return float(low), float(high)
    low, high = np.ravel(arrays_of_arviz().hdi(np.asarray(draws), prob=level))
    return float(low), float(high)
