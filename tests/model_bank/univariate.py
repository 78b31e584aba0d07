"""Closed forms with one or two parameters per model."""

import numpy as np
import pymc as pm
from scipy import optimize, special, stats

from tests.model_bank.closed import Closed, block_diagonal, closed

_rng = np.random.default_rng(7)


@closed
def normal_mean_and_sd():
    y = _rng.normal(5, 2, 40)
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 1), pm.HalfNormal("sigma", 1)
        pm.Deterministic("ratio", mu / sigma)
        pm.Deterministic("variance", sigma**2)
        pm.Normal("y", mu, sigma, observed=y)
    n, m, s = len(y), y.mean(), y.std()
    ratio_se = np.sqrt(1 / n + (m / s) ** 2 / (2 * n))
    return Closed(
        model,
        {"mu": m, "sigma": s},
        np.diag([s**2 / n, s**2 / (2 * n)]),
        stats.norm(m, s).logpdf(y).sum(),
        n,
        2,
        {"mu": "identity", "sigma": "log"},
        {"ratio": (m / s, ratio_se), "variance": (s**2, s**2 * np.sqrt(2 / n))},
    )


@closed
def bernoulli():
    y = np.array([1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1])
    with pm.Model() as model:
        pm.Bernoulli("y", pm.Beta("p", 1, 1), observed=y)
    n, p = len(y), y.mean()
    return Closed(
        model,
        {"p": p},
        np.array([[p * (1 - p) / n]]),
        stats.bernoulli(p).logpmf(y).sum(),
        n,
        1,
        {"p": "logit"},
    )


@closed
def binomial_of_different_sizes():
    trials, y = np.array([3, 10, 25, 8]), np.array([1, 4, 6, 5])
    with pm.Model() as model:
        pm.Binomial("y", trials, pm.Uniform("p", 0, 1), observed=y)
    p = y.sum() / trials.sum()
    return Closed(
        model,
        {"p": p},
        np.array([[p * (1 - p) / trials.sum()]]),
        stats.binom(trials, p).logpmf(y).sum(),
        4,
        1,
        {"p": "logit"},
    )


@closed
def poisson():
    y = _rng.poisson(3.3, 30)
    with pm.Model() as model:
        rate = pm.Exponential("rate", 1)
        pm.Deterministic("log_rate", pm.math.log(rate))
        pm.Poisson("y", rate, observed=y)
    n, m = len(y), y.mean()
    return Closed(
        model,
        {"rate": m},
        np.array([[m / n]]),
        stats.poisson(m).logpmf(y).sum(),
        n,
        1,
        {"rate": "log"},
        {"log_rate": (np.log(m), 1 / np.sqrt(n * m))},
    )


@closed
def exponential():
    y = _rng.exponential(0.4, 25)
    with pm.Model() as model:
        pm.Exponential("y", pm.HalfCauchy("lam", 1), observed=y)
    n, lam = len(y), 1 / y.mean()
    return Closed(
        model,
        {"lam": lam},
        np.array([[lam**2 / n]]),
        stats.expon(scale=1 / lam).logpdf(y).sum(),
        n,
        1,
        {"lam": "log"},
    )


@closed
def lognormal():
    y = _rng.lognormal(-1, 0.7, 35)
    with pm.Model() as model:
        pm.LogNormal("y", pm.Flat("mu"), pm.HalfFlat("sigma"), observed=y)
    n, m, s = len(y), np.log(y).mean(), np.log(y).std()
    return Closed(
        model,
        {"mu": m, "sigma": s},
        np.diag([s**2 / n, s**2 / (2 * n)]),
        stats.lognorm(s, scale=np.exp(m)).logpdf(y).sum(),
        n,
        2,
        {"mu": "identity", "sigma": "log"},
    )


@closed
def geometric():
    y = _rng.geometric(0.3, 30)
    with pm.Model() as model:
        pm.Geometric("y", pm.Beta("p", 2, 5), observed=y)
    n, p = len(y), 1 / y.mean()
    return Closed(
        model,
        {"p": p},
        np.array([[p**2 * (1 - p) / n]]),
        stats.geom(p).logpmf(y).sum(),
        n,
        1,
        {"p": "logit"},
    )


@closed
def pareto():
    y = 2.0 * (1 + _rng.pareto(1.7, 30))
    with pm.Model() as model:
        pm.Pareto("y", pm.Gamma("alpha", 2, 1), 2.0, observed=y)
    n, alpha = len(y), 1 / np.log(y / 2.0).mean()
    return Closed(
        model,
        {"alpha": alpha},
        np.array([[alpha**2 / n]]),
        stats.pareto(alpha, scale=2.0).logpdf(y).sum(),
        n,
        1,
        {"alpha": "log"},
    )


