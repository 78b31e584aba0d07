"""User-given points: by variable name or by entry label, on the natural scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.errors import PointError


@dataclass(frozen=True)
class Held:
    """Given entries of one variable, flat.

    Attributes
    ----------
    values : numpy.ndarray
        Natural values; nan where none is given.
    mask : numpy.ndarray of bool
        Where one is given.
    """

    values: np.ndarray
    mask: np.ndarray


def split_point(
    argument: str,
    point: Mapping[str, Any] | None,
    shapes: Mapping[str, tuple[int, ...]],
    labels: Mapping[str, tuple[str, ...]],
) -> dict[str, Held]:
    """Sort a partial point into variables.

    Parameters
    ----------
    argument : str
        ``start`` or ``fixed``, for messages.
    point : mapping, optional
        Keys are variable names or entry labels (``"beta[x1]"``).
    shapes, labels : mappings by variable name

    Returns
    -------
    dict of str to Held

    Raises
    ------
    PointError
        An unknown key (with the nearest one), a wrong shape, a value that is not finite.
    """
    of_label = {lab: (name, i) for name, labs in labels.items() for i, lab in enumerate(labs)}
    out: dict[str, Held] = {}
    for key, value in (point or {}).items():
        if key in shapes:
            array = np.asarray(value, dtype=float)
            shape = shapes[key]
            if array.shape != shape and array.ndim:
                raise PointError.wrong_shape(argument, key, array.shape, shape)
            flat = np.broadcast_to(array, shape).ravel().astype(float)
            entries = np.ones(flat.size, dtype=bool)
            name = key
        elif _normal(key) in of_label:
            name, index = of_label[_normal(key)]
            array = np.asarray(value, dtype=float)
            if array.ndim:
                raise PointError.wrong_shape(argument, key, array.shape, ())
            size = len(labels[name])
            flat, entries = np.full(size, np.nan), np.zeros(size, dtype=bool)
            flat[index], entries[index] = array, True
        else:
            near = list(shapes) if "[" not in str(key) else [*shapes, *of_label]
            raise PointError.unknown(argument, key, near)
        if not np.all(np.isfinite(flat[entries])):
            raise PointError.not_finite(argument, key, value)
        before = out.get(name, Held(np.full(flat.size, np.nan), np.zeros(flat.size, dtype=bool)))
        values = np.where(entries, flat, before.values)
        out[name] = Held(values, before.mask | entries)
    return out


def _normal(label: str) -> str:
    head, bracket, rest = str(label).partition("[")
    if not bracket:
        return head
    inside = ", ".join(part.strip() for part in rest.removesuffix("]").split(","))
    return f"{head}[{inside}]"
