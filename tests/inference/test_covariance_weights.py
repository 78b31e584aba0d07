"""Frequency and sampling weights: conventions, and what sampling weights withhold."""

import numpy as np
import pymc as pm
import pytest
import statsmodels.api as sm
from statsmodels.stats.sandwich_covariance import cov_cluster

import pymle
from pymle.errors import AnalysisError

rng = np.random.default_rng(99)
N = 80
X = sm.add_constant(rng.normal(size=(N, 2)))
Y = rng.poisson(np.exp(X @ [0.4, 0.3, -0.2]))
W = rng.integers(1, 5, N)
G = rng.integers(0, 12, N)


def _model(rows=slice(None), repeat=None):
    design, y = X[rows], Y[rows]
    if repeat is not None:
        design, y = np.repeat(design, repeat, axis=0), np.repeat(y, repeat)
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 10, shape=3)
        pm.Poisson("y", pm.math.exp(design @ beta), observed=y)
    return model


def _glm(**more):
    return sm.GLM(Y, X, sm.families.Poisson(), **more)


@pytest.fixture(scope="module")
def counted():
    return pymle.find_MLE(_model(), weights=W)


@pytest.fixture(scope="module")
def sampled():
    return pymle.find_MLE(_model(), weights=W / 2.0, weights_kind="sampling")


def _same(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-12)


def test_frequency_weights_are_repeated_rows(counted):
    repeated = pymle.find_MLE(_model(repeat=W))
    assert counted.nobs == repeated.nobs == W.sum()
    clusters = np.repeat(G, W)
    for cov in (None, "HC0", "HC1", "opg", "expected"):
        _same(counted.covariance(cov), repeated.covariance(cov))
    for cov in ("CR0", "CR1", "CR1S"):
        _same(counted.covariance(cov, clusters=G), repeated.covariance(cov, clusters=clusters))
    assert counted.covariance("HC1").attrs["n_units"] == W.sum()


def test_frequency_weights_of_statsmodels(counted):
    fitted = _glm(freq_weights=W).fit(tol=1e-14, cov_type="HC0")
    _same(counted.params["beta"], fitted.params)
    _same(counted.covariance("HC0"), fitted.cov_params())


def test_sampling_weights_are_the_variance_weights_of_statsmodels(sampled):
    fitted = _glm(var_weights=W / 2.0).fit(tol=1e-14, cov_type="HC0")
    _same(sampled.params["beta"], fitted.params)
    _same(sampled.covariance(), fitted.cov_params())
    _same(sampled.covariance("HC0"), fitted.cov_params())
    clustered = cov_cluster(_glm(var_weights=W / 2.0).fit(tol=1e-14), G, use_correction=False)
    _same(sampled.covariance("CR0", clusters=G), clustered)


def test_sampling_weights_by_the_formula(sampled):
    """n / (n - 1) times it is the variance of R's svyglm with one stage and no strata."""
    mu = np.exp(X @ sampled.params["beta"].to_numpy())
    bread = np.linalg.inv(X.T @ (X * (W / 2.0 * mu)[:, None]))
    scores = X * (W / 2.0 * (Y - mu))[:, None]
    wanted = bread @ scores.T @ scores @ bread
    _same(sampled.covariance("HC0"), wanted)
    _same(sampled.covariance("CR1", clusters=np.arange(N)), wanted * N / (N - 1))


def test_sampling_weights_do_not_depend_on_their_sum(sampled):
    other = pymle.find_MLE(_model(), weights=7.0 * W, weights_kind="sampling")
    assert sampled.nobs == other.nobs == N
    _same(other.params["beta"], sampled.params["beta"])
    for how in ({}, {"cov": "HC1"}, {"clusters": G}):
        _same(other.covariance(**how), sampled.covariance(**how))
    assert sampled.covariance("HC1").attrs["n_units"] == N


def test_the_sandwich_is_the_default_everywhere(sampled):
    se = np.sqrt(np.diag(sampled.covariance("HC0")))
    table = sampled.summary()
    _same(table["se"], se)
    assert table.columns.name == "HC0: 80 rows of `y`"
    _same(sampled.conf_int()["upper"], table["upper"])
    _same(table["upper"], table["estimate"] + 1.959963984540054 * se)
    text = repr(sampled)
    assert "sandwich (HC0, sampling weights): 80 rows of `y`" in text
    assert "none with sampling weights" in text
    assert "HC0: 80 rows of `y`" in text
    assert "sampling weights" in sampled._repr_html_()


