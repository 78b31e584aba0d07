"""Models as they are sampled: values held, priors made flat; and points on PyMC's scale."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.model.fgraph import clone_model
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.traversal import ancestors

from pymle.model import checks, compat, walks
from pymle.model.density import natural_terms, natural_values, replace_random
from pymle.model.effects import Effects, make_effects
from pymle.model.problem import Problem
from pymle.model.roles import MISSING, PRIOR, RANDOM, Role, Roles

_FLAT = "flat prior of"


class WholeProblem(Problem):
    """A problem that integrates every random effect and missing value.

    Those on which nothing observed depends drop out of a likelihood; a posterior has them.
    """

    @cached_property
    def effects(self) -> Effects | None:
        """All variables that have a law of their own and are not held."""
        asked = {*self.roles.names(RANDOM), *self.roles.names(MISSING)} - set(self.names)
        names = [name for name in self.initial if name in asked]
        return make_effects(self.model, names, self.initial, self.reml)


def left_out(problem: Problem) -> tuple[str, ...]:
    """Random effects and missing values that no likelihood of a problem depends on."""
    asked = {*problem.roles.names(RANDOM), *problem.roles.names(MISSING)} - set(problem.names)
    kept = problem.effects.names if problem.effects else ()
    return tuple(name for name in problem.initial if name in asked and name not in kept)


def flat_model(model: Any, roles: Roles, names: Sequence[str]) -> tuple[Any, Roles]:
    """A copy of a model whose parameters have a flat prior on the natural scale.

    Parameters
    ----------
    model : pymc.Model
    roles : Roles
    names : sequence of str
        Variables whose prior becomes flat over its support. What else the model holds keeps
        its law.

    Returns
    -------
    model : pymc.Model
        With one Potential for each, which takes the log-density of the prior away again; the
        Jacobians of PyMC's transforms stay. Potentials whose role is that of a prior are taken
        away too.
    roles : Roles
        Of the copy.
    """
    with without_initial_values(model):
        copy = clone_model(model)
    values = natural_values(copy)
    logps = natural_terms(copy, values, list(names))
    totals = _of_random([logps[name].sum() for name in names], values, copy)
    added = {}
    for name, total in zip(names, totals, strict=True):
        # Outside the support the density stays zero.
        added[name] = pt.switch(pt.gt(total, -np.inf), -total, -np.inf)
    potentials = {p.name: p for p in copy.potentials}
    added |= {name: -potentials[name].sum() for name in roles.names(PRIOR)}
    with copy:
        for name, graph in added.items():
            pm.Potential(f"{_FLAT} {name}", graph)
    reason = "takes a prior away"
    entries = tuple(Role(f"{_FLAT} {name}", PRIOR, reason) for name in added)
    return copy, Roles((*roles.entries, *entries), roles.notices, roles.ambiguous)


def _of_random(graphs: Sequence[Any], values: Mapping[str, Any], model: Any) -> list[Any]:
    """Graphs of value variables as graphs of the model's own random variables.

    PyMC replaces these in a Potential by its value variables; they must be themselves, and no
    copies, of which each would be a random draw.
    """
    graph = FunctionGraph(outputs=list(graphs), clone=False)
    present = set(graph.inputs)
    for name, symbol in values.items():
        if symbol in present:
            graph.replace(symbol, model[name], import_missing=True)
    return list(graph.outputs)


def conditioned(model: Any, held: Mapping[str, np.ndarray]) -> Any:
    """A copy of a model with some free variables held at values.

    Parameters
    ----------
    model : pymc.Model
    held : mapping of str to numpy.ndarray
        Natural scale, whole variables.

    Returns
    -------
    pymc.Model
        Where nothing free stands above a held variable its log-density is a constant, and
        the variable becomes one (``pm.do``), which allows the edge of its support; else it
        is observed (``pm.observe``). Both give the posterior given these values.
    """
    if not held:
        return model
    free = set(model.free_RVs)
    seen, replaced = {}, {}
    for name, value in held.items():
        rv = model[name]
        above = free & set(ancestors(list(rv.owner.inputs)))
        typed = np.asarray(value).astype(rv.dtype)
        (seen if above else replaced)[name] = typed
    with without_initial_values(model):
        out = pm.do(model, replaced) if replaced else model
    with without_initial_values(out):
        return pm.observe(out, seen) if seen else out


@contextmanager
def without_initial_values(model: Any) -> Iterator[None]:
    """No initial values inside the block: PyMC copies no model that has them."""
    initial = dict(model.rvs_to_initial_values)
    try:
        model.rvs_to_initial_values.update(dict.fromkeys(initial))
        yield
    finally:
        model.rvs_to_initial_values.update(initial)


@contextmanager
def at_data(problem: Problem) -> Iterator[None]:
    """Inside the block the PyMC model holds the data of a problem, dim lengths included."""
    with problem._swapped():
        yield


def sampler_coordinates(model: Any) -> Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """A function from natural-scale points to values of PyMC's continuous value variables.

    Parameters
    ----------
    model : pymc.Model

    Returns
    -------
    callable
        Of a mapping by name of all free variables; it returns flat arrays by the name of the
        free variable, in the order in which PyMC's NUTS joins them. Interpreted.
    """
    values = natural_values(model)
    order = [model.values_to_rvs[value] for value in model.continuous_value_vars]
    outputs = []
    for rv in order:
        transform, value = model.rvs_to_transforms[rv], values[rv.name]
        inner: Any = value
        if transform is not None:
            inputs = replace_random(model, values, checks.plain_inputs(rv))
            inner = transform.forward(value, *checks.with_states(rv, inputs))
        outputs.append(compat.as_tensor(inner).flatten())
    names, symbols = list(values), list(values.values())
    function = walks.interpret(symbols, outputs)

    def coordinates(point: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        given = [np.asarray(point[n]).astype(s.dtype) for n, s in zip(names, symbols, strict=True)]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = function(*given)
        return {rv.name: np.asarray(v) for rv, v in zip(order, found, strict=True)}

    return coordinates
