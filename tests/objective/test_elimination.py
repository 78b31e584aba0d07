"""Sparse factorisations against dense ones."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy import sparse

from pymle.objective.integrate.elimination import eliminate
from pymle.objective.integrate.numeric import Numeric

RNG = np.random.default_rng(4)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def chain(n: int) -> sparse.coo_array:
    off = -np.ones(n - 1)
    return sparse.diags_array([2.1 * np.ones(n), off, off], offsets=[0, 1, -1]).tocoo()


def band(n: int) -> sparse.coo_array:
    one, two = -np.ones(n - 1), 0.7 * np.ones(n - 2)
    diagonals = [6.0 * np.ones(n), one, one, two, two]
    return sparse.diags_array(diagonals, offsets=[0, 1, -1, 2, -2]).tocoo()


def blocks(count: int, size: int) -> sparse.coo_array:
    parts = [m @ m.T + np.eye(size) for m in RNG.normal(size=(count, size, size))]
    return sparse.block_diag([sparse.coo_array(p) for p in parts]).tocoo()


def crossed(first: int, second: int, rows: int) -> sparse.coo_array:
    columns = np.r_[RNG.integers(0, first, rows), first + RNG.integers(0, second, rows)]
    design = sparse.csr_array(
        (np.ones(2 * rows), (np.r_[np.arange(rows), np.arange(rows)], columns)),
        shape=(rows, first + second),
    )
    return (design.T @ design + sparse.eye_array(first + second)).tocoo()


MATRICES = {
    "diagonal": sparse.diags_array([RNG.random(50) + 1.0], offsets=[0]).tocoo(),
    "chain": chain(400),
    "band": band(300),
    "blocks": blocks(60, 3),
    "crossed": crossed(120, 20, 900),
    "dense": blocks(1, 30),
    "one": sparse.coo_array(np.array([[2.0]])),
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("both_triangles", [True, False])
def test_equals_dense(name: str, both_triangles: bool):
    matrix = MATRICES[name]
    dense = matrix.toarray()
    n = len(dense)
    part = matrix if both_triangles else sparse.tril(matrix).tocoo()
    plan = eliminate(part.row, part.col, n)
    right = jax.numpy.asarray(RNG.normal(size=n))

    def both(values):
        factor = plan.factorise(plan.arrays, values)
        return factor.logdet, factor.solve(right), factor.smallest_pivot

    logdet, solution, smallest = jax.jit(both)(jax.numpy.asarray(part.data))
    sign, expected = np.linalg.slogdet(dense)
    assert sign == 1
    assert float(logdet) == pytest.approx(expected, rel=1e-12, abs=1e-10)
    np.testing.assert_allclose(dense @ np.asarray(solution), right, atol=1e-9)
    assert float(smallest) > 0
    gradient = jax.grad(lambda v: plan.factorise(plan.arrays, v).logdet)(
        jax.numpy.asarray(part.data)
    )
    # The derivative of the log-determinant is the inverse, on the pattern; entries below the
    # diagonal stand for both where one triangle is given, for none where the other is used.
    inverse = np.linalg.inv(dense)
    twice = np.where(part.row == part.col, 1.0, 2.0)
    if both_triangles:
        twice = np.where(part.row > part.col, 0.0, twice)
    np.testing.assert_allclose(gradient, twice * inverse[part.row, part.col], atol=1e-9)


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("both_triangles", [True, False])
def test_numpy_equals_dense(name: str, both_triangles: bool):
    matrix = MATRICES[name]
    dense = matrix.toarray()
    part = matrix if both_triangles else sparse.tril(matrix).tocoo()
    factor = Numeric(eliminate(part.row, part.col, len(dense))).factorise(part.data)
    assert factor.logdet == pytest.approx(np.linalg.slogdet(dense)[1], rel=1e-12, abs=1e-10)
    assert factor.smallest_pivot > 0
    right = RNG.normal(size=(len(dense), 3))
    np.testing.assert_allclose(dense @ factor.solve(right), right, atol=1e-9)
    np.testing.assert_allclose(dense @ factor.solve(right[:, 0]), right[:, 0], atol=1e-9)
    inverse = np.linalg.inv(dense)
    root = np.stack([factor.root(z) for z in np.eye(len(dense))], axis=1)
    np.testing.assert_allclose(root @ root.T, inverse, atol=1e-9)
    twice = np.where(part.row == part.col, 1.0, 2.0)
    if both_triangles:
        twice = np.where(part.row > part.col, 0.0, twice)
    np.testing.assert_allclose(
        factor.logdet_slope(), twice * inverse[part.row, part.col], atol=1e-9
    )


@pytest.mark.parametrize("name", ["chain", "dense", "crossed"])
def test_numpy_sees_an_indefinite_matrix(name: str):
    part = MATRICES[name].tocoo()
    values = part.data - 1e3 * (part.row == part.col) * (part.row == 3)
    factor = Numeric(eliminate(part.row, part.col, part.shape[0])).factorise(values)
    assert not factor.smallest_pivot > 0


def test_an_indefinite_matrix_is_seen():
    for name in ("chain", "dense"):
        matrix = MATRICES[name]
        values = np.where(matrix.row == matrix.col, matrix.data - 30.0, matrix.data)
        plan = eliminate(matrix.row, matrix.col, matrix.shape[0])
        assert not float(plan.factorise(plan.arrays, jax.numpy.asarray(values)).smallest_pivot) > 0


def test_groups_are_eliminated_without_a_core():
    for name in ("diagonal", "blocks"):
        matrix = MATRICES[name]
        plan = eliminate(matrix.row, matrix.col, matrix.shape[0])
        assert plan.core_size == 0
        assert len(plan.rounds) <= 3


def test_a_diagonal_entry_must_be_there():
    with pytest.raises(ValueError, match="no diagonal entry"):
        eliminate(np.array([0]), np.array([0]), 2)
