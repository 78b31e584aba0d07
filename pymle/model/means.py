"""The means of the observed variables as graphs of the parameters."""

from __future__ import annotations

import warnings
from typing import Any

from pymle.model import compat


def mean_graphs(problem: Any) -> list[Any] | None:
    """The means of all observed variables given the parameters.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    list of Variable or None
        None where PyMC has no mean of one of the distributions.
    """
    from pymc.distributions.moments import mean

    out = []
    for term in problem.observed:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                out.append(compat.as_tensor(mean(problem.model[term.name])))
        except (NotImplementedError, TypeError, ValueError, AttributeError):
            return None
    return out