@closed
def inverse_gaussian():
    y = stats.invgauss(0.5, scale=4.0).rvs(30, random_state=np.random.default_rng(3))
    with pm.Model() as model:
        pm.Wald("y", mu=pm.HalfNormal("mu", 1), lam=pm.HalfNormal("lam", 1), observed=y)
    n, m = len(y), y.mean()
    lam = 1 / np.mean(1 / y - 1 / m)
    return Closed(
        model,
        {"mu": m, "lam": lam},
        np.diag([m**3 / (n * lam), 2 * lam**2 / n]),
        stats.invgauss(m / lam, scale=lam).logpdf(y).sum(),
        n,
        2,
        {"mu": "log", "lam": "log"},
    )


@closed
def weibull_of_known_shape():
    y = 3.0 * _rng.weibull(2.5, 30)
    with pm.Model() as model:
        pm.Weibull("y", 2.5, pm.HalfNormal("beta", 1), observed=y)
    n, beta = len(y), np.mean(y**2.5) ** (1 / 2.5)
    return Closed(
        model,
        {"beta": beta},
        np.array([[beta**2 / (n * 2.5**2)]]),
        stats.weibull_min(2.5, scale=beta).logpdf(y).sum(),
        n,
        1,
    )


@closed
def negative_binomial_of_known_shape():
    y = _rng.negative_binomial(3, 0.4, 40)
    with pm.Model() as model:
        pm.NegativeBinomial("y", mu=pm.LogNormal("mu", 0, 1), alpha=3.0, observed=y)
    n, m = len(y), y.mean()
    return Closed(
        model,
        {"mu": m},
        np.array([[(m + m**2 / 3.0) / n]]),
        stats.nbinom(3.0, 3.0 / (3.0 + m)).logpmf(y).sum(),
        n,
        1,
        {"mu": "log"},
    )


@closed
def gamma():
    """The shape solves log(a) - digamma(a) = log(mean) - mean(log)."""
    y = _rng.gamma(2.2, 1.5, 50)
    with pm.Model() as model:
        pm.Gamma("y", pm.HalfNormal("a", 5), pm.HalfNormal("b", 5), observed=y)
    n, gap = len(y), np.log(y.mean()) - np.log(y).mean()
    a = optimize.brentq(lambda v: np.log(v) - special.digamma(v) - gap, 1e-3, 1e3, xtol=1e-14)
    b = a / y.mean()
    information = n * np.array([[special.polygamma(1, a), -1 / b], [-1 / b, a / b**2]])
    return Closed(
        model,
        {"a": a, "b": b},
        np.linalg.inv(information),
        stats.gamma(a, scale=1 / b).logpdf(y).sum(),
        n,
        2,
    )


@closed
def von_mises_across_the_cut():
    """Angles around pi: the mean direction lies where the circle is cut open."""
    y = np.angle(np.exp(1j * (_rng.vonmises(0.0, 4.0, 60) + 3.1)))
    with pm.Model() as model:
        mu = pm.VonMises("mu", 0, 0.1)
        pm.VonMises("y", mu, pm.HalfNormal("kappa", 10), observed=y)
    n, resultant = len(y), np.exp(1j * y).mean()
    length = abs(resultant)

    def ratio(k):
        return special.ive(1, k) / special.ive(0, k)

    kappa = optimize.brentq(lambda k: ratio(k) - length, 1e-3, 1e3, xtol=1e-14)
    information = [n * kappa * length, n * (1 - length / kappa - length**2)]
    return Closed(
        model,
        {"mu": np.angle(resultant), "kappa": kappa},
        np.diag(1 / np.array(information)),
        stats.vonmises(kappa, loc=np.angle(resultant)).logpdf(y).sum(),
        n,
        2,
        {"mu": "identity", "kappa": "log"},
    )


@closed
def mean_in_an_interval():
    """A Uniform prior's bounds are the support; inside it they change nothing."""
    y = _rng.normal(4, 1, 20)
    with pm.Model() as model:
        pm.Normal("y", pm.Uniform("mu", 0, 10), 1.0, observed=y)
    return Closed(
        model,
        {"mu": y.mean()},
        np.array([[1 / 20]]),
        stats.norm(y.mean(), 1).logpdf(y).sum(),
        20,
        1,
        {"mu": "identity"},
    )


@closed
def one_sided_interval():
    y = _rng.exponential(1.0, 30) + 2.0
    with pm.Model() as model:
        below = pm.Truncated("mean", pm.Normal.dist(0, 1), lower=2.0)
        pm.Exponential("y", 1 / (below - 2.0), observed=y - 2.0)
    excess, n = y.mean() - 2.0, len(y)
    return Closed(
        model,
        {"mean": y.mean()},
        np.array([[excess**2 / n]]),
        stats.expon(scale=excess).logpdf(y - 2.0).sum(),
        n,
        1,
        {"mean": "log"},
    )


@closed
def correlation_of_unit_variances():
    """Fisher's z limits; the estimate solves the classical cubic."""
    first = _rng.normal(size=50)
    second = 0.7 * first + np.sqrt(1 - 0.49) * _rng.normal(size=50)
    y = np.column_stack([first, second])
    with pm.Model() as model:
        r = pm.Uniform("r", -1, 1)
        covariance = pm.math.stack([pm.math.stack([1.0, r]), pm.math.stack([r, 1.0])])
        pm.MvNormal("y", np.zeros(2), covariance, observed=y)
    r, variance, loglik = unit_correlation(y)
    return Closed(model, {"r": r}, np.array([[variance]]), loglik, 50, 1, {"r": "fisher z"})


