"""Where the signed root of the likelihood ratio reaches a cut-off: root finding, side by side.

The signed root is nearly linear in a well-chosen parameter, and each profile evaluation gives its
slope and curvature for nothing, so that inverse interpolation needs two or three of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from pymle.inference.profile.records import Flag
from pymle.inference.profile.solve import SETTLED, Failed, Place, Solver
from pymle.inference.profile.target import Scale
from pymle.optimize import Termination, maximise

__all__ = ["HigherError", "Knot", "Side", "find_side"]

#: Distance of the root from the cut-off within which a second-order step ends the search.
_CLOSE = 1e-3
#: Twice a log-likelihood by which a profile may exceed the maximum through rounding.
_ABOVE = 2e-6
#: Change of the log-likelihood that is none.
_SAME = 1e-7
#: Growth of the distance from one evaluation to the next.
_GROWTH = 4.0
#: Distances on a log or log-odds line, and on the natural axis (in units of the estimate),
#: beyond which nothing new is expected.
_FAR_BENT, _FAR = 100.0, 1e5
#: Profile evaluations of one side.
MOST = 60


class HigherError(Exception):
    """A constrained maximum lies above the unconstrained one: the fit is no global maximum.

    Parameters
    ----------
    place : Place
    """

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place


@dataclass(frozen=True)
class Knot:
    """A profile evaluation seen from the estimate.

    Attributes
    ----------
    distance : float
        From the estimate, on the line.
    root : float
        Square root of twice the fall of the log-likelihood.
    slope : float or None
        Its derivative along the distance.
    bend : float or None
        Its second derivative.
    place : Place
    """

    distance: float
    root: float
    slope: float | None
    bend: float | None
    place: Place

    @property
    def rises(self) -> bool:
        """Whether the log-likelihood rises on the way out: there is another hill."""
        return self.slope is not None and self.root > 1e-3 and self.slope < -1e-3


@dataclass
class Side:
    """What is known of a profile on one side of the estimate.

    Attributes
    ----------
    sign : int
        -1 below the estimate, +1 above.
    knots : list of Knot
        By distance, the estimate first.
    wall : float
        Distance from which on the log-likelihood is not finite, or could not be maximised.
    outside : bool
        The wall is one of the log-likelihood's own.
    reach : float
        Largest distance that was tried.
    climbed : bool
        Another hill has been climbed, and was no higher.
    """

    sign: int
    knots: list[Knot] = field(default_factory=list)
    wall: float = np.inf
    outside: bool = True
    reach: float = 0.0
    climbed: bool = False

    def add(self, knot: Knot) -> None:
        """Put a knot in its place."""
        self.knots = sorted([*self.knots, knot], key=lambda k: k.distance)

    def bracket(self, cutoff: float) -> tuple[Knot, Knot | None]:
        """The last knot before the first that reaches the cut-off, and that one."""
        last = self.knots[0]
        for knot in self.knots[1:]:
            if knot.root >= cutoff:
                return last, knot
            last = knot
        return last, None

    @property
    def monotone(self) -> bool:
        """Whether the log-likelihood falls all the way, as far as it was looked at."""
        roots = [knot.root for knot in self.knots]
        falling = all(b >= a - 1e-4 for a, b in pairwise(roots))
        return falling and not any(knot.rises for knot in self.knots[1:])


class Follower:
    """Evaluates a profile at distances from the estimate, each from its neighbours.

    Parameters
    ----------
    solver : Solver
        With a target of one component, or of several along a ray.
    start : Place
        The estimate.
    top : float
        Log-likelihood of the fit.
    direction : numpy.ndarray, shape (m,)
        The line direction that a distance of one means; the side's sign comes on top.
    """

    def __init__(self, solver: Solver, start: Place, top: float, direction: np.ndarray) -> None:
        self.solver, self.start, self.top, self.direction = solver, start, top, direction

    def knot(self, side: Side, place: Place, distance: float) -> Knot:
        """A place as a knot.

        Raises
        ------
        HigherError
        """
        fall = 2.0 * (self.top - place.value)
        if fall < -_ABOVE * max(1.0, 1e-6 * abs(self.top)):
            raise HigherError(place)
        root = float(np.sqrt(max(fall, 0.0)))
        along = side.sign * self.direction
        slope = bend = None
        if place.slope is not None and root > 1e-6:
            slope = -float(place.slope @ along) / root
            if place.bend is not None:
                bend = (-float(along @ place.bend @ along) - slope**2) / root
        return Knot(distance, root, slope, bend, place)

    def evaluate(self, side: Side, distance: float) -> Knot:
        """Evaluate the profile and keep it.

        Raises
        ------
        Failed, HigherError
        """
        line = self.start.line + distance * side.sign * self.direction
        near = min(side.knots, key=lambda k: abs(k.distance - distance))
        place = self.solver.solve(line, self._predict(side, distance), near.place.x)
        knot = self.knot(side, place, distance)
        side.add(knot)
        return knot

    def climb(self, knot: Knot) -> None:
        """Climb the hill that a knot lies on.

        Raises
        ------
        HigherError
            Its top is above the fit.
        """
        if self.solver.constrained:
            return
        found = maximise(self.solver.objective, knot.place.x, max_iterations=200)
        if found.termination is Termination.INTERRUPTED:
            raise KeyboardInterrupt
        if found.termination in SETTLED and np.isfinite(found.value):
            top = Place(knot.place.line, found.x, found.value, None, None, None)
            self.knot(Side(1), top, knot.distance)

    def _predict(self, side: Side, distance: float) -> np.ndarray:
        """Where the maximum will be: cubic between two knots, straight on beyond the last."""
        along = side.sign * self.direction
        before = [k for k in side.knots if k.distance <= distance]
        after = [k for k in side.knots if k.distance > distance]
        a = before[-1]
        if after and a.place.tangent is not None and after[0].place.tangent is not None:
            b = after[0]
            width = b.distance - a.distance
            u = (distance - a.distance) / width
            start, end = a.place.tangent @ along, b.place.tangent @ along
            return (
                (1 + 2 * u) * (1 - u) ** 2 * a.place.x
                + u * (1 - u) ** 2 * width * start
                + u**2 * (3 - 2 * u) * b.place.x
                + u**2 * (u - 1) * width * end
            )
        if a.place.tangent is None:
            return a.place.x
        return a.place.x + (distance - a.distance) * (a.place.tangent @ along)


def find_side(
    follower: Follower, side: Side, cutoff: float, *, first: float, scale: Scale | None
) -> tuple[float, Flag]:
    """Find where the root reaches a cut-off.

    Parameters
    ----------
    follower : Follower
    side : Side
        Holds the estimate, and whatever has been evaluated; is filled, so that an interruption
        loses nothing.
    cutoff : float
    first : float
        Distance of the first evaluation, where the curvature at the estimate suggests none.
    scale : Scale or None
        Of the line; None for a ray, which has no edge.

    Returns
    -------
    distance : float
        Where the root reaches the cut-off; infinite at an end of the line, nan if unknown.
    flag : Flag

    Raises
    ------
    HigherError
    """
    tries = 0
    for _ in range(MOST):
        inside, outside = side.bracket(cutoff)
        for knot in (outside, inside):
            distance = None if knot is None else _close(knot, inside, outside, cutoff)
            if distance is not None:
                return distance, Flag.FOUND
        if outside is not None:
            width = outside.distance - inside.distance
            size = float(np.abs(follower.start.line).max()) + outside.distance
            if width <= 1e-11 * size:
                return outside.distance, Flag.FOUND
            distance = _between(inside, outside, cutoff, tries)
            tries += 1
        else:
            ended = _ended(follower, side, scale)
            if ended is not None:
                return ended
            distance = _beyond(side, inside, cutoff, first)
            side.reach = max(side.reach, distance)
        try:
            knot = follower.evaluate(side, distance)
            if knot.rises and not side.climbed:
                side.climbed = True
                follower.climb(knot)
        except Failed as failed:
            side.wall, side.outside = min(side.wall, distance), failed.outside
            if outside is not None:
                # Between two good places: the search failed, not the log-likelihood.
                return float("nan"), Flag.WORK
    return float("nan"), Flag.WORK


def _close(knot: Knot, inside: Knot, outside: Knot | None, cutoff: float) -> float | None:
    """Where the root reaches the cut-off, if a knot is so near that its derivatives tell."""
    left = cutoff - knot.root
    if abs(left) < 1e-9 * cutoff:
        return knot.distance
    if knot.slope is None:
        return knot.distance if abs(left) < 1e-6 * cutoff else None
    if knot.slope <= 0.0 or abs(left) > _CLOSE * cutoff:
        return None
    step = left / knot.slope
    if knot.bend is not None:
        step -= 0.5 * knot.bend / knot.slope * step**2
    elif abs(left) > 1e-2 * _CLOSE * cutoff:
        return None
    found = knot.distance + step
    if abs(step) > 0.02 * knot.distance or found <= inside.distance:
        return None
    return found if outside is None or found <= outside.distance or outside is knot else None


def _between(inside: Knot, outside: Knot, cutoff: float, tries: int) -> float:
    """Inverse interpolation between two knots, safeguarded by bisection."""
    width = outside.distance - inside.distance
    low, high = inside.distance + 1e-4 * width, outside.distance - 1e-4 * width
    # Every third time the bracket is halved, should interpolation creep.
    if tries < 4 or tries % 3:
        for candidate in (_interpolated(inside, outside, cutoff), _secant(inside, outside, cutoff)):
            if candidate is not None and low < candidate < high:
                return candidate
    return inside.distance + 0.5 * width


def _interpolated(inside: Knot, outside: Knot, cutoff: float) -> float | None:
    """Distance as a polynomial of the root, through two knots with their derivatives.

    Where the root rises by orders of magnitude (from an estimate at an edge) it is the logarithm
    of the root that is nearly straight.
    """
    in_logs = 0.0 < inside.root < 0.05 * cutoff
    if in_logs and inside.root < 1e-3:
        return None
    at, values = [], []
    for knot in (inside, outside):
        scale = knot.root if in_logs else 1.0
        at.append(np.log(knot.root) if in_logs else knot.root)
        values.append(knot.distance)
        if knot.slope is None or knot.slope <= 0.0:
            continue
        rate = knot.slope / scale
        at.append(at[-1])
        values.append(1.0 / rate)
        if knot.bend is not None:
            bend = knot.bend / scale - (rate**2 if in_logs else 0.0)
            at.append(at[-1])
            values.append(-bend / rate**3)
    if not np.all(np.isfinite(values)):
        return None
    from scipy.interpolate import KroghInterpolator

    curve = KroghInterpolator(np.array(at), np.array(values))
    return float(curve(np.log(cutoff) if in_logs else cutoff))


def _secant(inside: Knot, outside: Knot, cutoff: float) -> float:
    share = (cutoff - inside.root) / (outside.root - inside.root)
    return inside.distance + share * (outside.distance - inside.distance)


def _beyond(side: Side, inside: Knot, cutoff: float, first: float) -> float:
    """The next distance while the cut-off has not been reached."""
    if np.isfinite(side.wall):
        return 0.5 * (inside.distance + side.wall)
    if inside.distance == 0.0:
        return cutoff / inside.slope if inside.slope else first
    longest = _GROWTH * inside.distance
    if inside.slope is None:
        return longest
    if inside.slope <= 0.0:
        return (1.5 if inside.rises else _GROWTH) * inside.distance
    wanted = inside.distance + (cutoff - inside.root) / inside.slope
    return float(np.clip(wanted, 1.05 * inside.distance, longest))


def _ended(follower: Follower, side: Side, scale: Scale | None) -> tuple[float, Flag] | None:
    """Whether the profile has levelled off below the cut-off, or the support ends."""
    last = side.knots[-1]
    end = Flag.UNBOUNDED
    if scale is not None and scale.edge(side.sign):
        end = Flag.EDGE
    levels = [
        abs(a.place.value - b.place.value) < _SAME and b.distance > 1.4 * a.distance
        for a, b in pairwise(side.knots)
    ]
    bent = scale is not None and scale.bent
    if np.isfinite(side.wall):
        flat = bool(levels) and levels[-1]
        if flat and last.distance > (20.0 if bent else 1e3 * side.knots[1].distance):
            return np.inf, end
        gap = side.wall - last.distance
        # From an estimate at zero, against the wall itself, only what was tried gives a size.
        if gap <= 1e-9 * max(side.wall, side.reach, float(abs(follower.start.line).max())):
            limit = side.wall if last.distance > 0.0 else 0.0
            return (limit, Flag.EDGE) if side.outside else (float("nan"), Flag.WORK)
        return None
    far = _FAR_BENT if bent else _FAR * max(1.0, float(abs(follower.start.line).max()))
    if len(levels) >= 2 and levels[-1] and levels[-2] and last.root > 1e-3:
        return np.inf, end
    if last.distance >= far:
        return (np.inf, end) if levels and levels[-1] else (float("nan"), Flag.WORK)
    return None
