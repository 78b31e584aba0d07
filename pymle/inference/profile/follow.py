"""The profile likelihood of one scalar after another: `profile`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from pymle.errors import AnalysisError, BetterFitWarning, PointError
from pymle.fitted import Fitted
from pymle.inference.covariance import standard_errors
from pymle.inference.profile.counted import Counted
from pymle.inference.profile.limits import Follower, HigherError, Knot, Side, find_side
from pymle.inference.profile.records import Flag, Profile, Profiles
from pymle.inference.profile.solve import Failed, Place
from pymle.inference.profile.target import Component, Target, component_of
from pymle.inference.profile.under import blocked, solver_for
from pymle.inference.quadratic import ENOUGH, nonquadratic
from pymle.inference.quantity import quantity
from pymle.verdict import Status

__all__ = [
    "Asked",
    "better_start",
    "check_profiles",
    "components_of",
    "cutoff_of",
    "known_at",
    "profile",
    "sides_of",
]

#: Fits that profiles cannot start from.
_REFUSED = {
    Status.SADDLE,
    Status.NOT_CONVERGED,
    Status.NOISY,
    Status.INCONSISTENT,
    Status.SUPPORT,
}
#: How often a profile may be begun again from a better fit.
_BETTER = 5
#: First step where the curvature suggests none: on a log or log-odds line, and as a share.
_FIRST_BENT, _FIRST = 4.0, 0.25
#: How far beyond the limits a curve is drawn, in units of the cut-off.
_BEYOND = 1.15

What = str | Callable[..., Any]


@dataclass(frozen=True)
class Asked:
    """One scalar to be profiled: an entry of what a user wrote.

    Attributes
    ----------
    what : str or callable
        As `pymle.inference.quantity` takes it.
    entry : int
    name : str or None
    cutoff : float or None
        In place of the chi-squared one.
    wald : tuple of two float, or None
        Wald limits. They are looked at first, and stay where the likelihood is quadratic enough.
    calibration : str
        Where the cut-off comes from.
    """

    what: What
    entry: int = 0
    name: str | None = None
    cutoff: float | None = None
    wald: tuple[float, float] | None = None
    calibration: str = "chi-squared(1)"


def cutoff_of(level: float, freedom: int = 1) -> float:
    """Signed root of the likelihood ratio at a coverage: root of the chi-squared quantile.

    Parameters
    ----------
    level : float
    freedom : int
        Degrees of freedom, 1 or 2.

    Returns
    -------
    float
    """
    if freedom == 2:
        return float(np.sqrt(-2.0 * np.log1p(-level)))
    return -NormalDist().inv_cdf(0.5 * (1.0 - level))


def check_profiles(fitted: Fitted, what: str) -> None:
    """Refuse fits whose likelihood ratio says nothing.

    Parameters
    ----------
    fitted : Fitted
    what : str
        The analysis, as the subject of a sentence.

    Raises
    ------
    AnalysisError
    """
    estimate = fitted.estimate
    if estimate.objective == "map":
        raise AnalysisError.needs_mle(what)
    if estimate.weights_kind == "sampling":
        raise AnalysisError.sampling_weights(what)
    if estimate.verdict.status in _REFUSED or estimate.verdict.unbounded:
        raise AnalysisError.needs_maximum(what, estimate.verdict.status.value)


def profile(
    fitted: Fitted,
    asked: Sequence[Asked],
    *,
    level: float = 0.95,
    curve: int = 0,
    callback: Callable[[str, int, int], object] | None = None,
    wrap: Callable[[Fitted], Any] = lambda fitted: fitted,
) -> Profiles:
    """Profile likelihoods and their limits.

    Parameters
    ----------
    fitted : Fitted
    asked : sequence of Asked
    level : float
    curve : int
        Places on each side at which the whole curve is evaluated; 0 for the limits alone.
    callback : callable, optional
        Called with the label, the number done, and the number of all.
    wrap : callable
        Makes of a better `Fitted` what the record shall hold.

    Returns
    -------
    Profiles
        After a `KeyboardInterrupt`: what is done, the last one flagged.

    Raises
    ------
    AnalysisError

    Warns
    -----
    BetterFitWarning
        A higher log-likelihood was met. All profiles then belong to the better fit.
    """
    check_profiles(fitted, "A profile likelihood")
    first, better = fitted, None
    for _ in range(_BETTER):
        done: list[Profile] = []
        components = components_of(fitted, asked)
        try:
            for i, (each, component) in enumerate(zip(asked, components, strict=True)):
                if callback is not None:
                    callback(component.label, i, len(asked))
                one = _one(fitted, component, level, each, curve)
                one = replace(one, better_fit=better, _again=_again(one, fitted, each, level, wrap))
                done.append(one)
                if Flag.INTERRUPTED in (one.lower_flag, one.upper_flag):
                    break
            return Profiles(tuple(done))
        except KeyboardInterrupt:
            return Profiles(tuple(done))
        except HigherError as error:
            found = better_start(fitted, error.place)
            warnings.warn(
                BetterFitWarning.of(component.label, first.estimate.maximum, error.place.value),
                stacklevel=3,
            )
            if found is None:
                break
            fitted, better = found, wrap(found)
            # Wald limits of the fit that was left say nothing about this one.
            asked = [replace(each, wald=None) for each in asked]
    return Profiles(
        tuple(
            _unusable(fitted, each, component, level, better)
            for each, component in zip(asked, components_of(fitted, asked), strict=True)
        )
    )


def components_of(fitted: Fitted, asked: Sequence[Asked]) -> list[Component]:
    """What is held, one after the other; an array is made into a function once."""
    known: dict[Any, Any] = {}
    for each in asked:
        if (each.what, each.name) not in known:
            known[each.what, each.name] = quantity(fitted, each.what, each.name)
    return [component_of(fitted, known[each.what, each.name], each.entry) for each in asked]


def better_start(fitted: Fitted, place: Place) -> Fitted | None:
    """A whole new fit from a better place; None if it leads to nothing that can be profiled."""
    point = fitted.estimate.layout.to_point(fitted.natural.value(place.x))
    try:
        found = fitted.refit(start=point)
    except PointError:
        return None  # on the edge of the support in floating point
    verdict = found.estimate.verdict
    usable = verdict.status not in _REFUSED and not verdict.unbounded
    return found if usable and found.estimate.maximum > place.value - 1e-6 else None


def sides_of(fitted: Fitted, component: Component, counted: Counted) -> tuple[Follower, list[Side]]:
    """A profile ready to be followed: the estimate as the first knot of both sides.

    Parameters
    ----------
    fitted : Fitted
    component : Component
    counted : Counted

    Returns
    -------
    follower : Follower
    sides : list of two Side
        Below and above.
    """
    estimate = fitted.estimate
    solver = solver_for(fitted, counted, Target((component,)))
    start = solver.at(estimate.x, *known_at(fitted))
    error = float(standard_errors(estimate, component.value_and_gradient(estimate.x)[1][None])[0])
    slope = 1.0 / error if np.isfinite(error) and error > 0.0 else None
    follower = Follower(solver, start, estimate.maximum, np.ones(1))
    sides = [Side(sign, [Knot(0.0, 0.0, slope, None, start)]) for sign in (-1, 1)]
    for side in sides:
        if blocked(solver, estimate.x, side.sign):
            side.wall = 0.0
    return follower, sides


def known_at(fitted: Fitted) -> tuple[Any, Any]:
    """Score and Hessian at the estimate, as far as the fit has them."""
    estimate = fitted.estimate
    if estimate.score is None or not estimate.curvature_is_cheap or estimate.curvature is None:
        return None, None
    return estimate.score, -estimate.curvature.information


def first_distance(component: Component, start: Place) -> float:
    """Where to look first if the curvature at the estimate tells nothing.

    Parameters
    ----------
    component : Component
    start : Place

    Returns
    -------
    float
    """
    return _FIRST_BENT if component.scale.bent else _FIRST * max(1.0, abs(float(start.line[0])))


def _one(fitted: Fitted, component: Component, level: float, asked: Asked, curve: int) -> Profile:
    cutoff = cutoff_of(level) if asked.cutoff is None else asked.cutoff
    counted = Counted(fitted.likelihood)
    follower, sides = sides_of(fitted, component, counted)
    first = first_distance(component, follower.start)
    ends: list[tuple[float, Flag]] = []
    measure = float("nan")
    try:
        if asked.wald is not None:
            places = (
                component.scale.to_line(asked.wald[0]),
                component.scale.to_line(asked.wald[1]),
            )
            measure = nonquadratic(follower, sides, places, cutoff)
            if measure <= ENOUGH:
                origin = float(follower.start.line[0])
                ends = [(abs(place - origin), Flag.WALD) for place in places]
        for side in sides[len(ends) :]:
            ends.append(find_side(follower, side, cutoff, first=first, scale=component.scale))
            if curve:
                _trace(follower, side, cutoff, ends[-1], curve)
    except KeyboardInterrupt:
        pass
    ends += [(float("nan"), Flag.INTERRUPTED)] * (2 - len(ends))
    one = _record(fitted, component, level, cutoff, follower, sides, ends)
    return replace(
        one,
        nonquadratic=measure,
        calibration=asked.calibration,
        elsewhere=_elsewhere(fitted, component, one),
    )


def _elsewhere(fitted: Fitted, component: Component, one: Profile) -> bool:
    """Whether another maximum that the fit met lies above the cut-off and outside the limits."""
    found = fitted.estimate.exploration
    for cluster in () if found is None else found.clusters:
        if cluster.converged and 2.0 * (one.loglik - cluster.value) < one.cutoff**2:
            value = component.natural(cluster.x)
            width = one.upper - one.lower
            slack = 1e-6 * width if np.isfinite(width) else 0.0
            if value < one.lower - slack or value > one.upper + slack:
                return True
    return False


def _trace(
    follower: Follower, side: Side, cutoff: float, end: tuple[float, Flag], places: int
) -> None:
    """Evaluate a side at places spread evenly in the root."""
    if not np.isfinite(end[0]) and end[1] not in (Flag.UNBOUNDED, Flag.EDGE):
        return
    if end[1] is Flag.FOUND:
        reach = _BEYOND * end[0]
    else:
        top = max(knot.root for knot in side.knots)
        reach = next(k.distance for k in side.knots if k.root >= 0.99 * top)
        reach = min(reach, 0.999 * side.wall)
    if not reach > 0.0:
        return
    roots = np.array([k.root for k in side.knots])
    distances = np.array([k.distance for k in side.knots])
    for share in np.linspace(0.0, 1.0, places + 1)[1:]:
        wanted = share * reach
        if end[1] is Flag.FOUND and np.all(np.diff(roots) > 0):
            wanted = min(float(np.interp(share * _BEYOND * cutoff, roots, distances)), reach)
        if share == 1.0:
            wanted = reach
        if np.abs(distances - wanted).min() < 0.2 * reach / places:
            continue
        try:
            follower.evaluate(side, wanted)
        except Failed:
            continue


def _record(
    fitted: Fitted,
    component: Component,
    level: float,
    cutoff: float,
    follower: Follower,
    sides: Sequence[Side],
    ends: Sequence[tuple[float, Flag]],
) -> Profile:
    estimate = fitted.estimate
    scale, origin = component.scale, float(follower.start.line[0])
    lower, upper = (
        float(scale.from_line(origin + side.sign * distance)) if not np.isnan(distance) else np.nan
        for side, (distance, _) in zip(sides, ends, strict=True)
    )
    knots = [(side.sign, k) for side in sides for k in side.knots[1:]] + [(1, sides[0].knots[0])]
    knots.sort(key=lambda pair: pair[0] * pair[1].distance)
    value = np.array([float(scale.from_line(k.place.line[0])) for _, k in knots])
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.array([scale.slope(v)[0] for v in value])
        slopes = [np.nan if k.place.slope is None else k.place.slope[0] for _, k in knots]
        slope = np.array(slopes) * rates
    gradient = component.value_and_gradient(estimate.x)[1]
    natural = component.natural(estimate.x)
    with np.errstate(divide="ignore"):
        row = gradient / scale.slope(natural)[0]
    return Profile(
        label=component.label,
        level=level,
        cutoff=cutoff,
        estimate=natural,
        se=float(standard_errors(estimate, row[None])[0]),
        loglik=estimate.maximum,
        lower=lower,
        upper=upper,
        lower_flag=ends[0][1],
        upper_flag=ends[1][1],
        monotone=all(side.monotone for side in sides),
        elsewhere=False,
        scale=scale.name,
        value=value,
        profile=np.array([k.place.value for _, k in knots]),
        root=np.array([sign * k.root for sign, k in knots]),
        slope=slope,
        others=np.stack([fitted.natural.value(k.place.x) for _, k in knots]),
        names=tuple(estimate.layout.labels),
        evaluations=dict(follower.solver.objective.counts),
        places=len(knots) - 1,
    )


def _again(
    one: Profile, fitted: Fitted, asked: Asked, level: float, wrap: Callable[[Fitted], Any]
) -> Callable[[int], Profile]:
    """How a record traces its curve later."""

    def trace(places: int) -> Profile:
        plain = replace(asked, wald=None)
        [found] = profile(fitted, [plain], level=level, curve=places, wrap=wrap).members
        better = one.better_fit if found.better_fit is None else found.better_fit
        return replace(found, better_fit=better)

    return trace


def _unusable(
    fitted: Fitted, asked: Asked, component: Component, level: float, better: Any
) -> Profile:
    """A record that says that there is something higher, and no more."""
    cutoff = cutoff_of(level) if asked.cutoff is None else asked.cutoff
    follower, sides = sides_of(fitted, component, Counted(fitted.likelihood))
    ends = [(float("nan"), Flag.HIGHER)] * 2
    one = _record(fitted, component, level, cutoff, follower, sides, ends)
    return replace(one, better_fit=better)
