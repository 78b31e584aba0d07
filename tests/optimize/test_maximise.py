"""The search from bad starts, and the names of the ways in which it can end."""

import numpy as np
import pytest

from pymle.optimize import Termination, maximise
from tests.optimize.jets import Problem, exp, log, log1pexp

Y = np.random.default_rng(0).normal(5.0, 2.0, 50)


def gauss(x):
    z = (Y - x[0]) * exp(-1.0 * x[1])
    return -0.5 * (z * z).sum() - Y.size * x[1]


def solve(function, start, **options):
    return maximise(Problem(function, len(start)), np.array(start, dtype=float), **options)


@pytest.mark.parametrize("method", ["newton", "newton-cg", "lbfgs"])
@pytest.mark.parametrize(
    "start",
    [
        (1e6, np.log(1e-8)),
        (-1e6, np.log(1e8)),
        (5.0, np.log(1e8)),
        (5.0, np.log(1e-8)),
        (1e6, 0.0),
    ],
)
def test_gaussian_from_awful_starts(start, method):
    solution = solve(gauss, start, method=method)
    assert solution.termination is Termination.CONVERGED, solution.record.message
    np.testing.assert_allclose(solution.x, [Y.mean(), np.log(Y.std())], rtol=1e-13)
    assert solution.record.expected_gain < 1e-24
    assert not solution.record.runaway


def test_record_and_final_curvature():
    steps = []
    solution = solve(gauss, (0.0, 0.0), callback=steps.append)
    record = solution.record
    assert tuple(steps) == record.trace
    assert record.method == "newton"
    assert record.start_value == pytest.approx(Problem(gauss, 2).value([0.0, 0.0]))
    assert record.end_value == solution.value
    assert record.step_ratio < 0.01
    assert record.decrement_ratio < 0.01
    values = [step.value for step in record.trace]
    assert values == sorted(values)
    n, sigma = Y.size, Y.std()
    np.testing.assert_allclose(
        solution.hessian, [[-n / sigma**2, 0.0], [0.0, -2.0 * n]], rtol=1e-12, atol=1e-12
    )
    with pytest.raises(ValueError, match="read-only"):
        solution.x[0] = 1.0


@pytest.mark.parametrize("method", ["newton", "newton-cg", "lbfgs"])
@pytest.mark.parametrize("start", [(0.0, 0.0), (0.0, 3.0), (0.0, -1e-9)])
def test_saddle_points_are_left(start, method):
    solution = solve(lambda x: x[0] ** 2 - x[0] ** 4 - x[1] ** 2, start, method=method)
    assert solution.termination is Termination.CONVERGED
    assert solution.value == pytest.approx(0.25, abs=1e-12)


def test_a_saddle_in_a_rotated_frame_with_other_units():
    def hills(x):
        a, b = 1e-9 * x[0] + 1e9 * x[1], 1e-9 * x[0] - 1e9 * x[1]
        return a**2 - a**4 - 2.0 * b**2

    solution = solve(hills, (0.0, 0.0))
    assert solution.converged
    assert solution.value == pytest.approx(0.25, abs=1e-12)


def test_a_far_tail_with_upward_curvature():
    solution = solve(lambda x: exp(-0.5 * x[0] ** 2), [10.0])
    assert solution.converged
    assert solution.x[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("function", "start"),
    [
        (lambda x: 0.0 * x[0] + 3.0, [10.0]),
        (lambda x: exp(-0.5 * x[0] ** 2) - 1000.0, [1234.5]),
        (lambda x: -1.0 * (x[0] + x[1] - 1.0) ** 2, [10.0, 3.0]),
        (lambda x: -1.0 * (1e-9 * x[0] + 1e9 * x[1] - 1.0) ** 2, [10.0, 3.0]),
        (lambda x: -1.0 * (x[0] * x[1] - 1.0) ** 2, [10.0, 3.0]),
        (lambda x: -1.0 * (x[0] - 1.0) ** 2 + 0.0 * x[1], [10.0, 3.0]),
    ],
    ids=["constant", "plateau", "sum", "sum in other units", "bent ridge", "unused"],
)
def test_flat_directions_are_named(function, start):
    solution = solve(function, start)
    assert solution.termination is Termination.FLAT
    assert not solution.converged


def test_a_plateau_near_a_hill_is_left():
    # At the start the hill raises the value by 1e-22, far below its rounding.
    solution = solve(lambda x: exp(-0.5 * x[0] ** 2) - 1000.0, [10.0])
    assert solution.converged
    assert solution.value == -999.0


@pytest.mark.parametrize("method", ["newton", "newton-cg"])
@pytest.mark.parametrize("start", [[50.0], [1e-3], [1e-12]])
def test_regions_without_a_value(start, method):
    solution = solve(lambda x: log(x[0]) - x[0], start, method=method)
    assert solution.converged
    assert solution.x[0] == pytest.approx(1.0, rel=1e-13)


