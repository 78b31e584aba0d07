"""Laplace's approximation of a posterior, against closed forms and quadrature."""

import numpy as np
import pymc as pm
import pytest
from scipy import integrate, stats

import pymle
from pymle import AnalysisError

Y = np.array([1.1, -0.4, 2.3, 0.8, 3.1, -1.2, 0.5, 1.9])
QUIET = {"progressbar": False}


@pytest.fixture(scope="module")
def sigma_fit():
    """The sd of eight normal observations with known mean."""
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", 0.0, sigma, observed=Y)
    return pymle.find_MAP(model, **QUIET)


def _sigma_distribution():
    """Posterior distribution function of sigma by quadrature."""
    grid = np.geomspace(0.2, 60.0, 20_001)
    logp = -len(Y) * np.log(grid) - 0.5 * np.sum(Y**2) / grid**2 - 0.5 * (grid / 5.0) ** 2
    density = np.exp(logp - logp.max())
    below = integrate.cumulative_trapezoid(density, grid, initial=0.0)
    return lambda value: np.interp(value, grid, below / below[-1])


def test_the_jacobian_brings_the_sd_of_eight_observations_nearer_to_quadrature(sigma_fit):
    exact = _sigma_distribution()
    found = sigma_fit.laplace(20_000, random_seed=1)
    without = sigma_fit.draws(20_000, random_seed=1).posterior["sigma"].values.ravel()
    near = stats.kstest(found.draws["sigma"].values.ravel(), exact).statistic
    far = stats.kstest(without, exact).statistic
    # 0.076 and 0.176.
    assert near < 0.09
    assert near < 0.6 * far
    # The mode of log sigma times sigma: sigma^-7 exp(-S / 2 sigma^2 - sigma^2 / 50).
    s = np.sum(Y**2)
    expected = np.sqrt((-7 + np.sqrt(49 + 4 * s / 25)) * 25 / 2)
    assert float(found.mode["sigma"]) == pytest.approx(expected, rel=1e-8)


def test_importance_weights_bring_the_mean_to_that_of_quadrature(sigma_fit):
    found = sigma_fit.laplace(20_000, random_seed=2)
    weights = np.exp(found.log_weights - found.log_weights.max())
    mean = np.sum(weights * found.draws["sigma"].values.ravel()) / weights.sum()
    exact = _sigma_distribution()
    grid = np.linspace(0.0, 60.0, 200_001)
    assert mean == pytest.approx(integrate.trapezoid(1.0 - exact(grid), grid), rel=0.01)
    assert 0.2 < found.pareto_k < 0.9
    assert "Pareto k" in repr(found)


def _random_effects(known=True):
    groups = np.repeat(np.arange(4), 3)
    y = np.array([1.2, 0.7, 1.9, 3.1, 2.2, 2.8, -0.4, 0.3, 0.1, 5.0, 4.1, 4.6])
    with pm.Model(coords={"group": list("abcd")}) as model:
        mu = pm.Normal("mu", 0.0, 3.0)
        tau = 1.5 if known else pm.HalfNormal("tau", 2)
        theta = pm.Normal("theta", mu, tau, dims="group")
        pm.Deterministic("range", theta.max() - theta.min())
        pm.Normal("y", theta[groups], 0.8, observed=y)
    return model, y, groups


def test_a_normal_posterior_with_random_effects_is_met_exactly():
    model, y, groups = _random_effects()
    fit = pymle.find_MAP(model, random=["theta"], **QUIET)
    found = fit.laplace(4000, random_seed=3)
    # y = mu + theta' + e: normal with these moments.
    Z = np.eye(4)[groups]
    prior = 9.0 * np.ones((4, 4)) + 1.5**2 * np.eye(4)  # of theta
    cov = Z @ prior @ Z.T + 0.64 * np.eye(12)
    evidence = stats.multivariate_normal(np.zeros(12), cov).logpdf(y)
    assert found.log_weights == pytest.approx(np.full(4000, evidence), abs=1e-9)
    assert found.pareto_k == -np.inf
    gain = prior @ Z.T @ np.linalg.inv(cov)
    mean, sd = gain @ y, np.sqrt(np.diag(prior - gain @ Z @ prior))
    table = found.table.loc[[f"theta[{g}]" for g in "abcd"]]
    assert table["mode"].to_numpy() == pytest.approx(mean, abs=1e-7)
    assert np.all(np.abs(table["mean"] - mean) < 4 * sd / np.sqrt(4000))
    assert table["sd"].to_numpy() == pytest.approx(sd, rel=0.06)
    correlation = np.corrcoef(found.draws["theta"].values[0].T)[0, 1]
    full = prior - gain @ Z @ prior
    assert correlation == pytest.approx(full[0, 1] / np.sqrt(full[0, 0] * full[1, 1]), abs=0.06)
    assert found.draws["theta"].dims == ("chain", "draw", "group")
    assert list(found.draws["theta"].coords["group"].values) == list("abcd")
    assert "range" in found.draws
    assert "posterior" in _groups(found.to_datatree())


