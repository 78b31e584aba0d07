"""Expressions that are linear in the parameters, read as their coefficients."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

from pymle.model.layout import Layout
from pymle.model.text.expressions import parsed

_LINEAR = {"sum": np.sum, "mean": np.mean}
#: Functions of numbers alone; of parameters they are not linear.
_OF_NUMBERS = {
    name: getattr(np, name)
    for name in ("abs", "exp", "expm1", "log", "log10", "log1p", "log2", "sqrt", "square")
}
_CONSTANTS = {"pi": np.pi, "inf": np.inf}


class _NotLinearError(Exception):
    pass


def affine(
    text: str,
    layout: Layout,
    variables: Any,
    labels: Callable[[str], tuple[str, ...]],
) -> tuple[np.ndarray, np.ndarray] | None:
    """Coefficients of an expression that is linear in the natural values.

    Parameters
    ----------
    text : str
    layout : Layout
    variables : collection of str
        All names that an expression may hold.
    labels : callable
        Labels of a variable's entries in C order, given its name.

    Returns
    -------
    (matrix, offset) or None
        Shapes ``(*s, m)`` and ``s`` for an expression of shape s and m natural values; None
        where it is not linear in the parameters, as far as can be read.

    Raises
    ------
    AnalysisError
        Unknown names or labels, or no valid expression.
    """
    tree, places = parsed(text, variables, labels)
    known = {block.name for block in layout.blocks}
    if any(name not in known for name, _ in places.values()):
        return None
    size = layout.natural_size
    bound = {}
    for placeholder, (name, position) in places.items():
        block = layout.block(name)
        rows = np.arange(block.natural.start, block.natural.stop)
        unit = np.zeros((len(rows), size + 1))
        unit[np.arange(len(rows)), rows] = 1.0
        bound[placeholder] = (
            unit.reshape(*block.shape, size + 1) if position is None else unit[position]
        )
    try:
        found = _value(tree, bound, size)
    except (_NotLinearError, ValueError, ZeroDivisionError, FloatingPointError):
        return None
    return found[..., :-1], found[..., -1]


def _value(node: ast.AST, bound: dict[str, np.ndarray], size: int) -> np.ndarray:
    """A node as an array whose last axis holds coefficients and the constant."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return _number(float(node.value), size)
    if isinstance(node, ast.Name):
        return bound[node.id] if node.id in bound else _number(_CONSTANTS[node.id], size)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand, bound, size)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, bound, size), _value(node.right, bound, size)
        return _combined(node.op, left, right, size)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
        value = _value(node.args[0], bound, size)
        if node.func.id in _LINEAR:
            flat = value.reshape(-1, size + 1)
            return _LINEAR[node.func.id](flat, axis=0)
        if node.func.id == "diff" and value.ndim > 1:
            return np.diff(value, axis=-2)
        if node.func.id in _OF_NUMBERS and not np.any(value[..., :-1]):
            return _with(value, _OF_NUMBERS[node.func.id](value[..., -1]))
    raise _NotLinearError


def _combined(op: ast.operator, left: np.ndarray, right: np.ndarray, size: int) -> np.ndarray:
    if isinstance(op, ast.Add | ast.Sub):
        right = -right if isinstance(op, ast.Sub) else right
        return left + right if left.ndim == right.ndim else np.add(*_aligned(left, right))
    if isinstance(op, ast.Mult):
        if np.any(left[..., :-1]):
            left, right = right, left
        if np.any(left[..., :-1]):
            raise _NotLinearError
        return left[..., -1:] * right
    if isinstance(op, ast.Div) and not np.any(right[..., :-1]) and np.all(right[..., -1]):
        return left / right[..., -1:]
    numbers = not np.any(left[..., :-1]) and not np.any(right[..., :-1])
    if isinstance(op, ast.Pow) and numbers:
        power = left[..., -1] ** right[..., -1]
        return _with(np.zeros((*power.shape, size + 1)), power)
    raise _NotLinearError


def _aligned(left: np.ndarray, right: np.ndarray) -> list[np.ndarray]:
    """Broadcast over all axes but the last, which holds the coefficients."""
    shape = np.broadcast_shapes(left.shape[:-1], right.shape[:-1])
    return [np.broadcast_to(each, (*shape, each.shape[-1])) for each in (left, right)]


def _number(value: float, size: int) -> np.ndarray:
    out = np.zeros(size + 1)
    out[-1] = value
    return out


def _with(like: np.ndarray, constant: np.ndarray) -> np.ndarray:
    out = np.zeros_like(like)
    out[..., -1] = constant
    return out
