"""Models of the BUGS volumes and of textbooks, as PyMC users write them, at small sizes."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from tests.roles.published import BINARY, COUNTS, GROUP, A, J, M, N, P, R, X, Y, case

_rng = np.random.default_rng(7)

# ----- BUGS --------------------------------------------------------------------------------

AGE = np.array([8.0, 15, 22, 29, 36])
WEIGHTS = 240 + 6 * (AGE - 22) + 14 * _rng.normal(size=(J, 1)) + 6 * _rng.normal(size=(J, 5))


@case(alpha=R, beta=R, alpha_c=P, beta_c=P, tau_alpha=P, tau_beta=P, tau_c=P)
def rats():
    alpha_c, beta_c = pm.Normal("alpha_c", 0, tau=1e-6), pm.Normal("beta_c", 0, tau=1e-6)
    tau_alpha, tau_beta = (pm.Gamma(n, 0.001, 0.001) for n in ("tau_alpha", "tau_beta"))
    alpha = pm.Normal("alpha", alpha_c, tau=tau_alpha, shape=(J, 1))
    beta = pm.Normal("beta", beta_c, tau=tau_beta, shape=(J, 1))
    pm.Deterministic("alpha0", alpha_c - 22 * beta_c)
    tau_c = pm.Gamma("tau_c", 0.001, 0.001)
    pm.Normal("y", alpha + beta * (AGE - 22), tau=tau_c, observed=WEIGHTS)


@case(theta=R, alpha=P, beta=P)
def pumps():
    alpha, beta = pm.Exponential("alpha", 1), pm.Gamma("beta", 0.1, 1)
    theta = pm.Gamma("theta", alpha, beta, shape=J)
    pm.Poisson("y", theta * np.linspace(1, 100, J), observed=COUNTS[:J])


@case(alpha=P, b=R, tau=P)
def seeds():
    tau = pm.Gamma("tau", 0.001, 0.001)
    alpha = pm.Normal("alpha", 0, 1e3, shape=3)
    b = pm.Normal("b", 0, 1 / pm.math.sqrt(tau), shape=N)
    p = pm.Deterministic("p", pm.math.invlogit(pt.dot(X, alpha) + b))
    pm.Deterministic("sigma", 1 / pm.math.sqrt(tau))
    pm.Binomial("r", n=40, p=p, observed=COUNTS)


@case(b=R, mu=P, tau=P)
def surgical():
    mu, tau = pm.Normal("mu", 0, tau=1e-6), pm.Gamma("tau", 0.001, 0.001)
    b = pm.Normal("b", mu, tau=tau, shape=J)
    pm.Deterministic("pop_mean", pm.math.invlogit(mu))
    pm.Binomial("r", n=np.full(J, 150), logit_p=b, observed=COUNTS[:J])


@case(mu=R, theta=P, tau_within=P, tau_between=P)
def dyes():
    tau_within, tau_between = (pm.Gamma(f"tau_{n}", 0.001, 0.001) for n in ("within", "between"))
    mu = pm.Normal("mu", pm.Normal("theta", 0, 1e5), tau=tau_between, shape=J)
    pm.Deterministic("ratio", tau_between / (tau_between + tau_within))
    pm.Normal("y", mu[GROUP], tau=tau_within, observed=Y)


@case(a0=P, alpha=P, b1=R, b=R, sigma_b1=P, sigma_b=P)
def epil():
    a0, alpha = pm.Normal("a0", 0, 100), pm.Normal("alpha", 0, 100, shape=3)
    b1 = pm.Normal("b1", 0, pm.Uniform("sigma_b1", 0, 10), shape=J)
    b = pm.Normal("b", 0, pm.Uniform("sigma_b", 0, 10), shape=N)
    pm.Poisson("y", pm.math.exp(a0 + X @ alpha + b1[GROUP] + b), observed=COUNTS)


@case(mu=P, delta=R, d=P, tau=P)
def blocker():
    mu = pm.Normal("mu", 0, tau=1e-5, shape=J)
    d, tau = pm.Normal("d", 0, tau=1e-6), pm.Gamma("tau", 0.001, 0.001)
    delta = pm.Normal("delta", d, tau=tau, shape=J)
    pm.Binomial("rc", n=100, logit_p=mu, observed=COUNTS[:J])
    pm.Binomial("rt", n=100, logit_p=mu + delta, observed=COUNTS[J : 2 * J])


@case(beta=P, b=R, sigma=P, r=P)
def kidney():
    beta, r = pm.Normal("beta", 0, 100, shape=3), pm.Gamma("r", 1, 0.001)
    b = pm.Normal("b", 0, pm.HalfCauchy("sigma", 1), shape=J)
    scale = pm.math.exp(-(X @ beta + b[GROUP]) / r)
    upper = np.where(BINARY, np.inf, 1.0)
    time = np.where(BINARY, np.exp(Y), 1.0)
    pm.Censored("t", pm.Weibull.dist(alpha=r, beta=scale), lower=None, upper=upper, observed=time)


@case(theta=R, alpha=P, beta=P)
def lsat():
    theta = pm.Normal("theta", 0, 1, shape=(12, 1))
    alpha, beta = pm.Normal("alpha", 0, 100, shape=5), pm.HalfNormal("beta", 100)
    answers = _rng.integers(0, 2, size=(12, 5))
    pm.Bernoulli("r", logit_p=beta * theta - alpha, observed=answers)


@case(theta=A, alpha=P)
def lsat_of_unit_scale():
    theta = pm.Normal("theta", 0, 1, shape=(12, 1))
    alpha = pm.Normal("alpha", 0, 100, shape=5)
    pm.Bernoulli("r", logit_p=theta - alpha, observed=_rng.integers(0, 2, size=(12, 5)))


@case(theta=P, X=R)
def air():
    theta = pm.Normal("theta", 0, 32, shape=2)
    x = pm.Normal("X", 4.48 + 0.76 * np.array([10.0, 30.0, 50.0]), 9.0, shape=3)
    p = pm.math.invlogit(theta[0] + theta[1] * x)
    pm.Binomial("y", n=[48, 34, 21], p=p, observed=[21, 20, 15])


@case(b=P, x=A)
def covariate_of_known_error_and_law():
    x = pm.Normal("x", 5, 3, shape=N)
    pm.Normal("seen", x, 1.0, observed=5 + Y)
    pm.Normal("y", pm.Normal("b", 0, 10) * x, 1.0, observed=Y)


@case(height=P, rate=P)
def growth_curves_without_pooling():
    height, rate = pm.Normal("height", 10, 10, shape=J), pm.HalfNormal("rate", 1, shape=J)
    day = np.arange(N) % (N // J)
    pm.Normal("y", height[GROUP] * (1 - pm.math.exp(-rate[GROUP] * day)), 1.0, observed=Y)


@case(beta=A, tau=P)
def ice_second_differences_as_a_potential():
    tau = pm.Gamma("tau", 0.001, 0.001)
    beta = pm.Flat("beta", shape=J)
    second = beta[2:] - 2 * beta[1:-1] + beta[:-2]
    pm.Potential("walk", 0.5 * (J - 2) * pt.log(tau) - 0.5 * tau * (second**2).sum())
    pm.Poisson("y", pm.math.exp(beta[GROUP]), observed=COUNTS)


# ----- Bayesian Data Analysis --------------------------------------------------------------


@case(ab=P, theta=R)
def rat_tumours():
    ab = pm.HalfNormal("ab", sigma=10, shape=2)
    pm.Potential("p(a, b)", -2.5 * pt.log(ab.sum()))
    pm.Deterministic("X", pt.log(ab[0] / ab[1]))
    theta = pm.Beta("theta", alpha=ab[0], beta=ab[1], shape=J)
    pm.Binomial("y", p=theta, n=20, observed=COUNTS[:J])


@case(eta=R, mu=P, tau=P)
def eight_schools_with_a_default_standard_normal():
    mu, tau = pm.Normal("mu", 0, sigma=10), pm.HalfNormal("tau", 10)
    eta = pm.Normal("eta", shape=J)
    pm.Normal("y", mu + tau * eta, sigma=10.0, observed=Y[:J])


# ----- Statistical Rethinking --------------------------------------------------------------


@case(a=R, g=R, b=P, a_bar=P, sigma_a=P, sigma_g=P)
def chimpanzees():
    a_bar = pm.Normal("a_bar", 0.0, 1.5)
    sigma_a, sigma_g = pm.Exponential("sigma_a", 1.0), pm.Exponential("sigma_g", 1.0)
    a = pm.Normal("a", a_bar, sigma_a, shape=J)
    g = pm.Normal("g", 0.0, sigma_g, shape=3)
    b = pm.Normal("b", 0.0, 0.5, shape=4)
    p = pm.math.invlogit(a[GROUP] + g[np.arange(N) % 3] + b[np.arange(N) % 4])
    pm.Binomial("pulled_left", 1, p, observed=BINARY)


@case(z=R, x=R, b=P, a_bar=P, sigma_a=P, sigma_g=P)
def chimpanzees_non_centred():
    a_bar = pm.Normal("a_bar", 0.0, 1.5)
    sigma_a, sigma_g = pm.Exponential("sigma_a", 1.0), pm.Exponential("sigma_g", 1.0)
    z, x = pm.Normal("z", 0.0, 1.0, shape=J), pm.Normal("x", 0.0, 1.0, shape=3)
    b = pm.Normal("b", 0.0, 0.5, shape=4)
    index = np.arange(N)
    p = pm.math.invlogit(a_bar + z[GROUP] * sigma_a + x[index % 3] * sigma_g + b[index % 4])
    pm.Deterministic("a", a_bar + z * sigma_a)
    pm.Binomial("pulled_left", 1, p, observed=BINARY)


@case(D_true=R, M_true=R, a=P, bA=P, bM=P, sigma=P)
def divorce_with_errors_of_measurement():
    a, b_a, b_m = pm.Normal("a", 0, 0.2), pm.Normal("bA", 0, 0.5), pm.Normal("bM", 0, 0.5)
    m_true = pm.Normal("M_true", 0, 1, shape=N)
    mu = a + b_a * X[:, 0] + b_m * m_true
    d_true = pm.Normal("D_true", mu, pm.Exponential("sigma", 1), shape=N)
    pm.Normal("D_obs", d_true, 0.4, observed=Y)
    pm.Normal("M_obs", m_true, 0.3, observed=X[:, 1])


@case(B_unobserved=M, nu=P, sigma_B=P, a=P, bB=P, bM=P, sigma=P)
def milk_imputed():
    nu, sigma_b = pm.Normal("nu", 0, 0.5), pm.Exponential("sigma_B", 1)
    seen = np.where(np.arange(N) % 5 == 0, np.nan, X[:, 0])
    b = pm.Normal("B", nu, sigma_b, observed=np.ma.masked_invalid(seen))
    a, b_b, b_m = pm.Normal("a", 0, 0.5), pm.Normal("bB", 0, 0.5), pm.Normal("bM", 0, 0.5)
    pm.Normal("K", a + b_b * b + b_m * X[:, 1], pm.Exponential("sigma", 1), observed=Y)


@case(BM_unobserved=M, mus=P, chol=P, a=P, bB=P, bM=P, sigma=P)
def milk_imputed_jointly():
    seen = np.column_stack([np.where(np.arange(N) % 5 == 0, np.nan, X[:, 0]), X[:, 1]])
    chol, *_ = pm.LKJCholeskyCov("chol", n=2, eta=2, sd_dist=pm.Exponential.dist(1, shape=2))
    both = pm.MvNormal("BM", pm.Normal("mus", 0, 0.5, shape=2), chol=chol, observed=seen)
    a, b_b, b_m = pm.Normal("a", 0, 0.5), pm.Normal("bB", 0, 0.5), pm.Normal("bM", 0, 0.5)
    mu = a + b_b * both[:, 0] + b_m * both[:, 1]
    pm.Normal("K", mu, pm.Exponential("sigma", 1), observed=Y)


DISTANCE = np.abs(np.subtract.outer(np.arange(J), np.arange(J))).astype(float)


@case(k=R, a=P, b=P, g=P, etasq=P, rhosq=P)
def oceanic_islands():
    a, b, g = pm.Exponential("a", 1), pm.Exponential("b", 1), pm.Exponential("g", 1)
    etasq, rhosq = pm.Exponential("etasq", 2), pm.Exponential("rhosq", 0.5)
    covariance = etasq * pt.exp(-rhosq * DISTANCE**2) + 0.01 * np.eye(J)
    k = pm.MvNormal("k", np.zeros(J), cov=covariance, shape=J)
    size = np.exp(np.linspace(1, 3, J))
    pm.Poisson("T", (a * size**b / g) * pm.math.exp(k), observed=COUNTS[:J])


@case(**{"g_rotated_": R, "a": P, "etasq": P, "ls_inv": P})
def oceanic_islands_as_a_latent_process():
    a = pm.Exponential("a", 1)
    etasq, ls_inv = pm.Exponential("etasq", 2), pm.HalfNormal("ls_inv", 2)
    covariance = etasq * pm.gp.cov.ExpQuad(1, ls_inv=ls_inv)
    g = pm.gp.Latent(cov_func=covariance).prior("g", X=np.arange(J)[:, None])
    pm.Poisson("T", pm.math.exp(a + g), observed=COUNTS[:J])


@case(p=P, D="discrete")
def cats_of_unknown_colour():
    p = pm.Beta("p", 2, 2)
    d = pm.Bernoulli("D", p, shape=N)
    pm.Exponential("days", pm.math.switch(d, 1.0, 2.0), observed=np.exp(Y))
