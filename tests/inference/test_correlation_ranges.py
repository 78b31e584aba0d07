"""Correlations derived from covariances stay between -1 and 1, however they are written."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

from pymle.model.ranges import range_of

UNKNOWN, CORRELATION = (-np.inf, np.inf), (-1.0, 1.0)

with pm.Model() as MODEL:
    CHOL, CORR, SD = pm.LKJCholeskyCov("L", n=3, eta=2, sd_dist=pm.HalfNormal.dist(1, shape=3))
    COV = pt.dot(CHOL, CHOL.T)
    ROOT = pt.sqrt(pt.diag(COV))

CASES = {
    "PyMC's own": (CORR, CORRELATION),
    "one of its entries": (CORR[0, 1], CORRELATION),
    "over an outer product": (COV / pt.outer(ROOT, ROOT), CORRELATION),
    "over a product of sides": (COV / (ROOT[:, None] * ROOT[None, :]), CORRELATION),
    "one side after the other": (COV / ROOT[:, None] / ROOT, CORRELATION),
    "both times the same side": (COV / ROOT / ROOT, UNKNOWN),
    "one side alone": (COV / ROOT[:, None], UNKNOWN),
    "multiplied in place of divided": (COV * ROOT[:, None] / ROOT[None, :], UNKNOWN),
    "twice a correlation": (2.0 * CORR, UNKNOWN),
    "of another matrix": (COV / pt.outer(ROOT, pt.sqrt(pt.diag(2 * COV))), UNKNOWN),
}


@pytest.mark.parametrize("name", list(CASES))
def test_ranges(name: str):
    graph, wanted = CASES[name]
    assert range_of(graph, MODEL) == wanted


def test_a_correlation_factor_times_itself():
    """PyMC 6's LKJCorr is the factor, PyMC 5's the packed correlations."""
    with pm.Model() as model:
        found = pm.LKJCorr("C", n=3, eta=2.0)
    assert range_of(found @ found.T if found.ndim == 2 else found, model) == CORRELATION
