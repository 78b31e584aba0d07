"""How the direction of a verdict is written."""

from __future__ import annotations

import pymc as pm
import pytest

import pymle
from pymle.verdict.records import Status, Verdict


def _written(parameters: dict[str, float]) -> str:
    return Verdict(Status.FLAT, {}, "", parameters).direction()


def test_entries_that_move_together_are_one_part():
    spline = {"w[1]": -1.0, "a": 1.0} | {f"w[{i}]": -1.0 for i in range(2, 17)}
    assert _written(spline) == "w (-1, 16 entries), a (+1)"


def test_entries_that_do_not_are_named():
    assert _written({"b[x]": 1.0, "b[y]": 0.4, "b[z]": 1.0}) == "b[x] (+1), b[y] (+0.4), b[z] (+1)"
    assert _written({"g": 1.0, "a[0]": 1.0, "a[1]": 1.0}) == "g (+1), a[0] (+1), a[1] (+1)"


def test_the_rest_is_counted():
    parameters = {f"c{i}": 1.0 for i in range(9)}
    assert _written(parameters).endswith("c5 (+1) and 3 more")
    assert "`c5` (+1) and 3 more." in str(Verdict(Status.FLAT, {}, "", parameters))


def test_many_entries_at_one_edge_are_counted():
    with pm.Model() as model:
        rate = pm.Gamma("rate", 0.01, 0.01, shape=9)
        pm.Poisson("deaths", rate, observed=[0, 0, 0, 0, 0, 0, 1, 2, 3])
    with pytest.warns(pymle.NotCertifiedWarning, match=r"`rate` \(-1, 6 entries\)"):
        fit = pymle.find_MLE(model, progressbar=False)
    said = "standard errors are conditional on 6 entries of rate = 0 (the edge of its support)"
    assert said in repr(fit)
