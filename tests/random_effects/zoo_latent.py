"""The zoo's latent series, fields, missing values, durations and several outcomes."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
from jax.scipy import stats

from tests.random_effects.zoo import (
    AREA_COUNTS,
    BINARY,
    COUNTS,
    EFFECT,
    LEVELS,
    PLACE,
    PLACE_COUNTS,
    RETURNS,
    RING,
    SERIES,
    Y2,
    A,
    G,
    H,
    J,
    M,
    N,
    P,
    R,
    T,
    X,
    Y,
    case,
    logistic,
    normal,
    poisson,
)

_rng = np.random.default_rng(506)

# ----- series ------------------------------------------------------------------------------


def _walk(p, u):
    return normal(u) + poisson(SERIES, 3.0 * u[0] + p["s"] * jnp.append(0.0, jnp.cumsum(u[1:])))


@case(_walk, T, s=P, level=R, slow=True)
def random_walk_of_log_rates():
    level = pm.GaussianRandomWalk(
        "level", sigma=pm.Exponential("s", 2), init_dist=pm.Normal.dist(0, 3), shape=T
    )
    pm.Poisson("y", pm.math.exp(level), observed=SERIES)


def _ar(p, u):
    level = [u[0]]
    for t in range(1, T):
        level.append(p["rho"] * level[-1] + p["s"] * u[t])
    return normal(u) + poisson(SERIES, p["c"] + jnp.stack(level))


@case(_ar, T, c=P, rho=P, s=P, level=R, slow=True)
def latent_autoregression():
    c, rho, s = pm.Normal("c", 0, 3), pm.Uniform("rho", -1, 1), pm.HalfNormal("s", 1)
    level = pm.AR("level", rho=[rho], sigma=s, init_dist=pm.Normal.dist(0, 1), shape=T)
    pm.Poisson("y", pm.math.exp(c + level), observed=SERIES)


def _local_level(p, u):
    level = 2.0 * u[0] + p["s_level"] * jnp.append(0.0, jnp.cumsum(u[1:]))
    return normal(u) + normal(LEVELS, level, p["s_obs"])


@case(_local_level, T, s_level=P, s_obs=P, level=R)
def local_level():
    level = pm.GaussianRandomWalk(
        "level", sigma=pm.HalfNormal("s_level", 1), init_dist=pm.Normal.dist(0, 2), shape=T
    )
    pm.Normal("y", level, pm.HalfNormal("s_obs", 1), observed=LEVELS)


@case(_local_level, T, s_level=P, s_obs=P, level=A, declared={"random": ["level"]})
def local_level_by_a_potential():
    s_level = pm.HalfNormal("s_level", 1)
    level = pm.Flat("level", shape=T)
    pm.Potential("first", pm.logp(pm.Normal.dist(0, 2), level[0]))
    pm.Potential("steps", pm.logp(pm.Normal.dist(level[:-1], s_level), level[1:]))
    pm.Normal("y", level, pm.HalfNormal("s_obs", 1), observed=LEVELS)


FEW = 8


def _short(p, u):
    level = 2.0 * u[0] + p["s_level"] * jnp.append(0.0, jnp.cumsum(u[1:]))
    return normal(u) + normal(LEVELS[:FEW], level, p["s_obs"])


@case(
    _short,
    FEW,
    s_level=P,
    s_obs=P,
    **{f"level_{t}": (R if t else P) for t in range(FEW)},
    declared={"random": [f"level_{t}" for t in range(FEW)]},
    slow=True,
)
def local_level_in_a_loop():
    s_level, s_obs = pm.HalfNormal("s_level", 1), pm.HalfNormal("s_obs", 1)
    level = pm.Normal("level_0", 0, 2)
    for t in range(FEW):
        if t:
            level = pm.Normal(f"level_{t}", level, s_level)
        pm.Normal(f"y_{t}", level, s_obs, observed=LEVELS[t])


def _volatility(p, u):
    level = p["h0"] + p["step"] * jnp.cumsum(u)
    return normal(u) + stats.t.logpdf(RETURNS, p["nu"], 0.0, jnp.exp(level)).sum()


@case(_volatility, T, h0=P, step=P, nu=P, z=R)
def stochastic_volatility():
    h0, step, nu = pm.Normal("h0", 0, 2), pm.Exponential("step", 10), pm.Exponential("nu", 0.1)
    z = pm.Normal("z", 0, 1, shape=T)
    level = pm.Deterministic("level", h0 + step * pt.cumsum(z))
    pm.StudentT("y", nu=nu, lam=pm.math.exp(-2 * level), observed=RETURNS)


@case(same_as="stochastic_volatility", h0=P, step=P, nu=P, level=R)
def stochastic_volatility_as_a_walk():
    h0, step, nu = pm.Normal("h0", 0, 2), pm.Exponential("step", 10), pm.Exponential("nu", 0.1)
    level = pm.GaussianRandomWalk("level", sigma=step, init_dist=pm.Normal.dist(h0, step), shape=T)
    pm.StudentT("y", nu=nu, lam=pm.math.exp(-2 * level), observed=RETURNS)


# ----- fields ------------------------------------------------------------------------------

DEGREE = RING.sum(axis=1)


def _car(p, u):
    precision = p["tau"] * (np.diag(DEGREE) - p["alpha"] * RING)
    law = 0.5 * jnp.linalg.slogdet(precision)[1] - 0.5 * u @ precision @ u
    # PyMC leaves out part of the constant of its conditional autoregression.
    return law + CAR_CONSTANT + poisson(AREA_COUNTS, p["b"] + u)


CAR_CONSTANT = -0.5 * J * np.log(2 * np.pi)


@case(_car, J, b=P, tau=P, alpha=P, phi=R)
def conditional_autoregression():
    b, tau = pm.Normal("b", 0, 5), pm.Gamma("tau", 2, 2)
    alpha = pm.Beta("alpha", 2, 2)
    phi = pm.CAR("phi", mu=np.zeros(J), W=RING, alpha=alpha, tau=tau)
    pm.Poisson("y", pm.math.exp(b + phi), observed=AREA_COUNTS)


@case(_car, J, b=P, tau=P, alpha=P, phi=A, declared={"random": ["phi"]})
def conditional_autoregression_by_hand():
    b, tau = pm.Normal("b", 0, 5), pm.Gamma("tau", 2, 2)
    alpha = pm.Beta("alpha", 2, 2)
    phi = pm.Flat("phi", shape=J)
    precision = tau * (pt.diag(DEGREE) - alpha * RING)
    half = 0.5 * pt.log(pt.linalg.det(precision)) - 0.5 * J * np.log(2 * np.pi)
    pm.Potential("car", half - 0.5 * pt.dot(phi, pt.dot(precision, phi)))
    pm.Poisson("y", pm.math.exp(b + phi), observed=AREA_COUNTS)


AREAS = 40
CIRCLE = np.roll(np.eye(AREAS, dtype=int), 1, axis=0) + np.roll(
    np.eye(AREAS, dtype=int), -1, axis=0
)
_areas = np.random.default_rng(1)
_waves = 0.7 * np.sin(2 * np.pi * np.arange(AREAS) / AREAS) + 0.5 * _areas.normal(size=AREAS)
CASES_SEEN = _areas.poisson(np.exp(2.0 + _waves))
_eigenvalues = np.linalg.eigvalsh(np.diag(CIRCLE.sum(axis=1)) - CIRCLE)[1:]
#: PyMC leaves it out: the constant of the improper law on the directions that it holds.
ICAR_CONSTANT = 0.5 * (np.log(_eigenvalues).sum() + np.log(AREAS) - (AREAS - 1) * np.log(2 * np.pi))


def _besag(p, u):
    theta, phi = u[:AREAS], u[AREAS:]
    left, right = np.nonzero(np.triu(CIRCLE))
    law = -0.5 * ((phi[left] - phi[right]) ** 2).sum() + normal(phi.sum(), 0.0, 0.001 * AREAS)
    mixed = jnp.sqrt(1 - p["rho"]) * theta + jnp.sqrt(p["rho"] / 0.8) * phi
    rate = p["b"] + p["sigma"] * mixed
    return normal(theta) + law + ICAR_CONSTANT + poisson(CASES_SEEN, rate)


@case(_besag, 2 * AREAS, b=P, sigma=P, rho=P, theta=R, phi=R)
def besag_york_mollie():
    b, sigma = pm.Normal("b", 0, 5), pm.HalfNormal("sigma", 1)
    theta = pm.Normal("theta", 0, 1, shape=AREAS)
    phi = pm.ICAR("phi", W=CIRCLE)
    rho = pm.Beta("rho", 0.5, 0.5)
    mixed = pm.Deterministic("mixed", pt.sqrt(1 - rho) * theta + pt.sqrt(rho / 0.8) * phi)
    pm.Poisson("y", pt.exp(b + sigma * mixed), observed=CASES_SEEN)


def _kernel(p):
    distance = (PLACE[:, None] - PLACE[None, :]) ** 2
    return p["eta"] ** 2 * jnp.exp(-0.5 * distance / p["ell"] ** 2)


def _process(p, u):
    factor = jnp.linalg.cholesky(_kernel(p) + 1e-6 * np.eye(len(PLACE)))
    return normal(u) + poisson(PLACE_COUNTS, p["b"] + factor @ u)


def _of_covariance():
    b, ell = pm.Normal("b", 0, 3), pm.InverseGamma("ell", 5, 5)
    return b, pm.HalfNormal("eta", 2) ** 2 * pm.gp.cov.ExpQuad(1, ls=ell)


@case(_process, len(PLACE), b=P, eta=P, ell=P, f_rotated_=R)
def latent_process():
    b, covariance = _of_covariance()
    f = pm.gp.Latent(cov_func=covariance).prior("f", X=PLACE[:, None], jitter=1e-6)
    pm.Poisson("y", pm.math.exp(b + f), observed=PLACE_COUNTS)


@case(_process, len(PLACE), b=P, eta=P, ell=P, f=R)
def process_as_multivariate_normal():
    b, covariance = _of_covariance()
    matrix = covariance(PLACE[:, None]) + 1e-6 * pt.eye(len(PLACE))
    f = pm.MvNormal("f", np.zeros(len(PLACE)), matrix)
    pm.Poisson("y", pm.math.exp(b + f), observed=PLACE_COUNTS)


def _hilbert(p, u):
    half = 1.5 * np.abs(PLACE - 2.0).max()
    roots = np.arange(1, 13) * np.pi / (2 * half)
    basis = np.sin((PLACE[:, None] - 2.0 + half) * roots) / np.sqrt(half)
    power = p["eta"] ** 2 * np.sqrt(2 * np.pi) * p["ell"]
    density = power * jnp.exp(-0.5 * (p["ell"] * roots) ** 2)
    return normal(u) + poisson(PLACE_COUNTS, p["b"] + basis @ (jnp.sqrt(density) * u))


@case(_hilbert, 12, b=P, eta=P, ell=P, f_hsgp_coeffs=R)
def hilbert_space_process():
    b, covariance = _of_covariance()
    f = pm.gp.HSGP(m=[12], c=1.5, cov_func=covariance).prior("f", X=PLACE[:, None])
    pm.Poisson("y", pm.math.exp(b + f), observed=PLACE_COUNTS)


# ----- missing and mismeasured -------------------------------------------------------------

SEEN_X = X + 0.4 * _rng.normal(size=N)


def _mismeasured(p, u):
    true = p["m"] + p["s"] * u
    data = normal(SEEN_X, true, 0.4) + normal(Y, p["a"] + p["b"] * true, p["sigma"])
    return normal(u) + data


@case(_mismeasured, N, m=P, s=P, a=P, b=P, sigma=P, x_true=R)
def measurement_error():
    m, s = pm.Normal("m", 0, 1), pm.HalfNormal("s", 1)
    a, b, sigma = pm.Normal("a", 0, 2), pm.Normal("b", 0, 2), pm.Exponential("sigma", 1)
    x_true = pm.Normal("x_true", m, s, shape=N)
    pm.Normal("x_seen", x_true, 0.4, observed=SEEN_X)
    pm.Normal("y", a + b * x_true, sigma, observed=Y)


def _mismeasured_both(p, u):
    u = u.reshape(2, N)
    outcome = p["a"] + p["b"] * u[0] + p["sigma"] * u[1]
    return normal(u) + normal(SEEN_X, u[0], 0.4) + normal(Y, outcome, 0.3)


@case(_mismeasured_both, 2 * N, a=P, b=P, sigma=P, x_true=R, y_true=R)
def error_on_both_sides():
    a, b, sigma = pm.Normal("a", 0, 0.2), pm.Normal("b", 0, 0.5), pm.Exponential("sigma", 1)
    x_true = pm.Normal("x_true", 0, 1, shape=N)
    pm.Normal("x_seen", x_true, 0.4, observed=SEEN_X)
    y_true = pm.Normal("y_true", a + b * x_true, sigma, shape=N)
    pm.Normal("y_seen", y_true, 0.3, observed=Y)


HOLES = np.arange(N) % 7 == 3


def _imputed(p, u):
    filled = jnp.asarray(np.where(HOLES, 0.0, X)).at[np.flatnonzero(HOLES)].set(u)
    law = normal(filled, p["nu"], p["sx"])
    return law + logistic(BINARY, p["a"] + p["b"] * filled)


@case(_imputed, int(HOLES.sum()), nu=P, sx=P, a=P, b=P, x_unobserved=M)
def partly_missing_covariate():
    nu, sx = pm.Normal("nu", 0, 0.5), pm.Exponential("sx", 1)
    a, b = pm.Normal("a", 0, 0.5), pm.Normal("b", 0, 0.5)
    x = pm.Normal("x", nu, sx, observed=np.where(HOLES, np.nan, X))
    pm.Bernoulli("y", logit_p=a + b * x, observed=BINARY)


ROWS = _rng.multivariate_normal([1.0, -1.0, 0.5], 0.5 + 0.7 * np.eye(3), size=25)
ROWS[4, 0] = ROWS[9, 1] = ROWS[9, 2] = ROWS[17, 2] = np.nan


def _rows(p, u):
    missing = np.isnan(ROWS)
    filled = jnp.asarray(np.where(missing, 0.0, ROWS)).at[np.nonzero(missing)].set(u)
    low = jnp.zeros((3, 3)).at[np.tril_indices(3)].set(p["chol"])
    return stats.multivariate_normal.logpdf(filled, p["mu"], low @ low.T).sum()


@case(_rows, 4, mu=P, chol=P, rows_unobserved=M)
def partly_missing_rows():
    mu = pm.Normal("mu", 0, 5, shape=3)
    sd = pm.HalfNormal.dist(1, shape=3)
    chol, _, _ = pm.LKJCholeskyCov("chol", n=3, eta=1, sd_dist=sd)
    pm.MvNormal("rows", mu, chol=chol, observed=np.ma.masked_invalid(ROWS))


# ----- durations, penalties, several outcomes ----------------------------------------------

LIFE = np.exp(1.0 - 0.4 * EFFECT[G] + 0.3 * X) * _rng.weibull(1.6, size=N)
END = np.quantile(LIFE, 0.8)
CENSORED = np.minimum(LIFE, END)


def _frailty(p, u):
    law = stats.gamma.logpdf(jnp.exp(u), p["k"], 0.0, 1 / p["k"]) + u
    log_scale = p["a"] + p["b"] * X - u[G] / p["alpha"]
    z = p["alpha"] * (np.log(CENSORED) - log_scale)
    dead = (CENSORED < END) * (jnp.log(p["alpha"]) - np.log(CENSORED) + z)
    return law.sum() + (dead - jnp.exp(z)).sum()


@case(_frailty, J, a=P, b=P, alpha=P, k=P, frailty=R)
def censored_weibull_with_gamma_frailty():
    a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
    alpha, k = pm.Exponential("alpha", 1), pm.Exponential("k", 0.5)
    frailty = pm.Gamma("frailty", k, k, dims="group")
    scale = pt.exp(a + b * X) * frailty[G] ** (-1 / alpha)
    life = pm.Weibull.dist(alpha=alpha, beta=scale)
    pm.Censored("y", life, lower=None, upper=END, observed=CENSORED)


@case(same_as="censored_weibull_with_gamma_frailty", a=P, b=P, alpha=P, k=P, frailty=R)
def censoring_by_a_potential():
    a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
    alpha, k = pm.Exponential("alpha", 1), pm.Exponential("k", 0.5)
    frailty = pm.Gamma("frailty", k, k, dims="group")
    scale, dead = pt.exp(a + b * X) * frailty[G] ** (-1 / alpha), CENSORED < END
    pm.Weibull("y", alpha, scale[dead.nonzero()[0]], observed=CENSORED[dead])
    pm.Potential("alive", -((END / scale[np.flatnonzero(~dead)]) ** alpha))


def _shared(p, u):
    u = p["tau"] * u
    first = normal(Y2, p["a"] + u[G], p["sigma"])
    return normal(u / p["tau"]) + first + poisson(COUNTS, p["c"] + p["load"] * u[G])


@case(_shared, J, a=P, tau=P, sigma=P, c=P, load=P, u=R)
def two_outcomes_share_an_effect():
    a, tau, sigma = pm.Normal("a", 0, 5), pm.HalfNormal("tau", 1), pm.HalfNormal("sigma", 1)
    c, load = pm.Normal("c", 0, 5), pm.Normal("load", 0, 1)
    u = pm.Normal("u", 0, tau, dims="group")
    pm.Normal("score", a + u[G], sigma, observed=Y2)
    pm.Poisson("visits", pm.math.exp(c + load * u[G]), observed=COUNTS)


LOADINGS = np.array([[1.0, 0.8, 0.6, 0.9]])
LOADED = _rng.normal(size=(N, 1)) @ LOADINGS + 0.6 * _rng.normal(size=(N, 4))


def _factors(p, u):
    mean = p["m"] + u[:, None] * p["load"]
    return normal(u) + normal(LOADED, mean, p["psi"])


@case(_factors, N, m=P, load=P, psi=P, score=R)
def one_factor():
    m, psi = pm.Normal("m", 0, 5, shape=4), pm.HalfNormal("psi", 1, shape=4)
    load = pm.HalfNormal("load", 1, shape=4)
    score = pm.Normal("score", 0, 1, shape=N)
    pm.Normal("y", m + score[:, None] * load, psi, observed=LOADED)


@case(_factors, N, m=P, load=A, psi=P, score=A, declared={"random": ["score"]})
def one_factor_with_standard_loadings():
    m, psi = pm.Normal("m", 0, 5, shape=4), pm.HalfNormal("psi", 1, shape=4)
    load, score = pm.Normal("load", 0, 1, shape=4), pm.Normal("score", 0, 1, shape=N)
    pm.Normal("y", m + score[:, None] * load, psi, observed=LOADED)


def _shrunk(p, u):
    return normal(u) + normal(Y, p["a"] + WIDE @ u, p["sigma"])


WIDE = _rng.normal(size=(N, 12))


@case(_shrunk, 12, a=P, beta=P, sigma=P, declared={"random": ["beta"]})
def coefficients_declared_random():
    beta = pm.Normal("beta", 0, 1, shape=12)
    pm.Normal("y", pm.Normal("a", 0, 5) + WIDE @ beta, pm.HalfNormal("sigma", 1), observed=Y)


def _loose(p, u):
    return normal(u) + logistic(BINARY, p["s_i"] * u[J:][H] + p["s_p"] * u[:J][G])


@case(_loose, J + 6, s_p=P, s_i=P, person=R, question=R)
def two_effects_and_nothing_else():
    person = pm.Normal("person", 0, pm.HalfNormal("s_p", 1), dims="group")
    question = pm.Normal("question", 0, pm.HalfNormal("s_i", 1), dims="item")
    pm.Bernoulli("y", logit_p=person[G] + question[H], observed=BINARY)
