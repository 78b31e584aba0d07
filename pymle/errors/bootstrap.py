"""Texts of errors about the bootstrap."""

from __future__ import annotations

from typing import Any, Self


class BootstrapTexts:
    """Constructors that `AnalysisError` inherits."""

    @classmethod
    def _of_bootstrap(cls, text: str) -> Any:
        return cls(text)  # type: ignore[call-arg]

    @classmethod
    def bootstrap(cls, why: str) -> Self:
        """A bootstrap that has no meaning here.

        Parameters
        ----------
        why : str
            The reason, with what to do instead.

        Returns
        -------
        AnalysisError
        """
        return cls._of_bootstrap(f"The bootstrap: {why}.")

    @classmethod
    def bootstrap_needs_maximum(cls, status: str, sentence: str) -> Self:
        """A bootstrap of a fit that is none.

        Parameters
        ----------
        status : str
            The verdict's status.
        sentence : str
            What it means.

        Returns
        -------
        AnalysisError
        """
        return cls._of_bootstrap(
            f"The bootstrap refits from the estimate, and this fit has none to start from "
            f'("{status}": {sentence}) Mend the fit first; `fit.verdict.advice` says how.'
        )

    @classmethod
    def no_replicates(cls, failed: str) -> Self:
        """Not a single refit can be used.

        Parameters
        ----------
        failed : str
            What became of them.

        Returns
        -------
        AnalysisError
        """
        return cls._of_bootstrap(f"No limits: of the refits none can be used ({failed}).")
