"""How many starts a fit deserves: one where it is enough, several where signs ask for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.optimize.batch import can_climb_together, solve_together
from pymle.optimize.kinks import settle_on_kink
from pymle.optimize.lift import lifted
from pymle.optimize.multistart import Exploration, choose, explore, gather, same_value
from pymle.optimize.objective import Objective
from pymle.optimize.records import Solution, Termination, TraceStep
from pymle.optimize.rounds import rounds
from pymle.optimize.solve import maximise

__all__ = ["Search", "search", "value_noise"]

#: Largest problem for which further starts are run without being asked for.
_MOST_COORDINATES = 100
#: Most further starts of the calm search, and most seconds for them.
_CALM = (12, 5.0)
#: Times the seconds of the first search for the further ones, where values are dear.
_TIMES_FIRST = 10.0
#: Starts between two looks at whether all agree.
_AT_ONCE = 3
#: Starts drawn apart that have to reach the best value, or share of all, where they disagree.
_INDEPENDENT, _COMMON = 3, 0.3
#: Most seconds for rounds of starts, when the calm ones disagree.
_ALARMED = 30.0
#: The same where values are dear (random effects are integrated out).
_ALARMED_DEAR = 10.0
#: Share of converged starts that has to agree for calm.
_AGREE = 0.75
#: Starts asked for from which on they run in one batch, which takes a compilation.
_MANY = 20
#: Dispersed points at which the curvature is looked at.
_LOOKS, _FEWEST_LOOKS = 6, 3
#: Seconds for comparing the end with tangents at dispersed points.
_TANGENTS = 0.03
#: Seconds an evaluation may take before the search's own path has to do instead.
_DEAR = 0.02
#: Seconds of a first search that converged after which no second one is begun unasked.
_SLOW = 0.1
#: Curvature that is zero to rounding.
_PLATEAU = 1e-13
#: Change of the log-likelihood under a relative change of 1e-12 of the point that its slope does
#: not explain: above this its value is an artefact of rounding.
_NOISE = 1e-2


@dataclass(frozen=True)
class Search:
    """The outcome of a search.

    Attributes
    ----------
    solution : Solution
        The best.
    start : ndarray, shape (k,)
        Where the first search began.
    exploration : Exploration or None
        All starts, where more than one ran.
    concave : bool
        The log-likelihood was concave at every dispersed point looked at (at every point of
        the path, where evaluations are dear), which is why no further starts ran.
    artefacts : tuple of Solution
        Ends of searches whose log-likelihood is rounding noise (numbers of very different size
        cancel there): not counted as points of the likelihood.
    trusted : bool
        False where starts drawn apart from each other disagree so much that the best end may
        be one local maximum among many.
    chosen : bool
        The best was reached from a start that the user gave.
    """

    solution: Solution
    start: np.ndarray
    exploration: Exploration | None
    concave: bool
    artefacts: tuple[Solution, ...] = ()
    trusted: bool = True
    chosen: bool = False


def search(
    objective: Objective,
    start: np.ndarray,
    candidates: Callable[[int], np.ndarray],
    *,
    scales: np.ndarray,
    n_starts: int | str = "auto",
    method: str = "auto",
    seed: int = 0,
    given: bool = False,
    seen_concave: bool = False,
    callback: Callable[[TraceStep], object] | None = None,
    solve: Callable[..., Solution] = maximise,
) -> Search:
    """Maximise from a start, and from further ones where the first does not suffice.

    Parameters
    ----------
    objective : Objective
    start : numpy.ndarray, shape (k,)
    candidates : callable
        Gives about so many dispersed points, shape (n, k); called only if they are needed.
    scales : numpy.ndarray of int
        Coordinates on a log scale.
    n_starts : int or "auto"
        Total number of starts. "auto" runs one where the log-likelihood is concave at all
        dispersed points looked at, a dozen more otherwise, and rounds of starts for some
        seconds where those disagree.
    method : str
        As in `maximise`.
    seed : int
    given : bool
        The start is the user's choice: a maximum reached from it needs no second start.
    seen_concave : bool
        An earlier fit of the same program found it concave at dispersed points: a concave path
        is evidence enough for a refit.
    callback : callable, optional
        Called with a `TraceStep` at every iteration.
    solve : callable
        In place of `maximise`, with its arguments: a search under constraints. Its attribute
        ``straight`` says that they leave a convex set, on which concavity is evidence.

    Returns
    -------
    Search
    """
    free = solve is maximise
    straight = getattr(solve, "straight", free)
    if free:
        solve = _climb
    first = solve(objective, start, method=method, callback=callback)
    automatic = n_starts == "auto"
    if first.termination is Termination.INTERRUPTED or n_starts == 1:
        return Search(first, start, None, concave=False)
    if automatic and (objective.size > _MOST_COORDINATES or not objective.has_score):
        return Search(first, start, None, concave=False)
    settled = first.converged or first.termination is Termination.RUNAWAY
    slow = getattr(objective, "costly", False) and first.record.seconds > _SLOW
    if automatic and settled and slow:
        return Search(first, start, None, concave=straight and _concave_path(first))
    by_path = seen_concave or _seconds_each(first) > _DEAR
    if automatic and straight and settled and by_path and _concave_path(first):
        return Search(first, start, None, concave=True)
    points = _finite(candidates(64 if automatic else int(n_starts)))
    if (
        automatic
        and straight
        and settled
        and _concave(objective, points[:_LOOKS])
        and _below_tangents(objective, first, points)
    ):
        return Search(first, start, None, concave=True)
    if not automatic:
        several = int(n_starts) >= _MANY and free and can_climb_together(objective, method)
        exploration = explore(
            objective,
            points,
            method=method,
            max_starts=int(n_starts) - 1,
            first=first,
            callback=callback,
            solve=solve,
            together=solve_together if several else None,
        )
        kept, artefacts = _without_artefacts(objective, exploration)
        return Search(_nearest(kept, start), start, kept, concave=False, artefacts=artefacts)
    kept, artefacts = _calm(objective, first, points, method, callback, solve)
    apart = list(kept.solutions)
    dear = getattr(objective, "dear", False)
    if free and not _agreed(kept) and getattr(objective, "batched", False):
        kept, drawn = rounds(
            objective,
            _finite(candidates(64 if dear else 1000)),
            scales,
            apart,
            method=method,
            max_seconds=_ALARMED_DEAR if dear else _ALARMED,
            seed=seed,
            callback=callback,
        )
        apart += drawn
        kept, more = _without_artefacts(objective, kept)
        artefacts += more
    kept = _beyond_rounding(objective, kept)
    if free and (kept.higher_unconverged or not kept.best.converged):
        kept = _go_on(objective, kept, method, callback)
        kept, more = _without_artefacts(objective, kept)
        artefacts += more
    trusted = _agreed(kept) or _trusted(kept, apart, first if given else None)
    best = _nearest(kept, start)
    return Search(
        best,
        start,
        kept,
        concave=False,
        artefacts=artefacts,
        trusted=trusted,
        chosen=given and first.converged and same_value(first.value, best.value),
    )


def _climb(objective: Objective, start: np.ndarray, **options: Any) -> Solution:
    """A search that does not stop on a plateau with something higher beside it."""
    return lifted(objective, maximise(objective, start, **options), maximise, **options)


def _nearest(exploration: Exploration, start: np.ndarray) -> Solution:
    """Among ends of the same height the one nearest to the start: a choice that repeats.

    Ties (mirror images of a symmetric start) go to the first in lexicographic order.
    """
    best = exploration.best
    same = [
        s
        for s in exploration.solutions
        if s.termination is best.termination and same_value(s.value, best.value)
    ]

    def key(solution: Solution) -> tuple[float, tuple[float, ...]]:
        distance = float(np.linalg.norm((solution.x - start) / np.maximum(np.abs(start), 1.0)))
        return float(f"{distance:.5e}"), tuple(np.round(solution.x, 5))

    return min(same or [best], key=key)


def _calm(
    objective: Objective,
    first: Solution,
    points: np.ndarray,
    method: str,
    callback: Callable[[TraceStep], object] | None,
    solve: Callable[..., Solution],
) -> tuple[Exploration, tuple[Solution, ...]]:
    """A few more starts, and a few more again unless all agree."""
    most, seconds = _CALM
    if getattr(objective, "dear", False):
        seconds = min(seconds, max(1.0, _TIMES_FIRST * first.record.seconds))
    chosen = choose(objective, _affordable(points, first, seconds), most)
    found, left = [first], seconds
    kept: Exploration | None = None
    artefacts: tuple[Solution, ...] = ()
    for at in range(0, len(chosen), _AT_ONCE):
        exploration = explore(
            objective,
            chosen[at : at + _AT_ONCE],
            method=method,
            max_seconds=left,
            callback=callback,
            solve=solve,
        )
        left -= exploration.seconds
        found += exploration.solutions
        everything = gather(
            found,
            spread=np.maximum(np.abs(first.x), 1.0),
            starts_left=len(points) + 1 - len(found),
            termination=exploration.termination,
        )
        kept, artefacts = _without_artefacts(objective, everything)
        unanimous = kept.best_share == 1.0 and first.converged
        if unanimous or left <= 0 or exploration.termination.startswith("Interrupted"):
            break
    if kept is None:
        kept = gather([first], spread=np.maximum(np.abs(first.x), 1.0))
    return kept, artefacts


def _beyond_rounding(objective: Objective, exploration: Exploration) -> Exploration:
    """Leave out unconverged ends that are higher only by the rounding of the value."""
    if not exploration.higher_unconverged:
        return exploration
    best = exploration.best
    allowed = 100.0 * value_noise(objective, best)
    rest = [s for s in exploration.solutions if s.converged or not s.value > best.value]
    highest = max(s.value for s in exploration.solutions if np.isfinite(s.value))
    if highest - best.value > allowed:
        return exploration
    return gather(
        rest,
        spread=np.maximum(np.abs(best.x), 1.0),
        starts_left=exploration.starts_left,
        termination=exploration.termination,
        seconds=exploration.seconds,
    )


def _trusted(kept: Exploration, apart: list[Solution], given: Solution | None) -> bool:
    """Whether the best was reached often enough by starts that had nothing to do with it."""
    if not kept.best.converged:
        return True  # not certified anyhow
    top = kept.best.value
    if given is not None and given.converged and same_value(given.value, top):
        return True
    reached = sum(s.converged and same_value(s.value, top) for s in apart)
    return reached >= _INDEPENDENT or kept.best_share >= _COMMON


def value_noise(objective: Objective, solution: Solution) -> float:
    """Change of the value under tiny changes of the point that its slope does not explain.

    Parameters
    ----------
    objective : Objective
    solution : Solution

    Returns
    -------
    float
        In log-likelihood; nan where it cannot be told.
    """
    x, score = solution.x, solution.score
    rng = np.random.default_rng(0)
    worst = 0.0
    size = 1e-12 * np.maximum(np.abs(x), 1.0)
    if solution.hessian is not None:
        # Where the likelihood itself is that steep (a component on a single observation) a
        # shorter step keeps its curvature out of the comparison.
        with np.errstate(divide="ignore", invalid="ignore"):
            steep = 1e-3 / np.sqrt(np.abs(np.diagonal(solution.hessian)))
        size = np.where(np.isfinite(steep), np.minimum(size, steep), size)
    for _ in range(4):
        step = size * rng.choice([-1.0, 1.0], size=x.size)
        with np.errstate(all="ignore"):
            value = objective.value(x + step)
        expected = 0.0 if score is None else float(score @ step)
        worst = max(worst, abs(value - solution.value - expected))
    return worst


def _finite(points: np.ndarray) -> np.ndarray:
    return points[np.all(np.isfinite(points), axis=1)]


def _agreed(exploration: Exploration) -> bool:
    """Whether nearly all searches that converged reached the best value, and none went above."""
    converged = [s for s in exploration.solutions if s.converged]
    if exploration.higher_unconverged or len(converged) < 2:
        return False
    reached = exploration.best_share * exploration.starts_run
    return reached >= max(_AGREE * len(converged), 0.5 * exploration.starts_run)


def _without_artefacts(
    objective: Objective, exploration: Exploration
) -> tuple[Exploration, tuple[Solution, ...]]:
    """Leave out ends whose value is noise, as far as they compete for the best."""
    artefacts: list[Solution] = []
    rest = list(exploration.solutions)
    while len(rest) > 1:
        finite = [s for s in rest if np.isfinite(s.value)]
        if not finite:
            break
        highest = max(finite, key=lambda s: s.value)
        noise = value_noise(objective, highest)
        if not np.isfinite(noise):
            break
        allowed = max(_NOISE, 1e-9 * abs(highest.value))
        if noise <= allowed:
            break
        artefacts.append(highest)
        rest = [s for s in rest if s is not highest]
    if not artefacts:
        return exploration, ()
    again = gather(
        rest,
        spread=np.maximum(np.abs(rest[0].x), 1.0),
        starts_left=exploration.starts_left,
        termination=exploration.termination,
        seconds=exploration.seconds,
    )
    return again, tuple(artefacts)


def _concave(objective: Objective, points: np.ndarray) -> bool:
    """Whether the Hessian is negative definite wherever it is not zero to rounding.

    Points far out on a plateau say nothing; three others are needed.
    """
    seen = 0
    for x in points:
        hessian = objective.hessian(x) if objective.has_hessian else None
        if hessian is None:
            return False
        if not np.all(np.isfinite(hessian)):
            if np.isfinite(objective.value(x)):
                return False
            continue  # outside the domain
        diagonal = -np.diagonal(hessian)
        if np.max(np.abs(hessian)) < _PLATEAU:
            continue
        if not np.all(diagonal > 0):
            return False
        scale = np.sqrt(diagonal)
        lowest = np.linalg.eigvalsh(-hessian / np.outer(scale, scale))[0]
        if lowest < -_PLATEAU:
            return False
        seen += lowest > 0
    return seen >= _FEWEST_LOOKS


def _below_tangents(objective: Objective, first: Solution, points: np.ndarray) -> bool:
    """Whether the end lies below the tangent at every point looked at, as it does if concave."""
    affordable = int(_TANGENTS / max(_seconds_each(first), 1e-6))
    for x in points[: max(affordable, _LOOKS)]:
        with np.errstate(all="ignore"):
            value, score = objective.value_and_score(x)
            bound = value + float(score @ (first.x - x))
        if not np.isfinite(bound):
            continue  # outside the domain, or beyond the arithmetic
        if first.value > bound + 1e-6 * (1.0 + abs(value) + abs(first.value)):
            return False
    return True


def _seconds_each(solution: Solution) -> float:
    return solution.record.seconds / max(sum(solution.record.evaluations.values()), 1)


def _concave_path(solution: Solution) -> bool:
    """Whether the curvature was negative definite all the way from the start."""
    trace = solution.record.trace
    return len(trace) >= _FEWEST_LOOKS and all(np.isfinite(t.expected_gain) for t in trace)


def _affordable(points: np.ndarray, first: Solution, seconds: float | None) -> np.ndarray:
    """As many candidates as can be ranked in a tenth of the time."""
    each = _seconds_each(first)
    if seconds is None or each <= 0:
        return points
    return points[: max(int(0.1 * seconds / each), 8)]


def _go_on(
    objective: Objective,
    exploration: Exploration,
    method: str,
    callback: Callable[[TraceStep], object] | None,
) -> Exploration:
    """Continue from the highest unconverged end: it may only have run out of time."""
    unfinished = {Termination.TIME_LIMIT, Termination.ITERATION_LIMIT, Termination.NO_PROGRESS}
    ends = [
        s
        for s in exploration.solutions
        if not s.converged and s.termination in unfinished and np.isfinite(s.value)
    ]
    if not ends:
        return exploration
    highest = max(ends, key=lambda s: s.value)
    further = maximise(
        objective,
        highest.x,
        method=method,
        max_iterations=2000,
        max_seconds=10.0,
        callback=callback,
    )
    if further.termination is Termination.NO_PROGRESS:
        further = settle_on_kink(objective, further)
    kept = [further if s is highest else s for s in exploration.solutions]
    return gather(
        kept,
        spread=np.maximum(np.abs(further.x), 1.0),
        starts_left=exploration.starts_left,
        termination=exploration.termination,
        seconds=exploration.seconds + further.record.seconds,
    )
