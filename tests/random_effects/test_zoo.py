"""Every model of the zoo: its roles, and its maximum against a Laplace approximation by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import pymle
from tests.random_effects import zoo_latent  # noqa: F401 - registers its models
from tests.random_effects.zoo import CASES, Case

#: Fitted in every run; the others when slow tests run.
FAST = {
    "eight_schools_centred",
    "eight_schools_non_centred",
    "slopes_by_a_cholesky_factor",
    "three_levels_centred",
    "student_effects",
    "student_effects_non_centred",
    "rasch",
    "random_walk_of_log_rates",
    "conditional_autoregression_by_hand",
    "hilbert_space_process",
    "partly_missing_covariate",
    "two_outcomes_share_an_effect",
}
OTHERS = {name for name, case in CASES.items() if not case.same_as}


def fitted(case: Case) -> pymle.Fit:
    with warnings.catch_warnings():
        # Roles that are likely rather than certain, and data missing at random, are said.
        warnings.simplefilter("ignore", pymle.Notice)
        return pymle.find_MLE(case.model(), progressbar=False, **case.declared)


class ByHand:
    """The marginal log-likelihood of a joint density by Newton's method and Laplace."""

    def __init__(self, case: Case) -> None:
        import jax

        self._size = case.size
        joint = case.joint
        assert joint is not None
        self._value = jax.jit(joint)
        self._slope = jax.jit(jax.grad(joint, argnums=1))
        self._curve = jax.jit(jax.hessian(joint, argnums=1))
        self._mode = np.zeros(case.size)

    def __call__(self, point: Mapping[str, Any]) -> float:
        u = self._mode
        for _ in range(100):
            slope = np.asarray(self._slope(point, u))
            if np.max(np.abs(slope)) < 1e-9:
                break
            values, vectors = np.linalg.eigh(-np.asarray(self._curve(point, u)))
            step = vectors @ ((vectors.T @ slope) / np.maximum(np.abs(values), 1e-3))
            length, here = 1.0, float(self._value(point, u))
            while not float(self._value(point, u + length * step)) >= here - 1e-9:
                length /= 2
            u = u + length * step
        assert np.max(np.abs(slope)) < 1e-7
        self._mode = u
        sign, logdet = np.linalg.slogdet(-np.asarray(self._curve(point, u)))
        assert sign > 0
        return float(self._value(point, u)) + 0.5 * self._size * np.log(2 * np.pi) - 0.5 * logdet


def gains(by_hand: Callable[..., float], fit: pymle.Fit) -> dict[str, float]:
    """What a parabola through three points along each parameter would add to the maximum."""
    best, found = by_hand(at(fit)), {}
    se = fit.summary()["se"]
    for label, each in se.items():
        name = str(label).split("[")[0]
        place = [i for i in se.index if i == name or str(i).startswith(f"{name}[")].index(label)
        if not np.isfinite(each) or name not in fit.params or fit.params[name].size <= place:
            continue
        around = []
        for sign in (-1, 1):
            point = {k: v.copy() for k, v in at(fit).items()}
            point[name].reshape(-1)[place] += sign * 0.02 * each
            around.append(by_hand(point) - best)
        curve = -(around[0] + around[1])
        found[str(label)] = (around[1] - around[0]) ** 2 / (8 * curve) if curve > 0 else np.inf
    return found


def at(fit: pymle.Fit) -> dict[str, np.ndarray]:
    return {str(k): np.array(v, dtype=float) for k, v in fit.params.items()}


@pytest.mark.parametrize("name", list(CASES))
def test_roles(name: str):
    case = CASES[name]
    model = case.model()
    found = pymle.roles(model)
    shown = found.to_frame()["role"]
    assert {rv.name: shown[rv.name] for rv in model.free_RVs} == dict(case.roles)
    for ambiguous in found.ambiguous:
        assert f'random=["{ambiguous}"]' in repr(found)
        assert f'parameters=["{ambiguous}"]' in repr(found)


