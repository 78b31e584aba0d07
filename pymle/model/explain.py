"""What makes an objective non-finite at a point, in sentences."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import ancestors

from pymle.errors import DataError
from pymle.model import checks, walks
from pymle.model.coordinates import short
from pymle.model.density import repaired
from pymle.model.problem import Problem


def impossible_terms(problem: Problem, natural: np.ndarray) -> list[str]:
    """Which observed variable and which rows make the objective non-finite.

    Parameters
    ----------
    problem : Problem
    natural : numpy.ndarray
        The natural vector of the parameters; what is integrated stays where it starts.

    Returns
    -------
    list of str
        Sentences; none where every term is finite.

    Raises
    ------
    DataError
        The data themselves are not finite.
    """
    given = problem._given(natural)
    sentences = []
    for term in problem.terms:
        if problem.density.x in set(ancestors([term.logp])):
            continue  # the standardised law of random effects, finite everywhere
        with problem._swapped(), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            value = walks.evaluate(repaired([term.logp]), given)[0]
        bad = np.argwhere(~np.isfinite(value))
        if not len(bad):
            continue
        for item in problem.lowered.data:
            found = checks.first_not_finite(item)
            if found and not _are_limits(problem, item):
                raise DataError.not_finite(*found)
        what = {"observed": "Observed variable", "potential": "Potential"}
        rows = [int(i[0]) if len(i) == 1 else tuple(map(int, i)) for i in bad if len(i)]
        where = f" at row(s) {rows[:6]}" if rows and value.size > len(bad) else ""
        more = f" ({len(bad)} of {value.size} entries)" if value.size > 1 else ""
        kind = what.get(term.kind, "The prior of")
        seen = "NaN" if np.isnan(value).any() else "-inf"
        sentences.append(f"{kind} `{term.name}` has log-density {seen}{where}{more}.")
    return sentences


def at_values(problem: Problem, natural: np.ndarray) -> str:
    """Where something was evaluated, as a sentence."""
    point = problem.layout.to_point(natural)
    values = ", ".join(f"{k} = {short(v)}" for k, v in list(point.items())[:6])
    return f"Evaluated at {values}."


def _are_limits(problem: Problem, item: Any) -> bool:
    """Whether data are limits of censored or truncated variables, which may be infinite."""
    for rv in problem.model.observed_RVs:
        if not re.search("Censored|Truncated", type(rv.owner.op).__name__):
            continue
        inputs = list(ancestors(rv.owner.inputs, blockers=problem.model.free_RVs))
        if item.source in inputs and not np.isnan(item.value).any():
            return True
        constants = [v.data for v in inputs if isinstance(v, Constant)]
        if any(np.array_equal(item.value, c) for c in constants if isinstance(c, np.ndarray)):
            return True
    return False
