"""Firth's penalised likelihood against logistf, brglm2 and closed forms."""

import numpy as np
import pymc as pm
import pytest

import pymle
from tests.existence import data_firth as data
from tests.existence.cases_no_maximum import CASES


def regression(rows, y, names, counts=None):
    design = np.column_stack([np.ones(len(rows)), rows])
    with pm.Model(coords={"column": ["one", *names]}) as model:
        beta = pm.Normal("beta", 0, 5, dims="column")
        if counts is None:
            pm.Bernoulli("y", logit_p=design @ beta, observed=y.astype(int))
        else:
            pm.Binomial("y", counts, logit_p=design @ beta, observed=y)
    return model


@pytest.fixture(scope="module")
def sex2():
    model = regression(data.SEX2[:, :6], data.SEX2[:, 6], data.SEX2_NAMES, data.SEX2[:, 7])
    return pymle.find_MLE(model, penalty="firth", progressbar=False)


def endometrial_model():
    table = data.ENDOMETRIAL
    return regression(table[:, :3], table[:, 3], ["NV", "PI", "EH"])


@pytest.fixture(scope="module")
def endometrial():
    return pymle.find_MLE(endometrial_model(), penalty="firth", progressbar=False)


def test_coefficients_of_logistf(sex2):
    assert sex2.verdict.ok
    # logistf stops at a change of 1e-5.
    np.testing.assert_allclose(sex2.params["beta"], data.SEX2_COEF, atol=5e-6)


def test_profile_limits_of_logistf(sex2):
    found = sex2.conf_int(method="profile").loc[:, ["lower", "upper"]].to_numpy(float)
    np.testing.assert_allclose(found, data.SEX2_LIMITS, atol=1e-5)


def test_coefficients_and_errors_of_brglm2(endometrial):
    table = endometrial.summary(cov="expected")[["estimate", "se"]].to_numpy(float)
    np.testing.assert_allclose(table, data.ENDOMETRIAL_BR, atol=6e-6)


def test_profile_limits_under_separation(endometrial):
    found = endometrial.conf_int(method="profile").loc[:, ["lower", "upper"]].to_numpy(float)
    np.testing.assert_allclose(found, data.ENDOMETRIAL_LIMITS, atol=2e-6)


def test_is_reported_as_penalised(endometrial):
    assert endometrial.objective == "penalised"
    text = repr(endometrial)
    assert "Firth's penalised likelihood" in text
    assert "none for a penalised likelihood" in text
    for analysis in (
        lambda: endometrial.aic,
        lambda: endometrial.bic,
        lambda: endometrial.covariance("sandwich"),
        lambda: endometrial.lr_test(endometrial),
    ):
        with pytest.raises(pymle.AnalysisError, match="penal"):
            analysis()


def test_log_likelihood_is_that_without_the_penalty(endometrial):
    likelihood = pymle.compile(endometrial_model())
    np.testing.assert_allclose(likelihood.logp(endometrial.point), endometrial.loglik, rtol=1e-12)


