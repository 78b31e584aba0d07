"""Scores of the observations, checked before anything is derived from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.covariance.groups import group_units, spread_over_rows
from pymle.inference.covariance.units import Units, declared_units, evident_units
from pymle.objective.contributions import observation_scores

#: Relative difference between the score and the sum of its parts that rounding explains.
_ROUNDING = 1e-8


@dataclass(frozen=True)
class Scores:
    """Scores of all observations at the estimate, unconstrained scale.

    Attributes
    ----------
    parts : tuple of numpy.ndarray
        For each observed variable the shape of its log-density, and k; at weight one.
    weights : tuple of numpy.ndarray or None
        Of the same shapes without k; None where all are one.
    kind : str or None
        What the weights are: ``frequency`` or ``sampling``.
    rows : float or None
        Number of observations, where the parts are not theirs but those of groups.
    """

    parts: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...] | None
    kind: str | None
    rows: float | None = None

    @property
    def weighted(self) -> list[np.ndarray]:
        """The scores times their weights."""
        if self.weights is None:
            return list(self.parts)
        return [w[..., None] * s for w, s in zip(self.weights, self.parts, strict=True)]

    @property
    def present(self) -> list[np.ndarray]:
        """Which observations have a positive weight."""
        if self.weights is None:
            return [np.ones(s.shape[:-1], dtype=bool) for s in self.parts]
        return [w > 0 for w in self.weights]


def scores_of(fitted: Fitted, what: str) -> Scores:
    """The scores of the observations of a fit.

    Parameters
    ----------
    fitted : Fitted
    what : str
        The analysis, for messages.

    Returns
    -------
    Scores

    Raises
    ------
    AnalysisError
        For a MAP fit, without a gradient or observed variables, where a Potential
        contributes to the score, or where the parts do not add up.
    """
    problem, estimate, likelihood = fitted.problem, fitted.estimate, fitted.likelihood
    if estimate.objective != "mle":
        raise AnalysisError.needs_mle(what)
    if not likelihood.has_score:
        raise AnalysisError.needs_score(what)
    potentials = [term.name for term in problem.terms if term.kind == "potential"]
    if not problem.observed:
        raise AnalysisError.needs_units(what, potentials)
    if problem.effects is not None:
        # Of groups that share random effects; what weights do is in them.
        rows = _rows_of(fitted)
        return Scores(spread_over_rows(fitted, what), None, estimate.weights_kind, rows)
    parts = tuple(observation_scores(likelihood, estimate.x))
    weights = None if fitted.weights is None else tuple(fitted.weights)
    scores = Scores(parts, weights, estimate.weights_kind)
    _, total = likelihood.value_and_score(estimate.x)
    rest, size = np.array(total), np.zeros(len(total))
    for part in scores.weighted:
        axes = tuple(range(part.ndim - 1))
        rest -= part.sum(axis=axes)
        size += np.abs(part).sum(axis=axes)
    if np.any(~(np.abs(rest) <= _ROUNDING * size)):
        if potentials:
            raise AnalysisError.needs_units(what, potentials)
        share = float(np.max(np.abs(rest) / np.where(size > 0, size, 1.0)))
        raise AnalysisError.scores_do_not_add_up(what, share)
    return scores


@dataclass(frozen=True)
class UnitScores:
    """Scores of independent units.

    Attributes
    ----------
    values : numpy.ndarray, shape (n, k)
        So that the sum of their products estimates the variance of the score; rows of
        frequency weight w are multiplied by its root.
    count : float
        Number of units with a positive weight; rows with frequency weights count these.
    """

    values: np.ndarray
    count: float


def unit_scores(scores: Scores, units: Units, what: str) -> UnitScores:
    """Scores summed over units.

    Parameters
    ----------
    scores : Scores
    units : Units
    what : str
        The analysis, for messages.

    Returns
    -------
    UnitScores

    Raises
    ------
    AnalysisError
        Frequency weights that differ within an evident unit.

    Notes
    -----
    A row with frequency weight w stands for w independent units with the same score s, which
    contribute ``w s s'``; within a declared cluster they belong together and the cluster has
    the sum of all. A sampling weight w makes the contribution of its row ``w**2 s s'``.
    """
    if scores.weights is None:
        return UnitScores(units.sums(scores.parts), float(len(units)))
    if scores.kind == "frequency" and not units.declared:
        each = units.common(scores.weights)
        if each is None:
            raise AnalysisError.differing_weights(what)
        return UnitScores(np.sqrt(each)[:, None] * units.sums(scores.parts), float(each.sum()))
    return UnitScores(units.sums(scores.weighted), float(_present(scores.present, units).sum()))


def _present(present: Sequence[np.ndarray], units: Units) -> np.ndarray:
    out = np.zeros(len(units), dtype=bool)
    for codes, here in zip(units.codes, present, strict=True):
        out[codes[here.ravel()]] = True
    return out


def units_of(fitted: Fitted, clusters: Any = None, what: str = "This analysis") -> Units:
    """The independent units of a fit: those that the model shows, or one way of clustering.

    Parameters
    ----------
    fitted : Fitted
    clusters : optional
        See `pymle.Fit.covariance`.
    what : str
        The analysis, for messages.

    Returns
    -------
    Units

    Raises
    ------
    AnalysisError
        Dependent data, or clusters that do not fit.
    """
    ways = ways_of(fitted, clusters, what)
    if len(ways) > 1:
        raise AnalysisError.argument("clusters", f"{len(ways)} ways", "one way of clustering")
    return ways[0]


def ways_of(fitted: Fitted, clusters: Any, what: str) -> list[Units]:
    """The independent units of a fit, one partition for each way of clustering.

    Parameters
    ----------
    fitted : Fitted
    clusters : optional
        See `pymle.Fit.covariance`.
    what : str
        The analysis, for messages.

    Returns
    -------
    list of Units

    Raises
    ------
    AnalysisError
        Dependent data, clusters that do not fit or cut groups that share random effects.
    """
    problem = fitted.problem
    if problem.effects is not None:
        return group_units(problem, clusters, what)
    if clusters is None:
        return [evident_units(problem, what)]
    return declared_units(problem, clusters, what)


def _rows_of(fitted: Fitted) -> float:
    return float(sum(fitted.estimate.nobs_by.values()))


def score_table(fitted: Fitted, scale: str, clusters: Any = None) -> pd.DataFrame:
    """Weighted scores of the independent units, labelled.

    Parameters
    ----------
    fitted : Fitted
    scale : {"natural", "unconstrained"}
    clusters : optional
        See `pymle.Fit.covariance`.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    AnalysisError
        As `scores_of` and `units_of`; the natural scale for entries that constrain each
        other.
    """
    if scale not in ("natural", "unconstrained"):
        raise AnalysisError.argument("scale", scale, '"natural" or "unconstrained"')
    layout = fitted.estimate.layout
    units = units_of(fitted, clusters, "A table of scores")
    values = units.sums(scores_of(fitted, "A table of scores").weighted)
    if scale == "unconstrained":
        return pd.DataFrame(values, index=units.index, columns=list(layout.free_labels))
    for block in layout.blocks:
        if not block.support.elementwise and not block.wholly_fixed:
            raise AnalysisError.no_natural_score(block.name, block.support.text)
    keep = ~layout.fixed
    labels = [label for label, kept in zip(layout.labels, keep, strict=True) if kept]
    square = fitted.estimate.jacobian[keep]
    square = square if isinstance(square, np.ndarray) else square.toarray()
    try:
        natural = np.linalg.solve(square.T, values.T).T
    except np.linalg.LinAlgError:
        raise AnalysisError(
            "Scores on the natural scale do not exist here: a parameter is at the edge of its "
            'support. Use scale="unconstrained".'
        ) from None
    return pd.DataFrame(natural, index=units.index, columns=labels)
