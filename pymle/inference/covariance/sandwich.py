"""Covariances from scores of independent units: OPG, HC0, HC1, CR0, CR1, CR1S."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pymle.errors import AnalysisError
from pymle.estimate import Estimate
from pymle.inference.covariance.information import whitened
from pymle.inference.covariance.records import NOTHING
from pymle.inference.covariance.scores import Scores, unit_scores
from pymle.inference.covariance.units import Units, crossed

#: Fewer clusters than this are few (Cameron & Miller 2015, section VI).
_FEW = 20
#: Eigenvalues of the scaled products below so many roundings per coordinate are zero.
_ROUNDINGS = 64.0


@dataclass(frozen=True)
class Meat:
    """The whitened sum of products of scores.

    Attributes
    ----------
    middle : numpy.ndarray, shape (r, r)
    factor : tuple of float
        What multiplied the sum of each partition.
    count : float
        Number of units of the smallest partition.
    rows : float
        Number of observations.
    notes : tuple of str
    """

    middle: np.ndarray
    factor: tuple[float, ...]
    count: float
    rows: float
    notes: tuple[str, ...] = ()


def outer_products(estimate: Estimate, scores: Scores, units: Units, what: str) -> Meat:
    """The middle of the OPG covariance: the inverse of the whitened sum of products.

    Parameters
    ----------
    estimate : Estimate
    scores : Scores
    units : Units
    what : str
        The analysis, for messages.

    Returns
    -------
    Meat

    Raises
    ------
    AnalysisError
        Where the sum of products has no inverse.
    """
    found = unit_scores(scores, units, what)
    half = whitened(estimate, found.values)[0]
    product = half.T @ half
    scale = np.sqrt(np.diagonal(product))
    scale = np.where(scale > 0, scale, 1.0)
    lowest = np.linalg.eigvalsh(product / np.outer(scale, scale))[:1]
    if len(lowest) and lowest[0] <= _ROUNDINGS * len(product) * np.finfo(float).eps:
        raise AnalysisError.too_few_units(what, len(units), len(product))
    return Meat(np.linalg.inv(product), (1.0,), found.count, _rows(scores))


def robust(
    estimate: Estimate, scores: Scores, ways: Sequence[Units], name: str, k: int, what: str
) -> Meat:
    """The middle of a sandwich: the whitened sum of products, corrected as its name says.

    Parameters
    ----------
    estimate : Estimate
    scores : Scores
    ways : sequence of Units
        One partition, or those of several ways of clustering.
    name : {"HC0", "HC1", "CR0", "CR1", "CR1S"}
    k : int
        Number of parameters that HC1 and CR1S subtract.
    what : str
        The analysis, for messages.

    Returns
    -------
    Meat

    Raises
    ------
    AnalysisError
        Not more units than ``k``, for HC1 and CR1S.

    Notes
    -----
    With several ways of clustering the sums of all partitions and of their intersections are
    added with alternating signs (Cameron, Gelbach & Miller 2011, equation 2.8), each with its
    own factor. The result need not be positive definite and is not made so.
    """
    rows = _rows(scores)
    if name in ("HC1", "CR1S") and rows <= k:
        raise AnalysisError.too_few_units(what, int(rows), k)
    middle, factors, counts = None, [], []
    for size in range(1, len(ways) + 1):
        for chosen in combinations(ways, size):
            units = chosen[0] if size == 1 else crossed(chosen)
            found = unit_scores(scores, units, what)
            half = whitened(estimate, found.values)[0]
            factor = _factor(name, found.count, rows, k)
            part = (-1.0) ** (size + 1) * factor * (half.T @ half)
            middle = part if middle is None else middle + part
            factors.append(factor)
            counts.append(found.count)
    assert middle is not None
    smallest = min(counts)
    notes = _remarks(name, smallest, middle, len(ways))
    return Meat(middle, tuple(factors), smallest, rows, notes)


def _rows(scores: Scores) -> float:
    """Number of observations, for the corrections."""
    if scores.rows is not None:
        return scores.rows
    if scores.kind == "frequency" and scores.weights is not None:
        return float(sum(w.sum() for w in scores.weights))
    return float(sum(here.sum() for here in scores.present))


def _factor(name: str, count: float, rows: float, k: int) -> float:
    if name == "HC1":
        return count / (count - k)
    if name == "CR1":
        return count / (count - 1.0)
    if name == "CR1S":
        return count / (count - 1.0) * (rows - 1.0) / (rows - k)
    return 1.0


def _remarks(name: str, count: float, middle: np.ndarray, ways: int) -> tuple[str, ...]:
    notes = []
    if name.startswith("CR") and count < _FEW:
        notes.append(
            f"{count:g} clusters are few: the standard errors tend to be too small and normal "
            "limits too short (Cameron & Miller 2015)"
        )
    if name.startswith("CR") and count <= len(middle):
        notes.append(
            f"{count:g} clusters leave the covariance of {len(middle)} parameters singular: "
            f"joint tests of more than {max(count - 1, 0):g} restrictions have no meaning"
        )
    if name.startswith("CR") and len(middle):
        values = np.linalg.eigvalsh(middle)
        nothing = int(np.sum(np.abs(values) <= NOTHING * max(1.0, values[-1])))
        if nothing and count > len(middle):
            notes.append(
                f"in {nothing} direction(s) scores do not vary between clusters (parameters that "
                "belong to one cluster each): they have no standard error"
            )
    if ways > 1 and len(middle) and np.linalg.eigvalsh(middle)[0] < -1e-10 * np.trace(middle):
        notes.append(
            "the covariance of several ways of clustering is not positive definite here; "
            "functions whose variance comes out negative have no standard error"
        )
    return tuple(notes)
