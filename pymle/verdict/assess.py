"""From a solution and its curvature to a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pymle.optimize import Exploration, Solution, Termination
from pymle.verdict.curvature import Curvature
from pymle.verdict.records import Status, Verdict
from pymle.verdict.tails import Tails

#: Expected gain in log-likelihood above which a point is not converged.
_GAIN = 1e-10
#: Fall of a log coordinate (a factor of 3e-7) in a search that does not converge.
_COLLAPSE = 15.0
#: Share of a log-likelihood by which searches towards one edge may differ.
_NEAR = 1e-4
#: Steps of the derivative check, in standard errors.
_STEPS = (0.05, 0.005, 0.0005)
#: Disagreement of value, score and curvature that no rounding explains.
_DISAGREE = 2e-2


def assess(
    solution: Solution,
    curvature: Curvature | None,
    *,
    start: np.ndarray,
    labels: Sequence[str],
    bent: np.ndarray,
    tails: Tails | None,
    exploration: Exploration | None,
    concave: bool,
    check: float | None,
    equivalent: bool | None = None,
    trusted: bool = True,
    kink: bool = False,
    chosen: bool = False,
    level: bool = False,
) -> Verdict:
    """Say what a solution is.

    Parameters
    ----------
    solution : Solution
    curvature : Curvature or None
        None where no score exists, or where the problem is so large that the optimiser's own
        look at the curvature (`Solution.converged`) has to do.
    start : numpy.ndarray, shape (k,)
        Where the first search began.
    labels : sequence of str
        One per unconstrained coordinate.
    bent : numpy.ndarray of bool, shape (k,)
        Coordinates on a log or log-odds scale.
    tails : Tails or None
        Coordinates that ran into a tail of their working scale.
    exploration : Exploration or None
        The searches from several starts, where they ran.
    concave : bool
        The log-likelihood was seen concave at dispersed points.
    check : float or None
        Largest relative disagreement of value, score and curvature near the point.
    equivalent : bool or None
        Several maxima of the same height were found, and give every observation the same
        density (True) or not (False); None if there is one.
    trusted : bool
        False where starts drawn apart disagreed, and too few of them reached the best.
    kink : bool
        The slope jumps from rising to falling at the point.
    chosen : bool
        The maximum was reached from a start that the user gave: higher points where a search
        did not converge are said, and no obstacle.
    level : bool
        A search that ran away did so on level ground (`is_level`).

    Returns
    -------
    Verdict
    """
    record = solution.record
    evidence: dict[str, Any] = {
        "termination": solution.termination.value,
        "expected_gain": record.expected_gain,
        "score_in_se": float(np.sqrt(2 * max(record.expected_gain, 0.0))),
        "starts": _starts(exploration, concave),
        "derivative_check": check,
    }
    if curvature is not None and curvature.finite:
        evidence["eigenvalue_min"], evidence["eigenvalue_max"] = curvature.extremes
    if solution.score is None:
        return Verdict(Status.DERIVATIVE_FREE, evidence, _ADVICE["derivative-free"])
    if curvature is None:
        return _large(solution, evidence, exploration)
    if kink:
        return Verdict(Status.KINK, evidence, _ADVICE["kink"])
    if not curvature.finite:
        return Verdict(Status.NOT_CONVERGED, evidence, _ADVICE["not finite"])
    if tails is not None and tails.rising:
        return Verdict(Status.NO_MAXIMUM, evidence, _ADVICE["no maximum"], tails.towards)
    above = _above(exploration, solution)
    limit = tails is not None and (not tails.steady or tails.settled(solution.score, curvature))
    if tails is not None and limit and above is not None:
        evidence["higher_value"] = above
        advice = _ADVICE["edge"] + _ADVICE["higher"].format(above - solution.value)
        return Verdict(Status.HIGHER_ELSEWHERE, evidence, advice, tails.towards)
    if tails is not None and limit:
        status = Status.NO_MAXIMUM if tails.infinite else Status.BOUNDARY
        advice = _ADVICE["limit" if tails.infinite else "boundary"]
        return Verdict(status, evidence, advice, tails.towards)
    away = None if level else _runaway(solution)
    if away is not None:
        weights = _weights(labels, away, least=0.1)
        return Verdict(Status.NO_MAXIMUM, evidence, _ADVICE["no maximum"], weights)
    if check is not None and not check < _DISAGREE and solution.converged:
        return Verdict(Status.INCONSISTENT, evidence, _ADVICE["inconsistent"])
    collapsed = _collapsed(solution, start, labels, bent)
    if collapsed:
        return Verdict(Status.NO_MAXIMUM, evidence, _ADVICE["no maximum"], collapsed)
    if curvature.indefinite:
        weights = _weights(labels, curvature.lowest_direction)
        stationary = solution.converged or solution.termination is Termination.SADDLE
        if not stationary:
            return Verdict(Status.NOT_CONVERGED, evidence, _ADVICE["not converged"], weights)
        return Verdict(Status.SADDLE, evidence, _ADVICE["saddle"], weights)
    if not curvature.positive:
        return _flat(curvature, labels, evidence)
    if not solution.converged or not record.expected_gain < _GAIN:
        rounding = solution.termination is Termination.CONVERGED_TO_ROUNDING
        if not rounding:
            return Verdict(Status.NOT_CONVERGED, evidence, _ADVICE["not converged"])
    if exploration is not None and exploration.higher_unconverged:
        top = max(s.value for s in exploration.solutions if np.isfinite(s.value))
        evidence["higher_value"] = top
        advice = _ADVICE["higher"].format(top - solution.value)
        if not chosen:
            return Verdict(Status.HIGHER_ELSEWHERE, evidence, advice)
        return Verdict(Status.MAXIMUM, evidence, _ADVICE["chosen"] + advice)
    if not trusted:
        return Verdict(Status.LOCAL, evidence, _ADVICE["local"])
    if equivalent is False:
        count = 0 if exploration is None else len(exploration.top_clusters)
        advice = _ADVICE["several"].format(count)
        return Verdict(Status.SEVERAL, evidence, advice)
    return Verdict(Status.MAXIMUM, evidence, _remark(exploration))


def _above(exploration: Exploration | None, solution: Solution) -> float | None:
    """Log-likelihood that a search saw beyond a point at an edge, which others only come near."""
    if exploration is None:
        return None
    seen = [s.value for s in exploration.solutions if np.isfinite(s.value)]
    top = max(seen, default=-np.inf)
    return top if top > solution.value + _NEAR * max(1.0, abs(solution.value)) else None


def derivative_check(
    value_and_score: Callable[[np.ndarray], tuple[float, np.ndarray]],
    solution: Solution,
    curvature: Curvature,
    seed: int = 0,
) -> float | None:
    """Largest relative disagreement of value, score and curvature near a maximum.

    Parameters
    ----------
    value_and_score : callable
    solution : Solution
    curvature : Curvature
        Positive definite.
    seed : int

    Returns
    -------
    float or None
        None where rounding of the log-likelihood hides the comparison.

    Notes
    -----
    Along a direction that moves every coordinate by the same share of its conditional
    standard error: the log-likelihood's change against Simpson's integral of the score, and
    the score's change against the curvature, over steps of 0.05 and less. A smooth function
    agrees over one of them; two evaluations each.
    """
    if not curvature.positive or solution.score is None:
        return None
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=len(curvature.scale))
    direction = signs / curvature.scale
    direction /= np.sqrt(direction @ curvature.information @ direction)
    smallest: float | None = None
    for t in _STEPS:
        found = _disagreement(value_and_score, solution, direction, t)
        if found is not None and (smallest is None or found < smallest):
            smallest = found
        if smallest is not None and smallest < _DISAGREE:
            break
    return smallest


def _disagreement(
    value_and_score: Callable[[np.ndarray], tuple[float, np.ndarray]],
    solution: Solution,
    direction: np.ndarray,
    t: float,
) -> float | None:
    """Disagreement over steps of ``t`` and ``2 t`` standard errors."""
    assert solution.score is not None
    f0, g0 = solution.value, float(solution.score @ direction)
    f1, s1 = value_and_score(solution.x + t * direction)
    f2, s2 = value_and_score(solution.x + 2 * t * direction)
    g1, g2 = float(s1 @ direction), float(s2 @ direction)
    if not np.all(np.isfinite([f1, f2, g1, g2])):
        return None
    slope = (4 * g1 - g2 - 3 * g0) / (2 * t)
    by_score = abs(slope + 1.0)
    if abs(f0) * 1e-13 > 1e-3 * t**2:
        return by_score
    by_value = abs(f2 - f0 - (2 * t / 6) * (g0 + 4 * g1 + g2)) / (2 * t**2)
    return max(by_score, by_value)


def _large(
    solution: Solution, evidence: dict[str, Any], exploration: Exploration | None
) -> Verdict:
    """Verdict on a problem too large for a dense look at its curvature."""
    evidence["curvature"] = "negative in all directions of a Lanczos run; not factorised"
    if solution.converged:
        return Verdict(Status.MAXIMUM, evidence, _remark(exploration))
    named = {
        Termination.RUNAWAY: (Status.NO_MAXIMUM, "no maximum"),
        Termination.UNBOUNDED: (Status.NO_MAXIMUM, "no maximum"),
        Termination.SADDLE: (Status.SADDLE, "saddle"),
        Termination.FLAT: (Status.FLAT, "flat"),
        Termination.DEGENERATE: (Status.FLAT, "flat"),
    }
    status, advice = named.get(solution.termination, (Status.NOT_CONVERGED, "not converged"))
    return Verdict(status, evidence, _ADVICE[advice])


def _flat(curvature: Curvature, labels: Sequence[str], evidence: dict[str, Any]) -> Verdict:
    """Not identified: every flat direction in the evidence, all that take part by name."""
    rows = curvature.null_space.T
    if not len(rows):
        rows = curvature.lowest_direction[None, :]
    rows = _echelon(rows) if len(rows) > 1 else rows / np.max(np.abs(rows))
    # Who takes part is judged where every coordinate has unit curvature: units do not matter.
    size = np.abs(rows) * curvature.scale
    rows = np.where(size >= 1e-3 * np.max(size, axis=1, keepdims=True), rows, 0.0)
    evidence["flat_directions"] = tuple(_weights(labels, row, least=1e-300) for row in rows)
    share = rows[0] if len(rows) == 1 else np.max(np.abs(rows), axis=0)
    return Verdict(Status.FLAT, evidence, _ADVICE["flat"], _weights(labels, share, least=1e-300))


def _echelon(rows: np.ndarray) -> np.ndarray:
    """The same directions with as many zeros as elimination gives, largest entries one in size."""
    rows = np.array(rows, dtype=np.float64)
    for i in range(len(rows)):
        rows[i:] /= np.max(np.abs(rows[i:]), axis=1, keepdims=True)
        place = int(np.argmax(np.abs(rows[i])))
        for j in range(len(rows)):
            if j != i:
                rows[j] -= rows[j, place] / rows[i, place] * rows[i]
    rows /= np.max(np.abs(rows), axis=1, keepdims=True)
    return np.where(np.abs(rows) < 1e-6, 0.0, rows)


def is_level(value: Callable[[np.ndarray], float], solution: Solution) -> bool:
    """Whether a search that ran away did so along a direction without any rise.

    Parameters
    ----------
    value : callable
        Log-likelihood at a point.
    solution : Solution

    Returns
    -------
    bool
        The log-likelihood half of the way back is the same to 1e-7.
    """
    direction = _runaway(solution)
    if direction is None or not np.any(direction):
        return False
    moved = solution.x - solution.record.start
    back = 0.5 * float(direction @ moved) / float(direction @ direction)
    with np.errstate(all="ignore"):
        there = value(solution.x - back * direction)
    return bool(abs(there - solution.value) <= max(1e-7, 1e-10 * abs(solution.value)))


def _collapsed(
    solution: Solution, start: np.ndarray, labels: Sequence[str], bent: np.ndarray
) -> dict[str, float]:
    """Log coordinates that fell so far in a search without an end that they head for zero."""
    if solution.converged:
        return {}
    moved = solution.x - start
    return {labels[int(i)]: -1.0 for i in np.flatnonzero(bent & (moved < -_COLLAPSE))}


def _runaway(solution: Solution) -> np.ndarray | None:
    away = {Termination.RUNAWAY, Termination.UNBOUNDED, Termination.EDGE}
    if solution.termination not in away and not solution.record.runaway:
        return None
    direction = solution.record.runaway_direction
    if direction is None:
        moved = solution.record.end - solution.record.start
        size = np.max(np.abs(moved)) if moved.size else 0.0
        direction = moved / size if size > 0 else moved
    return direction


def _weights(labels: Sequence[str], direction: np.ndarray, least: float = 1e-3) -> dict[str, float]:
    order = np.argsort(-np.abs(direction), kind="stable")
    return {labels[int(i)]: float(direction[i]) for i in order if abs(direction[i]) >= least}


def _starts(exploration: Exploration | None, concave: bool) -> str:
    if exploration is None:
        if concave:
            return "none needed: the log-likelihood was concave at all points looked at"
        return "one start; no evidence on globality was sought"
    reached = round(exploration.best_share * exploration.starts_run)
    if reached == 0:
        top = max((s.value for s in exploration.solutions), default=float("nan"))
        near = sum(abs(s.value - top) <= 1e-4 for s in exploration.solutions)
        return (
            f"none of {exploration.starts_run} starts converged; "
            f"{near} ended within 1e-4 of the highest log-likelihood"
        )
    return f"{reached} of {exploration.starts_run} starts reached the highest log-likelihood"


def _remark(exploration: Exploration | None) -> str:
    count = 0 if exploration is None else len(exploration.top_clusters)
    if count < 2:
        return ""
    return (
        f"At least {count} equivalent maxima were found (permuted or mirrored parameters that "
        "describe the same distribution): the estimates are one of them."
    )


_ADVICE = {
    "local": (
        "Pass a `start=` that makes sense for these data, raise `n_starts=`, or tighten the "
        "supports; compare the log-likelihoods."
    ),
    "chosen": (
        "This is the local maximum that `start=` led to; a search from another start got higher "
        "without converging. "
    ),
    "several": (
        "At least {} different maxima have this log-likelihood; limits around one of them leave "
        "the others out. Look at the profile, or choose by `start=` what makes sense."
    ),
    "derivative-free": (
        "Give the operation a gradient (`grad` or `pullback` of the Op) to get standard errors."
    ),
    "inconsistent": (
        "Check the gradient of custom operations, and look for steps or kinks in the likelihood."
    ),
    "not finite": (
        "The second derivatives are not finite at the point; pass another `start=`, or rescale "
        "the data."
    ),
    "not converged": (
        "Pass a better `start=`, rescale data of very different size, or raise `n_starts=`."
    ),
    "kink": (
        "Laplace and quantile likelihoods have their maximum at a data point. The estimates are "
        "good to about six digits; take intervals from a bootstrap or the posterior."
    ),
    "saddle": "Pass another `start=`, or raise `n_starts=`.",
    "flat": (
        "Fix or drop one of these parameters (`fixed=`), remove redundant columns, or keep the "
        "priors with `pymle.find_MAP`."
    ),
    "boundary": (
        "Compare with the model without it: `fit.lr_test` against the fit with `fixed=` at the "
        "edge (chi-bar-squared). `fit.profile` gives its one-sided limit. The standard errors of "
        "the others are conditional on the edge."
    ),
    "limit": (
        "The likelihood tends to that of a simpler model as it goes to infinity: fit that model. "
        "The standard errors of the others are conditional on the limit."
    ),
    "no maximum": (
        "Typical causes are separation in binary data and a scale that collapses onto single "
        "observations. Keep the priors with `pymle.find_MAP`, or simplify the model."
    ),
    "edge": "The point reported is at an edge of the parameters named, a local maximum. ",
    "higher": (
        "It was higher by {:.3g}; typical causes are a component that collapses onto single "
        "observations (an unbounded likelihood) or a long ridge. Bound the scale parameters, "
        "keep the priors with `pymle.find_MAP`, or raise `n_starts=`."
    ),
}
