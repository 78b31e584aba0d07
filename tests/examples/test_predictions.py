"""The example on predictions: what it finds about the epileptic patients."""

import numpy as np
import pytest

from examples import predictions


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    picture = tmp_path_factory.mktemp("predictions") / "picture.png"
    return {**predictions.main(picture), "picture": picture}


def test_the_effect_of_progabide_is_that_of_statsmodels(found):
    row = found["effects"]["poisson"].table.iloc[0]
    assert row["estimate"] == pytest.approx(found["theirs"].margeff[-1], abs=1e-7)
    assert row["se"] == pytest.approx(found["theirs"].margeff_se[-1], abs=1e-7)
    assert found["effects"]["negative binomial"].table["se"].item() > 2 * row["se"]


def test_prediction_limits_of_the_negative_binomial_are_wider(found):
    poisson, negative = (found["predictions"][kind].table for kind in predictions.KINDS)
    assert np.all(negative["prediction_upper"] > poisson["prediction_upper"])
    assert np.all(poisson["estimate"].between(poisson["lower"], poisson["upper"]))


def test_residuals_show_that_the_poisson_is_wrong(found):
    spread = {kind: each.summary()["std"].item() for kind, each in found["residuals"].items()}
    assert spread["poisson"] > 1.5
    assert spread["negative binomial"] == pytest.approx(1.0, abs=0.1)
    assert found["picture"].stat().st_size > 10_000
