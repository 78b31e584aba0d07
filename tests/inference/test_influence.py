"""Influence against statsmodels, exact deletion, and refits."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import statsmodels.api as sm

import pymle
from pymle.errors import AnalysisError

rng = np.random.default_rng(11)
N = 60
X = sm.add_constant(rng.normal(size=(N, 2)))
ETA = X @ [0.2, 0.7, -0.5]
COUNTS = rng.poisson(np.exp(ETA))
BINARY = rng.binomial(1, 1 / (1 + np.exp(-ETA)))
REAL = ETA + rng.normal(size=N)


def _model(build):
    with pm.Model(coords={"x": ["one", "a", "b"], "who": [f"w{i}" for i in range(N)]}) as model:
        beta = pm.Normal("beta", 0, 10, dims="x")
        build(X @ beta)
    return model


@pytest.fixture(scope="module")
def poisson():
    return pymle.find_MLE(
        _model(lambda eta: pm.Poisson("y", pm.math.exp(eta), observed=COUNTS, dims="who"))
    )


@pytest.fixture(scope="module")
def normal():
    def build(eta):
        pm.Normal("y", eta, pm.HalfNormal("sigma", 2), observed=REAL, dims="who")

    return pymle.find_MLE(_model(build))


def _agree(found, glm):
    wanted = glm.get_influence()
    np.testing.assert_allclose(found.dfbeta, wanted.d_params, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(found.dfbetas, wanted.dfbetas, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.cook, wanted.cooks_distance[0], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(found.leverage, wanted.hat_matrix_diag, rtol=1e-7)


def test_one_step_of_canonical_links_is_that_of_statsmodels(poisson):
    glm = sm.GLM(COUNTS, X, sm.families.Poisson()).fit(tol=1e-14)
    found = poisson.influence()
    assert found.step == "leave-one-out information"
    _agree(found, glm)
    logit = pymle.find_MLE(_model(lambda eta: pm.Bernoulli("y", logit_p=eta, observed=BINARY)))
    _agree(logit.influence(), sm.GLM(BINARY, X, sm.families.Binomial()).fit(tol=1e-14))


def test_least_squares_with_a_known_variance_is_exact():
    ols = sm.OLS(REAL, X).fit()
    sigma = float(np.sqrt(ols.scale))
    fit = pymle.find_MLE(_model(lambda eta: pm.Normal("y", eta, sigma, observed=REAL)))
    found, wanted = fit.influence(), ols.get_influence()
    np.testing.assert_allclose(found.dfbeta, wanted.dfbeta, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(found.cook, wanted.cooks_distance[0], rtol=1e-7, atol=1e-12)
    # Displacement is exact too: 2 (l - l(i)) = r^2 h / (sigma^2 (1 - h)^2).
    h, r = wanted.hat_matrix_diag, ols.resid
    exact = r**2 * h / (1 - h) ** 2 / ols.scale
    assert found.displacement_exact
    np.testing.assert_allclose(found.displacement, exact, rtol=1e-6, atol=1e-10)


def test_one_step_is_near_to_the_refit(normal):
    found = normal.influence()
    worst = int(np.argmax(found.cook))
    weights = np.ones(N)
    weights[worst] = 0.0
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 10, shape=3)
        pm.Normal("y", X @ beta, pm.HalfNormal("sigma", 2), observed=REAL)
    without = pymle.find_MLE(model, weights=weights)
    moved = normal.estimate.natural - without.estimate.natural
    np.testing.assert_allclose(found.dfbeta[worst], moved, rtol=0.15, atol=2e-3)
    drop = 2 * (normal.loglik - normal._fitted.likelihood.value(without.estimate.x))
    np.testing.assert_allclose(found.displacement[worst], drop, rtol=0.3)
    np.testing.assert_allclose(found.leverage.sum(), normal.nparams, rtol=1e-9)


def test_labels_tables_and_picture(poisson):
    found = poisson.influence()
    table = found.table
    assert list(table.index[:2]) == ["w0", "w1"]
    assert table.index.name == "who"
    assert list(table.columns)[:3] == ["cook", "displacement", "leverage"]
    assert "dfbetas beta[a]" in table.columns
    assert list(found.changes.columns) == ["beta[one]", "beta[a]", "beta[b]"]
    assert found.largest(3)["cook"].is_monotonic_decreasing
    assert "60 rows of `y`" in repr(found)
    assert found.table["cook"].idxmax() in found._repr_html_()
    ax = found.plot()
    assert ax.get_ylabel() == "Cook's distance"
    assert found.table["cook"].idxmax() in [t.get_text() for t in ax.texts]
    ax = found.plot(["beta[a]", "beta[b]"], mark=1)
    assert len(ax.texts) == 2
    with pytest.raises(AnalysisError, match="Did you mean `beta"):
        found.plot("beta[c]")


def test_clusters_are_deleted_whole(poisson):
    groups = np.repeat(np.arange(12), 5)
    found = poisson.influence(clusters=groups)
    assert found.table.shape[0] == 12
    np.testing.assert_allclose(found.leverage.sum(), 3.0, rtol=1e-9)
    weights = (groups != 4).astype(float)
    model = _model(lambda eta: pm.Poisson("y", pm.math.exp(eta), observed=COUNTS))
    without = pymle.find_MLE(model, weights=weights)
    moved = poisson.estimate.natural - without.estimate.natural
    np.testing.assert_allclose(found.dfbeta[4], moved, rtol=0.2, atol=5e-3)


def test_weights_count_as_rows(poisson):
    weights = rng.integers(1, 4, N)
    model = _model(lambda eta: pm.Poisson("y", pm.math.exp(eta), observed=COUNTS))
    fit = pymle.find_MLE(model, weights=weights)
    found = fit.influence()
    np.testing.assert_allclose(found.leverage.sum(), 3.0, rtol=1e-9)
    other = pymle.find_MLE(model, weights=np.where(np.arange(N) == 7, 0.0, weights))
    moved = fit.estimate.natural - other.estimate.natural
    np.testing.assert_allclose(found.dfbeta[7], moved, rtol=0.15, atol=2e-3)


def test_without_second_derivatives_of_observations_the_step_says_so(monkeypatch, poisson):
    import pymle.inference.influence as module

    monkeypatch.setattr(module, "observation_informations", lambda *_: None)
    monkeypatch.setattr(module, "_MOST_WORK", 0)
    found = poisson.influence()
    assert found.step == "full information"
    assert found.leverage is None
    assert not found.displacement_exact
    wanted = poisson.scores().to_numpy() @ poisson.covariance().to_numpy()
    np.testing.assert_allclose(found.dfbeta, wanted, rtol=1e-8, atol=1e-12)
    assert isinstance(found.table, pd.DataFrame)


def test_a_fit_without_a_maximum_is_refused():
    y = np.array([0.0, 1.0, 2.0])
    with pm.Model() as model:
        a = pm.Normal("a", 0, 1)
        s = pm.HalfNormal("s", 1)
        pm.Normal("y", a * y, s, observed=2 * y)  # the scale goes to zero
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model)
    with pytest.raises(AnalysisError, match="strict maximum"):
        fit.influence()
