"""Linear combinations of a vector-valued function, and several functions as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Combinations:
    """Linear combinations ``matrix @ f(x) + offset`` of the values of a function.

    Parameters
    ----------
    function : object
        With ``value``, ``value_and_jacobian`` and ``second``.
    matrix : numpy.ndarray, shape (m, n)
    offset : numpy.ndarray, shape (m,)
    """

    def __init__(self, function: Any, matrix: np.ndarray, offset: np.ndarray) -> None:
        self._function, self._matrix, self._offset = function, matrix, offset
        self.size = len(offset)

    def value(self, x: np.ndarray) -> np.ndarray:
        """Values (m,) at ``x`` (k,)."""
        return self._matrix @ self._function.value(x) + self._offset

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (m,) and derivatives (m, k) at ``x`` (k,)."""
        value, jacobian = self._function.value_and_jacobian(x)
        return self._matrix @ value + self._offset, np.asarray(self._matrix @ jacobian)

    def second(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Second derivatives (k, k) of the weighted sum of the values."""
        return self._function.second(x, weights @ self._matrix)


class Stacked:
    """Several functions of one vector, one after the other, with a sign for each value.

    Parameters
    ----------
    functions : sequence of object
        Each with ``size`` values.
    sizes : sequence of int
    signs : numpy.ndarray, shape (m,)
        One or minus one.
    """

    def __init__(self, functions: Sequence[Any], sizes: Sequence[int], signs: np.ndarray) -> None:
        self._functions, self._signs = tuple(functions), signs
        self._ends = np.cumsum(sizes)[:-1] if len(sizes) else np.zeros(0, dtype=int)

    def value(self, x: np.ndarray) -> np.ndarray:
        """Values (m,) at ``x`` (k,)."""
        return self._signs * np.concatenate([each.value(x) for each in self._functions])

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (m,) and derivatives (m, k) at ``x`` (k,)."""
        pairs = [each.value_and_jacobian(x) for each in self._functions]
        value = np.concatenate([pair[0] for pair in pairs])
        jacobian = np.concatenate([pair[1] for pair in pairs])
        return self._signs * value, self._signs[:, None] * jacobian

    def second(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Second derivatives (k, k) of the weighted sum of the values."""
        parts = np.split(self._signs * weights, self._ends)
        out = np.zeros((len(x), len(x)))
        for function, part in zip(self._functions, parts, strict=True):
            if np.any(part):
                out += function.second(x, part)
        return out
