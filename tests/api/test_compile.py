"""The compiled likelihood as a function of natural points, and refits with new data."""

import numpy as np
import pymc as pm
import pytest
from scipy import special, stats

import pymle

rng = np.random.default_rng(4)
X = np.column_stack([np.ones(12), rng.normal(size=12)])
Y = X @ [1.0, 2.0] + rng.normal(size=12)
POINT = {"beta": np.array([0.4, 1.5]), "sigma": np.array(1.7)}


def regression():
    with pm.Model(coords={"predictor": ["one", "x1"]}) as model:
        x = pm.Data("X", X, dims=("obs", "predictor"))
        y = pm.Data("y_data", Y, dims="obs")
        beta = pm.Normal("beta", 0, 3, dims="predictor")
        sigma = pm.HalfNormal("sigma", 2)
        pm.Normal("y", x @ beta, sigma, observed=y, dims="obs")
    return model


@pytest.fixture(scope="module")
def likelihood():
    return pymle.compile(regression())


def test_logp(likelihood):
    residual = stats.norm(X @ POINT["beta"], 1.7)
    np.testing.assert_allclose(likelihood.logp(POINT), residual.logpdf(Y).sum(), rtol=1e-12)
    assert likelihood.objective == "mle"
    assert likelihood.roles["beta"].role == "parameter"


def test_score(likelihood):
    r, s = Y - X @ POINT["beta"], 1.7
    expected = [*(X.T @ r / s**2), -12 / s + r @ r / s**3]
    natural = likelihood.score(POINT)
    assert list(natural.index) == ["beta[one]", "beta[x1]", "sigma"]
    np.testing.assert_allclose(natural, expected, rtol=1e-10)
    # The working scale of a positive parameter is its logarithm.
    unconstrained = likelihood.score(POINT, scale="unconstrained")
    np.testing.assert_allclose(unconstrained, np.array(expected) * [1, 1, s], rtol=1e-10)


def test_hessian(likelihood):
    r, s = Y - X @ POINT["beta"], 1.7
    cross = -2 * X.T @ r / s**3
    expected = np.block([[-X.T @ X / s**2, cross[:, None]], [cross, 12 / s**2 - 3 * r @ r / s**4]])
    natural = likelihood.hessian(POINT)
    labels = ["beta[one]", "beta[x1]", "sigma"]
    assert list(natural.index) == list(natural.columns) == labels
    np.testing.assert_allclose(natural, expected, rtol=1e-9)
    slope = np.array([1, 1, s])
    curved = expected * np.outer(slope, slope)
    curved[2, 2] += s * (-12 / s + r @ r / s**3)  # second derivative of exp
    unconstrained = likelihood.hessian(POINT, scale="unconstrained")
    np.testing.assert_allclose(unconstrained, curved, rtol=1e-9)


def test_logp_per_observation(likelihood):
    terms = likelihood.logp_per_observation(POINT)
    assert list(terms.data_vars) == ["y"]
    assert terms["y"].dims == ("obs",)
    np.testing.assert_allclose(terms["y"], stats.norm(X @ POINT["beta"], 1.7).logpdf(Y), rtol=1e-12)


def test_posterior_objective():
    posterior = pymle.compile(regression(), objective="map")
    prior = stats.norm(0, 3).logpdf(POINT["beta"]).sum() + stats.halfnorm(scale=2).logpdf(1.7)
    expected = stats.norm(X @ POINT["beta"], 1.7).logpdf(Y).sum() + prior
    np.testing.assert_allclose(posterior.logp(POINT), expected, rtol=1e-12)
    assert posterior.fit().objective == "map"


def test_refits_with_new_values_and_lengths(likelihood):
    for n in (12, 30, 5):
        x = np.column_stack([np.ones(n), rng.normal(size=n)])
        y = x @ [-1.0, 0.5] + rng.normal(size=n)
        fit = likelihood.fit(data={"X": x, "y_data": y})
        beta, *_ = np.linalg.lstsq(x, y, rcond=None)
        sigma = np.sqrt(np.mean((y - x @ beta) ** 2))
        assert fit.verdict.ok
        np.testing.assert_allclose(fit.params["beta"], beta, rtol=1e-8)
        np.testing.assert_allclose(fit.params["sigma"], sigma, rtol=1e-8)
        np.testing.assert_allclose(fit.loglik, stats.norm(x @ beta, sigma).logpdf(y).sum())
        assert fit.nobs == n
    # The model keeps its own data, and so does the compiled likelihood.
    np.testing.assert_array_equal(regression()["y_data"].get_value(), Y)
    beta, *_ = np.linalg.lstsq(X, Y, rcond=None)
    np.testing.assert_allclose(likelihood.fit().params["beta"], beta, rtol=1e-9)


