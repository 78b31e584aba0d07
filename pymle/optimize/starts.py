"""Candidate starting points, spread over several magnitudes around a centre."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, qmc

__all__ = ["dispersed"]

#: Multiples of `scale` on which candidates are spread, cycled through.
_MAGNITUDES = (1.0, 0.3, 3.0, 0.1, 10.0)


def dispersed(center: np.ndarray, scale: np.ndarray | float, n: int, seed: int = 0) -> np.ndarray:
    """Points around a centre: scrambled Sobol points with heavy tails on several magnitudes.

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
    degrees of freedom whose magnitude cycles through 1, 0.3, 3, 0.1, 10. Beyond the 21201
    dimensions of the Sobol table, pseudo-random points are used.
    """
    center = np.asarray(center, dtype=np.float64)
    k = center.size
    if n <= 0 or k == 0:
        return np.empty((max(n, 0), k))
    rng = np.random.default_rng(seed)
    if k <= qmc.Sobol.MAXDIM:
        power = int(np.ceil(np.log2(max(n, 2))))
        uniform = qmc.Sobol(k, scramble=True, rng=rng).random_base2(power)[:n]
        uniform = np.clip(uniform, 1e-10, 1.0 - 1e-10)
        normal = norm.ppf(uniform)
    else:
        normal = rng.standard_normal((n, k))
    heavy = np.sqrt(rng.chisquare(3.0, size=n) / 3.0)
    magnitude = np.array([_MAGNITUDES[i % len(_MAGNITUDES)] for i in range(n)])
    return center + np.asarray(scale) * normal * (magnitude / heavy)[:, None]
