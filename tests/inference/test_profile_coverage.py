"""Simulated coverage against exact coverage."""

from __future__ import annotations

import numpy as np
import pytest

from tests.inference.profile_coverage import CASES, report, simulate


def test_the_study_runs():
    found = simulate(CASES["normal n=8"], 3)
    assert found["sigma"].shape == (3, 3)
    [mu, sigma] = report("normal n=8", found)
    assert "mu" in mu
    assert "sigma" in sigma


@pytest.mark.slow
def test_coverage_of_a_standard_deviation_from_eight_observations():
    """Exact: 0.919 for the profile and 0.882 for Wald limits on the log scale."""
    count = 4000
    wald, profile, measure = simulate(CASES["normal n=8"], count, seed=11)["sigma"].T
    for covered, exact in ((wald, 0.882), (profile, 0.919)):
        error = np.sqrt(exact * (1 - exact) / count)
        assert abs(covered.mean() - exact) < 3.3 * error + 5e-4
    # Its likelihood is never quadratic enough: auto is the profile.
    assert measure.min() > 0.02