def test_model_data_are_untouched_by_a_refit():
    model = regression()
    compiled = pymle.compile(model)
    compiled.fit(data={"X": X[:6], "y_data": Y[:6]})
    np.testing.assert_array_equal(model["X"].get_value(), X)
    np.testing.assert_array_equal(model["y_data"].get_value(), Y)
    assert int(model.dim_lengths["obs"].eval(mode="FAST_COMPILE")) == 12


def test_captured_data_take_new_values_of_the_same_shape():
    with pm.Model() as model:
        pm.Poisson("y", pm.Exponential("rate", 1), observed=np.array([1, 2, 3]))
    compiled = pymle.compile(model)
    fit = compiled.fit(data={"y": [4, 5, 9]})
    np.testing.assert_allclose(fit.params["rate"], 6.0, rtol=1e-10)
    np.testing.assert_allclose(fit.loglik, stats.poisson(6).logpmf([4, 5, 9]).sum(), rtol=1e-10)
    with pytest.raises(pymle.DataError, match=r"shape \(2,\), expected \(3,\).*pm\.Data"):
        compiled.fit(data={"y": [1, 2]})
    with pytest.raises(pymle.DataError, match="whole numbers"):
        compiled.fit(data={"y": [1.5, 2.0, 3.0]})


def test_captured_data_are_replaced_wherever_they_stand():
    """The density holds the logarithm of the data beside the data."""
    old, new = rng.gamma(2.0, 1.0, 40), rng.gamma(2.0, 3.0, 40)
    with pm.Model() as model:
        pm.LogNormal("y", pm.Normal("mu", 0, 1), pm.HalfNormal("s", 1), observed=old)
    compiled = pymle.compile(model)
    compiled.fit()
    fit = compiled.fit(data={"y": new})
    m, s = np.log(new).mean(), np.log(new).std()
    np.testing.assert_allclose([fit.params["mu"], fit.params["s"]], [m, s], rtol=1e-9)
    np.testing.assert_allclose(fit.loglik, stats.lognorm(s, scale=np.exp(m)).logpdf(new).sum())


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"y_dat": Y}, "unknown name `y_dat`.*Did you mean `y_data`"),
        ({"y_data": Y[:, None]}, r"`y_data`: seen an array with 2 dimension\(s\), expected 1"),
        ({"y_data": np.zeros(0), "X": np.zeros((0, 2))}, "no data"),
        ({"y_data": np.where(Y > 1, np.nan, Y)}, "`y_data`.*NaN"),
        ({"X": np.where(X > 1, np.inf, X)}, "`X`.*infinite"),
    ],
)
def test_new_data_that_do_not_fit(likelihood, data, text):
    with pytest.raises(pymle.DataError, match=f"(?s){text}"):
        likelihood.fit(data=data)


@pytest.mark.parametrize(
    ("point", "text"),
    [
        ({"beta": [0.0, 1.0]}, "lacks `sigma`.*fit.point"),
        ({**POINT, "sigmas": 1.0}, "unknown name `sigmas`.*Did you mean `sigma`"),
        ({**POINT, "sigma": -1.0}, "`sigma`.*outside its support.*positive"),
        ({**POINT, "beta": [1.0]}, r"`beta`.*\(2,\).*\(1,\)"),
    ],
)
def test_points_that_do_not_fit(likelihood, point, text):
    for call in (likelihood.logp, likelihood.score, likelihood.hessian):
        with pytest.raises(pymle.PointError, match=f"(?s){text}"):
            call(point)


def test_a_scale_outside_the_list(likelihood):
    with pytest.raises(pymle.AnalysisError, match='"natural" or "unconstrained"'):
        likelihood.score(POINT, scale="log")


