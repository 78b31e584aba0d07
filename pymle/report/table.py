"""The table of estimates as a pandas frame."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pymle.errors import AnalysisError
from pymle.estimate import Estimate
from pymle.inference import Covariance, Limits, derived, wald_limits
from pymle.model import entry_labels
from pymle.report.conditional import conditional_on

COLUMNS = ["estimate", "se", "z", "p", "lower", "upper"]


def summary_table(
    fit: Any,
    var_names: Sequence[str] | str | None,
    filter_vars: str | None,
    coords: Mapping[str, Any] | None,
    level: float,
    covariance: Covariance | None = None,
) -> pd.DataFrame:
    """The user's table: without z and p for a MAP fit.

    Parameters
    ----------
    fit : Fit
    var_names, filter_vars, coords, level
        As in `Fit.summary`.
    covariance : Covariance, optional
        In place of the observed information's; the head of the table names it.

    Returns
    -------
    pandas.DataFrame
    """
    columns = [c for c in COLUMNS if fit.objective != "map" or c not in ("z", "p")]
    return full_table(fit, var_names, filter_vars, coords, level, covariance)[columns]


def full_table(
    fit: Any,
    var_names: Sequence[str] | str | None,
    filter_vars: str | None,
    coords: Mapping[str, Any] | None,
    level: float,
    covariance: Covariance | None = None,
) -> pd.DataFrame:
    """All columns, the scale of the limits included.

    Parameters
    ----------
    fit : Fit
    var_names, filter_vars, coords, level
        As in `Fit.summary`.
    covariance : Covariance, optional
        In place of the observed information's; the head of the table names it.

    Returns
    -------
    pandas.DataFrame
        Index: labels of the entries. Fixed entries are left out.
    """
    if not 0.0 < level < 1.0:
        raise AnalysisError.argument("level", level, "a number between 0 and 1")
    estimate = fit.estimate
    parameters = [b.name for b in estimate.layout.blocks if not b.wholly_fixed]
    known = parameters + list(fit._further_names)
    default = parameters + fit._shown_deterministics
    chosen = select_names(default, known, var_names, filter_vars)
    pieces = []
    if covariance is None and estimate.weights_kind == "sampling":
        covariance = fit._covariance_record(None, None)
    limits = wald_limits(estimate, level, covariance)
    for block in estimate.layout.blocks:
        if block.name in chosen:
            keep = np.arange(block.natural.start, block.natural.stop)[~block.fixed]
            labels = [estimate.layout.labels[i] for i in keep]
            pieces.append(_frame(labels, limits, keep))
    names = [name for name in chosen if name not in parameters]
    if names:
        items = fit._derived(names)
        labels = [label for item in items for label in item.labels]
        found = derived(estimate, items, level, covariance)
        pieces.append(_frame(labels, found, np.arange(len(labels))))
    table = pd.concat(pieces) if pieces else pd.DataFrame(columns=[*COLUMNS, "scale"])
    table.index.name = None
    held = conditional_on(estimate)
    if held:
        table.attrs["conditional_on"] = held
    if covariance is not None and covariance.name != "observed":
        table.columns.name = covariance.label
        table.attrs.update(covariance.summary)
    return table if not coords else table.loc[_at_coords(fit, chosen, table.index, coords)]


def covariance_table(estimate: Estimate, record: Covariance, scale: str) -> pd.DataFrame:
    """A covariance of the estimated entries as a labelled frame.

    Parameters
    ----------
    estimate : Estimate
    record : Covariance
    scale : {"natural", "unconstrained"}

    Returns
    -------
    pandas.DataFrame
    """
    layout = estimate.layout
    if scale == "unconstrained":
        labels = list(layout.free_labels)
        matrix = record.unconstrained
    elif scale == "natural":
        keep = ~layout.fixed
        labels = [label for label, kept in zip(layout.labels, keep, strict=True) if kept]
        matrix = record.natural[np.ix_(keep, keep)]
    else:
        raise AnalysisError.argument("scale", scale, '"natural" or "unconstrained"')
    out = pd.DataFrame(matrix, index=labels, columns=labels)
    out.attrs.update(record.summary)
    if record.name != "observed":
        out.columns.name = record.label
    return out


def correlation_table(covariance: pd.DataFrame) -> pd.DataFrame:
    """A covariance divided by its standard deviations; what heads it stays.

    Parameters
    ----------
    covariance : pandas.DataFrame
        Is changed.

    Returns
    -------
    pandas.DataFrame
    """
    sd = np.sqrt(np.diagonal(covariance.to_numpy()))
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance[:] = covariance.to_numpy() / np.outer(sd, sd)
    return covariance


def _frame(labels: Sequence[str], limits: Limits, keep: np.ndarray) -> pd.DataFrame:
    value, se = limits.estimate[keep], limits.se[keep]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(limits.zero_inside[keep] & (se > 0), value / se, np.nan)
    return pd.DataFrame(
        {
            "estimate": value,
            "se": se,
            "z": z,
            # Not from scipy.special: its import is a noticeable part of a first fit.
            "p": [math.erfc(abs(each) / math.sqrt(2.0)) for each in z],
            "lower": limits.lower[keep],
            "upper": limits.upper[keep],
            "scale": [limits.scale[i] for i in keep],
        },
        index=list(labels),
    )


def select_names(
    default: Sequence[str],
    known: Sequence[str],
    var_names: Sequence[str] | str | None,
    filter_vars: str | None,
) -> list[str]:
    """Names that ``var_names`` and ``filter_vars`` choose among the known ones.

    Parameters
    ----------
    default, known : sequence of str
        What is chosen where nothing is asked for, and all that can be.
    var_names, filter_vars
        As in `Fit.summary`.

    Returns
    -------
    list of str
    """
    if filter_vars not in (None, "like", "regex"):
        raise AnalysisError.argument("filter_vars", filter_vars, 'None, "like" or "regex"')
    if var_names is None:
        return list(default)
    names = [var_names] if isinstance(var_names, str) else list(var_names)
    included = [n for n in names if not n.startswith("~")]
    excluded = [n.removeprefix("~") for n in names if n.startswith("~")]
    chosen: list[str] = [] if included else list(default)
    for name in included:
        chosen += [k for k in _matching(name, known, filter_vars) if k not in chosen]
    dropped = {k for name in excluded for k in _matching(name, known, filter_vars)}
    return [name for name in known if name in chosen and name not in dropped]


def _matching(name: str, known: Sequence[str], filter_vars: str | None) -> list[str]:
    if filter_vars == "like":
        found = [k for k in known if name in k]
    elif filter_vars == "regex":
        found = [k for k in known if re.search(name, k)]
    else:
        found = [k for k in known if k == name]
    if not found:
        raise AnalysisError.unknown_variable(name, known)
    return found


def _at_coords(
    fit: Any, chosen: Sequence[str], index: Sequence[str], coords: Mapping[str, Any]
) -> list[bool]:
    """Which rows have the asked coordinates; variables without the dim stay."""
    layout = fit.estimate.layout
    dims_of = fit._dims
    used = {dim for name in chosen for dim in (dims_of.get(name) or ())}
    for dim, wanted in coords.items():
        if dim not in used or dim not in layout.coords:
            raise AnalysisError.unknown_coordinate(dim, None, sorted(d for d in used if d))
        for label in np.atleast_1d(np.asarray(wanted, dtype=object)):
            if label not in layout.coords[dim]:
                raise AnalysisError.unknown_coordinate(dim, label, layout.coords[dim])
    kept: set[str] = set()
    for name in chosen:
        dims: tuple[str, ...] = tuple(dims_of.get(name) or ())
        rows = (
            entry_labels(name, [len(layout.coords[d]) for d in dims], dims, layout.coords)
            if all(d in layout.coords for d in dims) and dims
            else None
        )
        if rows is None:
            kept |= {label for label in index if label == name or label.startswith(f"{name}[")}
            continue
        places = np.ndindex(*(len(layout.coords[d]) for d in dims))
        for label, place in zip(rows, places, strict=True):
            here = {d: layout.coords[d][i] for d, i in zip(dims, place, strict=True)}
            if all(
                here[d] in np.atleast_1d(np.asarray(w, dtype=object))
                for d, w in coords.items()
                if d in here
            ):
                kept.add(label)
    return [label in kept for label in index]
