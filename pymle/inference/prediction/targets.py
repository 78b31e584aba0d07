"""What can be predicted: means of observed variables and Deterministics, at any data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.covariance import Covariance
from pymle.inference.derived import Derived, derived
from pymle.inference.prediction.levels import Levels
from pymle.inference.prediction.levels import levels as chosen_levels
from pymle.model.predictive.newdata import NewData
from pymle.objective.levels import AtLevels

#: Entries of a Deterministic without an observation dim up to which it is predicted unasked.
_MOST = 1000


@dataclass(frozen=True)
class Target:
    """A predicted array.

    Attributes
    ----------
    name : str
    observed : bool
        An observed variable, of which the conditional mean is predicted.
    graph : object or None
        None where the mean has no closed form.
    variance : object or None
        Graph of the variance, for observed variables.
    low, high : object
        Range: numbers or graphs.
    shape : tuple of int
    dims : tuple of (str or None)
    categories : bool
        Probabilities of the categories of an observed variable, on the last axis.
    normal : bool
        An observed variable with a normal distribution.
    """

    name: str
    observed: bool
    graph: Any
    variance: Any
    low: Any
    high: Any
    shape: tuple[int, ...]
    dims: tuple[str | None, ...]
    categories: bool = False
    normal: bool = False

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.prod(self.shape, dtype=int))


def predictable(fitted: Fitted) -> tuple[list[str], list[str]]:
    """Names of the observed variables and of the Deterministics that the fit determines.

    Random effects and missing values count: they are predicted.
    """
    model, effects = fitted.problem.model, fitted.problem.effects
    known = set(effects.names) if effects else set()
    deterministics = [
        d.name for d in model.deterministics if set(fitted.problem.undetermined(d)) <= known
    ]
    return [rv.name for rv in model.observed_RVs], deterministics


def default_targets(fitted: Fitted) -> list[str]:
    """Observed variables, and Deterministics by row or with at most a thousand entries."""
    observed, deterministics = predictable(fitted)
    small = set(fitted.problem.small_deterministics(_MOST, predicted=True))
    rows = {d for name in observed for d in fitted.problem.dims_of(name, 1) if d}
    by_row = {d for d in deterministics if rows & set(fitted.problem.dims_of(d, 9))}
    graphs = [fitted.problem.variable(d) for d in deterministics]
    shapes = fitted.problem.shapes_of(graphs, fitted.estimate.natural)
    seen = {term.shape for term in fitted.problem.observed if term.shape}
    by_row |= {d for d, shape in zip(deterministics, shapes, strict=True) if shape in seen}
    return [*observed, *(d for d in deterministics if d in small or d in by_row)]


def targets(
    fitted: Fitted, new: NewData, names: Sequence[str], levels: Levels | None = None
) -> list[Target]:
    """Targets by name.

    Parameters
    ----------
    fitted : Fitted
    new : NewData
    names : sequence of str
    levels : Levels, optional
        The choice for random effects; kept by default.

    Returns
    -------
    list of Target

    Raises
    ------
    AnalysisError, DataError
        Unknown names; data that are needed and not given.
    """
    observed, deterministics = predictable(fitted)
    levels = chosen_levels(fitted, None, "kept") if levels is None else levels
    out = []
    for name in names:
        if name in observed:
            target = _observed(new, name)
        elif name in deterministics:
            target = _deterministic(fitted, new, name)
        else:
            raise AnalysisError.unknown_variable(name, [*observed, *deterministics])
        out.append(_at_levels(fitted, target, levels))
    return out


def _at_levels(fitted: Fitted, target: Target, levels: Levels) -> Target:
    """A target with typical effects put in; simulated where new ones cannot be averaged."""
    graphs = [g for g in (target.graph, target.variance) if g is not None]
    unknown = set(fitted.problem.undetermined_by(graphs))
    if unknown:
        raise AnalysisError.undetermined(target.name, sorted(unknown))
    simulated = levels.cannot_average(graphs)
    if simulated and not target.observed:
        raise AnalysisError.no_average(target.name, simulated)
    if simulated:
        return replace(target, graph=None, variance=None)
    # (The range of a mean may depend on effects, as that of a binomial one on the trials does.)
    ends = [e for e in (target.low, target.high) if hasattr(e, "type")]
    found = iter(levels.typical([*graphs, *ends]))
    return replace(
        target,
        **{
            key: value if value is None or not hasattr(value, "type") else next(found)
            for key, value in (
                ("graph", target.graph),
                ("variance", target.variance),
                ("low", target.low),
                ("high", target.high),
            )
        },
    )


def _observed(new: NewData, name: str) -> Target:
    mean = new.mean_of(name)
    if mean is None:
        shape = new.shape_of(name)
        dims = new.dims_of(name, len(shape))
        return Target(name, True, None, None, -np.inf, np.inf, shape, dims)
    return Target(
        name,
        True,
        mean.graph,
        mean.variance,
        mean.low,
        mean.high,
        mean.shape,
        mean.dims,
        mean.categories,
        mean.normal,
    )


def _deterministic(fitted: Fitted, new: NewData, name: str) -> Target:
    graph = fitted.problem.variable(name)
    new.need_for(graph, name)
    [shape] = new.shapes_of([graph])
    low, high = fitted.problem.range_of(graph)
    return Target(name, False, graph, None, low, high, shape, new.dims_of(name, len(shape)))


class Functions:
    """The closed forms among some targets as one function of the unconstrained point.

    Parameters
    ----------
    new : NewData
    chosen : sequence of Target
    """

    def __init__(self, new: NewData, chosen: Sequence[Target], levels: Levels) -> None:
        self.targets = [t for t in chosen if t.graph is not None]
        self._new, self._levels = new, levels
        if self.targets:
            self._function = levels.function(new, [t.graph for t in self.targets])

    @property
    def predicted(self) -> bool:
        """Whether random effects or missing values at their modes enter."""
        return bool(self.targets) and isinstance(self._function, AtLevels)

    def split(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Parts of an array whose first axis runs over the entries of all targets."""
        ends = np.cumsum([t.size for t in self.targets])[:-1]
        parts = np.split(flat, ends) if self.targets else []
        return {t.name: part for t, part in zip(self.targets, parts, strict=True)}

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (m,) and derivatives (m, k) of all entries."""
        if not self.targets:
            return np.zeros(0), np.zeros((0, len(x)))
        return self._function.value_and_jacobian(x)

    def conditional_variance(self, x: np.ndarray) -> np.ndarray | None:
        """Variances (m,) that remain when the parameters are known; None without effects."""
        return self._function.conditional_variance(x) if self.predicted else None

    def through(self, x: np.ndarray) -> np.ndarray | None:
        """Derivatives (m, d) with respect to effects at their modes; None without."""
        return self._function.through(x) if self.predicted else None

    def values(self, points: np.ndarray) -> np.ndarray:
        """Values (n, m) at several points, followed by the effects where there are any."""
        if not self.targets:
            return np.zeros((len(points), 0))
        return self._function.values(points if self.predicted else self._levels.own(points))

    def ranges(self, natural: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end (m,) of the range of every entry."""
        ends = []
        for side in ("low", "high"):
            parts = [
                np.broadcast_to(self._number(getattr(t, side), natural), t.shape).ravel()
                for t in self.targets
            ]
            ends.append(np.concatenate(parts) if parts else np.zeros(0))
        return ends[0], ends[1]

    def _number(self, value: Any, natural: np.ndarray) -> np.ndarray:
        if self.predicted and hasattr(value, "type") and self._levels.reads([value]):
            found = self._levels.function(self._new, [value]).value(self._levels.fitted.estimate.x)
            [shape] = self._new.shapes_of([value])
            return found.reshape(shape)
        return self._new.number(value, natural)


