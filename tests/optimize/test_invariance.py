"""What the search finds does not depend on the units of the coordinates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymle.optimize import maximise
from tests.optimize.jets import Mapped, Problem, exp, squares

CLAIMS = np.array([0, 1, 1, 2, 0, 3, 5, 2, 8, 6], dtype=float)
AGE = np.linspace(-1.0, 1.0, 10)


def poisson(b):
    eta = b[0] + b[1] * AGE + b[2] * AGE**2
    return (CLAIMS * eta - exp(eta)).sum()


def rosenbrock(x):
    return squares(10.0 * (x[1] - x[0] ** 2), 1.0 - x[0])


@pytest.mark.parametrize("powers", [(30, -30), (-30, 30), (0, 60), (-45, -45)])
def test_units_of_coordinates_leave_the_iterates_alone(powers):
    # Powers of two make the rescaling exact; 2**30 is about 1e9.
    units = 2.0 ** np.array(powers)
    plain = maximise(Problem(rosenbrock, 2), [-1.2, 1.0])
    scaled = maximise(Mapped(Problem(rosenbrock, 2), np.diag(units)), np.array([-1.2, 1.0]) / units)
    assert [s.value for s in scaled.record.trace] == [s.value for s in plain.record.trace]
    assert [s.radius for s in scaled.record.trace] == [s.radius for s in plain.record.trace]
    np.testing.assert_array_equal(scaled.x * units, plain.x)


@pytest.mark.parametrize("units", [(1e9, 1e-9), (1e-9, 1e9), (1e-9, 1e-9)])
def test_decimal_units_too(units):
    units = np.array(units)
    plain = maximise(Problem(rosenbrock, 2), [-1.2, 1.0])
    scaled = maximise(Mapped(Problem(rosenbrock, 2), np.diag(units)), np.array([-1.2, 1.0]) / units)
    assert scaled.converged
    assert scaled.record.iterations == plain.record.iterations
    np.testing.assert_allclose(scaled.x * units, plain.x, rtol=1e-10)


@pytest.mark.parametrize("method", ["newton-cg", "lbfgs"])
def test_other_methods_survive_other_units(method):
    units = np.array([1e9, 1e-9, 1.0])
    problem = Problem(poisson, 3)
    plain = maximise(problem, np.zeros(3))
    scaled = maximise(Mapped(problem, np.diag(units)), np.zeros(3), method=method)
    assert scaled.converged
    np.testing.assert_allclose(scaled.x * units, plain.x, rtol=1e-7, atol=1e-9)


entries = st.lists(st.floats(-0.3, 0.3), min_size=9, max_size=9)
exponents = st.lists(st.integers(-9, 9), min_size=3, max_size=3)
offsets = st.lists(st.floats(-1.0, 1.0), min_size=3, max_size=3)


@given(entries, exponents, offsets)
def test_affine_maps_leave_the_maximum_alone(entries, exponents, offset):
    matrix = (np.eye(3) + np.reshape(entries, (3, 3))) * 10.0 ** np.array(exponents, dtype=float)
    problem = Problem(poisson, 3)
    plain = maximise(problem, np.zeros(3))
    mapped = maximise(Mapped(problem, matrix, offset), np.zeros(3))
    assert mapped.converged
    assert mapped.value == pytest.approx(plain.value, abs=1e-10)
    scale = np.sqrt(-np.diagonal(plain.hessian))
    error = (matrix @ mapped.x + offset - plain.x) * scale
    assert np.abs(error).max() < 1e-8
    assert not mapped.record.runaway
