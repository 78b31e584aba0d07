"""The list of cases without an interior maximum, and what a right answer to one looks like."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import pymc as pm
import pytest

import pymle


@dataclass(frozen=True)
class Case:
    """One hard case.

    Attributes
    ----------
    name : str
    build : callable
        Gives the model.
    statuses : frozenset of str
        What the verdict may be; empty where the fit must be refused with an error.
    named : tuple of str
        Labels that `verdict.parameters` must hold.
    words : tuple of str
        What the advice, or the error, must speak of.
    arguments : dict
        Passed to `find_MLE`.
    theme : str
        ``separation``, ``unbounded``, ``support`` or ``numerics``.
    slow : bool
        Takes more than about a second.
    """

    name: str
    build: Callable[[], pm.Model]
    statuses: frozenset[str]
    named: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    arguments: dict = field(default_factory=dict)
    theme: str = ""
    slow: bool = False


CASES: list[Case] = []
THEME = ["separation"]


def case(statuses, named=(), words=(), start=None, *, slow=False, random=None):
    """Put a builder on the list."""
    given = {"start": start, "random": random}
    arguments = {name: value for name, value in given.items() if value is not None}

    def put(build):
        wanted = frozenset([statuses] if isinstance(statuses, str) else statuses)
        name = build.__name__.replace("_", "-")
        more = {"arguments": arguments, "theme": THEME[-1], "slow": slow}
        CASES.append(Case(name, build, wanted, tuple(named), tuple(words), **more))
        return build

    return put


def of_theme(theme):
    """The cases of a theme, as parameters of a test."""
    return [
        pytest.param(each, id=each.name, marks=[pytest.mark.slow] if each.slow else [])
        for each in CASES
        if each.theme == theme
    ]


def examined(each):
    """The fit of a case, its verdict being one of those that are right, named and explained."""
    if not each.statuses:
        with pytest.raises(pymle.PymleError) as caught:
            pymle.find_MLE(each.build(), **each.arguments, progressbar=False)
        for word in each.words:
            assert word in str(caught.value)
        return None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = pymle.find_MLE(each.build(), **each.arguments, progressbar=False)
    verdict = fit.verdict
    assert verdict.status in each.statuses, str(verdict)
    told = any(issubclass(w.category, pymle.NotCertifiedWarning) for w in caught)
    assert told == (not verdict.ok)
    assert verdict.ok or verdict.advice
    for name in each.named:
        assert name in verdict.parameters, str(verdict)
    for word in each.words:
        assert word in verdict.advice, verdict.advice
    return fit
