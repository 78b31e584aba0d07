"""Ranges that expressions cannot leave: shares of positive terms, and outermost operations."""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.graph.basic import Constant, equal_computations

from pymle.model import walks


def range_of(variable: Any) -> tuple[float, float]:
    """Range that an expression cannot leave.

    Parameters
    ----------
    variable : Variable

    Returns
    -------
    low, high : float
        As `pymle.model.walks.range_of`; besides, ``(0, 1)`` for a share of squares and
        other terms that are nowhere negative (``tau**2 / (tau**2 + sigma**2)``).
    """
    low, high = walks.range_of(variable)
    if np.isinf(low) and np.isinf(high) and _is_share(_inside(variable)):
        return 0.0, 1.0
    return low, high


def _is_share(variable: Any) -> bool:
    """Whether a quotient has its numerator among the terms of its denominator, none negative."""
    if _operation(variable) != "TrueDiv":
        return False
    numerator, denominator = (_inside(v) for v in variable.owner.inputs)
    terms = _terms(denominator)
    found = any(equal_computations([t], [numerator]) for t in terms)
    return found and all(_nonnegative(t) for t in terms)


def _terms(variable: Any) -> list[Any]:
    if _operation(variable) != "Add":
        return [variable]
    return [t for v in variable.owner.inputs for t in _terms(_inside(v))]


def _nonnegative(variable: Any) -> bool:
    variable = _inside(variable)
    if isinstance(variable, Constant):
        return bool(np.all(np.asarray(variable.data) >= 0))
    name = _operation(variable)
    if name == "Sqr" or walks.range_of(variable)[0] >= 0.0:
        return True
    if name == "Pow":
        power = _inside(variable.owner.inputs[1])
        return isinstance(power, Constant) and bool(np.all(np.asarray(power.data) % 2 == 0))
    if name in {"Mul", "Add", "TrueDiv"}:
        return all(_nonnegative(v) for v in variable.owner.inputs)
    return False


def _operation(variable: Any) -> str:
    if variable.owner is None:
        return ""
    scalar = getattr(variable.owner.op, "scalar_op", None)
    return type(scalar if scalar is not None else variable.owner.op).__name__


def _inside(variable: Any) -> Any:
    """What a variable is a view or another name of."""
    while variable.owner is not None and walks.passes(variable.owner, variable.owner.inputs[0]):
        variable = variable.owner.inputs[0]
    return variable
