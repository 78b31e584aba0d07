"""Fits under constraints between parameters, against closed forms and other software."""

from __future__ import annotations

import warnings

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.optimize import isotonic_regression, minimize, nnls

import pymle

from .shared import PREDICTORS, counts, poisson


def find(model, constraints=None, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pymle.Notice)
        return pymle.find_MLE(model, constraints=constraints, progressbar=False, **more)


@pytest.fixture(scope="module")
def counted() -> pm.Model:
    return poisson(*counts())


@pytest.fixture(scope="module")
def free(counted) -> pymle.Fit:
    return find(counted)


def linear(n=80, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)) + 0.5 * rng.normal(size=(n, 1))
    y = X @ [1.0, 0.7, 0.02, -0.6] + rng.normal(size=n)
    with pm.Model(coords={"p": ["a", "b", "c", "d"]}) as model:
        beta = pm.Normal("beta", 0, 10, dims="p")
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", pm.math.dot(X, beta), sigma, observed=y)
    return model, X, y


@pytest.fixture(scope="module")
def regression():
    return linear()


# ----- equations ------------------------------------------------------------------------------


def test_restricted_least_squares(regression):
    model, X, y = regression
    fit = find(model, ["beta[a] = beta[b]", "beta[c] + 2 * beta[d] = -1"])
    R, r = np.array([[1.0, -1, 0, 0], [0, 0, 1, 2]]), np.array([0.0, -1.0])
    inverse = np.linalg.inv(X.T @ X)
    ols = inverse @ X.T @ y
    solved = np.linalg.solve(R @ inverse @ R.T, R @ ols - r)
    beta = ols - inverse @ R.T @ solved
    rss = float(np.sum((y - X @ beta) ** 2))
    s2 = rss / len(y)
    covariance = s2 * (inverse - inverse @ R.T @ np.linalg.solve(R @ inverse @ R.T, R @ inverse))
    np.testing.assert_allclose(fit.params["beta"], beta, rtol=1e-10, atol=1e-12)
    table = fit.summary()
    np.testing.assert_allclose(table["se"].iloc[:4], np.sqrt(np.diag(covariance)), rtol=1e-8)
    np.testing.assert_allclose(table["se"].iloc[4], np.sqrt(s2 / (2 * len(y))), rtol=1e-8)
    np.testing.assert_allclose(fit.covariance().iloc[:4, :4], covariance, rtol=1e-7, atol=1e-14)
    assert fit.loglik == pytest.approx(-0.5 * len(y) * (np.log(2 * np.pi * s2) + 1), rel=1e-12)
    assert fit.verdict.ok
    assert fit.nparams == 3
    assert fit.aic == pytest.approx(-2 * fit.loglik + 6)
    np.testing.assert_allclose(fit.constraints["multiplier"], solved / s2, rtol=1e-8)
    np.testing.assert_allclose(fit.constraints["difference"], 0.0)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("beta[x1] = beta[x2]", "x1 = x2"),
        (["beta[x1] + beta[x2] = 0.5", "beta[x3] = -0.3"], "x1 + x2 = 0.5, x3 = -0.3"),
        ("beta[const] - 2 * beta[x3] = 1", "const - 2 * x3 = 1"),
    ],
)
def test_poisson_against_fit_constrained(counted, ours, theirs):
    import pandas as pd

    X, y = counts()
    glm = sm.GLM(y, pd.DataFrame(X, columns=PREDICTORS), family=sm.families.Poisson())
    reference = glm.fit_constrained(theirs, tol=1e-15, maxiter=100)
    fit = find(counted, ours)
    np.testing.assert_allclose(fit.params["beta"], reference.params, rtol=1e-7, atol=1e-9)
    assert fit.loglik == pytest.approx(reference.llf, abs=1e-9)
    se = fit.summary(var_names="beta")["se"].fillna(0.0)
    np.testing.assert_allclose(se, reference.bse, rtol=1e-6, atol=1e-9)


