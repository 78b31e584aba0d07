"""Pictures of a comparison of estimates with a posterior: densities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pymle.errors import AnalysisError
from pymle.plots.posterior import ESTIMATE, MODE, POSTERIOR, PRIOR, legend_place


def draw_densities(panels: Sequence[Any], axes: Any = None) -> Any:
    """Likelihood, prior and posterior, one panel for each scalar.

    Parameters
    ----------
    panels : sequence of Panel
    axes : sequence of matplotlib Axes, optional

    Returns
    -------
    numpy.ndarray of matplotlib Axes
    """
    if axes is None:
        import matplotlib.pyplot as plt

        columns = min(3, max(len(panels), 1))
        lines = -(-max(len(panels), 1) // columns)
        size = (max(3.3 * columns, 5.2), 2.4 * lines + 0.7)
        _, axes = plt.subplots(lines, columns, figsize=size, layout="constrained", squeeze=False)
    axes = np.ravel(np.asarray(axes, dtype=object))
    if len(axes) < len(panels):
        raise AnalysisError.argument("axes", f"{len(axes)} axes", f"{len(panels)}, one for each")
    handles: dict[str, Any] = {}
    for panel, ax in zip(panels, axes, strict=False):
        handles |= _panel(panel, ax)
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    order = ["likelihood", "normal likelihood", "prior", "posterior", "estimate", "MAP"]
    names = [name for name in order if name in handles]
    if names:
        axes[0].figure.legend(
            [handles[n] for n in names],
            [_LEGEND.get(n, n) for n in names],
            loc=legend_place(axes[0].figure),
            ncols=3,
            frameon=False,
            fontsize="small",
        )
    return axes


_LEGEND = {
    "likelihood": "likelihood (profile)",
    "normal likelihood": "likelihood (normal approximation)",
    "estimate": "maximum-likelihood estimate",
}


def _panel(panel: Any, ax: Any) -> dict[str, Any]:
    handles: dict[str, Any] = {}
    top = 0.0
    if panel.posterior is not None:
        x, y = panel.posterior.x, panel.posterior.height
        handles["posterior"] = ax.fill_between(x, y, color=POSTERIOR, alpha=0.3, lw=0)
        ax.plot(x, y, color=POSTERIOR, lw=1.8)
        top = max(top, y.max())
    if panel.likelihood is not None:
        name = "likelihood" if panel.kind == "profile" else "normal likelihood"
        style = "-" if panel.kind == "profile" else (0, (5, 1.5))
        [handles[name]] = ax.plot(
            panel.likelihood.x, panel.likelihood.height, color=ESTIMATE, lw=1.8, ls=style
        )
        top = max(top, panel.likelihood.height.max())
    if panel.prior is not None:
        inside = panel.prior.height
        [handles["prior"]] = ax.plot(panel.prior.x, inside, color=PRIOR, lw=1.6, ls=(0, (2, 1.4)))
        # A prior that rises to infinity at an edge shall not flatten everything else.
        top = max(top, float(np.quantile(inside, 0.9))) if top > 0 else inside.max()
    if np.isfinite(panel.mle):
        handles["estimate"] = ax.axvline(panel.mle, color=ESTIMATE, lw=1.0, ls=":")
    if np.isfinite(panel.map):
        [handles["MAP"]] = ax.plot(
            [panel.map], [0.0], "^", color=MODE, mec="k", mew=0.5, ms=7, clip_on=False, zorder=5,
            ls="none",
        )  # fmt: skip
    ax.set_ylim(0.0, 1.08 * top or 1.0)
    window = _window(panel)
    if window is not None:
        ax.set_xlim(*window)
    ax.set_title(panel.label, fontsize="medium")
    ax.set_yticks([])
    ax.spines[["top", "right", "left"]].set_visible(False)
    return handles


def _window(panel: Any) -> tuple[float, float] | None:
    """What posterior and likelihood span: a prior may go on for ever."""
    ends = []
    for curve in (panel.posterior, panel.likelihood):
        if curve is None:
            continue
        seen = np.flatnonzero(curve.height > 0.004 * curve.height.max())
        ends.append((curve.x[seen[0]], curve.x[seen[-1]]))
    if not ends:
        return None
    low, high = min(a for a, _ in ends), max(b for _, b in ends)
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def draw_ridge(panels: Sequence[Any], of: int, ax: Any = None) -> Any:
    """Posterior densities one above the other, with estimates and limits on their baselines.

    Parameters
    ----------
    panels : sequence of Panel
    of : int
        Entries that there are.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    if ax is None:
        import matplotlib.pyplot as plt

        height = float(np.clip(0.34 * len(panels) + 1.4, 2.4, 16.0))
        _, ax = plt.subplots(figsize=(7.0, height), layout="constrained")
    places = np.arange(len(panels), dtype=float)[::-1]
    tops = [p.posterior.height.max() for p in panels if p.posterior is not None]
    unit = 1.25 / max(tops) if tops else 1.0
    bars = dots = filled = None
    spans, above = [], 2 * len(panels)
    for z, (panel, place) in enumerate(zip(panels, places, strict=True)):
        if panel.posterior is not None:
            x, y = panel.posterior.x, place + unit * panel.posterior.height
            seen = np.flatnonzero(panel.posterior.height > 0.003 * panel.posterior.height.max())
            part = slice(seen[0], seen[-1] + 1)
            filled = ax.fill_between(
                x[part], place, y[part], facecolor=POSTERIOR, alpha=0.45, lw=0, zorder=2 * z
            )
            ax.plot(x[part], y[part], color="white", lw=1.6, zorder=2 * z)
            ax.plot(x[part], y[part], color=POSTERIOR, lw=1.0, zorder=2 * z)
            spans.append((x[part][0], x[part][-1]))
        if np.isfinite(panel.mle):
            bars = ax.hlines(place, panel.lower, panel.upper, color=ESTIMATE, lw=1.6, zorder=above)
            [dots] = ax.plot(
                [panel.mle], [place], "D", color=ESTIMATE, ms=4, ls="none", zorder=above
            )
            spans.append((panel.mle, panel.mle))
    if spans:
        low, high = min(a for a, _ in spans), max(b for _, b in spans)
        margin = 0.04 * (high - low)
        ax.set_xlim(low - margin, high + margin)
        if low < 0.0 < high:
            ax.axvline(0.0, color="0.7", lw=0.8, zorder=-1)
    ax.set_yticks(places, [panel.label for panel in panels])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.5, len(panels) + 0.8)
    ax.spines[["top", "right", "left"]].set_visible(False)
    if len(panels) < of:
        ax.set_title(f"{len(panels)} of {of}, evenly spaced by estimate", fontsize="small")
    pairs = [(filled, "posterior"), ((bars, dots), "estimate with limits")]
    pairs = [(h, t) for h, t in pairs if h is not None and h != (None, None)]
    if pairs:
        ax.figure.legend(
            [h for h, _ in pairs],
            [t for _, t in pairs],
            loc=legend_place(ax.figure),
            ncols=2,
            frameon=False,
            fontsize="small",
        )
    return ax
