"""Shapes that go to infinity, zeros in the data, distances of 0: values, scores and Hessians."""

from __future__ import annotations

import warnings

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymle

RNG = np.random.default_rng(20)
Y = RNG.normal(size=20)
COUNTS = RNG.poisson(4.0, size=20)
HITS = RNG.binomial(12, 0.4, size=20)
SHARES = RNG.multinomial(15, [0.25, 0.25, 0.5], size=8)
ZEROS = np.array([0.0, 0.5, 1.0, 2.5, 3.3])


def compiled(build, *names: str):
    with warnings.catch_warnings(), pm.Model() as model:
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        build(*(pm.HalfFlat(name) for name in names))
    with warnings.catch_warnings():
        # A Potential as the likelihood is announced.
        warnings.simplefilter("ignore", pymle.Notice)
        return pymle.compile(model, parameters=list(names), backend="jax")


def student(k):
    constant = mp.loggamma((k + 1) / 2) - mp.loggamma(k / 2) - mp.log(k * mp.pi) / 2
    return sum(constant - (k + 1) / 2 * mp.log1p(mp.mpf(v) ** 2 / k) for v in Y)


def negative_binomial(k):
    return sum(
        mp.loggamma(int(v) + k)
        - mp.loggamma(k)
        - mp.loggamma(int(v) + 1)
        + int(v) * mp.log(4 / (4 + k))
        - k * mp.log1p(4 / k)
        for v in COUNTS
    )


