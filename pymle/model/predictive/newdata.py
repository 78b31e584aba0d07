"""A problem at new predictors, its outcomes unknown: what ``pm.set_data`` does, on a copy.

The model is left as it is. Data that only hold observed outcomes need not be given: they get
placeholders of the new length, which no prediction reads.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
import xarray as xr

from pymle.errors import AnalysisError, DataError
from pymle.model import checks, compat, walks
from pymle.model.density import replace_random
from pymle.model.layout import entry_labels, label_array
from pymle.model.lower import Lowered
from pymle.model.predictive.columns import find_column
from pymle.model.predictive.labelled import plain_variable
from pymle.model.predictive.moments import moments_of
from pymle.model.predictive.simulate import Simulator, values_read
from pymle.model.problem import Problem


@dataclass(frozen=True)
class Mean:
    """The conditional mean of an observed variable as a graph.

    Attributes
    ----------
    graph : Variable
        Of the full shape.
    variance : Variable or None
        The same shape.
    low, high : float or Variable
        Range of the mean.
    shape : tuple of int
    dims : tuple of (str or None)
    categories : bool
        Probabilities of categories, on the last axis.
    normal : bool
        The variable is normally distributed.
    """

    graph: Any
    variance: Any | None
    low: Any
    high: Any
    shape: tuple[int, ...]
    dims: tuple[str | None, ...]
    categories: bool
    normal: bool


class NewData:
    """A problem whose ``pm.Data`` hold other values, possibly more or fewer rows.

    Parameters
    ----------
    problem : Problem
        At the data of the fit.
    data : mapping of str to array_like, optional
        New values of ``pm.Data``. xarray and pandas objects bring their labels.

    Attributes
    ----------
    problem : Problem
        For `Problem.lowered_graphs` and `Simulator`, at the new data.
    coords : dict of str to tuple
        Labels of the dims at the new data.

    Raises
    ------
    DataError
        Unknown names, wrong dimensions, or data that are needed and not given.
    """

    def __init__(self, problem: Problem, data: Mapping[str, Any] | None = None) -> None:
        self._model = problem.model
        self._own = problem
        self.coords = dict(problem.layout.coords)
        self._by_dim: dict[str, int] = {}
        self._by_length: dict[int, dict[int, int]] = {}
        self._missing: set[str] = set()
        given = data is not None and len(data) > 0  # a data frame has no truth value
        self.problem = self._changed(dict(data)) if given else problem

    @property
    def changed(self) -> bool:
        """Whether anything has another length than in the fit."""
        return bool(self._by_dim or self._by_length)

    def simulator(
        self,
        names: Sequence[str] | None = None,
        *,
        kept: Sequence[str] = (),
        given: Sequence[str] = (),
    ) -> Simulator:
        """Draws of observed variables at the new data; ``kept``, ``given`` as `Simulator`."""
        observed = [rv.name for rv in self._model.observed_RVs] if names is None else list(names)
        sizes = {n: self.shape_of(n) for n in observed} if self.changed else {}
        for name in observed:
            # Other observed variables are drawn; data with a placeholder are not known.
            read = values_read([self._model[name]])
            for missing in self._missing:
                if self._model[missing] in read:
                    raise DataError.needed(missing, name)
        try:
            return Simulator(self.problem, observed, sizes, kept, given)
        except (NotImplementedError, TypeError, ValueError) as error:
            raise AnalysisError.cannot_simulate(observed, error) from error

    def held_beside(self, name: str) -> list[str]:
        """Observed variables whose values are known at the new data, another one apart."""
        model = self._model
        return [
            rv.name
            for rv in model.observed_RVs
            if rv.name != name and model.rvs_to_values[rv].name not in self._missing
        ]

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Shape of an observed variable at the new data."""
        value = self._model.rvs_to_values[self._model[name]]
        with self._own._swapped():
            old = walks.evaluate([compat.as_tensor(value)])[0].shape
        dims = self.dims_of(name, len(old))
        return tuple(
            self._by_dim.get(dim, length) if dim else self._follow(axis, length)
            for axis, (dim, length) in enumerate(zip(dims, old, strict=True))
        )

    def dims_of(self, name: str, ndim: int) -> tuple[str | None, ...]:
        """Dims of a variable; an observed one without gets those of the data it holds."""
        known = self._own.dims_of(name, ndim)
        rv = self._model[name]
        if any(known) or rv not in self._model.rvs_to_values:
            return known
        return self._own.dims_of(self._model.rvs_to_values[rv].name, ndim)

    def mean_of(self, name: str) -> Mean | None:
        """The mean of an observed variable given the others; None without a closed form."""
        plain = plain_variable(self._own, name)
        moments = moments_of(plain)
        if moments is None:
            return None
        shape: tuple[int, ...] = self.shape_of(name)
        dims = self.dims_of(name, len(shape))
        if moments.categories:
            count = self.shapes_of([moments.mean])[0][-1]
            shape, dims = (*shape, count), (*dims, f"{name}_category")
        self.need_for(moments.mean, name)
        variance = moments.variance
        return Mean(
            graph=pt.broadcast_to(moments.mean, shape),
            variance=None if variance is None else pt.broadcast_to(variance, shape),
            low=moments.low,
            high=moments.high,
            shape=shape,
            dims=dims,
            categories=moments.categories,
            normal=type(plain.owner.op).__name__ == "NormalRV",
        )

    def need_for(self, graph: Any, name: str) -> None:
        """Refuse a graph that reads values which are not known at the new data.

        Raises
        ------
        DataError
        """
        if not self.changed:
            return
        [replaced] = self._own.density.replace_random([compat.as_tensor(graph)])
        read = values_read([replaced])
        for missing in self._missing:
            if self._model[missing] in read:
                raise DataError.needed(missing, name)
        for rv in self._model.observed_RVs:
            value = self._model.rvs_to_values[rv]
            old = walks.evaluate([compat.as_tensor(value)])[0].shape
            captured = value not in self._model.data_vars
            if captured and value in read and self.shape_of(rv.name) != old:
                raise DataError.needed(rv.name, name)

    def lowered(self, graphs: Sequence[Any]) -> Lowered:
        """Graphs of the model's variables as functions of the unconstrained point.

        Raises
        ------
        DataError
            The data do not fit each other, or an index leaves what it points into.
        """
        # JAX clamps an index that is out of range; the interpreter does not.
        self.shapes_of(graphs)
        return self.problem.lowered_graphs(graphs)

    def shapes_of(self, graphs: Sequence[Any]) -> list[tuple[int, ...]]:
        """Shapes of graphs at the new data, evaluated.

        Raises
        ------
        DataError
            The data do not fit each other, or an index leaves what it points into.
        """
        natural = self.problem.layout.to_natural(self.problem.coordinates.complete(None))
        return [v.shape for v in self._evaluated(graphs, natural)]

    def number(self, value: Any, natural: np.ndarray) -> np.ndarray:
        """Value of a graph (or number) at a natural point (m,)."""
        if not hasattr(value, "type"):
            return np.asarray(value, dtype=np.float64)
        return np.asarray(self._evaluated([value], natural)[0], dtype=np.float64)

    def _evaluated(self, graphs: Sequence[Any], natural: np.ndarray) -> list[np.ndarray]:
        problem = self.problem
        values = problem.density.values
        outputs = replace_random(problem.model, values, [compat.as_tensor(g) for g in graphs])
        try:
            with problem._swapped(), warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                return walks.evaluate(outputs, problem._given(natural))
        except (ValueError, TypeError, IndexError, AssertionError, RuntimeError) as error:
            if not problem.given:
                raise
            shapes = {
                v.name: np.shape(problem.given.get(v.name, v.get_value()))
                for v in self._model.data_vars
            }
            if problem.effects is not None and "out of bounds" in str(error):
                raise DataError.no_such_group(problem.effects.names, error) from error
            raise DataError.do_not_fit(shapes, error) from error

    def labels_of(
        self, name: str, shape: Sequence[int], dims: Sequence[str | None]
    ) -> tuple[str, ...]:
        """Labels of the entries of an array at the new data."""
        return entry_labels(name, shape, dims, self.coords)

    def labelled(self, name: str, value: np.ndarray, dims: Sequence[str | None]) -> xr.DataArray:
        """An array with the dims and coords that it has at the new data."""
        return label_array(name, value, dims, self.coords)

    # ----- reading what was given ----------------------------------------------------------

    def _changed(self, data: dict[str, Any]) -> Problem:
        model, own = self._model, self._own
        named = {v.name: v for v in model.data_vars}
        captured = {rv.name for rv in model.observed_RVs}
        sources = {rv.name: model.rvs_to_values[rv].name for rv in model.observed_RVs}
        given = {k: v for k, v in own.given.items() if k in named}
        arrays: dict[str, np.ndarray] = {}
        columns: list[tuple[str, Any]] = []
        for asked, value in data.items():
            name = sources[asked] if sources.get(asked) in named else asked
            if name not in named:
                if asked not in captured:  # (outcomes that the model holds itself predict nothing)
                    columns.append((asked, value))
                continue
            old = np.asarray(given.get(name, named[name].get_value()))
            plain = _plain(value)
            if plain.ndim == 0 and old.ndim:
                plain = np.full(old.shape, plain)
            arrays[name], _ = checks.check_new_data(model, name, plain, None, is_named=True)
            self._note(name, old.shape, arrays[name].shape, value)
        for asked, value in columns:
            column = find_column(own, asked)
            name = column.name
            now = arrays.get(name, given.get(name, named[name].get_value()))
            changed = column.set(np.asarray(now), _plain(value))
            arrays[name], _ = checks.check_new_data(model, name, changed, None, is_named=True)
        given |= arrays
        given |= self._placeholders(named, given, set(arrays))
        for dim, length in self._by_dim.items():
            if dim in self.coords and len(self.coords[dim]) != length:
                del self.coords[dim]
        other = copy.copy(own)
        _ = own.density  # its graphs hold at any data, and are shared
        other.__dict__["density"] = own.density
        for lazy in ("observed", "lowered", "lowered_terms", "lowered_natural"):
            other.__dict__.pop(lazy, None)
        other.given = given
        return other

    def _note(self, name: str, old: tuple[int, ...], new: tuple[int, ...], value: Any) -> None:
        dims = self._own.dims_of(name, len(old))
        for axis, (dim, before, after) in enumerate(zip(dims, old, new, strict=True)):
            if before != after and dim:
                if self._by_dim.get(dim, after) != after:
                    raise DataError.lengths_differ(dim, self._by_dim[dim], after)
                self._by_dim[dim] = after
            # Outcomes without dims follow the predictors' length along the same axis.
            if before != after:
                lengths = self._by_length.setdefault(axis, {})
                if lengths.get(before, after) != after:
                    raise DataError.lengths_differ(f"axis {axis}", lengths[before], after)
                lengths[before] = after
            labels = _labels(value, axis, dim, after)
            if dim and labels is not None:
                self.coords[dim] = labels

    def _placeholders(
        self, named: Mapping[str, Any], given: Mapping[str, np.ndarray], fresh: set[str]
    ) -> dict[str, np.ndarray]:
        """Data of the new length for outcomes; an error for predictors that are missing."""
        model = self._model
        outcomes = {model.rvs_to_values[rv].name for rv in model.observed_RVs}
        out = {}
        for name, variable in named.items():
            old = np.asarray(given.get(name, variable.get_value()))
            dims = self._own.dims_of(name, old.ndim)
            asked = tuple(
                self._by_dim.get(dim, length)
                if dim
                else (self._follow(axis, length) if name in outcomes else length)
                for axis, (dim, length) in enumerate(zip(dims, old.shape, strict=True))
            )
            if name in fresh:
                if asked != old.shape:
                    wrong = next(i for i in range(old.ndim) if asked[i] != old.shape[i])
                    raise DataError.lengths_differ(
                        dims[wrong] or f"axis {wrong}", asked[wrong], old.shape[wrong]
                    )
                continue
            if asked == old.shape:
                continue
            self._missing.add(name)
            out[name] = np.broadcast_to(old.ravel()[0], asked).copy()
        return out

    def _follow(self, axis: int, length: int) -> int:
        return self._by_length.get(axis, {}).get(length, length)


def _plain(value: Any) -> np.ndarray:
    return np.asarray(getattr(value, "values", value))


def _labels(value: Any, axis: int, dim: str | None, length: int) -> tuple[Any, ...] | None:
    """Labels that an xarray or pandas object brings along an axis."""
    if isinstance(value, xr.DataArray):
        own = value.dims[axis]
        return tuple(value[own].values.tolist()) if own in value.coords and own == dim else None
    index = getattr(value, "index", None) if axis == 0 else None
    if index is None or callable(index) or type(index).__name__ == "RangeIndex":
        return None
    return tuple(index) if len(index) == length else None
