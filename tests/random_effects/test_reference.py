"""Mixed, latent and state-space models against lme4, glmmTMB, TMB and ordinal.

Log-likelihoods to 1e-6 (1e-5 where the reference is trusted no further), estimates to 1e-4
standard errors, standard errors to 1e-3 relative. ``tests/reference/values.json`` says which
software, version and call.
"""

from __future__ import annotations

import numpy as np
import pytest

import pymle
from tests.reference.models_random import PROBLEMS, RandomProblem
from tests.reference.problem import values

# What the roles leave open has to be said; see the models.
DECLARED = {
    "ts_locallevel_nile-noncentred": {"random": ["step", "start"]},
    "ssm_ricker_poisson-centred": {"random": ["X"]},
}
# The Nile's initial level has a Normal(0, 10,000) law where the reference has a flat one; the
# boundary case has no Wald standard errors.
SPECIAL = {"ts_locallevel_nile", "hard_boundary_dyestuff2"}
NAMES = {
    "chol_stds[0]": "sd_intercept",
    "chol_stds[1]": "sd_Days",
    "chol_corr[0, 1]": "rho",
    **{f"theta[{i}]": f"theta{i + 1}" for i in range(4)},
}
REGULAR = [problem for problem in PROBLEMS if problem.name not in SPECIAL]


@pytest.mark.parametrize("problem", REGULAR, ids=str)
def test_fit_equals_reference(problem: RandomProblem):
    reference = values()[problem.name]
    fit = pymle.find_MLE(problem.model(), **DECLARED.get(str(problem), {}), progressbar=False)
    assert fit.verdict.ok, fit.verdict
    assert abs(fit.loglik - reference["loglik"]) < 1e-6
    table = fit.summary()
    found = {}
    for label, row in table.iterrows():
        name = NAMES.get(label, label.split("[")[-1].rstrip("]"))
        found[name] = row
    compared = set(reference["estimates"]) & set(found)
    assert compared == set(reference["estimates"])
    for name in compared:
        se = reference["se"][name]
        assert abs(found[name]["estimate"] - reference["estimates"][name]) < 1e-4 * se, name
        assert found[name]["se"] == pytest.approx(se, rel=1e-3), name


@pytest.mark.parametrize("centred", [True, False])
def test_variance_at_zero_is_a_boundary(centred: bool):
    [problem] = [
        p for p in PROBLEMS if p.name == "hard_boundary_dyestuff2" and p.centred is centred
    ]
    reference = values()[problem.name]
    with pytest.warns(pymle.NotCertifiedWarning):
        fit = pymle.find_MLE(problem.model(), progressbar=False)
    assert fit.verdict.status == "boundary"
    assert fit.loglik == pytest.approx(reference["expected"]["max_loglik"], abs=1e-6)
    assert np.isnan(fit.summary().loc["sd_batch", "se"])
    held = pymle.find_MLE(problem.model(), fixed={"sd_batch": 0.0}, progressbar=False)
    assert held.loglik == pytest.approx(reference["expected"]["max_loglik"], abs=1e-8)


def test_a_diffuse_start_of_a_local_level_model():
    """The reference's flat initial level is the limit of a wide one, up to its constant."""
    reference = values()["ts_locallevel_nile"]
    [centred, other] = [p for p in PROBLEMS if p.name == "ts_locallevel_nile"]
    fits = [
        pymle.find_MLE(p.model(), **DECLARED.get(str(p), {}), progressbar=False)
        for p in (centred, other)
    ]
    assert fits[0].loglik == pytest.approx(fits[1].loglik, abs=1e-8)
    # log of the initial level's density where the flat one has 1.
    wide = fits[0].loglik + np.log(10_000 * np.sqrt(2 * np.pi))
    assert wide == pytest.approx(reference["loglik"], abs=0.02)
    for fit in fits:
        found = fit.summary()["estimate"]
        for name, target in (("sd_eps", "var_eps"), ("sd_level", "var_level")):
            se = reference["se"][target]
            assert abs(found[name] ** 2 - reference["estimates"][target]) < 0.02 * se
