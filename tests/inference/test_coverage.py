"""Simulated coverage against the exact coverage of the same method."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest

import pymle
from tests.inference.coverage import (
    LIKELIHOOD,
    Study,
    coverage,
    covered,
    expected,
    extend,
    main,
    new_record,
    tables,
    without,
)
from tests.inference.coverage_exact import (
    AVERAGED,
    BOOTSTRAPS,
    REFERENCES,
    Z,
    averaged,
    bootstrapped,
)
from tests.inference.coverage_models import CASES

SETS, BOOTSTRAPPED, CALIBRATED = 400, 200, 200
#: About two hundred binomial tests are made: one in ten thousand each keeps all of them honest.
RARE = 1e-4


def _exact(name, label):
    return REFERENCES[name][label].exact(CASES[name].truth[label])


def test_exact_coverage_of_a_standard_deviation():
    """Natural scale, log scale, and the likelihood ratio, at eight observations."""
    exact = _exact("normal, n = 8", "sigma")
    assert exact["natural"] == pytest.approx(0.824, abs=5e-4)
    assert exact["wald"] == pytest.approx(0.882, abs=1e-3)
    assert exact["profile"] == pytest.approx(0.919, abs=5e-4)
    assert exact["auto"] == exact["profile"]
    assert exact["straight"] == 0.0


def test_laws_are_probabilities():
    for references in REFERENCES.values():
        for reference in references.values():
            if reference.law is not None:
                assert reference.law()[1].sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("name", ["normal, n = 8", "logistic regression, n = 20"])
def test_a_few_sets_decide_as_the_reference(name):
    record = new_record()
    extend(record, Study(name), "sets", 5)
    for label, methods in coverage(name, record).items():
        decided = expected(name, label, 5)
        for method in LIKELIHOOD:
            np.testing.assert_array_equal(methods[method], decided[method])


def test_a_study_goes_on_where_it_stopped(tmp_path, capsys):
    name, path = "exponential, n = 10", tmp_path / "study.json"
    main([name, "--sets", "2", "--json", str(path)])
    main([name, "--sets", "4", "--bootstrap", "2", "--replicates", "39", "--json", str(path)])
    study = json.loads(path.read_text())
    at_once = new_record()
    extend(at_once, Study(name), "sets", 4)
    assert study["models"][name]["sets"] == json.loads(json.dumps(at_once["sets"]))
    assert study["models"][name]["bootstrap"]["count"] == 2
    assert any(line.startswith(f"| {name}: rate | ") for line in tables(study))
    assert "4" in capsys.readouterr().out


def test_sets_without_limits_do_not_cover():
    ends = [[np.nan, np.nan], [-np.inf, 1.0], [0.5, np.inf], [2.0, np.nan]]
    assert covered(ends, 0.0).tolist() == [False, True, False, False]
    assert without(ends) == 2


def test_a_share_whose_count_is_zero_has_profile_limits():
    """One outcome of the study, whose other shares reach the bounds during the search."""
    compiled = pymle.compile(CASES["simplex, n = 30"].model(np.array([0, 5, 25])))
    with pytest.warns(pymle.errors.NotCertifiedWarning):
        fit = compiled.fit(progressbar=False)
    found = fit.conf_int(method="profile", progressbar=False)
    assert found.loc["p[0]", "lower"] == 0.0
    assert found.loc["p[0]", "lower_flag"] == "edge"
    assert found.loc["p[0]", "upper"] == pytest.approx(1 - np.exp(-(Z**2) / 60), rel=1e-4)
    reference, row = REFERENCES["simplex, n = 30"]["p[1]"], np.array([[5.0]])
    for side in ("lower", "upper"):
        ratio = reference.ratio(row, np.array([found.loc["p[1]", side]]))
        assert ratio == pytest.approx(Z**2, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_coverage_is_that_of_the_method(name):
    """Each decision is the reference's, and their number within binomial error of the exact one."""
    record = new_record()
    extend(record, Study(name), "sets", SETS)
    for label, methods in coverage(name, record).items():
        decided, exact = expected(name, label, SETS), _exact(name, label)
        for method in LIKELIHOOD:
            inside = methods[method]
            differ = np.flatnonzero(inside != decided[method])
            assert len(differ) == 0, (label, method, differ)
            if exact is not None:
                found = binomtest(int(inside.sum()), SETS, exact[method])
                assert found.pvalue > RARE, (label, method, inside.mean(), exact[method])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "label"), BOOTSTRAPS)
def test_bootstrap_coverage_where_it_is_known(name, label):
    record = new_record()
    extend(record, Study(name), "bootstrap", BOOTSTRAPPED)
    for method, exact in bootstrapped(name, label).items():
        inside = coverage(name, record)[label][method]
        assert binomtest(int(inside.sum()), BOOTSTRAPPED, exact).pvalue > RARE, method


@pytest.mark.slow
def test_calibration_repairs_the_profile():
    """The law of the likelihood ratio is free of the truth here, so that the level is exact."""
    name, n = "normal, n = 8", CALIBRATED
    record = new_record()
    extend(record, Study(name, n_boot=99), "calibrated", n)
    for label, methods in coverage(name, record).items():
        inside = int(methods["calibrated"].sum())
        assert binomtest(inside, n, 0.95).pvalue > RARE, label
        assert inside / n > _exact(name, label)["profile"]


@pytest.mark.slow
def test_auto_is_as_near_to_nominal_as_the_better_of_wald_and_profile():
    """On average over true values; the coverage at one of them jumps with discrete data."""
    for name, label in AVERAGED:
        of = averaged(name, label)[1]
        off = {method: np.abs(of[method] - 0.95).mean() for method in LIKELIHOOD}
        assert off["auto"] <= min(off["wald"], off["profile"]) + 1e-3, (name, label)
    for name, labels in REFERENCES.items():
        for label in labels:
            exact = None if (name, label) in AVERAGED else _exact(name, label)
            if exact is None or name.startswith("simplex"):
                continue
            off = {method: abs(exact[method] - 0.95) for method in LIKELIHOOD}
            assert off["auto"] <= min(off["wald"], off["profile"]) + 0.007, (name, label)
