"""Maximisation where smooth functions hold given values, and under inequalities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression, lsq_linear, minimize, nnls

from pymle.optimize import Termination, maximise, maximise_subject_to, maximise_within
from tests.optimize.jets import Jet, Problem, exp, log1pexp, squares


class Functions:
    """Constraint functions from functions of a Jet."""

    def __init__(self, size, *functions):
        self.size, self.functions, self.evaluations = size, functions, 0

    def _jets(self, x):
        k = self.size
        jet = Jet(np.array(x, dtype=float), np.eye(k), np.zeros((k, k, k)))
        return [function(jet) for function in self.functions]

    def value_and_jacobian(self, x):
        self.evaluations += 1
        jets = self._jets(x)
        return np.array([float(j.v) for j in jets]), np.array([j.g for j in jets])

    def second(self, x, weights):
        return sum(w * j.h for w, j in zip(weights, self._jets(x), strict=True))


class Linear:
    def __init__(self, matrix, offset=0.0):
        self.matrix = np.atleast_2d(np.asarray(matrix, dtype=float))
        self.offset = np.broadcast_to(np.asarray(offset, dtype=float), (len(self.matrix),))

    def value_and_jacobian(self, x):
        return self.matrix @ x - self.offset, self.matrix

    def second(self, x, _):
        return np.zeros((len(x), len(x)))


class Squares:
    """Minus half the residual sum of squares."""

    has_score = has_hessian = True

    def __init__(self, X, y):
        self.X, self.y, self.size = X, y, X.shape[1]

    def value(self, b):
        r = self.y - self.X @ b
        return -0.5 * float(r @ r)

    def value_and_score(self, b):
        return self.value(b), self.X.T @ (self.y - self.X @ b)

    def hessian(self, _):
        return -self.X.T @ self.X

    def hessian_product(self, b, v):
        return self.hessian(b) @ v

    def values(self, B):
        return np.array([self.value(b) for b in B])


def regression(seed=0, n=60, k=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, k)) + rng.normal(size=(n, 1))
    return X, X @ rng.normal(size=k) + rng.normal(size=n)


XB, YB = regression(3, 40, 3)
COUNTS = np.array([3, 0, 2, 4, 1, 6, 2, 8], dtype=float)


def normal(p):
    """A regression with its scale on the log scale."""
    total = -len(YB) * p[3]
    weight = exp(-2.0 * p[3])
    for row, y in zip(XB, YB, strict=True):
        residual = y - (row[0] * p[0] + row[1] * p[1] + row[2] * p[2])
        total = total - 0.5 * residual * residual * weight
    return total


NORMAL = Problem(normal, 4)


def test_restricted_least_squares_in_closed_form():
    X, y = regression()
    R, c = np.array([[1.0, -1.0, 0, 0, 0], [0, 1, 1, 1, 0]]), np.array([0.0, 2.0])
    found = maximise_subject_to(Squares(X, y), np.zeros(5), Linear(R), c)
    inverse = np.linalg.inv(X.T @ X)
    free = inverse @ X.T @ y
    lagrange = np.linalg.solve(R @ inverse @ R.T, R @ free - c)
    np.testing.assert_allclose(found.x, free - inverse @ R.T @ lagrange, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found.multipliers, lagrange, rtol=1e-10)
    np.testing.assert_allclose(R @ found.x, c, rtol=1e-13, atol=1e-14)
    covariance = inverse - inverse @ R.T @ np.linalg.solve(R @ inverse @ R.T, R @ inverse)
    T = found.tangent
    np.testing.assert_allclose(
        T @ np.linalg.solve(-found.projected_hessian, T.T), covariance, rtol=1e-9, atol=1e-14
    )
    assert found.converged
    assert found.termination is Termination.CONVERGED
    assert found.record.expected_gain < 1e-24


def test_multinomial_with_an_equality_in_closed_form():
    # Log counts n_i log p_i, p = softmax(x), with p_0 = p_1: both get the mean of their shares.
    n = np.array([12.0, 30.0, 7.0, 51.0])

    def shares(x):
        e = exp(x)
        total = 1.0 + e.sum()
        return [1.0 / total, *[e[i] / total for i in range(3)]]

    def loglik(x):
        total = 1.0 + exp(x).sum()
        out = -n.sum() * log_(total)
        for i in range(3):
            out = out + n[i + 1] * x[i]
        return out

    def log_(jet):
        return jet.apply(np.log(jet.v), 1.0 / jet.v, -1.0 / jet.v**2)

    def difference(x):
        p = shares(x)
        return p[0] - p[1]

    found = maximise_subject_to(
        Problem(loglik, 3), np.array([0.3, -1.0, 2.0]), Functions(3, difference), 0.0
    )
    e = np.exp(np.append(0.0, found.x))
    np.testing.assert_allclose(e / e.sum(), [0.21, 0.21, 0.07, 0.51], rtol=1e-13)


@pytest.mark.parametrize(
    "start", [[1.0, 0, 0, 0], [-1.0, -1, 0, 0], [-3.0, 0, 5, 2], [0, -2.0, 0, 3]]
)
def test_a_circle_from_anywhere_is_left_for_its_highest_point(start):
    circle = Functions(4, lambda p: p[0] * p[0] + p[1] * p[1])
    found = maximise_subject_to(NORMAL, np.array(start, dtype=float), circle, 0.5)
    reference = minimize(
        lambda p: -NORMAL.value(p),
        found.x + 0.01,
        jac=lambda p: -NORMAL.value_and_score(p)[1],
        constraints={"type": "eq", "fun": lambda p: p[0] ** 2 + p[1] ** 2 - 0.5},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert found.converged
    assert found.value >= -reference.fun - 1e-9
    np.testing.assert_allclose(found.x, reference.x, atol=1e-5)
    assert abs(found.constrained[0] - 0.5) < 1e-14
    assert np.linalg.eigvalsh(found.projected_hessian).max() < 0


def test_the_multiplier_is_the_slope_and_the_path_the_derivative():
    ratio = Functions(4, lambda p: p[0] * exp(p[3]) / (1.0 + p[1] * p[1]))
    top = maximise(NORMAL, np.zeros(4))
    at = float(ratio.value_and_jacobian(top.x)[0][0])
    found = maximise_subject_to(NORMAL, top.x, ratio, at + 0.05)
    h = 1e-4
    up, down = (maximise_subject_to(NORMAL, found, ratio, at + 0.05 + s) for s in (h, -h))
    assert found.multipliers[0] == pytest.approx((up.value - down.value) / (2 * h), rel=1e-6)
    np.testing.assert_allclose(found.path[:, 0], (up.x - down.x) / (2 * h), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.predict(at + 0.05 + h), up.x, atol=1e-7)


def test_neighbouring_targets_cost_one_or_two_hessians():
    ratio = Functions(4, lambda p: p[0] * exp(p[3]))
    top = maximise(NORMAL, np.zeros(4))
    at = float(ratio.value_and_jacobian(top.x)[0][0])
    known = (top.value, top.score, top.hessian)
    found = maximise_subject_to(NORMAL, top.x, ratio, at + 0.02, known=known)
    for step in (0.03, 0.035, 0.036, 0.0361):
        found = maximise_subject_to(NORMAL, found, ratio, at + step)
        cold = maximise_subject_to(NORMAL, top.x, ratio, at + step)
        assert found.record.evaluations["hessian"] <= 2
        assert found.record.evaluations["value_and_score"] <= 8
        np.testing.assert_allclose(found.x, cold.x, rtol=1e-10, atol=1e-11)
        assert found.record.expected_gain < 1e-20


@pytest.mark.parametrize("target", [1e-8, 1e-3, 0.5, 2.0, 1e6])
def test_a_scale_far_from_its_maximum(target):
    scale = Functions(4, lambda p: exp(p[3]))
    top = maximise(NORMAL, np.zeros(4))
    found = maximise_subject_to(NORMAL, top.x, scale, target)
    assert found.converged
    np.testing.assert_allclose(found.x[:3], top.x[:3], rtol=1e-7)
    assert found.x[3] == pytest.approx(np.log(target), rel=1e-12)


def test_what_cannot_be_satisfied_has_a_name():
    def end(target, *functions, start=None):
        start = np.array([0.3, 0.2, 0.1, 0.0]) if start is None else start
        return maximise_subject_to(NORMAL, start, Functions(4, *functions), target)

    assert end(0.0, lambda p: exp(p[3])).termination is Termination.UNREACHABLE
    assert end(-1.0, lambda p: exp(p[3])).termination is Termination.INFEASIBLE
    assert end(0.0, lambda p: p[0] * p[0]).termination is Termination.DEPENDENT
    twice = (lambda p: p[0] + p[1], lambda p: 2.0 * (p[0] + p[1]))
    assert end([1.0, 2.0], *twice).termination is Termination.DEPENDENT
    failed = end([1.0, 3.0], *twice)
    assert failed.termination is Termination.INFEASIBLE
    assert "its target is" in failed.record.message
    assert not failed.converged


def test_as_many_constraints_as_coordinates():
    found = maximise_subject_to(NORMAL, np.zeros(4), Linear(np.eye(4)), np.array([1.0, 2, 3, 0.5]))
    assert found.converged
    np.testing.assert_allclose(found.x, [1, 2, 3, 0.5], rtol=1e-15)
    np.testing.assert_allclose(found.multipliers, found.score, rtol=1e-12)


def test_no_maximum_along_the_constraints_is_said():
    # Separated data: the slope runs away whatever the intercept is held at.
    x, y = np.linspace(-1, 1, 20), (np.arange(20) > 9).astype(float)

    def logistic(b):
        eta = b[0] + b[1] * x
        return (y * eta - log1pexp(eta)).sum()

    found = maximise_subject_to(Problem(logistic, 2), np.zeros(2), Linear([[1.0, 0.0]]), 0.2)
    assert found.termination is Termination.RUNAWAY
    direction = found.record.runaway_direction
    assert direction[0] == pytest.approx(0.0, abs=1e-12)
    assert direction[1] > 0.0


def test_a_saddle_on_the_set_is_left():
    # On the unit circle x^2 - y^2 has its maxima at (+-1, 0), its minima at (0, +-1).
    objective = Problem(lambda p: p[0] * p[0] - p[1] * p[1], 2)
    circle = Functions(2, lambda p: p[0] * p[0] + p[1] * p[1])
    found = maximise_subject_to(objective, np.array([0.0, 1.0]), circle, 1.0)
    assert found.converged
    assert abs(found.x[0]) == pytest.approx(1.0, rel=1e-14)


def test_a_hessian_that_has_to_be_differenced():
    class NoHessian(Problem):
        has_hessian = False

        def hessian(self, x):
            raise NotImplementedError

    circle = Functions(4, lambda p: p[0] * p[0] + p[1] * p[1])
    start = np.array([1.0, 0, 0, 0])
    found = maximise_subject_to(NoHessian(normal, 4), start, circle, 0.5)
    exact = maximise_subject_to(NORMAL, start, circle, 0.5)
    assert found.converged
    np.testing.assert_allclose(found.x, exact.x, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.floats(-6, 6), min_size=4, max_size=4))
def test_linear_maps_of_coordinates_and_of_constraints_change_nothing(seed, logs):
    rng = np.random.default_rng(seed)
    matrix, offset = rng.normal(size=(2, 4)), rng.normal(size=2)
    plain = maximise_subject_to(NORMAL, np.zeros(4), Linear(matrix), offset)
    units = 10.0 ** np.array(logs)

    class Scaled(Problem):
        def _jet(self, x):
            jet = NORMAL._jet(units * x)
            return Jet(jet.v, units * jet.g, units[:, None] * jet.h * units)

    mix = rng.normal(size=(2, 2)) + 3 * np.eye(2)
    other = maximise_subject_to(
        Scaled(normal, 4), np.zeros(4), Linear(mix @ matrix * units), mix @ offset
    )
    assert other.termination is plain.termination
    assert other.value == pytest.approx(plain.value, rel=1e-10)
    np.testing.assert_allclose(other.x * units, plain.x, rtol=1e-6, atol=1e-8)


# ----- inequalities ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_non_negative_least_squares(seed):
    X, y = regression(seed, 60, 15)
    bound = maximise_within(
        Squares(X, y), np.full(15, (-1.0) ** seed), Linear(np.eye(15)), np.zeros(15, dtype=bool)
    )
    np.testing.assert_allclose(bound.solution.x, nnls(X, y)[0], atol=1e-12)
    score = X.T @ (y - X @ bound.solution.x)
    inactive = np.setdiff1d(np.arange(15), bound.active)
    np.testing.assert_allclose(score[inactive], 0.0, atol=1e-9)
    assert np.all(bound.multipliers <= 0.0)
    np.testing.assert_allclose(bound.multipliers[bound.active], score[bound.active], rtol=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_least_squares_in_a_box(seed):
    X, y = regression(seed, 60, 12)
    box = Linear(np.vstack([np.eye(12), -np.eye(12)]), np.full(24, -0.4))
    start = np.random.default_rng(seed).normal(size=12) * 2
    bound = maximise_within(Squares(X, y), start, box, np.zeros(24, dtype=bool))
    reference = lsq_linear(X, y, (-0.4, 0.4), method="bvls", tol=1e-14)
    np.testing.assert_allclose(bound.solution.x, reference.x, atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_isotonic_regression(seed):
    rng = np.random.default_rng(seed)
    y = np.arange(30) / 8 + rng.normal(size=30)
    order = Linear(np.diff(np.eye(30), axis=0))
    bound = maximise_within(Squares(np.eye(30), y), np.zeros(30), order, np.zeros(29, dtype=bool))
    np.testing.assert_allclose(bound.solution.x, isotonic_regression(y).x, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_curved_inequalities_against_sequential_quadratic_programming(seed):
    limits = Functions(
        4,
        lambda p: p[0] - p[1],
        lambda p: p[2] + 0.2,
        lambda p: 0.8 - exp(p[3]),
        lambda p: 0.9 - p[0] * p[0] - p[1] * p[1],
    )
    start = np.random.default_rng(seed).normal(size=4)
    bound = maximise_within(NORMAL, start, limits, np.zeros(4, dtype=bool))
    reference = minimize(
        lambda p: -NORMAL.value(p),
        bound.solution.x + 0.02,
        jac=lambda p: -NORMAL.value_and_score(p)[1],
        constraints={
            "type": "ineq",
            "fun": lambda p: limits.value_and_jacobian(p)[0],
            "jac": lambda p: limits.value_and_jacobian(p)[1],
        },
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert bound.solution.converged
    assert bound.solution.value == pytest.approx(-reference.fun, abs=1e-7)
    np.testing.assert_allclose(bound.solution.x, reference.x, atol=1e-4)
    assert np.all(bound.values >= -1e-12)
    assert np.all(bound.multipliers <= 0.0)


@pytest.mark.parametrize("limit", [5.0, 100.0])
def test_a_limit_far_along_a_way_to_infinity(limit):
    x, y = np.linspace(-1, 1, 20), (np.arange(20) > 9).astype(float)

    def logistic(b):
        eta = b[0] + b[1] * x
        return (y * eta - log1pexp(eta)).sum()

    bound = maximise_within(
        Problem(logistic, 2), np.zeros(2), Linear([[0.0, -1.0]], -limit), np.array([False])
    )
    assert bound.solution.converged
    assert bound.solution.x == pytest.approx([0.0, limit], abs=1e-7)
    assert bound.multipliers[0] < 0.0


def test_equations_and_inequalities_together():
    X, y = regression(5)
    rows = Linear([[1.0, 1, 1, 1, 1], [1.0, 0, 0, 0, 0], [0.0, 0, 0, 0, -1]], [1.0, 0.5, 0.0])
    bound = maximise_within(Squares(X, y), np.zeros(5), rows, np.array([True, False, False]))
    # b_0 = 0.5 and b_4 = 0 bind, so that b_3 = 0.5 - b_1 - b_2 is left to eliminate.
    Z = X[:, 1:3] - X[:, [3]]
    inner = np.linalg.lstsq(Z, y - 0.5 * X[:, 0] - 0.5 * X[:, 3], rcond=None)[0]
    expected = [0.5, *inner, 0.5 - inner.sum(), 0.0]
    assert set(bound.active) == {0, 1, 2}
    np.testing.assert_allclose(bound.solution.x, expected, atol=1e-12)
    assert np.all(bound.multipliers[1:] < 0.0)
    assert bound.solution.converged


def test_a_peak_inside_is_found_without_the_limits():
    objective = Problem(lambda p: squares(p[0] - 0.3, p[1] + 0.2), 2)
    box = Linear(np.vstack([np.eye(2), -np.eye(2)]), -1.0)
    bound = maximise_within(objective, np.array([3.0, -4.0]), box, np.zeros(4, dtype=bool))
    np.testing.assert_allclose(bound.solution.x, [0.3, -0.2], atol=1e-14)
    assert len(bound.active) == 0


@pytest.mark.parametrize("seed", range(40))
def test_random_sets_of_inequalities_against_sequential_quadratic_programming(seed):
    # More inequalities than coordinates, starts outside, vertices that share a point.
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 6))
    y = (rng.random(60) < 1 / (1 + np.exp(-X @ rng.normal(size=6)))).astype(float)
    inside = 0.5 * rng.normal(size=6)
    A = rng.normal(size=(int(rng.integers(2, 15)), 6))
    A = np.round(A) if seed % 3 == 0 else A
    A = A[np.any(A != 0.0, axis=1)]
    b = A @ inside - 0.5 * np.abs(rng.normal(size=len(A))) * (seed % 5 > 0)

    class Logistic:
        size, has_score, has_hessian = 6, True, True

        def value(self, p):
            return float(y @ (X @ p) - np.logaddexp(0.0, X @ p).sum())

        def value_and_score(self, p):
            return self.value(p), X.T @ (y - 1 / (1 + np.exp(-X @ p)))

        def hessian(self, p):
            mean = 1 / (1 + np.exp(-X @ p))
            return -(X.T * (mean * (1 - mean))) @ X

    start = 2 * rng.normal(size=6) if seed % 2 else inside
    bound = maximise_within(Logistic(), start, Linear(A, b), np.zeros(len(A), dtype=bool))
    reference = minimize(
        lambda p: -Logistic().value(p),
        inside,
        jac=lambda p: -Logistic().value_and_score(p)[1],
        constraints={"type": "ineq", "fun": lambda p: A @ p - b, "jac": lambda _: A},
        method="SLSQP",
        options={"ftol": 1e-13, "maxiter": 1000},
    )
    assert bound.solution.converged
    assert bound.values.min() > -1e-9
    assert np.all(bound.multipliers <= 0.0)
    assert bound.solution.value >= -reference.fun - 1e-6
