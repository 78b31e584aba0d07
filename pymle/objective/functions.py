"""Functions of the unconstrained point made from others: chosen rows, and a user's callable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pymle.objective.natural import extrapolated_differences

#: Steps per unit of `extrapolated_differences` at zero.
_UNITS = 1e3


class Rows:
    """Some entries of a vector-valued function.

    Parameters
    ----------
    function : ElementwiseMap or PointFunction
    rows : numpy.ndarray of int, shape (m,)
    """

    def __init__(self, function: Any, rows: np.ndarray) -> None:
        self._function, self._rows = function, rows

    def value(self, x: np.ndarray) -> np.ndarray:
        """Values (m,) at ``x`` (k,)."""
        return self._function.value(x)[self._rows]

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (m,) and derivatives (m, k) at ``x`` (k,)."""
        value, jacobian = self._function.value_and_jacobian(x)
        part = jacobian[self._rows]
        return value[self._rows], part if isinstance(part, np.ndarray) else part.toarray()

    def second(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Second derivatives (k, k) of the weighted sum of the values."""
        full = np.zeros(len(self._function.value(x)))
        np.add.at(full, self._rows, weights)
        return self._function.second(x, full)


class CallableFunction:
    """A user's function of the natural point, seen as one of the unconstrained vector.

    Where JAX can trace it, its derivatives are exact; otherwise they are extrapolated central
    differences.

    Parameters
    ----------
    function : callable
        Of a dict of natural-scale arrays by parameter name.
    to_point : callable
        From the natural vector to that dict.
    natural : ElementwiseMap or PointFunction
    x : numpy.ndarray, shape (k,)
        Where its shape is found out and JAX is tried.
    steps : numpy.ndarray, shape (k,), optional
        Steps of differences: a small share of each coordinate's standard error.

    Attributes
    ----------
    shape : tuple of int
    exact : bool
        Whether JAX differentiates it.
    """

    def __init__(
        self,
        function: Callable[[Mapping[str, Any]], Any],
        to_point: Callable[[Any], Mapping[str, Any]],
        natural: Any,
        x: np.ndarray,
        steps: np.ndarray | None = None,
    ) -> None:
        self._function, self._to_point, self._natural = function, to_point, natural
        self._steps = steps
        self.shape = np.shape(function(to_point(natural.value(x))))
        self._traced = self._trace(x)
        self.exact = self._traced is not None

    def value(self, x: np.ndarray) -> np.ndarray:
        """Values (m,) at ``x`` (k,)."""
        out = self._function(self._to_point(self._natural.value(x)))
        return np.ravel(np.asarray(out, dtype=np.float64))

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (m,) and derivatives (m, k) at ``x`` (k,)."""
        if self._traced is None:
            return self.value(x), self._differences(self.value, x)
        natural, inner = self._natural.value_and_jacobian(x)
        return self.value(x), np.asarray(self._traced[0](natural)) @ inner

    def second(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Second derivatives (k, k) of the weighted sum of the values."""
        if self._traced is None:
            # Differences of differences need wider steps.
            return self._differences(
                lambda z: weights @ self._differences(self.value, z, 10.0), x, 10.0
            )
        natural, inner = self._natural.value_and_jacobian(x)
        inner = inner if isinstance(inner, np.ndarray) else inner.toarray()
        first, second = (np.asarray(f(natural)) for f in self._traced)
        curved = np.einsum("i,ijk->jk", weights, second)
        return inner.T @ curved @ inner + self._natural.second(x, weights @ first)

    def _differences(
        self, function: Callable[[np.ndarray], np.ndarray], x: np.ndarray, widen: float = 1.0
    ) -> np.ndarray:
        x = np.asarray(x, dtype=np.float64)
        if self._steps is None:
            return extrapolated_differences(function, x)
        scale = _UNITS * widen * self._steps
        return extrapolated_differences(lambda u: function(x + scale * u), np.zeros(x.size)) / scale

    def _trace(self, x: np.ndarray) -> tuple[Any, Any] | None:
        import jax
        import jax.numpy as jnp

        natural, inner = self._natural.value_and_jacobian(x)

        def flat(vector: Any) -> Any:
            shapes = self._to_point(natural)
            point, at = {}, 0
            for name, value in shapes.items():
                point[name] = jnp.reshape(vector[at : at + value.size], value.shape)
                at += value.size
            return jnp.ravel(jnp.asarray(self._function(point), dtype=jnp.float64))

        first, second = jax.jacfwd(flat), jax.jacfwd(jax.jacfwd(flat))
        try:
            jacobian = np.asarray(first(natural))
        except Exception:  # noqa: BLE001 - it works on numbers, so what fails is the tracing
            return None
        # Code that leaves JAX (a table look-up by rounded values) may trace to a constant.
        differenced = self._differences(self.value, x)
        size = np.abs(differenced).max(initial=0.0)
        exact = jacobian @ inner
        if not np.allclose(exact, differenced, rtol=1e-5, atol=1e-7 * max(size, 1e-300)):
            return None
        return first, second
