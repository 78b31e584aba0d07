"""Replicates of a bootstrap as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

#: Panels of one picture.
_MOST = 24


def plot_replicates(
    replicates: np.ndarray,
    estimate: np.ndarray,
    limits: np.ndarray,
    labels: Sequence[str],
    ax: Any = None,
) -> Any:
    """Histograms of replicates with the estimate and limits, one panel for each entry.

    Parameters
    ----------
    replicates : numpy.ndarray, shape (n, m)
        What is not finite is counted in the title.
    estimate : numpy.ndarray, shape (m,)
    limits : numpy.ndarray, shape (m, 2)
    labels : sequence of str
    ax : matplotlib.axes.Axes or sequence of them, optional

    Returns
    -------
    matplotlib.axes.Axes or numpy.ndarray of them
    """
    count = min(len(labels), _MOST)
    if ax is None:
        from matplotlib import pyplot as plt

        columns = min(count, 3)
        rows = -(-count // columns)
        axes = plt.subplots(
            rows, columns, figsize=(3.6 * columns, 2.8 * rows), layout="constrained", squeeze=False
        )[1].ravel()
        for spare in axes[count:]:
            spare.set_visible(False)
        axes = axes[:count]
    else:
        axes = np.ravel(np.asarray(ax, dtype=object))
        if len(axes) != len(labels):
            raise ValueError(f"{len(labels)} entries need as many Axes, and `ax` has {len(axes)}.")
    for j, panel in enumerate(axes):
        _draw(panel, replicates[:, j], estimate[j], limits[j], labels[j])
    return axes[0] if len(axes) == 1 else axes


def _draw(ax: Any, values: np.ndarray, estimate: float, limits: np.ndarray, label: str) -> None:
    finite = values[np.isfinite(values)]
    if len(finite):
        ax.hist(finite, bins="auto", color="0.85", edgecolor="white")
    ax.axvline(estimate, color="C0", lw=2)
    for limit in limits:
        if np.isfinite(limit):
            ax.axvline(limit, color="C0", lw=1, ls="--")
    infinite, failed = int(np.isinf(values).sum()), int(np.isnan(values).sum())
    notes = [f"{infinite} infinite"] * (infinite > 0) + [f"{failed} failed"] * (failed > 0)
    ax.set_title(label + (f" ({', '.join(notes)})" if notes else ""), fontsize="medium")
    ax.set_yticks([])
    ax.spines[["top", "right", "left"]].set_visible(False)
