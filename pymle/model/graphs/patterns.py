"""Expressions that lose digits, and what they equal.

Each rule takes a node and returns its replacement, or None. Most are logarithms of tail
probabilities that PyMC writes as ``log(cdf)``, and their complements ``log1mexp(log(cdf))``: with
both as functions of their own, the far tails keep their digits and their derivatives.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytensor.scalar as ps
import pytensor.scalar.math as psm
import pytensor.tensor as pt
from pymc.distributions.dist_math import I0e, SplineWrapper
from pytensor.graph.basic import Apply, Variable, equal_computations
from pytensor.tensor.basic import Alloc
from pytensor.tensor.elemwise import CAReduce, DimShuffle

from pymle.model.graphs.special_ops import PiecewisePolynomial, special
from pymle.model.graphs.terms import args_of as _args
from pymle.model.graphs.terms import computed_by as _is
from pymle.model.graphs.terms import key_of as _key
from pymle.model.graphs.terms import scalar_value as _value

__all__ = ["RULES"]

_LOG2 = float(np.log(2.0))
_ROOT2 = float(np.sqrt(2.0))
# What JAX lacks, or PyTensor cannot translate to it.
_RENAMED = {psm.Erfcx: "erfcx", psm.Erfinv: "erfinv", psm.Erfcinv: "erfcinv"}


def _normal_tail(node: Apply) -> list[Variable] | None:
    """Turn PyMC's normal log-cdf and log-survival, two formulas switched at 1 sd, into one."""
    if not _is(node.outputs[0], ps.Switch):
        return None
    condition, tail, body = node.inputs
    if not (_is(body, ps.Log1p) and _is(tail, ps.Sub)):
        return None
    log = tail.owner.inputs[0]
    if not _is(log, ps.Log) or not _is(log.owner.inputs[0], ps.TrueDiv):
        return None
    ratio, half = log.owner.inputs[0].owner.inputs
    if _key(ratio) != "erfcx" or _value(half) != 2.0:
        return None
    if _is(condition, ps.LT) and _value(condition.owner.inputs[1]) == -1.0:
        return [special("log_half_erfc")(-condition.owner.inputs[0] / _ROOT2)]
    if _is(condition, ps.GT) and _value(condition.owner.inputs[1]) == 1.0:
        return [special("log_half_erfc")(condition.owner.inputs[0] / _ROOT2)]
    return None


def _complement(x: Variable) -> Variable | None:
    """Return log(1 - exp(x)) where it has a form without cancellation."""
    match _key(x):
        case "log_gamma_p":
            return special("log_gamma_q")(*x.owner.inputs)
        case "log_gamma_q":
            return special("log_gamma_p")(*x.owner.inputs)
        case "log_half_erfc":
            # erfc(y) + erfc(-y) = 2.
            return special("log_half_erfc")(-x.owner.inputs[0])
        case "log_beta_p":
            return special("log_beta_q")(*x.owner.inputs)
        case "log_beta_q":
            return special("log_beta_p")(*x.owner.inputs)
    if x.owner is not None and isinstance(x.owner.op, Alloc | DimShuffle):
        # Spread over observations: the first input is what is spread.
        base = _complement(x.owner.inputs[0])
        return None if base is None else x.owner.op(base, *x.owner.inputs[1:])
    if (inner := _args(x, psm.Log1mexp)) is not None:
        return inner[0]
    if (inner := _args(x, ps.Log)) is not None and (y := _args(inner[0], ps.TrueDiv)) is not None:
        # The Cauchy cdf as an angle: a half-turn less the angle is the angle to the other side.
        angle = _args(y[0], ps.ArcTan2)
        if angle is not None and _value(y[1]) == float(np.pi):
            return pt.log(pt.arctan2(angle[0], -angle[1]) / np.pi)
    if (inner := _args(x, ps.Log1p)) is not None:
        negated = _args(inner[0], ps.Neg)
        if negated is not None and (y := _args(negated[0], psm.Erfc)) is not None:
            return special("log_erfc")(y[0])
        if negated is not None and (y := _args(negated[0], ps.Exp)) is not None:
            return y[0]
    if _key(x) == "log_erfc":
        return pt.log(pt.erf(x.owner.inputs[0]))
    if (inner := _args(x, ps.Neg)) is not None and (y := _args(inner[0], psm.Softplus)) is not None:
        return -pt.softplus(-y[0])
    if (inner := _args(x, ps.Switch)) is not None:
        condition, *branches = inner
        constants = [_constant_complement(b) for b in branches]
        others = [
            _complement(b) if c is None else c for b, c in zip(branches, constants, strict=True)
        ]
        if all(other is not None for other in others):
            return pt.switch(condition, *others)
    return None


def _constant_complement(x: Variable) -> Variable | None:
    value = _value(x)
    if value == -np.inf:
        return pt.zeros_like(x, dtype="float64")
    if value == 0.0:
        return pt.full_like(x, -np.inf, dtype="float64")
    return None


