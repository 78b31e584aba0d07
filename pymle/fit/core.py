"""What every fit has: the estimate, its verdict, criteria and points."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from pymle.errors import AnalysisError
from pymle.estimate import Estimate, FitRecord
from pymle.fitted import Fitted
from pymle.inference import Derived
from pymle.inference.quantity import estimated_or_predicted
from pymle.model import Problem
from pymle.verdict import Verdict


class Core:
    """The estimate behind a fit, and what is read off it.

    Parameters
    ----------
    fitted : Fitted
    """

    def __init__(self, fitted: Fitted) -> None:
        self._fitted = fitted

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
        """Number of observations; nan for a Potential alone.

        The sum of frequency weights; with sampling weights the rows with a positive one.
        """
        return self._estimate.nobs

    @property
    def integrated(self) -> str:
        """What was integrated out and how, in words; empty where nothing was."""
        effects = self._problem.effects
        if effects is None:
            return ""
        sizes = [
            f"{b.name} ({b.size}{', flat' if b.name in effects.flat else ''})"
            for b in effects.layout.blocks
        ]
        points = self._problem.quadrature or 1
        how = "Laplace's approximation"
        if points > 1:
            how = f"adaptive Gauss-Hermite quadrature with {points} points"
        return f"{', '.join(sizes)}, by {how}"

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
        return self._estimate.aic

    @property
    def aicc(self) -> float:
        """AIC with the small-sample term 2 k (k + 1) / (n - k - 1); infinite if n <= k + 1.

        Raises
        ------
        AnalysisError
            For a MAP fit, or without a number of observations.
        """
        self._only_mle("AICc")
        self._needs_nobs("AICc")
        return self._estimate.aicc

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k log(n) - 2 log-likelihood.

        Raises
        ------
        AnalysisError
            For a MAP fit, or without a number of observations.
        """
        self._only_mle("BIC")
        self._needs_nobs("BIC")
        return self._estimate.bic

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
        """Natural-scale point by variable name, usable as ``pm.sample(initvals=...)``.

        Random effects and missing values are at their conditional modes.
        """
        own = self._estimate.layout.to_point(self._estimate.natural)
        return {**own, **self._fitted.modes}

    @property
    def _estimate(self) -> Estimate:
        return self._fitted.estimate

    @property
    def _problem(self) -> Problem:
        return self._fitted.problem

    def _derived(self, names: Sequence[str]) -> list[Derived]:
        """Deterministics with their derivatives, computed once each."""
        for name in names:
            if name not in self._deterministics:
                found = estimated_or_predicted(self._fitted, name)
                self._deterministics[name] = found.at(self._estimate.x)
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
        if self._estimate.weights_kind == "sampling":
            raise AnalysisError.sampling_weights(what)

    def _needs_nobs(self, what: str) -> None:
        if not np.isfinite(self.nobs):
            raise AnalysisError.needs_nobs(what)
