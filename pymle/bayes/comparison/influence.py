"""What the priors did to the estimates: their pull, their share of the information, the mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from pymle.bayes.comparison.scalars import STRICT
from pymle.bind import call_at, point_function
from pymle.errors import ModelError, PointError
from pymle.errors.words import listing
from pymle.estimation import Estimator
from pymle.fitted import Fitted
from pymle.model import Problem, pareto_k
from pymle.model.joint import PRIORS, make_joint
from pymle.model.roles import PRIOR
from pymle.model.walks import ModelGraph

#: Draws from the normal approximation for its Pareto k; fewer where each needs an integral or
#: has many observations.
_DRAWS, _FEW_DRAWS, _MANY_ROWS = 1000, 300, 20_000
#: Coordinates beyond which no Pareto k is computed: there is always one direction that is off.
_MOST = 400


class Priors:
    """The log-priors of a fit's parameters as a function of its natural vector.

    Parameters
    ----------
    fitted : Fitted
        Whatever was maximised.
    """

    def __init__(self, fitted: Fitted) -> None:
        self._fitted = fitted
        problem = fitted.problem
        self._joint = make_joint(problem, (PRIORS,))
        self._function = point_function(problem, self._joint.lowered)
        places, at = [], 0
        blocks = {block.name: block for block in problem.layout.blocks}
        base = []
        for name, shape in zip(self._joint.names, self._joint.shapes, strict=True):
            size = int(np.prod(shape, dtype=int))
            if name in blocks:
                own = blocks[name].natural
                places.append(np.stack([np.arange(own.start, own.stop), np.arange(at, at + size)]))
            base.append(np.ravel(np.broadcast_to(problem.initial[name], shape)))
            at += size
        self._base = np.concatenate([*base, np.zeros(0)])
        pairs = np.concatenate([*places, np.zeros((2, 0), dtype=int)], axis=1).astype(int)
        self._there, self._here = pairs

    @cached_property
    def beyond(self) -> tuple[str, ...]:
        """Variables on which a parameter's prior depends and of which there is no estimate.

        Random effects, missing values, what `reml=` integrates, and variables above a parameter
        that the likelihood alone does not determine.
        """
        problem = self._fitted.problem
        model, graph = problem.model, ModelGraph(problem.model)
        own = [block.name for block in problem.layout.blocks]
        found = [*problem.reml]
        for name in own:
            found += graph.free_parents(model[name])
        for name in problem.roles.names(PRIOR):
            found += [rv.name for rv in graph.free_among([model[name]])]
        return tuple(name for name in dict.fromkeys(found) if name not in own)

    def _place(self, natural: np.ndarray) -> np.ndarray:
        out = np.broadcast_to(self._base, (*natural.shape[:-1], len(self._base))).copy()
        out[..., self._here] = natural[..., self._there]
        return out

    def values(self, naturals: np.ndarray) -> np.ndarray:
        """Log-priors (n,) at natural vectors (n, m)."""
        if not self._joint.terms:
            return np.zeros(len(naturals))
        return self._function.values(self._place(naturals)).sum(axis=1)

    def slope_and_curvature(self, natural: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient (m,) and minus the Hessian (m, m) at a natural vector."""
        size = len(natural)
        slope, curvature = np.zeros(size), np.zeros((size, size))
        if not self._joint.terms or not len(self._here):
            return slope, curvature
        z = self._place(natural)
        value, jacobian = self._function.value_and_jacobian(z)
        second = self._function.second(z, np.ones(len(value)))
        slope[self._there] = jacobian.sum(axis=0)[self._here]
        grid = np.ix_(self._there, self._there)
        curvature[grid] = -second[np.ix_(self._here, self._here)]
        return slope, curvature

    def entry_density(self, name: str, entry: int, natural: np.ndarray, grid: np.ndarray) -> Any:
        """Prior density of one entry on a grid, where its variable's entries have one each.

        Parameters
        ----------
        name : str
        entry : int
            Flat position.
        natural : numpy.ndarray, shape (m,)
            Where everything else is held.
        grid : numpy.ndarray, shape (n,)

        Returns
        -------
        numpy.ndarray or None
            None where entries have a joint prior.
        """
        problem, block = self._fitted.problem, self._fitted.problem.layout.block(name)
        if name not in self._joint.terms:
            return None
        z = self._place(natural)
        shapes = [np.shape(t) for t in call_at(problem, self._joint.lowered, z)]
        at = self._joint.terms.index(name)
        if shapes[at] != block.shape:
            return None
        before = sum(int(np.prod(shape, dtype=int)) for shape in shapes[:at])
        points = np.repeat(natural[None, :], len(grid), axis=0)
        points[:, block.natural.start + entry] = grid
        with np.errstate(over="ignore"):
            return np.exp(self._function.values(self._place(points))[:, before + entry])


