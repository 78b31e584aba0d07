"""Trust-region subproblems of many points at once: `QuadraticModel`, along a first axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymle.optimize.subproblem import scaling

__all__ = ["ManyModels", "at_points"]

_EPS = float(np.finfo(np.float64).eps)
#: Most iterations of a secular equation.
_MOST_SECULAR = 100


@dataclass(eq=False)
class ManyModels:
    """Second-order models around n points, in the coordinates of `QuadraticModel`.

    Attributes
    ----------
    units : ndarray, shape (n, k)
    eigenvalues : ndarray, shape (n, k)
        Of the scaled information, ascending.
    vectors : ndarray, shape (n, k, k)
    slope : ndarray, shape (n, k)
    tolerance : ndarray, shape (n,)
        Eigenvalues below it are zero to rounding.
    """

    units: np.ndarray
    eigenvalues: np.ndarray
    vectors: np.ndarray
    slope: np.ndarray
    tolerance: np.ndarray

    @property
    def positive(self) -> np.ndarray:
        """Eigenvalues above rounding, shape (n, k)."""
        return self.eigenvalues > self.tolerance[:, None]

    @property
    def definite(self) -> np.ndarray:
        """Whether all are, shape (n,)."""
        return np.all(self.positive, axis=1)

    def put(self, rows: np.ndarray, other: ManyModels) -> None:
        """Replace the models of some rows."""
        for name in ("units", "eigenvalues", "vectors", "slope", "tolerance"):
            getattr(self, name)[rows] = getattr(other, name)

    def take(self, rows: np.ndarray) -> ManyModels:
        """Those of some rows."""
        return ManyModels(
            self.units[rows],
            self.eigenvalues[rows],
            self.vectors[rows],
            self.slope[rows],
            self.tolerance[rows],
        )

    def slopes(self, score: np.ndarray) -> np.ndarray:
        """Scores (n, k) in the coordinates of the models."""
        return np.einsum("nji,nj->ni", self.vectors, score / self.units)

    def to_steps(self, y: np.ndarray) -> np.ndarray:
        """Steps (n, k) in the coordinates of the parameters."""
        return np.einsum("nij,nj->ni", self.vectors, y) / self.units

    def lengths(self, steps: np.ndarray) -> np.ndarray:
        """Lengths of steps in the units of the models, shape (n,)."""
        return np.linalg.norm(self.units * steps, axis=1)

    def decrements(self, slope: np.ndarray | None = None) -> np.ndarray:
        """Newton decrements over the directions of positive information, shape (n,)."""
        slope = self.slope if slope is None else slope
        root = np.sqrt(np.where(self.positive, self.eigenvalues, 1.0))
        return np.linalg.norm(np.where(self.positive, slope / root, 0.0), axis=1)

    def newton(self) -> np.ndarray:
        """Newton steps, zero along directions without positive information, shape (n, k)."""
        safe = np.where(self.positive, self.eigenvalues, 1.0)
        return self.to_steps(np.where(self.positive, self.slope / safe, 0.0))

    def natural_radii(self) -> np.ndarray:
        """First radii, as `QuadraticModel.natural_radius`, shape (n,)."""
        least = np.maximum(self.tolerance, np.finfo(np.float64).tiny)[:, None]
        lengths = np.linalg.norm(self.slope / np.maximum(np.abs(self.eigenvalues), least), axis=1)
        return np.where(np.isfinite(lengths) & (lengths > 0.0), lengths, 1.0)

    def steps(self, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Maximise each model within its ball, as `QuadraticModel.step`.

        Parameters
        ----------
        radii : ndarray, shape (n,)

        Returns
        -------
        steps : ndarray, shape (n, k)
        gains : ndarray, shape (n,)
        interior : ndarray of bool, shape (n,)
        """
        lam, slope = self.eigenvalues, self.slope
        idle = (np.abs(lam) <= self.tolerance[:, None]) & (np.abs(slope) <= 1e-10)
        slope, lam = np.where(idle, 0.0, slope), np.where(idle, 1.0, lam)
        least = lam.min(axis=1)
        definite = least > self.tolerance
        y = slope / np.where(definite[:, None], lam, 1.0)
        interior = definite & (np.linalg.norm(y, axis=1) <= radii)
        rest = np.flatnonzero(~interior)
        if len(rest):
            lowest = np.minimum(least[rest], 0.0)
            y[rest] = _on_the_ball(
                slope[rest],
                lam[rest] - lowest[:, None],
                radii[rest],
                complete=lowest < -self.tolerance[rest],
            )
        gains = np.sum(slope * y, axis=1) - 0.5 * np.sum(lam * y * y, axis=1)
        return self.to_steps(y), gains, interior