def test_multinomial_with_equal_shares():
    n = np.array([12, 30, 7, 51])
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(4))
        pm.Multinomial("y", n.sum(), w, observed=n)
    fit = find(model, "w[0] = w[1]")
    np.testing.assert_allclose(fit.params["w"], [0.21, 0.21, 0.07, 0.51], rtol=1e-10)
    p = np.array([0.42, 0.07, 0.51])
    se = np.sqrt(p * (1 - p) / 100)
    np.testing.assert_allclose(fit.summary()["se"], [se[0] / 2, se[0] / 2, se[1], se[2]], rtol=1e-8)
    # Two constraints leave one free share.
    fit = find(model, ["w[0] = w[1]", "w[2] = 0.1"])
    np.testing.assert_allclose(fit.params["w"], [0.21 * 0.9 / 0.93] * 2 + [0.1, 0.9 * 51 / 93])
    assert fit.nparams == 1


def test_a_constraint_on_transformed_parameters(regression):
    model, _, _ = regression
    fit = find(model, "sigma = 1.3")
    held = pymle.find_MLE(model, fixed={"sigma": 1.3}, progressbar=False)
    assert fit.loglik == pytest.approx(held.loglik, rel=1e-12)
    np.testing.assert_allclose(fit.params["beta"], held.params["beta"], rtol=1e-10)
    np.testing.assert_allclose(fit.summary()["se"].iloc[:4], held.summary()["se"], rtol=1e-9)
    assert float(fit.params["sigma"]) == 1.3
    assert np.isnan(fit.summary().loc["sigma", "se"])
    assert fit.nparams == held.nparams == 4
    assert "held by constraints" in str(fit)


