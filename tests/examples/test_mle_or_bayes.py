"""The estimate beside the posterior on three data sets, at reduced length."""

import numpy as np
import pytest

from examples import mle_or_bayes

#: Two short chains for each model, compiled by JAX: C and Numba take half a minute for one.
SHORT = {"draws": 300, "tune": 200, "chains": 2, "cores": 1, "quiet": True}
FAST = {"compile_kwargs": {"mode": "JAX"}}


@pytest.mark.slow
def test_three_data_sets(tmp_path, capsys):
    found = mle_or_bayes.main(tmp_path, **SHORT, **FAST)
    text = capsys.readouterr().out

    # MixedModels.jl 4, lmm(reaction ~ 1 + days + (1 | subj)), its documentation.
    sleep = found["sleep"].table
    np.testing.assert_allclose(
        sleep.loc[["level", "per_day", "between", "within"], "mle"],
        [251.405, 10.4673, 36.0121, 30.8954],
        rtol=2e-6,
    )
    assert sleep["pull_se"].abs().max() < 0.1
    between = sleep.loc["between"]
    assert between["mean"] - between["mle"] > 0.3 * between["se"]

    # R: glm(damaged ~ temperature, binomial): 15.0429 (7.3786), -0.2322 (0.1082).
    orings = found["orings"].table
    assert orings.loc["per_10", "mle"] == pytest.approx(-2.322, abs=6e-4)
    assert orings.loc["per_10", "se"] == pytest.approx(1.082, abs=6e-4)
    assert orings.loc["at_70", "mle"] == pytest.approx(15.0429 - 70 * 0.23216, abs=2e-3)
    assert orings.loc["per_10", "map"] > orings.loc["per_10", "mle"] + 0.5
    assert orings.loc["per_10", "prior_weight"] > 0.4

    # posteriordb, eight_schools-eight_schools_noncentered: 4.41 and 3.60.
    schools = found["schools"]
    assert schools.status == "boundary"
    assert schools.table.loc["mu", "mean"] == pytest.approx(4.41, abs=0.8)
    assert schools.table.loc["tau", "mean"] == pytest.approx(3.60, abs=0.8)

    assert "edge of the support" in text
    assert all(path.stat().st_size > 10_000 for path in found["pictures"])
