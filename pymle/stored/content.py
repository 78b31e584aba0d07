"""What a saved fit holds: everything that its tables and text are made of."""

from __future__ import annotations

import json
import platform
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pymle.errors.stored import StoredError
from pymle.estimate import Estimate, FitRecord, Restriction
from pymle.inference import Derived
from pymle.inference.covariance import Covariance
from pymle.model import Block, Layout, Role, Roles
from pymle.model.supports import Support
from pymle.optimize import Exploration, Solution, Termination
from pymle.optimize.multistart import Cluster
from pymle.optimize.records import SolveRecord, TraceStep
from pymle.stored.container import read, write
from pymle.stored.pack import Packer, Unpacker
from pymle.verdict import Curvature, Status, Tails, Verdict
from pymle.version import VERSION

#: Version of the format that is written, and the newest that is read.
FORMAT = 1
_KIND = "pymle fit"
_GROUP = "fit"
_DOCUMENT = "document"
#: Fields that no file holds: functions, PyMC's objects, and what is kept elsewhere.
_LEFT = {
    "Estimate": ("curvature_source",),
    "Support": ("transform",),
    "Solution": ("hessian",),
    "SolveRecord": ("trace",),
    "Covariance": ("estimate",),
}
_GIVEN: dict[str, dict[str, Any]] = {
    "Estimate": {"curvature_source": None},
    "Support": {"transform": None},
    "Solution": {"hessian": None},
    "SolveRecord": {"trace": ()},
    "Covariance": {"estimate": None},
}


@dataclass(frozen=True)
class Text:
    """Something of which a file holds the text alone.

    Attributes
    ----------
    text : str
    """

    text: str


@dataclass(frozen=True)
class Content:
    """A fit without its model.

    Attributes
    ----------
    estimate : Estimate
    curvature : Curvature or None
        None also where the information of thousands of parameters was not computed: then
        `whole` is False.
    whole : bool
    covariance : Covariance or None
        Where tables rest on another one than that of the observed information.
    roles : Roles
    deterministics, effects, predicted : tuple of Derived
        With their derivatives: what tables show by default, and what was integrated out, as a
        function of the parameters and as `predicted_effects` gives it.
    point : mapping of str to numpy.ndarray
        Natural scale, random effects at their conditional modes.
    dims : mapping of str to tuple
        Dims of named variables.
    integrated : str
    printed, html : str
        The fit as it is shown.
    asked : mapping of str to object
        Arguments with which the fit was made, without the model and the weights.
    given : mapping of str to numpy.ndarray
        Data in place of the model's own.
    weights : mapping of str to numpy.ndarray or None
        By observed variable.
    observed, constant : mapping of str to numpy.ndarray
        The data of the fit.
    versions : mapping of str to str
        Of the software that made it.
    """

    estimate: Estimate
    curvature: Curvature | None
    whole: bool
    covariance: Covariance | None
    roles: Roles
    deterministics: tuple[Derived, ...]
    effects: tuple[Derived, ...]
    predicted: tuple[Derived, ...]
    point: Mapping[str, np.ndarray]
    dims: Mapping[str, tuple[str | None, ...]]
    integrated: str
    printed: str
    html: str
    asked: Mapping[str, Any]
    given: Mapping[str, np.ndarray]
    weights: Mapping[str, np.ndarray] | None
    observed: Mapping[str, np.ndarray]
    constant: Mapping[str, np.ndarray]
    versions: Mapping[str, str] = field(default_factory=dict)


_CLASSES: dict[str, type] = {
    each.__name__: each
    for each in (
        Block,
        Cluster,
        Content,
        Covariance,
        Curvature,
        Derived,
        Estimate,
        Exploration,
        FitRecord,
        Layout,
        Restriction,
        Role,
        Roles,
        Solution,
        SolveRecord,
        Status,
        Support,
        Tails,
        Termination,
        Text,
        TraceStep,
        Verdict,
    )
}


