"""The class Fit, which offers every analysis as a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pymle import report
from pymle.bind import point_function
from pymle.errors import AnalysisError
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
