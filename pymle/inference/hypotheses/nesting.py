"""Whether one fit is a special case of another, and where its restrictions lie."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.bind import likelihood_of, ones_for
from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.hypotheses.cones import Cone, cone_of
from pymle.model import Problem
from pymle.model.observations import Observations

#: Agreement of two log-likelihoods that are the same, relative to their size.
_SAME = 1e-9
#: Values at which a parameter that the smaller model lacks may drop out.
_NEUTRAL = (0.0, 1.0)
#: Variables for which all combinations of these are tried.
_COMBINED = 4


@dataclass(frozen=True)
class Null:
    """The larger model at the smaller one's estimate, with the restrictions as held values.

    Attributes
    ----------
    problem : Problem
        The larger model with the restricted entries held.
    x : numpy.ndarray
        Its unconstrained point.
    weights : list of numpy.ndarray
    places : numpy.ndarray of int, shape (r,)
        Natural places of the restricted entries.
    labels : tuple of str
    values : numpy.ndarray, shape (r,)
    inward : numpy.ndarray, shape (r,)
        1 on a lower edge of the support, -1 on an upper one, 0 inside.
    """

    problem: Problem
    x: np.ndarray
    weights: list[np.ndarray]
    places: np.ndarray
    labels: tuple[str, ...]
    values: np.ndarray
    inward: np.ndarray

    @property
    def on_edge(self) -> tuple[str, ...]:
        """Labels of the restricted entries on an edge of their support."""
        return tuple(lab for lab, way in zip(self.labels, self.inward, strict=True) if way)


@dataclass(frozen=True)
class Nesting:
    """How the smaller of two models is a special case of the larger one.

    Attributes
    ----------
    text : str
        What was recognised, or assumed.
    verified : bool
        The smaller model is the larger one with restrictions, as far as that can be computed.
    null : Null or None
        None where the restrictions are no held values.
    cone : Cone or None
        Where the fits are of one model under different constraints.
    """

    text: str
    verified: bool
    null: Null | None
    cone: Cone | None = None


def nesting_of(
    small: Fitted,
    large: Fitted,
    laws: tuple[Observations, Observations],
    *,
    declared: bool,
) -> Nesting:
    """Recognise how one fit is nested in another.

    Parameters
    ----------
    small, large : Fitted
        The one with fewer parameters first.
    laws : pair of Observations
    declared : bool
        The user says that they are nested.

    Returns
    -------
    Nesting

    Raises
    ------
    AnalysisError
        They are not nested, or that cannot be seen and the user does not say it.
    """
    if small.problem.model is large.problem.model:
        found = _same_model(small, large)
    else:
        for fitted in (small, large):
            restriction = fitted.estimate.restriction
            if restriction is not None and restriction.equations < len(restriction.texts):
                raise AnalysisError.not_nested(
                    "one of the fits has inequalities, which are compared between fits of one "
                    "model object only: fit both from the same `pm.Model`."
                )
        found = _by_evaluation(small, large)
        if found is None:
            _check_laws(*laws, declared=declared)
            found = _by_name(small, large, declared=declared)
    return found


def held_null(fitted: Fitted, places: np.ndarray) -> Null:
    """A fit as the null hypothesis that its held values at some places are the true ones."""
    return _null(
        fitted.problem,
        fitted.estimate.x,
        fitted.weights,
        places,
        fitted.estimate.lower,
        fitted.estimate.upper,
    )


def _null(
    problem: Problem,
    x: np.ndarray,
    weights: list[np.ndarray] | None,
    places: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> Null:
    values = problem.coordinates.held_vector[places]
    inward = np.where(values <= lower[places], 1.0, np.where(values >= upper[places], -1.0, 0.0))
    return Null(
        problem=problem,
        x=x,
        weights=ones_for(problem) if weights is None else weights,
        places=places,
        labels=tuple(problem.layout.labels[i] for i in places),
        values=values,
        inward=inward,
    )


def _same_model(small: Fitted, large: Fitted) -> Nesting:
    """Fits of one model object: restrictions are held values."""
    _same_covariates(small, large)
    a, b = small.estimate.layout, large.estimate.layout
    roles = [{e.name: e.role for e in f.problem.roles.entries} for f in (small, large)]
    if a.labels != b.labels or roles[0] != roles[1]:
        raise AnalysisError.not_nested("the fits give the model's variables different roles.")
    more = a.fixed & ~b.fixed
    lost = b.fixed & ~a.fixed
    both = a.fixed & b.fixed
    cone = cone_of(small, large)
    if cone is not None:
        return Nesting(cone.text, True, None, cone)
    held = small.problem.coordinates.held_vector, large.problem.coordinates.held_vector
    if lost.any() or np.any(held[0][both] != held[1][both]):
        labels = [a.labels[i] for i in np.flatnonzero(lost | (both & (held[0] != held[1])))]
        raise AnalysisError.not_nested(
            f"the fit with more parameters holds {', '.join(labels[:6])} at values that the other "
            "one does not."
        )
    if not more.any():
        raise AnalysisError.not_nested("both fits leave the same parameters free.")
    null = held_null(small, np.flatnonzero(more))
    parts = [f"{lab} = {value:g}" for lab, value in zip(null.labels, null.values, strict=True)]
    shown = ", ".join(parts[:8]) + (f" and {len(parts) - 8} more" if len(parts) > 8 else "")
    return Nesting(f"the same model with {shown}", True, null)


def _same_covariates(small: Fitted, large: Fitted) -> None:
    """Refuse fits of one model at different values of its data."""
    sides: list[dict[str, Any]] = []
    for fitted in (small, large):
        items = fitted.problem.lowered.data
        values = fitted.problem.arguments(fitted.problem.lowered)
        sides.append({i.name: v for i, v in zip(items, values, strict=True) if i.name})
    for name in set(sides[0]) & set(sides[1]):
        if not np.array_equal(sides[0][name], sides[1][name]):
            raise AnalysisError.not_comparable(f"the data `{name}` differ between the fits.")


def _by_evaluation(small: Fitted, large: Fitted) -> Nesting | None:
    """The larger model at the smaller one's estimate, where both give the same likelihood."""
    layout, estimate = large.estimate.layout, large.estimate
    point, absent, own = _mapped(small, large)
    count = sum(len(entries) for entries in absent.values()) + len(own)
    if count >= int(np.sum(~layout.fixed)):
        return None
    joint = {b.name for b in layout.blocks if not b.support.elementwise}
    if joint & {*absent, *own.values()}:
        return None
    choices: list[tuple[float, ...]] = [(v,) * len(absent) for v in _NEUTRAL]
    if 1 < len(absent) <= _COMBINED:
        choices += [c for c in itertools.product(_NEUTRAL, repeat=len(absent)) if len(set(c)) > 1]
    problem: Problem | None = None
    for choice in choices if absent else [()]:
        held: dict[str, float] = {label: _held_value(small, label) for label in own}
        for (name, entries), value in zip(absent.items(), choice, strict=True):
            block = layout.block(name)
            low, high = estimate.lower[block.natural], estimate.upper[block.natural]
            if np.all((value >= low[entries]) & (value <= high[entries])):
                held |= {block.labels[i]: value for i in entries}
        if len(held) < count:
            continue
        if problem is None:  # lowered once: the held values are arguments
            problem = with_fixed(large.problem, {**given_fixed(large.problem), **held})
        x = _point_of(problem, point)
        value = np.nan if x is None else _value_at(large, problem, x, held)
        if x is not None and abs(value - small.estimate.loglik) <= _SAME * max(1.0, abs(value)):
            there = with_fixed(large.problem, {**given_fixed(large.problem), **held})
            return _evaluated(large, there, x, held)
    return None


