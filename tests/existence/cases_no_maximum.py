"""Hard cases without an interior maximum, or on a moving support.

Each case says what may be said about it and what the verdict must name; the tests next door, and
the table of hard cases, read this list.
"""

from __future__ import annotations

import numpy as np
import pymc as pm

from tests.existence.catalogue import CASES, THEME, Case, case, examined, of_theme

__all__ = ["CASES", "Case", "examined", "of_theme"]

# ---------------------------------------------------------------- separation

X = np.arange(10.0) - 4.5
SPLIT = (X > 0).astype(int)
Z = np.array([0.3, -1.0, 0.8, 0.1, -0.6, 0.5, -0.2, 1.1, -0.9, 0.4])
#: Complete in x1, quasi-complete in the dummy x2, overlapping in x3.
DUMMY = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 1.0])
MIXED = np.array([0, 1, 1, 0, 0, 1, 0, 1, 1, 1])


def regression(y, design, link="logit", names=None):
    names = names or [f"x{i}" for i in range(design.shape[1])]
    with pm.Model(coords={"column": names}) as model:
        beta = pm.Normal("beta", 0, 5, dims="column")
        eta = pm.math.dot(design, beta)
        if link == "logit":
            pm.Bernoulli("y", logit_p=eta, observed=y)
        elif link == "probit":
            pm.Bernoulli("y", p=pm.math.invprobit(eta), observed=y)
        else:
            pm.Bernoulli("y", p=1 - pm.math.exp(-pm.math.exp(eta)), observed=y)
    return model


def complete_design():
    return np.column_stack([np.ones(10), X, Z])


def quasi_design():
    return np.column_stack([np.ones(10), DUMMY, Z])


SEPARATED = ("separat", "find_MAP", "firth")


@case("no maximum", ["beta[x1]"], SEPARATED)
def logit_complete():
    return regression(SPLIT, complete_design())


@case("no maximum", ["beta[x1]"], SEPARATED)
def logit_quasi():
    return regression(MIXED, quasi_design())


@case("no maximum", ["beta[x1]"], SEPARATED)
def probit_complete():
    return regression(SPLIT, complete_design(), "probit")


@case("no maximum", ["beta[x1]"], SEPARATED)
def probit_quasi():
    return regression(MIXED, quasi_design(), "probit")


@case("no maximum", ["beta[x1]"], SEPARATED)
def cloglog_complete():
    return regression(SPLIT, complete_design(), "cloglog")


@case("no maximum", ["beta[x1]"], SEPARATED)
def cloglog_quasi():
    return regression(MIXED, quasi_design(), "cloglog")


@case("no maximum", ["beta[x1]"], SEPARATED)
def logit_large_units():
    """A separating covariate in large units: its coefficient stays small."""
    design = complete_design()
    design[:, 1] *= 1e6
    return regression(SPLIT, design)


@case("no maximum", ["beta[x1]"], SEPARATED)
def logit_wide_gap():
    """A wide gap: the score is zero to rounding close to the start."""
    design = np.column_stack([np.ones(10), np.where(SPLIT == 1, 60.0, -60.0) + X, Z])
    return regression(SPLIT, design)


@case("no maximum", ["b"], SEPARATED)
def logit_scalars():
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
        pm.Bernoulli("y", logit_p=a + b * X, observed=SPLIT)
    return model


@case("no maximum", ["beta[x1]"], SEPARATED)
def binomial_quasi():
    n = np.array([5, 6, 7, 8, 5, 6])
    y = np.array([2, 3, 4, 8, 5, 6])
    design = np.column_stack([np.ones(6), [0, 0, 0, 1, 1, 1.0], [0.1, 0.5, -0.3, 0.2, -0.6, 0.4]])
    with pm.Model(coords={"column": ["x0", "x1", "x2"]}) as model:
        beta = pm.Normal("beta", 0, 5, dims="column")
        pm.Binomial("y", n, logit_p=design @ beta, observed=y)
    return model


