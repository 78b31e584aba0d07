"""An objective that counts what is asked of it, and one with coordinates held."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

__all__ = ["Counted", "Reduced"]


class Counted:
    """An objective that counts what is asked of it.

    Parameters
    ----------
    objective : Objective

    Attributes
    ----------
    counts : collections.Counter
        ``value_and_score``, ``hessian``, ``value``, ``hessian_product``.
    """

    def __init__(self, objective: Any) -> None:
        self._objective = objective
        self.size = objective.size
        self.has_score = objective.has_score
        self.has_hessian = objective.has_hessian
        self.counts: Counter[str] = Counter()

    @property
    def hessian_error(self) -> float:
        """Relative error of the Hessian beyond rounding."""
        return float(getattr(self._objective, "hessian_error", 0.0))

    def value(self, x: np.ndarray) -> float:
        """Log-likelihood."""
        self.counts["value"] += 1
        with np.errstate(all="ignore"):
            return float(self._objective.value(x))

    def value_and_score(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood and score; the value is nan where the score is not finite."""
        self.counts["value_and_score"] += 1
        with np.errstate(all="ignore"):
            value, score = self._objective.value_and_score(x)
        score = np.asarray(score, dtype=np.float64)
        return (float(value) if np.all(np.isfinite(score)) else float("nan")), score

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """Second derivatives."""
        self.counts["hessian"] += 1
        with np.errstate(all="ignore"):
            return np.asarray(self._objective.hessian(x), dtype=np.float64)

    def hessian_product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Second derivatives times a vector."""
        self.counts["hessian_product"] += 1
        return self._objective.hessian_product(x, v)

    def values(self, X: np.ndarray) -> np.ndarray:
        """Log-likelihoods at the rows of ``X``."""
        return np.array([self.value(x) for x in X])


class Reduced:
    """An objective of the coordinates that are not held.

    Parameters
    ----------
    objective : Counted
    x : numpy.ndarray, shape (k,)
        Carries the held values.
    free : numpy.ndarray of int
    """

    def __init__(self, objective: Counted, x: np.ndarray, free: np.ndarray) -> None:
        self._objective, self._x, self._free = objective, x, free
        self.size = len(free)
        self.has_score, self.has_hessian = objective.has_score, objective.has_hessian

    @property
    def hessian_error(self) -> float:
        """Relative error of the Hessian beyond rounding."""
        return self._objective.hessian_error

    def whole(self, x: np.ndarray) -> np.ndarray:
        """The full point (k,)."""
        full = self._x.copy()
        full[self._free] = x
        return full

    def value(self, x: np.ndarray) -> float:
        """Log-likelihood."""
        return self._objective.value(self.whole(x))

    def value_and_score(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood and its gradient."""
        value, score = self._objective.value_and_score(self.whole(x))
        return value, score[self._free]

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """Second derivatives."""
        return self._objective.hessian(self.whole(x))[np.ix_(self._free, self._free)]

    def hessian_product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Second derivatives times a vector."""
        wide = np.zeros(len(self._x))
        wide[self._free] = v
        return self._objective.hessian_product(self.whole(x), wide)[self._free]

    def values(self, X: np.ndarray) -> np.ndarray:
        """Log-likelihoods at the rows of ``X``."""
        return np.array([self.value(x) for x in X])
