"""Constraints between parameters: from text to functions of the unconstrained vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pymle.errors import AnalysisError
from pymle.model.layout import entry_labels
from pymle.model.problem import Problem
from pymle.model.text.feasible import Linear, interior, nearest, structure
from pymle.model.text.hypotheses import Hypothesis, hypotheses

#: Relative size of a coefficient or of a violation that is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Constraints:
    """Equations and inequalities between the parameters of a problem.

    The rows that are linear in the natural values come first.

    Attributes
    ----------
    texts : tuple of str
        One per row, such as ``beta[x1] = beta[x2]``.
    relations : tuple of str
        ``=``, ``<=`` or ``>=``.
    linear : Linear
        Left minus right of the linear rows, as coefficients of the natural values.
    graphs : tuple of Variable
        Left minus right of the others.
    sizes : tuple of int
        Number of rows of each graph.
    notices : tuple of str
        Constraints that were left out because others say the same.
    """

    texts: tuple[str, ...]
    relations: tuple[str, ...]
    linear: Linear
    graphs: tuple[Any, ...]
    sizes: tuple[int, ...]
    notices: tuple[str, ...]

    @cached_property
    def equations(self) -> np.ndarray:
        """Which rows are equations, shape (m,)."""
        return np.array([relation == "=" for relation in self.relations], dtype=bool)

    @cached_property
    def signs(self) -> np.ndarray:
        """Minus one for ``<=``: times it, every inequality reads ``>= 0``."""
        return np.array([-1.0 if relation == "<=" else 1.0 for relation in self.relations])

    def nearest(self, problem: Problem, natural: np.ndarray) -> np.ndarray | None:
        """A natural point that satisfies the linear rows, near another; None if it does already.

        Parameters
        ----------
        problem : Problem
        natural : numpy.ndarray, shape (m,)

        Returns
        -------
        numpy.ndarray or None
        """
        linear, count = self.linear, len(self.linear.offset)
        if linear.holds(natural, self.relations[:count]):
            return None
        return nearest(problem, linear, self.relations[:count], natural)


@dataclass(frozen=True)
class _Row:
    text: str
    relation: str
    coefficients: np.ndarray
    offset: float

    @property
    def turned(self) -> tuple[np.ndarray, float]:
        """Coefficients and offset of the form ``>= 0`` (or ``= 0``)."""
        sign = -1.0 if self.relation == "<=" else 1.0
        return sign * self.coefficients, sign * self.offset


def constraints_of(problem: Problem, texts: str | Sequence[str]) -> Constraints:
    """Read constraints, and check that they can hold together.

    Parameters
    ----------
    problem : Problem
    texts : str or sequence of str
        As `hypotheses` takes them.

    Returns
    -------
    Constraints

    Raises
    ------
    AnalysisError
        Text that does not read, unknown names, constraints that contradict each other or the
        supports, or that hold only at the edge of a support.
    """
    rows: list[_Row] = []
    bent: list[tuple[Hypothesis, Any, tuple[int, ...]]] = []
    for each in hypotheses(texts):
        found = problem.affine(each.difference)
        if found is None:
            bent.append(_graph(problem, each))
            continue
        rows += _entries(problem, each, *found)
    rows, notices = _without_constants(rows)
    rows = _pairs_as_equations(rows)
    _check(problem, rows)
    rows, more = _independent(problem, rows)
    notices += more
    size = problem.layout.natural_size
    linear = Linear(
        np.array([row.coefficients for row in rows]).reshape(len(rows), size),
        np.array([row.offset for row in rows]),
    )
    labels = [
        (_label(problem, each, shape, i) or _numbered(each, shape, i), each.relation)
        for each, _, shape in bent
        for i in range(int(np.prod(shape, dtype=int)))
    ]
    return Constraints(
        texts=(*(row.text for row in rows), *(text for text, _ in labels)),
        relations=(*(row.relation for row in rows), *(relation for _, relation in labels)),
        linear=linear,
        graphs=tuple(graph for _, graph, _ in bent),
        sizes=tuple(int(np.prod(shape, dtype=int)) for _, _, shape in bent),
        notices=tuple(notices),
    )


def _entries(
    problem: Problem, each: Hypothesis, matrix: np.ndarray, offset: np.ndarray
) -> list[_Row]:
    """The rows of a linear hypothesis, with held values as part of the constant."""
    layout = problem.layout
    held = problem.coordinates.held_vector
    shape = offset.shape
    flat = matrix.reshape(-1, layout.natural_size).copy()
    constants = offset.ravel() + flat[:, layout.fixed] @ held[layout.fixed]
    if not np.all(np.isfinite(flat)) or not np.all(np.isfinite(constants)):
        raise AnalysisError.bad_hypothesis(each.text, "a number in it is not finite")
    flat[:, layout.fixed] = 0.0
    return [
        _Row(
            _label(problem, each, shape, i) or _written(problem, each.relation, *row),
            each.relation,
            *row,
        )
        for i, row in enumerate(zip(flat, constants.tolist(), strict=True))
    ]


def _graph(problem: Problem, each: Hypothesis) -> tuple[Hypothesis, Any, tuple[int, ...]]:
    """A hypothesis that is not linear in the parameters."""
    observed = [term.name for term in problem.observed]
    for name in problem.names_in(each.difference):
        if name in observed:
            raise AnalysisError.observed_quantity(name)
    graph = problem.expression(each.difference)
    undetermined = problem.undetermined(graph)
    if undetermined:
        raise AnalysisError.undetermined(each.text, undetermined)
    point = problem.layout.to_natural(problem.coordinates.complete(None))
    [shape] = problem.shapes_of([graph], point)
    return each, graph, shape


def _label(problem: Problem, each: Hypothesis, shape: tuple[int, ...], i: int) -> str:
    """The text of one entry of a hypothesis; empty where the sides are no plain variables."""
    if not shape:
        return each.text
    sides = []
    for side in (each.left, each.right):
        labels: tuple[str, ...] | None = None
        if side in problem.names:
            labels = problem.layout.block(side).labels
        single = labels is not None and len(labels) == int(np.prod(shape, dtype=int))
        sides.append(labels[i] if single and labels is not None else side)
    text = f"{sides[0]} {each.relation} {sides[1]}"
    return "" if text == each.text else text


def _numbered(each: Hypothesis, shape: tuple[int, ...], i: int) -> str:
    return f"{each.text} (entry {entry_labels('', shape, (None,) * len(shape), {})[i]})"


def _written(problem: Problem, relation: str, coefficients: np.ndarray, offset: float) -> str:
    """A linear row as a sum of labelled entries."""
    held = 0.0 if abs(offset) < 1e-15 else -offset
    parts = []
    for i in sorted(np.flatnonzero(coefficients), key=lambda i: coefficients[i] < 0):
        size = abs(coefficients[i])
        factor = "" if size == 1.0 else f"{size:.6g}*"
        sign = "-" if coefficients[i] < 0 else "+"
        parts.append(f"{sign} {factor}{problem.layout.labels[i]}")
    left = " ".join(parts).removeprefix("+ ") or "0"
    return f"{left} {relation} {held:.6g}"


def _without_constants(rows: list[_Row]) -> tuple[list[_Row], list[str]]:
    """Leave out rows without a parameter that are true; refuse those that are not."""
    kept, notices = [], []
    for row in rows:
        if np.any(row.coefficients):
            kept.append(row)
            continue
        _, value = row.turned
        scale = _ROUNDING * max(1.0, abs(value))
        if abs(value) > scale if row.relation == "=" else value < -scale:
            raise AnalysisError.constraint_on_nothing(row.text, row.offset)
        notices.append(
            f'the constraint "{row.text}" holds no estimated parameter and is true: left out.'
        )
    return kept, notices


def _pairs_as_equations(rows: list[_Row]) -> list[_Row]:
    """Two inequalities that leave only equality (``a <= b, a >= b``) become the equation."""
    out: list[_Row] = []
    for row in rows:
        if row.relation == "=":
            out.append(row)
            continue
        own, constant = row.turned
        other = next(
            (
                i
                for i, before in enumerate(out)
                if before.relation != "=" and _same(before.turned, (-own, -constant))
            ),
            None,
        )
        if other is None:
            out.append(row)
        else:
            both = f"{out[other].text}, {row.text}"
            out[other] = _Row(both, "=", row.coefficients, row.offset)
    return out


def _same(one: tuple[np.ndarray, float], other: tuple[np.ndarray, float]) -> bool:
    """Whether two rows are positive multiples of each other."""
    a, b = np.append(*one), np.append(*other)
    a, b = a / np.linalg.norm(one[0]), b / np.linalg.norm(other[0])
    return bool(np.allclose(a, b, rtol=_ROUNDING, atol=_ROUNDING))


def _check(problem: Problem, rows: list[_Row]) -> None:
    """Refuse rows that cannot hold together, inside the supports."""
    if not rows:
        return
    margin = _margin(problem, rows)
    if margin is not None and margin > 0.0:
        return
    # Leave out, one by one, what is not needed for the contradiction.
    core = list(rows)
    for row in rows:
        rest = [each for each in core if each is not row]
        left = _margin(problem, rest) if rest else 1.0
        if left is None if margin is None else (left is None or left <= 0.0):
            core = rest
    names = {
        block.name: problem.coordinates.support_text(block)
        for block in problem.layout.blocks
        if any(np.any(row.coefficients[block.natural]) for row in core)
        and block.support.kind not in {"real", "unknown"}
    }
    texts = [row.text for row in core]
    if margin is None:
        raise AnalysisError.constraints_contradict(texts, names)
    raise AnalysisError.constraint_at_edge(texts, names)


def _margin(problem: Problem, rows: list[_Row]) -> float | None:
    linear = Linear(
        np.array([row.coefficients for row in rows]), np.array([row.offset for row in rows])
    )
    return interior(problem, linear, tuple(row.relation for row in rows))


def _independent(problem: Problem, rows: list[_Row]) -> tuple[list[_Row], list[str]]:
    """Leave out equations that follow from others, and inequalities that stand there twice."""
    free = ~problem.layout.fixed
    basis = _structure(problem)[:, free]
    kept: list[_Row] = []
    notices = []
    for row in rows:
        if row.relation == "=":
            longer = np.vstack([basis, row.coefficients[free] / np.linalg.norm(row.coefficients)])
            if np.linalg.matrix_rank(longer, tol=1e-10) == len(longer):
                basis = longer
                kept.append(row)
                continue
        elif not any(
            before.relation != "=" and _same(before.turned, row.turned) for before in kept
        ):
            kept.append(row)
            continue
        notices.append(f'the constraint "{row.text}" follows from others: left out.')
    return kept, notices


def _structure(problem: Problem) -> np.ndarray:
    """Equations that always hold, each of length one."""
    matrix = structure(problem).matrix
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths > 0.0, lengths, 1.0)
