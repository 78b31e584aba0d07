"""Vector-valued functions of the unconstrained point, with their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

#: Coordinates beyond which a diagonal derivative is kept sparse.
_SPARSE = 3000


class ElementwiseMap:
    """Natural values where every entry has its own coordinate and constant bounds.

    Closed forms of the identity, the exponential and the logistic map: most models need no
    program for them.

    Parameters
    ----------
    held : numpy.ndarray, shape (m,)
        Natural vector that carries the values of fixed entries.
    free : numpy.ndarray of bool, shape (m,)
        Which entries have a coordinate.
    lower, upper : numpy.ndarray, shape (m,)
        Bounds; infinite where there is none.
    """

    def __init__(
        self, held: np.ndarray, free: np.ndarray, lower: np.ndarray, upper: np.ndarray
    ) -> None:
        self._held, self._free = held, free
        self._low, self._high = lower[free], upper[free]

    def value(self, x: np.ndarray) -> np.ndarray:
        """Values (m,) at ``x`` (k,)."""
        return self._fill(self._parts(x)[0])

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """Values (m,) and derivatives (m, k) at ``x`` (k,); sparse for thousands of them."""
        value, first, _ = self._parts(x)
        places = np.flatnonzero(self._free), np.arange(len(x))
        shape = (len(self._held), len(x))
        if len(x) > _SPARSE:
            from scipy.sparse import csr_array

            return self._fill(value), csr_array((first, places), shape=shape)
        jacobian = np.zeros(shape)
        jacobian[places] = first
        return self._fill(value), jacobian

    def values(self, points: np.ndarray) -> np.ndarray:
        """Values (n, m) at several points (n, k)."""
        return np.array([self.value(x) for x in points])

    def second(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Second derivatives (k, k) of the weighted sum of the values."""
        return np.diag(weights[self._free] * self._parts(x)[2])

    def _fill(self, value: np.ndarray) -> np.ndarray:
        out = np.array(self._held, dtype=np.float64)
        out[self._free] = value
        return out

    def _parts(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x = np.asarray(x, dtype=np.float64)
        below, above = np.isfinite(self._low), np.isfinite(self._high)
        value, first, second = x.copy(), np.ones_like(x), np.zeros_like(x)
        with np.errstate(over="ignore"):
            exponential = np.exp(x)
        for side, sign, bound in (
            (below & ~above, 1.0, self._low),
            (above & ~below, -1.0, self._high),
        ):
            value[side] = bound[side] + sign * exponential[side]
            first[side] = second[side] = sign * exponential[side]
        both = below & above
        if both.any():
            share, rest = _logistic(x[both]), _logistic(-x[both])
            width = self._high[both] - self._low[both]
            value[both] = share * self._high[both] + rest * self._low[both]
            first[both] = width * share * rest
            second[both] = width * share * rest * (rest - share)
        return value, first, second


def _logistic(x: np.ndarray) -> np.ndarray:
    # Not from scipy.special: its import is a noticeable part of a first fit.
    small = np.exp(-np.abs(x))
    return np.where(x >= 0.0, 1.0, small) / (1.0 + small)


class PointFunction:
    """A function of the unconstrained vector (natural values, Deterministics), flat.

    Parameters
    ----------
    call : callable
        ``(x, held, weights, data) -> tuple of arrays`` as lowered; the outputs are
        flattened one after the other.
    held : numpy.ndarray
    data : sequence of arrays
    route : {"jax", "pytensor"}
    programs : dict
        Compiled programs, shared between objects over one lowered function.
    """

    def __init__(
        self,
        call: Callable[..., tuple],
        *,
        held: np.ndarray,
        data: Sequence[Any],
        route: str,
        programs: dict[str, Any],
    ) -> None:
        self._call = call
        self._arguments = (np.asarray(held), (), tuple(data))
        self._route = route
        self._programs = programs

    def value(self, x: np.ndarray) -> np.ndarray:
        """Values (m,) at ``x`` (k,)."""
        if self._route != "jax":
            return _flat(self._call(np.asarray(x), *self._arguments))
        return self.value_and_jacobian(x)[0]

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (m,) and derivatives (m, k) at ``x`` (k,).

        On the interpreted route the derivatives are extrapolated central differences.
        """
        x = np.asarray(x, dtype=np.float64)
        if self._route != "jax":
            return self.value(x), extrapolated_differences(self.value, x)
        value, jacobian = self._program("pair", lambda: self._pair)(x, *self._arguments)
        return np.asarray(value), np.asarray(jacobian)

    def values(self, points: np.ndarray) -> np.ndarray:
        """Values (n, m) at several points (n, k), without derivatives."""
        points = np.asarray(points, dtype=np.float64)
        if self._route != "jax":
            return np.array([self.value(x) for x in points])
        return np.asarray(self._program("many", lambda: self._many)(points, *self._arguments))

    def shapes(self, x: np.ndarray) -> list[tuple[int, ...]]:
        """Shapes of the outputs at ``x`` (k,), before they are flattened."""
        x = np.asarray(x, dtype=np.float64)
        if self._route != "jax":
            return [np.shape(output) for output in self._call(x, *self._arguments)]
        import jax

        return [tuple(output.shape) for output in jax.eval_shape(self._call, x, *self._arguments)]

    def second(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Second derivatives (k, k) of the weighted sum of the values."""
        x = np.asarray(x, dtype=np.float64)
        if self._route != "jax":
            return extrapolated_differences(
                lambda z: weights @ extrapolated_differences(self.value, z), x
            )
        return np.asarray(
            self._program("second", lambda: self._second)(x, weights, *self._arguments)
        )

    def _program(self, name: str, build: Callable[[], Any]) -> Any:
        if name not in self._programs:
            self._programs[name] = build()
        return self._programs[name]

    def _outputs(self, x: Any, held: Any, weights: Any, data: Any) -> Any:
        import jax.numpy as jnp

        outputs = self._call(x, held, weights, data)
        return jnp.concatenate([jnp.ravel(jnp.asarray(o, dtype=jnp.float64)) for o in outputs])

    @cached_property
    def _pair(self) -> Any:
        import jax

        def pair(x: Any, held: Any, weights: Any, data: Any) -> Any:
            def both(z: Any) -> Any:
                value = self._outputs(z, held, weights, data)
                return value, value

            jacobian, value = jax.jacfwd(both, has_aux=True)(x)
            return value, jacobian

        return jax.jit(pair)

    @cached_property
    def _many(self) -> Any:
        import jax

        def many(points: Any, held: Any, weights: Any, data: Any) -> Any:
            # One after the other: side by side, thousands of points of many rows need gigabytes.
            return jax.lax.map(lambda x: self._outputs(x, held, weights, data), points)

        return jax.jit(many)

    @cached_property
    def _second(self) -> Any:
        import jax

        def second(x: Any, w: Any, held: Any, weights: Any, data: Any) -> Any:
            return jax.hessian(lambda z: w @ self._outputs(z, held, weights, data))(x)

        return jax.jit(second)


def _flat(outputs: Sequence[Any]) -> np.ndarray:
    return np.concatenate([np.ravel(np.asarray(o, dtype=np.float64)) for o in outputs])


def extrapolated_differences(
    function: Callable[[np.ndarray], np.ndarray], x: np.ndarray
) -> np.ndarray:
    """Central differences with one extrapolation (error of order h^4)."""
    columns = []
    for i in range(x.size):
        step = 1e-3 * max(abs(x[i]), 1.0)
        unit = np.zeros(x.size)
        unit[i] = 1.0
        coarse = (function(x + step * unit) - function(x - step * unit)) / (2 * step)
        half = 0.5 * step
        fine = (function(x + half * unit) - function(x - half * unit)) / (2 * half)
        columns.append((4 * fine - coarse) / 3)
    return np.stack(columns, axis=-1)
