"""Sparse positive definite matrices in NumPy: the plan of `elimination`, without a compiler.

For large systems the numbers run through NumPy, SciPy's sparse products and LAPACK: nothing is
compiled for a pattern, and the derivative of the log-determinant is the inverse on the pattern,
found by going back through the rounds.

References
----------
.. [1] Takahashi, Fagan and Chin (1973), Formation of a sparse bus impedance matrix; Erisman and
   Tinney (1975), On computing certain elements of the inverse of a sparse matrix.
   doi:10.1145/360680.360704
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.objective.integrate.elimination import Elimination


@dataclass(frozen=True)
class _Round:
    """A round with indices as NumPy uses them; ``begin`` are the first edges of each pivot."""

    pivot: np.ndarray
    keep: np.ndarray
    edge: np.ndarray
    owner: np.ndarray
    end: np.ndarray
    begin: np.ndarray
    kept: np.ndarray
    kept_to: np.ndarray
    left: np.ndarray
    right: np.ndarray
    to: np.ndarray
    edges: int

    def matrix(self, entries: np.ndarray) -> Any:
        """Entries of the edges as a sparse matrix (eliminated, remaining)."""
        from scipy.sparse import csr_array

        shape = (len(self.pivot), len(self.keep))
        return csr_array((entries, self.end, self.begin), shape=shape)


class Numeric:
    """An elimination plan with its arrays as NumPy wants them.

    Parameters
    ----------
    plan : Elimination
    """

    def __init__(self, plan: Elimination) -> None:
        self.plan = plan
        self.size, self.core_size = plan.size, plan.core_size
        self.diagonal, self.upper = plan.diagonal.astype(np.intp), plan.upper.astype(np.intp)
        self.core = plan.core.astype(np.intp)
        self.rounds = [self._round(each.arrays, each.edges) for each in plan.rounds]

    def _round(self, arrays: dict[str, np.ndarray], edges: int) -> _Round:
        wide: dict[str, np.ndarray] = {
            name: array.astype(np.intp) for name, array in arrays.items() if name != "back"
        }
        counts = np.bincount(wide["owner"], minlength=len(wide["pivot"]))
        begin = np.concatenate([[0], np.cumsum(counts)])
        # Sparse products want narrow indices, sums by place wide ones.
        wide["begin"], wide["end"] = begin.astype(np.int32), wide["end"].astype(np.int32)
        return _Round(**wide, edges=edges)

    def factorise(self, values: np.ndarray) -> NumericFactor:
        """Eliminate.

        Parameters
        ----------
        values : numpy.ndarray, shape (nnz,)
            Entries in the order of the pattern that the plan was made from.

        Returns
        -------
        NumericFactor
        """
        diagonal, edges = values[self.diagonal], values[self.upper]
        steps = []
        for each in self.rounds:
            pivot, diagonal = diagonal[each.pivot], diagonal[each.keep]
            touching = edges[each.edge]
            with np.errstate(all="ignore"):
                scaled = touching / pivot[each.owner]
                diagonal -= np.bincount(each.end, touching * scaled, minlength=len(diagonal))
                following = np.zeros(each.edges)
                if len(each.to):
                    fill = touching[each.left]
                    fill *= scaled[each.right]
                    following = -np.bincount(each.to, fill, minlength=each.edges)
                following[each.kept_to] += edges[each.kept]
            steps.append((pivot, scaled))
            edges = following
        return NumericFactor(self, values, tuple(steps), self._dense(diagonal, edges))

    def _dense(self, diagonal: np.ndarray, edges: np.ndarray) -> np.ndarray | None:
        """The Cholesky factor of the core (upper, in Fortran's order); nan where there is none."""
        if not self.core_size:
            return None
        from scipy.linalg.lapack import dpotrf

        flat = np.zeros(self.core_size**2)
        flat[self.core[: self.core_size]] = diagonal
        flat[self.core[self.core_size :]] = edges
        matrix = flat.reshape(self.core_size, self.core_size).T
        factor, info = dpotrf(matrix, lower=0, clean=0, overwrite_a=1)
        return factor if info == 0 else np.full((1, 1), np.nan)


@dataclass(frozen=True)
class NumericFactor:
    """A factorised matrix.

    Attributes
    ----------
    plan : Numeric
    values : numpy.ndarray, shape (nnz,)
        What was factorised.
    steps : tuple of (numpy.ndarray, numpy.ndarray)
        Pivots of each round, and its edges over them.
    core : numpy.ndarray or None
    """

    plan: Numeric
    values: np.ndarray
    steps: tuple[tuple[np.ndarray, np.ndarray], ...]
    core: np.ndarray | None

    @property
    def smallest_pivot(self) -> float:
        """Smallest pivot: positive if and only if the matrix is positive definite."""
        lowest = [float(np.min(pivot)) for pivot, _ in self.steps if len(pivot)]
        if self.core is not None:
            lowest.append(float(np.min(np.diagonal(self.core))))
        least = min(lowest, default=np.inf)
        return -np.inf if np.isnan(lowest).any() else least

    @property
    def logdet(self) -> float:
        """Logarithm of the determinant; nan where the matrix is not positive definite."""
        with np.errstate(invalid="ignore", divide="ignore"):
            total = sum(float(np.sum(np.log(pivot))) for pivot, _ in self.steps)
            if self.core is not None:
                total += 2.0 * float(np.sum(np.log(np.diagonal(self.core))))
        return total

    def solve(self, right: np.ndarray) -> np.ndarray:
        """The inverse times a vector (size,) or several (size, m)."""
        from scipy.linalg.lapack import dpotrs

        parts, matrices = [], []
        for each, (_, scaled) in zip(self.plan.rounds, self.steps, strict=True):
            own, right = right[each.pivot], right[each.keep]
            matrix = each.matrix(scaled)
            parts.append(own)
            matrices.append(matrix)
            right = right - matrix.T @ own
        if self.core is not None:
            right = dpotrs(self.core, right, lower=0)[0].reshape(right.shape)
        rounds = zip(self.plan.rounds, self.steps, parts, matrices, strict=True)
        for each, (pivot, _), own, matrix in reversed(list(rounds)):
            out = np.empty((len(each.pivot) + len(each.keep), *right.shape[1:]))
            out[each.keep] = right
            out[each.pivot] = (own.T / pivot).T - matrix @ right
            right = out
        return right

    def root(self, z: np.ndarray) -> np.ndarray:
        """A root of the inverse times a vector (size,): of unit variances, the inverse's."""
        from scipy.linalg import solve_triangular

        parts = []
        for each in self.plan.rounds:
            parts.append(z[each.pivot])
            z = z[each.keep]
        if self.core is not None:
            z = solve_triangular(self.core, z)
        rounds = zip(self.plan.rounds, self.steps, parts, strict=True)
        for each, (pivot, scaled), own in reversed(list(rounds)):
            out = np.empty(len(each.pivot) + len(each.keep))
            out[each.keep] = z
            out[each.pivot] = own / np.sqrt(pivot) - each.matrix(scaled) @ z
            z = out
        return z

    def on_pattern(self) -> tuple[np.ndarray, np.ndarray]:
        """Entries of the inverse: its diagonal (size,), and those at the plan's ``upper``."""
        from scipy.linalg.lapack import dpotri

        plan = self.plan
        diagonal, edges = np.zeros(0), np.zeros(0)
        if self.core is not None:
            inverse = dpotri(self.core, lower=0)[0]
            # Fortran's upper triangle lies where the plan counts the lower one row by row.
            flat = inverse.T.reshape(-1)
            diagonal = flat[plan.core[: plan.core_size]]
            edges = flat[plan.core[plan.core_size :]]
        for each, (pivot, scaled) in reversed(list(zip(plan.rounds, self.steps, strict=True))):
            far = scaled * diagonal[each.end]
            if len(each.to):
                there = edges[each.to]
                count = len(scaled)
                far += np.bincount(each.left, scaled[each.right] * there, minlength=count)
                there *= scaled[each.left]
                far += np.bincount(each.right, there, minlength=count)
            np.negative(far, out=far)
            own = np.bincount(each.owner, scaled * far, minlength=len(pivot))
            whole = np.empty(len(pivot) + len(each.keep))
            whole[each.pivot], whole[each.keep] = 1.0 / pivot - own, diagonal
            before = np.empty(len(each.edge) + len(each.kept))
            before[each.edge], before[each.kept] = far, edges[each.kept_to]
            diagonal, edges = whole, before
        return diagonal, edges

    def logdet_slope(self) -> np.ndarray:
        """Derivative of the log-determinant along the values (nnz,)."""
        diagonal, edges = self.on_pattern()
        slope = np.zeros(len(self.values))
        slope[self.plan.diagonal] = diagonal
        slope[self.plan.upper] = 2.0 * edges
        return slope
