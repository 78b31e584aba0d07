"""Univariate continuous distributions, against SciPy and mpmath."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pymc as pm
import scipy.special as sc
import scipy.stats as st

from tests.matrix.case import case

REAL = np.array([-2.3, -0.4, 0.1, 0.9, 3.2])
POSITIVE = np.array([0.03, 0.4, 1.1, 2.5, 7.0])
UNIT = np.array([0.02, 0.3, 0.55, 0.81, 0.993])
ANGLES = np.array([-3.0, -1.1, 0.2, 0.7, 2.9])


def over(function, values):
    """Sum an mpmath function over data at 50 digits."""
    with mp.workdps(50):
        return float(mp.fsum(function(mp.mpf(float(v))) for v in values))


def log_phi(x):
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


def exgaussian(mu, sigma, nu):
    mu, sigma, nu = map(mp.mpf, (mu, sigma, nu))
    return over(
        lambda x: (
            -mp.log(nu)
            + (mu - x) / nu
            + (sigma / nu) ** 2 / 2
            + log_phi((x - mu) / sigma - sigma / nu)
        ),
        REAL,
    )


def skew_normal(mu, sigma, alpha):
    mu, sigma, alpha = map(mp.mpf, (mu, sigma, alpha))
    return over(
        lambda x: (
            mp.log(2 / sigma)
            - ((x - mu) / sigma) ** 2 / 2
            - mp.log(2 * mp.pi) / 2
            + log_phi(alpha * (x - mu) / sigma)
        ),
        REAL,
    )


def skew_student(a, b, mu, sigma):
    a, b, mu, sigma = map(mp.mpf, (a, b, mu, sigma))

    def density(x):
        t = (x - mu) / sigma
        r = t / mp.sqrt(a + b + t * t)
        constant = (a + b - 1) * mp.log(2) + mp.log(mp.beta(a, b)) + mp.log(a + b) / 2
        return (a + 0.5) * mp.log(1 + r) + (b + 0.5) * mp.log(1 - r) - constant - mp.log(sigma)

    return over(density, REAL)


def von_mises(mu, kappa):
    mu, kappa = mp.mpf(mu), mp.mpf(kappa)
    return over(lambda x: kappa * mp.cos(x - mu) - mp.log(2 * mp.pi * mp.besseli(0, kappa)), ANGLES)


def rice(nu, sigma):
    nu, sigma = mp.mpf(nu), mp.mpf(sigma)
    return over(
        lambda x: (
            mp.log(x / sigma**2)
            - (x * x + nu * nu) / (2 * sigma**2)
            + mp.log(mp.besseli(0, x * nu / sigma**2))
        ),
        POSITIVE,
    )


def moyal(mu, sigma):
    mu, sigma = mp.mpf(mu), mp.mpf(sigma)

    def density(x):
        z = (x - mu) / sigma
        return -(z + mp.exp(-z)) / 2 - mp.log(2 * mp.pi) / 2 - mp.log(sigma)

    return over(density, REAL)


def kumaraswamy(a, b):
    a, b = mp.mpf(a), mp.mpf(b)
    return over(lambda x: mp.log(a * b) + (a - 1) * mp.log(x) + (b - 1) * mp.log(1 - x**a), UNIT)


def student(nu, mu, sigma, data=REAL):
    nu, mu, sigma = map(mp.mpf, (nu, mu, sigma))
    constant = mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2) - mp.log(nu * mp.pi) / 2
    return over(
        lambda x: constant - mp.log(sigma) - (nu + 1) / 2 * mp.log1p(((x - mu) / sigma) ** 2 / nu),
        data,
    )


def wald(mu, lam, alpha):
    x = POSITIVE + 1.0 - alpha
    return 0.5 * np.log(lam / (2 * np.pi * x**3)) - lam * (x - mu) ** 2 / (2 * mu**2 * x)


def asymmetric_laplace(mu, b, kappa):
    return st.laplace_asymmetric(kappa, loc=mu, scale=1.0 / b).logpdf(REAL)


def triangular(lower, c, upper):
    x = np.array([-0.8, -0.1, 0.2, 0.9, 1.7])
    left = np.log(2 * np.abs(x - lower) / ((upper - lower) * (c - lower)))
    right = np.log(2 * np.abs(upper - x) / ((upper - lower) * (upper - c)))
    return np.where(x < c, left, right)


def truncated_normal(mu, sigma, lower, upper):
    mu, sigma = mp.mpf(mu), mp.mpf(sigma)

    def mass():
        low, high = (lower - mu) / sigma, (upper - mu) / sigma
        return mp.log((mp.erf(high / mp.sqrt(2)) - mp.erf(low / mp.sqrt(2))) / 2)

    with mp.workdps(400):
        norm = mass()
    data = TRUNCATED
    return over(
        lambda x: -(((x - mu) / sigma) ** 2) / 2 - mp.log(2 * mp.pi) / 2 - mp.log(sigma) - norm,
        data,
    )


TRUNCATED = np.array([-0.9, -0.2, 0.4, 1.8])
GRID = np.array([-3.0, -1.0, 0.0, 1.5, 4.0])
HEIGHTS = np.array([0.1, 0.4, 1.0, 0.7, 0.2])


def interpolated(mu):
    area = np.sum((HEIGHTS[1:] + HEIGHTS[:-1]) / 2 * np.diff(GRID))
    return np.log(np.interp(REAL - mu, GRID, HEIGHTS) / area)


def interpolated_model(mu):
    density = pm.Interpolated.dist(GRID, HEIGHTS)
    pm.Potential("y", pm.logp(density, REAL - mu))


CASES = (
    case(
        "AsymmetricLaplace",
        lambda mu, b, kappa: pm.AsymmetricLaplace("y", kappa=kappa, mu=mu, b=b, observed=REAL),
        asymmetric_laplace,
        {"mu": 0.3, "b": 1.2, "kappa": 0.8},
        {"mu": 40.0, "b": 9.0, "kappa": 5.0},
        positive="b kappa",
    ),
    case(
        "Beta",
        lambda alpha, beta: pm.Beta("y", alpha, beta, observed=UNIT),
        lambda alpha, beta: st.beta(alpha, beta).logpdf(UNIT),
        {"alpha": 1.3, "beta": 0.7},
        {"alpha": 400.0, "beta": 0.01},
        positive="alpha beta",
    ),
    case(
        "Cauchy",
        lambda alpha, beta: pm.Cauchy("y", alpha, beta, observed=REAL),
        lambda alpha, beta: st.cauchy(alpha, beta).logpdf(REAL),
        {"alpha": 0.2, "beta": 1.5},
        {"alpha": 1e4, "beta": 1e-2},
        positive="beta",
    ),
    case(
        "ChiSquared",
        lambda nu: pm.ChiSquared("y", nu, observed=POSITIVE),
        lambda nu: st.chi2(nu).logpdf(POSITIVE),
        {"nu": 2.4},
        {"nu": 300.0},
        positive="nu",
    ),
    case(
        "ExGaussian",
        lambda mu, sigma, nu: pm.ExGaussian("y", mu=mu, sigma=sigma, nu=nu, observed=REAL),
        exgaussian,
        {"mu": 0.1, "sigma": 0.8, "nu": 0.9},
        {"mu": 25.0, "sigma": 0.5, "nu": 2.0},
        {"mu": -60.0, "sigma": 1.5, "nu": 0.2},
        positive="sigma nu",
    ),
    case(
        "Exponential",
        lambda lam: pm.Exponential("y", lam=lam, observed=POSITIVE),
        lambda lam: np.log(lam) - lam * POSITIVE,
        {"lam": 0.7},
        {"lam": 2e3},
        positive="lam",
    ),
    case(
        "Gamma",
        lambda alpha, beta: pm.Gamma("y", alpha=alpha, beta=beta, observed=POSITIVE),
        lambda alpha, beta: st.gamma(alpha, scale=1 / beta).logpdf(POSITIVE),
        {"alpha": 1.4, "beta": 0.7},
        {"alpha": 300.0, "beta": 90.0},
        positive="alpha beta",
    ),
    case(
        "Gumbel",
        lambda mu, beta: pm.Gumbel("y", mu=mu, beta=beta, observed=REAL),
        lambda mu, beta: st.gumbel_r(mu, beta).logpdf(REAL),
        {"mu": 0.3, "beta": 1.1},
        {"mu": 3.0, "beta": 0.4},
        positive="beta",
    ),
    case(
        "HalfCauchy",
        lambda beta: pm.HalfCauchy("y", beta, observed=POSITIVE),
        lambda beta: st.halfcauchy(scale=beta).logpdf(POSITIVE),
        {"beta": 1.2},
        {"beta": 1e-4},
        positive="beta",
    ),
    case(
        "HalfNormal",
        lambda sigma: pm.HalfNormal("y", sigma, observed=POSITIVE),
        lambda sigma: st.halfnorm(scale=sigma).logpdf(POSITIVE),
        {"sigma": 1.2},
        {"sigma": 0.05},
        positive="sigma",
    ),
    case(
        "HalfStudentT",
        lambda nu, sigma: pm.HalfStudentT("y", nu=nu, sigma=sigma, observed=POSITIVE),
        lambda nu, sigma: student(nu, 0.0, sigma, POSITIVE) + len(POSITIVE) * np.log(2.0),
        {"nu": 3.2, "sigma": 1.1},
        {"nu": 80.0, "sigma": 0.05},
        positive="nu sigma",
    ),
    case(
        "Interpolated",
        interpolated_model,
        interpolated,
        {"mu": 0.13},
        {"mu": -0.75},
        # A broken line: the steps stay between its corners.
        radius=0.01,
    ),
    case(
        "InverseGamma",
        lambda alpha, beta: pm.InverseGamma("y", alpha, beta, observed=POSITIVE),
        lambda alpha, beta: st.invgamma(alpha, scale=beta).logpdf(POSITIVE),
        {"alpha": 1.4, "beta": 0.7},
        {"alpha": 150.0, "beta": 30.0},
        positive="alpha beta",
    ),
    case(
        "Kumaraswamy",
        lambda a, b: pm.Kumaraswamy("y", a, b, observed=UNIT),
        kumaraswamy,
        {"a": 1.3, "b": 0.8},
        {"a": 40.0, "b": 25.0},
        positive="a b",
    ),
    case(
        "Laplace",
        lambda mu, b: pm.Laplace("y", mu, b, observed=REAL),
        lambda mu, b: st.laplace(mu, b).logpdf(REAL),
        {"mu": 0.3, "b": 1.2},
        {"mu": 50.0, "b": 0.1},
        positive="b",
    ),
    case(
        "LogNormal",
        lambda mu, sigma: pm.LogNormal("y", mu, sigma, observed=POSITIVE),
        lambda mu, sigma: st.lognorm(sigma, scale=np.exp(mu)).logpdf(POSITIVE),
        {"mu": 0.3, "sigma": 1.2},
        {"mu": 12.0, "sigma": 0.3},
        positive="sigma",
    ),
    case(
        "Logistic",
        lambda mu, s: pm.Logistic("y", mu, s, observed=REAL),
        lambda mu, s: st.logistic(mu, s).logpdf(REAL),
        {"mu": 0.3, "s": 1.2},
        {"mu": -90.0, "s": 0.1},
        positive="s",
    ),
    case(
        "LogitNormal",
        lambda mu, sigma: pm.LogitNormal("y", mu=mu, sigma=sigma, observed=UNIT),
        lambda mu, sigma: st.norm(mu, sigma).logpdf(sc.logit(UNIT)) - np.log(UNIT * (1 - UNIT)),
        {"mu": 0.3, "sigma": 1.2},
        {"mu": 20.0, "sigma": 0.2},
        positive="sigma",
    ),
    case(
        "Moyal",
        lambda mu, sigma: pm.Moyal("y", mu, sigma, observed=REAL),
        moyal,
        {"mu": 0.3, "sigma": 1.2},
        {"mu": 4.0, "sigma": 0.6},
        positive="sigma",
    ),
    case(
        "Normal",
        lambda mu, sigma: pm.Normal("y", mu, sigma, observed=REAL),
        lambda mu, sigma: st.norm(mu, sigma).logpdf(REAL),
        {"mu": 0.3, "sigma": 1.2},
        {"mu": 1e3, "sigma": 0.1},
        positive="sigma",
    ),
    case(
        "Pareto",
        lambda alpha: pm.Pareto("y", alpha, 0.02, observed=POSITIVE),
        lambda alpha: np.log(alpha) + alpha * np.log(0.02) - (alpha + 1) * np.log(POSITIVE),
        {"alpha": 1.3},
        {"alpha": 200.0},
        positive="alpha",
    ),
    case(
        "Rice",
        lambda nu, sigma: pm.Rice("y", nu=nu, sigma=sigma, observed=POSITIVE),
        rice,
        {"nu": 0.7, "sigma": 1.3},
        {"nu": 30.0, "sigma": 0.5},
        positive="nu sigma",
    ),
    case(
        "SkewNormal",
        lambda mu, sigma, alpha: pm.SkewNormal("y", mu=mu, sigma=sigma, alpha=alpha, observed=REAL),
        skew_normal,
        {"mu": 0.3, "sigma": 1.2, "alpha": 1.5},
        {"mu": 3.0, "sigma": 0.4, "alpha": 8.0},
        positive="sigma",
    ),
    case(
        "SkewStudentT",
        lambda a, b, mu, sigma: pm.SkewStudentT("y", a=a, b=b, mu=mu, sigma=sigma, observed=REAL),
        skew_student,
        {"a": 2.0, "b": 3.5, "mu": 0.2, "sigma": 1.1},
        {"a": 20.0, "b": 1.5, "mu": 2.0, "sigma": 0.3},
        positive="a b sigma",
    ),
    case(
        "StudentT",
        lambda nu, mu, sigma: pm.StudentT("y", nu=nu, mu=mu, sigma=sigma, observed=REAL),
        student,
        {"nu": 3.0, "mu": 0.2, "sigma": 1.1},
        {"nu": 900.0, "mu": 8.0, "sigma": 0.2},
        positive="nu sigma",
    ),
    case(
        "Triangular",
        lambda lower, c, upper: pm.Triangular(
            "y", lower=lower, c=c, upper=upper, observed=np.array([-0.8, -0.1, 0.2, 0.9, 1.7])
        ),
        triangular,
        {"lower": -1.1, "c": 0.5, "upper": 2.2},
        {"lower": -90.0, "c": 30.0, "upper": 400.0},
        radius=0.005,
    ),
    case(
        "TruncatedNormal",
        lambda mu, sigma: pm.TruncatedNormal(
            "y", mu, sigma, lower=-1.0, upper=2.0, observed=TRUNCATED
        ),
        lambda mu, sigma: truncated_normal(mu, sigma, mp.mpf(-1), mp.mpf(2)),
        {"mu": 0.3, "sigma": 1.2},
        {"mu": 9.0, "sigma": 0.5},
        {"mu": -15.0, "sigma": 1.5},
        positive="sigma",
    ),
    case(
        "TruncatedNormal one side",
        lambda mu, sigma: pm.TruncatedNormal("y", mu, sigma, lower=-1.0, observed=TRUNCATED),
        lambda mu, sigma: truncated_normal(mu, sigma, mp.mpf(-1), mp.inf),
        {"mu": 0.3, "sigma": 1.2},
        {"mu": -12.0, "sigma": 0.6},
        positive="sigma",
    ),
    case(
        "Uniform",
        lambda lower, width: pm.Uniform("y", lower, lower + width, observed=UNIT),
        lambda width, **_: np.full(len(UNIT), -np.log(width)),
        {"lower": -0.5, "width": 2.0},
        {"lower": -1e4, "width": 1e6},
        positive="width",
    ),
    case(
        "VonMises",
        lambda mu, kappa: pm.VonMises("y", mu, kappa, observed=ANGLES),
        von_mises,
        {"mu": 0.3, "kappa": 1.2},
        {"mu": 2.0, "kappa": 900.0},
        positive="kappa",
    ),
    case(
        "Wald",
        lambda mu, lam, alpha: pm.Wald("y", mu=mu, lam=lam, alpha=alpha, observed=POSITIVE + 1.0),
        wald,
        {"mu": 1.3, "lam": 0.8, "alpha": 0.2},
        {"mu": 40.0, "lam": 90.0, "alpha": 0.9},
        positive="mu lam",
    ),
    case(
        "Weibull",
        lambda alpha, beta: pm.Weibull("y", alpha, beta, observed=POSITIVE),
        lambda alpha, beta: st.weibull_min(alpha, scale=beta).logpdf(POSITIVE),
        {"alpha": 1.3, "beta": 2.0},
        {"alpha": 6.0, "beta": 0.9},
        positive="alpha beta",
    ),
)
