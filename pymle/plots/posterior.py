"""Pictures of a comparison of estimates with a posterior: forest and prior influence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pymle.errors import AnalysisError

#: Colours that differ in lightness too.
ESTIMATE, POSTERIOR, PRIOR, MODE = "#1f4e79", "#c8553d", "#7a7a7a", "#e0a030"
#: Scalars share axes as long as the narrowest interval keeps this share of the whole width.
_NARROW = 0.025
#: Entries of one variable from which they are sorted, and from which they have no labels.
_SORTED, _LABELLED = 25, 60


def draw_forest(rows: pd.DataFrame, level: float, axes: Any = None) -> Any:
    """Estimates with limits above posterior means with intervals, groups on common scales.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of a comparison's table.
    level : float
    axes : sequence of matplotlib Axes, optional
        As many as there are groups.

    Returns
    -------
    numpy.ndarray of matplotlib Axes
    """
    groups = _groups(rows)
    if axes is None:
        import matplotlib.pyplot as plt

        total = sum(_height(group) for group in groups)
        size = float(np.clip(total + 1.1, 2.3, 24.0))
        _, axes = plt.subplots(
            len(groups),
            1,
            figsize=(7.5, size),
            height_ratios=[_height(group) for group in groups],
            layout="constrained",
            squeeze=False,
        )
    axes = np.ravel(np.asarray(axes, dtype=object))
    if len(axes) != len(groups):
        expected = f"{len(groups)}, one for each group of scalars on a common scale"
        raise AnalysisError.argument("axes", f"{len(axes)} axes", expected)
    handles: dict[str, Any] = {}
    for group, ax in zip(groups, axes, strict=True):
        handles |= _forest(group, ax)
    percent = f"{100 * level:g}%"
    profiled = "limits" in rows and (rows["limits"] == "profile").any()
    texts = {
        "mle": f"maximum likelihood, {percent} limits{' (profile)' if profiled else ''}",
        "map": "MAP",
        "mean": f"posterior mean, {percent} highest-density interval",
        "bad": "posterior, chains not converged",
    }
    shown = [name for name in texts if name in handles]
    if shown:
        axes[0].figure.legend(
            [handles[n] for n in shown],
            [texts[n] for n in shown],
            loc=legend_place(axes[0].figure),
            ncols=min(len(shown), 2),
            frameon=False,
            fontsize="small",
        )
    return axes


def _groups(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Consecutive variables that can share a scale; entries of many sorted by their estimates."""
    groups: list[pd.DataFrame] = []
    for _, own in rows.groupby("variable", sort=False):
        part = own
        if len(own) > _SORTED:
            middle = own["mle"].fillna(own["mean"])
            part = own.iloc[np.argsort(-middle.to_numpy(), kind="stable")]
        if groups and _fit_together(pd.concat([groups[-1], part])):
            groups[-1] = pd.concat([groups[-1], part])
        else:
            groups.append(part)
    return groups


def _fit_together(rows: pd.DataFrame) -> bool:
    low, high = _span(rows)
    whole = np.nanmax(high, initial=-np.inf) - np.nanmin(low, initial=np.inf)
    widths = (high - low)[np.isfinite(high - low)]
    widths = widths[widths > 0]
    return len(widths) == 0 or bool(np.median(widths) >= _NARROW * whole <= 40 * widths.min())


