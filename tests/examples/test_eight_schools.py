"""Eight schools, against the closed form of their marginal likelihood."""

import numpy as np
import pytest
from scipy import optimize, stats

from examples import eight_schools
from examples.eight_schools import EFFECT, SE


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    picture = tmp_path_factory.mktemp("schools") / "picture.png"
    return {**eight_schools.main(picture), "picture": picture}


def profile(tau):
    variance = tau**2 + SE**2
    mu = np.average(EFFECT, weights=1 / variance)
    return stats.norm(mu, np.sqrt(variance)).logpdf(EFFECT).sum()


def test_the_marginal_maximum_is_at_zero_and_finite(found):
    fit = found["fit"]
    assert fit.verdict.status == "boundary"
    assert float(fit.params["tau"]) < 1e-3
    assert fit.loglik == pytest.approx(profile(0.0), abs=1e-6)
    assert np.all(found["marginal"] <= fit.loglik + 1e-9)


def test_the_limit_is_where_the_likelihood_has_fallen(found):
    cut = profile(0.0) - 0.5 * stats.chi2(1).ppf(0.95)
    expected = optimize.brentq(lambda tau: profile(tau) - cut, 1.0, 50.0)
    assert found["upper"] == pytest.approx(expected, rel=1e-4)


def test_the_joint_mode_is_none(found):
    assert not found["mode"].verdict.ok
    assert found["picture"].stat().st_size > 10_000


def test_effects_at_a_given_spread(found):
    variance = 25.0 + SE**2
    mu = np.average(EFFECT, weights=1 / variance)
    expected = mu + 25.0 / variance * (EFFECT - mu)
    np.testing.assert_allclose(found["effects"].table["mode"], expected, rtol=1e-7)
