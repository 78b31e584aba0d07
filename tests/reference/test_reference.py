"""Every regular reference problem: log-likelihood, estimates and standard errors.

Log-likelihoods to 1e-6, estimates to 1e-4 standard errors, standard errors to 1e-4 relative
against the observed information. ``values.json`` says which software, version and call the
values came from, and ``data/README.md`` where the data came from.
"""

from __future__ import annotations

import numpy as np
import pytest

import pymle
from tests.reference.bank import PROBLEMS, identifier
from tests.reference.compare import arguments, compare
from tests.reference.models_distributions import mixture
from tests.reference.problem import Problem, load, values

# Beyond double precision, so that the common tolerances cannot hold; tests of their own below.
# Lanczos1: sigma is 8e-14 with responses of order 1, and rounding the mean moves the
# log-likelihood by 1e-2. Filip: the scaled information has a condition number of 1e20 and more.
LANCZOS1, FILIP = "nist_lanczos1", "hard_nist_filip"
BY_NAME = {identifier(problem): problem for problem in PROBLEMS}
REGULAR = [problem for problem in PROBLEMS if problem.name not in (LANCZOS1, FILIP)]


def slow(problem: Problem, start: str | None) -> list:
    """NIST's problems run from their second start; the other starts belong to the slow suite."""
    long = problem.name == "nist_enso" or start != [None, *problem.starts][-1]
    return [pytest.mark.slow] if problem.starts and long else []


CASES = [
    pytest.param(
        problem,
        start,
        id=f"{identifier(problem)}-{start or 'own'}",
        marks=slow(problem, start),
    )
    for problem in REGULAR
    for start in (None, *problem.starts)
]


# From PyMC's own start, far from the data, these end on one of many hills on one machine or the
# other: the promise is to be right or to say that it is not.
HILLY = {"nist_gauss2", "nist_gauss3", "nist_enso"}


@pytest.mark.parametrize(("problem", "start"), CASES)
def test_fit_equals_reference(problem: Problem, start: str | None):
    found = compare(problem, start)
    if start is None and problem.name in HILLY and not found.right:
        assert not found.ok
        return
    # A maximum that few of many starts reached is right here, and says how much it was sought.
    assert found.fit.verdict.status in ("maximum", "local maximum"), found.fit.verdict
    assert abs(found.loglik) < 1e-6
    assert found.estimate < 1e-4, found.detail
    assert found.se < 1e-4


@pytest.mark.parametrize(
    "problem",
    [pytest.param(p, id=identifier(p), marks=slow(p, None)) for p in REGULAR],
)
def test_loglik_at_the_reference_estimates(problem: Problem):
    model = problem.model()
    given = {k: v for k, v in arguments(problem, None).items() if k == "weights"}
    likelihood = pymle.compile(model, **given)
    found = likelihood.logp(problem.reference_point(model))
    assert abs(float(found) - problem.value["loglik"]) < 1e-6


@pytest.mark.parametrize(
    "name",
    ["glm_logit_birthwt", "dist_betabinomial_saxony", "nist_thurber", "lmm_sleepstudy"],
)
def test_counts_of_parameters_and_observations(name: str):
    problem = BY_NAME[name]
    fit = pymle.find_MLE(
        problem.model(), **arguments(problem, "start2" if problem.starts else None)
    )
    reference = problem.value
    assert fit.nparams == reference["df"]
    # Written as one multivariate observation a subject, sleepstudy has 18 of them, not 180 rows.
    assert fit.nobs == (18 if name == "lmm_sleepstudy" else reference["nobs"])
    assert fit.aic == pytest.approx(2 * reference["df"] - 2 * reference["loglik"], abs=1e-5)


@pytest.mark.parametrize("start", ["start1", "start2"])
def test_lanczos1_to_the_precision_of_the_arithmetic(start: str):
    found = compare(BY_NAME[LANCZOS1], start)
    # A residual of 8e-14 carries a rounding error of about 1e-16 per term of the mean.
    if found.ok:
        assert abs(found.loglik) < 0.1
        assert found.estimate < 0.05


def test_filip_is_right_or_not_certified():
    found = compare(BY_NAME[FILIP])
    assert found.right or not found.ok


def test_mixture_from_a_usual_start_finds_the_interior_maximum():
    reference = values()["dist_normalmix2_faithful"]
    start = {"w": 0.4, "mu1": 55.0, "mu2": 80.0, "sd1": 5.0, "sd2": 5.0}
    fit = pymle.find_MLE(mixture(load(reference["data"])), start=start, progressbar=False)
    assert fit.verdict.ok
    assert fit.loglik == pytest.approx(reference["loglik"], abs=1e-6)


def test_values_are_complete():
    for problem in PROBLEMS:
        value = problem.value
        assert set(problem.labels) == set(value["estimates"]) == set(value["se"])
        assert np.isfinite(value["loglik"])
        assert value["software"]
        assert value["call"]