def _evaluated(
    large: Fitted, problem: Problem, x: np.ndarray, held: Mapping[str, float]
) -> Nesting:
    estimate = large.estimate
    places = np.array([estimate.layout.labels.index(label) for label in held], dtype=int)
    null = _null(problem, x, large.weights, places, estimate.lower, estimate.upper)
    parts = ", ".join(f"{label} = {value:g}" for label, value in list(held.items())[:8])
    how = f"with {parts}" if held else "with some parameters equal"
    text = (
        f"different models: the larger one {how} has the log-likelihood of the smaller one at its "
        "estimate (computed)"
    )
    return Nesting(text, True, null)


def _held_value(small: Fitted, label: str) -> float:
    """What the smaller fit holds an entry at; that of the whole variable for a number."""
    layout = small.estimate.layout
    name = label if label in layout.labels else label.partition("[")[0]
    return float(small.estimate.natural[layout.labels.index(name)])


def _mapped(
    small: Fitted, large: Fitted
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, str]]:
    """The smaller model's estimate in the larger one's names.

    Returns
    -------
    point : dict of str to numpy.ndarray
        Flat values by variable; nan where there is none.
    absent : dict of str to numpy.ndarray of int
        Entries without a value.
    own : dict of str to str
        Labels of entries that the smaller fit holds and the larger one does not, with the
        names of their variables.
    """
    own = {b.name: b for b in small.estimate.layout.blocks}
    point, absent, held = {}, {}, {}
    for block in large.estimate.layout.blocks:
        value = np.full(block.size, np.nan)
        other = own.get(block.name)
        if other is not None:
            known = small.estimate.natural[other.natural]
            if other.shape == ():
                value[:] = known[0]
            elif other.shape == block.shape:
                value[:] = known
            else:
                index = {label: i for i, label in enumerate(other.labels)}
                for i, label in enumerate(block.labels):
                    if label in index:
                        value[i] = known[index[label]]
        value = np.where(block.fixed, large.estimate.natural[block.natural], value)
        if other is not None and other.shape in ((), block.shape):
            fixed = np.broadcast_to(other.fixed, block.fixed.shape) & ~block.fixed
            held |= {block.labels[i]: block.name for i in np.flatnonzero(fixed)}
        missing = np.flatnonzero(np.isnan(value))
        if missing.size:
            absent[block.name] = missing
        point[block.name] = value
    return point, absent, held


