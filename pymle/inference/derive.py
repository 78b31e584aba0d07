"""Derived quantities as a user asks for them: by delta method, profile or draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.covariance import Covariance, estimate_covariance
from pymle.inference.derived import Derived, derived
from pymle.inference.hypotheses.multiplicity import FOR_LIMITS, check_adjust, critical_value
from pymle.inference.quantity import Quantity, estimated_or_predicted
from pymle.model.layout import label_array

#: Columns that are numbers by entry, in the order in which `to_xarray` stacks them.
_STATISTICS = ("estimate", "se", "lower", "upper")
#: Number of asymptotic draws.
DRAWS = 4000


@dataclass(frozen=True)
class DerivedQuantities:
    """Functions of the parameters with standard errors and limits.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per entry, labelled; columns ``estimate``, ``se``, ``lower``, ``upper`` and
        ``scale`` (on which the limits are symmetric; a profile has columns that say how each
        limit was found instead). Natural scale.
    level : float
        Coverage of the limits.
    method : str
        ``delta``, ``profile`` or ``draws``.
    names : tuple of str
        The quantities.
    text : str
        What standard errors and limits rest on.
    adjust : str or None
        How limits were widened so that all hold together.
    critical : float
        How many standard errors delta-method limits extend to either side.
    quantities : tuple of Quantity
    better_fit : Fitted or None
        A higher maximum that a profile found on its way.

    Notes
    -----
    ``se`` is the delta method's for every method but ``draws``, where it is the standard
    deviation of the draws.
    """

    table: pd.DataFrame
    level: float
    method: str
    names: tuple[str, ...]
    text: str
    adjust: str | None
    critical: float
    quantities: tuple[Quantity, ...] = field(repr=False)
    better_fit: Fitted | None = field(default=None, repr=False)
    _points: tuple[Derived, ...] = field(default=(), repr=False)
    _covariance: Covariance | None = field(default=None, repr=False)
    _coords: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _kept: np.ndarray | None = field(default=None, repr=False)

    @property
    def covariance(self) -> pd.DataFrame:
        """Delta-method covariance of all entries, labelled (computed when asked for).

        Raises
        ------
        AnalysisError
            Entries depend on random effects.
        """
        assert self._covariance is not None
        for each in self.quantities:
            if each.predicted:
                raise AnalysisError.predicted(each.name, each.predicted)
        jacobian = np.concatenate([point.jacobian for point in self._points])
        if self._kept is not None:
            jacobian = jacobian[self._kept]
        matrix = self._covariance.of(jacobian)
        return pd.DataFrame(matrix, index=self.table.index, columns=self.table.index)

    @property
    def estimate(self) -> pd.Series:
        """Estimates, labelled."""
        return self.table["estimate"]

    @property
    def se(self) -> pd.Series:
        """Standard errors, labelled."""
        return self.table["se"]

    def to_xarray(self) -> xr.Dataset:
        """Arrays with the model's dims and coords.

        Returns
        -------
        xarray.Dataset
            One array for each quantity; its last dim ``statistic`` holds ``estimate``,
            ``se``, ``lower`` and ``upper``. Entries that ``coords=`` left out are NaN.
        """
        total = sum(each.size for each in self.quantities)
        numbers = np.full((total, len(_STATISTICS)), np.nan)
        numbers[slice(None) if self._kept is None else self._kept] = self.table[
            list(_STATISTICS)
        ].to_numpy(dtype=np.float64)
        arrays, at = {}, 0
        for each in self.quantities:
            part = numbers[at : at + each.size].reshape((*each.shape, len(_STATISTICS)))
            at += each.size
            coords = {**self._coords, **each.coords, "statistic": list(_STATISTICS)}
            dims = [dim or f"{each.name}_dim_{i}" for i, dim in enumerate(each.dims)]
            arrays[each.name] = label_array(each.name, part, [*dims, "statistic"], coords)
        return xr.Dataset(arrays)

    def __repr__(self) -> str:
        return f"{self._title()}\n\n{self.table.to_string()}\n\nnote: {self.text}"

    def _repr_html_(self) -> str:
        import html

        title, text = html.escape(self._title()), html.escape(self.text)
        return (
            f"<div><strong>{title}</strong>{self.table.to_html()}<p><small>{text}</small></p></div>"
        )

    def _title(self) -> str:
        how = {
            "delta": "the delta method",
            "profile": "profile likelihood",
            "draws": "asymptotic draws",
        }[self.method]
        together = "" if self.adjust is None else f" that hold together ({self.adjust})"
        return f"Derived quantities with {100 * self.level:g}% limits by {how}{together}"


def derive(
    fitted: Fitted,
    what: Any = None,
    *,
    level: float = 0.95,
    method: str = "delta",
    name: str | None = None,
    coords: Mapping[str, Any] | None = None,
    cov: Any = None,
    clusters: Any = None,
    adjust: str | None = None,
    draws: int = DRAWS,
    random_seed: int = 0,
    callback: Callable[..., object] | None = None,
    wrap: Callable[[Fitted], Any] = lambda fitted: fitted,
) -> DerivedQuantities:
    """Estimates, standard errors and limits of functions of the parameters.

    Parameters
    ----------
    fitted : Fitted
    what, level, method, name, coords, cov, clusters, adjust, draws, random_seed
        As in `Fit.derived`.
    callback : callable, optional
        Called with the label, the number done and the number of all, for profiles.
    wrap : callable
        Makes of a better `Fitted` what the record shall hold.

    Returns
    -------
    DerivedQuantities

    Raises
    ------
    AnalysisError
    """
    if not 0.0 < level < 1.0:
        raise AnalysisError.argument("level", level, "a number between 0 and 1")
    if method not in ("delta", "profile", "draws"):
        raise AnalysisError.argument("method", method, '"delta", "profile" or "draws"')
    check_adjust(adjust, FOR_LIMITS)
    covariance = estimate_covariance(fitted, cov, clusters=clusters)
    if method == "profile" and covariance.name != "observed":
        raise AnalysisError.argument("cov", cov, "None: a profile uses the likelihood itself")
    items, quantities = chosen(fitted, what, name)
    points = tuple(each.at_estimate(fitted.estimate) for each in quantities)
    kept = _at_coords(fitted, quantities, coords)
    predicted = [each for each in quantities if each.predicted]
    if predicted and (method != "delta" or adjust is not None):
        raise AnalysisError.predicted(predicted[0].name, predicted[0].predicted)
    critical = NormalDist().inv_cdf(0.5 * (1.0 + level))
    if adjust is not None:
        jacobian = np.concatenate([point.jacobian for point in points])
        if kept is not None:
            jacobian = jacobian[kept]
        critical = critical_value(level, adjust, _correlation(covariance.of(jacobian)))
    single = 2.0 * NormalDist().cdf(critical) - 1.0 if adjust else level
    limits = derived(fitted.estimate, points, single, covariance)
    text = f"se by the delta method from the {covariance.text}, natural scale"
    if predicted:
        names = ", ".join(f"`{each.name}`" for each in predicted)
        text += (
            f"; {names} at the conditional modes of the random effects, the se with the variance "
            "that remains when the parameters are known"
        )
    table = pd.DataFrame(
        {
            "estimate": limits.estimate,
            "se": limits.se,
            "lower": limits.lower,
            "upper": limits.upper,
            "scale": limits.scale,
        },
        index=[label for each in quantities for label in each.labels],
    )
    table = table if kept is None else table[kept]
    found = DerivedQuantities(
        table=table,
        level=level,
        method=method,
        names=tuple(each.name for each in quantities),
        text=text,
        adjust=adjust,
        critical=critical,
        quantities=tuple(quantities),
        _points=points,
        _covariance=covariance,
        _coords=fitted.problem.layout.coords,
        _kept=kept,
    )
    if method == "draws":
        return _by_draws(fitted, found, single, int(draws), random_seed)
    if method == "profile":
        return _by_profile(fitted, found, items, single, callback, wrap)
    return found


def chosen(
    fitted: Fitted, what: Any, name: str | None = None
) -> tuple[list[tuple[Any, str | None]], list[Quantity]]:
    """The quantities that a user names: one, several, or all Deterministics.

    Parameters
    ----------
    fitted : Fitted
    what : str, callable, sequence or mapping of these, or None
    name : str, optional

    Returns
    -------
    items : list of (what, name)
    quantities : list of Quantity
    """
    problem = fitted.problem
    if what is None:
        named = [d.name for d in problem.model.deterministics]
        known = problem.effects.names if problem.effects else ()
        behind = {each: problem.undetermined(problem.variable(each)) for each in named}
        what = [each for each, names in behind.items() if set(names) <= set(known)]
        if not what:
            raise AnalysisError.no_deterministics()
    if isinstance(what, Mapping):
        items = [(each, str(key)) for key, each in what.items()]
    elif isinstance(what, list | tuple):
        items = [(each, None) for each in what]
    else:
        items = [(what, name)]
    if not items:
        raise AnalysisError.argument("what", what, "at least one quantity")
    if name is not None and len(items) != 1:
        raise AnalysisError.argument("name", name, "no name for several: pass a dict of them")
    items = [(each, own or name) for each, own in items]
    found = [estimated_or_predicted(fitted, each, own) for each, own in items]
    counts: dict[str, int] = {}
    for i, each in enumerate(found):
        counts[each.name] = counts.get(each.name, 0) + 1
        if counts[each.name] > 1:  # two functions without a name of their own
            own = f"{each.name} {counts[each.name]}"
            labels = tuple(label.replace(each.name, own, 1) for label in each.labels)
            found[i] = replace(each, name=own, labels=labels)
    return items, found


def _at_coords(
    fitted: Fitted, quantities: Sequence[Quantity], wanted: Mapping[str, Any] | None
) -> np.ndarray | None:
    """Which entries have the asked coordinates; quantities without the dim stay."""
    if not wanted:
        return None
    model_coords = fitted.problem.layout.coords
    used = {dim for each in quantities for dim in each.dims if dim}
    parts = []
    for each in quantities:
        keep = np.ones(each.shape, dtype=bool)
        for dim, labels in wanted.items():
            known = each.coords.get(dim, model_coords.get(dim))
            if dim not in used or known is None:
                raise AnalysisError.unknown_coordinate(dim, None, sorted(used))
            labels = np.atleast_1d(np.asarray(labels, dtype=object))
            for label in labels:
                if label not in list(known):
                    raise AnalysisError.unknown_coordinate(dim, label, known)
            if dim in each.dims:
                axis = each.dims.index(dim)
                inside = np.array([label in list(labels) for label in known])
                keep &= inside.reshape([-1 if i == axis else 1 for i in range(keep.ndim)])
        parts.append(keep.ravel())
    return np.concatenate(parts)


def _correlation(covariance: np.ndarray) -> np.ndarray:
    """Correlations of the entries that have a standard error above zero."""
    variance = np.diagonal(covariance)
    keep = np.isfinite(variance) & (variance > 0)
    sd = np.sqrt(variance[keep])
    return covariance[np.ix_(keep, keep)] / np.outer(sd, sd)


def _by_draws(
    fitted: Fitted,
    found: DerivedQuantities,
    level: float,
    count: int,
    seed: int,
) -> DerivedQuantities:
    """Limits from quantiles of draws of the parameters on the unconstrained scale."""
    if count < 100:
        raise AnalysisError.argument("draws", count, "at least 100")
    assert found._covariance is not None
    matrix = found._covariance.unconstrained
    if not np.all(np.isfinite(matrix)):
        raise AnalysisError.no_draws(str(fitted.estimate.verdict.status.value))
    values, vectors = np.linalg.eigh(matrix)
    if np.any(values < -1e-10 * values.max(initial=0.0)):
        raise AnalysisError.no_draws("a covariance with negative variances")
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    normal = np.random.default_rng(seed).standard_normal((count, len(matrix)))
    points = fitted.estimate.x + normal @ root.T
    sample = np.array(
        [np.concatenate([each.function.value(x) for each in found.quantities]) for x in points]
    )
    if found._kept is not None:
        sample = sample[:, found._kept]
    table = found.table.drop(columns="scale")
    table["se"] = sample.std(axis=0, ddof=1)
    half = 0.5 * (1.0 - level)
    table["lower"], table["upper"] = np.quantile(sample, [half, 1.0 - half], axis=0)
    text = (
        f"se and limits from {count} draws of the parameters, normal on the unconstrained scale "
        f"with the covariance of the {found._covariance.text}; seed {seed}"
    )
    return replace(found, table=table, text=text)


def _by_profile(
    fitted: Fitted,
    found: DerivedQuantities,
    items: Sequence[tuple[Any, str | None]],
    level: float,
    callback: Callable[..., object] | None,
    wrap: Callable[[Fitted], Any],
) -> DerivedQuantities:
    """Limits at which the profile likelihood reaches its cut-off, entry by entry."""
    from pymle.inference.profile import Asked, profile

    kept = np.ones(sum(q.size for q in found.quantities), dtype=bool)
    kept = kept if found._kept is None else found._kept
    asked, at = [], 0
    for (what, name), each in zip(items, found.quantities, strict=True):
        asked += [Asked(what, i, name) for i in range(each.size) if kept[at + i]]
        at += each.size
    profiles = profile(fitted, asked, level=level, callback=callback, wrap=wrap)
    table = found.table.drop(columns="scale")
    columns = ["lower", "upper", "lower_flag", "upper_flag"]
    done = profiles.table
    for column in columns:
        # Shorter than the table only if the user interrupted it.
        values = list(done[column]) + [np.nan] * (len(table) - len(done))
        if column.endswith("flag"):
            values = [v if isinstance(v, str) else "interrupted" for v in values]
        table[column] = values
    table["estimate"] = list(done["estimate"]) + list(table["estimate"])[len(done) :]
    text = f"{found.text}; limits where the profile likelihood reaches its chi-squared(1) cut-off"
    better = profiles.better_fit
    if better is not None:
        text += "; a higher maximum was found on the way (`better_fit`), to which limits belong"
    return replace(found, table=table, text=text, better_fit=better)
