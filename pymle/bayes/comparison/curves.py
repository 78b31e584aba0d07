"""What pictures of a comparison draw: curves of likelihood, prior and posterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pymle.bayes.comparison.densities import Density, density_of
from pymle.bayes.comparison.profiles import asked_for
from pymle.bayes.comparison.scalars import Variable
from pymle.errors import AnalysisError
from pymle.inference.profile import profile
from pymle.verdict import Status

#: Places on each side of the estimate at which a profile is evaluated.
_PLACES = 6
#: How far a drawn likelihood may reach below its maximum, in log-likelihood.
_DEPTH = 7.0
#: Factor of the bandwidth for pictures: draws of a chain are worth fewer than they are.
_SMOOTH = 1.4


@dataclass(frozen=True)
class Panel:
    """One scalar's curves, each of area one on the natural scale.

    Attributes
    ----------
    label : str
    posterior, likelihood, prior : Density or None
    kind : {"profile", "normal", ""}
        What the likelihood curve is.
    mle, map, mean : float
    lower, upper : float
        Limits of the estimate.
    interval : tuple of two float
        Highest-density interval.
    """

    label: str
    posterior: Density | None
    likelihood: Density | None
    prior: Density | None
    kind: str
    mle: float
    map: float
    mean: float
    lower: float
    upper: float
    interval: tuple[float, float]


def curves_of(comparison: Any, rows: pd.DataFrame, *, profile: bool) -> list[Panel]:
    """Curves for the panels of a picture.

    Parameters
    ----------
    comparison : PosteriorComparison
    rows : pandas.DataFrame
        Of its table.
    profile : bool
        Profile likelihoods where there are such.

    Returns
    -------
    list of Panel
    """
    work, table = comparison.work, comparison.table
    place = {label: i for i, label in enumerate(table.index)}
    profiles = _profiles(comparison, list(rows.index)) if profile else {}
    entries = {
        label: (variable, entry)
        for variable in work.scalars.variables
        for entry, label in enumerate(variable.labels)
    }
    out = []
    for label, row in rows.iterrows():
        i = place[str(label)]
        low, high = work.scalars.low[i], work.scalars.high[i]
        draws = work.draws.values[i].ravel()
        known = np.all(np.isfinite(draws))
        posterior = density_of(draws, low, high, widen=_SMOOTH) if known else None
        likelihood, kind = profiles.get(label), "profile"
        if likelihood is None:
            likelihood, kind = _normal(row["mle"], row["se"], low, high), "normal"
        prior = _prior(work, *entries[str(label)], _window(posterior, likelihood, low, high))
        out.append(
            Panel(
                label=str(label),
                posterior=posterior,
                likelihood=likelihood,
                prior=prior,
                kind=kind if likelihood is not None else "",
                mle=row["mle"],
                map=row["map"],
                mean=row["mean"],
                lower=row["lower"],
                upper=row["upper"],
                interval=(row["hdi_lower"], row["hdi_upper"]),
            )
        )
    return out


def ridge_of(comparison: Any, rows: pd.DataFrame, most: int) -> list[Panel]:
    """Posterior densities of a variable's entries, in the order of their estimates.

    Parameters
    ----------
    comparison : PosteriorComparison
    rows : pandas.DataFrame
    most : int
        How many; evenly spaced ones beyond.

    Returns
    -------
    list of Panel
    """
    middle = rows["mle"].fillna(rows["mean"]).to_numpy()
    order = np.argsort(middle, kind="stable")
    if len(order) > most:
        order = order[np.unique(np.linspace(0, len(order) - 1, most).round().astype(int))]
    elif len(order) <= 12:
        order = np.arange(len(order))
    return curves_of(comparison, rows.iloc[order], profile=False)


def _profiles(comparison: Any, labels: list[str]) -> dict[str, Density]:
    """Profile likelihoods as curves of area one."""
    work = comparison.work
    status = work.mle.estimate.verdict.status
    usable = status in {Status.MAXIMUM, Status.BOUNDARY}
    if work.mle.estimate.weights_kind == "sampling" or not usable:
        return {}
    asked = asked_for(comparison, labels, at_edge=True)
    if not asked:
        return {}
    try:
        found = profile(
            work.mle, [each for _, each in asked], level=0.99, curve=_PLACES, wrap=work.wrap
        )
    except AnalysisError:
        return {}  # where no profile can be made, the normal curve stands for the likelihood
    out = {}
    for (label, _), one in zip(asked, found.members, strict=False):
        curve = _of_profile(one)
        if curve is not None:
            out[label] = curve
    return out


def _of_profile(one: Any) -> Density | None:
    """A profile likelihood on a fine grid, scaled to area one."""
    from scipy.interpolate import CubicHermiteSpline, PchipInterpolator

    value, height, slope = one.value, one.profile - one.loglik, one.slope
    keep = np.isfinite(value) & np.isfinite(height) & (height > -_DEPTH)
    value, height, slope = value[keep], height[keep], slope[keep]
    order = np.flatnonzero(np.diff(value, prepend=-np.inf) > 0)
    value, height, slope = value[order], height[order], slope[order]
    if len(value) < 5:
        return None
    x = np.linspace(value[0], value[-1], 400)
    if np.all(np.isfinite(slope)):
        y = np.exp(CubicHermiteSpline(value, height, slope)(x))
    else:
        y = np.exp(PchipInterpolator(value, height)(x))
    return Density(x, y / np.trapezoid(y, x))


def _normal(mle: float, se: float, low: float, high: float) -> Density | None:
    if not (np.isfinite(mle) and np.isfinite(se)) or se <= 0.0:
        return None
    x = np.linspace(max(mle - 4 * se, low), min(mle + 4 * se, high), 400)
    return Density(x, np.exp(-0.5 * ((x - mle) / se) ** 2) / (se * np.sqrt(2 * np.pi)))


def _window(
    posterior: Density | None, likelihood: Density | None, low: float, high: float
) -> np.ndarray | None:
    """Where the prior is drawn: what the other curves span, and a little more."""
    curves = [c for c in (posterior, likelihood) if c is not None]
    if not curves:
        return None
    first, last = min(c.x[0] for c in curves), max(c.x[-1] for c in curves)
    margin = 0.15 * (last - first)
    tiny = 1e-6 * (last - first)
    return np.linspace(max(first - margin, low + tiny), min(last + margin, high - tiny), 400)


def _prior(work: Any, variable: Variable, entry: int, grid: np.ndarray | None) -> Density | None:
    """The prior density over a window; its area there is what it is."""
    if variable.role != "parameter" or grid is None:
        return None
    height = work.priors.entry_density(variable.name, entry, work.mle.estimate.natural, grid)
    if height is None or not np.all(np.isfinite(height)):
        return None
    return Density(grid, height)
