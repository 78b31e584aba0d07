"""The frozen estimate: points, log-likelihood, curvature, verdict, provenance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pymle.model.layout import Layout
from pymle.optimize import Exploration, Solution
from pymle.verdict import Curvature, Status, Tails, Verdict

#: Beyond this many coordinates the dense information is computed only when it is asked for.
LARGEST_DENSE = 3000
#: Statuses of points at which the information is positive definite.
_STRICT = {Status.MAXIMUM, Status.LOCAL, Status.SEVERAL, Status.HIGHER_ELSEWHERE}


@dataclass(frozen=True)
class FitRecord:
    """What ran to produce a fit.

    Attributes
    ----------
    route : str
        ``jax`` or ``pytensor``.
    route_reason : str
        Why another route than the first choice was taken; empty otherwise.
    hessian : str
        ``exact`` or ``differenced from the exact score``, with the operations that ask for it.
    method : str
        Optimiser.
    start, end : mapping of str to numpy.ndarray
        Natural-scale points.
    start_value, end_value : float
        Objective there.
    iterations : int
    evaluations : mapping of str to int
    termination : str
        The optimiser's sentence.
    seconds_lower, seconds_compile, seconds_solve : float
        Time to translate the graph, to compile it, and to search (multi-start included).
    """

    route: str
    route_reason: str
    hessian: str
    method: str
    start: Mapping[str, np.ndarray]
    end: Mapping[str, np.ndarray]
    start_value: float
    end_value: float
    iterations: int
    evaluations: Mapping[str, int]
    termination: str
    seconds_lower: float
    seconds_compile: float
    seconds_solve: float


@dataclass(frozen=True)
class Restriction:
    """The constraints of an estimate, and how it lies between them.

    Attributes
    ----------
    texts : tuple of str
        One per constraint.
    relations : tuple of str
        ``=``, ``<=`` or ``>=``.
    active : numpy.ndarray of bool, shape (m,)
        Equations, and inequalities that hold with equality at the estimate.
    values : numpy.ndarray, shape (m,)
        Left side minus right side at the estimate.
    multipliers : numpy.ndarray, shape (m,)
        Derivatives of the maximum log-likelihood with respect to the right sides; zero where
        a constraint does not bind.
    tangent : numpy.ndarray, shape (k, r)
        Basis of the directions of the unconstrained scale that leave the active constraints as
        they are.
    jacobian : numpy.ndarray, shape (a, k)
        Derivatives of the active constraints, inequalities turned to ``>= 0``.
    hessian : numpy.ndarray or None, shape (k, k)
        Second derivatives of the Lagrangian.
    """

    texts: tuple[str, ...]
    relations: tuple[str, ...]
    active: np.ndarray
    values: np.ndarray
    multipliers: np.ndarray
    tangent: np.ndarray
    jacobian: np.ndarray
    hessian: np.ndarray | None

    @property
    def equations(self) -> int:
        """Number of equations, none of which follows from the others."""
        return sum(relation == "=" for relation in self.relations)

    @property
    def binding(self) -> tuple[str, ...]:
        """The inequalities that hold with equality at the estimate."""
        pairs = zip(self.texts, self.relations, self.active, strict=True)
        return tuple(text for text, relation, active in pairs if active and relation != "=")


@dataclass(frozen=True)
class Estimate:
    """An estimate with all that later analyses are functions of.

    Attributes
    ----------
    objective : {"mle", "map", "penalised"}
    layout : Layout
        Names, shapes, labels and places.
    x : numpy.ndarray, shape (k,)
        Unconstrained point.
    natural : numpy.ndarray, shape (m,)
        Natural values of all parameters, fixed ones included.
    jacobian : numpy.ndarray, shape (m, k)
        Derivative of the natural vector with respect to ``x``.
    lower, upper : numpy.ndarray, shape (m,)
        Bounds of each natural entry (infinite where there is none).
    loglik : float
        Log-likelihood with all constants (at the MAP point too).
    logposterior : float or None
        Log-likelihood plus log-priors of the parameters (MAP only).
    score : numpy.ndarray or None, shape (k,)
        Gradient of the objective on the unconstrained scale.
        Under constraints the part along them.
    curvature_source : callable or None
        Gives the observed information; called when it is first asked for. Under constraints it
        is that of the Lagrangian along them, filled up across: only `restriction.tangent` and
        it together give a covariance.
    nobs : float
        Number of observations (sum of frequency weights, number of positive sampling
        weights); nan for a Potential alone.
    nobs_by : mapping of str to float
        The same by observed variable.
    weights_kind : str or None
        ``frequency``, ``sampling`` or None.
    verdict : Verdict
    tails : Tails or None
        Coordinates in a tail of their working scale, everything else being settled.
    solution : Solution
    exploration : Exploration or None
    record : FitRecord
    notices : tuple of str
    restriction : Restriction or None
        Constraints between the parameters.
    reml : tuple of str
        Parameters that were integrated under a flat measure: the likelihood is restricted.
    reml_size : int
        Number of their entries.
    penalised : float or None
        Log-likelihood with Firth's penalty, which is what was maximised.
    """

    objective: str
    layout: Layout
    x: np.ndarray
    natural: np.ndarray
    jacobian: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    loglik: float
    logposterior: float | None
    score: np.ndarray | None
    curvature_source: Callable[[], Curvature] | None
    nobs: float
    nobs_by: Mapping[str, float]
    weights_kind: str | None
    verdict: Verdict
    tails: Tails | None
    solution: Solution
    exploration: Exploration | None
    record: FitRecord
    notices: tuple[str, ...]
    restriction: Restriction | None = None
    reml: tuple[str, ...] = ()
    reml_size: int = 0
    penalised: float | None = None

    @cached_property
    def curvature(self) -> Curvature | None:
        """Observed information (MAP: posterior curvature) on the unconstrained scale."""
        return None if self.curvature_source is None else self.curvature_source()

    @property
    def maximum(self) -> float:
        """What was maximised: the log-likelihood, with its penalty where there is one."""
        return self.loglik if self.penalised is None else self.penalised

    @property
    def curvature_is_cheap(self) -> bool:
        """Whether the information is at hand, or small enough to compute without a thought."""
        return "curvature" in self.__dict__ or len(self.x) <= LARGEST_DENSE

    @cached_property
    def null_space(self) -> np.ndarray | None:
        """Directions (k, q) without a standard error; None where no curvature can be used.

        Empty (q = 0) at a certified maximum; the tails of coordinates that ran to an edge
        or to infinity, where everything else is settled; the null space of a proven flat
        direction.
        """
        if self.curvature is None or not self.curvature.finite:
            return None
        status, k = self.verdict.status, len(self.x)
        if status is Status.HIGHER_ELSEWHERE and self.tails is not None:
            return self.tails.directions
        if status in _STRICT:
            return np.zeros((k, 0)) if self.curvature.positive else None
        if status in {Status.BOUNDARY, Status.NO_MAXIMUM, Status.SUPPORT}:
            return None if self.tails is None or self.tails.rising else self.tails.directions
        if status is Status.FLAT:
            return None if self.curvature.indefinite else self.curvature.null_space
        return None

    @property
    def nparams(self) -> int:
        """Number of free parameters: the dimension, less equations and proven flat directions.

        Inequalities do not reduce it, binding or not. What a restricted likelihood integrates
        under a flat measure is estimated too, and counts.
        """
        null = self.null_space
        flat = self.verdict.status is Status.FLAT and null is not None
        equations = 0 if self.restriction is None else self.restriction.equations
        lost = null.shape[1] if flat and null is not None else 0
        return len(self.x) + self.reml_size - equations - lost

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 k - 2 log-likelihood."""
        return 2.0 * self.nparams - 2.0 * self.loglik

    @property
    def aicc(self) -> float:
        """The same with 2 k (k + 1) / (n - k - 1) added; infinite if n <= k + 1, nan without n."""
        k, n = self.nparams, self.nobs
        if np.isnan(n):
            return float("nan")
        return self.aic + 2.0 * k * (k + 1) / (n - k - 1) if n > k + 1 else float("inf")

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k log(n) - 2 log-likelihood; nan without n."""
        return self.nparams * float(np.log(self.nobs)) - 2.0 * self.loglik
