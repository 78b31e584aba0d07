"""What a user's function returned, as an array with labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pymle.errors import AnalysisError


@dataclass(frozen=True)
class Returned:
    """Shape and labels of a result.

    Attributes
    ----------
    shape : tuple of int
    dims : tuple of (str or None)
        One per axis.
    coords : dict of str to list
        Labels of dims that the result brought along.
    """

    shape: tuple[int, ...]
    dims: tuple[str | None, ...]
    coords: dict[str, list[Any]]

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.prod(self.shape, dtype=int))


def returned(name: str, result: Any) -> Returned:
    """Check what a function returned.

    Parameters
    ----------
    name : str
        The function, for messages.
    result : object

    Returns
    -------
    Returned

    Raises
    ------
    AnalysisError
        It is no array of real numbers.
    """
    if result is None or isinstance(result, Mapping | str | xr.Dataset | pd.DataFrame):
        raise AnalysisError.function_result(name, f"a {type(result).__name__}")
    try:
        array = np.asarray(result)
        if array.dtype.kind == "c":
            raise AnalysisError.function_result(name, "complex numbers")
        if array.dtype.kind not in "biuf":
            array = array.astype(np.float64)  # a list of arrays of one entry, numbers as objects
    except (ValueError, TypeError):
        raise AnalysisError.function_result(name, f"a {type(result).__name__}") from None
    dims: tuple[str | None, ...] = (None,) * array.ndim
    coords: dict[str, list[Any]] = {}
    if isinstance(result, xr.DataArray):
        dims = tuple(str(dim) for dim in result.dims)
        coords = {str(d): list(result.coords[d].values) for d in result.dims if d in result.coords}
    elif isinstance(result, pd.Series):
        dim = str(result.index.name or f"{name}_dim_0")
        dims, coords = (dim,), {dim: list(result.index)}
    return Returned(array.shape, dims, coords)
