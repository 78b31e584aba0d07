"""fit.check_integration: errors of Laplace's approximation that are known by other means."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymle
from pymle.model import pareto_k
from tests.random_effects.test_groups import gaussian_model

RNG = np.random.default_rng(55)
ROW, COLUMN = np.repeat([0, 1], 4), np.tile([0, 0, 1, 1], 2)
CROSSED = np.array([4, 6, 1, 0, 9, 12, 2, 3])
GROUP = np.repeat(np.arange(30), 3)
BINARY = RNG.binomial(1, 1 / (1 + np.exp(-(0.5 + 2.0 * RNG.normal(size=30)[GROUP]))))


def test_a_linear_gaussian_model_has_no_error():
    fit = pymle.find_MLE(gaussian_model(), progressbar=False)
    check = fit.check_integration(draws=200)
    assert abs(check.error) < 1e-9
    assert check.largest_k == -np.inf
    assert check.largest_shift < 1e-8
    assert not check.matters
    assert "does not matter" in check.text
    assert list(check.blocks.index) == [f"u[{g}]" for g in "abcdefgh"]
    with pytest.raises(pymle.AnalysisError, match="draws"):
        fit.check_integration(draws=3)


@pytest.mark.slow
def test_binary_data_in_small_groups():
    """The shift that one step predicts is that of a fit by quadrature."""
    with pm.Model() as model:
        a, tau = pm.Normal("a", 0, 5), pm.HalfNormal("tau", 3)
        u = pm.Normal("u", 0, tau, shape=30)
        pm.Bernoulli("y", logit_p=a + u[GROUP], observed=BINARY)
    fit = pymle.find_MLE(model, progressbar=False)
    better = pymle.find_MLE(model, quadrature=25, progressbar=False)
    check = fit.check_integration(draws=1000, random_seed=1)
    assert check.matters
    assert check.shift_by == "quadrature"
    assert "quadrature=7" in check.text
    table = fit.summary()
    actual = (better.summary()["estimate"] - table["estimate"]) / table["se"]
    assert np.sign(actual["tau"]) == np.sign(check.parameters.loc["tau", "shift_in_se"])
    assert check.parameters.loc["tau", "shift_in_se"] == pytest.approx(actual["tau"], rel=0.4)
    exact = check.blocks["quadrature_error"]
    assert np.all(np.abs(check.blocks["error"] - exact) < 5 * check.blocks["se"] + 1e-12)
    # The exact log-likelihood at Laplace's estimate.
    at = {k: fit.point[k] for k in ("a", "tau")}
    loglik = pymle.compile(model, quadrature=25).logp(at)
    assert exact.sum() == pytest.approx(fit.loglik - loglik, abs=1e-8)
    again = better.check_integration(draws=200)
    assert not again.matters
    assert abs(again.blocks["quadrature_error"].sum()) < 1e-3


@pytest.mark.slow
def test_a_block_of_four_effects_is_sampled():
    """Two rows and two columns: against a product of four fixed rules."""
    with pm.Model() as model:
        a = pm.Normal("a", 0, 5)
        u, v = pm.Normal("u", 0, 0.8, shape=2), pm.Normal("v", 0, 0.8, shape=2)
        pm.Poisson("y", pm.math.exp(a + u[ROW] + v[COLUMN]), observed=CROSSED)
    fit = pymle.find_MLE(model, random=["u", "v"], progressbar=False)
    check = fit.check_integration(draws=4000)
    assert list(check.blocks["effects"]) == [4]
    assert check.shift_by == "importance sampling"
    assert check.reliable

    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    weights, nodes = weights / np.sqrt(2 * np.pi), 0.8 * nodes
    first, second, other = nodes[:, None, None], nodes[None, :, None], nodes[None, None, :]

    def exact(a: float) -> float:
        """Given the rows the columns are independent."""
        total = 1.0
        for column in (0, 1):
            logs = 0.0
            for y, row in zip(CROSSED[column == COLUMN], ROW[column == COLUMN], strict=True):
                eta = a + (second if row else first) + other
                logs = logs + stats.poisson(np.exp(eta)).logpmf(y)
            total = total * (np.exp(logs) @ weights)
        return float(np.log(weights @ total @ weights))

    a = float(fit.params["a"])
    assert abs(check.error - (fit.loglik - exact(a))) < 4 * check.se
    slope = (exact(a + 1e-3) - exact(a - 1e-3)) / 2e-3
    row = check.parameters.loc["a"]
    assert abs(row["shift"] - slope * row["se"] ** 2) < 4 * row["monte_carlo_se"] * row["se"]


def test_tails_of_weights():
    """Weights of a Pareto law have its shape."""
    draws = -np.log(RNG.uniform(size=(2, 20_000))) * np.array([[0.3], [0.9]])
    np.testing.assert_allclose(pareto_k(draws), [0.3, 0.9], atol=0.12)