def check(case: Case) -> None:
    fit = fitted(case)
    assert fit.verdict.ok, fit.verdict
    by_hand = ByHand(case)
    assert fit.loglik == pytest.approx(by_hand(at(fit)), abs=1e-7)
    found = gains(by_hand, fit)
    assert found
    assert max(found.values()) < 1e-5, found
    effects = fit.random_effects().table
    assert np.isfinite(effects[["mode", "se", "conditional_sd"]].to_numpy()).all()
    assert (effects["se"] >= effects["conditional_sd"] * (1 - 1e-9)).all()
    assert set(fit.point) == {rv.name for rv in case.model().free_RVs}


@pytest.mark.parametrize("name", [name for name in CASES if name in FAST & OTHERS])
def test_maximum(name: str):
    check(CASES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name in OTHERS - FAST])
def test_maximum_of_the_others(name: str):
    check(CASES[name])


def agree(name: str) -> None:
    case = CASES[name]
    first, second = fitted(case), fitted(CASES[case.same_as])
    assert first.verdict.ok
    assert first.loglik == pytest.approx(second.loglik, abs=1e-8)
    for parameter, value in second.params.items():
        se = second.summary(var_names=[str(parameter)])["se"].min()
        np.testing.assert_allclose(first.params[parameter], value, atol=1e-4 * se)


@pytest.mark.parametrize("name", ["student_effects_non_centred"])
def test_other_form(name: str):
    agree(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in CASES if n not in OTHERS and n not in FAST])
def test_other_forms_of_the_others(name: str):
    agree(name)


@pytest.fixture(scope="module")
def schools() -> tuple[pymle.Fit, pymle.Fit]:
    centred, other = CASES["eight_schools_centred"], CASES["eight_schools_non_centred"]
    return fitted(centred), fitted(other)


def test_functions_of_random_effects_are_predicted(schools: tuple[pymle.Fit, pymle.Fit]):
    centred, other = schools
    effects = centred.random_effects().table
    derived = other.derived("theta").table
    np.testing.assert_allclose(derived["estimate"], effects["mode"], rtol=1e-7)
    np.testing.assert_allclose(derived["se"], effects["se"], rtol=1e-6)
    shown = other.summary(var_names=["theta"])
    np.testing.assert_allclose(shown["se"], effects["se"], rtol=1e-6)
    assert shown[["z", "p"]].isna().all(axis=None)
    own = centred.derived("theta[3]").table.loc["theta[3]"]
    assert own["se"] == pytest.approx(effects.loc["theta[3]", "se"], rel=1e-9)
    assert list(other.derived().names) == ["theta"]


def test_what_is_predicted_has_no_profile_test_or_bootstrap(schools: tuple[pymle.Fit, pymle.Fit]):
    fit, _ = schools
    for analysis in (
        lambda: fit.profile("theta"),
        lambda: fit.derived("theta", method="profile"),
        lambda: fit.derived("theta", method="draws"),
        lambda: fit.wald_test("theta[0] = 0"),
        lambda: fit.derived("theta").covariance,
    ):
        with pytest.raises(pymle.AnalysisError, match="predicted, not estimated"):
            analysis()


def test_an_effect_can_be_held_whole_but_not_in_part():
    case = CASES["eight_schools_centred"]
    theta = np.linspace(-20.0, 60.0, 8)
    held = pymle.find_MLE(case.model(), fixed={"theta": theta}, progressbar=False)
    # What is left is the law of known effects.
    assert float(held.params["mu"]) == pytest.approx(theta.mean())
    assert float(held.params["tau"]) == pytest.approx(theta.std())
    with pytest.raises(pymle.ModelError, match="as a whole"):
        pymle.find_MLE(case.model(), fixed={"theta[0]": 1.0}, progressbar=False)


def test_a_start_may_hold_random_effects(schools: tuple[pymle.Fit, pymle.Fit]):
    fit, _ = schools
    again = pymle.find_MLE(
        CASES["eight_schools_centred"].model(), start=fit.point, progressbar=False
    )
    assert again.loglik == pytest.approx(fit.loglik, abs=1e-9)


def test_nothing_but_effects_left():
    with pytest.raises(pymle.ModelError, match="Only random effects are left"):
        pymle.find_MLE(CASES["one_scalar_effect"].model(), fixed={"tau": 1.0, "sigma": 1.0})
