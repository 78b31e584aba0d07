"""A log-likelihood on the set where smooth functions hold their values, as a free one.

Near a point that satisfies ``g(x) = c`` every other such point is found by going along the tangent
space and then back to the set, across it. The tangent coordinates ``y`` of that move are free, so
that everything that maximises, judges and names the ends of an unconstrained search does so here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pymle.optimize.objective import Objective

__all__ = ["Chart", "Constraint", "Remembered", "allowance"]

_EPS = float(np.finfo(np.float64).eps)
#: Cosine of the angle between tangent spaces below which a chart leads nowhere.
_STEEP = 0.05
#: The same at which a chart around the present point is the better one.
_TURNED = 0.5
_MOST_CORRECTIONS = 30


class Constraint(Protocol):
    """A smooth function of the vector with m values."""

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (m,) and derivatives (m, k) at `x`."""
        ...

    def second(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Second derivatives (k, k) of the weighted sum of the values."""
        ...


class Remembered:
    """An objective that counts its evaluations and knows the last few points.

    Parameters
    ----------
    objective : Objective

    Attributes
    ----------
    counts : dict of str to int
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self.size = objective.size
        self.has_score = objective.has_score
        self.has_hessian = objective.has_hessian
        self.hessian_error = float(getattr(objective, "hessian_error", 0.0))
        self.counts: dict[str, int] = {}
        self._pairs: dict[bytes, tuple[float, np.ndarray]] = {}
        self._hessians: dict[bytes, np.ndarray] = {}

    def know(self, x: np.ndarray, value: float, score: np.ndarray, hessian: np.ndarray) -> None:
        """Take over derivatives at a point from an earlier search."""
        self._pairs[x.tobytes()] = (value, score)
        self._hessians[x.tobytes()] = hessian

    def value(self, x: np.ndarray) -> float:
        """Log-likelihood at `x`."""
        if x.tobytes() in self._pairs:
            return self._pairs[x.tobytes()][0]
        self._count("value")
        with np.errstate(all="ignore"):
            return float(self._objective.value(x))

    def value_and_score(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood and its gradient."""
        key = x.tobytes()
        if key not in self._pairs:
            self._count("value_and_score")
            with np.errstate(all="ignore"):
                value, score = self._objective.value_and_score(x)
            self._keep(self._pairs, key, (float(value), np.asarray(score, dtype=np.float64)))
        return self._pairs[key]

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """Second derivatives, shape (k, k)."""
        key = x.tobytes()
        if key not in self._hessians:
            self._count("hessian")
            with np.errstate(all="ignore"):
                hessian = np.asarray(self._objective.hessian(x), dtype=np.float64)
            self._keep(self._hessians, key, hessian)
        return self._hessians[key]

    def hessian_product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Second derivatives times a vector."""
        return self.hessian(x) @ v

    def values(self, X: np.ndarray) -> np.ndarray:
        """Log-likelihoods at the rows of `X`."""
        return np.asarray(self._objective.values(X))

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    @staticmethod
    def _keep(known: dict[bytes, Any], key: bytes, what: Any) -> None:
        if len(known) >= 4:
            known.pop(next(iter(known)))
        known[key] = what


def allowance(
    value: np.ndarray,
    jacobian: np.ndarray,
    x: np.ndarray,
    c: np.ndarray | float,
    units: np.ndarray,
) -> np.ndarray:
    """Size of each constraint's terms, of which its rounding is a small multiple of eps.

    A coordinate at zero counts with its unit (nothing is located better than to some multiple of
    eps of a standard error), but with no more than one: far from a maximum units tell little.
    """
    room = np.minimum(1.0 / units, np.maximum(np.abs(x), 1.0))
    moved = np.abs(jacobian) @ (np.abs(x) + room)
    size = np.abs(value) + np.abs(c) + np.where(np.isfinite(moved), moved, 0.0)
    return np.where(size > 0.0, size, np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Place:
    """A point of the set: where it is and how the set lies there.

    Attributes
    ----------
    y, w : ndarray, shapes (k - m,) and (m,)
        Along and across, from the base.
    x : ndarray, shape (k,)
    jacobian : ndarray, shape (m, k)
        Of the constraints.
    across : ndarray, shape (m, m)
        Their derivative with respect to `w`.
    slope : ndarray, shape (m, k - m)
        Derivative of `w` with respect to `y`.
    tangent : ndarray, shape (k, k - m)
        Derivative of `x` with respect to `y`.
    cosine : float
        Of the largest angle between the tangent spaces here and at the base.
    """

    y: np.ndarray
    w: np.ndarray
    x: np.ndarray
    jacobian: np.ndarray
    across: np.ndarray
    slope: np.ndarray
    tangent: np.ndarray
    cosine: float


class Chart:
    """The objective as a function of tangent coordinates.

    Parameters
    ----------
    objective : Remembered
    constraint : Constraint
    target : ndarray, shape (m,)
        Values c that the constraint functions hold.
    base : ndarray, shape (k,)
        Satisfies the constraints; ``y = 0``.
    units : ndarray, shape (k,)
        Coordinates times units are dimensionless; "along" and "across" are orthogonal there.

    Attributes
    ----------
    present : Place
        The last point whose curvature was asked for.
    turned : bool
        It lies far around the set: a chart around it does better.

    Notes
    -----
    With Y and Z orthonormal bases across and along (in the units D), a point is
    ``x = base + D^-1 (Z y + Y w(y))``, where ``w`` solves ``g(x) = c``. By the implicit function
    theorem ``dx/dy = T = D^-1 (Z - Y (A Y)^-1 A Z)`` with A the derivative of g, the gradient
    is ``T' score``, and the second derivatives are ``T' (H - sum_i l_i g_i'') T`` with the
    multipliers l for which the Lagrangian is stationary across [1]_. All of this is exact, at the
    base and away from it.

    References
    ----------
    .. [1] Absil, Mahony and Sepulchre (2008), Optimization Algorithms on Matrix Manifolds,
       sections 4.1 and 8.1. doi:10.1515/9781400830244
    """

    def __init__(
        self,
        objective: Remembered,
        constraint: Constraint,
        target: np.ndarray,
        base: np.ndarray,
        units: np.ndarray,
    ) -> None:
        self._objective, self._constraint, self._target = objective, constraint, target
        self.base, self._units = base, units
        _, jacobian = constraint.value_and_jacobian(base)
        m = len(target)
        basis, _ = np.linalg.qr((jacobian / units).T, mode="complete")
        self._across, self._along = basis[:, :m], basis[:, m:]
        self.size = base.size - m
        self.has_score, self.has_hessian = objective.has_score, objective.has_hessian
        self.hessian_error = objective.hessian_error
        self.turned = False
        self._seen: dict[bytes, Place | None] = {}
        origin = self._place(np.zeros(self.size), np.zeros(m))
        assert origin is not None
        self.present = origin

    def at(self, y: np.ndarray) -> Place | None:
        """The point of the set with tangent coordinates `y`; None where there is none."""
        key = y.tobytes()
        if key not in self._seen:
            if len(self._seen) > 4:
                self._seen.pop(next(iter(self._seen)))
            near = self.present
            with np.errstate(all="ignore"):
                self._seen[key] = self._place(y, near.w + near.slope @ (y - near.y))
        return self._seen[key]

    def value(self, x: np.ndarray) -> float:
        """Log-likelihood at tangent coordinates; nan where the set does not reach."""
        place = self.at(x)
        return float("nan") if place is None else self._objective.value(place.x)

    def value_and_score(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood and its gradient, with respect to tangent coordinates."""
        place = self.at(x)
        if place is None:
            return float("nan"), np.full(self.size, np.nan)
        value, score = self._objective.value_and_score(place.x)
        return value, place.tangent.T @ score

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """Second derivatives with respect to tangent coordinates."""
        place = self.at(x)
        if place is None:
            return np.full((self.size, self.size), np.nan)
        curved = self.lagrangian(place, self.multipliers(place))
        out = place.tangent.T @ curved @ place.tangent
        if np.all(np.isfinite(out)):
            self.present, self.turned = place, place.cosine < _TURNED
        return 0.5 * (out + out.T)

    def hessian_product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Second derivatives times a vector; from the matrix, which is at hand."""
        return self.hessian(x) @ v

    def values(self, X: np.ndarray) -> np.ndarray:
        """Log-likelihoods at rows of tangent coordinates."""
        return np.array([self.value(row) for row in np.atleast_2d(X)])

    def multipliers(self, place: Place) -> np.ndarray:
        """Multipliers (m,) that make the Lagrangian stationary across."""
        _, score = self._objective.value_and_score(place.x)
        return np.linalg.solve(place.across.T, self._across.T @ (score / self._units))

    def lagrangian(self, place: Place, multipliers: np.ndarray) -> np.ndarray:
        """Second derivatives (k, k) of the Lagrangian at a point."""
        hessian = self._objective.hessian(place.x)
        return hessian - self._constraint.second(place.x, multipliers)

    def inward(self, place: Place) -> np.ndarray:
        """Moves (k, m) across the set that change one constraint function by one each."""
        return (self._across @ np.linalg.inv(place.across)) / self._units[:, None]

    def _place(self, y: np.ndarray, w: np.ndarray) -> Place | None:
        """Newton's method across the set from a guess; None if it does not end on it."""
        before = np.inf
        for _ in range(_MOST_CORRECTIONS):
            x = self.base + (self._along @ y + self._across @ w) / self._units
            if not np.all(np.isfinite(x)):
                return None
            value, jacobian = self._constraint.value_and_jacobian(x)
            rest = value - self._target
            if not (np.all(np.isfinite(rest)) and np.all(np.isfinite(jacobian))):
                return None
            terms = allowance(value, jacobian, x, self._target, self._units)
            size = float((np.abs(rest) / terms).max(initial=0.0))
            slanted = (jacobian / self._units) @ self._across
            if size <= 2.0 * _EPS or (size <= 1e-12 and size >= 0.5 * before):
                return self._described(y, w, x, jacobian, slanted)
            try:
                step = np.linalg.solve(slanted, rest)
            except np.linalg.LinAlgError:
                return None
            before, w = size, w - step
        return None

    def _described(
        self, y: np.ndarray, w: np.ndarray, x: np.ndarray, jacobian: np.ndarray, slanted: np.ndarray
    ) -> Place | None:
        scaled = jacobian / self._units
        normals, _ = np.linalg.qr(scaled.T)
        angles = np.linalg.svd(normals.T @ self._across, compute_uv=False)
        cosine = float(angles.min(initial=1.0))
        if not cosine > _STEEP:
            return None
        slope = -np.linalg.solve(slanted, scaled @ self._along)
        tangent = (self._along + self._across @ slope) / self._units[:, None]
        return Place(y.copy(), w, x, jacobian, slanted, slope, tangent, cosine)
