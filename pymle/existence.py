"""Whether a maximum exists where a search ended: separation, edges, growth, numerical trouble."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pymle.bind import natural_function
from pymle.model import Problem, can_be_penalised
from pymle.objective import Likelihood
from pymle.optimize import Search, Solution, Termination, differenced_hessian, maximise
from pymle.verdict import (
    Curvature,
    Edges,
    Lines,
    Separation,
    Status,
    Tails,
    Verdict,
    at_the_edge,
    best_quiet,
    curvature_of,
    find_edges,
    find_growth,
    find_loudness,
    find_randomness,
    find_separation,
    find_trouble,
    find_wrong_slopes,
    grows,
    is_loud,
    is_suspicious,
    quiet_end,
    separated,
    troubled,
)

#: Distances, in units of a change in the scores, from which separated data are searched again.
_FAR_OUT = (16.0, 24.0, 32.0)
#: Statuses after which a search is asked whether it went uphill without an end.
_GROWING = {
    Status.NO_MAXIMUM,
    Status.NOT_CONVERGED,
    Status.KINK,
    Status.FLAT,
    Status.SADDLE,
    Status.INCONSISTENT,
}
#: Advice where a correlation is one in size, or a standard deviation among them zero.
_LINE = (
    "A correlation is estimated at one in size (or a standard deviation at zero): the quantities "
    "lie on a line, and the data do not tell them apart. Compare with models without the "
    "correlation or without one of the quantities by `fit.aic`, or keep the priors with "
    "`pymle.find_MAP`. The standard errors of the others are conditional on the edge."
)
#: What to do where entries that constrain each other are at an edge: none can be fixed alone.
_AT_EDGES = {
    "ordered": (
        "Two entries of an ordered variable meet: the data hold nothing between them, such as a "
        "category that never occurred. Merge that category with a neighbour (recode the outcome); "
        "the standard errors of the others are conditional on this and stay the same."
    ),
    "correlation": _LINE,
    "cholesky": _LINE,
    "simplex": (
        "A share is estimated at zero: a category that never occurred, or a component without "
        "members. `fit.profile` gives its one-sided limit; leave it out of the model and compare, "
        "or keep the priors with `pymle.find_MAP`. The standard errors of the others are "
        "conditional on the edge."
    ),
}
#: Statuses after which the numbers themselves are looked at.
_DOUBTED = {Status.INCONSISTENT, Status.NOT_CONVERGED, Status.FLAT, Status.SADDLE}


@dataclass(frozen=True)
class Diagnosis:
    """What was found out about a point that has no certificate, or should have none.

    Attributes
    ----------
    verdict : Verdict
    tails : Tails or None
    edges : Edges or None
        Supports that depend on parameters.
    separation : Separation or None
    again : Search or None
        A better point, which has to be looked at from the beginning.
    final : Verdict or None
        What is said about that point, whatever else is found there.
    """

    verdict: Verdict
    tails: Tails | None
    edges: Edges | None = None
    separation: Separation | None = None
    again: Search | None = None
    final: Verdict | None = None


def diagnose(
    problem: Problem,
    likelihood: Likelihood,
    found: Search,
    curvature: Curvature | None,
    tails: Tails | None,
    verdict: Verdict,
    before: Diagnosis | None,
    method: str,
) -> Diagnosis:
    """Ask what kind of point a search ended at.

    Parameters
    ----------
    problem : Problem
    likelihood : Likelihood
    found : Search
    curvature : Curvature or None
    tails : Tails or None
        Coordinates in a tail of their working scale.
    verdict : Verdict
        From the point alone.
    before : Diagnosis or None
        The one that asked for this point.
    method : str
        As in `maximise`.

    Returns
    -------
    Diagnosis
    """
    solution, labels = found.solution, problem.layout.free_labels
    verdict = _worded(problem, verdict)
    plain = Diagnosis(verdict, tails)
    if before is not None and before.final is not None:
        evidence = {**verdict.evidence, **before.final.evidence}
        return Diagnosis(replace(before.final, evidence=evidence), None)
    if before is not None and before.edges is not None:
        edges = before.edges
        tails = edges.tails(labels)
        limits = _natural_limits(problem, edges)
        others = tails is not None and _holds(tails, solution, curvature)
        return Diagnosis(at_the_edge(verdict, edges, labels, limits, others=others), tails, edges)
    if before is not None and before.separation is not None:
        return _separated(problem, found, curvature, tails, verdict, before.separation)
    if likelihood.route != "jax":
        random = find_randomness(likelihood, solution.x)
        if random is not None:
            return replace(plain, verdict=troubled(verdict, random))
    if not likelihood.has_score:
        return plain
    if likelihood.route != "jax" and verdict.ok:
        # Gradients of custom operations are their authors': every entry is looked at.
        wrong = find_wrong_slopes(likelihood, solution, curvature, labels)
        if wrong is not None:
            return replace(plain, verdict=troubled(verdict, wrong))
    loud = _loud(problem, likelihood, found, verdict)
    if loud is not None:
        return loud
    plateau = _plateau(found, verdict)
    if plateau is not None:
        return replace(plain, again=replace(found, solution=plateau))
    # Where everything beside the tails is settled the likelihood has a limit: it does not grow.
    limit = tails is not None and not tails.rising and _holds(tails, solution, curvature)
    limit &= verdict.status is not Status.HIGHER_ELSEWHERE
    growing = verdict if limit else _growing(problem, likelihood, found, verdict)
    if growing is not verdict:
        return replace(plain, verdict=growing)
    if not (verdict.ok or solution.converged):
        edges = find_edges(likelihood, solution)
        if edges is not None:
            again = replace(found, solution=edges.solution)
            return Diagnosis(verdict, tails, edges=edges, again=again)
    away = _away(problem, likelihood, found, curvature, verdict)
    if away is not None:
        first = _separated(problem, found, curvature, tails, verdict, away)
        if first.tails is not None and _holds(first.tails, solution, curvature):
            return first
        again = _at_the_limit(likelihood, found, away, method)
        return first if again is None else replace(first, again=again)
    proven = verdict.status is Status.FLAT and curvature is not None and curvature.proven > 0
    if verdict.status in _DOUBTED and not proven:
        doubted = verdict.status is Status.INCONSISTENT
        trouble = find_trouble(likelihood, solution, curvature, labels, inconsistent=doubted)
        if trouble is not None:
            return replace(plain, verdict=troubled(verdict, trouble))
    return plain


def _away(
    problem: Problem,
    likelihood: Likelihood,
    found: Search,
    curvature: Curvature | None,
    verdict: Verdict,
    constraints: tuple[np.ndarray, np.ndarray] | None = None,
) -> Separation | None:
    """A direction along which no observation's likelihood ever falls, where one is suspected."""
    # What Firth's penalty adds belongs to all observations together, and what is integrated
    # under a flat measure may run away itself.
    flat = problem.effects is not None and bool(problem.effects.flat)
    if problem.penalty is not None or flat:
        return None
    solution, natural = found.solution, None
    layout = problem.layout
    if any(block.support.kind == "zerosum" for block in layout.blocks):
        natural = np.asarray(natural_function(problem).value_and_jacobian(found.start)[1])
    lines = Lines(layout, found.start, natural, *(constraints or ()))
    if not is_suspicious(likelihood.value, solution, curvature, verdict, lines.straight()):
        return None
    others = problem.effects is not None or any(t.kind != "observed" for t in problem.terms)
    return find_separation(likelihood, lines, solution.x, found.start, others=others)


