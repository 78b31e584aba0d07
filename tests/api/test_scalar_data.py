"""Data that are single integers, which a graph may treat as part of its structure."""

import numpy as np
import pymc as pm
import pytest

import pymle


def _model(observed):
    with pm.Model() as model:
        trials = pm.Data("trials", np.asarray(20))
        observed = pm.Data("count", np.asarray(observed))
        pm.Binomial("y", trials, pm.Beta("p", 1, 1), observed=observed)
    return model


@pytest.mark.parametrize(
    ("data", "share"),
    [
        ({"count": 7}, 7 / 20),
        ({"y": 7}, 7 / 20),
        ({"trials": 40}, 4 / 40),
        ({"count": 7, "trials": 40}, 7 / 40),
    ],
)
def test_new_integers_reach_the_likelihood(data, share):
    compiled = pymle.compile(_model(4))
    arrays = {name: np.asarray(value) for name, value in data.items()}
    fit = compiled.fit(data=arrays, progressbar=False)
    assert float(fit.point["p"]) == pytest.approx(share, rel=1e-9)
    assert float(compiled.fit(progressbar=False).point["p"]) == pytest.approx(4 / 20, rel=1e-9)


def test_simulated_integers_reach_the_likelihood():
    fit = pymle.find_MLE(_model(8), progressbar=False)
    boot = fit.bootstrap(199, "parametric", random_seed=1, progressbar=False)
    assert boot.replicates["p"].std() == pytest.approx(np.sqrt(0.4 * 0.6 / 20), rel=0.2)
    options = {"method": "profile", "progressbar": False}
    plain = fit.conf_int(**options).loc["p"]
    calibrated = fit.conf_int(calibrate="bootstrap", n_boot=199, random_seed=1, **options).loc["p"]
    for side in ("lower", "upper"):
        assert calibrated[side] == pytest.approx(plain[side], abs=0.05)
