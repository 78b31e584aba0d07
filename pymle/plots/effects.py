"""Caterpillar plot of random effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def caterpillar(
    labels: Sequence[str],
    middle: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    *,
    title: str,
    ax: Any = None,
) -> Any:
    """Points with horizontal bars, one below the other, and a line at zero.

    Parameters
    ----------
    labels : sequence of str
    middle, lower, upper : numpy.ndarray, shape (n,)
    title : str
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    if ax is None:
        from matplotlib import pyplot

        height = min(max(2.0, 0.22 * len(labels) + 1.0), 14.0)
        _, ax = pyplot.subplots(figsize=(6.0, height), layout="constrained")
    places = np.arange(len(labels))
    ax.hlines(places, lower, upper, color="0.6", linewidth=1.5)
    ax.plot(middle, places, "o", color="C0", markersize=4)
    if np.nanmin(lower) < 0.0 < np.nanmax(upper):
        ax.axvline(0.0, color="0.3", linewidth=0.8, linestyle=":")
    if len(labels) <= 80:
        ax.set_yticks(places, labels)
    else:
        ax.set_yticks([])
    ax.set_title(title)
    return ax
