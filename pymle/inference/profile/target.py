"""What a profile holds fixed: one or two functions of the parameters, each on a line of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.quantity import Quantity

__all__ = ["Component", "Scale", "Target", "component_of"]


@dataclass(frozen=True)
class Scale:
    """An increasing map of a natural value between bounds to the whole line.

    Profiles are followed on the line, where the signed root is nearer to straight: the logarithm
    of the distance to a single bound, the log-odds between two, the identity without any.

    Attributes
    ----------
    low, high : float
        Bounds, infinite where there is none.
    """

    low: float
    high: float

    @property
    def name(self) -> str:
        """``identity``, ``log`` or ``logit``."""
        below, above = np.isfinite(self.low), np.isfinite(self.high)
        return "logit" if below and above else "log" if below or above else "identity"

    @property
    def bent(self) -> bool:
        """Whether the line is not the natural axis itself."""
        return self.name != "identity"

    def edge(self, side: int) -> bool:
        """Whether the line's end on a side (-1, +1) is a finite natural value."""
        return bool(np.isfinite(self.low if side < 0 else self.high))

    def to_line(self, value: float) -> float:
        """Place on the line; infinite at a bound."""
        with np.errstate(divide="ignore"):
            if self.name == "identity":
                return float(value)
            below, above = np.log(value - self.low), np.log(self.high - value)
        if self.name == "logit":
            return float(below - above)
        return float(below) if np.isfinite(self.low) else float(-above)

    def from_line(self, line: Any) -> Any:
        """Natural values at places on the line."""
        line = np.asarray(line, dtype=np.float64)
        with np.errstate(over="ignore"):
            if self.name == "identity":
                return line[()]
            if self.name == "log":
                low = np.isfinite(self.low)
                out = self.low + np.exp(line) if low else self.high - np.exp(-line)
                return out[()]
            share = np.where(line < 0, np.exp(-np.logaddexp(0.0, -line)), 0.0)
            rest = np.exp(-np.logaddexp(0.0, line))
        width = self.high - self.low
        return np.where(line < 0, self.low + width * share, self.high - width * rest)[()]

    def slope(self, value: float) -> tuple[float, float]:
        """First and second derivative of `to_line` at a natural value."""
        if self.name == "identity":
            return 1.0, 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            # Infinite at a bound, which a value may reach in floating point.
            below = float(np.divide(1.0, value - self.low)) if np.isfinite(self.low) else 0.0
            above = float(np.divide(1.0, self.high - value)) if np.isfinite(self.high) else 0.0
            return below + above, float(np.subtract(above**2, below**2))


