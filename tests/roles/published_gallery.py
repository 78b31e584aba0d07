"""Models of PyMC's gallery, of bambi, and hand-written state equations, at small sizes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt

from tests.roles.published import BINARY, COUNTS, GROUP, A, J, M, N, P, R, X, Y, case

_rng = np.random.default_rng(8)

# ----- groups ------------------------------------------------------------------------------

FLOOR = (np.arange(N) % 3 == 0).astype(float)
URANIUM = _rng.normal(size=J)


@case(gamma=P, sigma_a=P, eps_a=R, b=P, sigma_y=P)
def radon_with_a_county_predictor():
    gamma = pm.Normal("gamma", 0.0, sigma=10.0, shape=2)
    mu_a = pm.Deterministic("mu_a", gamma[0] + gamma[1] * pm.Data("u", URANIUM))
    sigma_a = pm.Exponential("sigma_a", 1)
    eps_a = pm.Normal("eps_a", 0, sigma_a, shape=J)
    a = pm.Deterministic("a", mu_a + eps_a)
    theta = a[pm.Data("county_idx", GROUP)] + pm.Normal("b", 0.0, 10.0) * FLOOR
    pm.Normal("y", theta, sigma=pm.Exponential("sigma_y", 1), observed=Y)


@case(mu_a=P, sigma_a=P, mu_b=P, sigma_b=P, z_a=R, z_b=R, sigma_y=P)
def radon_varying_intercept_and_slope():
    mu_a, mu_b = pm.Normal("mu_a", 0.0, 5.0), pm.Normal("mu_b", 0.0, 1.0)
    sigma_a, sigma_b = pm.Exponential("sigma_a", 1), pm.Exponential("sigma_b", 0.5)
    z_a, z_b = pm.Normal("z_a", 0, 1, shape=J), pm.Normal("z_b", 0, 1, shape=J)
    a = pm.Deterministic("a", mu_a + z_a * sigma_a)
    b = pm.Deterministic("b", mu_b + z_b * sigma_b)
    pm.Normal("y", a[GROUP] + b[GROUP] * FLOOR, pm.Exponential("sigma_y", 1), observed=Y)


@case(chol=P, mu_ab=P, z=R, sigma_y=P)
def radon_correlated_non_centred():
    chol, _, stds = pm.LKJCholeskyCov("chol", n=2, eta=2.0, sd_dist=pm.Exponential.dist(0.5))
    mu_ab = pm.Normal("mu_ab", 0.0, 5.0, shape=2)
    z = pm.Normal("z", 0.0, 1.0, shape=(2, J))
    ab = pm.Deterministic("ab", (mu_ab[:, None] + pt.dot(chol, z)).T)
    theta = ab[GROUP, 0] + ab[GROUP, 1] * FLOOR
    pm.Deterministic("ratio", stds[1] / stds[0])
    pm.Normal("y", theta, sigma=pm.Exponential("sigma_y", 1.0), observed=Y)


@case(packed=P, mu_ab=P, ab=R, sigma_y=P)
def radon_correlated_centred_with_packed_factor():
    packed = pm.LKJCholeskyCov(
        "packed", n=2, eta=2.0, sd_dist=pm.Exponential.dist(0.5), compute_corr=False
    )
    chol = pm.expand_packed_triangular(2, packed, lower=True)
    mu_ab = pm.Normal("mu_ab", 0.0, 5.0, shape=2)
    ab = pm.MvNormal("ab", mu=mu_ab, chol=chol, shape=(J, 2))
    theta = ab[GROUP, 0] + ab[GROUP, 1] * FLOOR
    pm.Normal("y", theta, sigma=pm.Exponential("sigma_y", 1.0), observed=Y)


@case(phi=P, kappa_log=P, theta=R, theta_new=R)
def batting_averages():
    phi = pm.Uniform("phi", lower=0.0, upper=1.0)
    kappa_log = pm.Exponential("kappa_log", lam=1.5)
    kappa = pm.Deterministic("kappa", pt.exp(kappa_log))
    theta = pm.Beta("theta", alpha=phi * kappa, beta=(1.0 - phi) * kappa, shape=J)
    pm.Beta("theta_new", alpha=phi * kappa, beta=(1.0 - phi) * kappa)
    pm.Binomial("y", n=45, p=theta, observed=COUNTS[:J])


@case(frac=P, conc=P, p=R)
def dirichlet_mixture_of_multinomials():
    frac, conc = pm.Dirichlet("frac", a=np.ones(3)), pm.Lognormal("conc", mu=1, sigma=1)
    p = pm.Dirichlet("p", a=frac * conc, shape=(J, 3))
    counts = _rng.multinomial(30, [0.5, 0.3, 0.2], size=J)
    pm.Multinomial("counts", n=30, p=p, observed=counts)


@case(beta0=P, sigma=P, zero_sum=R, other=P)
def zero_sum_groups_and_a_zero_sum_factor():
    beta0, sigma = pm.Normal("beta0", 0, 5), pm.HalfNormal("sigma", 1)
    groups = pm.ZeroSumNormal("zero_sum", sigma=pm.HalfNormal("other", 1), shape=J)
    pm.Normal("y", beta0 + groups[GROUP], sigma, observed=Y)


@case(w=P, mu=P, u=R, tau=P, sigma=P)
def mixture_with_group_effects():
    w = pm.Dirichlet("w", np.ones(2))
    mu = pm.Normal("mu", [-1, 1], 2, shape=2)
    u = pm.Normal("u", 0, pm.HalfNormal("tau", 1), shape=J)
    sigma = pm.HalfNormal("sigma", 1)
    means = mu[None, :] + u[GROUP][:, None]
    pm.NormalMixture("y", w=w, mu=means, sigma=sigma, observed=Y)


@case(psi=P, a=P, u=R, tau=P)
def zero_inflated_counts_with_group_effects():
    psi, a = pm.Beta("psi", 1, 1), pm.Normal("a", 0, 2)
    u = pm.Normal("u", 0, pm.HalfNormal("tau", 1), shape=J)
    pm.ZeroInflatedPoisson("y", psi=psi, mu=pm.math.exp(a + u[GROUP]), observed=COUNTS)


@case(lambda0=P, beta=P, frailty=R, k=P)
def piecewise_survival_with_gamma_frailty():
    lambda0, beta = pm.Gamma("lambda0", 0.01, 0.01, shape=3), pm.Normal("beta", 0, 10)
    k = pm.Gamma("k", 1, 1)
    frailty = pm.Gamma("frailty", alpha=k, beta=k, shape=J)
    rate = lambda0[np.arange(N) % 3] * pm.math.exp(beta * X[:, 0]) * frailty[GROUP]
    pm.Poisson("events", mu=rate, observed=BINARY)


@case(delta_theta=R, delta_b=R, sigma_theta=P, sigma_b=P, mu_theta=P)
def basketball_fouls():
    delta_theta, delta_b = pm.Normal("delta_theta", shape=J), pm.Normal("delta_b", shape=6)
    sigma_theta, sigma_b = pm.HalfNormal("sigma_theta", 2.5), pm.HalfNormal("sigma_b", 2.5)
    mu_theta = pm.Normal("mu_theta", 0, 1)
    theta = pm.Deterministic("theta", delta_theta * sigma_theta + mu_theta)
    b = pm.Deterministic("b", (delta_b - delta_b.mean()) * sigma_b)
    eta = theta[GROUP] - b[np.arange(N) % 6]
    pm.Bernoulli("foul", logit_p=eta, observed=BINARY)


@case(Ability=R, Difficulty_SD=P, Difficulty=R, Discrimination=P)
def two_parameter_items_with_drawn_difficulties():
    ability = pm.Normal("Ability", mu=0, sigma=1, shape=12)
    spread = pm.HalfNormal("Difficulty_SD", sigma=1)
    difficulty = pm.Normal("Difficulty", mu=0, sigma=spread, shape=5)
    discrimination = pm.LogNormal("Discrimination", 0, 0.5, shape=5)
    kernel = discrimination[:, None] * (ability[None, :] - difficulty[:, None])
    pm.Bernoulli("y", pm.math.sigmoid(kernel), observed=_rng.integers(0, 2, size=(5, 12)))


@case(F=A, W=A, psi=P)
def factor_analysis():
    loadings = pm.Normal("W", 0, 1, shape=(4, 2))
    factors = pm.Normal("F", 0, 1, shape=(2, N))
    pm.Normal("y", loadings @ factors, pm.HalfNormal("psi", 1), observed=_rng.normal(size=(4, N)))


# ----- series ------------------------------------------------------------------------------


@case(step_size=P, volatility=R, nu=P)
def stochastic_volatility():
    step_size, nu = pm.Exponential("step_size", 10), pm.Exponential("nu", 0.1)
    start = pm.Normal.dist(0, 100)
    volatility = pm.GaussianRandomWalk("volatility", sigma=step_size, init_dist=start, shape=N)
    pm.StudentT("returns", nu=nu, lam=pm.math.exp(-2 * volatility), observed=Y)


@case(coefs=P, sigma=P, ar1=R, likelihood_sigma=P)
def latent_autoregression_with_a_constant():
    coefs, sigma = pm.Normal("coefs", [0.5, 0.5], 0.5, shape=2), pm.HalfNormal("sigma", 1)
    start = pm.Normal.dist(0, 1, shape=1)
    ar1 = pm.AR("ar1", coefs, sigma=sigma, init_dist=start, constant=True, steps=N - 1)
    pm.Normal("y", ar1, pm.HalfNormal("likelihood_sigma", 3), observed=Y)


@case(chol_cov=P, alpha=R, sigma=P)
def multivariate_random_walk():
    sd = pm.HalfNormal.dist(1, shape=2)
    chol, *_ = pm.LKJCholeskyCov("chol_cov", n=2, eta=2, sd_dist=sd)
    start = pm.MvNormal.dist(np.zeros(2), np.eye(2))
    alpha = pm.MvGaussianRandomWalk("alpha", np.zeros(2), chol=chol, init_dist=start, shape=(J, 2))
    pm.Normal("y", alpha[GROUP, 0] + alpha[GROUP, 1] * FLOOR, pm.HalfNormal("sigma", 1), observed=Y)


@case(lam=P, xh=R, sd=P)
def stochastic_differential_equation():
    lam, start = pm.Normal("lam", 0, 10), pm.Normal.dist(0, 1)

    def drift_and_noise(x, rate):
        return rate * x, 1.0

    xh = pm.EulerMaruyama("xh", 0.1, drift_and_noise, (lam,), steps=N - 1, init_dist=start)
    pm.Normal("zh", xh, pm.HalfNormal("sd", 1), observed=Y)


@case(s_level=P, s_slope=P, s_obs=P, z_level=R, z_slope=R, level0=P)
def local_linear_trend_by_cumulated_steps():
    s_level, s_slope = pm.HalfNormal("s_level", 1), pm.HalfNormal("s_slope", 1)
    z_level, z_slope = pm.Normal("z_level", 0, 1, shape=N), pm.Normal("z_slope", 0, 1, shape=N)
    slope = pm.Deterministic("slope", pt.cumsum(s_slope * z_slope))
    level = pm.Normal("level0", 0, 10) + pt.cumsum(slope + s_level * z_level)
    pm.Normal("y", level, pm.HalfNormal("s_obs", 1), observed=Y)


@case(rho=P, s=P, innovations=R, s_obs=P)
def state_space_by_a_scan():
    rho, s = pm.Uniform("rho", -1, 1), pm.HalfNormal("s", 1)
    innovations = pm.Normal("innovations", 0, 1, shape=N)
    states = pytensor.scan(
        lambda e, x, r, d: r * x + d * e,
        sequences=[innovations],
        outputs_info=[pt.zeros(())],
        non_sequences=[rho, s],
        return_updates=False,
    )
    pm.Normal("y", states, pm.HalfNormal("s_obs", 1), observed=Y)


@case(mu0=P, sigma_w=P, sigma_v=P, state_0=R, **{f"state_{t}": R for t in range(1, 6)})
def local_level_in_a_loop():
    mu0, sigma_w = pm.Normal("mu0", 0, 1), pm.InverseGamma("sigma_w", 1, 1)
    states = [pm.Normal("state_0", mu0, tau=1 / sigma_w)]
    for t in range(1, 6):
        states.append(pm.Normal(f"state_{t}", states[-1], tau=1 / sigma_w))
    sigma_v = pm.InverseGamma("sigma_v", 1, 1)
    pm.Normal("y", pt.stack(states), tau=1 / sigma_v, observed=Y[:6])


# ----- processes and fields ----------------------------------------------------------------

PLACE = np.linspace(0, 5, N)[:, None]
RING = np.roll(np.eye(J, dtype=int), 1, axis=0) + np.roll(np.eye(J, dtype=int), -1, axis=0)
EXPECTED = np.linspace(2, 9, J)


@case(ell=P, eta=P, beta=R, sigma=P)
def hilbert_space_process_linearised():
    ell, eta = pm.InverseGamma("ell", 5, 5), pm.Exponential("eta", 1)
    process = pm.gp.HSGP(m=[7], c=2.0, cov_func=eta**2 * pm.gp.cov.Matern52(1, ls=ell))
    basis, sqrt_psd = process.prior_linearized(X=pm.Data("t", PLACE))
    beta = pm.Normal("beta", size=process.n_basis_vectors)
    f = pm.Deterministic("f", basis @ (beta * sqrt_psd))
    pm.Normal("y", f, pm.Exponential("sigma", 1), observed=Y)


@case(ell=P, eta=P, f_rotated_=R, alpha=P)
def process_under_negative_binomial_counts():
    ell, eta = pm.Gamma("ell", 2, 1), pm.HalfNormal("eta", 2)
    process = pm.gp.Latent(cov_func=eta**2 * pm.gp.cov.ExpQuad(1, ls=ell))
    f = process.prior("f", X=PLACE)
    alpha = pm.HalfNormal("alpha", 5)
    pm.NegativeBinomial("y", mu=pm.math.exp(f), alpha=alpha, observed=COUNTS)


@case(beta0=P, beta1=P, theta=R, sigma=P, phi=R, alpha=P, tau=P)
def lip_cancer_independent_and_spatial():
    beta0, beta1 = pm.Normal("beta0", 0, 1), pm.Normal("beta1", 0, 1)
    theta = pm.Normal("theta", 0, tau=pm.Gamma("sigma", 3.2761, 1.81), shape=J)
    tau, alpha = pm.Gamma("tau", 2, 2), pm.Beta("alpha", 1, 1)
    phi = pm.CAR("phi", mu=np.zeros(J), tau=tau, alpha=alpha, W=RING)
    mu = pm.math.exp(np.log(EXPECTED) + beta0 + beta1 * URANIUM + phi + theta)
    pm.Poisson("y", mu, observed=COUNTS[:J])


@case(beta0=P, sigma=P, rho=P, theta=R, phi=R)
def accidents_by_besag_york_mollie():
    beta0 = pm.Normal("beta0", 0, 1)
    theta = pm.Normal("theta", 0, 1, shape=J)
    phi = pm.ICAR("phi", W=RING)
    sigma, rho = pm.HalfNormal("sigma", 1), pm.Beta("rho", 0.5, 0.5)
    mixture = pm.Deterministic("mixture", pt.sqrt(1 - rho) * theta + pt.sqrt(rho / 0.7) * phi)
    mu = pm.Deterministic("mu", pt.exp(np.log(EXPECTED) + beta0 + sigma * mixture))
    pm.Poisson("y", mu, observed=COUNTS[:J])


@case(beta0=P, sigma=P, phi=A)
def neighbours_by_a_pairwise_potential():
    beta0, sigma = pm.Normal("beta0", 0, 5), pm.HalfNormal("sigma", 1)
    phi = pm.Flat("phi", shape=J)
    first, second = np.nonzero(np.triu(RING))
    pm.Potential("icar", -0.5 * pt.sum((phi[first] - phi[second]) ** 2))
    pm.Potential("zero_sum", pm.logp(pm.Normal.dist(0, 0.001 * J), pt.sum(phi)))
    pm.Poisson("y", pt.exp(np.log(EXPECTED) + beta0 + sigma * phi), observed=COUNTS[:J])


@case(mean=P, chol=P, scores_unobserved=M)
def employees_with_missing_answers():
    scores = _rng.normal(size=(N, 3))
    scores[::4, 1] = np.nan
    chol, *_ = pm.LKJCholeskyCov("chol", n=3, eta=1, sd_dist=pm.HalfNormal.dist(1, shape=3))
    pm.MvNormal("scores", pm.Normal("mean", 0, 5, shape=3), chol=chol, observed=scores)


# ----- bambi -------------------------------------------------------------------------------

FRAME = pd.DataFrame({"y": Y, "k": COUNTS, "x": X[:, 0], "g": GROUP.astype(str)})
FRAME["h"] = (np.arange(N) % 6).astype(str)


def _bambi(formula, family="gaussian", **options):
    import bambi

    built = bambi.Model(formula, FRAME, family=family, **options)
    built.build()
    return built.backend.model


_SLOPES = {"Intercept": P, "x": P, "1|g_sigma": P, "x|g_sigma": P}


@case(**_SLOPES, **{"1|g_offset": R, "x|g_offset": R}, sigma=P)
def bambi_slopes():
    return _bambi("y ~ x + (x|g)")


@case(**_SLOPES, **{"1|g": R, "x|g": R}, sigma=P)
def bambi_slopes_centred():
    return _bambi("y ~ x + (x|g)", noncentered=False)


@case(**{"Intercept": P, "1|g_sigma": P, "1|h_sigma": P, "1|g_offset": R, "1|h_offset": R})
def bambi_crossed_counts():
    return _bambi("k ~ 1 + (1|g) + (1|h)", family="poisson")
