"""Likelihood-ratio tests: nesting, refusals, and null hypotheses on an edge."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import statsmodels.api as sm
from scipy import stats

import pymle
from pymle.inference.hypotheses.chi_bar import chi_bar

from .shared import DEAD, LDOSE, counts, poisson


@pytest.fixture(scope="module")
def model() -> pm.Model:
    return poisson(*counts())


@pytest.fixture(scope="module")
def full(model) -> pymle.Fit:
    return pymle.find_MLE(model)


@pytest.fixture(scope="module")
def null(model) -> pymle.Fit:
    return pymle.find_MLE(model, fixed={"beta[x2]": 0, "beta[x3]": 0})


def test_against_deviances(full, null):
    X, y = counts()
    family = sm.families.Poisson()
    large = sm.GLM(y, X, family=family).fit(tol=1e-15)
    small = sm.GLM(y, X[:, :2], family=family).fit(tol=1e-15)
    found = full.lr_test(null)
    assert found.statistic == pytest.approx(small.deviance - large.deviance, rel=1e-8)
    assert found.df == 2
    assert found.p == pytest.approx(stats.chi2.sf(small.deviance - large.deviance, 2), rel=1e-7)
    assert found.verified
    assert "beta[x2] = 0, beta[x3] = 0" in found.nesting
    assert null.lr_test(full).p == found.p
    assert found.names == ("the other fit", "this fit")


def test_different_models_are_verified_by_evaluation(full, null):
    X, y = counts()
    other = pymle.find_MLE(poisson(X[:, :2], y))
    found = full.lr_test(other)
    assert found.verified
    assert "has the log-likelihood of the smaller one" in found.nesting
    assert found.statistic == pytest.approx(full.lr_test(null).statistic, abs=1e-8)


def test_budworms_as_in_mass():
    # R 4: budworm.lg <- glm(SF ~ sex * ldose, binomial); residual deviances 4.993727 on 8
    # degrees of freedom, and 6.757064 on 9 for sex + ldose (help(dose.p) and MASS, 7.2).
    with pm.Model(coords={"sex": ["F", "M"]}) as separate:
        a = pm.Normal("a", 0, 10, dims="sex")
        b = pm.Normal("b", 0, 10, dims="sex")
        pm.Binomial("dead", 20, logit_p=a[:, None] + b[:, None] * LDOSE, observed=DEAD)
    with pm.Model(coords={"sex": ["F", "M"]}) as parallel:
        a = pm.Normal("a", 0, 10, dims="sex")
        b = pm.Normal("b", 0, 10)
        pm.Binomial("dead", 20, logit_p=a[:, None] + b * LDOSE, observed=DEAD)
    with pm.Model() as same:
        a = pm.Normal("a", 0, 10)
        b = pm.Normal("b", 0, 10)
        pm.Binomial("dead", 20, logit_p=(a + b * LDOSE) * np.ones((2, 1)), observed=DEAD)
    fits = [pymle.find_MLE(each) for each in (separate, parallel, same)]
    found = fits[0].lr_test(fits[1])
    assert found.verified  # the larger model with both slopes equal
    assert found.statistic == pytest.approx(6.757064 - 4.993727, abs=2e-6)
    chain = fits[0].lr_test(*fits[1:], names=["separate", "parallel", "same"])
    assert list(chain.table.index) == ["same", "parallel", "separate"]
    assert chain.tests[1].statistic == pytest.approx(found.statistic)
    np.testing.assert_array_equal(chain.table["df"].to_numpy()[1:], [1, 1])
    assert "parallel within separate" in repr(chain)


def test_refusals(model, full, null):
    X, y = counts()

    def refused(first, other, text, **more):
        with pytest.raises(pymle.AnalysisError, match=text):
            first.lr_test(other, **more)

    refused(full, pymle.find_MLE(poisson(X, y + (np.arange(80) == 3))), "1 of 80 values of `y`")
    refused(full, pymle.find_MLE(poisson(X[:79], y[:79])), r"shape \(80,\).*\(79,\)")
    refused(full, pymle.find_MLE(model, weights=np.full(80, 2.0)), "different weights")
    refused(full, pymle.find_MAP(model), "MAP")
    refused(full, pymle.find_MLE(model), "same number of parameters")
    refused(full, 3.0, "is no fit")
    refused(null, pymle.find_MLE(model, fixed={"beta[x1]": 0}), "holds beta\\[x1\\]")
    with pytest.raises(pymle.AnalysisError, match="at least one other"):
        full.lr_test()
    refused(full, null, "different names", names=["a", "a"])


def test_other_laws_have_to_be_vouched_for(full):
    _, y = counts()
    with pm.Model() as other:
        mu = pm.Normal("mu", 0, 10)
        pm.NegativeBinomial("y", mu=pt.exp(mu), alpha=50, observed=y)
    fit = pymle.find_MLE(other)
    with pytest.raises(pymle.AnalysisError, match=r"y ~ Neg(ative)?Binomial"):
        full.lr_test(fit)
    with pm.Model() as potential:
        mu = pm.Normal("mu", 0, 10)
        pm.Potential("extra", pm.logp(pm.Normal.dist(mu, 1.0), np.array([0.2, 0.4])).sum())
        pm.Poisson("y", pt.exp(mu), observed=y)
    with pytest.raises(pymle.AnalysisError, match=r"pm\.Potential"):
        full.lr_test(pymle.find_MLE(potential))
    with pm.Model() as renamed:
        mu = pm.Normal("mu", 0, 10)
        pm.Poisson("y", pt.exp(mu) * np.ones(80), observed=y)
    small = pymle.find_MLE(renamed)
    with pytest.raises(pymle.AnalysisError, match="`mu` is no parameter of the larger model"):
        full.lr_test(small)
    found = full.lr_test(small, nested=True)
    assert not found.verified
    assert "said by `nested=True`" in found.nesting
    assert found.df == 3


def test_logarithms_of_the_data_are_other_data():
    y = np.array([1.0, 2.0, 5.0, 3.0, 8.0])
    with pm.Model() as raw:
        mu, sigma = pm.Normal("mu", 0, 1), pm.HalfNormal("sigma", 1)
        pm.Normal("y", mu, sigma, observed=y)
    with pm.Model() as logged:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1, observed=np.log(y))
    with pytest.raises(pymle.AnalysisError, match="Jacobian"):
        pymle.find_MLE(raw).lr_test(pymle.find_MLE(logged))


def test_covariates_have_to_be_the_same():
    rng = np.random.default_rng(4)
    x = rng.normal(size=30)
    with pm.Model() as model:
        data = pm.Data("x", x)
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        pm.Normal("y", a + b * data, 1, observed=x + rng.normal(size=30))
    full = pymle.find_MLE(model)
    small = pymle.compile(model, fixed={"b": 0})
    assert full.lr_test(small.fit()).df == 1
    with pytest.raises(pymle.AnalysisError, match="the data `x` differ"):
        full.lr_test(small.fit(data={"x": 2 * x}))


def test_a_larger_model_with_a_lower_likelihood():
    y = np.array([1.0, 2.0, 4.0, 2.5])
    with pm.Model() as small:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1, observed=y)
    with pm.Model() as large:
        mu = pm.Normal("mu", 0, 1)
        shift = pm.Normal("shift", 0, 1)
        pm.Normal("y", mu + shift * np.array([1.0, -1, 1, -1]), 3, observed=y)
    with pytest.raises(pymle.AnalysisError, match=r"did not reach its maximum, or .* not nested"):
        pymle.find_MLE(large).lr_test(pymle.find_MLE(small))


def test_uncertified_fits():
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        c = pm.Normal("c", 0, 1)
        pm.Normal("y", a + b + c * np.array([0.0, 1, 2]), 1, observed=[1.0, 3.0, 4.0])
    with pytest.warns(pymle.NotCertifiedWarning):
        full = pymle.find_MLE(model)
    with pytest.raises(pymle.AnalysisError, match="not certified"):
        full.lr_test(pymle.find_MLE(model, fixed={"c": 0, "a": 0}))


# ----- edges --------------------------------------------------------------------------------


def groups(effect: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return effect * rng.normal(size=(30, 1)) + rng.normal(size=(30, 4)) + 1.0


def variance_component(y: np.ndarray) -> pm.Model:
    """One-way random effects, written as their marginal law."""
    k = y.shape[1]
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        tau = pm.HalfNormal("tau", 1)
        sigma = pm.HalfNormal("sigma", 1)
        cov = tau**2 * np.ones((k, k)) + sigma**2 * np.eye(k)
        pm.MvNormal("y", mu * np.ones(k), cov=cov, observed=y)
    return model


def balanced_one_way(y: np.ndarray) -> float:
    """Twice the log-likelihood ratio of tau = 0 in the balanced one-way layout, closed form."""
    groups_, k = y.shape
    n = y.size
    within = np.sum((y - y.mean(axis=1, keepdims=True)) ** 2)
    between = k * np.sum((y.mean(axis=1) - y.mean()) ** 2)
    v0 = (within + between) / n
    sigma2 = within / (n - groups_)
    lam = between / groups_  # sigma2 + k tau2
    if lam <= sigma2:
        return 0.0
    large = (n - groups_) * np.log(sigma2) + groups_ * np.log(lam) + n
    return n * np.log(v0) + n - large


def test_a_variance_component_at_zero():
    y = groups(0.5, 3)
    model = variance_component(y)
    full, null = pymle.find_MLE(model), pymle.find_MLE(model, fixed={"tau": 0})
    found = full.lr_test(null)
    wanted = balanced_one_way(y)
    assert wanted > 1
    assert found.statistic == pytest.approx(wanted, abs=1e-8)
    assert found.weights == {0: 0.5, 1: 0.5}
    assert found.p == pytest.approx(0.5 * stats.chi2.sf(wanted, 1), rel=1e-7)
    assert found.on_edge == ("tau",)
    assert "chi-bar-squared" in found.distribution

    # A second model object that is written in the same way.
    again = full.lr_test(pymle.find_MLE(variance_component(y), fixed={"tau": 0}))
    assert again.weights == found.weights
    assert again.on_edge == ("tau",)
    assert again.verified

    # The same null hypothesis as a model of its own.
    with pm.Model() as plain:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 1)
        pm.Normal("y", mu, sigma, observed=y)
    simple = pymle.find_MLE(plain)
    # Observed by rows there: the law is another one, but evaluation shows that they are nested.
    other = full.lr_test(simple)
    assert other.verified
    assert other.weights == found.weights
    assert other.p == pytest.approx(found.p, rel=1e-6)


def test_an_estimate_on_the_edge_is_no_obstacle():
    y = groups(0.0, 9)
    assert balanced_one_way(y) == 0.0
    model = variance_component(y)
    with pytest.warns(pymle.NotCertifiedWarning):
        full = pymle.find_MLE(model)
    null = pymle.find_MLE(model, fixed={"tau": 0})
    found = full.lr_test(null)
    assert found.statistic == 0.0
    assert found.p == 1.0
    assert any("ran up to the edge" in remark for remark in found.remarks)
    # A fixed value inside the support has no business with that edge.
    with pytest.raises(pymle.AnalysisError, match="not certified"):
        full.lr_test(pymle.find_MLE(model, fixed={"mu": 0.5, "tau": 0.3}))


def test_two_means_that_cannot_be_negative():
    rng = np.random.default_rng(1)
    Z = rng.normal(size=(200, 2)) @ np.linalg.cholesky([[1, 0.6], [0.6, 1]]).T
    y = 0.5 + 0.05 * Z[:, 0] + rng.normal(size=200)
    with pm.Model() as model:
        a = pm.Normal("a", 0, 1)
        t = pm.HalfNormal("t", 1, shape=2)
        sigma = pm.HalfNormal("sigma", 1)
        pm.Normal("y", a + Z @ t, sigma, observed=y)
    full, null = pymle.find_MLE(model), pymle.find_MLE(model, fixed={"t": 0})
    found = full.lr_test(null)
    X = np.column_stack([np.ones(200), Z])
    V = np.linalg.inv(X.T @ X)[1:, 1:]
    rho = V[0, 1] / np.sqrt(V[0, 0] * V[1, 1])
    both = 0.25 + np.arcsin(rho) / (2 * np.pi)
    assert found.weights[1] == pytest.approx(0.5, abs=0.006)
    assert found.weights[2] == pytest.approx(both, abs=0.006)
    p = 0.5 * stats.chi2.sf(found.statistic, 1) + both * stats.chi2.sf(found.statistic, 2)
    assert found.p == pytest.approx(p, abs=5 * found.p_error + 1e-3)
    assert 0 < found.p_error < 0.002
    # One of them inside: half and half of one and two degrees of freedom.
    mixed = full.lr_test(pymle.find_MLE(model, fixed={"t[0]": 0, "a": 0.5}))
    assert mixed.weights == {1: 0.5, 2: 0.5}
    assert mixed.on_edge == ("t[0]",)


def test_weights_of_chi_bar_against_closed_forms():
    independent = chi_bar(0, np.eye(3)).weights
    wanted = [1 / 8, 3 / 8, 3 / 8, 1 / 8]
    np.testing.assert_allclose(list(independent.values()), wanted, atol=0.005)
    # Three correlated ones (Silvapulle and Sen 2005, section 3.5): the weight of the whole cone is
    # the orthant probability of the estimates, that of its vertex that of the inverse's.
    R = np.array([[1, 0.5, 0.2], [0.5, 1, -0.3], [0.2, -0.3, 1]])

    def orthant(C):
        s = 1 / np.sqrt(np.diagonal(C))
        r = C * np.outer(s, s)
        return 1 / 8 + (np.arcsin(r[0, 1]) + np.arcsin(r[0, 2]) + np.arcsin(r[1, 2])) / (4 * np.pi)

    found = chi_bar(2, R)
    assert found.weights[5] == pytest.approx(orthant(R), abs=0.005)
    assert found.weights[2] == pytest.approx(orthant(np.linalg.inv(R)), abs=0.005)
    assert found.weights[3] + found.weights[5] == pytest.approx(0.5, abs=0.005)
    assert sum(found.weights.values()) == pytest.approx(1.0)
    many = chi_bar(0, np.eye(7))
    np.testing.assert_allclose(
        list(many.weights.values()), stats.binom.pmf(range(8), 7, 0.5), atol=0.02
    )


def test_a_parameter_that_vanishes_under_the_null():
    rng = np.random.default_rng(6)
    y = np.concatenate([rng.normal(size=60), rng.normal(4, 1, size=40)])
    with pm.Model() as model:
        w = pm.Uniform("w", 0, 1)
        mu = pm.Normal("mu", 0, 5)
        far = pm.Normal("far", 0, 5)
        laws = [pm.Normal.dist(mu, 1.0), pm.Normal.dist(far, 1.0)]
        pm.Mixture("y", pt.stack([1 - w, w]), laws, observed=y)
    full = pymle.find_MLE(model, start={"far": 4.0, "mu": 0.0, "w": 0.4})
    null = pymle.find_MLE(model, fixed={"w": 0, "far": 4.0})
    with pytest.raises(pymle.AnalysisError, match=r"cannot be computed|drops out"):
        full.lr_test(null)


def test_printed(full, null):
    found = full.lr_test(null, names=["full", "null"])
    text = repr(found)
    assert text.startswith("Likelihood-ratio test of null within full: statistic 7.9731, df = 2")
    assert "compared with chi-squared(2)" in text
    assert "<table" in found._repr_html_()
    with pytest.raises(AttributeError):
        found.p = 1.0
