"""Observed and constant data as labelled arrays, and trees of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from pymle.model import compat, walks
from pymle.model.layout import label_array
from pymle.model.problem import Problem


def observed_values(problem: Problem) -> dict[str, np.ndarray]:
    """Values of the observed variables at a problem's data, by name."""
    names = [rv.name for rv in problem.model.observed_RVs]
    values = [problem.model.rvs_to_values[rv] for rv in problem.model.observed_RVs]
    captured = {n: problem.given[n] for n in names if n in problem.given}
    with problem._swapped():
        arrays = walks.evaluate([compat.as_tensor(v) for v in values])
    return {n: captured.get(n, a) for n, a in zip(names, arrays, strict=True)}


def constant_values(problem: Problem) -> dict[str, np.ndarray]:
    """Values of the ``pm.Data`` that are no observations, by name."""
    model = problem.model
    observed = {model.rvs_to_values[rv] for rv in model.observed_RVs}
    return {
        v.name: np.asarray(problem.given.get(v.name, v.get_value()))
        for v in model.data_vars
        if v not in observed
    }


def labelled_stack(
    name: str,
    values: np.ndarray,
    leading: Sequence[str],
    dims: Sequence[str | None],
    coords: Mapping[str, Sequence[Any]],
) -> xr.DataArray:
    """Arrays stacked along leading axes, with the dims and coords of one of them."""
    own = [dim or f"{name}_dim_{i}" for i, dim in enumerate(dims)]
    return label_array(name, values, [*leading, *own], coords)


def data_groups(problem: Problem) -> dict[str, xr.Dataset]:
    """The groups ``observed_data`` and ``constant_data`` of an ArviZ tree, where not empty."""
    groups = {
        "observed_data": observed_values(problem),
        "constant_data": constant_values(problem),
    }
    return {
        group: xr.Dataset({n: problem.labelled(n, a) for n, a in arrays.items()})
        for group, arrays in groups.items()
        if arrays
    }
