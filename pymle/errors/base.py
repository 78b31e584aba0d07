"""The base classes of errors and warnings, and what is raised or warned after a fit."""

from __future__ import annotations


class PymleError(Exception):
    """Base class of every error that pymle raises on purpose."""


class NotCertifiedError(PymleError):
    """Raised with ``on_problem="raise"`` when the fit has no certificate.

    Parameters
    ----------
    text : str
    fit : Fit
        The fit, with its verdict; nothing is lost.
    """

    def __init__(self, text: str, fit: object = None) -> None:
        super().__init__(text)
        self.fit = fit


class PymleWarning(UserWarning):
    """Base class of every warning of pymle."""


class NotCertifiedWarning(PymleWarning):
    """The fit is no certified maximum; the text says why and what to do."""


class Notice(PymleWarning):
    """Something that the user wrote is read in a way worth saying."""

    @classmethod
    def few_replicates(cls, method: str, level: float, labels: list[str], n: int) -> Notice:
        """Limits that ask for more replicates than there are.

        Parameters
        ----------
        method : str
        level : float
        labels : list of str
        n : int
            Replicates.

        Returns
        -------
        Notice
        """
        return cls(
            f"Of {n} replicates the first or last is a {method} limit of "
            f"{', '.join(f'`{label}`' for label in labels)}: the quantile that the level {level:g} "
            "asks for lies beyond it, so that the limit may be too near. Draw more replicates, or "
            "take profile limits."
        )


class BetterFitWarning(PymleWarning):
    """An analysis met a log-likelihood above that of the fit."""

    @classmethod
    def of(cls, label: str, before: float, after: float) -> BetterFitWarning:
        """What a profile met.

        Parameters
        ----------
        label : str
            What was held.
        before, after : float
            Log-likelihoods.

        Returns
        -------
        BetterFitWarning
        """
        return cls(
            f"The profile of `{label}` met the log-likelihood {after:.6f}, above the fit's "
            f"{before:.6f}: that is no global maximum. Where a better fit was found from there, "
            "the limits belong to it: see `.better_fit`, and `start=` of `find_MLE`."
        )
