"""A problem's lowered functions bound to its data: likelihood, natural values, observations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pymle.errors import AnalysisError, DataError, ModelError, PointError
from pymle.model import Problem, data_place, places_in
from pymle.model.sources import observed_sources
from pymle.objective import ElementwiseMap, Leading, Likelihood, PointFunction

if TYPE_CHECKING:
    from pymle.objective.integrate.independent import Independent
    from pymle.objective.integrate.marginal import Marginal

#: Outcomes of one observation that are added up for a penalised likelihood.
MOST_OUTCOMES = 200
#: Effects up to which products of quadrature points are taken.
LARGEST_PRODUCT = 3
#: Entries of a factorisation and rows of data, rounds of elimination, or operations of the
#: information, beyond which no more than necessary is compiled.
_DIRECT, _DIRECT_ROUNDS, _DIRECT_STEPS = 10_000, 8, 800


def likelihood_of(
    problem: Problem, weights: list[np.ndarray] | None = None, *, quick: bool = False
) -> Likelihood:
    """The objective of a problem at its data.

    Parameters
    ----------
    problem : Problem
    weights : list of numpy.ndarray, optional
        As `checked_weights` gives them; ones by default.
    quick : bool
        Compile with less effort.

    Returns
    -------
    Likelihood
    """
    lowered = problem.lowered
    data = problem.arguments(lowered)
    if problem.effects is not None:
        return _marginal_of(problem, weights, quick=quick)
    programs = _programs(problem, lowered)
    call = lowered.call
    if problem.penalty is not None:
        programs = programs.setdefault("penalised", {})
        call = _penalised_call(problem, programs)
    held = programs.setdefault("held", problem.coordinates.held_vector)
    own = [held, *(item.value for item in lowered.data if (item.name or "") not in problem.given)]
    if weights is None:
        if "ones" not in programs:
            programs["ones"] = ones_for(problem)
        weights = list(programs["ones"])
        own += weights
    return Likelihood(
        call,
        size=problem.layout.size,
        held=held,
        weights=weights,
        data=data,
        route=lowered.route,
        has_score=lowered.has_score,
        differenced=bool(lowered.differenced),
        rows=max([len(d) for d in data if np.ndim(d)] + [1]),
        programs=programs,
        lasting=own,
        ceiling=problem.ceiling if problem.penalty is None else np.inf,
        rowwise=problem.penalty is None,
        quick=quick,
    )


def _penalised_call(problem: Problem, programs: dict[Any, Any]) -> Any:
    """The log-likelihood with Firth's penalty; the same function as long as outcomes stay."""
    from pymle.objective.penalised import Outcomes, find_outcomes, log_densities, penalised

    lowered, names = problem.lowered, [term.name for term in problem.observed]
    if lowered.route != "jax" or not lowered.has_score or lowered.differenced:
        why = lowered.reason or ", ".join(lowered.differenced)
        raise AnalysisError.cannot_penalise(f"the model has no exact second derivatives ({why})")
    data = problem.arguments(lowered)
    held, weights = problem.coordinates.held_vector, ones_for(problem)
    x = problem.coordinates.unconstrain(problem.coordinates.complete(None))
    if "log-densities" not in programs:
        programs["log-densities"] = log_densities(lowered.call)
    found = []
    for place, name in enumerate(names):
        at = data_place(problem, name)
        if at is None:
            raise AnalysisError.cannot_penalise(
                f"the values of `{name}` are a single number, or computed in the model, and no "
                "other outcomes can be put in their place (pass them as an array, or as `pm.Data`)"
            )

        def logps(outcome: int, at: int = at, place: int = place) -> np.ndarray:
            given = list(data)
            given[at] = np.full_like(np.asarray(data[at]), outcome)
            return programs["log-densities"](x, held, tuple(weights), tuple(given))[place]

        values = find_outcomes(logps, MOST_OUTCOMES)
        if values is None:
            raise AnalysisError.cannot_penalise(
                f"`{name}` has more than {MOST_OUTCOMES} outcomes, or some that are not counted "
                "from zero"
            )
        found.append(Outcomes(at, place, values))
    key = tuple(tuple(each.values) for each in found)
    if key not in programs:
        # Functions of other outcomes are other programs.
        for name in [name for name in programs if name not in ("log-densities", "held", "ones")]:
            programs.pop(name)
        volume = np.zeros(problem.layout.size, dtype=bool)
        for block in problem.layout.blocks:
            if block.support.kind == "ordered" and not np.any(block.fixed):
                inner = np.zeros(block.shape, dtype=bool)
                inner[..., 1:] = True
                volume[block.free] = inner.ravel()
        programs[key] = penalised(lowered.call, found, problem.layout.size, volume)
    return programs[key]


