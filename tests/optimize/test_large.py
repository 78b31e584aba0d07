"""Ten thousand coefficients, by products with the Hessian."""

import numpy as np
import pytest

from pymle.optimize import Termination, maximise

SIZE = 10_000


class Regression:
    """Logistic or Poisson regression on a sparse design: a trend and an effect per group."""

    has_score = True
    has_hessian = False
    size = SIZE

    def __init__(self, family):
        rng = np.random.default_rng(1)
        self.family = family
        self.rows = 8 * SIZE
        self.group = rng.integers(1, SIZE, size=self.rows)
        self.group[: SIZE - 1] = np.arange(1, SIZE)
        self.x = rng.normal(size=self.rows)
        eta = 0.5 * self.x + rng.normal(size=SIZE)[self.group] * 0.5
        mean = 1.0 / (1.0 + np.exp(-eta)) if family == "logistic" else np.exp(eta)
        self.y = (
            (rng.uniform(size=self.rows) < mean).astype(float)
            if family == "logistic"
            else rng.poisson(mean).astype(float)
        )

    def _parts(self, b):
        eta = b[0] * self.x + b[self.group]
        if self.family == "poisson":
            return self.y * eta - np.exp(eta), np.exp(eta), np.exp(eta)
        p = 1.0 / (1.0 + np.exp(-eta))
        return self.y * eta - np.logaddexp(0.0, eta), p, p * (1.0 - p)

    def _back(self, r):
        g = np.bincount(self.group, weights=r, minlength=SIZE)
        g[0] = self.x @ r
        return g

    def value_and_score(self, b):
        terms, mean, _ = self._parts(b)
        # A weak penalty: groups with a single outcome would run away.
        return terms.sum() - 0.5 * b @ b, self._back(self.y - mean) - b

    def hessian_product(self, b, v):
        weight = self._parts(b)[2]
        return -self._back(weight * (v[0] * self.x + v[self.group])) - v


class Differenced(Regression):
    def hessian_product(self, b, v):
        raise NotImplementedError


@pytest.mark.parametrize("method", ["auto", "lbfgs"])
@pytest.mark.parametrize("family", ["logistic", "poisson"])
def test_ten_thousand_coefficients(family, method):
    problem = Regression(family)
    solution = maximise(problem, np.zeros(SIZE), method=method)
    assert solution.termination is Termination.CONVERGED, solution.record.message
    assert solution.record.expected_gain < 1e-10
    # Half the squared score over the smallest possible curvature (the penalty's) bounds the gain.
    assert 0.5 * float(solution.score @ solution.score) < 1e-10
    assert solution.hessian is None


def test_without_products_the_score_is_differenced():
    exact = maximise(Regression("poisson"), np.zeros(SIZE))
    solution = maximise(Differenced("poisson"), np.zeros(SIZE))
    assert solution.converged
    assert "hessian_product" not in solution.record.evaluations
    assert solution.value == pytest.approx(exact.value, abs=1e-9)
