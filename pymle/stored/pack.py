"""Records and values as text and arrays, and back, without pickling and to the last bit.

A value becomes a JSON document in which arrays are numbers of places in a list. What JSON
cannot say is an object with the key ``$``, its kind.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd

#: Kinds of arrays that are written as they are.
_NUMERIC = "biuf"


class Packer:
    """Turns values into a document and a list of arrays.

    Parameters
    ----------
    classes : mapping of str to type
        Dataclasses and enumerations that may occur, by the name under which they are written.
    leave : mapping of str to collection of str
        Fields that are left out, by the name of their class.

    Attributes
    ----------
    arrays : list of numpy.ndarray
        Flat; numbers only.
    """

    def __init__(
        self, classes: Mapping[str, type], leave: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._names = {kind: name for name, kind in classes.items()}
        self._leave = dict(leave or {})
        self.arrays: list[np.ndarray] = []

    def pack(self, value: Any) -> Any:
        """The document of a value; what is of no known kind becomes its text.

        Parameters
        ----------
        value : object

        Returns
        -------
        object
            Of the kinds that JSON has.

        Raises
        ------
        TypeError
            A record of a class that is not among those known.
        """
        name = self._names.get(type(value))
        if name is not None:
            return self._record(name, value)
        if value is None or type(value) in (bool, int, str):
            return value
        for kind, write in _WRITERS:
            if isinstance(value, kind):
                return write(self, value)
        if dataclasses.is_dataclass(value):
            # Its text would pass for it until it is read.
            raise TypeError(f"records of the class {type(value).__name__} cannot be written")
        return {"$": "text", "value": str(value)}

    def _record(self, name: str, value: Any) -> dict[str, Any]:
        if isinstance(value, Enum):
            return {"$": "enum", "class": name, "name": value.name}
        left = self._leave.get(name, ())
        fields = {
            field.name: self.pack(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.name not in left
        }
        return {"$": "record", "class": name, "fields": fields}

    def _array(self, value: np.ndarray) -> dict[str, Any]:
        if value.dtype.kind in "mM":
            inner = self._array(value.view(np.int64))
            return {"$": "dated", "dtype": value.dtype.str, "values": inner}
        if value.dtype.kind not in _NUMERIC or value.dtype.itemsize > 8:
            items = [self.pack(item) for item in value.ravel().tolist()]
            text = value.dtype.kind == "U"
            return {"$": "items", "shape": list(value.shape), "text": text, "values": items}
        out = {"$": "array", "shape": list(value.shape), "dtype": value.dtype.str, "place": None}
        if value.size:
            out["place"] = len(self.arrays)
            self.arrays.append(_plain(np.ascontiguousarray(value).ravel()))
        return out


class Unpacker:
    """The way back.

    Parameters
    ----------
    classes : mapping of str to type
    arrays : sequence of numpy.ndarray
    given : mapping of str to mapping
        Values of the fields that were left out, by class.
    """

    def __init__(
        self,
        classes: Mapping[str, type],
        arrays: Sequence[np.ndarray],
        given: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._classes, self._arrays, self._given = classes, arrays, dict(given or {})

    def unpack(self, document: Any) -> Any:
        """The value of a document.

        Parameters
        ----------
        document : object

        Returns
        -------
        object

        Raises
        ------
        ValueError, KeyError, TypeError, IndexError
            A document that no packer wrote.
        """
        if isinstance(document, list):
            return [self.unpack(item) for item in document]
        if not isinstance(document, dict):
            return document
        return _READERS[document["$"]](self, document)

    def _record(self, document: Mapping[str, Any]) -> Any:
        name = document["class"]
        kind = self._classes[name]
        known = {field.name for field in dataclasses.fields(kind) if field.init}
        fields = {k: self.unpack(v) for k, v in document["fields"].items() if k in known}
        return kind(**{**self._given.get(name, {}), **fields})

    def _array(self, document: Mapping[str, Any]) -> np.ndarray:
        shape, dtype = tuple(document["shape"]), np.dtype(document["dtype"])
        if document["place"] is None:
            return np.zeros(shape, dtype=dtype)
        flat = np.asarray(self._arrays[document["place"]])
        return np.array(flat, dtype=dtype).reshape(shape)

    def _items(self, document: Mapping[str, Any]) -> np.ndarray:
        values = [self.unpack(item) for item in document["values"]]
        if document["text"]:
            return np.array(values, dtype=str).reshape(document["shape"])
        out = np.empty(len(values), dtype=object)
        for i, value in enumerate(values):
            out[i] = value
        return out.reshape(document["shape"])


def _plain(flat: np.ndarray) -> np.ndarray:
    """A copy in a type that every format has, without loss."""
    if flat.dtype.kind == "b":
        return flat.astype(np.uint8)
    if flat.dtype == np.float16:
        return flat.astype(np.float32)
    return flat.astype(flat.dtype.newbyteorder("="), copy=True)


def _float(_: Packer, value: float) -> Any:
    # repr of a finite double reads back to the same bits; JSON has no nan.
    return float(value) if np.isfinite(value) else {"$": "float", "value": repr(float(value))}


def _mapping(packer: Packer, value: Mapping[Any, Any]) -> dict[str, Any]:
    pairs = [[packer.pack(k), packer.pack(v)] for k, v in value.items()]
    return {"$": "mapping", "pairs": pairs}


def _generic(packer: Packer, value: np.generic) -> Any:
    if isinstance(value, np.str_):
        return {"$": "word", "value": str(value)}
    return {"$": "scalar", "value": packer._array(np.asarray(value))}


def _sparse(packer: Packer, value: Any) -> dict[str, Any]:
    whole = value.tocoo()
    parts = [np.asarray(part) for part in (whole.data, *whole.coords)]
    return {
        "$": "sparse",
        "shape": list(whole.shape),
        "parts": [packer._array(part) for part in parts],
    }


def _unsparse(unpacker: Unpacker, document: Mapping[str, Any]) -> Any:
    from scipy.sparse import csr_array

    data, rows, columns = (unpacker._array(part) for part in document["parts"])
    return csr_array((data, (rows, columns)), shape=tuple(document["shape"]))


class _Sparse(type):
    """Whatever converts itself to coordinates, so that SciPy is not imported to ask."""

    def __instancecheck__(cls, value: Any) -> bool:
        return callable(getattr(value, "tocoo", None))


class _AnySparse(metaclass=_Sparse):
    pass


def _stamp(_: Packer, value: pd.Timestamp) -> dict[str, Any]:
    zone = None if value.tz is None else str(value.tz)
    return {"$": "stamp", "value": int(value.value), "unit": value.unit, "zone": zone}


def _unstamp(_: Unpacker, document: Mapping[str, Any]) -> pd.Timestamp:
    # The value counts nanoseconds whatever the unit.
    found = pd.Timestamp(document["value"], unit="ns").as_unit(document["unit"])
    if document["zone"] is None:
        return found
    return found.tz_localize("UTC").tz_convert(document["zone"])


def _interval(packer: Packer, value: pd.Interval) -> dict[str, Any]:
    ends = [packer.pack(value.left), packer.pack(value.right)]
    return {"$": "interval", "ends": ends, "closed": value.closed}


_WRITERS: tuple[tuple[Any, Callable[[Packer, Any], Any]], ...] = (
    (np.generic, _generic),
    (np.ndarray, Packer._array),
    (bool, lambda _, v: bool(v)),
    (Enum, lambda _, v: {"$": "text", "value": str(v)}),
    (int, lambda _, v: int(v)),
    (float, _float),
    (str, lambda _, v: str(v)),
    (pd.Interval, _interval),
    (pd.Period, lambda _, v: {"$": "period", "ordinal": v.ordinal, "freq": v.freqstr}),
    (type(pd.NaT), lambda *_: {"$": "nat"}),
    (pd.Timestamp, _stamp),
    (pd.Timedelta, lambda _, v: {"$": "delta", "value": int(v.value), "unit": v.unit}),
    (datetime.datetime, lambda _, v: {"$": "datetime", "value": v.isoformat()}),
    (datetime.date, lambda _, v: {"$": "date", "value": v.isoformat()}),
    (slice, lambda p, v: {"$": "slice", "ends": [p.pack(e) for e in (v.start, v.stop, v.step)]}),
    (Mapping, _mapping),
    (tuple, lambda p, v: {"$": "tuple", "values": [p.pack(e) for e in v]}),
    (list, lambda p, v: [p.pack(e) for e in v]),
    (_AnySparse, _sparse),
)

_READERS: dict[str, Callable[[Unpacker, Any], Any]] = {
    "record": Unpacker._record,
    "enum": lambda u, d: u._classes[d["class"]][d["name"]],  # type: ignore[index]
    "array": Unpacker._array,
    "dated": lambda u, d: u._array(d["values"]).view(np.dtype(d["dtype"])),
    "items": Unpacker._items,
    "float": lambda _, d: float(d["value"]),
    "mapping": lambda u, d: {u.unpack(k): u.unpack(v) for k, v in d["pairs"]},
    "word": lambda _, d: np.str_(d["value"]),
    "scalar": lambda u, d: u.unpack(d["value"])[()],
    "sparse": _unsparse,
    "stamp": _unstamp,
    "nat": lambda *_: pd.NaT,
    "delta": lambda _, d: pd.Timedelta(d["value"], unit="ns").as_unit(d["unit"]),
    "period": lambda _, d: pd.Period(ordinal=d["ordinal"], freq=d["freq"]),
    "interval": lambda u, d: pd.Interval(*(u.unpack(e) for e in d["ends"]), closed=d["closed"]),
    "datetime": lambda _, d: datetime.datetime.fromisoformat(d["value"]),
    "date": lambda _, d: datetime.date.fromisoformat(d["value"]),
    "slice": lambda u, d: slice(*(u.unpack(e) for e in d["ends"])),
    "tuple": lambda u, d: tuple(u.unpack(e) for e in d["values"]),
    "text": lambda _, d: d["value"],
}