def _span(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """From where to where each row reaches; a limit far outside everything else is left out."""
    low = rows[["hdi_lower", "lower", "mle", "map"]].to_numpy(dtype=float)
    high = rows[["hdi_upper", "upper", "mle", "map"]].to_numpy(dtype=float)
    low, high = (np.where(np.isfinite(each), each, np.nan) for each in (low, high))
    with np.errstate(all="ignore"):
        first = np.where(np.isnan(low).all(axis=1), np.nan, np.nanmin(_full(low, np.inf), axis=1))
        last = np.where(np.isnan(high).all(axis=1), np.nan, np.nanmax(_full(high, -np.inf), axis=1))
    return first, last


def _full(values: np.ndarray, other: float) -> np.ndarray:
    """Values with something in the place of nan, so that no row is all nan."""
    return np.where(np.isnan(values), other, values)


def _height(group: pd.DataFrame) -> float:
    """Inches for a group."""
    each = 0.36 if len(group) <= _SORTED else (0.24 if len(group) <= _LABELLED else 0.07)
    return max(each * len(group), 0.5) + 0.45


def _forest(rows: pd.DataFrame, ax: Any) -> dict[str, Any]:
    """One group of rows, the first on top; what a legend needs."""
    dense = len(rows) > _LABELLED
    places = np.arange(len(rows), dtype=float)[::-1]
    gap = 0.16 if not dense else 0.0
    line, dot = (2.2, 5.0) if not dense else (1.0, 2.2)
    handles: dict[str, Any] = {}
    estimate, lower, upper = (rows[c].to_numpy(dtype=float) for c in ("mle", "lower", "upper"))
    mean, hdi_low, hdi_high = (
        rows[c].to_numpy(dtype=float) for c in ("mean", "hdi_lower", "hdi_upper")
    )
    fine = rows["converged"].to_numpy(dtype=bool)
    for name, chosen, alpha in (("mean", fine, 1.0), ("bad", ~fine, 0.35)):
        chosen = chosen & np.isfinite(mean)
        if not chosen.any():
            continue
        y = places[chosen] - gap
        ax.hlines(
            y, hdi_low[chosen], hdi_high[chosen], color=POSTERIOR,
            lw=line if not dense else 2.6, alpha=alpha if not dense else 0.35 * alpha,
        )  # fmt: skip
        ax.plot(mean[chosen], y, "o", color=POSTERIOR, ms=dot, alpha=alpha, ls="none")
        handles[name] = _sample("o", POSTERIOR, 2.2, alpha)
    known = np.isfinite(estimate)
    if known.any():
        y = places[known] + gap
        ax.hlines(y, lower[known], upper[known], color=ESTIMATE, lw=0.6 * line)
        ax.plot(estimate[known], y, "D", color=ESTIMATE, ms=0.9 * dot, ls="none")
        handles["mle"] = _sample("D", ESTIMATE, 1.4, 1.0)
    modes = rows["map"].to_numpy(dtype=float)
    if np.isfinite(modes).any() and not dense:
        [handles["map"]] = ax.plot(
            modes, places, "|", color=MODE, ms=2.2 * dot, mew=2.2, ls="none", zorder=3
        )
    low, high = _span(rows)
    low, high = np.nanmin(_full(low, np.inf)), np.nanmax(_full(high, -np.inf))
    if np.isfinite(low) and np.isfinite(high):
        margin = 0.04 * (high - low) or 1.0
        ax.set_xlim(low - margin, high + margin)
        if low < 0.0 < high:
            ax.axvline(0.0, color="0.7", lw=0.8, zorder=0)
    for place, missing in zip(places, ~known & ~np.isfinite(lower), strict=True):
        if missing and not dense:
            ax.annotate(
                "no maximum-likelihood estimate", (1.0, place + gap),
                xycoords=("axes fraction", "data"), ha="right", va="center",
                fontsize="x-small", color=ESTIMATE,
            )  # fmt: skip
    if dense:
        names = list(dict.fromkeys(rows["variable"]))
        ax.set_yticks([])
        ax.set_ylabel(f"{', '.join(names)} ({len(rows)} entries, by estimate)")
    else:
        ax.set_yticks(places, list(rows.index))
        ax.tick_params(axis="y", length=0)
        for place in places[1:]:
            ax.axhline(place + 0.5, color="0.93", lw=0.8, zorder=0)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return handles


def legend_place(figure: Any) -> str:
    """Below, where a title above does not cover it; on top of pictures longer than a screen."""
    return f"outside {'lower' if figure.get_figheight() <= 9.0 else 'upper'} center"


def _sample(marker: str, color: str, width: float, alpha: float) -> Any:
    """A marker on a line, for a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, marker=marker, ms=5, lw=width, alpha=alpha)


def draw_influence(rows: pd.DataFrame, most: int, ax: Any = None) -> Any:
    """The prior's pull on each estimate, with exact MAP and posterior mean, in standard errors.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of a comparison's table.
    most : int
        Bars; the largest in size are shown, in the order of the table.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    columns = ["pull_se", "map_shift", "shift"]
    known = rows[np.isfinite(rows[columns]).any(axis=1)]
    size = known["pull_se"].fillna(known["map_shift"]).abs().fillna(0.0)
    order = np.sort(np.argsort(-size.to_numpy(), kind="stable")[:most])
    shown = known.iloc[order]
    if ax is None:
        import matplotlib.pyplot as plt

        height = float(np.clip(0.34 * len(shown) + 1.5, 2.2, 14.0))
        _, ax = plt.subplots(figsize=(7.0, height), layout="constrained")
    if shown.empty:
        ax.text(
            0.5, 0.5, "no pull in standard errors: there is no maximum-likelihood estimate\n"
            "with a standard error to measure it by", ha="center", va="center",
            transform=ax.transAxes, fontsize="small",
        )  # fmt: skip
        ax.set_axis_off()
        return ax
    places = np.arange(len(shown), dtype=float)[::-1]
    ax.axvspan(-0.1, 0.1, color="0.92", zorder=0, label="less than 0.1 standard errors")
    ax.axvline(0.0, color="0.4", lw=0.8, zorder=1)
    ax.barh(places, shown["pull_se"], height=0.55, color=MODE, label="pull of the prior", zorder=2)
    if np.isfinite(shown["map_shift"]).any():
        ax.plot(
            shown["map_shift"], places, "|", color="k", ms=12, mew=1.8, ls="none",
            label="exact MAP", zorder=4,
        )  # fmt: skip
    ax.plot(
        shown["shift"], places, "o", color=POSTERIOR, ms=5, ls="none",
        label="posterior mean", zorder=3,
    )  # fmt: skip
    ax.set_yticks(places, list(shown.index))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.7, len(shown) - 0.3)
    reach = np.nanmax(np.abs(shown[columns].to_numpy(dtype=float)))
    ax.set_xlim(*(np.array([-1.0, 1.0]) * max(1.1 * reach, 0.5)))
    ax.set_xlabel("away from the maximum-likelihood estimate, in its standard errors")
    left = len(known) - len(shown)
    if left:
        ax.set_title(f"the {len(shown)} most pulled of {len(known)}", fontsize="small")
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.figure.legend(loc=legend_place(ax.figure), ncols=2, frameon=False, fontsize="small")
    return ax
