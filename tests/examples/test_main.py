"""The example that README's first command runs."""

import numpy as np
import pytest

from examples import main


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    picture = tmp_path_factory.mktemp("main") / "picture.png"
    return {**main.main(picture, draws=200, tune=300, chains=2), "picture": picture}


def test_estimates_are_those_that_nist_certifies(found):
    fit = found["fit"]
    certified = {"ceiling": 72.462237576, "offset": 2.6180768402, "rate": 0.067359200066}
    assert fit.verdict.ok
    for name, value in certified.items():
        assert float(fit.params[name]) == pytest.approx(value, rel=1e-9)
    # From the certified residual sum of squares, with divisor n.
    assert float(fit.params["sigma"]) == pytest.approx(np.sqrt(8.0565229338 / 9), rel=1e-9)
    assert fit.loglik == pytest.approx(-12.27210549624586, abs=1e-9)


def test_standard_errors_are_those_of_the_observed_information(found):
    """Observed information in 60 digits (mpmath); NIST's own are Gauss-Newton's."""
    table = found["fit"].summary()
    observed = {
        "ceiling": 1.378674654590831,
        "offset": 0.07191538474608296,
        "rate": 0.0027485609940567646,
        "sigma": 0.22300588119647854,
    }
    for name, value in observed.items():
        assert table.loc[name, "se"] == pytest.approx(value, rel=1e-7)


def test_halfway_is_a_function_of_the_parameters_by_the_delta_method(found):
    fit = found["fit"]
    offset, rate = float(fit.params["offset"]), float(fit.params["rate"])
    covariance = fit.covariance().loc[["offset", "rate"], ["offset", "rate"]].to_numpy()
    slope = np.array([1 / rate, -offset / rate**2])
    row = fit.summary().loc["halfway"]
    assert row["estimate"] == pytest.approx(offset / rate, rel=1e-12)
    assert row["se"] == pytest.approx(np.sqrt(slope @ covariance @ slope), rel=1e-9)


def test_posterior_stands_beside_the_fit(found):
    table = found["table"]
    assert list(table.index) == ["ceiling", "offset", "rate", "sigma", "halfway"]
    likelihood, posterior = table["maximum likelihood"], table["posterior"]
    draws = found["trace"].posterior["sigma"].values
    row = posterior.loc["sigma"]
    np.testing.assert_allclose(row["mean"], draws.mean(), rtol=1e-12)
    np.testing.assert_allclose(
        row[["2.5%", "97.5%"]].astype(float), np.quantile(draws, [0.025, 0.975]), rtol=1e-12
    )

    assert np.all(posterior["2.5%"] < likelihood["estimate"])
    assert np.all(likelihood["estimate"] < posterior["97.5%"])
    # Nine observations: the posterior averages over a sigma whose estimate has divisor n.
    assert np.all(posterior["sd"] > likelihood["se"])
    assert row["mean"] > likelihood.loc["sigma", "estimate"]
    assert found["picture"].stat().st_size > 10_000
