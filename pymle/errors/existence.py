"""Texts of errors about estimates that do not exist, and about what is offered in their place."""

from __future__ import annotations

from typing import Self


class ExistenceTexts:
    """Constructors of errors about penalties and estimates at the edge of the data's support."""

    @classmethod
    def _said(cls, text: str) -> Self:
        return cls(text)  # type: ignore[call-arg]

    @classmethod
    def cannot_penalise(cls, reason: str) -> Self:
        """A model whose expected information is no finite sum.

        Parameters
        ----------
        reason : str
            What stands in the way.

        Returns
        -------
        AnalysisError
        """
        return cls._said(
            'penalty="firth" adds half the log-determinant of the expected information, which is '
            f"exact as a sum over finitely many outcomes; here {reason}. Keep weakly informative "
            "priors with `pymle.find_MAP`, or leave `penalty=` out."
        )

    @classmethod
    def penalty_with(cls, what: str) -> Self:
        """An argument that does not go with a penalty.

        Parameters
        ----------
        what : str
            The argument.

        Returns
        -------
        AnalysisError
        """
        return cls._said(
            f'penalty="firth" is not offered together with {what}. Leave one of the two out, or '
            "keep weakly informative priors with `pymle.find_MAP`."
        )

    @classmethod
    def unbounded(cls, what: str) -> Self:
        """A number that stands on the height of a maximum, of a likelihood that has none.

        Parameters
        ----------
        what : str
            The quantity, as the subject of a sentence.

        Returns
        -------
        AnalysisError
        """
        return cls._said(
            f"{what} has no value here: the log-likelihood grows without bound, and `fit.loglik` "
            "is where the search stopped. Mend the model as `fit.verdict.advice` says."
        )
