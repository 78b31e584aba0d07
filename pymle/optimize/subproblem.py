"""The trust-region subproblem in a scaled metric, solved exactly by eigendecomposition."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["QuadraticModel", "scaling"]

_EPS = float(np.finfo(np.float64).eps)


def scaling(
    information: np.ndarray, score: np.ndarray, previous: np.ndarray | None = None
) -> np.ndarray:
    """Units of the coordinates: square roots of the curvature's diagonal.

    A coordinate times its entry is dimensionless (about a number of conditional standard errors),
    so that nothing decided in these units depends on the units of single coordinates.

    Parameters
    ----------
    information : ndarray, shape (k, k)
        Minus the Hessian.
    score : ndarray, shape (k,)
    previous : ndarray, shape (k,), optional
        Units at the iteration before: they may fall tenfold in square per iteration, which keeps
        a passing zero of the curvature from freeing a coordinate of its trust region.

    Returns
    -------
    ndarray, shape (k,), positive

    Notes
    -----
    Moré's running maximum [1]_ is replaced by one that forgets, since the curvature of a
    likelihood may fall by 1e30 between a poor start and its maximum. A zero on the diagonal takes
    its unit from the off-diagonal entries (equilibration), then from the score.

    References
    ----------
    .. [1] Moré (1978), The Levenberg-Marquardt algorithm, section 6. doi:10.1007/BFb0067700
    """
    units = np.sqrt(np.abs(np.diagonal(information)))
    if previous is not None:
        units = np.maximum(units, np.sqrt(0.1) * previous)
    size = np.abs(information)
    for i in () if units.all() else np.flatnonzero(units == 0.0):
        known = units > 0.0
        cross = float((size[i, known] / units[known]).max()) if known.any() else 0.0
        units[i] = cross or float(np.sqrt(size[i].max())) or abs(float(score[i])) or 1.0
    # Off-diagonal entries beyond one prove the curvature indefinite, and a diagonal that is small
    # by accident: share the excess between the two coordinates.
    for _ in range(20):
        excess = (size / units[:, None] / units[None, :]).max(axis=1)
        if excess.max() <= 2.0:
            break
        units = units * np.sqrt(np.maximum(excess, 1.0))
    return units


class QuadraticModel:
    """Second-order model of a log-likelihood around a point.

    ``gain(y) = c'y - y' diag(eigenvalues) y / 2`` in the coordinates ``y = Q' D p`` of a step p,
    with D the units and Q the eigenvectors of the scaled information.

    Parameters
    ----------
    score : ndarray, shape (k,)
    hessian : ndarray, shape (k, k)
        Second derivatives of the log-likelihood.
    previous_units : ndarray, optional
        See `scaling`.
    hessian_error : float
        Relative error of the Hessian beyond rounding.
    """

    def __init__(
        self,
        score: np.ndarray,
        hessian: np.ndarray,
        previous_units: np.ndarray | None = None,
        hessian_error: float = 0.0,
    ) -> None:
        information = -hessian
        self.score = score
        self.units = scaling(information, score, previous_units)
        scaled = information / self.units[:, None] / self.units[None, :]
        self.eigenvalues, self.vectors = np.linalg.eigh(scaled)
        # The sign of an eigenvector is an accident of the library: make it reproducible.
        largest = self.vectors[np.abs(self.vectors).argmax(axis=0), np.arange(score.size)]
        self.vectors = self.vectors * np.where(largest < 0.0, -1.0, 1.0)
        self.slope = self.to_scaled(score)
        size = float(np.abs(self.eigenvalues).max())
        self.tolerance = size * max(16.0 * score.size * _EPS, hessian_error)
        self.positive = self.eigenvalues > self.tolerance
        self.negative = self.eigenvalues < -self.tolerance
        self.definite = bool(self.positive.all())
        self._decrement: float | None = None

    def to_scaled(self, score: np.ndarray) -> np.ndarray:
        """A score in the coordinates of the model, shape (k,)."""
        return self.vectors.T @ (score / self.units)

    def to_step(self, y: np.ndarray) -> np.ndarray:
        """A step in the coordinates of the parameters, shape (k,)."""
        return (self.vectors @ y) / self.units

    def length(self, step: np.ndarray) -> float:
        """Length of a step in the units of the model."""
        scaled = self.units * step
        return math.sqrt(scaled @ scaled)

    def decrement(self, score: np.ndarray | None = None) -> float:
        """Newton decrement, sqrt(g' A^-1 g), over the directions of positive information."""
        if score is not None:
            return self._size(self.to_scaled(score))
        if self._decrement is None:
            self._decrement = self._size(self.slope)
        return self._decrement

    def _size(self, slope: np.ndarray) -> float:
        with np.errstate(over="ignore"):
            scaled = slope[self.positive] / np.sqrt(self.eigenvalues[self.positive])
            return math.sqrt(scaled @ scaled)

    @property
    def expected_gain(self) -> float:
        """Half the squared decrement; nan unless the information is positive definite."""
        return 0.5 * self.decrement() ** 2 if self.definite else float("nan")

    def newton(self, score: np.ndarray | None = None) -> np.ndarray:
        """The step A^-1 g (zero along directions without positive information)."""
        slope = self.slope if score is None else self.to_scaled(score)
        y = np.zeros_like(slope)
        y[self.positive] = slope[self.positive] / self.eigenvalues[self.positive]
        return self.to_step(y)

    def natural_radius(self) -> float:
        """A first radius: the length of the step for |A| in place of A; one where it vanishes."""
        size = np.maximum(np.abs(self.eigenvalues), max(self.tolerance, np.finfo(float).tiny))
        length = float(np.linalg.norm(self.slope / size))
        return length if np.isfinite(length) and length > 0.0 else 1.0

    def step(self, radius: float) -> tuple[np.ndarray, float, bool]:
        """Maximise the model within a ball.

        Returns
        -------
        step : ndarray, shape (k,)
        gain : float
            Predicted gain in log-likelihood, not negative.
        interior : bool
            True if the step is the unrestricted Newton step.

        Notes
        -----
        The secular equation of [1]_ in the eigenbasis, with the shift measured from the smallest
        eigenvalue so that nearly hard cases lose no digits; in the hard case the solution is
        completed along the eigenvector of the smallest eigenvalue. Directions without curvature
        and without slope (both to rounding) are left alone: moving there gains nothing.

        References
        ----------
        .. [1] Moré and Sorensen (1983), Computing a trust region step. doi:10.1137/0904038
        """
        lam, slope = self.eigenvalues, self.slope
        null = ~self.positive & ~self.negative
        idle = null & (np.abs(slope) <= 1e-10)
        slope = np.where(idle, 0.0, slope)
        lam = np.where(idle, 1.0, lam)
        if lam.min() > self.tolerance:
            y = slope / lam
            if np.linalg.norm(y) <= radius:
                return self.to_step(y), self._gain(y, slope, lam), True
        lowest = min(0.0, float(lam.min()))
        y = self._boundary(slope, lam - lowest, radius, complete=lowest < -self.tolerance)
        return self.to_step(y), self._gain(y, slope, lam), False

    @staticmethod
    def _gain(y: np.ndarray, slope: np.ndarray, lam: np.ndarray) -> float:
        return float(slope @ y - 0.5 * (lam * y) @ y)

    @staticmethod
    def _boundary(
        slope: np.ndarray, shifted: np.ndarray, radius: float, *, complete: bool
    ) -> np.ndarray:
        """The y = slope / (shifted + nu), nu >= 0, of length `radius`."""
        norm = float(np.linalg.norm(slope))
        if norm == 0.0 and not complete:
            return np.zeros_like(slope)
        lowest = shifted <= 0.0
        if not np.any(slope[lowest]):
            y = np.zeros_like(slope)
            y[~lowest] = slope[~lowest] / shifted[~lowest]
            short = radius**2 - float(y @ y)
            if short >= 0.0:
                if complete:
                    y[int(np.argmin(shifted))] = np.sqrt(short)
                return y
        low, high = 0.0, norm / radius
        nu = high
        for _ in range(200):
            y = slope / (shifted + nu)
            length = float(np.linalg.norm(y))
            if length == 0.0 or abs(length - radius) <= 1e-10 * radius:
                break
            if length > radius:
                low = nu
            else:
                high = nu
            # Newton on 1/length, which is nearly linear in nu; bisection where it leaves.
            slope_of_length = float((y / (shifted + nu)) @ y) / length
            new = nu
            if slope_of_length > 0.0:
                new = nu + (length - radius) / radius * length / slope_of_length
            if not low < new < high:
                new = np.sqrt(low * high) if low > 0.0 else 1e-3 * high
            if new == nu:
                break
            nu = float(new)
        return y
