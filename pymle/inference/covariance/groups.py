"""Independent groups of a marginal likelihood: what shares random effects belongs together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pymle.bind import blocks_of, marginal_by
from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.covariance.units import Units, declared_units, evident_units
from pymle.model import Problem
from pymle.objective.integrate.rules import GaussHermite

#: Relative difference between the score and the sum of its parts that rounding explains.
_ROUNDING = 1e-7


@dataclass(frozen=True)
class Groups:
    """The independent groups of a problem with random effects.

    Attributes
    ----------
    units : Units
        Groups as units of the observations; the first come from blocks of effects.
    of_blocks : numpy.ndarray of int
        Group of each block of effects; -1 for one without observations.
    of_elements : numpy.ndarray of int, shape (m,)
        Group of each element of the joint log-density that touches no effect; -1 for others,
        and for those that are no observation.
    apart : numpy.ndarray of int
        Elements that touch no effect and are no observation (penalties).
    """

    units: Units
    of_blocks: np.ndarray
    of_elements: np.ndarray
    apart: np.ndarray


def groups_of(problem: Problem, what: str) -> Groups:
    """The groups that a model with random effects shows.

    Parameters
    ----------
    problem : Problem
    what : str
        The analysis, for messages.

    Returns
    -------
    Groups

    Raises
    ------
    AnalysisError
        Fewer than two groups (crossed effects, a series), or data with one joint log-density.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = evident_units(problem, what)
    blocks, pieces = blocks_of(problem), problem.pieces
    # The elements of the observed variables, with the row and the block of each.
    at = [_places(problem, name) for name in [t.name for t in problem.observed]]
    places = np.concatenate(at)
    row, block = np.concatenate(rows.codes), blocks.elements[places]
    inside = block < blocks.count
    size = blocks.count + len(rows)
    link = block[inside], blocks.count + row[inside]
    graph = coo_array((np.ones(int(inside.sum())), link), shape=(size, size))
    _, found = connected_components(graph, directed=False)
    # Groups without observations are no units.
    used = np.unique(found[blocks.count + row])
    order = np.full(int(found.max(initial=0)) + 1, -1)
    order[used] = np.arange(len(used))
    of_blocks, of_rows = order[found[: blocks.count]], order[found[blocks.count :]]
    if len(used) < 2:
        effects = problem.effects
        raise AnalysisError.one_group(what, effects.names if effects else ())
    of_elements = np.full(pieces.size, -1)
    of_elements[places[~inside]] = of_rows[row[~inside]]
    seen = np.zeros(pieces.size, dtype=bool)
    seen[places] = True
    ends = np.cumsum([len(codes) for codes in rows.codes])[:-1]
    labels = _labels(problem, rows, of_blocks, of_rows, len(used))
    codes = tuple(np.split(of_rows[row], ends))
    return Groups(
        Units(_text(problem, of_blocks, len(used)), codes, labels, declared=False, single=False),
        of_blocks,
        of_elements,
        np.flatnonzero(~seen & (blocks.elements == blocks.count)),
    )


def group_units(problem: Problem, clusters: Any, what: str) -> list[Units]:
    """Independent units of a model with random effects: its groups, or clusters of them.

    Parameters
    ----------
    problem : Problem
    clusters : optional
        See `pymle.Fit.covariance`; None for the groups that the model shows.
    what : str
        The analysis, for messages.

    Returns
    -------
    list of Units

    Raises
    ------
    AnalysisError
        As `groups_of`; clusters that cut a group.
    """
    groups = groups_of(problem, what)
    if clusters is None:
        return [groups.units]
    ways = declared_units(problem, clusters, what)
    own = np.concatenate(groups.units.codes)
    for way in ways:
        codes = np.concatenate(way.codes)
        first = np.full(len(groups.units), -1)
        first[own[::-1]] = codes[::-1]
        cut = np.flatnonzero(first[own] != codes)
        if len(cut):
            group, pair = own[cut[0]], (first[own[cut[0]]], codes[cut[0]])
            raise AnalysisError.clusters(
                f"the observations of {groups.units.index[group]!r} share random effects and lie "
                f"in the clusters {way.index[pair[0]]!r} and {way.index[pair[1]]!r}. Clusters "
                "have to be groups of the model or sets of such"
            )
    return ways


