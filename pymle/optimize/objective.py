"""What the optimiser asks of a log-likelihood: a few functions of one vector."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

__all__ = ["Objective"]


@runtime_checkable
class Objective(Protocol):
    """A log-likelihood (never negated) of a 1-D float64 vector on the unconstrained scale.

    Attributes
    ----------
    size : int
        Number of coordinates, k.
    has_score : bool
        False for a black box that can only be evaluated; then only `value` is called.
    has_hessian : bool
        True if `hessian` is exact, or a differenced one that can be trusted.
    hessian_error : float, optional
        Relative error of `hessian` (on the scale on which its diagonal is one). Read if it is
        there; absent or zero means: exact up to rounding. Eigenvalues below it count as zero.

    Notes
    -----
    Outside the support `value` may return ``-inf`` or ``nan``. Where a score exists the optimiser
    calls `value_and_score` only, so that just one function needs compiling. `hessian_product` may
    raise `NotImplementedError` (or be absent); products are then differenced from the score.
    """

    size: int
    has_score: bool
    has_hessian: bool

    def value(self, x: np.ndarray) -> float:
        """Log-likelihood at `x`, shape (k,)."""
        ...

    def value_and_score(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood and its gradient, shape (k,)."""
        ...

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """Second derivatives of the log-likelihood, shape (k, k)."""
        ...

    def hessian_product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Product of the second derivatives at `x` with `v`, shape (k,)."""
        ...

    def values(self, X: np.ndarray) -> np.ndarray:
        """Log-likelihoods at the rows of `X`, shape (n, k) -> (n,)."""
        ...
