"""Sums in which large terms cancel: differences of log-gammas, logarithms of shares.

The rules see through additions, subtractions and constant factors, so that it does not matter
how a distribution (or a user) writes them. A difference of two log-gammas is replaced where
their arguments hold the same parameters, with the same factors, and differ by data or constants.
"""

from __future__ import annotations

import pytensor.scalar as ps
import pytensor.scalar.math as psm
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Constant, Variable, equal_computations
from pytensor.tensor.elemwise import DimShuffle

from pymle.model.graphs.special_ops import special
from pymle.model.graphs.terms import (
    args_of,
    computed_by,
    depends_on_parameters,
    key_of,
    scalar_value,
)

try:
    from pytensor.graph.traversal import ancestors
except ImportError:  # pragma: no cover - PyTensor 2
    from pytensor.graph.basic import ancestors

__all__ = ["SUM_RULES", "flatten", "shares"]

# A sum of more terms than this is a user's loop over observations, not a density.
_LONG = 64

Terms = list[tuple[float, Variable]]


def _bare(x: Variable) -> Variable:
    """Strip dimensions added on the left, which broadcasting adds again, and casts to float64."""
    while x.owner is not None:
        op = x.owner.op
        if isinstance(op, DimShuffle):
            (inner,) = x.owner.inputs
            lead = x.type.ndim - inner.type.ndim
            if lead < 0 or tuple(op.new_order) != ("x",) * lead + tuple(range(inner.type.ndim)):
                return x
            x = inner
        elif computed_by(x, ps.Cast) and x.type.dtype == "float64":
            x = x.owner.inputs[0]
        else:
            return x
    return x


def _same(a: Variable, b: Variable) -> bool:
    a, b = _bare(a), _bare(b)
    if a is b:
        return True
    if a.owner is None or b.owner is None:
        return isinstance(a, Constant) and isinstance(b, Constant) and a.equals(b)
    return a.type.dtype == b.type.dtype and equal_computations([a], [b])


def flatten(x: Variable, sign: float, out: Terms) -> None:
    """Collect the terms of a sum with their constant factors."""
    bare = _bare(x)
    if (args := args_of(bare, ps.Add)) is not None:
        for arg in args:
            flatten(arg, sign, out)
    elif (args := args_of(bare, ps.Sub)) is not None:
        flatten(args[0], sign, out)
        flatten(args[1], -sign, out)
    elif (args := args_of(bare, ps.Neg)) is not None:
        flatten(args[0], -sign, out)
    elif (args := args_of(bare, ps.Mul)) is not None and len(args) == 2:
        for factor, other in (args, reversed(args)):
            if (value := scalar_value(factor)) is not None:
                flatten(other, sign * value, out)
                return
        out.append((sign, x))
    elif (args := args_of(bare, ps.TrueDiv)) is not None and scalar_value(args[1]):
        flatten(args[0], sign / scalar_value(args[1]), out)
    else:
        out.append((sign, x))


class _Linear:
    """A sum of variables with constant factors, parameters apart from data."""

    def __init__(self, x: Variable) -> None:
        terms: Terms = []
        flatten(x, 1.0, terms)
        self.constant = 0.0
        self.parts: list[tuple[float, Variable]] = []
        for factor, term in terms:
            value = scalar_value(term)
            if value is None:
                self._add(factor, _bare(term))
            else:
                self.constant += factor * value
        self._drop_zeros()

    def _drop_zeros(self) -> None:
        self.parts = [(factor, variable) for factor, variable in self.parts if factor != 0.0]

    def _add(self, factor: float, variable: Variable) -> None:
        for i, (old, other) in enumerate(self.parts):
            if _same(other, variable):
                self.parts[i] = (old + factor, other)
                return
        self.parts.append((factor, variable))

    def minus(self, other: _Linear, scale: float) -> _Linear:
        new = object.__new__(_Linear)
        new.constant = self.constant - scale * other.constant
        new.parts = list(self.parts)
        for factor, variable in other.parts:
            new._add(-scale * factor, variable)
        new._drop_zeros()
        return new

    @property
    def parameters(self) -> list[tuple[float, Variable]]:
        return [(f, v) for f, v in self.parts if depends_on_parameters(v)]

    def expression(self) -> Variable:
        total = pt.constant(self.constant, dtype="float64")
        started = self.constant != 0.0
        for factor, variable in self.parts:
            term = pt.cast(variable, "float64")
            term = term if factor == 1.0 else factor * term
            total, started = (total + term if started else term), True
        return total


