"""Transforms for matrix supports that PyMC 5 leaves without a usable one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform

from pymle.model import walks


class PackedCorrelationTransform(Transform):
    """Upper triangle of a correlation matrix, packed by rows, to the real line.

    Each row of the Cholesky factor is built by stick breaking with the tanh of the
    unconstrained values, so that the matrix is positive definite for every value
    (Lewandowski, Kurowicka and Joe 2009, doi:10.1016/j.jmva.2009.04.008).
    """

    name = "packed-correlation"
    ndim_supp = 1

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Unconstrained values to packed correlations, both of shape (n (n - 1) / 2,)."""
        n = _order(inputs)
        factor, _ = _factor(value, n)
        return pt.stack(
            [_dot(factor[i], factor[j]) for i in range(n) for j in range(i + 1, n)], axis=-1
        )

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Packed correlations to unconstrained values."""
        n = _order(inputs)
        rows, columns = np.triu_indices(n, k=1)
        matrix = pt.eye(n)
        matrix = pt.set_subtensor(matrix[rows, columns], value)
        matrix = pt.set_subtensor(matrix[columns, rows], value)
        chol = pt.linalg.cholesky(matrix)
        out = []
        for i in range(1, n):
            rest = pt.constant(1.0)
            for j in range(i):
                out.append(pt.arctanh(chol[i, j] / pt.sqrt(rest)))
                rest = rest - chol[i, j] ** 2
        return pt.stack(out, axis=-1)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log-determinant of the derivative of ``backward``."""
        n = _order(inputs)
        _, terms = _factor(value, n)
        # d r_ij = (prod over k < i of L_kk) * (row rests) * (1 - tanh^2): the Jacobian is
        # triangular in the order of the rows; L_jj enters each later row's entry j.
        factor, _ = _factor(value, n)
        total = sum(terms)
        for i in range(1, n):
            for j in range(i):
                total = total + pt.log(factor[j][j])
        return total


class CorrelationFactorTransform(Transform):
    """Cholesky factor of a correlation matrix (LKJCorr on PyMC 6) to the real line, by rows.

    A row is its unconstrained entries and a 1, divided by their norm: PyMC's own transform with
    another order of the entries, and without operations that JAX cannot trace.

    Parameters
    ----------
    n : int
        Order of the matrix.
    """

    name = "correlation-factor"
    ndim_supp = 1

    def __init__(self, n: int) -> None:
        self.n = n
        super().__init__()

    def _row(self, value: Any, i: int) -> Any:
        start = i * (i - 1) // 2
        return value[..., start : start + i]

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Unconstrained values to the factor, shape (n, n)."""
        del inputs
        rows = []
        for i in range(self.n):
            entries = self._row(value, i)
            one: Any = pt.ones_like(value[..., :1]) if self.n > 1 else pt.ones((1,))
            norm: Any = pt.sqrt(1.0 + pt.sum(entries**2, axis=-1, keepdims=True))
            parts = [entries / norm, one / norm, *[pt.zeros_like(one)] * (self.n - 1 - i)]
            rows.append(pt.concatenate(parts, axis=-1))
        return pt.stack(rows, axis=-2)

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Factor to unconstrained values."""
        del inputs
        rows = [value[..., i, :i] / value[..., i, i : i + 1] for i in range(1, self.n)]
        return pt.concatenate(rows, axis=-1) if rows else pt.zeros((0,))

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log-determinant of the derivative of the entries below the diagonal."""
        del inputs
        terms = [
            -0.5 * (i + 2) * pt.log1p(pt.sum(self._row(value, i) ** 2, axis=-1))
            for i in range(1, self.n)
        ]
        return sum(terms, pt.zeros(()))


class CovarianceTransform(Transform):
    """Positive definite matrix to its log-Cholesky coordinates, by rows."""

    name = "log-cholesky"
    ndim_supp = 2

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Vector of n (n + 1) / 2 values to an (n, n) positive definite matrix."""
        n = int(inputs[-1].type.shape[-1])
        rows, columns = np.tril_indices(n)
        diagonal = np.flatnonzero(rows == columns)
        value = pt.set_subtensor(value[diagonal], pt.exp(value[diagonal]))
        chol = pt.set_subtensor(pt.zeros((n, n))[rows, columns], value)
        return chol @ chol.T

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Positive definite matrix to n (n + 1) / 2 unconstrained values."""
        n = int(inputs[-1].type.shape[-1])
        rows, columns = np.tril_indices(n)
        diagonal = np.flatnonzero(rows == columns)
        packed = pt.linalg.cholesky(value)[rows, columns]
        return pt.set_subtensor(packed[diagonal], pt.log(packed[diagonal]))

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log-determinant of the derivative of ``backward`` on the lower triangle."""
        n = int(inputs[-1].type.shape[-1])
        rows, columns = np.tril_indices(n)
        diagonal = np.flatnonzero(rows == columns)
        powers = np.arange(n + 1, 1, -1)
        return n * np.log(2.0) + pt.sum(powers * value[diagonal])


def _order(inputs: Any) -> int:
    return int(walks.evaluate([inputs[-2]])[0])


def _factor(value: Any, n: int) -> tuple[list[list[Any]], list[Any]]:
    rows: list[list[Any]] = [[pt.constant(1.0)]]
    log_jacobian: list[Any] = []
    at = 0
    for i in range(1, n):
        row: list[Any] = []
        rest = pt.constant(1.0)
        for _ in range(i):
            z = pt.tanh(value[..., at])
            row.append(z * pt.sqrt(rest))
            log_jacobian.append(0.5 * pt.log(rest) + pt.log1p(-(z**2)))
            rest = rest * (1 - z**2)
            at += 1
        row.append(pt.sqrt(rest))
        rows.append(row)
    return rows, log_jacobian


def _dot(left: list[Any], right: list[Any]) -> Any:
    return sum(a * b for a, b in zip(left, right, strict=False))
