"""The information at a point, and what its eigenvalues say beyond rounding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

#: Eigenvalues of the scaled information below this many roundings per coordinate are zero.
_ROUNDINGS = 64.0
#: Negative eigenvalues of this size are no upward curvature.
_RIDGE = 1e-8
#: Up to this size all eigenvalues are computed; beyond, a Cholesky factor decides.
_ALL_EIGENVALUES = 1000


@dataclass(frozen=True)
class Curvature:
    """The information at a point, looked at on the scale on which its diagonal is one.

    Attributes
    ----------
    information : numpy.ndarray, shape (k, k)
        Minus the Hessian on the unconstrained scale.
    scale : numpy.ndarray, shape (k,)
        Square roots of the absolute diagonal (one where it is zero).
    tolerance : float
        Size below which an eigenvalue of the scaled information is zero to rounding.
    proven : int
        Directions that the likelihood itself was seen to be flat along (see `look_along`).
    """

    information: np.ndarray
    scale: np.ndarray
    tolerance: float
    proven: int = 0

    @property
    def finite(self) -> bool:
        """Whether every entry is a finite number."""
        return bool(np.all(np.isfinite(self.information)))

    @cached_property
    def scaled(self) -> np.ndarray:
        """The information on the scale on which its diagonal is one, shape (k, k)."""
        return self.information / np.outer(self.scale, self.scale)

    @cached_property
    def eigen(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues (ascending) and vectors of the scaled information."""
        return np.linalg.eigh(self.scaled)

    @cached_property
    def positive(self) -> bool:
        """Whether every eigenvalue is positive beyond rounding."""
        if not self.finite:
            return False
        if len(self.scale) <= _ALL_EIGENVALUES:
            return bool(self.eigen[0][0] > self.tolerance)
        try:
            np.linalg.cholesky(self.scaled - self.tolerance * np.eye(len(self.scale)))
        except np.linalg.LinAlgError:
            return False
        return True

    @property
    def indefinite(self) -> bool:
        """Whether an eigenvalue is negative beyond what a score that is not quite zero explains.

        On a curved ridge (only a product of two parameters is identified) the curvature
        along the ridge is proportional to the remaining score, with either sign.
        """
        return not self.positive and bool(self.eigen[0][0] < -max(self.tolerance, _RIDGE))

    @property
    def extremes(self) -> tuple[float, float]:
        """Smallest and largest eigenvalue of the scaled information."""
        if len(self.scale) > _ALL_EIGENVALUES and self.positive:
            from scipy.sparse.linalg import eigsh

            ends = [
                eigsh(self.scaled, k=1, which=w, return_eigenvectors=False) for w in ("SA", "LA")
            ]
            return float(ends[0][0]), float(ends[1][0])
        values = self.eigen[0]
        return float(values[0]), float(values[-1])

    @property
    def null_space(self) -> np.ndarray:
        """Directions (k, q) on the unconstrained scale whose curvature is zero to rounding."""
        values, vectors = self.eigen
        cut = max(self.tolerance, -float(values[0]))
        return vectors[:, values <= cut] / self.scale[:, None]

    @property
    def lowest_direction(self) -> np.ndarray:
        """Direction of the lowest curvature, its largest entry one in size."""
        vector = self.eigen[1][:, 0] / self.scale
        return vector / np.max(np.abs(vector))

    def expected_gain(self, score: np.ndarray) -> float:
        """Half the squared Newton decrement of a score (positive definite only)."""
        half = np.linalg.solve(np.linalg.cholesky(self.scaled), score / self.scale)
        return float(0.5 * half @ half)


def curvature_of(information: np.ndarray, error: float = 0.0) -> Curvature:
    """An information matrix, made ready to be looked at.

    Parameters
    ----------
    information : numpy.ndarray, shape (k, k)
    error : float
        Relative error of its entries beyond rounding (differenced Hessians).

    Returns
    -------
    Curvature
    """
    k = len(information)
    diagonal = np.abs(np.diagonal(information))
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    tolerance = max(_ROUNDINGS * k * np.finfo(float).eps, 2.0 * k * error)
    return Curvature(information, scale, tolerance)
