"""Log-densities at draws, against SciPy's."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

from pymle.bayes.densities import log_densities
from pymle.compiled import make_problem
from pymle.errors import AnalysisError

OBSERVED = np.array([[1.0, 2.5, -0.5], [0.0, 3.0, np.nan]])


def problem_of(model, objective="mle", **options):
    arguments = {
        "fixed": None,
        "parameters": None,
        "random": None,
        "potentials": None,
        "method": "auto",
        "backend": "auto",
        "n_starts": 1,
        "jacobian": False,
    }
    return make_problem(model, objective=objective, **{**arguments, **options})


@pytest.fixture(scope="module")
def schools():
    effects = np.array([28.0, 8.0, -3.0, 7.0])
    errors = np.array([15.0, 10.0, 16.0, 11.0])
    with pm.Model(coords={"school": list("abcd")}) as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        pm.Normal("y", theta, errors, observed=effects, dims="school")
        pm.Potential("soft", -(mu**2))
    return model, effects, errors


@pytest.fixture(scope="module")
def draws():
    rng = np.random.default_rng(3)
    return xr.Dataset(
        {
            "mu": (("chain", "draw"), rng.normal(size=(2, 3))),
            "tau": (("chain", "draw"), rng.gamma(2.0, size=(2, 3))),
            # Dims in another order than the model's.
            "theta": (("draw", "school", "chain"), rng.normal(size=(3, 4, 2))),
            "other": (("chain", "draw"), np.zeros((2, 3))),
        },
        coords={"chain": [4, 7], "draw": [0, 5, 9]},
    )


@pytest.mark.parametrize("objective", ["mle", "map"])
def test_terms_of_a_hierarchical_model(schools, draws, objective):
    model, effects, errors = schools
    found = log_densities(problem_of(model, objective, potentials={"soft": "prior"}), draws)
    theta = draws["theta"].transpose("chain", "draw", "school").values
    mu, tau = draws["mu"].values, draws["tau"].values
    y = found.log_likelihood["y"]
    assert y.dims == ("chain", "draw", "school")
    assert list(y["school"].values) == list("abcd")
    assert list(y["chain"].values) == [4, 7]
    np.testing.assert_allclose(y, stats.norm(theta, errors).logpdf(effects), rtol=1e-12)
    assert set(found.log_prior) == {"mu", "tau", "soft"}
    np.testing.assert_allclose(found.log_prior["mu"], stats.norm(0, 5).logpdf(mu), rtol=1e-12)
    np.testing.assert_allclose(
        found.log_prior["tau"], stats.halfcauchy(scale=5).logpdf(tau), rtol=1e-12
    )
    np.testing.assert_allclose(found.log_prior["soft"], -(mu**2), rtol=1e-12)
    law = stats.norm(mu[..., None], tau[..., None]).logpdf(theta)
    np.testing.assert_allclose(found.log_law["theta"], law, rtol=1e-12)


def test_a_potential_of_the_likelihood(schools, draws):
    found = log_densities(problem_of(schools[0], potentials={"soft": "likelihood"}), draws)
    assert set(found.log_likelihood) == {"y", "soft"}
    assert set(found.log_prior) == {"mu", "tau"}


def test_priors_alone_need_no_random_effects(schools, draws):
    problem = problem_of(schools[0], potentials={"soft": "prior"})
    found = log_densities(problem, draws[["mu", "tau"]], kinds=("prior",))
    assert not found.log_likelihood.data_vars
    assert not found.log_law.data_vars
    assert set(found.log_prior) == {"mu", "tau", "soft"}


def test_outside_the_support_is_minus_infinity(schools, draws):
    problem = problem_of(schools[0], potentials={"soft": "prior"})
    found = log_densities(problem, draws.assign(tau=-draws["tau"]), kinds=("prior",))
    assert np.all(found.log_prior["tau"] == -np.inf)


def test_draws_that_lack_a_variable_are_named(schools, draws):
    with pytest.raises(AnalysisError, match="need `theta` too"):
        log_densities(problem_of(schools[0], potentials={"soft": "prior"}), draws[["mu", "tau"]])


def test_draws_of_another_shape_are_named(schools, draws):
    problem = problem_of(schools[0], potentials={"soft": "prior"})
    with pytest.raises(
        AnalysisError, match=r"`theta` has shape \(2,\), the model of this fit gives it \(4,\)"
    ):
        log_densities(problem, draws.isel(school=slice(2)))


def test_missing_values_and_vectors_with_a_joint_density():
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.array([1.0, 2.0, 3.0]))
        sigma = pm.Exponential("sigma", 2.0)
        with pytest.warns(match="missing"):
            pm.Normal("y", w, sigma, observed=OBSERVED)
    rng = np.random.default_rng(5)
    draws = xr.Dataset(
        {
            "w": (("sample", "k"), rng.dirichlet(np.ones(3), size=6)),
            "sigma": (("sample",), rng.gamma(2.0, size=6)),
            "y_unobserved": (("sample", "m"), rng.normal(size=(6, 1))),
        }
    )
    found = log_densities(problem_of(model), draws, leading=("sample",))
    w, sigma = draws["w"].values, draws["sigma"].values
    assert found.log_prior["w"].dims == ("sample",)
    prior = [stats.dirichlet([1.0, 2.0, 3.0]).logpdf(row) for row in w]
    np.testing.assert_allclose(found.log_prior["w"], prior, rtol=1e-10)
    terms = stats.norm(w[:, None, :], sigma[:, None, None]).logpdf(OBSERVED)
    expected = terms[:, ~np.isnan(OBSERVED)]
    np.testing.assert_allclose(found.log_likelihood["y_observed"], expected, rtol=1e-10)
    law = stats.norm(w[:, 2:], sigma[:, None]).logpdf(draws["y_unobserved"].values)
    np.testing.assert_allclose(found.log_law["y_unobserved"], law, rtol=1e-10)


def test_what_reml_integrates_has_its_prior(schools, draws):
    problem = problem_of(schools[0], potentials={"soft": "prior"}, reml=["mu"])
    found = log_densities(problem, draws, kinds=("prior",)).log_prior
    assert set(found) == {"mu", "tau", "soft"}
    np.testing.assert_allclose(found["mu"], stats.norm(0, 5).logpdf(draws["mu"]), rtol=1e-12)


def test_labels_and_held_values(schools, draws):
    model, effects, errors = schools
    problem = problem_of(model, potentials={"soft": "prior"}, fixed={"tau": 3.0})
    labelled = draws.assign_coords(school=list("cadb")).drop_vars("tau")
    found = log_densities(problem, labelled)
    theta = labelled["theta"].sel(school=list("abcd")).transpose("chain", "draw", "school")
    np.testing.assert_allclose(
        found.log_likelihood["y"], stats.norm(theta, errors).logpdf(effects), rtol=1e-12
    )
    mu = draws["mu"].values[..., None]
    np.testing.assert_allclose(
        found.log_law["theta"], stats.norm(mu, 3.0).logpdf(theta), rtol=1e-12
    )
    with pytest.raises(AnalysisError, match=r"coords \[a, b, c, e\] along `school`"):
        log_densities(problem, draws.assign_coords(school=list("abce")))
