"""Log-likelihoods as functions of a vector; nothing here knows a model."""

from pymle.objective.combined import Combinations, Stacked
from pymle.objective.conditional import AtModes, Leading
from pymle.objective.functions import CallableFunction, Rows
from pymle.objective.held import HeldCurvature, held_curvature
from pymle.objective.independent import Independent, independent_blocks
from pymle.objective.inner import InnerFailure, inner_failure
from pymle.objective.integrals import Blockwise, Elements
from pymle.objective.likelihood import Likelihood
from pymle.objective.marginal import Marginal, make_plan, starting_at, with_rule
from pymle.objective.natural import ElementwiseMap, PointFunction
from pymle.objective.rules import Draws, GaussHermite

__all__ = [
    "AtModes",
    "Blockwise",
    "CallableFunction",
    "Combinations",
    "Draws",
    "Elements",
    "ElementwiseMap",
    "GaussHermite",
    "HeldCurvature",
    "Independent",
    "InnerFailure",
    "Leading",
    "Likelihood",
    "Marginal",
    "PointFunction",
    "Rows",
    "Stacked",
    "held_curvature",
    "independent_blocks",
    "inner_failure",
    "make_plan",
    "starting_at",
    "with_rule",
]