def test_a_smooth_constraint_against_scipy(regression):
    model, X, y = regression
    fit = find(model, "exp(beta[a]) * beta[b] = 1.5")

    def minus(p):
        return -np.sum(stats.norm.logpdf(y, X @ p[:4], np.exp(p[4])))

    reference = minimize(
        minus,
        np.append(fit.params["beta"].to_numpy() + 0.05, 0.1),
        constraints={"type": "eq", "fun": lambda p: np.exp(p[0]) * p[1] - 1.5},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert fit.loglik == pytest.approx(-reference.fun, abs=1e-7)
    np.testing.assert_allclose(fit.params["beta"], reference.x[:4], atol=2e-4)
    a, b = fit.params["beta"].to_numpy()[:2]
    assert np.exp(a) * b == pytest.approx(1.5, rel=1e-13)
    assert fit.verdict.ok


def test_eliminating_a_parameter_gives_the_same_fit(regression):
    model, X, y = regression
    fit = find(model, "beta[a] * sigma = 0.8")
    with pm.Model() as other:
        sigma = pm.HalfNormal("sigma", 5)
        rest = pm.Normal("rest", 0, 10, shape=3)
        mu = X[:, 0] * 0.8 / sigma + pm.math.dot(X[:, 1:], rest)
        pm.Normal("y", mu, sigma, observed=y)
    reference = pymle.find_MLE(other, progressbar=False)
    assert fit.loglik == pytest.approx(reference.loglik, rel=1e-12)
    np.testing.assert_allclose(
        fit.summary().loc[["sigma", "beta[b]", "beta[c]", "beta[d]"], "se"],
        reference.summary()["se"],
        rtol=1e-7,
    )
    first = reference.derived("0.8 / sigma").table.iloc[0]
    assert fit.summary().loc["beta[a]", "se"] == pytest.approx(first["se"], rel=1e-7)


def test_sandwich_under_equations(regression):
    model, X, y = regression
    fit = find(model, "beta[a] = beta[b]")
    merged = np.column_stack([X[:, 0] + X[:, 1], X[:, 2], X[:, 3]])
    reference = sm.OLS(y, merged).fit(cov_type="HC0")
    se = fit.summary(cov="HC0")["se"]
    np.testing.assert_allclose(se.loc[["beta[a]", "beta[c]", "beta[d]"]], reference.bse, rtol=1e-8)


# ----- inequalities ---------------------------------------------------------------------------


def test_non_negative_coefficients_against_nnls():
    model, X, y = linear(seed=4)
    fit = find(model, "beta >= 0")
    expected = nnls(X, y)[0]
    np.testing.assert_allclose(fit.params["beta"], expected, atol=1e-9)
    assert fit.verdict.ok
    held = list(np.flatnonzero(expected == 0.0))
    assert list(fit.constraints["binds"]) == [i in held for i in range(4)]
    assert np.all(fit.constraints["multiplier"].to_numpy()[held] < 0.0)
    assert fit.nparams == 5
    assert np.all(fit.params["beta"].to_numpy()[held] == 0.0)
    # Standard errors are those of the regression on the others.
    free = np.flatnonzero(expected > 0.0)
    rest = pymle.find_MLE(model, fixed={f"beta[{'abcd'[i]}]": 0.0 for i in held}, progressbar=False)
    labels = [f"beta[{'abcd'[i]}]" for i in free]
    np.testing.assert_allclose(
        fit.summary().loc[labels, "se"], rest.summary().loc[labels, "se"], rtol=1e-8
    )
    assert "at its constraint" in str(fit)


def test_order_restricted_binomials():
    # Pooling adjacent violators, weighted by the numbers of trials.
    n = np.array([20, 25, 30, 20, 40, 15])
    y = np.array([2, 6, 5, 9, 14, 9])
    with pm.Model() as model:
        p = pm.Beta("p", 1, 1, shape=6)
        pm.Binomial("y", n, p, observed=y)
    fit = find(model, "diff(p) >= 0")
    expected = isotonic_regression(y / n, weights=n).x
    np.testing.assert_allclose(fit.params["p"], expected, rtol=1e-9)
    np.testing.assert_array_equal(fit.constraints["binds"], np.diff(expected) < 1e-12)
    pooled = expected[1]
    assert fit.summary()["se"].iloc[1] == pytest.approx(np.sqrt(pooled * (1 - pooled) / 55))


def test_inequalities_that_do_not_bind_change_nothing(counted, free):
    fit = find(counted, ["beta[x1] >= -5", "sum(beta) <= 100"])
    assert fit.loglik == pytest.approx(free.loglik, abs=1e-11)
    np.testing.assert_allclose(fit.summary()["se"], free.summary()["se"], rtol=1e-8)
    assert not fit.constraints["binds"].any()
    assert fit.nparams == free.nparams


def test_a_limited_sum_of_shares():
    n = np.array([12, 30, 7, 51])
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(4))
        pm.Multinomial("y", n.sum(), w, observed=n)
    fit = find(model, "w[0] + w[1] <= 0.3")
    np.testing.assert_allclose(
        fit.params["w"], [0.3 * 12 / 42, 0.3 * 30 / 42, 0.7 * 7 / 58, 0.7 * 51 / 58], rtol=1e-9
    )
    # d/dc of 42 log c + 58 log(1 - c)
    assert fit.constraints["multiplier"].iloc[0] == pytest.approx(42 / 0.3 - 58 / 0.7, rel=1e-7)


def test_separated_data_have_a_maximum_under_a_limit():
    x = np.linspace(-1, 1, 20)
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 10), pm.Normal("b", 0, 10)
        pm.Bernoulli("y", logit_p=a + b * x, observed=(x > 0).astype(int))
    fit = find(model, "b <= 6")
    assert fit.verdict.ok
    assert float(fit.params["b"]) == 6.0
    assert float(fit.params["a"]) == pytest.approx(0.0, abs=1e-8)
    assert fit.constraints["multiplier"].iloc[0] > 0.0