def _log1mexp(node: Apply) -> list[Variable] | None:
    if not _is(node.outputs[0], psm.Log1mexp):
        return None
    other = _complement(node.inputs[0])
    return None if other is None else [other]


def _log_difference(node: Apply) -> list[Variable] | None:
    """Take log(exp(a) - exp(b)) of two cdf values from their complements in the upper tail."""
    if not _is(node.outputs[0], ps.Add) or len(node.inputs) != 2:
        return None
    for a, rest in (node.inputs, reversed(node.inputs)):
        gap = _args(rest, psm.Log1mexp)
        pair = _args(gap[0], ps.Sub) if gap is not None else None
        if pair is None or not equal_computations([pair[1]], [a]):
            continue
        b = pair[0]
        upper_a, upper_b = _complement(a), _complement(b)
        if upper_a is None or upper_b is None:
            return None
        upper = pt.gt(b, -_LOG2)
        # The branch not taken gets a harmless gap: a gap of 0 has no finite derivative.
        flipped = upper_b + pt.log1mexp(pt.switch(upper, upper_a - upper_b, -1.0))
        direct = a + pt.log1mexp(pt.switch(upper, -1.0, b - a))
        return [pt.switch(upper, flipped, direct)]
    return None


def _log_of_function(node: Apply) -> list[Variable] | None:
    """Give log(f) its own function for f that underflow or round to 1."""
    if not _is(node.outputs[0], ps.Log):
        return None
    (x,) = node.inputs
    if (args := _args(x, ps.Exp)) is not None:
        inner = args[0]
        # The bare functions were replaced by the exponential of their logarithm.
        return [inner] if (_key(inner) or "").startswith(("log_gamma_", "log_beta_")) else None
    if (args := _args(x, psm.Erfc)) is not None:
        return [special("log_erfc")(*args)]
    if (args := _args(x, psm.I0)) is not None:
        return [special("log_i0")(*args)]
    if (args := _args(x, ps.Add)) is not None and len(args) == 2:
        for one, other in (args, reversed(args)):
            if _value(one) == 1.0 and (y := _args(other, psm.Erf)) is not None:
                return [special("log_erfc")(-y[0])]
    return None


def _student_cdf(node: Apply) -> list[Variable] | None:
    """Write Student's log-cdf, betainc at (t + s) / 2s with s^2 = t^2 + nu, without t + s.

    For t < 0 the sum cancels, and for t > 0 its complement does; nu / (2 s (s + |t|)) is the
    smaller of the two shares.
    """
    if _key(node.outputs[0]) != "log_beta_p":
        return None
    a, b, x = node.inputs
    ratio = _args(x, ps.TrueDiv)
    total = _args(ratio[0], ps.Add) if ratio is not None else None
    double = _args(ratio[1], ps.Mul) if ratio is not None else None
    if total is None or double is None or len(total) != 2 or len(double) != 2:
        return None
    t, root = total
    radicand = _args(root, ps.Sqrt)
    inside = _args(radicand[0], ps.Add) if radicand is not None else None
    if inside is None or _value(double[0]) != 2.0:
        return None
    if not equal_computations([double[1]], [root]) or not equal_computations([a], [b]):
        return None
    nu = inside[1]
    share = nu / (2.0 * root * (root + pt.abs(t)))
    smaller = special("log_beta_p")(a, b, share)
    larger = special("log_beta_q")(a, b, share)
    return [pt.switch(pt.lt(t, 0.0), smaller, larger)]


def _cauchy_cdf(node: Apply) -> list[Variable] | None:
    """Write log(1/2 + arctan(z) / pi) without the cancellation of its two terms."""
    if not _is(node.outputs[0], ps.Log):
        return None
    total = _args(node.inputs[0], ps.Add)
    if total is None or len(total) != 2 or _value(total[0]) != 0.5:
        return None
    ratio = _args(total[1], ps.TrueDiv)
    if ratio is None or _value(ratio[1]) != float(np.pi):
        return None
    angle = _args(ratio[0], ps.ArcTan)
    if angle is None:
        return None
    return [pt.log(pt.arctan2(1.0, -angle[0]) / np.pi)]


def _log_of_product(node: Apply) -> list[Variable] | None:
    """Split log(a exp(b) I0e(c) / d), whose product underflows before its logarithm does."""
    if not _is(node.outputs[0], ps.Log):
        return None
    logs: list[Variable] = []
    rest: list[tuple[Variable, int]] = []

    def collect(x: Variable, sign: int) -> None:
        if (args := _args(x, ps.Mul)) is not None:
            for arg in args:
                collect(arg, sign)
        elif (args := _args(x, ps.TrueDiv)) is not None:
            collect(args[0], sign)
            collect(args[1], -sign)
        elif (args := _args(x, ps.Exp)) is not None:
            logs.append(sign * args[0])
        elif (args := _args(x, I0e)) is not None:
            logs.append(sign * (special("log_i0")(args[0]) - pt.abs(args[0])))
        else:
            rest.append((x, sign))

    if not _is(node.inputs[0], (ps.Mul, ps.TrueDiv)) and not _is(node.inputs[0], I0e):
        return None
    collect(node.inputs[0], 1)
    if not logs:
        return None
    total = sum(logs[1:], logs[0])
    if rest:
        product: Variable = pt.as_tensor_variable(1.0)
        for x, sign in rest:
            product = product * x if sign > 0 else product / x
        total = total + pt.log(product)
    return [total]


