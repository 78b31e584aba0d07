"""Laws of neighbours: whole constants, sparse matrices, and structure that is used."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import scipy.sparse
from scipy import stats

import pymle
from pymle.bind import likelihood_of
from pymle.model import walks
from pymle.model.density import repaired

AREAS = 14
EDGES = [(i, i + 1) for i in range(AREAS - 1)] + [(0, 2), (3, 6)]
WEIGHTS = np.zeros((AREAS, AREAS), dtype=int)
for left, right in EDGES:
    WEIGHTS[left, right] = WEIGHTS[right, left] = 1
DEGREES = np.diag(WEIGHTS.sum(axis=0))
Y = np.random.default_rng(1).normal(size=AREAS)
NOISE = 0.7


def marginal(precision):
    covariance = np.linalg.inv(precision) + NOISE**2 * np.eye(AREAS)
    return stats.multivariate_normal(np.zeros(AREAS), covariance).logpdf(Y)


def areas(weights):
    with pm.Model() as model:
        tau, alpha = pm.Gamma("tau", 2, 2), pm.Uniform("alpha", 0, 1)
        phi = pm.CAR("phi", mu=np.zeros(AREAS), W=weights, alpha=alpha, tau=tau)
        pm.Normal("y", phi, NOISE, observed=Y)
    return model


@pytest.mark.parametrize("weights", [WEIGHTS, scipy.sparse.csr_matrix(WEIGHTS.astype(float))])
def test_conditional_autoregression_is_normalised(weights):
    likelihood = pymle.compile(areas(weights))
    precision = 2.0 * (DEGREES - 0.6 * WEIGHTS)
    found = likelihood.logp({"tau": 2.0, "alpha": 0.6})
    assert found == pytest.approx(marginal(precision), abs=1e-10)


def test_the_neighbours_decide_what_is_eliminated():
    """The information about the areas has an entry for each edge, not for each pair."""
    plan = likelihood_of(pymle.compile(areas(WEIGHTS))._problem).plan
    assert len(plan.rows) == AREAS + 2 * len(EDGES)


def test_intrinsic_autoregression_is_normalised_in_its_scale():
    with pm.Model() as model:
        scale = pm.HalfNormal("scale", 1)
        phi = pm.ICAR("phi", W=WEIGHTS, sigma=scale)
        pm.Normal("y", phi, NOISE, observed=Y)
    likelihood = pymle.compile(model)
    sum_sd = 0.001 * AREAS  # the standard deviation that PyMC gives the sum of all areas
    for value in (0.5, 1.5):
        precision = (DEGREES - WEIGHTS) / value**2 + 1.0 / sum_sd**2
        # The sum is held to one part in 10^5: so many digits are lost in either matrix.
        assert likelihood.logp({"scale": value}) == pytest.approx(marginal(precision), abs=1e-7)


def test_a_multivariate_normal_with_a_precision_keeps_its_neighbours():
    """The usual way to write a CAR without `pm.CAR`."""
    with pm.Model() as model:
        tau = pm.Gamma("tau", 2, 2)
        phi = pm.MvNormal("phi", mu=np.zeros(AREAS), tau=tau * (DEGREES - 0.6 * WEIGHTS))
        pm.Normal("y", phi, NOISE, observed=Y)
    found = pymle.compile(model).logp({"tau": 2.0})
    assert found == pytest.approx(marginal(2.0 * (DEGREES - 0.6 * WEIGHTS)), abs=1e-9)


def test_the_law_of_kept_areas_by_a_potential_is_no_obstacle_to_drawing_counts():
    counts = np.random.default_rng(2).poisson(np.exp(1.0 + np.sin(np.arange(AREAS))) * 5)
    with pm.Model() as model:
        b, tau = pm.Normal("b", 0, 5), pm.Gamma("tau", 2, 2)
        phi = pm.Flat("phi", shape=AREAS)
        precision = DEGREES - 0.6 * WEIGHTS
        form = pm.math.dot(phi, pm.math.dot(precision, phi))
        pm.Potential("law", 0.5 * AREAS * pm.math.log(tau) - 0.5 * tau * form)
        pm.Poisson("y", pm.math.exp(b + phi), observed=counts)
    fit = pymle.find_MLE(model, random=["phi"], progressbar=False)
    limits = fit.predict(draws=400).table[["prediction_lower", "prediction_upper"]]
    assert ((limits.iloc[:, 0] <= counts) & (counts <= limits.iloc[:, 1])).mean() > 0.8
    with pytest.raises(pymle.AnalysisError, match="`law`"):
        fit.simulate(2)


def test_sums_of_a_number_over_its_last_axis():
    """`pm.CAR` writes ``pt.log(tau).sum(axis=-1)``, which NumPy refuses for a number."""
    x = pt.scalar("x")
    [graph] = repaired([pt.log(x).sum(axis=-1)])
    assert walks.evaluate([graph], {x: np.array(3.0)})[0] == pytest.approx(np.log(3.0))


def test_an_observed_field_counts_its_areas():
    with pm.Model() as model:
        b, tau = pm.Normal("b", 0, 2), pm.Gamma("tau", 2, 2)
        mean = b * np.ones(AREAS)
        pm.CAR("z", mu=mean, W=WEIGHTS, alpha=0.5, tau=tau, observed=np.linspace(0, 1, AREAS))
    assert pymle.find_MLE(model, progressbar=False).nobs == AREAS
