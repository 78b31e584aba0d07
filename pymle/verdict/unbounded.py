"""Likelihoods that grow without bound: which parameter goes where, and what it grows on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pymle.optimize import Objective, Solution, maximise, value_noise
from pymle.verdict.records import Status, Verdict
from pymle.verdict.support import Part

#: Way that a coordinate has gone before it is looked at, in its own units.
_WAY = 8.0
#: Steps back towards where it came from, and the growth between them that counts.
_BACK, _GROWTH = 3.0, 0.2
#: Growth over one step relative to the one before, if it is linear (a parabola has 0.6 at its top).
_LINEAR = (0.75, 1.4)
#: Slope at the end, relative to the growth, that is none any more; noise of the log-likelihood
#: (under relative changes of 1e-12 of the point) up to which the slope can be believed.
_STILL, _NOISE = 0.25, 1e-3
#: How much further a coordinate that is no logarithm goes, in ways that it came, and the share of
#: the growth that has to be found there: a long parabola looks linear from far off its top.
_AHEAD, _KEPT = 3.0, 0.25
#: Coordinates that are looked at, and the largest problem.
_LOOKED_AT, _MOST = 4, 100


@dataclass(frozen=True)
class Growth:
    """A coordinate along which the profile log-likelihood grows linearly, without end.

    Attributes
    ----------
    label : str
    side : float
        -1 or +1, on the working scale.
    rate : float
        Growth of the log-likelihood for every unit: on a log scale for every factor of e.
    log : bool
        The coordinate is a logarithm.
    """

    label: str
    side: float
    rate: float
    log: bool


def find_growth(
    objective: Objective,
    end: Solution,
    origin: np.ndarray,
    labels: Sequence[str],
    bent: np.ndarray,
) -> Growth | None:
    """Look for a coordinate along which a search went uphill without an end.

    Parameters
    ----------
    objective : Objective
        With a score.
    end : Solution
        Where the search ended.
    origin : numpy.ndarray, shape (k,)
        Where it began, or another point to compare with.
    labels : sequence of str
    bent : numpy.ndarray of bool, shape (k,)
        Coordinates on a log or log-odds scale.

    Returns
    -------
    Growth or None

    Notes
    -----
    A component of scale s on m observations has a density of the order of s to the power -m: on
    the log scale the log-likelihood grows by m for every unit, however far one goes. The others
    are maximised at three steps back; growth that levels off is a limit, and none. A coordinate
    that is no logarithm has to keep growing over three times the way that it came; where one does
    not, others that seem to grow with it are left out.
    """
    if end.score is None or len(end.x) > _MOST or not np.isfinite(end.value):
        return None
    moved = end.x - origin
    way = np.where(bent, np.abs(moved), np.abs(moved) / np.maximum(np.abs(origin), 1.0))
    best: Growth | None = None
    refuted = False
    for i in np.argsort(-way)[:_LOOKED_AT]:
        if way[i] < _WAY:
            break
        if refuted and not bent[i]:
            continue
        found = _growth(objective, end, int(i), moved, bool(bent[i]))
        refuted |= found == 0.0
        if not found or _settled(objective, end, int(i), found):
            continue
        growth = Growth(labels[int(i)], float(np.sign(moved[i])), found, bool(bent[i]))
        if best is None or (growth.log, growth.rate) > (best.log, best.rate):
            best = growth
    return best


def _settled(objective: Objective, end: Solution, i: int, rate: float) -> bool:
    """Whether growth along a coordinate has come to its end, where the value is no rounding noise.

    Seen from far behind, any log-likelihood grows linearly in the logarithm of a scale.
    """
    assert end.score is not None
    still = abs(float(end.score[i])) < _STILL * rate
    return still and value_noise(objective, end) < _NOISE


def _growth(
    objective: Objective, end: Solution, i: int, moved: np.ndarray, bent: bool
) -> float | None:
    """The growth for every unit, None where there is none; zero if it ends further on."""
    side = float(np.sign(moved[i]))
    free = np.array([j for j in range(len(end.x)) if j != i], dtype=int)
    step = _BACK if bent else max(_BACK, 0.02 * abs(end.x[i]))
    values, start = [], np.array(end.x)
    # The very end may lie in rounding: begin a step before it.
    for back in (1, 2, 3):
        at = start.copy()
        at[i] = end.x[i] - side * back * step
        with np.errstate(all="ignore"):
            if len(free):
                inner = maximise(Part(objective, at, free), at[free], max_iterations=60)
                value, start = inner.value, Part(objective, at, free).full(inner.x)
            else:
                value = objective.value(at)
        if not np.isfinite(value):
            return None
        values.append(float(value))
        if back == 2:
            rate = (values[0] - values[1]) / step
            if not rate > _GROWTH * (1.0 if bent else 1e-3):
                return None
            if not bent and not _goes_on(objective, end, i, moved, rate):
                return 0.0
    first, second = (values[0] - values[1]) / step, (values[1] - values[2]) / step
    ratio = first / max(second, 1e-300)
    return first if _LINEAR[0] < ratio < _LINEAR[1] else None


def _goes_on(objective: Objective, end: Solution, i: int, moved: np.ndarray, rate: float) -> bool:
    """Whether the growth is still there far ahead, or the likelihood beyond its arithmetic."""
    at = end.x + _AHEAD * moved  # the others straight on, to begin with
    free = np.array([j for j in range(len(at)) if j != i], dtype=int)
    with np.errstate(all="ignore"):
        value = objective.value(at)
        if len(free) and np.isfinite(value):
            value = maximise(Part(objective, at, free), at[free], max_iterations=30).value
    if not np.isfinite(value):
        return True
    return value >= end.value + _KEPT * rate * _AHEAD * abs(moved[i])


def grows(
    verdict: Verdict, growth: Growth, observations: float, *, elsewhere: float | None
) -> Verdict:
    """The verdict on a likelihood that grows without bound.

    Parameters
    ----------
    verdict : Verdict
        Its evidence is kept.
    growth : Growth
    observations : float
        Number of observations, nan where it is unknown.
    elsewhere : float or None
        The point reported is a local maximum, lower by so much than where the growth was seen.

    Returns
    -------
    Verdict
    """
    name, m = growth.label, growth.rate
    whole = round(m)
    exact = growth.log and growth.side < 0 and whole >= 1 and abs(m - whole) < 0.05 * whole
    unit = "factor of e" if growth.log else "unit"
    where = "zero" if growth.log and growth.side < 0 else "infinity"
    where = "minus infinity" if not growth.log and growth.side < 0 else where
    text = (
        f"The likelihood has no maximum: as `{name}` goes to {where} the log-likelihood grows by "
        f"{m:.3g} for every {unit}, without bound. "
    )
    if exact and np.isfinite(observations) and whole >= observations:
        text += (
            "All observations are fitted exactly, so that nothing is left to estimate a scale "
            "from: the model has too many coefficients, or the data hold no noise (a copy, a "
            "constant, a rounding). "
        )
    elif exact:
        on = "a single observation" if whole == 1 else "observations of equal value"
        text += f"That is how a scale behaves that collapses onto {on}, fitted exactly. "
    if elsewhere is not None:
        text += (
            f"The point reported is a local maximum, {elsewhere:.3g} below a place on that way, "
            "and often the estimate that is wanted. "
        )
    if growth.log and growth.side < 0:
        text += (
            "Next step: bound the scale from below by its support (`pm.Uniform` or `pm.Truncated`),"
            " share one scale between components or groups, or keep the priors with "
            "`pymle.find_MAP`."
        )
    else:
        text += (
            "Next step: look for values that determine it exactly (equal observations), simplify "
            "the model, or keep the priors with `pymle.find_MAP`."
        )
    status = Status.NO_MAXIMUM if elsewhere is None else Status.HIGHER_ELSEWHERE
    evidence = {**verdict.evidence, "growth": m, "growth_per": unit}
    return replace(
        verdict, status=status, evidence=evidence, advice=text, parameters={name: growth.side}
    )
