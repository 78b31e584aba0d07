"""Records of profiles: limits with a flag for each side, and the places that were evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Contour", "Curve", "Flag", "Profile", "Profiles"]

COLUMNS = ["estimate", "lower", "upper", "lower_flag", "upper_flag"]


class Flag(StrEnum):
    """What a limit is.

    Attributes
    ----------
    FOUND
        The likelihood ratio reaches its cut-off there.
    WALD
        The Wald limit, the likelihood being quadratic enough (``method="auto"``).
    UNBOUNDED
        It stays below the cut-off however far the parameter goes: the limit is infinite.
    EDGE
        It stays below the cut-off up to the edge of the support, which is the limit.
    WORK
        Not found within the limit of work, or no maximum was found on the way; nan.
    INTERRUPTED
        Stopped by the user before this limit was found; nan.
    HIGHER
        A higher likelihood was found from which no profile can be made; nan.
    """

    FOUND = "found"
    WALD = "wald"
    UNBOUNDED = "unbounded"
    EDGE = "edge"
    WORK = "limit of work"
    INTERRUPTED = "interrupted"
    HIGHER = "higher likelihood"


@dataclass(frozen=True, eq=False)
class Profile:
    """The profile likelihood of one scalar, and its limits.

    Attributes
    ----------
    label : str
    level : float
        Nominal coverage.
    cutoff : float
        Signed root at the limits, the square root of the chi-squared(1) quantile unless it
        was calibrated.
    estimate, se, loglik : float
        At the maximum to which the limits belong: the better fit's, if one was found. ``se``
        is nan where no curvature gives one.
    lower, upper : float
        Limits on the natural scale.
    lower_flag, upper_flag : Flag
    monotone : bool
        The log-likelihood falls on both sides, as far as it was evaluated. If not, the limits
        are the first crossings on the way out, and the set of values that the likelihood ratio
        accepts may go on beyond them.
    elsewhere : bool
        The fit met another maximum that the likelihood ratio accepts too, with a value outside
        the limits (permuted components of a mixture, for one).
    scale : str
        Scale on which the profile was followed: ``identity``, ``log`` or ``logit``.
    value : numpy.ndarray, shape (n,)
        Values at which the profile was evaluated, in increasing order, the estimate among them.
    profile : numpy.ndarray, shape (n,)
        Profile log-likelihood.
    root : numpy.ndarray, shape (n,)
        Signed root of the likelihood ratio.
    slope : numpy.ndarray, shape (n,)
        Derivative of the profile log-likelihood with respect to the value.
    others : numpy.ndarray, shape (n, m)
        Estimates of all parameters there, natural scale.
    names : tuple of str
        Their labels.
    evaluations : mapping of str to int
        Calls of the log-likelihood's functions.
    places : int
        Constrained maximisations.
    nonquadratic : float
        Relative distance of the signed root from its quadratic value at the Wald limits, the
        larger of the two (see `pymle.inference.quadratic`); nan where it was not asked for.
    calibration : str
        Where the cut-off comes from.
    better_fit : Fit or None
        A fit with a higher log-likelihood that the profile met.
    """

    label: str
    level: float
    cutoff: float
    estimate: float
    se: float
    loglik: float
    lower: float
    upper: float
    lower_flag: Flag
    upper_flag: Flag
    monotone: bool
    elsewhere: bool
    scale: str
    value: np.ndarray
    profile: np.ndarray
    root: np.ndarray
    slope: np.ndarray
    others: np.ndarray
    names: tuple[str, ...]
    evaluations: Mapping[str, int]
    places: int
    nonquadratic: float = float("nan")
    calibration: str = "chi-squared(1)"
    better_fit: Any = None
    _again: Callable[..., Profile] | None = field(default=None, repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """Estimate and limits with their flags: one row, the label its index."""
        row = [self.estimate, self.lower, self.upper, self.lower_flag.value, self.upper_flag.value]
        return pd.DataFrame([row], index=[self.label], columns=COLUMNS)

    @property
    def points(self) -> pd.DataFrame:
        """The evaluated places: value, log-likelihood, signed root, all parameters there."""
        frame = pd.DataFrame(
            {self.label: self.value, "loglik": self.profile, "signed_root": self.root}
        )
        others = pd.DataFrame(self.others, columns=list(self.names))
        return pd.concat([frame, others.drop(columns=[self.label], errors="ignore")], axis=1)

    def trace(self, places: int = 8) -> Profile:
        """The same profile with its curve evaluated, a little beyond the limits.

        Parameters
        ----------
        places : int
            On each side, evenly spaced in the signed root.

        Returns
        -------
        Profile
        """
        return self if self._again is None else self._again(places)

    def plot(self, ax: Any = None, *, scale: str = "both") -> Any:
        """Draw the profile with its limits, and the quadratic (Wald) one beside it.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or sequence of two, optional
        scale : {"both", "root", "loglik"}
            The signed root (straight where the likelihood is quadratic), the log-likelihood, or
            one beside the other.

        Returns
        -------
        matplotlib.axes.Axes or numpy.ndarray of two
        """
        from pymle.plots.profile import draw_profile

        return draw_profile(self.trace(), ax, scale)

    def __repr__(self) -> str:
        return _text([self])

    def _repr_html_(self) -> str:
        return self.table.to_html()


@dataclass(frozen=True, eq=False)
class Profiles(Mapping[str, Profile]):
    """Profiles of several scalars, by label.

    Attributes
    ----------
    members : tuple of Profile
    """

    members: tuple[Profile, ...]

    def __getitem__(self, label: str) -> Profile:
        for member in self.members:
            if member.label == label:
                return member
        raise KeyError(label)

    def __iter__(self) -> Iterator[str]:
        return iter([member.label for member in self.members])

    def __len__(self) -> int:
        return len(self.members)

    @property
    def table(self) -> pd.DataFrame:
        """Estimates and limits with their flags, one row each."""
        if not self.members:
            return pd.DataFrame(columns=COLUMNS)
        return pd.concat([member.table for member in self.members])

    @property
    def better_fit(self) -> Any:
        """A fit with a higher log-likelihood that a profile met, or None."""
        return next((m.better_fit for m in self.members if m.better_fit is not None), None)

    @property
    def evaluations(self) -> dict[str, int]:
        """Calls of the log-likelihood's functions, all profiles together."""
        total: dict[str, int] = {}
        for member in self.members:
            for name, count in member.evaluations.items():
                total[name] = total.get(name, 0) + count
        return total

    def plot(self, axes: Any = None, *, scale: str = "root") -> Any:
        """Draw all profiles, one panel each.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes, optional
        scale : {"root", "loglik"}

        Returns
        -------
        numpy.ndarray of matplotlib.axes.Axes
        """
        from pymle.plots.profile import draw_profiles

        return draw_profiles([member.trace() for member in self.members], axes, scale)

    def __repr__(self) -> str:
        return _text(self.members)

    def _repr_html_(self) -> str:
        return self.table.to_html()


