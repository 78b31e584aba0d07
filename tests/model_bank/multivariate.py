"""Closed forms of parameters whose entries constrain each other."""

import numpy as np
import pymc as pm
from scipy import stats

from tests.model_bank.closed import Closed, block_diagonal, closed, labels

_rng = np.random.default_rng(11)


def _shares(counts):
    p = counts / counts.sum()
    return p, (np.diag(p) - np.outer(p, p)) / counts.sum()


@closed
def simplex_of_one_multinomial_row():
    counts = np.array([12, 30, 7, 51])
    with pm.Model(coords={"kind": list("abcd")}) as model:
        p = pm.Dirichlet("p", np.ones(4), dims="kind")
        pm.Deterministic("odds", p[1] / p[0])
        pm.Multinomial("y", counts.sum(), p, observed=counts)
    p, covariance = _shares(counts)
    odds = p[1] / p[0]
    return Closed(
        model,
        dict(zip(["p[a]", "p[b]", "p[c]", "p[d]"], p, strict=True)),
        covariance,
        stats.multinomial(counts.sum(), p).logpmf(counts),
        1,
        3,
        {"p[a]": "identity"},
        {"odds": (odds, odds * np.sqrt(1 / 12 + 1 / 30))},
    )


@closed
def simplex_of_categories():
    y = np.repeat([0, 1, 2], [9, 5, 16])
    with pm.Model() as model:
        pm.Categorical("y", pm.Dirichlet("p", np.array([0.5, 3.0, 9.0])), observed=y)
    p, covariance = _shares(np.bincount(y))
    return Closed(
        model,
        dict(zip(labels("p", 3), p, strict=True)),
        covariance,
        np.log(p[y]).sum(),
        30,
        2,
    )


@closed
def several_multinomial_rows_and_simplices():
    counts = np.array([[3, 4, 5], [10, 1, 2]])
    with pm.Model(coords={"site": ["n", "s"], "kind": ["x", "y", "z"]}) as model:
        p = pm.Dirichlet("p", np.ones((2, 3)), dims=("site", "kind"))
        pm.Multinomial("y", counts.sum(axis=1), p, observed=counts)
    (p0, c0), (p1, c1) = _shares(counts[0]), _shares(counts[1])
    names = [f"p[{s}, {k}]" for s in "ns" for k in "xyz"]
    return Closed(
        model,
        dict(zip(names, [*p0, *p1], strict=True)),
        block_diagonal(c0, c1),
        stats.multinomial(12, p0).logpmf(counts[0]) + stats.multinomial(13, p1).logpmf(counts[1]),
        2,
        4,
    )


@closed
def ordered_cutpoints():
    """Without covariates the cutpoints are the logits of the cumulative proportions."""
    counts = np.array([8, 14, 21, 7])
    y = np.repeat(np.arange(4), counts)
    with pm.Model() as model:
        cutpoints = pm.Normal(
            "cutpoints",
            0,
            10,
            shape=3,
            transform=pm.distributions.transforms.ordered,
            initval=np.array([-1.0, 0.0, 1.0]),
        )
        pm.OrderedLogistic("y", eta=0.0, cutpoints=cutpoints, compute_p=False, observed=y)
    n, below = counts.sum(), np.cumsum(counts)[:-1] / counts.sum()
    slope = below * (1 - below)
    covariance = np.minimum.outer(below, below) - np.outer(below, below)
    return Closed(
        model,
        dict(zip(labels("cutpoints", 3), np.log(below / (1 - below)), strict=True)),
        covariance / np.outer(slope, slope) / n,
        np.log((counts / n)[y]).sum(),
        n,
        3,
        {"cutpoints[0]": "identity"},
    )


@closed
def zero_sum_effects():
    """One-way analysis of variance, unbalanced: effects around the mean of the group means."""
    sizes = np.array([5, 8, 12])
    group = np.repeat(np.arange(3), sizes)
    y = np.array([1.0, 2.0, 6.0])[group] + _rng.normal(0, 1.2, 25)
    with pm.Model(coords={"group": ["a", "b", "c"]}) as model:
        mu = pm.Normal("mu", 0, 10)
        effect = pm.ZeroSumNormal("effect", sigma=5.0, dims="group")
        pm.Normal("y", mu + effect[group], pm.HalfNormal("sigma", 1), observed=y)
    means = np.array([y[group == g].mean() for g in range(3)])
    s = np.sqrt(np.mean((y - means[group]) ** 2))
    to_natural = np.vstack([np.full(3, 1 / 3), np.eye(3) - 1 / 3])
    of_means = to_natural @ np.diag(s**2 / sizes) @ to_natural.T
    values = to_natural @ means
    return Closed(
        model,
        {
            "mu": values[0],
            **dict(zip(["effect[a]", "effect[b]", "effect[c]"], values[1:], strict=True)),
            "sigma": s,
        },
        block_diagonal(of_means, s**2 / 50),
        stats.norm(means[group], s).logpdf(y).sum(),
        25,
        4,
        {"effect[a]": "identity"},
    )


@closed
def covariance_by_its_cholesky_factor():
    """The estimate is the sample covariance with divisor n."""
    y = _rng.multivariate_normal([1.0, -2.0], [[2.0, 0.9], [0.9, 1.0]], size=40)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1, shape=2)
        chol, corr, stds = pm.LKJCholeskyCov(
            "chol", n=2, eta=2.0, sd_dist=pm.Exponential.dist(1.0, shape=2)
        )
        pm.Deterministic("r", corr[0, 1])
        pm.Deterministic("sd", stds)
        pm.MvNormal("y", mu, chol=chol, observed=y)
    n, m, cov = 40, y.mean(axis=0), np.cov(y.T, ddof=0)
    factor = np.linalg.cholesky(cov)
    sd = np.sqrt(np.diagonal(cov))
    r = cov[0, 1] / sd.prod()
    # Bartlett: to first order the factor moves by L times independent normals, half the
    # variance on the diagonal.
    packed = factor[np.tril_indices(2)]
    a, b, c = packed
    jac = np.array([[a, 0, 0], [b, c, 0], [0, 0, c]])
    of_factor = jac @ np.diag([0.5, 1.0, 0.5]) @ jac.T / n
    derived = {"r": (r, (1 - r**2) / np.sqrt(n))}
    derived |= {f"sd[{i}]": (sd[i], sd[i] / np.sqrt(2 * n)) for i in range(2)}
    return Closed(
        model,
        {
            **dict(zip(labels("mu", 2), m, strict=True)),
            **dict(zip(labels("chol", 3), packed, strict=True)),
        },
        block_diagonal(cov / n, of_factor),
        stats.multivariate_normal(m, cov).logpdf(y).sum(),
        n,
        5,
        {"chol[0]": "identity", "chol[1]": "identity", "chol[2]": "identity"},
        derived,
    )
