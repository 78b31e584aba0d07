"""Random effects and missing values predicted after the fit: conditional modes and their errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pymle.bind import point_function
from pymle.errors import AnalysisError
from pymle.estimate import Estimate
from pymle.fitted import Fitted
from pymle.inference.covariance import Covariance, estimate_covariance, standard_errors
from pymle.inference.derived import Derived
from pymle.inference.wald import limits_between
from pymle.objective import AtModes
from pymle.verdict import Status

#: Terms of each group that have a panel of their own.
_PANELS = 6


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
        ax : matplotlib Axes, or a sequence of them, optional
            One for each term where a variable has several effects for each group.

        Returns
        -------
        matplotlib Axes or numpy.ndarray of Axes, shape (terms,)
            A variable with two axes, of which the second has at most six entries (the
            intercept and the slope of each group), has a panel for each of these; groups are in
            the order of the first.
        """
        from pymle.plots.effects import caterpillar, caterpillars

        names = list(self.modes)
        name = names[0] if var_name is None else var_name
        if name not in names:
            raise AnalysisError.unknown_variable(name, names)
        rows = [i for i in self.table.index if i == name or i.startswith(f"{name}[")]
        title = f"{name}: conditional modes, {100 * self.level:g}% limits"
        array = self.modes[name]
        if array.ndim == 2 and len(array) > 1 and 1 < array.shape[1] <= _PANELS:
            numbers = [self.table.loc[rows, c].to_numpy() for c in ("mode", "lower", "upper")]
            middle, lower, upper = (n.reshape(array.shape) for n in numbers)
            return caterpillars(
                _along(array, 0), _along(array, 1), middle, lower, upper, title=title, axes=ax
            )
        part = self.table.loc[rows].sort_values("mode")
        # The name stands in the title.
        labels = [i if i == name else i[len(name) + 1 : -1] for i in part.index]
        return caterpillar(
            labels,
            part["mode"].to_numpy(),
            part["lower"].to_numpy(),
            part["upper"].to_numpy(),
            title=title,
            ax=ax,
        )


def _along(array: Any, axis: int) -> list[str]:
    """Labels along an axis of a labelled array."""
    dim = array.dims[axis]
    known = array.coords[dim].values if dim in array.coords else range(array.shape[axis])
    return [str(each) for each in known]


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
    effects = fitted.problem.effects
    if effects is None:
        raise AnalysisError(
            "This fit has no random effects: nothing was integrated out (see `fit.roles`)."
        )
    shapes = {block.name: block.shape for block in effects.layout.blocks}
    items = predicted_effects(fitted)
    sampling = fitted.estimate.weights_kind == "sampling"
    covariance = estimate_covariance(fitted) if sampling else None
    return effects_table(fitted.estimate, items, shapes, fitted.problem.labelled, level, covariance)


def predicted_effects(fitted: Fitted) -> tuple[Derived, ...]:
    """Random effects and missing values at their modes, with what their errors are made of.

    Parameters
    ----------
    fitted : Fitted

    Returns
    -------
    tuple of Derived
        One for each variable; none without random effects.
    """
    problem, x = fitted.problem, fitted.estimate.x
    effects = problem.effects
    if effects is None:
        return ()
    lowered = problem.lowered_graphs([problem.variable(name) for name in effects.names])
    function = AtModes(point_function(problem, lowered), fitted.marginal)
    value, jacobian = function.value_and_jacobian(x)
    conditional = function.conditional_variance(x)
    low, high = effects.coordinates.flat_bounds(value)
    return tuple(
        Derived(
            block.name,
            block.labels,
            value[block.natural],
            jacobian[block.natural],
            low[block.natural],
            high[block.natural],
            conditional=conditional[block.natural],
        )
        for block in effects.layout.blocks
    )


def effects_table(
    estimate: Estimate,
    items: Sequence[Derived],
    shapes: Mapping[str, tuple[int, ...]],
    labelled: Callable[[str, np.ndarray], Any],
    level: float,
    covariance: Covariance | None = None,
) -> RandomEffects:
    """Predicted effects with standard errors and limits.

    Parameters
    ----------
    estimate : Estimate
    items : sequence of Derived
        As `predicted_effects` gives them.
    shapes : mapping of str to tuple of int
    labelled : callable
        Gives an array the dims and coords of a variable.
    level : float
    covariance : Covariance, optional
        On which tables rest; by default that of the observed information.

    Returns
    -------
    RandomEffects
    """
    value = np.concatenate([item.value for item in items])
    conditional = np.concatenate([np.asarray(item.conditional) for item in items])
    jacobian = np.concatenate([item.jacobian for item in items])
    # As the other parameters' errors, those of effects are conditional on a parameter at an edge.
    held = None if estimate.tails is None else estimate.null_space
    if held is not None and estimate.verdict.status in {Status.BOUNDARY, Status.NO_MAXIMUM}:
        basis = np.linalg.qr(held)[0]
        jacobian = jacobian - (jacobian @ basis) @ basis.T
    se = np.sqrt(conditional + standard_errors(estimate, jacobian, covariance) ** 2)
    low, high = (np.concatenate([getattr(i, side) for i in items]) for side in ("low", "high"))
    lower, upper, _ = limits_between(value, se, low, high, level)
    table = pd.DataFrame(
        {
            "mode": value,
            "se": se,
            "lower": lower,
            "upper": upper,
            "conditional_sd": np.sqrt(conditional),
        },
        index=[label for item in items for label in item.labels],
    )
    modes, errors = {}, {}
    ends = np.cumsum([len(item.labels) for item in items])[:-1]
    for item, own in zip(items, np.split(se, ends), strict=True):
        shape = shapes[item.name]
        modes[item.name] = labelled(item.name, item.value.reshape(shape))
        errors[item.name] = labelled(item.name, own.reshape(shape))
    return RandomEffects(table, modes, errors, level)
