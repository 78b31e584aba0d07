"""Multivariate distributions and time series, against dense linear algebra."""

from __future__ import annotations

from itertools import pairwise

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import scipy.special as sc
import scipy.stats as st

from tests.matrix.bank_discrete import logistic_cdf, over_counts
from tests.matrix.case import case

ROWS = np.array([[0.3, -1.1, 0.8], [1.9, 0.4, -0.2], [-0.6, 2.2, 1.3], [0.1, 0.0, -2.4]])
SIMPLEX = np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2], [0.05, 0.9, 0.05], [0.33, 0.33, 0.34]])
TABLE = np.array([[3, 1, 2], [0, 4, 1], [5, 5, 0], [1, 0, 7]])
SERIES = np.array([0.2, 0.5, -0.3, 0.9, 1.4, 0.7, -0.8, -0.1])
ADJACENCY = np.array([[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]])
NODES = np.array([0.4, -0.2, 1.1, -1.3])
BASE = np.array([[1.0, 0.3, -0.2], [0.3, 2.0, 0.5], [-0.2, 0.5, 1.5]])
OTHER = np.array([[1.0, -0.4], [-0.4, 0.7]])


def correlation(rho):
    """A positive definite matrix for every real rho (three variables)."""
    return np.array([[1.0, rho, 0.0], [0.0, 1.0, rho], [0.0, 0.0, 1.0]])


def covariance(rho, sigma):
    upper = correlation(rho)
    return sigma**2 * upper @ upper.T


def covariance_graph(rho, sigma):
    upper = pt.eye(3) + rho * pt.eye(3, k=1)
    return sigma**2 * upper @ upper.T


def mvnormal(mu, rho, sigma):
    return st.multivariate_normal(np.full(3, mu), covariance(rho, sigma)).logpdf(ROWS)


def mvstudent(nu, mu, rho, sigma):
    return st.multivariate_t(np.full(3, mu), covariance(rho, sigma), df=nu).logpdf(ROWS)


def dirichlet(alpha):
    alpha = np.asarray(alpha)
    constant = sc.gammaln(alpha.sum()) - sc.gammaln(alpha).sum()
    return constant + (np.log(SIMPLEX) * (alpha - 1)).sum(-1)


def dirichlet_multinomial(alpha):
    a = [mp.mpf(float(v)) for v in alpha]
    total = mp.fsum(a)

    def row(i):
        n = int(TABLE[i].sum())
        out = mp.loggamma(n + 1) + mp.loggamma(total) - mp.loggamma(n + total)
        for x, v in zip(TABLE[i], a, strict=True):
            out += mp.loggamma(int(x) + v) - mp.loggamma(int(x) + 1) - mp.loggamma(v)
        return out

    return over_counts(row, range(len(TABLE)))


def multinomial(a, b):
    logits = np.array([0.0, a, b])
    logp = logits - sc.logsumexp(logits)
    return sc.gammaln(TABLE.sum(1) + 1) - sc.gammaln(TABLE + 1).sum(1) + TABLE @ logp


def ordered_multinomial(eta, c1, gap):
    with mp.workdps(60):
        cuts = [-mp.inf, mp.mpf(c1), mp.mpf(c1) + mp.mpf(gap), mp.inf]
        cdf = [logistic_cdf(c - mp.mpf(eta)) for c in cuts]
        logp = np.array([float(mp.log(b - a)) for a, b in pairwise(cdf)])
    return sc.gammaln(TABLE.sum(1) + 1) - sc.gammaln(TABLE + 1).sum(1) + TABLE @ logp


def wishart(nu, sigma):
    return st.wishart(nu, sigma**2 * OTHER).logpdf(BASE[:2, :2])


def wishart_model(nu, sigma):
    density = pm.Wishart.dist(nu=nu, V=sigma**2 * OTHER)
    pm.Potential("y", pm.logp(density, BASE[:2, :2]))


