"""An estimate as groups of labelled arrays: values, standard errors, covariance, verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from pymle.fitted import Fitted
from pymle.inference.covariance import Covariance, estimate_covariance
from pymle.inference.derived import Derived, derived
from pymle.inference.effects import random_effects
from pymle.inference.wald import wald_limits


def estimate_groups(fitted: Fitted, deterministics: Sequence[Derived]) -> dict[str, xr.Dataset]:
    """What is known of an estimate, as datasets with the model's dims and coords.

    Parameters
    ----------
    fitted : Fitted
    deterministics : sequence of Derived
        To be shown beside the parameters.

    Returns
    -------
    dict of str to xarray.Dataset
        ``estimate`` and ``standard_error`` (natural scale; random effects at their conditional
        modes), ``covariance`` (``natural`` and ``unconstrained``, labelled by entry) and
        ``verdict``.
    """
    estimate, problem = fitted.estimate, fitted.problem
    covariance = estimate_covariance(fitted)
    values, errors = {}, {}
    limits = wald_limits(estimate, 0.95, covariance)
    for block in estimate.layout.blocks:
        for out, source in ((values, estimate.natural), (errors, limits.se)):
            out[block.name] = problem.labelled(
                block.name, _shaped(source[block.natural], block.shape)
            )
    if problem.effects is not None:
        found = random_effects(fitted, 0.95)
        values |= dict(found.modes)
        errors |= dict(found.se)
    if deterministics:
        limits = derived(estimate, deterministics, 0.95, covariance)
        ends = np.cumsum([len(item.labels) for item in deterministics])[:-1]
        graphs = [problem.variable(item.name) for item in deterministics]
        shapes = problem.shapes_of(graphs, estimate.natural)
        for out, source in ((values, limits.estimate), (errors, limits.se)):
            for item, part, shape in zip(
                deterministics, np.split(source, ends), shapes, strict=True
            ):
                out[item.name] = problem.labelled(item.name, _shaped(part, shape))
    numbers = {
        "objective": estimate.objective,
        "loglik": estimate.loglik,
        "nobs": estimate.nobs,
        "nparams": estimate.nparams,
    }
    if estimate.logposterior is not None:
        numbers["logposterior"] = estimate.logposterior
    return {
        "estimate": xr.Dataset(values, attrs=numbers),
        "standard_error": xr.Dataset(errors, attrs=attributes(covariance.summary)),
        "covariance": _covariance(fitted, covariance),
        "verdict": _verdict(fitted),
    }


def attributes(found: Mapping[str, Any]) -> dict[str, Any]:
    """Values as attributes of a file hold them: numbers and text; anything else as its text."""
    out: dict[str, Any] = {}
    for name, value in found.items():
        if isinstance(value, bool | np.bool_):
            out[str(name)] = int(value)
        elif isinstance(value, str | int | float):
            out[str(name)] = value
        elif isinstance(value, np.number):
            out[str(name)] = value.item()
        elif value is not None:
            out[str(name)] = str(value)
    return out


def _shaped(flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(flat, dtype=np.float64).reshape(shape)


def _covariance(fitted: Fitted, covariance: Covariance) -> xr.Dataset:
    layout = fitted.estimate.layout
    keep = ~layout.fixed
    entries = [label for label, kept in zip(layout.labels, keep, strict=True) if kept]
    inner = list(layout.free_labels)
    return xr.Dataset(
        {
            "natural": (("entry", "entry_"), covariance.natural[np.ix_(keep, keep)]),
            "unconstrained": (("coordinate", "coordinate_"), covariance.unconstrained),
        },
        coords={
            "entry": entries,
            "entry_": entries,
            "coordinate": inner,
            "coordinate_": inner,
        },
        attrs=attributes(covariance.summary),
    )


def _verdict(fitted: Fitted) -> xr.Dataset:
    verdict = fitted.estimate.verdict
    direction = dict(verdict.parameters)
    out = xr.Dataset(
        {
            "status": str(verdict.status.value),
            "ok": verdict.ok,
            "sentence": verdict.status.sentence,
            "advice": verdict.advice,
        },
        attrs=attributes(verdict.evidence),
    )
    if direction:
        out = out.assign(direction=("entry", np.array(list(direction.values()), dtype=float)))
        out = out.assign_coords(entry=list(direction))
    return out
