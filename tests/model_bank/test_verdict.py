"""What a fit turns out to be, on problems whose answer is known."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

import pymle

rng = np.random.default_rng(12)


def troubled(model, **arguments):
    """Fit a model that cannot be certified; the warning says so."""
    with pytest.warns(pymle.NotCertifiedWarning) as caught:
        fit = pymle.find_MLE(model, **arguments)
    assert not fit.verdict.ok
    assert fit.verdict.advice
    [text] = [str(w.message) for w in caught if w.category is pymle.NotCertifiedWarning]
    assert fit.verdict.status.sentence in text
    assert fit.verdict.advice in text
    assert fit.verdict.status.value in repr(fit)
    return fit


def logistic(x, y):
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
        pm.Bernoulli("y", logit_p=a + b * x, observed=y)
    return model


def test_certificate_and_its_evidence():
    y = rng.normal(2, 3, 30)
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 1), pm.HalfNormal("sigma", 1), observed=y)
    verdict = pymle.find_MLE(model).verdict
    assert verdict.ok
    assert verdict.status is pymle.Status.MAXIMUM
    assert verdict.status == "maximum"
    assert not verdict.parameters
    assert verdict.evidence["expected_gain"] < 1e-10
    assert 0 < verdict.evidence["eigenvalue_min"] <= verdict.evidence["eigenvalue_max"]
    assert verdict.evidence["derivative_check"] < 1e-2
    assert verdict.evidence["starts"]


def test_separated_outcomes_have_no_maximum():
    fit = troubled(logistic(np.arange(8.0) - 3.5, np.repeat([0, 1], 4)))
    assert fit.verdict.status == "no maximum"
    assert "b" in fit.verdict.parameters
    assert "separation" in fit.verdict.advice
    assert np.isnan(fit.summary()["se"]).all()
    assert np.isnan(fit.summary()["upper"]).all()


def test_quasi_separated_outcomes_have_no_maximum():
    x = np.array([-2.0, -1.0, 0.0, 0.0, 1.0, 2.0])
    fit = troubled(logistic(x, np.array([0, 0, 0, 1, 1, 1])))
    assert fit.verdict.status == "no maximum"
    assert "b" in fit.verdict.parameters


def collinear():
    """Dummies of all three groups beside an intercept."""
    group = np.repeat(np.arange(3), [4, 6, 8])
    x = np.column_stack([np.ones(18), np.eye(3)[group], np.arange(18.0) % 5])
    y = x @ [1.0, 0.0, 2.0, -1.0, 0.5] + rng.normal(size=18)
    names = ["one", "g0", "g1", "g2", "x"]
    with pm.Model(coords={"column": names}) as model:
        beta = pm.Normal("beta", 0, 10, dims="column")
        pm.Deterministic("contrast", beta[2] - beta[1])
        pm.Deterministic("sum", beta[0] + beta[1])
        pm.Deterministic("unidentified", beta[1])
        pm.Normal("y", x @ beta, pm.HalfNormal("sigma", 5), observed=y)
    return model, x, y


def test_collinear_columns_are_a_flat_direction_and_contrasts_keep_their_errors():
    model, x, y = collinear()
    fit = troubled(model)
    assert fit.verdict.status == "flat direction"
    weights = fit.verdict.parameters
    assert set(weights) == {"beta[one]", "beta[g0]", "beta[g1]", "beta[g2]"}
    np.testing.assert_allclose([abs(w) for w in weights.values()], 1.0, rtol=1e-6)
    for name in ("beta[g0]", "beta[g1]", "beta[g2]"):
        np.testing.assert_allclose(weights[name], -weights["beta[one]"], rtol=1e-6)

    # Least squares on the columns without the intercept, which span the same space.
    z = x[:, 1:]
    coef, *_ = np.linalg.lstsq(z, y, rcond=None)
    sigma = np.sqrt(np.mean((y - z @ coef) ** 2))
    cov = sigma**2 * np.linalg.inv(z.T @ z)
    table = fit.summary()
    assert table.loc[list(weights), ["se", "z", "p", "lower", "upper"]].isna().all().all()
    assert np.isnan(table.loc["unidentified", "se"])
    expected = {
        "contrast": (coef[1] - coef[0], np.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])),
        "sum": (coef[0], np.sqrt(cov[0, 0])),
        "beta[x]": (coef[3], np.sqrt(cov[3, 3])),
        "sigma": (sigma, sigma / np.sqrt(36)),
    }
    for label, values in expected.items():
        found = table.loc[label, ["estimate", "se"]].astype(float)
        np.testing.assert_allclose(found, values, rtol=1e-6)
    assert fit.nparams == 5  # four identified coefficients and sigma
    covariance = fit.covariance()
    assert np.isnan(covariance.loc["beta[one]", "beta[one]"])
    np.testing.assert_allclose(covariance.loc["beta[x]", "beta[x]"], cov[3, 3], rtol=1e-6)


def test_a_sum_of_two_parameters():
    y = rng.normal(3, 1, 20)
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        pm.Deterministic("total", a + b)
        pm.Normal("y", a + b, 1.0, observed=y)
    fit = troubled(model)
    assert fit.verdict.status == "flat direction"
    np.testing.assert_allclose(fit.verdict.parameters["a"], -fit.verdict.parameters["b"])
    row = fit.summary().loc["total"]
    np.testing.assert_allclose(
        row[["estimate", "se"]].astype(float), [y.mean(), 1 / np.sqrt(20)], rtol=1e-8
    )


def test_all_successes_put_the_probability_on_its_edge():
    with pm.Model() as model:
        pm.Binomial("y", 10, pm.Beta("p", 1, 1), observed=[10, 10])
    fit = troubled(model)
    assert fit.verdict.status == "boundary"
    assert set(fit.verdict.parameters) == {"p"}
    np.testing.assert_allclose(fit.params["p"], 1.0, atol=1e-6)
    np.testing.assert_allclose(fit.loglik, 0.0, atol=1e-6)
    assert np.isnan(fit.summary().loc["p", "se"])


def test_a_share_on_its_edge_leaves_the_others_their_errors():
    with pm.Model() as model:
        pm.Binomial("first", 10, pm.Beta("p", 1, 1), observed=[0])
        pm.Binomial("second", 10, pm.Beta("q", 1, 1), observed=[4])
    fit = troubled(model)
    assert fit.verdict.status == "boundary"
    assert set(fit.verdict.parameters) == {"p"}
    row = fit.summary().loc["q"]
    np.testing.assert_allclose(
        row[["estimate", "se"]].astype(float), [0.4, np.sqrt(0.024)], rtol=1e-6
    )


def test_variance_component_at_zero():
    """Between-group variance below its expectation under none: the maximum lies at zero."""
    means = np.array([0.1, -0.2, 0.3, 0.05, -0.25])
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 10), pm.HalfNormal("tau", 1)
        pm.Normal("y", mu, pm.math.sqrt(1.0 + tau**2), observed=means)
    fit = troubled(model)
    assert fit.verdict.status == "boundary"
    assert set(fit.verdict.parameters) == {"tau"}
    row = fit.summary().loc["mu"]
    np.testing.assert_allclose(
        row[["estimate", "se"]].astype(float), [means.mean(), 1 / np.sqrt(5)], rtol=1e-5, atol=1e-12
    )
    assert np.isnan(fit.summary().loc["tau", "se"])


def test_mean_beyond_the_bound_of_a_uniform():
    y = np.array([11.0, 12.5, 12.0])
    with pm.Model() as model:
        pm.Normal("y", pm.Uniform("mu", 0, 10), 1.0, observed=y)
    fit = troubled(model)
    assert fit.verdict.status == "boundary"
    np.testing.assert_allclose(fit.params["mu"], 10.0, atol=1e-4)


def test_an_empty_category_is_on_the_edge_of_the_simplex():
    with pm.Model() as model:
        pm.Multinomial("y", 10, pm.Dirichlet("p", np.ones(3)), observed=[4, 6, 0])
    fit = troubled(model)
    assert fit.verdict.status == "boundary"
    np.testing.assert_allclose(fit.params["p"], [0.4, 0.6, 0.0], atol=1e-5)


def test_exact_fit_has_no_maximum():
    x = np.arange(6.0)
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 10), pm.Normal("b", 0, 10)
        pm.Normal("y", a + b * x, pm.HalfNormal("sigma", 1), observed=2.0 + 3.0 * x)
    fit = troubled(model)
    assert fit.verdict.status == "no maximum"
    assert "sigma" in fit.verdict.parameters
    assert fit.params["sigma"] < 1e-4


def test_student_degrees_of_freedom_run_to_infinity():
    """Tails lighter than normal."""
    y = np.tile([-1.0, 1.0], 10) * np.linspace(0.9, 1.1, 20)
    with pm.Model() as model:
        nu, mu, sigma = pm.Gamma("nu", 2, 0.1), pm.Normal("mu", 0, 1), pm.HalfNormal("sigma", 1)
        pm.StudentT("y", nu, mu=mu, sigma=sigma, observed=y)
    fit = troubled(model)
    assert fit.verdict.status == "no maximum"
    assert "nu" in fit.verdict.parameters


def test_saddle_when_told_to_start_on_it():
    """The product of two factors is symmetric: the score vanishes at the origin."""
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 1, initval=0.0), pm.Normal("b", 0, 1, initval=0.0)
        pm.Normal("y", a * b, 1.0, observed=[2.0, 3.0])
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model, start={"a": 0.0, "b": 0.0})
    # Left by the search; only the product is identified.
    assert fit.verdict.status == "flat direction"
    np.testing.assert_allclose(fit.params["a"] * fit.params["b"], 2.5, rtol=1e-6)


def test_mixture_from_identical_components_is_not_certified_at_its_saddle():
    y = np.concatenate([rng.normal(-3, 1, 40), rng.normal(3, 1, 40)])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1, shape=2)
        pm.NormalMixture("y", [0.5, 0.5], mu, 1.0, observed=y)
    fit = pymle.find_MLE(model, start={"mu": [0.0, 0.0]})
    assert fit.verdict.ok
    np.testing.assert_allclose(np.sort(fit.params["mu"]), [-3, 3], atol=0.6)
    assert "equivalent maxima" in fit.verdict.advice


class Halved(Op):
    """A sum of squares whose gradient is right or half of it."""

    __props__ = ("factor",)

    def __init__(self, factor):
        self.factor = factor

    def make_node(self, x):
        x = pt.as_tensor_variable(x)
        return Apply(self, [x], [pt.dscalar()])

    def perform(self, _node, inputs, outputs):
        outputs[0][0] = np.asarray(-0.5 * np.sum((inputs[0] - TARGET) ** 2 * SCALE))

    def grad(self, inputs, gradients):
        if self.factor is None:
            from pytensor.gradient import grad_undefined

            return [grad_undefined(self, 0, inputs[0])]
        return [gradients[0] * self.factor * Slope()(inputs[0])]

    def pullback(self, inputs, _outputs, cotangents):
        return self.grad(inputs, cotangents)


class Slope(Op):
    __props__ = ()

    def make_node(self, x):
        return Apply(self, [pt.as_tensor_variable(x)], [pt.dvector()])

    def perform(self, _node, inputs, outputs):
        outputs[0][0] = -(inputs[0] - TARGET) * SCALE


TARGET, SCALE = np.array([1.0, -2.0]), np.array([4.0, 25.0])


def black_box(op):
    with pm.Model() as model:
        theta = pm.Normal("theta", 0, 5, shape=2)
        pm.Potential("loglik", op(theta))
        pm.Normal("y", theta[0], 1.0, observed=[1.0])
    return model


@pytest.mark.filterwarnings("ignore::pymle.Notice")
def test_black_box_with_a_gradient():
    fit = pymle.find_MLE(black_box(Halved(1.0)))
    assert fit.verdict.ok, str(fit.verdict)
    np.testing.assert_allclose(fit.params["theta"], TARGET, rtol=1e-8)
    np.testing.assert_allclose(fit.covariance(), np.diag([1 / 5, 1 / 25]), atol=1e-6)
    assert fit.record.route == "pytensor"
    assert fit.record.route_reason
    assert "differenced" in fit.record.hessian
    assert "PyTensor" in repr(fit)
    np.testing.assert_allclose(fit.loglik, -0.5 * np.log(2 * np.pi), rtol=1e-10)


@pytest.mark.filterwarnings("ignore::pymle.Notice")
def test_black_box_without_a_gradient():
    fit = troubled(black_box(Halved(None)))
    assert fit.verdict.status == "derivative-free"
    np.testing.assert_allclose(fit.params["theta"], TARGET, atol=1e-4)
    assert fit.record.route == "pytensor"
    assert "none" in fit.record.hessian
    assert "gradient" in fit.verdict.advice
    assert fit.summary()["se"].isna().all()


@pytest.mark.filterwarnings("ignore::pymle.Notice")
def test_a_wrong_gradient_is_inconsistent():
    fit = troubled(black_box(Halved(0.5)))
    assert fit.verdict.status == "inconsistent derivatives"
    assert "gradient" in fit.verdict.advice
    assert fit.verdict.evidence["derivative_check"] > 0.02
    assert fit.summary()["se"].isna().all()


def test_no_fit_returns_its_untouched_start_as_a_maximum():
    """A likelihood that does not depend on its parameter near the start."""
    with pm.Model() as model:
        a = pm.Normal("a", 0, 1, initval=0.0)
        pm.Normal("y", pm.math.switch(a > 100.0, 1.0, 0.0), 1.0, observed=[0.2, 0.4])
    fit = troubled(model)
    assert fit.verdict.status in {"flat direction", "not converged", "no maximum"}
    assert fit.summary()["se"].isna().all()
