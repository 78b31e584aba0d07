"""Profiles as pictures: the signed root and the log-likelihood, with the quadratic beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

#: Places are drawn up to this multiple of the cut-off.
_SHOWN = 1.5


def draw_profile(profile: Any, ax: Any = None, scale: str = "both") -> Any:
    """One profile.

    Parameters
    ----------
    profile : Profile
        Or anything with its attributes.
    ax : matplotlib.axes.Axes or sequence of two, optional
    scale : {"both", "root", "loglik"}

    Returns
    -------
    matplotlib.axes.Axes or numpy.ndarray of two
    """
    if scale not in ("both", "root", "loglik"):
        raise ValueError(f'scale = {scale!r}: expected "both", "root" or "loglik".')
    if scale == "both":
        if ax is None:
            from matplotlib import pyplot as plt

            ax = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")[1]
        pair = np.ravel(np.asarray(ax, dtype=object))
        if len(pair) != 2:
            raise ValueError('scale="both" draws two panels: pass two Axes as `ax`.')
        _draw(pair[0], profile, "root")
        _draw(pair[1], profile, "loglik")
        return pair
    if ax is None:
        from matplotlib import pyplot as plt

        ax = plt.subplots(figsize=(5, 3.6), layout="constrained")[1]
    _draw(ax, profile, scale)
    return ax


def draw_profiles(profiles: Sequence[Any], axes: Any = None, scale: str = "root") -> Any:
    """Several profiles, one panel each.

    Parameters
    ----------
    profiles : sequence of Profile
    axes : sequence of matplotlib.axes.Axes, optional
    scale : {"root", "loglik"}

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes
    """
    if scale not in ("root", "loglik"):
        raise ValueError(f'scale = {scale!r}: expected "root" or "loglik".')
    if axes is None:
        from matplotlib import pyplot as plt

        columns = min(3, max(len(profiles), 1))
        rows = max(-(-len(profiles) // columns), 1)
        size = (3.6 * columns, 2.9 * rows)
        axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)[1]
    flat = np.ravel(np.asarray(axes, dtype=object))
    for panel, profile in zip(flat, profiles, strict=False):
        _draw(panel, profile, scale)
    for panel in flat[len(profiles) :]:
        panel.set_visible(False)
    return flat[: len(profiles)]


def _draw(ax: Any, profile: Any, scale: str) -> None:
    grid, height = _smooth(profile)
    top, cutoff = profile.loglik, profile.cutoff
    fall = np.maximum(2.0 * (top - height), 0.0)
    root = np.sign(grid - profile.estimate) * np.sqrt(fall)
    drawn = root if scale == "root" else height - top
    marks = profile.root if scale == "root" else profile.profile - top
    ax.plot(grid, drawn, color="C0", lw=2, label="profile")
    shown = (profile.value >= grid[0]) & (profile.value <= grid[-1])
    ax.plot(profile.value[shown], marks[shown], "o", ms=3.5, color="C0")
    if np.isfinite(profile.se) and profile.se > 0.0:
        z = (grid - profile.estimate) / profile.se
        wald = z if scale == "root" else -0.5 * z**2
        low, high = np.nanmin(drawn), np.nanmax(drawn)
        slack = 0.2 * (high - low)
        wald = np.where((wald > low - slack) & (wald < high + slack), wald, np.nan)
        ax.plot(grid, wald, color="0.45", ls="--", label="quadratic (Wald)")
    levels = (-cutoff, cutoff) if scale == "root" else (-0.5 * cutoff**2,)
    for level in levels:
        ax.axhline(level, color="C3", lw=0.8)
    for limit in (profile.lower, profile.upper):
        if np.isfinite(limit):
            ax.axvline(limit, color="C3", lw=0.8, ls=":")
    ax.set_xlabel(profile.label)
    ax.set_ylabel("signed root" if scale == "root" else "log-likelihood below the maximum")
    ax.legend(frameon=False, fontsize="small")
    ax.spines[["top", "right"]].set_visible(False)


def _smooth(profile: Any) -> tuple[np.ndarray, np.ndarray]:
    """The profile log-likelihood on a fine grid: cubic pieces with the exact slopes."""
    keep = np.isfinite(profile.profile) & np.isfinite(profile.value)
    keep &= np.abs(profile.root) <= _SHOWN * profile.cutoff
    value, height, slope = profile.value[keep], profile.profile[keep], profile.slope[keep]
    order = np.flatnonzero(np.diff(value, prepend=-np.inf) > 0)
    value, height, slope = value[order], height[order], slope[order]
    if len(value) < 2:
        return value, height
    grid = np.linspace(value[0], value[-1], 400)
    if np.all(np.isfinite(slope)):
        from scipy.interpolate import CubicHermiteSpline

        return grid, CubicHermiteSpline(value, height, slope)(grid)
    from scipy.interpolate import PchipInterpolator

    return grid, PchipInterpolator(value, height)(grid)