def unpenalised(problem: Problem, likelihood: Likelihood, x: np.ndarray) -> float:
    """The log-likelihood without the penalty of the problem.

    Parameters
    ----------
    problem : Problem
    likelihood : Likelihood
        With the penalty.
    x : numpy.ndarray, shape (k,)

    Returns
    -------
    float
    """
    _, held, weights, data = likelihood.program
    if any(term.kind != "observed" for term in problem.terms):
        return float(problem.lowered.call(x, held, weights, data)[0])
    # Compiled already, to find the outcomes.
    logps = _programs(problem, problem.lowered)["penalised"]["log-densities"]
    each = logps(np.asarray(x), held, weights, data)
    return float(
        sum(np.sum(np.asarray(w) * np.asarray(l)) for w, l in zip(weights, each, strict=True))
    )


def check_penalised(problem: Problem, likelihood: Likelihood, x: np.ndarray) -> None:
    """Say that it is the penalty that has no value, if that is what is wrong.

    Parameters
    ----------
    problem : Problem
    likelihood : Likelihood
    x : numpy.ndarray, shape (k,)

    Raises
    ------
    AnalysisError
    """
    if problem.penalty is not None and np.isfinite(unpenalised(problem, likelihood, x)):
        raise AnalysisError.cannot_penalise(
            "that information is singular where the search starts: parameters are not identified "
            "(collinear columns, a column of zeros). A fit without `penalty=` names them"
        )


def _marginal_of(problem: Problem, weights: list[np.ndarray] | None, *, quick: bool) -> Marginal:
    """The marginal likelihood; the plan is shared as long as integer data stay what they are."""
    from pymle.objective.integrate.marginal import make_plan
    from pymle.objective.integrate.rules import GaussHermite

    lowered, effects = problem.lowered, problem.effects
    assert effects is not None
    if lowered.route != "jax" or not lowered.has_score or lowered.differenced:
        raise ModelError.cannot_integrate(effects.names, lowered.reason or lowered.differenced)
    data = problem.arguments(lowered)
    weights = ones_for(problem) if weights is None else weights
    held, outer = problem.coordinates.held_vector, problem.layout.size
    kept = _kept(problem, lowered, data)
    if "plan" not in kept:
        kept["plan"] = make_plan(
            lowered.call, outer=outer, inner=effects.size, held=held, weights=weights, data=data
        )
    points = problem.quadrature
    if points is not None and points > 1:
        return marginal_by(problem, weights, GaussHermite, points, quick=quick)
    return _marginal(problem, kept["plan"], weights, kept, quick=quick)


def _marginal(
    problem: Problem, plan: Any, weights: list[np.ndarray], programs: Any, *, quick: bool
) -> Marginal:
    from pymle.objective.integrate.direct import Direct
    from pymle.objective.integrate.laplace import Laplace
    from pymle.objective.integrate.marginal import Marginal

    data, effects = problem.arguments(problem.lowered), problem.effects
    assert effects is not None
    rows = max([len(d) for d in data if np.ndim(d)] + [1])
    large = plan.entries + rows > _DIRECT or len(plan.elimination.rounds) > _DIRECT_ROUNDS
    direct = (large or plan.steps > _DIRECT_STEPS) and type(plan.laplace) is Laplace
    return (Direct if direct else Marginal)(
        plan,
        effects.start(),
        held=problem.coordinates.held_vector,
        weights=weights,
        data=data,
        rows=rows,
        programs=programs,
        ceiling=problem.ceiling,
        quick=quick,
    )


