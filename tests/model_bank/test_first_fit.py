"""What a first fit does to be quick leaves no trace, and costs no digits."""

import gc

import numpy as np
import pymc as pm
import pytest
from scipy.special import expit

import pymle
from pymle.errors import PointError
from pymle.objective import ElementwiseMap


def _model(observed):
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu"), pm.HalfNormal("sigma"), observed=observed)
    return model


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_as_before(enabled):
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        pymle.find_MLE(_model(np.array([1.0, 2.0, 4.0])), progressbar=False)
        assert gc.isenabled() == enabled
        with pytest.raises(PointError):
            pymle.find_MLE(_model(np.array([1.0, 2.0])), start={"sigma": -1.0})
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was else gc.disable)()


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