def log_beta(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def beta_binomial(k):
    return sum(
        mp.log(mp.binomial(12, int(v)))
        + log_beta(int(v) + k / 4, 12 - int(v) + 3 * k / 4)
        - log_beta(k / 4, 3 * k / 4)
        for v in HITS
    )


def dirichlet_multinomial(k):
    total = mp.mpf(0)
    for row in SHARES:
        total += mp.loggamma(16) + mp.loggamma(k) - mp.loggamma(15 + k)
        for v, share in zip(row, (k / 4, k / 4, k / 2), strict=True):
            total += mp.loggamma(int(v) + share) - mp.loggamma(int(v) + 1) - mp.loggamma(share)
    return total


LIMITS = {
    "StudentT": (lambda k: pm.StudentT("y", nu=k, mu=0, sigma=1, observed=Y), student),
    "NegativeBinomial": (
        lambda k: pm.NegativeBinomial("y", mu=4.0, alpha=k, observed=COUNTS),
        negative_binomial,
    ),
    "BetaBinomial": (
        lambda k: pm.BetaBinomial("y", n=12, alpha=k / 4, beta=3 * k / 4, observed=HITS),
        beta_binomial,
    ),
    "DirichletMultinomial": (
        lambda k: pm.DirichletMultinomial(
            "y", n=15, a=k * np.array([0.25, 0.25, 0.5]), observed=SHARES
        ),
        dirichlet_multinomial,
    ),
}


@pytest.mark.parametrize("name", LIMITS)
def test_large_shapes_go_to_their_limit(name: str) -> None:
    build, reference = LIMITS[name]
    likelihood = compiled(build, "k")
    for exponent in (0, 1, 6, 9, 11, 16, 100, 150):
        point = {"k": 10.0**exponent}
        with mp.workdps(60 + 4 * exponent):
            at, step = mp.log(mp.mpf(point["k"])), mp.mpf(10) ** -8
            low, mid, high = (reference(mp.exp(at + s * step)) for s in (-1, 0, 1))
            value = float(mid)
            slope = float((high - low) / (2 * step))
            curvature = float((high - 2 * mid + low) / step**2)
        assert likelihood.logp(point) == pytest.approx(value, rel=1e-12)
        score = np.ravel(likelihood.score(point, scale="unconstrained"))[0]
        assert score == pytest.approx(slope, rel=1e-11, abs=1e-11)
        hessian = np.ravel(likelihood.hessian(point, scale="unconstrained"))[0]
        assert hessian == pytest.approx(curvature, rel=1e-11, abs=1e-11)


ZERO_CASES = {
    "power of a ratio": lambda k, s: -((ZEROS / s) ** k) + pt.log(k),
    "interval-censored Weibull": lambda k, s: pt.log(
        pt.exp(-((ZEROS / s) ** k)) - pt.exp(-(((ZEROS + 1) / s) ** k))
    ),
    "exponential of a logarithm": lambda k, s: -pt.exp(k * pt.log(ZEROS / s)) + pt.log(k),
    "power of a deviation": lambda k, s: -(pt.abs((ZEROS - 1) / s) ** k) - pt.log(s),
    "root": lambda k, s: -((pt.sqrt(ZEROS * s) * k - 1) ** 2),
    "fixed power": lambda k, s: -(((ZEROS / s) ** 0.75 * k - 1) ** 2),
    "logarithm under a switch": lambda k, s: (
        pt.switch(ZEROS > 0, k * pt.log(ZEROS / s) - pt.log(ZEROS / s) ** 2, 0.0) - s**2
    ),
    "norm": lambda k, s: -pt.sqrt((ZEROS * s) ** 2) * k,
    "probit": lambda k, s: -(pm.math.probit(pt.sigmoid(ZEROS - k)) ** 2) / s,
}


@pytest.mark.parametrize("k", [0.7, 1.7])
@pytest.mark.parametrize("name", ZERO_CASES)
def test_zeros_in_the_data_have_derivatives(name: str, k: float) -> None:
    likelihood = compiled(lambda k, s: pm.Potential("L", pt.sum(ZERO_CASES[name](k, s))), "k", "s")
    x, h = np.array([k, 2.0]), 1e-5

    def at(z):
        return dict(zip(("k", "s"), z, strict=True))

    steps = h * np.eye(2)
    slopes = [(likelihood.logp(at(x + e)) - likelihood.logp(at(x - e))) / (2 * h) for e in steps]
    np.testing.assert_allclose(likelihood.score(at(x)), slopes, rtol=1e-7, atol=1e-7)
    curvature = [
        (np.asarray(likelihood.score(at(x + e))) - np.asarray(likelihood.score(at(x - e))))
        / (2 * h)
        for e in steps
    ]
    np.testing.assert_allclose(likelihood.hessian(at(x)), curvature, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("length", [2.0, 2.00002, 2.7])
def test_the_diagonal_of_a_covariance_function_has_no_slope(length: float) -> None:
    likelihood = compiled(
        lambda s: pm.MvNormal(
            "y",
            mu=0.0,
            cov=pm.gp.cov.Exponential(1, ls=s)(ZEROS[:, None]) + 0.1 * np.eye(5),
            observed=ZEROS,
        ),
        "s",
    )

    def log_density(s):
        gaps = np.abs(ZEROS[:, None] - ZEROS[None, :])
        matrix = np.exp(-0.5 * np.sqrt((gaps / s) ** 2 + 1e-12)) + 0.1 * np.eye(5)
        quadratic = ZEROS @ np.linalg.solve(matrix, ZEROS)
        return -0.5 * (quadratic + np.linalg.slogdet(2 * np.pi * matrix)[1])

    h = 1e-4
    slope = (log_density(length + h) - log_density(length - h)) / (2 * h)
    assert likelihood.logp({"s": length}) == pytest.approx(log_density(length), rel=1e-10)
    assert np.ravel(likelihood.score({"s": length}))[0] == pytest.approx(slope, rel=1e-6)


def test_a_correlation_matrix_of_two_takes_the_jax_route() -> None:
    rows = RNG.normal(size=(30, 2))
    with warnings.catch_warnings(), pm.Model() as model:
        warnings.simplefilter("ignore")
        corr = pm.LKJCorr("R", n=2, eta=2)
        s = pm.HalfFlat("s", shape=2)
        if corr.ndim == 1:
            corr = pt.stack([pt.stack([1.0, corr[0]]), pt.stack([corr[0], 1.0])])
        pm.MvNormal("y", mu=0.0, cov=pt.diag(s) @ corr @ pt.diag(s), observed=rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pymle.Notice)
        likelihood = pymle.compile(model, parameters=["R", "s"], backend="jax")
        fit = likelihood.fit()
    covariance = rows.T @ rows / len(rows)
    assert fit.record.route == "jax"
    found = np.asarray(fit.point["R"])
    found = found[0] if found.ndim == 1 else found[1, 0]
    expected = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert found == pytest.approx(expected, abs=1e-6)
