"""Hypotheses and constraints taken apart as text."""

from __future__ import annotations

import pytest

from pymle.errors import AnalysisError
from pymle.model.text.hypotheses import hypotheses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("beta[x1] = beta[x2]", ["beta[x1] = beta[x2]"]),
        ("a = b, c = 0", ["a = b", "c = 0"]),
        ("a = b = c", ["a = b", "b = c"]),
        ("0<=a<=1", ["0 <= a", "a <= 1"]),
        ("a == 1; b >= 2\nc ≤ 3", ["a = 1", "b >= 2", "c <= 3"]),
        ("max(a, b) = 1,", ["max(a, b) = 1"]),
        ("beta[a, b] = 0", ["beta[a, b] = 0"]),
        ("beta[T.x=1] = 0", ["beta[T.x=1] = 0"]),
        ("`odd, name[x<1]` - 2", ["`odd, name[x<1]` - 2 = 0"]),
        (["a", "b >= 0"], ["a = 0", "b >= 0"]),
    ],
)
def test_text_is_taken_apart(text: str | list[str], expected: list[str]) -> None:
    assert [each.text for each in hypotheses(text)] == expected


def test_the_difference_is_left_minus_right() -> None:
    [first, second] = hypotheses("exp(a) * b >= 1 - c, b = 0")
    assert (first.difference, first.relation) == ("(exp(a) * b) - (1 - c)", ">=")
    assert (second.difference, second.relation) == ("b", "=")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a < b", 'write "<="'),
        ("a > b", 'write ">="'),
        ("a != b", "state the equation itself"),
        ("(a = b)", "inside parentheses"),
        ("a[b = 1", "a bracket is not closed"),
        ("(a = 1", "inside parentheses"),
        ("exp(a", "a parenthesis is not closed"),
        ("a) = 1", "closes nothing"),
        ("`a = 1", "a backquote is not closed"),
        ("a = ", "one side of a comparison is empty"),
        ("a === b", "one side of a comparison is empty"),
        ("", "nothing stands in it"),
        ([], "nothing stands in it"),
    ],
)
def test_what_does_not_read_is_refused_with_the_remedy(text: str | list[str], seen: str) -> None:
    with pytest.raises(AnalysisError, match="A hypothesis compares two expressions") as caught:
        hypotheses(text)
    assert seen in str(caught.value)


def test_relations_that_have_no_meaning_are_refused() -> None:
    with pytest.raises(AnalysisError, match='">=" has no meaning here, expected "="'):
        hypotheses("a = 1, b >= 0", relations="=")
