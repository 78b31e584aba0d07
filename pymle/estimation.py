"""From a problem to an estimate: start, search, curvature, verdict."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from pymle.bind import (
    LARGEST_PRODUCT,
    blocks_of,
    call_at,
    check_inner,
    check_penalised,
    checked_weights,
    likelihood_of,
    natural_function,
    observations,
    unpenalised,
)
from pymle.errors import AnalysisError, PointError
from pymle.estimate import LARGEST_DENSE, Estimate, FitRecord
from pymle.existence import Diagnosis, diagnose, restricted_separation
from pymle.model import Constraints, Problem, at_values, impossible_terms
from pymle.objective import Likelihood
from pymle.objective.integrate.modes import OtherMode, other_mode
from pymle.optimize import (
    Search,
    Solution,
    differenced_hessian,
    dispersed,
    is_kink,
    maximise,
    profile_scales,
    search,
    spread_out,
)
from pymle.restrict import Bounded, Restricted
from pymle.verdict import (
    Curvature,
    Ridge,
    Saturated,
    Status,
    Tails,
    Verdict,
    assess,
    curvature_of,
    derivative_check,
    elsewhere,
    find_tails,
    is_level,
    look_along,
    runs_across,
)

#: Scale parameters up to which the start is looked for along each.
_MOST_SCALES = 6
#: Parameters up to which directions of hardly any curvature are looked along.
_MOST_LOOKED_ALONG = 300
#: Prior draws that are tried where PyMC's initial point is impossible under the data.
_TRIED = 64
_EDGE_BY_LAPLACE = (
    "Laplace's approximation can lead to an edge that is none: compare with `quadrature=7`."
)
#: Points near the middle of the supports that are tried before them.
_CENTRAL = 4


@dataclass(frozen=True)
class Settings:
    """How to fit.

    Attributes
    ----------
    method : str
    n_starts : int or "auto"
    random_seed : int
    quick : bool
        Compile with less effort.
    constraints : Constraints or None
        Between the parameters.
    weights_kind : {"frequency", "sampling"}
        What weights of the observations are.
    asked : mapping of str to object
        Arguments about roles and constraints as the user gave them, for files.
    """

    method: str
    n_starts: int | str
    random_seed: int
    quick: bool
    constraints: Constraints | None = None
    weights_kind: str = "frequency"
    asked: Mapping[str, Any] = field(default_factory=dict)


class Estimator:
    """Fits one problem, at its own data or at other.

    Parameters
    ----------
    problem : Problem
    settings : Settings
    """

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self._problem = problem
        self._settings = settings
        self._draws = np.empty((0, problem.layout.size))
        # What a fit learned about the program itself, for refits with other data.
        self._seen_concave = False
        self._check: float | None = None

    @property
    def constraints(self) -> Constraints | None:
        """Constraints between the parameters, under which every fit is made."""
        return self._settings.constraints

    @property
    def settings(self) -> Settings:
        """How it fits, for estimators of other objectives of the same model."""
        return self._settings

    def estimate(
        self,
        *,
        data: Mapping[str, Any] | None,
        start: Mapping[str, Any] | None,
        weights: Any,
        callback: Callable[..., object] | None,
    ) -> tuple[Estimate, Problem]:
        """Fit and return the bare estimate, with the problem at the data used.

        Parameters
        ----------
        data : mapping of str to array_like or None
            New values of ``pm.Data`` or observed variables.
        start : mapping or None
            Natural-scale values by name or label; may be partial.
        weights : array_like, mapping or None
            Weights of the observations.
        callback : callable or None
            Called at every iteration.

        Returns
        -------
        estimate : Estimate
        problem : Problem
        """
        problem = self._problem.with_data(data)
        weighted = checked_weights(problem, weights)
        with _collector_paused():
            _ = problem.lowered  # has a clock of its own
            began = time.perf_counter()
            likelihood = likelihood_of(problem, weighted, quick=self._settings.quick)
            coordinates = problem.coordinates
            # Random effects are found for themselves.
            start = problem.without_effects(start)
            point = coordinates.complete(start)
            x0 = self._usable_start(problem, likelihood, start, point)
            restricted = self._restricted(problem, likelihood)
            if restricted is not None:
                x0 = restricted.feasible(x0)
        likelihood.difference_if_needed(x0)
        look = partial(
            search,
            likelihood,
            x0,
            lambda count: self._candidates(x0, count),
            scales=coordinates.scale_coordinates,
            n_starts=self._settings.n_starts,
            method=self._settings.method,
            seed=self._settings.random_seed,
            given=bool(start),
            seen_concave=self._seen_concave,
            callback=callback,
        )
        found = look(solve=restricted or maximise)
        if restricted is not None and not found.trusted and not restricted.equations.any():
            found = restricted.reassured(found, look(), likelihood)
        seconds = time.perf_counter() - began
        bound = None if restricted is None else Bounded(restricted, found.solution, likelihood)
        return self._finish(problem, likelihood, found, bound, weighted, point, seconds), problem

    def _restricted(self, problem: Problem, likelihood: Likelihood) -> Restricted | None:
        """What takes the place of `maximise` where there are constraints."""
        constraints = self._settings.constraints
        if constraints is None or not constraints.texts:
            return None
        if not likelihood.has_score:
            raise AnalysisError.constraints_need_gradient(problem.lowered.reason)
        return Restricted(problem, constraints)

    def _usable_start(
        self,
        problem: Problem,
        likelihood: Likelihood,
        start: Mapping[str, Any] | None,
        point: Mapping[str, np.ndarray],
    ) -> np.ndarray:
        """The start with its free scales set by the data; another where it is impossible.

        Where the user gives a start it is that or an error; PyMC's initial point comes from
        the prior that is dropped, and gives way.
        """
        coordinates = problem.coordinates
        x0 = coordinates.unconstrain(point)
        if not _usable(likelihood, x0):
            others = [] if start else [*_central(x0), *self._candidates(x0, 2 * _TRIED)]
            usable = (x for x in others if np.all(np.isfinite(x)) and _usable(likelihood, x))
            found = next(usable, None)
            if found is None:
                natural = problem.layout.to_natural(point)
                sentences = impossible_terms(problem, natural)
                if not sentences:
                    check_inner(problem, likelihood, x0)
                    check_penalised(problem, likelihood, x0)
                explanation = " ".join([*sentences, at_values(problem, natural)])
                raise PointError.not_finite_likelihood(explanation)
            x0 = found
        given = coordinates.given_coordinates(start)
        scales = np.array([i for i in coordinates.scale_coordinates if i not in given], dtype=int)
        if not 0 < len(scales) <= _MOST_SCALES:
            return x0
        [moved] = profile_scales(likelihood, x0[None], scales)
        better = likelihood.value(moved) > likelihood.value(x0) + 1.0
        return moved if better and _usable(likelihood, moved) else x0

    def _candidates(self, x0: np.ndarray, count: int) -> np.ndarray:
        """Half prior draws (which do not depend on the data), half points around the start."""
        seed, half = self._settings.random_seed, max((count + 1) // 2, 1)
        coordinates = self._problem.coordinates
        if len(self._draws) < half:
            natural = coordinates.prior_draws(half, seed)
            inner = coordinates.unconstrain_rows(natural)
            self._draws = spread_out(inner, coordinates.real_coordinates, seed)
        around = dispersed(x0, np.maximum(np.abs(x0), 1.0), half, seed)
        return np.concatenate([self._draws[:half], around])

    def _equivalent(self, problem: Problem, likelihood: Likelihood, found: Search) -> bool | None:
        """Whether maxima of the same height give every observation the same density.

        Then they are one distribution of the data written in several ways (permuted
        components, mirrored signs); None where there is only one maximum.
        """
        if found.exploration is None or not found.solution.converged:
            return None
        top = found.exploration.top_clusters
        if len(top) < 2:
            return None
        if not problem.observed:
            return False
        here = call_at(problem, problem.lowered_terms, likelihood.joint(found.solution.x))
        for cluster in top[:8]:
            there = call_at(problem, problem.lowered_terms, likelihood.joint(cluster.x))
            for a, b in zip(here, there, strict=True):
                if not np.allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-5):
                    return False
        return True

    def _tails(
        self,
        problem: Problem,
        likelihood: Likelihood,
        found: Search,
        bound: Bounded | None,
        curvature: Curvature | None,
        *,
        natural: np.ndarray,
        edges: tuple[np.ndarray, np.ndarray],
    ) -> Tails | None:
        if curvature is None or not curvature.finite:
            return None
        coordinates = problem.coordinates
        # What a constraint holds does not run away alone.
        free = np.ones(problem.layout.size, dtype=bool) if bound is None else bound.untouched
        low_edge, high_edge = coordinates.edges(*edges)
        return find_tails(
            likelihood.value,
            found.solution.x,
            curvature,
            labels=problem.layout.free_labels,
            bent=coordinates.bent_coordinates & free,
            real=coordinates.real_coordinates & free,
            lower_edge=low_edge,
            upper_edge=high_edge,
            saturated=[
                Saturated(places, labels)
                for places, labels in coordinates.saturated(natural)
                if np.all(free[places])
            ],
            hessian=likelihood.hessian if likelihood.has_hessian else None,
        )

    def _finish(
        self,
        problem: Problem,
        likelihood: Likelihood,
        found: Search,
        bound: Bounded | None,
        weights: list[np.ndarray] | None,
        start: Mapping[str, np.ndarray],
        seconds: float,
        diagnosis: Diagnosis | None = None,
        *,
        higher: bool = False,
    ) -> Estimate:
        solution, layout, lowered = found.solution, problem.layout, problem.lowered
        natural, jacobian = natural_function(problem).value_and_jacobian(solution.x)
        if bound is not None:
            natural = bound.settled(natural)
        coordinates = problem.coordinates
        constant = coordinates.constant_bounds
        lower, upper = coordinates.flat_bounds(natural) if constant is None else constant
        curvature: Curvature | None = None
        source: Callable[[], Curvature] | None = None
        error, flat = 0.0, 0
        tails: Tails | None = None
        away = partial(
            self._tails, problem, likelihood, found, bound, natural=natural, edges=(lower, upper)
        )
        if bound is not None:
            curvature, error = bound.curvature, bound.error
            source = (lambda: curvature) if curvature is not None else None
        elif likelihood.has_score and layout.size > LARGEST_DENSE:

            def dense() -> Curvature:
                return curvature_of(-hessian_of(likelihood, solution.x)[0])

            source = dense
        elif likelihood.has_score:
            measured = solution.record.hessian_error
            matrix, error = hessian_of(likelihood, solution.x, solution.hessian, measured)
            known = curvature_of(-matrix, error)
            if solution.converged and known.finite and layout.size <= _MOST_LOOKED_ALONG:
                climb = partial(maximise, method=self._settings.method)
                # Where level ground ends on one side it is a tail, and no ridge.
                bent = coordinates.bent_coordinates
                tails = away(known)
                done = (
                    tails is not None
                    and not (tails.rising or np.any(tails.directions[bent]))
                    and tails.strict(known)
                )
                ridge = Ridge(known, 0)
                if not done:
                    ridge = look_along(likelihood, solution, known, bent, climb)
                if ridge.higher is not None and not higher:
                    found = replace(found, solution=ridge.higher)
                    return self._finish(
                        problem, likelihood, found, bound, weights, start, seconds, higher=True
                    )
                known, flat = ridge.curvature, ridge.flat
            curvature, source = known, lambda: known
        self._seen_concave = found.concave
        check = self._check
        if check is None and curvature is not None and solution.converged:
            pair = likelihood.value_and_score if bound is None else bound.value_and_score
            check = derivative_check(pair, solution, curvature)
        tails = None if flat else tails or away(curvature)
        if tails is not None and curvature is not None:
            bent = coordinates.bent_coordinates
            ridged = runs_across(solution.x, curvature, bent, tails.directions)
            tails = None if ridged else tails
        if tails is not None and curvature is not None and bound is None and not higher:
            climb = partial(maximise, method=self._settings.method)
            inside = elsewhere(likelihood, solution, curvature, tails.directions, climb)
            if inside is not None:
                found = replace(found, solution=inside)
                return self._finish(
                    problem, likelihood, found, bound, weights, start, seconds, higher=True
                )
        equivalent = self._equivalent(problem, likelihood, found)
        verdict = assess(
            solution,
            curvature,
            start=found.start,
            labels=layout.free_labels,
            bent=coordinates.bent_coordinates,
            tails=tails,
            exploration=found.exploration,
            concave=found.concave,
            check=check,
            equivalent=equivalent,
            trusted=found.trusted,
            chosen=found.chosen,
            level=not solution.converged and is_level(likelihood.value, solution),
            kink=(
                not solution.converged
                and bound is None
                and likelihood.has_score
                and layout.size <= LARGEST_DENSE
                and is_kink(likelihood, solution)
            ),
        )
        if verdict.ok:
            self._check = check
        if bound is None:
            diagnosis = diagnose(
                problem,
                likelihood,
                found,
                curvature,
                tails,
                verdict,
                diagnosis,
                self._settings.method,
            )
            if diagnosis.again is not None:
                found = diagnosis.again
                return self._finish(
                    problem, likelihood, found, bound, weights, start, seconds, diagnosis
                )
            verdict, tails = diagnosis.verdict, diagnosis.tails
        elif (gradients := bound.gradients(solution.x)) is not None:
            verdict = restricted_separation(
                problem, likelihood, found, curvature, verdict, gradients
            )
        verdict = _about_the_integral(problem, verdict)
        second = other_mode(likelihood, solution.x)
        verdict, said = _with_second_mode(problem, verdict, second)
        loglik, logposterior = solution.value, None
        if problem.objective == "map":
            loglik, logposterior = likelihood.further(solution.x)[-1], solution.value
        penalised = None
        if problem.penalty is not None:
            loglik, penalised = unpenalised(problem, likelihood, solution.x), solution.value
        by_name = observations(problem, weights, self._settings.weights_kind)
        exact = "exact"
        if likelihood.differenced:
            causes = ", ".join(lowered.differenced) or "JAX has none at the start"
            causes = causes if problem.effects is None else "integrated random effects"
            exact = f"differenced from the exact score ({causes}; relative error {error:.1e})"
        record = FitRecord(
            route=lowered.route,
            route_reason=lowered.reason,
            hessian=exact if likelihood.has_score else "none: no gradient",
            method=solution.record.method,
            start=dict(start),
            end=layout.to_point(natural),
            start_value=solution.record.start_value,
            end_value=solution.value,
            iterations=solution.record.iterations,
            evaluations=dict(solution.record.evaluations),
            termination=solution.termination.value,
            seconds_lower=lowered.seconds,
            seconds_compile=likelihood.compile_seconds,
            seconds_solve=max(seconds - likelihood.compile_seconds, 0.0),
        )
        return Estimate(
            objective=problem.objective if problem.penalty is None else "penalised",
            layout=layout,
            x=solution.x,
            natural=natural,
            jacobian=jacobian,
            lower=lower,
            upper=upper,
            loglik=loglik,
            logposterior=logposterior,
            score=solution.score,
            curvature_source=source,
            nobs=float(sum(by_name.values())) if by_name else float("nan"),
            nobs_by=by_name,
            weights_kind=None if weights is None else self._settings.weights_kind,
            verdict=verdict,
            tails=tails if tails and curvature and _settled(tails, solution, curvature) else None,
            solution=solution,
            exploration=found.exploration,
            record=record,
            notices=(*problem.roles.notices, *problem.notices, *self._notices, *said),
            restriction=None if bound is None else bound.restriction,
            reml=problem.reml,
            reml_size=problem.reml_size,
            penalised=penalised,
        )

    @property
    def _notices(self) -> tuple[str, ...]:
        constraints = self._settings.constraints
        return () if constraints is None else constraints.notices


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No garbage collection while JAX is imported and a first program built.

    Both make many objects that stay, which the collector would go through again and again: a
    tenth of the time of a first fit.
    """
    enabled = gc.isenabled()
    if "jax" in sys.modules or not enabled:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:
            # All objects join the oldest generation without being gone through.
            gc.freeze()
            gc.unfreeze()
        gc.enable()


