"""Joint confidence regions of two scalars: level curves of the profile log-likelihood."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pymle.errors import AnalysisError, BetterFitWarning
from pymle.fitted import Fitted
from pymle.inference.profile.counted import Counted
from pymle.inference.profile.follow import (
    Asked,
    better_start,
    check_profiles,
    components_of,
    cutoff_of,
    known_at,
)
from pymle.inference.profile.limits import Follower, HigherError, Knot, Side, find_side
from pymle.inference.profile.records import Contour, Curve, Flag
from pymle.inference.profile.solve import Failed, Place
from pymle.inference.profile.target import Target
from pymle.inference.profile.under import solver_for

__all__ = ["profile_contour"]

_BETTER = 5
#: Turn of the curve between two places: more is too coarse, less than a quarter too fine.
_TURN = 0.35
#: Relative error of the root at a place of the curve, before its last correction.
_NEAR = 0.005
#: Distance from the curve, in standard errors, that a small step does not have to stay below.
_LOOSE = 0.02
#: Bend along a curve, as a share of the squared slope across it, that counts as none.
_STRAIGHT = 1e-5
#: Distance from the estimate, in standard errors or on a log line, at which a curve is left.
_FAR, _FAR_BENT = 1e3, 30.0
_FEWEST = 1e-6


@dataclass(frozen=True)
class _Spot:
    """A place on or near a curve, in whitened coordinates.

    Attributes
    ----------
    w : numpy.ndarray, shape (2,)
    place : Place
    root : float
    gradient, curvature : numpy.ndarray, shapes (2,) and (2, 2)
        First and second derivatives of the root.
    metric : numpy.ndarray, shape (2, 2)
        Its columns are the local units: with those of the estimate a bent valley would end in
        a cusp, with those of the place it is round everywhere.
    """

    w: np.ndarray
    place: Place
    root: float
    gradient: np.ndarray
    curvature: np.ndarray
    metric: np.ndarray

    @property
    def rise(self) -> float:
        """Length of the gradient in local units."""
        return float(np.linalg.norm(self.metric.T @ self.gradient))

    @property
    def normal(self) -> np.ndarray:
        """Direction in which the root rises, of length one, local units."""
        return self.metric.T @ self.gradient / self.rise

    @property
    def along(self) -> np.ndarray:
        """Direction of the curve, local units."""
        n = self.normal
        return np.array([-n[1], n[0]])

    def second(self, direction: np.ndarray) -> float:
        """Second derivative of the root along a local direction, over the length of the first."""
        ahead = self.metric @ direction
        return float(ahead @ self.curvature @ ahead) / self.rise

    def forward(self, step: float) -> np.ndarray:
        """Ahead on the osculating parabola, whitened coordinates."""
        bent = 0.5 * self.second(self.along) * step**2
        return self.w + self.metric @ (step * self.along - bent * self.normal)


def profile_contour(
    fitted: Fitted,
    a: Asked,
    b: Asked,
    *,
    levels: tuple[float, ...] = (0.5, 0.95),
    points: int = 60,
    callback: Callable[[str, int, int], object] | None = None,
    wrap: Callable[[Fitted], Any] = lambda fitted: fitted,
) -> Contour:
    """Level curves of the profile log-likelihood of two scalars.

    Parameters
    ----------
    fitted : Fitted
    a, b : Asked
    levels : tuple of float
    points : int
        About how many places on each curve.
    callback : callable, optional
    wrap : callable
        Makes of a better `Fitted` what the record shall hold.

    Returns
    -------
    Contour

    Raises
    ------
    AnalysisError
    """
    check_profiles(fitted, "A profile contour")
    better = None
    for _ in range(_BETTER):
        tracer = _Tracer(fitted, a, b, points)
        curves: list[Curve] = []
        try:
            for i, level in enumerate(levels):
                if callback is not None:
                    callback(f"{tracer.labels[0]}, {tracer.labels[1]}", i, len(levels))
                curves.append(tracer.curve(level))
        except KeyboardInterrupt:
            curves.append(tracer.interrupted(level))
        except HigherError as error:
            found = better_start(fitted, error.place)
            warnings.warn(
                BetterFitWarning.of(tracer.labels[0], fitted.estimate.maximum, error.place.value),
                stacklevel=3,
            )
            if found is None:
                break
            fitted, better = found, wrap(found)
            continue
        return tracer.record(tuple(curves), better)
    return tracer.record((), better)


class _Tracer:
    """Follows level curves around one fit."""

    def __init__(self, fitted: Fitted, a: Asked, b: Asked, points: int) -> None:
        self.components = components_of(fitted, [a, b])
        self.labels = tuple(c.label for c in self.components)
        self._fitted, self._points = fitted, points
        estimate = fitted.estimate
        self._counted = Counted(fitted.likelihood)
        if not self._counted.has_score:
            raise AnalysisError.needs_gradient("A profile contour")
        self._solver = solver_for(fitted, self._counted, Target(tuple(self.components)))
        jacobian = self._solver.target.value_and_jacobian(estimate.x)[1]
        if np.linalg.matrix_rank(jacobian) < 2:
            raise AnalysisError(
                f"`{self.labels[0]}` and `{self.labels[1]}` are functions of each other at the "
                "estimates: they have no joint region. Profile one of them."
            )
        self._start = self._solver.at(estimate.x, *known_at(fitted))
        self._whiten = self._units()
        self._spots: list[_Spot] = []

    def _units(self) -> np.ndarray:
        bend = self._start.bend
        if bend is not None and np.all(np.isfinite(bend)):
            values = np.linalg.eigvalsh(-bend)
            if values[0] > 1e-12 * values[1]:
                spread = np.linalg.inv(-bend)
                return np.linalg.cholesky(0.5 * (spread + spread.T))
        first = [
            1.0 if c.scale.bent else 0.25 * max(1.0, abs(float(line)))
            for c, line in zip(self.components, self._start.line, strict=True)
        ]
        return np.diag(first)

    def curve(self, level: float) -> Curve:
        """The curve at a level."""
        cutoff = cutoff_of(level, 2)
        self._spots = []
        try:
            first = self._first(cutoff)
        except Failed:
            return self._curve(level, [], Flag.WORK)
        if first is None:
            return self._curve(level, [], Flag.UNBOUNDED)
        step = 2 * np.pi * cutoff / self._points
        self._spots = [first]
        ended = self._follow(cutoff, step, 1.0)
        if ended is not Flag.FOUND:
            # Open on one side: the other side is followed from the same start.
            forward, self._spots = self._spots, [first]
            other = self._follow(cutoff, step, -1.0)
            self._spots = [*self._spots[:0:-1], *forward]
            ended = Flag.WORK if Flag.WORK in (ended, other) else ended
        return self._curve(level, self._spots, ended)

    def interrupted(self, level: float) -> Curve:
        """What is done of the curve at hand."""
        return self._curve(level, self._spots, Flag.INTERRUPTED)

    def _first(self, cutoff: float) -> _Spot | None:
        """A place on the curve, on a ray from the estimate.

        Raises
        ------
        Failed
            Places were found where the profile has no derivatives (an edge), and no others.
        """
        failed = None
        for angle in np.linspace(0.0, 2 * np.pi, 8, endpoint=False):
            ray = self._whiten @ np.array([np.cos(angle), np.sin(angle)])
            follower = Follower(self._solver, self._start, self._fitted.estimate.maximum, ray)
            informative = self._start.bend is not None and np.all(np.isfinite(self._whiten))
            slope = 1.0 if informative else None
            side = Side(1, [Knot(0.0, 0.0, slope, None, self._start)])
            distance, flag = find_side(follower, side, cutoff, first=1.0, scale=None)
            if flag is Flag.FOUND:
                near = min(side.knots, key=lambda k: abs(k.distance - distance))
                w = distance * np.array([np.cos(angle), np.sin(angle)])
                try:
                    return self._spot(w, near.place)
                except Failed as error:
                    failed = error
        if failed is not None:
            raise failed
        return None

    def _spot(self, w: np.ndarray, near: Place) -> _Spot:
        """The profile at whitened coordinates, from a place nearby."""
        line = self._start.line + self._whiten @ w
        guesses = [near.x]
        if near.tangent is not None:
            guesses.insert(0, near.x + near.tangent @ (line - near.line))
        place = self._solver.solve(line, *guesses)
        top = self._fitted.estimate.maximum
        fall = 2.0 * (top - place.value)
        if fall < -2e-6 * max(1.0, 1e-6 * abs(top)):
            raise HigherError(place)
        root = float(np.sqrt(max(fall, 0.0)))
        if place.slope is None or place.bend is None or root < _FEWEST:
            raise Failed(outside=False)
        gradient = -(self._whiten.T @ place.slope) / root
        information = -self._whiten.T @ place.bend @ self._whiten
        curvature = (information - np.outer(gradient, gradient)) / root
        return _Spot(w, place, root, gradient, curvature, _metric(information, gradient))

    def _follow(self, cutoff: float, step: float, side: float) -> Flag:
        """Go along the curve until it closes or leaves."""
        # Long where the curve is straight (a narrow valley), tiny at a sharp end.
        finest, away, far = 0.01 * step, False, 0.0
        first = self._spots[0]
        for _ in range(12 * self._points):
            here = self._spots[-1]
            following = self._next(here, cutoff, side * step)
            if following is None:
                step *= 0.4
                if step < 1e-6 * finest:
                    return Flag.WORK if not self._gone(here) else Flag.EDGE
                continue
            ahead = np.linalg.solve(here.metric, following.metric @ following.along)
            turn = float(
                np.arctan2(here.along[0] * ahead[1] - here.along[1] * ahead[0], here.along @ ahead)
            )
            if abs(turn) > _TURN and step > finest:
                step *= 0.5
                continue
            if away and _passes(here, following, first, side):
                return Flag.FOUND
            away = away or float(np.linalg.norm(following.w - first.w)) > 2.0 * far
            far = max(far, float(np.linalg.norm(self._spots[-1].w - following.w)))
            self._spots.append(following)
            if abs(turn) < 0.25 * _TURN:
                step *= 1.5
            if self._gone(following):
                return self._open_flag(following)
        return Flag.WORK

    def _next(self, here: _Spot, cutoff: float, step: float) -> _Spot | None:
        """The next place: ahead on the osculating parabola, then back along the gradient."""
        w, near = here.forward(step), here.place
        try:
            for _ in range(5):
                spot = self._spot(w, near)
                miss = (cutoff - spot.root) / spot.rise
                if abs(miss) > max(abs(step), _LOOSE):
                    return None
                bent = 0.5 * spot.second(spot.normal) * miss
                w = spot.w + spot.metric @ ((miss * (1.0 - np.clip(bent, -0.5, 0.5))) * spot.normal)
                # To second order along the gradient, which is the end where little is left.
                if abs(cutoff - spot.root) < _NEAR * cutoff and abs(bent) < 0.1:
                    return replace(spot, w=w)
                near = spot.place
        except Failed:
            return None
        return None

    def _gone(self, spot: _Spot) -> bool:
        """Whether a place lies so far out that the curve will not come back."""
        if float(np.abs(spot.w).max()) > _FAR:
            return True
        moved = np.abs(self._whiten @ spot.w)
        bent = [c.scale.bent for c in self.components]
        return bool(np.any(moved[bent] > _FAR_BENT))

    def _open_flag(self, spot: _Spot) -> Flag:
        moved = self._whiten @ spot.w
        for component, each in zip(self.components, moved, strict=True):
            if component.scale.bent and abs(each) > _FAR_BENT:
                return Flag.EDGE if component.scale.edge(int(np.sign(each))) else Flag.UNBOUNDED
        return Flag.UNBOUNDED

    def _curve(self, level: float, spots: list[_Spot], ended: Flag) -> Curve:
        line = np.array([self._start.line + self._whiten @ s.w for s in spots]).reshape(-1, 2)
        values = [
            np.atleast_1d(c.scale.from_line(line[:, i])) for i, c in enumerate(self.components)
        ]
        return Curve(level, cutoff_of(level, 2), values[0], values[1], ended)

    def record(self, curves: tuple[Curve, ...], better: Any) -> Contour:
        """The record of all curves."""
        estimate = self._fitted.estimate
        return Contour(
            labels=(self.labels[0], self.labels[1]),
            estimate=(
                self.components[0].natural(estimate.x),
                self.components[1].natural(estimate.x),
            ),
            loglik=estimate.maximum,
            curves=curves,
            evaluations=dict(self._counted.counts),
            better_fit=better,
        )


def _passes(here: _Spot, following: _Spot, first: _Spot, side: float) -> bool:
    """Whether the first place lies on the way from here to the following one."""
    back, gone, heading = (
        np.linalg.solve(here.metric, each)
        for each in (first.w - here.w, following.w - here.w, first.metric @ first.along)
    )
    share = float(back @ gone / (gone @ gone))
    aside = float(np.linalg.norm(back - share * gone) / np.linalg.norm(gone))
    same = float(heading @ gone) * side > 0.7 * float(
        np.linalg.norm(heading) * np.linalg.norm(gone)
    )
    return same and 0.0 < share <= 1.05 and aside < 0.25


def _metric(information: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Across the curve the length in which the root rises by one; along it one of its bend.

    What is left is a floor where the curve is straight, so that the units stay continuous.
    """
    rise = float(np.linalg.norm(gradient))
    n = gradient / rise
    along = np.array([-n[1], n[0]])
    bend = float(along @ information @ along)
    length = np.hypot(bend, _STRAIGHT * rise**2) ** -0.5
    return np.column_stack([n / rise, length * along])
