"""The point estimate's side of a comparison: every scalar with its standard error and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pymle.bind import call_at
from pymle.estimate import Estimate
from pymle.fitted import Fitted
from pymle.inference.covariance import estimate_covariance
from pymle.inference.derived import Derived, derived
from pymle.inference.quantity import estimated_or_predicted
from pymle.model import Problem
from pymle.model.walks import ModelGraph
from pymle.verdict import Status

#: Deterministics with more entries are left out unless they are asked for.
MOST_ENTRIES = 200
#: Statuses at which an entry without a standard error still has a value of its own.
_AT_AN_EDGE = {
    Status.MAXIMUM, Status.BOUNDARY, Status.SUPPORT, Status.KINK, Status.DERIVATIVE_FREE,
}  # fmt: skip
#: Statuses at which the point is a strict local maximum.
STRICT = {Status.MAXIMUM, Status.LOCAL, Status.SEVERAL, Status.HIGHER_ELSEWHERE}

PARAMETER, EFFECT, MISSING, DETERMINISTIC = (
    "parameter", "random effect", "missing value", "deterministic",
)  # fmt: skip


@dataclass(frozen=True)
class Variable:
    """One variable of a comparison.

    Attributes
    ----------
    name : str
    role : {"parameter", "random effect", "missing value", "deterministic"}
    shape : tuple of int
    dims : tuple of (str or None)
    labels : tuple of str
        Of all entries, in C order.
    shown : numpy.ndarray of bool, shape (size,)
        Entries that are compared: those that are not held.
    joint : bool
        Entries constrain each other.
    """

    name: str
    role: str
    shape: tuple[int, ...]
    dims: tuple[str | None, ...]
    labels: tuple[str, ...]
    shown: np.ndarray
    joint: bool


@dataclass(frozen=True)
class Scalars:
    """All scalars of a comparison at the point estimate, natural scale.

    Attributes
    ----------
    variables : tuple of Variable
    table : pandas.DataFrame
        ``variable``, ``role``, ``mle``, ``se``, ``lower``, ``upper`` by label.
    jacobian : numpy.ndarray, shape (m, k)
        Derivatives with respect to the unconstrained vector.
    low, high : numpy.ndarray, shape (m,)
        Range that each cannot leave.
    """

    variables: tuple[Variable, ...]
    table: pd.DataFrame
    jacobian: np.ndarray
    low: np.ndarray
    high: np.ndarray


def default_names(problem: Problem) -> list[str]:
    """Parameters, random effects, missing values, and Deterministics that are not of the rows.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    list of str
    """
    names = [b.name for b in problem.layout.blocks if not b.wholly_fixed]
    names += list(problem.effects.names if problem.effects else ())
    return names + _deterministics(problem, names)


def known_names(problem: Problem) -> list[str]:
    """Everything that can be compared.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    list of str
    """
    names = [b.name for b in problem.layout.blocks if not b.wholly_fixed]
    names += list(problem.effects.names if problem.effects else ())
    return names + [d.name for d in _functions(problem)]


def _functions(problem: Problem) -> list[Any]:
    """Deterministics that depend on what the fit determines, and on nothing else."""
    own = {b.name for b in problem.layout.blocks if not b.wholly_fixed}
    effects = set(problem.effects.names if problem.effects else ())
    graph, out = ModelGraph(problem.model), []
    for variable in problem.model.deterministics:
        above = {rv.name for rv in graph.free_among([variable])}
        if above & (own | effects) and above <= set(problem.names) | effects:
            out.append(variable)
    return out


def _deterministics(problem: Problem, names: Sequence[str]) -> list[str]:
    observed = {
        dim
        for term in problem.observed
        for dim in problem.dims_of(term.name, len(term.shape))
        if dim
    }
    rows = {term.shape for term in problem.observed if term.shape}
    effects = problem.effects
    groups = {
        dim for block in (effects.layout.blocks if effects else ()) for dim in block.dims if dim
    }
    out = []
    graphs = _functions(problem)
    point = problem.layout.to_natural(problem.coordinates.complete(None))
    for graph, shape in zip(graphs, problem.shapes_of(graphs, point), strict=True):
        partly = f"{graph.name}_unobserved" in names
        dims = {dim for dim in problem.dims_of(graph.name, len(shape)) if dim}
        per_row = (dims & observed and not dims & groups) or (not dims and shape in rows)
        if not per_row and not partly and int(np.prod(shape, dtype=int)) <= MOST_ENTRIES:
            out.append(graph.name)
    return out


def scalars_of(fitted: Fitted, names: Sequence[str], level: float) -> Scalars:
    """Estimates, standard errors and Wald limits of the entries of some variables.

    Parameters
    ----------
    fitted : Fitted
        Without a certificate too.
    names : sequence of str
    level : float

    Returns
    -------
    Scalars
        nan where there is no number: an entry that runs away has no estimate, one at the edge
        of its support no standard error.
    """
    estimate, problem = fitted.estimate, fitted.problem
    items: list[Derived] = []
    variables: list[Variable] = []
    for name in names:
        found = estimated_or_predicted(fitted, name)
        items.append(found.at_estimate(estimate))
        free = np.ones(found.size, dtype=bool) if found.free is None else found.free
        role = _role(problem, name)
        dims = found.dims or (None,) * len(found.shape)
        variables.append(
            Variable(name, role, found.shape, dims, found.labels, np.asarray(free), found.joint)
        )
    covariance = None
    if estimate.weights_kind == "sampling":
        covariance = estimate_covariance(fitted, None)
    limits = derived(estimate, items, level, covariance)
    keep = np.concatenate([v.shown for v in variables])
    low = np.concatenate([np.broadcast_to(i.low, i.value.shape) for i in items])
    high = np.concatenate([np.broadcast_to(i.high, i.value.shape) for i in items])
    table = pd.DataFrame(
        {
            "variable": np.repeat([v.name for v in variables], [len(v.labels) for v in variables]),
            "role": np.repeat([v.role for v in variables], [len(v.labels) for v in variables]),
            "mle": _certain(estimate, limits.estimate, limits.se),
            "se": limits.se,
            "lower": limits.lower,
            "upper": limits.upper,
        },
        index=[label for v in variables for label in v.labels],
    )
    jacobian = np.concatenate([np.asarray(item.jacobian) for item in items])
    return Scalars(tuple(variables), table[keep], jacobian[keep], low[keep], high[keep])


def _certain(estimate: Estimate, value: np.ndarray, se: np.ndarray) -> np.ndarray:
    """Values where the search settled; where it ran away the place it stopped at is no estimate."""
    if estimate.verdict.status in STRICT | _AT_AN_EDGE:
        return value
    return np.where(np.isfinite(se), value, np.nan)


def _role(problem: Problem, name: str) -> str:
    if name in {b.name for b in problem.layout.blocks}:
        return PARAMETER
    if problem.effects is not None and name in problem.effects.names:
        return MISSING if name in problem.roles.names("missing value") else EFFECT
    return DETERMINISTIC


def values_at(fitted: Fitted, variables: Sequence[Variable]) -> np.ndarray:
    """Values of the same scalars at another fit of the same model (its MAP).

    Parameters
    ----------
    fitted : Fitted
    variables : sequence of Variable

    Returns
    -------
    numpy.ndarray, shape (m,)
        nan where the fit did not settle.
    """
    estimate, problem = fitted.estimate, fitted.problem
    if estimate.verdict.status not in STRICT | _AT_AN_EDGE:
        return np.full(sum(int(v.shown.sum()) for v in variables), np.nan)
    point = {**estimate.layout.to_point(estimate.natural)}
    others = [v.name for v in variables if v.name not in point]
    if others:
        lowered = problem.lowered_graphs([problem.variable(name) for name in others])
        values = call_at(problem, lowered, fitted.likelihood.joint(estimate.x))
        point |= {n: np.asarray(v) for n, v in zip(others, values, strict=True)}
    return np.concatenate([np.ravel(point[v.name])[v.shown] for v in variables])
