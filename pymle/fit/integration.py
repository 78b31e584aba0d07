"""The integral over random effects, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymle.fit.core import Core

if TYPE_CHECKING:
    from pymle.inference.integration import IntegrationCheck


class Integration(Core):
    """How well random effects were integrated out."""

    def check_integration(
        self, draws: int = 1000, random_seed: int | None = None
    ) -> IntegrationCheck:
        """Measure the error of Laplace's approximation (or of quadrature) at the estimate.

        Parameters
        ----------
        draws : int
            Importance draws, for all independent blocks of random effects at once; at least
            100.
        random_seed : int, optional
            Results are reproducible without it too.

        Returns
        -------
        IntegrationCheck
            ``.text`` says whether it matters and what to do; ``.parameters`` how far each
            estimate would move, in standard errors; ``.blocks`` the error of each block's
            log-likelihood with its Monte Carlo standard error and Pareto k.

        Raises
        ------
        AnalysisError
            Nothing was integrated out, or too few draws.

        Notes
        -----
        The integral of each block is sampled with the normal law that has its conditional mode
        and curvature, or with a Student-t one where that has too light tails; weights whose
        Pareto k exceeds 0.7 have no usable mean. The shift of the estimates is one Newton step
        along the score of the better integral: fine Gauss-Hermite quadrature where blocks have
        up to three effects, importance sampling with the same draws at all parameter values
        otherwise. It says nothing about the shape of the likelihood far from the estimate.

        Costs ``draws`` evaluations of the joint log-density and about three compilations.

        References
        ----------
        Vehtari, Simpson, Gelman, Yao and Gabry (2024), Pareto smoothed importance sampling,
        JMLR 25(72). Pinheiro and Bates (1995), doi:10.1080/10618600.1995.10474663.
        """
        from pymle.inference.integration import check_integration

        return check_integration(self._fitted, draws, random_seed)
