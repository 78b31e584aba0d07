"""Several starts: the best one first, nothing dropped."""

import numpy as np
import pytest

from pymle.optimize import Termination, dispersed, explore, maximise
from tests.optimize.jets import Problem, exp, log


def hills(x):
    """Two hills: height 2 at 3, height 1 at -3 (nearly)."""
    return 2.0 * exp(-0.5 * (x[0] - 3.0) ** 2) + exp(-0.5 * (x[0] + 3.0) ** 2)


def test_the_higher_hill_comes_first():
    found = explore(Problem(hills, 1), [[-3.5], [-2.5], [2.5], [3.5]])
    assert found.best.x[0] == pytest.approx(3.0, abs=1e-3)
    assert [len(c.members) for c in found.clusters] == [2, 2]
    assert found.best_share == 0.5
    assert not found.higher_unconverged
    assert found.failures == ()


def test_a_better_solution_replaces_the_first():
    problem = Problem(hills, 1)
    first = maximise(problem, [-3.5])
    found = explore(problem, [[3.5]], first=first)
    assert found.best.value > first.value + 0.9
    assert any(s is first for s in found.solutions)
    assert found.best_share == 0.5


def test_failures_are_described():
    found = explore(Problem(lambda x: log(x[0]) - x[0], 1), [[2.0], [-1.0]])
    assert len(found.solutions) == 2
    ((position, reason),) = found.failures
    assert position == 1
    assert "not finite" in reason
    assert found.best.converged


def test_a_runaway_above_the_best_is_told():
    # A hill of height one, and a slope that rises to two at infinity.
    problem = Problem(lambda x: exp(-0.5 * (x[0] + 3.0) ** 2) + 2.0 - 2.0 / (1.0 + exp(x[0])), 1)
    found = explore(problem, [[-3.2], [5.0]])
    assert found.higher_unconverged
    assert Termination.RUNAWAY in {s.termination for s in found.solutions}


def test_equivalent_maxima_are_separate_clusters():
    found = explore(Problem(lambda x: -1.0 * (x[0] ** 2 - 1.0) ** 2, 1), [[-2.0], [2.0], [3.0]])
    assert found.best_share == 1.0
    assert sorted(round(float(c.x[0])) for c in found.clusters) == [-1, 1]


def test_the_promising_and_the_different_are_taken():
    problem = Problem(hills, 1)
    candidates = np.concatenate([3.0 + 0.01 * np.arange(20), [-3.0]])[:, None]
    found = explore(problem, candidates, max_starts=2)
    starts = sorted(float(s.record.start[0]) for s in found.solutions)
    assert starts == [-3.0, 3.0]
    assert found.starts_left == 19


def test_time_limit_keeps_what_was_done():
    found = explore(Problem(hills, 1), [[-3.5], [3.5]], max_seconds=0.0)
    assert len(found.solutions) == 1
    assert found.starts_left == 1
    assert "time limit" in found.termination


def test_dispersed():
    points = dispersed([1.0, -2.0], [1e-9, 1e9], 40, seed=3)
    assert points.shape == (40, 2)
    assert np.all(np.isfinite(points))
    np.testing.assert_array_equal(points, dispersed([1.0, -2.0], [1e-9, 1e9], 40, seed=3))
    assert not np.array_equal(points, dispersed([1.0, -2.0], [1e-9, 1e9], 40, seed=4))
    away = np.abs(points - [1.0, -2.0]) / [1e-9, 1e9]
    assert np.all(np.median(away, axis=0) > 0.1)
    assert np.all(away.max(axis=0) > 5.0)
    assert dispersed([0.0], 1.0, 0).shape == (0, 1)