def test_what_sampling_weights_withhold(sampled):
    for cov in ("observed", "opg", "expected"):
        with pytest.raises(AnalysisError, match="sampling weights"):
            sampled.covariance(cov)
    for name in ("aic", "aicc", "bic"):
        with pytest.raises(AnalysisError, match="sampling weights"):
            getattr(sampled, name)
    with pytest.raises(AnalysisError, match="sampling"):
        sampled.conf_int(method="profile")
    how = {"weights": W, "weights_kind": "sampling"}
    held = pymle.find_MLE(_model(), fixed={"beta[1]": 0.0}, **how)
    with pytest.raises(AnalysisError, match="sampling"):
        held.score_test()
    with pytest.raises(AnalysisError, match="sampling"):
        sampled.lr_test(held)
    # A Wald test has the sandwich.
    z = sampled.summary().loc["beta[1]", "z"]
    assert sampled.wald_test("beta[1] = 0").statistic == pytest.approx(z**2, rel=1e-6)


def test_zero_weights_leave_rows_out():
    weights = np.where(np.arange(N) < 60, W, 0)
    part = pymle.find_MLE(_model(slice(60)), weights=W[:60])
    whole = pymle.find_MLE(_model(), weights=weights)
    for cov in ("HC0", "HC1"):
        _same(whole.covariance(cov), part.covariance(cov))
    kind = {"weights_kind": "sampling"}
    part = pymle.find_MLE(_model(slice(60)), weights=W[:60], **kind)
    whole = pymle.find_MLE(_model(), weights=weights, **kind)
    assert whole.nobs == 60
    for how in ({"cov": "HC1"}, {"clusters": G}):
        clusters = {"clusters": G[:60]} if "clusters" in how else how
        _same(whole.covariance(**how), part.covariance(**clusters))


def test_compiled_models_take_the_kind():
    compiled = pymle.compile(_model(), weights=W, weights_kind="sampling")
    fit = compiled.fit(progressbar=False)
    assert fit.estimate.weights_kind == "sampling"
    counted = compiled.fit(weights_kind="frequency", progressbar=False)
    assert counted.estimate.weights_kind == "frequency"
    assert counted.nobs == W.sum()
    assert fit._fitted.refit().estimate.weights_kind == "sampling"
    plain = pymle.compile(_model())
    assert plain.fit(progressbar=False).estimate.weights_kind is None
    with pytest.raises(AnalysisError, match="weights"):
        plain.fit(weights_kind="sampling")


def test_kinds_that_are_none():
    with pytest.raises(AnalysisError, match='"frequency" or "sampling"'):
        pymle.find_MLE(_model(), weights=W, weights_kind="probability")
    with pytest.raises(AnalysisError, match="MAP"):
        pymle.compile(_model(), objective="map", weights=W, weights_kind="sampling")


def test_weights_that_differ_within_a_row():
    a, b = rng.normal(size=(2, 20))
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("a", mu, 1.0, observed=a)
        pm.Normal("b", mu, 1.0, observed=b)
    weights = {"a": np.full(20, 2.0), "b": np.full(20, 3.0)}
    fit = pymle.find_MLE(model, weights=weights)
    with pytest.raises(AnalysisError, match="share their rows"):
        fit.covariance("HC0")
    assert fit.covariance("CR0", clusters=np.arange(20)).shape == (1, 1)
    equal = pymle.find_MLE(model, weights={"a": np.full(20, 2.0), "b": np.full(20, 2.0)})
    r = (a - float(equal.params["mu"])) + (b - float(equal.params["mu"]))
    _same(equal.covariance("HC0"), [[np.sum(2 * r**2) / 80**2]])
    sampled = pymle.find_MLE(model, weights=weights, weights_kind="sampling")
    r = 2 * (a - float(sampled.params["mu"])) + 3 * (b - float(sampled.params["mu"]))
    _same(sampled.covariance(), [[np.sum(r**2) / 100**2]])


def test_hac_refuses_frequency_weights(counted):
    with pytest.raises(AnalysisError, match="time order"):
        counted.covariance("HAC")
