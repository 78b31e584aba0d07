"""Whether the likelihoods of fits are those of the same observations."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from pymle.bind import ones_for
from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.model.observations import Observations, observations_of


def same_data(fits: Sequence[Fitted], names: Sequence[str]) -> list[Observations]:
    """Refuse fits to different observations.

    Parameters
    ----------
    fits : sequence of Fitted
    names : sequence of str
        What to call them in messages.

    Returns
    -------
    list of Observations

    Raises
    ------
    AnalysisError
        MAP or penalised fits, sampling weights, different observed values, shapes or weights.
    """
    for fitted in fits:
        if fitted.estimate.objective != "mle":
            raise AnalysisError.needs_mle("A comparison of likelihoods")
        if getattr(fitted.estimate, "penalty", None) is not None:
            raise AnalysisError.not_comparable("a penalised fit does not maximise its likelihood.")
        if fitted.estimate.weights_kind == "sampling":
            raise AnalysisError.not_comparable(
                "with sampling weights there is no likelihood of the data. Use `fit.wald_test`, "
                "with its sandwich covariance."
            )
    _same_integrals(fits, names)
    seen = [observations_of(fitted.problem) for fitted in fits]
    for i in range(1, len(fits)):
        _same_pair(seen[0], seen[i], names[0], names[i])
        _same_weights(fits[0], fits[i], names[0], names[i])
    return seen


def _same_integrals(fits: Sequence[Fitted], names: Sequence[str]) -> None:
    """Restricted likelihoods integrate parameters out: these have to be the same."""
    integrated = [frozenset(getattr(f.estimate, "reml", None) or ()) for f in fits]
    for each, name in zip(integrated, names, strict=True):
        if each != integrated[0]:
            raise AnalysisError.not_comparable(
                f"{names[0]} and {name} are restricted likelihoods (REML) with different "
                "parameters integrated out. Fit both by maximum likelihood."
            )
    sizes = [fitted.estimate.reml_size for fitted in fits]
    for size, name in zip(sizes, names, strict=True):
        if size != sizes[0]:
            raise AnalysisError.not_comparable(
                f"{names[0]} and {name} are restricted likelihoods (REML) with {sizes[0]} and "
                f"{size} coefficients integrated out: they have no common scale. Fit both by "
                "maximum likelihood."
            )


def _same_pair(a: Observations, b: Observations, first: str, second: str) -> None:
    left, right = a.values, b.values
    if set(left) == set(right):
        for name, value in left.items():
            _same_values(name, value, right[name], first, second)
        return
    # Named differently in the two models: the same values will do.
    digests = [sorted(_digest(value) for value in each.values()) for each in (left, right)]
    if digests[0] != digests[1]:
        raise AnalysisError.not_comparable(
            f"{first} observes {_described(left)}, {second} {_described(right)}. Likelihoods of "
            "different data have no common scale."
        )


def _same_values(name: str, a: np.ndarray, b: np.ndarray, first: str, second: str) -> None:
    if a.shape != b.shape:
        raise AnalysisError.not_comparable(
            f"`{name}` has shape {a.shape} in {first} and {b.shape} in {second}. Fit both to the "
            "same rows."
        )
    if _digest(a) == _digest(b):
        return
    differ = ~((a == b) | ((a != a) & (b != b)))
    text = f"{int(differ.sum())} of {a.size} values of `{name}` differ between {first} and {second}"
    raise AnalysisError.not_comparable(
        f"{text}. Fit both to the same values; if one of them is transformed (a logarithm), write "
        "its law for the values themselves (pm.LogNormal), so that the Jacobian is in the "
        "likelihood."
    )


def _same_weights(a: Fitted, b: Fitted, first: str, second: str) -> None:
    if a.weights is None and b.weights is None:
        return
    sides = [f.weights if f.weights is not None else ones_for(f.problem) for f in (a, b)]
    sums = [sorted(_digest(np.asarray(w)) for w in side) for side in sides]
    if sums[0] != sums[1]:
        raise AnalysisError.not_comparable(f"{first} and {second} have different weights.")


def _digest(value: np.ndarray) -> str:
    array = np.ascontiguousarray(np.asarray(value, dtype=np.float64) + 0.0)  # one zero, not two
    return f"{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"


def _described(values: dict[str, np.ndarray]) -> str:
    return ", ".join(f"`{k}` {v.shape}" for k, v in values.items()) or "nothing (a Potential)"
