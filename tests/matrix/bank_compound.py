"""Distributions made of others: mixtures, censoring, truncation, custom log-densities."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor.tensor as pt

from tests.matrix.bank_continuous import POSITIVE, REAL, UNIT, over
from tests.matrix.bank_discrete import COUNTS, log_nb, log_poisson, over_counts
from tests.matrix.case import case

LOW, HIGH = 0.4, 2.5
CLIPPED = np.clip(POSITIVE, LOW, HIGH)
CLIPPED_REAL = np.clip(REAL, -0.4, 0.9)
INSIDE = np.array([0.45, 0.9, 1.4, 2.2])
INSIDE_REAL = np.array([-0.3, 0.1, 0.6, 0.85])
TAIL_COUNTS = np.array([2, 3, 5, 9])


def gamma_log(x, alpha, beta):
    return alpha * mp.log(beta) + (alpha - 1) * mp.log(x) - beta * x - mp.loggamma(alpha)


def gamma_lower(k, x):
    """Regularised lower incomplete gamma by its series, all terms positive."""
    term = total = mp.mpf(1)
    n = 0
    while term > total * mp.mpf(10) ** (-mp.mp.dps):
        n += 1
        term *= x / (k + n)
        total += term
    return mp.exp(k * mp.log(x) - x - mp.loggamma(k + 1)) * total


def beta_lower(a, b, x):
    return mp.betainc(a, b, 0, x, regularized=True)


def student_cdf(t, nu):
    tail = beta_lower(nu / 2, mp.mpf(1) / 2, nu / (nu + t * t)) / 2
    return tail if t < 0 else 1 - tail


def student_log(t, nu):
    constant = mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2) - mp.log(nu * mp.pi) / 2
    return constant - (nu + 1) / 2 * mp.log1p(t * t / nu)


def weibull_log(x, alpha, beta):
    z = x / beta
    return mp.log(alpha / beta) + (alpha - 1) * mp.log(z) - z**alpha


LAWS = {
    # name: (log-density, cdf) as functions of x and parameters, at high precision
    "Gamma": (gamma_log, lambda x, alpha, beta: gamma_lower(alpha, beta * x)),
    "Weibull": (weibull_log, lambda x, alpha, beta: -mp.expm1(-((x / beta) ** alpha))),
    "Exponential": (
        lambda x, lam: mp.log(lam) - lam * x,
        lambda x, lam: -mp.expm1(-lam * x),
    ),
    "LogNormal": (
        lambda x, mu, sigma: (
            -mp.log(x * sigma) - mp.log(2 * mp.pi) / 2 - ((mp.log(x) - mu) / sigma) ** 2 / 2
        ),
        lambda x, mu, sigma: mp.erfc((mu - mp.log(x)) / sigma / mp.sqrt(2)) / 2,
    ),
    "InverseGamma": (
        lambda x, alpha, beta: (
            alpha * mp.log(beta) - (alpha + 1) * mp.log(x) - beta / x - mp.loggamma(alpha)
        ),
        lambda x, alpha, beta: 1 - gamma_lower(alpha, beta / x),
    ),
    "Normal": (
        lambda x, mu, sigma: -mp.log(sigma) - mp.log(2 * mp.pi) / 2 - ((x - mu) / sigma) ** 2 / 2,
        lambda x, mu, sigma: mp.erfc((mu - x) / sigma / mp.sqrt(2)) / 2,
    ),
    "StudentT": (
        lambda x, nu, mu, sigma: student_log((x - mu) / sigma, nu) - mp.log(sigma),
        lambda x, nu, mu, sigma: student_cdf((x - mu) / sigma, nu),
    ),
    "Logistic": (
        lambda x, mu, s: -(x - mu) / s - mp.log(s) - 2 * mp.log1p(mp.exp(-(x - mu) / s)),
        lambda x, mu, s: 1 / (1 + mp.exp(-(x - mu) / s)),
    ),
    "Cauchy": (
        lambda x, alpha, beta: -mp.log(mp.pi * beta) - mp.log1p(((x - alpha) / beta) ** 2),
        lambda x, alpha, beta: mp.atan2(beta, alpha - x) / mp.pi,
    ),
    "Beta": (
        lambda x, alpha, beta: (
            (alpha - 1) * mp.log(x) + (beta - 1) * mp.log(1 - x) - mp.log(mp.beta(alpha, beta))
        ),
        lambda x, alpha, beta: beta_lower(alpha, beta, x),
    ),
}

DIGITS = 300


def censored(name, data, low, high):
    density, cdf = LAWS[name]

    def total(**theta):
        with mp.workdps(DIGITS):
            theta = {k: mp.mpf(v) for k, v in theta.items()}
            out = mp.mpf(0)
            for value in data:
                x = mp.mpf(float(value))
                if value <= low:
                    out += mp.log(cdf(x, **theta))
                elif value >= high:
                    out += mp.log(1 - cdf(x, **theta))
                else:
                    out += density(x, **theta)
            return float(out)

    return total


def truncated(name, data, low, high):
    density, cdf = LAWS[name]

    def total(**theta):
        with mp.workdps(DIGITS):
            theta = {k: mp.mpf(v) for k, v in theta.items()}
            below = mp.mpf(0) if low is None else cdf(mp.mpf(low), **theta)
            above = mp.mpf(1) if high is None else cdf(mp.mpf(high), **theta)
            logs = mp.fsum(density(mp.mpf(float(x)), **theta) for x in data)
            return float(logs - len(data) * mp.log(above - below))

    return total


def truncated_count(log_pmf, upper):
    """Counts of at least 2, at most ``upper``."""

    def total(**theta):
        with mp.workdps(80):
            theta = {k: mp.mpf(v) for k, v in theta.items()}
            if upper is None:
                mass = 1 - mp.exp(log_pmf(0, **theta)) - mp.exp(log_pmf(1, **theta))
            else:
                mass = mp.fsum(mp.exp(log_pmf(k, **theta)) for k in range(2, upper + 1))
            return over_counts(lambda k: log_pmf(k, **theta) - mp.log(mass), TAIL_COUNTS)

    return total


def on_case(wrapper, name, build, data, low, high, points, positive):
    """One censored or truncated law; limits of None are open."""
    reference = (censored if wrapper is pm.Censored else truncated)(name, data, low, high)

    def declare(**theta):
        wrapper("y", build(**theta), lower=low, upper=high, observed=data)

    title = f"{wrapper.__name__} {name}" + ("" if low is not None and high is not None else " open")
    return case(title, declare, reference, *points, positive=positive)


def gamma(alpha, beta):
    return pm.Gamma.dist(alpha=alpha, beta=beta)


def student(nu, mu, sigma):
    return pm.StudentT.dist(nu=nu, mu=mu, sigma=sigma)


GAMMA = ({"alpha": 1.4, "beta": 0.7}, {"alpha": 60.0, "beta": 2.0}, {"alpha": 2.0, "beta": 40.0})
STUDENT = (
    {"nu": 3.2, "mu": 0.2, "sigma": 1.1},
    {"nu": 20.0, "mu": 5.0, "sigma": 0.5},
    {"nu": 1.1, "mu": -6.0, "sigma": 0.4},
)
NORMAL = ({"mu": 0.3, "sigma": 1.2}, {"mu": 12.0, "sigma": 0.5}, {"mu": -25.0, "sigma": 0.9})
WEIBULL = ({"alpha": 1.3, "beta": 2.0}, {"alpha": 3.0, "beta": 40.0}, {"alpha": 2.0, "beta": 0.2})
SCALES = ({"alpha": 1.3, "beta": 2.0}, {"alpha": 40.0, "beta": 3.0})


def normal_mixture(z, m1, gap, s1, s2):
    w = 1 / (1 + mp.exp(-mp.mpf(z)))
    means, sds = (mp.mpf(m1), mp.mpf(m1) + mp.mpf(gap)), (mp.mpf(s1), mp.mpf(s2))
    density = LAWS["Normal"][0]
    return over(
        lambda x: mp.log(
            w * mp.exp(density(x, means[0], sds[0]))
            + (1 - w) * mp.exp(density(x, means[1], sds[1]))
        ),
        REAL,
    )


def weights(z):
    return pt.stack([pm.math.sigmoid(z), pm.math.sigmoid(-z)])


MIXTURE = (
    {"z": 0.4, "m1": -0.5, "gap": 1.5, "s1": 0.8, "s2": 1.3},
    {"z": -9.0, "m1": -40.0, "gap": 43.0, "s1": 0.5, "s2": 0.2},
)


def poisson_gamma_mixture(z, mu, alpha, mean):
    w = 1 / (1 + mp.exp(-mp.mpf(z)))
    mu, alpha, mean = map(mp.mpf, (mu, alpha, mean))
    return over_counts(
        lambda k: mp.log(w * mp.exp(log_poisson(k, mu)) + (1 - w) * mp.exp(log_nb(k, mean, alpha))),
        COUNTS,
    )


def half_normal_plus(sigma):
    return len(REAL) * (np.log(2) - np.log(sigma)) - np.sum(np.abs(REAL) ** 3) / sigma**3


CASES = (
    on_case(pm.Censored, "Gamma", gamma, CLIPPED, LOW, HIGH, GAMMA, "alpha beta"),
    on_case(
        pm.Censored,
        "Weibull",
        lambda alpha, beta: pm.Weibull.dist(alpha, beta),
        CLIPPED,
        LOW,
        HIGH,
        WEIBULL,
        "alpha beta",
    ),
    on_case(
        pm.Censored,
        "Exponential",
        lambda lam: pm.Exponential.dist(lam),
        CLIPPED,
        LOW,
        HIGH,
        ({"lam": 0.7}, {"lam": 60.0}, {"lam": 1e-8}),
        "lam",
    ),
    on_case(
        pm.Censored,
        "LogNormal",
        lambda mu, sigma: pm.LogNormal.dist(mu, sigma),
        CLIPPED,
        LOW,
        HIGH,
        NORMAL,
        "sigma",
    ),
    on_case(
        pm.Censored,
        "Normal",
        lambda mu, sigma: pm.Normal.dist(mu, sigma),
        CLIPPED_REAL,
        -0.4,
        0.9,
        (*NORMAL, {"mu": 0.0, "sigma": 0.03}),
        "sigma",
    ),
    on_case(pm.Censored, "StudentT", student, CLIPPED_REAL, -0.4, 0.9, STUDENT, "nu sigma"),
    on_case(
        pm.Censored,
        "InverseGamma",
        lambda alpha, beta: pm.InverseGamma.dist(alpha, beta),
        CLIPPED,
        LOW,
        HIGH,
        SCALES,
        "alpha beta",
    ),
    on_case(
        pm.Censored,
        "Logistic",
        lambda mu, s: pm.Logistic.dist(mu, s),
        CLIPPED_REAL,
        -0.4,
        0.9,
        ({"mu": 0.3, "s": 1.2}, {"mu": 30.0, "s": 0.4}, {"mu": -30.0, "s": 0.4}),
        "s",
    ),
    on_case(
        pm.Censored,
        "Cauchy",
        lambda alpha, beta: pm.Cauchy.dist(alpha, beta),
        CLIPPED_REAL,
        -0.4,
        0.9,
        ({"alpha": 0.3, "beta": 1.2}, {"alpha": 1e5, "beta": 0.4}, {"alpha": -1e5, "beta": 0.4}),
        "beta",
    ),
    on_case(
        pm.Censored,
        "Beta",
        lambda alpha, beta: pm.Beta.dist(alpha, beta),
        np.clip(UNIT, 0.3, 0.81),
        0.3,
        0.81,
        ({"alpha": 1.3, "beta": 0.7}, {"alpha": 40.0, "beta": 3.0}, {"alpha": 0.2, "beta": 30.0}),
        "alpha beta",
    ),
    on_case(pm.Truncated, "Gamma", gamma, INSIDE, LOW, HIGH, GAMMA, "alpha beta"),
    on_case(pm.Truncated, "Gamma", gamma, INSIDE, LOW, None, GAMMA, "alpha beta"),
    on_case(
        pm.Truncated,
        "Weibull",
        lambda alpha, beta: pm.Weibull.dist(alpha, beta),
        INSIDE,
        LOW,
        HIGH,
        WEIBULL,
        "alpha beta",
    ),
    on_case(
        pm.Truncated,
        "LogNormal",
        lambda mu, sigma: pm.LogNormal.dist(mu, sigma),
        INSIDE,
        LOW,
        HIGH,
        NORMAL,
        "sigma",
    ),
    on_case(
        pm.Truncated,
        "Normal",
        lambda mu, sigma: pm.Normal.dist(mu, sigma),
        INSIDE_REAL,
        -0.4,
        0.9,
        NORMAL,
        "sigma",
    ),
    on_case(pm.Truncated, "StudentT", student, INSIDE_REAL, -0.4, 0.9, STUDENT, "nu sigma"),
    case(
        "Truncated Poisson",
        lambda mu: pm.Truncated("y", pm.Poisson.dist(mu), lower=2, observed=TAIL_COUNTS),
        truncated_count(log_poisson, None),
        {"mu": 2.3},
        {"mu": 1e-2},
        {"mu": 80.0},
        positive="mu",
    ),
    case(
        "Truncated Poisson both sides",
        lambda mu: pm.Truncated("y", pm.Poisson.dist(mu), lower=2, upper=12, observed=TAIL_COUNTS),
        truncated_count(log_poisson, 12),
        {"mu": 2.3},
        {"mu": 1e-2},
        {"mu": 60.0},
        positive="mu",
    ),
    case(
        "Truncated NegativeBinomial",
        lambda mu, alpha: pm.Truncated(
            "y", pm.NegativeBinomial.dist(mu=mu, alpha=alpha), lower=2, observed=TAIL_COUNTS
        ),
        truncated_count(log_nb, None),
        {"mu": 2.3, "alpha": 1.4},
        {"mu": 1e-2, "alpha": 30.0},
        positive="mu alpha",
    ),
    case(
        "NormalMixture",
        lambda z, m1, gap, s1, s2: pm.NormalMixture(
            "y",
            w=weights(z),
            mu=pt.stack([m1, m1 + gap]),
            sigma=pt.stack([s1, s2]),
            observed=REAL,
        ),
        normal_mixture,
        *MIXTURE,
        positive="gap s1 s2",
    ),
    case(
        "Mixture",
        lambda z, m1, gap, s1, s2: pm.Mixture(
            "y",
            w=weights(z),
            comp_dists=[pm.Normal.dist(m1, s1), pm.Normal.dist(m1 + gap, s2)],
            observed=REAL,
        ),
        normal_mixture,
        *MIXTURE,
        positive="gap s1 s2",
    ),
    case(
        "Mixture of counts",
        lambda z, mu, alpha, mean: pm.Mixture(
            "y",
            w=weights(z),
            comp_dists=[pm.Poisson.dist(mu), pm.NegativeBinomial.dist(mu=mean, alpha=alpha)],
            observed=COUNTS,
        ),
        poisson_gamma_mixture,
        {"z": 0.4, "mu": 1.2, "alpha": 2.0, "mean": 8.0},
        {"z": 8.0, "mu": 0.01, "alpha": 40.0, "mean": 300.0},
        positive="mu alpha mean",
    ),
    case(
        "CustomDist",
        lambda sigma: pm.CustomDist(
            "y",
            sigma,
            logp=lambda value, s: pt.log(2.0) - pt.log(s) - (pt.abs(value) / s) ** 3,
            observed=REAL,
        ),
        half_normal_plus,
        {"sigma": 1.2},
        {"sigma": 0.02},
        positive="sigma",
    ),
)
