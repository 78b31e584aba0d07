"""What every fit has besides readings of its estimate: its model, points and Deterministics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from pymle.estimate import Estimate
from pymle.fit.readings import Readings
from pymle.fitted import Fitted
from pymle.inference import Derived
from pymle.inference.quantity import estimated_or_predicted
from pymle.model import Problem


class Core(Readings):
    """The estimate behind a fit with its problem, and what is read off them.

    Parameters
    ----------
    fitted : Fitted
    """

    def __init__(self, fitted: Fitted) -> None:
        self._fitted = fitted

    @property
    def roles(self) -> Any:
        """The roles table of the model."""
        return self._problem.roles

    @property
    def integrated(self) -> str:
        """What was integrated out and how, in words; empty where nothing was."""
        effects = self._problem.effects
        if effects is None:
            return ""
        sizes = [
            f"{b.name} ({b.size}{', flat' if b.name in effects.flat else ''})"
            for b in effects.layout.blocks
        ]
        points = self._problem.quadrature or 1
        how = "Laplace's approximation"
        if points > 1:
            how = f"adaptive Gauss-Hermite quadrature with {points} points"
        return f"{', '.join(sizes)}, by {how}"

    @cached_property
    def params(self) -> xr.Dataset:
        """Estimates on the natural scale, with the model's dims and coords."""
        layout = self._estimate.layout
        arrays = {}
        for block in layout.blocks:
            value = self._estimate.natural[block.natural].reshape(block.shape)
            arrays[block.name] = self._problem.labelled(block.name, value)
        return xr.Dataset(arrays)

    @property
    def point(self) -> dict[str, np.ndarray]:
        """Natural-scale point by variable name, usable as ``pm.sample(initvals=...)``.

        Random effects and missing values are at their conditional modes.
        """
        own = self._estimate.layout.to_point(self._estimate.natural)
        return {**own, **self._fitted.modes}

    @property
    def _estimate(self) -> Estimate:
        return self._fitted.estimate

    @property
    def _problem(self) -> Problem:
        return self._fitted.problem

    def _derived(self, names: Sequence[str]) -> list[Derived]:
        """Deterministics with their derivatives, computed once each."""
        for name in names:
            if name not in self._deterministics:
                found = estimated_or_predicted(self._fitted, name)
                self._deterministics[name] = found.at_estimate(self._estimate)
        return [self._deterministics[name] for name in names]

    @cached_property
    def _deterministics(self) -> dict[str, Derived]:
        return {}

    @cached_property
    def _shown_deterministics(self) -> list[str]:
        return self._problem.small_deterministics()

    @property
    def _further_names(self) -> tuple[str, ...]:
        """What tables can show besides the parameters."""
        effects, model = self._problem.effects, self._problem.model
        return (*(effects.names if effects else ()), *(d.name for d in model.deterministics))

    @property
    def _dims(self) -> Mapping[str, Sequence[str | None]]:
        """Dims of the named variables that have some."""
        return self._problem.model.named_vars_to_dims
