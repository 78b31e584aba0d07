"""Hard cases of numerical trouble: noise, wrong derivatives, steps, single precision, no mode."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from tests.existence.cases_no_maximum import SAMPLE, SPLIT, X
from tests.existence.catalogue import CASES, THEME, case, examined, of_theme

__all__ = ["CASES", "examined", "of_theme"]

THEME.append("numerics")


class Squares(Op):
    """Minus half a weighted sum of squares about 1 and -2, with trouble on request."""

    __props__ = ("trouble",)

    def __init__(self, trouble):
        self.trouble = trouble
        self.calls = 0

    def make_node(self, x):
        return Apply(self, [pt.as_tensor_variable(x)], [pt.dscalar()])

    def perform(self, _node, inputs, outputs):
        difference = inputs[0] - np.array([1.0, -2.0])
        value = -0.5 * np.sum(difference**2 * np.array([4.0, 25.0]))
        self.calls += 1
        if self.trouble == "random":
            value += 1e-3 * np.random.default_rng(self.calls).normal()
        if self.trouble == "single":
            value = float(np.float32(value + 1e4)) - 1e4
        outputs[0][0] = np.asarray(value)

    def grad(self, inputs, gradients):
        return [gradients[0] * Slope(self.trouble)(inputs[0])]

    def pullback(self, inputs, _outputs, cotangents):
        return self.grad(inputs, cotangents)


class Slope(Op):
    """The gradient of `Squares`, wrong in one entry on request."""

    __props__ = ("trouble",)

    def __init__(self, trouble):
        self.trouble = trouble

    def make_node(self, x):
        return Apply(self, [pt.as_tensor_variable(x)], [pt.dvector()])

    def perform(self, _node, inputs, outputs):
        slope = -(inputs[0] - np.array([1.0, -2.0])) * np.array([4.0, 25.0])
        if self.trouble == "wrong":
            slope = slope * np.array([1.0, 0.7])
        if self.trouble == "offset":
            slope = slope + np.array([0.0, 3.0])
        if self.trouble == "sign":
            slope = -slope
        outputs[0][0] = slope


def black_box(trouble):
    with pm.Model() as model:
        theta = pm.Normal("theta", 0, 5, shape=2)
        pm.Potential("loglik", Squares(trouble)(theta))
        pm.Normal("y", theta[0], 1.0, observed=[1.0])
    return model


@case("inconsistent derivatives", ["theta[1]"], ("gradient",))
def gradient_of_the_wrong_size():
    return black_box("wrong")


@case("inconsistent derivatives", ["theta[1]"], ("gradient",))
def gradient_with_an_offset():
    return black_box("offset")


@case({"inconsistent derivatives", "not converged"}, [], ("gradient",))
def gradient_of_the_wrong_sign():
    return black_box("sign")


@case({"numerical noise", "inconsistent derivatives"}, [], ("same point", "random"))
def random_black_box():
    return black_box("random")


@case({"numerical noise", "inconsistent derivatives", "maximum"}, [], ("noise",))
def black_box_in_single_precision():
    return black_box("single")


@case(())
def random_variable_in_the_mean():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        noise = pm.Normal.dist(0, 0.01, shape=12)
        pm.Normal("y", mu + noise, 1.0, observed=SAMPLE)
    return model


@case({"inconsistent derivatives", "kink", "not converged", "flat direction"}, [], ())
def step_in_the_likelihood():
    """The mean is rounded down: steps, and a slope of zero between them."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 5, 5)
        pm.Normal("y", pt.floor(4 * mu) / 4, 1.0, observed=SAMPLE)
    return model


@case({"inconsistent derivatives", "kink", "not converged"}, [], ())
def jump_at_a_threshold():
    with pm.Model() as model:
        c, a = pm.Normal("c", 0.4, 1), pm.Normal("a", 0, 5)
        b = pm.Normal("b", 0, 5)
        pm.Normal("y", pt.switch(c < X, a, b), 1.0, observed=X + 5 * SPLIT)
    return model


@case("kink", [], ("bootstrap",))
def absolute_deviations():
    with pm.Model() as model:
        pm.Laplace("y", pm.Normal("mu", 0, 5), 1.0, observed=SAMPLE[:11])
    return model


@case({"numerical noise", "maximum", "not converged"}, [], ())
def cancellation_of_large_terms():
    """A sum of squares written out, of values near 1e8: its noise is larger than its shape."""
    y = 1e8 + SAMPLE
    with pm.Model() as model:
        mu = pm.Normal("mu", 1e8, 10)
        expanded = np.sum(y**2) - 2 * mu * np.sum(y) + len(y) * mu**2
        pm.Potential("loglik", -0.5 * expanded)
    return model


@case("maximum")
def predictors_in_the_billions():
    x = 1e9 * X
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 10), pm.Normal("b", 0, 10)
        pm.Normal("y", a + b * x, pm.HalfNormal("sigma", 1), observed=SAMPLE[:10])
    return model


@case("maximum")
def deviations_of_a_hundred_millionth():
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 1)
        pm.Normal("y", mu, sigma, observed=1.0 + 1e-8 * SAMPLE)
    return model


@case({"maximum", "numerical noise"})
def tiny_deviations_about_a_large_mean():
    """Eight digits of sixteen are left for the deviations."""
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 1)
        pm.Normal("y", mu, sigma, observed=1e9 + SAMPLE)
    return model


@case((), words=("`mu`", "float32"))
def model_in_single_precision():
    with pytensor.config.change_flags(floatX="float32"), pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 1), 1.0, observed=SAMPLE)
    return model


@case({"numerical noise", "inconsistent derivatives", "not converged", "maximum"}, [], ())
def single_precision_on_the_way():
    """The mean passes through single precision: 24 bits of about 1000."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 1e3, 10)
        mean = pt.cast(pt.cast(mu, "float32"), "float64")
        pm.Normal("y", mean, 1e-3, observed=1e3 + 1e-3 * SAMPLE)
    return model


@case((), words=("no conditional mode", "level"), random=["level"])
def effects_that_nothing_holds():
    """The law of the effects pushes them away: the inner (Laplace) search has no end."""
    group = np.arange(12) % 4
    with pm.Model() as model:
        level = pm.Flat("level", shape=4)
        pm.Potential("law", 10.0 * (level**2).sum())
        eta = pm.Normal("a", 0, 1) + level[group]
        pm.Bernoulli("y", logit_p=eta, observed=(SAMPLE > 4).astype(int))
    return model