def _point_of(problem: Problem, point: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """The unconstrained vector of a point that lacks held values; None if it is no point."""
    full = {}
    for block in problem.layout.blocks:
        value = point[block.name].copy()
        own = problem.coordinates.held.get(block.name)
        if own is not None:
            value[own.mask] = own.values[own.mask]
        full[block.name] = value.reshape(block.shape)
    x = problem.coordinates.unconstrain_rows(problem.layout.to_natural(full)[None])[0]
    return x if np.all(np.isfinite(x)) else None


def _value_at(large: Fitted, problem: Problem, x: np.ndarray, held: Mapping[str, float]) -> float:
    """Log-likelihood with other held values."""
    if problem.effects is not None:  # what is lowered is the joint density
        other = with_fixed(large.problem, {**given_fixed(large.problem), **held})
        return float(likelihood_of(other, large.weights).value(x))
    vector = problem.coordinates.held_vector
    for label, value in held.items():
        vector[problem.layout.labels.index(label)] = value
    lowered = problem.lowered
    weights = ones_for(problem) if large.weights is None else large.weights
    out = lowered.call(x, vector, tuple(weights), tuple(problem.arguments(lowered)))
    return float(out[0])


def given_fixed(problem: Problem, without: np.ndarray | None = None) -> dict[str, Any]:
    """What a problem holds, as ``fixed=`` takes it.

    Parameters
    ----------
    problem : Problem
    without : numpy.ndarray of int, optional
        Natural places to leave out.

    Returns
    -------
    dict
    """
    out: dict[str, Any] = {}
    left_out = set() if without is None else set(without.tolist())
    for block in problem.layout.blocks:
        own = problem.coordinates.held.get(block.name)
        if own is None:
            continue
        places = range(block.natural.start, block.natural.stop)
        kept = [i for i, place in enumerate(places) if own.mask[i] and place not in left_out]
        if len(kept) == block.size:
            out[block.name] = own.values.reshape(block.shape)
        else:
            out |= {block.labels[i]: float(own.values[i]) for i in kept}
    return out


def with_fixed(problem: Problem, fixed: Mapping[str, Any]) -> Problem:
    """The same model, roles and data with other entries held.

    Parameters
    ----------
    problem : Problem
    fixed : mapping

    Returns
    -------
    Problem
    """
    made = Problem(
        problem.model,
        problem.roles,
        objective=problem.objective,
        jacobian=problem.jacobian,
        fixed=fixed,
        backend=problem.backend,
    )
    return made.with_data(problem.given)


def _check_laws(a: Observations, b: Observations, *, declared: bool) -> None:
    """Refuse likelihoods whose constants may differ, unless the user vouches for them."""
    if declared:
        return
    say = "If the models are nested all the same, say so with `nested=True`."
    if sorted(a.laws.values()) != sorted(b.laws.values()):
        raise AnalysisError.not_nested(
            f"the observations follow {_laws(a)} in one model and {_laws(b)} in the other, whose "
            f"log-likelihoods need not have the same constants. {say}"
        )
    if sorted(a.potentials) != sorted(b.potentials):
        raise AnalysisError.not_nested(
            f"a pm.Potential is part of one likelihood only, and its constants are unknown. {say}"
        )


def _laws(of: Observations) -> str:
    return ", ".join(f"{name} ~ {law}" for name, law in of.laws.items()) or "a Potential"


def _by_name(small: Fitted, large: Fitted, *, declared: bool) -> Nesting:
    """Nesting by names alone: an assumption."""
    names = {b.name for b in large.estimate.layout.blocks}
    own = [b.name for b in small.estimate.layout.blocks if not b.wholly_fixed]
    foreign = [name for name in own if name not in names]
    if foreign and not declared:
        raise AnalysisError.not_nested(
            f"{', '.join(f'`{name}`' for name in foreign)} is no parameter of the larger model. If "
            "the models are nested all the same, say so with `nested=True`."
        )
    have = {b.name for b in small.estimate.layout.blocks}
    extra = [b for b in large.estimate.layout.blocks if b.name not in have and not b.wholly_fixed]
    more = ", ".join(f"`{b.name}`" for b in extra) or "some entries"
    source = "said by `nested=True`" if declared else "assumed from the names"
    text = f"different models, {source}: the smaller one is the larger one without {more}"
    bounded = [b.name for b in extra if b.support.kind in {"positive", "interval"}]
    if bounded:
        text += (
            f"; also assumed: it has {', '.join(f'`{n}`' for n in bounded)} inside its support "
            "(on its edge, p is too large)"
        )
    return Nesting(text, False, None)
