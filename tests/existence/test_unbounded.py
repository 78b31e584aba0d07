"""Likelihoods that grow without bound: never certified, with the parameter, the rate, the cause."""

import numpy as np
import pytest

import pymle
from tests.existence.cases_no_maximum import CASES, examined, of_theme

#: How much the log-likelihood grows for every factor of e: the number of observations that a
#: scale collapses onto, or half their number less what the normalisation takes.
RATES = {
    "exactly-fitting-line": 10,
    "as-many-coefficients-as-observations": 5,
    "constant-observations": 6,
    "group-of-one-with-its-own-sigma": 1,
    "student-on-repeated-values": 6 - 3,
    "rising-ray-of-a-product": 4,
    "gamma-shape-on-equal-values": 8 / 2,
    "mixture-collapsing": 1,
}


@pytest.mark.parametrize("case", of_theme("unbounded"))
def test_is_recognised(case):
    fit = examined(case)
    if fit.verdict.status == "no maximum" and case.name != "underdispersed-counts":
        assert fit.summary()["se"].isna().all()
    if case.name in RATES:
        assert fit.verdict.evidence["growth"] == pytest.approx(RATES[case.name], rel=1e-2)


def test_every_rate_belongs_to_a_case():
    assert set(RATES) <= {case.name for case in CASES}
    assert all(np.isfinite(rate) for rate in RATES.values())


@pytest.mark.filterwarnings("ignore::pymle.errors.NotCertifiedWarning")
def test_nothing_is_compared_with_where_the_search_stopped():
    [case] = [case for case in CASES if case.name == "constant-observations"]
    fit = examined(case)
    assert fit.verdict.unbounded
    with pytest.raises(pymle.AnalysisError, match="no maximum"):
        fit.conf_int(method="profile")
    with pytest.raises(pymle.AnalysisError, match="grows without bound"):
        pymle.compare({"one": fit, "two": fit})


@pytest.mark.filterwarnings("ignore::pymle.errors.NotCertifiedWarning")
def test_a_long_climb_towards_a_maximum_is_no_growth():
    """NIST's Filip, a regression on ten powers: its maximum is beyond double precision, but there.

    The search ends half way (b[1] at -1,159, certified -2,772), where the log-likelihood rises
    nearly as a line.
    """
    from tests.reference.bank import PROBLEMS

    [filip] = [problem for problem in PROBLEMS if problem.name == "hard_nist_filip"]
    fit = pymle.find_MLE(filip.model(), n_starts=1, progressbar=False)
    assert not fit.verdict.ok
    assert not fit.verdict.unbounded
    assert fit.verdict.status != "no maximum"
    assert "grows" not in fit.verdict.advice