def lkj_constant(n, eta):
    """Log of the integral of det(R)^(eta - 1): Lewandowski, Kurowicka and Joe (2009), eq. 16.

    PyMC 5.28 adds the sum of log-gammas where it should subtract it (PyMC 6.4 subtracts): its
    log-density is off by a constant that depends on eta, which it requires to be constant.
    """
    total = mp.mpf(0)
    for k in range(1, n):
        a = mp.mpf(eta) + mp.mpf(n - k - 1) / 2
        log_beta = 2 * mp.loggamma(a) - mp.loggamma(2 * a)
        total += (2 * mp.mpf(eta) - 2 + n - k) * (n - k) * mp.log(2) + (n - k) * log_beta
    return total if int(pm.__version__.split(".")[0]) >= 6 else -total


def lkj_corr(eta):
    """Density at the correlations of a factor that depends on rho; eta must be constant."""

    def total(rho):
        factor = row_normalised(rho)
        with mp.workdps(40):
            logdet = mp.mpf(2.0 * float(np.log(np.diag(factor)).sum()))
            logp = float((mp.mpf(eta) - 1) * logdet - lkj_constant(3, eta))
        # PyMC 6.4 gives the density of the Cholesky factor, PyMC 5.28 that of the correlations.
        return logp + (np.array([2, 1, 0]) @ np.log(np.diag(factor)) if LKJ_OF_FACTOR else 0.0)

    return total


def row_normalised(rho):
    lower = np.eye(3) + rho * np.tril(np.ones((3, 3)), -1)
    return lower / np.sqrt((lower**2).sum(1))[:, None]


LKJ_OF_FACTOR = pm.LKJCorr.dist(n=3, eta=1.0).type.ndim == 2
CORRELATION = np.array([[1.0, 0.4, -0.1], [0.4, 1.0, 0.3], [-0.1, 0.3, 1.0]])
CHOL = np.linalg.cholesky(np.diag([0.7, 1.4, 2.1]) @ CORRELATION @ np.diag([0.7, 1.4, 2.1]))
PACKED = CHOL[np.tril_indices(3)]


def lkj_corr_model(eta):
    def build(rho):
        lower = pt.eye(3) + rho * np.tril(np.ones((3, 3)), -1)
        factor = lower / pt.sqrt((lower**2).sum(1))[:, None]
        correlations = (factor @ factor.T)[np.triu_indices(3, 1)]
        value = factor if LKJ_OF_FACTOR else correlations
        pm.Potential("y", pm.logp(pm.LKJCorr.dist(n=3, eta=eta), value))

    return build


def lkj_chol(eta):
    return lambda scale: lkj_chol_total(eta, scale)


def lkj_chol_total(eta, scale):
    """Density of the packed Cholesky factor: LKJ x Exponential scales x Jacobian."""
    sds = np.array([0.7, 1.4, 2.1])
    diagonal = np.diag(CHOL) / sds
    kernel = sum((2 * eta - 3 + 3 - i) * np.log(diagonal[i]) for i in range(3))
    # dL -> (sd, unit-row factor): the factors of row i scale with sd_i, the diagonal is implied.
    jacobian = sum(np.log(diagonal[i]) - i * np.log(sds[i]) for i in range(3))
    prior = np.sum(-np.log(scale) - sds / scale)
    return kernel - float(lkj_constant(3, eta)) + prior + jacobian


def lkj_chol_model(eta):
    def build(scale):
        density = pm.LKJCholeskyCov.dist(
            n=3, eta=eta, sd_dist=pm.Exponential.dist(scale=scale, size=3), compute_corr=False
        )
        density = density[0] if isinstance(density, tuple) else density
        pm.Potential("y", pm.logp(density, PACKED))

    return build


def matrix_normal(rho, sigma):
    row, col = covariance(rho, sigma), OTHER
    return st.multivariate_normal(np.zeros(6), np.kron(row, col)).logpdf(ROWS[:3, :2].ravel())


def kronecker(rho, sigma, noise):
    cov = np.kron(covariance(rho, sigma), OTHER) + noise**2 * np.eye(6)
    return st.multivariate_normal(np.zeros(6), cov).logpdf(ROWS[:3, :2].ravel())