@dataclass(frozen=True)
class Component:
    """A scalar function of the unconstrained vector, on its line.

    Attributes
    ----------
    label : str
    scale : Scale
    place : int or None
        The coordinate that is the line itself, up to its sign; None for any other function.
    sign : float
        -1 where the coordinate falls as the natural value rises.
    function : object
        ``value_and_jacobian(x)`` and ``second(x, weights)`` of the natural values.
    entry : int
        Which of the function's values.
    """

    label: str
    scale: Scale
    place: int | None
    sign: float
    function: Any
    entry: int

    def natural(self, x: np.ndarray) -> float:
        """The natural value at an unconstrained point (k,)."""
        return float(self.function.value(x)[self.entry])

    def line(self, x: np.ndarray) -> float:
        """The place on the line at an unconstrained point (k,)."""
        if self.place is not None:
            return self.sign * float(x[self.place])
        return self.scale.to_line(self.natural(x))

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Place on the line, and its derivative (k,)."""
        if self.place is not None:
            gradient = np.zeros(len(x))
            gradient[self.place] = self.sign
            return self.line(x), gradient
        value, jacobian = self.function.value_and_jacobian(x)
        row = jacobian[[self.entry]]
        row = np.asarray(row if isinstance(row, np.ndarray) else row.toarray())[0]
        here = float(value[self.entry])
        with np.errstate(invalid="ignore"):  # an infinite slope of the line times none of the value
            return self.scale.to_line(here), self.scale.slope(here)[0] * row

    def second(self, x: np.ndarray) -> np.ndarray:
        """Second derivatives (k, k) of the place on the line."""
        if self.place is not None:
            return np.zeros((len(x), len(x)))
        value, jacobian = self.function.value_and_jacobian(x)
        weights = np.zeros(len(value))
        weights[self.entry] = 1.0
        first, second = self.scale.slope(float(value[self.entry]))
        row = np.asarray(jacobian[self.entry])
        return first * self.function.second(x, weights) + second * np.outer(row, row)


@dataclass(frozen=True)
class Target:
    """What is held: components, all of them coordinates or none of that taken into account.

    Attributes
    ----------
    components : tuple of Component
    """

    components: tuple[Component, ...]

    @property
    def size(self) -> int:
        """Number of components."""
        return len(self.components)

    @cached_property
    def places(self) -> np.ndarray | None:
        """The coordinates held, where every component is one."""
        places = [c.place for c in self.components]
        known = [p for p in places if p is not None]
        return np.array(known, dtype=int) if len(known) == len(places) else None

    @cached_property
    def signs(self) -> np.ndarray:
        """Signs of the coordinates."""
        return np.array([c.sign for c in self.components])

    def line(self, x: np.ndarray) -> np.ndarray:
        """Places on the lines, shape (m,)."""
        return np.array([c.line(x) for c in self.components])

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places (m,) and their derivatives (m, k)."""
        pairs = [c.value_and_gradient(x) for c in self.components]
        return np.array([p[0] for p in pairs]), np.stack([p[1] for p in pairs])

    def second(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Second derivatives (k, k) of the weighted sum of the places."""
        total = np.zeros((len(x), len(x)))
        for weight, component in zip(weights, self.components, strict=True):
            if component.place is None:
                total += weight * component.second(x)
        return total

    def put(self, x: np.ndarray, line: np.ndarray) -> np.ndarray:
        """A point with its held coordinates set (coordinates only)."""
        out = np.array(x, dtype=np.float64)
        if self.places is not None:
            out[self.places] = self.signs * line
        return out


def component_of(fitted: Fitted, quantity: Quantity, entry: int) -> Component:
    """One entry of a quantity as what a profile holds.

    Parameters
    ----------
    fitted : Fitted
    quantity : Quantity
    entry : int

    Returns
    -------
    Component
        A coordinate where the entry has one of its own.

    Raises
    ------
    AnalysisError
        The entry is fixed, or does not depend on the parameters.
    """
    label = quantity.labels[entry]
    low, high = float(quantity.low[entry]), float(quantity.high[entry])
    if quantity.rows is not None:
        row = int(quantity.rows[entry])
        if fitted.estimate.layout.fixed[row]:
            raise AnalysisError.fixed_target(label)
        place = _place(fitted, row)
        if place is not None:
            falls = np.isfinite(high) and not np.isfinite(low)
            sign = -1.0 if falls else 1.0
            return Component(label, Scale(low, high), place, sign, quantity.function, entry)
    value, jacobian = quantity.function.value_and_jacobian(fitted.estimate.x)
    here, row = float(value[entry]), np.asarray(jacobian[[entry]]).ravel()
    if not np.isfinite(here) or not np.all(np.isfinite(row)):
        raise AnalysisError.not_finite_target(label, here)
    if not np.any(row):
        raise AnalysisError.constant_target(label)
    scale = Scale(low, high)
    if not low < here < high:
        # On the edge of its range (or beyond, where the range is only a guess from an operation).
        scale = Scale(-np.inf, np.inf)
    return Component(label, scale, None, 1.0, quantity.function, entry)


def _place(fitted: Fitted, row: int) -> int | None:
    """The coordinate of a natural entry, if it is a closed form of that coordinate alone."""
    for block in fitted.estimate.layout.blocks:
        if block.natural.start <= row < block.natural.stop:
            if not fitted.problem.coordinates.has_closed_form(block):
                return None
            before = block.fixed[: row - block.natural.start]
            return block.free.start + int(np.count_nonzero(~before))
    return None