def _settled(tails: Tails, solution: Solution, curvature: Curvature) -> bool:
    return solution.score is not None and tails.settled(solution.score, curvature)


def hessian_of(
    likelihood: Likelihood,
    x: np.ndarray,
    known: np.ndarray | None = None,
    measured: float = float("nan"),
) -> tuple[np.ndarray, float]:
    """Second derivatives and their relative error (zero where they are exact).

    ``known`` ones are taken where they are exact, or their error was ``measured``.
    """
    if known is not None and np.isfinite(measured):
        return known, measured
    if likelihood.has_hessian:
        return (likelihood.hessian(x) if known is None else known), 0.0
    return differenced_hessian(likelihood.value_and_score, x)


def _central(x0: np.ndarray) -> np.ndarray:
    """Points near the middle of every support: zero, one or one half, whatever the priors say.

    Not the middle itself, where a model that mirrors or permutes its parameters is flat.
    """
    return dispersed(np.zeros_like(x0), 0.1, _CENTRAL, seed=0)


def _about_the_integral(problem: Problem, verdict: Verdict) -> Verdict:
    """A verdict that says where Laplace's approximation may have made the edge.

    Outcomes that say little about each effect (binary ones, few trials) pull its estimate of a
    variance to zero, where one of the same integral by quadrature has an inner maximum.
    """
    edge = verdict.status in {Status.BOUNDARY, Status.NO_MAXIMUM} and not verdict.unbounded
    effects = problem.effects
    if not edge or effects is None or problem.quadrature is not None or problem.reml:
        return verdict
    laws = list(problem.model.observed_RVs)
    laws += [problem.model[name] for name in effects.names]
    if all(type(rv.owner.op).__name__ in {"NormalRV", "MvNormalRV"} for rv in laws):
        return verdict
    try:
        largest = int(blocks_of(problem).sizes.max(initial=0))
    except Exception:  # noqa: BLE001 - what cannot be taken apart gets no advice, and its fit
        return verdict
    if largest > LARGEST_PRODUCT:
        return verdict
    return replace(verdict, advice=f"{verdict.advice} {_EDGE_BY_LAPLACE}".strip())


