"""Draws that were made anywhere, matched to the variables of a fit by name, dims and coords."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from pymle.bayes.comparison.scalars import DETERMINISTIC, Variable
from pymle.bayes.ordering import SAMPLE, in_order
from pymle.errors.comparison import ComparisonError
from pymle.model.bambi import at_centred_predictors


@dataclass(frozen=True)
class Draws:
    """Draws of the scalars of a comparison.

    Attributes
    ----------
    values : numpy.ndarray, shape (m, chains, draws)
        nan for the scalars that the draws do not hold.
    posterior : xarray.Dataset
        All draws, in the order in which they came.
    missing : tuple of str
        Variables of the comparison that the draws do not hold.
    unknown : tuple of str
        Variables of the draws that the model does not have.
    divergences : int or None
        Transitions of the sampler that diverged; None where the draws do not say.
    moved : tuple of str
        Intercepts that bambi had moved to those of the formula, and that are the model's again.
    """

    values: np.ndarray
    posterior: xr.Dataset
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    divergences: int | None
    moved: tuple[str, ...] = ()


def match(
    idata: Any,
    variables: Sequence[Variable],
    coords: Mapping[str, Sequence[Any]],
    known: Sequence[str],
    model: Any,
) -> Draws:
    """Bring draws into the order of the scalars of a fit.

    Parameters
    ----------
    idata : arviz.InferenceData, xarray.DataTree or xarray.Dataset
        With a group ``posterior``, or that group alone; dims ``chain`` and ``draw``.
    variables : sequence of Variable
    coords : mapping of dim to labels
        Those of the model.
    known : sequence of str
        Names of all variables of the model.
    model : pymc.Model

    Returns
    -------
    Draws

    Raises
    ------
    ComparisonError
        No posterior, no variable in common, another shape, other coords, draws that are not
        finite, a dim ``chain`` or ``draw`` that is missing.
    """
    posterior, moved = at_centred_predictors(posterior_of(idata), model)
    present = [str(name) for name in posterior.data_vars]
    wanted = [v.name for v in variables]
    missing = [v for v in variables if v.name not in present]
    if all(v.role == DETERMINISTIC for v in variables if v.name in present):
        free = [v.name for v in variables if v.role != DETERMINISTIC]
        if free:
            raise ComparisonError.nothing_in_common(free, present)
    lengths = tuple(int(posterior.sizes[dim]) for dim in SAMPLE)
    if min(lengths) == 0 or lengths[1] < 4:
        raise ComparisonError.too_few(*lengths)
    rows = []
    for variable in variables:
        count = int(variable.shown.sum())
        if variable.name not in present:
            rows.append(np.full((count, *lengths), np.nan))
            continue
        array = posterior[variable.name]
        array = in_order(array, variable.name, variable.shape, variable.dims, coords)
        flat = np.asarray(array.values, dtype=np.float64).reshape((*lengths, -1))
        kept = flat[..., variable.shown]
        if not np.all(np.isfinite(kept)):
            raise ComparisonError.not_finite(
                variable.name, int((~np.isfinite(kept)).sum()), kept.size
            )
        rows.append(np.moveaxis(kept, -1, 0))
    return Draws(
        values=np.concatenate(rows),
        posterior=posterior,
        missing=tuple(v.name for v in missing),
        unknown=tuple(n for n in present if n not in wanted and n not in known),
        divergences=_divergences(idata),
        moved=moved,
    )


def posterior_of(idata: Any) -> xr.Dataset:
    """The ``posterior`` group of whatever holds draws.

    Parameters
    ----------
    idata : arviz.InferenceData, xarray.DataTree or xarray.Dataset

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    ComparisonError
        There is none, or it has no dims ``chain`` and ``draw``.
    """
    found = idata
    if not isinstance(idata, xr.Dataset):
        found = _group(idata, "posterior")
        if found is None:
            raise ComparisonError.no_posterior(type(idata).__name__, _groups(idata))
    lacking = [dim for dim in SAMPLE if dim not in found.dims]
    if lacking:
        raise ComparisonError.no_dims(lacking, [str(d) for d in found.dims])
    return found


def _group(idata: Any, name: str) -> xr.Dataset | None:
    """A group as a dataset; None where there is none."""
    if isinstance(idata, Mapping) and name in idata:
        group = idata[name]
    else:
        group = getattr(idata, name, None)
    if isinstance(group, xr.Dataset):
        return group
    convert: Any = getattr(group, "to_dataset", None)
    return None if convert is None else convert()


def _groups(idata: Any) -> list[str]:
    if isinstance(idata, Mapping):
        return [str(name) for name in idata]
    return []


def _divergences(idata: Any) -> int | None:
    stats = None if isinstance(idata, xr.Dataset) else _group(idata, "sample_stats")
    if stats is None or "diverging" not in stats:
        return None
    return int(np.asarray(stats["diverging"].values).sum())
