"""Score tests against statsmodels, closed forms and the likelihood ratio."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import statsmodels.api as sm
from scipy import stats

import pymle

from .shared import counts, poisson
from .test_lr import groups, variance_component


@pytest.fixture(scope="module")
def null() -> pymle.Fit:
    return pymle.find_MLE(poisson(*counts()), fixed={"beta[x2]": 0, "beta[x3]": 0})


def test_poisson_as_in_statsmodels(null):
    X, y = counts()
    small = sm.GLM(y, X[:, :2], family=sm.families.Poisson()).fit(tol=1e-15)
    wanted = small.score_test(exog_extra=X[:, 2:])
    found = null.score_test()
    assert found.statistic == pytest.approx(float(np.ravel(wanted.statistic)[0]), rel=1e-6)
    assert found.p == pytest.approx(float(np.ravel(wanted.pvalue)[0]), rel=1e-6)
    assert found.df == 2
    expected = null.score_test(information="expected")
    assert expected.statistic == pytest.approx(found.statistic, rel=1e-6)  # canonical link
    assert list(found.table.index) == ["beta[x2]", "beta[x3]"]
    scores = X[:, 2:].T @ (y - small.fittedvalues)
    np.testing.assert_allclose(found.table["score"], scores, rtol=1e-6)
    large = pymle.find_MLE(poisson(X, y)).params["beta"].to_numpy()[2:]
    np.testing.assert_allclose(found.table["one_step"], large, atol=0.01)

    one = null.score_test("beta[x3]")
    wanted = small.score_test(exog_extra=X[:, 3:])
    assert one.statistic == pytest.approx(float(np.ravel(wanted.statistic)[0]), rel=1e-6)
    assert one.df == 1


def test_logistic_as_in_statsmodels():
    X, _ = counts()
    rng = np.random.default_rng(7)
    y = (rng.random(80) < 1 / (1 + np.exp(-X @ [0.2, 0.8, 0.3, -0.2]))).astype(int)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 1, shape=4)
        pm.Bernoulli("y", logit_p=X @ b, observed=y)
    fit = pymle.find_MLE(model, fixed={"b[0]": 0, "b[2]": 0, "b[3]": 0})
    small = sm.GLM(y, X[:, [1]], family=sm.families.Binomial()).fit(tol=1e-15)
    wanted = small.score_test(exog_extra=X[:, 2:])
    found = fit.score_test(["b[2]", "b[3]"])
    assert found.statistic == pytest.approx(float(np.ravel(wanted.statistic)[0]), rel=1e-6)


def test_outer_products_by_hand(null):
    X, y = counts()
    found = null.score_test(information="opg")
    mu = np.exp(X[:, :2] @ null.params["beta"].to_numpy()[:2])
    parts = X * (y - mu)[:, None]
    total = parts.sum(axis=0)
    assert found.statistic == pytest.approx(total @ np.linalg.solve(parts.T @ parts, total))


def test_proportion_by_hand():
    # The score test of a proportion, with the expected information: Pearson's chi-squared.
    with pm.Model() as model:
        p = pm.Beta("p", 1, 1)
        q = pm.Beta("q", 1, 1)
        pm.Binomial("k", 50, p, observed=[31])
        pm.Binomial("m", 20, q, observed=[9])
    fit = pymle.find_MLE(model, fixed={"p": 0.5})
    z = (31 / 50 - 0.5) / np.sqrt(0.25 / 50)
    assert fit.score_test(information="expected").statistic == pytest.approx(z**2, rel=1e-9)
    # Observed, on the natural scale: U = (k - n p) / (p q), I = k / p^2 + (n - k) / q^2.
    U, information = (31 - 25) / 0.25, 31 / 0.25 + 19 / 0.25
    assert fit.score_test().statistic == pytest.approx(U**2 / information, rel=1e-9)


def test_a_scale_by_hand():
    y = np.array([0.3, -1.2, 2.2, 0.4, -0.8, 1.9, -2.4, 0.7])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        sigma = pm.HalfNormal("sigma", 1)
        pm.Normal("y", mu, sigma, observed=y)
    fit = pymle.find_MLE(model, fixed={"sigma": 1.2})
    n, s2 = len(y), np.sum((y - y.mean()) ** 2)
    U = -n / 1.2 + s2 / 1.2**3
    information = -n / 1.2**2 + 3 * s2 / 1.2**4
    assert fit.score_test().statistic == pytest.approx(U**2 / information, rel=1e-8)


def test_a_variance_component():
    y = groups(0.5, 3)
    null = pymle.find_MLE(variance_component(y), fixed={"tau": 0})
    found = null.score_test()
    # In theta = tau^2, with v the null variance and r_i the sums of residuals of the groups:
    # U = (sum r_i^2 / v^2 - G k / v) / 2, closed form below by differences of the exact
    # log-likelihood of the balanced layout.
    groups_, k = y.shape
    n = y.size
    between = k * np.sum((y.mean(axis=1) - y.mean()) ** 2)
    within = np.sum((y - y.mean(axis=1, keepdims=True)) ** 2)
    v = (within + between) / n

    def loglik(theta, variance):
        lam = variance + k * theta
        return -0.5 * (
            groups_ * np.log(lam)
            + (n - groups_) * np.log(variance)
            + between / lam
            + within / variance
        )

    h = 1e-4
    U = (loglik(h, v) - loglik(-h, v)) / (2 * h)

    def second(a, b):
        e = np.eye(2) * h
        f = lambda z: loglik(z[0], v + z[1])  # noqa: E731
        return (f(e[a] + e[b]) - f(e[a] - e[b]) - f(e[b] - e[a]) + f(-e[a] - e[b])) / (4 * h**2)

    information = -np.array([[second(a, b) for b in range(2)] for a in range(2)])
    efficient = information[0, 0] - information[0, 1] ** 2 / information[1, 1]
    assert found.table["score"].iloc[0] == pytest.approx(U, rel=1e-6)
    assert found.statistic == pytest.approx(U**2 / efficient, rel=1e-4)
    assert found.weights == {0: 0.5, 1: 0.5}
    assert found.p == pytest.approx(0.5 * stats.chi2.sf(found.statistic, 1), rel=1e-9)
    assert any("even in tau" in remark for remark in found.remarks)

    with pytest.raises(pymle.AnalysisError, match="edge of its support"):
        null.score_test(information="expected")


def test_a_score_that_points_outwards():
    rng = np.random.default_rng(5)
    x = rng.normal(size=50)
    y = -0.5 * x + rng.normal(size=50)
    with pm.Model() as model:
        a = pm.Normal("a", 0, 1)
        t = pm.HalfNormal("t", 1)
        u = pm.Uniform("u", -4, 0)
        pm.Normal("y", a + (t + u) * x, 1, observed=y)
    outwards = pymle.find_MLE(model, fixed={"t": 0, "u": 0}).score_test("t")
    assert outwards.statistic == 0.0
    assert outwards.p == 1.0
    # At an upper edge inwards is downwards.
    inwards = pymle.find_MLE(model, fixed={"t": 0, "u": 0}).score_test("u")
    U = x @ (y - y.mean())
    wanted = U**2 / np.sum((x - x.mean()) ** 2)
    assert U < 0
    assert inwards.statistic == pytest.approx(wanted, rel=1e-8)
    assert inwards.p == pytest.approx(0.5 * stats.chi2.sf(wanted, 1), rel=1e-8)
    assert inwards.table["score"].iloc[0] == pytest.approx(U, rel=1e-8)


def test_shares_that_are_held_together():
    n = np.array([18, 30, 52])
    with pm.Model() as model:
        share = pm.Dirichlet("share", np.ones(3))
        mu = pm.Normal("mu", 0, 1)
        pm.Multinomial("n", 100, share, observed=n)
        pm.Normal("y", mu, 1, observed=[1.0, 2.0])
    fit = pymle.find_MLE(model, fixed={"share": np.full(3, 1 / 3)})
    found = fit.score_test()
    assert found.df == 2
    pearson = np.sum((n - 100 / 3) ** 2 / (100 / 3))
    assert found.statistic == pytest.approx(pearson, rel=1e-6)  # its logits are canonical


def test_equations_between_parameters():
    X, y = counts()
    fit = pymle.find_MLE(poisson(X, y), constraints="beta[x1] = beta[x2], beta[x3] = 0.1")
    found = fit.score_test()
    small = sm.GLM(y, X, family=sm.families.Poisson())
    params = fit.params["beta"].to_numpy()
    U = small.score(params, scale=1.0)
    H = small.hessian(params, observed=True, scale=1.0)
    assert found.statistic == pytest.approx(-U @ np.linalg.solve(H, U), rel=1e-6)
    assert found.df == 2
    assert list(found.table.index) == ["beta[x1] = beta[x2]", "beta[x3] = 0.1"]
    np.testing.assert_allclose(np.abs(found.table["multiplier"]), np.abs(U[[1, 3]]), rtol=1e-5)
    expected = fit.score_test(information="expected")
    assert expected.statistic == pytest.approx(found.statistic, rel=1e-6)
    with pytest.raises(pymle.AnalysisError, match="the fit's equations"):
        fit.score_test("beta[x3]")
    one_sided = pymle.find_MLE(poisson(X, y), constraints="beta[x1] >= 0.4")
    with pytest.raises(pymle.AnalysisError, match="score test of inequalities"):
        one_sided.score_test()


def test_two_squares_against_differences():
    import jax.numpy as jnp

    from pymle.objective.held import held_curvature

    rng = np.random.default_rng(11)
    first = np.kron(np.eye(3), np.ones((2, 2)))
    second = np.kron(np.ones((3, 3)), np.eye(2))
    y = jnp.asarray(rng.normal(size=6))

    def loglik(theta, log_variance, linear):
        V = theta[0] * first + theta[1] * second + jnp.exp(log_variance) * jnp.eye(6)
        r = y - linear
        return -0.5 * (jnp.linalg.slogdet(V)[1] + r @ jnp.linalg.solve(V, r))

    def call(x, held, weights, data):
        return (loglik(held[:2] ** 2, x[0], held[2]),)

    x, held = np.array([0.2]), np.array([0.0, 0.0, 0.3])
    edge = np.array([True, True, False])
    found = held_curvature(call, held, (), (), x, np.arange(3), edge)
    np.testing.assert_array_equal(found.squared, edge)
    h, e = 1e-3, np.eye(4)

    def at(z):
        return float(loglik(z[:2], z[3], z[2]))

    base = np.array([0.0, 0.0, 0.3, 0.2])
    for i in range(4):
        slope = (at(base + h * e[i]) - at(base - h * e[i])) / (2 * h)
        assert found.score[i] == pytest.approx(slope, rel=1e-4, abs=1e-6)
        for j in range(4):
            corners = [at(base + h * (a * e[i] + b * e[j])) for a in (1, -1) for b in (1, -1)]
            bend = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h**2)
            assert found.hessian[i, j] == pytest.approx(bend, rel=1e-4, abs=1e-5)


def test_refusals(null):
    X, y = counts()
    model = poisson(X, y)
    with pytest.raises(pymle.AnalysisError, match="holds none"):
        pymle.find_MLE(model).score_test()
    with pytest.raises(pymle.AnalysisError, match="MAP"):
        pymle.find_MAP(model, fixed={"beta[x3]": 0}).score_test()
    with pytest.raises(pymle.AnalysisError, match="unknown name `beta\\[x1\\]`"):
        null.score_test("beta[x1]")
    with pytest.raises(pymle.AnalysisError, match="`information`"):
        null.score_test(information="empirical")
    with pm.Model() as flat:
        a, b, c = (pm.Normal(name, 0, 1) for name in "abc")
        pm.Normal("y", a + b + c, 1, observed=[1.0, 3.0])
    with pytest.raises(pymle.AnalysisError, match="not positive definite"):
        pymle.find_MLE(flat, fixed={"b": 0, "c": 0}).score_test()
    with pytest.warns(pymle.NotCertifiedWarning):
        uncertain = pymle.find_MLE(flat, fixed={"c": 0})
    with pytest.raises(pymle.AnalysisError, match="not certified"):
        uncertain.score_test()


def test_printed(null):
    text = repr(null.score_test())
    assert text.startswith("Score test of beta[x2] = 0, beta[x3] = 0: statistic 8.02064, df = 2")
    assert "observed information" in text
    assert "<table" in null.score_test()._repr_html_()


def test_with_data_given_later():
    rng = np.random.default_rng(4)
    x = rng.normal(size=30)
    with pm.Model() as model:
        data = pm.Data("x", x)
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        pm.Poisson("y", pt.exp(a + b * data), observed=rng.poisson(2, size=30))
    once = pymle.compile(model, fixed={"b": 0})
    first, second = once.fit(), once.fit(data={"x": 3 * x})
    # A change of units of the covariate changes nothing.
    assert second.score_test().statistic == pytest.approx(first.score_test().statistic, rel=1e-9)
    assert second.score_test().table["score"].iloc[0] == pytest.approx(
        3 * first.score_test().table["score"].iloc[0], rel=1e-9
    )


def test_a_standard_deviation_of_random_effects_at_zero():
    """Closed form: the marginal law is normal with variance tau^2 + s^2."""
    error = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    y = np.array([35.0, 17, -21, 8, 3, -18, 12, 39])
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 5)
        theta = pm.Normal("theta", mu, tau, shape=8)
        pm.Normal("y", theta, error, observed=y)
    null = pymle.find_MLE(model, fixed={"tau": 0.0}, progressbar=False)
    precision = error**-2
    residual = y - np.sum(y * precision) / precision.sum()
    slope = 0.5 * np.sum(residual**2 * precision**2 - precision)
    own = np.sum(residual**2 * precision**3) - 0.5 * np.sum(precision**2)
    mixed = np.sum(residual * precision**2)
    assert slope > 0
    expected = slope**2 / (own - mixed**2 / precision.sum())
    assert null.score_test().statistic == pytest.approx(expected, rel=1e-8)
