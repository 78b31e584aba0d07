"""Comparisons of hierarchical models with reference posteriors."""

from pathlib import Path

import numpy as np
import pymc as pm
import pytest

import pymle
from tests.bayes.exact import EFFECT, SE, dataset, eight_schools

SHAPE = (4, 2000)
DATA = Path(__file__).parents[2] / "examples" / "data"


@pytest.fixture(scope="module")
def schools():
    draws = eight_schools(np.random.default_rng(1), SHAPE)
    names = list("ABCDEFGH")
    with pm.Model(coords={"school": names}) as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        pm.Normal("y", theta, SE, observed=EFFECT, dims="school")
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(model, progressbar=False)
    posterior = dataset(draws, {"theta": ["school"]}, {"school": names})
    return fit.compare_posterior(posterior, progressbar=False)


def test_eight_schools_as_in_posteriordb(schools):
    # posteriordb, eight_schools-eight_schools_noncentered: means of 10,000 reference draws (their
    # Monte Carlo errors 0.03 to 0.06); mean squares of eight_schools-eight_schools_centered.
    means = [6.1505, 4.9396, 3.9059, 4.7960, 3.6144, 4.0511, 6.3172, 4.8840]
    table = schools.table
    np.testing.assert_allclose(table.loc["theta[A]":"theta[H]", "mean"], means, atol=0.35)
    assert table.loc["mu", "mean"] == pytest.approx(4.4105, abs=0.25)
    assert table.loc["tau", "mean"] == pytest.approx(3.6021, abs=0.25)
    assert table.loc["mu", "sd"] == pytest.approx(np.sqrt(30.403 - 4.4105**2), rel=0.05)
    assert table.loc["tau", "sd"] == pytest.approx(np.sqrt(23.204 - 3.6021**2), rel=0.08)
    assert table.loc["theta[A]", "sd"] == pytest.approx(np.sqrt(69.363 - 6.1505**2), rel=0.05)


def test_eight_schools_estimate_lies_at_the_edge(schools):
    # The marginal likelihood falls from tau = 0 (Gelman et al. 2013, figure 5.5), where mu is the
    # pooled mean.
    table = schools.table
    assert schools.status == "boundary"
    assert table.loc["tau", "mle"] == pytest.approx(0.0, abs=1e-3)
    pooled = np.average(EFFECT, weights=1 / SE**2)
    assert table.loc["mu", "mle"] == pytest.approx(pooled, abs=1e-3)
    for column in ("se", "shift", "sd_ratio", "overlap", "pull"):
        assert np.isnan(table.loc["tau", column])
    kinds = {remark.kind: remark for remark in schools.remarks}
    assert "`tau`" in kinds["edge"].text
    assert set(table["role"]) == {"parameter", "random effect"}
    assert any("No pull of the prior" in note for note in schools.notes)


def test_pictures_of_a_fit_at_the_edge(schools):
    for axes in (schools.plot(), schools.plot_densities("tau"), schools.plot_ridge()):
        assert np.size(axes) >= 1
    schools.plot_influence()


def _sleepstudy():
    table = np.genfromtxt(DATA / "sleepstudy.csv", delimiter=",", names=True)
    table = np.sort(table, order=["subject", "Days"])
    return table["subject"].astype(int), table["Days"], table["y"]


def _posterior(subject, days, reaction, rng):
    """Independent draws: spreads on a grid, then coefficients, then subjects."""
    n, groups = 10, 18
    X = np.column_stack([np.ones(n), days[:n]])
    Y = reaction.reshape(groups, n)
    prior = np.diag([100.0**-2, 50.0**-2])
    centre = np.array([250.0, 0.0])
    tau, sigma = np.linspace(10, 110, 201), np.linspace(24, 42, 181)
    T, S = (each.ravel() for each in np.meshgrid(tau, sigma, indexing="ij"))
    shrink = T**2 / (S**2 + n * T**2)

    def gram(A, B):
        """Sum over subjects of A' V^-1 B for all spreads."""
        plain, sums = A @ B.T, A.sum(axis=-1)[:, None] * B.sum(axis=-1)[None, :]
        return (plain - shrink[:, None, None] * sums) / S[:, None, None] ** 2

    precision = groups * gram(X.T, X.T) + prior
    slope = gram(X.T, Y).sum(axis=2) + prior @ centre
    squares = np.einsum("gii->g", gram(Y, Y))
    mean = np.linalg.solve(precision, slope[:, :, None])[:, :, 0]
    log_density = (
        -0.5 * groups * ((n - 1) * np.log(S**2) + np.log(S**2 + n * T**2))
        - 0.5 * squares
        + 0.5 * np.einsum("gi,gi->g", slope, mean)
        - 0.5 * np.linalg.slogdet(precision)[1]
        - 0.5 * (T / 100) ** 2
        - 0.5 * (S / 100) ** 2
    )
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    exact = {"tau": weight @ T, "sigma": weight @ S, "a": weight @ mean[:, 0]}
    exact["b"] = weight @ mean[:, 1]
    at = rng.choice(len(T), size=SHAPE, p=weight)
    t = T[at] + (tau[1] - tau[0]) * (rng.uniform(size=SHAPE) - 0.5)
    s = S[at] + (sigma[1] - sigma[0]) * (rng.uniform(size=SHAPE) - 0.5)
    factor = np.linalg.cholesky(np.linalg.inv(precision))
    ab = mean[at] + np.einsum("...ij,...j->...i", factor[at], rng.normal(size=(*SHAPE, 2)))
    own = n / s[..., None] ** 2 + 1 / t[..., None] ** 2
    residual = (Y.mean(axis=1) - ab[..., [1]] * days[:n].mean()) * n / s[..., None] ** 2
    alpha = rng.normal((residual + ab[..., [0]] / t[..., None] ** 2) / own, own**-0.5)
    return {"a": ab[..., 0], "b": ab[..., 1], "tau": t, "sigma": s, "alpha": alpha}, exact


