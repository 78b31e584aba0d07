"""Quasi-Newton for costly objectives: the same maxima and endings with few evaluations."""

from __future__ import annotations

import numpy as np
import pytest

from pymle.optimize import Termination, differenced_hessian, maximise
from tests.optimize.jets import Problem
from tests.optimize.test_classics import CLASSICS

RNG = np.random.default_rng(3)
X = np.column_stack([np.ones(400), RNG.normal(size=(400, 5))])
COUNTS = RNG.poisson(np.exp(X @ np.array([0.5, 0.3, -0.2, 0.1, 0.4, 0.0])))
SCALES = np.array([1.0, 1e3, 1.0, 1e-3, 1.0, 1.0])


class Costly:
    """Counts evaluations; has a score, and no Hessian."""

    has_score, has_hessian, costly, dear = True, False, True, True

    def __init__(self, size, function):
        self.size, self._function, self.calls = size, function, 0

    def value(self, x):
        return self.value_and_score(x)[0]

    def value_and_score(self, x):
        self.calls += 1
        return self._function(np.asarray(x, dtype=float))

    def hessian_product(self, x, v):
        raise NotImplementedError

    def values(self, rows):
        return np.array([self.value(x) for x in rows])


def poisson(b):
    eta = X @ (b * SCALES)
    mean = np.exp(eta)
    return float(COUNTS @ eta - mean.sum()), SCALES * (X.T @ (COUNTS - mean))


def test_few_evaluations_to_the_maximum_with_its_curvature():
    objective = Costly(6, poisson)
    solution = maximise(objective, np.zeros(6))
    assert solution.record.method == "quasi-newton"
    assert solution.termination is Termination.CONVERGED
    assert objective.calls < 6 + 25 + 2 * 6 + 4
    eta = np.exp(X @ (solution.x * SCALES))
    exact = -(X * SCALES).T @ (eta[:, None] * X * SCALES)
    size = np.sqrt(np.outer(np.diag(exact), np.diag(exact)))
    np.testing.assert_allclose(solution.hessian / size, exact / size, atol=1e-5)
    assert solution.record.hessian_error < 1e-4
    step = np.linalg.solve(exact, solution.score)
    assert abs(step @ solution.score) < 1e-13


@pytest.mark.parametrize(
    "name", ["rosenbrock", "beale", "wood", "jennrich", "bard", "kowalik", "brown-dennis"]
)
def test_classics(name):
    function, start, accepted = CLASSICS[name]
    problem = Problem(lambda x: 1e4 * function(x), len(start))
    objective = Costly(len(start), problem.value_and_score)
    solution = maximise(objective, start)
    assert solution.converged, (solution.termination, solution.record.message)
    assert any(np.isclose(-solution.value / 1e4, v, rtol=1e-8, atol=1e-12) for v in accepted)


def test_a_maximum_at_infinity_is_no_maximum():
    def separated(b):
        eta = b[0] + b[1] * np.array([-2.0, -1.0, 1.0, 2.0])
        sign = np.array([-1.0, -1.0, 1.0, 1.0])
        p = 1 / (1 + np.exp(-sign * eta))
        rest = sign * (1 - p)
        return float(np.log(p).sum()), np.array([rest.sum(), rest @ [-2.0, -1.0, 1.0, 2.0]])

    solution = maximise(Costly(2, separated), np.zeros(2))
    assert not solution.converged


def test_a_saddle_is_left():
    def saddle(x):
        value = x[0] ** 2 - x[0] ** 4 - x[1] ** 2
        return float(value), np.array([2 * x[0] - 4 * x[0] ** 3, -2 * x[1]])

    solution = maximise(Costly(2, saddle), np.array([1e-3, 1.0]))
    assert solution.converged
    assert abs(solution.x[0]) == pytest.approx(np.sqrt(0.5), abs=1e-7)


def test_a_flat_direction_is_flat():
    def ridge(x):
        gap = x[0] + x[1] - 1.0
        return float(-(gap**2)), np.array([-2 * gap, -2 * gap])

    assert maximise(Costly(2, ridge), np.array([0.3, 2.0])).termination is Termination.FLAT


def test_edges_of_the_domain_shorten_steps():
    def logs(x):
        with np.errstate(all="ignore"):
            return float(np.sum(3 * np.log(x) - x)), 3 / x - 1

    solution = maximise(Costly(3, logs), np.array([0.01, 30.0, 2.0]))
    assert solution.converged
    np.testing.assert_allclose(solution.x, 3.0, atol=1e-6)


def test_differenced_curvature_agrees_with_ridders():
    objective = Costly(6, poisson)
    solution = maximise(objective, np.zeros(6))
    slow, _ = differenced_hessian(objective.value_and_score, solution.x)
    size = np.sqrt(np.outer(np.diag(slow), np.diag(slow)))
    np.testing.assert_allclose(solution.hessian / size, slow / size, atol=1e-5)
