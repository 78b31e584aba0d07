"""A comparison that samples the model itself."""

import numpy as np
import pymc as pm
import pytest

import pymle


def test_without_draws_the_model_is_sampled():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1, observed=np.array([0.5, 1.5, 2.0, 2.5, 3.5]))
    fit = pymle.find_MLE(model, progressbar=False)
    with pytest.warns(pymle.Notice):
        comparison = fit.compare_posterior(
            draws=500, tune=300, chains=2, cores=1, random_seed=1, progressbar=False
        )
    row = comparison.table.loc["mu"]
    assert (comparison.chains, comparison.draws) == (2, 500)
    assert row["r_hat"] < 1.05
    # Posterior N(10/6, 1/6): within five Monte Carlo errors.
    assert row["mean"] == pytest.approx(10 / 6, abs=5 * row["mcse"])
    assert row["sd"] == pytest.approx(6**-0.5, rel=0.2)
    assert row["pull"] == pytest.approx(-1 / 3, abs=1e-9)
    assert comparison.divergences == 0
    assert np.isfinite(comparison.sensitivity().loc["mu", "prior"])