def test_score_and_hessian_are_derivatives():
    likelihood = pymle.compile(endometrial_model(), penalty="firth")
    at = np.array([1.0, 0.5, -0.02, -0.8])
    steps = 1e-4 * np.array([1.0, 1.0, 0.05, 0.5])
    score = likelihood.score({"beta": at}).to_numpy()
    hessian = likelihood.hessian({"beta": at}).to_numpy()
    for i, h in enumerate(steps):
        up, down = at.copy(), at.copy()
        up[i] += h
        down[i] -= h
        slope = (likelihood.logp({"beta": up}) - likelihood.logp({"beta": down})) / (2 * h)
        np.testing.assert_allclose(score[i], slope, rtol=1e-5)
        row = (likelihood.score({"beta": up}) - likelihood.score({"beta": down})) / (2 * h)
        np.testing.assert_allclose(hessian[i], row, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("parameter", ["logit", "probability"])
def test_a_proportion_is_shrunk_by_half_a_success(parameter):
    """Jeffreys' prior on the logit: (y + 1/2) / (n + 1)."""
    with pm.Model() as model:
        if parameter == "logit":
            eta = pm.Normal("eta", 0, 5)
            p = pm.Deterministic("p", pm.math.invlogit(eta))
            pm.Binomial("y", 7, logit_p=eta, observed=[6])
        else:
            p = pm.Beta("p", 1, 1)
            pm.Binomial("y", 7, p, observed=[6])
    fit = pymle.find_MLE(model, penalty="firth", progressbar=False)
    assert fit.verdict.ok
    np.testing.assert_allclose(fit.summary().loc["p", "estimate"], 6.5 / 8, rtol=1e-8)


def test_a_fourfold_table_gets_a_half_in_every_cell():
    """The saturated logistic regression of a 2 x 2 table, with an empty cell."""
    table = np.array([[5, 3], [6, 0]])  # successes, failures
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
        pm.Binomial("y", table.sum(axis=1), logit_p=a + b * np.array([0, 1]), observed=table[:, 0])
    fit = pymle.find_MLE(model, penalty="firth", progressbar=False)
    odds = np.log((table[:, 0] + 0.5) / (table[:, 1] + 0.5))
    np.testing.assert_allclose([fit.params["a"], fit.params["b"]], [odds[0], odds[1] - odds[0]])


def test_every_category_of_every_group_gets_a_half():
    """The saturated softmax regression of two groups, one of them without the first category."""
    counts = np.array([[2, 3, 2], [0, 2, 1]]) + 0.5
    [case] = [case for case in CASES if case.name == "softmax-quasi"]
    fit = pymle.find_MLE(case.build(), penalty="firth", progressbar=False)
    odds = np.log(counts[:, 1:] / counts[:, :1])
    np.testing.assert_allclose(fit.params["beta"], [odds[0], odds[1] - odds[0]], atol=1e-8)


def test_weights_are_repetitions():
    rows = np.array([[-1.0], [0.0], [1.0], [2.0]])
    y, weights = np.array([0, 0, 1, 1]), np.array([3, 1, 2, 4])
    weighted = pymle.find_MLE(
        regression(rows, y, ["x"]), penalty="firth", weights=weights, progressbar=False
    )
    again = np.repeat(np.arange(4), weights)
    repeated = pymle.find_MLE(
        regression(rows[again], y[again], ["x"]), penalty="firth", progressbar=False
    )
    np.testing.assert_allclose(weighted.params["beta"], repeated.params["beta"], rtol=1e-7)


def poisson():
    with pm.Model() as model:
        pm.Poisson("y", pm.Gamma("mu", 2, 1), observed=[1, 2])
    return model


def with_potential():
    with pm.Model() as model:
        a = pm.Normal("a", 0, 1)
        pm.Bernoulli("y", logit_p=a, observed=[0, 1, 1])
        pm.Potential("more", -(a**2))
    return model


@pytest.mark.parametrize(
    ("build", "words"),
    [(poisson, "`y` is Poisson"), (with_potential, "Potential `more`")],
)
def test_is_refused_where_it_is_no_finite_sum(build, words):
    with pytest.raises(pymle.AnalysisError, match=words) as caught:
        pymle.find_MLE(build(), penalty="firth", progressbar=False)
    assert "find_MAP" in str(caught.value)


def test_other_arguments_are_refused():
    model = endometrial_model()
    with pytest.raises(pymle.AnalysisError, match="penalty"):
        pymle.find_MLE(model, penalty="ridge", progressbar=False)
    with pytest.raises(pymle.AnalysisError, match="constraints"):
        pymle.find_MLE(model, penalty="firth", constraints="beta[PI] = 0", progressbar=False)


def test_a_far_start_leaves_no_outcome_out():
    """At the start most probabilities underflow: (y + 1/2) / (n + 1) all the same."""
    with pm.Model() as model:
        eta = pm.Normal("eta", 0, 5, initval=-12.0)
        pm.Binomial("y", 190, logit_p=eta, observed=[185])
    fit = pymle.find_MLE(model, penalty="firth", progressbar=False)
    np.testing.assert_allclose(fit.params["eta"], np.log(185.5 / 5.5), rtol=1e-8)


def test_outcomes_that_are_predictors_too_are_refused():
    with pm.Model() as model:
        seen = pm.Data("seen", np.array([0, 1, 1, 0, 1, 0, 0, 1]))
        before = pm.math.concatenate([np.zeros(1), seen[:-1]])
        slope = pm.Normal("slope", 0, 5)
        pm.Bernoulli("y", logit_p=pm.Normal("a", 0, 5) + slope * before, observed=seen)
    with pytest.raises(pymle.AnalysisError, match="`y` are predictors too"):
        pymle.find_MLE(model, penalty="firth", progressbar=False)
