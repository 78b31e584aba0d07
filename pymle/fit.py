"""find_MLE, find_MAP, compile, and the class Fit that offers every analysis as a method."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pymle import report
from pymle.compiled import CompiledLikelihood, make_problem, point_function
from pymle.errors import AnalysisError, NotCertifiedError, NotCertifiedWarning, Notice
from pymle.estimate import Estimate, FitRecord
from pymle.inference import Derived, natural_covariance, unconstrained_covariance
from pymle.model import Problem
from pymle.verdict import Verdict


class Fit:
    """A maximum-likelihood or MAP fit.

    Made by `find_MLE`, `find_MAP` and `CompiledLikelihood.fit`; prints as a table with the
    verdict. Points, estimates and limits are on the natural scale, log-likelihoods carry
    all constants and are never negated.

    Parameters
    ----------
    estimate : Estimate
    problem : Problem
    """

    def __init__(self, estimate: Estimate, problem: Problem) -> None:
        self._estimate = estimate
        self._problem = problem

    # ----- the estimate ------------------------------------------------------------------

    @property
    def estimate(self) -> Estimate:
        """The frozen record that every analysis is a function of."""
        return self._estimate

    @property
    def objective(self) -> str:
        """``mle`` or ``map``."""
        return self._estimate.objective

    @property
    def roles(self) -> Any:
        """The roles table of the model."""
        return self._problem.roles

    @property
    def verdict(self) -> Verdict:
        """Status with evidence, advice and the parameters concerned."""
        return self._estimate.verdict

    @property
    def record(self) -> FitRecord:
        """What ran: route, start, end, iterations, evaluations, seconds."""
        return self._estimate.record

    @property
    def notices(self) -> tuple[str, ...]:
        """Things worth saying about how the model was read."""
        return self._estimate.notices

    @property
    def loglik(self) -> float:
        """Log-likelihood with all constants (for MAP: at the MAP point, without priors)."""
        return self._estimate.loglik

    @property
    def logposterior(self) -> float:
        """Log-likelihood plus log-priors of the parameters at the MAP point.

        Raises
        ------
        AnalysisError
            For a maximum-likelihood fit, which has no priors.
        """
        if self._estimate.logposterior is None:
            raise AnalysisError(
                "A maximum-likelihood fit has no posterior: its priors were dropped. "
                "Use `pymle.find_MAP`."
            )
        return self._estimate.logposterior

    @property
    def nobs(self) -> float:
        """Number of observations (sum of frequency weights); nan for a Potential alone."""
        return self._estimate.nobs

    @property
    def nparams(self) -> int:
        """Number of free parameters (a simplex of four counts three)."""
        return self._estimate.nparams

    @property
    def aic(self) -> float:
        """Akaike's information criterion, 2 k - 2 log-likelihood.

        Raises
        ------
        AnalysisError
            For a MAP fit.
        """
        self._only_mle("AIC")
        return 2.0 * self.nparams - 2.0 * self.loglik

    @property
    def aicc(self) -> float:
        """AIC with the small-sample term 2 k (k + 1) / (n - k - 1); infinite if n <= k + 1.

        Raises
        ------
        AnalysisError
            For a MAP fit, or without a number of observations.
        """
        self._only_mle("AICc")
        k, n = self.nparams, self._known_nobs("AICc")
        return self.aic + 2.0 * k * (k + 1) / (n - k - 1) if n > k + 1 else float("inf")

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k log(n) - 2 log-likelihood.

        Raises
        ------
        AnalysisError
            For a MAP fit, or without a number of observations.
        """
        self._only_mle("BIC")
        return self.nparams * float(np.log(self._known_nobs("BIC"))) - 2.0 * self.loglik

    @cached_property
    def params(self) -> xr.Dataset:
        """Estimates on the natural scale, with the model's dims and coords."""
        layout = self._estimate.layout
        arrays = {}
        for block in layout.blocks:
            value = self._estimate.natural[block.natural].reshape(block.shape)
            arrays[block.name] = self._problem.labelled(block.name, value)
        return xr.Dataset(arrays)

    @property
    def point(self) -> dict[str, np.ndarray]:
        """Natural-scale point by variable name, usable as ``pm.sample(initvals=...)``."""
        return self._estimate.layout.to_point(self._estimate.natural)

    # ----- tables ------------------------------------------------------------------------

    def summary(
        self,
        var_names: Sequence[str] | str | None = None,
        filter_vars: str | None = None,
        coords: Mapping[str, Any] | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Estimates with standard errors, tests against zero and Wald limits.

        Parameters
        ----------
        var_names : sequence of str or str, optional
            Variables to show, Deterministics included; a name that starts with ``~`` is
            left out. Default: all parameters, and the Deterministics without an
            observation dim and with at most 50 entries.
        filter_vars : {None, "like", "regex"}
            How ``var_names`` are matched: whole names, substrings, or regular expressions.
        coords : mapping of dim to labels, optional
            Keep only entries with these coordinates.
        level : float
            Coverage of the limits, in (0, 1).

        Returns
        -------
        pandas.DataFrame
            Columns ``estimate``, ``se``, ``z``, ``p``, ``lower``, ``upper``; for a MAP fit
            without ``z`` and ``p``, and ``se`` is the posterior curvature's. Natural scale.
            ``z`` and ``p`` are NaN where zero is no interior point of the support.

        Raises
        ------
        AnalysisError
            Unknown names, or a level outside (0, 1).

        Notes
        -----
        Wald limits are valid where the log-likelihood is near to quadratic on the scale
        on which they are formed (see `pymle.inference.wald.wald_limits`).
        """
        return report.summary_table(self, var_names, filter_vars, coords, level)

    def conf_int(
        self,
        var_names: Sequence[str] | str | None = None,
        filter_vars: str | None = None,
        coords: Mapping[str, Any] | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Wald limits.

        Parameters
        ----------
        var_names, filter_vars, coords, level
            As in `summary`.

        Returns
        -------
        pandas.DataFrame
            Columns ``lower``, ``upper`` and ``scale``, the scale on which they are symmetric.
        """
        table = report.full_table(self, var_names, filter_vars, coords, level)
        return table[["lower", "upper", "scale"]]

    def covariance(self, scale: str = "natural") -> pd.DataFrame:
        """Covariance of the estimates from the observed information.

        Parameters
        ----------
        scale : {"natural", "unconstrained"}

        Returns
        -------
        pandas.DataFrame
            Labelled; estimated entries only. NaN where there is no standard error.
            For a MAP fit: inverse posterior curvature.
        """
        layout = self._estimate.layout
        if scale == "unconstrained":
            labels = list(layout.free_labels)
            matrix = unconstrained_covariance(self._estimate)
            return pd.DataFrame(matrix, index=labels, columns=labels)
        if scale != "natural":
            raise AnalysisError.argument("scale", scale, '"natural" or "unconstrained"')
        keep = ~layout.fixed
        labels = [label for label, kept in zip(layout.labels, keep, strict=True) if kept]
        matrix = natural_covariance(self._estimate)[np.ix_(keep, keep)]
        return pd.DataFrame(matrix, index=labels, columns=labels)

    def correlation(self, scale: str = "natural") -> pd.DataFrame:
        """Correlation of the estimates, from `covariance`.

        Parameters
        ----------
        scale : {"natural", "unconstrained"}

        Returns
        -------
        pandas.DataFrame
        """
        covariance = self.covariance(scale)
        sd = np.sqrt(np.diagonal(covariance.to_numpy()))
        with np.errstate(invalid="ignore", divide="ignore"):
            matrix = covariance.to_numpy() / np.outer(sd, sd)
        return pd.DataFrame(matrix, index=covariance.index, columns=covariance.columns)

    @property
    def information(self) -> pd.DataFrame:
        """Observed information on the unconstrained scale (MAP: posterior curvature)."""
        labels = list(self._estimate.layout.free_labels)
        if self._estimate.curvature is None:
            raise AnalysisError("This fit has no curvature: its objective has no gradient.")
        matrix = self._estimate.curvature.information
        return pd.DataFrame(matrix, index=labels, columns=labels)

    def __repr__(self) -> str:
        return report.fit_text(self)

    def _repr_html_(self) -> str:
        return report.fit_html(self)

    # ----- for the report ----------------------------------------------------------------

    def _derived(self, names: Sequence[str]) -> list[Derived]:
        """Deterministics with their derivatives, computed once each."""
        missing = [name for name in names if name not in self._deterministics]
        if missing:
            graphs = [self._problem.model[name] for name in missing]
            lowered = self._problem.lowered_graphs(graphs)
            shapes = self._problem.shapes_of(graphs, self._estimate.natural)
            function = point_function(self._problem, lowered)
            value, jacobian = function.value_and_jacobian(self._estimate.x)
            at = 0
            for name, shape in zip(missing, shapes, strict=True):
                size = int(np.prod(shape, dtype=int))
                low, high = self._problem.range_of(name)
                self._deterministics[name] = Derived(
                    name=name,
                    labels=self._problem.labels_of(name, shape),
                    value=value[at : at + size],
                    jacobian=jacobian[at : at + size],
                    low=low,
                    high=high,
                )
                at += size
        return [self._deterministics[name] for name in names]

    @cached_property
    def _deterministics(self) -> dict[str, Derived]:
        return {}

    @cached_property
    def _shown_deterministics(self) -> list[str]:
        return self._problem.small_deterministics()

    def _only_mle(self, what: str) -> None:
        if self._estimate.objective != "mle":
            raise AnalysisError.needs_mle(what)

    def _known_nobs(self, what: str) -> float:
        if not np.isfinite(self.nobs):
            raise AnalysisError.needs_nobs(what)
        return self.nobs


def find_MLE(
    model: Any = None,
    *,
    start: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
    parameters: Sequence[str] | None = None,
    random: Sequence[str] | None = None,
    potentials: Mapping[str, str] | None = None,
    weights: Any = None,
    n_starts: int | str = "auto",
    method: str = "auto",
    backend: str = "auto",
    on_problem: str = "warn",
    progressbar: bool = True,
    random_seed: int | None = None,
) -> Fit:
    """Find the maximum-likelihood estimate of a PyMC model.

    The priors of the parameters are dropped (flat priors on the natural scale, no
    Jacobian), their supports stay; everything else that the model holds is its likelihood.

    Parameters
    ----------
    model : pymc.Model, optional
        Default: the model of the open ``with`` block.
    start : mapping, optional
        Natural-scale starting values by variable name or entry label (``"beta[x1]"``);
        may be partial. Default: PyMC's initial point.
    fixed : mapping, optional
        Natural-scale values to hold, by variable name or entry label; the edge of a
        support is allowed.
    parameters : sequence of str, optional
        Variables to estimate whatever the graph suggests.
    random : sequence of str, optional
        Variables to integrate out. Not available yet beyond ``[]`` (none).
    potentials : mapping of str to {"likelihood", "prior"}, optional
        ``"prior"`` drops a Potential.
    weights : array_like or mapping, optional
        Frequency weights, one per observation (by observed variable if there are several).
    n_starts : int or "auto"
        Number of starts; "auto" adds starts unless the log-likelihood looks concave.
    method : {"auto", "newton", "newton-cg", "lbfgs"}
        Optimiser; "auto" is trust-region Newton with exact Hessians up to 400
        coordinates and Hessian-free Newton beyond.
    backend : {"auto", "jax", "pytensor"}
        "auto" is JAX, and PyTensor's interpreter where JAX cannot express the model.
    on_problem : {"warn", "raise"}
        What to do when the fit has no certificate.
    progressbar : bool
        Show progress of fits that take longer than a few seconds.
    random_seed : int, optional
        For dispersed starts; results are reproducible without it too.

    Returns
    -------
    Fit

    Raises
    ------
    ModelError
        No likelihood, random effects or missing values, discrete free variables,
        ambiguous roles, minibatches, single precision.
    DataError
        Empty or non-finite observations, bad weights.
    PointError
        Unknown names, values outside the support, a log-likelihood that is not finite
        at the start.
    NotCertifiedError
        With ``on_problem="raise"``, when the fit is no certified maximum; its attribute
        ``fit`` holds the fit.

    Warns
    -----
    NotCertifiedWarning
        The fit is no certified maximum, with the reason and the remedy.
    Notice
        Something in the model is read in a way worth saying.

    Examples
    --------
    >>> import numpy as np, pymc as pm, pymle
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 10)
    ...     y = pm.Normal("y", mu, 1, observed=np.array([1.0, 2.0, 3.0]))
    >>> float(pymle.find_MLE(model).params["mu"])
    2.0
    """
    compiled = _compile(
        model,
        quick=True,
        objective="mle",
        fixed=fixed,
        parameters=parameters,
        random=random,
        potentials=potentials,
        n_starts=n_starts,
        method=method,
        backend=backend,
        random_seed=random_seed,
    )
    return compiled.fit(
        start=start, weights=weights, on_problem=on_problem, progressbar=progressbar
    )


def find_MAP(
    model: Any = None,
    *,
    start: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
    parameters: Sequence[str] | None = None,
    random: Sequence[str] | None = None,
    potentials: Mapping[str, str] | None = None,
    weights: Any = None,
    n_starts: int | str = "auto",
    method: str = "auto",
    backend: str = "auto",
    on_problem: str = "warn",
    progressbar: bool = True,
    random_seed: int | None = None,
    jacobian: bool = False,
) -> Fit:
    """Find the maximum a posteriori (MAP) point of a PyMC model.

    Maximises likelihood times priors on the natural scale (no Jacobian), as PyMC, Turing
    and Stan's ``jacobian=false`` do.

    Parameters
    ----------
    model, start, fixed, parameters, potentials, weights, n_starts, method, backend, \
on_problem, progressbar, random_seed
        As in `find_MLE`; a Potential counts as part of the posterior either way.
    random : sequence of str, optional
        ``[]`` treats every free variable as a parameter: PyMC's joint mode, random
        effects included.
    jacobian : bool
        Add the Jacobian of the working transforms: the mode on the unconstrained scale.

    Returns
    -------
    Fit
        With ``loglik`` and ``logposterior``; its standard errors come from the posterior
        curvature. AIC, BIC and p-values raise.

    Raises
    ------
    ModelError, DataError, PointError, NotCertifiedError
        As in `find_MLE`.
    """
    compiled = _compile(
        model,
        quick=True,
        objective="map",
        fixed=fixed,
        parameters=parameters,
        random=random,
        potentials=potentials,
        n_starts=n_starts,
        method=method,
        backend=backend,
        random_seed=random_seed,
        jacobian=jacobian,
    )
    return compiled.fit(
        start=start, weights=weights, on_problem=on_problem, progressbar=progressbar
    )


def compile(
    model: Any = None,
    *,
    objective: str = "mle",
    fixed: Mapping[str, Any] | None = None,
    parameters: Sequence[str] | None = None,
    random: Sequence[str] | None = None,
    potentials: Mapping[str, str] | None = None,
    n_starts: int | str = "auto",
    method: str = "auto",
    backend: str = "auto",
    random_seed: int | None = None,
    jacobian: bool = False,
) -> Compiled:
    """Compile a model's objective once, for many fits and evaluations.

    Parameters
    ----------
    model : pymc.Model, optional
        Default: the model of the open ``with`` block.
    objective : {"mle", "map"}
    fixed, parameters, random, potentials, n_starts, method, backend, random_seed, jacobian
        As in `find_MLE` and `find_MAP`.

    Returns
    -------
    Compiled
        ``.fit(data=..., start=...)``, ``.logp(point)``, ``.score(point)``,
        ``.hessian(point)``, ``.logp_per_observation(point)``.

    Raises
    ------
    ModelError, DataError, PointError
        As in `find_MLE`.
    """
    return _compile(
        model,
        quick=False,
        objective=objective,
        fixed=fixed,
        parameters=parameters,
        random=random,
        potentials=potentials,
        n_starts=n_starts,
        method=method,
        backend=backend,
        random_seed=random_seed,
        jacobian=jacobian,
    )


def _compile(
    model: Any,
    *,
    quick: bool,
    objective: str,
    fixed: Mapping[str, Any] | None,
    parameters: Sequence[str] | None,
    random: Sequence[str] | None,
    potentials: Mapping[str, str] | None,
    n_starts: int | str,
    method: str,
    backend: str,
    random_seed: int | None,
    jacobian: bool = False,
) -> Compiled:
    """Compile, with less effort (``quick``) where a single fit follows."""
    problem = make_problem(
        model,
        objective=objective,
        fixed=fixed,
        parameters=parameters,
        random=random,
        potentials=potentials,
        method=method,
        backend=backend,
        n_starts=n_starts,
        jacobian=jacobian,
    )
    settings = {
        "n_starts": n_starts,
        "method": method,
        "random_seed": 0 if random_seed is None else int(random_seed),
        "quick": quick,
    }
    return Compiled(problem, settings)


class Compiled(CompiledLikelihood):
    """A model compiled once: fits, and its objective as functions of natural points."""

    def fit(
        self,
        *,
        data: Mapping[str, Any] | None = None,
        start: Mapping[str, Any] | None = None,
        weights: Any = None,
        on_problem: str = "warn",
        progressbar: bool = True,
    ) -> Fit:
        """Fit, with new data if given, without compiling again.

        Parameters
        ----------
        data : mapping of str to array_like, optional
            New values of ``pm.Data`` (of any length) or of observed variables whose data
            the model captured (of the same shape).
        start, weights, on_problem, progressbar
            As in `find_MLE`.

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
        with report.progress(progressbar) as callback:
            estimate, problem = self.estimate(
                data=data, start=start, weights=weights, callback=callback
            )
        fit = Fit(estimate, problem)
        for notice in estimate.notices:
            warnings.warn(notice, Notice, stacklevel=3)
        if not estimate.verdict.ok:
            if on_problem == "raise":
                raise NotCertifiedError(str(estimate.verdict), fit)
            warnings.warn(str(estimate.verdict), NotCertifiedWarning, stacklevel=3)
        return fit
