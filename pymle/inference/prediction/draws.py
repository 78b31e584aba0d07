"""Asymptotic draws of the parameters, and data simulated from a fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from pymle.bind import point_function
from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.covariance import Covariance, estimate_covariance
from pymle.inference.prediction.levels import Levels, levels
from pymle.model import compat
from pymle.model.predictive.groups import data_groups, labelled_stack
from pymle.model.predictive.newdata import NewData


def asymptotic_points(
    fitted: Fitted,
    n: int,
    random_seed: Any = None,
    covariance: Covariance | None = None,
    *,
    hold: bool = False,
) -> np.ndarray:
    """Draws of the unconstrained vector from its asymptotic normal distribution.

    Parameters
    ----------
    fitted : Fitted
    n : int
    random_seed : int, sequence of int, SeedSequence, Generator or None
    covariance : Covariance, optional
        By default that of the observed information.
    hold : bool
        Stay at the estimate along directions without a standard error (parameters on an edge,
        flat directions), where those of everything else are known.

    Returns
    -------
    numpy.ndarray, shape (n, k)

    Raises
    ------
    AnalysisError
        The fit has no covariance, or a direction without one.
    """
    if int(n) < 1:
        raise AnalysisError.argument("n", n, "a positive number of draws")
    used = estimate_covariance(fitted) if covariance is None else covariance
    matrix, basis = used.unconstrained, None
    held = fitted.estimate.null_space if hold else None
    if held is not None and held.shape[1] and not np.all(np.isfinite(matrix)):
        basis = np.linalg.qr(held, mode="complete")[0][:, held.shape[1] :]
        matrix = used.of(basis.T)
    if not np.all(np.isfinite(matrix)):
        raise AnalysisError.no_draws(str(fitted.estimate.verdict.status.value))
    values, vectors = np.linalg.eigh(matrix)
    if np.any(values < -1e-10 * values.max(initial=0.0)):
        raise AnalysisError.no_draws("a covariance with negative variances")
    # A cluster-robust covariance from few clusters has rank zero directions: rounding below zero.
    root = vectors * np.sqrt(np.where(values > 0.0, values, 0.0))
    normal = np.random.default_rng(random_seed).standard_normal((int(n), len(matrix)))
    moved = normal @ root.T
    return fitted.estimate.x + (moved if basis is None else moved @ basis.T)


def natural_rows(fitted: Fitted, points: np.ndarray) -> np.ndarray:
    """Natural vectors (n, m) of unconstrained points (n, k)."""
    return fitted.natural.values(points)


def simulated_point(fitted: Fitted, chosen: Levels) -> np.ndarray:
    """What a simulator takes at the estimate: natural values, and effects that are kept.

    Parameters
    ----------
    fitted : Fitted
    chosen : Levels

    Returns
    -------
    numpy.ndarray, shape (m,)
    """
    natural = fitted.estimate.natural
    if not chosen.named("kept", "typical"):
        return natural
    point = fitted.marginal.joint(fitted.estimate.x)[None]
    return np.concatenate([natural, chosen.held_values(point)[1][0]])


def simulated_rows(
    fitted: Fitted, points: np.ndarray, chosen: Levels, random_seed: Any
) -> np.ndarray:
    """The same at draws of the parameters (n, k), the effects drawn around their modes.

    Parameters
    ----------
    fitted : Fitted
    points : numpy.ndarray, shape (n, k)
    chosen : Levels
    random_seed : object

    Returns
    -------
    numpy.ndarray, shape (n, m)
    """
    naturals = natural_rows(fitted, points)
    if not chosen.named("kept", "typical"):
        return naturals
    [seed] = seeds(random_seed, 1)
    return np.hstack([naturals, chosen.held_values(chosen.joint(points, seed))[1]])


def draws(
    fitted: Fitted,
    n: int = 1000,
    random_seed: Any = None,
    *,
    deterministics: bool = True,
    cov: Any = None,
    clusters: Any = None,
) -> Any:
    """Asymptotic draws of the parameters and Deterministics as an ArviZ tree.

    Parameters
    ----------
    fitted : Fitted
    n, random_seed, deterministics, cov, clusters
        As in `Fit.draws`.

    Returns
    -------
    arviz.InferenceData or xarray.DataTree
    """
    problem, layout = fitted.problem, fitted.estimate.layout
    covariance = estimate_covariance(fitted, cov, clusters=clusters)
    points = asymptotic_points(fitted, n, random_seed, covariance)
    naturals = natural_rows(fitted, points)
    arrays: dict[str, tuple[np.ndarray, tuple[str | None, ...]]] = {}
    for block in layout.blocks:
        value = naturals[:, block.natural].reshape((len(points), *block.shape))
        arrays[block.name] = (value, block.dims)
    if deterministics:
        arrays |= _deterministics(fitted, points)
    posterior = xr.Dataset(
        {
            name: labelled_stack(name, value[None], ("chain", "draw"), dims, layout.coords)
            for name, (value, dims) in arrays.items()
        }
    ).assign_coords(chain=[0], draw=np.arange(len(points)))
    named = {"mle": "maximum-likelihood", "penalised": "penalised-likelihood", "map": "MAP"}
    what = named[fitted.estimate.objective]
    about = {
        "draws": "asymptotic",
        "description": (
            f"Draws from the normal approximation around the {what} estimate, on the "
            f"unconstrained scale, with the covariance of the {covariance.text}; no posterior "
            "sample. Independent draws in one chain: diagnostics of convergence say nothing."
        ),
        "objective": fitted.estimate.objective,
        "verdict": str(fitted.estimate.verdict.status.value),
        "inference_library": "pymle",
    }
    posterior.attrs.update(about)
    return compat.tree({"posterior": posterior, **data_groups(problem)}, about)


def _deterministics(
    fitted: Fitted, points: np.ndarray
) -> dict[str, tuple[np.ndarray, tuple[str | None, ...]]]:
    problem = fitted.problem
    names = [
        d.name
        for d in problem.model.deterministics
        if not problem.undetermined(problem.variable(d.name))
    ]
    if not names:
        return {}
    graphs = [problem.variable(name) for name in names]
    shapes = problem.shapes_of(graphs, fitted.estimate.natural)
    function = point_function(problem, problem.lowered_graphs(graphs))
    flat = function.values(points)
    out, at = {}, 0
    for name, shape in zip(names, shapes, strict=True):
        size = int(np.prod(shape, dtype=int))
        value = flat[:, at : at + size].reshape((len(points), *shape))
        out[name] = (value, problem.dims_of(name, len(shape)))
        at += size
    return out


def simulate(
    fitted: Fitted,
    n: int = 100,
    random_seed: Any = None,
    *,
    data: Mapping[str, Any] | None = None,
    groups: str | Mapping[str, str] | None = None,
    parameters: str = "estimate",
    cov: Any = None,
    clusters: Any = None,
) -> xr.Dataset:
    """New data from a fitted model.

    Parameters
    ----------
    fitted : Fitted
    n, random_seed, data, groups, parameters, cov, clusters
        As in `Fit.simulate`.

    Returns
    -------
    xarray.Dataset
        Dims ``sample`` and those of each observed variable.
    """
    if parameters not in ("estimate", "draws"):
        raise AnalysisError.argument("parameters", parameters, '"estimate" or "draws"')
    if int(n) < 1:
        raise AnalysisError.argument("n", n, "a positive number of data sets")
    chosen = levels(fitted, groups, "new", missing="new")
    new = NewData(fitted.problem, data)
    simulator = new.simulator(kept=chosen.named("kept", "typical"))
    if parameters == "draws":
        first, second = seeds(random_seed, 2)
        covariance = estimate_covariance(fitted, cov, clusters=clusters)
        points = asymptotic_points(fitted, n, first, covariance)
        drawn = simulator.draw(simulated_rows(fitted, points, chosen, first), second)
    else:
        drawn = simulator.draw(simulated_point(fitted, chosen), random_seed, int(n))
    return xr.Dataset(
        {
            name: labelled_stack(
                name, value, ("sample",), new.dims_of(name, value.ndim - 1), new.coords
            )
            for name, value in drawn.items()
        },
        attrs={
            "parameters": parameters,
            **({"groups": chosen.text} if chosen.text else {}),
            "inference_library": "pymle",
        },
    ).assign_coords(sample=np.arange(int(n)))


def seeds(random_seed: Any, count: int) -> list[np.random.SeedSequence]:
    """Independent seeds from one, for the parts of an analysis."""
    if isinstance(random_seed, np.random.Generator):
        random_seed = [int(v) for v in random_seed.integers(2**32, size=4)]
    if isinstance(random_seed, np.random.SeedSequence):
        return random_seed.spawn(count)
    return np.random.SeedSequence(random_seed).spawn(count)
