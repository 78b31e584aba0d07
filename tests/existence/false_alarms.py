"""How often a regular problem gets another verdict than a maximum.

``python -m tests.existence.false_alarms 10`` simulates ten data sets from each of twenty families
of models, fits each, and prints the verdicts that are no maximum. Sample sizes and effects are such
that the maximum exists, lies inside, and is identified, but for a chance that is negligible.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import pymc as pm
import pytensor.tensor as pt

import pymle

Draw = Callable[[np.random.Generator], np.ndarray]
FAMILIES: dict[str, Callable[[], tuple[pm.Model, Draw]]] = {}
FIXED = np.random.default_rng(1)
N = 120
X = np.column_stack([np.ones(N), FIXED.normal(size=(N, 2))])
BETA = np.array([0.4, 0.7, -0.5])
GROUP = np.repeat(np.arange(12), 10)
T = np.linspace(0, 1, 25)


def family(fill: Callable[[], Draw]) -> Callable[[], Draw]:
    def make() -> tuple[pm.Model, Draw]:
        with pm.Model() as model:
            draw = fill()
        return model, draw

    FAMILIES[fill.__name__.replace("_", " ")] = make
    return fill


def _eta() -> pt.TensorVariable:
    return pt.dot(X, pm.Normal("beta", 0, 5, shape=3))


def _expit(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@family
def linear_regression() -> Draw:
    pm.Normal("y", _eta(), pm.HalfNormal("sigma", 2), observed=np.zeros(N))
    return lambda rng: X @ BETA + 0.7 * rng.normal(size=N)


@family
def robust_regression() -> Draw:
    nu, sigma = pm.Gamma("nu", 2, 0.1), pm.HalfNormal("sigma", 2)
    pm.StudentT("y", nu, mu=_eta(), sigma=sigma, observed=np.zeros(N))
    return lambda rng: X @ BETA + 0.7 * rng.standard_t(2.5, size=N)


@family
def logistic_regression() -> Draw:
    pm.Bernoulli("y", logit_p=_eta(), observed=np.zeros(N, dtype=int))
    return lambda rng: rng.binomial(1, _expit(X @ BETA))


@family
def probit_regression() -> Draw:
    pm.Binomial("y", 5, pm.math.invprobit(_eta()), observed=np.zeros(N, dtype=int))
    from scipy.special import ndtr

    return lambda rng: rng.binomial(5, ndtr(X @ BETA))


@family
def poisson_regression() -> Draw:
    pm.Poisson("y", pm.math.exp(_eta()), observed=np.zeros(N, dtype=int))
    return lambda rng: rng.poisson(np.exp(X @ BETA))


@family
def negative_binomial_regression() -> Draw:
    alpha = pm.Exponential("alpha", 1)
    mu = pm.math.exp(1.0 + _eta())
    pm.NegativeBinomial("y", mu=mu, alpha=alpha, observed=np.zeros(N, dtype=int))
    return lambda rng: rng.poisson(np.exp(1 + X @ BETA) * rng.gamma(1.5, 1 / 1.5, size=N))


@family
def gamma_regression() -> Draw:
    shape = pm.HalfNormal("shape", 5)
    pm.Gamma("y", shape, shape / pm.math.exp(_eta()), observed=np.ones(N))
    return lambda rng: rng.gamma(3.0, np.exp(X @ BETA) / 3.0)


@family
def beta_regression() -> Draw:
    mean, size = pm.math.sigmoid(_eta()), pm.HalfNormal("size", 20)
    pm.Beta("y", mean * size, (1 - mean) * size, observed=np.full(N, 0.5))
    p = _expit(X @ BETA)
    return lambda rng: rng.beta(8 * p, 8 * (1 - p))


@family
def zero_inflated_counts() -> Draw:
    psi = pm.Beta("psi", 1, 1)
    pm.ZeroInflatedPoisson("y", psi, pm.math.exp(1.0 + _eta()), observed=np.zeros(N, dtype=int))
    return lambda rng: rng.binomial(1, 0.6, size=N) * rng.poisson(np.exp(1 + X @ BETA))


@family
def ordinal_regression() -> Draw:
    first = pm.Normal("first", 0, 3)
    cut = pt.stack([first, first + pm.HalfNormal("gap", 2)])
    slope = pm.Normal("slope", 0, 3, shape=2)
    zeros = np.zeros(N, dtype=int)
    pm.OrderedLogistic("y", pt.dot(X[:, 1:], slope), cut, compute_p=False, observed=zeros)
    eta = X[:, 1:] @ BETA[1:]
    return lambda rng: np.digitize(eta + rng.logistic(size=N), [-0.7, 0.8])


@family
def multinomial_regression() -> Draw:
    beta = pm.Normal("beta", 0, 3, shape=(3, 2))
    eta = pt.concatenate([pt.zeros((N, 1)), pt.dot(X, beta)], axis=1)
    pm.Categorical("y", p=pm.math.softmax(eta, axis=1), observed=np.zeros(N, dtype=int))
    truth = np.column_stack([np.zeros(N), X @ BETA, X @ -BETA])
    return lambda rng: np.argmax(truth + rng.gumbel(size=(N, 3)), axis=1)


@family
def censored_weibull() -> Draw:
    alpha = pm.HalfNormal("alpha", 3)
    dist = pm.Weibull.dist(alpha, pm.math.exp(_eta()))
    pm.Censored("y", dist, lower=None, upper=3.0, observed=np.ones(N))
    return lambda rng: np.minimum(np.exp(X @ BETA) * rng.weibull(1.6, size=N), 3.0)


@family
def lognormal_times() -> Draw:
    pm.LogNormal("y", _eta(), pm.HalfNormal("sigma", 2), observed=np.ones(N))
    return lambda rng: np.exp(X @ BETA + 0.5 * rng.normal(size=N))


@family
def autoregression() -> Draw:
    mu, rho = pm.Normal("mu", 0, 5), pm.Uniform("rho", -1, 1)
    sigma = pm.HalfNormal("sigma", 2)
    pm.AR("y", [mu, rho], sigma=sigma, constant=True, init_dist=pm.Normal.dist(0, 10), shape=N,
          observed=np.zeros(N))  # fmt: skip

    def draw(rng: np.random.Generator) -> np.ndarray:
        y = np.zeros(N)
        for i in range(1, N):
            y[i] = 1.0 + 0.5 * y[i - 1] + rng.normal()
        return y

    return draw


@family
def random_intercepts() -> Draw:
    mu, tau, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 2), pm.HalfNormal("sigma", 2)
    a = pm.Normal("a", mu, tau, shape=12)
    pm.Normal("y", a[GROUP], sigma, observed=np.zeros(N))
    return lambda rng: 1 + 1.2 * rng.normal(size=12)[GROUP] + rng.normal(size=N)


@family
def poisson_random_intercepts() -> Draw:
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 2)
    z = pm.Normal("z", 0, 1, shape=12)
    pm.Poisson("y", pm.math.exp(mu + tau * z[GROUP]), observed=np.zeros(N, dtype=int))
    return lambda rng: rng.poisson(np.exp(1 + 0.8 * rng.normal(size=12)[GROUP]))


@family
def two_separate_components() -> Draw:
    mu, w = pm.Normal("mu", 0, 5, shape=2), pm.Beta("w", 2, 2)
    sigma = pm.HalfNormal("sigma", 2)
    pm.NormalMixture("y", pt.stack([w, 1 - w]), mu, sigma, observed=np.linspace(-4, 4, N))
    return lambda rng: np.where(rng.random(N) < 0.4, -3, 3) + rng.normal(size=N)


@family
def gaussian_process() -> Draw:
    ell, eta, sigma = (pm.HalfNormal(n, 2) for n in ("ell", "eta", "sigma"))
    distance = (T[:, None] - T[None, :]) ** 2
    cov = eta**2 * pt.exp(-0.5 * distance / ell**2) + sigma**2 * pt.eye(25)
    pm.MvNormal("y", np.zeros(25), cov=cov, observed=np.sin(T))
    root = np.linalg.cholesky(np.exp(-0.5 * distance / 0.15**2) + 0.05 * np.eye(25))
    return lambda rng: root @ rng.normal(size=25)


@family
def saturating_growth() -> Draw:
    s = np.tile([0.5, 1, 2, 4, 8, 16], 20)
    vmax, km = pm.HalfNormal("vmax", 10), pm.HalfNormal("km", 10)
    pm.Normal("y", vmax * s / (km + s), pm.HalfNormal("sigma", 1), observed=np.zeros(N))
    return lambda rng: 5 * s / (2 + s) + 0.3 * rng.normal(size=N)


@family
def directions() -> Draw:
    mu, kappa = pm.VonMises("mu", 0, 0.1), pm.HalfNormal("kappa", 5)
    pm.VonMises("y", mu, kappa, observed=np.zeros(N))
    return lambda rng: rng.vonmises(0.7, 2.0, size=N)


def run(name: str, sets: int, seed: int = 0) -> list[tuple[str, str]]:
    """Verdicts of one family, with what they say.

    Parameters
    ----------
    name : str
    sets : int
    seed : int

    Returns
    -------
    list of (str, str)
    """
    model, draw = FAMILIES[name]()
    likelihood = pymle.compile(model)
    rng = np.random.default_rng([seed, list(FAMILIES).index(name)])
    out = []
    for _ in range(sets):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = likelihood.fit(data={"y": draw(rng)})
        out.append((str(fit.verdict.status), str(fit.verdict)))
    return out


def main(sets: int, seed: int = 0, names: list[str] | None = None) -> None:
    """Print one line for each family, and every alarm."""
    alarms = total = 0
    for name in names or FAMILIES:
        began = time.perf_counter()
        found = run(name, sets, seed)
        wrong = [text for status, text in found if status != "maximum"]
        alarms, total = alarms + len(wrong), total + len(found)
        print(f"{name:32} {len(wrong)} of {len(found)}  {time.perf_counter() - began:.1f} s")
        for text in wrong:
            print(f"    {text[:300]}", flush=True)
    print(f"{alarms} alarms in {total} fits ({100 * alarms / total:.2f}%)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, 0, sys.argv[2:])