def _function(node: Apply) -> list[Variable] | None:
    out = node.outputs[0]
    for kind, key in _RENAMED.items():
        if _is(out, kind):
            return [special(key)(*node.inputs)]
    if _is(out, psm.GammaInc):
        return [pt.exp(special("log_gamma_p")(*node.inputs))]
    if _is(out, psm.GammaIncC):
        return [pt.exp(special("log_gamma_q")(*node.inputs))]
    if _is(out, psm.BetaInc):
        return [pt.exp(special("log_beta_p")(*node.inputs))]
    return None


def _sigmoid(x: Variable) -> Variable | None:
    """Return the argument of a logistic function, through added dimensions."""
    if x.owner is not None and isinstance(x.owner.op, DimShuffle):
        inner = _sigmoid(x.owner.inputs[0])
        return None if inner is None else x.owner.op(inner)
    args = _args(x, psm.Sigmoid)
    return None if args is None else args[0]


def _logistic(node: Apply) -> list[Variable] | None:
    """Keep the digits of log(p), log(1 - p) and 1 - p for p near 0 and near 1."""
    out = node.outputs[0]
    if _is(out, ps.Sub) and _value(node.inputs[0]) == 1.0:
        z = _sigmoid(node.inputs[1])
        return None if z is None else [pt.sigmoid(-z)]
    if _is(out, ps.Log):
        z = _sigmoid(node.inputs[0])
        return None if z is None else [-pt.softplus(-z)]
    if _is(out, ps.Log1p) and (negated := _args(node.inputs[0], ps.Neg)) is not None:
        z = _sigmoid(negated[0])
        return None if z is None else [-pt.softplus(z)]
    return None


def _eigh_gradient(node: Apply) -> list[Variable] | None:
    """Write out PyTensor 2's gradient of an eigendecomposition, which JAX cannot translate."""
    if type(node.op).__name__ != "EighGrad":
        return None
    _, w, v, gw, gv = node.inputs
    same = pt.eye(w.shape[0])
    gaps = pt.switch(same > 0, 1.0, w[None, :] - w[:, None])
    mixed = pt.switch(same > 0, 0.0, pt.dot(v.T, gv) / gaps)
    full = pt.dot(v, pt.dot(pt.diag(gw) + mixed.T, v.T))
    # Only one triangle of the argument is read.
    if node.op.UPLO == "L":
        return [pt.tril(full) + pt.triu(full, k=1).T]
    return [pt.triu(full) + pt.tril(full, k=-1).T]


def _product_without_zeros(node: Apply) -> list[Variable] | None:
    """Write out the gradient of a product, whose Op JAX does not know from PyTensor 2."""
    op = node.op
    if type(op).__name__ != "ProdWithoutZeros":
        return None
    (x,) = node.inputs
    return [pt.prod(pt.switch(pt.eq(x, 0), 1.0, x), axis=op.axis)]


def _positive_definite(node: Apply) -> list[Variable] | None:
    """Ask the Cholesky factor, which JAX has, whether a matrix is positive definite."""
    if type(node.op).__name__ != "PosDefMatrix":
        return None
    factor = pt.linalg.cholesky(node.inputs[0], lower=True, on_error="nan")
    return [pt.all(pt.invert(pt.isnan(factor)))]


def _reduced_number(node: Apply) -> list[Variable] | None:
    """Leave out sums of a number over its last axis, which NumPy refuses (`pm.CAR`)."""
    if not isinstance(node.op, CAReduce) or node.inputs[0].type.ndim:
        return None
    return [node.inputs[0].astype(node.outputs[0].type.dtype)]


def _spline(node: Apply) -> list[Variable] | None:
    """Replace SciPy's spline object by its polynomials."""
    if not isinstance(node.op, SplineWrapper):
        return None
    from scipy.interpolate import PPoly

    spline = node.op.spline
    # SciPy's public conversion takes the knots with their multiplicity; empty pieces go.
    pieces = PPoly.from_spline(spline._eval_args)
    keep = np.diff(pieces.x) > 0
    breaks = np.append(pieces.x[:-1][keep], pieces.x[-1])
    coefficients = tuple(tuple(map(float, row[keep])) for row in pieces.c)
    if getattr(spline, "ext", 1) not in (1, "zeros"):
        return None
    return [PiecewisePolynomial(tuple(map(float, breaks)), coefficients)(node.inputs[0])]


RULES: tuple[Callable[[Apply], list[Variable] | None], ...] = (
    _function,
    _log_of_function,
    _student_cdf,
    _cauchy_cdf,
    _log_of_product,
    _normal_tail,
    _log1mexp,
    _log_difference,
    _logistic,
    _eigh_gradient,
    _positive_definite,
    _product_without_zeros,
    _reduced_number,
    _spline,
)
