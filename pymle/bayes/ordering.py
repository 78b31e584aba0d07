"""Draws brought into the order of a model: dims of the draws first, labels as it has them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pymle.errors.comparison import ComparisonError

#: The dims of draws.
SAMPLE = ("chain", "draw")


def in_order(
    array: xr.DataArray,
    name: str,
    shape: tuple[int, ...],
    dims: Sequence[str | None],
    coords: Mapping[str, Sequence[Any]],
    leading: Sequence[str] = SAMPLE,
) -> xr.DataArray:
    """An array with the dims of the draws first, then the model's, labels in the model's order.

    Parameters
    ----------
    array : xarray.DataArray
    name : str
        Of the variable.
    shape : tuple of int
        Of the variable in the model.
    dims : sequence of (str or None)
        Of the variable in the model, one per axis.
    coords : mapping of dim to labels
        Those of the model.
    leading : sequence of str
        Dims of the draws.

    Returns
    -------
    xarray.DataArray
        Dims of other names than the model's are taken in the order in which they come.

    Raises
    ------
    ComparisonError
        Another shape, other labels, or no dims of draws.
    """
    own = [str(dim) for dim in array.dims if dim not in leading]
    lacking = [dim for dim in leading if dim not in array.dims]
    if lacking:
        raise ComparisonError.no_dims(lacking, [str(d) for d in array.dims], name)
    named = [dim for dim in dims if dim is not None]
    if len(named) == len(shape) and set(named) == set(own):
        own = named
    array = array.transpose(*leading, *own)
    seen = tuple(array.shape[len(leading) :])
    if seen != shape:
        raise ComparisonError.shape(name, seen, shape)
    for dim in own:
        if dim not in coords or dim not in array.coords or dim not in named:
            continue
        there, wanted = _texts(array[dim].values), _texts(coords[dim])
        if there == wanted:
            continue
        places = {each: i for i, each in enumerate(there)}
        if len(places) != len(wanted) or any(each not in places for each in wanted):
            raise ComparisonError.coords(name, dim, there, wanted)
        array = array.isel({dim: [places[each] for each in wanted]})
    return array


def _texts(labels: Any) -> list[str]:
    """Labels as text, the same one whichever type a container gave a date."""
    out = []
    for label in labels:
        if isinstance(label, datetime.date | np.datetime64):
            out.append(str(pd.Timestamp(label)))
        elif isinstance(label, datetime.timedelta | np.timedelta64):
            out.append(str(pd.Timedelta(label)))
        else:
            out.append(str(label))
    return out
