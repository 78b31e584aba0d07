"""Variables that are integrated out: which they are, their coordinates, their laws.

Each is written in coordinates of its own on which Laplace's approximation is taken, with the
Jacobian of the map to the natural scale. A normal law is standardised, ``mu + sigma u`` with
``u ~ Normal(0, 1)``: centred and non-centred models become the same integral, and ``sigma = 0``
belongs to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.traversal import ancestors

from pymle.model import checks, compat
from pymle.model.bridges import normal_walk, one_matrix, walk_expression
from pymle.model.coordinates import Coordinates
from pymle.model.density import Term, jacobian_term, parameter_expressions, replace_random
from pymle.model.layout import Block, Layout
from pymle.model.operations import CONTRACTING, op_name
from pymle.model.roles import PRIOR

#: Of more variables than these, written one by one, those whose law depends on others of them keep
#: their own scale: a chain keeps its band.
_CHAIN = 30


@dataclass(frozen=True)
class Effects:
    """What is integrated.

    Attributes
    ----------
    names : tuple of str
        In the order of declaration.
    coordinates : Coordinates
    standard : mapping of str to str
        ``normal``, ``mvnormal`` or ``walk`` for laws that are standardised.
    flat : tuple of str
        Parameters that are integrated under a flat measure: without a law.
    """

    names: tuple[str, ...]
    coordinates: Coordinates
    standard: Mapping[str, str]
    flat: tuple[str, ...] = ()

    @property
    def layout(self) -> Layout:
        """Names, shapes, labels and places of the integrated entries."""
        return self.coordinates.layout

    @property
    def size(self) -> int:
        """Number of coordinates that are integrated."""
        return self.layout.size

    def start(self) -> np.ndarray:
        """Where the search for the conditional mode begins (d,)."""
        point = self.coordinates.complete(None)
        out = self.coordinates.unconstrain(point)
        for block in self.layout.blocks:
            if block.name in self.standard:
                out[block.free] = 0.0
        return out


def make_effects(
    model: Any,
    names: Sequence[str],
    initial: Mapping[str, np.ndarray],
    flat: Sequence[str] = (),
    mixed: Sequence[str] = (),
) -> Effects | None:
    """Coordinates for integrated variables; None where there is none.

    Parameters
    ----------
    model : pymc.Model
    names : sequence of str
    initial : mapping of str to numpy.ndarray
        PyMC's initial point.
    flat : sequence of str
        Those that have no law.
    mixed : sequence of str
        Those whose law depends on what is summed out: it is no normal one then.

    Returns
    -------
    Effects or None
    """
    if not names:
        return None
    coordinates = Coordinates(model, tuple(names), dict(initial), None)
    standard = {}
    integrated = tuple(model[name] for name in names)
    for name in names:
        law = _standard(model[name], coordinates, integrated)
        if (
            law
            and name not in (*flat, *mixed)
            and not (len(names) > _CHAIN and _in_chain(model, name, names))
        ):
            standard[name] = law
    return Effects(tuple(names), coordinates, standard, tuple(n for n in names if n in flat))


def _standard(rv: Any, coordinates: Coordinates, effects: tuple[Any, ...]) -> str:
    """How a law is standardised; '' for others, and for values that a transform holds in a part."""
    name = type(rv.owner.op).__name__
    if coordinates.supports[rv.name].kind != "real":
        return ""
    if name == "NormalRV":
        return "normal"
    if name == "MvNormalRV":
        matrix = one_matrix(rv.owner.inputs[-1])
        # A precision shows on the natural scale which entries touch each other.
        inverse = matrix.owner is not None and op_name(matrix.owner) == "MatrixInverse"
        return "mvnormal" if matrix.type.ndim == 2 and not inverse else ""
    return (
        "walk"
        if normal_walk(rv, coordinates.layout.block(rv.name).shape, effects) is not None
        else ""
    )


def _in_chain(model: Any, name: str, names: Sequence[str]) -> bool:
    """Whether the law of a variable depends on others of some."""
    above = set(ancestors(model[name].owner.inputs))
    return any(model[other] in above for other in names if other != name)


def effect_expressions(
    effects: Effects, model: Any, values: Mapping[str, Any], u: Any
) -> dict[str, Any]:
    """Natural values of what is integrated as expressions of ``u`` and other natural values.

    Parameters
    ----------
    effects : Effects
    model : pymc.Model
    values : mapping of str to Variable
    u : Variable

    Returns
    -------
    dict of str to Variable
    """
    held = pt.zeros(effects.layout.natural_size)
    out = parameter_expressions(model, effects.layout, values, u, held)
    for block in effects.layout.blocks:
        if block.name in effects.standard:
            law = effects.standard[block.name]
            out[block.name] = _standard_expression(block, law, model, values, u)
    return out


def _standard_expression(
    block: Block, law: str, model: Any, values: Mapping[str, Any], u: Any
) -> Any:
    rv = model[block.name]
    if law == "walk":
        walk = normal_walk(rv, block.shape)
        assert walk is not None
        inner = u[block.free.start : block.free.stop].reshape(block.shape)
        by_values = partial(replace_random, model, values)
        states = walk_expression(walk, inner, by_values, _cholesky_of)
        return compat.like_rv(states.reshape(block.shape), rv)
    location, scale = replace_random(model, values, checks.plain_inputs(rv)[-2:])
    location, scale = compat.as_tensor(location), compat.as_tensor(scale)
    inner = u[block.free.start : block.free.stop].reshape(block.shape)
    if law == "normal":
        return compat.like_rv((location + scale * inner).reshape(block.shape), rv)
    factor = _cholesky_of(one_matrix(scale))
    return compat.like_rv((location + pt.dot(inner, factor.T)).reshape(block.shape), rv)


def _cholesky_of(covariance: Any) -> Any:
    """The factor from which a covariance was made, where it was; else a factorisation."""
    node = covariance.owner
    if node is not None and op_name(node) in CONTRACTING:
        left, right = node.inputs
        turned = right.owner is not None and right.owner.inputs[:1] == [left]
        wide = None not in left.type.shape and left.type.shape[0] != left.type.shape[1]
        if turned and not wide and type(right.owner.op).__name__ == "DimShuffle":
            return left
    return pt.linalg.cholesky(covariance)


def law_terms(
    effects: Effects,
    model: Any,
    values: Mapping[str, Any],
    logps: Mapping[str, Any],
    u: Any,
) -> list[Term]:
    """The log-densities of what is integrated, on the coordinates of integration.

    Parameters
    ----------
    effects : Effects
    model : pymc.Model
    values : mapping of str to Variable
    logps : mapping of str to Variable
        Natural-scale log-densities by name.
    u : Variable

    Returns
    -------
    list of Term
        Of kind ``law``; Jacobians included.
    """
    terms = []
    for block in effects.layout.blocks:
        if block.name in effects.flat:
            continue
        if block.name in effects.standard:
            inner = u[block.free.start : block.free.stop]
            logp = -0.5 * inner**2 - 0.5 * np.log(2.0 * np.pi)
            terms.append(Term(block.name, "law", logp))
            continue
        terms.append(Term(block.name, "law", logps[block.name]))
        terms.append(Term(block.name, "law", jacobian_term(block, model, values, u, whole=False)))
    return terms


def reached(problem: Any, names: Sequence[str]) -> tuple[str, ...]:
    """Which of the integrated or summed variables the objective depends on.

    The others have a law that integrates to one: missing values that factor out, effects of
    groups without data.

    Parameters
    ----------
    problem : Problem
    names : sequence of str

    Returns
    -------
    tuple of str
        In the order of ``names``.
    """
    if not names:
        return ()
    values, logps = problem._derived
    kept = [p for p in problem.model.potentials if p.name not in problem.roles.names(PRIOR)]
    todo = [logps[rv.name] for rv in problem.model.observed_RVs]
    todo += replace_random(problem.model, values, kept)
    found: set[str] = set()
    while todo:
        above = set(ancestors(todo))
        new = [name for name in names if name not in found and values[name] in above]
        found |= set(new)
        todo = [logps[name] for name in new]
    return tuple(name for name in names if name in found)
