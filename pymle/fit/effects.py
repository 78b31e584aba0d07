"""Random effects of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymle.errors import AnalysisError
from pymle.fit.core import Core

if TYPE_CHECKING:
    from pymle.inference.effects import RandomEffects


class Effects(Core):
    """What was integrated out, predicted."""

    def random_effects(self, level: float = 0.95) -> RandomEffects:
        """Conditional modes of random effects and missing values, with standard errors.

        Parameters
        ----------
        level : float
            Coverage of the limits, in (0, 1).

        Returns
        -------
        RandomEffects
            ``.table`` (labelled rows: mode, se, limits), ``.modes`` and ``.se`` by variable
            with dims and coords, ``.plot()``. Natural scale.

        Raises
        ------
        AnalysisError
            A fit in which nothing was integrated out, or a level outside (0, 1).

        Notes
        -----
        The standard errors contain those of the parameters (Kass and Steffey 1989,
        doi:10.1080/01621459.1989.10478825), as TMB's ``sdreport`` gives them. They are nan
        where the parameters have none.
        """
        from pymle.inference.effects import random_effects

        if not 0.0 < level < 1.0:
            raise AnalysisError.argument("level", level, "a number between 0 and 1")
        return random_effects(self._fitted, level)