def car(mu, alpha, tau):
    """The normal density with this precision; PyMC leaves out a constant."""
    precision = tau * (np.diag(ADJACENCY.sum(0)) - alpha * ADJACENCY)
    return st.multivariate_normal(np.full(4, mu), np.linalg.inv(precision)).logpdf(NODES)


def icar(sigma):
    """The normal density of the differences and the sum; PyMC leaves out its determinant."""
    spread = 0.001 * len(NODES)
    laplacian = np.diag(ADJACENCY.sum(0)) - ADJACENCY
    precision = laplacian / sigma**2 + 1 / spread**2
    # Eigenvalues 0, 2, 2, 4 of the ring's Laplacian; the constant vector belongs to the sum.
    logdet = np.log([2.0, 2.0, 4.0]).sum() - 6 * np.log(sigma) + np.log(4 / spread**2)
    return -2 * np.log(2 * np.pi) + 0.5 * logdet - 0.5 * NODES @ precision @ NODES


def stick_breaking(alpha):
    weights = np.array([0.4, 0.25, 0.2, 0.15])
    remaining = 1 - np.concatenate([[0.0], np.cumsum(weights)[:-1]])
    sticks = (weights / remaining)[:-1]
    return np.sum(st.beta(1, alpha).logpdf(sticks) - np.log(remaining[:-1]))


def zero_sum(sigma):
    value = NODES - NODES.mean()
    return -1.5 * np.log(2 * np.pi) - 3 * np.log(sigma) - 0.5 * np.sum(value**2) / sigma**2


def zero_sum_model(sigma):
    density = pm.ZeroSumNormal.dist(sigma=sigma, shape=4)
    pm.Potential("y", pm.logp(density, NODES - NODES.mean()))


def autoregression(c, r1, r2, sigma):
    mean = c + r1 * SERIES[1:-1] + r2 * SERIES[:-2]
    start = st.norm(0, 3).logpdf(SERIES[:2]).sum()
    return start + st.norm(mean, sigma).logpdf(SERIES[2:]).sum()


def random_walk(mu, sigma):
    start = st.norm(0, 3).logpdf(SERIES[0])
    return start + st.norm(mu, sigma).logpdf(np.diff(SERIES)).sum()


def student_walk(nu, sigma):
    return st.norm(0, 3).logpdf(SERIES[0]) + st.t(nu, 0, sigma).logpdf(np.diff(SERIES)).sum()


def garch(omega, a, b, start):
    total, volatility = 0.0, start
    for i, value in enumerate(SERIES):
        if i:
            volatility = np.sqrt(omega + a * SERIES[i - 1] ** 2 + b * volatility**2)
        total += st.norm(0, volatility).logpdf(value)
    return total


def euler(rate, sigma):
    mean = SERIES[:-1] - 0.1 * rate * SERIES[:-1]
    steps = st.norm(mean, np.sqrt(0.1) * sigma).logpdf(SERIES[1:]).sum()
    return st.norm(0, 3).logpdf(SERIES[0]) + steps


def mv_walk(mu, rho, sigma):
    start = st.multivariate_normal(np.zeros(3), 9 * np.eye(3)).logpdf(ROWS[0])
    steps = st.multivariate_normal(np.full(3, mu), covariance(rho, sigma))
    return start + steps.logpdf(np.diff(ROWS, axis=0)).sum()


def mv_student_walk(nu, rho, sigma):
    start = st.multivariate_normal(np.zeros(3), 9 * np.eye(3)).logpdf(ROWS[0])
    steps = st.multivariate_t(np.zeros(3), covariance(rho, sigma), df=nu)
    return start + steps.logpdf(np.diff(ROWS, axis=0)).sum()


def start_3d():
    return pm.MvNormal.dist(np.zeros(3), 9 * np.eye(3))


SCALED = ({"rho": 0.3, "sigma": 1.2}, {"rho": -6.0, "sigma": 0.05})