def restricted_separation(
    problem: Problem,
    likelihood: Likelihood,
    found: Search,
    curvature: Curvature | None,
    verdict: Verdict,
    constraints: tuple[np.ndarray, np.ndarray],
) -> Verdict:
    """The verdict, if the data are separated under linear constraints between real parameters.

    Parameters
    ----------
    problem : Problem
    likelihood : Likelihood
    found : Search
    curvature : Curvature or None
        Along the constraints.
    verdict : Verdict
        From the point alone.
    constraints : tuple of numpy.ndarray, shapes (r, k) and (s, k)
        Gradients of equations and of inequalities (``>= 0``) on the unconstrained scale.

    Returns
    -------
    Verdict
    """
    away = _away(problem, likelihood, found, curvature, verdict, constraints)
    return verdict if away is None else separated(verdict, away, limit=False, firth=False)


def _loud(
    problem: Problem, likelihood: Likelihood, found: Search, verdict: Verdict
) -> Diagnosis | None:
    """What is said where a search ended in rounding, about the last point that can be believed."""
    end = found.solution
    if verdict.ok or end.converged or not is_loud(likelihood, end):
        return None
    quiet = quiet_end(likelihood, end, found.start)
    if quiet is None:
        return None
    there = replace(found, solution=quiet)
    said = replace(verdict, status=Status.NOT_CONVERGED)
    growing = _growing(problem, likelihood, there, said)
    if growing is said:
        trouble = find_loudness(end, found.start, problem.layout.free_labels)
        growing = troubled(verdict, trouble)
    others = () if found.exploration is None else found.exploration.solutions
    shown = best_quiet(likelihood, [quiet, *others]) or quiet
    return Diagnosis(verdict, None, again=replace(found, solution=shown), final=growing)


