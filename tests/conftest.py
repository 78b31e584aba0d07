"""Settings that every test shares."""

import matplotlib
import numpy as np
import pytest
from hypothesis import settings

matplotlib.use("Agg")

# The first example of a property compiles and the rest do not, so a deadline per example means
# nothing; the same examples on every run keep CI's answer a property of the code.
settings.register_profile("pymle", deadline=None, derandomize=True)
settings.load_profile("pymle")


@pytest.fixture(autouse=True)
def _close_figures():
    """Leave no figure open for the next test: matplotlib warns from the twentieth on."""
    yield
    from matplotlib import pyplot

    pyplot.close("all")


@pytest.fixture(autouse=True)
def _same_draws_in_any_order(request: pytest.FixtureRequest) -> None:
    """A module's generator starts each of its tests in the same state, whatever ran before."""
    generator = getattr(request.module, "rng", None)
    if isinstance(generator, np.random.Generator):
        state = request.module.__dict__.setdefault("_rng_state", generator.bit_generator.state)
        generator.bit_generator.state = state
