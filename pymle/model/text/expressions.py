"""Expressions of a model's variables, as text: ``"exp(a) * beta[x1]"`` to a graph.

A name is a variable of the model; brackets hold coordinate labels as the tables print them
(``beta[a, x1]``); backquotes surround names with spaces or other signs. Everything else is
arithmetic (``^`` and ``**`` are powers) and the functions in `FUNCTIONS`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.math import invlogit, invprobit, logit, probit

from pymle.errors import AnalysisError
from pymle.errors.words import unknown_name
from pymle.model import compat

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": pt.abs,
    "arccos": pt.arccos,
    "arcsin": pt.arcsin,
    "arctan": pt.arctan,
    "cos": pt.cos,
    "cosh": pt.cosh,
    "diff": pt.diff,
    "dot": pt.dot,
    "erf": pt.erf,
    "erfc": pt.erfc,
    "exp": pt.exp,
    "expit": invlogit,
    "expm1": pt.expm1,
    "gamma": pt.gamma,
    "gammaln": pt.gammaln,
    "invlogit": invlogit,
    "invprobit": invprobit,
    "log": pt.log,
    "log10": pt.log10,
    "log1p": pt.log1p,
    "log2": pt.log2,
    "logit": logit,
    "max": pt.max,
    "mean": pt.mean,
    "min": pt.min,
    "prod": pt.prod,
    "probit": probit,
    "sigmoid": invlogit,
    "sin": pt.sin,
    "sinh": pt.sinh,
    "sqrt": pt.sqrt,
    "square": pt.sqr,
    "sum": pt.sum,
    "tan": pt.tan,
    "tanh": pt.tanh,
}

_CONSTANTS = {"pi": np.pi, "inf": np.inf}

_TOKEN = re.compile(
    r"\s+|`(?P<quoted>[^`]+)`"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[^\W\d]\w*(?:(?:::|\.)\w+)*)"
    r"|(?P<sign>\*\*|//|[-+*/^(),@])"
)
_BINARY = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
    ast.MatMult: pt.matmul,
}


def expression(
    text: str, variables: Mapping[str, Any], labels: Callable[[str], tuple[str, ...]]
) -> Any:
    """The graph of an expression.

    Parameters
    ----------
    text : str
        Without comparison signs.
    variables : mapping of str to Variable
        The model's named variables.
    labels : callable
        Labels of a variable's entries in C order, given its name.

    Returns
    -------
    Variable
        Scalar or array, in terms of the model's variables.

    Raises
    ------
    AnalysisError
        Unknown names (the nearest is suggested), unknown labels, or no valid expression.
    """
    tree, places = parsed(text, variables, labels)
    bound: dict[str, Any] = {}
    for placeholder, (name, position) in places.items():
        variable = compat.as_tensor(variables[name])
        bound[placeholder] = variable if position is None else variable.ravel()[position]
    try:
        return compat.as_tensor(_build(tree, bound, text))
    except (ArithmeticError, ValueError, TypeError, IndexError, RecursionError) as error:
        # Shapes that do not fit, a function with the wrong arguments, 1 / 0 between numbers.
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise AnalysisError.bad_expression(text, f"it cannot be computed ({said})") from error


def parsed(
    text: str, variables: Iterable[str], labels: Callable[[str], tuple[str, ...]]
) -> tuple[ast.expr, dict[str, tuple[str, int | None]]]:
    """An expression as a syntax tree, with placeholders for what belongs to the model.

    Parameters
    ----------
    text : str
    variables : collection of str
    labels : callable
        As in `expression`.

    Returns
    -------
    tree : ast.expr
    places : dict of str to (str, int or None)
        By placeholder, the variable and the flat position of the entry (None: all of it).

    Raises
    ------
    AnalysisError
        As `expression`.
    """
    places: dict[str, tuple[str, int | None]] = {}
    source = _rewritten(text, variables, labels, places)
    try:
        return ast.parse(source.strip(), mode="eval").body, places
    except SyntaxError as error:
        raise AnalysisError.bad_expression(text, "it does not read as arithmetic") from error


def entry_index(label: str, names: Iterable[str], labels: Callable[[str], tuple[str, ...]]) -> Any:
    """Where a label stands: (name, flat position), or (name, None) for a whole variable.

    Parameters
    ----------
    label : str
        Such as ``beta[x1]`` or ``beta``.
    names : iterable of str
    labels : callable

    Returns
    -------
    tuple or None
        None where no variable and no entry is called so.
    """
    for name in names:
        if label == name:
            return name, None
        if label.startswith(f"{name}["):
            position = _position(label, labels(name))
            if position is not None:
                return name, position
    return None


def _position(label: str, known: Sequence[str]) -> int | None:
    """Where a label stands: as it is written, else but for spaces and quotes."""
    if label in known:
        return known.index(label)
    if not label.rstrip().endswith("]"):
        return None
    normal = [_normal(each) for each in known]
    count = normal.count(_normal(label))
    if count > 1:
        raise AnalysisError.bad_expression(label, "several entries are called so but for quotes")
    return normal.index(_normal(label)) if count else None


def _rewritten(
    text: str,
    variables: Iterable[str],
    labels: Callable[[str], tuple[str, ...]],
    bound: dict[str, tuple[str, int | None]],
) -> str:
    """The text as Python, with placeholders for what belongs to the model."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise AnalysisError.bad_expression(text, f"unexpected {text[at]!r}")
        at = found.end()
        if found["quoted"]:
            place = entry_index(found["quoted"], variables, labels)
            if place is None:
                raise AnalysisError(unknown_name("expression", found["quoted"], variables))
            name, position = place
        elif found["name"]:
            name, position = found["name"], None
            called = text[at:].lstrip().startswith("(")
            if called and name in FUNCTIONS:
                parts.append(f" {name} ")
                continue
            if name not in variables and name in _CONSTANTS:
                parts.append(f" {name} ")
                continue
            if called or name not in variables:
                known = FUNCTIONS if called else variables
                raise AnalysisError(unknown_name("expression", name, known))
        else:
            token = found.group()
            parts.append("**" if token == "^" else " " if token.isspace() else token)
            continue
        if position is None and at < len(text) and text[at] == "[":
            end = _closing(text, at)
            inside = text[at + 1 : end]
            known = labels(name)
            position, at = _position(f"{name}[{inside}]", known), end + 1
            if position is None:
                raise AnalysisError(unknown_name("expression", f"{name}[{inside}]", known))
        placeholder = f"_v{len(bound)}"
        bound[placeholder] = name, position
        parts.append(f" {placeholder} ")
    return "".join(parts)


def _closing(text: str, at: int) -> int:
    depth = 0
    for i in range(at, len(text)):
        depth += {"[": 1, "]": -1}.get(text[i], 0)
        if depth == 0:
            return i
    raise AnalysisError.bad_expression(text, "a bracket is not closed")


def _normal(label: str) -> str:
    """A label without the spaces and quotes on which writers differ."""
    name, _, inside = label.partition("[")
    inside = inside.rstrip().removesuffix("]")
    return f"{name.strip()}[" + ",".join(each.strip().strip("'\"") for each in inside.split(","))


def _build(node: ast.AST, bound: Mapping[str, Any], text: str) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        return bound[node.id] if node.id in bound else _CONSTANTS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _build(node.operand, bound, text)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        left, right = _build(node.left, bound, text), _build(node.right, bound, text)
        return _BINARY[type(node.op)](left, right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return FUNCTIONS[node.func.id](*[_build(each, bound, text) for each in node.args])
    raise AnalysisError.bad_expression(text, f"`{ast.unparse(node)}` is no arithmetic")
