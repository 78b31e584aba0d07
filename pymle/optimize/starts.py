"""Candidate starting points, spread over several magnitudes around a centre."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

__all__ = ["dispersed", "spread_out"]

#: Multiples of `scale` on which candidates are spread, cycled through.
_MAGNITUDES = (1.0, 0.3, 3.0, 0.1, 10.0)


def dispersed(center: np.ndarray, scale: np.ndarray | float, n: int, seed: int = 0) -> np.ndarray:
    """Points around a centre: a Latin hypercube with heavy tails on several magnitudes.

    Parameters
    ----------
    center : array_like, shape (k,)
    scale : array_like, shape (k,) or float
        Typical distance per coordinate.
    n : int
        Number of points.
    seed : int

    Returns
    -------
    ndarray, shape (n, k)
        The centre is not among them.

    Notes
    -----
    Point i is ``center + scale * magnitude * normal / root(chi2/3)``: a multivariate t with three
    degrees of freedom whose magnitude cycles through 1, 0.3, 3, 0.1, 10. The normals are a Latin
    hypercube: each coordinate has one point in each of n equally likely strata [1]_.

    References
    ----------
    .. [1] McKay, Beckman and Conover (1979). doi:10.1080/00401706.1979.10489755
    """
    center = np.asarray(center, dtype=np.float64)
    k = center.size
    if n <= 0 or k == 0:
        return np.empty((max(n, 0), k))
    rng = np.random.default_rng(seed)
    strata = rng.permuted(np.tile(np.arange(n), (k, 1)), axis=1).T
    uniform = np.clip((strata + rng.random((n, k))) / n, 1e-10, 1.0 - 1e-10)
    # Not from scipy.special: its import is a noticeable part of a first fit.
    quantile = NormalDist().inv_cdf
    normal = np.array([quantile(u) for u in uniform.ravel()]).reshape(n, k)
    heavy = np.sqrt(rng.chisquare(3.0, size=n) / 3.0)
    magnitude = np.array([_MAGNITUDES[i % len(_MAGNITUDES)] for i in range(n)])
    return center + np.asarray(scale) * normal * (magnitude / heavy)[:, None]


def spread_out(draws: np.ndarray, real: np.ndarray, seed: int = 0) -> np.ndarray:
    """Widen draws from priors, which may be flat, far too narrow, or constant.

    Parameters
    ----------
    draws : array_like, shape (n, k)
    real : ndarray of bool, shape (k,)
        Coordinates that are natural values themselves; the others are logs or log-odds.
    seed : int

    Returns
    -------
    ndarray, shape (n, k)
        Constant columns (a flat prior cannot be drawn from) get values of both signs with sizes
        between 0.01 and 1000 (logs: up to 5), and a third of the rows is scaled up to a
        thousandfold: estimates may lie thousands of prior standard deviations away.
    """
    out = np.array(draws, dtype=np.float64)
    if out.size == 0:
        return out
    rng = np.random.default_rng(seed)
    with np.errstate(invalid="ignore"):
        constant = np.ptp(np.where(np.isfinite(out), out, 0.0), axis=0) == 0
    sizes = 10.0 ** rng.uniform(-2, 3, size=out.shape) * rng.choice([-1.0, 1.0], size=out.shape)
    sizes = np.where(real, sizes, rng.uniform(-5, 5, size=out.shape))
    out[1:, constant] = sizes[1:, constant]
    wide = np.arange(len(out)) % 3 == 2
    factor = 10.0 ** rng.uniform(0, 3, size=(int(wide.sum()), 1))
    out[wide] = np.where(real, out[wide] * factor, out[wide])
    return out