def _fits(new: Variable, node: Apply) -> list[Variable] | None:
    """Return the replacement if it has the type of what it replaces."""
    old = node.outputs[0]
    if new.type.ndim < old.type.ndim:
        new = pt.shape_padleft(new, old.type.ndim - new.type.ndim)
    same = new.type.dtype == old.type.dtype and new.type.broadcastable == old.type.broadcastable
    return [new] if same else None


def _gamma_differences(node: Apply) -> list[Variable] | None:
    """Take differences of log-gammas from the ratio of two gamma functions."""
    if not computed_by(node.outputs[0], (ps.Add, ps.Sub)):
        return None
    terms: Terms = []
    flatten(node.outputs[0], 1.0, terms)
    places = [i for i, (_, x) in enumerate(terms) if computed_by(_bare(x), psm.GammaLn)]
    factors = [terms[i][0] for i in places]
    if len(terms) > _LONG or not any(-f in factors for f in factors):
        return None
    forms = {i: _Linear(_bare(terms[i][1]).owner.inputs[0]) for i in places}
    used: set[int] = set()
    new: list[Variable] = []
    for i in places:
        for j in places:
            if i >= j or used & {i, j} or terms[i][0] != -terms[j][0] or terms[i][0] == 0.0:
                continue
            gap = forms[i].minus(forms[j], 1.0)
            if gap.parameters or not forms[i].parameters:
                continue
            # The one with fewer terms is the base: the parameter itself.
            size_i, size_j = (len(f.parts) + (f.constant != 0) for f in (forms[i], forms[j]))
            i_is_base = size_i <= size_j
            base = (forms[i] if i_is_base else forms[j]).expression()
            step = forms[j].minus(forms[i], 1.0) if i_is_base else gap
            factor = terms[j if i_is_base else i][0]
            b = step.expression()
            new += [factor * b * pt.log(base), factor * special("gamma_gap")(base, b)]
            used |= {i, j}
    if not used:
        return None
    rest = [x if f == 1.0 else f * x for k, (f, x) in enumerate(terms) if k not in used]
    return _fits(sum((*rest[1:], *new), rest[0]) if rest else sum(new[1:], new[0]), node)


def _factors(x: Variable, out: list[Variable]) -> float:
    """Collect the factors of a product and return its constant factor."""
    bare = _bare(x)
    if (value := scalar_value(bare)) is not None:
        return value
    if (args := args_of(bare, ps.Mul)) is not None:
        sign = 1.0
        for arg in args:
            sign *= _factors(arg, out)
        return sign
    if (args := args_of(bare, ps.Neg)) is not None:
        return -_factors(args[0], out)
    if (args := args_of(bare, ps.TrueDiv)) is not None and scalar_value(args[1]):
        return _factors(args[0], out) / scalar_value(args[1])
    out.append(x)
    return 1.0


