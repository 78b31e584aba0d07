"""The chi-bar-squared distribution: tests whose null hypothesis lies on an edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymle.inference.hypotheses.wald_test import chi2_tail

#: Draws for the weights; values on an edge up to which all faces of the cone are looked at.
DRAWS, _FACES = 200_000, 6


@dataclass(frozen=True)
class ChiBar:
    """A mixture of chi-squared distributions.

    Attributes
    ----------
    weights : dict of int to float
        By degrees of freedom.
    error : float
        Monte Carlo standard error of the largest weight; zero where they are exact.
    draws : int
        Zero where the weights are exact.

    Notes
    -----
    One value on the edge: half and half of the degrees of freedom with it and without it
    (Self and Liang 1987, doi:10.1080/01621459.1987.10478472). Several: the weight of j is the
    probability that the projection of a normal vector, with the covariance of the estimates
    of those on the edge, on the cone of possible values has j positive entries (Silvapulle and
    Sen 2005, Constrained Statistical Inference, chapter 3).
    """

    weights: dict[int, float]
    error: float = 0.0
    draws: int = 0

    def tail(self, statistic: float) -> float:
        """Probability of at least this statistic."""
        return sum(w * chi2_tail(statistic, df) for df, w in self.weights.items())

    def tail_error(self, statistic: float) -> float:
        """Monte Carlo standard error of `tail`."""
        if not self.draws:
            return 0.0
        tails = {df: chi2_tail(statistic, df) for df in self.weights}
        mean = self.tail(statistic)
        square = sum(w * tails[df] ** 2 for df, w in self.weights.items())
        return float(np.sqrt(max(square - mean**2, 0.0) / self.draws))

    @property
    def text(self) -> str:
        """The mixture in words."""
        parts = ", ".join(f"{w:.4g} of chi2({df})" for df, w in sorted(self.weights.items()))
        if not self.draws:
            return f"chi-bar-squared: {parts}"
        return f"chi-bar-squared: {parts} (weights from {self.draws} draws, ± {self.error:.1g})"


def chi_bar(
    inside: int, covariance: np.ndarray, random_seed: int = 0, draws: int = DRAWS
) -> ChiBar:
    """The mixture for some values on an edge and others inside.

    Parameters
    ----------
    inside : int
        Number of restrictions that do not lie on an edge.
    covariance : numpy.ndarray, shape (q, q)
        Of the estimates of those on the edge, measured inwards. Not used for one.
    random_seed : int
    draws : int

    Returns
    -------
    ChiBar
    """
    q = len(covariance)
    if q == 1:
        return ChiBar({inside: 0.5, inside + 1: 0.5})
    if q > _FACES:
        draws //= 10  # one optimisation for each
    root = np.linalg.cholesky(covariance)
    half = np.random.default_rng(random_seed).standard_normal((draws // 2, q)) @ root.T
    normal = np.concatenate([half, -half])
    counts = _counts(normal, covariance) if q <= _FACES else _counts_by_rows(normal, root)
    shares = np.bincount(counts, minlength=q + 1) / len(counts)
    error = float(np.sqrt(np.max(shares * (1.0 - shares)) / len(counts)))
    weights = {inside + j: float(w) for j, w in enumerate(shares)}
    return ChiBar(weights, error, len(counts))


def largest(df: int) -> ChiBar:
    """The mixture with the largest tails, whatever the covariance.

    Parameters
    ----------
    df : int
        Number of restrictions, at least one of them on an edge.

    Returns
    -------
    ChiBar

    Notes
    -----
    Weights of even and of odd degrees of freedom sum to one half each (Shapiro 1988,
    doi:10.2307/1403361), so that no mixture is above half and half of the two largest.
    """
    return ChiBar({df - 1: 0.5, df: 0.5})


def _counts(normal: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Positive entries of the projections of rows, by the conditions that hold on each face."""
    q = covariance.shape[0]
    metric = np.linalg.inv(covariance)
    slope = normal @ metric
    out = np.zeros(len(normal), dtype=int)
    for face in range(1, 2**q):
        on = np.array([bool(face >> i & 1) for i in range(q)])
        inner = np.linalg.solve(metric[np.ix_(on, on)], slope[:, on].T).T
        outer = inner @ metric[np.ix_(on, ~on)] - slope[:, ~on]
        here = np.all(inner > 0.0, axis=1) & np.all(outer >= 0.0, axis=1)
        out[here] = int(on.sum())
    return out


def _counts_by_rows(normal: np.ndarray, root: np.ndarray) -> np.ndarray:
    from scipy.optimize import nnls

    inverse = np.linalg.inv(root)
    return np.array([int(np.sum(nnls(inverse, inverse @ row)[0] > 0.0)) for row in normal])