def group_scores(fitted: Fitted, what: str = "This analysis") -> tuple[np.ndarray, pd.Index]:
    """Scores of the independent groups of a fit with random effects.

    Parameters
    ----------
    fitted : Fitted
    what : str
        The analysis, for messages.

    Returns
    -------
    scores : numpy.ndarray, shape (G, k)
        Derivatives of each group's contribution to the marginal log-likelihood with respect to
        the unconstrained parameters, at the estimate. They add up to the score.
    labels : pandas.Index

    Raises
    ------
    AnalysisError
        As `groups_of`; where a Potential that touches no group contributes; where the parts
        do not add up.
    """
    problem, x = fitted.problem, fitted.estimate.x
    groups = groups_of(problem, what)
    points = problem.quadrature or 1
    marginal = marginal_by(problem, fitted.weights, GaussHermite, points)
    blocks, elements = marginal.block_scores(x)
    penalties = elements[groups.apart]
    if np.any(np.abs(penalties) > 0.0):
        names = [t.name for t in problem.terms if t.kind == "potential"]
        raise AnalysisError.needs_units(what, names)
    out = np.zeros((len(groups.units), len(x)))
    kept = groups.of_blocks >= 0
    np.add.at(out, groups.of_blocks[kept], blocks[kept])
    own = np.flatnonzero(groups.of_elements >= 0)
    np.add.at(out, groups.of_elements[own], elements[own])
    _, score = fitted.likelihood.value_and_score(x)
    rest = score - out.sum(axis=0) - blocks[~kept].sum(axis=0)
    size = np.abs(blocks).sum(axis=0) + np.abs(elements[own]).sum(axis=0)
    if np.any(~(np.abs(rest) <= _ROUNDING * np.maximum(size, 1e-300))):
        share = float(np.max(np.abs(rest) / np.where(size > 0, size, 1.0)))
        raise AnalysisError.scores_do_not_add_up(what, share)
    return out, groups.units.index


def spread_over_rows(fitted: Fitted, what: str) -> tuple[np.ndarray, ...]:
    """Group scores as arrays of the observations, each at its group's first one.

    Sums over groups, and over clusters of groups, are the groups' scores.

    Parameters
    ----------
    fitted : Fitted
    what : str

    Returns
    -------
    tuple of numpy.ndarray
        For each observed variable the shape of its log-density, and k.
    """
    scores, _ = group_scores(fitted, what)
    codes = groups_of(fitted.problem, what).units.codes
    whole = np.concatenate(codes)
    _, first = np.unique(whole, return_index=True)
    flat = np.zeros((len(whole), scores.shape[1]))
    flat[first] = scores
    ends = np.cumsum([len(part) for part in codes])[:-1]
    return tuple(
        part.reshape(*term.shape, scores.shape[1])
        for part, term in zip(np.split(flat, ends), fitted.problem.observed, strict=True)
    )


def _places(problem: Problem, name: str) -> np.ndarray:
    """Elements of an observed variable among all."""
    pieces = problem.pieces
    pairs = zip(pieces.names, pieces.kinds, strict=True)
    term = next(i for i, pair in enumerate(pairs) if pair == (name, "observed"))
    return np.arange(pieces.offsets[term], pieces.offsets[term + 1])


def _text(problem: Problem, of_blocks: np.ndarray, count: int) -> str:
    effects = problem.effects
    names = ", ".join(f"`{name}`" for name in (effects.names if effects else ()))
    blocks = len(np.unique(of_blocks[of_blocks >= 0]))
    alone = f" and {count - blocks} observations without" if count > blocks else ""
    return f"{blocks} groups that share {names}{alone}"


def _labels(
    problem: Problem, rows: Units, of_blocks: np.ndarray, of_rows: np.ndarray, count: int
) -> pd.Index:
    """A name for each group: what its first effect is indexed by, else its row."""
    out: list[Any] = [None] * count
    for row in range(len(rows) - 1, -1, -1):
        if of_rows[row] >= 0:
            out[of_rows[row]] = rows.index[row]
    effects, blocks = problem.effects, blocks_of(problem)
    assert effects is not None
    labels = effects.layout.free_labels
    for at in range(len(labels) - 1, -1, -1):
        group = of_blocks[blocks.effects[at]]
        if group >= 0:
            out[group] = _leading(labels[at])
    if len(set(out)) < count:
        out = list(range(count))
    return pd.Index(out)


def _leading(label: str) -> str:
    """``u[308]`` of ``u[308, Days]``: rows of an array of effects are groups."""
    return label.split(", ")[0].rstrip("]") + "]" if "[" in label else label


__all__ = ["Groups", "group_scores", "group_units", "groups_of", "spread_over_rows"]