@dataclass(frozen=True)
class Influence:
    """What the priors do to the scalars of a comparison, to one Newton step at the estimate.

    Attributes
    ----------
    pull : numpy.ndarray, shape (m,)
        ``(I + P)^-1`` times the gradient of the log-prior at the estimate, natural scale and
        units: where the mode of likelihood times prior lies, seen from the estimate.
    weight : numpy.ndarray, shape (m,)
        Share of the prior in the information about each scalar: one less the ratio of the
        variances with and without it. Negative where the log-prior curves upwards.
    reason : str
        Why there are no numbers; empty where there are.
    """

    pull: np.ndarray
    weight: np.ndarray
    reason: str = ""


def influence_of(fitted: Fitted, priors: Priors, jacobian: np.ndarray, se: np.ndarray) -> Influence:
    """The pull of the priors on functions of the parameters.

    Parameters
    ----------
    fitted : Fitted
        A maximum-likelihood fit.
    priors : Priors
    jacobian : numpy.ndarray, shape (m, k)
        Derivatives of the scalars with respect to the unconstrained vector.
    se : numpy.ndarray, shape (m,)

    Returns
    -------
    Influence

    Notes
    -----
    With J the derivative of the natural vector, I the observed information on the
    unconstrained scale, g and -P first and second derivatives of the log-prior on the natural
    one, the step is ``J (I + J'PJ)^-1 J'g``. At a maximum the score is zero, so this is
    ``(I + P)^-1 g`` with both informations on the natural scale wherever that has coordinates;
    a simplex and other supports with linear constraints have them on their free rank, and the
    step stays within the support's plane. For scalars that are functions of the parameters,
    conditional modes of random effects among them, it is the delta method's.
    """
    estimate = fitted.estimate
    m = len(jacobian)
    status = estimate.verdict.status

    def none(reason: str) -> Influence:
        return Influence(np.full(m, np.nan), np.full(m, np.nan), reason)

    if status not in STRICT:
        return none(f"the fit is no maximum of the likelihood ({status.value})")
    if estimate.restriction is not None:
        return none("the fit has constraints, which the priors and the posterior do not know")
    curvature = estimate.curvature
    if curvature is None or not curvature.positive:
        return none("the likelihood has no curvature at the estimate")
    for block in estimate.layout.blocks:
        bent = block.support.kind == "custom" and block.size > block.free.stop - block.free.start
        if bent and not block.wholly_fixed:
            return none(f"the support of `{block.name}` has fewer dimensions than entries")
    if priors.beyond:
        return none(f"the priors involve {listing(priors.beyond)}, of which there is no estimate")
    slope, bend = priors.slope_and_curvature(estimate.natural)
    own = estimate.jacobian
    own = own if isinstance(own, np.ndarray) else own.toarray()
    moving = np.any(own != 0.0, axis=1)
    slope, bend = np.where(moving, slope, 0.0), np.where(np.outer(moving, moving), bend, 0.0)
    if not (np.all(np.isfinite(slope)) and np.all(np.isfinite(bend))):
        at = np.flatnonzero(~np.isfinite(slope) | ~np.all(np.isfinite(bend), axis=1))
        names = ", ".join(estimate.layout.labels[i] for i in at[:5])
        return none(f"the log-prior has no derivatives at the estimate of {names}")
    total = curvature.information + own.T @ bend @ own
    scale = np.sqrt(np.diagonal(curvature.information))
    scaled = total / np.outer(scale, scale)
    try:
        np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        return none(
            "likelihood times prior curves upwards at the estimate: the mode lies elsewhere"
        )
    solved = np.linalg.solve(scaled, np.column_stack([(own.T @ slope) / scale, np.eye(len(scale))]))
    pull = np.where(se == 0.0, 0.0, jacobian @ (solved[:, 0] / scale))
    half = jacobian / scale
    with_prior = np.einsum("ij,jk,ik->i", half, solved[:, 1:], half)
    information = curvature.information / np.outer(scale, scale)
    without = np.einsum("ij,ji->i", half, np.linalg.solve(information, half.T))
    if estimate.weights_kind == "sampling":
        return Influence(pull, np.full(m, np.nan))
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(se > 0.0, (without - with_prior) / se**2, np.nan)
    return Influence(pull, weight)


