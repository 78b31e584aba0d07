"""What a first fit does to be quick leaves no trace, and costs no digits."""

import subprocess
import sys

import numpy as np
import pymc as pm
import pytest
from scipy.special import expit

import pymle
from pymle.objective import ElementwiseMap


def _model(observed):
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu"), pm.HalfNormal("sigma"), observed=observed)
    return model


FIRST_FIT = """
import gc, sys
import pymc as pm, pymle

if sys.argv[1] == "off":
    gc.disable()
with pm.Model() as model:
    pm.Normal("y", pm.Normal("mu"), 1.0, observed=[1.0, 2.0, 6.0])
assert "jax" not in sys.modules
assert abs(pymle.find_MLE(model, progressbar=False).point["mu"] - 3.0) < 1e-12
assert gc.isenabled() == (sys.argv[1] == "on") and gc.get_freeze_count() == 0
"""


@pytest.mark.parametrize("collector", ["on", "off"])
def test_garbage_collection_is_as_before(collector):
    subprocess.run([sys.executable, "-c", FIRST_FIT, collector], check=True)


def test_logistic_map_keeps_its_digits():
    x = np.array([-700.0, -40.0, -1.0, 0.0, 1e-9, 2.0, 40.0, 800.0])
    edges = np.zeros(len(x)), np.ones(len(x))
    natural = ElementwiseMap(np.zeros(len(x)), np.ones(len(x), dtype=bool), *edges)
    value, jacobian = natural.value_and_jacobian(x)
    assert np.allclose(value, expit(x), rtol=4e-16, atol=0)
    assert np.allclose(np.diagonal(jacobian), expit(x) * expit(-x), rtol=8e-16, atol=0)


def test_refit_shares_what_jax_was_given():
    compiled = pymle.compile(_model(np.array([1.0, 2.0, 4.0])))
    first = compiled.fit(progressbar=False)
    other = np.array([1.0, 2.0, 5.0])
    assert compiled.fit(data={"y": other}, progressbar=False).point["mu"] == pytest.approx(8 / 3)
    other[2] = 9.0  # the caller's own array, changed in place
    assert compiled.fit(data={"y": other}, progressbar=False).point["mu"] == pytest.approx(4.0)
    assert compiled.fit(progressbar=False).loglik == first.loglik
