"""Constant matrices: decompositions computed once, products with few neighbours as gathers.

The eigenvalues of an adjacency matrix, the factor of a covariance whose parameters are all given:
left in the graph they would be computed anew at every evaluation. A product with an adjacency
matrix that is written as a sum over neighbours shows which areas touch which.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.type import RandomType

from pymle.model import walks
from pymle.model.graphs.repairs import rebuild

_COSTLY = {
    "Cholesky",
    "Det",
    "Eig",
    "Eigh",
    "EighGrad",
    "Eigvalsh",
    "Expm",
    "LU",
    "LUFactor",
    "MatrixInverse",
    "MatrixPinv",
    "QRFull",
    "QR",
    "QRIncomplete",
    "SLogDet",
    "SVD",
}


def decomposed(outputs: Sequence[Variable], data: Sequence[Variable]) -> list[Variable]:
    """Replace decompositions of constants by their values.

    Parameters
    ----------
    outputs : sequence of Variable
    data : sequence of Variable
        Constants that may be replaced by other data: what depends on them stays.

    Returns
    -------
    list of Variable
        The same quantities.
    """
    outputs, kept = list(outputs), set(data)
    every = list(ancestors(outputs))
    found = [v for v in every if v.owner is not None and _name(v.owner.op) in _COSTLY]
    if not found:
        return outputs
    constant = [v for v in found if _is_given(v, kept)]
    if not constant:
        return outputs
    values = walks.evaluate(constant)
    return clone_replace(
        outputs,
        {v: pt.as_tensor(np.asarray(a)) for v, a in zip(constant, values, strict=True)},
        rebuild_strict=False,
    )


#: Square matrices from this size on, with at most this share of a row that is not zero.
_SMALLEST, _FILLED = 12, 0.34


def gathered(outputs: Sequence[Variable], data: Sequence[Variable]) -> list[Variable]:
    """Write products with constant sparse square matrices as sums over what is not zero.

    Parameters
    ----------
    outputs : sequence of Variable
    data : sequence of Variable
        Constants that may be replaced by other data.

    Returns
    -------
    list of Variable
        The same quantities.
    """
    kept = set(data)

    def over_neighbours(node: Apply) -> list[Variable] | None:
        if _name(node.op) not in {"Dot", "MatMul"}:
            return None
        left, right = node.inputs
        turned = _is_square(left) and _is_given(left, kept)
        if not turned and not (_is_square(right) and _is_given(right, kept)):
            return None
        matrix, other = (left, right) if turned else (right, left)
        if other.type.ndim not in {1, 2} or _is_given(other, kept):
            return None
        [values] = walks.evaluate([matrix])
        found = _over_neighbours(values if turned else values.T, other, turned)
        return None if found is None else [found]

    return rebuild(list(outputs), (over_neighbours,))


def _over_neighbours(rows: np.ndarray, other: Variable, turned: bool) -> Variable | None:
    """Row i of the result is the sum over j of ``rows[i, j]`` times entry j of the operand."""
    size = len(rows)
    most = max(int((rows != 0).sum(axis=1).max()), 1)
    if most > _FILLED * size:
        return None
    where = np.argsort(rows == 0, axis=1, kind="stable")[:, :most]
    weight = np.take_along_axis(rows, where, axis=1).astype("float64")
    # Rows with fewer are filled up with themselves, times zero: no pair that is none.
    where = np.where(weight == 0, np.arange(size)[:, None], where)
    if other.type.ndim == 1:
        return (other[where] * weight).sum(axis=1)
    if turned:  # rows @ other
        return (other[where] * weight[:, :, None]).sum(axis=1)
    return (other[:, where] * weight).sum(axis=2)  # other @ rows.T


def _is_square(variable: Variable) -> bool:
    shape = variable.type.shape
    if len(shape) != 2 or None in shape:
        return False
    return shape[0] == shape[1] >= _SMALLEST


def _name(op: Any) -> str:
    core = getattr(op, "core_op", None)
    return type(core if core is not None else op).__name__


def _is_given(variable: Variable, kept: set[Variable]) -> bool:
    roots = [v for v in ancestors([variable]) if v.owner is None]
    return all(
        isinstance(root, Constant) and root not in kept and not isinstance(root.type, RandomType)
        for root in roots
    )