def test_mixture_components_in_order():
    rng = np.random.default_rng(2)
    y = np.concatenate([rng.normal(-2, 1, 60), rng.normal(2, 1, 90)])
    with pm.Model() as model:
        w = pm.Beta("w", 1, 1)
        mu = pm.Normal("mu", 0, 5, shape=2)
        parts = [pm.Normal.dist(mu[0], 1), pm.Normal.dist(mu[1], 1)]
        pm.Mixture("y", w=pt.stack([w, 1 - w]), comp_dists=parts, observed=y)
    fit = find(model, "mu[0] <= mu[1]")
    assert fit.params["mu"][0] < fit.params["mu"][1]
    assert fit.verdict.ok
    turned = find(model, "mu[0] >= mu[1]")
    assert turned.loglik == pytest.approx(fit.loglik, abs=1e-8)
    assert float(turned.params["w"]) == pytest.approx(1 - float(fit.params["w"]), abs=1e-7)


# ----- with everything else -------------------------------------------------------------------


def test_fixed_works_with_it(counted):
    X, y = counts()
    fit = find(counted, "beta[x1] = beta[x2]", fixed={"beta[x3]": -0.3})
    merged = np.column_stack([X[:, 0], X[:, 1] + X[:, 2]])
    reference = sm.GLM(y, merged, family=sm.families.Poisson(), offset=-0.3 * X[:, 3]).fit(
        tol=1e-15
    )
    table = fit.summary()
    np.testing.assert_allclose(table["estimate"].iloc[[0, 1]], reference.params, rtol=1e-8)
    np.testing.assert_allclose(table["se"].iloc[[0, 1]], reference.bse, rtol=1e-7)
    both = find(counted, "beta[x1] = beta[x3]", fixed={"beta[x3]": -0.3})
    assert float(both.params["beta"][1]) == pytest.approx(-0.3)


def test_map_under_constraints():
    y = np.array([1.0, 2.0, 4.0])
    with pm.Model() as model:
        mu = pm.Normal("mu", [0.0, 1.0, 0.0], 1, shape=3)
        pm.Normal("y", mu, 1, observed=y)
    fit = pymle.find_MAP(model, constraints="mu[0] = mu[1] = mu[2]", progressbar=False)
    np.testing.assert_allclose(fit.params["mu"], np.full(3, 8 / 6), rtol=1e-12)
    np.testing.assert_allclose(fit.summary()["se"], 1 / np.sqrt(6), rtol=1e-10)


def test_refits_keep_the_constraints():
    rng = np.random.default_rng(0)
    X, first, second = rng.normal(size=(40, 2)), rng.normal(size=40), rng.normal(size=40)
    with pm.Model() as model:
        data = pm.Data("data", first)
        beta = pm.Normal("beta", 0, 10, shape=2)
        pm.Normal("y", pm.math.dot(X, beta), 1, observed=data)
    compiled = pymle.compile(model, constraints="beta[0] + beta[1] = 1")
    for values in (first, second):
        fit = compiled.fit(data={"data": values}, progressbar=False)
        u = X[:, 0] - X[:, 1]
        expected = u @ (values - X[:, 1]) / (u @ u)
        np.testing.assert_allclose(fit.params["beta"], [expected, 1 - expected], rtol=1e-10)


def test_profile_and_wald_limits_under_constraints(counted):
    X, y = counts()
    fit = find(counted, "beta[x1] = beta[x2]")
    with pm.Model() as other:
        b = pm.Normal("b", 0, 1, shape=3)
        merged = np.column_stack([X[:, 0], X[:, 1] + X[:, 2], X[:, 3]])
        pm.Poisson("y", pm.math.exp(pm.math.dot(merged, b)), observed=y)
    reference = pymle.find_MLE(other, progressbar=False)
    for method in ("wald", "profile"):
        ours = fit.conf_int(method=method)[["lower", "upper"]].to_numpy(dtype=float)
        theirs = reference.conf_int(method=method)[["lower", "upper"]].to_numpy(dtype=float)
        np.testing.assert_allclose(ours[[0, 1, 3]], theirs, rtol=1e-5)
        np.testing.assert_allclose(ours[1], ours[2], rtol=1e-7)
    test = fit.wald_test("beta[x1] + beta[x2] = 0.2")
    same = reference.wald_test("2 * b[1] = 0.2")
    assert test.p == pytest.approx(same.p, rel=1e-7)


