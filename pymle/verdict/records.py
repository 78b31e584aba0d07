"""The closed list of what a fit can turn out to be, and the record that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """What a fit turned out to be.

    Attributes
    ----------
    MAXIMUM
        A strict local maximum to rounding error; the only certified status.
    BOUNDARY
        The log-likelihood rises up to the edge of a support.
    SUPPORT
        The maximum lies at the edge of a support that depends on parameters.
    NO_MAXIMUM
        It keeps rising as a parameter goes to infinity.
    FLAT
        It does not change along a direction: parameters are not identified.
    SADDLE
        The score is zero, but some direction leads upwards.
    KINK
        The slope jumps at the highest point: no curvature.
    NOT_CONVERGED
        The search stopped before it reached a maximum.
    LOCAL
        A strict local maximum that too few of the searches from other starts reached.
    SEVERAL
        A strict local maximum; another one has the same log-likelihood.
    HIGHER_ELSEWHERE
        A strict local maximum; an unfinished search from another start got higher.
    DERIVATIVE_FREE
        Found without a gradient, so that nothing can be certified.
    NOISY
        It differs between evaluations, or by rounding, too much for a maximum to be found.
    INCONSISTENT
        Value, score and curvature disagree with each other.
    """

    MAXIMUM = "maximum"
    BOUNDARY = "boundary"
    SUPPORT = "edge of the support"
    NO_MAXIMUM = "no maximum"
    FLAT = "flat direction"
    SADDLE = "saddle"
    KINK = "kink"
    NOT_CONVERGED = "not converged"
    LOCAL = "local maximum"
    SEVERAL = "several maxima"
    HIGHER_ELSEWHERE = "higher elsewhere"
    DERIVATIVE_FREE = "derivative-free"
    NOISY = "numerical noise"
    INCONSISTENT = "inconsistent derivatives"

    @property
    def sentence(self) -> str:
        """The status in one sentence."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.MAXIMUM: "A strict local maximum to rounding error.",
    Status.BOUNDARY: (
        "The log-likelihood rises up to the edge of the support of at least one parameter: "
        "the maximum lies on the boundary, where standard errors are not defined."
    ),
    Status.SUPPORT: (
        "The support of the data depends on at least one parameter, and the log-likelihood rises "
        "up to the value beyond which the data are impossible: the estimate lies at that edge, "
        "where the score is not zero and normal theory does not hold."
    ),
    Status.NO_MAXIMUM: (
        "The log-likelihood keeps rising as at least one parameter goes to infinity: no finite "
        "maximum exists, and the numbers below are where the search stopped."
    ),
    Status.FLAT: (
        "The log-likelihood does not change along at least one direction: the parameters in it "
        "are not identified by these data."
    ),
    Status.SADDLE: (
        "The score vanishes but the log-likelihood curves upwards in some direction: this is no "
        "maximum."
    ),
    Status.KINK: (
        "The log-likelihood has its highest point at a kink, where its slope jumps: curvature, "
        "and standard errors from it, do not exist there."
    ),
    Status.NOT_CONVERGED: "The search stopped before it reached a maximum.",
    Status.LOCAL: (
        "A strict local maximum to rounding error, but searches from other starts ended at many "
        "different places and too few reached it: a higher maximum may exist."
    ),
    Status.SEVERAL: (
        "A strict local maximum, but different maxima with the same log-likelihood were found: "
        "the data do not choose between them."
    ),
    Status.HIGHER_ELSEWHERE: (
        "A search from another start reached a higher log-likelihood without converging: the "
        "local maximum reported is not the highest point."
    ),
    Status.DERIVATIVE_FREE: (
        "The log-likelihood has no gradient: searches without one agree on this point, but it "
        "cannot be certified and its curvature is not exact."
    ),
    Status.NOISY: (
        "The log-likelihood is not reproducible enough for its maximum to be located: it differs "
        "between evaluations at the same point, or by rounding between neighbouring points."
    ),
    Status.INCONSISTENT: (
        "Value, score and curvature of the log-likelihood disagree with each other near the "
        "point: a derivative is wrong or the log-likelihood is not smooth there."
    ),
}


@dataclass(frozen=True)
class Verdict:
    """Status of a fit with the evidence for it.

    Attributes
    ----------
    status : Status
        Compares equal to its text, such as ``"maximum"``.
    evidence : mapping of str to value
        ``score_in_se`` (square root of twice the expected gain), ``expected_gain`` (in
        log-likelihood), ``eigenvalue_min``, ``eigenvalue_max`` (of the information scaled
        to a unit diagonal), ``starts`` (in words), ``derivative_check`` (largest relative
        disagreement of value, score and curvature).
    advice : str
        What to do, in words; empty for a maximum without remarks.
    parameters : mapping of str to float
        Labels in the offending direction with their weights (largest is one in size).
    """

    status: Status
    evidence: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the point is certified as a strict local maximum to rounding error."""
        return self.status is Status.MAXIMUM

    @property
    def unbounded(self) -> bool:
        """Whether the log-likelihood was seen to grow without bound where the search ended.

        Its value is then where the search stopped, and nothing can be compared with it.
        """
        seen = "growth" in self.evidence or bool(self.evidence.get("unbounded"))
        return self.status is Status.NO_MAXIMUM and seen

    def direction(self, quote: str = "") -> str:
        """The offending direction in words, six parts of it and the number of others.

        Parameters
        ----------
        quote : str
            Put around names.

        Returns
        -------
        str
            Entries of one variable that take part alike are one part: ``w (-1, 17 entries)``.
        """
        alike: dict[str, list[float]] = {}
        for label, weight in self.parameters.items():
            alike.setdefault(label.split("[")[0], []).append(weight)
        parts: dict[str, None] = {}
        for label, weight in self.parameters.items():
            stem = label.split("[")[0]
            weights = alike[stem]
            if len(weights) > 2 and max(weights) - min(weights) < 5e-3 * max(map(abs, weights)):
                parts[f"{quote}{stem}{quote} ({weight:+.2g}, {len(weights)} entries)"] = None
                alike[stem] = []
            elif weights:
                parts[f"{quote}{label}{quote} ({weight:+.2g})"] = None
        more = f" and {len(parts) - 6} more" if len(parts) > 6 else ""
        return ", ".join(list(parts)[:6]) + more

    def __str__(self) -> str:
        text = f"{self.status.value}: {self.status.sentence}"
        if self.parameters:
            text += f" Direction: {self.direction('`')}."
        return f"{text} {self.advice}".strip()
