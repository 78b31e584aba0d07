"""What a reference problem is: a PyMC model, and where its reference values are found in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

HERE = Path(__file__).parent
Values = dict[str, float]


@cache
def values() -> dict[str, dict[str, Any]]:
    """Reference values by problem, with the software, version and call they came from."""
    return json.loads((HERE / "values.json").read_text())


def load(file: str) -> pd.DataFrame:
    """One data set, every column a float (whole numbers are turned back where counts are)."""
    return pd.read_csv(HERE / "data" / file).astype("float64")


@dataclass(frozen=True)
class Problem:
    """A published problem as a PyMC user would write it.

    Attributes
    ----------
    name : str
        Key in ``values.json``.
    build : callable
        Data frame to ``pm.Model``.
    labels : mapping
        Name of a parameter in the reference to its row in ``fit.summary()``.
    point : callable, optional
        Reference estimates to the model's free variables on the natural scale, where the labels
        alone do not say it (the model is parametrised otherwise than the reference).
    symmetries : sequence of mappings
        Equivalent optima: each maps a reference name to the name whose value it takes, with a
        leading ``-`` where the sign changes.
    weights : str, optional
        Column of frequency weights.
    starts : mapping
        Starts to fit from beside the model's own, natural scale.
    """

    name: str
    build: Callable[[pd.DataFrame], pm.Model]
    labels: Mapping[str, str]
    point: Callable[[Values], dict[str, Any]] | None = None
    symmetries: Sequence[Mapping[str, str]] = ()
    weights: str | None = None
    starts: Mapping[str, dict[str, float]] = field(default_factory=dict)

    @property
    def value(self) -> dict[str, Any]:
        return values()[self.name]

    @property
    def data(self) -> pd.DataFrame:
        return load(self.value["data"])

    def model(self) -> pm.Model:
        return self.build(self.data)

    def equivalents(self) -> list[tuple[Values, Values]]:
        """Estimates and standard errors at each of the equal optima, the reference's first."""
        estimates, errors = self.value["estimates"], self.value["se"]
        answers = [(estimates, errors)]
        for swap in self.symmetries:
            source = {name: swap.get(name, name) for name in estimates}
            answers.append(
                (
                    {
                        name: -estimates[s[1:]] if s.startswith("-") else estimates[s]
                        for name, s in source.items()
                    },
                    {name: errors[s.lstrip("-")] for name, s in source.items()},
                )
            )
        return answers

    def reference_point(self, model: pm.Model) -> dict[str, np.ndarray]:
        """The reference's estimates as a point of the model, natural scale."""
        estimates = self.value["estimates"]
        if self.point is not None:
            return {k: np.asarray(v, dtype=float) for k, v in self.point(estimates).items()}
        labelled = {self.labels[name]: value for name, value in estimates.items()}
        point = {}
        for rv in model.free_RVs:
            if rv.name in labelled:
                point[rv.name] = np.asarray(labelled[rv.name], dtype=float)
                continue
            (dim,) = model.named_vars_to_dims[rv.name]
            entries = [labelled[f"{rv.name}[{entry}]"] for entry in model.coords[dim]]
            point[rv.name] = np.asarray(entries, dtype=float)
        return point


def same(*names: str) -> dict[str, str]:
    """Labels of scalars that are called in the model what the reference calls them."""
    return {name: name for name in names}


def entries(variable: str, names: Sequence[str]) -> dict[str, str]:
    """Labels of the entries of a vector whose coordinates are the reference's names."""
    return {name: f"{variable}[{name}]" for name in names}
