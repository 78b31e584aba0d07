"""Numerical trouble: noise is measured, wrong gradients are named, scales are no obstacle."""

import numpy as np
import pytest

from tests.existence.cases_no_maximum import SAMPLE, X
from tests.existence.cases_numerics import CASES, examined, of_theme


@pytest.mark.filterwarnings("ignore::pymle.Notice")
@pytest.mark.parametrize("case", of_theme("numerics"))
def test_is_recognised(case):
    fit = examined(case)
    if fit is not None and not fit.verdict.ok:
        assert fit.summary()["se"].isna().all()


def fit_of(name):
    [case] = [case for case in CASES if case.name == name]
    return examined(case)


def test_noise_is_reported_in_log_likelihood():
    evidence = fit_of("black-box-in-single-precision").verdict.evidence
    # Steps of 2**-10 about 1e4 in single precision: their standard deviation about a curve.
    assert 1e-4 < evidence["noise"] < 1e-3
    assert fit_of("random-black-box").verdict.evidence["random"] > 1e-4


def test_predictors_in_the_billions_change_nothing():
    fit = fit_of("predictors-in-the-billions")
    slope, intercept = np.polyfit(X, SAMPLE[:10], 1)
    sigma = np.sqrt(np.mean((SAMPLE[:10] - intercept - slope * X) ** 2))
    expected = {
        "a": (intercept, sigma / np.sqrt(10)),
        "b": (slope * 1e-9, sigma / np.sqrt(np.sum(X**2)) * 1e-9),
        "sigma": (sigma, sigma / np.sqrt(20)),
    }
    for name, values in expected.items():
        found = fit.summary().loc[name, ["estimate", "se"]].astype(float)
        np.testing.assert_allclose(found, values, rtol=1e-6)


def test_tiny_deviations_keep_their_digits():
    row = fit_of("deviations-of-a-hundred-millionth").summary().loc["sigma"]
    np.testing.assert_allclose(row["estimate"], 1e-8 * np.std(SAMPLE), rtol=1e-6)
