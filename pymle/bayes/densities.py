"""Log-densities at draws: of every observation and of every prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from pymle.bayes.ordering import SAMPLE, in_order
from pymle.bind import point_function
from pymle.errors.comparison import ComparisonError
from pymle.errors.draws import DrawsError
from pymle.model import Problem
from pymle.model.bambi import at_centred_predictors
from pymle.model.joint import LAW, LIKELIHOOD, PRIORS, Joint, make_joint
from pymle.model.predictive.groups import labelled_stack


@dataclass(frozen=True)
class Densities:
    """Elementwise log-densities at draws, natural scale, without Jacobians.

    Attributes
    ----------
    log_likelihood : xarray.Dataset
        One array for each observed variable (and Potential that belongs to the likelihood):
        the leading dims of the draws, then the model's. Conditional on random effects and
        missing values.
    log_prior : xarray.Dataset
        One array for each parameter, the prior of the user's model (and each Potential that
        is a prior).
    log_law : xarray.Dataset
        One array for each random effect and partly observed variable: its log-density given
        the parameters.
    """

    log_likelihood: xr.Dataset
    log_prior: xr.Dataset
    log_law: xr.Dataset


def log_densities(
    problem: Problem,
    draws: xr.Dataset,
    leading: Sequence[str] = SAMPLE,
    *,
    kinds: Sequence[str] = (LIKELIHOOD, PRIORS, LAW),
) -> Densities:
    """Log-likelihood of every observation and log-prior of every variable at draws.

    Parameters
    ----------
    problem : Problem
        At the data of the fit.
    draws : xarray.Dataset
        Natural-scale values of the model's free variables, random effects and missing values
        among them: the ``posterior`` group of a tree. Other variables are ignored.
    leading : sequence of str
        Dims of the draws; further dims are the variables' own: by name where these are the
        model's, else in the order in which they come. Labels are brought into the model's order.
    kinds : sequence of {"likelihood", "prior", "law"}
        What to compute; the rest is empty. The log-likelihood holds one number for each draw
        and observation, and alone needs the random effects.

    Returns
    -------
    Densities
        Weights of the observations do not enter.

    Raises
    ------
    AnalysisError
        Naming the variables that the draws lack, or whose shape or coords differ from the
        model's.

    Notes
    -----
    Evaluated draw after draw by one program that JAX compiles (PyTensor's interpreter where
    JAX cannot express the model); compiled once for each model and shape of the data.
    """
    joint = _joint(problem, tuple(kinds))
    points, lengths = points_of(problem, joint, draws, leading)
    found: dict[str, dict[str, xr.DataArray]] = {LIKELIHOOD: {}, PRIORS: {}, LAW: {}}
    values = _evaluated(problem, joint, points)
    for name, kind, value in zip(joint.terms, joint.kinds, values, strict=True):
        own = value.reshape((*lengths, *value.shape[1:]))
        dims = problem.dims_of(name, value.ndim - 1)
        coords = problem.layout.coords
        found[kind][name] = labelled_stack(name, own, leading, dims, coords)
    places = {dim: draws[dim].values for dim in leading if dim in draws.coords}
    made = {
        kind: xr.Dataset(arrays).assign_coords(places) if arrays else xr.Dataset()
        for kind, arrays in found.items()
    }
    return Densities(made[LIKELIHOOD], made[PRIORS], made[LAW])


def _joint(problem: Problem, kinds: tuple[str, ...]) -> Joint:
    """The lowered terms; kept as long as the lowered objective that they belong to."""
    kept: dict[Any, Any] = problem.programs.setdefault(
        id(problem.lowered), {"lowered": problem.lowered}
    )
    key = ("joint", *kinds)
    if key not in kept:
        kept[key] = make_joint(problem, kinds)
    return kept[key]


def points_of(
    problem: Problem, joint: Joint, draws: xr.Dataset, leading: Sequence[str] = SAMPLE
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Natural vectors of draws in the model's order.

    Parameters
    ----------
    problem : Problem
    joint : Joint
    draws : xarray.Dataset
        What the problem holds may be missing: it is where it is held.
    leading : sequence of str
        Dims of the draws.

    Returns
    -------
    points : numpy.ndarray, shape (n, m)
    lengths : tuple of int
        Of the leading dims.

    Raises
    ------
    AnalysisError
        Draws that lack a variable, or have it in another shape or with other coords.
    """
    absent = [dim for dim in leading if dim not in draws.sizes]
    if absent:
        raise ComparisonError.no_dims(absent, [str(dim) for dim in draws.sizes])
    draws, _ = at_centred_predictors(draws, problem.model)
    vector = problem.coordinates.held_vector
    held = {
        block.name: vector[block.natural]
        for block in problem.layout.blocks
        if block.wholly_fixed and block.name not in draws
    }
    missing = [name for name in joint.names if name not in draws and name not in held]
    if missing:
        raise DrawsError.lack(missing, [str(name) for name in draws.data_vars])
    lengths = tuple(int(draws.sizes[dim]) for dim in leading)
    n = int(np.prod(lengths))
    columns: list[np.ndarray] = [np.zeros((n, 0))]
    for name, shape in zip(joint.names, joint.shapes, strict=True):
        if name in held:
            columns.append(np.repeat(held[name][None, :], n, axis=0))
            continue
        dims, coords = problem.dims_of(name, len(shape)), problem.layout.coords
        array = in_order(draws[name], name, shape, dims, coords, leading)
        columns.append(np.asarray(array.values, dtype=np.float64).reshape(n, -1))
    return np.concatenate(columns, axis=1), lengths


def _evaluated(problem: Problem, joint: Joint, points: np.ndarray) -> list[np.ndarray]:
    """All terms at all points, shape (n, ...) each."""
    if not joint.terms or not len(points):
        return [np.zeros((len(points),)) for _ in joint.terms]
    function = point_function(problem, joint.lowered)
    flat = function.values(points)
    out, at = [], 0
    for shape in function.shapes(points[0]):
        size = int(np.prod(shape, dtype=int))
        out.append(flat[:, at : at + size].reshape((len(points), *shape)))
        at += size
    return out
