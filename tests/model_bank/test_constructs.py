"""Likelihoods that are no plain distribution, each against SciPy, statsmodels or a closed form."""

import warnings

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import optimize, stats

import pymle

rng = np.random.default_rng(31)


# PyMC 5 builds discrete truncations by a call that PyTensor 2 deprecates.
SCAN = pytest.mark.filterwarnings("ignore:Scan return signature:DeprecationWarning")


def maximum(loglik, start):
    """Maximum of a log-likelihood written with SciPy, and its covariance by differences."""
    found = optimize.minimize(
        lambda v: -loglik(v),
        start,
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 20000},
    )
    rough = differenced_hessian(loglik, found.x, 1e-3 * np.abs(found.x))
    # In SE units differences lose fewest digits; two step sizes leave an error of fourth order.
    step = 0.1 / np.sqrt(np.diagonal(-rough))
    wide, narrow = (differenced_hessian(loglik, found.x, h) for h in (step, step / 2))
    return found.x, np.linalg.inv(-(4 * narrow - wide) / 3), -found.fun


def differenced_hessian(function, x, step):
    moves = np.diag(step)
    out = np.empty((len(x), len(x)))
    for i, a in enumerate(moves):
        for j, b in enumerate(moves):
            corners = (
                function(x + a + b)
                - function(x + a - b)
                - function(x - a + b)
                + function(x - a - b)
            )
            out[i, j] = corners / (4 * step[i] * step[j])
    return out


def agrees(fit, names, loglik, start):
    """Log-likelihood to 1e-7, estimates to 1e-5 SE, SEs to 1e-4 of an independent maximum."""
    x, covariance, value = maximum(loglik, start)
    assert fit.verdict.ok, str(fit.verdict)
    se = np.sqrt(np.diagonal(covariance))
    table = fit.summary().loc[names]
    np.testing.assert_allclose(fit.loglik, value, rtol=0, atol=1e-7)
    assert np.max(np.abs(table["estimate"] - x) / se) < 1e-4
    np.testing.assert_allclose(table["se"], se, rtol=1e-4)


def test_custom_distribution_with_logp():
    y = rng.laplace(0, 1, 30) ** 2

    def logp(value, rate):
        return pt.log(rate) - rate * value

    with pm.Model() as model:
        pm.CustomDist("y", pm.HalfNormal("rate", 1), logp=logp, observed=y)
    fit = pymle.find_MLE(model)
    rate = 1 / y.mean()
    np.testing.assert_allclose(fit.params["rate"], rate, rtol=1e-10)
    np.testing.assert_allclose(fit.summary().loc["rate", "se"], rate / np.sqrt(30), rtol=1e-8)
    np.testing.assert_allclose(fit.loglik, stats.expon(scale=1 / rate).logpdf(y).sum())


def test_custom_distribution_with_dist():
    y = rng.lognormal(1.0, 0.5, 30)

    def dist(mu, sigma, size):
        return pm.math.exp(pm.Normal.dist(mu, sigma, size=size))

    with pm.Model() as model:
        pm.CustomDist("y", pm.Normal("mu", 0, 1), pm.HalfNormal("s", 1), dist=dist, observed=y)
    fit = pymle.find_MLE(model)
    m, s = np.log(y).mean(), np.log(y).std()
    np.testing.assert_allclose([fit.params["mu"], fit.params["s"]], [m, s], rtol=1e-9)
    np.testing.assert_allclose(fit.loglik, stats.lognorm(s, scale=np.exp(m)).logpdf(y).sum())


def test_two_component_mixture():
    y = np.concatenate([rng.normal(0, 1, 60), rng.normal(5, 1, 30)])
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(2))
        mu = pm.Normal("mu", 0, 5, shape=2)
        pm.NormalMixture("y", w, mu, 1.0, observed=y)

    def loglik(v):
        share = v[0]
        return np.logaddexp(
            np.log(share) + stats.norm(v[1], 1).logpdf(y),
            np.log1p(-share) + stats.norm(v[2], 1).logpdf(y),
        ).sum()

    fit = pymle.find_MLE(model, start={"mu": [0.0, 5.0]})
    if fit.params["mu"][0] > fit.params["mu"][1]:  # an equivalent maximum
        names, start = ["w[0]", "mu[0]", "mu[1]"], [1 / 3, 5.0, 0.0]
    else:
        names, start = ["w[0]", "mu[0]", "mu[1]"], [2 / 3, 0.0, 5.0]
    agrees(fit, names, loglik, start)


