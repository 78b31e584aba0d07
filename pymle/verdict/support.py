"""Supports that depend on parameters: a maximum at the edge of what the data allow.

The largest observation bounds the upper end of a uniform law from below: the log-likelihood rises
towards that edge, with a slope, and beyond it the data are impossible. The estimate is the edge;
its error is of order 1/n and exponential rather than normal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pymle.optimize import Objective, Solution, maximise
from pymle.verdict.records import Status, Verdict
from pymle.verdict.tails import Tails

#: First steps beyond an edge, relative to the size of the coordinate.
_STEPS = (1e-6, 1e-4, 1e-2)
#: Distances from an edge at which the log-likelihood is compared.
_NEAR = (1e-3, 1e-5, 1e-7, 1e-9)
#: Rise of the log-likelihood on the way to an edge below which there is no slope.
_SLOPE = 1e-7
#: Size of a coordinate beyond which exponentials overflow: no edge of the data.
_OVERFLOW = 300.0
#: Largest problem, and rounds of maximising between edges.
_MOST, _ROUNDS = 60, 4


@dataclass(frozen=True)
class Edges:
    """Coordinates whose maximum lies where the data become impossible.

    Attributes
    ----------
    solution : Solution
        At the edges, everything else at its maximum there.
    places : numpy.ndarray of int, shape (q,)
        Unconstrained coordinates.
    sides : numpy.ndarray, shape (q,)
        -1 where the edge is the lower end of the coordinate, +1 where it is the upper one.
    unbounded : bool
        The log-likelihood grows without bound towards the edge.
    joint : bool
        Where the edge of one lies depends on others: the point is on no common edge for sure.
    limits : tuple of (float, float)
        By coordinate: the edge and the other end of the 95% limits, on the unconstrained scale.
    """

    solution: Solution
    places: np.ndarray
    sides: np.ndarray
    unbounded: bool
    joint: bool
    limits: tuple[tuple[float, float], ...] = ()

    def tails(self, labels: Sequence[str]) -> Tails | None:
        """The directions without a standard error; None where nothing else has one."""
        if self.joint or self.unbounded:
            return None
        directions = np.eye(len(self.solution.x))[:, self.places]
        return Tails(directions, self.towards(labels), infinite=False, rising=False)

    def towards(self, labels: Sequence[str]) -> dict[str, float]:
        """Label of each coordinate with the side of its edge."""
        return {labels[int(i)]: float(s) for i, s in zip(self.places, self.sides, strict=True)}


class Part:
    """An objective of some coordinates, the others held.

    Parameters
    ----------
    objective : Objective
    x : numpy.ndarray, shape (k,)
    free : numpy.ndarray of int, shape (r,)
    """

    def __init__(self, objective: Objective, x: np.ndarray, free: np.ndarray) -> None:
        self._objective, self._x, self._free = objective, np.array(x), free
        self.size = len(free)
        self.has_score = objective.has_score
        self.has_hessian = objective.has_hessian

    def full(self, part: np.ndarray) -> np.ndarray:
        """The whole vector."""
        out = self._x.copy()
        out[self._free] = part
        return out

    def value(self, x: np.ndarray) -> float:
        """Log-likelihood."""
        return self._objective.value(self.full(x))

    def value_and_score(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood and its gradient."""
        value, score = self._objective.value_and_score(self.full(x))
        return value, score[self._free]

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """Second derivatives."""
        return self._objective.hessian(self.full(x))[np.ix_(self._free, self._free)]

    def hessian_product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Second derivatives times a vector."""
        return self.hessian(x) @ v

    def values(self, X: np.ndarray) -> np.ndarray:
        """Log-likelihoods at rows."""
        return np.array([self.value(x) for x in X])


def find_edges(objective: Objective, solution: Solution) -> Edges | None:
    """Look for edges of the data's support that a search has run into.

    Parameters
    ----------
    objective : Objective
        With a score.
    solution : Solution
        Not converged.

    Returns
    -------
    Edges or None
    """
    if solution.score is None or len(solution.x) > _MOST or not np.isfinite(solution.value):
        return None
    x = np.array(solution.x, dtype=np.float64)
    found: dict[int, float] = {}
    for _ in range(_ROUNDS):
        sides = _edges_at(objective, x)
        if not sides:
            return None  # none at all, or none any more where everything else is at its best
        found = sides
        for i, side in sides.items():
            x = _moved_to_edge(objective, x, i, side)
        if _unbounded(objective, x, sides):
            return _edges(objective, solution, x, sides, unbounded=True)
        free = np.array([i for i in range(len(x)) if i not in sides], dtype=int)
        if len(free) == 0:
            break
        part = Part(objective, x, free)
        inner = maximise(part, x[free])
        x = part.full(inner.x)
        if inner.converged and set(_edges_at(objective, x)) == set(sides):
            break
    if not found:
        return None
    return _edges(objective, solution, x, found)


def _value(objective: Objective, x: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        value = objective.value(x)
    return value if np.isfinite(value) else -np.inf


def _edges_at(objective: Objective, x: np.ndarray) -> dict[int, float]:
    """Coordinates beyond which, a little further uphill, the data are impossible."""
    here = _value(objective, x)
    out: dict[int, float] = {}
    for i in np.flatnonzero(np.abs(x) < _OVERFLOW):
        size = max(abs(x[i]), 1.0)
        for side in (-1.0, 1.0):
            for step in _STEPS:
                beyond, inside = x.copy(), x.copy()
                beyond[i] += side * step * size
                inside[i] -= side * step * size
                if np.isfinite(_value(objective, beyond)):
                    continue
                back = _value(objective, inside)
                if np.isfinite(back) and here - back > _SLOPE * step * max(1.0, abs(here)) * 10:
                    out[int(i)] = side
                break
    return out


def _moved_to_edge(objective: Objective, x: np.ndarray, i: int, side: float) -> np.ndarray:
    """The last point along a coordinate at which the data are possible."""
    low = x[i]
    high = x[i] + side * _STEPS[-1] * max(abs(x[i]), 1.0)
    out = x.copy()
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        out[i] = middle
        if np.isfinite(_value(objective, out)):
            low = middle
        else:
            high = middle
    out[i] = low
    return out


def _unbounded(objective: Objective, x: np.ndarray, sides: dict[int, float]) -> bool:
    """Whether the log-likelihood rises by as much in every further decade towards an edge."""
    for i, side in sides.items():
        values = []
        for near in _NEAR:
            inside = x.copy()
            inside[i] -= side * near * max(abs(x[i]), 1.0)
            values.append(_value(objective, inside))
        gains = np.diff(values)
        if np.all(np.isfinite(gains)) and gains[-1] > 1e-3 and gains[-1] > 0.5 * gains[-2]:
            return True
    return False


def _edges(
    objective: Objective,
    solution: Solution,
    x: np.ndarray,
    sides: dict[int, float],
    *,
    unbounded: bool = False,
) -> Edges:
    value, score = objective.value_and_score(x)
    hessian = np.asarray(objective.hessian(x)) if objective.has_hessian else None
    at = replace(solution, x=x, value=float(value), score=np.asarray(score), hessian=hessian)
    places = np.array(sorted(sides), dtype=int)
    joint = not unbounded and _is_joint(objective, x, sides)
    limits = ()
    if not unbounded and not joint:
        limits = tuple(_limit(objective, x, int(i), sides[int(i)]) for i in places)
    return Edges(at, places, np.array([sides[int(i)] for i in places]), unbounded, joint, limits)


def _is_joint(objective: Objective, x: np.ndarray, sides: dict[int, float]) -> bool:
    """Whether the edge of one coordinate moves with another one."""
    for i, side in sides.items():
        for j in range(len(x)):
            if j == i:
                continue
            other = x.copy()
            other[j] -= sides.get(j, 1.0) * 1e-4 * max(abs(x[j]), 1.0)
            beyond = other.copy()
            size = max(abs(x[i]), 1.0)
            beyond[i] += side * 1e-9 * size
            if not np.isfinite(_value(objective, other)) or np.isfinite(_value(objective, beyond)):
                return True
    return False


def _limit(
    objective: Objective, x: np.ndarray, i: int, side: float, level: float = 0.95
) -> tuple[float, float]:
    """The edge, and where the profile has fallen by -log(1 - level).

    Twice the fall of the profile log-likelihood is chi-square with two degrees of freedom where
    the density jumps at the edge (exactly so for a uniform law).
    """
    top, fall = _value(objective, x), -np.log1p(-level)
    free = np.array([j for j in range(len(x)) if j != i], dtype=int)
    last = x.copy()

    def profile(at: float) -> float:
        nonlocal last
        start = last.copy()
        start[i] = at
        if len(free) == 0:
            return _value(objective, start)
        # Other edges stay where they are: their slopes push against them.
        still = np.array([j for j in free if j not in edges], dtype=int)
        if len(still) == 0:
            return _value(objective, start)
        part = Part(objective, start, still)
        inner = maximise(part, start[still])
        if not np.isfinite(inner.value):
            return -np.inf
        last = part.full(inner.x)
        return float(inner.value)

    edges = set(_edges_at(objective, x))
    step = fall / max(abs(float(objective.value_and_score(x)[1][i])), 1e-8)
    near, far = 0.0, step
    for _ in range(60):
        if profile(x[i] - side * far) < top - fall:
            break
        near, far = far, 2.0 * far
    else:
        return float(x[i]), float(-side * np.inf)
    from scipy.optimize import brentq

    def gap(d: float) -> float:
        return max(profile(x[i] - side * d), top - 100.0) - top + fall

    distance = brentq(gap, near, far, xtol=1e-12, rtol=1e-10)
    return float(x[i]), float(x[i] - side * distance)


def at_the_edge(
    verdict: Verdict,
    edges: Edges,
    labels: Sequence[str],
    limits: dict[str, tuple[float, float]],
    *,
    others: bool,
) -> Verdict:
    """The verdict on a maximum at the edge of the data's support.

    Parameters
    ----------
    verdict : Verdict
        Its evidence is kept.
    edges : Edges
    labels : sequence of str
        One per unconstrained coordinate.
    limits : dict of str to (float, float)
        95% limits on the natural scale.
    others : bool
        Other parameters are at their maximum, with standard errors.

    Returns
    -------
    Verdict
    """
    named = ", ".join(f"`{name}`" for name in edges.towards(labels))
    evidence = {**verdict.evidence, "edge_limits": limits}
    if edges.unbounded:
        advice = (
            f"The log-likelihood grows without bound as {named} approaches the observation that "
            "bounds the support: at that end the density is infinite, and the likelihood has no "
            "maximum. A local maximum further inside may be the estimate that is wanted: pass a "
            "`start=` there, keep the priors with `pymle.find_MAP`, or fix the threshold "
            "(`fixed=`) below the smallest observation."
        )
        return replace(
            verdict,
            status=Status.NO_MAXIMUM,
            evidence={**evidence, "unbounded": True},
            advice=advice,
            parameters=edges.towards(labels),
        )
    if edges.joint:
        advice = (
            f"The support of the data depends jointly on {named}, so that the highest point lies "
            "in a corner between observations, which a search by slopes does not find. Solve for "
            "the corner by a linear programme, keep the priors with `pymle.find_MAP`, or sample "
            "the posterior."
        )
    else:
        text = "; ".join(
            f"{name} in [{low:.6g}, {high:.6g}]" for name, (low, high) in limits.items()
        )
        rest = " The standard errors of the others are conditional on the edge." if others else ""
        advice = (
            f"The support of the data ends at {named}: the estimate is the extreme observation, "
            "its error is of order 1/n and not normal, so that no standard error or Wald limit "
            "is given. 95% limits from the fall of the profile log-likelihood, whose double is "
            f"chi-square with two degrees of freedom where the density jumps: {text}.{rest}"
        )
    return replace(
        verdict,
        status=Status.SUPPORT,
        evidence=evidence,
        advice=advice,
        parameters=edges.towards(labels),
    )
