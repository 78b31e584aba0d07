"""Ranges that expressions cannot leave: below zero, above one."""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.graph.basic import Constant, equal_computations

from pymle.model import walks
from pymle.model.graphs.correlations import is_correlation, is_gram
from pymle.model.operations import CONTRACTING, SETTING, VIEWS, op_name
from pymle.model.supports import bounds_of, support_of

_UNKNOWN = (-np.inf, np.inf)
_POSITIVE, _UNIT, _CORRELATION = (0.0, np.inf), (0.0, 1.0), (-1.0, 1.0)
#: Ranges of the values of single operations.
_RANGES = {
    "Exp": (0.0, np.inf),
    "Sqrt": (0.0, np.inf),
    "Sqr": (0.0, np.inf),
    "Softplus": (0.0, np.inf),
    "Abs": (0.0, np.inf),
    "Sigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Erf": (-1.0, 1.0),
    "Tanh": (-1.0, 1.0),
}
_HANDING_ON = VIEWS | {"Cast", "Identity"}
_REDUCING = {"Sum", "Prod", "Max", "Min", "Mean", "CumOp"}
#: Operations inside one another that are looked through.
_DEEPEST = 30


def range_of(variable: Any, model: Any = None) -> tuple[float, float]:
    """Range that an expression cannot leave.

    Parameters
    ----------
    variable : Variable
    model : pymc.Model, optional
        Tells the supports of its free variables.

    Returns
    -------
    low, high : float
        ``(0, inf)`` for what is made of terms that are nowhere negative by sums, products,
        quotients, powers and roots (``1 / sqrt(tau)``), ``(0, 1)`` for logistic functions,
        products of probabilities and shares of such terms (``tau**2 / (tau**2 + sigma**2)``),
        ``(-1, 1)`` for ``tanh`` and the entries of correlation matrices; infinite where nothing
        is known.
    """
    return _range(variable, model, _DEEPEST)


def _range(variable: Any, model: Any, left: int) -> tuple[float, float]:
    if isinstance(variable, Constant):
        return _of_constant(variable)
    if variable.owner is None or not left:
        return _UNKNOWN
    if model is not None and variable in model.free_RVs:
        return _of_support(variable, model)
    name = _operation(variable)
    inputs = variable.owner.inputs

    def inside(i: int) -> tuple[float, float]:
        return _range(inputs[i], model, left - 1)

    def every(places: range) -> list[tuple[float, float]]:
        return [inside(i) for i in places]

    if name in _RANGES:
        return _RANGES[name]
    if name in _HANDING_ON:
        return inside(0)
    if name == "Join" or name == "Switch":
        return _hull(every(range(1, len(inputs))))
    if name in SETTING:
        parts = every(range(2))
        return _hull(parts) if variable.owner.op.set_instead_of_inc else _sum(parts)
    if name in {"Mul", "TrueDiv"} and is_correlation(variable):
        return _CORRELATION
    if is_gram(variable) and inside(0) == _CORRELATION:  # rows of norm one
        return _CORRELATION
    if name == "TrueDiv" and _is_share(*inputs, model, left - 1):
        return _UNIT
    if name == "Mul":
        return _hull(every(range(len(inputs))))
    if name in {"Add", *CONTRACTING}:
        return _sum(every(range(len(inputs))))
    if name in {"TrueDiv", "Reciprocal"}:
        return _POSITIVE if _nonnegative(every(range(len(inputs)))) else _UNKNOWN
    if name == "Pow":
        return _power(inside(0), inputs[1], model, left - 1)
    if name == "Sub" and inside(0) == (1.0, 1.0) and _unit([inside(1)]):
        return _UNIT
    if name in _REDUCING:
        return _POSITIVE if _nonnegative([inside(0)]) else _UNKNOWN
    return _UNKNOWN


def _of_constant(variable: Any) -> tuple[float, float]:
    data = np.asarray(variable.data)
    if data.dtype.kind not in "fiub" or not data.size:
        return _UNKNOWN
    return float(np.min(data)), float(np.max(data))


def _of_support(rv: Any, model: Any) -> tuple[float, float]:
    support = support_of(model, rv)
    if support.kind == "simplex":
        return _UNIT
    if support.kind == "correlation":
        return _CORRELATION
    if not support.elementwise:
        return _UNKNOWN
    low, high = (walks.given_value(b) if hasattr(b, "owner") else b for b in bounds_of(support, rv))
    return (
        -np.inf if low is None else float(np.min(low)),
        np.inf if high is None else float(np.max(high)),
    )


def _hull(parts: list[tuple[float, float]]) -> tuple[float, float]:
    if _unit(parts):
        return _UNIT
    return _POSITIVE if _nonnegative(parts) else _UNKNOWN


def _sum(parts: list[tuple[float, float]]) -> tuple[float, float]:
    return _POSITIVE if _nonnegative(parts) else _UNKNOWN


def _power(base: tuple[float, float], exponent: Any, model: Any, left: int) -> tuple[float, float]:
    if _nonnegative([base]):
        shrinks = _unit([base]) and _nonnegative([_range(exponent, model, left)])
        return _UNIT if shrinks else _POSITIVE
    while exponent.owner is not None and _operation(exponent) in _HANDING_ON:
        exponent = exponent.owner.inputs[0]
    even = isinstance(exponent, Constant) and np.all(np.asarray(exponent.data) % 2 == 0)
    return _POSITIVE if even else _UNKNOWN


def _nonnegative(parts: list[tuple[float, float]]) -> bool:
    return all(low >= 0.0 for low, _ in parts)


def _unit(parts: list[tuple[float, float]]) -> bool:
    return all(low >= 0.0 and high <= 1.0 for low, high in parts)


def _is_share(numerator: Any, denominator: Any, model: Any, left: int) -> bool:
    """Whether a quotient has its numerator among the terms of its denominator, none negative."""
    numerator, terms = _inside(numerator), _terms(_inside(denominator))
    found = any(equal_computations([t], [numerator]) for t in terms)
    return found and all(_range(t, model, left)[0] >= 0.0 for t in terms)


def _terms(variable: Any) -> list[Any]:
    if variable.owner is None or _operation(variable) != "Add":
        return [variable]
    return [t for v in variable.owner.inputs for t in _terms(_inside(v))]


def _operation(variable: Any) -> str:
    scalar = getattr(variable.owner.op, "scalar_op", None)
    return type(scalar).__name__ if scalar is not None else op_name(variable.owner)


def _inside(variable: Any) -> Any:
    """What a variable is a view or another name of."""
    while variable.owner is not None and _operation(variable) in _HANDING_ON:
        variable = variable.owner.inputs[0]
    return variable
