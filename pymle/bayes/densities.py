"""Log-densities at draws: of every observation and of every prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from pymle.bind import point_function
from pymle.errors.draws import DrawsError
from pymle.model import Problem
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
    leading: Sequence[str] = ("chain", "draw"),
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
        Dims of the draws; further dims are the variables' own, in the model's order.
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
        Naming the variables that the draws lack, or whose shape differs from the model's.

    Notes
    -----
    Evaluated draw after draw by one program that JAX compiles (PyTensor's interpreter where
    JAX cannot express the model); compiled once for each model and shape of the data.
    """
    joint = _joint(problem, tuple(kinds))
    points, lengths = _points(joint, draws, leading)
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


def _points(
    joint: Joint, draws: xr.Dataset, leading: Sequence[str]
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Natural vectors (n, m) of draws, and the lengths of their leading dims."""
    missing = [name for name in joint.names if name not in draws]
    if missing:
        raise DrawsError.lack(missing, [str(name) for name in draws.data_vars])
    lengths = tuple(int(draws.sizes[dim]) for dim in leading)
    n = int(np.prod(lengths))
    columns: list[np.ndarray] = [np.zeros((n, 0))]
    for name, shape in zip(joint.names, joint.shapes, strict=True):
        array = draws[name].transpose(*leading, ...)
        own = array.shape[len(leading) :]
        if own != shape:
            raise DrawsError.shape(name, own, shape)
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