def save_content(
    path: Any, content: Content, groups: Mapping[str, xr.Dataset], *, overwrite: bool
) -> Path:
    """Write a fit to a file.

    Parameters
    ----------
    path : str or path-like
    content : Content
    groups : mapping of str to xarray.Dataset
        Shown to whoever opens the file with other software.
    overwrite : bool

    Returns
    -------
    Path

    Raises
    ------
    StoredError
    """
    packer = Packer(_CLASSES, _LEFT)
    stamped = replace(content, versions=_versions(), covariance=_named_units(content.covariance))
    document = json.dumps(packer.pack(stamped), ensure_ascii=False, allow_nan=False).encode()
    arrays = {f"a{i}": (f"n{len(a)}", a) for i, a in enumerate(packer.arrays)}
    inner = xr.Dataset({**arrays, _DOCUMENT: ("bytes", np.frombuffer(document, dtype=np.uint8))})
    for variable in inner.variables.values():
        variable.encoding["_FillValue"] = None
    attrs = {
        "kind": _KIND,
        "format": FORMAT,
        "pymle_version": VERSION,
        "checksum": _checksum(document, packer.arrays),
    }
    return write(path, {**groups, _GROUP: inner}, attrs, overwrite=overwrite)


def load_content(path: Any) -> tuple[Content, Path]:
    """Read a fit from a file.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    content : Content
    path : Path

    Raises
    ------
    StoredError
    """
    source = Path(path).expanduser()
    groups, attrs = read(path)
    if attrs.get("kind") != _KIND:
        raise StoredError.not_ours(source, groups)
    found = attrs.get("format")
    if not isinstance(found, int) or found > FORMAT or found < 1:
        raise StoredError.version(source, found, attrs.get("pymle_version"), FORMAT)
    if _GROUP not in groups or _DOCUMENT not in groups[_GROUP]:
        raise StoredError.damaged(source, f"its group {_GROUP!r} is gone")
    inner = groups[_GROUP]
    document = np.asarray(inner[_DOCUMENT].values, dtype=np.uint8).tobytes()
    count = len([name for name in inner.data_vars if name != _DOCUMENT])
    try:
        arrays = [np.asarray(inner[f"a{i}"].values) for i in range(count)]
    except KeyError as error:
        raise StoredError.damaged(source, f"the array {error} is gone") from error
    if _checksum(document, arrays) != attrs.get("checksum"):
        raise StoredError.damaged(source, "its numbers are not those that were written")
    try:
        content = Unpacker(_CLASSES, arrays, _GIVEN).unpack(json.loads(document))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        what = f"what was written cannot be put together ({type(error).__name__}: {error})"
        raise StoredError.damaged(source, what) from error
    return _completed(content), source


def _completed(content: Content) -> Content:
    """With what the parts of a fit know of each other."""
    curvature = content.curvature
    source = None if curvature is None else (lambda: curvature)
    estimate = replace(content.estimate, curvature_source=source)
    if curvature is not None:
        _ = estimate.curvature  # at hand, whatever its size
    covariance = content.covariance
    if covariance is not None:
        covariance = replace(covariance, estimate=estimate)
    return replace(content, estimate=estimate, covariance=covariance)


def _named_units(covariance: Covariance | None) -> Covariance | None:
    """A covariance whose units are words."""
    if covariance is None:
        return None
    details = dict(covariance.details)
    units = details.get("units")
    if units is not None:
        several = units if isinstance(units, tuple) else (units,)
        details["units"] = tuple(Text(str(each.text)) for each in several)
    return replace(covariance, details=details)


def _checksum(document: bytes, arrays: list[np.ndarray]) -> str:
    found = zlib.crc32(document)
    for array in arrays:
        found = zlib.crc32(np.ascontiguousarray(array).tobytes(), found)
    return f"{found:08x}"


def _versions() -> dict[str, str]:
    found = {"pymle": VERSION, "python": platform.python_version()}
    for name in ("pymc", "pytensor", "jax", "numpy", "scipy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