@dataclass(frozen=True, eq=False)
class Curve:
    """A level curve of the profile log-likelihood of two scalars.

    Attributes
    ----------
    level : float
        Joint nominal coverage.
    cutoff : float
        Root of the chi-squared(2) quantile.
    a, b : numpy.ndarray, shape (n,)
        Natural values along the curve.
    flag : Flag
        ``found`` for a closed curve; ``edge`` or ``unbounded`` for one that runs to an edge of
        the support or away; otherwise why it is not complete.
    """

    level: float
    cutoff: float
    a: np.ndarray
    b: np.ndarray
    flag: Flag

    @property
    def closed(self) -> bool:
        """Whether the curve comes back to its start."""
        return self.flag is Flag.FOUND


@dataclass(frozen=True, eq=False)
class Contour:
    """Joint confidence regions of two scalars.

    Attributes
    ----------
    labels : tuple of two str
    estimate : tuple of two float
    loglik : float
        At the maximum to which the regions belong.
    curves : tuple of Curve
        One for each level, in increasing order.
    evaluations : mapping of str to int
        Calls of the log-likelihood's functions.
    better_fit : Fit or None
        A fit with a higher log-likelihood that was met.
    """

    labels: tuple[str, str]
    estimate: tuple[float, float]
    loglik: float
    curves: tuple[Curve, ...]
    evaluations: Mapping[str, int]
    better_fit: Any = None

    @property
    def table(self) -> pd.DataFrame:
        """All places of all curves, with their level."""
        frames = [
            pd.DataFrame({"level": c.level, self.labels[0]: c.a, self.labels[1]: c.b})
            for c in self.curves
        ]
        columns = ["level", *self.labels]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)

    def plot(self, ax: Any = None) -> Any:
        """Draw the regions.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        matplotlib.axes.Axes
        """
        from pymle.plots.contour import draw_contour

        return draw_contour(self, ax)

    def __repr__(self) -> str:
        lines = [f"Profile likelihood of {self.labels[0]} and {self.labels[1]}, joint regions"]
        for c in self.curves:
            ends = "closed" if c.closed else c.flag.value
            lines.append(f"  {100 * c.level:g}%: {len(c.a)} places, {ends}")
        return "\n".join(lines)


def _text(members: Sequence[Profile]) -> str:
    if not members:
        return "No profiles."
    table = pd.concat([member.table for member in members])
    lines = [f"Profile likelihood, {100 * members[0].level:g}% limits", table.to_string()]
    waved = [m.label for m in members if not m.monotone]
    if waved:
        lines.append(
            f"The log-likelihood does not fall all the way for {', '.join(waved)}: the limits are "
            "the first crossings; see `.plot()`."
        )
    others = [m.label for m in members if m.elsewhere]
    if others:
        lines.append(
            f"The likelihood ratio accepts further values of {', '.join(others)}, around another "
            "maximum that the fit met."
        )
    better = next((m.better_fit for m in members if m.better_fit is not None), None)
    if better is not None:
        lines.append(
            "A higher log-likelihood was met; estimates and limits belong to `.better_fit`."
        )
    return "\n".join(lines)
