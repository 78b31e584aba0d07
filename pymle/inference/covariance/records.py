"""The covariance of an estimate, with what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pymle.estimate import Estimate
from pymle.inference.covariance.information import whitened

#: Variance relative to that of the observed information that is none.
NOTHING = 1e-20


@dataclass(frozen=True)
class Covariance:
    """A covariance of the unconstrained estimates, of any kind.

    With the observed information written as ``L L'`` every kind is
    ``inv(L') middle inv(L)``: the middle is the identity for the observed information
    itself and the whitened sum of score products for a sandwich.

    Attributes
    ----------
    estimate : Estimate
    name : str
        ``observed``, ``opg``, ``HC0``, ``HC1``, ``CR0``, ``CR1``, ``CR1S``, ``HAC`` or
        ``expected``.
    text : str
        What it rests on, in a few words: units and their number, corrections.
    middle : numpy.ndarray or None, shape (r, r)
        None for the identity. ``r`` is k less the directions without curvature.
    notes : tuple of str
        What deserves to be said about its validity.
    details : mapping
        Numbers by name: ``n_units``, ``n``, ``k``, ``factor``, ``lags`` and so on.
    """

    estimate: Estimate
    name: str
    text: str
    middle: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def of(self, jacobian: np.ndarray) -> np.ndarray:
        """Delta-method covariance (m, m) of functions with derivative ``jacobian`` (m, k).

        NaN for functions that move along a direction without curvature, or whose scores do
        not vary between the units (the effect of a cluster, with clusters).
        """
        half, known = whitened(self.estimate, jacobian)
        out = half @ half.T if self.middle is None else half @ self.middle @ half.T
        none = ~known | self._vanishing(half, np.diagonal(out))
        out[none, :] = np.nan
        out[:, none] = np.nan
        return out

    def standard_errors(self, jacobian: np.ndarray) -> np.ndarray:
        """Delta-method standard errors (m,) of functions with derivative ``jacobian`` (m, k).

        NaN as in `of`, and where a covariance that need not be positive (two-way
        clusters) gives a negative variance.
        """
        half, known = whitened(self.estimate, jacobian)
        other = half if self.middle is None else half @ self.middle
        variance = np.sum(half * other, axis=1)
        fine = known & (variance >= 0.0) & ~self._vanishing(half, variance)
        return np.sqrt(np.where(fine, variance, np.nan))

    def _vanishing(self, half: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Where the middle leaves nothing but rounding of a function's variance.

        The score of a parameter that belongs to one cluster alone is zero there.
        """
        if self.middle is None:
            return np.zeros(len(half), dtype=bool)
        plain = np.sum(half**2, axis=1)
        return (plain > 0.0) & (np.abs(variance) <= NOTHING * plain)

    @property
    def unconstrained(self) -> np.ndarray:
        """The covariance (k, k) of the unconstrained vector."""
        return self.of(np.eye(len(self.estimate.x)))

    @property
    def natural(self) -> np.ndarray:
        """The covariance (m, m) of the natural vector; zero rows for fixed entries."""
        return self.of(self.estimate.jacobian)

    @property
    def label(self) -> str:
        """Name and units, for the head of a table."""
        units = self.details.get("units")
        if units is None:
            return self.name
        several = units if isinstance(units, tuple) else (units,)
        return f"{self.name}: " + " x ".join(each.text for each in several)

    @property
    def summary(self) -> dict[str, Any]:
        """Text and numbers, for the ``attrs`` of a table."""
        plain = {k: v for k, v in self.details.items() if k != "units"}
        notes = {"covariance_notes": "; ".join(self.notes)} if self.notes else {}
        return {"covariance": self.name, "covariance_text": self.text, **notes, **plain}

    def __repr__(self) -> str:
        return "\n".join([f"covariance: {self.text}", *(f"note: {note}" for note in self.notes)])
