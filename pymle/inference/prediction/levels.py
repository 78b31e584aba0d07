"""What happens to random effects in predictions: kept, drawn anew, or at a typical value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pymle.bind import point_function
from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.model.predictive.levels import (
    at_typical,
    effects_read,
    grouped_effects,
    laws_between,
    names_behind,
    refuse_potentials,
)
from pymle.model.predictive.newdata import NewData
from pymle.objective import Leading, PointFunction
from pymle.objective.levels import AtLevels, stratified_normals

CHOICES = ("kept", "new", "typical")
#: Draws of new random effects over which means are averaged.
DRAWS = 1000
#: Effects up to which their conditional covariance is factorised whole.
_LARGEST = 5000
#: Effects up to which draws of them are made with the mode and covariance at each draw.
_EXACT = 200


@dataclass(frozen=True)
class Levels:
    """The choice for every random effect of a fit.

    Attributes
    ----------
    fitted : Fitted
    choice : mapping of str to str
        ``kept``, ``new`` or ``typical`` by variable; everything that was integrated out.
    draws : int
        Draws over which new effects are averaged.
    seed : object
    """

    fitted: Fitted
    choice: Mapping[str, str]
    draws: int = DRAWS
    seed: Any = 0

    def named(self, *choices: str) -> tuple[str, ...]:
        """Names of the effects with one of some choices."""
        return tuple(name for name, own in self.choice.items() if own in choices)

    @property
    def text(self) -> str:
        """What was done, for the notes of a prediction; empty without random effects."""
        words = {
            "kept": "at their conditional modes",
            "new": "new draws",
            "typical": "at the mean of their law",
        }
        groups = grouped_effects(self.fitted.problem)
        parts = []
        for each in CHOICES:
            names = [n for n in self.named(each) if n in groups]
            if names:
                parts.append(f"{', '.join(names)} {words[each]}")
        return "; ".join(parts)

    @property
    def missing(self) -> tuple[str, ...]:
        """Missing values that are at their conditional modes."""
        effects, groups = self.fitted.problem.effects, grouped_effects(self.fitted.problem)
        flat = effects.flat if effects else ()
        return tuple(n for n in self.named("kept") if n not in groups and n not in flat)

    @cached_property
    def kept(self) -> np.ndarray:
        """Places among the coordinates of the effects that stay at their modes."""
        return self._places("kept")

    def typical(self, graphs: Sequence[Any]) -> list[Any]:
        """Graphs with those effects at the mean of their law whose choice it is."""
        names = self.named("typical")
        return at_typical(self.fitted.problem, graphs, names) if names else list(graphs)

    def reads(self, graphs: Sequence[Any], *choices: str) -> tuple[str, ...]:
        """Effects that some graphs read, of some choices (all by default)."""
        read = effects_read(self.fitted.problem, graphs)
        wanted = self.named(*(choices or CHOICES))
        return tuple(name for name in read if name in wanted)

    def cannot_average(self, graphs: Sequence[Any]) -> tuple[str, ...]:
        """New effects behind some graphs whose law is not standardised here."""
        effects = self.fitted.problem.effects
        if effects is None:
            return ()
        return tuple(n for n in self.reads(graphs, "new") if n not in effects.standard)

    def function(self, new: NewData, graphs: Sequence[Any]) -> Any:
        """Graphs as a function of the parameters: value, derivative, conditional variance.

        Parameters
        ----------
        new : NewData
        graphs : sequence of Variable

        Returns
        -------
        PointFunction, Leading or AtLevels
        """
        problem, lowered = new.problem, new.lowered(graphs)
        if problem.effects is None:
            return point_function(problem, lowered)
        return self.bound(problem, graphs, lowered.call, problem.arguments(lowered), lowered)

    def bound(
        self, problem: Any, graphs: Sequence[Any], call: Any, data: list[np.ndarray], lowered: Any
    ) -> Any:
        """A call made from some lowered graphs, as `function` gives them.

        Parameters
        ----------
        problem : Problem
            With random effects.
        graphs : sequence of Variable
            What it reads.
        call : callable
        data : list of numpy.ndarray
        lowered : Lowered
            Where ``call`` comes from.

        Returns
        -------
        Leading or AtLevels
        """
        effects, read = problem.effects, self.reads(graphs)
        held = problem.coordinates.held_vector
        if not read:
            plain = PointFunction(call, held=held, data=data, route=lowered.route, programs={})
            return Leading(plain, effects.size)
        if lowered.route != "jax":
            raise AnalysisError.needs_jax_prediction(read, lowered.reason)
        anew = self.reads(graphs, "new")
        refuse_potentials(problem, anew, 'groups="new"')
        draws = None
        if anew:
            draws = np.zeros((self.draws, effects.size))
            blocks = [effects.layout.block(n).free for n in anew]
            places = np.concatenate([np.arange(b.start, b.stop) for b in blocks])
            draws[:, places] = stratified_normals(self.draws, len(places), self.seed)
        return AtLevels(call, self.fitted.marginal, self.kept, draws, held=held, data=data)

    def joint(self, points: np.ndarray, seed: Any) -> np.ndarray:
        """Draws of ``[x, u]`` at draws of the parameters.

        Parameters
        ----------
        points : numpy.ndarray, shape (n, k)
        seed : object

        Returns
        -------
        numpy.ndarray, shape (n, k + d)
            Kept effects are normal around their mode at the parameters drawn, with the
            covariance there. Beyond 200 effects the mode moves with the parameters to first order,
            and the covariance is that at the estimate. New ones are standard normal on their
            own coordinates.
        """
        effects, x = self.fitted.problem.effects, self.fitted.estimate.x
        if effects is None:
            return points
        rng, marginal = np.random.default_rng(seed), self.fitted.marginal
        u = rng.standard_normal((len(points), effects.size))
        kept = self.kept
        if len(kept) > 0 and effects.size <= _EXACT:
            u[:, kept] = marginal.conditional_draws(points, u)[:, kept]
        elif len(kept):
            mode, moved = marginal.mode_and_jacobian(x)
            root = self._root
            u[:, kept] = mode[kept] + (points - x) @ moved[kept].T + u[:, kept] @ root.T
        return np.hstack([points, u])

    @cached_property
    def _root(self) -> np.ndarray:
        """Cholesky factor of the conditional covariance of what is kept."""
        if len(self.kept) > _LARGEST:
            raise AnalysisError.too_many_effects(len(self.kept), _LARGEST)
        units = np.eye(self.fitted.marginal.plan.laplace.inner)[self.kept]
        matrix = self.fitted.marginal.conditional_covariance(self.fitted.estimate.x, units)
        return np.linalg.cholesky(matrix)

    def own(self, points: np.ndarray) -> np.ndarray:
        """The parameters' part (n, k) of draws of ``[x, u]``."""
        return points[:, : len(self.fitted.estimate.x)]

    def held_values(self, points: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
        """Names of the effects that a simulation holds, and their natural values.

        Parameters
        ----------
        points : numpy.ndarray, shape (n, k + d)

        Returns
        -------
        names : tuple of str
        values : numpy.ndarray, shape (n, size)
        """
        problem = self.fitted.problem
        names = self.named("kept", "typical")
        if not names:
            return (), np.zeros((len(points), 0))
        graphs = self.typical([problem.variable(name) for name in names])
        return names, point_function(problem, problem.lowered_graphs(graphs)).values(points)

    def _places(self, *choices: str) -> np.ndarray:
        effects = self.fitted.problem.effects
        assert effects is not None
        blocks = [effects.layout.block(n).free for n in self.named(*choices)]
        parts = [np.arange(b.start, b.stop) for b in blocks]
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts]).astype(np.int64)


