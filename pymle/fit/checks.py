"""Residuals and influence."""

from __future__ import annotations

from typing import Any

from pymle.fit.core import Core
from pymle.inference.influence import Influence, influence


class Checks(Core):
    """How well a fit describes its data."""

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
        return influence(self._fitted, clusters)