CASES = (
    case(
        "AR",
        lambda c, r1, r2, sigma: pm.AR(
            "y",
            rho=pt.stack([c, r1, r2]),
            sigma=sigma,
            constant=True,
            ar_order=2,
            init_dist=pm.Normal.dist(0, 3, shape=2),
            observed=SERIES,
        ),
        autoregression,
        {"c": 0.1, "r1": 0.5, "r2": -0.2, "sigma": 0.8},
        {"c": 9.0, "r1": 3.0, "r2": 4.0, "sigma": 0.1},
        positive="sigma",
    ),
    case(
        "CAR",
        lambda mu, alpha, tau: pm.CAR(
            "y", mu=mu * np.ones(4), W=ADJACENCY, alpha=alpha, tau=tau, observed=NODES
        ),
        car,
        {"mu": 0.2, "alpha": 0.5, "tau": 1.3},
        {"mu": 6.0, "alpha": 0.97, "tau": 200.0},
        positive="tau",
    ),
    case(
        "Dirichlet",
        lambda alpha: pm.Dirichlet("y", alpha, observed=SIMPLEX),
        dirichlet,
        {"alpha": np.array([1.2, 0.7, 3.0])},
        {"alpha": np.array([60.0, 0.02, 9.0])},
        positive="alpha",
    ),
    case(
        "DirichletMultinomial",
        lambda alpha: pm.DirichletMultinomial("y", n=TABLE.sum(1), a=alpha, observed=TABLE),
        dirichlet_multinomial,
        {"alpha": np.array([1.2, 0.7, 3.0])},
        {"alpha": np.array([300.0, 0.02, 9.0])},
        positive="alpha",
    ),
    case(
        "EulerMaruyama",
        lambda rate, sigma: pm.EulerMaruyama(
            "y",
            dt=0.1,
            sde_fn=lambda x, r, s: (-r * x, s),
            sde_pars=(rate, sigma),
            init_dist=pm.Normal.dist(0, 3),
            observed=SERIES,
        ),
        euler,
        {"rate": 0.4, "sigma": 1.2},
        {"rate": 30.0, "sigma": 0.1},
        positive="sigma",
    ),
    case(
        "GARCH11",
        lambda omega, a, b, start: pm.GARCH11(
            "y", omega=omega, alpha_1=a, beta_1=b, initial_vol=start, observed=SERIES
        ),
        garch,
        {"omega": 0.2, "a": 0.3, "b": 0.4, "start": 0.7},
        {"omega": 1e-3, "a": 0.95, "b": 0.02, "start": 0.1},
        positive="omega a b start",
    ),
    case(
        "GaussianRandomWalk",
        lambda mu, sigma: pm.GaussianRandomWalk(
            "y", mu=mu, sigma=sigma, init_dist=pm.Normal.dist(0, 3), observed=SERIES
        ),
        random_walk,
        {"mu": 0.1, "sigma": 0.8},
        {"mu": 7.0, "sigma": 0.05},
        positive="sigma",
    ),
    case(
        "ICAR",
        lambda sigma: pm.ICAR("y", W=ADJACENCY, sigma=sigma, observed=NODES),
        icar,
        {"sigma": 0.8},
        {"sigma": 0.02},
        positive="sigma",
    ),
    case(
        "KroneckerNormal",
        lambda rho, sigma, noise: pm.KroneckerNormal(
            "y",
            mu=np.zeros(6),
            covs=[covariance_graph(rho, sigma), OTHER],
            sigma=noise,
            observed=ROWS[:3, :2].ravel(),
        ),
        kronecker,
        {"rho": 0.3, "sigma": 1.2, "noise": 0.5},
        {"rho": -2.0, "sigma": 0.4, "noise": 0.05},
        positive="sigma noise",
    ),
    *(
        case(
            f"LKJCholeskyCov eta {eta}",
            lkj_chol_model(eta),
            lkj_chol(eta),
            {"scale": 0.8},
            {"scale": 0.05},
            positive="scale",
        )
        for eta in (1.7, 40.0)
    ),
    *(
        case(f"LKJCorr eta {eta}", lkj_corr_model(eta), lkj_corr(eta), {"rho": 0.3}, {"rho": -9.0})
        for eta in (1.7, 40.0)
    ),
    case(
        "MatrixNormal",
        lambda rho, sigma: pm.MatrixNormal(
            "y",
            mu=np.zeros((3, 2)),
            rowcov=covariance_graph(rho, sigma),
            colcov=OTHER,
            observed=ROWS[:3, :2],
        ),
        matrix_normal,
        *({"rho": p["rho"], "sigma": p["sigma"]} for p in SCALED),
        positive="sigma",
    ),
    case(
        "Multinomial",
        lambda a, b: pm.Multinomial(
            "y", n=TABLE.sum(1), p=pm.math.softmax(pt.stack([0.0, a, b])), observed=TABLE
        ),
        multinomial,
        {"a": 0.4, "b": -0.8},
        {"a": 25.0, "b": -12.0},
    ),
    case(
        "MvGaussianRandomWalk",
        lambda mu, rho, sigma: pm.MvGaussianRandomWalk(
            "y",
            mu=mu * np.ones(3),
            cov=covariance_graph(rho, sigma),
            init_dist=start_3d(),
            observed=ROWS,
        ),
        mv_walk,
        *({"mu": 0.2, **p} for p in SCALED),
        positive="sigma",
    ),
    case(
        "MvNormal",
        lambda mu, rho, sigma: pm.MvNormal(
            "y", mu=mu * np.ones(3), cov=covariance_graph(rho, sigma), observed=ROWS
        ),
        mvnormal,
        *({"mu": 0.2, **p} for p in SCALED),
        positive="sigma",
    ),
    case(
        "MvStudentT",
        lambda nu, mu, rho, sigma: pm.MvStudentT(
            "y", nu=nu, mu=mu * np.ones(3), scale=covariance_graph(rho, sigma), observed=ROWS
        ),
        mvstudent,
        *({"nu": nu, "mu": 0.2, **p} for nu, p in zip((3.0, 200.0), SCALED, strict=True)),
        positive="nu sigma",
    ),
    case(
        "MvStudentTRandomWalk",
        lambda nu, rho, sigma: pm.MvStudentTRandomWalk(
            "y",
            nu=nu,
            mu=np.zeros(3),
            scale=covariance_graph(rho, sigma),
            init_dist=start_3d(),
            observed=ROWS,
        ),
        mv_student_walk,
        *({"nu": nu, **p} for nu, p in zip((3.0, 200.0), SCALED, strict=True)),
        positive="nu sigma",
    ),
    case(
        "OrderedMultinomial",
        lambda eta, c1, gap: pm.OrderedMultinomial(
            "y", eta=eta, cutpoints=pt.stack([c1, c1 + gap]), n=TABLE.sum(1), observed=TABLE
        ),
        ordered_multinomial,
        {"eta": 0.3, "c1": -0.5, "gap": 1.2},
        {"eta": 9.0, "c1": -2.0, "gap": 1.5},
        positive="gap",
    ),
    case(
        "RandomWalk",
        lambda nu, sigma: pm.RandomWalk(
            "y",
            innovation_dist=pm.StudentT.dist(nu=nu, mu=0, sigma=sigma),
            init_dist=pm.Normal.dist(0, 3),
            steps=len(SERIES) - 1,
            observed=SERIES,
        ),
        student_walk,
        {"nu": 3.0, "sigma": 0.8},
        {"nu": 90.0, "sigma": 0.03},
        positive="nu sigma",
    ),
    case(
        "StickBreakingWeights",
        lambda alpha: pm.StickBreakingWeights(
            "y", alpha=alpha, K=3, observed=np.array([0.4, 0.25, 0.2, 0.15])
        ),
        stick_breaking,
        {"alpha": 1.7},
        {"alpha": 90.0},
        positive="alpha",
    ),
    case(
        "Wishart",
        wishart_model,
        wishart,
        {"nu": 5.0, "sigma": 1.2},
        {"nu": 90.0, "sigma": 0.05},
        positive="nu sigma",
    ),
    case(
        "ZeroSumNormal",
        zero_sum_model,
        zero_sum,
        {"sigma": 0.8},
        {"sigma": 0.01},
        positive="sigma",
    ),
)