def marginal_by(
    problem: Problem,
    weights: list[np.ndarray] | None,
    rule: Any,
    *settings: Any,
    quick: bool = False,
    first: int = 0,
) -> Marginal:
    """The marginal likelihood with its integrals by a rule of points, block by block.

    Parameters
    ----------
    problem : Problem
        With random effects.
    weights : list of numpy.ndarray or None
    rule : GaussHermite or Draws
        The class.
    *settings
        Its arguments after the blocks: they name the compiled programs too.
    quick : bool
    first : int
        Number of the first draw.

    Returns
    -------
    Marginal

    Raises
    ------
    ModelError
        Products of several quadrature points for a block of more than three effects.
    """
    from pymle.objective.integrate.marginal import starting_at, with_rule
    from pymle.objective.integrate.rules import GaussHermite

    blocks = blocks_of(problem)
    kept = _kept(problem, problem.lowered, problem.arguments(problem.lowered))
    if rule is GaussHermite and settings != (1,) and blocks.sizes.max(initial=0) > LARGEST_PRODUCT:
        raise ModelError.block_too_large(*_largest(problem, blocks), LARGEST_PRODUCT)
    programs = kept.setdefault((rule, *settings), {})
    if "plan" not in programs:
        programs["plan"] = with_rule(
            kept["plan"], kept["elements"], blocks, rule(blocks, *settings)
        )
    used = ones_for(problem) if weights is None else weights
    plan = programs["plan"] if first == 0 else starting_at(programs["plan"], first)
    return _marginal(problem, plan, used, programs, quick=quick)


def blocks_of(problem: Problem) -> Independent:
    """The independent blocks of random effects of a problem at its data.

    Parameters
    ----------
    problem : Problem
        With random effects.

    Returns
    -------
    Independent
    """
    from pymle.objective.integrate.independent import independent_blocks
    from pymle.objective.integrate.integrals import Elements

    lowered, effects, pieces = problem.lowered, problem.effects, problem.pieces
    assert effects is not None
    data = problem.arguments(lowered)
    kept = _kept(problem, lowered, data)
    if "plan" not in kept:
        _marginal_of(problem, None, quick=False)
    if "blocks" not in kept:
        if pieces.lowered.route != "jax":
            raise ModelError.cannot_integrate(effects.names, pieces.lowered.reason)
        places = places_in(pieces.lowered.data, lowered.data)
        named = [term.name for term in problem.observed]
        observed = [
            named.index(name) if kind == "observed" else None
            for name, kind in zip(pieces.names, pieces.kinds, strict=True)
        ]
        constants = [
            item.value for item, at in zip(pieces.lowered.data, places, strict=True) if at is None
        ]
        elements = Elements(pieces.lowered.call, places, constants, observed, pieces.sizes)
        plan = kept["plan"]
        kept["elements"] = elements
        kept["blocks"] = independent_blocks(
            elements.plain,
            plan.rows,
            plan.columns,
            outer=problem.layout.size,
            inner=effects.size,
            arguments=(problem.coordinates.held_vector, tuple(data), tuple(constants)),
        )
    return kept["blocks"]


def _largest(problem: Problem, blocks: Independent) -> tuple[list[str], int]:
    """Labels of the effects in the largest block, and how many there are."""
    assert problem.effects is not None
    members = blocks.members(int(np.argmax(blocks.sizes)))
    labels = problem.effects.layout.free_labels
    return [labels[i] for i in members], len(members)


def _kept(problem: Problem, lowered: Any, data: list[np.ndarray]) -> dict[Any, Any]:
    """What is planned for a marginal likelihood: shared as long as integer data stay.

    Outcomes may change, as simulated counts do, where the plan does not rest on their values.
    """
    model = problem.model
    outcomes = {rv.name for rv in model.observed_RVs} | set(observed_sources(model).values())
    whole = [i for i, d in enumerate(data) if np.asarray(d).dtype.kind in "iub"]
    seen = {i for i in whole if lowered.data[i].name in outcomes}
    programs = _programs(problem, lowered)
    key = "marginal", *(np.asarray(data[i]).tobytes() for i in whole if i not in seen)
    found = programs.setdefault(key, {})
    if "plan" in found and seen & set(found["plan"].relied_on):
        return programs.setdefault((*key, *(np.asarray(data[i]).tobytes() for i in whole)), {})
    return found


def _programs(problem: Problem, lowered: Any) -> dict[Any, Any]:
    """What was compiled for a lowered function, which is kept as long: its identity is the key."""
    return problem.programs.setdefault(id(lowered), {"lowered": lowered})


