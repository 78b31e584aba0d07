"""A model compiled once: its likelihood as functions of natural points, and fast refits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pymle.errors import AnalysisError, DataError, ModelError, PointError
from pymle.estimate import LARGEST_DENSE, Estimate, FitRecord
from pymle.model import Problem, check_supported, resolve_model
from pymle.model import roles as find_roles
from pymle.objective import ElementwiseMap, Likelihood, PointFunction
from pymle.optimize import (
    Search,
    differenced_hessian,
    dispersed,
    profile_scales,
    search,
    spread_out,
)
from pymle.verdict import Curvature, assess, curvature_of, derivative_check

_METHODS = ("auto", "newton", "newton-cg", "lbfgs")
_BACKENDS = ("auto", "jax", "pytensor")
#: Scale parameters up to which the start is looked for along each.
_MOST_SCALES = 6
#: Prior draws that are tried where PyMC's initial point is impossible under the data.
_TRIED = 64


class CompiledLikelihood:
    """The objective of a model, lowered and compiled once.

    Made by `pymle.compile`. Points are natural-scale dicts by variable name; those of
    `logp`, `score` and `hessian` must be complete (``fit.point`` is).

    Parameters
    ----------
    problem : Problem
    settings : mapping
        ``method``, ``n_starts`` and ``random_seed`` for the fits; ``quick`` for compilation
        with less effort.
    """

    def __init__(self, problem: Problem, settings: Mapping[str, Any]) -> None:
        self._problem = problem
        self._settings = dict(settings)
        self._draws = np.empty((0, problem.layout.size))

    @property
    def roles(self) -> Any:
        """The roles table of the model."""
        return self._problem.roles

    @property
    def objective(self) -> str:
        """``mle`` or ``map``."""
        return self._problem.objective

    def logp(self, point: Mapping[str, Any]) -> float:
        """The objective at a point.

        Parameters
        ----------
        point : mapping of str to array_like
            Natural scale, complete.

        Returns
        -------
        float
            Log-likelihood with all constants, never negated; for a MAP objective the
            log-posterior up to the evidence. Minus infinity where the data are impossible.

        Raises
        ------
        PointError
            Incomplete or unknown names, wrong shapes, values outside the support.
        """
        return self._likelihood(None).value(self._vector(point))

    def score(self, point: Mapping[str, Any], *, scale: str = "natural") -> pd.Series:
        """Gradient of the objective at a point.

        Parameters
        ----------
        point : mapping of str to array_like
        scale : {"natural", "unconstrained"}
            Scale of the parameters with respect to which the derivative is taken.

        Returns
        -------
        pandas.Series
            Labelled; one entry per estimated entry.

        Raises
        ------
        PointError
            As `logp`.
        AnalysisError
            ``scale="natural"`` for parameters whose entries constrain each other (a
            simplex has no coordinates of its own), or an objective without a gradient.
        """
        x = self._vector(point)
        _, gradient = self._with_score().value_and_score(x)
        labels = list(self._problem.layout.free_labels)
        if _checked_scale(scale) == "unconstrained":
            return pd.Series(gradient, index=labels)
        jacobian, keep = self._natural_square(x)
        return pd.Series(np.linalg.solve(jacobian.T, gradient), index=keep)

    def hessian(self, point: Mapping[str, Any], *, scale: str = "natural") -> pd.DataFrame:
        """Second derivatives of the objective at a point.

        Parameters
        ----------
        point : mapping of str to array_like
        scale : {"natural", "unconstrained"}

        Returns
        -------
        pandas.DataFrame
            Square and labelled; minus the observed information at a maximum.

        Raises
        ------
        PointError, AnalysisError
            As `score`.
        """
        x = self._vector(point)
        likelihood = self._with_score()
        _, gradient = likelihood.value_and_score(x)
        matrix = _hessian(likelihood, x)[0]
        labels = list(self._problem.layout.free_labels)
        if _checked_scale(scale) == "unconstrained":
            return pd.DataFrame(matrix, index=labels, columns=labels)
        jacobian, keep = self._natural_square(x)
        slope = np.linalg.solve(jacobian.T, gradient)
        weights = np.zeros(len(self._problem.layout.labels))
        weights[~self._problem.layout.fixed] = slope
        curved = matrix - natural_function(self._problem).second(x, weights)
        inverse = np.linalg.inv(jacobian)
        out = inverse.T @ curved @ inverse
        return pd.DataFrame(0.5 * (out + out.T), index=keep, columns=keep)

    def logp_per_observation(self, point: Mapping[str, Any]) -> xr.Dataset:
        """Log-density of each observation at a point.

        Parameters
        ----------
        point : mapping of str to array_like

        Returns
        -------
        xarray.Dataset
            One array per observed variable, with the model's dims and coords where they
            fit; a joint density (a series, a Gaussian process) is a scalar.
        """
        problem = self._problem
        x = self._vector(point)
        if not problem.observed:
            raise AnalysisError.no_observation_terms(problem.terms[0].name)
        values = self._call(problem.lowered_terms, x)
        arrays = {}
        for term, value in zip(problem.observed, values, strict=True):
            arrays[term.name] = problem.labelled(term.name, np.asarray(value))
        return xr.Dataset(arrays)

    def estimate(
        self,
        *,
        data: Mapping[str, Any] | None = None,
        start: Mapping[str, Any] | None = None,
        weights: Any = None,
        callback: Callable[..., object] | None = None,
    ) -> tuple[Estimate, Problem]:
        """Fit and return the bare estimate, with the problem at the data used.

        Parameters
        ----------
        data : mapping of str to array_like, optional
            New values of ``pm.Data`` or observed variables.
        start : mapping, optional
            Natural-scale values by name or label; may be partial.
        weights : array_like or mapping of str to array_like, optional
            Frequency weights of the observations.
        callback : callable, optional
            Called at every iteration.

        Returns
        -------
        estimate : Estimate
        problem : Problem
        """
        problem = self._problem.with_data(data)
        weighted = _weights(problem, weights)
        likelihood = self._likelihood(weighted, problem)
        point = problem.complete(start)
        x0 = problem.unconstrain(point)
        x0 = self._usable_start(problem, likelihood, start, point, x0)
        began = time.perf_counter()
        found = search(
            likelihood,
            x0,
            lambda count: self._candidates(problem, x0, count),
            scales=problem.scale_coordinates,
            n_starts=self._settings["n_starts"],
            method=self._settings["method"],
            seed=self._settings["random_seed"],
            callback=callback,
        )
        seconds = time.perf_counter() - began
        return self._finish(problem, likelihood, found, weighted, point, seconds), problem

    # ----- pieces ------------------------------------------------------------------------

    def _likelihood(self, weights: Any, problem: Problem | None = None) -> Likelihood:
        problem = self._problem if problem is None else problem
        lowered = problem.lowered
        if weights is None:
            weights = [np.ones(symbol.type.shape) for symbol in lowered.weights]
        return Likelihood(
            lowered.call,
            size=problem.layout.size,
            held=problem.held_vector,
            weights=weights,
            data=problem.arguments(lowered),
            route=lowered.route,
            has_score=lowered.has_score,
            differenced=bool(lowered.differenced),
            rows=max([int(np.size(d)) for d in problem.arguments(lowered)] + [1]),
            programs=problem.programs.setdefault(id(lowered), {}),
            quick=bool(self._settings.get("quick")),
        )

    def _with_score(self) -> Likelihood:
        likelihood = self._likelihood(None)
        if not likelihood.has_score:
            raise AnalysisError(
                f"The objective has no gradient ({self._problem.lowered.reason}). Give the "
                "operation a gradient, or difference `logp`."
            )
        return likelihood

    def _vector(self, point: Mapping[str, Any]) -> np.ndarray:
        problem = self._problem
        known = [block.name for block in problem.layout.blocks]
        for name in point:
            if name not in known and name not in problem.model.named_vars:
                raise PointError.unknown("point", name, known)
        full = {
            b.name: problem.held[b.name].values.reshape(b.shape)
            for b in problem.layout.blocks
            if b.wholly_fixed
        }
        return problem.unconstrain(
            problem.layout.to_point(problem.layout.to_natural({**full, **point})), "point"
        )

    def _call(self, lowered: Any, x: np.ndarray, problem: Problem | None = None) -> tuple:
        problem = self._problem if problem is None else problem
        return lowered.call(x, problem.held_vector, (), problem.arguments(lowered))

    def _natural_square(self, x: np.ndarray) -> tuple[np.ndarray, list[str]]:
        layout = self._problem.layout
        for block in layout.blocks:
            if not block.support.elementwise and not block.wholly_fixed:
                raise AnalysisError(
                    f"`{block.name}` has entries that constrain each other "
                    f"({block.support.text}): there is no derivative with respect to one of them "
                    'alone. Use scale="unconstrained".'
                )
        jacobian = natural_function(self._problem).value_and_jacobian(x)[1]
        keep = ~layout.fixed
        labels = [label for label, k in zip(layout.labels, keep, strict=True) if k]
        return jacobian[keep], labels

    def _usable_start(
        self,
        problem: Problem,
        likelihood: Likelihood,
        start: Mapping[str, Any] | None,
        point: Mapping[str, np.ndarray],
        x0: np.ndarray,
    ) -> np.ndarray:
        """The start with its free scales set by the data; another where it is impossible.

        Where the user gives a start it is that or an error; PyMC's initial point comes from
        the prior that is dropped, and gives way.
        """
        if not _usable(likelihood, x0):
            others = [] if start else self._candidates(problem, x0, 2 * _TRIED)
            usable = (x for x in others if np.all(np.isfinite(x)) and _usable(likelihood, x))
            found = next(usable, None)
            if found is None:
                explanation = problem.explain_not_finite(problem.layout.to_natural(point))
                raise PointError.not_finite_likelihood(explanation)
            x0 = found
        given = problem.given_coordinates(start)
        scales = np.array([i for i in problem.scale_coordinates if i not in given], dtype=int)
        if not 0 < len(scales) <= _MOST_SCALES:
            return x0
        [moved] = profile_scales(likelihood, x0[None], scales)
        better = likelihood.value(moved) > likelihood.value(x0) + 1.0
        return moved if better and _usable(likelihood, moved) else x0

    def _candidates(self, problem: Problem, x0: np.ndarray, count: int) -> np.ndarray:
        """Half prior draws (which do not depend on the data), half points around the start."""
        seed, half = self._settings["random_seed"], max((count + 1) // 2, 1)
        if len(self._draws) < half:
            natural = problem.prior_draws(half, seed)
            inner = problem.unconstrain_rows(natural)
            self._draws = spread_out(inner, problem.real_coordinates, seed)
        around = dispersed(x0, np.maximum(np.abs(x0), 1.0), half, seed)
        return np.concatenate([self._draws[:half], around])

    def _equivalent(self, problem: Problem, found: Search) -> bool | None:
        """Whether maxima of the same height give every observation the same density.

        Then they are one distribution of the data written in several ways (permuted
        components, mirrored signs); None where there is only one maximum.
        """
        if found.exploration is None or not found.solution.converged:
            return None
        top = found.exploration.top_clusters
        if len(top) < 2:
            return None
        if not problem.observed:
            return False
        here = self._call(problem.lowered_terms, found.solution.x, problem)
        for cluster in top[:8]:
            there = self._call(problem.lowered_terms, cluster.x, problem)
            for a, b in zip(here, there, strict=True):
                if not np.allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-5):
                    return False
        return True

    def _finish(
        self,
        problem: Problem,
        likelihood: Likelihood,
        found: Search,
        weights: list[np.ndarray] | None,
        start: Mapping[str, np.ndarray],
        seconds: float,
    ) -> Estimate:
        solution, layout, lowered = found.solution, problem.layout, problem.lowered
        curvature: Curvature | None = None
        source: Callable[[], Curvature] | None = None
        error = 0.0
        if likelihood.has_score and layout.size > LARGEST_DENSE:

            def source() -> Curvature:
                return curvature_of(-_hessian(likelihood, solution.x)[0])

        elif likelihood.has_score:
            matrix, error = _hessian(likelihood, solution.x, solution.hessian)
            curvature = curvature_of(-matrix, error)

            def source() -> Curvature:
                return curvature

        natural, jacobian = natural_function(problem).value_and_jacobian(solution.x)
        constant = problem.constant_bounds
        lower, upper = problem.flat_bounds(solution.x) if constant is None else constant
        check = None
        if curvature is not None and solution.converged:
            check = derivative_check(likelihood.value_and_score, solution, curvature)
        low_edge, high_edge = problem.edges(lower, upper)
        equivalent = self._equivalent(problem, found)
        verdict = assess(
            solution,
            curvature,
            labels=layout.free_labels,
            lower_edge=low_edge,
            upper_edge=high_edge,
            exploration=found.exploration,
            concave=found.concave,
            check=check,
            equivalent=equivalent,
        )
        loglik, logposterior = solution.value, None
        if problem.objective == "map":
            out = lowered.call(
                solution.x,
                problem.held_vector,
                _ones(lowered) if weights is None else weights,
                problem.arguments(lowered),
            )
            loglik, logposterior = float(out[-1]), solution.value
        by_name = _observations(problem, weights)
        exact = (
            "exact"
            if not lowered.differenced
            else (
                f"differenced from the exact score ({', '.join(lowered.differenced)}; "
                f"relative error {error:.1e})"
            )
        )
        record = FitRecord(
            route=lowered.route,
            route_reason=lowered.reason,
            hessian=exact if likelihood.has_score else "none: no gradient",
            method=solution.record.method,
            start=dict(start),
            end=layout.to_point(natural),
            start_value=solution.record.start_value,
            end_value=solution.value,
            iterations=solution.record.iterations,
            evaluations=dict(solution.record.evaluations),
            termination=solution.termination.value,
            seconds_lower=lowered.seconds,
            seconds_compile=likelihood.compile_seconds,
            seconds_solve=max(seconds - likelihood.compile_seconds, 0.0),
        )
        return Estimate(
            objective=problem.objective,
            layout=layout,
            x=solution.x,
            natural=natural,
            jacobian=jacobian,
            lower=lower,
            upper=upper,
            loglik=loglik,
            logposterior=logposterior,
            score=solution.score,
            curvature_source=source,
            nobs=float(sum(by_name.values())) if by_name else float("nan"),
            nobs_by=by_name,
            weights_kind=None if weights is None else "frequency",
            verdict=verdict,
            solution=solution,
            exploration=found.exploration,
            record=record,
            notices=(*problem.roles.notices, *problem.notices),
        )


def natural_function(problem: Problem) -> ElementwiseMap | PointFunction:
    """The natural vector of a problem and its derivatives.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    ElementwiseMap or PointFunction
    """
    bounds = problem.constant_bounds
    if bounds is None:
        return point_function(problem, problem.lowered_natural)
    return ElementwiseMap(problem.held_vector, ~problem.layout.fixed, *bounds)


def point_function(problem: Problem, lowered: Any) -> PointFunction:
    """A lowered function of the point at the problem's data.

    Parameters
    ----------
    problem : Problem
    lowered : Lowered

    Returns
    -------
    PointFunction
    """
    return PointFunction(
        lowered.call,
        held=problem.held_vector,
        data=problem.arguments(lowered),
        route=lowered.route,
        programs=problem.programs.setdefault(id(lowered), {}),
    )


def make_problem(
    model: Any,
    *,
    objective: str,
    fixed: Mapping[str, Any] | None,
    parameters: Any,
    random: Any,
    potentials: Mapping[str, str] | None,
    method: str,
    backend: str,
    n_starts: int | str,
    jacobian: bool,
) -> Problem:
    """Roles, checks and layout of a model, arguments validated.

    Parameters
    ----------
    model : pymc.Model or None
    objective : {"mle", "map"}
    fixed, parameters, random, potentials, method, backend, n_starts, jacobian
        As in `pymle.find_MLE` and `pymle.find_MAP`.

    Returns
    -------
    Problem

    Raises
    ------
    ModelError, DataError, PointError, AnalysisError
        As documented there.
    """
    if objective not in ("mle", "map"):
        raise AnalysisError.argument("objective", objective, '"mle" or "map"')
    if method not in _METHODS:
        raise AnalysisError.argument("method", method, f"one of {', '.join(_METHODS)}")
    if backend not in _BACKENDS:
        raise AnalysisError.argument("backend", backend, f"one of {', '.join(_BACKENDS)}")
    whole = isinstance(n_starts, int | np.integer) and not isinstance(n_starts, bool)
    if n_starts != "auto" and not (whole and n_starts >= 1):
        raise AnalysisError.argument("n_starts", n_starts, '"auto" or a positive whole number')
    model = resolve_model(model)
    found = find_roles(
        model,
        random=random,
        parameters=parameters,
        potentials=potentials,
        objective=objective,
    )
    if not model.observed_RVs and not model.potentials:
        raise ModelError.no_likelihood([rv.name for rv in model.free_RVs])
    check_supported(found, model, fixed or {})
    return Problem(
        model, found, objective=objective, jacobian=jacobian, fixed=fixed, backend=backend
    )


def _hessian(
    likelihood: Likelihood, x: np.ndarray, known: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Second derivatives and their relative error (zero where they are exact)."""
    if likelihood.has_hessian:
        return (likelihood.hessian(x) if known is None else known), 0.0
    return differenced_hessian(likelihood.value_and_score, x)


