"""What several searches say together, and what profiles add to a verdict."""

from __future__ import annotations

import warnings

import matplotlib as mpl
import numpy as np
import pymc as pm
import pytest

import pymle

mpl.use("Agg")


def _fitted(model, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pymle.NotCertifiedWarning)
        return pymle.find_MLE(model, progressbar=False, **arguments)


@pytest.fixture(scope="module")
def hills():
    """Cauchy observations far apart: a hill at each, the highest at the pair."""
    with pm.Model() as model:
        pm.Cauchy("y", pm.Normal("mu", 0, 10), 0.1, observed=[-20.0, -5.0, 0.0, 0.3, 15.0])
    return _fitted(model, n_starts=30)


def test_the_table_of_searches(hills):
    starts = hills.starts
    assert starts.run == len(starts.table) == 30
    assert list(starts.table["below"]) == sorted(starts.table["below"])
    assert starts.table["below"].iloc[0] == 0.0
    reached = starts.table["converged"] & (starts.table["below"] <= 1e-6)
    assert starts.best_share == pytest.approx(reached.mean())
    assert starts.apart <= reached.sum()
    assert set(starts.table["place"]) == set(starts.places.index)
    assert starts.places["searches"].sum() == 30
    # Each hill is a place, at its own height (the score of a Cauchy vanishes there).
    certified = starts.places[starts.places["converged"] > 0]
    assert len(certified) >= 3
    mu = certified["mu"].to_numpy()[:, None]
    residual = np.array([-20.0, -5.0, 0.0, 0.3, 15.0]) - mu
    score = np.sum(2 * residual / (0.01 + residual**2), axis=1)
    np.testing.assert_allclose(score, 0.0, atol=1e-6)
    height = -np.sum(np.log(np.pi * 0.1 * (1 + (residual / 0.1) ** 2)), axis=1)
    np.testing.assert_allclose(certified["loglik"], height, rtol=1e-10)
    assert starts.places["loglik"].iloc[0] == pytest.approx(hills.loglik)


def test_agreement_is_evidence_only_from_apart(hills):
    assert "evidence, no proof" in hills.starts.evidence
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("a", 0, 1) ** 2, 1.0, observed=[2.0])
    one = _fitted(model, n_starts=1)
    assert one.starts.run == 1
    assert "nothing is known about other maxima" in one.starts.evidence


def test_the_waterfall(hills):
    from matplotlib import pyplot as plt

    ax = hills.starts.plot()
    points = sum(len(each.get_offsets()) for each in ax.collections)
    assert points == 30
    assert ax.get_yscale() == "log"
    assert "searches reached the best" in ax.get_title()
    plt.close(ax.figure)


def test_a_ratio_whose_profile_levels_off():
    """Fieller: a ratio whose denominator may be zero is not bounded by the data."""
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
        pm.Deterministic("ratio", a / b)
        pm.Normal("y", a, 1.0, observed=[2.0, 2.5, 1.5])
        pm.Normal("z", b, 1.0, observed=[0.3, -0.5, 0.8])
    fit = _fitted(model)
    assert fit.verdict.ok
    assessed = fit.assess("ratio", progressbar=False)
    assert "ratio" in assessed.evidence["weakly_identified"]
    assert "does not cross its threshold for `ratio`" in assessed.advice
    # The fit's own verdict stays.
    assert "weakly_identified" not in fit.verdict.evidence
    clear = fit.assess(["a", "b"], progressbar=False)
    assert clear.evidence["weakly_identified"] == ()
    assert clear.advice == fit.verdict.advice
    assert clear.ok


def test_a_limit_on_one_side_only():
    """Ten failures in a row: the upper limit of the share solves 10 log(1 - p) = -1.92."""
    with pm.Model() as model:
        pm.Binomial("y", 10, pm.Beta("p", 1, 1), observed=[0])
    fit = _fitted(model)
    assessed = fit.assess(progressbar=False)
    expected = 1 - np.exp(-0.5 * 3.841458820694124 / 10)
    assert assessed.evidence["one_sided"]["p"] == pytest.approx(expected, rel=1e-6)
    assert assessed.status == "boundary"
    assert "upper limit of `p`" in assessed.advice