@case("no maximum", ["beta[x1]"], ("separat", "find_MAP"))
def poisson_empty_group():
    y = np.array([3, 5, 2, 4, 0, 0, 0])
    design = np.column_stack([np.ones(7), [0, 0, 0, 0, 1, 1, 1.0]])
    with pm.Model(coords={"column": ["x0", "x1"]}) as model:
        beta = pm.Normal("beta", 0, 5, dims="column")
        pm.Poisson("y", pm.math.exp(design @ beta), observed=y)
    return model


@case("no maximum", ["beta[x1]"], ("separat", "find_MAP"))
def negative_binomial_empty_group():
    y = np.array([3, 15, 0, 4, 9, 1, 0, 0, 0])
    design = np.column_stack([np.ones(9), [0, 0, 0, 0, 0, 0, 1, 1, 1.0]])
    with pm.Model(coords={"column": ["x0", "x1"]}) as model:
        beta, alpha = pm.Normal("beta", 0, 5, dims="column"), pm.Gamma("alpha", 2, 0.1)
        pm.NegativeBinomial("y", mu=pm.math.exp(design @ beta), alpha=alpha, observed=y)
    return model


def softmax_model(y, design):
    names = [f"x{i}" for i in range(design.shape[1])]
    with pm.Model(coords={"column": names, "level": ["b", "c"]}) as model:
        beta = pm.Normal("beta", 0, 5, dims=("column", "level"))
        eta = pm.math.concatenate([np.zeros((len(y), 1)), design @ beta], axis=1)
        pm.Categorical("y", p=pm.math.softmax(eta, axis=1), observed=y)
    return model


@case("no maximum", ["beta[x1, b]"], SEPARATED)
def softmax_complete():
    return softmax_model(np.repeat([0, 1, 2], [3, 4, 3]), np.column_stack([np.ones(10), X]))


@case("no maximum", ["beta[x1, b]", "beta[x1, c]"], SEPARATED)
def softmax_quasi():
    """The first level never occurs where the dummy is one."""
    y = np.array([0, 1, 2, 0, 1, 2, 1, 1, 2, 1])
    return softmax_model(y, np.column_stack([np.ones(10), DUMMY]))


def ordered_model(y, design, probit=False):
    names = [f"x{i + 1}" for i in range(design.shape[1])]
    with pm.Model(coords={"column": names}) as model:
        beta = pm.Normal("beta", 0, 5, dims="column")
        cuts = pm.Normal(
            "cuts",
            [-1.0, 1.0],
            5,
            transform=pm.distributions.transforms.ordered,
            initval=np.array([-1.0, 1.0]),
        )
        law = pm.OrderedProbit if probit else pm.OrderedLogistic
        law("y", eta=design @ beta, cutpoints=cuts, observed=y, compute_p=False)
    return model


@case("no maximum", ["beta[x1]"], SEPARATED)
def ordered_logistic_complete():
    return ordered_model(np.repeat([0, 1, 2], [3, 4, 3]), np.column_stack([X, Z]))


@case("no maximum", ["beta[x1]"], SEPARATED)
def ordered_logistic_quasi():
    y = np.array([0, 1, 2, 0, 1, 2, 1, 2, 2, 2])
    return ordered_model(y, np.column_stack([DUMMY, Z]))


@case("no maximum", ["beta[x1]"], SEPARATED)
def ordered_probit_complete():
    return ordered_model(np.repeat([0, 1, 2], [3, 4, 3]), np.column_stack([X, Z]), probit=True)


@case("no maximum", ["beta[x1]"], SEPARATED)
def ordered_probit_quasi():
    y = np.array([0, 1, 2, 0, 1, 2, 1, 2, 2, 2])
    return ordered_model(y, np.column_stack([DUMMY, Z]), probit=True)


# ---------------------------------------------------------------- unbounded