def _plateau(found: Search, verdict: Verdict) -> Solution | None:
    """The highest of all ends, on level ground, where the search reports a lower one at an edge."""
    if verdict.status is not Status.HIGHER_ELSEWHERE or found.exploration is None:
        return None
    if not verdict.parameters:
        return None
    seen = [s for s in found.exploration.solutions if np.isfinite(s.value)]
    top = max(seen, key=lambda s: s.value)
    level = {Termination.FLAT, Termination.DEGENERATE}
    return top if top.termination in level and top.score is not None else None


def _worded(problem: Problem, verdict: Verdict) -> Verdict:
    """The same, with advice that fits entries that constrain each other."""
    if verdict.status is not Status.BOUNDARY:
        return verdict
    layout = problem.layout
    kinds: dict[str, str] = {}
    for block in layout.blocks:
        own = (*block.labels, *layout.free_labels[block.free])
        kinds |= dict.fromkeys(own, block.support.kind)
    found = {kinds.get(label, "") for label in verdict.parameters}
    advice = _AT_EDGES.get(found.pop()) if len(found) == 1 else None
    return verdict if advice is None else replace(verdict, advice=advice)


def _separated(
    problem: Problem,
    found: Search,
    curvature: Curvature | None,
    tails: Tails | None,
    verdict: Verdict,
    away: Separation,
) -> Diagnosis:
    tails = away.tails(found.solution.x, tails)
    limit = tails is not None and _holds(tails, found.solution, curvature)
    firth = can_be_penalised(problem) and problem.objective == "mle" and problem.penalty is None
    verdict = separated(verdict, away, limit=limit, firth=firth)
    return Diagnosis(verdict, tails, separation=away)


def _at_the_limit(
    likelihood: Likelihood, found: Search, away: Separation, method: str
) -> Search | None:
    """The search begun again far out along a direction, where everything else settles."""
    for length in _FAR_OUT:
        begin = away.beyond(found.start, length)
        if begin is None or not np.isfinite(likelihood.value(begin)):
            continue
        solution = maximise(likelihood, begin, method=method)
        tails = away.tails(solution.x, None)
        if tails is None or not np.isfinite(solution.value):
            continue
        if _holds(tails, solution, _curvature_at(likelihood, solution.x)):
            return replace(found, solution=solution)
    return None


def _curvature_at(likelihood: Likelihood, x: np.ndarray) -> Curvature:
    if likelihood.has_hessian:
        return curvature_of(-likelihood.hessian(x))
    matrix, error = differenced_hessian(likelihood.value_and_score, x)
    return curvature_of(-matrix, error)


def _holds(tails: Tails, solution: Solution, curvature: Curvature | None) -> bool:
    """Whether everything beside the tails is at a strict maximum of its own."""
    known = curvature is not None and curvature.finite and solution.score is not None
    return known and tails.settled(solution.score, curvature)  # type: ignore[arg-type]


def _natural_limits(problem: Problem, edges: Edges) -> dict[str, tuple[float, float]]:
    """Limits of coordinates at an edge on the natural scale, by label."""
    function, layout = natural_function(problem), problem.layout
    places = {label: i for i, label in enumerate(layout.labels) if not layout.fixed[i]}
    out = {}
    for i, ends in zip(edges.places, edges.limits, strict=False):
        label = layout.free_labels[i]
        if label not in places:
            continue
        values = []
        for end in ends:
            x = np.array(edges.solution.x)
            x[i] = end
            values.append(float(function.value(x)[places[label]]))
        out[label] = (min(values), max(values))
    return out


def _growing(problem: Problem, likelihood: Likelihood, found: Search, verdict: Verdict) -> Verdict:
    """The verdict, if the likelihood grows without bound where a search ended."""
    end, origin, best = found.solution, found.start, found.solution
    elsewhere = verdict.status in (Status.HIGHER_ELSEWHERE, Status.LOCAL)
    if verdict.status not in _GROWING and not elsewhere:
        return verdict
    if elsewhere and found.exploration is not None:
        higher = [
            s
            for s in found.exploration.solutions
            if not s.converged and np.isfinite(s.value) and s.value > best.value
        ]
        if not higher:
            return verdict
        end, origin = max(higher, key=lambda s: s.value), best.x
    labels, bent = problem.layout.free_labels, problem.coordinates.bent_coordinates
    growth = find_growth(likelihood, end, origin, labels, bent)
    if growth is None:
        edges = find_edges(likelihood, end) if end is not best else None
        if edges is None or not edges.unbounded:
            return verdict
        return replace(at_the_edge(verdict, edges, labels, {}, others=False), status=verdict.status)
    rows = sum(float(np.prod(term.shape)) for term in problem.observed)
    return grows(
        verdict,
        growth,
        rows if problem.observed else float("nan"),
        elsewhere=end.value - best.value if end is not best else None,
    )
