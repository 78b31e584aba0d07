"""Models as PyMC users write them, with the role of each variable."""

import warnings

import numpy as np
import pymc as pm
import pytensor.tensor as pt

P, R, A, M = "parameter", "random effect", "ambiguous", "missing value"

_rng = np.random.default_rng(20)
N, J = 24, 8
X = _rng.normal(size=(N, 3))
Y = _rng.normal(size=N)
COUNTS = _rng.poisson(3, size=N)
BINARY = _rng.integers(0, 2, size=N)
FEW = np.repeat(np.arange(J), N // J)  # three rows for each of eight groups
MANY = np.repeat(np.arange(2), N // 2)  # twelve rows for each of two groups
COORDS = {"group": [f"g{i}" for i in range(J)], "predictor": ["x1", "x2", "x3"]}

CASES = {}


def case(**roles):
    """Register a model with the roles expected of (some of) its variables."""

    def register(build):
        CASES[build.__name__] = (build, roles)
        return build

    return register


def model_of(name):
    build, _ = CASES[name]
    with warnings.catch_warnings(), pm.Model(coords=COORDS) as model:
        # PyMC says that it will impute masked data.
        warnings.simplefilter("ignore")
        build()
    return model


def observe(mu, sigma=1.0):
    return pm.Normal("y", mu, sigma, observed=Y)


# ----- parameters --------------------------------------------------------------------------


@case(beta=P, sigma=P, y="observed")
def coefficients_of_a_design_matrix():
    beta = pm.Normal("beta", 0, 1, dims="predictor")
    observe(X @ beta, pm.HalfNormal("sigma", 1))


@case(beta=P, sigma=P, X="data", mu="deterministic")
def coefficients_with_data_container():
    beta = pm.Normal("beta", 0, 1, dims="predictor")
    data = pm.Data("X", X)
    mu = pm.Deterministic("mu", pm.math.dot(data, beta))
    observe(mu, pm.HalfNormal("sigma", 1))


@case(beta=P)
def coefficients_multiplied_and_summed():
    beta = pm.Normal("beta", 0, 1, shape=3)
    observe((X * beta).sum(axis=1))


@case(alpha=P, beta=P, sigma=P)
def scalar_coefficients():
    alpha, beta = pm.Normal("alpha", 0, 1), pm.Normal("beta", 0, 1)
    observe(alpha + beta * X[:, 0], pm.HalfNormal("sigma", 1))


@case(beta=P, sigma=P)
def coefficients_in_units_of_sigma():
    beta = pm.Normal("beta", 0, 1, shape=3)
    sigma = pm.HalfNormal("sigma", 1)
    observe(sigma * (X @ beta), sigma)


@case(w_in=P, w_out=P, b=P, sigma=P)
def network_weights():
    w_in = pm.Normal("w_in", 0, 1, shape=(3, 4))
    b = pm.Normal("b", 0, 1, shape=4)
    w_out = pm.Normal("w_out", 0, 1, shape=4)
    observe(pt.tanh(X @ w_in + b) @ w_out, pm.HalfNormal("sigma", 1))


@case(w1=P, w2=P, w3=P)
def deep_network_weights():
    w1 = pm.Normal("w1", 0, 1, shape=(3, 4))
    w2 = pm.Normal("w2", 0, 1, shape=(4, 4))
    w3 = pm.Normal("w3", 0, 1, shape=4)
    logit = pm.math.dot(pm.math.tanh(pm.math.dot(pm.math.tanh(pm.math.dot(X, w1)), w2)), w3)
    pm.Bernoulli("y", logit_p=logit, observed=BINARY)


@case(alpha=P, sigma=P)
def wide_group_intercepts():
    alpha = pm.Normal("alpha", 0, 10, dims="group")
    observe(alpha[FEW], pm.HalfNormal("sigma", 1))


@case(alpha=P, sigma=P)
def standard_group_intercepts_many_rows():
    alpha = pm.Normal("alpha", 0, 1, shape=2)
    observe(alpha[MANY], pm.HalfNormal("sigma", 1))


@case(alpha=P, idx="data")
def standard_group_intercepts_many_rows_data_index():
    idx = pm.Data("idx", MANY)
    alpha = pm.Normal("alpha", 0, 1, shape=2)
    observe(alpha[idx])


@case(w=P, mu=P, sigma=P)
def mixture_components():
    w = pm.Dirichlet("w", np.ones(2))
    mu = pm.Normal("mu", 0, 1, shape=2)
    sigma = pm.HalfNormal("sigma", 1, shape=2)
    pm.NormalMixture("y", w, mu, sigma, observed=Y)


@case(eta=P, cutpoints=P)
def ordinal_regression():
    eta = pm.Normal("eta", 0, 1, shape=3)
    cutpoints = pm.Normal(
        "cutpoints",
        0,
        1,
        shape=2,
        transform=pm.distributions.transforms.ordered,
        initval=np.array([-1.0, 1.0]),
    )
    pm.OrderedLogistic("y", eta=X @ eta, cutpoints=cutpoints, observed=BINARY + MANY)


@case(theta=P, u=P, y="observed")
def uniform_with_a_free_bound():
    theta = pm.HalfNormal("theta", 10)
    u = pm.Uniform("u", 0, theta)
    observe(u)


@case(mu=P, idle="unused")
def a_variable_that_reaches_nothing():
    pm.Normal("idle", 0, 1)
    observe(pm.Normal("mu", 0, 1))


@case(n=P)
def length_scale_and_noise_of_a_marginal_process():
    n = pm.HalfNormal("n", 1)
    cov = pm.gp.cov.ExpQuad(1, ls=0.5)
    pm.gp.Marginal(cov_func=cov).marginal_likelihood("y", X=X[:, :1], y=Y, sigma=n)


# ----- random effects ----------------------------------------------------------------------


@case(mu=P, tau=P, theta=R)
def centred():
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    theta = pm.Normal("theta", mu, tau, dims="group")
    observe(theta[FEW])


@case(mu=P, tau=P, z=R, theta="deterministic")
def non_centred_with_dims():
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    z = pm.Normal("z", 0, 1, dims="group")
    theta = pm.Deterministic("theta", mu + tau * z, dims="group")
    observe(theta[FEW])


@case(tau=P, z=R)
def non_centred_indexed_first():
    tau = pm.HalfNormal("tau", 1)
    z = pm.Normal("z", 0, 1, shape=J)
    observe(pm.Normal("mu", 0, 1) + tau * z[FEW])


@case(tau=P, z=R)
def non_centred_many_rows_per_group():
    tau = pm.HalfNormal("tau", 1)
    z = pm.Normal("z", 0, 1, shape=2)
    observe((z * tau)[MANY])


@case(log_tau=P, z=R)
def non_centred_by_a_deterministic_scale():
    log_tau = pm.Normal("log_tau", 0, 1)
    tau = pm.Deterministic("tau", pm.math.exp(log_tau))
    z = pm.Normal("z", 0, 1, dims="group")
    observe((z * tau)[FEW])


@case(z=R, tau=P, group_idx="data")
def non_centred_data_index():
    group = pm.Data("group_idx", FEW)
    tau = pm.HalfNormal("tau", 1)
    z = pm.Normal("z", 0, 1, dims="group")
    observe(pm.Normal("mu", 0, 1) + z[group] * tau)


@case(z=R, sd=P)
def non_centred_matrix():
    sd = pm.HalfNormal("sd", 1, shape=2)
    z = pm.Normal("z", 0, 1, shape=(J, 2))
    effects = z * sd
    observe(effects[FEW, 0] + effects[FEW, 1] * X[:, 0])


@case(z=R, chol=P)
def non_centred_cholesky():
    chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=2, sd_dist=pm.Exponential.dist(1, shape=2))
    z = pm.Normal("z", 0, 1, shape=(2, J))
    effects = pt.dot(chol, z).T
    observe(effects[FEW, 0] + effects[FEW, 1] * X[:, 0])


@case(effects=R, chol=P, mu=P)
def varying_slopes_centred():
    chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=2, sd_dist=pm.Exponential.dist(1, shape=2))
    mu = pm.Normal("mu", 0, 1, shape=2)
    effects = pm.MvNormal("effects", mu, chol=chol, shape=(J, 2))
    observe(effects[FEW, 0] + effects[FEW, 1] * X[:, 0])


