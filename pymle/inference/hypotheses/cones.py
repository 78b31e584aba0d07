"""Likelihood ratios between fits of one model under different constraints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymle.errors import AnalysisError
from pymle.estimate import Restriction
from pymle.fitted import Fitted
from pymle.inference.hypotheses.chi_bar import ChiBar, chi_bar
from pymle.model import hypotheses
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
    one, other = _sides(small), _sides(large)
    if one == other:
        return None
    if not np.array_equal(small.estimate.layout.fixed, large.estimate.layout.fixed):
        raise AnalysisError.not_nested(
            "the fits differ both in their constraints and in what `fixed=` holds."
        )
    lost = [key for key in other if key not in one]
    if lost:
        said = ", ".join(f'"{left} {other[left, right]} {right}"' for left, right in lost[:6])
        raise AnalysisError.not_nested(
            f"the larger fit has a constraint of which the smaller one has nothing ({said})."
        )
    equations = [k for k in one if k not in other and one[k] == "="]
    outward = [k for k in one if k not in other and one[k] != "="]
    inward = [k for k in other if other[k] != "=" and one[k] == "="]
    turned = [k for k in other if one[k] != other[k] and k not in inward]
    if turned or (inward and outward):
        raise AnalysisError.not_nested(
            "some inequalities stand in the smaller fit and others in the larger one, or they are "
            "turned around: test in two steps, with an intermediate fit."
        )
    held = inward or outward
    covariance = _covariance(small, large, list(one), held)
    names = ", ".join(f'"{left} {one[left, right]} {right}"' for left, right in one)
    text = f"the same model under {names}"
    if outward:
        text += " (the law is that of the least favourable case: all hold with equality)"
    if inward:
        text += ", against one side of them"
    return Cone(len(equations), covariance, bool(inward), text)


def _sides(fitted: Fitted) -> dict[tuple[str, str], str]:
    """Relations by the two sides."""
    restriction = fitted.estimate.restriction
    if restriction is None:
        return {}
    out = {}
    for text, relation in zip(restriction.texts, restriction.relations, strict=True):
        first = hypotheses(text)[0]
        out[first.left, first.right] = relation
    return out


def _covariance(
    small: Fitted,
    large: Fitted,
    rows: list[tuple[str, str]],
    held: list[tuple[str, str]],
) -> np.ndarray:
    """Of the one-sided functions, in the larger model without its inequalities."""
    estimate, constraints = small.estimate, small.estimator.constraints
    restriction = estimate.restriction
    assert restriction is not None
    assert constraints is not None
    if not held:
        return np.zeros((0, 0))
    if len(held) == 1:
        return np.ones((1, 1))
    _, jacobian = Restricted(small.problem, constraints).function.value_and_jacobian(estimate.x)
    places = [rows.index(key) for key in held]
    own = jacobian[places] * _inward(restriction, large, rows, held)[:, None]
    others = _sides(large)
    both = [i for i, key in enumerate(rows) if others.get(key) == "="]
    hessian = restriction.hessian
    if hessian is None:
        raise AnalysisError.edge_derivatives(restriction.texts, "the curvature is not finite")
    units = np.sqrt(np.abs(np.diagonal(hessian)))
    units = np.where(units > 0.0, units, 1.0)
    basis, _ = np.linalg.qr((jacobian[both] / units).T, mode="complete")
    tangent = basis[:, len(both) :] / units[:, None]
    inner = -tangent.T @ hessian @ tangent
    values = np.linalg.eigvalsh(inner)
    if not values[0] > 1e-10 * values[-1]:
        raise AnalysisError.edge_derivatives(
            restriction.texts, "the information under the null hypothesis is singular"
        )
    moved = own @ tangent
    return moved @ np.linalg.solve(inner, moved.T)


def _inward(
    restriction: Restriction,
    large: Fitted,
    rows: list[tuple[str, str]],
    held: list[tuple[str, str]],
) -> np.ndarray:
    """Signs that turn equations of the smaller fit to the larger one's ``>= 0``."""
    others = _sides(large)
    signs = []
    for key in held:
        turned = others.get(key) == "<=" and restriction.relations[rows.index(key)] == "="
        signs.append(-1.0 if turned else 1.0)
    return np.array(signs)
