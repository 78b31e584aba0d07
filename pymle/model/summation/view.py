"""A model seen without its discrete latent variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymle.model.roles import DISCRETE, SUMMED, Role, Roles
from pymle.model.walks import ModelGraph


def summed_out(model: Any, roles_: Roles, fixed: Mapping[str, Any]) -> tuple[Any, Roles]:
    """A model without its discrete free variables: their values are summed over.

    Parameters
    ----------
    model : pymc.Model
    roles_ : Roles
    fixed : mapping
        What is held stays.

    Returns
    -------
    model : pymc.Model
        The same one where there is nothing to sum; else one that shares its variables, has the
        discrete ones by name but not among its free ones, and reports nothing that depends on
        them.
    roles : Roles
    """
    names = [name for name in roles_.names(DISCRETE) if name not in fixed]
    if not names:
        return model, roles_
    graph = ModelGraph(model)
    chosen = {model[name] for name in names}
    lost = {d.name for d in model.deterministics if chosen & set(graph.free_among([d]))}
    # PyMC's own copies rename and reorder, and refuse models with initial values.
    other = object.__new__(type(model))
    other.__dict__.update(model.__dict__)
    other.free_RVs = type(model.free_RVs)([v for v in model.free_RVs if v not in chosen])
    other.deterministics = type(model.deterministics)(
        [d for d in model.deterministics if d.name not in lost]
    )
    other.summed_from = model
    entries = tuple(
        Role(entry.name, SUMMED, "discrete: its values are summed over")
        if entry.name in names
        else Role(entry.name, entry.role, "of what is summed out: left out of the tables")
        if entry.name in lost
        else entry
        for entry in roles_.entries
    )
    return other, Roles(entries, roles_.notices, roles_.ambiguous)
