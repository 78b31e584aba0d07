"""Problems without a regular maximum: never certified, never in silence."""

from __future__ import annotations

import numpy as np
import pytest

import pymle
from tests.reference import models_distributions as samples
from tests.reference import models_hard as hard
from tests.reference.problem import load, values

BAD_MIXTURE_START = {"w": 0.0551, "mu1": 78.0, "sd1": 0.01, "mu2": 70.0, "sd2": 13.0}
CASES = [
    pytest.param("hard_separation_complete", hard.separation, None, id="separation"),
    pytest.param("hard_collinear_onehot", hard.collinear, None, id="collinear"),
    pytest.param("hard_boundary_dyestuff2", hard.boundary, None, id="boundary"),
    pytest.param("hard_mixture_unbounded", samples.mixture, BAD_MIXTURE_START, id="mixture"),
    pytest.param("hard_cauchy_two_obs", hard.cauchy, None, id="cauchy"),
    pytest.param("hard_cauchy_two_obs", hard.cauchy, {"theta": 0.0}, id="cauchy-at-zero"),
    pytest.param("hard_all_successes", hard.all_successes, None, id="all-successes"),
    pytest.param("hard_all_successes", hard.all_successes_logit, None, id="all-successes-logit"),
    pytest.param("hard_student_nu_infinite", samples.student, None, id="student"),
]


@pytest.mark.parametrize(("name", "build", "start"), CASES)
def test_is_not_certified_and_says_so(name, build, start):
    model = build(load(values()[name]["data"]))
    with pytest.warns(pymle.errors.NotCertifiedWarning):
        fit = pymle.find_MLE(model, start=start, progressbar=False)
    assert not fit.verdict.ok
    assert str(fit.verdict.status)
    assert fit.verdict.advice


@pytest.mark.parametrize(("name", "build", "start"), CASES[:2])
def test_raises_on_request(name, build, start):
    model = build(load(values()[name]["data"]))
    with pytest.raises(pymle.errors.NotCertifiedError):
        pymle.find_MLE(model, start=start, on_problem="raise", progressbar=False)


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("hard_separation_complete", hard.separation),
        ("hard_all_successes", hard.all_successes),
        ("hard_student_nu_infinite", samples.student),
        ("hard_collinear_onehot", hard.collinear),
        ("hard_boundary_dyestuff2", hard.boundary),
    ],
)
@pytest.mark.filterwarnings("ignore::pymle.errors.NotCertifiedWarning")
def test_loglik_does_not_exceed_the_supremum(name, build):
    reference = values()[name]
    fit = pymle.find_MLE(build(load(reference["data"])), progressbar=False)
    assert fit.loglik <= reference["loglik"] + 1e-8
    assert fit.loglik >= reference["loglik"] - 0.1


@pytest.mark.filterwarnings("ignore::pymle.errors.NotCertifiedWarning")
def test_cauchy_at_its_minimum_is_left():
    reference = values()["hard_cauchy_two_obs"]
    model = hard.cauchy(load(reference["data"]))
    fit = pymle.find_MLE(model, start={"theta": 0.0}, progressbar=False)
    assert abs(float(fit.point["theta"])) == pytest.approx(np.sqrt(99), abs=1e-5)
    assert fit.loglik == pytest.approx(reference["loglik"], abs=1e-8)
