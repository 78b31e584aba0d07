"""Estimates at infinity in places where no design matrix is at hand, and what stays finite."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymle
from tests.existence import data_firth

pytestmark = pytest.mark.filterwarnings("ignore::pymle.NotCertifiedWarning")


def fitted(fill, coords=None, **arguments):
    with pm.Model(coords=coords) as model:
        fill()
    return pymle.find_MLE(model, progressbar=False, **arguments)


GROUP = np.repeat(np.arange(8), 6)
TREATED = np.tile([0, 0, 0, 1, 1, 1], 8)
ANSWER = np.array([0, 1, 0, 1, 1, 1] * 2 + [1, 1, 0, 1, 1, 1] * 2 + [0, 0, 0, 1, 1, 1] * 2
                  + [1, 1, 1, 1, 1, 1] * 2)  # fmt: skip


def random_intercepts(rows):
    def fill():
        a, s = pm.Normal("a", 0, 5), pm.HalfNormal("s", 2)
        z = pm.Normal("z", 0, 1, shape=8)
        eta = a + s * z[GROUP[rows]]
        if np.any(TREATED[rows]):
            eta = eta + pm.Normal("b", 0, 5) * TREATED[rows]
        pm.Bernoulli("y", logit_p=eta, observed=ANSWER[rows])

    return fill


@pytest.mark.slow
def test_separation_behind_random_effects():
    # All treated answered one: what is left is the likelihood of the others.
    fit = fitted(random_intercepts(np.arange(48)), random=["z"])
    assert fit.verdict.status == "no maximum"
    assert set(fit.verdict.parameters) == {"b"}
    assert "24 of 48 observations" in fit.verdict.advice
    others = fitted(random_intercepts(np.flatnonzero(TREATED == 0)), random=["z"])
    np.testing.assert_allclose(fit.loglik, others.loglik, atol=1e-8)
    columns = ["estimate", "se"]
    ours, theirs = fit.summary().loc[["a", "s"], columns], others.summary().loc[["a", "s"], columns]
    np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=1e-8)
    assert np.isnan(fit.summary().loc["b", "se"])


def test_separation_among_effects_that_sum_to_zero():
    # A wins all its games; what is left is the table of the three others.
    first = np.array([0, 0, 0, 1, 1, 2, 1, 2, 3, 2, 3, 3])
    second = np.array([1, 2, 3, 2, 3, 3, 2, 1, 1, 3, 2, 1])

    def paired(first, second, teams):
        def fill():
            s = pm.ZeroSumNormal("s", dims="team")
            pm.Deterministic("B against C", s[-3] - s[-2])
            pm.Bernoulli("win", logit_p=s[first] - s[second], observed=np.ones(len(first), int))

        return fitted(fill, {"team": teams}, parameters=["s"])

    fit = paired(first, second, list("ABCD"))
    assert fit.verdict.status == "no maximum"
    assert next(iter(fit.verdict.parameters)) == "s[A]"
    assert set(fit.verdict.parameters) == {"s[A]", "s[B]", "s[C]", "s[D]"}
    assert "3 of 12 observations" in fit.verdict.advice
    rest = paired(first[3:] - 1, second[3:] - 1, list("BCD"))
    assert rest.verdict.ok
    np.testing.assert_allclose(fit.loglik, rest.loglik, atol=1e-8)
    row = "B against C", ["estimate", "se"]
    np.testing.assert_allclose(fit.summary().loc[row], rest.summary().loc[row], rtol=1e-5)


def test_separation_under_constraints():
    x = np.arange(12.0) - 5.5
    z = np.array([0.3, -1.0, 0.8, 0.1, -0.6, 0.5, -0.2, 1.1, -0.9, 0.4, 0.2, -0.3])

    def fill():
        b, a = pm.Normal("b", 0, 2, shape=2), pm.Normal("a")
        pm.Bernoulli("y", logit_p=a + b[0] * x + b[1] * z, observed=(x > 0).astype(int))

    fit = fitted(fill, constraints=["b[0] = b[1]"])
    assert fit.verdict.status == "no maximum"
    assert fit.verdict.parameters["b[0]"] == fit.verdict.parameters["b[1]"] > 0
    assert "separated" in fit.verdict.advice
    assert "firth" not in fit.verdict.advice
    held = fitted(fill, constraints=["b[0] = b[1]", "b[0] <= 2"])
    assert held.verdict.ok
    assert held.summary().loc["b[0]", "estimate"] == 2.0


def test_predictors_that_overflow_a_link():
    # R 4.2.2, glm(HG ~ ., binomial("cloglog"), endometrial, epsilon = 1e-14), brglm2: all but NV.
    design, y = data_firth.ENDOMETRIAL[:, :3], data_firth.ENDOMETRIAL[:, 3].astype(int)

    def fill():
        b, a = pm.Normal("b", 0, 10, dims="column"), pm.Normal("a", 0, 10)
        pm.Bernoulli("y", p=1 - pm.math.exp(-pm.math.exp(a + design @ b)), observed=y)

    fit = fitted(fill, {"column": ["NV", "PI", "EH"]})
    assert set(fit.verdict.parameters) == {"b[NV]"}
    assert "13 of 79 observations" in fit.verdict.advice
    table = fit.summary()
    rest = table.loc[["b[PI]", "b[EH]", "a"]]
    known = [-0.04740312, -2.56863708, 3.63639069]
    np.testing.assert_allclose(rest["estimate"], known, rtol=1e-6)
    assert np.all(np.isfinite(rest["se"]))


def test_a_certain_part_of_a_mixture_has_no_standard_error():
    # No structural zeros where x is one: those rows are Poisson.
    x = np.repeat([0, 1], 20)
    y = np.r_[[0, 4, 0, 3, 5, 0, 2, 0, 6, 3, 0, 4, 1, 0, 5, 3, 0, 4, 0, 2], [4, 2, 3, 5, 1] * 4]

    def fill():
        b, g = pm.Normal("b", 0, 2, shape=2), pm.Normal("g", 0, 2, shape=2)
        psi = pm.math.invlogit(g[0] + g[1] * x)
        pm.ZeroInflatedPoisson("y", psi=psi, mu=pm.math.exp(b[0] + b[1] * x), observed=y)

    fit = fitted(fill)
    assert set(fit.verdict.parameters) == {"g[1]"}
    table = fit.summary()
    assert np.isnan(table.loc["g[1]", "se"])
    assert np.all(np.isfinite(table.loc[["b[0]", "b[1]", "g[0]"], "se"]))
    # The mean of x = 1 is that of its rows; its logarithm has variance one over their sum.
    total = float(np.sum(y[20:]))
    np.testing.assert_allclose(table.loc["b[0]", "estimate"] + table.loc["b[1]", "estimate"],
                               np.log(total / 20), rtol=1e-6)  # fmt: skip
    variance = fit.covariance().loc[["b[0]", "b[1]"], ["b[0]", "b[1]"]].to_numpy().sum()
    np.testing.assert_allclose(variance, 1 / total, rtol=1e-5)


@pytest.mark.slow
def test_the_logarithm_of_a_scale_is_named_alone():
    # Equal group means: no variance between them, whatever the scale is called.
    within = np.array([-1.0, -0.2, 0.4, 0.8])
    y = np.concatenate([within, -within, within[[2, 0, 3, 1]], 2 * within, -2 * within])

    def fill():
        mu, log_tau, s = pm.Normal("mu"), pm.Normal("log_tau", 0, 2), pm.HalfNormal("s")
        a = pm.Normal("a", mu, pt.exp(log_tau), shape=5)
        pm.Normal("y", a[np.repeat(np.arange(5), 4)], s, observed=y)

    fit = fitted(fill, random=["a"])
    assert fit.verdict.status == "no maximum"
    assert fit.verdict.parameters == {"log_tau": -1.0}
    sd = np.sqrt(np.mean(y**2))
    np.testing.assert_allclose(fit.summary().loc["s", "estimate"], sd, rtol=1e-6)
    se = fit.summary().loc[["mu", "s"], "se"]
    np.testing.assert_allclose(se, [sd / np.sqrt(20), sd / np.sqrt(40)], rtol=1e-4)


@pytest.mark.parametrize("s", [0.3, 0.1, 0.02])
def test_two_scales_of_which_the_sum_of_squares_enters_have_no_edge(s):
    y = np.array([0.1, -0.7, 1.2, 0.4, -0.3, 0.9, -1.1, 0.6, 0.2, 1.4])

    def fill():
        mu, t, sigma = pm.Normal("mu"), pm.HalfNormal("t"), pm.HalfNormal("s")
        pm.Normal("y", mu, pt.sqrt(t**2 + sigma**2), observed=y)

    start = {"mu": y.mean(), "s": s, "t": np.sqrt(y.var() - s**2)}
    fit = fitted(fill, start=start, n_starts=1)
    assert fit.verdict.status == "flat direction"
    assert set(fit.verdict.parameters) == {"t", "s"}


@pytest.mark.slow
def test_a_plateau_above_an_edge_is_what_is_reported():
    # Skewed to the other side: an exponential part of width zero, which PyMC's law switches to.
    y = -np.array([0.1, 0.2, 0.3, 0.3, 0.5, 0.6, 0.8, 0.9, 1.1, 1.4, 1.6, 2.0, 2.5, 3.1])

    def fill():
        mu, s, nu = pm.Normal("mu", 0, 3), pm.HalfNormal("s"), pm.Exponential("nu", 1)
        pm.ExGaussian("y", mu=mu, sigma=s, nu=nu, observed=y)

    fit = fitted(fill)
    sd = np.std(y)
    normal = -len(y) * (0.5 * np.log(2 * np.pi) + np.log(sd) + 0.5)
    np.testing.assert_allclose(fit.loglik, normal, atol=1e-6)
    assert not fit.verdict.ok
    assert set(fit.verdict.parameters) == {"nu"}


@pytest.mark.slow
def test_no_criterion_of_a_likelihood_without_bound():
    def fill():
        mu, lam = pm.HalfNormal("mu", 3), pm.HalfNormal("lam", 3)
        pm.Wald("y", mu=mu, lam=lam, observed=np.full(6, 2.5))

    fit = fitted(fill)
    assert fit.verdict.unbounded
    for criterion in ("aic", "aicc", "bic"):
        with pytest.raises(pymle.AnalysisError, match="without bound"):
            getattr(fit, criterion)
    assert "grows without bound" in str(fit)
