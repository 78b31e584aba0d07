"""A fit read from a file: what it says, without its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pymle import report
from pymle.errors import AnalysisError
from pymle.errors.stored import NeedsModelError
from pymle.estimate import Estimate
from pymle.fit.fit import Fit
from pymle.fit.readings import Readings
from pymle.inference import Covariance, Derived
from pymle.inference.constraints import constraint_table
from pymle.inference.effects import RandomEffects, effects_table
from pymle.model.layout import label_array
from pymle.model.roles import Roles
from pymle.stored.content import Content


class SavedFit(Readings):
    """What a file says about a fit; made by `pymle.load`.

    Tables, points and text are those of the fit that was saved. What needs the model (profiles,
    bootstrap, predictions, tests, draws) raises and says how to load the fit with it.

    Parameters
    ----------
    content : Content
    path : Path
    """

    def __init__(self, content: Content, path: Path) -> None:
        self._content, self._path = content, path

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the software that made the fit."""
        return dict(self._content.versions)

    @property
    def roles(self) -> Roles:
        """The roles table of the model."""
        return self._content.roles

    @property
    def integrated(self) -> str:
        """What was integrated out and how, in words; empty where nothing was."""
        return self._content.integrated

    @cached_property
    def params(self) -> xr.Dataset:
        """Estimates on the natural scale, with the model's dims and coords."""
        layout, arrays = self._estimate.layout, {}
        for block in layout.blocks:
            arrays[block.name] = self._labelled(block.name, self._content.point[block.name])
        return xr.Dataset(arrays)

    @property
    def point(self) -> dict[str, np.ndarray]:
        """Natural-scale point by variable name, usable as ``pm.sample(initvals=...)``.

        Random effects and missing values are at their conditional modes.
        """
        return {name: np.array(value) for name, value in self._content.point.items()}

    @property
    def observed_data(self) -> xr.Dataset:
        """The observations of the fit."""
        return self._labelled_all(self._content.observed)

    @property
    def constant_data(self) -> xr.Dataset:
        """The other data of the fit."""
        return self._labelled_all(self._content.constant)

    def summary(
        self,
        var_names: Sequence[str] | str | None = None,
        filter_vars: str | None = None,
        coords: Mapping[str, Any] | None = None,
        level: float = 0.95,
        *,
        cov: str | None = None,
        clusters: Any = None,
        cov_kwds: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Estimates with standard errors, tests against zero and Wald limits.

        Parameters
        ----------
        var_names, filter_vars, coords, level
            As in `Fit.summary`. Of the Deterministics those are known that the fit shows by
            default.
        cov, clusters, cov_kwds : None
            Other covariances need the model.

        Returns
        -------
        pandas.DataFrame
            As of `Fit.summary`.

        Raises
        ------
        AnalysisError
            As `Fit.summary`; another covariance, or a fit of thousands of parameters that was
            saved without its information.
        """
        self._check_covariance("summary", cov, clusters, cov_kwds)
        covariance = self._covariance_record(None, None)
        return report.summary_table(self, var_names, filter_vars, coords, level, covariance)

    def conf_int(
        self,
        var_names: Sequence[str] | str | None = None,
        filter_vars: str | None = None,
        coords: Mapping[str, Any] | None = None,
        level: float = 0.95,
        method: str = "wald",
        *,
        cov: str | None = None,
        clusters: Any = None,
        cov_kwds: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> pd.DataFrame:
        """Wald limits.

        Parameters
        ----------
        var_names, filter_vars, coords, level
            As in `Fit.conf_int`.
        method : {"wald"}
            Others need the model.
        cov, clusters, cov_kwds, **others
            Need the model.

        Returns
        -------
        pandas.DataFrame
            Columns ``lower``, ``upper`` and ``scale``.

        Raises
        ------
        AnalysisError
            As `summary`, and for other methods.
        """
        self._check_covariance("conf_int", cov, clusters, cov_kwds)
        if method != "wald" or others:
            raise NeedsModelError.of(f'conf_int(method="{method}")', str(self._path))
        covariance = self._covariance_record(None, None)
        table = report.full_table(self, var_names, filter_vars, coords, level, covariance)
        return table[["lower", "upper", "scale"]]

    def covariance(self, cov: str | None = None, scale: str = "natural") -> pd.DataFrame:
        """Covariance of the estimates.

        Parameters
        ----------
        cov : None or str
            The one that the fit's tables rest on; others need the model.
        scale : {"natural", "unconstrained"}

        Returns
        -------
        pandas.DataFrame
            As of `Fit.covariance`.

        Raises
        ------
        AnalysisError
            Another covariance, or an unknown scale.
        """
        if cov in ("natural", "unconstrained"):
            cov, scale = None, str(cov)
        record = self._covariance_record(None, None)
        if record is None:
            text = "posterior curvature" if self.objective == "map" else "observed information"
            record = Covariance(self._estimate, "observed", text)
        if cov not in (None, record.name):
            raise NeedsModelError.of(f"covariance({cov!r})", str(self._path))
        return report.covariance_table(self._estimate, record, scale)

    def correlation(self, cov: str | None = None, scale: str = "natural") -> pd.DataFrame:
        """Correlation of the estimates, from `covariance`.

        Parameters
        ----------
        cov, scale
            As in `covariance`.

        Returns
        -------
        pandas.DataFrame
        """
        return report.correlation_table(self.covariance(cov, scale))

    @property
    def constraints(self) -> pd.DataFrame:
        """The constraints, as `Fit.constraints`."""
        return constraint_table(self._estimate)

    def random_effects(self, level: float = 0.95) -> RandomEffects:
        """Conditional modes of random effects and missing values, with standard errors.

        Parameters
        ----------
        level : float
            Coverage of the limits, in (0, 1).

        Returns
        -------
        RandomEffects
            As of `Fit.random_effects`.

        Raises
        ------
        AnalysisError
            A fit in which nothing was integrated out, or a level outside (0, 1).
        """
        if not 0.0 < level < 1.0:
            raise AnalysisError.argument("level", level, "a number between 0 and 1")
        predicted = self._content.predicted
        if not predicted:
            raise AnalysisError(
                "This fit has no random effects: nothing was integrated out (see `.roles`)."
            )
        shapes = {item.name: self._content.point[item.name].shape for item in predicted}
        covariance = self._content.covariance
        return effects_table(self._estimate, predicted, shapes, self._labelled, level, covariance)

    @property
    def _estimate(self) -> Estimate:
        return self._content.estimate

    @property
    def _further_names(self) -> tuple[str, ...]:
        content = self._content
        return tuple(item.name for item in (*content.effects, *content.deterministics))

    @property
    def _dims(self) -> Mapping[str, Sequence[str | None]]:
        return self._content.dims

    @property
    def _shown_deterministics(self) -> list[str]:
        return [item.name for item in self._content.deterministics]

    def _derived(self, names: Sequence[str]) -> list[Derived]:
        known = {
            item.name: item for item in (*self._content.effects, *self._content.deterministics)
        }
        return [known[name] for name in names]

    def _covariance_record(self, *_: Any) -> Covariance | None:
        return self._content.covariance

    def _check_covariance(self, what: str, cov: Any, clusters: Any, cov_kwds: Any) -> None:
        if cov is not None or clusters is not None or cov_kwds:
            raise NeedsModelError.of(f"{what}(cov=...)", str(self._path))
        if not self._content.whole:
            raise NeedsModelError.of(f"{what}()", str(self._path))

    def _labelled(self, name: str, value: np.ndarray) -> xr.DataArray:
        dims = tuple(self._content.dims.get(name) or ())[: value.ndim]
        return label_array(name, value, dims, self._estimate.layout.coords)

    def _labelled_all(self, arrays: Mapping[str, np.ndarray]) -> xr.Dataset:
        return xr.Dataset({name: self._labelled(name, array) for name, array in arrays.items()})

    def __getattr__(self, name: str) -> Any:
        # What a fit can do and this cannot: an AttributeError too, so that `hasattr` is right.
        if not name.startswith("_") and hasattr(Fit, name):
            raise NeedsModelError.of(name, str(self.__dict__.get("_path", "")))
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def __repr__(self) -> str:
        return self._content.printed

    def _repr_html_(self) -> str:
        return self._content.html
