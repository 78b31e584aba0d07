"""Ridges and tails of functions whose shape is known."""

from __future__ import annotations

import numpy as np
import pytest

from pymle.optimize import maximise
from pymle.verdict import curvature_of, find_tails, look_along
from tests.optimize.jets import Problem, exp

REAL = np.array([False, False])
BENT = np.array([True, True])


def looked_at(function, start, bent):
    problem = Problem(function, len(start))
    solution = maximise(problem, start)
    curvature = curvature_of(-problem.hessian(solution.x))
    return look_along(problem, solution, curvature, bent, maximise), curvature


def test_a_circle_is_a_ridge():
    def circle(x):
        return -1.0 * (x[0] * x[0] + x[1] * x[1] - 4.0) ** 2

    ridge, _ = looked_at(circle, [1.0, 2.0], REAL)
    assert ridge.flat == 1
    assert not ridge.curvature.positive
    [direction] = ridge.curvature.null_space.T
    # Along the circle, across the radius.
    x = maximise(Problem(circle, 2), [1.0, 2.0]).x
    assert abs(direction @ x) / np.linalg.norm(direction) / np.linalg.norm(x) < 1e-5


@pytest.mark.parametrize("small", [1e-7, 1e-9, 1e-11])
def test_a_long_hill_is_none(small):
    ridge, curvature = looked_at(
        lambda x: -1.0 * (x[0] - x[1]) ** 2 - small * (x[0] + x[1] - 2.0) ** 2, [3.0, 2.9], REAL
    )
    assert ridge.flat == 0
    assert ridge.curvature is curvature


def test_a_coordinate_that_does_nothing_is_not_hidden_by_its_scale():
    # Curvature of 1e-14 on a log scale is rounding; scaled to one it would look like any other.
    problem = Problem(lambda x: -0.5 * x[0] * x[0], 2)
    solution = maximise(problem, [1.0, 0.3])
    information = np.diag([1.0, 1e-14])
    ridge = look_along(problem, solution, curvature_of(information), BENT, maximise)
    assert curvature_of(information).positive
    assert ridge.flat == 1
    assert not ridge.curvature.positive
    np.testing.assert_allclose(np.abs(ridge.curvature.lowest_direction), [0, 1], atol=1e-6)


def tails_of(function, x):
    problem = Problem(function, 2)
    x = np.asarray(x, dtype=float)
    return find_tails(
        problem.value,
        x,
        curvature_of(-problem.hessian(x)),
        labels=["a", "b"],
        bent=BENT,
        lower_edge=np.array([True, True]),
        upper_edge=np.array([False, False]),
        saturated=[],
        hessian=problem.hessian,
    )


def test_two_coordinates_that_run_away_together():
    # Only their difference matters far out, as for the shapes of a beta-binomial.
    tails = tails_of(lambda x: -4.0 * (x[0] - x[1]) ** 2 - exp(-0.5 * (x[0] + x[1])), [25.0, 25.0])
    assert tails.towards == {"a": 1.0, "b": 1.0}
    assert tails.infinite
    assert not tails.rising
    assert tails.steady


def test_an_edge_at_which_the_rest_settles():
    tails = tails_of(lambda x: -0.5 * x[1] * x[1] - exp(2.0 * x[0]), [-15.0, 0.0])
    assert tails.towards == {"a": -1.0}
    assert not tails.infinite
    assert tails.steady


def test_a_rest_that_does_not_settle():
    # The other coordinate is known ever better on the way out: no standard error has a limit.
    tails = tails_of(lambda x: -0.5 * x[1] * x[1] * exp(x[0]) - exp(-x[0]), [25.0, 0.0])
    assert tails.towards == {"a": 1.0}
    assert not tails.steady


def test_no_tail_at_a_wide_maximum():
    assert tails_of(lambda x: -0.5 * x[1] * x[1] - 1e-3 * x[0] * x[0], [0.0, 0.0]) is None
