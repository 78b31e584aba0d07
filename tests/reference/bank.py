"""All regular problems, by name."""

from __future__ import annotations

from tests.reference import (
    models_distributions,
    models_hard,
    models_nist,
    models_regression,
    models_series,
    models_survival,
)
from tests.reference.problem import Problem

PROBLEMS: list[Problem] = [
    *models_nist.PROBLEMS,
    *models_regression.PROBLEMS,
    *models_survival.PROBLEMS,
    *models_distributions.PROBLEMS,
    *models_series.PROBLEMS,
    *models_hard.PROBLEMS,
]


def identifier(problem: Problem) -> str:
    """Name of the case, with the builder's where a case is written in two ways."""
    twice = sum(other.name == problem.name for other in PROBLEMS) > 1
    return f"{problem.name}-{problem.build.__name__}" if twice else problem.name
