"""Many starts climbed in one batch: the ends of the ordinary searches, found together."""

import numpy as np
import pytest

from pymle.optimize import Termination, explore, maximise
from pymle.optimize.batch import can_climb_together, solve_together
from pymle.optimize.together import End, climb_together
from tests.optimize.jets import Problem, exp, log


class Many(Problem):
    """A problem that evaluates many points with their derivatives."""

    together = True

    def evaluations(self, X):
        parts = [(*self.value_and_score(x), self.hessian(x)) for x in X]
        value, score, hessian = zip(*parts, strict=True)
        return np.array(value), np.array(score), np.array(hessian)


def hills(x):
    """Two hills: height 2 at 3, height 1 at -3 (nearly)."""
    return 2.0 * exp(-0.5 * (x[0] - 3.0) ** 2) + exp(-0.5 * (x[0] + 3.0) ** 2)


def rosenbrock(x):
    """Maximum 0 at (1, 1), along a bent valley."""
    return -100.0 * (x[1] - x[0] ** 2) ** 2 - (1.0 - x[0]) ** 2


STARTS = np.random.default_rng(1).normal(size=(12, 2)) * 2.0


def test_each_search_ends_where_it_would_alone():
    problem = Many(rosenbrock, 2)
    solutions = solve_together(problem, STARTS, maximise)
    for start, solution in zip(STARTS, solutions, strict=True):
        assert solution.converged
        np.testing.assert_allclose(solution.x, [1.0, 1.0], atol=1e-12)
        np.testing.assert_array_equal(solution.record.start, start)
        assert solution.record.start_value == pytest.approx(problem.value(start))
        assert solution.record.evaluations["hessian"] >= solution.record.iterations > 0


def test_regular_ends_are_maxima_to_rounding():
    ends = climb_together(Many(rosenbrock, 2).evaluations, STARTS)
    regular = ends.ends == End.REGULAR
    assert regular.sum() >= len(STARTS) - 4  # all but the last few, which are left
    np.testing.assert_allclose(ends.x[regular], 1.0, atol=1e-12)
    assert np.all(ends.gain[regular] < 1e-20)


def test_indefinite_curvature_is_used():
    """A saddle at the origin between two maxima of height 1/4."""
    saddle = Many(lambda x: 0.5 * x[0] ** 2 - 0.25 * x[0] ** 4 - x[1] ** 2, 2)
    starts = np.array([[1e-3, 1.0], [-1e-3, 1.0], [0.2, -3.0], [-0.2, 0.0], [0.0, 1.0]])
    solutions = solve_together(saddle, starts, maximise)
    assert [round(s.x[0], 12) for s in solutions[:4]] == [1.0, -1.0, 1.0, -1.0]
    assert all(s.converged and s.value == pytest.approx(0.25) for s in solutions)


def test_every_end_is_named():
    """Outside the domain, a slope to infinity, a hill: as the ordinary search names them."""
    problem = Many(lambda x: log(x[0]) - x[0], 1)
    solutions = solve_together(problem, np.array([[2.0], [-1.0], [0.1], [5.0], [9.0]]), maximise)
    assert [s.converged for s in solutions] == [True, False, True, True, True]
    assert solutions[1].termination is Termination.NON_FINITE_START
    tail = Many(lambda x: 0.0 - exp(-1.0 * x[0]), 1)
    for solution in solve_together(tail, np.arange(5.0)[:, None], maximise):
        assert not solution.converged
        assert solution.termination is Termination.RUNAWAY


def test_explore_in_a_batch():
    starts = np.linspace(-4.0, 4.0, 15)[:, None]
    alone = explore(Problem(hills, 1), starts)
    batch = explore(Many(hills, 1), starts, together=solve_together)
    assert batch.starts_run == 15
    assert batch.best.value == pytest.approx(alone.best.value, abs=1e-14)
    assert len(batch.top_clusters) == 1
    # The two may fall to different sides where a start lies between the hills.
    assert abs(batch.best_share - alone.best_share) <= 0.15


def test_an_interruption_keeps_what_was_reached():
    problem, seen = Many(rosenbrock, 2), []

    def stop(step):
        seen.append(step.value)
        if len(seen) == 4:
            raise KeyboardInterrupt

    found = explore(problem, STARTS, together=solve_together, callback=stop)
    assert found.termination.startswith("Interrupted")
    assert found.starts_run == len(STARTS)
    assert found.best.value == max(seen) > min(s.record.start_value for s in found.solutions)
    late = explore(problem, STARTS, together=solve_together, max_seconds=0.0)
    assert {s.termination for s in late.solutions} == {Termination.TIME_LIMIT}
    assert "time limit" in late.termination


def test_what_cannot_run_in_a_batch():
    assert not can_climb_together(Problem(hills, 1), "auto")
    assert not can_climb_together(Many(hills, 1), "lbfgs")
    assert can_climb_together(Many(hills, 1), "auto")
