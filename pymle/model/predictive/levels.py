"""Random effects in graphs of predictions: which are read, and their typical values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import pytensor.tensor as pt
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors

from pymle.errors import AnalysisError
from pymle.model import compat
from pymle.model.density import replace_random
from pymle.model.predictive.moments import moments_of
from pymle.model.problem import Problem
from pymle.model.roles import PRIOR, RANDOM

#: Laws whose entries have mean zero.
_CENTRED = {"ZeroSumNormalRV", "ICARRV"}


def grouped_effects(problem: Problem) -> tuple[str, ...]:
    """Random effects that groups have: without missing values and flat parameters.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    tuple of str
    """
    effects = problem.effects
    if effects is None:
        return ()
    known = problem.roles.names(RANDOM)
    return tuple(n for n in effects.names if n in known and n not in effects.flat)


def effects_read(problem: Problem, graphs: Sequence[Any]) -> tuple[str, ...]:
    """What was integrated out and is read by some graphs of the model's variables.

    Parameters
    ----------
    problem : Problem
    graphs : sequence of Variable

    Returns
    -------
    tuple of str
        In the order of declaration.
    """
    if problem.effects is None:
        return ()
    above = set(ancestors(_by_values(problem, graphs)))
    values = problem.density.values
    return tuple(name for name in problem.effects.names if values[name] in above)


def laws_between(problem: Problem, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The effects on which the law of each effect depends.

    Parameters
    ----------
    problem : Problem
    names : iterable of str

    Returns
    -------
    dict of str to tuple of str
    """
    model = problem.model
    return {
        name: effects_read(problem, [v for v in model[name].owner.inputs if _is_value(v)])
        for name in names
    }


def names_behind(problem: Problem, name: str) -> tuple[str, ...]:
    """The random effects that a name stands for: its own, or those behind a Deterministic."""
    if name in grouped_effects(problem):
        return (name,)
    if name in {d.name for d in problem.model.deterministics}:
        read = effects_read(problem, [problem.variable(name)])
        return tuple(n for n in read if n in grouped_effects(problem))
    return ()


def at_typical(problem: Problem, graphs: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Graphs with some random effects at the mean of their law.

    Parameters
    ----------
    problem : Problem
    graphs : sequence of Variable
    names : sequence of str
        The effects.

    Returns
    -------
    list of Variable
        Of natural value variables.

    Raises
    ------
    AnalysisError
        The law of an effect has no mean in closed form here.

    Notes
    -----
    For effects ``Normal(0, tau)`` these are the predictions with all effects at zero. Where a law
    depends on other effects, these are put at the mean of theirs too.
    """
    values, out = problem.density.values, _by_values(problem, graphs)
    # A variable is declared after those that its law depends on.
    for name in reversed([n for n in problem.initial if n in names]):
        if values[name] not in set(ancestors(out)):
            continue
        mean = _law_mean(problem, name)
        swaps = {values[name]: mean}
        out = cast("list[Any]", clone_replace(out, swaps, rebuild_strict=False))
    return out


def refuse_potentials(problem: Problem, names: Sequence[str], what: str) -> None:
    """Refuse laws that are not those of their variables alone.

    Parameters
    ----------
    problem : Problem
    names : sequence of str
    what : str
        What is asked for.

    Raises
    ------
    AnalysisError
    """
    priors = problem.roles.names(PRIOR)
    for potential in problem.model.potentials:
        if potential.name not in priors:
            read = [n for n in effects_read(problem, [potential]) if n in names]
            if read:
                raise AnalysisError.law_by_potential(read, potential.name, what)


def _by_values(problem: Problem, graphs: Sequence[Any]) -> list[Any]:
    tensors = [compat.as_tensor(g) for g in graphs]
    return replace_random(problem.model, problem.density.values, tensors)


def _law_mean(problem: Problem, name: str) -> Any:
    rv, effects = problem.model[name], problem.effects
    assert effects is not None
    refuse_potentials(problem, [name], 'groups="typical"')
    shape, op = effects.layout.block(name).shape, type(rv.owner.op).__name__
    if op in _CENTRED:
        mean: Any = pt.zeros(shape)
    else:
        found = moments_of(rv)
        if found is None or found.categories:
            raise AnalysisError.no_typical(name, op)
        [mean] = _by_values(problem, [found.mean])
        mean = pt.broadcast_to(mean, shape)
    return compat.like_rv(mean, rv)


def _is_value(variable: Any) -> bool:
    return hasattr(variable.type, "dtype") and not type(variable.type).__name__.startswith("Random")
