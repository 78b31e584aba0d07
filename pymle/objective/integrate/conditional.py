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
    """

    def __init__(self, function: Any, marginal: Marginal) -> None:
        self._function, self._marginal = function, marginal

    def value(self, x: np.ndarray) -> np.ndarray:
        """Values (m,) at ``x`` (k,)."""
        return self._function.value(np.concatenate([x, self._marginal.mode(x)]))

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
        _, _, through, _ = self._parts(x)
        return self._marginal.conditional_variance(x, through)

    def _parts(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        u, moved = self._marginal.mode_and_jacobian(x)
        value, jacobian = self._function.value_and_jacobian(np.concatenate([x, u]))
        return value, jacobian[:, : len(x)], jacobian[:, len(x) :], moved
