"""Discrete latent variables with finite support, summed out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from pymle.errors import ModelError
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
        The same one where there is nothing to sum.
    roles : Roles

    Raises
    ------
    ModelError
        pymc-extras is not installed, or cannot sum these variables.
    """
    names = [name for name in roles_.names(DISCRETE) if name not in fixed]
    if not names:
        return model, roles_
    try:
        with warnings.catch_warnings():
            # It imports what others have deprecated.
            warnings.simplefilter("ignore")
            import pymc_extras  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ModelError.discrete(names) from error
    initial = dict(model.rvs_to_initial_values)
    graph = ModelGraph(model)
    chosen = {model[name] for name in names}
    lost = [d for d in model.deterministics if chosen & set(graph.free_among([d]))]
    try:
        # A model with initial values of its own cannot be copied, nor one with Deterministics
        # of what is summed out, which have no value then.
        model.rvs_to_initial_values.update(dict.fromkeys(initial))
        for each in lost:
            model.deterministics.remove(each)
            model.named_vars.pop(each.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other = pymc_extras.marginalize(model, names)
    except (NotImplementedError, ValueError, TypeError) as error:
        raise ModelError.cannot_sum(names, error) from error
    finally:
        model.rvs_to_initial_values.update(initial)
        for each in lost:
            model.deterministics.append(each)
            model.named_vars[each.name] = each
    for rv, value in initial.items():
        if rv.name in other.named_vars and value is not None and rv.name not in names:
            other.rvs_to_initial_values[other[rv.name]] = value
    gone = {each.name for each in lost}
    entries = _entries(roles_, names, gone)
    return other, Roles(entries, roles_.notices, roles_.ambiguous)


def _entries(roles_: Roles, names: Sequence[str], gone: set[str]) -> tuple[Role, ...]:
    return tuple(
        Role(entry.name, SUMMED, "discrete: its values are summed over")
        if entry.name in names
        else Role(entry.name, entry.role, "of what is summed out: left out of the tables")
        if entry.name in gone
        else entry
        for entry in roles_.entries
    )
