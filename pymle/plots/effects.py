"""Caterpillar plots of random effects and of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pymle.errors import AnalysisError

#: Rows beyond which labels would lie on each other.
_LABELLED = 80


def caterpillar(
    labels: Sequence[str],
    middle: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    *,
    title: str,
    outer: tuple[np.ndarray, np.ndarray] | None = None,
    ax: Any = None,
) -> Any:
    """Points with horizontal bars, one below the other, and a line at zero.

    Parameters
    ----------
    labels : sequence of str
    middle, lower, upper : numpy.ndarray, shape (n,)
    title : str
    outer : pair of numpy.ndarray, shape (n,), optional
        Ends of thinner bars.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(figsize=(6.0, _height(len(labels))), layout="constrained")
    places = np.arange(len(labels))
    if outer is not None:
        ax.hlines(places, *outer, color="0.75", linewidth=0.8)
    _bars(ax, places, middle, lower, upper)
    _name(ax, labels)
    ax.set_title(title)
    return ax


def caterpillars(
    labels: Sequence[str],
    terms: Sequence[str],
    middle: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    *,
    title: str,
    axes: Any = None,
) -> np.ndarray:
    """A panel for each term, with the rows in the order of the first.

    Parameters
    ----------
    labels : sequence of str
        Of the rows.
    terms : sequence of str
        Of the panels.
    middle, lower, upper : numpy.ndarray, shape (n, terms)
    title : str
    axes : sequence of matplotlib Axes, optional
        One for each term.

    Returns
    -------
    numpy.ndarray of matplotlib Axes, shape (terms,)

    Raises
    ------
    AnalysisError
        Another number of axes.
    """
    if axes is None:
        from matplotlib import pyplot

        size = (1.2 + 3.2 * len(terms), _height(len(labels)))
        figure, axes = pyplot.subplots(
            1, len(terms), figsize=size, sharey=True, layout="constrained"
        )
        figure.suptitle(title)
    axes = np.ravel(axes)
    if len(axes) != len(terms):
        raise AnalysisError.argument("ax", f"{len(axes)} axes", f"one for each of {list(terms)}")
    order, places = np.argsort(middle[:, 0], kind="stable"), np.arange(len(labels))
    for i, (ax, term) in enumerate(zip(axes, terms, strict=True)):
        _bars(ax, places, *(each[order, i] for each in (middle, lower, upper)))
        ax.set_title(term)
    _name(axes[0], [str(labels[int(i)]) for i in order])
    return axes


def _bars(ax: Any, places: np.ndarray, middle: Any, lower: Any, upper: Any) -> None:
    ax.hlines(places, lower, upper, color="0.6", linewidth=1.5)
    ax.plot(middle, places, "o", color="C0", markersize=4)
    finite = np.concatenate([np.ravel(lower), np.ravel(upper)])
    finite = finite[np.isfinite(finite)]
    if len(finite) and finite.min() < 0.0 < finite.max():
        ax.axvline(0.0, color="0.3", linewidth=0.8, linestyle=":")


def _name(ax: Any, labels: Sequence[str]) -> None:
    if len(labels) <= _LABELLED:
        ax.set_yticks(np.arange(len(labels)), labels)
    else:
        ax.set_yticks([])


def _height(rows: int) -> float:
    return float(min(max(2.0, 0.22 * rows + 1.0), 14.0))
