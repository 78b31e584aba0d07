"""Columns of ``pm.Data``: the axis of the rows, labels, and arrays with one column changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.errors import DataError
from pymle.model.layout import entry_labels
from pymle.model.problem import Problem
from pymle.model.text.expressions import entry_index


@dataclass(frozen=True)
class Column:
    """One column of a ``pm.Data``: all its rows at one position of the other axes.

    Attributes
    ----------
    name : str
        The data.
    label : str
        Such as ``X[x1]``; the name alone for data of one axis.
    row_axis : int or None
        None for data without rows (a single number).
    position : tuple of int
        Along the other axes.
    flat : int
        The same, counted through in C order.
    """

    name: str
    label: str
    row_axis: int | None
    position: tuple[int, ...]
    flat: int

    def index(self) -> tuple[Any, ...]:
        """What selects the column from the whole array."""
        out: list[Any] = list(self.position)
        if self.row_axis is not None:
            out.insert(self.row_axis, slice(None))
        return tuple(out)

    def of(self, array: np.ndarray) -> np.ndarray:
        """The column of an array."""
        return array[self.index()]

    def set(self, array: np.ndarray, value: Any) -> np.ndarray:
        """A copy of an array with another column.

        Raises
        ------
        DataError
            The length is another one.
        """
        value = np.asarray(value)
        if value.shape not in ((), self.of(array).shape):
            raise DataError.lengths_differ(self.label, self.of(array).shape[0], value.size)
        # A share in a column of whole numbers must not be cut to one.
        kind = np.result_type(array, value)
        out = np.array(array, dtype=kind)
        out[self.index()] = value
        return out


def columns_of(problem: Problem, name: str) -> list[Column]:
    """All columns of a ``pm.Data``, in C order.

    Parameters
    ----------
    problem : Problem
    name : str

    Returns
    -------
    list of Column
    """
    shape = np.shape(problem.given.get(name, problem.model[name].get_value()))
    axis = row_axis(problem, name)
    if axis is None:
        return [Column(name, name, None, (), 0)]
    rest = [length for i, length in enumerate(shape) if i != axis]
    dims = [d for i, d in enumerate(problem.dims_of(name, len(shape))) if i != axis]
    labels = entry_labels(name, rest, dims, problem.layout.coords)
    return [
        Column(name, label, axis, tuple(int(i) for i in position), flat)
        for flat, (label, position) in enumerate(zip(labels, np.ndindex(*rest), strict=True))
    ]


def row_axis(problem: Problem, name: str) -> int | None:
    """Axis of the observations in a ``pm.Data``: that of an observed variable's dim, or the first.

    Parameters
    ----------
    problem : Problem
    name : str

    Returns
    -------
    int or None
        None for a single number.
    """
    ndim = np.ndim(problem.given.get(name, problem.model[name].get_value()))
    if ndim == 0:
        return None
    observed = {d for rv in problem.model.observed_RVs for d in problem.dims_of(rv.name, rv.ndim)}
    for axis, dim in enumerate(problem.dims_of(name, ndim)):
        if dim and dim in observed:
            return axis
    return 0


def predictors(problem: Problem) -> list[str]:
    """Names of the ``pm.Data`` that hold no observations."""
    model = problem.model
    outcomes = {model.rvs_to_values[rv] for rv in model.observed_RVs}
    return [v.name for v in model.data_vars if v not in outcomes]


def find_column(problem: Problem, label: str) -> Column:
    """The column that a label such as ``X[x1]`` names.

    Parameters
    ----------
    problem : Problem
    label : str

    Returns
    -------
    Column

    Raises
    ------
    DataError
        No column is called so; the nearest is suggested.
    """
    columns = [c for name in predictors(problem) for c in columns_of(problem, name)]
    names = [c.label for c in columns]
    if label in names:
        return columns[names.index(label)]
    by_name = {name: columns_of(problem, name) for name in predictors(problem)}
    place = entry_index(label, by_name, lambda name: tuple(c.label for c in by_name[name]))
    if place is None or place[1] is None:
        raise DataError.unknown(label, names)
    return by_name[place[0]][place[1]]
