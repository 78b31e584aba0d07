"""Hierarchical models whose random effects have second derivatives of a known structure."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.sparse
import pytensor.tensor as pt
import scipy.sparse

_rng = np.random.default_rng(11)
N, G, H, T = 40, 6, 5, 12
GROUP = np.concatenate([np.arange(G), _rng.integers(0, G, N - G)])
ITEM = np.concatenate([np.arange(H), _rng.integers(0, H, N - H)])
X = _rng.normal(size=(N, 2))
Y = _rng.normal(size=N)
COUNT = _rng.poisson(2.0, N)
BINARY = _rng.integers(0, 2, N)
TIME = np.concatenate([np.arange(T), _rng.integers(0, T, N - T)])
RING = np.abs(np.subtract.outer(np.arange(G), np.arange(G)))
RING = ((RING == 1) | (RING == G - 1)).astype(float)


def _fixed():
    return X @ pm.Normal("beta", 0, 1, shape=2)


def intercept_centred():
    a = pm.Normal("a", pm.Normal("mu"), pm.HalfNormal("tau"), shape=G)
    pm.Normal("y", a[GROUP] + _fixed(), pm.HalfNormal("sigma"), observed=Y)


def intercept_offset():
    z = pm.Normal("z", 0, 1, shape=G)
    a = pm.Normal("mu") + pm.HalfNormal("tau") * z
    pm.Bernoulli("y", logit_p=a[GROUP] + _fixed(), observed=BINARY)


def intercept_and_slope():
    a = pm.Normal("a", 0, pm.HalfNormal("tau_a"), shape=G)
    b = pm.Normal("b", 0, pm.HalfNormal("tau_b"), shape=G)
    eta = a[GROUP] + b[GROUP] * X[:, 0] + _fixed()
    pm.StudentT("y", nu=4, mu=eta, sigma=pm.HalfNormal("sigma"), observed=Y)


def crossed():
    a = pm.Normal("a", 0, pm.HalfNormal("tau_a"), shape=G)
    b = pm.Normal("b", 0, pm.HalfNormal("tau_b"), shape=H)
    pm.Poisson("y", mu=pm.math.exp(a[GROUP] + b[ITEM] + _fixed()), observed=COUNT)


def crossed_data():
    group, item = pm.Data("group", GROUP), pm.Data("item", ITEM)
    a = pm.Normal("a", 0, pm.HalfNormal("tau_a"), shape=G)
    b = pm.Normal("b", 0, pm.HalfNormal("tau_b"), shape=H)
    pm.Bernoulli("y", logit_p=a[group] + b[item], observed=BINARY)


def nested():
    upper = np.arange(G) % 3
    b = pm.Normal("b", 0, pm.HalfNormal("tau_b"), shape=3)
    a = pm.Normal("a", b[upper], pm.HalfNormal("tau_a"), shape=G)
    alpha = pm.HalfNormal("alpha")
    pm.NegativeBinomial("y", mu=pm.math.exp(a[GROUP]), alpha=alpha, observed=COUNT)


def matrix_of_effects():
    chol, *_ = pm.LKJCholeskyCov("chol", n=2, eta=2.0, sd_dist=pm.HalfNormal.dist(1, shape=2))
    z = pm.Normal("z", 0, 1, shape=(G, 2))
    u = pm.math.dot(chol, z.T).T
    eta = u[GROUP, 0] + u[GROUP, 1] * X[:, 0] + _fixed()
    pm.Normal("y", eta, pm.HalfNormal("sigma"), observed=Y)


def multivariate_normal():
    chol, *_ = pm.LKJCholeskyCov("chol", n=2, eta=2.0, sd_dist=pm.HalfNormal.dist(1, shape=2))
    u = pm.MvNormal("u", np.zeros(2), chol=chol, shape=(G, 2))
    eta = (u[GROUP] * X).sum(axis=1) + _fixed()
    pm.Normal("y", eta, pm.HalfNormal("sigma"), observed=Y)


def random_walk():
    start = pm.Normal.dist(0, 1)
    w = pm.GaussianRandomWalk("w", sigma=pm.HalfNormal("tau"), init_dist=start, shape=T)
    pm.Poisson("y", mu=pm.math.exp(w[TIME]), observed=COUNT)


def random_walk_by_hand():
    z = pm.Normal("z", 0, 1, shape=T)
    w = pm.HalfNormal("tau") * pt.cumsum(z)
    pm.Normal("y", w[TIME], pm.HalfNormal("sigma"), observed=Y)


def autoregression_by_slices():
    x = pm.Flat("x", shape=T)
    rho, tau = pm.Uniform("rho", -1, 1), pm.HalfNormal("tau")
    pm.Potential("law", pm.logp(pm.Normal.dist(rho * x[:-1], tau), x[1:]).sum())
    pm.Normal("y", x[TIME], pm.HalfNormal("sigma"), observed=Y)


def differences():
    x = pm.Flat("x", shape=T)
    pm.Potential("law", pm.logp(pm.Normal.dist(0, pm.HalfNormal("tau")), pt.diff(x, n=2)).sum())
    pm.Normal("y", x[TIME], pm.HalfNormal("sigma"), observed=Y)


def autoregression():
    x = pm.AR("x", rho=[0.5], sigma=pm.HalfNormal("tau"), init_dist=pm.Normal.dist(), shape=T)
    pm.Normal("y", x[TIME], pm.HalfNormal("sigma"), observed=Y)


def autoregression_by_scan():
    z = pm.Normal("z", 0, 1, shape=T)
    rho = pm.Uniform("rho", -1, 1)
    out = pytensor.scan(
        lambda e, x, r: r * x + e,
        sequences=[z],
        outputs_info=[pt.zeros(())],
        non_sequences=[rho],
        return_updates=False,
    )
    pm.Normal("y", out[TIME], pm.HalfNormal("sigma"), observed=Y)


def autoregressive_field():
    u = pm.CAR("u", mu=np.zeros(G), W=RING, alpha=0.5, tau=pm.HalfNormal("tau"), shape=G)
    pm.Poisson("y", mu=pm.math.exp(u[GROUP]), observed=COUNT)


def sparse_field():
    W = pytensor.sparse.as_sparse_or_tensor_variable(scipy.sparse.csr_matrix(RING))
    u = pm.CAR("u", mu=np.zeros(G), W=W, alpha=0.5, tau=pm.HalfNormal("tau"), shape=G)
    pm.Poisson("y", mu=pm.math.exp(u[GROUP]), observed=COUNT)


def gaussian_process():
    scale = pm.HalfNormal("scale")
    gap = np.subtract.outer(np.arange(T), np.arange(T)) / T
    z = pm.Normal("z", 0, 1, shape=T)
    f = pt.linalg.cholesky(pt.exp(-((gap / scale) ** 2)) + 0.01 * np.eye(T)) @ z
    pm.Poisson("y", mu=pm.math.exp(f[TIME]), observed=COUNT)


def zero_sum():
    a = pm.ZeroSumNormal("a", sigma=pm.HalfNormal("tau"), shape=G)
    pm.Normal("y", a[GROUP], pm.HalfNormal("sigma"), observed=Y)


def design_matrix():
    Z = pm.Data("Z", np.eye(G)[GROUP])
    a = pm.Normal("a", 0, pm.HalfNormal("tau"), shape=G)
    pm.Normal("y", Z @ a, pm.HalfNormal("sigma"), observed=Y)


def scaled_by_an_effect():
    a = pm.Normal("a", 0, pm.HalfNormal("tau_a"), shape=G)
    s = pm.Normal("s", 0, pm.HalfNormal("tau_s"), shape=G)
    pm.Normal("y", a[GROUP], pm.math.exp(s[GROUP]), observed=Y)


def gamma_effects():
    a = pm.Gamma("a", alpha=pm.HalfNormal("alpha"), beta=2.0, shape=G)
    pm.Poisson("y", mu=a[GROUP], observed=COUNT)


def mixture():
    a = pm.Normal("a", 0, pm.HalfNormal("tau"), shape=G)
    parts = [pm.Normal.dist(a[GROUP], 1.0), pm.Normal.dist(-1.0, 2.0, shape=N)]
    pm.Mixture("y", w=pm.Dirichlet("w", np.ones(2)), comp_dists=parts, observed=Y)


def categories():
    a = pm.Normal("a", 0, pm.HalfNormal("tau"), shape=(G, 3))
    p = pm.math.softmax(a[GROUP] + _fixed()[:, None], axis=1)
    pm.Categorical("y", p=p, observed=COUNT % 3)
