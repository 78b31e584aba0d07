"""Hypotheses and constraints as text: ``"beta[x1] = beta[x2], exp(a) * b <= 1"`` in parts.

Only the text is taken apart here; the sides are expressions (`pymle.model.text.expressions`), and
which names exist is asked of a model when their graphs are built.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pymle.errors import AnalysisError

#: Relations as they may be written, longest first.
_WRITTEN = {
    "<=": "<=",
    "=<": "<=",
    "≤": "<=",
    ">=": ">=",
    "=>": ">=",
    "≥": ">=",
    "==": "=",
    "=": "=",
}
_REFUSED = {
    "!=": "an inequality of this kind excludes a set without volume: state the equation itself",
    "≠": "an inequality of this kind excludes a set without volume: state the equation itself",
    "<": 'a strict inequality has no maximum at its edge: write "<="',
    ">": 'a strict inequality has no maximum at its edge: write ">="',
}
_SEPARATORS = ",;\n"


@dataclass(frozen=True)
class Hypothesis:
    """One equation or inequality between two expressions.

    Attributes
    ----------
    text : str
        As written, tidied.
    left, right : str
        The expressions on both sides.
    relation : {"=", "<=", ">="}
    """

    text: str
    left: str
    right: str
    relation: str

    @property
    def difference(self) -> str:
        """Left minus right as one expression, which the hypothesis compares with zero."""
        return self.left if self.right == "0" else f"({self.left}) - ({self.right})"


def hypotheses(texts: str | Iterable[str], *, relations: str = "= <= >=") -> list[Hypothesis]:
    """Take text apart into equations and inequalities.

    Parameters
    ----------
    texts : str or iterable of str
        Each may hold several, separated by commas outside of brackets and parentheses
        (semicolons and line breaks too), and chains (``"a = b = c"``, ``"0 <= a <= 1"``). An
        expression alone is set equal to zero.
    relations : str
        Those that are allowed here, separated by spaces.

    Returns
    -------
    list of Hypothesis
        In the order in which they are written.

    Raises
    ------
    AnalysisError
        Nothing in it, brackets that do not close, strict or negated comparisons, relations
        that are not allowed here.
    """
    allowed = relations.split()
    given = [texts] if isinstance(texts, str) else list(texts)
    found: list[Hypothesis] = []
    for text in given:
        if not isinstance(text, str):
            raise AnalysisError.bad_hypothesis(str(text), "it is no text")
        for statement in _statements(text):
            found.extend(_chain(statement, text))
    if not found:
        raise AnalysisError.bad_hypothesis(", ".join(given), "nothing stands in it")
    for each in found:
        if each.relation not in allowed:
            wanted = " or ".join(f'"{relation}"' for relation in allowed)
            raise AnalysisError.bad_hypothesis(
                each.text, f'"{each.relation}" has no meaning here, expected {wanted}'
            )
    return found


def _statements(text: str) -> list[list[str]]:
    """Statements of a text, each as side, relation, side, relation, side ..."""
    statements: list[list[str]] = [[""]]
    closing: list[str] = []
    at = 0
    while at < len(text):
        sign = text[at]
        if sign == "`":
            end = text.find("`", at + 1)
            if end < 0:
                raise AnalysisError.bad_hypothesis(text, "a backquote is not closed")
            statements[-1][-1] += text[at : end + 1]
            at = end + 1
            continue
        if sign in "([":
            closing.append(")" if sign == "(" else "]")
        elif closing and sign == closing[-1]:
            closing.pop()
        elif sign in ")]" and "]" not in closing:
            raise AnalysisError.bad_hypothesis(text, f'a "{sign}" closes nothing')
        if not closing:
            if sign in _SEPARATORS:
                statements.append([""])
                at += 1
                continue
            relation = _relation(text, at)
            if relation:
                statements[-1] += [_WRITTEN[relation], ""]
                at += len(relation)
                continue
        elif "]" not in closing and _relation(text, at):
            raise AnalysisError.bad_hypothesis(text, "a comparison stands inside parentheses")
        statements[-1][-1] += sign
        at += 1
    if closing:
        kind = "parenthesis" if closing[-1] == ")" else "bracket"
        raise AnalysisError.bad_hypothesis(text, f"a {kind} is not closed")
    # A separator at the end of a line or of the text separates nothing.
    return [each for each in statements if any(part.strip() for part in each)]


def _relation(text: str, at: int) -> str:
    """The relation that begins at a place; empty where there is none."""
    for refused, why in _REFUSED.items():
        alone = len(refused) > 1 or refused == "≠" or text[at + 1 : at + 2] != "="
        before = text[at - 1 : at] == "="
        if text.startswith(refused, at) and alone and not before:
            raise AnalysisError.bad_hypothesis(text, why)
    return next((written for written in _WRITTEN if text.startswith(written, at)), "")


def _chain(parts: list[str], text: str) -> list[Hypothesis]:
    sides = [" ".join(part.split()) for part in parts[::2]]
    if len(sides) == 1:
        return [Hypothesis(f"{sides[0]} = 0", sides[0], "0", "=")]
    if not all(sides):
        raise AnalysisError.bad_hypothesis(text.strip(), "one side of a comparison is empty")
    return [
        Hypothesis(f"{left} {relation} {right}", left, right, relation)
        for left, relation, right in zip(sides[:-1], parts[1::2], sides[1:], strict=True)
    ]
