"""Supports that depend on parameters: the estimate at the edge, right limits, never Wald."""

import numpy as np
import pytest

import pymle
from tests.existence.cases_no_maximum import CASES, SAMPLE, examined, of_theme

N, LOW, HIGH, MEAN = len(SAMPLE), SAMPLE.min(), SAMPLE.max(), SAMPLE.mean()


@pytest.fixture(scope="module")
def fits():
    return {case.name: examined(case) for case in CASES if case.theme == "support"}


@pytest.mark.parametrize("case", of_theme("support"))
def test_is_recognised_and_has_no_wald_limits(case, fits):
    fit = fits[case.name]
    table = fit.summary()
    for name in fit.verdict.parameters:
        assert table.loc[name, ["se", "lower", "upper"]].isna().all()
    if fit.verdict.status == "edge of the support":
        with pytest.raises(pymle.AnalysisError, match="edge of the support"):
            fit.conf_int(method="profile")


def test_a_uniform_law_ends_at_its_largest_observation(fits):
    fit = fits["uniform-upper-end"]
    np.testing.assert_allclose(fit.params["theta"], HIGH, rtol=1e-12)
    np.testing.assert_allclose(fit.loglik, -N * np.log(HIGH), rtol=1e-12)
    # P(max / theta < u) = u**n: exact.
    limits = fit.verdict.evidence["edge_limits"]["theta"]
    np.testing.assert_allclose(limits, [HIGH, HIGH * 0.05 ** (-1 / N)], rtol=1e-8)


def test_both_ends_of_a_uniform_law(fits):
    fit = fits["uniform-both-ends"]
    np.testing.assert_allclose([fit.params["a"], fit.params["b"]], [LOW, HIGH], rtol=1e-12)


def test_pareto(fits):
    fit = fits["pareto-scale"]
    alpha = N / np.sum(np.log(SAMPLE / LOW))
    np.testing.assert_allclose(fit.params["m"], LOW, rtol=1e-12)
    row = fit.summary().loc["alpha", ["estimate", "se"]].astype(float)
    np.testing.assert_allclose(row, [alpha, alpha / np.sqrt(N)], rtol=1e-6)


def test_shifted_exponential(fits):
    fit = fits["shifted-exponential"]
    rate = 1 / (MEAN - LOW)
    np.testing.assert_allclose(fit.params["theta"], LOW, rtol=1e-12)
    row = fit.summary().loc["rate", ["estimate", "se"]].astype(float)
    np.testing.assert_allclose(row, [rate, rate / np.sqrt(N)], rtol=1e-6)
    # The profile log-likelihood is -n log(mean - theta).
    limits = fit.verdict.evidence["edge_limits"]["theta"]
    np.testing.assert_allclose(limits, [MEAN - 20 ** (1 / N) * (MEAN - LOW), LOW], rtol=1e-7)


def test_the_point_of_truncation(fits):
    np.testing.assert_allclose(fits["truncation-point"].params["upper"], HIGH, rtol=1e-12)
