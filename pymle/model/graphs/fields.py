"""Laws of neighbours: dense adjacency matrices, and the constants that PyMC leaves out.

PyMC's ``CAR`` lacks ``sum(log D) / 2 - n log(2 pi) / 2``, with D the numbers of neighbours. Its
``ICAR`` lacks the determinant of the precision, which holds the scale: the density of n areas in
c connected parts has a factor ``sigma ** -(n - c)``. Samplers that hold the scale need neither;
a likelihood from which the areas are integrated does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.tensor.random.op import RandomVariable

from pymle.model import walks


def dense(node: Apply) -> list[Variable] | None:
    """A random variable over dense matrices, for a sparse constant: JAX has no others.

    Parameters
    ----------
    node : Apply

    Returns
    -------
    list of Variable or None
        None where nothing is sparse.
    """
    if type(node.op).__name__ == "DenseFromSparse" and _is_sparse(node.inputs[0]):
        return [pt.as_tensor(node.inputs[0].data.toarray())]
    if not isinstance(node.op, RandomVariable) or not any(map(_is_sparse, node.inputs)):
        return None
    inputs = [pt.as_tensor(v.data.toarray()) if _is_sparse(v) else v for v in node.inputs]
    return list(node.op.make_node(*inputs).outputs)


def _is_sparse(variable: Variable) -> bool:
    return isinstance(variable, Constant) and hasattr(variable.data, "toarray")


def missing_constant(rv: Any) -> Any | None:
    """What PyMC leaves out of the log-density of a law of neighbours.

    Parameters
    ----------
    rv : Variable
        The random variable.

    Returns
    -------
    Variable or None
        A scalar over the arguments of the law; None for a law that is whole.
    """
    name = type(rv.owner.op).__name__ if rv.owner is not None else ""
    if name == "CARRV":
        weights = _matrix(rv.owner.inputs[-4])
        degrees = weights.sum(axis=0).astype("float64")
        count = weights.shape[0].astype("float64")
        return 0.5 * pt.log(degrees).sum() - 0.5 * count * np.log(2.0 * np.pi)
    if name == "ICARRV":
        weights = walks.given_value(_matrix(rv.owner.inputs[-3]))
        if weights is not None:
            return _intrinsic(np.asarray(weights), rv.owner.inputs[-2])
    return None


def _intrinsic(weights: np.ndarray, sigma: Any) -> Any:
    """What an intrinsic autoregression lacks beside the law of its sum.

    The sum of all areas is Normal(0, zero_sum_stdev * n) in PyMC; the rest has the eigenvalues of
    the graph's Laplacian, all but the zeros, as precisions over ``sigma ** 2``.
    """
    linked = np.tril(weights) == 1.0  # as PyMC reads the matrix
    linked = (linked | linked.T).astype(float)
    size = len(linked)
    values = np.linalg.eigvalsh(np.diag(linked.sum(axis=0)) - linked)
    positive = values[values > 1e-9 * max(values[-1], 1.0)]
    scale = pt.as_tensor(sigma).astype("float64")
    constant = 0.5 * np.log(positive).sum() + 0.5 * np.log(size)
    return constant - len(positive) * (0.5 * np.log(2.0 * np.pi) + pt.log(scale))


def _matrix(weights: Any) -> Any:
    made = dense(weights.owner) if weights.owner is not None else None
    weights = made[0] if made else weights
    if _is_sparse(weights):
        weights = pt.as_tensor(weights.data.toarray())
    return pt.squeeze(weights, axis=tuple(range(weights.type.ndim - 2)))
