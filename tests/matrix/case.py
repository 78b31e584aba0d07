"""What one entry of the matrix is: a likelihood, points, and its log-density written again."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A likelihood with parameters that are free over the line or over the half-line.

    ``build(**parameters)`` declares it in a model context; ``reference(**parameters)`` is its
    log-likelihood by SciPy, mpmath or NumPy. Parameters named in ``positive`` have a HalfFlat
    prior, the others a Flat one. ``points`` holds one point in the bulk and the others in the
    tail. ``radius`` is the largest step of the differences, relative to the parameter.
    """

    name: str
    build: Callable[..., Any]
    reference: Callable[..., float]
    points: tuple[Point, ...]
    positive: tuple[str, ...] = ()
    radius: float = 0.02

    def model(self) -> pm.Model:
        with warnings.catch_warnings(), pm.Model() as model:
            # PyMC calls functions of PyTensor that are deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            # PyMC 5.28 says of Wishart that it cannot be sampled.
            warnings.filterwarnings("ignore", "The Wishart", UserWarning)
            free = {}
            for name, value in self.points[0].items():
                prior = pm.HalfFlat if name in self.positive else pm.Flat
                free[name] = prior(name, shape=np.shape(value))
            self.build(**free)
        return model


def case(
    name: str,
    build: Callable[..., Any],
    reference: Callable[..., Any],
    *points: Point,
    positive: str = "",
    radius: float = 0.02,
) -> Case:
    def total(**values: Any) -> float:
        return float(np.sum(np.asarray(reference(**values), dtype=float)))

    return Case(name, build, total, points, tuple(positive.split()), radius)