@case(a_country=R, a_city=R, tau=P, s=P, mu=P)
def nested_effects():
    mu, tau, s = pm.Normal("mu", 0, 1), pm.HalfNormal("tau", 1), pm.HalfNormal("s", 1)
    a_country = pm.Normal("a_country", mu, tau, shape=2)
    a_city = pm.Normal("a_city", a_country[np.arange(J) // 4], s, dims="group")
    observe(a_city[FEW])


@case(lam=R, a=P, b=P)
def gamma_frailties():
    a, b = pm.Exponential("a", 1), pm.Exponential("b", 1)
    lam = pm.Gamma("lam", a, b, dims="group")
    pm.Poisson("y", lam[FEW], observed=COUNTS)


@case(p=R, kappa=P, phi=P)
def beta_probabilities():
    phi, kappa = pm.Uniform("phi", 0, 1), pm.Pareto("kappa", 1.5, 1)
    p = pm.Beta("p", phi * kappa, (1 - phi) * kappa, dims="group")
    pm.Bernoulli("y", p[FEW], observed=BINARY)


@case(tau=P, effect=R)
def zero_sum_effects_with_a_scale():
    effect = pm.ZeroSumNormal("effect", sigma=pm.HalfNormal("tau", 1), dims="group")
    observe(effect[FEW])


@case(level=R, rho=P, s=P)
def latent_autoregression():
    rho, s = pm.Uniform("rho", -1, 1), pm.HalfNormal("s", 1)
    level = pm.AR("level", rho, s, init_dist=pm.Normal.dist(0, 1), shape=N)
    pm.Poisson("y", pm.math.exp(level), observed=COUNTS)


@case(level=R, s=P)
def latent_random_walk():
    s = pm.Exponential("s", 10)
    level = pm.GaussianRandomWalk("level", sigma=s, init_dist=pm.Normal.dist(0, 1), shape=N)
    pm.StudentT("y", nu=4, lam=pm.math.exp(-2 * level), observed=Y)


@case(steps=R, s=P)
def cumulated_steps():
    s = pm.HalfNormal("s", 1)
    steps = pm.Normal("steps", 0, 1, shape=N)
    observe((s * steps).cumsum())


@case(f=R, ell=P)
def process_as_multivariate_normal():
    ell = pm.Gamma("ell", 2, 1)
    covariance = pm.gp.cov.ExpQuad(1, ls=ell)(X[:, :1]) + 1e-6 * pt.eye(N)
    f = pm.MvNormal("f", np.zeros(N), covariance, shape=N)
    pm.Bernoulli("y", logit_p=f, observed=BINARY)


@case(f_rotated_=R, ell=P, eta=P)
def latent_process():
    ell, eta = pm.Gamma("ell", 2, 1), pm.HalfNormal("eta", 1)
    process = pm.gp.Latent(cov_func=eta**2 * pm.gp.cov.ExpQuad(1, ls=ell))
    pm.Poisson("y", pm.math.exp(process.prior("f", X=X[:, :1])), observed=COUNTS)


@case(f_hsgp_coeffs=R, ell=P, eta=P)
def hilbert_space_process():
    ell, eta = pm.Gamma("ell", 2, 1), pm.HalfNormal("eta", 1)
    process = pm.gp.HSGP(m=[6], c=1.5, cov_func=eta**2 * pm.gp.cov.ExpQuad(1, ls=ell))
    observe(process.prior("f", X=X[:, :1]))


@case(z=R, tau=P)
def horseshoe():
    tau = pm.HalfCauchy("tau", 1)
    lam = pm.HalfCauchy("lam", 1, dims="predictor")
    z = pm.Normal("z", 0, 1, dims="predictor")
    observe(X @ (z * lam * tau), pm.HalfNormal("sigma", 1))


@case(beta=R, tau=P)
def centred_shrinkage():
    tau = pm.HalfCauchy("tau", 1)
    beta = pm.Normal("beta", 0, tau, dims="predictor")
    observe(X @ beta)


@case(ability=R, discrimination=P)
def two_parameter_item_response():
    ability = pm.Normal("ability", 0, 1, dims="group")
    discrimination = pm.LogNormal("discrimination", 0, 1, shape=3)
    item = np.tile(np.arange(3), J)
    pm.Bernoulli("y", logit_p=discrimination[item] * ability[FEW], observed=BINARY)


@case(**{"1|g_offset": R, "1|g_sigma": P, "1|g": "deterministic", "Intercept": P})
def formula_style_offsets():
    scale = pm.HalfNormal("1|g_sigma", 2.5)
    offset = pm.Normal("1|g_offset", 0, 1, dims="group")
    effect = pm.Deterministic("1|g", offset * scale, dims="group")
    observe(pm.Normal("Intercept", 0, 2.5) + effect[FEW])


@case(x_true=R, m=P, s=P, slope=P)
def measurement_error():
    m, s = pm.Normal("m", 0, 1), pm.HalfNormal("s", 1)
    x_true = pm.Normal("x_true", m, s, shape=N)
    pm.Normal("x_seen", x_true, 0.5, observed=X[:, 0])
    observe(pm.Normal("slope", 0, 1) * x_true)


RING = np.roll(np.eye(J, dtype=int), 1, axis=0) + np.roll(np.eye(J, dtype=int), -1, axis=0)


@case(phi=R, s=P)
def scaled_intrinsic_autoregression():
    phi = pm.ICAR("phi", W=RING)
    s = pm.HalfNormal("s", 1)
    pm.Poisson("y", pm.math.exp(s * phi[FEW]), observed=COUNTS)


# ----- what the graph leaves open ----------------------------------------------------------


@case(ability=A, difficulty=P)
def rasch_abilities():
    # Three answers for each of eight persons; eight for each of three items would still be
    # few, so the items' prior is wide.
    ability = pm.Normal("ability", 0, 1, dims="group")
    difficulty = pm.Normal("difficulty", 0, 3, shape=3)
    item = np.tile(np.arange(3), J)
    pm.Bernoulli("y", logit_p=ability[FEW] - difficulty[item], observed=BINARY)


@case(alpha=A, sigma=P)
def standard_group_intercepts_few_rows():
    alpha = pm.Normal("alpha", 0, 1, dims="group")
    observe(alpha[FEW], pm.HalfNormal("sigma", 1))


@case(alpha=A)
def standard_group_intercepts_few_rows_data_index():
    idx = pm.Data("idx", FEW)
    alpha = pm.Normal("alpha", 0, 1, dims="group")
    observe(alpha[idx])


@case(phi=A)
def intrinsic_autoregression_of_unit_scale():
    phi = pm.ICAR("phi", W=RING)
    pm.Poisson("y", pm.math.exp(phi[FEW]), observed=COUNTS)


@case(eps=A)
def one_standard_effect_per_row():
    eps = pm.Normal("eps", 0, 1, shape=N)
    pm.Poisson("y", pm.math.exp(pm.Normal("mu", 0, 5) + eps), observed=COUNTS)


@case(phi=A, s=P)
def law_written_as_a_potential():
    phi = pm.Normal("phi", 0, 10, shape=J)
    s = pm.HalfNormal("s", 1)
    left, right = np.arange(J - 1), np.arange(1, J)
    step = phi[left] - phi[right]
    pm.Potential("icar", -(J - 1) * pm.math.log(s) - 0.5 * pm.math.sum(step**2) / s**2)
    pm.Poisson("y", pm.math.exp(phi[FEW]), observed=COUNTS)


@case(phi=A, s=P)
def unit_law_as_a_potential_scaled_later():
    phi = pm.Flat("phi", shape=J)
    s = pm.HalfNormal("s", 1)
    pm.Potential("icar", -0.5 * pm.math.sum((phi[:-1] - phi[1:]) ** 2))
    pm.Poisson("y", pm.math.exp(s * phi[FEW]), observed=COUNTS)


# ----- Potentials, missing values, discrete variables --------------------------------------


@case(mu=P, bump="potential")
def potential_as_a_penalty():
    mu = pm.Normal("mu", 0, 10)
    pm.Potential("bump", -0.5 * (mu - 3.0) ** 2)
    observe(mu)


@case(mu=P, loglike="potential")
def potential_as_the_likelihood():
    mu = pm.Normal("mu", 0, 10)
    pm.Potential("loglike", -0.5 * pm.math.sum((Y - mu) ** 2))


@case(mu=P, extra="potential")
def potential_with_data_beside_an_observed_variable():
    mu = pm.Normal("mu", 0, 10)
    pm.Potential("extra", -0.5 * pm.math.sum((X[:, 0] - mu) ** 2))
    observe(mu)


@case(y_unobserved=M, mu=P, sigma=P, y_observed="observed")
def missing_response():
    mu, sigma = pm.Normal("mu", 0, 1), pm.HalfNormal("sigma", 1)
    seen = np.ma.masked_array(Y, mask=np.arange(N) < 2)
    pm.Normal("y", mu, sigma, observed=seen)


@case(x_unobserved=M, beta=P)
def missing_covariate():
    # The law of a partly observed variable is model even where its arguments are constants.
    seen = np.ma.masked_array(X[:, 0], mask=np.arange(N) < 2)
    x = pm.Normal("x", 0, 1, observed=seen)
    observe(pm.Normal("beta", 0, 1) * x)


@case(switch="discrete", early=P, late=P)
def switch_point():
    switch = pm.DiscreteUniform("switch", 0, N)
    early, late = pm.Exponential("early", 1), pm.Exponential("late", 1)
    pm.Poisson("y", pm.math.switch(switch >= np.arange(N), early, late), observed=COUNTS)


@case(z="discrete", mu=P)
def class_memberships():
    z = pm.Categorical("z", [0.5, 0.5], shape=N)
    mu = pm.Normal("mu", 0, 1, shape=2)
    observe(mu[z])


# ----- what is no evidence -----------------------------------------------------------------


@case(beta=P, sigma=P, cv="deterministic")
def report_of_a_ratio():
    beta = pm.Normal("beta", 0, 1, shape=3)
    sigma = pm.HalfNormal("sigma", 1)
    pm.Deterministic("cv", sigma / beta[0])
    observe(X @ beta, sigma)


@case(beta=P, tau=P)
def prediction_that_nothing_observes():
    beta, tau = pm.Normal("beta", 0, 1, shape=3), pm.HalfNormal("tau", 1)
    observe(X @ beta, tau)
    pm.Normal("new", tau * beta, 1.0)


@case(theta=P)
def short_vector_with_a_potential():
    theta = pm.Normal("theta", 0, 1, shape=2)
    pm.Potential("ll", -((theta - 1.0) ** 2).sum())
    pm.Normal("y", theta[0], 1.0, observed=1.0)


@case(theta=P)
def two_coefficients_and_one_observation():
    theta = pm.Normal("theta", 0, 1, shape=2)
    pm.Normal("y", theta.sum(), 1.0, observed=[1.0])
