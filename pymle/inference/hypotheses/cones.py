"""Likelihood ratios between fits of one model under different constraints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.hypotheses.chi_bar import ChiBar, chi_bar
from pymle.model.text.hypotheses import hypotheses
from pymle.restrict import Restricted

__all__ = ["Cone", "cone_of", "size"]


@dataclass(frozen=True)
class Cone:
    """Where the constraints of two fits differ.

    Attributes
    ----------
    equations : int
        Equations of the smaller fit of which the larger one has nothing.
    covariance : numpy.ndarray, shape (q, q)
        Of the estimates of the q functions that one of the fits lets vary on one side only.
    inward : bool
        The larger fit is the one-sided one, and the smaller has equations there; else the
        smaller fit is one-sided where the larger one is free.
    text : str
    """

    equations: int
    covariance: np.ndarray
    inward: bool
    text: str

    @property
    def df(self) -> int:
        """Number of restrictions."""
        return self.equations + len(self.covariance)

    def mixture(self, seed: int) -> ChiBar | None:
        """The law of the likelihood ratio; None for the plain chi-squared one.

        Parameters
        ----------
        seed : int

        Returns
        -------
        ChiBar or None
        """
        q = len(self.covariance)
        if q == 0:
            return None
        found = chi_bar(0, self.covariance, seed)
        weights = {
            self.equations + (j if self.inward else q - j): w for j, w in found.weights.items()
        }
        return ChiBar(weights, found.error, found.draws)


def size(fitted: Fitted) -> tuple[int, int]:
    """What fits are ordered by: parameters, then the fewer inequalities the larger.

    Parameters
    ----------
    fitted : Fitted

    Returns
    -------
    tuple of int
    """
    restriction = fitted.estimate.restriction
    one_sided = 0 if restriction is None else len(restriction.texts) - restriction.equations
    return fitted.estimate.nparams, -one_sided


def cone_of(small: Fitted, large: Fitted) -> Cone | None:
    """How the constraints of two fits of one model differ.

    Parameters
    ----------
    small, large : Fitted

    Returns
    -------
    Cone or None
        None where both have the same constraints, or none.

    Raises
    ------
    AnalysisError
        The larger fit has a constraint of which the smaller one has nothing, some are
        one-sided in one fit and some in the other, or the information is singular.
    """
    one, other = _read(small), _read(large)
    if one.relations == other.relations and one.texts == other.texts:
        return None
    if not np.array_equal(small.estimate.layout.fixed, large.estimate.layout.fixed):
        raise AnalysisError.not_nested(
            "the fits differ both in their constraints and in what `fixed=` holds."
        )
    rows, others = _on_one_basis(one, other)
    held, kept = rows[one.equations], others[other.equations]
    inward, lost = [], []
    for i, row in enumerate(others):
        if _within(row, held):
            if not other.equations[i]:
                inward.append(i)
        elif other.equations[i] or not _among(row, rows[~one.equations]):
            lost.append(other.texts[i])
    if lost:
        said = ", ".join(f'"{text}"' for text in lost[:6])
        raise AnalysisError.not_nested(
            f"the larger fit has a constraint of which the smaller one has nothing ({said})."
        )
    outward = [
        i
        for i in np.flatnonzero(~one.equations)
        if not _among(rows[i], others[~other.equations]) and not _within(rows[i], kept)
    ]
    if inward and outward:
        raise AnalysisError.not_nested(
            "some inequalities stand in the smaller fit and others in the larger one: test in two "
            "steps, with an intermediate fit."
        )
    one_sided = np.vstack([kept, others[inward]])
    rank = _rank(held) - _rank(one_sided)
    owner, places = (large, inward) if inward else (small, [int(i) for i in outward])
    covariance = _covariance(small, large, other.equations, owner, places)
    named = ", ".join(f'"{text}"' for text in one.texts[:8])
    more = f" and {len(one.texts) - 8} more" if len(one.texts) > 8 else ""
    text = f"the same model under {named}{more}"
    if outward:
        text += " (the law is that of the least favourable case: all hold with equality)"
    if inward:
        text += ", against one side of them"
    return Cone(rank, covariance, bool(inward), text)


@dataclass(frozen=True)
class _Read:
    """The constraints of a fit as rows: linear ones with their constant, then the others."""

    texts: tuple[str, ...]
    relations: tuple[str, ...]
    matrix: np.ndarray
    bent: tuple[str, ...]

    @property
    def equations(self) -> np.ndarray:
        return np.array([relation == "=" for relation in self.relations], dtype=bool)


def _read(fitted: Fitted) -> _Read:
    constraints = fitted.estimator.constraints
    size = fitted.problem.layout.natural_size
    if fitted.estimate.restriction is None or constraints is None:
        return _Read((), (), np.zeros((0, size + 1)), ())
    linear = np.column_stack([constraints.linear.matrix, constraints.linear.offset])
    linear = linear * constraints.signs[: len(linear), None]
    linear = linear / np.linalg.norm(linear[:, :-1], axis=1, keepdims=True)
    return _Read(constraints.texts, constraints.relations, linear, constraints.texts[len(linear) :])


def _on_one_basis(one: _Read, other: _Read) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both fits, with a column for each smooth function that stands in either."""
    sides = [[_sides(text) for text in each.bent] for each in (one, other)]
    columns = list(dict.fromkeys([side for each in sides for side in each]))
    out = []
    for each, own in zip((one, other), sides, strict=True):
        extra = np.zeros((len(each.texts), len(columns)))
        for i, side in enumerate(own):
            at = len(each.matrix) + i
            extra[at, columns.index(side)] = -1.0 if each.relations[at] == "<=" else 1.0
        plain = np.zeros((len(each.texts), each.matrix.shape[1]))
        plain[: len(each.matrix)] = each.matrix
        out.append(np.hstack([plain, extra]))
    return out[0], out[1]


