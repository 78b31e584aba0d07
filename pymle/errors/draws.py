"""Errors about draws that are set beside a fit."""

from __future__ import annotations

from collections.abc import Iterable

from pymle.errors.analysis import AnalysisError
from pymle.errors.words import listing


class DrawsError(AnalysisError):
    """Draws that do not belong to the model of a fit."""

    @classmethod
    def lack(cls, missing: Iterable[str], found: Iterable[str]) -> DrawsError:
        """Variables that the draws do not hold.

        Parameters
        ----------
        missing, found : iterable of str

        Returns
        -------
        DrawsError
        """
        missing = list(missing)
        offsets = any(name.endswith("_offset") for name in missing)
        hint = " (bambi keeps these with `omit_offsets=False`)" if offsets else ""
        seen = listing(found) or "no variable"
        return cls(
            f"The draws hold {seen}, but log-densities of this model need {listing(missing)} too. "
            f"Draw all free variables of the model, on the natural scale{hint}."
        )

    @classmethod
    def centred_intercepts(cls, names: Iterable[str]) -> DrawsError:
        """Draws that bambi returned, beside a PyMC model that may have centred predictors.

        Parameters
        ----------
        names : iterable of str
            The intercepts.

        Returns
        -------
        DrawsError
        """
        return cls(
            f"bambi returned these draws and moved {listing(names)} to predictors that are not "
            "centred, while its PyMC model may have centred ones. Fit the bambi model itself "
            "(`pymle.find_MLE(bambi_model)`): pymle then knows by how much, and moves it back."
        )