def delta_limits(
    fitted: Fitted,
    value: np.ndarray,
    jacobian: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    level: float,
    covariance: Covariance | None,
    conditional: np.ndarray | None = None,
) -> dict[str, Any]:
    """Estimates with delta-method standard errors and limits on the scale of their range.

    A range with two finite ends is brought to (0, 1), so that the limits of a binomial mean
    are those of its probability.

    Returns
    -------
    dict
        ``estimate``, ``se``, ``lower``, ``upper`` and ``scale``, one entry each.
    """
    with np.errstate(invalid="ignore"):
        both = np.isfinite(low) & np.isfinite(high) & (high > low)
    shift, unit = np.where(both, low, 0.0), np.where(both, high - low, 1.0)
    item = Derived(
        "prediction",
        (),
        (value - shift) / unit,
        jacobian / unit[:, None],
        np.where(both, 0.0, low),
        np.where(both, 1.0, high),
        conditional=None if conditional is None else conditional / unit**2,
    )
    found = derived(fitted.estimate, [item], level, covariance)
    return {
        "estimate": value,
        "se": found.se * unit,
        "lower": found.lower * unit + shift,
        "upper": found.upper * unit + shift,
        "scale": list(found.scale),
    }


def coords_kept(
    shapes: Sequence[tuple[int, ...]],
    dims: Sequence[Sequence[str | None]],
    coords: Mapping[str, Sequence[Any]],
    wanted: Mapping[str, Any] | None,
) -> np.ndarray | None:
    """Which entries have the asked coordinates; arrays without the dim stay whole."""
    if not wanted:
        return None
    used = {dim for own in dims for dim in own if dim}
    parts = []
    for shape, own in zip(shapes, dims, strict=True):
        keep = np.ones(shape, dtype=bool)
        for dim, labels in wanted.items():
            if dim not in used:
                raise AnalysisError.unknown_coordinate(dim, None, sorted(used))
            if dim not in own:
                continue
            axis = list(own).index(dim)
            known = list(coords.get(dim) or range(shape[axis]))
            asked = list(np.atleast_1d(np.asarray(labels, dtype=object)))
            for label in asked:
                if label not in known:
                    raise AnalysisError.unknown_coordinate(dim, label, known)
            inside = np.array([label in asked for label in known])
            keep &= inside.reshape([-1 if i == axis else 1 for i in range(keep.ndim)])
        parts.append(keep.ravel())
    return np.concatenate(parts)