def check_inner(problem: Problem, likelihood: Likelihood, x: np.ndarray) -> None:
    """Say at which random effects there is no conditional mode, if that is what is wrong.

    Parameters
    ----------
    problem : Problem
    likelihood : Likelihood
    x : numpy.ndarray, shape (k,)

    Raises
    ------
    PointError
    """
    from pymle.objective.integrate.inner import inner_failure
    from pymle.objective.integrate.marginal import Marginal

    if problem.effects is None or not isinstance(likelihood, Marginal):
        return
    failure = inner_failure(likelihood, x)
    if failure is not None:
        labels = problem.effects.layout.free_labels
        raise PointError.no_conditional_mode(failure.what, [labels[i] for i in failure.places])


def ones_for(problem: Problem) -> list[np.ndarray]:
    """Weights of one for every observation.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    list of numpy.ndarray
    """
    return [np.ones(symbol.type.shape) for symbol in problem.lowered.weights]


def call_at(problem: Problem, lowered: Any, x: np.ndarray) -> tuple:
    """A lowered function without weights, at a point.

    Parameters
    ----------
    problem : Problem
    lowered : Lowered
    x : numpy.ndarray, shape (k,)

    Returns
    -------
    tuple of arrays
    """
    return lowered.call(x, problem.coordinates.held_vector, (), problem.arguments(lowered))


def natural_function(problem: Problem) -> ElementwiseMap | PointFunction | Leading:
    """The natural vector of a problem and its derivatives.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    ElementwiseMap or PointFunction
    """
    bounds = problem.coordinates.constant_bounds
    if bounds is None:
        return parameter_function(problem, problem.lowered_natural)
    return ElementwiseMap(problem.coordinates.held_vector, ~problem.layout.fixed, *bounds)


def point_function(problem: Problem, lowered: Any) -> PointFunction:
    """A lowered function of the point at the problem's data.

    Parameters
    ----------
    problem : Problem
    lowered : Lowered

    Returns
    -------
    PointFunction
    """
    return PointFunction(
        lowered.call,
        held=problem.coordinates.held_vector,
        data=problem.arguments(lowered),
        route=lowered.route,
        programs=_programs(problem, lowered),
    )


def parameter_function(problem: Problem, lowered: Any) -> PointFunction | Leading:
    """A lowered function that depends on the parameters alone, of their vector.

    Parameters
    ----------
    problem : Problem
    lowered : Lowered

    Returns
    -------
    PointFunction or Leading
    """
    function = point_function(problem, lowered)
    return function if problem.effects is None else Leading(function, problem.effects.size)


def checked_weights(problem: Problem, weights: Any) -> list[np.ndarray] | None:
    """Weights as the objective takes them.

    Parameters
    ----------
    problem : Problem
    weights : array_like or mapping of str to array_like, or None

    Returns
    -------
    list of numpy.ndarray or None
        One array per observed variable.

    Raises
    ------
    DataError
        Unknown names, wrong shapes, negative or non-finite entries.
    """
    if weights is None:
        return None
    names = [term.name for term in problem.observed]
    if not isinstance(weights, Mapping):
        if len(names) != 1:
            raise DataError.weights(
                ", ".join(names), f"one array for {len(names)} observed variables (pass a dict)"
            )
        weights = {names[0]: weights}
    for name in weights:
        if name not in names:
            raise DataError.unknown(name, names)
    out = []
    for term in problem.observed:
        value = np.asarray(weights.get(term.name, 1.0), dtype=np.float64)
        if not term.shape and term.rows > 1 and term.name in weights:
            raise DataError.weights(term.name, "its observations have one joint log-density")
        if value.shape not in ((), term.shape):
            raise DataError.weights(term.name, f"shape {value.shape}, observations {term.shape}")
        if not np.all(np.isfinite(value)) or np.any(value < 0):
            raise DataError.weights(term.name, "negative or non-finite entries")
        out.append(np.broadcast_to(value, term.shape).copy())
    return out


def observations(
    problem: Problem, weights: list[np.ndarray] | None, kind: str = "frequency"
) -> dict[str, float]:
    """Number of observations by observed variable.

    Parameters
    ----------
    problem : Problem
    weights : list of numpy.ndarray or None
    kind : {"frequency", "sampling"}
        The sum of frequency weights, the number of positive sampling weights.

    Returns
    -------
    dict of str to float
    """
    out = {}
    for i, term in enumerate(problem.observed):
        out[term.name] = float(term.rows) if weights is None else _counted(weights[i], kind)
        if weights is not None and not term.shape:
            out[term.name] = float(term.rows)
    return out


def _counted(weights: np.ndarray, kind: str) -> float:
    return float(np.sum(weights > 0) if kind == "sampling" else weights.sum())