def other_objective(
    fitted: Fitted, objective: str, *, callback: Callable[..., object] | None = None
) -> Fitted | str:
    """The same model and data fitted with the other objective.

    Parameters
    ----------
    fitted : Fitted
    objective : {"mle", "map"}
    callback : callable, optional
        Called at every iteration.

    Returns
    -------
    Fitted or str
        A string says why there is none.
    """
    problem, estimator = fitted.problem, fitted.estimator
    if problem.reml:
        return "a restricted likelihood has no mode beside it"
    if estimator.constraints is not None:
        return "the fit has constraints, which the posterior does not know"
    start = fitted.estimate.layout.to_point(fitted.estimate.natural)
    settled = fitted.estimate.verdict.status in STRICT
    free = {b.name: start[b.name] for b in fitted.estimate.layout.blocks if not b.wholly_fixed}
    try:
        made = same_problem(problem, objective)
        # From the other maximum: other starts would find other modes, not the one beside it.
        starts = 1 if settled else estimator.settings.n_starts
        other = Estimator(made, replace(estimator.settings, quick=True, n_starts=starts))
        estimate, used = other.estimate(
            data=problem.given or None,
            start=free if settled else None,
            weights=fitted.given_weights,
            callback=callback,
        )
    except (ModelError, PointError) as error:
        return str(error)
    return Fitted(estimate, used, other, fitted.given_weights)


def same_problem(problem: Problem, objective: str) -> Problem:
    """A problem with another objective, everything else the same; at the model's own data.

    Parameters
    ----------
    problem : Problem
    objective : {"mle", "map"}

    Returns
    -------
    Problem
    """
    held: dict[str, Any] = {}
    for name, part in problem.coordinates.held.items():
        block = problem.layout.block(name)
        if block.wholly_fixed:
            held[name] = np.asarray(part.values).reshape(block.shape)
            continue
        for i in np.flatnonzero(block.fixed):
            held[block.labels[i]] = float(np.ravel(part.values)[i])
    return Problem(
        problem.model,
        problem.roles,
        objective=objective,
        jacobian=False,
        fixed=held or None,
        backend=problem.backend,
        quadrature=problem.quadrature,
    )


class NormalApproximation:
    """How far the normal approximation at the estimate is from the posterior.

    Parameters
    ----------
    fitted : Fitted
        A maximum-likelihood fit.
    priors : Priors or None
        None where the posterior's are flat.
    random_seed : int, sequence of int, SeedSequence, Generator or RandomState
    """

    def __init__(self, fitted: Fitted, priors: Priors | None, random_seed: Any) -> None:
        self._fitted, self._priors, self._seed = fitted, priors, random_seed

    @cached_property
    def pareto_k(self) -> float:
        """Pareto k of the importance weights posterior / normal; nan where there is none.

        The normal law is that of the Wald limits: estimate and information on the
        unconstrained scale (logarithms of positive parameters). The posterior is that of
        the parameters, random effects integrated out as in the fit.
        """
        estimate = self._fitted.estimate
        curvature, k = estimate.curvature, len(estimate.x)
        usable = estimate.verdict.status in STRICT and estimate.restriction is None
        if not usable or curvature is None or not curvature.positive or k > _MOST:
            return float("nan")
        if estimate.weights_kind is not None or (self._priors is not None and self._priors.beyond):
            return float("nan")
        costly = self._fitted.problem.effects is not None or estimate.nobs > _MANY_ROWS
        count = _FEW_DRAWS if costly else _DRAWS
        scale = np.sqrt(np.diagonal(curvature.information))
        factor = np.linalg.cholesky(curvature.information / np.outer(scale, scale))
        noise = np.random.default_rng(self._seed).standard_normal((count, k))
        draws = estimate.x + np.linalg.solve(factor.T, noise.T).T / scale
        normal = -0.5 * np.sum(noise**2, axis=1)
        naturals, jacobians = [], []
        for x in draws:
            natural, jacobian = self._fitted.natural.value_and_jacobian(x)
            naturals.append(natural)
            jacobians.append(self._log_volume(jacobian))
        with np.errstate(all="ignore"):
            # One by one: the compiled function is there already, one for many points is not.
            values = np.array([self._fitted.likelihood.value(x) for x in draws])
            target = values + np.asarray(jacobians)
            if self._priors is not None:
                target += self._priors.values(np.array(naturals))
        weights = target - normal
        if np.mean(np.isfinite(weights)) < 0.5:
            return float("inf")
        if np.ptp(weights) < 1e-8:
            return 0.0  # the posterior is the normal law: there is no tail to fit
        weights = np.where(np.isfinite(weights), weights, -np.inf)
        weights = np.maximum(weights - weights.max(), -700.0)
        return float(pareto_k(weights[None, :])[0])

    def _log_volume(self, jacobian: Any) -> float:
        """Logarithm of the volume that the map to the natural scale makes of a unit one."""
        dense = jacobian if isinstance(jacobian, np.ndarray) else jacobian.toarray()
        total = 0.0
        for block in self._fitted.estimate.layout.blocks:
            count = block.free.stop - block.free.start
            if count == 0:
                continue
            own = dense[block.natural, block.free]
            if block.support.elementwise:
                entries = own[~block.fixed].diagonal()
                with np.errstate(divide="ignore"):
                    total += float(np.log(np.abs(entries)).sum())
                continue
            # On its free rank: up to a constant for supports with linear constraints.
            total += 0.5 * float(np.linalg.slogdet(own.T @ own)[1])
        return total
