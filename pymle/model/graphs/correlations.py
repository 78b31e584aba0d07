"""Correlation matrices in graphs: covariances divided by their own standard deviations."""

from __future__ import annotations

from typing import Any

from pytensor.graph.basic import equal_computations

from pymle.model.operations import CONTRACTING, op_name

_VIEWS = {"DimShuffle", "ExpandDims", "Transpose", "MatrixTranspose", "Identity", "ViewOp"}


def is_correlation(variable: Any) -> bool:
    """Whether a matrix is ``cov / (sd sd')`` with ``sd = sqrt(diag(cov))`` and ``cov = L L'``.

    However the division is written: by ``1 / sd`` on either side, as `pm.LKJCholeskyCov` does,
    or by ``sd[:, None] * sd[None, :]`` or ``outer(sd, sd)``.

    Parameters
    ----------
    variable : Variable

    Returns
    -------
    bool
        Entries are then between -1 and 1.
    """
    above, below = _factors(variable)
    matrices = [v for v in above if is_gram(v)]
    if len(matrices) != 1:
        return False
    [covariance] = matrices
    above = [v for v in above if v is not covariance]
    inverses = [v for v in above if _is_deviation(v, covariance, inverse=True)]
    divisors = [v for v in below if _is_deviation(v, covariance, inverse=False)]
    rest = len(above) + len(below) - len(inverses) - len(divisors)
    sides = {_side(v) for v in (*inverses, *divisors)}
    return rest == 0 and len(inverses) + len(divisors) == 2 and sides == {"row", "column"}


def _factors(variable: Any) -> tuple[list[Any], list[Any]]:
    """What a product multiplies, and what it divides by."""
    name = _name(variable)
    if name in {"Identity", "ViewOp"}:
        return _factors(variable.owner.inputs[0])
    if name == "Mul":
        parts = [_factors(v) for v in variable.owner.inputs]
        return [v for a, _ in parts for v in a], [v for _, b in parts for v in b]
    if name == "TrueDiv" and not all(variable.owner.inputs[1].type.broadcastable):
        above, below = (_factors(v) for v in variable.owner.inputs)
        return above[0] + below[1], above[1] + below[0]
    if name in CONTRACTING:
        left, right = variable.owner.inputs
        patterns = (left.type.broadcastable, right.type.broadcastable)
        if patterns == ((False, True), (True, False)):  # an outer product
            return [left, right], []
    return [variable], []


def is_gram(variable: Any) -> bool:
    """Whether a matrix is a factor times its own transpose.

    Parameters
    ----------
    variable : Variable

    Returns
    -------
    bool
    """
    if variable.owner is None or op_name(variable.owner) not in CONTRACTING:
        return False
    left, right = variable.owner.inputs
    turned = right.owner is not None and _name(right) in _VIEWS and right.type.ndim == 2
    return turned and right.owner.inputs[0] is left


def _is_deviation(variable: Any, covariance: Any, *, inverse: bool) -> bool:
    """Whether a vector is ``sqrt(diag(covariance))``, or one over it."""
    variable = _inside(variable)
    if inverse:
        if _name(variable) == "TrueDiv":
            one, variable = variable.owner.inputs
            one = _inside(one)
            if getattr(one, "data", None) is None or one.data.size != 1 or float(one.data) != 1.0:
                return False
        elif _name(variable) == "Reciprocal":
            [variable] = variable.owner.inputs
        else:
            return False
        variable = _inside(variable)
    if _name(variable) != "Sqrt":
        return False
    diagonal = _inside(variable.owner.inputs[0])
    if _name(diagonal) != "ExtractDiag":
        return False
    return equal_computations([diagonal.owner.inputs[0]], [covariance])


def _side(variable: Any) -> str:
    """Whether a vector runs along the rows or the columns of the matrix it multiplies."""
    pattern = tuple(variable.type.broadcastable)
    if pattern in {(True, False), (False,)}:
        return "row"
    return "column" if pattern == (False, True) else ""


def _inside(variable: Any) -> Any:
    while variable.owner is not None and _name(variable) in _VIEWS:
        variable = variable.owner.inputs[0]
    return variable


def _name(variable: Any) -> str:
    if variable.owner is None:
        return ""
    scalar = getattr(variable.owner.op, "scalar_op", None)
    return type(scalar).__name__ if scalar is not None else op_name(variable.owner)
