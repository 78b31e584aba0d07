"""Random effects and missing values predicted after the fit: conditional modes and their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pymle.bind import point_function
from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.covariance import standard_errors
from pymle.inference.wald import limits_between
from pymle.objective import AtModes


@dataclass(frozen=True)
class RandomEffects:
    """Conditional modes of what was integrated out.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per entry, labelled by coords; columns ``mode``, ``se``, ``lower``, ``upper``
        and ``conditional_sd`` (the part of ``se`` that remains when the parameters are known).
        Natural scale.
    modes, se : mapping of str to xarray.DataArray
        The same by variable, with the model's dims and coords.
    level : float
        Coverage of the limits.
    """

    table: pd.DataFrame
    modes: Any
    se: Any
    level: float

    def __repr__(self) -> str:
        head = "Random effects: conditional modes, standard errors with those of the parameters"
        return f"{head}\n{self.table.to_string()}"

    def _repr_html_(self) -> str:
        return self.table.to_html()

    def plot(self, var_name: str | None = None, ax: Any = None) -> Any:
        """Caterpillar plot: modes in ascending order with their limits.

        Parameters
        ----------
        var_name : str, optional
            Which variable; by default the first.
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes
        """
        from pymle.plots.effects import caterpillar

        names = list(self.modes)
        name = names[0] if var_name is None else var_name
        if name not in names:
            raise AnalysisError.unknown_variable(name, names)
        rows = [i for i in self.table.index if i == name or i.startswith(f"{name}[")]
        part = self.table.loc[rows].sort_values("mode")
        return caterpillar(
            list(part.index),
            part["mode"].to_numpy(),
            part["lower"].to_numpy(),
            part["upper"].to_numpy(),
            title=f"{name}: conditional modes, {100 * self.level:g}% limits",
            ax=ax,
        )


def random_effects(fitted: Fitted, level: float) -> RandomEffects:
    """Predict random effects and missing values.

    Parameters
    ----------
    fitted : Fitted
    level : float
        Coverage of the limits, in (0, 1).

    Returns
    -------
    RandomEffects

    Raises
    ------
    AnalysisError
        A fit without random effects.

    Notes
    -----
    The variance of an effect is ``J_u H^-1 J_u' + J V J'``: what remains when the parameters are
    known, and what their uncertainty adds through the mode (Kass and Steffey 1989,
    doi:10.1080/01621459.1989.10478825; TMB's ``sdreport``). Limits are normal on the scale of
    the support.
    """
    problem, estimate = fitted.problem, fitted.estimate
    effects = problem.effects
    if effects is None:
        raise AnalysisError(
            "This fit has no random effects: nothing was integrated out (see `fit.roles`)."
        )
    names = effects.names
    lowered = problem.lowered_graphs([problem.variable(name) for name in names])
    function = AtModes(point_function(problem, lowered), fitted.marginal)
    value, jacobian = function.value_and_jacobian(estimate.x)
    conditional = function.conditional_variance(estimate.x)
    se = np.sqrt(conditional + standard_errors(estimate, jacobian) ** 2)
    low, high = effects.coordinates.flat_bounds(value)
    lower, upper, _ = limits_between(value, se, low, high, level)
    labels = [label for block in effects.layout.blocks for label in block.labels]
    table = pd.DataFrame(
        {
            "mode": value,
            "se": se,
            "lower": lower,
            "upper": upper,
            "conditional_sd": np.sqrt(conditional),
        },
        index=labels,
    )
    modes, errors = {}, {}
    for block in effects.layout.blocks:
        here = value[block.natural].reshape(block.shape)
        modes[block.name] = problem.labelled(block.name, here)
        errors[block.name] = problem.labelled(block.name, se[block.natural].reshape(block.shape))
    return RandomEffects(table, modes, errors, level)
