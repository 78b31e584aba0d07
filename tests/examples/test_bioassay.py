"""The bioassay, against R's glm and dose.p."""

import numpy as np
import pytest

from examples import bioassay


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    picture = tmp_path_factory.mktemp("bioassay") / "picture.png"
    return {**bioassay.main(picture), "picture": picture}


def test_doses_as_in_mass(found):
    # R: dose.p(glm(SF ~ sex + ldose - 1, family = binomial), cf = c(1, 3)), help(dose.p), MASS 7.3:
    # 3.263587, SE 0.2297539, in binary logarithms.
    table = found["doses"].table.loc["LD50[female]"]
    assert np.log2(table["estimate"]) == pytest.approx(3.263587, abs=1e-6)
    assert table["se"] / table["estimate"] / np.log(2) == pytest.approx(0.2297539, abs=2e-6)


def test_likelihood_ratio_as_in_glm(found):
    # Residual deviances of glm(SF ~ sex * ldose) and glm(SF ~ sex + ldose): 4.993727, 6.757064.
    assert found["ratio"].tests[1].statistic == pytest.approx(6.757064 - 4.993727, abs=2e-6)
    assert list(found["ratio"].table.index) == ["same", "parallel", "separate"]


def test_the_story_holds(found):
    assert found["wald"].p == pytest.approx(0.191168, abs=1e-6)
    assert found["table"].index[0] == "parallel"
    assert found["potency"].table["lower"].iloc[0] > 1.0
    assert set(found["profiled"].table["lower_flag"]) == {"found"}
    assert found["picture"].stat().st_size > 10_000
