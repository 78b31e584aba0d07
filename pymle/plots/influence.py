"""Pictures of influence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def draw_stems(
    series: Mapping[str, np.ndarray], labels: Sequence[str], ax: Any = None, mark: int = 3
) -> Any:
    """One stem for each unit, the largest in size labelled.

    Parameters
    ----------
    series : mapping of str to numpy.ndarray, shape (n,)
        Values by name.
    labels : sequence of str
        Of the units.
    ax : matplotlib.axes.Axes, optional
    mark : int
        How many of the largest of each series are labelled.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(figsize=(8, 3.5))
    for i, (name, values) in enumerate(series.items()):
        places = np.arange(len(values)) + 0.2 * i
        ax.vlines(places, 0.0, values, color=f"C{i}", linewidth=1.0)
        ax.plot(places, values, "o", color=f"C{i}", markersize=3.0, label=name)
        size = np.where(np.isfinite(values), np.abs(values), -1.0)
        for place in np.argsort(size)[::-1][: max(mark, 0)]:
            if size[place] < 0:
                continue
            ax.annotate(
                labels[place],
                (places[place], values[place]),
                xytext=(3, 3),
                textcoords="offset points",
                fontsize="small",
            )
    ax.axhline(0.0, color="0.6", linewidth=0.8)
    ax.set_xlabel("unit")
    if len(series) == 1:
        ax.set_ylabel(next(iter(series)))
    else:
        ax.legend(fontsize="small")
    return ax
