"""Joint confidence regions as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np


def draw_contour(contour: Any, ax: Any = None) -> Any:
    """Level curves around the estimate.

    Parameters
    ----------
    contour : Contour
        Or anything with its attributes.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    if ax is None:
        from matplotlib import pyplot as plt

        ax = plt.subplots(figsize=(4.8, 4.2), layout="constrained")[1]
    for i, curve in enumerate(contour.curves):
        if not len(curve.a):
            continue
        a, b = curve.a, curve.b
        if curve.closed:
            a, b = np.append(a, a[0]), np.append(b, b[0])
        ends = "" if curve.closed else f" ({curve.flag.value})"
        ax.plot(a, b, color=f"C{i}", lw=2, label=f"{100 * curve.level:g}%{ends}")
    ax.plot(*contour.estimate, "+", color="black", ms=9)
    ax.set_xlabel(contour.labels[0])
    ax.set_ylabel(contour.labels[1])
    if contour.curves:
        ax.legend(frameon=False, fontsize="small")
    ax.spines[["top", "right"]].set_visible(False)
    return ax
