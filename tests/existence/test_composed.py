"""Random models with random defects: certified and verified by SciPy, or not certified."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.existence.composed import (
    AUXILIARIES,
    COEFFICIENTS,
    DEFECTS,
    FAMILIES,
    Recipe,
    check,
)

RECIPES = st.builds(
    Recipe,
    family=st.sampled_from(FAMILIES),
    defect=st.sampled_from(DEFECTS),
    auxiliary=st.sampled_from(AUXILIARIES),
    coefficients=st.sampled_from(COEFFICIENTS),
    rows=st.sampled_from([8, 15, 40]),
    columns=st.sampled_from([1, 2]),
    seed=st.integers(0, 10_000),
)
QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=2, derandomize=True, **QUIET)
@given(RECIPES)
def test_certified_and_verified_or_not_certified(recipe):
    check(recipe)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=300, **QUIET)
@given(RECIPES)
def test_many_of_them(recipe):
    check(recipe)
