"""Ratios of gamma functions and powers close to 1, for shapes of any size.

A log-density whose limit is another distribution (Student's t the normal, the negative binomial
the Poisson) is a difference of terms that grow with the shape. The functions here are those
differences with the growing part taken out, so that value and derivatives go to their limits.

Notes
-----
As in :mod:`pymle.model.graphs.special`, ``xp`` is an array namespace and ``sp`` holds its special
functions; every formula may be differentiated by JAX.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["log1p_minus", "ratio_functions", "stirling_error"]

Array = Any

# From here on Stirling's series has all digits with the terms that are kept.
_LARGE = 15.0


def log1p_minus(xp: ModuleType, u: Array) -> Array:
    """Return log(1 + u) - u, by its series where the two nearly cancel."""
    small = xp.abs(u) < 0.01
    v = xp.where(small, u, 0.0)
    series = 0.0 * v
    for n in range(9, 1, -1):
        series = series * v + (-1.0) ** (n + 1) / n
    far = xp.where(small, 1.0, u)
    return xp.where(small, series * v * v, xp.log1p(far) - far)


def stirling_error(x: Array) -> Array:
    """Return gammaln(x + 1) - (x + 1/2) log(x) + x - log(2 pi) / 2 for x >= 15."""
    r = (1.0 / x) ** 2
    tail = 1 / 1260 - r * (1 / 1680 - r * (1 / 1188 - r * 691 / 360360))
    return (1 / 12 - r * (1 / 360 - r * tail)) / x


def _stirling_error_d1(x: Array) -> Array:
    """Return the derivative of the Stirling error for x >= 15."""
    r = (1.0 / x) ** 2
    tail = 1 / 252 - r * (1 / 240 - r * (1 / 132 - r * 691 / 32760))
    return -(1 / 12 - r * (1 / 120 - r * tail)) * r


def _branches(xp: ModuleType, a: Array, b: Array) -> tuple[Array, tuple, tuple]:
    """Return where both arguments are large, safe arguments for there and for elsewhere."""
    a, b = xp.broadcast_arrays(xp.asarray(a, dtype=float), xp.asarray(b, dtype=float))
    large = (a >= _LARGE) & (a + b >= _LARGE) & (a < np.inf)
    far = xp.where(large, a, 2 * _LARGE), xp.where(large, b, 1.0)
    near = xp.where(large, 1.0, a), xp.where(large, 1.0, b)
    return large, far, near


def _gamma_gap(xp: ModuleType, sp: Any, a: Array, b: Array) -> Array:
    """Return gammaln(a + b) - gammaln(a) - b log(a): 0 in the limit of large a."""
    large, (p, q), (k, d) = _branches(xp, a, b)
    u = q / p
    far = (
        p * log1p_minus(xp, u) + (q - 0.5) * xp.log1p(u) + stirling_error(p + q) - stirling_error(p)
    )
    return xp.where(large, far, sp.gammaln(k + d) - sp.gammaln(k) - d * xp.log(k))


def _gamma_gap_da(xp: ModuleType, sp: Any, a: Array, b: Array) -> Array:
    """Return the derivative in a: digamma(a + b) - digamma(a) - b / a."""
    large, (p, q), (k, d) = _branches(xp, a, b)
    u = q / p
    far = (
        log1p_minus(xp, u)
        + 0.5 * (u / p) / (1.0 + u)
        + _stirling_error_d1(p + q)
        - _stirling_error_d1(p)
    )
    return xp.where(large, far, sp.digamma(k + d) - sp.digamma(k) - d / k)


def _gamma_gap_db(xp: ModuleType, sp: Any, a: Array, b: Array) -> Array:
    """Return the derivative in b: digamma(a + b) - log(a)."""
    large, (p, q), (k, d) = _branches(xp, a, b)
    u = q / p
    far = xp.log1p(u) - 0.5 / (p + q) + _stirling_error_d1(p + q)
    return xp.where(large, far, sp.digamma(k + d) - xp.log(k))


def _scaled_log1p(xp: ModuleType, n: Array, x: Array) -> Array:
    """Return n log(1 + x / n): x in the limit of large n."""
    u = x / n
    tiny = (xp.abs(u) < 1e-300) | (xp.abs(n) == np.inf)
    return xp.where(tiny, x, n * xp.log1p(xp.where(tiny, 0.0, u)))


def _log1p_gap(xp: ModuleType, u: Array) -> Array:
    """Return log(1 + u) - u / (1 + u): of the order of u**2 for small u."""
    small = xp.abs(u) < 0.1
    v = xp.where(small, u, 0.0)
    w = xp.where(small, 1.0, u)
    return xp.where(small, log1p_minus(xp, v) + v * v / (1.0 + v), xp.log1p(w) - w / (1.0 + w))


def ratio_functions(xp: ModuleType, sp: Any) -> dict[str, Callable]:
    """Bind the functions to one array namespace."""
    return {
        "gamma_gap": lambda a, b: _gamma_gap(xp, sp, a, b),
        "gamma_gap_da": lambda a, b: _gamma_gap_da(xp, sp, a, b),
        "gamma_gap_db": lambda a, b: _gamma_gap_db(xp, sp, a, b),
        "scaled_log1p": lambda n, x: _scaled_log1p(xp, n, x),
        "log1p_ratio": lambda n, x: xp.log1p(x / n),
        # Not as -x / (n (n + x)), whose denominator overflows.
        "log1p_ratio_dn": lambda n, x: -(x / n) / (n + x),
        "log1p_gap": lambda u: _log1p_gap(xp, u),
        "erfinv": lambda x: sp.erfinv(x),
        "erfcinv": lambda x: sp.erfcinv(x),
    }
