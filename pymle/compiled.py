"""A model compiled once: its likelihood as functions of natural points, and fast refits."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pymle import report
from pymle.bind import call_at, checked_weights, likelihood_of, natural_function
from pymle.errors import (
    AnalysisError,
    ModelError,
    NotCertifiedError,
    NotCertifiedWarning,
    Notice,
    PointError,
)
from pymle.estimation import Estimator, Settings, hessian_of
from pymle.fit import Fit
from pymle.fitted import Fitted
from pymle.model import (
    Problem,
    check_decided,
    check_integrals,
    check_penalty,
    resolve_model,
    restricted,
    summed_out,
)
from pymle.model import roles as find_roles
from pymle.objective import Likelihood

#: Points of a quadrature rule: beyond, weights underflow and nothing is gained.
MOST_POINTS = 100
_METHODS = ("auto", "newton", "newton-cg", "lbfgs")
_BACKENDS = ("auto", "jax", "pytensor")


class Compiled:
    """The objective of a model, lowered and compiled once.

    Made by `pymle.compile`. Points are natural-scale dicts by variable name; those of
    `logp`, `score` and `hessian` must be complete (``fit.point`` is).

    Parameters
    ----------
    problem : Problem
    settings : Settings
    weights : array_like, mapping or None
        Weights for everything that follows.
    """

    def __init__(self, problem: Problem, settings: Settings, weights: Any = None) -> None:
        self._problem = problem
        self._given_weights = weights
        self._settings = settings
        self._estimator = Estimator(problem, settings)

    @property
    def roles(self) -> Any:
        """The roles table of the model."""
        return self._problem.roles

    @property
    def objective(self) -> str:
        """``mle`` or ``map``."""
        return self._problem.objective

    def fit(
        self,
        *,
        data: Mapping[str, Any] | None = None,
        start: Mapping[str, Any] | None = None,
        weights: Any = None,
        weights_kind: str | None = None,
        on_problem: str = "warn",
        progressbar: bool = True,
        stacklevel: int = 2,
    ) -> Fit:
        """Fit, with new data if given, without compiling again.

        Parameters
        ----------
        data : mapping of str to array_like, optional
            New values of ``pm.Data`` (of any length) or of observed variables whose data
            the model captured (of the same shape).
        start, weights, on_problem, progressbar
            As in `find_MLE`.
        weights_kind : {"frequency", "sampling"}, optional
            As in `find_MLE`; by default that of `compile`.
        stacklevel : int
            Whose line warnings name: 2 is the caller's.

        Returns
        -------
        Fit

        Raises
        ------
        DataError, PointError, NotCertifiedError
            As in `find_MLE`.
        """
        if on_problem not in ("warn", "raise"):
            raise AnalysisError.argument("on_problem", on_problem, '"warn" or "raise"')
        used = self._given_weights if weights is None else weights
        estimator = self._estimator_for(weights_kind, used)
        with report.progress(progressbar) as callback:
            estimate, problem = estimator.estimate(
                data=data, start=start, weights=used, callback=callback
            )
        fit = Fit(Fitted(estimate, problem, estimator, used))
        for notice in estimate.notices:
            warnings.warn(notice, Notice, stacklevel=stacklevel)
        if not estimate.verdict.ok:
            if on_problem == "raise":
                raise NotCertifiedError(str(estimate.verdict), fit)
            warnings.warn(str(estimate.verdict), NotCertifiedWarning, stacklevel=stacklevel)
        return fit

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
        return self._likelihood().value(self._vector(point))

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
        matrix = hessian_of(likelihood, x)[0]
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
        if problem.effects is not None:
            raise AnalysisError.shared_effects(problem.effects.names)
        values = call_at(problem, problem.lowered_terms, x)
        arrays = {}
        for term, value in zip(problem.observed, values, strict=True):
            arrays[term.name] = problem.labelled(term.name, np.asarray(value))
        return xr.Dataset(arrays)

    def _estimator_for(self, kind: str | None, weights: Any) -> Estimator:
        """The estimator for weights of a kind: its own, or one with another kind."""
        settings = self._settings
        if kind is not None and kind != settings.weights_kind:
            settings = replace(settings, weights_kind=checked_weights_kind(kind, self.objective))
        if settings.weights_kind == "sampling" and weights is None:
            raise AnalysisError.argument("weights", None, 'weights with weights_kind="sampling"')
        if settings is self._settings:
            return self._estimator
        return Estimator(self._problem, settings)

    def _likelihood(self) -> Likelihood:
        weights = checked_weights(self._problem, self._given_weights)
        return likelihood_of(self._problem, weights)

    def _with_score(self) -> Likelihood:
        likelihood = self._likelihood()
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
            b.name: problem.coordinates.held[b.name].values.reshape(b.shape)
            for b in problem.layout.blocks
            if b.wholly_fixed
        }
        return problem.coordinates.unconstrain(
            problem.layout.to_point(problem.layout.to_natural({**full, **point})), "point"
        )

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
    quadrature: int | None = None,
    reml: Sequence[str] | str | None = None,
    penalty: str | None = None,
) -> Problem:
    """Roles, checks and layout of a model, arguments validated.

    Parameters
    ----------
    model : pymc.Model or None
    objective : {"mle", "map"}
    fixed, parameters, random, potentials, method, backend, n_starts, jacobian, quadrature, \
reml, penalty
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
    if n_starts != "auto" and not _is_count(n_starts):
        raise AnalysisError.argument("n_starts", n_starts, '"auto" or a positive whole number')
    if quadrature is not None and not (_is_count(quadrature) and quadrature <= MOST_POINTS):
        raise AnalysisError.argument(
            "quadrature", quadrature, f"a whole number from 1 to {MOST_POINTS}, or None"
        )
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
    if penalty not in (None, "firth"):
        raise AnalysisError.argument("penalty", penalty, '"firth" or None')
    flat = (reml,) if isinstance(reml, str) else tuple(reml or ())
    if flat and objective != "mle":
        raise AnalysisError.needs_mle("A restricted likelihood")
    for name in flat:
        if any(key.split("[")[0] == name for key in fixed or {}):
            raise ModelError.not_restrictable(name, "it is held by `fixed=`")
    found = restricted(found, flat)
    model, found = summed_out(model, found, fixed or {})
    check_decided(found)
    problem = Problem(
        model,
        found,
        objective=objective,
        jacobian=jacobian,
        fixed=fixed,
        backend=backend,
        quadrature=None if quadrature is None else int(quadrature),
        reml=flat,
        penalty=penalty,
    )
    check_integrals(problem)
    if penalty is not None:
        check_penalty(problem)
    return problem


def _is_count(value: Any) -> bool:
    """Whether something is a positive whole number."""
    number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return number and int(value) >= 1


def checked_weights_kind(kind: Any, objective: str) -> str:
    """What weights are, checked.

    Parameters
    ----------
    kind : {"frequency", "sampling"}
    objective : {"mle", "map"}

    Returns
    -------
    str

    Raises
    ------
    AnalysisError
        Another kind; sampling weights of a MAP objective.
    """
    if kind not in ("frequency", "sampling"):
        raise AnalysisError.argument("weights_kind", kind, '"frequency" or "sampling"')
    if kind == "sampling" and objective != "mle":
        raise AnalysisError.needs_mle("The design-based analysis of sampling weights")
    return str(kind)


def _checked_scale(scale: str) -> str:
    if scale not in ("natural", "unconstrained"):
        raise AnalysisError.argument("scale", scale, '"natural" or "unconstrained"')
    return scale
