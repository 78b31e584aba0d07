"""The ends of searches from several starts, best first."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Differences below this are drawn on the floor of the picture.
_FLOOR = 1e-8


def draw_waterfall(starts: Any, ax: Any = None) -> Any:
    """How far below the best each search ended, on a log scale, best first.

    Parameters
    ----------
    starts : Starts
        Or anything with its ``table`` and ``evidence``.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Circles converged, crosses did not; a triangle above the line of the best is an end that
        did not converge and yet is higher. Colours are places: equal colours, one end point.
    """
    if ax is None:
        from matplotlib import pyplot as plt

        ax = plt.subplots(figsize=(6, 3.6), layout="constrained")[1]
    table = starts.table[np.isfinite(starts.table["below"])].sort_values("below", kind="stable")
    below = table["below"].to_numpy()
    converged = table["converged"].to_numpy()
    rank = np.arange(1, len(table) + 1)
    height = np.maximum(below, _FLOOR)
    colours = [f"C{(place - 1) % 10}" if place else "0.6" for place in table["place"]]
    higher = below < -1e-6
    ax.plot(rank, height, color="0.85", lw=1, zorder=1)
    for mark, chosen, text in (
        ("o", converged & ~higher, "converged"),
        ("x", ~converged & ~higher, "did not converge"),
        ("^", higher, "higher, did not converge"),
    ):
        if chosen.any():
            picked = [colour for colour, kept in zip(colours, chosen, strict=True) if kept]
            ax.scatter(rank[chosen], height[chosen], c=picked, marker=mark, zorder=2, label=text)
    ax.set_yscale("log")
    ax.set_ylim(_FLOOR / 3, max(float(height.max()) * 5, 1e-4))
    ax.set_xlabel("search, best first")
    ax.set_ylabel("log-likelihood below the best")
    reached = int(np.sum(converged & (np.abs(below) <= 1e-6)))
    ax.set_title(f"{reached} of {len(starts.table)} searches reached the best", fontsize=10)
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    lost = len(starts.table) - len(table)
    if lost:
        ax.annotate(f"{lost} ended without a finite value", (0.99, 0.9),
                    xycoords="axes fraction", ha="right", fontsize=8)  # fmt: skip
    return ax
