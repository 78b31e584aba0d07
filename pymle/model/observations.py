"""What a model observed: values, and the laws that give them their likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.model import compat, walks
from pymle.model.density import freeze_shared
from pymle.model.roles import PRIOR


@dataclass(frozen=True)
class Observations:
    """The observations of a problem at its present data.

    Attributes
    ----------
    values : dict of str to numpy.ndarray
        By observed variable.
    laws : dict of str to str
        Name of the distribution of each, such as ``Normal``.
    potentials : tuple of str
        Potentials that are part of the likelihood.
    """

    values: dict[str, np.ndarray]
    laws: dict[str, str]
    potentials: tuple[str, ...]


def observations_of(problem: Any) -> Observations:
    """What a problem observes.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Observations
    """
    model, items = problem.model, problem.lowered.data
    known = {item.source: problem.given.get(item.name or "", item.value) for item in items}
    values, laws = {}, {}
    for rv in model.observed_RVs:
        value = model.rvs_to_values[rv]
        if value not in known:
            # An expression of data (a cast, a logarithm), or one that became no input.
            [frozen] = freeze_shared([compat.as_tensor(value)], items)
            given = {item.symbol: known[item.source] for item in items}
            [known[value]] = walks.evaluate([frozen], given)
        values[str(rv.name)] = np.asarray(known[value])
        op = rv.owner.op
        core = getattr(op, "core_op", op)
        laws[str(rv.name)] = type(core).__name__.removesuffix("RV")
    dropped = problem.roles.names(PRIOR)
    potentials = tuple(str(p.name) for p in model.potentials if p.name not in dropped)
    return Observations(values, laws, potentials)
