"""Residuals as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np


def plot_residuals(residual: np.ndarray, fitted: np.ndarray, kind: str, axes: Any = None) -> Any:
    """A normal quantile plot beside residuals against fitted means.

    Parameters
    ----------
    residual, fitted : numpy.ndarray, shape (n,)
    kind : str
        For the labels.
    axes : sequence of two matplotlib Axes, optional
        New ones by default.

    Returns
    -------
    numpy.ndarray of matplotlib Axes, shape (2,)

    Notes
    -----
    The band around the line of the quantile plot holds 95% of each order statistic of as many
    independent standard normal values (quantiles of the beta distribution). Only quantile
    residuals have that distribution.
    """
    from scipy.stats import beta, norm

    if axes is None:
        import matplotlib.pyplot as plt

        _, axes = plt.subplots(1, 2, figsize=(9.0, 4.0), layout="constrained")
    left, right = axes = np.ravel(axes)
    finite = np.isfinite(residual)
    ordered = np.sort(residual[finite])
    count = len(ordered)
    places = np.arange(1, count + 1)
    expected = norm.ppf((places - 0.5) / count)
    if kind == "quantile":
        ends = norm.ppf(beta.ppf([[0.025], [0.975]], places, count + 1 - places))
        left.fill_between(expected, ends[0], ends[1], color="0.88", linewidth=0)
        left.plot(expected, expected, color="0.4", linewidth=1.0)
    left.plot(expected, ordered, ".", markersize=4, color="C0")
    left.set(xlabel="standard normal quantiles", ylabel=f"{kind} residuals")
    right.axhline(0.0, color="0.4", linewidth=1.0)
    right.plot(fitted[finite], residual[finite], ".", markersize=4, color="C0")
    right.set(xlabel="fitted mean", ylabel=f"{kind} residuals")
    return axes