def _on_the_ball(
    slope: np.ndarray, shifted: np.ndarray, radii: np.ndarray, *, complete: np.ndarray
) -> np.ndarray:
    """Rows y = slope / (shifted + nu), nu >= 0, of length `radii`; the hard case completed."""
    lowest = shifted <= 0.0
    rest = np.where(lowest, 0.0, slope / np.where(lowest, 1.0, shifted))
    short = radii**2 - np.sum(rest * rest, axis=1)
    hard = ~np.any(np.where(lowest, slope, 0.0), axis=1) & (short >= 0.0)
    out = np.where(hard[:, None], rest, 0.0)
    filled = np.flatnonzero(hard & complete)
    out[filled, np.argmin(shifted[filled], axis=1)] = np.sqrt(short[filled])
    todo = np.flatnonzero(~hard & (np.linalg.norm(slope, axis=1) > 0.0))
    if not len(todo):
        return out
    slope, shifted, radii = slope[todo], shifted[todo], radii[todo]
    high = np.linalg.norm(slope, axis=1) / radii
    low, nu = np.zeros_like(high), high.copy()
    y = slope / (shifted + nu[:, None])
    for _ in range(_MOST_SECULAR):
        length = np.linalg.norm(y, axis=1)
        open_ = (length > 0.0) & (np.abs(length - radii) > 1e-10 * radii)
        if not np.any(open_):
            break
        low, high = np.where(length > radii, nu, low), np.where(length > radii, high, nu)
        # Newton on 1/length, which is nearly linear in nu; bisection where it leaves.
        steep = np.sum(y * y / (shifted + nu[:, None]), axis=1) / length
        new = nu + (length - radii) / radii * length / steep
        halved = np.where(low > 0.0, np.sqrt(low * high), 1e-3 * high)
        new = np.where((low < new) & (new < high), new, halved)
        stays = ~open_ | (new == nu)
        if np.all(stays):
            break
        nu = np.where(stays, nu, new)
        y = slope / (shifted + nu[:, None])
    out[todo] = y
    return out


def at_points(
    scores: np.ndarray, hessians: np.ndarray, previous: np.ndarray | None = None
) -> ManyModels:
    """Models around points from finite scores (n, k) and Hessians (n, k, k).

    Parameters
    ----------
    scores : ndarray, shape (n, k)
    hessians : ndarray, shape (n, k, k)
        Symmetric.
    previous : ndarray, shape (n, k), optional
        Units at the iteration before, as in `scaling`.

    Returns
    -------
    ManyModels
    """
    k = scores.shape[1]
    information = -hessians
    units = np.sqrt(np.abs(np.diagonal(information, axis1=1, axis2=2)))
    if previous is not None:
        units = np.maximum(units, np.sqrt(0.1) * previous)
    size = np.abs(information)
    with np.errstate(all="ignore"):
        excess = (size / units[:, :, None] / units[:, None, :]).max(axis=(1, 2), initial=0.0)
    # What is not plain (zeros on the diagonal, entries that prove it indefinite) goes one by one.
    for i in np.flatnonzero(~(excess <= 2.0)):
        units[i] = scaling(information[i], scores[i], None if previous is None else previous[i])
    scaled = information / units[:, :, None] / units[:, None, :]
    eigenvalues, vectors = np.linalg.eigh(scaled)
    slope = np.einsum("nji,nj->ni", vectors, scores / units)
    largest = np.abs(eigenvalues).max(axis=1, initial=0.0)
    return ManyModels(units, eigenvalues, vectors, slope, largest * 16.0 * k * _EPS)
