"""Discrete distributions, against SciPy and mpmath."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pymc as pm
import scipy.special as sc
import scipy.stats as st

from tests.matrix.bank_continuous import log_phi
from tests.matrix.case import case

COUNTS = np.array([0, 1, 3, 7, 20])
SMALL = np.array([0, 1, 3, 7, 12])
TRIALS = np.array([4, 3, 9, 7, 15])
BITS = np.array([0, 1, 1, 0, 1])
LEVELS = np.array([0, 1, 2, 2, 1, 0])
HURDLE = np.array([0.0, 0.0, 0.4, 1.1, 6.0])


def over_counts(function, values):
    with mp.workdps(60):
        return float(mp.fsum(function(int(v)) for v in values))


def beta_binomial(alpha, beta):
    a, b = mp.mpf(alpha), mp.mpf(beta)
    return over_counts(
        lambda i: (
            mp.log(mp.binomial(int(TRIALS[i]), int(SMALL[i] % (TRIALS[i] + 1))))
            + log_beta(int(SMALL[i] % (TRIALS[i] + 1)) + a, b + trials_left(i))
            - log_beta(a, b)
        ),
        range(len(TRIALS)),
    )


def trials_left(i):
    return int(TRIALS[i] - SMALL[i] % (TRIALS[i] + 1))


SUCCESSES = SMALL % (TRIALS + 1)


def log_beta(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def log_nb(k, mu, alpha):
    return (
        mp.loggamma(k + alpha)
        - mp.loggamma(alpha)
        - mp.loggamma(k + 1)
        + k * mp.log(mu / (mu + alpha))
        + alpha * mp.log(alpha / (mu + alpha))
    )


def negative_binomial(mu, alpha):
    m, a = mp.mpf(mu), mp.mpf(alpha)
    return over_counts(lambda k: log_nb(k, m, a), COUNTS)


def log_poisson(k, mu):
    return k * mp.log(mu) - mu - mp.loggamma(k + 1)


def zero_inflated(log_pmf):
    """Total of a zero-inflated count, from its base log-mass."""

    def total(z, **theta):
        psi = 1 / (1 + mp.exp(-mp.mpf(z)))
        theta = {k: mp.mpf(v) for k, v in theta.items()}
        return over_counts(
            lambda k: mp.log(psi * mp.exp(log_pmf(k, **theta)) + ((1 - psi) if k == 0 else 0)),
            COUNTS,
        )

    return total


def hurdle(log_pmf):
    def total(z, **theta):
        psi = 1 / (1 + mp.exp(-mp.mpf(z)))
        theta = {k: mp.mpf(v) for k, v in theta.items()}

        def one(k):
            if k == 0:
                return mp.log(1 - psi)
            return mp.log(psi) + log_pmf(k, **theta) - mp.log1p(-mp.exp(log_pmf(0, **theta)))

        return over_counts(one, COUNTS)

    return total


def hurdle_positive(logpdf):
    def total(z, **theta):
        n = np.sum(HURDLE > 0)
        zeros = (len(HURDLE) - n) * -np.logaddexp(0, z)
        return zeros + n * -np.logaddexp(0, -z) + np.sum(logpdf(HURDLE[HURDLE > 0], **theta))

    return total


def log_binomial(k, logit):
    p = 1 / (1 + mp.exp(-logit))
    return mp.log(mp.binomial(25, k)) + k * mp.log(p) + (25 - k) * mp.log(1 - p)


def discrete_weibull(logit, beta):
    q, b = 1 / (1 + mp.exp(-mp.mpf(logit))), mp.mpf(beta)
    return over_counts(lambda k: mp.log(q ** (mp.mpf(k) ** b) - q ** (mp.mpf(k + 1) ** b)), SMALL)


def ordered(cdf):
    def total(eta, c1, gap):
        with mp.workdps(60):
            cuts = [-mp.inf, mp.mpf(c1), mp.mpf(c1) + mp.mpf(gap), mp.inf]
            eta = mp.mpf(eta)
            logs = [mp.log(cdf(cuts[i + 1] - eta) - cdf(cuts[i] - eta)) for i in range(3)]
            return float(mp.fsum(logs[i] for i in LEVELS))

    return total


def logistic_cdf(x):
    return mp.mpf(1) if x == mp.inf else mp.mpf(0) if x == -mp.inf else 1 / (1 + mp.exp(-x))


def normal_cdf(x):
    return mp.mpf(1) if x == mp.inf else mp.mpf(0) if x == -mp.inf else mp.exp(log_phi(x))


def cutpoints(c1, gap):
    return pm.math.stack([c1, c1 + gap])


def categorical(a, b):
    logits = np.array([0.0, a, b])
    return (logits - sc.logsumexp(logits))[LEVELS]


def hypergeometric(total, good):
    # Generalised to real arguments, as PyMC evaluates it.
    N, k, n = mp.mpf(total), mp.mpf(good), mp.mpf(9)

    def choose(a, b):
        return mp.loggamma(a + 1) - mp.loggamma(b + 1) - mp.loggamma(a - b + 1)

    return over_counts(
        lambda y: choose(k, y) + choose(N - k, n - y) - choose(N, n), np.array([1, 2, 3, 4])
    )


COUNT_POINTS = ({"mu": 2.3, "alpha": 1.4}, {"mu": 900.0, "alpha": 60.0}, {"mu": 0.02, "alpha": 5e3})
INFLATED = ({"z": 0.7, "mu": 2.3}, {"z": -6.0, "mu": 1e-3}, {"z": 9.0, "mu": 60.0})
INFLATED_NB = tuple({"z": a["z"], **b} for a, b in zip(INFLATED, COUNT_POINTS, strict=True))

CASES = (
    case(
        "Bernoulli",
        lambda z: pm.Bernoulli("y", p=pm.math.sigmoid(z), observed=BITS),
        lambda z: -np.logaddexp(0, np.where(BITS == 1, -z, z)),
        {"z": 0.4},
        {"z": -30.0},
    ),
    case(
        "Bernoulli logit_p",
        lambda z: pm.Bernoulli("y", logit_p=z, observed=BITS),
        lambda z: -np.logaddexp(0, np.where(BITS == 1, -z, z)),
        {"z": 0.4},
        {"z": 60.0},
    ),
    case(
        "BetaBinomial",
        lambda alpha, beta: pm.BetaBinomial("y", alpha, beta, TRIALS, observed=SUCCESSES),
        beta_binomial,
        {"alpha": 1.3, "beta": 2.1},
        {"alpha": 0.01, "beta": 400.0},
        positive="alpha beta",
    ),
    case(
        "Binomial",
        lambda z: pm.Binomial("y", n=TRIALS, p=pm.math.sigmoid(z), observed=SUCCESSES),
        lambda z: st.binom(TRIALS, sc.expit(z)).logpmf(SUCCESSES),
        {"z": 0.4},
        {"z": -12.0},
    ),
    case(
        "Categorical",
        lambda a, b: pm.Categorical(
            "y", p=pm.math.softmax(pm.math.stack([0.0, a, b])), observed=LEVELS
        ),
        categorical,
        {"a": 0.4, "b": -0.8},
        {"a": 20.0, "b": -20.0},
    ),
    case(
        "DiscreteUniform in a Mixture",
        lambda z: pm.Mixture(
            "y",
            w=pm.math.stack([pm.math.sigmoid(z), pm.math.sigmoid(-z)]),
            comp_dists=[pm.DiscreteUniform.dist(-3, 30), pm.DiscreteUniform.dist(0, 60)],
            observed=COUNTS,
        ),
        lambda z: np.full(len(COUNTS), np.log(sc.expit(z) / 34 + sc.expit(-z) / 61)),
        {"z": 0.4},
        {"z": 20.0},
    ),
    case(
        "DiscreteWeibull",
        lambda logit, beta: pm.DiscreteWeibull("y", pm.math.sigmoid(logit), beta, observed=SMALL),
        discrete_weibull,
        {"logit": 1.2, "beta": 0.8},
        {"logit": 4.0, "beta": 1.6},
        positive="beta",
    ),
    case(
        "Geometric",
        lambda z: pm.Geometric("y", pm.math.sigmoid(z), observed=COUNTS + 1),
        lambda z: -np.logaddexp(0, -z) - COUNTS * np.logaddexp(0, z),
        {"z": -0.4},
        {"z": 12.0},
    ),
    case(
        "HurdleGamma",
        lambda z, alpha, beta: pm.HurdleGamma(
            "y", pm.math.sigmoid(z), alpha=alpha, beta=beta, observed=HURDLE
        ),
        hurdle_positive(lambda y, alpha, beta: st.gamma(alpha, scale=1 / beta).logpdf(y)),
        {"z": 0.5, "alpha": 1.3, "beta": 0.7},
        {"z": -7.0, "alpha": 90.0, "beta": 30.0},
        positive="alpha beta",
    ),
    case(
        "HurdleLogNormal",
        lambda z, mu, sigma: pm.HurdleLogNormal(
            "y", pm.math.sigmoid(z), mu=mu, sigma=sigma, observed=HURDLE
        ),
        hurdle_positive(lambda y, mu, sigma: st.lognorm(sigma, scale=np.exp(mu)).logpdf(y)),
        {"z": 0.5, "mu": 0.3, "sigma": 0.9},
        {"z": 8.0, "mu": 6.0, "sigma": 0.4},
        positive="sigma",
    ),
    case(
        "HurdleNegativeBinomial",
        lambda z, mu, alpha: pm.HurdleNegativeBinomial(
            "y", pm.math.sigmoid(z), mu=mu, alpha=alpha, observed=COUNTS
        ),
        hurdle(log_nb),
        *INFLATED_NB,
        positive="mu alpha",
    ),
    case(
        "HurdlePoisson",
        lambda z, mu: pm.HurdlePoisson("y", pm.math.sigmoid(z), mu=mu, observed=COUNTS),
        hurdle(log_poisson),
        *INFLATED,
        positive="mu",
    ),
    case(
        "HyperGeometric",
        lambda total, good: pm.HyperGeometric(
            "y", N=total, k=good, n=9, observed=np.array([1, 2, 3, 4])
        ),
        hypergeometric,
        {"total": 30.0, "good": 12.0},
        {"total": 4000.0, "good": 2500.0},
        positive="total good",
    ),
    case(
        "NegativeBinomial",
        lambda mu, alpha: pm.NegativeBinomial("y", mu=mu, alpha=alpha, observed=COUNTS),
        negative_binomial,
        *COUNT_POINTS,
        positive="mu alpha",
    ),
    case(
        "OrderedLogistic",
        lambda eta, c1, gap: pm.OrderedLogistic(
            "y", eta=eta, cutpoints=cutpoints(c1, gap), observed=LEVELS
        ),
        ordered(logistic_cdf),
        {"eta": 0.3, "c1": -0.5, "gap": 1.2},
        {"eta": 14.0, "c1": -2.0, "gap": 1.5},
        positive="gap",
    ),
    case(
        "OrderedProbit",
        lambda eta, c1, gap: pm.OrderedProbit(
            "y", eta=eta, cutpoints=cutpoints(c1, gap), observed=LEVELS
        ),
        ordered(normal_cdf),
        {"eta": 0.3, "c1": -0.5, "gap": 1.2},
        {"eta": 5.0, "c1": -1.0, "gap": 1.5},
        positive="gap",
    ),
    case(
        "Poisson",
        lambda mu: pm.Poisson("y", mu, observed=COUNTS),
        lambda mu: st.poisson(mu).logpmf(COUNTS),
        {"mu": 2.3},
        {"mu": 1e-3},
        {"mu": 800.0},
        positive="mu",
    ),
    case(
        "ZeroInflatedBinomial",
        lambda z, logit: pm.ZeroInflatedBinomial(
            "y", pm.math.sigmoid(z), n=25, p=pm.math.sigmoid(logit), observed=COUNTS
        ),
        zero_inflated(log_binomial),
        {"z": 0.7, "logit": -1.2},
        {"z": -6.0, "logit": 7.0},
    ),
    case(
        "ZeroInflatedNegativeBinomial",
        lambda z, mu, alpha: pm.ZeroInflatedNegativeBinomial(
            "y", pm.math.sigmoid(z), mu=mu, alpha=alpha, observed=COUNTS
        ),
        zero_inflated(log_nb),
        *INFLATED_NB,
        positive="mu alpha",
    ),
    case(
        "ZeroInflatedPoisson",
        lambda z, mu: pm.ZeroInflatedPoisson("y", pm.math.sigmoid(z), mu=mu, observed=COUNTS),
        zero_inflated(log_poisson),
        *INFLATED,
        positive="mu",
    ),
)
