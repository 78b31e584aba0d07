"""Wald tests of equations between functions of the parameters."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from pymle.errors import AnalysisError
from pymle.estimate import Estimate
from pymle.fitted import Fitted
from pymle.inference.covariance import estimate_covariance
from pymle.inference.hypotheses.multiplicity import (
    FOR_LIMITS,
    FOR_P,
    adjusted_p,
    check_adjust,
    critical_value,
)
from pymle.inference.quantity import Quantity, quantity
from pymle.model.text.hypotheses import hypotheses

#: Share of the largest eigenvalue (of correlations) below which one is zero.
_RANK = 1e-10
#: Size of a difference, in standard errors of its parts, that rounding explains.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class WaldTest:
    """A Wald test of one or several equations.

    Attributes
    ----------
    statistic : float
        Of all equations together.
    df : int
        Rank of the covariance of their sides' differences.
    p : float
        Upper tail of the chi-squared distribution.
    table : pandas.DataFrame
        One row for each equation: ``estimate`` (left side; left minus right where the right
        one is no number), ``null``, ``se``, ``z``, ``p``, ``lower``, ``upper``.
    hypotheses : tuple of str
    covariance : pandas.DataFrame
        Of the estimates in ``table``.
    level : float
        Coverage of the limits.
    adjust : str or None
        How single p-values and limits take account of their number.
    text : str
        What the covariance rests on.
    remarks : tuple of str

    Notes
    -----
    The statistic is ``h' inv(J V J') h`` for differences ``h`` with derivative ``J``. For
    equations that are not linear it depends on how they are written.
    """

    statistic: float
    df: int
    p: float
    table: pd.DataFrame
    hypotheses: tuple[str, ...]
    covariance: pd.DataFrame = field(repr=False)
    level: float
    adjust: str | None
    text: str
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        lines = [self._title(), "", self.table.to_string(), ""]
        return "\n".join([*lines, *(f"note: {note}" for note in self._notes())])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self._notes())
        title = html.escape(self._title())
        return f"<div><strong>{title}</strong>{self.table.to_html()}{notes}</div>"

    def _title(self) -> str:
        count = len(self.hypotheses)
        what = self.hypotheses[0] if count == 1 else f"{count} equations jointly"
        return f"Wald test of {what}: chi2({self.df}) = {self.statistic:.6g}, p = {self.p:.6g}"

    def _notes(self) -> list[str]:
        notes = [f"covariance: {self.text}; {100 * self.level:g}% limits, natural scale"]
        if self.adjust in FOR_LIMITS:
            notes.append(f"p and limits of the rows hold together ({self.adjust})")
        elif self.adjust is not None:
            notes.append(f"p of the rows adjusted ({self.adjust}); limits are those of each alone")
        return [*notes, *self.remarks]


@dataclass(frozen=True)
class _Equation:
    """Left side minus right side at the estimate, entry by entry."""

    text: str
    estimate: float
    null: float
    row: np.ndarray
    linear: bool


def wald_test(
    fitted: Fitted,
    what: Any,
    *,
    value: Any = None,
    cov: Any = None,
    clusters: Any = None,
    level: float = 0.95,
    adjust: str | None = None,
) -> WaldTest:
    """Test equations between functions of the parameters.

    Parameters
    ----------
    fitted : Fitted
    what, value, cov, clusters, level, adjust
        As in `Fit.wald_test`.

    Returns
    -------
    WaldTest

    Raises
    ------
    AnalysisError
    """
    estimate = fitted.estimate
    if estimate.objective == "map":
        raise AnalysisError.needs_mle("A Wald test")
    if not 0.0 < level < 1.0:
        raise AnalysisError.argument("level", level, "a number between 0 and 1")
    check_adjust(adjust, FOR_P)
    if isinstance(what, str) or _is_texts(what):
        if value is not None:
            raise AnalysisError.argument("value", value, "None: equations in text name theirs")
        equations = _from_text(fitted, what)
    else:
        equations = _from_matrix(estimate, what, value)
    covariance = estimate_covariance(fitted, cov, clusters=clusters)
    texts = tuple(each.text for each in equations)
    jacobian = np.array([each.row for each in equations])
    matrix = covariance.of(jacobian)
    _check_errors(estimate, texts, jacobian, matrix)
    difference = np.array([each.estimate - each.null for each in equations])
    size = np.array([abs(each.estimate) + abs(each.null) for each in equations])
    statistic, df = _quadratic_form(difference, matrix, size, texts)
    remarks = list(covariance.notes)
    if df < len(texts):
        remarks.append(
            f"{len(texts)} equations, of which {df} do not follow from the others: df = {df}"
        )
    if not all(each.linear for each in equations):
        remarks.append(
            "an equation is not linear: its Wald test depends on how it is written; "
            "`fit.lr_test` does not"
        )
    return WaldTest(
        statistic=statistic,
        df=df,
        p=chi2_tail(statistic, df),
        table=_table(equations, matrix, level, adjust),
        hypotheses=texts,
        covariance=pd.DataFrame(matrix, index=list(texts), columns=list(texts)),
        level=level,
        adjust=adjust,
        text=covariance.text,
        remarks=tuple(remarks),
    )


def chi2_tail(statistic: float, df: int) -> float:
    """Upper tail of the chi-squared distribution; of zero degrees, a point at zero.

    Parameters
    ----------
    statistic : float
    df : int

    Returns
    -------
    float
    """
    if df == 0:
        return 1.0 if statistic <= 0.0 else 0.0
    from scipy.special import chdtrc

    return float(chdtrc(df, max(statistic, 0.0)))


def _is_texts(what: Any) -> bool:
    return isinstance(what, list | tuple) and all(isinstance(each, str) for each in what)


def _from_text(fitted: Fitted, what: str | Sequence[str]) -> list[_Equation]:
    found: list[_Equation] = []
    for parsed in hypotheses(what, relations="="):
        left, right = _side(fitted, parsed.left), _side(fitted, parsed.right)
        if isinstance(left, float) and isinstance(right, float):
            raise AnalysisError.constant_hypothesis(parsed.text)
        if isinstance(left, float):
            left, right = right, left  # "0 = a" is "a = 0"
        assert isinstance(left, Quantity)  # the other side was a number
        if isinstance(right, float):
            whole, null = left, right
        else:
            whole, null = quantity(fitted, parsed.difference), 0.0
        texts = _texts(parsed.text, left, right, whole.size)
        found.extend(_entries(fitted, whole, texts, null))
    return found


def _texts(text: str, left: Quantity, right: Quantity | float, size: int) -> list[str]:
    """One equation in words for every entry of an equation between arrays."""
    if size == 1 and not left.shape:
        return [text]

    def side(of: Quantity | float, i: int) -> str:
        if not isinstance(of, Quantity):
            return f"{of:g}"
        return of.labels[i if of.size == size else 0]

    sizes = {each.size for each in (left, right) if isinstance(each, Quantity)}
    if not sizes <= {1, size}:
        return [f"{text} [{i}]" for i in range(size)]
    return [f"{side(left, i)} = {side(right, i)}" for i in range(size)]


def _side(fitted: Fitted, text: str) -> Quantity | float:
    """One side: a function of the parameters, or a number."""
    try:
        return float(text)
    except ValueError:
        found = quantity(fitted, text)
    value, jacobian = found.function.value_and_jacobian(fitted.estimate.x)
    return found if found.size != 1 or np.any(jacobian) else float(value[0])


def _entries(fitted: Fitted, whole: Quantity, texts: Sequence[str], null: float) -> list[_Equation]:
    """The equations of an array, one for each entry that is not constant."""
    x = fitted.estimate.x
    values, jacobian = whole.function.value_and_jacobian(x)
    linear = _is_linear(fitted, whole, jacobian)
    found = []
    for i, own in enumerate(texts):
        if not np.all(np.isfinite(jacobian[i])) or not np.isfinite(values[i]):
            raise AnalysisError.no_standard_error(
                [own], "It has no finite value or derivative at the estimate."
            )
        if not np.any(jacobian[i]):
            same = np.isclose(values[i], null, rtol=1e-9, atol=1e-12)
            if whole.size > 1 and same:
                continue  # `beta = beta[x1]` says nothing about beta[x1] itself
            raise AnalysisError.constant_hypothesis(own)
        low, high = float(whole.low[i]), float(whole.high[i])
        if not low < null < high:
            raise AnalysisError.edge_hypothesis(own, null, low, high)
        found.append(_Equation(own, float(values[i]), null, jacobian[i], linear))
    if not found:
        raise AnalysisError.constant_hypothesis("; ".join(texts))
    return found


def _is_linear(fitted: Fitted, whole: Quantity, jacobian: np.ndarray) -> bool:
    """Whether a function is linear in the natural values: its derivative stays elsewhere."""
    if whole.rows is not None:
        return True
    estimate = fitted.estimate
    # Only what moves with it: there may be thousands of other parameters.
    columns = np.any(jacobian != 0, axis=0)
    inner = _dense(estimate.jacobian[:, columns])
    rows = np.any(inner != 0, axis=1)
    gradient = np.linalg.lstsq(inner[rows].T, jacobian[:, columns].T, rcond=None)[0]
    step = 0.05 * (1.0 + np.abs(estimate.x)) * np.where(np.arange(len(estimate.x)) % 2, -1.0, 1.0)
    natural, slope = fitted.natural.value_and_jacobian(estimate.x + step)
    value, there = whole.function.value_and_jacobian(estimate.x + step)
    at_home, _ = whole.function.value_and_jacobian(estimate.x)
    straight = at_home + gradient.T @ (natural - estimate.natural)[rows]
    tilted = gradient.T @ _dense(slope[:, columns])[rows]
    return bool(
        np.allclose(value, straight, rtol=1e-6, atol=1e-9)
        and np.allclose(there[:, columns], tilted, rtol=1e-6, atol=1e-9)
    )


def _from_matrix(estimate: Estimate, what: Any, value: Any) -> list[_Equation]:
    """Contrasts: a matrix over the estimated entries, by label or in their order."""
    labels = [
        label
        for label, held in zip(estimate.layout.labels, estimate.layout.fixed, strict=True)
        if not held
    ]
    names: list[str]
    if isinstance(what, pd.Series):
        what = what.to_frame().T
    if isinstance(what, pd.DataFrame):
        unknown = [str(each) for each in what.columns if each not in labels]
        if unknown:
            raise AnalysisError.unknown_variable(unknown[0], labels)
        frame = what.reindex(columns=labels, fill_value=0.0)
        matrix, names = frame.to_numpy(dtype=np.float64), [str(each) for each in what.index]
    else:
        try:
            matrix = np.atleast_2d(np.asarray(what, dtype=np.float64))
        except (TypeError, ValueError):
            matrix = np.zeros((0, 0))
        if matrix.ndim != 2 or matrix.shape[1] != len(labels) or not len(matrix):
            raise AnalysisError.argument(
                "hypotheses", what, f"text, or a matrix with {len(labels)} columns ({labels})"
            )
        names = [_combination(row, labels) for row in matrix]
    if not np.all(np.isfinite(matrix)):
        raise AnalysisError.argument("hypotheses", what, "finite numbers")
    given = np.zeros(len(matrix)) if value is None else np.asarray(value, dtype=np.float64)
    if given.shape not in ((), (len(matrix),)):
        raise AnalysisError.argument("value", value, f"one number, or {len(matrix)} of them")
    nulls = np.broadcast_to(given, len(matrix))
    free = ~estimate.layout.fixed
    jacobian, natural = _dense(estimate.jacobian)[free], estimate.natural[free]
    found = []
    for name, row, null in zip(names, matrix, nulls, strict=True):
        if not np.any(row):
            raise AnalysisError.constant_hypothesis(name)
        text = f"{name} = {null:g}"
        found.append(_Equation(text, float(row @ natural), float(null), row @ jacobian, True))
    return found


def _combination(row: np.ndarray, labels: Sequence[str]) -> str:
    parts = [
        f"{'-' if weight < 0 else '+'} {'' if abs(weight) == 1 else f'{abs(weight):g} * '}{label}"
        for weight, label in zip(row, labels, strict=True)
        if weight
    ]
    return " ".join(parts).removeprefix("+ ") or "0"


def _check_errors(
    estimate: Estimate, texts: Sequence[str], jacobian: np.ndarray, matrix: np.ndarray
) -> None:
    """Refuse equations without a standard error, and say why there is none."""
    bad = ~np.isfinite(np.diagonal(matrix)) | (np.diagonal(matrix) < 0)
    if not bad.any():
        return
    moves = np.any(jacobian[bad] != 0, axis=0)
    labels = [
        label for label, moved in zip(estimate.layout.free_labels, moves, strict=True) if moved
    ]
    raise AnalysisError.no_standard_error(
        [text for text, each in zip(texts, bad, strict=True) if each],
        f"Parameters in it: {', '.join(labels[:8])}. Verdict: {estimate.verdict.status.value}. "
        f"{estimate.verdict.advice}".strip(),
    )


def _quadratic_form(
    difference: np.ndarray, matrix: np.ndarray, size: np.ndarray, texts: Sequence[str]
) -> tuple[float, int]:
    """The statistic and the rank of the covariance of the differences."""
    sd = np.sqrt(np.diagonal(matrix))
    if np.any(sd <= 1e-14 * size):
        which = [text for text, each in zip(texts, sd <= 1e-14 * size, strict=True) if each]
        raise AnalysisError.constant_hypothesis(which[0])
    values, vectors = np.linalg.eigh(matrix / np.outer(sd, sd))
    scaled = vectors.T @ (difference / sd)
    known = values > _RANK * values.max()
    rounding = _ROUNDING * np.maximum(1.0, float(np.max(np.abs(difference) / sd)))
    if np.any(np.abs(scaled[~known]) > rounding):
        raise AnalysisError.contradictory(texts)
    return float(np.sum(scaled[known] ** 2 / values[known])), int(known.sum())


def _table(
    equations: Sequence[_Equation], matrix: np.ndarray, level: float, adjust: str | None
) -> pd.DataFrame:
    value = np.array([each.estimate for each in equations])
    null = np.array([each.null for each in equations])
    se = np.sqrt(np.diagonal(matrix))
    z = (value - null) / se
    correlation = matrix / np.outer(se, se)
    p = np.array([math.erfc(abs(each) / math.sqrt(2.0)) for each in z])
    half = NormalDist().inv_cdf(0.5 * (1.0 + level))
    if adjust in FOR_LIMITS:
        half = critical_value(level, adjust, correlation)
    return pd.DataFrame(
        {
            "estimate": value,
            "null": null,
            "se": se,
            "z": z,
            "p": adjusted_p(p, adjust, z, correlation),
            "lower": value - half * se,
            "upper": value + half * se,
        },
        index=[each.text for each in equations],
    )


def _dense(matrix: Any) -> np.ndarray:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
