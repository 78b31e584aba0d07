"""Profile limits where the profile likelihood has a closed form."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy.optimize import brentq

import pymle

Q = 3.841458820694124  # chi-squared(1) quantile at 0.95
EIGHT = np.array([1.2, 0.3, 2.2, 3.1, 0.7, 1.9, -0.4, 1.1])


def limits(ratio, estimate, low, high):
    """Where a likelihood ratio reaches its cut-off on both sides of the estimate."""
    return [
        brentq(lambda v: ratio(v) - Q, *pair, xtol=1e-14, rtol=1e-14)
        for pair in ((low, estimate), (estimate, high))
    ]


def sigma_limits(y):
    n, s = len(y), y.std()
    return limits(lambda v: n * (2 * np.log(v / s) + s**2 / v**2 - 1), s, s / 50, s * 50)


def ratio_limits(y):
    """Of mu / sigma: with mu = v sigma the maximum over sigma solves a quadratic."""
    n, a, b = len(y), np.mean(y**2), y.mean()

    def ratio(v):
        s = 0.5 * (-v * b + np.sqrt(v**2 * b**2 + 4 * a))
        height = -n * np.log(s) - 0.5 * n * (a / s**2 - 2 * v * b / s + v**2)
        return 2 * (-n * np.log(y.std()) - 0.5 * n - height)

    return limits(ratio, b / y.std(), -3, 6)


@pytest.fixture(scope="module")
def normal():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Deterministic("variance", sigma**2)
        pm.Deterministic("snr", mu / sigma)
        pm.Deterministic("constant", 0 * mu + 1)
        pm.Normal("y", mu, sigma, observed=EIGHT)
    return pymle.find_MLE(model)


def test_mean_and_sd_of_eight_observations(normal):
    found = normal.profile()
    n, s = len(EIGHT), EIGHT.std()
    half = s * np.sqrt(np.exp(Q / n) - 1)
    mean = [EIGHT.mean() - half, EIGHT.mean() + half]
    np.testing.assert_allclose(found.table.loc["mu", ["lower", "upper"]].astype(float), mean, 1e-8)
    wanted = sigma_limits(EIGHT)
    sigma = found["sigma"]
    np.testing.assert_allclose([sigma.lower, sigma.upper], wanted, rtol=1e-8)
    assert sigma.estimate == pytest.approx(s, rel=1e-10)
    assert (sigma.lower_flag, sigma.upper_flag) == ("found", "found")
    assert sigma.monotone
    assert sigma.loglik == normal.loglik


@pytest.mark.parametrize(
    ("what", "function"),
    [
        ("log(sigma)", np.log),
        ("variance", np.square),
        ("1 / sigma", lambda s: 1 / s),
        ("sigma^3 - 2", lambda s: s**3 - 2),
    ],
)
def test_limits_of_a_function_are_the_function_of_the_limits(normal, what, function):
    found = normal.profile(what)
    wanted = sorted(function(np.array(sigma_limits(EIGHT))))
    np.testing.assert_allclose([found.lower, found.upper], wanted, rtol=1e-7)


def test_callables_and_ratios(normal):
    by_text = normal.profile("mu / sigma")
    by_name = normal.profile("snr")
    by_function = normal.profile(lambda point: point["mu"] / point["sigma"])
    for other in (by_name, by_function):
        assert [other.lower, other.upper] == pytest.approx([by_text.lower, by_text.upper], rel=1e-7)
    assert [by_text.lower, by_text.upper] == pytest.approx(ratio_limits(EIGHT), rel=1e-7)


def test_traced_places_lie_on_the_profile(normal):
    found = normal.profile("sigma").trace()
    n, s = len(EIGHT), EIGHT.std()
    ratio = n * (2 * np.log(found.value / s) + s**2 / found.value**2 - 1)
    signed = np.sign(found.value - s) * np.sqrt(np.maximum(ratio, 0))
    np.testing.assert_allclose(found.root, signed, atol=1e-6)
    np.testing.assert_allclose(found.slope, -n / found.value + n * s**2 / found.value**3, atol=1e-6)
    np.testing.assert_allclose(found.others[:, 0], EIGHT.mean(), atol=1e-6)
    assert len(found.value) > 14
    assert list(found.points.columns) == ["sigma", "loglik", "signed_root", "mu"]


@pytest.mark.parametrize("level", [0.5, 0.9, 0.999])
def test_other_levels(normal, level):
    from scipy.stats import chi2

    n, s = len(EIGHT), EIGHT.std()
    half = s * np.sqrt(np.exp(chi2.ppf(level, 1) / n) - 1)
    found = normal.profile("mu", level=level)
    wanted = [EIGHT.mean() - half, EIGHT.mean() + half]
    assert [found.lower, found.upper] == pytest.approx(wanted, rel=1e-7)


def test_one_parameter_has_no_others():
    y = np.array([0, 1, 3, 2, 0, 1])
    with pm.Model() as model:
        rate = pm.Exponential("rate", 1)
        pm.Poisson("y", rate, observed=y)
    fit = pymle.find_MLE(model)
    n, mean = len(y), y.mean()
    wanted = limits(lambda v: 2 * n * (v - mean - mean * np.log(v / mean)), mean, 1e-3, 20)
    found = fit.profile("rate")
    assert [found.lower, found.upper] == pytest.approx(wanted, rel=1e-8)


def test_probability_and_log_odds_have_the_same_limits():
    def fitted(of_odds):
        with pm.Model() as model:
            if of_odds:
                pm.Binomial("y", 20, logit_p=pm.Normal("eta"), observed=3)
            else:
                pm.Binomial("y", 20, p=pm.Beta("p", 1, 1), observed=3)
        return pymle.find_MLE(model)

    p = fitted(False).profile("p")
    eta = fitted(True).profile("eta")
    odds = np.log([p.lower / (1 - p.lower), p.upper / (1 - p.upper)])
    assert [eta.lower, eta.upper] == pytest.approx(list(odds), rel=1e-8)
    wanted = limits(
        lambda v: 2 * (3 * np.log(0.15 / v) + 17 * np.log(0.85 / (1 - v))), 0.15, 1e-6, 0.9
    )
    assert [p.lower, p.upper] == pytest.approx(wanted, rel=1e-8)


def test_entries_of_a_simplex_are_binomial():
    counts = np.array([4, 11, 25])
    with pm.Model(coords={"kind": ["a", "b", "c"]}) as model:
        p = pm.Dirichlet("p", np.ones(3), dims="kind")
        pm.Multinomial("y", counts.sum(), p, observed=counts)
    found = pymle.find_MLE(model).profile("p")
    assert list(found) == ["p[a]", "p[b]", "p[c]"]
    n = counts.sum()
    for count, one in zip(counts, found.values(), strict=True):
        share = count / n

        def ratio(v, count=count, share=share):
            return 2 * (count * np.log(share / v) + (n - count) * np.log((1 - share) / (1 - v)))

        wanted = limits(ratio, share, 1e-6, 1 - 1e-6)
        assert [one.lower, one.upper] == pytest.approx(wanted, rel=1e-7)


def test_correlation_of_a_cholesky_factor():
    rng = np.random.default_rng(3)
    data = rng.multivariate_normal([0, 1], [[1, 0.6], [0.6, 1]], size=15)
    with pm.Model() as model:
        chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=2, sd_dist=pm.Exponential.dist(1, shape=2))
        mu = pm.Normal("mu", 0, 10, shape=2)
        pm.MvNormal("y", mu, chol=chol, observed=data)
    fit = pymle.find_MLE(model)
    found = fit.profile("chol_corr[0, 1]")
    r, n = np.corrcoef(data.T)[0, 1], len(data)
    wanted = limits(
        lambda v: n * np.log((1 - v * r) ** 2 / ((1 - v**2) * (1 - r**2))), r, -0.999, 0.9999
    )
    assert [found.lower, found.upper] == pytest.approx(wanted, rel=1e-6)


def test_coefficients_of_a_regression():
    rng = np.random.default_rng(5)
    X = np.column_stack([np.ones(20), rng.normal(size=(20, 2))])
    y = X @ [1.0, -0.5, 2.0] + rng.normal(size=20)
    with pm.Model(coords={"term": ["one", "x", "z"]}) as model:
        b = pm.Normal("b", 0, 10, dims="term")
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", pm.math.dot(X, b), sigma, observed=y)
    fit = pymle.find_MLE(model)
    table = fit.conf_int(method="profile")
    hat = np.linalg.solve(X.T @ X, X.T @ y)
    errors = np.sqrt(np.mean((y - X @ hat) ** 2) * np.diag(np.linalg.inv(X.T @ X)))
    half = errors * np.sqrt(20 * (np.exp(Q / 20) - 1))
    np.testing.assert_allclose(table["lower"].to_numpy()[:3], hat - half, rtol=1e-7)
    np.testing.assert_allclose(table["upper"].to_numpy()[:3], hat + half, rtol=1e-7)
    # Differences, and a function of all of them.
    found = fit.profile(["b[x] - b[z]", "b"])
    assert list(found) == ["b[x] - b[z]", "b[one]", "b[x]", "b[z]"]
    c = np.array([0.0, 1.0, -1.0])
    error = np.sqrt(np.mean((y - X @ hat) ** 2) * c @ np.linalg.inv(X.T @ X) @ c)
    half = error * np.sqrt(20 * (np.exp(Q / 20) - 1))
    one = found["b[x] - b[z]"]
    assert [one.lower, one.upper] == pytest.approx([c @ hat - half, c @ hat + half], rel=1e-7)


@pytest.mark.parametrize("backend", ["jax", "pytensor"])
def test_routes(backend):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=EIGHT)
    fit = pymle.find_MLE(model, backend=backend)
    found = fit.profile("sigma")
    assert [found.lower, found.upper] == pytest.approx(sigma_limits(EIGHT), rel=1e-7)
    ratio = fit.profile("mu / sigma")
    assert [ratio.lower, ratio.upper] == pytest.approx(ratio_limits(EIGHT), rel=1e-6)


def test_below_an_upper_bound():
    # The coordinate of a variable with an upper bound alone falls as the variable rises.
    with pm.Model() as model:
        a = pm.TruncatedNormal("a", 0, 10, upper=3.0)
        pm.Exponential("y", 3.0 - a, observed=np.array([0.5, 1.0, 0.2, 2.0]))
    found = pymle.find_MLE(model).profile("a")
    n, mean = 4, 0.925
    wanted = limits(lambda v: 2 * n * (v * mean - 1 - np.log(v * mean)), 1 / mean, 1e-3, 20)
    assert [3 - found.upper, 3 - found.lower] == pytest.approx(wanted, rel=1e-8)
    assert found.lower < found.estimate < found.upper
