"""Maxima on the edge of a support, or in a limit that is a simpler model."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from tests.existence.case import Case, register
from tests.reference import models_distributions as samples
from tests.reference import models_hard as hard
from tests.reference.problem import load, values

CASES: dict[str, Case] = {}
EDGE, AWAY = "boundary", "no maximum"
rng = np.random.default_rng(606)


def _published(name: str, build) -> pm.Model:
    return build(load(values()[name]["data"]))


CASES["dyestuff2 marginal"] = Case(
    "dyestuff2 marginal",
    "The variance between batches is estimated at zero (lme4 warns of a singular fit).",
    lambda: _published("hard_boundary_dyestuff2", hard.boundary),
    (EDGE,),
    ("sd_batch",),
    loglik=values()["hard_boundary_dyestuff2"]["loglik"],
    only_without=("sd_batch",),
)
CASES["all successes"] = Case(
    "all successes",
    "Every trial succeeded: the probability is estimated at one.",
    lambda: _published("hard_all_successes", hard.all_successes),
    (EDGE,),
    ("p",),
    loglik=0.0,
    at={"p": 1.0},
)
CASES["all successes logit"] = Case(
    "all successes logit",
    "The same on the logit scale: the estimate is infinite.",
    lambda: _published("hard_all_successes", hard.all_successes_logit),
    (AWAY,),
    ("eta",),
    loglik=0.0,
)
CASES["student nu infinite"] = Case(
    "student nu infinite",
    "Tails lighter than normal: the degrees of freedom are infinite.",
    lambda: _published("hard_student_nu_infinite", samples.student),
    (AWAY,),
    ("nu",),
    loglik=values()["hard_student_nu_infinite"]["loglik"],
    only_without=("nu",),
)


def _dyestuff2() -> tuple[np.ndarray, np.ndarray]:
    data = load(values()["hard_boundary_dyestuff2"]["data"])
    codes = np.unique(data["batch"].to_numpy(), return_inverse=True)[1]
    return codes, data["y"].to_numpy()


@register(
    CASES,
    "The variance of an integrated random effect is estimated at zero (centred).",
    EDGE,
    names=("tau",),
    loglik=values()["hard_boundary_dyestuff2"]["loglik"],
    only_without=("tau",),
)
def random_effect_at_zero_centred() -> None:
    batch, y = _dyestuff2()
    mu, tau = pm.Normal("mu", 0, 10), pm.HalfNormal("tau", 5)
    a = pm.Normal("a", mu, tau, shape=6)
    pm.Normal("y", a[batch], pm.HalfNormal("sigma", 5), observed=y)


@register(
    CASES,
    "The same, non-centred.",
    EDGE,
    names=("tau",),
    loglik=values()["hard_boundary_dyestuff2"]["loglik"],
    only_without=("tau",),
)
def random_effect_at_zero_noncentred() -> None:
    batch, y = _dyestuff2()
    mu, tau = pm.Normal("mu", 0, 10), pm.HalfNormal("tau", 5)
    z = pm.Normal("z", 0, 1, shape=6)
    pm.Normal("y", mu + tau * z[batch], pm.HalfNormal("sigma", 5), observed=y)


@register(
    CASES,
    "Eight schools: the schools differ less than their standard errors, tau is estimated at zero.",
    EDGE,
    names=("tau",),
    only_without=("tau",),
    # The precision-weighted mean and its standard error.
    at={"mu": 7.685617, "tau": 0.0},
    with_se={"mu": 4.071919},
)
def eight_schools() -> None:
    y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    se = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    theta = pm.Normal("theta", mu, tau, shape=8)
    pm.Normal("y", theta, se, observed=y)


@register(
    CASES,
    "Counts with equal group totals: the random intercept of a Poisson regression vanishes.",
    EDGE,
    names=("tau",),
    only_without=("tau",),
    at={"mu": float(np.log(3.0))},
    with_se={"mu": 1 / np.sqrt(72.0)},
)
def poisson_intercept_at_zero() -> None:
    y = np.tile([2, 3, 4, 3], 6)
    group = np.repeat(np.arange(6), 4)
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 1)
    a = pm.Normal("a", 0, tau, shape=6)
    pm.Poisson("y", pm.math.exp(mu + a[group]), observed=y)


@register(CASES, "Two variance components, both estimated at zero.", EDGE, names=("t1", "t2"))
def two_variances_at_zero() -> None:
    y = np.array([[1.0, -1, 0.5, -0.5]] * 4) * np.array([[1.0], [-1], [1], [-1]])
    row, col = np.indices(y.shape)
    t1, t2 = pm.HalfNormal("t1", 1), pm.HalfNormal("t2", 1)
    a, b = pm.Normal("a", 0, t1, shape=4), pm.Normal("b", 0, t2, shape=4)
    mean = pm.Normal("mu", 0, 5) + a[row.ravel()] + b[col.ravel()]
    pm.Normal("y", mean, pm.HalfNormal("sigma", 1), observed=y.ravel())


@register(CASES, "No success in ten trials: the probability is zero.", EDGE, names=("p",))
def no_success() -> None:
    pm.Binomial("y", 10, pm.Beta("p", 1, 1), observed=[0])


@register(
    CASES, "The mean lies beyond the bound of its Uniform.", EDGE, names=("mu",), at={"mu": 10.0}
)
def beyond_a_uniform() -> None:
    pm.Normal("y", pm.Uniform("mu", 0, 10), 1.0, observed=[11.0, 12.5, 12.0])


@register(
    CASES,
    "A slope declared positive whose least-squares estimate is negative.",
    EDGE,
    names=("slope",),
    at={"slope": 0.0, "a": 3.0},
    only_without=("slope",),
)
def positive_slope_of_falling_data() -> None:
    x = np.arange(5.0)
    y = np.array([5.0, 4, 3, 2, 1])
    mean = pm.Normal("a", 0, 10) + pm.HalfNormal("slope", 1) * x
    pm.Normal("y", mean, pm.HalfNormal("sigma", 5), observed=y)


@register(
    CASES,
    "Counts less variable than Poisson ones: the size of the negative binomial is infinite.",
    AWAY,
    names=("alpha",),
    at={"mu": 3.0},
    with_se={"mu": float(np.sqrt(3 / 24))},
    only_without=("alpha",),
)
def negative_binomial_is_poisson() -> None:
    y = np.tile([2, 3, 4, 3], 6)
    pm.NegativeBinomial("y", mu=pm.Gamma("mu", 1, 1), alpha=pm.Exponential("alpha", 1), observed=y)


@register(
    CASES,
    "Proportions less variable than binomial ones: alpha and beta run to infinity together.",
    AWAY,
    names=("alpha", "beta"),
)
def beta_binomial_is_binomial() -> None:
    a, b = pm.Exponential("alpha", 0.1), pm.Exponential("beta", 0.1)
    pm.BetaBinomial("y", a, b, n=10, observed=[4, 5, 4, 3, 4, 4, 5, 3])


@register(
    CASES,
    "No more zeros than Poisson ones: no zero inflation.",
    EDGE,
    names=("psi",),
    at={"psi": 1.0, "mu": 3.0},
    only_without=("psi",),
    with_se={"mu": float(np.sqrt(3 / 24))},
)
def no_zero_inflation() -> None:
    y = np.tile([2, 3, 4, 3], 6)
    pm.ZeroInflatedPoisson("y", pm.Beta("psi", 1, 1), pm.Gamma("mu", 1, 1), observed=y)


@register(CASES, "A hurdle that every count passed.", EDGE, names=("psi",), at={"psi": 1.0})
def hurdle_without_zeros() -> None:
    y = np.tile([2, 3, 4, 1], 6)
    pm.HurdlePoisson("y", pm.Beta("psi", 1, 1), pm.Gamma("mu", 1, 1), observed=y)


@register(
    CASES, "A category that never occurred.", EDGE, names=("p[2]",), at={"p[0]": 0.4, "p[2]": 0.0}
)
def empty_category() -> None:
    pm.Multinomial("y", 10, pm.Dirichlet("p", np.ones(3)), observed=[4, 6, 0])


@register(
    CASES,
    "The middle category of an ordinal outcome never occurred: two cutpoints meet.",
    EDGE,
    names=("cut[1] - cut[0]",),
)
def ordinal_without_a_middle() -> None:
    x = np.tile([-1.0, 0.0, 1.0, 0.5], 8)
    y = (x + np.tile([-1, 1, 0.2, -0.4, 0.9], 7)[:32] > 0).astype(int) * 2
    cut = pm.Normal(
        "cut",
        0,
        5,
        shape=2,
        transform=pm.distributions.transforms.ordered,
        initval=np.array([-1.0, 1.0]),
    )
    pm.OrderedLogistic("y", pm.Normal("b", 0, 5) * x, cut, compute_p=False, observed=y)


@register(
    CASES,
    "Random intercepts and slopes on one line: their correlation is estimated at one.",
    EDGE,
    slow=True,
)
def correlation_at_one() -> None:
    group, x = np.repeat(np.arange(8), 4), np.tile([0.0, 1, 2, 3], 8)
    level = np.linspace(-2, 2, 8)
    noise = np.tile([0.1, -0.1, -0.1, 0.1], 8)
    y = level[group] * (1 + x) + noise
    chol, _, _ = pm.LKJCholeskyCov(
        "chol", n=2, eta=2, sd_dist=pm.HalfNormal.dist(2.0), compute_corr=True
    )
    z = pm.Normal("z", 0, 1, shape=(8, 2))
    b = pm.Deterministic("b", pt.dot(z, chol.T))
    mean = pm.Normal("b0", 0, 5) + pm.Normal("b1", 0, 5) * x + b[group, 0] + b[group, 1] * x
    pm.Normal("y", mean, pm.HalfNormal("sigma", 1), observed=y)


@register(
    CASES,
    "An autoregression that grows: its coefficient lies beyond the bound of one.",
    EDGE,
    names=("rho",),
    at={"rho": 1.0},
)
def unit_root() -> None:
    y = 1.2 ** np.arange(12.0) + np.tile([0.02, -0.03, 0.01], 4)
    pm.Normal("y", pm.Uniform("rho", -1, 1) * y[:-1], pm.HalfNormal("sigma", 1), observed=y[1:])


@register(
    CASES,
    "One component suffices: the weight of the second is zero and its mean means nothing.",
    EDGE,
    AWAY,
    "flat direction",
    slow=True,
)
def mixture_of_one() -> None:
    y = np.linspace(-1.5, 1.5, 30)
    w = pm.Beta("w", 1, 1)
    mu = pm.Normal("mu", 0, 5, shape=2)
    pm.NormalMixture("y", pt.stack([w, 1 - w]), mu, 1.0, observed=y)


@register(CASES, "All counts are zero: the rate is zero.", EDGE, names=("mu",), loglik=0.0)
def no_count() -> None:
    pm.Poisson("y", pm.Gamma("mu", 1, 1), observed=np.zeros(5, dtype=int))


@register(CASES, "The same with a log-rate: minus infinity.", AWAY, names=("eta",), loglik=0.0)
def no_count_log_rate() -> None:
    pm.Poisson("y", pm.math.exp(pm.Normal("eta", 0, 5)), observed=np.zeros(5, dtype=int))


@register(CASES, "Every lifetime is censored: the rate is zero.", EDGE, names=("rate",))
def all_censored() -> None:
    rate = pm.Exponential("rate", 1)
    pm.Censored("y", pm.Exponential.dist(rate), lower=None, upper=3.0, observed=np.full(6, 3.0))


@register(
    CASES,
    "Directions in balance: no concentration, and then the mean direction means nothing.",
    EDGE,
    "flat direction",
)
def directions_in_balance() -> None:
    angle = np.array([-3.0, -1.5, 0.0, 1.5, 3.0]) * np.pi / 3.75
    mu, kappa = pm.VonMises("mu", 0, 1), pm.HalfNormal("kappa", 2)
    pm.VonMises("y", mu, kappa, observed=angle)


@register(
    CASES,
    "A truncated normal with a spread beyond its mean: the limit is an exponential.",
    AWAY,
    "higher elsewhere",
)
def truncated_normal_is_exponential() -> None:
    y = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.9, 1.4, 2.2, 4.5])
    mu, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 5)
    pm.TruncatedNormal("y", mu, sigma, lower=0.0, observed=y)


@register(
    CASES,
    "A skew normal sample of one sign of skewness: the shape is infinite (half-normal limit).",
    AWAY,
    names=("alpha",),
)
def skew_normal_is_half_normal() -> None:
    # Few observations bunched at the left end.
    y = np.array([0.02, 0.1, 0.15, 0.3, 0.35, 0.6, 0.8, 1.1, 1.5, 2.3])
    mu, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 5)
    pm.SkewNormal("y", mu=mu, sigma=sigma, alpha=pm.Normal("alpha", 0, 5), observed=y)


@register(
    CASES,
    "Equally spaced spread in every state of an ARCH model: no effect of the past.",
    EDGE,
    names=("a1",),
)
def no_arch_effect() -> None:
    y = np.array([2.0, 0.1, -2.1, 0.2, 1.9, -0.1, -2.0, 0.15, 2.2, -0.2, 1.8, 0.1])
    a0, a1 = pm.HalfNormal("a0", 1), pm.Uniform("a1", 0, 1)
    pm.Normal("y", 0, pm.math.sqrt(a0 + a1 * y[:-1] ** 2), observed=y[1:])


@register(
    CASES, "Pairs on one line: their correlation (an LKJCorr prior) is estimated at one.", EDGE
)
def lkj_correlation_at_one() -> None:
    pair = pm.LKJCorr("pair", n=2, eta=2)
    rho = pair[0] if pair.ndim == 1 else pair[1, 0]
    cov = pt.stack([pt.stack([1.0, rho]), pt.stack([rho, 1.0])])
    y = np.linspace(-1.5, 1.5, 8)
    pm.MvNormal("y", np.zeros(2), cov=cov + 1e-2 * pt.eye(2), observed=np.column_stack([y, y]))
