"""Score (Rao) tests: what a fit holds fixed, tested without fitting the larger model."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from pymle.bind import likelihood_of, natural_function
from pymle.errors import AnalysisError
from pymle.estimate import Estimate
from pymle.estimation import hessian_of
from pymle.fitted import Fitted
from pymle.inference.covariance import estimate_covariance
from pymle.inference.hypotheses.chi_bar import ChiBar, chi_bar
from pymle.inference.hypotheses.edge import curvature_at, positive
from pymle.inference.hypotheses.nesting import Null, given_fixed, held_null, with_fixed
from pymle.inference.hypotheses.wald_test import chi2_tail
from pymle.model import Problem
from pymle.verdict import curvature_of

_INFORMATIONS = ("observed", "expected", "opg")


@dataclass(frozen=True)
class ScoreTest:
    """A score test of the values at which a fit holds parameters.

    Attributes
    ----------
    statistic : float
        ``U' inv(I) U`` with the score and the information of the larger model at the
        estimate of the smaller one.
    df : int
    p : float
    distribution : str
        What the statistic is compared with.
    information : str
        ``observed``, ``expected`` or ``opg``.
    table : pandas.DataFrame
        One row for each tested entry: ``held`` (its value), ``score`` (natural scale),
        ``one_step`` (where one Newton step of the larger model would lead). For a fit under
        constraints one row for each equation, with its Lagrange ``multiplier``.
    hypothesis : str
    weights : dict of int to float or None
        Of the chi-bar-squared mixture by degrees of freedom; None without an edge.
    p_error : float
        Monte Carlo standard error of ``p``.
    remarks : tuple of str
    """

    statistic: float
    df: int
    p: float
    distribution: str
    information: str
    table: pd.DataFrame = field(repr=False)
    hypothesis: str
    weights: dict[int, float] | None = None
    p_error: float = 0.0
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        notes = "\n".join(f"note: {note}" for note in self._notes())
        return f"{self._title()}\n\n{self.table.to_string()}\n\n{notes}"

    def _repr_html_(self) -> str:
        notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self._notes())
        title = html.escape(self._title())
        return f"<div><strong>{title}</strong>{self.table.to_html()}{notes}</div>"

    def _title(self) -> str:
        return (
            f"Score test of {self.hypothesis}: statistic {self.statistic:.6g}, df = {self.df}, "
            f"p = {self.p:.6g}"
        )

    def _notes(self) -> list[str]:
        first = f"compared with {self.distribution}; {self.information} information"
        return [first, *self.remarks]


def score_test(
    fitted: Fitted,
    names: Sequence[str] | str | None = None,
    *,
    information: str = "observed",
    random_seed: int = 0,
) -> ScoreTest:
    """Test the values at which a fit holds parameters.

    Parameters
    ----------
    fitted : Fitted
        The fit under the null hypothesis.
    names, information, random_seed
        As in `Fit.score_test`.

    Returns
    -------
    ScoreTest

    Raises
    ------
    AnalysisError
    """
    estimate = fitted.estimate
    if estimate.objective != "mle":
        raise AnalysisError.needs_mle("A score test")
    if estimate.weights_kind == "sampling":
        raise AnalysisError.sampling_weights("A score test against the information")
    if information not in _INFORMATIONS:
        expected = f"one of {', '.join(_INFORMATIONS)}"
        raise AnalysisError.argument("information", information, expected)
    if not estimate.verdict.ok:
        raise AnalysisError.test_needs_certificate("The fit", str(estimate.verdict))
    if estimate.restriction is not None:
        return _multipliers(fitted, names, information)
    null = held_null(fitted, _places(fitted, names))
    if null.on_edge:
        return _one_sided(null, information, random_seed)
    return _two_sided(fitted, null, information)


def _places(fitted: Fitted, names: Sequence[str] | str | None) -> np.ndarray:
    """Natural places of the entries that are set free."""
    layout = fitted.estimate.layout
    if not layout.fixed.any():
        raise AnalysisError.nothing_held()
    if names is None:
        return np.flatnonzero(layout.fixed)
    chosen = np.zeros(len(layout.labels), dtype=bool)
    held = [label for label, each in zip(layout.labels, layout.fixed, strict=True) if each]
    blocks = {block.name: block for block in layout.blocks}
    for name in [names] if isinstance(names, str) else names:
        place = fitted.problem.place_of(name)
        if place is None or place[0] not in blocks:
            raise AnalysisError.unknown_variable(name, held)
        block = blocks[place[0]]
        rows = np.arange(block.natural.start, block.natural.stop)
        rows = rows if place[1] is None else rows[[place[1]]]
        if not layout.fixed[rows].any():
            raise AnalysisError.unknown_variable(name, held)
        if not block.support.elementwise:
            rows = np.arange(block.natural.start, block.natural.stop)
        chosen[rows[layout.fixed[rows]]] = True
    return np.flatnonzero(chosen)


def _two_sided(fitted: Fitted, null: Null, information: str) -> ScoreTest:
    small = fitted.problem
    problem = with_fixed(small, given_fixed(small, null.places))
    x = problem.coordinates.unconstrain(small.layout.to_point(fitted.estimate.natural))
    likelihood = likelihood_of(problem, fitted.weights)
    if not likelihood.has_score:
        raise AnalysisError.needs_score("A score test")
    likelihood.difference_if_needed(x)
    _, score = likelihood.value_and_score(x)
    hessian = hessian_of(likelihood, x)[0]
    natural = natural_function(problem)
    values, jacobian = natural.value_and_jacobian(x)
    jacobian = jacobian if isinstance(jacobian, np.ndarray) else jacobian.toarray()
    rows = jacobian[null.places]
    slope = np.linalg.lstsq(rows.T, score, rcond=None)[0]
    alone = [problem.layout.block(_owner(problem, place)) for place in null.places]
    plain = np.array([block.support.elementwise for block in alone])
    # The second derivatives with respect to the tested entries themselves, not to the
    # coordinates on which they are worked with: the score in their direction is not zero.
    weights = np.zeros(len(values))
    weights[null.places[plain]] = slope[plain]
    curved = hessian - natural.second(x, weights)
    if information == "observed":
        matrix, labels = -0.5 * (curved + curved.T), problem.layout.free_labels
        inverse = np.linalg.inv(positive(matrix, labels))
    else:
        inverse = _other_covariance(fitted, problem, x, -hessian, score, information)
    statistic = float(score @ inverse @ score)
    df = problem.layout.size - small.layout.size
    table = pd.DataFrame(
        {
            "held": null.values,
            "score": np.where(plain, slope, np.nan),
            "one_step": null.values + rows @ (inverse @ score),
        },
        index=list(null.labels),
    )
    remarks = []
    if not plain.all():
        remarks.append(
            "entries that constrain each other are tested jointly, with the information of the "
            "coordinates on which they are worked with"
        )
    return ScoreTest(
        statistic=statistic,
        df=df,
        p=chi2_tail(statistic, df),
        distribution=f"chi-squared({df})",
        information=information,
        table=table,
        hypothesis=_hypothesis(null),
        remarks=tuple(remarks),
    )


def _multipliers(fitted: Fitted, names: Sequence[str] | str | None, information: str) -> ScoreTest:
    """Equations between parameters: the score that they hold in balance."""
    estimate, problem = fitted.estimate, fitted.problem
    restriction = estimate.restriction
    assert restriction is not None
    if names is not None:
        raise AnalysisError.argument("var_names", names, "None: the fit's equations are tested")
    if restriction.equations < len(restriction.texts):
        raise AnalysisError.inequality_score(
            [t for t, r in zip(restriction.texts, restriction.relations, strict=True) if r != "="]
        )
    likelihood = fitted.likelihood
    _, score = likelihood.value_and_score(estimate.x)
    hessian = hessian_of(likelihood, estimate.x)[0]
    free = ~estimate.layout.fixed & np.concatenate(
        [np.full(block.size, block.support.elementwise) for block in problem.layout.blocks]
    )
    jacobian = estimate.jacobian
    jacobian = jacobian if isinstance(jacobian, np.ndarray) else jacobian.toarray()
    weights = np.zeros(len(free))
    weights[free] = np.linalg.lstsq(jacobian[free].T, score, rcond=None)[0]
    if information == "observed":
        matrix = fitted.natural.second(estimate.x, weights) - hessian
        matrix = positive(0.5 * (matrix + matrix.T), problem.layout.free_labels)
        inverse = np.linalg.inv(matrix)
    else:
        inverse = _other_covariance(fitted, problem, estimate.x, -hessian, score, information)
    statistic = float(score @ inverse @ score)
    table = pd.DataFrame({"multiplier": restriction.multipliers}, index=list(restriction.texts))
    return ScoreTest(
        statistic=statistic,
        df=restriction.equations,
        p=chi2_tail(statistic, restriction.equations),
        distribution=f"chi-squared({restriction.equations})",
        information=information,
        table=table,
        hypothesis=", ".join(restriction.texts),
        remarks=("multiplier: change of the log-likelihood per unit of an equation's right side",),
    )


def _one_sided(null: Null, information: str, seed: int) -> ScoreTest:
    """Values on an edge: the part of the score that points inwards."""
    if information != "observed":
        raise AnalysisError.argument(
            "information", information, '"observed": a value lies on the edge of its support'
        )
    found = curvature_at(null)
    matrix = positive(-found.hessian, [*null.labels, *null.problem.layout.free_labels])
    r = len(null.places)
    inverse = np.linalg.inv(matrix)
    covariance = inverse[:r, :r]
    step = (inverse @ found.score)[:r]
    edge = np.flatnonzero(null.inward)
    mixture: ChiBar = chi_bar(r - len(edge), covariance[np.ix_(edge, edge)], seed)
    statistic = _inward_part(step, covariance, edge)
    sign = np.where(null.inward < 0, -1.0, 1.0)
    table = pd.DataFrame(
        {
            "held": null.values,
            "score": found.score[:r] * sign,
            "one_step": np.where(found.squared, np.nan, null.values + sign * step),
        },
        index=list(null.labels),
    )
    remarks = [f"on the edge of the support, one-sided: {', '.join(null.on_edge)}"]
    if found.squared.any():
        named = [null.labels[i] for i in np.flatnonzero(found.squared)]
        remarks.append(
            f"the log-likelihood is even in {', '.join(named)}: the score is that of the square"
        )
    return ScoreTest(
        statistic=statistic,
        df=r,
        p=mixture.tail(statistic),
        distribution=mixture.text,
        information=information,
        table=table,
        hypothesis=_hypothesis(null),
        weights=mixture.weights,
        p_error=mixture.tail_error(statistic),
        remarks=tuple(remarks),
    )


def _inward_part(step: np.ndarray, covariance: np.ndarray, edge: np.ndarray) -> float:
    """Squared length of the projection of a Newton step on the cone of possible values."""
    from scipy.optimize import lsq_linear

    inverse = np.linalg.inv(np.linalg.cholesky(covariance))
    lower = np.full(len(step), -np.inf)
    lower[edge] = 0.0
    found = lsq_linear(inverse, inverse @ step, bounds=(lower, np.inf), method="bvls", tol=1e-14)
    return float(np.sum((inverse @ found.x) ** 2))


def _other_covariance(
    fitted: Fitted,
    problem: Problem,
    x: np.ndarray,
    information: np.ndarray,
    score: np.ndarray,
    kind: str,
) -> np.ndarray:
    """Inverse expected information, or of the outer products of scores, of the larger model."""
    natural, jacobian = natural_function(problem).value_and_jacobian(x)
    lower, upper = problem.coordinates.flat_bounds(natural)
    # Far from the null hypothesis the observed information need not be definite; neither of these
    # covariances holds it, only the scale of its coordinates.
    known = curvature_of(np.diag(np.abs(np.diagonal(information))))
    there: Estimate = replace(
        fitted.estimate,
        layout=problem.layout,
        x=x,
        natural=natural,
        jacobian=jacobian,
        lower=lower,
        upper=upper,
        score=score,
        curvature_source=lambda: known,
        restriction=None,
    )
    larger = Fitted(there, problem, fitted.estimator, fitted.given_weights)
    return estimate_covariance(larger, kind).unconstrained


def _owner(problem: Problem, place: int) -> str:
    for block in problem.layout.blocks:
        if block.natural.start <= place < block.natural.stop:
            return block.name
    raise IndexError(place)


def _hypothesis(null: Null) -> str:
    parts = [f"{lab} = {value:g}" for lab, value in zip(null.labels, null.values, strict=True)]
    return ", ".join(parts[:6]) + (f" and {len(parts) - 6} more" if len(parts) > 6 else "")
