"""Average marginal effects of the columns of ``pm.Data``, and comparisons of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import erfc, sqrt
from typing import Any

import numpy as np
import pandas as pd

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.covariance import Covariance, estimate_covariance
from pymle.inference.derived import Derived, derived
from pymle.inference.prediction.levels import Levels, levels
from pymle.inference.prediction.targets import Target, targets
from pymle.model.layout import entry_labels
from pymle.model.predictive.columns import Column, columns_of, find_column, predictors, row_axis
from pymle.model.predictive.newdata import NewData
from pymle.objective import PointFunction
from pymle.objective.changes import averaged, slopes
from pymle.objective.levels import AtLevels

_HOW = ("auto", "derivative", "discrete", "unit")


@dataclass(frozen=True)
class Effects:
    """Effects on predictions, one row each.

    Attributes
    ----------
    table : pandas.DataFrame
        Columns ``change`` (what was done to the data), ``estimate``, ``se``, ``z``, ``p``,
        ``lower``, ``upper``; without ``z`` and ``p`` for a MAP fit. On the scale of the outcome.
    of : str
        The observed variable or Deterministic.
    at : str
        Over which rows.
    level : float
    text : str
        What standard errors and limits rest on.
    """

    table: pd.DataFrame
    of: str
    at: str
    level: float
    text: str
    _jacobian: np.ndarray = field(repr=False)
    _covariance: Covariance = field(repr=False)
    _conditional: np.ndarray | None = field(default=None, repr=False)

    @property
    def covariance(self) -> pd.DataFrame:
        """Delta-method covariance of the effects, labelled."""
        matrix = self._covariance.of(self._jacobian)
        if self._conditional is not None:
            matrix = matrix + self._conditional
        return pd.DataFrame(matrix, index=self.table.index, columns=self.table.index)

    def __repr__(self) -> str:
        return f"{self._title()}\n\n{self.table.to_string()}\n\nnote: {self.text}"

    def _repr_html_(self) -> str:
        import html

        title, text = html.escape(self._title()), html.escape(self.text)
        return (
            f"<div><strong>{title}</strong>{self.table.to_html()}<p><small>{text}</small></p></div>"
        )

    def _title(self) -> str:
        return f"Effects on {self.of} ({self.at}), {100 * self.level:g}% limits"


def effects(
    fitted: Fitted,
    column: str | Sequence[str] | None = None,
    *,
    of: str | None = None,
    at: str = "overall",
    how: str = "auto",
    groups: str | Mapping[str, str] | None = None,
    level: float = 0.95,
    cov: Any = None,
    clusters: Any = None,
) -> Effects:
    """Average marginal effects.

    Parameters
    ----------
    fitted : Fitted
    column, of, at, how, groups, level, cov, clusters
        As in `Fit.effects`.

    Returns
    -------
    Effects
    """
    _check(level, at=(at, ("overall", "mean")), how=(how, _HOW))
    covariance = estimate_covariance(fitted, cov, clusters=clusters)
    problem = fitted.problem
    base = NewData(problem, _means(fitted) if at == "mean" else None)
    choice = levels(fitted, groups, "kept")
    average = _Average(fitted, base, _sole(fitted, of), choice)
    rows: list[_Row] = []
    exact: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for each in _columns(fitted, column, average):
        now = each.of(_array(problem, each.name))
        kind = _kind(now, how, each.label, numeric=column is not None)
        if kind is None:
            continue
        if kind == "derivative":
            if each.name not in exact:
                exact[each.name] = average.slopes(each)
            value, jacobian = (part[..., each.flat, :] for part in exact[each.name])
            rows.append(_Row(each.label, "d/dx", value[..., 0], jacobian))
            continue
        start = _array(base.problem, each.name)
        low = each.set(start, 0 if kind == "discrete" else each.of(start))
        high = each.set(start, 1 if kind == "discrete" else each.of(start) + 1)
        upper, lower = (average.at({each.name: data}) for data in (high, low))
        change = "0 -> 1" if kind == "discrete" else "+1"
        rows.append(_Row(each.label, change, upper[0] - lower[0], upper[1] - lower[1]))
    return _effects(fitted, rows, average, at, level, covariance)


def comparisons(
    fitted: Fitted,
    data: Mapping[str, Any],
    baseline: Mapping[str, Any] | None = None,
    *,
    of: str | None = None,
    comparison: str = "difference",
    groups: str | Mapping[str, str] | None = None,
    average: bool = True,
    level: float = 0.95,
    cov: Any = None,
    clusters: Any = None,
) -> Effects:
    """Predictions at one set of data against those at another.

    Parameters
    ----------
    fitted : Fitted
    data, baseline, of, comparison, groups, level, cov, clusters
        As in `Fit.avg_comparisons`.
    average : bool
        Compare averages over the rows; otherwise row by row.

    Returns
    -------
    Effects
    """
    _check(level, comparison=(comparison, ("difference", "ratio", "lnratio", "lift")))
    covariance = estimate_covariance(fitted, cov, clusters=clusters)
    name = _sole(fitted, of)
    choice = levels(fitted, groups, "kept")
    sides = [
        _Average(fitted, NewData(fitted.problem, each), name, choice, average=average)
        for each in (data, baseline)
    ]
    (v1, j1), (v0, j0) = (side.at({}) for side in sides)
    if v1.shape != v0.shape:
        raise AnalysisError.argument(
            "data", v1.shape, f"as many rows as the baseline, {v0.shape}, or averages"
        )
    low = -np.inf
    if comparison == "difference":
        value, jacobian = v1 - v0, j1 - j0
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = v1 / v0
            jacobian = (j1 - value[..., None] * j0) / v0[..., None]
            low = 0.0
            if comparison == "lnratio":
                jacobian, low = jacobian / value[..., None], -np.inf
                value = np.log(value)
            elif comparison == "lift":
                value, low = value - 1.0, -1.0
    rows = [_Row("", comparison, value, jacobian, low)]
    what = "average over rows" if average else "by row"
    return _effects(fitted, rows, sides[0], what, level, covariance)


@dataclass(frozen=True)
class _Row:
    """An effect for every entry of the outcome that is not averaged over."""

    label: str
    change: str
    value: np.ndarray
    jacobian: np.ndarray
    low: float = -np.inf


class _Average:
    """The average of a target over its rows as a function of the point and of the data."""

    def __init__(
        self, fitted: Fitted, new: NewData, name: str, choice: Levels, *, average: bool = True
    ) -> None:
        [self.target] = targets(fitted, new, [name], choice)
        if self.target.graph is None:
            raise AnalysisError.no_mean(name)
        self.new = new
        self._x = fitted.estimate.x
        self._lowered = new.lowered([self.target.graph])
        shape = self.target.shape
        self.axes = _row_axes(fitted, self.target) if average and shape else ()
        self.shape = tuple(n for i, n in enumerate(shape) if i not in self.axes)
        self.dims = tuple(d for i, d in enumerate(self.target.dims) if i not in self.axes)
        weights = _row_weights(fitted, self.target, self.axes)
        self._call = averaged(self._lowered.call, weights, self.axes)
        self._programs: dict[str, Any] = {}
        self._choice = choice
        #: What was done about random effects, in words.
        self.about = choice.text
        self._inner = fitted.problem.effects.size if fitted.problem.effects else 0

    @property
    def data_names(self) -> set[str]:
        """Data that the target is computed from."""
        return {item.name for item in self._lowered.data if item.name}

    def at(self, changes: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Value (*shape) with some data replaced; derivative (*shape, k + d).

        The first k are total derivatives by the parameters, the others those by the random
        effects at their modes.
        """
        return self._evaluated(self._call, self._programs, changes, self.shape)

    def slopes(self, column: Column) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives by the columns of a data array: (*shape, columns, 1), (..., k)."""
        names = [item.name for item in self._lowered.data]
        position = names.index(column.name)
        array = self._lowered.data[position].value
        call = slopes(self._call, position, column.row_axis, self._lowered.route)
        count = int(np.prod([n for i, n in enumerate(array.shape) if i != column.row_axis]))
        value, jacobian = self._evaluated(call, {}, {}, (*self.shape, count))
        return value[..., None], jacobian

    def _evaluated(
        self,
        call: Any,
        programs: dict[str, Any],
        changes: Mapping[str, np.ndarray],
        shape: tuple[int, ...],
    ) -> tuple[np.ndarray, np.ndarray]:
        problem = self.new.problem
        data = [
            np.asarray(changes.get(item.name or "", now)).astype(item.symbol.dtype)
            for item, now in zip(self._lowered.data, problem.arguments(self._lowered), strict=True)
        ]
        function = self._function(call, programs, data)
        value, jacobian = function.value_and_jacobian(self._x)
        through = np.zeros((len(value), self._inner))
        if isinstance(function, AtLevels):
            through = function.through(self._x)
        wide = np.concatenate([jacobian, through], axis=1)
        return value.reshape(shape), wide.reshape((*shape, -1))

    def _function(self, call: Any, programs: dict[str, Any], data: list[np.ndarray]) -> Any:
        problem, lowered = self.new.problem, self._lowered
        if problem.effects is not None:
            return self._choice.bound(problem, [self.target.graph], call, data, lowered)
        return PointFunction(
            call,
            held=problem.coordinates.held_vector,
            data=data,
            route=lowered.route,
            programs=programs,
        )


def _effects(
    fitted: Fitted,
    rows: Sequence[_Row],
    average: _Average,
    at: str,
    level: float,
    covariance: Covariance,
) -> Effects:
    name = average.target.name
    inner = entry_labels(name, average.shape, average.dims, average.new.coords)
    labels, changes = [], []
    for row in rows:
        own = [row.label] if not average.shape and row.label else list(inner)
        labels += [f"{row.label}: {o}" if row.label and average.shape else o for o in own]
        changes += [row.change] * len(own)
    k = len(fitted.estimate.x)
    value = np.concatenate([np.ravel(row.value) for row in rows])
    wide = np.concatenate([np.reshape(row.jacobian, (np.size(row.value), -1)) for row in rows])
    jacobian, through = wide[:, :k], wide[:, k:]
    conditional = np.zeros((len(value), len(value)))
    if np.any(through):
        conditional = fitted.marginal.conditional_covariance(fitted.estimate.x, through)
    low = np.concatenate([np.full(np.size(row.value), row.low) for row in rows])
    item = Derived(
        name, tuple(labels), value, jacobian, low, np.inf, conditional=np.diag(conditional)
    )
    limits = derived(fitted.estimate, [item], level, covariance)
    table = pd.DataFrame({"change": changes, "estimate": value, "se": limits.se}, index=labels)
    if fitted.estimate.objective == "mle":
        null = np.where([c == "ratio" for c in changes], 1.0, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            table["z"] = np.where(limits.se > 0, (value - null) / limits.se, np.nan)
        table["p"] = [erfc(abs(z) / sqrt(2.0)) for z in table["z"]]
    table["lower"], table["upper"] = limits.lower, limits.upper
    text = f"se by the delta method from the {covariance.text}"
    if average.about:
        text += f"; random effects: {average.about}"
    return Effects(table, name, at, level, text, jacobian, covariance, conditional)


def _check(level: float, **choices: tuple[str, Sequence[str]]) -> None:
    if not 0.0 < level < 1.0:
        raise AnalysisError.argument("level", level, "a number between 0 and 1")
    for name, (seen, allowed) in choices.items():
        if seen not in allowed:
            listed = ", ".join(f'"{each}"' for each in allowed)
            raise AnalysisError.argument(name, seen, f"one of {listed}")


def _sole(fitted: Fitted, of: str | None) -> str:
    if of is not None:
        return of
    observed = [rv.name for rv in fitted.problem.model.observed_RVs]
    if len(observed) != 1:
        raise AnalysisError.argument(
            "of", of, f"the name of one of several observed variables: {', '.join(observed)}"
        )
    return observed[0]


def _array(problem: Any, name: str) -> np.ndarray:
    return np.asarray(problem.given.get(name, problem.model[name].get_value()))


def _columns(fitted: Fitted, column: str | Sequence[str] | None, average: _Average) -> list[Column]:
    problem = fitted.problem
    if not predictors(problem):
        raise AnalysisError.no_data_columns()
    if column is None:
        names = [n for n in predictors(problem) if n in average.data_names]
        return [c for n in names for c in columns_of(problem, n)]
    asked = [column] if isinstance(column, str) else list(column)
    out: list[Column] = []
    for label in asked:
        whole = label in predictors(problem)
        out += columns_of(problem, label) if whole else [find_column(problem, label)]
    for each in out:
        if each.name not in average.data_names:
            raise AnalysisError.no_effect(average.target.name, each.label)
    return out


def _kind(values: np.ndarray, how: str, label: str, *, numeric: bool) -> str | None:
    """What to do to a column; None for a constant one that was not asked for."""
    values = np.asarray(values)
    binary = bool(np.all((values == 0) | (values == 1)))
    whole = values.dtype.kind in "iub"
    if not numeric and (np.all(values == values.flat[0]) or (whole and not binary)):
        return None  # an intercept, or an index into groups
    if how != "auto":
        if how == "derivative" and whole:
            raise AnalysisError.argument(
                "how", how, f'"discrete" or "unit" for `{label}`, which holds whole numbers'
            )
        return how
    constant = bool(np.all(values == values.flat[0]))
    if binary and (whole or not constant):
        return "discrete"
    return "unit" if whole else "derivative"


def _means(fitted: Fitted) -> dict[str, np.ndarray]:
    """Every predictor at its mean over the rows."""
    problem = fitted.problem
    out = {}
    for name in predictors(problem):
        array, axis = _array(problem, name), row_axis(problem, name)
        if axis is None:
            continue
        weights = _weights_for(fitted, array.shape[axis])
        mean = np.average(array, axis=axis, weights=weights)
        if array.dtype.kind in "iub" and np.any(mean != np.round(mean)):
            raise AnalysisError.no_mean_data(name)
        out[name] = np.broadcast_to(np.expand_dims(mean, axis), array.shape)
    return out


def _row_axes(fitted: Fitted, target: Target) -> tuple[int, ...]:
    problem = fitted.problem
    dims = set()
    for name in predictors(problem):
        axis = row_axis(problem, name)
        if axis is not None:
            dims.add(problem.dims_of(name, axis + 1)[axis])
    axes = [i for i, dim in enumerate(target.dims) if dim and dim in dims]
    return tuple(axes[:1]) or (0,)


def _row_weights(fitted: Fitted, target: Target, axes: tuple[int, ...]) -> np.ndarray:
    """Shares of the rows in an average, shaped to multiply the target."""
    if not axes:
        return np.ones(())
    [axis] = axes
    length = target.shape[axis]
    weights = _weights_for(fitted, length)
    share = np.full(length, 1.0 / length) if weights is None else weights / weights.sum()
    return share.reshape([-1 if i == axis else 1 for i in range(len(target.shape))])


def _weights_for(fitted: Fitted, length: int) -> np.ndarray | None:
    """Weights of the fit with one entry for each row; None where there are none."""
    for weights in fitted.weights or ():
        if weights.shape == (length,):
            return weights
    return None