def _with_second_mode(
    problem: Problem, verdict: Verdict, second: OtherMode | None
) -> tuple[Verdict, tuple[str, ...]]:
    """A verdict whose evidence names a second mode of the random effects, and a notice of it."""
    if second is None:
        return verdict, ()
    assert problem.effects is not None
    label = problem.effects.layout.free_labels[second.entry]
    apart = f"{abs(second.lower):.2g} {'lower' if second.lower > 0 else 'higher'} in log-likelihood"
    found = (
        f"the conditional density of the random effects has a second mode ({second.blocks} "
        f"block{'s' * (second.blocks != 1)}): `{label}` at {second.there:.3g} instead of "
        f"{second.here:.3g}, {'as high' if abs(second.lower) < 0.005 else apart}"
    )
    said = (
        f"The log-likelihood is approximated at one mode where {found}. What lies at the other is "
        "left out, and estimates may be off: `fit.check_integration()` compares with importance "
        "sampling. Next step: a law on one side (pm.HalfNormal) where only the size of an effect "
        "matters, or a discrete variable that says which mode (it is summed out)."
    )
    evidence = {**verdict.evidence, "inner_modes": found}
    return replace(verdict, evidence=evidence), (said,)


def _usable(likelihood: Likelihood, x: np.ndarray) -> bool:
    """Whether value and score are finite at a point."""
    if not likelihood.has_score:
        return bool(np.isfinite(likelihood.value(x)))
    value, score = likelihood.value_and_score(x)
    return bool(np.isfinite(value) and np.all(np.isfinite(score)))
