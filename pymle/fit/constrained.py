"""What constraints between the parameters did to a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pymle.fit.core import Core

if TYPE_CHECKING:
    pass


class Constrained(Core):
    """The constraints of a fit."""

    @property
    def constraints(self) -> pd.DataFrame:
        """The constraints, with what they leave and what they cost.

        Returns
        -------
        pandas.DataFrame
            One row per constraint: ``difference`` (left side minus right side, natural
            scale), ``binds`` (True for equations and for inequalities that hold with equality
            at the estimate) and ``multiplier``, the derivative of the maximum log-likelihood
            with respect to the right side (zero where it does not bind). Empty for a fit
            without constraints.

        Notes
        -----
        Standard errors of a fit under constraints come from the information of the Lagrangian
        along the constraints that bind, ``T (T' I T)^-1 T'`` [1]_: they are conditional on
        these, as if a binding inequality had been an equation. A multiplier near zero says
        that the constraint costs nothing.

        References
        ----------
        .. [1] Aitchison and Silvey (1958), Maximum-likelihood estimation of parameters subject
           to restraints. doi:10.1214/aoms/1177706538
        """
        from pymle.inference.constraints import constraint_table

        return constraint_table(self._estimate)
