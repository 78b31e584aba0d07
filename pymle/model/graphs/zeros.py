"""Zeros in the data under powers, roots and logarithms.

``(y / s) ** k`` and ``sqrt(d / s)`` are 0 for ``y = 0`` whatever the parameters are, but their
derivatives are computed as infinity times 0. Where the zero of an expression can be told from
the data alone, the function is asked for its value at another place there, and its own value
at 0 is put in afterwards: the derivatives are then 0, as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np
import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable, equal_computations
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.math import Sum
from pytensor.tensor.shape import Reshape

from pymle.model.graphs.sums import flatten
from pymle.model.graphs.terms import args_of, computed_by, depends_on_parameters, scalar_value

__all__ = ["ZERO_RULES", "squared_distances"]


def _zero(x: Variable) -> Variable | None:
    """Return where an expression is 0 for every value of the parameters, None if nowhere."""
    if (value := scalar_value(x)) is not None and value != 0.0:
        return None
    if not depends_on_parameters(x):
        return pt.eq(x, 0)
    node = x.owner
    if node is None:
        return None
    if isinstance(node.op, DimShuffle):
        inner = _zero(node.inputs[0])
        return None if inner is None else node.op(inner)
    if isinstance(node.op, Sum):
        inner = _zero(node.inputs[0])
        return None if inner is None else pt.all(inner, axis=node.op.axis)
    if computed_by(x, ps.Mul):
        found = [z for z in map(_zero, node.inputs) if z is not None]
        return _reduced(pt.or_, found) if found else None
    if computed_by(x, (ps.Add, ps.Sub)):
        found = [_zero(y) for y in node.inputs]
        return None if any(z is None for z in found) else _reduced(pt.and_, found)
    if computed_by(x, (ps.TrueDiv, ps.Abs, ps.Neg, ps.Sqr, ps.Sqrt, ps.Cast)):
        return _zero(node.inputs[0])
    if computed_by(x, ps.Pow):
        exponent = scalar_value(node.inputs[1])
        return _zero(node.inputs[0]) if exponent is not None and exponent > 0 else None
    if computed_by(x, ps.Maximum):
        for y, bound in (node.inputs, reversed(node.inputs)):
            if scalar_value(bound) == 0.0:
                return pt.le(y, 0)
    return None


def _reduced(combine: Callable, found: list[Variable]) -> Variable:
    return reduce(combine, found[1:], found[0])


def _elsewhere(x: Variable) -> tuple[Variable, Variable] | None:
    """Return where a parameter-dependent expression is 0, and it with 1 instead of 0."""
    if not depends_on_parameters(x):
        return None
    zero = _zero(x)
    return None if zero is None else (zero, pt.switch(zero, 1.0, x))


def _power(node: Apply) -> list[Variable] | None:
    if not computed_by(node.outputs[0], ps.Pow):
        return None
    base, exponent = node.inputs
    fixed = scalar_value(exponent)
    if fixed is not None and fixed >= 0 and fixed == int(fixed):
        return None
    pair = _elsewhere(base)
    return None if pair is None else [_masked_power(*pair, exponent)]


def _masked_power(zero: Variable, safe: Variable, exponent: Variable) -> Variable:
    limit = pt.switch(pt.gt(exponent, 0), 0.0, pt.switch(pt.eq(exponent, 0), 1.0, np.inf))
    return pt.switch(zero, limit, safe**exponent)


def _root(node: Apply) -> list[Variable] | None:
    if not computed_by(node.outputs[0], ps.Sqrt):
        return None
    pair = _elsewhere(node.inputs[0])
    return None if pair is None else [pt.switch(pair[0], 0.0, pt.sqrt(pair[1]))]


def _log(node: Apply) -> list[Variable] | None:
    if not computed_by(node.outputs[0], ps.Log):
        return None
    pair = _elsewhere(node.inputs[0])
    return None if pair is None else [pt.switch(pair[0], -np.inf, pt.log(pair[1]))]


def _exp_of_log(node: Apply) -> list[Variable] | None:
    """Take exp(k log(x)), a power in other words, for one."""
    if not computed_by(node.outputs[0], ps.Exp):
        return None
    factors = args_of(node.inputs[0], ps.Mul)
    if factors is None or len(factors) != 2:
        return None
    for exponent, log in (factors, reversed(factors)):
        # What the rule for logarithms has made of it: switch(zero, -inf, log(safe)).
        branches = args_of(log, ps.Switch)
        if branches is None or scalar_value(branches[1]) != -np.inf:
            continue
        safe = args_of(branches[2], ps.Log)
        if safe is not None:
            return [_masked_power(branches[0], safe[0], exponent)]
    return None


def squared_distances(node: Apply) -> list[Variable] | None:
    """Take squared distances of rows from differences, not from products.

    PyMC's covariance functions clip ``|a|^2 - 2 ab + |b|^2`` at 0. On the diagonal that is a
    rounding error of either sign, and compiled code may find one sign for one half of the
    derivative and the other sign for the other half, which are then multiplied by up to 1e6.
    """
    clipped = args_of(node.outputs[0], ps.Clip)
    if clipped is None or scalar_value(clipped[1]) != 0.0 or scalar_value(clipped[2]) != np.inf:
        return None
    terms: list[tuple[float, Variable]] = []
    flatten(clipped[0], 1.0, terms)
    if [factor for factor, _ in terms if factor != 1.0] != [-2.0] or len(terms) != 3:
        return None
    product = next(x for factor, x in terms if factor != 1.0).owner
    squares = [_squared_rows(x) for factor, x in terms if factor == 1.0]
    if product is None or type(product.op).__name__ not in ("Dot", "Blockwise", "BlockwiseDot"):
        return None
    left, right = product.inputs
    turned = right.owner
    if turned is None or not isinstance(turned.op, DimShuffle) or right.type.ndim != 2:
        return None
    right = turned.inputs[0]
    if tuple(turned.op.new_order) != (1, 0) or any(s is None for s in squares):
        return None
    if not equal_computations([left, right], squares):
        return None
    first, second = args_of(left, ps.Mul), args_of(right, ps.Mul)
    if first is None or second is None or len(first) != 2 or len(second) != 2:
        return [pt.sum(pt.sqr(left[:, None, :] - right[None, :, :]), axis=-1)]
    (x, scale), (y, other) = first, second
    if scale.type.broadcastable[0] and equal_computations([scale], [other]):
        # Equal rows have the distance 0 exactly if they are scaled after the subtraction.
        return [pt.sum(pt.sqr((x[:, None, :] - y[None, :, :]) * scale[None, :, :]), axis=-1)]
    return [pt.sum(pt.sqr(left[:, None, :] - right[None, :, :]), axis=-1)]


def _squared_rows(x: Variable) -> Variable | None:
    """Return a of a reshaped sum of a**2 over the columns of a."""
    while x.owner is not None and isinstance(x.owner.op, DimShuffle | Reshape):
        x = x.owner.inputs[0]
    if x.owner is None or not isinstance(x.owner.op, Sum):
        return None
    square = args_of(x.owner.inputs[0], ps.Sqr)
    return None if square is None else square[0]


ZERO_RULES = (squared_distances, _power, _root, _log, _exp_of_log)
