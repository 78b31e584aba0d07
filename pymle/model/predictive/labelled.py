"""Observed variables of ``pymc.dims`` as plain random variables."""

from __future__ import annotations

from typing import Any, cast

from pytensor.graph.replace import clone_replace
from pytensor.graph.rewriting.utils import rewrite_graph

from pymle.model import compat
from pymle.model.problem import Problem


def plain_variable(problem: Problem, name: str) -> Any:
    """An observed variable, without labels.

    Parameters
    ----------
    problem : Problem
    name : str

    Returns
    -------
    TensorVariable
        The variable itself; of a labelled one a copy, in which the free variables are the
        problem's natural values and the other observed variables their values.
    """
    model = problem.model
    rv = model[name]
    if not compat.is_xtensor(rv):
        return rv
    swaps = {model[own]: value for own, value in problem.density.values.items()}
    swaps |= {other: model.rvs_to_values[other] for other in model.observed_RVs if other is not rv}
    copied = clone_replace([compat.as_tensor(rv)], swaps)
    return cast("list[Any]", rewrite_graph(copied, include=("lower_xtensor",)))[0]
