"""The independent units of the data: rows, or what `clusters` declares.

Covariances from scores sum over units that are independent given the parameters. Without a
declaration they are the entries of the elementwise log-densities; where several observed
variables share their rows (the same dim, or the same length) the rows, since what is observed
on one row may depend on each other and joining independent entries does no harm. A joint
log-density of many values (a series, a Gaussian process) is one unit and no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pymle.errors import AnalysisError
from pymle.model import Problem


@dataclass(frozen=True)
class Units:
    """A partition of the observations to independent units.

    Attributes
    ----------
    text : str
        Number and kind: "189 rows of `low`".
    codes : tuple of numpy.ndarray
        For each observed variable the unit of every entry (flat, C order).
    index : pandas.Index
        Labels of the units.
    declared : bool
        Whether by ``clusters``, otherwise evident from the model.
    single : bool
        No unit has more than one entry, in the order of the entries.
    """

    text: str
    codes: tuple[np.ndarray, ...]
    index: pd.Index
    declared: bool
    single: bool

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        how = "declared by `clusters`" if self.declared else "evident from the model"
        return f"independent units: {self.text} ({how})"

    def sums(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """Sums over units (n, k) of arrays (*shape, k), one for each observed variable."""
        width = parts[0].shape[-1]
        flat = [np.reshape(part, (-1, width)) for part in parts]
        if self.single:
            return flat[0] if len(flat) == 1 else np.concatenate(flat)
        out = np.zeros((len(self), width))
        for codes, part in zip(self.codes, flat, strict=True):
            for j in range(width):
                out[:, j] += np.bincount(codes, weights=part[:, j], minlength=len(self))
        return out

    def common(self, values: Sequence[np.ndarray]) -> np.ndarray | None:
        """The one value (n,) that all entries of each unit have; None where they differ."""
        out = np.full(len(self), np.nan)
        flat = [np.ravel(v) for v in values]
        for codes, value in zip(self.codes, flat, strict=True):
            out[codes] = value
        same = all(np.array_equal(out[codes], v) for codes, v in zip(self.codes, flat, strict=True))
        return out if same else None


def evident_units(problem: Problem, what: str) -> Units:
    """The units that the model itself shows.

    Parameters
    ----------
    problem : Problem
    what : str
        The analysis, for messages.

    Returns
    -------
    Units

    Raises
    ------
    AnalysisError
        A joint log-density of dependent data, a Potential alone, or fewer than two units.
    """
    terms = problem.observed
    if not terms:
        raise AnalysisError.needs_units(what, [t.name for t in problem.terms])
    joint = [t.name for t in terms if not t.shape and t.rows > 1]
    if joint:
        raise AnalysisError.dependent(what, joint)
    groups = _sharing(problem)
    codes: list[np.ndarray] = [np.zeros(0, dtype=int)] * len(terms)
    labels, texts, at = [], [], 0
    for group in groups:
        first = terms[group[0]]
        names = ", ".join(f"`{terms[i].name}`" for i in group)
        whole = all(_same_entries(problem, terms[group[0]], terms[i]) for i in group)
        shape = first.shape if whole else first.shape[:1]
        count = int(np.prod(shape, dtype=int))
        for i in group:
            inner = int(np.prod(terms[i].shape[len(shape) :], dtype=int))
            codes[i] = at + np.repeat(np.arange(count), inner)
        labels.append(_index(problem, first.name, shape))
        one, many = {0: ("value", "values"), 1: ("row", "rows")}.get(
            len(shape), ("entry", "entries")
        )
        texts.append(f"{count} {one if count == 1 else many} of {names}")
        at += count
    if at < 2:
        raise AnalysisError.one_unit(what, [t.name for t in terms])
    index = labels[0] if len(labels) == 1 else _joined(problem, groups, labels)
    single = all(len(group) == 1 for group in groups)
    return Units("; ".join(texts), tuple(codes), index, declared=False, single=single)


def declared_units(problem: Problem, clusters: Any, what: str) -> list[Units]:
    """The units that a user declares, one partition for each way of clustering.

    Parameters
    ----------
    problem : Problem
    clusters : array_like, str, mapping, pandas.DataFrame, or tuple or list of them
        See `pymle.Fit.covariance`.
    what : str
        The analysis, for messages.

    Returns
    -------
    list of Units

    Raises
    ------
    AnalysisError
        Unknown names, wrong lengths, missing labels, fewer than two clusters, or a joint
        log-density that clusters would cut.
    """
    if not problem.observed:
        raise AnalysisError.needs_units(what, [t.name for t in problem.terms])
    return [_declared(problem, way, what) for way in _ways(problem, clusters)]


def crossed(ways: Sequence[Units]) -> Units:
    """The partition to what is in the same cluster in every way.

    Parameters
    ----------
    ways : sequence of Units

    Returns
    -------
    Units
    """
    pieces = [np.concatenate(unit.codes) for unit in ways]
    found, codes = np.unique(np.stack(pieces, axis=1), axis=0, return_inverse=True)
    index = pd.MultiIndex.from_arrays(
        [unit.index[found[:, i]] for i, unit in enumerate(ways)],
        names=[unit.index.name for unit in ways],
    )
    ends = np.cumsum([len(c) for c in ways[0].codes])[:-1]
    text = f"{len(index)} intersections"
    return Units(text, tuple(np.split(codes.ravel(), ends)), index, declared=True, single=False)


# ----- evident -------------------------------------------------------------------------------


def _dims(problem: Problem, name: str, ndim: int) -> tuple[str | None, ...]:
    return problem.dims_of(name, ndim)


def _sharing(problem: Problem) -> list[list[int]]:
    """Observed variables by the rows that they share."""
    groups: list[list[int]] = []
    for i, term in enumerate(problem.observed):
        for group in groups:
            if _same_rows(problem, problem.observed[group[0]], term):
                group.append(i)
                break
        else:
            groups.append([i])
    return groups


def _same_rows(problem: Problem, a: Any, b: Any) -> bool:
    if not a.shape or not b.shape or a.shape[0] != b.shape[0]:
        return False
    dim_a = _dims(problem, a.name, len(a.shape))[0]
    dim_b = _dims(problem, b.name, len(b.shape))[0]
    return dim_a is None or dim_b is None or dim_a == dim_b


def _same_entries(problem: Problem, a: Any, b: Any) -> bool:
    if a.shape != b.shape:
        return False
    pairs = zip(
        _dims(problem, a.name, len(a.shape)), _dims(problem, b.name, len(b.shape)), strict=True
    )
    return all(x is None or y is None or x == y for x, y in pairs)


def _index(problem: Problem, name: str, shape: tuple[int, ...]) -> pd.Index:
    dims = _dims(problem, name, len(shape))
    levels = [_coordinates(problem, dim, n) for dim, n in zip(dims, shape, strict=True)]
    if not levels:
        return pd.RangeIndex(1)
    if len(levels) == 1:
        return levels[0]
    return pd.MultiIndex.from_product(levels, names=list(dims))


def _coordinates(problem: Problem, dim: str | None, count: int) -> pd.Index:
    known = problem.layout.coords.get(dim) if dim is not None else None
    if known is not None and len(known) == count:
        return pd.Index(known, name=dim)
    return pd.RangeIndex(count, name=dim)


def _joined(
    problem: Problem, groups: Sequence[Sequence[int]], labels: Sequence[pd.Index]
) -> pd.Index:
    pairs = [
        (problem.observed[group[0]].name, label)
        for group, index in zip(groups, labels, strict=True)
        for label in index
    ]
    return pd.MultiIndex.from_tuples(pairs, names=["variable", "unit"])


# ----- declared ------------------------------------------------------------------------------


def _ways(problem: Problem, clusters: Any) -> list[Any]:
    """One item for each way of clustering."""
    if isinstance(clusters, pd.DataFrame):
        return [clusters[column] for column in clusters.columns]
    if isinstance(clusters, tuple | list) and 1 <= len(clusters) <= 3:
        whole = all(isinstance(each, str | Mapping) or np.ndim(each) >= 1 for each in clusters)
        if whole and any(not isinstance(c, str) or _is_name(problem, c) for c in clusters):
            return list(clusters)
    if not isinstance(clusters, str | Mapping | pd.Series) and np.ndim(clusters) == 2:
        array = np.asarray(clusters)
        shapes = [term.shape for term in problem.observed]
        if array.shape not in shapes and array.shape[-1] in (2, 3):
            return list(array.T)
    return [clusters]


def _is_name(problem: Problem, text: str) -> bool:
    return text in problem.layout.coords or text in _data(problem)


def _declared(problem: Problem, clusters: Any, what: str) -> Units:
    terms = problem.observed
    name = clusters if isinstance(clusters, str) else getattr(clusters, "name", None)
    name = name if isinstance(name, str) else None
    given = dict(clusters) if isinstance(clusters, Mapping) else None
    if given is not None:
        for each in given:
            if each not in {t.name for t in terms}:
                raise AnalysisError.unknown_clusters(each, [t.name for t in terms])
    parts = []
    for term in terms:
        if given is not None and term.name not in given:
            raise AnalysisError.clusters(
                f"no entry for the observed variable `{term.name}`; every one needs its own"
            )
        own = clusters if given is None else given[term.name]
        if isinstance(own, str) and term.shape:
            labels = _by_name(problem, term, own)
        elif not term.shape and (term.rows <= 1 or given is not None) and np.ndim(own) == 0:
            labels = np.asarray(own)
        elif not term.shape and term.rows > 1:
            raise AnalysisError.dependent(what, [term.name])
        else:
            labels = np.asarray(own)
        parts.append(_spread(term, labels))
    flat = np.concatenate(parts) if len(parts) > 1 else parts[0]
    if pd.isna(flat).any():
        raise AnalysisError.clusters(f"{int(pd.isna(flat).sum())} labels are missing (NaN)")
    codes, found = pd.factorize(flat, sort=_sortable(flat))
    if len(found) < 2:
        raise AnalysisError.clusters(
            "all observations are in one cluster; a covariance between clusters needs at least two"
        )
    index = pd.Index(found, name=name)
    ends = np.cumsum([len(p) for p in parts])[:-1]
    text = f"{len(found)} clusters" + (f" by `{name}`" if name else "")
    return Units(text, tuple(np.split(codes, ends)), index, declared=True, single=False)


def _sortable(labels: np.ndarray) -> bool:
    if labels.dtype != object:
        return True
    return len({type(each) for each in labels}) == 1


def _by_name(problem: Problem, term: Any, name: str) -> np.ndarray:
    """Labels from a dim of the variable, the coords of the same length, or a `pm.Data`."""
    dims = _dims(problem, term.name, len(term.shape))
    if name in dims:
        axis = dims.index(name)
        labels = np.asarray(_coordinates(problem, name, term.shape[axis]), dtype=object)
        shape = [1] * len(term.shape)
        shape[axis] = -1
        return np.broadcast_to(labels.reshape(shape), term.shape)
    data = _data(problem)
    if name in data:
        return data[name]
    coords = problem.layout.coords
    if name in coords and len(coords[name]) == term.shape[0]:
        return np.asarray(coords[name], dtype=object)
    if name in coords:
        raise AnalysisError.clusters(
            f"`{name}` has {len(coords[name])} coordinates and is no dim of `{term.name}` "
            f"(shape {term.shape}): nothing says which observation belongs to which. Pass the "
            "index of each observation, as an array or as the name of its pm.Data"
            + _suggested(data, term)
        )
    fitting = [each for each, labels in coords.items() if len(labels) == term.shape[0]]
    known = dict.fromkeys([*(d for d in dims if d), *data, *fitting])
    raise AnalysisError.unknown_clusters(name, known)


def _suggested(data: Mapping[str, np.ndarray], term: Any) -> str:
    fitting = [n for n, v in data.items() if v.shape[:1] == term.shape[:1] and v.dtype.kind in "iu"]
    return f" (such as {', '.join(f'`{n}`' for n in fitting[:4])})" if fitting else ""


def _data(problem: Problem) -> dict[str, np.ndarray]:
    """All `pm.Data` of the model, as they are now."""
    return {
        v.name: np.asarray(problem.given.get(v.name, v.get_value()))
        for v in problem.model.data_vars
    }


def _spread(term: Any, labels: np.ndarray) -> np.ndarray:
    """A label for every entry of a variable, flat."""
    shape = term.shape
    if labels.shape == shape:
        return labels.ravel()
    if labels.ndim == 1 and shape and len(labels) == shape[0]:
        inner = int(np.prod(shape[1:], dtype=int))
        return np.repeat(labels, inner)
    expected = f"({shape[0]},)" if shape else "a single label"
    also = f" or {shape}" if len(shape) > 1 else ""
    raise AnalysisError.clusters(
        f"shape {labels.shape}, but `{term.name}` has observations of shape {shape}: expected one "
        f"label for each, shape {expected}{also}"
    )