def test_an_objective_outside_the_list():
    with pytest.raises(pymle.AnalysisError, match="`objective` = 'reml': expected \"mle\""):
        pymle.compile(regression(), objective="reml")


def test_entries_that_constrain_each_other_have_no_natural_score():
    counts = np.array([3, 5, 2])
    with pm.Model() as model:
        pm.Multinomial("y", 10, pm.Dirichlet("p", np.ones(3)), observed=counts)
    compiled = pymle.compile(model)
    with pytest.raises(pymle.AnalysisError, match=r'`p`.*scale="unconstrained"'):
        compiled.score({"p": [0.2, 0.3, 0.5]})
    at_maximum = compiled.score({"p": counts / 10}, scale="unconstrained")
    np.testing.assert_allclose(at_maximum, 0.0, atol=1e-12)
    assert len(at_maximum) == 2


def test_held_values_complete_a_point():
    compiled = pymle.compile(regression(), fixed={"sigma": 2.0})
    expected = stats.norm(X @ POINT["beta"], 2.0).logpdf(Y).sum()
    np.testing.assert_allclose(compiled.logp({"beta": POINT["beta"]}), expected, rtol=1e-12)
    assert list(compiled.score({"beta": POINT["beta"]}).index) == ["beta[one]", "beta[x1]"]


def test_bounded_score_on_both_scales():
    with pm.Model() as model:
        pm.Binomial("y", 10, pm.Beta("p", 1, 1), observed=[3])
    compiled = pymle.compile(model)
    p = 0.45
    natural = 3 / p - 7 / (1 - p)
    np.testing.assert_allclose(compiled.score({"p": p}), [natural], rtol=1e-10)
    np.testing.assert_allclose(
        compiled.score({"p": p}, scale="unconstrained"), [natural * p * (1 - p)], rtol=1e-10
    )
    curvature = -3 / p**2 - 7 / (1 - p) ** 2
    np.testing.assert_allclose(compiled.hessian({"p": p}), [[curvature]], rtol=1e-9)


def test_joint_density_has_no_observation_terms():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Potential("loglik", -0.5 * pm.math.sum((Y - mu) ** 2))
    compiled = pymle.compile(model)
    np.testing.assert_allclose(compiled.logp({"mu": 0.0}), -0.5 * np.sum(Y**2), rtol=1e-12)
    with pytest.raises(pymle.AnalysisError, match=r"`loglik`.*no per-observation terms"):
        compiled.logp_per_observation({"mu": 0.0})


def test_outside_the_data_support_is_minus_infinity():
    with pm.Model() as model:
        pm.Uniform("y", 0, pm.HalfNormal("top", 10), observed=[1.0, 3.0])
    compiled = pymle.compile(model)
    assert compiled.logp({"top": 2.0}) == -np.inf
    np.testing.assert_allclose(compiled.logp({"top": 4.0}), -2 * np.log(4.0), rtol=1e-12)


def test_large_counts_keep_their_constants():
    """Constants of the density are in the log-likelihood, in double precision."""
    counts = np.array([120, 4000, 87])
    with pm.Model() as model:
        pm.Poisson("y", pm.Exponential("rate", 1), observed=counts)
    rate = 1500.0
    expected = np.sum(counts * np.log(rate) - rate - special.gammaln(counts + 1))
    np.testing.assert_allclose(pymle.compile(model).logp({"rate": rate}), expected, rtol=1e-12)


@pytest.mark.parametrize("trials", [np.array([3, 7, 7]), np.array(7)])
def test_observed_values_equal_to_other_numbers_are_not_one_with_them(trials):
    with pm.Model() as model:
        pm.Binomial("y", n=trials, p=pm.Beta("p", 1, 1), observed=trials)
        pm.Normal("z", pm.Normal("mu", 0, 10), 1, observed=trials.astype(float))
    counts = trials - 2
    fit = pymle.compile(model).fit(data={"y": counts}, progressbar=False)
    share = counts.sum() / trials.sum()
    assert float(fit.params["p"]) == pytest.approx(share)
    assert float(fit.params["mu"]) == pytest.approx(trials.mean())
    expected = stats.binom.logpmf(counts, trials, share).sum()
    expected += stats.norm.logpdf(trials, trials.mean()).sum()
    assert fit.loglik == pytest.approx(expected, rel=1e-12)
