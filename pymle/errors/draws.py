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
        seen = listing(found) or "no variable"
        return cls(
            f"The draws hold {seen}, but log-densities of this model need {listing(missing)} too. "
            "Draw all free variables of the model, on the natural scale."
        )

    @classmethod
    def shape(cls, name: str, seen: tuple[int, ...], expected: tuple[int, ...]) -> DrawsError:
        """A variable whose draws have another shape than the model gives it.

        Parameters
        ----------
        name : str
        seen, expected : tuple of int
            Without the dims of the draws.

        Returns
        -------
        DrawsError
        """
        return cls(
            f"Each draw of `{name}` has shape {seen}, the model gives it {expected}. Were the "
            "draws made with other data, or by another model?"
        )
