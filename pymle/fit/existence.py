"""What is known about the maximum of a fit: its starts, and a verdict with profiles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pymle.fit.core import Core
from pymle.inference.starts import Starts, starts_of

if TYPE_CHECKING:
    from pymle.verdict import Verdict


class Existence(Core):
    """Evidence on the maximum."""

    profile: Any

    @cached_property
    def starts(self) -> Starts:
        """The searches of this fit: a table, the share that reached the best, a waterfall plot.

        Notes
        -----
        Agreement of searches is evidence on a global maximum only where they began apart from
        each other and converged with a negative curvature; it never is a proof.
        """
        return starts_of(self._fitted)

    def assess(
        self,
        what: str | Sequence[str] | None = None,
        level: float = 0.95,
        *,
        progressbar: bool = True,
    ) -> Verdict:
        """The verdict with the evidence of profiles added.

        Parameters
        ----------
        what : str or sequence of str, optional
            What to profile, as in `profile`; by default all parameters.
        level : float
            Level of the threshold that a profile has to cross on both sides.
        progressbar : bool
            Show how far it is.

        Returns
        -------
        Verdict
            A new one: the fit and its own verdict stay. Evidence ``profiles`` says for each
            label what its limits are, ``weakly_identified`` names those whose profile does not
            cross the threshold on a side. Where a profile met a higher log-likelihood, a maximum
            becomes a ``local maximum``.

        Raises
        ------
        AnalysisError
            As `profile`: a MAP fit, sampling weights, a fit without a maximum.

        Notes
        -----
        Costs the profiles: a few refits of the other parameters for each limit. A positive
        definite information says that a maximum is strict, not that the data bound a parameter:
        the log-likelihood may level off a few standard errors away [1]_.

        References
        ----------
        .. [1] Raue et al. (2009), Structural and practical identifiability analysis of partially
           observed dynamical models by exploiting the profile likelihood, section 2.
           doi:10.1093/bioinformatics/btp358
        """
        from pymle.inference.assess import with_profiles

        found = self.profile(what, level, progressbar=progressbar)
        profiles = dict(found.items()) if hasattr(found, "items") else {found.label: found}
        return with_profiles(self._estimate.verdict, profiles)
