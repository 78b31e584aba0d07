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
