"""Published hierarchical models with the role of each free variable: the registry and its data.

The models are written after the examples of BUGS, of textbooks and of PyMC's gallery, as their
readers would write them, at small sizes: the graph decides the roles, not the numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor

P, R, A, M = "parameter", "random effect", "ambiguous", "missing value"
D = "discrete"

J, N = 8, 24
GROUP = np.repeat(np.arange(J), N // J)
_rng = np.random.default_rng(1)
X = _rng.normal(size=(N, 3))
Y = _rng.normal(size=N)
COUNTS = _rng.poisson(6, size=N)
BINARY = _rng.integers(0, 2, size=N)

CASES: dict[str, tuple[Callable[[], Any], Mapping[str, str]]] = {}


def case(**roles: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Register a model with the roles of all its free variables."""

    def register(build: Callable[[], Any]) -> Callable[[], Any]:
        CASES[build.__name__] = (build, roles)
        return build

    return register


def model_of(name: str) -> pm.Model:
    """A registered model."""
    build, _ = CASES[name]
    # PyMC says that it imputes masked data, and compiles some numbers of an HSGP.
    cheap = pytensor.config.change_flags(mode="FAST_COMPILE")
    with cheap, warnings.catch_warnings(), pm.Model() as model:
        warnings.simplefilter("ignore")
        other = build()
    return model if other is None else other
