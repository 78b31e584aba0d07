"""Functions of parameters and random effects, seen as functions of the parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pymle.objective.natural import extrapolated_differences

if TYPE_CHECKING:
    from pymle.objective.integrate.marginal import Marginal


class Leading:
    """A function of ``[x, u]`` that does not depend on ``u``.

    Parameters
    ----------
    function : PointFunction
    inner : int
        Length of ``u``.
    """

    def __init__(self, function: Any, inner: int) -> None:
        self._function, self._inner = function, inner

    def value(self, x: np.ndarray) -> np.ndarray:
        """Values (m,) at ``x`` (k,)."""
        return self._function.value(self._padded(x))

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (m,) and derivatives (m, k) at ``x`` (k,)."""
        value, jacobian = self._function.value_and_jacobian(self._padded(x))
        return value, jacobian[:, : len(x)]

    def values(self, points: np.ndarray) -> np.ndarray:
        """Values (n, m) at several points (n, k)."""
        return self._function.values(np.pad(points, ((0, 0), (0, self._inner))))

    def second(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Second derivatives (k, k) of the weighted sum of the values."""
        return self._function.second(self._padded(x), weights)[: len(x), : len(x)]

    def _padded(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([np.asarray(x, dtype=np.float64), np.zeros(self._inner)])


class AtModes:
    """A function of ``[x, u]`` with the random effects at their conditional modes.

    Parameters
    ----------
    function : PointFunction
    marginal : Marginal
    kept : numpy.ndarray of int, optional
        The function is one of ``[x, u[kept]]``; of all by default.
    """

    def __init__(self, function: Any, marginal: Marginal, kept: np.ndarray | None = None) -> None:
        self._function, self._marginal = function, marginal
        self._kept = np.arange(marginal.plan.laplace.inner) if kept is None else kept
        self._last: tuple[bytes, tuple[np.ndarray, ...]] | None = None

    def value(self, x: np.ndarray) -> np.ndarray:
        """Values (m,) at ``x`` (k,)."""
        return self._function.value(np.concatenate([x, self._marginal.mode(x)[self._kept]]))

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (m,) and total derivatives (m, k): the modes move with the parameters."""
        value, direct, through, moved = self._parts(x)
        return value, direct + through @ moved

    def second(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Second derivatives (k, k) of the weighted sum, differenced from the first."""
        found = extrapolated_differences(lambda z: weights @ self.value_and_jacobian(z)[1], x)
        return 0.5 * (found + found.T)

    def conditional_variance(self, x: np.ndarray) -> np.ndarray:
        """Variances (m,) that remain when the parameters are known."""
        return self._marginal.conditional_variance(x, self.through(x))

    def through(self, x: np.ndarray) -> np.ndarray:
        """Derivatives (m, d) with respect to all random effects, zero for those not kept."""
        _, _, through, _ = self._parts(x)
        whole = np.zeros((len(through), self._marginal.plan.laplace.inner))
        whole[:, self._kept] = through
        return whole

    def _parts(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        key = np.asarray(x, dtype=np.float64).tobytes()
        if self._last is None or self._last[0] != key:
            u, moved = self._marginal.mode_and_jacobian(x)
            u, moved = u[self._kept], moved[self._kept]
            value, jacobian = self._function.value_and_jacobian(np.concatenate([x, u]))
            self._last = key, (value, jacobian[:, : len(x)], jacobian[:, len(x) :], moved)
        return self._last[1]
