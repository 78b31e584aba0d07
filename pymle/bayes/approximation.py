"""The normal approximation of a posterior on the unconstrained scale, as a law to draw from.

Parameters are normal around the mode of the marginal posterior with the Jacobian; what was
integrated out is normal given them, around its conditional mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pymle.bind import ones_for, point_function
from pymle.errors import PymleError
from pymle.errors.sampling import PosteriorError
from pymle.estimation import Estimator, Settings
from pymle.fitted import Fitted
from pymle.inference import unconstrained_covariance
from pymle.model import Problem
from pymle.model.roles import PARAMETER, Role, Roles
from pymle.model.sampled import WholeProblem, left_out
from pymle.objective import Likelihood
from pymle.verdict import Status

if TYPE_CHECKING:
    from pymle.objective.integrate.marginal import Marginal

#: Points at which the information about the effects is computed in one call: the size is part
#: of the compiled program.
_BATCH = 50
#: Name under which a fit keeps the mode of its posterior.
_POSTERIOR = "posterior mode with the Jacobian"
#: Draws made for each that is asked for, at most, where some have no conditional mode.
_TRIES = 4
#: Statuses of points at which the curvature is positive definite.
_STRICT = {Status.MAXIMUM, Status.LOCAL, Status.SEVERAL, Status.HIGHER_ELSEWHERE}


@dataclass(frozen=True)
class Rows:
    """Draws from the approximation.

    Attributes
    ----------
    points : numpy.ndarray, shape (n, k + d)
        Unconstrained parameters, and coordinates of what was integrated out after them.
    log_density : numpy.ndarray, shape (n,)
        Of the law that they were drawn from, with its constants (for normal draws).
    refused : int
        Draws without a conditional mode, for which others were taken.
    """

    points: np.ndarray
    log_density: np.ndarray
    refused: int


class Approximation:
    """A normal law for the parameters, and one for random effects given them.

    Parameters
    ----------
    fitted : Fitted
        A MAP estimate with the Jacobian, at a strict maximum.
    given : numpy.ndarray, shape (k, k), optional
        Covariance of the unconstrained vector in the place of the inverse curvature; it may be
        singular, and then `Rows.log_density` is nan.

    Raises
    ------
    AnalysisError
        No maximum with a positive definite curvature.
    """

    def __init__(self, fitted: Fitted, given: np.ndarray | None = None) -> None:
        estimate = fitted.estimate
        covariance = None
        if estimate.verdict.status in _STRICT:
            covariance = unconstrained_covariance(estimate) if given is None else given
        if covariance is None or not np.all(np.isfinite(covariance)):
            raise PosteriorError.no_laplace(
                str(estimate.verdict.status.value), str(estimate.verdict)
            )
        self.fitted = fitted
        self.problem: Problem = fitted.problem
        self.covariance = covariance
        self._root, self._log_volume = _root_of(covariance)

    @property
    def mode(self) -> np.ndarray:
        """The mode, with what was integrated out at its conditional mode (k + d,)."""
        return self.fitted.likelihood.joint(self.fitted.estimate.x)

    def draw(self, n: int, rng: np.random.Generator, freedom: float | None = None) -> Rows:
        """Independent draws.

        Parameters
        ----------
        n : int
        rng : numpy.random.Generator
        freedom : float, optional
            Degrees of freedom of a multivariate Student-t law of the parameters in place of
            the normal one; ``log_density`` is nan then.

        Returns
        -------
        Rows

        Raises
        ------
        AnalysisError
            Most points have no conditional mode of the random effects.
        """
        points, densities, refused = [], [], 0
        while len(points) < n:
            if refused > _TRIES * n + 10:
                raise PosteriorError.no_laplace(
                    "no conditional mode",
                    "at most points drawn around the mode the random effects have no "
                    "conditional mode of their own",
                )
            made, density, found = self._draw(n - len(points), rng, freedom)
            refused += int(np.sum(~found))
            points += list(made[found])
            densities += list(density[found])
        return Rows(np.array(points), np.array(densities), refused)

    def log_posterior(self, points: np.ndarray) -> np.ndarray:
        """Joint log-density of data, parameters and effects on the unconstrained scale (n,)."""
        return self._joint.values(points)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Parameters, held ones among them, and what was integrated out."""
        effects = self.problem.effects
        return (*self.problem.names, *(effects.names if effects else ()))

    @cached_property
    def deterministics(self) -> tuple[str, ...]:
        """Deterministics that have a value at every draw."""
        problem, known = self.problem, set(self.names)
        above = {
            d.name: problem.undetermined(problem.variable(d.name))
            for d in problem.model.deterministics
        }
        return tuple(name for name, free in above.items() if set(free) <= known)

    def natural(
        self, points: np.ndarray, names: tuple[str, ...] | None = None
    ) -> dict[str, np.ndarray]:
        """Natural-scale values of named variables at points (n, k + d), by name (n, ...)."""
        problem = self.problem
        names = self.names if names is None else names
        if not names:
            return {}
        graphs = [problem.variable(name) for name in names]
        shapes = self._shapes(names)
        flat = point_function(problem, problem.lowered_graphs(graphs)).values(points)
        out, at = {}, 0
        for name, shape in zip(names, shapes, strict=True):
            size = int(np.prod(shape, dtype=int))
            out[name] = flat[:, at : at + size].reshape((len(points), *shape))
            at += size
        return out

    def _shapes(self, names: tuple[str, ...]) -> list[tuple[int, ...]]:
        problem = self.problem
        graphs = [problem.variable(name) for name in names]
        return problem.shapes_of(graphs, self.fitted.estimate.natural)

    def _draw(
        self, n: int, rng: np.random.Generator, freedom: float | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        k = len(self._root)
        normal = rng.standard_normal((n, k))
        density = _log_normal(normal) - self._log_volume
        if freedom is not None:
            # One factor for all coordinates: a Student-t law of many dimensions.
            normal = normal * np.sqrt(freedom / rng.chisquare(freedom, size=(n, 1)))
            density = np.full(n, np.nan)
        x = self.fitted.estimate.x + normal @ self._root.T
        if self.problem.effects is None:
            return x, density, np.ones(n, dtype=bool)
        u, inner, found = self._effects(x, rng)
        return np.concatenate([x, u], axis=1), density + inner, found

    def _effects(
        self, x: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws of what was integrated given parameters (n, k), and their log-densities."""
        blocks, states = self._blocks, self._states
        drawn, densities, founds = [], [], []
        for at in range(0, len(x), _BATCH):
            part = x[at : at + _BATCH]
            filled = np.concatenate([part, np.repeat(part[:1], _BATCH - len(part), axis=0)])
            modes, found, values = (each[: len(part)] for each in states(filled))
            normal = rng.standard_normal(modes.shape)
            moved, density, factored = blocks.solve(values, normal, found)
            drawn.append(modes + moved)
            densities.append(density)
            founds.append(found & factored)
        return np.concatenate(drawn), np.concatenate(densities), np.concatenate(founds)

    @cached_property
    def _states(self) -> Any:
        from pymle.objective.integrate.states import conditional_states

        return conditional_states(self.fitted.marginal)

    @cached_property
    def _blocks(self) -> _Blocks:
        marginal: Marginal = self.fitted.marginal
        effects = self.problem.effects
        assert effects is not None
        return _Blocks(marginal.plan.rows, marginal.plan.columns, effects.size)

    @cached_property
    def _joint(self) -> Likelihood:
        """The joint log-density as a function of parameters and effects."""
        problem, fitted = self.problem, self.fitted
        if problem.effects is None:
            return fitted.likelihood
        lowered = problem.lowered
        data = problem.arguments(lowered)
        weights = fitted.weights
        return Likelihood(
            lowered.call,
            size=problem.layout.size + problem.effects.size,
            held=problem.coordinates.held_vector,
            weights=ones_for(problem) if weights is None else weights,
            data=data,
            route=lowered.route,
            has_score=lowered.has_score,
            differenced=True,  # no Hessian is asked for
            rows=max([len(d) for d in data if np.ndim(d)] + [1]),
        )


class _Blocks:
    """Sets of effects that do not touch each other, factorised together by size."""

    def __init__(self, rows: np.ndarray, columns: np.ndarray, size: int) -> None:
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        pattern = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(size, size))
        count, of = connected_components(pattern, directed=False)
        sizes = np.bincount(of, minlength=count)
        order = np.argsort(of, kind="stable")
        local = np.empty(size, dtype=int)
        local[order] = np.arange(size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        self._groups = []
        for each in np.unique(sizes):
            members = order[np.isin(of[order], np.flatnonzero(sizes == each))].reshape(-1, each)
            place = np.full(count, -1)
            place[of[members[:, 0]]] = np.arange(len(members))
            chosen = np.flatnonzero(place[of[rows]] >= 0)
            at = place[of[rows[chosen]]], local[rows[chosen]], local[columns[chosen]]
            self._groups.append((members, chosen, at))

    def solve(
        self, values: np.ndarray, normal: np.ndarray, found: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Turn standard normal numbers into draws with an information matrix as precision.

        Parameters
        ----------
        values : numpy.ndarray, shape (n, e)
            Information on the pattern.
        normal : numpy.ndarray, shape (n, d)
        found : numpy.ndarray of bool, shape (n,)
            Rows that have one.

        Returns
        -------
        draws : numpy.ndarray, shape (n, d)
            nan in other rows.
        log_density : numpy.ndarray, shape (n,)
        factored : numpy.ndarray of bool, shape (n,)
        """
        draws = np.full_like(normal, np.nan)
        density = np.full(len(normal), np.nan)
        factored = np.zeros(len(normal), dtype=bool)
        for i in np.flatnonzero(found):
            total = _log_normal(normal[i : i + 1])[0]
            try:
                for members, chosen, at in self._groups:
                    width = members.shape[1]
                    matrices = np.zeros((len(members), width, width))
                    matrices[at] = values[i, chosen]
                    factors = np.linalg.cholesky(matrices)
                    right = normal[i, members][..., None]
                    solved = np.linalg.solve(np.swapaxes(factors, -1, -2), right)[..., 0]
                    draws[i, members] = solved
                    total += np.sum(np.log(np.diagonal(factors, axis1=-2, axis2=-1)))
            except np.linalg.LinAlgError:
                continue
            density[i], factored[i] = total, True
        return draws, density, factored


def _root_of(covariance: np.ndarray) -> tuple[np.ndarray, float]:
    """A square root, and the logarithm of its determinant; nan where it is singular."""
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        # Constraints between parameters take directions away, few clusters too.
        values, vectors = np.linalg.eigh(covariance)
        if values[0] < -1e-10 * values[-1]:
            raise PosteriorError.no_laplace(
                "negative variances", "its covariance has negative eigenvalues"
            ) from None
        return vectors * np.sqrt(np.maximum(values, 0.0)), float("nan")
    return root, float(np.sum(np.log(np.diag(root))))


def _log_normal(rows: np.ndarray) -> np.ndarray:
    """Standard normal log-densities of rows."""
    return -0.5 * np.sum(rows**2, axis=1) - 0.5 * rows.shape[1] * np.log(2.0 * np.pi)


def posterior_of(fitted: Fitted) -> Fitted:
    """The mode of the posterior on the unconstrained scale, whatever was fitted.

    Parameters
    ----------
    fitted : Fitted

    Returns
    -------
    Fitted
        A MAP estimate with the Jacobian: same model, data, weights, held values and random
        effects; the fit itself where it is that already.

    Raises
    ------
    AnalysisError
        A fit under constraints between the parameters, or an objective without a gradient.
    PymleError
        As `pymle.find_MAP`.
    """
    problem = fitted.problem
    refuse_constraints(fitted, "Laplace's approximation")
    if not problem.lowered.has_score:
        raise PosteriorError.no_laplace(
            "no gradient", f"the objective has no gradient ({problem.lowered.reason})"
        )
    apart = left_out(problem)
    wanted = problem.objective == "map" and problem.jacobian and not problem.reml
    if wanted and (problem.quadrature or 1) == 1 and not apart:
        return fitted
    if _POSTERIOR in fitted.kept:
        return fitted.kept[_POSTERIOR]
    own = (WholeProblem if apart else Problem)(
        problem.model,
        without_restriction(problem),
        objective="map",
        jacobian=True,
        fixed=held_values(problem),
        backend=problem.backend,
    )
    found = fitted.kept[_POSTERIOR] = fit_posterior(own, fitted, problem.given)
    return found


def fit_posterior(own: Problem, fitted: Fitted, given: Mapping[str, Any]) -> Fitted:
    """Find the mode of a posterior, from a fit of the same parameters.

    Parameters
    ----------
    own : Problem
        MAP with the Jacobian.
    fitted : Fitted
        Where the search begins, if it ended well.
    given : mapping
        Data in place of the model's own.

    Returns
    -------
    Fitted
    """
    # A MAP fit has looked for other modes of this posterior already.
    sought = fitted.estimate.objective == "map" and fitted.estimate.verdict.ok
    settings = Settings(method="auto", n_starts=1 if sought else "auto", random_seed=0, quick=True)
    estimator, weights = Estimator(own, settings), fitted.given_weights

    def estimate(start: Mapping[str, Any] | None) -> Any:
        return estimator.estimate(data=given or None, start=start, weights=weights, callback=None)

    layout = fitted.estimate.layout
    start = {
        block.name: fitted.estimate.natural[block.natural].reshape(block.shape)
        for block in layout.blocks
        if block.name in own.names
    }
    try:
        found, problem = estimate(start if fitted.estimate.verdict.ok else None)
    except PymleError:
        # An estimate at the edge of a support, or where a prior has no density, is no start.
        found, problem = estimate(None)
    return Fitted(found, problem, estimator, weights)


def held_values(problem: Problem) -> dict[str, Any]:
    """What a fit holds, as ``fixed=`` takes it: by name, or by label where only entries are."""
    out: dict[str, Any] = {}
    for block in problem.layout.blocks:
        if block.name not in problem.coordinates.held:
            continue
        values = problem.coordinates.held[block.name].values
        if block.wholly_fixed:
            out[block.name] = values.reshape(block.shape)
            continue
        out |= {block.labels[i]: float(values[i]) for i in np.flatnonzero(block.fixed)}
    return out


def without_restriction(problem: Problem) -> Roles:
    """Roles in which what `reml=` integrates is a parameter again, as its prior says."""
    entries = tuple(
        Role(entry.name, PARAMETER, "has a prior") if entry.name in problem.reml else entry
        for entry in problem.roles.entries
    )
    return Roles(entries, problem.roles.notices, problem.roles.ambiguous)


def refuse_constraints(fitted: Fitted, what: str) -> None:
    """Stop where the fit has constraints between its parameters, which no model knows of."""
    constraints = fitted.estimator.constraints
    if constraints is not None and constraints.texts:
        raise PosteriorError.posterior_under_constraints(what, constraints.texts)