def _sides(text: str) -> tuple[str, str]:
    first = hypotheses(text)[0]
    return first.left, first.right


def _rank(rows: np.ndarray) -> int:
    return int(np.linalg.matrix_rank(rows, tol=1e-9)) if rows.size else 0


def _within(row: np.ndarray, rows: np.ndarray) -> bool:
    """Whether a row is a combination of others."""
    return len(rows) > 0 and _rank(np.vstack([rows, row])) == _rank(rows)


def _among(row: np.ndarray, rows: np.ndarray) -> bool:
    """Whether a row stands among others."""
    return any(np.allclose(row, each, rtol=1e-9, atol=1e-9) for each in rows)


def _covariance(
    small: Fitted, large: Fitted, equations: np.ndarray, owner: Fitted, places: list[int]
) -> np.ndarray:
    """Of the one-sided functions, in the larger model without its inequalities."""
    restriction, x = small.estimate.restriction, small.estimate.x
    assert restriction is not None
    if len(places) < 2:
        return np.ones((len(places), len(places)))
    hessian = restriction.hessian
    if hessian is None:
        raise AnalysisError.edge_derivatives(restriction.texts, "the curvature is not finite")
    units = np.sqrt(np.abs(np.diagonal(hessian)))
    units = np.where(units > 0.0, units, 1.0)
    held = _jacobian(large, x)[equations] if len(equations) else np.zeros((0, len(x)))
    basis, _ = np.linalg.qr((held / units).T, mode="complete")
    tangent = basis[:, len(held) :] / units[:, None]
    inner = -tangent.T @ hessian @ tangent
    moved = _jacobian(owner, x)[places] @ tangent
    for matrix in (inner, moved @ moved.T):
        values = np.linalg.eigvalsh(matrix)
        if not values[0] > 1e-12 * values[-1]:
            raise AnalysisError.edge_derivatives(
                restriction.texts, "the information, or the set of inequalities, is singular"
            )
    return moved @ np.linalg.solve(inner, moved.T)


def _jacobian(fitted: Fitted, x: np.ndarray) -> np.ndarray:
    """Derivatives of a fit's constraint functions, inequalities turned to ``>= 0``."""
    constraints = fitted.estimator.constraints
    assert constraints is not None
    return Restricted(fitted.problem, constraints).function.value_and_jacobian(x)[1]