@pytest.mark.slow
def test_mixture_of_unlike_components():
    y = np.concatenate([rng.exponential(1.0, 40), rng.gamma(20, 0.5, 40)])
    with pm.Model() as model:
        share, rate = pm.Beta("share", 1, 1), pm.HalfNormal("rate", 1)
        parts = [pm.Exponential.dist(rate), pm.Gamma.dist(20.0, pm.HalfNormal("b", 1))]
        pm.Mixture("y", [share, 1 - share], parts, observed=y)

    def loglik(v):
        share, rate, b = v
        if not (0 < share < 1 and rate > 0 and b > 0):
            return -np.inf
        return np.logaddexp(
            np.log(share) + stats.expon(scale=1 / rate).logpdf(y),
            np.log1p(-share) + stats.gamma(20, scale=1 / b).logpdf(y),
        ).sum()

    agrees(pymle.find_MLE(model), ["share", "rate", "b"], loglik, [0.5, 1.0, 2.0])


def test_censored_normal():
    y = np.clip(rng.normal(1, 2, 50), 0.0, 3.0)
    with pm.Model() as model:
        latent = pm.Normal.dist(pm.Normal("mu", 0, 1), pm.HalfNormal("sigma", 1))
        pm.Censored("y", latent, lower=0.0, upper=3.0, observed=y)

    def loglik(v):
        d = stats.norm(v[0], v[1])
        inside = (y > 0) & (y < 3)
        return (
            d.logpdf(y[inside]).sum()
            + np.sum(y == 0) * d.logcdf(0.0)
            + np.sum(y == 3) * d.logsf(3.0)
        )

    agrees(pymle.find_MLE(model), ["mu", "sigma"], loglik, [1.0, 2.0])


@SCAN
def test_truncated_normal():
    y = stats.truncnorm(-0.5, 2.0, loc=1, scale=2).rvs(80, random_state=rng)
    with pm.Model() as model:
        parent = pm.Normal.dist(pm.Normal("mu", 0, 1), pm.HalfNormal("sigma", 1))
        pm.Truncated("y", parent, lower=0.0, upper=5.0, observed=y)

    def loglik(v):
        d = stats.norm(v[0], v[1])
        return (d.logpdf(y) - np.log(d.cdf(5.0) - d.cdf(0.0))).sum()

    agrees(pymle.find_MLE(model), ["mu", "sigma"], loglik, [1.0, 2.0])


@SCAN
def test_truncated_poisson():
    """Zero-truncated: the mean of a positive count is rate / (1 - exp(-rate))."""
    y = rng.poisson(1.5, 60)
    y = y[y > 0]
    with pm.Model() as model:
        pm.Truncated("y", pm.Poisson.dist(pm.HalfNormal("rate", 1)), lower=1, observed=y)
    rate = optimize.brentq(lambda v: v / -np.expm1(-v) - y.mean(), 1e-6, 50, xtol=1e-14)
    fit = pymle.find_MLE(model)
    assert fit.verdict.ok
    np.testing.assert_allclose(fit.params["rate"], rate, rtol=1e-9)


@SCAN
def test_hurdle_poisson():
    y = np.array([0, 0, 0, 1, 2, 1, 3, 0, 2, 5, 1, 0])
    with pm.Model() as model:
        psi, rate = pm.Beta("psi", 1, 1), pm.HalfNormal("rate", 1)
        pm.HurdlePoisson("y", psi, rate, observed=y)
    positive = y[y > 0]
    share = len(positive) / len(y)
    rate = optimize.brentq(lambda v: v / -np.expm1(-v) - positive.mean(), 1e-6, 50, xtol=1e-14)
    fit = pymle.find_MLE(model)
    assert fit.verdict.ok
    np.testing.assert_allclose([fit.params["psi"], fit.params["rate"]], [share, rate], rtol=1e-9)
    np.testing.assert_allclose(
        fit.summary().loc["psi", "se"], np.sqrt(share * (1 - share) / len(y)), rtol=1e-7
    )


@SCAN
def test_hurdle_gamma():
    y = np.concatenate([np.zeros(5), rng.gamma(3, 2, 15)])
    with pm.Model() as model:
        pm.HurdleGamma("y", pm.Beta("psi", 1, 1), 3.0, beta=pm.HalfNormal("b", 1), observed=y)
    fit = pymle.find_MLE(model)
    np.testing.assert_allclose(fit.params["psi"], 0.75, rtol=1e-9)
    np.testing.assert_allclose(fit.params["b"], 3 / y[5:].mean(), rtol=1e-9)


def test_zero_inflated_poisson():
    y = np.where(rng.random(80) < 0.3, 0, rng.poisson(2.5, 80))
    with pm.Model() as model:
        pm.ZeroInflatedPoisson("y", pm.Beta("psi", 1, 1), pm.HalfNormal("mu", 1), observed=y)

    def loglik(v):
        psi, mu = v
        zero = np.sum(y == 0) * np.log(1 - psi + psi * np.exp(-mu))
        seen = y[y > 0]
        return zero + (np.log(psi) + stats.poisson(mu).logpmf(seen)).sum()

    agrees(pymle.find_MLE(model), ["psi", "mu"], loglik, [0.7, 2.5])


