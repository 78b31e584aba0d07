"""Hard cases get the diagnosis that they ask for, and no number that is not there."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest

from tests.existence import cases_boundary, cases_identification, cases_maxima
from tests.existence.hard_cases import fitted, wrong

CASES = {**cases_boundary.CASES, **cases_identification.CASES, **cases_maxima.CASES}
QUICK = (
    "eight schools",
    "positive slope of falling data",
    "negative binomial is poisson",
    "no zero inflation",
    "a sum",
    "two Cauchy observations",
    "symmetric double well",
    "only its square",
)


@cache
def _answered(name):
    with warnings.catch_warnings():
        # Overflow and the like would be errors here.
        warnings.simplefilter("error")
        fit, error = fitted(CASES[name])
    assert wrong(CASES[name], fit, error) == ""
    assert fit is not None
    if not fit.verdict.ok:
        assert fit.verdict.advice
        assert fit.verdict.status.value in repr(fit)
        assert fit.verdict.status.value in fit._repr_html_()
    return fit


@pytest.mark.parametrize("name", QUICK)
def test_quick(name):
    _answered(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(CASES) - set(QUICK)))
def test_every_other(name):
    _answered(name)


def test_there_are_enough_of_them():
    assert len(CASES) >= 40


@pytest.fixture(scope="module")
def schools():
    return _answered("eight schools")


def test_errors_are_conditional_on_the_edge_in_text_html_and_data(schools):
    words = "conditional on tau = 0"
    assert words in repr(schools)
    assert words in schools._repr_html_()
    assert schools.summary().attrs["conditional_on"].startswith("tau = 0")
    assert "chi-bar-squared" in schools.verdict.advice


def test_flat_directions_are_named_one_by_one():
    """Least squares on two pairs of equal columns: two directions, each of two coefficients."""
    import pymc as pm

    import pymle

    x = np.arange(12.0) % 5
    z = np.arange(12.0) ** 2 / 20
    columns = np.column_stack([x, x, z, -z])
    with pm.Model() as model:
        b = pm.Normal("b", 0, 5, shape=4)
        pm.Deterministic("first", b[0] + b[1])
        pm.Deterministic("second", b[2] - b[3])
        pm.Normal("y", pm.math.dot(columns, b), 1.0, observed=x - z + np.tile([0.5, -0.5], 6))
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model, progressbar=False)
    assert fit.verdict.status == "flat direction"
    found = {frozenset(each) for each in fit.verdict.evidence["flat_directions"]}
    assert found == {frozenset({"b[0]", "b[1]"}), frozenset({"b[2]", "b[3]"})}
    assert set(fit.verdict.parameters) == {"b[0]", "b[1]", "b[2]", "b[3]"}
    pair = np.column_stack([x, z])
    covariance = np.linalg.inv(pair.T @ pair)
    table = fit.summary()
    np.testing.assert_allclose(
        table.loc[["first", "second"], "se"].astype(float), np.sqrt(np.diag(covariance)), rtol=1e-8
    )
    assert table.loc[["b[0]", "b[1]", "b[2]", "b[3]"], "se"].isna().all()