def test_a_profile_against_a_binding_inequality(regression):
    model, _, _ = regression
    free = find(model)
    side = ">=" if float(free.params["beta"][2]) < 0 else "<="
    fit = find(model, f"beta[c] {side} 0")
    limits = fit.conf_int(method="profile", var_names="beta").loc["beta[c]"]
    inner, outer = ("lower", "upper") if side == ">=" else ("upper", "lower")
    assert limits[inner] == pytest.approx(0.0, abs=1e-15)
    assert limits[f"{inner}_flag"] == "edge"
    # The other limit: the likelihood ratio against the constrained maximum.
    held = find(model, fixed={"beta[c]": float(limits[outer])})
    assert 2 * (fit.loglik - held.loglik) == pytest.approx(stats.chi2.ppf(0.95, 1), rel=1e-6)
    with pytest.raises(pymle.AnalysisError, match="is held by the constraints"):
        find(model, "beta[c] = 0").profile("beta[c]")


@pytest.mark.filterwarnings("ignore:Of 8 replicates:pymle.Notice")
def test_bootstrap_and_draws_keep_the_constraints(regression):
    model, _, _ = regression
    fit = find(model, ["beta[a] = beta[b]", "beta[c] >= 0"])
    draws = fit.draws(20, random_seed=1)
    beta = np.asarray(draws["posterior"]["beta"])[0]
    np.testing.assert_allclose(beta[:, 0], beta[:, 1], rtol=1e-8)
    refits = fit.bootstrap(8, random_seed=1, progressbar=False)
    assert np.all(np.isfinite(refits.summary()[["lower", "upper"]].to_numpy(dtype=float)))


def test_likelihood_ratios_between_constraints(counted, free):
    equal = find(counted, ["beta[x1] = 0", "beta[x2] = 0"])
    sided = find(counted, ["beta[x1] >= 0", "beta[x2] >= 0"])
    two = free.lr_test(equal)
    held = find(counted, fixed={"beta[x1]": 0, "beta[x2]": 0})
    assert two.statistic == pytest.approx(free.lr_test(held).statistic, abs=1e-9)
    assert two.df == 2
    assert two.p == pytest.approx(free.lr_test(held).p, rel=1e-8)
    cone = sided.lr_test(equal)
    X, _ = counts()
    mean = np.exp(X @ equal.params["beta"].to_numpy())
    covariance = np.linalg.inv(X.T @ (mean[:, None] * X))[1:3, 1:3]
    rho = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    both = 0.25 + np.arcsin(rho) / (2 * np.pi)
    assert cone.weights[2] == pytest.approx(both, abs=0.005)
    assert cone.weights[1] == pytest.approx(0.5, abs=0.005)
    against = free.lr_test(sided)
    # The least favourable case is taken at the estimate of the smaller fit.
    assert against.weights[0] == pytest.approx(both, abs=0.02)
    with pytest.raises(pymle.AnalysisError, match="of which the smaller one has nothing"):
        find(counted, "beta[x3] = 0").lr_test(sided)