def test_marginal_gaussian_process():
    x = np.linspace(0, 4, 15)
    y = np.sin(x) + 0.2 * rng.normal(size=15)
    with pm.Model() as model:
        ell, eta = pm.Gamma("ell", 2, 1), pm.HalfNormal("eta", 1)
        process = pm.gp.Marginal(cov_func=eta**2 * pm.gp.cov.ExpQuad(1, ls=ell))
        process.marginal_likelihood("y", X=x[:, None], y=y, sigma=pm.HalfNormal("sigma", 1))

    def loglik(v):
        ell, eta, sigma = np.abs(v)
        gap = (x[:, None] - x[None, :]) / ell
        # PyMC adds its default jitter to the diagonal.
        cov = eta**2 * np.exp(-0.5 * gap**2) + (sigma**2 + 1e-6) * np.eye(15)
        return stats.multivariate_normal(np.zeros(15), cov).logpdf(y)

    fit = pymle.find_MLE(model)
    agrees(fit, ["ell", "eta", "sigma"], loglik, [1.5, 1.0, 0.2])
    assert fit.nobs == 15


def test_autoregression():
    """Conditional on the first value, least squares of each value on the one before."""
    y = np.zeros(60)
    for t in range(1, 60):
        y[t] = 0.3 + 0.6 * y[t - 1] + rng.normal()
    with pm.Model() as model:
        rho = pm.Normal("rho", 0, 1, shape=2)
        sigma = pm.HalfNormal("sigma", 1)
        start = pm.Normal.dist(0.0, 10.0)
        pm.AR("y", rho, sigma, init_dist=start, constant=True, observed=y)
    x = np.column_stack([np.ones(59), y[:-1]])
    coef, *_ = np.linalg.lstsq(x, y[1:], rcond=None)
    s = np.sqrt(np.mean((y[1:] - x @ coef) ** 2))
    fit = pymle.find_MLE(model)
    assert fit.verdict.ok
    np.testing.assert_allclose(fit.params["rho"], coef, rtol=1e-8)
    np.testing.assert_allclose(fit.params["sigma"], s, rtol=1e-8)
    expected = stats.norm(x @ coef, s).logpdf(y[1:]).sum() + stats.norm(0, 10).logpdf(y[0])
    np.testing.assert_allclose(fit.loglik, expected, rtol=1e-10)
    np.testing.assert_allclose(
        fit.covariance().to_numpy()[:2, :2], s**2 * np.linalg.inv(x.T @ x), rtol=1e-7
    )
    assert fit.nobs == 60


def test_random_walk_with_drift():
    steps = rng.normal(0.2, 0.5, 40)
    y = np.cumsum(steps)
    with pm.Model() as model:
        pm.GaussianRandomWalk(
            "y",
            mu=pm.Normal("mu", 0, 1),
            sigma=pm.HalfNormal("sigma", 1),
            init_dist=pm.Normal.dist(0, 5),
            observed=y,
        )
    d = np.diff(y)
    fit = pymle.find_MLE(model)
    assert fit.verdict.ok
    np.testing.assert_allclose(
        [fit.params["mu"], fit.params["sigma"]], [d.mean(), d.std()], rtol=1e-9
    )
    expected = stats.norm(d.mean(), d.std()).logpdf(d).sum() + stats.norm(0, 5).logpdf(y[0])
    np.testing.assert_allclose(fit.loglik, expected, rtol=1e-10)


def garch_data():
    draws = np.random.default_rng(8).normal(size=400)
    y, variance = np.zeros(400), 1.0
    for t, z in enumerate(draws):
        y[t] = np.sqrt(variance) * z
        variance = 0.3 + 0.3 * y[t] ** 2 + 0.5 * variance
    return y


def garch_loglik(y, omega, alpha, beta, initial=1.0):
    variance, total = initial**2, 0.0
    for t, value in enumerate(y):
        if t:
            variance = omega + alpha * y[t - 1] ** 2 + beta * variance
        total += -0.5 * (np.log(2 * np.pi * variance) + value**2 / variance)
    return total


def test_garch():
    y = garch_data()
    with pm.Model() as model:
        omega, alpha = pm.HalfNormal("omega", 1), pm.Beta("alpha", 1, 1)
        beta = pm.Uniform("beta", 0, 1)
        pm.GARCH11("y", omega=omega, alpha_1=alpha, beta_1=beta, initial_vol=1.0, observed=y)
    fit = pymle.find_MLE(model)

    def loglik(v):
        if not np.all(v > 0):
            return -np.inf
        return garch_loglik(y, *v)

    agrees(fit, ["omega", "alpha", "beta"], loglik, [0.3, 0.3, 0.5])


