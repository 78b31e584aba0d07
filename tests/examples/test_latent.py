"""The examples of latent variables: closed forms where there are, the truth elsewhere."""

import numpy as np
import pytest
from scipy import stats

from examples import item_response, local_level, three_levels


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    def run(example):
        picture = tmp_path_factory.mktemp("latent") / "picture.png"
        found = example.main(picture)
        assert picture.stat().st_size > 10_000
        return found

    return run


def test_three_levels(run):
    found = run(three_levels)
    fit = found["fit"]
    assert fit.verdict.ok
    mean, a, b, c = (float(fit.params[n]) for n in ("mean", "sd_school", "sd_class", "sd_pupil"))
    groups, schools = three_levels.class_of, three_levels.school_of[three_levels.class_of]
    covariance = c**2 * np.eye(len(groups))
    covariance += b**2 * (groups[:, None] == groups) + a**2 * (schools[:, None] == schools)
    normal = stats.multivariate_normal(np.full(len(groups), mean), covariance)
    assert fit.loglik == pytest.approx(normal.logpdf(three_levels.SCORE), abs=1e-7)
    assert set(found["limits"]["lower_flag"]) <= {"found", "edge"}
    shares = fit.summary(var_names=["share_schools", "share_classes"])
    assert ((shares["lower"] >= 0) & (shares["upper"] <= 1)).all()


def test_crossed_item_response(run):
    found = run(item_response)
    assert found["crossed"].verdict.ok
    assert found["rasch"].verdict.ok
    # Drawn together the questions are pulled towards their mean.
    estimated, predicted = found["estimated"]["estimate"], found["predicted"]["estimate"]
    assert np.corrcoef(estimated, predicted)[0, 1] > 0.99
    assert predicted.std() < estimated.std()


def test_local_level_is_the_kalman_filter(run):
    found = run(local_level)
    fit, flow = found["fit"], found["flow"]
    assert fit.verdict.ok
    step, noise = float(fit.params["step"]), float(fit.params["noise"])
    # Forward, one observation at a time.
    mean, variance, total = 1000.0, 1000.0**2, 0.0
    for y in flow:
        total += stats.norm(mean, np.sqrt(variance + noise**2)).logpdf(y)
        gain = variance / (variance + noise**2)
        mean, variance = mean + gain * (y - mean), (1 - gain) * variance + step**2
    assert fit.loglik == pytest.approx(total, abs=1e-7)
    # The last level is the filter's.
    last = found["level"].iloc[-1]
    assert last["mode"] == pytest.approx(mean, rel=1e-6)
    assert last["conditional_sd"] == pytest.approx(np.sqrt(variance - step**2), rel=1e-6)