THEME.append("unbounded")

SAMPLE = np.array([1.3, 2.1, 2.2, 2.9, 3.4, 3.9, 4.4, 5.8, 6.1, 7.7, 8.0, 9.5])
UNBOUNDED = ("no maximum", "higher elsewhere", "local maximum")


@case(
    UNBOUNDED,
    [],
    ("single observation", "find_MAP"),
    start={"mu": [3.4, 5.0], "sd": [0.001, 2.0]},
)
def mixture_collapsing():
    with pm.Model() as model:
        mu, sd = pm.Normal("mu", 5, 5, shape=2), pm.HalfNormal("sd", 3, shape=2)
        pm.NormalMixture("y", pm.Dirichlet("w", np.ones(2)), mu, sd, observed=SAMPLE)
    return model


@case(UNBOUNDED, [], ("find_MAP",))
def mixture_from_its_own_start():
    with pm.Model() as model:
        mu, sd = pm.Normal("mu", 5, 5, shape=2), pm.HalfNormal("sd", 3, shape=2)
        pm.NormalMixture("y", pm.Dirichlet("w", np.ones(2)), mu, sd, observed=SAMPLE)
    return model


@case("no maximum", ["sigma[2]"], ("find_MAP",))
def group_of_one_with_its_own_sigma():
    group = np.array([0] * 6 + [1] * 5 + [2])
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 5, 5, shape=3), pm.HalfNormal("sigma", 3, shape=3)
        pm.Normal("y", mu[group], sigma[group], observed=SAMPLE)
    return model


@case("no maximum", ["gamma"], ("find_MAP",))
def variance_function_collapsing():
    """sd = exp(gamma0 + gamma x), and the mean can go through the point with the largest x."""
    x = np.array([0.0] * 11 + [1.0])
    with pm.Model() as model:
        mu, slope = pm.Normal("mu", 5, 5), pm.Normal("slope", 0, 5)
        g0, gamma = pm.Normal("g0", 0, 2), pm.Normal("gamma", 0, 2)
        pm.Normal("y", mu + slope * x, pm.math.exp(g0 + gamma * x), observed=SAMPLE)
    return model


@case(UNBOUNDED, [], ("find_MAP",))
def weibull_threshold():
    with pm.Model() as model:
        theta = pm.Normal("theta", 0, 2)
        alpha, beta = pm.HalfNormal("alpha", 2, initval=0.9), pm.HalfNormal("beta", 5)
        pm.Potential("y", pm.logp(pm.Weibull.dist(alpha, beta), SAMPLE - theta).sum())
    return model


@case(UNBOUNDED, ["theta"], ("find_MAP",), start={"theta": 1.2999, "alpha": 0.5, "beta": 3.0})
def weibull_threshold_near_the_smallest():
    return weibull_threshold()


@case({*UNBOUNDED, "maximum"}, [], ())
def lognormal_threshold():
    """Its local maximum; the growth begins where the threshold is within 1e-20 of a value."""
    with pm.Model() as model:
        theta = pm.Normal("theta", 0, 2)
        mu, sigma = pm.Normal("mu", 1, 2), pm.HalfNormal("sigma", 2)
        pm.Potential("y", pm.logp(pm.LogNormal.dist(mu, sigma), SAMPLE - theta).sum())
    return model


@case("no maximum", ["sigma"], ("exact", "find_MAP"))
def exactly_fitting_line():
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 10), pm.Normal("b", 0, 10)
        pm.Normal("y", a + b * X, pm.HalfNormal("sigma", 1), observed=2.0 + 3.0 * X)
    return model


@case("no maximum", ["sigma"], ("exact", "find_MAP"))
def as_many_coefficients_as_observations():
    design = np.vander(np.linspace(-1, 1, 5), 5)
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 10, shape=5)
        sigma = pm.HalfNormal("sigma", 1)
        pm.Normal("y", design @ beta, sigma, observed=np.array([1.0, 3.0, 2.0, 5.0, 4.0]))
    return model