def test_scan_likelihood():
    """An exponential smoother written with scan."""
    noise = np.random.default_rng(7)  # a series that wanders: the share lies inside (0, 1)
    y = np.cumsum(noise.normal(0, 1, 40)) + noise.normal(0, 1, 40)

    def step(value, level, share):
        return level + share * (value - level)

    with pm.Model() as model:
        share, sigma = pm.Beta("share", 2, 2), pm.HalfNormal("sigma", 1)
        found = pytensor.scan(
            step,
            sequences=[pt.as_tensor(y[:-1])],
            outputs_info=[pt.zeros(())],
            non_sequences=[share],
            return_updates=False,
        )
        levels = pt.concatenate([pt.zeros((1,)), found])
        pm.Normal("y", levels, sigma, observed=y)

    def loglik(v):
        level, total = 0.0, 0.0
        for value in y:
            total += stats.norm.logpdf(value, level, v[1])
            level += v[0] * (value - level)
        return total

    agrees(pymle.find_MLE(model), ["share", "sigma"], loglik, [0.3, 1.0])


def test_named_dimensions_model():
    with warnings.catch_warnings():
        # PyMC 5 and PyTensor 2 call the module experimental when it is imported.
        warnings.simplefilter("ignore")
        import pymc.dims as pmd
    x = rng.normal(size=(20, 2))
    y = x @ [1.0, -1.0] + rng.normal(size=20)
    with pm.Model(coords={"obs": range(20), "predictor": ["a", "b"]}) as model:
        design = pmd.Data("design", x, dims=("obs", "predictor"))
        beta = pmd.Normal("beta", 0, 5, dims="predictor")
        sigma = pmd.HalfNormal("sigma", 5)
        seen = pmd.Data("seen", y, dims="obs")
        pmd.Normal("y", (design * beta).sum("predictor"), sigma, observed=seen)
    fit = pymle.find_MLE(model)
    coef, *_ = np.linalg.lstsq(x, y, rcond=None)
    s = np.sqrt(np.mean((y - x @ coef) ** 2))
    assert fit.verdict.ok
    np.testing.assert_allclose(fit.params["beta"].sel(predictor=["a", "b"]), coef, rtol=1e-9)
    np.testing.assert_allclose(fit.params["sigma"], s, rtol=1e-9)
    np.testing.assert_allclose(
        fit.covariance().to_numpy()[:2, :2], s**2 * np.linalg.inv(x.T @ x), rtol=1e-7
    )
    np.testing.assert_allclose(fit.loglik, stats.norm(x @ coef, s).logpdf(y).sum(), rtol=1e-10)
    assert list(fit.summary().index) == ["beta[a]", "beta[b]", "sigma"]


def test_user_given_transform():
    y = rng.normal(0.4, 1, 20)
    with pm.Model() as model:
        bounds = pm.distributions.transforms.Interval(-2.0, 2.0)
        mu = pm.Normal("mu", 0, 1, transform=bounds)
        pm.Normal("y", mu, 1.0, observed=y)
    fit = pymle.find_MLE(model)
    np.testing.assert_allclose(fit.params["mu"], y.mean(), rtol=1e-10)
    with pytest.raises(pymle.PointError, match="outside its support"):
        pymle.find_MLE(model, start={"mu": 3.0})


@pytest.mark.parametrize("family", ["poisson", "logit", "gaussian"])
def test_generalised_linear_models_against_statsmodels(family):
    import statsmodels.api as sm

    x = np.column_stack([np.ones(60), rng.normal(size=(60, 2))])
    eta = x @ [0.3, 0.5, -0.4]
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 1, shape=3)
        mean = x @ beta
        if family == "poisson":
            y = rng.poisson(np.exp(eta))
            pm.Poisson("y", pm.math.exp(mean), observed=y)
            other = sm.Poisson(y, x).fit(disp=0, tol=1e-12)
        elif family == "logit":
            y = rng.binomial(1, 1 / (1 + np.exp(-eta)))
            pm.Bernoulli("y", logit_p=mean, observed=y)
            other = sm.Logit(y, x).fit(disp=0, tol=1e-12)
        else:
            y = eta + rng.normal(size=60)
            pm.Normal("y", mean, pm.HalfNormal("sigma", 1), observed=y)
            other = sm.OLS(y, x).fit()
    fit = pymle.find_MLE(model)
    assert fit.verdict.ok
    np.testing.assert_allclose(fit.params["beta"], other.params, rtol=1e-8)
    np.testing.assert_allclose(fit.loglik, other.llf, rtol=1e-10)
    divisor = np.sqrt(57 / 60) if family == "gaussian" else 1.0
    np.testing.assert_allclose(fit.summary()["se"].iloc[:3], other.bse * divisor, rtol=1e-6)
