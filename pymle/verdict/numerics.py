"""Numerical trouble: values that are no function of the point, rounding noise, wrong gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pymle.optimize import Objective, Solution
from pymle.verdict.curvature import Curvature
from pymle.verdict.records import Status, Verdict

#: Evaluations at one point, and points close together.
_REPEATS, _CLOSE = 4, 12
#: Noise in log-likelihood above which it is trouble: it moves a maximum by a tenth of a standard
#: error.
_NOISE = 5e-3
#: The same where value, score and curvature were seen to disagree.
_SOME_NOISE = 1e-5
#: Disagreement of a slope with differences beyond their own error, relative.
_WRONG = 0.02
#: Coordinates whose slopes are checked.
_MOST = 60
#: Distances, relative to the size of a coordinate, at which steps are looked for.
_FAR = (1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True)
class Trouble:
    """What is wrong with the numbers of a log-likelihood.

    Attributes
    ----------
    kind : {"random", "noise", "gradient", "steps"}
    size : float
        Spread of the values, their noise, the largest disagreement, or the height of a step.
    weights : dict of str to float
        Labels that are concerned.
    text : str
        What was seen, in numbers.
    """

    kind: str
    size: float
    weights: dict[str, float]
    text: str


def find_randomness(objective: Objective, x: np.ndarray) -> Trouble | None:
    """Whether the log-likelihood differs between evaluations at the same point.

    Parameters
    ----------
    objective : Objective
    x : numpy.ndarray, shape (k,)

    Returns
    -------
    Trouble or None
    """
    values = []
    other = x + 1e-3 * np.maximum(np.abs(x), 1.0)
    for _ in range(_REPEATS):
        with np.errstate(all="ignore"):
            values.append(objective.value(x))
            objective.value(other)  # the last evaluation is kept, and would be given again
    seen = np.array([v for v in values if np.isfinite(v)])
    if len(seen) < 2 or np.ptp(seen) == 0.0:
        return None
    spread = float(np.ptp(seen))
    text = f"{len(values)} evaluations at the same point differ by {spread:.3g}"
    return Trouble("random", spread, {}, text)


def find_trouble(
    objective: Objective,
    solution: Solution,
    curvature: Curvature | None,
    labels: Sequence[str],
    *,
    inconsistent: bool = False,
) -> Trouble | None:
    """What is wrong with the numbers near a point that could not be certified.

    Parameters
    ----------
    objective : Objective
    solution : Solution
    curvature : Curvature or None
    labels : sequence of str
    inconsistent : bool
        Value, score and curvature were seen to disagree, which little noise may explain.

    Returns
    -------
    Trouble or None
    """
    if solution.score is None or not np.isfinite(solution.value) or len(labels) > _MOST:
        return None
    sizes = _steps(objective, solution, curvature)
    noise = noise_of(objective, solution.x, 0.2 * sizes)
    wrong = _wrong_slopes(objective, solution, sizes, noise, labels)
    if wrong is not None:
        return wrong
    steps = _find_steps(objective, solution, labels)
    if steps is not None:
        return steps
    if noise > (_SOME_NOISE if inconsistent else _NOISE):
        digits = f"{abs(solution.value):.3g}"
        text = (
            f"neighbouring points differ by about {noise:.2g} in log-likelihood without a cause "
            f"(its value is {digits})"
        )
        return Trouble("noise", noise, {}, text)
    return None


def find_loudness(end: Solution, origin: np.ndarray, labels: Sequence[str]) -> Trouble:
    """Rounding at the end of a search that went far.

    Parameters
    ----------
    end : Solution
    origin : numpy.ndarray, shape (k,)
    labels : sequence of str

    Returns
    -------
    Trouble
    """
    moved = (end.x - origin) / np.maximum(np.abs(origin), 1.0)
    top = float(np.max(np.abs(moved))) or 1.0
    order = np.argsort(-np.abs(moved))
    weights = {labels[int(i)]: float(moved[i] / top) for i in order if abs(moved[i]) > 0.1 * top}
    named = ", ".join(f"`{name}`" for name in list(weights)[:4])
    text = (
        f"the search went on along {named} into values of {end.value:.3g} that are rounding and no "
        "log-likelihood; the point reported is the best that was seen before that"
    )
    return Trouble("noise", abs(end.value), weights, text)


def find_wrong_slopes(
    objective: Objective,
    solution: Solution,
    curvature: Curvature | None,
    labels: Sequence[str],
) -> Trouble | None:
    """Coordinates whose slope disagrees with differences of the log-likelihood.

    Parameters
    ----------
    objective : Objective
    solution : Solution
    curvature : Curvature or None
    labels : sequence of str

    Returns
    -------
    Trouble or None

    Notes
    -----
    Four values for each coordinate. `derivative_check` looks along one direction only, where a
    gradient that is wrong in one entry of many does not show.
    """
    if solution.score is None or not np.isfinite(solution.value) or len(labels) > _MOST:
        return None
    sizes = _steps(objective, solution, curvature)
    noise = noise_of(objective, solution.x, 0.2 * sizes)
    return _wrong_slopes(objective, solution, sizes, noise, labels)


def noise_of(objective: Objective, x: np.ndarray, short: np.ndarray) -> float:
    """Spread of the log-likelihood about a smooth curve over distances that are next to none.

    Parameters
    ----------
    objective : Objective
    x : numpy.ndarray, shape (k,)
    short : numpy.ndarray, shape (k,)
        Steps of about a fiftieth of a standard error.

    Returns
    -------
    float
        In log-likelihood; zero where it cannot be told.
    """
    sign = np.random.default_rng(0).choice([-1.0, 1.0], size=len(x))
    at = np.arange(_CLOSE) - 0.5 * (_CLOSE - 1)
    worst = 0.0
    for length in (1e-11 * np.maximum(np.abs(x), 1e-3), short):
        with np.errstate(all="ignore"):
            values = np.array([objective.value(x + t * sign * length) for t in at])
        if not np.all(np.isfinite(values)):
            continue
        smooth = np.polynomial.Polynomial.fit(at, values - values[0], 4)
        rest = values - values[0] - smooth(at)
        worst = max(worst, float(np.sqrt(np.sum(rest**2) / (_CLOSE - 5))))
    return worst


def _steps(objective: Objective, solution: Solution, curvature: Curvature | None) -> np.ndarray:
    """Lengths for differences: a tenth of a conditional standard error, or of the coordinate.

    Far out along a slope that levels off the curvature promises steps of any length: shorter ones
    are taken where the log-likelihood changes by more than it promised.
    """
    own = 1e-3 * np.maximum(np.abs(solution.x), 1.0)
    if curvature is None or not curvature.finite:
        return own
    diagonal = np.diagonal(curvature.information)
    known = diagonal > 0
    sizes = np.where(known, 0.1 / np.sqrt(np.where(known, diagonal, 1.0)), own)
    for i in np.flatnonzero(sizes > 10.0 * own):
        for side in (-3.0, 3.0):
            x = np.array(solution.x)
            x[i] += side * sizes[i]
            with np.errstate(all="ignore"):
                change = objective.value(x) - solution.value
            if not abs(change) < 1.0:
                sizes[i] = own[i]
                break
    return sizes


def _wrong_slopes(
    objective: Objective,
    solution: Solution,
    sizes: np.ndarray,
    noise: float,
    labels: Sequence[str],
) -> Trouble | None:
    # Away from the point, where slopes are not zero.
    at = solution.x + 3.0 * sizes
    with np.errstate(all="ignore"):
        value, score = objective.value_and_score(at)
    if not np.isfinite(value) or not np.all(np.isfinite(score)):
        return None
    worst: dict[str, float] = {}
    told = ""
    for i in range(len(at)):
        differences = []
        for h in (sizes[i], 0.5 * sizes[i]):
            up, down = at.copy(), at.copy()
            up[i] += h
            down[i] -= h
            with np.errstate(all="ignore"):
                differences.append((objective.value(up) - objective.value(down)) / (2 * h))
        wide, narrow = differences
        if not np.all(np.isfinite(differences)):
            continue
        best = (4 * narrow - wide) / 3
        error = 2 * abs(narrow - wide) + 10 * noise / sizes[i]
        size = max(abs(best), abs(score[i]))
        gap = abs(best - score[i])
        if gap > error + _WRONG * size and gap * sizes[i] > 1e-6:
            worst[labels[i]] = float(gap / size)
            if not told or worst[labels[i]] >= max(worst.values()):
                told = (
                    f"the slope in `{labels[i]}` is given as {score[i]:.5g}, and differences of "
                    f"the log-likelihood give {best:.5g}"
                )
    if not worst:
        return None
    top = max(worst.values())
    ordered = sorted(worst.items(), key=lambda item: -item[1])
    return Trouble("gradient", top, {name: gap / top for name, gap in ordered}, told)


def _find_steps(objective: Objective, solution: Solution, labels: Sequence[str]) -> Trouble | None:
    """Coordinates whose slope is exactly zero although the log-likelihood changes along them."""
    assert solution.score is not None
    for i in map(int, np.flatnonzero(solution.score == 0.0)):
        values = []
        for far in _FAR:
            for side in (-1.0, 1.0):
                x = np.array(solution.x)
                x[i] += side * far * max(abs(x[i]), 1.0)
                with np.errstate(all="ignore"):
                    value, score = objective.value_and_score(x)
                if np.isfinite(value) and score[i] == 0.0:
                    values.append(abs(value - solution.value))
        if values and max(values) > 1e-6:
            text = (
                f"the slope in `{labels[i]}` is exactly zero wherever it was looked at, and the "
                f"log-likelihood changes along it by {max(values):.3g}"
            )
            return Trouble("steps", max(values), {labels[i]: 1.0}, text)
    return None


def troubled(verdict: Verdict, trouble: Trouble) -> Verdict:
    """The verdict on numbers that are wrong.

    Parameters
    ----------
    verdict : Verdict
        Its evidence is kept.
    trouble : Trouble

    Returns
    -------
    Verdict
    """
    said = trouble.text[0].upper() + trouble.text[1:]
    status = Status.NOISY if trouble.kind in ("random", "noise") else Status.INCONSISTENT
    evidence = {**verdict.evidence, trouble.kind: trouble.size}
    return replace(
        verdict,
        status=status,
        evidence=evidence,
        advice=f"{said}. {_NEXT[trouble.kind]}",
        parameters=trouble.weights or verdict.parameters,
    )


_NEXT = {
    "random": (
        "A likelihood must be the same at the same point: look for random numbers drawn inside "
        "an operation of the model (a simulator, a Monte Carlo integral, dropout) and fix their "
        "seed, or use enough draws and hold them as data."
    ),
    "noise": (
        "The noise hides the maximum: numbers of very different size cancel, or an operation "
        "computes in single precision. Centre and rescale the data (subtract the mean, divide by "
        "the standard deviation), compute in double precision, or write sums of squares as sums "
        "of squared differences."
    ),
    "gradient": (
        "Check the gradient (`grad` or `pullback`) of custom operations against finite "
        "differences, and look for steps or kinks in the likelihood; or leave the gradient out, "
        "and the fit goes on without one."
    ),
    "steps": (
        "The likelihood is piecewise constant there (a threshold, a rounding, a count), so that "
        "there is no gradient to follow and no standard error. Fit at a grid of values "
        "(`fixed=`) and compare the log-likelihoods, smooth the step, or sample the posterior."
    ),
}