@case("no maximum", ["sigma"], ("exact", "find_MAP"))
def constant_observations():
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 1)
        pm.Normal("y", mu, sigma, observed=np.full(6, 3.25))
    return model


@case("no maximum", ["sigma"], ("find_MAP",), start={"mu": 3.0, "sigma": 1e-3})
def student_on_repeated_values():
    """Half of the values are equal: the density of a heavy-tailed law can sit on them."""
    y = np.array([3.0] * 6 + [1.0, 7.0, 5.5])
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 3, 5), pm.HalfNormal("sigma", 1)
        pm.Cauchy("y", mu, sigma, observed=y)
    return model


@case("no maximum", ["a"], ())
def rising_ray_of_a_product():
    """Only a * b**2 falls in the data: it rises as a goes to infinity."""
    with pm.Model() as model:
        a = pm.HalfNormal("a", 5)
        pm.Exponential("y", a, observed=np.zeros(4))
    return model


@case("no maximum", [], ())
def gamma_shape_on_equal_values():
    with pm.Model() as model:
        alpha, beta = pm.Gamma("alpha", 2, 0.1), pm.Gamma("beta", 2, 0.1)
        pm.Gamma("y", alpha, beta, observed=np.full(8, 2.5))
    return model


@case("no maximum", ["kappa"], ())
def underdispersed_counts():
    """Counts less variable than Poisson: negative binomial alpha at infinity."""
    y = np.array([3, 4, 4, 5, 4, 3, 4, 5, 4, 4])
    with pm.Model() as model:
        mu, kappa = pm.Gamma("mu", 2, 0.1), pm.Gamma("kappa", 2, 0.1)
        pm.NegativeBinomial("y", mu=mu, alpha=kappa, observed=y)
    return model


# ---------------------------------------------------------------- support

THEME.append("support")


@case("edge of the support", ["theta"], ("support",))
def uniform_upper_end():
    with pm.Model() as model:
        theta = pm.HalfNormal("theta", 20)
        pm.Uniform("y", 0, theta, observed=SAMPLE, initval=None)
    return model


@case("edge of the support", ["a", "b"], ("support",))
def uniform_both_ends():
    with pm.Model() as model:
        a, b = pm.Normal("a", -5, 5, initval=-5.0), pm.Normal("b", 20, 5, initval=20.0)
        pm.Uniform("y", a, b, observed=SAMPLE)
    return model


@case("edge of the support", ["m"], ("support",))
def pareto_scale():
    with pm.Model() as model:
        alpha, m = pm.Gamma("alpha", 2, 1), pm.HalfNormal("m", 1, initval=0.5)
        pm.Pareto("y", alpha, m, observed=SAMPLE)
    return model


@case("edge of the support", ["theta"], ("support",))
def shifted_exponential():
    with pm.Model() as model:
        theta, rate = pm.Normal("theta", 0, 2), pm.HalfNormal("rate", 2)
        pm.Potential("y", pm.logp(pm.Exponential.dist(rate), SAMPLE - theta).sum())
    return model


@case("edge of the support", ["upper"], ("support",))
def truncation_point():
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 4, 3), pm.HalfNormal("sigma", 3, initval=3.0)
        upper = pm.Normal("upper", 15, 5, initval=15.0)
        pm.Truncated("y", pm.Normal.dist(mu, sigma), upper=upper, observed=SAMPLE)
    return model


@case({"edge of the support", "derivative-free", "kink", "flat direction", "not converged"}, [], ())
def uniform_of_width_one():
    """Every shift between the largest less one and the smallest is a maximum."""
    with pm.Model() as model:
        theta = pm.Normal("theta", 0.2, 1)
        pm.Uniform("y", theta, theta + 1.0, observed=np.array([0.4, 0.7, 0.9, 1.1]))
    return model
