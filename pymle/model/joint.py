"""The joint log-density of a model, term by term, as functions of natural values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors

from pymle.model import compat
from pymle.model.density import natural_terms, natural_values, repaired, replace_random
from pymle.model.lower import Lowered, double_precision, lower_outputs
from pymle.model.roles import MISSING, PRIOR, RANDOM

#: Kinds of terms: of the likelihood, of the priors, of what a marginal likelihood integrates.
LIKELIHOOD, PRIORS, LAW = "likelihood", "prior", "law"


@dataclass(frozen=True)
class Joint:
    """Elementwise log-densities of everything in a model given everything else in it.

    Attributes
    ----------
    names : tuple of str
        Free variables on which the terms depend, in the order of the natural vector; random
        effects and missing values may be among them.
    shapes : tuple of tuple of int
        Of these.
    terms : tuple of str
        Variables and Potentials whose log-densities the function returns.
    kinds : tuple of {"likelihood", "prior", "law"}
        What each is: of the data, the prior of a parameter, or the law of a random effect or
        missing value.
    lowered : Lowered
        ``(natural vector, held, (), data) -> one elementwise log-density for each term``.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    terms: tuple[str, ...]
    kinds: tuple[str, ...]
    lowered: Lowered

    @property
    def size(self) -> int:
        """Length of the natural vector."""
        return sum(int(np.prod(shape, dtype=int)) for shape in self.shapes)


def make_joint(problem: Any, wanted: Sequence[str] = (LIKELIHOOD, PRIORS, LAW)) -> Joint:
    """Lower the terms of a model's joint log-density.

    Parameters
    ----------
    problem : Problem
    wanted : sequence of {"likelihood", "prior", "law"}
        Kinds of the terms.

    Returns
    -------
    Joint
        Natural scale, no Jacobians, whatever the objective of the problem is: the priors are
        those of the user's model.
    """
    model, initial = problem.model, problem.initial
    # What `reml=` integrates under a flat measure is a parameter whose prior the model has.
    effects = {*problem.roles.names(RANDOM), *problem.roles.names(MISSING)} - set(problem.reml)
    priors = problem.roles.names(PRIOR)
    with problem._swapped(), double_precision():
        values = natural_values(model)
        observed = [rv.name for rv in model.observed_RVs]
        free = [rv.name for rv in model.free_RVs]
        kinds = dict.fromkeys(observed, LIKELIHOOD)
        kinds |= {name: LAW if name in effects else PRIORS for name in free}
        named = [name for name, kind in kinds.items() if kind in wanted]
        logps = dict(natural_terms(model, values, named)) if named else {}
        for potential in model.potentials:
            [logp] = replace_random(model, values, [potential])
            logps[potential.name] = compat.as_tensor(logp)
            kinds[potential.name] = PRIORS if potential.name in priors else LIKELIHOOD
        terms = tuple(name for name, kind in kinds.items() if kind in wanted)
        graphs = repaired([logps[name] for name in terms])
        above = set(ancestors(graphs))
        shapes = {name: initial[name].shape for name in free if values[name] in above}
        size = sum(int(np.prod(shape, dtype=int)) for shape in shapes.values())
        x = pt.vector("x", shape=(size,), dtype="float64")
        held = pt.vector("held", shape=(problem.layout.natural_size,), dtype="float64")
        outputs = clone_replace(graphs, _parts(model, values, shapes, x))
        lowered = lower_outputs(model, outputs, x=x, held=held, backend=problem.backend)
    used = tuple(kinds[name] for name in terms)
    return Joint(tuple(shapes), tuple(shapes.values()), terms, used, lowered)


def _parts(
    model: Any, values: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], x: Any
) -> dict[Any, Any]:
    """Pieces of the natural vector in the place of the free variables."""
    out, at = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape, dtype=int))
        part = x[at : at + size].reshape(shape).astype(values[name].dtype)
        out[values[name]] = compat.like_rv(part, model[name])
        at += size
    return out
