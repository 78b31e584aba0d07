"""Differenced Hessians against exact ones, in any units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymle.optimize import differenced_hessian, directional_check
from tests.optimize.jets import Mapped, Problem, exp, log
from tests.optimize.test_classics import CLASSICS
from tests.optimize.test_invariance import poisson


def relative(found, exact):
    scale = np.sqrt(np.abs(np.diagonal(exact)))
    return np.abs((found - exact) / np.outer(scale, scale)).max()


@given(st.lists(st.integers(-9, 9), min_size=3, max_size=3))
def test_badly_scaled_coordinates(exponents):
    units = 10.0 ** np.array(exponents, dtype=float)
    problem = Mapped(Problem(poisson, 3), np.diag(units))
    x = np.array([0.3, 0.8, -0.2]) / units
    found, error = differenced_hessian(problem.value_and_score, x)
    true = relative(found, problem.hessian(x))
    assert true < 1e-9
    assert true <= 10.0 * error + 1e-14
    assert error < 1e-7
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.parametrize("name", ["bard", "gaussian", "kowalik", "rosenbrock", "brown-dennis"])
def test_classics(name):
    function, start, _ = CLASSICS[name]
    problem = Problem(function, len(start))
    x = np.array(start, dtype=float) + 0.1
    found, _ = differenced_hessian(problem.value_and_score, x)
    assert relative(found, problem.hessian(x)) < 1e-7


def test_near_the_edge_of_the_support():
    problem = Problem(lambda x: 3.0 * log(x[0]) - x[0], 1)
    for x in (1e-6, 1.0, 1e6):
        found, error = differenced_hessian(problem.value_and_score, np.array([x]))
        assert found[0, 0] == pytest.approx(-3.0 / x**2, rel=1e-7)
        assert error < 1e-6


def test_a_kinked_score_has_a_large_error():
    def kinked(x):
        return -0.5 * x[0] * abs(x[0]), -np.abs(x) + 1e-3 * np.sin(1e6 * x)

    _, error = differenced_hessian(kinked, np.array([1e-3]))
    assert not error < 1e-4


def test_directional_check():
    problem = Problem(poisson, 3)
    x = np.array([0.3, 0.8, -0.2])
    assert directional_check(problem.value_and_score, problem.hessian_product, x) < 1e-8
    wrong = directional_check(
        problem.value_and_score, lambda x, v: 1.001 * problem.hessian_product(x, v), x
    )
    assert wrong == pytest.approx(1e-3, rel=0.1)


def test_exponential_growth():
    problem = Problem(lambda x: -1.0 * exp(5.0 * x[0]) + x[0], 1)
    found, _ = differenced_hessian(problem.value_and_score, np.array([2.0]))
    assert found[0, 0] == pytest.approx(problem.hessian(np.array([2.0]))[0, 0], rel=1e-8)
