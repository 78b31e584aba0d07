"""Groups of datasets in a netCDF file or a zarr store."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pymle.errors.stored import StoredError

#: Endings of names of netCDF files.
NETCDF = (".nc", ".nc4", ".netcdf")
ZARR = ".zarr"
#: xarray's engines for netCDF with groups, and the packages that they need; the first is taken.
_ENGINES = {"h5netcdf": ("h5netcdf", "h5py"), "netcdf4": ("netCDF4",)}


def checked_path(path: Any) -> Path:
    """A path whose ending says a format.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Path

    Raises
    ------
    StoredError
    """
    found = Path(os.fspath(path)).expanduser()
    if found.suffix.lower() not in (*NETCDF, ZARR):
        raise StoredError.suffix(found, NETCDF)
    return found


def write(
    path: Any, groups: Mapping[str, xr.Dataset], attrs: Mapping[str, Any], *, overwrite: bool
) -> Path:
    """Write groups to a file that is there whole or not at all.

    Parameters
    ----------
    path : str or path-like
        Ends in .nc, .nc4, .netcdf or .zarr.
    groups : mapping of str to xarray.Dataset
    attrs : mapping of str to (str or int)
        Of the file.
    overwrite : bool

    Returns
    -------
    Path

    Raises
    ------
    StoredError
        An unknown ending, a file that exists, a package that is missing, or a failure to write.
    """
    target = checked_path(path)
    engine = _engine(target)
    if target.exists() and not overwrite:
        raise StoredError.exists(target)
    tree = xr.DataTree.from_dict({f"/{name}": portable(group) for name, group in groups.items()})
    tree.attrs.update(attrs)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".saving-") as folder:
            made = Path(folder) / f"new{target.suffix}"
            with warnings.catch_warnings():
                # zarr says that its consolidated metadata are not in its specification yet.
                warnings.simplefilter("ignore")
                if engine == "zarr":
                    tree.to_zarr(made, mode="w", zarr_format=2)
                else:
                    tree.to_netcdf(made, engine=engine)
            _replace(made, target)
    except (OSError, ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        raise StoredError.cannot_write(target, error) from error
    return target


def read(path: Any) -> tuple[dict[str, xr.Dataset], dict[str, Any]]:
    """Groups and attributes of a file, all in memory.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    groups : dict of str to xarray.Dataset
    attrs : dict

    Raises
    ------
    StoredError
        An unknown ending, no such file, a package that is missing, or a file that cannot be
        opened.
    """
    source = checked_path(path)
    if not source.exists():
        raise StoredError.missing(source)
    engine = _engine(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with xr.open_datatree(source, engine=engine, decode_times=False) as tree:
                groups = {
                    str(name): child.to_dataset().load() for name, child in tree.children.items()
                }
                attrs = {str(name): _scalar(value) for name, value in tree.attrs.items()}
    except (OSError, ValueError, TypeError, RuntimeError, KeyError, AttributeError) as error:
        raise StoredError.unreadable(source, error) from error
    return groups, attrs


def portable(group: xr.Dataset) -> xr.Dataset:
    """A dataset with names and coords that every format holds.

    Parameters
    ----------
    group : xarray.Dataset

    Returns
    -------
    xarray.Dataset
        Names with other characters than letters, digits and underscores are replaced, the
        name itself is kept as the attribute ``name``; coords that are neither numbers nor
        text nor dates become their text.
    """
    names: dict[str, str] = {}
    for name in [*map(str, group.variables), *map(str, group.sizes)]:
        if name not in names:
            names[name] = _safe(name, set(names.values()))
    out = {}
    for name, variable in group.variables.items():
        new = names[str(name)]
        said = {} if new == name else {"name": str(name)}
        dims = [names[str(dim)] for dim in variable.dims]
        out[new] = xr.Variable(dims, _values(variable.values), {**said, **variable.attrs})
    coords = {names[str(name)] for name in group.coords}
    return xr.Dataset(
        {k: v for k, v in out.items() if k not in coords},
        {k: v for k, v in out.items() if k in coords},
        attrs=group.attrs,
    )


def _safe(name: str, taken: set[str]) -> str:
    plain = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
    plain = plain if plain[:1].isalpha() else f"v{plain}"
    plain, count = plain[:200], 1
    found = plain
    while found in taken:
        count += 1
        found = f"{plain}_{count}"
    return found


def _values(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind in "biufUM":
        return values
    return np.array([str(item) for item in values.ravel().tolist()], dtype=str).reshape(
        values.shape
    )


def _scalar(value: Any) -> Any:
    """An attribute as a plain number or text, whatever an engine made of it."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return value.item() if isinstance(value, np.generic) else value


def _engine(path: Path) -> Any:
    if path.suffix.lower() == ZARR:
        if importlib.util.find_spec("zarr") is None:
            raise StoredError.no_engine(path, ["zarr"])
        return "zarr"
    for engine, packages in _ENGINES.items():
        if all(importlib.util.find_spec(package) is not None for package in packages):
            return engine
    raise StoredError.no_engine(path, [" ".join(packages) for packages in _ENGINES.values()])


def _replace(made: Path, target: Path) -> None:
    """Put what was made in the place of what is there, which a folder cannot do in one step."""
    if target.is_dir():
        aside = made.with_name("old")
        target.replace(aside)
        try:
            made.replace(target)
        except OSError:
            aside.replace(target)
            raise
        shutil.rmtree(aside)
    else:
        made.replace(target)