def test_weights_of_an_order_restriction_are_its_level_probabilities():
    # Equal means against ordered ones, equal numbers: |Stirling number (4, j)| / 4!.
    y = np.random.default_rng(0).normal(size=(10, 4)) + np.arange(4) / 3
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10, shape=4)
        pm.Normal("y", mu, 1, observed=y)
    ordered = find(model, "mu[0] <= mu[1] <= mu[2] <= mu[3]")
    equal = find(model, "diff(mu) = 0")
    test = equal.lr_test(ordered)
    expected = np.array([6, 11, 6, 1]) / 24
    np.testing.assert_allclose([test.weights[j] for j in range(4)], expected, atol=0.005)
    fitted = isotonic_regression(y.mean(axis=0)).x
    statistic = 10 * np.sum((fitted - y.mean()) ** 2)
    assert test.statistic == pytest.approx(statistic, rel=1e-8)
    assert equal.constraints.index[0] == "mu[1] - mu[0] = 0"


# ----- what is said ---------------------------------------------------------------------------


def test_printed(regression):
    model, _, _ = regression
    with pytest.warns(pymle.Notice, match="follows from others: left out"):
        fit = pymle.find_MLE(
            model, constraints=["beta[a] = 1", "2 * beta[a] = 2", "sigma <= 50"], progressbar=False
        )
    text = str(fit)
    assert "constraints      beta[a] = 1; sigma <= 50 (does not bind)" in text
    assert "held by constraints, so without standard error: beta[a]" in text
    assert "constraints" in fit._repr_html_()
    assert list(fit.constraints.index) == ["beta[a] = 1", "sigma <= 50"]
    assert find(model).constraints.empty


@pytest.mark.parametrize(
    ("constraints", "seen"),
    [
        ("beta[a] = 1, beta[b] = 2, beta[a] = beta[b]", "contradict each other"),
        ("beta[a] >= 2, beta[c] = 0, beta[a] <= 1", '"beta\\[a\\] >= 2", "beta\\[a\\] <= 1"'),
        ("sigma = -1", "`sigma`: positive"),
        ("sigma = 0", 'fixed={"sigma": value}'),
        ("beta[e] = 0", "unknown name `beta\\[e\\]`"),
        ("bta = 0", "Did you mean `beta`"),
        ("beta[a] < 1", 'write "<="'),
        ("1 = 2", "holds no estimated parameter"),
        ("y = 1", "is observed"),
        ("beta[a] =", "one side of a comparison is empty"),
        ("exp(sigma) = -1", "no point was found"),
        ("beta[a] ^ 2 = 0", "is stationary there"),
    ],
)
def test_refusals_say_what_and_why(regression, constraints, seen):
    model, _, _ = regression
    with pytest.raises(pymle.AnalysisError, match=seen):
        find(model, constraints)


def test_simplex_shares_that_cannot_be():
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(3))
        pm.Multinomial("y", 10, w, observed=np.array([2, 3, 5]))
    with pytest.raises(pymle.AnalysisError, match="sum to 1"):
        find(model, ["w[0] >= 0.6", "w[1] >= 0.6"])


def test_another_start_and_other_units_change_nothing(regression):
    model, X, y = regression
    texts = ["beta[a] + beta[b] = 1.5", "beta[c] >= 0.1", "sigma <= 0.9"]
    fit = find(model, texts)
    again = find(model, texts, start={"beta": [9.0, -9.0, -5.0, 4.0], "sigma": 30.0})
    assert again.loglik == pytest.approx(fit.loglik, abs=1e-10)
    np.testing.assert_allclose(again.params["beta"], fit.params["beta"], atol=1e-9)
    with pm.Model(coords={"p": ["a", "b", "c", "d"]}) as scaled:
        beta = pm.Normal("beta", 0, 1e4, dims="p")
        sigma = pm.HalfNormal("sigma", 5e3)
        pm.Normal("y", pm.math.dot(X, beta), sigma, observed=1e3 * y)
    other = find(scaled, ["beta[a] + beta[b] = 1500", "beta[c] >= 100", "sigma <= 900"])
    np.testing.assert_allclose(other.params["beta"] / 1e3, fit.params["beta"], atol=1e-9)
    np.testing.assert_allclose(
        other.constraints["multiplier"] * 1e3, fit.constraints["multiplier"], rtol=1e-7
    )
