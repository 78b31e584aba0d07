"""The sleep study, against lme4 and glmmTMB."""

import numpy as np
import pytest

from examples import sleepstudy


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    picture = tmp_path_factory.mktemp("sleepstudy") / "picture.png"
    return {**sleepstudy.main(picture), "picture": picture}


def test_estimates_as_in_lme4(found):
    # R 4.2.2, lme4 1.1.31: lmer(Reaction ~ Days + (Days|Subject), sleepstudy, REML=FALSE);
    # standard errors from glmmTMB 1.1.5.
    fit = found["fit"]
    assert fit.verdict.ok
    assert fit.loglik == pytest.approx(-875.969672231599, abs=1e-6)
    table = fit.summary()
    expected = {
        "line[intercept]": (251.405104848485, 6.63227680701046),
        "line[slope]": (10.467285959596, 1.50223678231728),
        "sigma": (25.5918156267252, 1.50801219757757),
        "chol_corr[0, 1]": (0.0813200753619828, 0.323502473490727),
    }
    for name, (estimate, se) in expected.items():
        assert table.loc[name, "estimate"] == pytest.approx(estimate, abs=1e-4 * se)
        assert table.loc[name, "se"] == pytest.approx(se, rel=1e-3)


def test_limits_as_by_tmbroot(found):
    limits = found["limits"].loc["line[slope]", ["lower", "upper"]].to_numpy(dtype=float)
    np.testing.assert_allclose(limits, [7.35866585219667, 13.5759060669952], atol=1e-3)


def test_the_average_deviation_is_zero(found):
    deviations = found["deviations"]
    slopes = deviations[[str(i).endswith("slope]") for i in deviations.index]]
    assert len(slopes) == 18
    assert abs(slopes["estimate"].mean()) < 1e-6
    assert found["picture"].stat().st_size > 10_000
