"""Published mixed models, written as users do, against lme4, nlme, TMB and metafor.

``python -m tests.random_effects.test_published`` prints the table of docs/random-effects.md.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
import pytest

import pymle
from tests.reference import models_growth  # noqa: F401  (registers its forms)
from tests.reference.models_mixed import FORMS, model, published

#: What is integrated in the restricted likelihoods.
FIXED = {
    "machines_reml": ["beta"],
    "oats_reml": ["a", "b"],
    "pastes_reml": ["mu"],
    "ergostool_reml": ["beta"],
}
FAST = ["berkey"]


@cache
def fitted(name: str, how: str, restricted: bool = False) -> pymle.Fit:
    reml = FIXED[f"{name}_reml"] if restricted else None
    return pymle.find_MLE(model(name, how), reml=reml, progressbar=False)


def distances(fit: pymle.Fit, reference: dict[str, Any]) -> dict[str, float]:
    """Log-likelihood; estimates in standard errors; standard errors relative: the largest."""
    table = fit.summary()
    labels = list(reference["estimates"])
    assert set(labels) <= set(table.index), set(labels) - set(table.index)
    found = table.loc[labels]
    se = np.array([reference["se"][label] for label in labels])
    estimate = np.array([reference["estimates"][label] for label in labels])
    return {
        "loglik": abs(fit.loglik - reference["loglik"]),
        "estimate": float(np.max(np.abs(found["estimate"] - estimate) / se)),
        "se": float(np.max(np.abs(found["se"] / se - 1))),
    }


def check(name: str, restricted: bool = False) -> None:
    reference = published()[f"{name}_reml" if restricted else name]
    for how in FORMS[name]:
        fit = fitted(name, how, restricted)
        assert fit.verdict.ok, (how, fit.verdict)
        far = distances(fit, reference)
        assert far["loglik"] < 1e-6, how
        assert far["estimate"] < 1e-4, how
        assert far["se"] < 1e-3, how
    first = fitted(name, next(iter(FORMS[name])), restricted)
    for how in FORMS[name]:
        assert fitted(name, how, restricted).loglik == pytest.approx(first.loglik, abs=1e-8)


@pytest.mark.parametrize("name", FAST)
def test_fit(name: str):
    check(name)


def test_limits_of_a_correlation_are_correlations():
    """On the scale of Fisher's z: metafor's 0.699 with a standard error of 0.446."""
    reference, label = published()["berkey"], "L_corr[0, 1]"
    rho, se = reference["estimates"][label], reference["se"][label]
    z = np.arctanh(rho) + np.array([-1, 1]) * 1.959963984540054 * se / (1 - rho**2)
    row = fitted("berkey", "integrated by hand").summary().loc[label]
    np.testing.assert_allclose(row[["lower", "upper"]].astype(float), np.tanh(z), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FORMS if name not in FAST])
def test_fit_of_the_others(name: str):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name.removesuffix("_reml") for name in FIXED])
def test_restricted_fit(name: str):
    check(name, restricted=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["oats", "pastes", "ergostool", "rail"])
def test_profile_limits(name: str):
    """confint(method = "profile") of lme4, which interpolates its profile by splines."""
    fit = fitted(name, next(iter(FORMS[name])))
    found = fit.conf_int(method="profile", progressbar=False)
    for label, (lower, upper) in published()[name]["profile"].items():
        width = upper - lower
        assert found.loc[label, "lower"] == pytest.approx(lower, abs=2e-3 * width), label
        assert found.loc[label, "upper"] == pytest.approx(upper, abs=2e-3 * width), label


@pytest.mark.slow
def test_conditional_modes():
    """ranef of lme4, which holds deviations where the centred model has the workers' rates."""
    reference = published()["machines"]
    modes = np.array(reference["ranef"]["Worker"])
    levels = [int(each) - 1 for each in reference["levels"]["Worker"]]
    fit = fitted("machines", "centred")
    found = fit.random_effects().modes["rate"].to_numpy() - fit.params["beta"].to_numpy()
    np.testing.assert_allclose(found[levels], modes, atol=1e-4)


if __name__ == "__main__":
    print("| model | form | log-likelihood | estimates (SE) | SEs (relative) | seconds of CPU |")
    print("|---|---|---|---|---|---|")
    runs = [(name, how, False) for name in FORMS for how in FORMS[name]]
    runs += [(name.removesuffix("_reml"), "", True) for name in FIXED]
    for name, how, restricted in runs:
        how = how or next(iter(FORMS[name]))
        before = time.process_time()
        fit = fitted(name, how, restricted)
        fit.summary()
        seconds = time.process_time() - before
        far = distances(fit, published()[f"{name}_reml" if restricted else name])
        numbers = " | ".join(f"{far[key]:.0e}" for key in ("loglik", "estimate", "se"))
        title = f"{name}, restricted" if restricted else name
        print(f"| {title} | {how} | {numbers} | {seconds:.1f} |", flush=True)