@pytest.fixture(scope="module")
def intercepts():
    """Varying intercepts, as in the radon models: the reaction times of 18 subjects."""
    subject, days, reaction = _sleepstudy()
    draws, exact = _posterior(subject, days, reaction, np.random.default_rng(2))
    names = [f"S{i}" for i in range(18)]
    with pm.Model(coords={"subject": names}) as model:
        a, b = pm.Normal("a", 250, 100), pm.Normal("b", 0, 50)
        tau, sigma = pm.HalfNormal("tau", 100), pm.HalfNormal("sigma", 100)
        alpha = pm.Normal("alpha", a, tau, dims="subject")
        pm.Deterministic("offset", alpha - a, dims="subject")
        pm.Normal("y", alpha[subject] + b * days, sigma, observed=reaction)
    fit = pymle.find_MLE(model, progressbar=False)
    draws["offset"] = draws["alpha"] - draws["a"][..., None]
    posterior = dataset(draws, {"alpha": ["subject"], "offset": ["subject"]}, {"subject": names})
    return fit.compare_posterior(posterior, progressbar=False), exact


def test_varying_intercepts(intercepts):
    comparison, exact = intercepts
    table = comparison.table
    # MixedModels.jl 4, lmm(reaction ~ 1 + days + (1 | subj)), its documentation.
    np.testing.assert_allclose(
        table.loc[["a", "b", "tau", "sigma"], "mle"], [251.405, 10.4673, 36.0121, 30.8954],
        rtol=2e-6,
    )  # fmt: skip
    np.testing.assert_allclose(table.loc[["a", "b"], "se"], [9.50618, 0.801735], rtol=2e-5)
    for name, mean in exact.items():
        row = table.loc[name]
        assert row["mean"] == pytest.approx(mean, abs=5 * row["sd"] / np.sqrt(8000) + 0.01)
    assert comparison.status == "maximum"
    # The posterior of a variance parameter leans to the right.
    assert table.loc["tau", "skewness"] > 0.5
    assert table.loc["tau", "shift"] > 0.2


def test_random_effects_stand_beside_their_conditional_modes(intercepts):
    comparison, _ = intercepts
    rows = comparison.table[comparison.table["variable"] == "alpha"]
    assert set(rows["role"]) == {"random effect"}
    assert rows.index[0] == "alpha[S0]"
    assert rows["shift"].abs().max() < 0.2
    np.testing.assert_allclose(rows["sd_ratio"], 1.0, atol=0.1)
    assert rows["overlap"].min() > 0.9
    offsets = comparison.table[comparison.table["variable"] == "offset"]
    assert set(offsets["role"]) == {"deterministic"}
    assert len(offsets) == 18
    assert offsets["shift"].abs().max() < 0.2


def test_the_prior_pulls_random_effects_through_the_parameters(intercepts):
    comparison, _ = intercepts
    table = comparison.table
    # Priors this wide pull nothing by much; the exact MAP says the same.
    rows = table[table["role"] != "deterministic"]
    np.testing.assert_allclose(rows["pull_se"], rows["map_shift"], atol=0.02)
    assert rows["pull_se"].abs().max() < 0.1
    # HalfNormal(100) has slope -36 / 1e4 and curvature 1e-4 there, the likelihood 1 / se^2.
    row = table.loc["tau"]
    alone = -row["mle"] / 100**2 / (1 / row["se"] ** 2 + 1 / 100**2)
    assert row["pull"] == pytest.approx(alone, rel=0.05)


def test_sensitivity_scales_top_level_priors_alone(intercepts):
    comparison, _ = intercepts
    table = comparison.sensitivity()
    assert (table["prior"] < 0.05).all()
    assert table.loc[["b", "sigma"], "likelihood"].min() > 0.05
    assert set(table["diagnosis"]) == {""}
