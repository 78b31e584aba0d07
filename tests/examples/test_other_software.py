"""The examples whose answers other software gives too."""

import numpy as np
import pytest

import pymle
from examples import any_supervised_model, logistic_seven_points


def test_logistic_regression_on_seven_points(tmp_path):
    picture = tmp_path / "picture.png"
    found = logistic_seven_points.main(picture)
    fit, theirs, p = found["fit"], found["logit"], found["p"]

    assert list(found["x"]) == [1, 2, 3, 4, 5, 6, 7]
    assert list(found["y"]) == [0, 0, 1, 0, 1, 1, 1]
    assert fit.verdict.ok
    table = fit.summary()
    np.testing.assert_allclose(table["estimate"], theirs.params, rtol=1e-6)
    np.testing.assert_allclose(table["se"], theirs.bse, rtol=1e-6)
    np.testing.assert_allclose(table["p"], theirs.pvalues, rtol=1e-6)
    np.testing.assert_allclose(table[["lower", "upper"]], theirs.conf_int(), rtol=1e-6)
    assert fit.loglik == pytest.approx(theirs.llf, abs=1e-10)

    written_out = (1 - p[0]) * (1 - p[1]) * p[2] * (1 - p[3]) * p[4] * p[5] * p[6]
    assert found["product"] == pytest.approx(written_out, rel=1e-14)
    assert found["sum_of_logs"] == pytest.approx(np.log(written_out), abs=1e-13)
    assert fit.loglik == pytest.approx(found["sum_of_logs"], abs=1e-12)
    assert picture.stat().st_size > 10_000


@pytest.fixture(scope="module")
def supervised(tmp_path_factory):
    picture = tmp_path_factory.mktemp("supervised") / "picture.png"
    return {**any_supervised_model.main(picture), "picture": picture}


def test_poisson_regression_equals_statsmodels(supervised):
    fit, theirs = supervised["poisson"]["fit"], supervised["poisson"]["statsmodels"]
    assert fit.verdict.ok
    assert fit.nobs == 20190
    table = fit.summary()
    assert np.max(np.abs(table["estimate"] - theirs.params) / theirs.bse) < 1e-6
    np.testing.assert_allclose(table["se"], theirs.bse, rtol=1e-6)
    assert fit.loglik == pytest.approx(theirs.llf, abs=1e-6)
    assert fit.aic == pytest.approx(theirs.aic, abs=1e-5)
    assert supervised["picture"].stat().st_size > 10_000


def test_neural_network_says_that_its_maximum_is_one_of_several(supervised):
    fit = supervised["network"]["fit"]
    assert fit.verdict.status == "maximum"
    assert "equivalent maxima" in fit.verdict.advice


def test_neural_network_reaches_the_same_height_mirrored_and_exchanged(supervised):
    fit = supervised["network"]["fit"]
    likelihood = pymle.compile(supervised["network"]["model"])
    for signs, order in (([-1, 1], [0, 1]), ([1, -1], [0, 1]), ([1, 1], [1, 0])):
        moved = dict(fit.point)
        for name in ("weight", "bias", "out"):
            moved[name] = (np.array(signs) * fit.point[name])[order]
        assert likelihood.logp(moved) == pytest.approx(fit.loglik, abs=1e-9)


def test_neural_network_is_no_worse_than_a_wave_and_near_the_best_possible(supervised):
    """Independent bounds: a free mean per month above, a yearly sine wave below."""
    network = supervised["network"]
    month, degrees, fit = network["month"], network["degrees"], network["fit"]

    def normal_loglik(residuals):
        return -len(residuals) / 2 * (np.log(2 * np.pi * np.mean(residuals**2)) + 1)

    means = np.array([degrees[month == m].mean() for m in range(12)])
    best_possible = normal_loglik(degrees - means[month.astype(int)])
    angle = 2 * np.pi * month / 12
    wave = np.column_stack([np.ones(len(month)), np.sin(angle), np.cos(angle)])
    of_wave = normal_loglik(degrees - wave @ np.linalg.lstsq(wave, degrees, rcond=None)[0])
    assert of_wave < fit.loglik < best_possible
    assert best_possible - fit.loglik < 1
    # What it predicts stands without standard errors.
    assert list(network["predicted"].columns) == ["mean", "predicted"]
    np.testing.assert_allclose(network["predicted"]["predicted"], means, atol=0.1)
