"""Fits of published models: estimates printed by other software, and forms that must agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import optimize, stats

import pymle

SLEEP = pd.read_csv(Path(__file__).parents[2] / "examples" / "data" / "sleepstudy.csv")
SLEEP = SLEEP.rename(columns={"y": "Reaction", "subject": "Subject"})


def test_seeds():
    """Crowder (1978), table 3; by maximum likelihood in Breslow and Clayton (1993), table 4.

    Their estimates are those of EGRET; doi:10.1080/01621459.1993.10594284.
    """
    germinated = [10, 23, 23, 26, 17, 5, 53, 55, 32, 46, 10, 8, 10, 8, 23, 0, 3, 22, 15, 32, 3]
    sown = [39, 62, 81, 51, 39, 6, 74, 72, 51, 79, 13, 16, 30, 28, 45, 4, 12, 41, 30, 51, 7]
    seed, extract = np.repeat([0, 1], [11, 10]), np.repeat([0, 1, 0, 1], [5, 6, 5, 5])
    design = np.column_stack([np.ones(21), seed, extract, seed * extract])
    with pm.Model() as model:
        alpha = pm.Normal("alpha", 0, 1e3, shape=4)
        b = pm.Normal("b", 0, pm.Uniform("sigma", 0, 10), shape=21)
        p = pm.math.invlogit(pt.dot(design, alpha) + b)
        pm.Binomial("r", n=np.array(sown), p=p, observed=germinated)
    fit = pymle.find_MLE(model, quadrature=15, progressbar=False)
    assert fit.verdict.ok
    table = fit.summary()
    published = [-0.548, 0.097, 1.337, -0.811, 0.236]
    np.testing.assert_allclose(table["estimate"], published, atol=6e-4)
    np.testing.assert_allclose(table["se"], [0.167, 0.278, 0.237, 0.385, 0.110], atol=6e-4)


def test_pumps():
    """George, Makov and Smith (1993): the marginal law of each count is negative binomial."""
    failures = np.array([5, 1, 5, 14, 3, 19, 1, 1, 4, 22])
    hours = np.array([94.3, 15.7, 62.9, 126, 5.24, 31.4, 1.05, 1.05, 2.1, 10.5])
    with pm.Model() as model:
        alpha, beta = pm.Exponential("alpha", 1), pm.Gamma("beta", 0.1, 1)
        theta = pm.Gamma("theta", alpha, beta, shape=10)
        pm.Poisson("x", theta * hours, observed=failures)
    fit = pymle.find_MLE(model, quadrature=25, progressbar=False)

    def exact(point):
        share = point[1] / (point[1] + hours)
        return -stats.nbinom.logpmf(failures, point[0], share).sum()

    best = optimize.minimize(exact, [0.8, 1.3], method="Nelder-Mead", options={"fatol": 1e-12})
    # What 25 points leave of the error for the skewed laws of the logarithms.
    assert fit.loglik == pytest.approx(-best.fun, abs=3e-5)
    found = [float(fit.params["alpha"]), float(fit.params["beta"])]
    np.testing.assert_allclose(found, best.x, rtol=1e-3)


@pytest.mark.slow
def test_law_school_admission_test():
    """Bock and Lieberman (1970), section 6; R's ltm 1.2-0: rasch(LSAT), 21 points.

    log.Lik -2466.938; difficulties -3.6153, -1.3224, -0.3176, -1.7301, -2.7802, discrimination
    0.7551.
    """
    counts = [3, 6, 2, 11, 1, 1, 3, 4, 1, 8, 0, 16, 0, 3, 2, 15]
    counts += [10, 29, 14, 81, 3, 28, 15, 80, 16, 56, 21, 173, 11, 61, 28, 298]
    answers = np.array([[int(c) for c in f"{pattern:05b}"] for pattern in range(32)])
    answers = np.repeat(answers, counts, axis=0)
    assert len(answers) == 1000
    with pm.Model() as model:
        theta = pm.Normal("theta", 0, 1, shape=(1000, 1))
        alpha, beta = pm.Normal("alpha", 0, 100, shape=5), pm.HalfNormal("beta", 100)
        pm.Bernoulli("r", logit_p=beta * theta - alpha, observed=answers)
    fit = pymle.find_MLE(model, quadrature=21, progressbar=False)
    assert fit.verdict.ok
    assert fit.loglik == pytest.approx(-2466.938, abs=6e-4)
    beta = float(fit.params["beta"])
    assert beta == pytest.approx(0.7551, abs=6e-5)
    difficulty = fit.params["alpha"].to_numpy() / beta
    np.testing.assert_allclose(
        difficulty, [-3.6153, -1.3224, -0.3176, -1.7301, -2.7802], atol=1.5e-4
    )


DAYS, SUBJECT = SLEEP["Days"].to_numpy(), SLEEP["Subject"].to_numpy()
REACTION = SLEEP["Reaction"].to_numpy()


def _centred():
    with pm.Model() as model:
        mean = pm.Normal("mean", 0, 500, shape=2)
        a = pm.Normal("a", mean[0], pm.HalfNormal("sd_a", 50), shape=18)
        b = pm.Normal("b", mean[1], pm.HalfNormal("sd_b", 50), shape=18)
        sigma = pm.HalfNormal("sigma", 50)
        pm.Normal("y", a[SUBJECT] + b[SUBJECT] * DAYS, sigma, observed=REACTION)
    return model, ["sd_a", "sd_b", "sigma"]


def _non_centred():
    with pm.Model() as model:
        mean, sd = pm.Normal("mean", 0, 500, shape=2), pm.HalfNormal("sd", 50, shape=2)
        z = pm.Normal("z", 0, 1, shape=(18, 2))
        ab = pm.Deterministic("ab", mean + z * sd)
        mu = ab[SUBJECT, 0] + ab[SUBJECT, 1] * DAYS
        pm.Normal("y", mu, pm.HalfNormal("sigma", 50), observed=REACTION)
    return model, ["sd[0]", "sd[1]", "sigma"]


def _bambi():
    import bambi

    built = bambi.Model("Reaction ~ Days + (1|Subject) + (0 + Days|Subject)", SLEEP)
    built.build()
    return built.backend.model, ["1|Subject_sigma", "Days|Subject_sigma", "sigma"]


def test_three_forms_of_one_model():
    """lme4's Reaction ~ Days + (Days || Subject), ML: the density of the data in closed form."""
    found = []
    for build in (_centred, _non_centred, _bambi):
        model, names = build()
        fit = pymle.find_MLE(model, progressbar=False)
        assert fit.verdict.ok
        found.append((fit.loglik, fit.summary().loc[names]))
    first, table = found[0]
    sd_a, sd_b, sigma = table["estimate"]
    same = SUBJECT[:, None] == SUBJECT
    covariance = same * (sd_a**2 + sd_b**2 * DAYS[:, None] * DAYS) + sigma**2 * np.eye(180)
    design = np.column_stack([np.ones(180), DAYS])
    weighted = np.linalg.solve(covariance, design)
    beta = np.linalg.solve(design.T @ weighted, weighted.T @ REACTION)
    exact = stats.multivariate_normal(design @ beta, covariance).logpdf(REACTION)
    assert first == pytest.approx(exact, abs=1e-8)
    for loglik, other in found[1:]:
        assert loglik == pytest.approx(first, abs=1e-8)
        np.testing.assert_array_less(
            np.abs(other["estimate"].to_numpy() - table["estimate"]), 1e-4 * table["se"]
        )
        np.testing.assert_allclose(other["se"], table["se"], rtol=1e-4)
