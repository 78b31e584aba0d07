"""Every fit of the bank against its closed form: estimates, covariance, limits, criteria."""

import functools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import pymle
from tests.model_bank import multivariate, univariate
from tests.model_bank.closed import BANK

assert multivariate
assert univariate


@functools.cache
def fitted(name):
    truth = BANK[name]()
    return truth, pymle.find_MLE(truth.model)


@pytest.mark.parametrize("name", list(BANK))
def test_estimates_and_loglik(name):
    truth, fit = fitted(name)
    assert fit.verdict.status == "maximum", str(fit.verdict)
    assert fit.verdict.ok
    se = np.sqrt(np.diagonal(truth.covariance))
    table = fit.summary()
    rows = table.loc[list(truth.estimates)]
    assert list(table.index[: len(rows)]) == list(truth.estimates)
    assert np.max(np.abs(rows["estimate"] - list(truth.estimates.values())) / se) < 1e-6
    np.testing.assert_allclose(fit.loglik, truth.loglik, rtol=1e-10, atol=1e-10)
    assert fit.verdict.evidence["score_in_se"] < 1e-5


@pytest.mark.parametrize("name", list(BANK))
def test_covariance_and_correlation(name):
    truth, fit = fitted(name)
    found = fit.covariance()
    assert list(found.index) == list(found.columns) == list(truth.estimates)
    se = np.sqrt(np.diagonal(truth.covariance))
    # In SE units, so that entries that are zero in theory are held to rounding.
    np.testing.assert_allclose(
        found.to_numpy() / np.outer(se, se), truth.covariance / np.outer(se, se), atol=1e-7
    )
    np.testing.assert_allclose(
        fit.correlation().to_numpy(), truth.covariance / np.outer(se, se), atol=1e-7
    )
    np.testing.assert_allclose(fit.summary()["se"].to_numpy()[: len(se)], se, rtol=1e-7)


@pytest.mark.parametrize("name", list(BANK))
def test_counts_and_criteria(name):
    truth, fit = fitted(name)
    n, k, loglik = truth.nobs, truth.nparams, truth.loglik
    assert fit.nobs == n
    assert fit.nparams == k
    np.testing.assert_allclose(fit.aic, 2 * k - 2 * loglik, rtol=1e-9)
    np.testing.assert_allclose(fit.bic, k * np.log(n) - 2 * loglik, rtol=1e-9)
    if n > k + 1:
        small = 2 * k * (k + 1) / (n - k - 1)
        np.testing.assert_allclose(fit.aicc, 2 * k - 2 * loglik + small, rtol=1e-9)
    else:
        assert fit.aicc == np.inf


@pytest.mark.parametrize("name", list(BANK))
def test_wald_limits_on_the_scale_of_the_support(name):
    truth, fit = fitted(name)
    limits = fit.conf_int(level=0.9)
    se = dict(zip(truth.estimates, np.sqrt(np.diagonal(truth.covariance)), strict=True))
    q = norm.ppf(0.95)
    for label, scale in truth.scales.items():
        value, half = truth.estimates[label], q * se[label]
        assert limits.loc[label, "scale"] == scale
        if scale == "identity":
            low, high = value - half, value + half
        elif scale == "log":
            edge = 2.0 if name == "one_sided_interval" else 0.0
            gap = value - edge
            low, high = edge + gap * np.exp(-half / gap), edge + gap * np.exp(half / gap)
        elif scale == "logit":
            at, step = np.log(value / (1 - value)), half / (value * (1 - value))
            low, high = 1 / (1 + np.exp(step - at)), 1 / (1 + np.exp(-step - at))
        else:
            at, step = np.arctanh(value), half / (1 - value**2)
            low, high = np.tanh(at - step), np.tanh(at + step)
        np.testing.assert_allclose(limits.loc[label, ["lower", "upper"]].astype(float), [low, high])


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in BANK
        if n
        in {
            "normal_mean_and_sd",
            "poisson",
            "groups_by_index_with_coords",
            "simplex_of_one_multinomial_row",
            "covariance_by_its_cholesky_factor",
        }
    ],
)
def test_deterministics_by_the_delta_method(name):
    truth, fit = fitted(name)
    table = fit.summary()
    for label, (value, se) in truth.derived.items():
        np.testing.assert_allclose(table.loc[label, ["estimate", "se"]].astype(float), [value, se])


@pytest.mark.parametrize("name", list(BANK))
def test_tests_against_zero(name):
    """z and p only where zero is an interior point of the support."""
    truth, fit = fitted(name)
    table = fit.summary()
    for label, scale in truth.scales.items():
        row = table.loc[label]
        interior = scale in {"identity", "fisher z"} and name != "mean_in_an_interval"
        interior &= label not in {"p[a]", "chol[0]", "chol[2]"}  # shares, diagonal: zero is an edge
        if interior:
            np.testing.assert_allclose(row["z"], row["estimate"] / row["se"])
            np.testing.assert_allclose(row["p"], 2 * norm.sf(abs(row["z"])))
        else:
            assert np.isnan(row["z"])
            assert np.isnan(row["p"])


@pytest.mark.parametrize("name", list(BANK))
def test_point_and_params_agree_with_the_table(name):
    truth, fit = fitted(name)
    flat = np.concatenate([np.ravel(v) for v in fit.point.values()])
    values = pd.Series(flat, index=list(truth.estimates))
    np.testing.assert_array_equal(values, fit.summary().loc[list(values.index), "estimate"])
    assert set(fit.params.data_vars) == set(fit.point)
    for variable, value in fit.point.items():
        np.testing.assert_array_equal(fit.params[variable].to_numpy(), value)