def _scaled_log1p(node: Apply) -> list[Variable] | None:
    """Write (c n + d) log1p(x / n) with n log1p(x / n) as one function."""
    if not computed_by(node.outputs[0], ps.Mul):
        return None
    factors: list[Variable] = []
    sign = _factors(node.outputs[0], factors)
    for at, factor in enumerate(factors):
        inner = args_of(_bare(factor), ps.Log1p)
        if inner is None:
            continue
        over: list[Variable] = []
        flip = -1.0 if computed_by(_bare(inner[0]), ps.Neg) else 1.0
        ratio = args_of(
            _bare(inner[0] if flip > 0 else _bare(inner[0]).owner.inputs[0]), ps.TrueDiv
        )
        if ratio is None:
            return None
        scale = _factors(ratio[1], over)
        for d, divisor in enumerate(over):
            n = _Linear(divisor)
            if not n.parameters:
                continue
            for other, multiplier in enumerate(factors):
                if other == at:
                    continue
                m = _Linear(multiplier)
                lead = [f for f, v in m.parts if _same(v, n.parameters[0][1])]
                if not lead:
                    continue
                share = lead[0] / n.parameters[0][0]
                rest = m.minus(n, share)
                if rest.parameters:
                    continue
                x = ratio[0] * (flip / scale)
                for e, another in enumerate(over):
                    x = x if e == d else x / another
                new = share * special("scaled_log1p")(divisor, x)
                if rest.parts or rest.constant:
                    new = new + rest.expression() * special("log1p_ratio")(divisor, x)
                for k, remaining in enumerate(factors):
                    new = new if k in (at, other) else new * remaining
                return _fits(sign * new, node)
    return None


def _share(x: Variable) -> tuple[Variable, Variable] | None:
    """Return (a, b) of a / (a + b)."""
    ratio = args_of(_bare(x), ps.TrueDiv)
    total = args_of(_bare(ratio[1]), ps.Add) if ratio is not None else None
    if ratio is None or total is None:
        return None
    for i, part in enumerate(total):
        if _same(part, ratio[0]):
            rest = [y for k, y in enumerate(total) if k != i]
            return ratio[0], sum(rest[1:], rest[0])
    return None


def shares(node: Apply) -> list[Variable] | None:
    """Keep the digits of 1 - a / (a + b) and of log(a / (a + b)) where the share is nearly 1."""
    out = node.outputs[0]
    if computed_by(out, ps.Sub) and scalar_value(node.inputs[0]) == 1.0:
        pair = _share(node.inputs[1])
        return None if pair is None else _fits(pair[1] / (pair[1] + pair[0]), node)
    if computed_by(out, ps.Log):
        pair = _share(node.inputs[0])
        return None if pair is None else _fits(-pt.log1p(pair[1] / pair[0]), node)
    if computed_by(out, ps.Neg):
        new = _log1p_odds(node.inputs[0])
        return None if new is None else _fits(-new, node)
    new = _log1p_odds(out)
    return None if new is None else _fits(new, node)


def _log1p_odds(x: Variable) -> Variable | None:
    """Return log1p(a / b) for softplus(log(a) - log(b)): PyMC 6 writes shares that way."""
    inner = args_of(_bare(x), psm.Softplus)
    if inner is None:
        return None
    odds, flips = inner[0], 0
    while (negated := args_of(_bare(odds), ps.Neg)) is not None:
        odds, flips = negated[0], flips + 1
    logs = [args_of(_bare(side), ps.Log) for side in args_of(_bare(odds), ps.Sub) or ()]
    if len(logs) != 2 or not all(logs):
        return None
    above, below = (args[0] for args in logs if args)
    return pt.log1p(above / below if flips % 2 == 0 else below / above)


def _no_poisson_limit(node: Apply) -> list[Variable] | None:
    """Drop PyMC's jump to the Poisson from the negative binomial, which reaches it by itself."""
    args = args_of(node.outputs[0], ps.Switch)
    test = args_of(_bare(args[0]), ps.GT) if args is not None else None
    if args is None or test is None or scalar_value(test[1]) != 1e10:
        return None
    for v in ancestors([args[2]]):
        if key_of(v) == "gamma_gap" and _same(v.owner.inputs[0], test[0]):
            return _fits(args[2], node)
    return None


SUM_RULES = (shares, _scaled_log1p, _gamma_differences, _no_poisson_limit)