def test_a_hessian_that_is_not_finite_is_a_failed_step():
    class Hole(Problem):
        def hessian(self, x):
            return super().hessian(x) * (np.nan if 0.9 < x[0] < 2.9 else 1.0)

    solution = maximise(Hole(lambda x: -1.0 * (x[0] - 3.0) ** 4 - (x[0] - 3.0) ** 2, 1), [0.0])
    assert np.isfinite(solution.value)
    assert not solution.converged
    assert solution.termination in (Termination.EDGE, Termination.NO_PROGRESS)


@pytest.mark.parametrize("method", ["newton", "newton-cg", "lbfgs"])
@pytest.mark.parametrize(
    "function",
    [lambda x: x[0] - x[1] ** 2, lambda x: log(x[0]) - x[1] ** 2],
    ids=["linear", "logarithm"],
)
def test_unbounded_growth_ends(function, method):
    solution = solve(function, [1.0, 1.0], method=method)
    # L-BFGS loses the ray to the rounding of a value of 1e19, and runs into the limit.
    allowed = {Termination.UNBOUNDED} | (
        {Termination.ITERATION_LIMIT} if method == "lbfgs" else set()
    )
    assert solution.termination in allowed, solution.record.message
    assert sum(solution.record.evaluations.values()) < 3000


def test_collapse_of_a_scale_is_unbounded():
    # A component that sits on one observation: the likelihood grows as its sigma vanishes.
    def mixture(x):
        z = (Y - x[0]) * exp(-1.0 * x[1])
        narrow = -0.5 * (z * z) - x[1]
        wide = -0.5 * ((Y - 5.0) / 2.0) ** 2
        return (log1pexp(narrow - wide) + wide).sum()

    solution = solve(mixture, [Y[3], -8.0])
    assert not solution.converged
    assert solution.termination in (Termination.UNBOUNDED, Termination.EDGE)


def test_edge_of_the_domain():
    def cut(x):
        return x[0] if x.v[0] < 1.0 else x[0] * np.nan

    solution = solve(cut, [0.0])
    assert solution.termination is Termination.EDGE
    assert solution.x[0] == pytest.approx(1.0, abs=1e-6)


TIMES = np.arange(6.0) - 2.5
SIGNS = np.sign(TIMES)
EFFECTS = np.linspace(-1.0, 1.0, 8)


def separated(b):
    return -1.0 * log1pexp(-1.0 * SIGNS * (b[0] + b[1] * TIMES)).sum() - 1e3


def vanishing_variance(x):
    v = 1.0 + exp(2.0 * x[0])
    return -0.5 * (EFFECTS**2).sum() / v - 0.5 * EFFECTS.size * log(v)


@pytest.mark.parametrize("method", ["newton", "newton-cg", "lbfgs"])
@pytest.mark.parametrize(
    ("function", "start", "direction"),
    [
        (separated, [0.0, 0.0], [0.0, 1.0]),
        (vanishing_variance, [0.0], [-1.0]),
        (lambda x: -1.0 / x[0] - x[1] ** 2, [3.0, 1.0], [1.0, 0.0]),
        (lambda x: -1.0 * exp(-1e6 * x[0]) - (1e-6 * x[1]) ** 2, [0.0, 1.0], [1.0, 0.0]),
    ],
    ids=["separation", "variance to zero", "power tail", "other units"],
)
def test_a_maximum_at_infinity_is_a_runaway(function, start, direction, method):
    solution = solve(function, start, method=method)
    assert solution.termination is Termination.RUNAWAY, solution.record.message
    assert not solution.converged
    assert solution.record.runaway
    assert solution.record.step_ratio > 0.9
    assert 0.5 < solution.record.decrement_ratio < 0.97
    np.testing.assert_allclose(solution.record.runaway_direction, direction, atol=1e-3)


def test_a_runaway_is_seen_from_far_out_on_the_tail():
    solution = solve(separated, [0.0, 40.0])
    assert solution.record.runaway


@pytest.mark.parametrize("seed", range(20))
def test_nearly_separated_data_are_no_runaway(seed):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.normal(size=12))
    y = (x > 0.0).astype(float)
    y[5], y[6] = 1.0, 0.0
    signs = 2.0 * y - 1.0
    solution = solve(lambda b: -1.0 * log1pexp(-1.0 * signs * (b[0] + b[1] * x)).sum(), [0.0, 0.0])
    assert solution.converged
    assert not solution.record.runaway


