"""Residuals and influence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pymle.fit.core import Core

if TYPE_CHECKING:
    from pymle.inference.influence import Influence
    from pymle.inference.residuals import Residuals


class Checks(Core):
    """How well a fit describes its data."""

    def residuals(
        self,
        kind: str = "quantile",
        n: int = 250,
        random_seed: Any = None,
        *,
        var_names: Sequence[str] | str | None = None,
        method: str = "auto",
        groups: str | Mapping[str, str] | None = None,
    ) -> Residuals:
        """Residuals of the observed variables at the estimate.

        Parameters
        ----------
        kind : {"quantile", "response", "pearson"}
            Randomised quantile residuals, standard normal for a model that is right; observed
            less mean; the same over the standard deviation.
        n : int
            Number of data sets to simulate where a closed form is missing.
        random_seed : int, sequence of int, SeedSequence, numpy.random.Generator or None
            For the randomisation of discrete data and for the simulation.
        var_names : sequence of str or str, optional
            Observed variables; all by default.
        method : {"auto", "simulated"}
            ``simulated`` takes quantile residuals of all variables from simulated data.
        groups : {"kept", "new", "typical"} or mapping of str to str, optional
            What random effects are, as in `predict`. By default response and Pearson residuals
            are taken from means at the conditional modes (``kept``, as in lme4), and quantile
            residuals against data simulated with ``new`` effects (as in DHARMa).

        Returns
        -------
        Residuals
            ``.table`` (pandas: ``residual``, ``fitted``, ``observed``), ``.to_xarray()`` with the
            model's dims and coords, ``.how`` (how they were found), ``.plot()`` (quantile plot
            and residuals against means), ``.summary()``.

        Raises
        ------
        AnalysisError
            Data that cannot be simulated and have no distribution function; means of categories.

        Notes
        -----
        A quantile residual is the standard normal quantile of the probability that the fitted
        model gives to values up to the observed one; where a single value has a
        probability (counts, zero-inflation, censoring) a uniform draw over that mass, so two
        seeds give two sets. ``.how`` says what they rest on: ``exact``, the distribution
        function of PyMC; ``one step ahead`` for autoregressions and random walks, each entry
        given those before it; ``given the entries before`` for multivariate normal vectors
        (Gaussian processes), which depend on the order; ``simulated``, the place among ``n``
        simulated values, which for dependent data are marginal: right one by one, but
        dependent on each other. An outcome that depends on another observed variable is
        taken given the observed values of that, simulated ones apart. Categories count in the
        order of their numbers. The estimate is treated as known, so residuals of small data sets
        vary a little less than standard normal ones.

        With random effects quantile residuals are simulated ones. With ``new`` effects they judge
        the whole model, and are dependent within groups; at the modes (``kept``) they are
        too small, because the modes have been fitted to the same data.

        References
        ----------
        Dunn and Smyth (1996), section 2, doi:10.2307/1390802. Hartig, DHARMa:
        residual diagnostics for hierarchical regression models (R package).
        """
        from pymle.inference.residuals import residuals

        names = [var_names] if isinstance(var_names, str) else var_names
        return residuals(
            self._fitted,
            kind,
            n=n,
            random_seed=random_seed,
            var_names=names,
            method=method,
            groups=groups,
        )

    def influence(self, clusters: Any = None) -> Influence:
        """What deleting each independent unit would change, to one Newton step.

        Parameters
        ----------
        clusters : optional
            As in `covariance`, one way: whole clusters are deleted. By default the units
            that the model shows (`units`).

        Returns
        -------
        Influence
            ``.table`` (Cook's distance, likelihood displacement, leverage, dfbetas, by
            unit), ``.changes`` (change of each estimate), ``.largest(n)``, ``.plot()``.

        Raises
        ------
        AnalysisError
            Dependent data (one joint log-density), Potentials in the likelihood, MAP fits,
            a fit that is no strict maximum.

        Notes
        -----
        The step uses the information without the unit, second derivatives of every
        observation included, where there is room for them; otherwise the information of
        all. For generalized linear models with canonical links, and for linear models with
        a known variance, it is the one-step deletion of Pregibon (1981), as in statsmodels'
        ``get_influence``; for a linear model with unknown variance the joint step differs
        from it a little. ``dfbetas`` are divided by the standard errors of the whole fit.
        One step understates a unit that the fit follows closely: refit without it
        (``weights=``) where it matters. Costs k Hessians at most.

        References
        ----------
        Cook (1986), section 2, doi:10.1111/j.2517-6161.1986.tb01398.x. Pregibon (1981),
        section 3, doi:10.1214/aos/1176345513. Cook (1977), doi:10.1080/00401706.1977.10489493.
        """
        from pymle.inference.influence import influence

        return influence(self._fitted, clusters)
