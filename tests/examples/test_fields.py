"""The examples of a latent series, a map and a process: Laplace by hand, published estimates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

from examples import coal_mining, lip_cancer, stochastic_volatility


def by_hand(precision, start, derivatives):
    """Laplace's approximation by dense Newton steps, for data that depend on one effect each."""
    u = start
    for _ in range(50):
        value, slope, curve = derivatives(u)
        information = precision + np.diag(curve)
        step = np.linalg.solve(information, slope - precision @ u)
        u = u + step
        if np.max(np.abs(step)) < 1e-11:
            break
    value = derivatives(u)[0] - 0.5 * u @ precision @ u
    return value + 0.5 * (np.linalg.slogdet(precision)[1] - np.linalg.slogdet(information)[1])


def poisson(counts, offset):
    def derivatives(u):
        rate = np.exp(offset + u)
        return stats.poisson.logpmf(counts, rate).sum(), counts - rate, rate

    return derivatives


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    def run(example, *arguments):
        picture = tmp_path_factory.mktemp("fields") / "picture.png"
        found = example.main(picture, *arguments)
        assert picture.stat().st_size > 10_000
        assert found["fit"].verdict.ok
        return found

    return run


def volatility_by_hand(fit, returns):
    phi, step, sd = (float(fit.params[name]) for name in ("phi", "step", "sd"))
    n = len(returns)
    lag = np.eye(n) - phi * np.eye(n, k=-1)
    innovation = np.full(n, step**-2)
    innovation[0] *= 1 - phi**2

    def derivatives(h):
        square = (returns / sd) ** 2 * np.exp(-h)
        value = -0.5 * (np.log(2 * np.pi * sd**2) + h + square).sum()
        return value, 0.5 * (square - 1), 0.5 * square

    return by_hand(lag.T @ (innovation[:, None] * lag), np.zeros(n), derivatives)


def test_stochastic_volatility(run):
    found = run(stochastic_volatility, 250)
    fit, returns = found["fit"], found["returns"]
    assert fit.loglik == pytest.approx(volatility_by_hand(fit, returns), abs=1e-7)


@pytest.mark.slow
def test_stochastic_volatility_of_all_days(run):
    """Durbin and Koopman (2001), Time Series Analysis by State Space Methods, section 14.5.

    By maximum likelihood with importance sampling; Laplace's approximation moves the estimates
    by a twentieth of their standard errors and less.
    """
    found = run(stochastic_volatility)
    fit, returns = found["fit"], found["returns"]
    assert fit.loglik == pytest.approx(volatility_by_hand(fit, returns), abs=1e-7)
    table = fit.summary()
    published = {"phi": 0.9731, "step": 0.1726, "sd": 0.6338}
    for name, value in published.items():
        assert abs(table.loc[name, "estimate"] - value) < 0.12 * table.loc[name, "se"]


def test_lip_cancer(run):
    found = run(lip_cancer)
    fit, counties = found["fit"], found["counties"]
    level, outdoor, alpha, tau = (
        float(fit.params[name]) for name in ("level", "outdoor", "alpha", "tau")
    )
    matrix = lip_cancer.neighbours(counties)
    assert (matrix == matrix.T).all()
    precision = tau * (np.diag(matrix.sum(axis=0)) - alpha * matrix)
    offset = np.log(counties["expected"]) + level + outdoor * counties["outdoor"] / 10
    data = poisson(counties["cases"].to_numpy(), offset.to_numpy())
    assert fit.loglik == pytest.approx(by_hand(precision, np.zeros(56), data), abs=1e-7)
    # Breslow and Clayton (1993), doi:10.1080/01621459.1993.10594284, table 6: 0.35 (0.12) by
    # penalised quasi-likelihood with an intrinsic autoregression, the limit of alpha = 1.
    assert outdoor == pytest.approx(0.35, abs=0.03)
    assert fit.summary().loc["outdoor", "se"] == pytest.approx(0.12, abs=0.01)


def test_coal_mining(run):
    found = run(coal_mining)
    fit, disasters = found["fit"], found["disasters"]
    assert disasters["disasters"].sum() == 191
    level, length, size = (float(fit.params[name]) for name in ("level", "length", "size"))
    time = (disasters["year"].to_numpy() - 1851) / 10
    r = np.sqrt(5) * np.abs(time[:, None] - time) / length
    covariance = size**2 * (1 + r + r**2 / 3) * np.exp(-r)
    covariance += 1e-6 * np.eye(112)  # as PyMC stabilises it
    factor = np.linalg.cholesky(covariance)
    counts = disasters["disasters"].to_numpy()

    # In standardised coordinates, as the model has them.
    z = np.zeros(112)
    for _ in range(50):
        rate = np.exp(level + factor @ z)
        information = np.eye(112) + factor.T @ (rate[:, None] * factor)
        step = np.linalg.solve(information, factor.T @ (counts - rate) - z)
        z = z + step
    rate = np.exp(level + factor @ z)
    value = (counts * np.log(rate) - rate - gammaln(counts + 1)).sum() - 0.5 * z @ z
    value -= 0.5 * np.linalg.slogdet(information)[1]
    assert fit.loglik == pytest.approx(value, abs=1e-6)
    log_rate = found["log_rate"]
    np.testing.assert_allclose(log_rate["estimate"], np.log(rate), atol=1e-5)
