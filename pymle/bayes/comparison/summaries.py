"""Numbers that describe draws, and those that set them beside an estimate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pymle.bayes.comparison.densities import density_of, modes_of, overlap_with_normal
from pymle.bayes.comparison.diagnostics import Convergence, highest_density

#: Shifts of the posterior mean below this (in standard errors) are not divided by.
SMALL_SHIFT = 0.1


def posterior_table(draws: np.ndarray, judged: Convergence, level: float) -> pd.DataFrame:
    """Summaries of the draws themselves.

    Parameters
    ----------
    draws : numpy.ndarray, shape (m, chains, draws)
        nan for scalars without draws.
    judged : Convergence
    level : float
        Probability of both intervals.

    Returns
    -------
    pandas.DataFrame
        ``mean``, ``median``, ``sd``, ``hdi_lower``, ``hdi_upper``, ``eti_lower``,
        ``eti_upper``, ``mcse`` (of the mean), ``ess_bulk``, ``ess_tail``, ``r_hat``,
        ``skewness``.
    """
    flat = draws.reshape(len(draws), -1)
    rest = 0.5 * (1.0 - level)
    centred = flat - flat.mean(axis=1, keepdims=True)
    sd = np.sqrt(np.sum(centred**2, axis=1) / max(flat.shape[1] - 1, 1))
    sd = np.where(judged.constant, 0.0, sd)
    with np.errstate(invalid="ignore", divide="ignore"):
        skewness = np.mean(centred**3, axis=1) / np.mean(centred**2, axis=1) ** 1.5
        mcse = sd / np.sqrt(judged.ess_bulk)
    known = np.isfinite(sd)
    hdi = np.full((len(flat), 2), np.nan)
    for i in np.flatnonzero(known):
        hdi[i] = (flat[i, 0],) * 2 if judged.constant[i] else highest_density(flat[i], level)
    quantiles = np.full((3, len(flat)), np.nan)
    if known.any():
        quantiles[:, known] = np.quantile(flat[known], [rest, 0.5, 1.0 - rest], axis=1)
    return pd.DataFrame(
        {
            "mean": flat.mean(axis=1),
            "median": quantiles[1],
            "sd": sd,
            "hdi_lower": hdi[:, 0],
            "hdi_upper": hdi[:, 1],
            "eti_lower": quantiles[0],
            "eti_upper": quantiles[2],
            "mcse": mcse,
            "ess_bulk": judged.ess_bulk,
            "ess_tail": judged.ess_tail,
            "r_hat": judged.rhat,
            "skewness": np.where(judged.constant, np.nan, skewness),
        }
    )


def contrast_table(
    point: pd.DataFrame, posterior: pd.DataFrame, draws: np.ndarray, low: np.ndarray,
    high: np.ndarray, usable: np.ndarray,
) -> pd.DataFrame:  # fmt: skip
    """Posterior against estimate, scalar by scalar.

    Parameters
    ----------
    point : pandas.DataFrame
        ``mle``, ``se``, ``lower``, ``upper``.
    posterior : pandas.DataFrame
        As `posterior_table` makes it.
    draws : numpy.ndarray, shape (m, chains, draws)
    low, high : numpy.ndarray, shape (m,)
        Bounds of the supports.
    usable : numpy.ndarray of bool, shape (m,)
        Scalars whose chains converged; the others are not compared.

    Returns
    -------
    pandas.DataFrame
        ``shift`` (posterior mean less estimate, in standard errors), ``sd_ratio`` (posterior
        sd over standard error), ``overlap``, ``below`` and ``above`` (posterior probability
        beyond the two Wald limits), ``modes``.
    """
    m = len(draws)
    mle, se = point["mle"].to_numpy(), point["se"].to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        positive = np.where(se > 0.0, se, np.nan)
        shift = (posterior["mean"].to_numpy() - mle) / positive
        ratio = posterior["sd"].to_numpy() / positive
    overlap, modes = np.full(m, np.nan), np.zeros(m, dtype=int)
    beyond = np.full((2, m), np.nan)
    for i in np.flatnonzero(np.all(np.isfinite(draws), axis=(1, 2))):
        flat = draws[i].ravel()
        modes[i] = modes_of(flat, low[i], high[i])
        if not usable[i]:
            continue
        overlap[i] = overlap_with_normal(density_of(flat, low[i], high[i]), mle[i], se[i])
        limits = point["lower"].iloc[i], point["upper"].iloc[i]
        if np.all(np.isfinite(limits)) and se[i] > 0.0:
            beyond[:, i] = np.mean(flat < limits[0]), np.mean(flat > limits[1])
    return pd.DataFrame(
        {
            "shift": np.where(usable, shift, np.nan),
            "sd_ratio": np.where(usable, ratio, np.nan),
            "overlap": overlap,
            "below": beyond[0],
            "above": beyond[1],
            "modes": modes,
        }
    )