def levels(
    fitted: Fitted,
    groups: str | Mapping[str, str] | None,
    default: str,
    *,
    missing: str = "kept",
    seed: Any = 0,
) -> Levels:
    """What a user asks for random effects.

    Parameters
    ----------
    fitted : Fitted
    groups : str or mapping of str to str, optional
        ``kept``, ``new`` or ``typical``, for all or by name of a random effect (or of a
        Deterministic made from one).
    default : str
        Where nothing is said.
    missing : {"kept", "new"}
        What happens to missing values. Parameters under a flat measure are always kept.
    seed : object

    Returns
    -------
    Levels

    Raises
    ------
    AnalysisError
        Unknown choices or names, a fit without random effects, choices that contradict
        each other.
    """
    effects = fitted.problem.effects
    own = grouped_effects(fitted.problem)
    if groups is not None and not own:
        raise AnalysisError.no_groups(groups)
    if effects is None:
        return Levels(fitted, {})
    choice = dict.fromkeys(effects.names, missing)
    choice |= dict.fromkeys(own, default) | dict.fromkeys(effects.flat, "kept")
    asked = groups if isinstance(groups, Mapping) else dict.fromkeys(own, groups or default)
    for name, each in asked.items():
        if each not in CHOICES:
            raise AnalysisError.argument(
                "groups", each, f"one of {', '.join(repr(c) for c in CHOICES)}"
            )
        found = names_behind(fitted.problem, name)
        if not found:
            raise AnalysisError.unknown_variable(name, own)
        choice |= dict.fromkeys(found, each)
    for name, above in laws_between(fitted.problem, own).items():
        for parent in above:
            if choice[parent] not in ("kept", choice[name]):
                raise AnalysisError.groups_disagree(name, choice[name], parent, choice[parent])
    return Levels(fitted, choice, seed=seed)
