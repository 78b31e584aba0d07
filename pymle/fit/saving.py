"""From a fit to what a file holds of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymle.fitted import Fitted
from pymle.inference import estimate_covariance
from pymle.inference.effects import predicted_effects
from pymle.inference.groups import estimate_groups
from pymle.model import Problem
from pymle.model.predictive.groups import constant_values, data_groups, observed_values
from pymle.stored.container import checked_path
from pymle.stored.content import Content, save_content


def save_fit(fit: Any, path: Any, *, overwrite: bool) -> Any:
    """Write a fit to a file.

    Parameters
    ----------
    fit : Fit
    path, overwrite
        As in `Fit.save`.

    Returns
    -------
    pathlib.Path
    """
    checked_path(path)
    fitted: Fitted = fit._fitted
    estimate, problem = fitted.estimate, fitted.problem
    whole = estimate.curvature_is_cheap
    shown = fit._derived(fit._shown_deterministics)
    effects = problem.effects
    sampling = estimate.weights_kind == "sampling"
    content = Content(
        estimate=estimate,
        curvature=estimate.curvature if whole else None,
        whole=whole,
        covariance=estimate_covariance(fitted) if sampling else None,
        roles=problem.roles,
        deterministics=tuple(shown),
        effects=tuple(fit._derived(effects.names)) if effects else (),
        predicted=predicted_effects(fitted),
        point=fit.point,
        dims={str(k): tuple(v) for k, v in problem.model.named_vars_to_dims.items() if v},
        integrated=fit.integrated,
        printed=repr(fit),
        html=fit._repr_html_(),
        asked=_asked(fitted),
        given={name: np.asarray(value) for name, value in problem.given.items()},
        weights=_weights(fitted),
        observed=observed_values(problem),
        constant=constant_values(problem),
    )
    groups = data_groups(problem)
    if whole:
        groups = {**estimate_groups(fitted, shown), **groups}
    return save_content(path, content, groups, overwrite=overwrite)


def _asked(fitted: Fitted) -> dict[str, Any]:
    """What makes the same problem and estimator of the same model."""
    problem, settings = fitted.problem, fitted.estimator.settings
    return {
        **settings.asked,
        "objective": problem.objective,
        "jacobian": problem.jacobian,
        "fixed": _held(problem),
        "backend": problem.backend,
        "quadrature": problem.quadrature,
        "reml": problem.reml or None,
        "penalty": problem.penalty,
        "method": settings.method,
        "n_starts": settings.n_starts,
        "random_seed": settings.random_seed,
        "weights_kind": settings.weights_kind,
    }


def _held(problem: Problem) -> dict[str, Any] | None:
    """What is held, as ``fixed=`` takes it: by name, or by label where only entries are."""
    out: dict[str, Any] = {}
    for block in problem.layout.blocks:
        if block.name not in problem.coordinates.held:
            continue
        values = problem.coordinates.held[block.name].values
        if block.wholly_fixed:
            out[block.name] = values.reshape(block.shape)
        else:
            out |= {block.labels[i]: float(values[i]) for i in np.flatnonzero(block.fixed)}
    return out or None


def _weights(fitted: Fitted) -> dict[str, np.ndarray] | None:
    """Weights by observed variable, as `find_MLE` takes them."""
    if fitted.weights is None:
        return None
    pairs = zip(fitted.problem.observed, fitted.weights, strict=True)
    # A joint density takes no weights: its one is left out.
    return {term.name: weight for term, weight in pairs if term.shape or term.rows <= 1}
