"""What a hard case is: a model, how it is fitted, and what an honest answer may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pymc as pm


@dataclass(frozen=True)
class Case:
    """A likelihood that asks for a diagnosis.

    Attributes
    ----------
    name : str
    truth : str
        What is the matter, in one sentence.
    build : callable
        Gives the ``pm.Model``.
    statuses : tuple of str
        Verdicts that are right.
    names : tuple of str
        Labels that the verdict has to name (a subset of its ``parameters``).
    arguments : mapping
        Further arguments of `pymle.find_MLE`.
    loglik : float or None
        The supremum of the log-likelihood, from a closed form or from other software.
    at : mapping of str to float
        Estimates that are known, by label: the limit of the point.
    only_without : tuple of str
        Labels whose rows have no standard error; with ``with_se`` what the table promises.
    with_se : mapping of str to float
        Standard errors of what is identified, from a closed form.
    slow : bool
        Takes more than about a second.
    """

    name: str
    truth: str
    build: Callable[[], pm.Model]
    statuses: tuple[str, ...]
    names: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    loglik: float | None = None
    at: Mapping[str, float] = field(default_factory=dict)
    only_without: tuple[str, ...] = ()
    with_se: Mapping[str, float] = field(default_factory=dict)
    slow: bool = False


def register(cases: dict[str, Case], truth: str, *statuses: str, **more: Any) -> Callable[..., Any]:
    """Decorate a function that fills the model of the open ``with`` block.

    Parameters
    ----------
    cases : dict
        Where the case goes, under the function's name.
    truth : str
    *statuses : str
    **more
        Further fields of `Case`.

    Returns
    -------
    callable
    """

    def decorate(fill: Callable[[], None]) -> Callable[[], None]:
        def build() -> pm.Model:
            with pm.Model(coords=more.get("coords")) as model:
                fill()
            return model

        fields = {k: v for k, v in more.items() if k != "coords"}
        name = fill.__name__.replace("_", " ")
        cases[name] = Case(name, truth, build, statuses, **fields)
        return fill

    return decorate
