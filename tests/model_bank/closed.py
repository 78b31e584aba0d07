"""A model with everything about its maximum in closed form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Closed:
    """Closed-form truth about a fit.

    ``estimates`` and the rows of ``covariance`` are in the order of the fit's labels;
    ``scales`` name the scale of the Wald limits by label, ``derived`` holds Deterministics
    as label -> (estimate, se).
    """

    model: Any
    estimates: dict[str, float]
    covariance: np.ndarray
    loglik: float
    nobs: float
    nparams: int
    scales: dict[str, str] = field(default_factory=dict)
    derived: dict[str, tuple[float, float]] = field(default_factory=dict)


BANK = {}


def closed(build):
    """Register a builder of `Closed`."""
    BANK[build.__name__] = build
    return build


def labels(name, count):
    return [f"{name}[{i}]" for i in range(count)]


def block_diagonal(*blocks):
    from scipy.linalg import block_diag

    return block_diag(*[np.atleast_2d(b) for b in blocks])
