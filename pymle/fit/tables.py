"""A fit as tables: summary, limits, covariance, correlation, information; text and HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pymle import report
from pymle.errors import AnalysisError
from pymle.fit.core import Core
from pymle.inference import natural_covariance, unconstrained_covariance


class Tables(Core):
    """Tables of a fit."""

    def summary(
        self,
        var_names: Sequence[str] | str | None = None,
        filter_vars: str | None = None,
        coords: Mapping[str, Any] | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Estimates with standard errors, tests against zero and Wald limits.

        Parameters
        ----------
        var_names : sequence of str or str, optional
            Variables to show, Deterministics included; a name that starts with ``~`` is
            left out. Default: all parameters, and the Deterministics without an
            observation dim and with at most 50 entries.
        filter_vars : {None, "like", "regex"}
            How ``var_names`` are matched: whole names, substrings, or regular expressions.
        coords : mapping of dim to labels, optional
            Keep only entries with these coordinates.
        level : float
            Coverage of the limits, in (0, 1).

        Returns
        -------
        pandas.DataFrame
            Columns ``estimate``, ``se``, ``z``, ``p``, ``lower``, ``upper``; for a MAP fit
            without ``z`` and ``p``, and ``se`` is the posterior curvature's. Natural scale.
            ``z`` and ``p`` are NaN where zero is no interior point of the support.

        Raises
        ------
        AnalysisError
            Unknown names, or a level outside (0, 1).

        Notes
        -----
        Wald limits are valid where the log-likelihood is near to quadratic on the scale
        on which they are formed (see `pymle.inference.wald.wald_limits`).
        """
        return report.summary_table(self, var_names, filter_vars, coords, level)

    def conf_int(
        self,
        var_names: Sequence[str] | str | None = None,
        filter_vars: str | None = None,
        coords: Mapping[str, Any] | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Wald limits.

        Parameters
        ----------
        var_names, filter_vars, coords, level
            As in `summary`.

        Returns
        -------
        pandas.DataFrame
            Columns ``lower``, ``upper`` and ``scale``, the scale on which they are symmetric.
        """
        table = report.full_table(self, var_names, filter_vars, coords, level)
        return table[["lower", "upper", "scale"]]

    def covariance(self, scale: str = "natural") -> pd.DataFrame:
        """Covariance of the estimates from the observed information.

        Parameters
        ----------
        scale : {"natural", "unconstrained"}

        Returns
        -------
        pandas.DataFrame
            Labelled; estimated entries only. NaN where there is no standard error.
            For a MAP fit: inverse posterior curvature.
        """
        layout = self._estimate.layout
        if scale == "unconstrained":
            labels = list(layout.free_labels)
            matrix = unconstrained_covariance(self._estimate)
            return pd.DataFrame(matrix, index=labels, columns=labels)
        if scale != "natural":
            raise AnalysisError.argument("scale", scale, '"natural" or "unconstrained"')
        keep = ~layout.fixed
        labels = [label for label, kept in zip(layout.labels, keep, strict=True) if kept]
        matrix = natural_covariance(self._estimate)[np.ix_(keep, keep)]
        return pd.DataFrame(matrix, index=labels, columns=labels)

    def correlation(self, scale: str = "natural") -> pd.DataFrame:
        """Correlation of the estimates, from `covariance`.

        Parameters
        ----------
        scale : {"natural", "unconstrained"}

        Returns
        -------
        pandas.DataFrame
        """
        covariance = self.covariance(scale)
        sd = np.sqrt(np.diagonal(covariance.to_numpy()))
        with np.errstate(invalid="ignore", divide="ignore"):
            matrix = covariance.to_numpy() / np.outer(sd, sd)
        return pd.DataFrame(matrix, index=covariance.index, columns=covariance.columns)

    @property
    def information(self) -> pd.DataFrame:
        """Observed information on the unconstrained scale (MAP: posterior curvature)."""
        labels = list(self._estimate.layout.free_labels)
        if self._estimate.curvature is None:
            raise AnalysisError("This fit has no curvature: its objective has no gradient.")
        matrix = self._estimate.curvature.information
        return pd.DataFrame(matrix, index=labels, columns=labels)

    def __repr__(self) -> str:
        return report.fit_text(self)

    def _repr_html_(self) -> str:
        return report.fit_html(self)
