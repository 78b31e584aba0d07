"""Which observations take finitely many values, so that expectations are sums over them."""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import ancestors
from pytensor.tensor.shape import Shape, Shape_i

from pymle.errors import AnalysisError
from pymle.model.roles import PRIOR, RANDOM
from pymle.model.sources import observed_sources, source_of

#: Distributions whose entries take values from zero to a number that their parameters give.
_FINITE = frozenset(
    ("Bernoulli", "BetaBinomial", "Binomial", "Categorical", "DiscreteUniform", "HyperGeometric")
)


def can_be_penalised(problem: Any) -> bool:
    """Whether the expected information is a finite sum over the outcomes of observations.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    bool
    """
    return not why_not_finite(problem)


def check_penalty(problem: Any) -> None:
    """Make sure that a penalised likelihood is one of a finite sum.

    Parameters
    ----------
    problem : Problem

    Raises
    ------
    AnalysisError
    """
    if problem.objective != "mle":
        raise AnalysisError.penalty_with("priors")
    reason = why_not_finite(problem)
    if reason:
        raise AnalysisError.cannot_penalise(reason)


def why_not_finite(problem: Any) -> str:
    """What keeps the expected information from being a finite sum; empty if nothing does.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    str
    """
    model = problem.model
    if problem.effects is not None or problem.roles.names(RANDOM):
        return "random effects are integrated out"
    dropped = problem.roles.names(PRIOR)
    kept = [str(p.name) for p in model.potentials if p.name not in dropped]
    if kept:
        return f"the Potential `{kept[0]}` has no outcomes that could be added up"
    if not model.observed_RVs:
        return "nothing is observed"
    for rv in model.observed_RVs:
        law = law_of(rv)
        if law not in _FINITE:
            return (
                f"`{rv.name}` is {law}; outcomes are added up for Bernoulli, binomial, "
                "categorical and ordered variables (write multinomial counts as Categorical rows "
                "with `weights=`)"
            )
        if not np.issubdtype(np.dtype(rv.dtype), np.integer):
            return f"`{rv.name}` is not an integer"
        if _enters_elsewhere(model, rv):
            return (
                f"the values of `{rv.name}` are predictors too (lags, say), which would change "
                "with them; pass the predictors as data of their own"
            )
    return ""


def _enters_elsewhere(model: Any, rv: Any) -> bool:
    """Whether the observed values feed the parameters of some variable, or a Potential."""
    source = source_of(model.rvs_to_values[rv])
    if isinstance(source, Constant):
        return False
    graphs = [value for each in model.basic_RVs for value in each.owner.inputs]
    graphs += model.potentials
    # Shapes do not depend on values.
    shapes = [
        v
        for v in ancestors(graphs)
        if v.owner is not None and isinstance(v.owner.op, Shape | Shape_i)
    ]
    return source in set(ancestors(graphs, blockers=shapes))


def data_place(problem: Any, name: str) -> int | None:
    """Place of an observed variable's values among the arguments of the objective.

    Parameters
    ----------
    problem : Problem
    name : str

    Returns
    -------
    int or None
        None where they are no argument, or are computed from data.
    """
    source = observed_sources(problem.model).get(name, name)
    places = [i for i, item in enumerate(problem.lowered.data) if item.name == source]
    return places[0] if places else None


def law_of(rv: Any) -> str:
    """Name of the distribution of an observed variable, such as ``Binomial``.

    Parameters
    ----------
    rv : Variable

    Returns
    -------
    str
    """
    op = rv.owner.op
    return type(getattr(op, "core_op", op)).__name__.removesuffix("RV")
