"""Several starts, and what their ends say together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.optimize.objective import Objective
from pymle.optimize.records import Solution, Termination, TraceStep
from pymle.optimize.solve import maximise

__all__ = ["Cluster", "Exploration", "choose", "explore", "gather", "same_value"]


@dataclass(frozen=True)
class Cluster:
    """Ends of searches that are one point, to the tolerance.

    Attributes
    ----------
    value : float
        Highest log-likelihood among the members.
    x : ndarray, shape (k,)
        The member with that value.
    members : tuple of int
        Positions in `Exploration.solutions`.
    converged : int
        How many of the members converged.
    """

    value: float
    x: np.ndarray
    members: tuple[int, ...]
    converged: int


@dataclass(frozen=True)
class Exploration:
    """Solutions from several starts, best first.

    Attributes
    ----------
    solutions : tuple of Solution
        All that were run, failures included: converged ones first by value, then the others by
        value, those without a finite value last.
    clusters : tuple of Cluster
        Distinct end points among solutions with a finite value, highest first. Equal values at
        different points are separate clusters (equivalent maxima).
    best_share : float
        Share of the starts run whose search converged to the best value (at any point with it).
    starts_run, starts_left : int
        Starts tried, and starts not tried for lack of time or beyond `max_starts`.
    higher_unconverged : bool
        True if a search that did not converge reached a log-likelihood above the best converged
        one: the best solution is then not the supremum.
    failures : tuple of (int, str)
        Position in `solutions` and the reason, for every solution that did not converge.
    termination : str
        Why the exploration ended, in words.
    seconds : float
    """

    solutions: tuple[Solution, ...]
    clusters: tuple[Cluster, ...]
    best_share: float
    starts_run: int
    starts_left: int
    higher_unconverged: bool
    failures: tuple[tuple[int, str], ...]
    termination: str
    seconds: float

    @property
    def top_clusters(self) -> tuple[Cluster, ...]:
        """Distinct places with converged searches and the best log-likelihood."""
        top = self.best.value
        return tuple(c for c in self.clusters if c.converged and same_value(c.value, top))

    @property
    def best(self) -> Solution:
        """The converged solution with the highest log-likelihood, else the highest of all."""
        return self.solutions[0]


def explore(
    objective: Objective,
    candidates: np.ndarray,
    *,
    method: str = "auto",
    max_starts: int | None = None,
    max_seconds: float | None = None,
    max_iterations: int = 500,
    first: Solution | None = None,
    units: np.ndarray | None = None,
    callback: Callable[[TraceStep], object] | None = None,
    solve: Callable[..., Solution] = maximise,
    together: Callable[..., list[Solution]] | None = None,
) -> Exploration:
    """Maximise from several starts and compare the ends.

    Parameters
    ----------
    objective : Objective
    candidates : array_like, shape (n, k)
        Possible starts. When there are more than `max_starts`, those with the highest
        log-likelihood are taken, each far from those already taken.
    method, max_iterations, callback
        As in `maximise`, for each start.
    max_starts : int, optional
        All finite candidates if not given.
    max_seconds : float, optional
        For all starts together; what was done by then is returned.
    first : Solution, optional
        A solution already at hand; takes part as if it came from the first start.
    units : array_like, shape (k,), optional
        Lengths (such as standard errors) on which points count as near. By default the
        curvature at an end point, where known, else the spread of the candidates.
    solve : callable
        In place of `maximise`, with its arguments.
    together : callable, optional
        Runs all chosen starts at once: `solve_together`, with its arguments.

    Returns
    -------
    Exploration

    Notes
    -----
    Agreement of starts is evidence, not proof: starts that agree on the same plateau prove nothing
    about the rest of the space.
    """
    began = time.perf_counter()
    candidates = np.atleast_2d(np.asarray(candidates, dtype=np.float64))
    limit = len(candidates) if max_starts is None else max_starts
    chosen = choose(objective, candidates, limit)
    found: list[Solution] = [] if first is None else [first]
    ended = "All chosen starts were run."
    options: dict[str, Any] = {
        "method": method,
        "max_iterations": max_iterations,
        "callback": callback,
    }
    if together is not None:
        found += together(objective, chosen, solve, max_seconds=max_seconds, **options)
        run_out = {s.termination for s in found}
        if Termination.INTERRUPTED in run_out:
            ended = f"Interrupted by the user during {len(chosen)} starts."
        elif Termination.TIME_LIMIT in run_out:
            ended = f"The time limit of {max_seconds} seconds was reached."
    for number, start in enumerate(chosen if together is None else ()):
        left = None
        if max_seconds is not None:
            left = max_seconds - (time.perf_counter() - began)
            if left <= 0.0 and found:
                ended = f"The time limit of {max_seconds} seconds was reached."
                break
            left = max(left, 0.0)
        found.append(solve(objective, start, max_seconds=left, **options))
        if found[-1].termination is Termination.INTERRUPTED:
            ended = f"Interrupted by the user during start {number + 1} of {len(chosen)}."
            break
    if not found:
        raise ValueError("explore needs at least one candidate or a first solution.")
    run = len(found) - (first is not None)
    spread = np.asarray(units, dtype=np.float64) if units is not None else _spread(candidates)
    return gather(
        found,
        spread=spread,
        given=units is not None,
        starts_left=len(candidates) - run,
        termination=ended,
        seconds=time.perf_counter() - began,
    )


def gather(
    found: Sequence[Solution],
    *,
    spread: np.ndarray,
    given: bool = False,
    starts_left: int = 0,
    termination: str = "All chosen starts were run.",
    seconds: float = 0.0,
) -> Exploration:
    """Order and cluster the ends of several searches.

    Parameters
    ----------
    found : sequence of Solution
    spread : ndarray, shape (k,)
        Lengths on which points count as near where no curvature is known.
    given : bool
        Use `spread` even where curvature is known.
    starts_left : int
    termination : str
    seconds : float

    Returns
    -------
    Exploration
    """
    solutions = tuple(sorted(found, key=_order))
    best = solutions[0]
    top = best.value
    reached = [s for s in solutions if s.converged and same_value(s.value, top)]
    others = [s.value for s in solutions if not s.converged and np.isfinite(s.value)]
    return Exploration(
        solutions=solutions,
        clusters=_cluster(solutions, spread, given=given),
        best_share=len(reached) / len(solutions),
        starts_run=len(found),
        starts_left=starts_left,
        higher_unconverged=best.converged and any(v > top + _tolerance(top) for v in others),
        failures=tuple(
            (i, f"{s.termination.value} {s.record.message}".strip())
            for i, s in enumerate(solutions)
            if not s.converged
        ),
        termination=termination,
        seconds=seconds,
    )


def _tolerance(value: float) -> float:
    """Log-likelihoods nearer than this are the same: 1e-6, or its rounding where that is larger."""
    return max(1e-6, 1e-12 * abs(value)) if np.isfinite(value) else 0.0


def same_value(a: float, b: float) -> bool:
    """Whether two log-likelihoods are the same to 1e-6, or to rounding where that is larger."""
    return bool(abs(a - b) <= _tolerance(max(abs(a), abs(b))))


def _order(solution: Solution) -> tuple[bool, bool, float, bool]:
    """Converged first, then by value to 1e-6; a tail that was followed before a plateau in it."""
    finite = bool(np.isfinite(solution.value))
    size = max(1e-6, _tolerance(solution.value)) if finite else 1.0
    value = -solution.value if finite else 0.0
    if not solution.converged:
        value = float(np.round(value / size) * size)
    plateau = solution.termination in {Termination.FLAT, Termination.DEGENERATE}
    return (not solution.converged, not finite, value, plateau)


def _spread(candidates: np.ndarray) -> np.ndarray:
    spread = np.std(candidates, axis=0) if len(candidates) > 1 else np.zeros(candidates.shape[1])
    return np.where(spread > 0.0, spread, np.maximum(np.abs(candidates[0]), 1.0))


def choose(objective: Objective, candidates: np.ndarray, limit: int) -> np.ndarray:
    """Pick the most promising candidates, kept apart from each other.

    Parameters
    ----------
    objective : Objective
    candidates : ndarray, shape (n, k)
    limit : int

    Returns
    -------
    ndarray, shape (limit or fewer, k)
    """
    if len(candidates) <= limit:
        return candidates
    with np.errstate(all="ignore"):
        values = np.asarray(objective.values(candidates), dtype=np.float64)
    values = np.where(np.isnan(values), -np.inf, values)
    order = np.argsort(-values, kind="stable")
    order = order[np.isfinite(values[order])]
    if order.size == 0:
        return candidates[:limit]
    scaled = candidates / _spread(candidates)
    taken: list[int] = []
    # First those apart from all taken so far; then, if too few, the best of the rest.
    for apart in (0.5, 0.0):
        for i in order:
            if len(taken) == limit:
                break
            away = np.mean((scaled[taken] - scaled[i]) ** 2, axis=1)
            if np.all(away > apart**2) and i not in taken:
                taken.append(int(i))
    return candidates[taken]


def _lengths(solution: Solution, spread: np.ndarray) -> np.ndarray:
    """Conditional standard errors at a solution, where its curvature gives them."""
    if solution.hessian is None:
        return 1e-3 * spread
    curvature = -np.diagonal(solution.hessian)
    usable = curvature > 0.0
    return np.where(usable, 1.0 / np.sqrt(np.where(usable, curvature, 1.0)), 1e-3 * spread)


def _cluster(
    solutions: tuple[Solution, ...], spread: np.ndarray, *, given: bool
) -> tuple[Cluster, ...]:
    """Group end points by value and place, highest first."""
    order = sorted(
        (i for i, s in enumerate(solutions) if np.isfinite(s.value)),
        key=lambda i: -solutions[i].value,
    )
    groups: list[list[int]] = []
    scales: list[np.ndarray] = []
    begin = 0  # groups before are higher than what is still to come
    for i in order:
        value, x = solutions[i].value, solutions[i].x
        while begin < len(groups) and not same_value(value, solutions[groups[begin][0]].value):
            begin += 1
        for group, lengths in zip(groups[begin:], scales[begin:], strict=True):
            if bool(np.all(np.abs(x - solutions[group[0]].x) <= 1e-2 * lengths)):
                group.append(i)
                break
        else:
            groups.append([i])
            scales.append(spread if given else _lengths(solutions[i], spread))
    return tuple(
        Cluster(
            value=solutions[group[0]].value,
            x=solutions[group[0]].x,
            members=tuple(sorted(group)),
            converged=sum(solutions[i].converged for i in group),
        )
        for group in groups
    )
