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
from pytensor.graph.basic import Apply, Variable
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.math import Sum

from pymle.model.terms import args_of, computed_by, depends_on_parameters, scalar_value

__all__ = ["ZERO_RULES"]


def _zero(x: Variable) -> Variable | None:
    """Return where an expression is 0 for every value of the parameters, None if nowhere."""
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
        # A factor of one value is a constant of the formula, not data.
        found = [_zero(y) for y in node.inputs if scalar_value(y) is None]
        found = [z for z in found if z is not None]
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


ZERO_RULES = (_power, _root, _log, _exp_of_log)