def _usable(likelihood: Likelihood, x: np.ndarray) -> bool:
    """Whether value and score are finite at a point."""
    if not likelihood.has_score:
        return bool(np.isfinite(likelihood.value(x)))
    value, score = likelihood.value_and_score(x)
    return bool(np.isfinite(value) and np.all(np.isfinite(score)))


def _ones(lowered: Any) -> list[np.ndarray]:
    return [np.ones(symbol.type.shape) for symbol in lowered.weights]


def _weights(problem: Problem, weights: Any) -> list[np.ndarray] | None:
    if weights is None:
        return None
    names = [term.name for term in problem.observed]
    if not isinstance(weights, Mapping):
        if len(names) != 1:
            raise DataError.weights(
                ", ".join(names), f"one array for {len(names)} observed variables (pass a dict)"
            )
        weights = {names[0]: weights}
    for name in weights:
        if name not in names:
            raise DataError.unknown(name, names)
    out = []
    for term in problem.observed:
        value = np.asarray(weights.get(term.name, 1.0), dtype=np.float64)
        if not term.shape and term.rows > 1 and term.name in weights:
            raise DataError.weights(term.name, "its observations have one joint log-density")
        if value.shape not in ((), term.shape):
            raise DataError.weights(term.name, f"shape {value.shape}, observations {term.shape}")
        if not np.all(np.isfinite(value)) or np.any(value < 0):
            raise DataError.weights(term.name, "negative or non-finite entries")
        out.append(np.broadcast_to(value, term.shape).copy())
    return out


def _observations(problem: Problem, weights: list[np.ndarray] | None) -> dict[str, float]:
    out = {}
    for i, term in enumerate(problem.observed):
        out[term.name] = float(term.rows) if weights is None else float(weights[i].sum())
        if weights is not None and not term.shape:
            out[term.name] = float(term.rows)
    return out


def _checked_scale(scale: str) -> str:
    if scale not in ("natural", "unconstrained"):
        raise AnalysisError.argument("scale", scale, '"natural" or "unconstrained"')
    return scale