@pytest.mark.parametrize("offset", [0.0, -1e3, -1e7])
@pytest.mark.parametrize("seed", range(5))
def test_starting_at_the_maximum_is_no_runaway(seed, offset):
    start = np.array([Y.mean(), np.log(Y.std())])
    start = start * (1.0 + 1e-15 * np.random.default_rng(seed).normal(size=2))
    solution = solve(lambda x: gauss(x) + offset, start)
    assert solution.converged
    assert not solution.record.runaway
    assert np.all(np.abs(solution.x - start) < 1e-12)


@pytest.mark.parametrize("power", [4, 6])
def test_a_maximum_without_curvature_is_degenerate(power):
    solution = solve(lambda x: -1.0 * x[0] ** power - x[1] ** 2, [3.0, 1.0])
    assert solution.termination is Termination.DEGENERATE
    assert solution.record.step_ratio == pytest.approx((power - 2) / (power - 1), abs=1e-2)


@pytest.mark.parametrize("size", [1e3, 1e6, 1e9])
def test_values_that_drown_in_rounding(size):
    # The log-likelihood has lost its last digits long before the score is zero.
    solution = solve(lambda x: gauss(x) - size, (0.0, 3.0))
    assert solution.converged
    np.testing.assert_allclose(solution.x, [Y.mean(), np.log(Y.std())], rtol=1e-12)


def test_start_without_a_value():
    solution = solve(lambda x: log(x[0]), [-1.0])
    assert solution.termination is Termination.NON_FINITE_START
    assert not solution.converged
    assert solution.record.iterations == 0


def test_limits():
    limited = solve(gauss, (1e6, 10.0), max_iterations=3)
    assert limited.termination is Termination.ITERATION_LIMIT
    assert limited.record.iterations == 3
    assert limited.value > limited.record.start_value
    timed = solve(gauss, (1e6, 10.0), max_seconds=0.0)
    assert timed.termination is Termination.TIME_LIMIT
    assert np.isfinite(timed.value)


@pytest.mark.parametrize("method", ["newton", "newton-cg", "lbfgs", "derivative-free"])
def test_an_interrupt_returns_the_best_point(method):
    class Interrupting(Problem):
        calls = 0

        def _count(self):
            self.calls += 1
            if self.calls == 12:
                raise KeyboardInterrupt

        def value(self, x):
            self._count()
            return super().value(x)

        def value_and_score(self, x):
            self._count()
            jet = self._jet(x)
            return float(jet.v), jet.g

    solution = maximise(Interrupting(gauss, 2), [100.0, 3.0], method=method)
    assert solution.termination is Termination.INTERRUPTED
    assert solution.value > solution.record.start_value


def test_wrong_arguments_are_refused():
    problem = Problem(gauss, 2)
    with pytest.raises(ValueError, match="shape"):
        maximise(problem, [0.0])
    with pytest.raises(ValueError, match="not finite"):
        maximise(problem, [0.0, np.nan])
    with pytest.raises(ValueError, match="unknown method"):
        maximise(problem, [0.0, 0.0], method="bfgs")
    problem.has_score = False
    with pytest.raises(ValueError, match="needs a score"):
        maximise(problem, [0.0, 0.0], method="newton")


class BlackBox(Problem):
    has_score = False
    has_hessian = False

    def value_and_score(self, _):
        raise AssertionError("a black box has no score")


def test_derivative_free():
    solution = maximise(BlackBox(gauss, 2), [0.0, 0.0])
    assert solution.termination is Termination.CONVERGED_DERIVATIVE_FREE
    assert solution.converged
    assert solution.record.method == "derivative-free"
    np.testing.assert_allclose(solution.x, [Y.mean(), np.log(Y.std())], atol=1e-4)
    assert solution.score is None
    assert np.isnan(solution.record.expected_gain)


def test_derivative_free_curved_valley():
    problem = BlackBox(lambda x: -100.0 * (x[1] - x[0] ** 2) ** 2 - (1.0 - x[0]) ** 2, 2)
    solution = maximise(problem, [-1.2, 1.0])
    assert solution.converged
    np.testing.assert_allclose(solution.x, [1.0, 1.0], atol=1e-4)


def test_derivative_free_flat_and_unbounded():
    flat = maximise(BlackBox(lambda x: -1.0 * (x[0] - 1.0) ** 2 + 0.0 * x[1], 2), [0.0, 0.0])
    assert flat.termination is Termination.FLAT
    rising = maximise(BlackBox(lambda x: x[0], 1), [0.0])
    assert not rising.converged


def test_nothing_to_optimise():
    class Constant:
        size, has_score, has_hessian = 0, True, True

        def value_and_score(self, _):
            return -1.5, np.zeros(0)

    solution = maximise(Constant(), np.zeros(0))
    assert solution.converged
    assert solution.value == -1.5
