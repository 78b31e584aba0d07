"""What is known when a program is planned: indices, masks and constant matrices.

Values are computed only where something asks for them, and mostly by NumPy: JAX would compile a
small program for each operation and shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pymle.objective.sparse.places import MOVING, routes

__all__ = ["Known"]


class Known:
    """A value that depends on neither the coordinates nor traced numbers.

    Parameters
    ----------
    sources : frozenset of int
        The arguments that it is computed from.
    used : set of int
        Receives the sources when the value is asked for.
    structural : bool
        Zeros are there to stay, so that what they multiply may be left out. Otherwise the
        value serves as an index only.
    value : array, optional
    compute : callable, optional
        Gives the value where it is not there yet.
    """

    __slots__ = ("_compute", "_used", "_value", "sources", "structural")

    def __init__(
        self,
        sources: frozenset[int],
        used: set[int],
        *,
        structural: bool,
        value: Any = None,
        compute: Callable[[], np.ndarray] | None = None,
    ) -> None:
        self.sources = sources
        self.structural = structural
        self._used = used
        self._value = None if value is None else np.asarray(value)
        self._compute = compute

    @property
    def value(self) -> np.ndarray:
        """The array."""
        self._used |= self.sources
        if self._value is None:
            assert self._compute is not None
            self._value = np.asarray(self._compute())
            self._compute = None
        return self._value

    @staticmethod
    def of(
        equation: Any, inputs: Sequence[Known], used: set[int], bind: Callable[..., Any]
    ) -> list[Known]:
        """The outputs of an operation on known values.

        Parameters
        ----------
        equation : JaxprEqn
        inputs : sequence of Known
        used : set of int
        bind : callable
            Carries the operation out in JAX.
        """
        sources = frozenset().union(*(v.sources for v in inputs))
        # Logarithms and the like have no zeros worth knowing, and cost time.
        structural = _plain(equation) and all(v.structural for v in inputs)
        avals = [v.aval for v in equation.outvars]

        def whole() -> list[np.ndarray]:
            import jax

            arrays = [v.value for v in inputs]
            found = _by_numpy(equation, arrays)
            if found is None:
                with jax.ensure_compile_time_eval():
                    found = bind(*arrays)
            return [
                np.asarray(a, dtype=aval.dtype).reshape(aval.shape)
                for a, aval in zip(found, avals, strict=True)
            ]

        shared: list[list[np.ndarray]] = []

        def part(i: int) -> np.ndarray:
            if not shared:
                shared.append(whole())
            return shared[0][i]

        return [
            Known(sources, used, structural=structural, compute=partial(part, i))
            for i in range(len(avals))
        ]


def _plain(equation: Any) -> bool:
    """Whether NumPy finds the value."""
    name = equation.primitive.name
    return name in _FUNCTIONS or name in _OTHERS or (name in MOVING and name not in _BY_JAX)


def _by_numpy(equation: Any, arrays: list[np.ndarray]) -> list[np.ndarray] | None:
    name, params = equation.primitive.name, equation.params
    if name in _FUNCTIONS:
        return [_FUNCTIONS[name](*arrays)]
    if name == "convert_element_type":
        return [arrays[0].astype(params["new_dtype"])]
    if name == "iota":
        lengths = [1] * len(params["shape"])
        lengths[params["dimension"]] = -1
        line = np.arange(params["shape"][params["dimension"]]).reshape(lengths)
        return [np.broadcast_to(line, params["shape"])]
    if name == "select_n" and len(arrays) == 3:
        return [np.where(arrays[0], arrays[2], arrays[1])]
    if name in _REDUCTIONS and arrays[0].size:
        return [_REDUCTIONS[name](arrays[0], axis=tuple(params["axes"]))]
    if name not in MOVING or name in _BY_JAX:
        return None
    found = routes(equation, [a.shape for a in arrays], lambda i: arrays[i])
    return None if found is None else _moved(equation, arrays, found)


def _moved(equation: Any, arrays: list[np.ndarray], found: list) -> list[np.ndarray] | None:
    out = []
    for variable, paths in zip(equation.outvars, found, strict=True):
        flat = np.zeros(int(np.prod(variable.aval.shape)), variable.aval.dtype)
        for route in paths:
            values = arrays[route.operand].reshape(-1)
            if route.target is not None:
                flat[route.target] = values
            elif len(paths) == 1 and route.source.min(initial=0) < 0:
                return None
            else:
                there = route.source >= 0
                flat[there] = values[route.source[there]]
        out.append(flat)
    return out


_BY_JAX = frozenset({"scatter-add", "scatter_add", "scatter", "reduce_sum"})
_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "reduce_max": np.max,
    "reduce_min": np.min,
    "reduce_and": np.all,
    "reduce_or": np.any,
}
_OTHERS = frozenset({"convert_element_type", "iota", "select_n", *_REDUCTIONS})
_FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "neg": np.negative,
    "max": np.maximum,
    "min": np.minimum,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "abs": np.abs,
    "sign": np.sign,
    "square": np.square,
    "clamp": lambda low, x, high: np.clip(x, low, high),
    "copy": np.asarray,
    "copy_p": np.asarray,
    "stop_gradient": np.asarray,
}