def _groups(tree):
    return tree.groups() if callable(tree.groups) else [g.strip("/") for g in tree.groups]


def test_random_effects_follow_their_scale():
    """Given tau the effects spread with it: a centred funnel, drawn from its two stages."""
    model, _, _ = _random_effects(known=False)
    found = pymle.find_MAP(model, **QUIET).laplace(800, random_seed=4)
    tau = found.draws["tau"].values.ravel()
    spread = (found.draws["theta"] - found.draws["mu"]).std("group").values.ravel()
    low, high = spread[tau < np.quantile(tau, 0.1)], spread[tau > np.quantile(tau, 0.9)]
    assert high.mean() > low.mean()
    assert np.isfinite(found.log_weights).all()
    assert found.pareto_k < 1.0


def test_a_simplex_has_the_moments_of_its_dirichlet():
    with pm.Model() as model:
        p = pm.Dirichlet("p", np.full(3, 2.0))
        pm.Multinomial("n", 60, p, observed=[20, 30, 10])
    found = pymle.find_MAP(model, **QUIET).laplace(4000, random_seed=5)
    weights = np.exp(found.log_weights - found.log_weights.max())
    mean = weights @ found.draws["p"].values[0] / weights.sum()
    assert mean == pytest.approx(np.array([22, 32, 12]) / 66, abs=0.01)
    assert found.draws["p"].values.sum(axis=-1) == pytest.approx(1.0)


@pytest.mark.filterwarnings("ignore::pymle.Notice")
@pytest.mark.filterwarnings("ignore:Data in y contains missing values")
def test_missing_values_on_which_nothing_depends_are_drawn_too():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2)
        pm.Normal("y", mu, 1.0, observed=np.array([1.0, np.nan, 2.0, 4.0]))
    found = pymle.find_MAP(model, **QUIET).laplace(4000, random_seed=6)
    variance = 1.0 / (1 / 4 + 3)
    new = found.draws["y_unobserved"].values.ravel()
    assert new.mean() == pytest.approx(7 * variance, abs=0.08)
    assert new.std() == pytest.approx(np.sqrt(1 + variance), rel=0.05)
    assert found.pareto_k == -np.inf


def test_what_cannot_be_approximated_says_why(sigma_fit):
    with pytest.raises(AnalysisError, match=r"find_MAP\(model\)\.laplace"):
        pymle.find_MLE(sigma_fit._problem.model, **QUIET).laplace()
    for draws in (0, -3, 2.5, True):
        with pytest.raises(AnalysisError, match="draws"):
            sigma_fit.laplace(draws)
    assert np.isnan(sigma_fit.laplace(5, random_seed=0).pareto_k)


@pytest.mark.filterwarnings("ignore::pymle.NotCertifiedWarning")
def test_a_posterior_without_a_mode_is_refused():
    with pm.Model() as model:
        a, b = pm.Flat("a"), pm.Flat("b")
        pm.Normal("y", a + b, 1.0, observed=Y)
    with pytest.raises(AnalysisError, match=r"no normal approximation.*flat direction"):
        pymle.find_MAP(model, **QUIET).laplace()


def test_constraints_are_no_part_of_the_model():
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 5, shape=2)
        pm.Normal("y", beta[0] + beta[1] * np.arange(8.0), 1.0, observed=Y)
    fit = pymle.find_MAP(model, constraints="beta[0] = beta[1]", **QUIET)
    with pytest.raises(AnalysisError, match="constraints of this fit"):
        fit.laplace()


def test_held_values_stay_held():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        sigma = pm.HalfNormal("sigma", 3)
        pm.Normal("y", mu, sigma, observed=Y)
    found = pymle.find_MAP(model, fixed={"sigma": 2.0}, **QUIET).laplace(2000, random_seed=7)
    assert np.all(found.draws["sigma"].values == 2.0)
    variance = 1 / (1 / 25 + 8 / 4)
    assert float(found.mode["mu"]) == pytest.approx(variance * Y.sum() / 4, rel=1e-8)
    assert float(found.draws["mu"].std()) == pytest.approx(np.sqrt(variance), rel=0.06)
