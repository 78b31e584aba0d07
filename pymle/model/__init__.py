"""From a PyMC model to functions of one vector: the only room that knows PyMC."""

from pymle.model.checks import check_integrals
from pymle.model.compat import pareto_k
from pymle.model.explain import at_values, impossible_terms
from pymle.model.layout import Block, Layout, entry_labels
from pymle.model.outcomes import can_be_penalised, check_penalty, data_place
from pymle.model.pieces import Pieces, places_in
from pymle.model.problem import Problem
from pymle.model.roles import Role, Roles, check_decided, restricted, roles
from pymle.model.summation import summed_out
from pymle.model.text.constraints import Constraints, constraints_of
from pymle.model.text.hypotheses import Hypothesis, hypotheses
from pymle.model.walks import resolve_model

__all__ = [
    "Block",
    "Constraints",
    "Hypothesis",
    "Layout",
    "Pieces",
    "Problem",
    "Role",
    "Roles",
    "at_values",
    "can_be_penalised",
    "check_decided",
    "check_integrals",
    "check_penalty",
    "constraints_of",
    "data_place",
    "entry_labels",
    "hypotheses",
    "impossible_terms",
    "pareto_k",
    "places_in",
    "resolve_model",
    "restricted",
    "roles",
    "summed_out",
]
