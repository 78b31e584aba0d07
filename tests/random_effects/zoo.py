"""Hierarchical, latent and missing-data models as users, galleries and textbooks write them.

Each model comes with the roles it has, what has to be declared, and its joint log-density
written by hand: the marginal likelihood is then found by other means than pymle's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
from jax.scipy import stats
from jax.scipy.special import gammaln, logsumexp

P, R, A, M = "parameter", "random effect", "ambiguous", "missing value"


@dataclass(frozen=True)
class Case:
    """One model.

    Attributes
    ----------
    build : callable
        Fills the model of the open ``with`` block.
    roles : mapping of str to str
        Of all free variables.
    joint : callable or None
        ``(p, u)``, the joint log-density of data and effects in coordinates that are affine in
        those in which pymle integrates.
    size : int
        Number of effects.
    declared : mapping
        Arguments of `pymle.find_MLE`.
    same_as : str
        Another form of the same model.
    slow : bool
    """

    build: Callable[[], None]
    roles: Mapping[str, str]
    joint: Callable[[Mapping[str, Any], Any], Any] | None = None
    size: int = 0
    declared: Mapping[str, Any] = field(default_factory=dict)
    same_as: str = ""
    slow: bool = False

    def model(self) -> pm.Model:
        with warnings.catch_warnings(), pm.Model(coords=COORDS) as model:
            # PyMC says that it imputes masked data.
            warnings.simplefilter("ignore")
            self.build()
        return model


CASES: dict[str, Case] = {}


def case(joint=None, size=0, *, declared=None, same_as="", slow=False, **roles):
    """Register a model."""

    def register(build):
        CASES[build.__name__] = Case(build, roles, joint, size, declared or {}, same_as, slow)
        return build

    return register


# ----- data --------------------------------------------------------------------------------

_rng = np.random.default_rng(505)
J, N = 10, 60
G = np.repeat(np.arange(J), N // J)
H = np.tile(np.arange(6), J)
X = _rng.normal(size=N)
EFFECT = _rng.normal(size=J)
CROSSED = _rng.normal(size=6)
COORDS = {"group": [f"g{i}" for i in range(J)], "item": list("abcdef"), "term": ["one", "x"]}
SLOPE = 0.5 + 0.5 * _rng.normal(size=J)
Y = 1.0 + 0.9 * EFFECT[G] + SLOPE[G] * X + 0.5 * _rng.normal(size=N)
CITY_OF = np.arange(J) % 4
COUNTRY = np.array([-1.5, 0.2, 1.6, -0.4])
Y2 = (
    1.0
    + COUNTRY[CITY_OF][G]
    + 0.5 * EFFECT[G]
    + 0.7 * CROSSED[H]
    + 0.3 * X
    + 0.5 * _rng.normal(size=N)
)
COUNTS = _rng.poisson(np.exp(1.0 + 0.7 * EFFECT[G] + 0.3 * X + 0.4 * _rng.normal(size=N)))
BINARY = (_rng.uniform(size=N) < 1 / (1 + np.exp(-(EFFECT[G] - CROSSED[H])))).astype(int)
TRIALS = _rng.integers(10, 40, size=J)
SUCCESSES = _rng.binomial(TRIALS, _rng.beta(3, 5, size=J))
T = 40
WALK = np.cumsum(0.4 * _rng.normal(size=T))
SERIES = _rng.poisson(np.exp(1.5 + WALK))
LEVELS = WALK + 0.6 * _rng.normal(size=T)
# Tails heavy enough for the degrees of freedom to have an estimate.
RETURNS = np.exp(0.6 * WALK) * np.sinh(_rng.standard_t(8, size=T))
SCHOOLS = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
SCHOOL_SE = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
RING = np.roll(np.eye(J, dtype=int), 1, axis=0) + np.roll(np.eye(J, dtype=int), -1, axis=0)
AREA_COUNTS = _rng.poisson(np.exp(2.0 + 0.8 * np.sin(2 * np.pi * np.arange(J) / J)))
PLACE = np.linspace(0, 4, 24)
PLACE_COUNTS = _rng.poisson(np.exp(1.5 + np.sin(2 * PLACE)))
EXPIT = lambda v: 1 / (1 + jnp.exp(-v))  # noqa: E731


def normal(x, mean=0.0, sd=1.0):
    return stats.norm.logpdf(x, mean, sd).sum()


def poisson(k, log_rate):
    return (k * log_rate - jnp.exp(log_rate) - gammaln(k + 1.0)).sum()


def logistic(k, eta):
    return (k * eta - jnp.logaddexp(0.0, eta)).sum()


# ----- normal outcomes ---------------------------------------------------------------------


# The published data have their maximum at tau = 0; these are three times as far apart.
def _spread(p, u):
    return normal(u) + normal(3 * SCHOOLS, p["mu"] + p["tau"] * u, SCHOOL_SE)


@case(_spread, 8, mu=P, tau=P, theta=R)
def eight_schools_centred():
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    theta = pm.Normal("theta", mu, tau, shape=8)
    pm.Normal("y", theta, SCHOOL_SE, observed=3 * SCHOOLS)


@case(_spread, 8, mu=P, tau=P, theta_tilde=R)
def eight_schools_non_centred():
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    tilde = pm.Normal("theta_tilde", mu=0, sigma=1, shape=8)
    theta = pm.Deterministic("theta", mu + tau * tilde)
    pm.Normal("y", mu=theta, sigma=SCHOOL_SE, observed=3 * SCHOOLS)


@case(_spread, 8, mu=P, tau=P, **{f"theta_{i}": R for i in range(8)})
def eight_schools_in_a_loop():
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    for i in range(8):
        theta = pm.Normal(f"theta_{i}", mu, tau)
        pm.Normal(f"y_{i}", theta, SCHOOL_SE[i], observed=3 * SCHOOLS[i])


def _two_terms(p, u):
    u = u.reshape(2, J)
    mean = p["Intercept"] + p["1|g_sigma"] * u[0][G] + (p["x"] + p["x|g_sigma"] * u[1][G]) * X
    return normal(u) + normal(Y, mean, p["sigma"])


@case(
    _two_terms,
    2 * J,
    **{"Intercept": P, "x": P, "1|g_sigma": P, "1|g_offset": R, "x|g_sigma": P, "x|g_offset": R},
    sigma=P,
)
def bambi_offsets():
    intercept, slope = pm.Normal("Intercept", 0, 2.5), pm.Normal("x", 0, 2.5)
    mu = intercept + slope * X
    for name, z in (("1|g", None), ("x|g", X)):
        sigma = pm.HalfNormal(f"{name}_sigma", 2.5)
        offset = pm.Normal(f"{name}_offset", 0, 1, dims="group")
        effect = pm.Deterministic(name, offset * sigma, dims="group")
        mu = mu + (effect[G] if z is None else effect[G] * z)
    pm.Normal("y", mu, pm.HalfStudentT("sigma", nu=4, sigma=1), observed=Y)


def _correlated(p, u):
    ab = p["ab"][:, None] + _factor(p) @ u.reshape(2, J)
    return normal(u) + normal(Y, ab[0][G] + ab[1][G] * X, p["sigma"])


def _factor(p):
    low = p["chol"]
    return jnp.array([[low[0], 0.0], [low[1], low[2]]])


def _lkj():
    sd = pm.Exponential.dist(0.5, shape=2)
    return pm.LKJCholeskyCov("chol", n=2, eta=2, sd_dist=sd)[0]


@case(_correlated, 2 * J, ab=P, chol=P, z=R, sigma=P, slow=True)
def slopes_by_a_cholesky_factor():
    chol = _lkj()
    ab = pm.Normal("ab", 0, 5, dims="term")
    z = pm.Normal("z", 0.0, 1.0, dims=("term", "group"))
    by_group = pm.Deterministic("ab_group", (ab + pt.dot(chol, z).T), dims=("group", "term"))
    mu = by_group[G, 0] + by_group[G, 1] * X
    pm.Normal("y", mu, pm.Exponential("sigma", 1), observed=Y)


@case(_correlated, 2 * J, ab=P, chol=P, ab_group=R, sigma=P)
def slopes_multivariate_normal_with_dims():
    chol = _lkj()
    ab = pm.Normal("ab", 0, 5, dims="term")
    by_group = pm.MvNormal("ab_group", ab, chol=chol, dims=("group", "term"))
    mu = by_group[G, 0] + by_group[G, 1] * X
    pm.Normal("y", mu, pm.Exponential("sigma", 1), observed=Y)


@case(same_as="slopes_multivariate_normal_with_dims", ab=P, chol=P, u=R, sigma=P)
def slopes_multivariate_normal_at_zero():
    chol = _lkj()
    ab = pm.Normal("ab", 0, 5, shape=2)
    u = pm.MvNormal("u", np.zeros(2), chol=chol, shape=(J, 2))
    idx = pm.Data("idx", G)
    mu = ab[0] + u[idx, 0] + (ab[1] + u[idx, 1]) * X
    pm.Normal("y", mu, pm.Exponential("sigma", 1), observed=Y)


def _two_slopes(p, u):
    u = u.reshape(2, J)
    a = p["mu_a"] + p["sd_a"] * u[0]
    b = p["mu_b"] + p["sd_b"] * u[1]
    return normal(u) + normal(Y, a[G] + b[G] * X, p["eps"])


@case(_two_slopes, 2 * J, mu_a=P, sd_a=P, mu_b=P, sd_b=P, a=R, b=R, eps=P)
def slopes_with_data_containers():
    idx, x = pm.Data("idx", G, dims="obs"), pm.Data("x", X, dims="obs")
    mu_a, mu_b = pm.Normal("mu_a", 0, 100), pm.Normal("mu_b", 0, 100)
    sd_a, sd_b = pm.HalfNormal("sd_a", 5), pm.HalfNormal("sd_b", 5)
    a = pm.Normal("a", mu_a, sd_a, dims="group")
    b = pm.Normal("b", mu_b, sd_b, dims="group")
    pm.Normal("y", a[idx] + b[idx] * x, pm.HalfCauchy("eps", 5), observed=Y, dims="obs")


def _three_levels(p, u):
    top, low = p["mu"] + p["tau"] * u[:4], u[4:]
    low = top[CITY_OF] + p["s"] * low
    return normal(u) + normal(Y2, low[G], p["sigma"])


@case(_three_levels, 4 + J, mu=P, tau=P, s=P, country=R, city=R, sigma=P)
def three_levels_centred():
    mu, tau, s = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 2), pm.HalfNormal("s", 2)
    country = pm.Normal("country", mu, tau, shape=4)
    city = pm.Normal("city", country[CITY_OF], s, dims="group")
    pm.Normal("y", city[G], pm.HalfNormal("sigma", 2), observed=Y2)


@case(_three_levels, 4 + J, mu=P, tau=P, s=P, z_country=R, z_city=R, sigma=P)
def three_levels_non_centred():
    mu, tau, s = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 2), pm.HalfNormal("s", 2)
    z_country, z_city = pm.Normal("z_country", shape=4), pm.Normal("z_city", dims="group")
    country = pm.Deterministic("country", mu + tau * z_country)
    city = pm.Deterministic("city", country[CITY_OF] + s * z_city)
    pm.Normal("y", city[G], pm.HalfNormal("sigma", 2), observed=Y2)


def _crossed(p, u):
    mean = p["a"] + p["s_g"] * u[:J][G] + p["s_h"] * u[J:][H]
    return normal(u) + normal(Y2, mean, p["sigma"])


@case(_crossed, J + 6, a=P, s_g=P, s_h=P, g=R, h=R, sigma=P)
def crossed():
    a = pm.Normal("a", 0, 5)
    g = pm.Normal("g", 0, pm.HalfNormal("s_g", 1), dims="group")
    h = pm.Normal("h", 0, pm.HalfNormal("s_h", 1), dims="item")
    pm.Normal("y", a + g[G] + h[H], pm.HalfNormal("sigma", 1), observed=Y2)


def _zero_sum(p, u):
    # Nine independent coordinates of ten effects that sum to zero.
    effect = p["tau"] * jnp.asarray(ZERO_SUM) @ u
    return normal(u) + normal(Y2, p["a"] + effect[G], p["sigma"])


_q, _ = np.linalg.qr(np.column_stack([np.ones(J), np.eye(J)[:, : J - 1]]))
ZERO_SUM = _q[:, 1:]


@case(_zero_sum, J - 1, a=P, tau=P, effect=R, sigma=P)
def zero_sum_effects():
    effect = pm.ZeroSumNormal("effect", sigma=pm.HalfNormal("tau", 1), dims="group")
    pm.Normal("y", pm.Normal("a", 0, 5) + effect[G], pm.HalfNormal("sigma", 1), observed=Y2)


@case(_zero_sum, J - 1, a=P, tau=P, z=R, sigma=P)
def zero_sum_effects_non_centred():
    z, tau = pm.ZeroSumNormal("z", dims="group"), pm.HalfNormal("tau", 1)
    pm.Normal("y", pm.Normal("a", 0, 5) + (tau * z)[G], pm.HalfNormal("sigma", 1), observed=Y2)


STUDY_SE = 0.2 + 0.3 * _rng.uniform(size=J)
STUDIES = 0.4 + 0.5 * EFFECT + STUDY_SE * _rng.normal(size=J)
DOSE = _rng.normal(size=J)


def _meta(p, u):
    return normal(u) + normal(STUDIES, p["b0"] + p["b1"] * DOSE + p["tau"] * u, STUDY_SE)


@case(_meta, J, b0=P, b1=P, tau=P, theta=R)
def meta_regression():
    b0, b1 = pm.Normal("b0", 0, 10), pm.Normal("b1", 0, 10)
    tau = pm.HalfCauchy("tau", 1)
    theta = pm.Normal("theta", b0 + b1 * DOSE, tau, shape=J)
    pm.Normal("y", theta, STUDY_SE, observed=STUDIES)


def _student(p, u):
    mean = p["mu"] + u
    law = stats.t.logpdf(u, 4.0, 0.0, p["tau"]).sum()
    return law + normal(Y2, mean[G], p["sigma"])


@case(_student, J, mu=P, tau=P, theta=R, sigma=P)
def student_effects():
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 2)
    theta = pm.StudentT("theta", nu=4, mu=mu, sigma=tau, dims="group")
    pm.Normal("y", theta[G], pm.HalfNormal("sigma", 2), observed=Y2)


@case(same_as="student_effects", mu=P, tau=P, t=R, sigma=P)
def student_effects_non_centred():
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 2)
    t = pm.StudentT("t", nu=4, mu=0, sigma=1, dims="group")
    theta = pm.Deterministic("theta", mu + tau * t)
    pm.Normal("y", theta[G], pm.HalfNormal("sigma", 2), observed=Y2)


POSITIVE = np.exp(0.3 * Y2)


def _log_normal(p, u):
    return normal(u) + normal(POSITIVE, jnp.exp(p["m"] + p["s"] * u)[G], p["sigma"])


@case(_log_normal, J, m=P, s=P, rate=R, sigma=P)
def log_normal_effects():
    m, s = pm.Normal("m", 0, 2), pm.HalfNormal("s", 1)
    rate = pm.LogNormal("rate", m, s, dims="group")
    pm.Normal("y", rate[G], pm.HalfNormal("sigma", 1), observed=POSITIVE)


INEFFICIENT = 1.0 + 0.5 * X - np.abs(1.2 * EFFECT)[G] + 0.4 * _rng.normal(size=N)


def _frontier(p, u):
    loss = jnp.exp(u)
    law = (jnp.log(2.0) + stats.norm.logpdf(loss, 0.0, p["s_u"]) + u).sum()
    return law + normal(INEFFICIENT, p["a"] + p["b"] * X - loss[G], p["s_v"])


@case(_frontier, J, a=P, b=P, s_v=P, s_u=P, loss=R)
def half_normal_effects_of_a_frontier():
    a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
    s_v, s_u = pm.HalfNormal("s_v", 1), pm.HalfNormal("s_u", 1)
    loss = pm.HalfNormal("loss", s_u, dims="group")
    pm.Normal("y", a + b * X - loss[G], s_v, observed=INEFFICIENT)


NOISY = 1.0 + EFFECT[G] + np.exp(-0.4 + 0.8 * _rng.normal(size=J))[G] * _rng.normal(size=N)


def _scale_of_scales(p, u):
    u = u.reshape(2, J)
    spread = jnp.exp(p["ls"] + p["omega"] * u[1])
    return normal(u) + normal(NOISY, (p["mu"] + p["tau"] * u[0])[G], spread[G])


@case(_scale_of_scales, 2 * J, mu=P, tau=P, ls=P, omega=P, theta=R, v=R)
def location_and_scale_effects():
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 1)
    ls, omega = pm.Normal("ls", 0, 1), pm.HalfNormal("omega", 1)
    theta = pm.Normal("theta", mu, tau, dims="group")
    v = pm.Normal("v", 0, 1, dims="group")
    pm.Normal("y", theta[G], pm.math.exp(ls + omega * v)[G], observed=NOISY)


SINGLE = 2.0 + 0.7 * _rng.normal(size=12)


def _single(p, u):
    return normal(u) + normal(SINGLE, p["tau"] * u[0], p["sigma"])


@case(_single, 1, tau=P, b=R, sigma=P)
def one_scalar_effect():
    b = pm.Normal("b", 0, pm.HalfNormal("tau", 5))
    pm.Normal("y", b, pm.HalfNormal("sigma", 1), observed=SINGLE)


# ----- counts, binary and ordered outcomes -------------------------------------------------


def _beta_binomial(p, u):
    share = EXPIT(u)
    kappa = jnp.exp(p["kappa_log"])
    a, b = p["phi"] * kappa, (1 - p["phi"]) * kappa
    # JAX's own logarithm of the beta function is good to six digits.
    law = a * jnp.log(share) + b * jnp.log1p(-share)
    law = law + gammaln(a + b) - gammaln(a) - gammaln(b)
    constant = gammaln(TRIALS + 1.0) - gammaln(SUCCESSES + 1.0)
    constant = constant - gammaln(TRIALS - SUCCESSES + 1.0)
    data = constant + SUCCESSES * jnp.log(share) + (TRIALS - SUCCESSES) * jnp.log1p(-share)
    return (law + data).sum()


@case(_beta_binomial, J, phi=P, kappa_log=P, theta=R)
def partial_pooling_of_batting_averages():
    phi = pm.Uniform("phi", lower=0.0, upper=1.0)
    kappa_log = pm.Exponential("kappa_log", lam=1.5)
    kappa = pm.Deterministic("kappa", pt.exp(kappa_log))
    theta = pm.Beta("theta", alpha=phi * kappa, beta=(1.0 - phi) * kappa, shape=J)
    pm.Binomial("y", n=TRIALS, p=theta, observed=SUCCESSES)


def _gamma_poisson(p, u):
    law = stats.gamma.logpdf(jnp.exp(u), p["alpha"], 0.0, 1 / p["alpha"]) + u
    return law.sum() + poisson(COUNTS, jnp.log(p["rate"]) + u[G])


@case(_gamma_poisson, J, alpha=P, rate=P, frailty=R)
def gamma_poisson():
    alpha, rate = pm.Exponential("alpha", 1), pm.Exponential("rate", 0.1)
    frailty = pm.Gamma("frailty", alpha, alpha, dims="group")
    pm.Poisson("y", rate * frailty[G], observed=COUNTS)


def _rows(p, u):
    g, e = u[:J], u[J:]
    return normal(u) + poisson(COUNTS, p["a"] + p["b"] * X + p["s_g"] * g[G] + p["s_e"] * e)


@case(_rows, J + N, a=P, b=P, s_g=P, s_e=P, g=R, e=R)
def one_effect_per_row():
    a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
    g = pm.Normal("g", 0, pm.HalfNormal("s_g", 1), dims="group")
    e = pm.Normal("e", 0, pm.HalfNormal("s_e", 1), shape=N)
    pm.Poisson("y", pm.math.exp(a + b * X + g[G] + e), observed=COUNTS)


def _rasch(p, u):
    return normal(u) + logistic(BINARY, u[G] - p["difficulty"][H])


@case(_rasch, J, theta=A, difficulty=P, declared={"random": ["theta"]})
def rasch():
    theta = pm.Normal("theta", 0, 1, dims="group")
    difficulty = pm.Normal("difficulty", 0, 3, dims="item")
    pm.Bernoulli("y", logit_p=theta[G] - difficulty[H], observed=BINARY)


# Ten people are too few: some discriminations would run to infinity.
# With six questions Laplace's approximation makes one of them arbitrarily steep.
_people, ASKED = np.random.default_rng(1), 10
WHO, WHAT = np.repeat(np.arange(150), ASKED), np.tile(np.arange(ASKED), 150)
_steep, _level = np.exp(0.3 * _people.normal(size=ASKED)), _people.normal(size=ASKED)
ANSWERS = _steep[WHAT] * _people.normal(size=150)[WHO] - _level[WHAT]
ANSWERS = (_people.uniform(size=WHO.size) < EXPIT(ANSWERS)).astype(int)


def _two_parameters(p, u):
    return normal(u) + logistic(ANSWERS, p["a"][WHAT] * u[WHO] - p["d"][WHAT])


@case(_two_parameters, 150, theta=R, a=P, d=P, slow=True)
def two_parameter_item_response():
    theta = pm.Normal("theta", 0, 1, shape=150)
    a, d = pm.LogNormal("a", 0, 0.5, shape=ASKED), pm.Normal("d", 0, 2, shape=ASKED)
    pm.Bernoulli("y", logit_p=a[WHAT] * theta[WHO] - d[WHAT], observed=ANSWERS)


def _item_effects(p, u):
    persons, items = p["s_p"] * u[:J], p["s_i"] * u[J:]
    return normal(u) + logistic(BINARY, p["a"] + persons[G] - items[H])


@case(_item_effects, J + 6, a=P, s_p=P, s_i=P, person=R, item_offset=R)
def crossed_item_response():
    a = pm.Normal("a", 0, 2)
    person = pm.Normal("person", 0, pm.HalfNormal("s_p", 1), dims="group")
    item_offset, s_i = pm.Normal("item_offset", 0, 1, dims="item"), pm.HalfNormal("s_i", 1)
    item = pm.Deterministic("item_effect", item_offset * s_i, dims="item")
    pm.Bernoulli("y", logit_p=a + person[G] - item[H], observed=BINARY)


ORDERED = np.digitize(Y2 + 0.5 * _rng.normal(size=N), [0.3, 1.0, 2.0])


def _ordinal(p, u):
    cuts, eta = p["cutpoints"], (p["tau"] * u)[G] + p["b"] * X
    upper = EXPIT(jnp.concatenate([cuts, jnp.array([50.0])])[ORDERED] - eta)
    lower = EXPIT(jnp.concatenate([jnp.array([-50.0]), cuts])[ORDERED] - eta)
    return normal(u) + jnp.log(upper - lower).sum()


@case(_ordinal, J, b=P, tau=P, u=R, cutpoints=P)
def ordinal():
    b, tau = pm.Normal("b", 0, 2), pm.HalfNormal("tau", 1)
    u = pm.Normal("u", 0, tau, dims="group")
    ordered = pm.distributions.transforms.ordered
    cutpoints = pm.Normal("cutpoints", 0, 3, shape=3, transform=ordered, initval=[-1.0, 0.0, 1.0])
    pm.OrderedLogistic("y", eta=u[G] + b * X, cutpoints=cutpoints, observed=ORDERED)


CHOICE = np.stack([_rng.multinomial(12, p) for p in _rng.dirichlet([4, 3, 2], size=J)])


def _multinomial(p, u):
    u = u.reshape(J, 2) * p["tau"]
    eta = jnp.concatenate([p["a"] + u, jnp.zeros((J, 1))], axis=1)
    share = eta - logsumexp(eta, axis=1, keepdims=True)
    constant = gammaln(13.0) - gammaln(CHOICE + 1.0).sum(axis=1)
    return normal(u / p["tau"]) + constant.sum() + (CHOICE * share).sum()


@case(_multinomial, 2 * J, a=P, tau=P, u=R)
def multinomial():
    a, tau = pm.Normal("a", 0, 2, shape=2), pm.HalfNormal("tau", 1, shape=2)
    u = pm.Normal("u", 0, tau, shape=(J, 2))
    eta = pt.concatenate([a + u, pt.zeros((J, 1))], axis=1)
    pm.Multinomial("y", n=12, p=pm.math.softmax(eta, axis=1), observed=CHOICE)


def _teams(p, u):
    u = u.reshape(2, J)
    attack, defence = u - u.mean(axis=1, keepdims=True)
    eta = p["intercept"] + p["sd_att"] * attack[G] + p["sd_def"] * defence[(3 * G + H) % J]
    return normal(u) + poisson(COUNTS, eta)


@case(_teams, 2 * J, intercept=P, sd_att=P, sd_def=P, atts_star=R, defs_star=R)
def team_strengths_less_their_mean():
    intercept = pm.Normal("intercept", 3, 1)
    sd_att, sd_def = pm.HalfNormal("sd_att", 2), pm.HalfNormal("sd_def", 2)
    atts_star = pm.Normal("atts_star", 0, sd_att, dims="group")
    defs_star = pm.Normal("defs_star", 0, sd_def, dims="group")
    atts = pm.Deterministic("atts", atts_star - pt.mean(atts_star), dims="group")
    defs = pm.Deterministic("defs", defs_star - pt.mean(defs_star), dims="group")
    pm.Poisson("y", pt.exp(intercept + atts[G] + defs[(3 * G + H) % J]), observed=COUNTS)