def unit_correlation(y):
    """Estimate, variance and log-likelihood of a correlation between unit variances."""
    n = len(y)
    a, c = np.mean(y[:, 0] ** 2 + y[:, 1] ** 2), np.mean(y[:, 0] * y[:, 1])
    roots = np.roots([-1.0, c, 1.0 - a, c])
    [r] = [v.real for v in roots if abs(v.imag) < 1e-9 and abs(v.real) < 1]
    # l(r) / n = -log(1 - r^2)/2 - (a - 2 c r) / (2 (1 - r^2)); with u = 1 - r^2:
    u = 1 - r**2
    second = (1 + r**2) / u**2 - ((a - 2 * c * r) * (1 + 3 * r**2) / u**3 - 4 * c * r / u**2)
    cov = np.array([[1.0, r], [r, 1.0]])
    return r, -1 / (n * second), stats.multivariate_normal(np.zeros(2), cov).logpdf(y).sum()


@closed
def scales_eighteen_powers_of_ten_apart():
    small, large = 1e-9 * _rng.normal(3, 1, 30), 1e9 * _rng.normal(2, 1, 30)
    with pm.Model() as model:
        a, s = pm.Normal("a", 0, 1), pm.HalfNormal("s", 1)
        b, t = pm.Normal("b", 0, 1), pm.HalfNormal("t", 1)
        pm.Normal("small", a, s, observed=small)
        pm.Normal("large", b, t, observed=large)
    s, t = small.std(), large.std()
    return Closed(
        model,
        {"a": small.mean(), "s": s, "b": large.mean(), "t": t},
        np.diag([s**2 / 30, s**2 / 60, t**2 / 30, t**2 / 60]),
        stats.norm(small.mean(), s).logpdf(small).sum()
        + stats.norm(large.mean(), t).logpdf(large).sum(),
        60,
        4,
    )


@closed
def shared_rate_of_two_observed_variables():
    """Counts and waiting times of one rate: (sum of counts + n) / (exposure + sum of times)."""
    counts, times = _rng.poisson(2.0, 20), _rng.exponential(0.5, 15)
    with pm.Model() as model:
        rate = pm.Gamma("rate", 1, 1)
        pm.Poisson("counts", rate, observed=counts)
        pm.Exponential("times", rate, observed=times)
    events = counts.sum() + 15
    rate = events / (20 + times.sum())
    return Closed(
        model,
        {"rate": rate},
        np.array([[rate**2 / events]]),
        stats.poisson(rate).logpmf(counts).sum() + stats.expon(scale=1 / rate).logpdf(times).sum(),
        35,
        1,
    )


@closed
def groups_by_index_with_coords():
    group = np.repeat([0, 1, 2], [4, 6, 10])
    y = _rng.normal([1.0, 3.0, -2.0], 0.5, (20, 3))[np.arange(20), group]
    with pm.Model(coords={"group": ["a", "b", "c"]}) as model:
        mu = pm.Normal("mu", 0, 10, dims="group")
        pm.Deterministic("contrast", mu[1] - mu[0])
        pm.Normal("y", mu[group], 0.5, observed=y)
    means = np.array([y[group == g].mean() for g in range(3)])
    sizes = np.bincount(group)
    return Closed(
        model,
        dict(zip(["mu[a]", "mu[b]", "mu[c]"], means, strict=True)),
        np.diag(0.25 / sizes),
        stats.norm(means[group], 0.5).logpdf(y).sum(),
        20,
        3,
        {"mu[a]": "identity"},
        {"contrast": (means[1] - means[0], 0.5 * np.sqrt(1 / 4 + 1 / 6))},
    )


@closed
def linear_regression():
    x = np.column_stack([np.ones(25), _rng.normal(size=(25, 2))])
    y = x @ [1.0, 2.0, -3.0] + _rng.normal(0, 1.5, 25)
    with pm.Model(coords={"predictor": ["one", "x1", "x2"]}) as model:
        beta = pm.Normal("beta", 0, 1, dims="predictor")
        pm.Normal("y", x @ beta, pm.HalfNormal("sigma", 1), observed=y)
    beta, *_ = np.linalg.lstsq(x, y, rcond=None)
    s = np.sqrt(np.mean((y - x @ beta) ** 2))
    names = ["beta[one]", "beta[x1]", "beta[x2]"]
    return Closed(
        model,
        {**dict(zip(names, beta, strict=True)), "sigma": s},
        block_diagonal(s**2 * np.linalg.inv(x.T @ x), s**2 / 50),
        stats.norm(x @ beta, s).logpdf(y).sum(),
        25,
        4,
        {"beta[x1]": "identity", "sigma": "log"},
    )
