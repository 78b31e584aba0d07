"""What is read off an estimate alone: verdict, log-likelihood, criteria."""

from __future__ import annotations

import numpy as np

from pymle.errors import AnalysisError
from pymle.estimate import Estimate, FitRecord
from pymle.verdict import Verdict


class Readings:
    """Readings of an estimate, with the model behind it or without."""

    @property
    def _estimate(self) -> Estimate:
        raise NotImplementedError

    @property
    def estimate(self) -> Estimate:
        """The frozen record that every analysis is a function of."""
        return self._estimate

    @property
    def objective(self) -> str:
        """``mle`` or ``map``."""
        return self._estimate.objective

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
    def nparams(self) -> int:
        """Number of free parameters (a simplex of four counts three).

        Those that a restricted likelihood integrates under a flat measure (`reml=`) count, as in
        lme4's and nlme's ``logLik``; `bic` takes the number of rows for n, as lme4 does.
        """
        return self._estimate.nparams

    @property
    def aic(self) -> float:
        """Akaike's information criterion, 2 k - 2 log-likelihood.

        Raises
        ------
        AnalysisError
            For a MAP fit, or where the likelihood grows without bound.
        """
        self._only_mle("AIC")
        return self._estimate.aic

    @property
    def aicc(self) -> float:
        """AIC with the small-sample term 2 k (k + 1) / (n - k - 1); infinite if n <= k + 1.

        Raises
        ------
        AnalysisError
            For a MAP fit, without a number of observations, or where the likelihood grows without
            bound.
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
            For a MAP fit, without a number of observations, or where the likelihood grows without
            bound.
        """
        self._only_mle("BIC")
        self._needs_nobs("BIC")
        return self._estimate.bic

    def _only_mle(self, what: str) -> None:
        if self._estimate.objective != "mle":
            raise AnalysisError.needs_mle(what)
        if self._estimate.weights_kind == "sampling":
            raise AnalysisError.sampling_weights(what)
        if self._estimate.verdict.unbounded:
            raise AnalysisError.unbounded(what)

    def _needs_nobs(self, what: str) -> None:
        if not np.isfinite(self.nobs):
            raise AnalysisError.needs_nobs(what)
