"""Predictions at the data of the fit or at new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.covariance import Covariance, estimate_covariance
from pymle.inference.prediction.draws import (
    asymptotic_points,
    natural_rows,
    seeds,
    simulated_point,
)
from pymle.inference.prediction.levels import Levels, levels
from pymle.inference.prediction.mixed import normal_limits
from pymle.inference.prediction.targets import (
    Functions,
    Target,
    coords_kept,
    default_targets,
    delta_limits,
    targets,
)
from pymle.model.layout import label_array
from pymle.model.predictive.newdata import NewData

#: Columns of numbers, in the order in which `Prediction.to_xarray` stacks them.
COLUMNS = ("estimate", "se", "lower", "upper", "prediction_lower", "prediction_upper")
#: Draws of parameters behind prediction limits, and the entries up to which all are made.
DRAWS, _ENTRIES = 2000, 50_000_000
_LEAST = 200


@dataclass(frozen=True)
class Prediction:
    """Predicted means and Deterministics with limits.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per entry, labelled; columns ``estimate``, ``se``, ``lower``, ``upper`` (for the
        mean, or the Deterministic), ``prediction_lower``, ``prediction_upper`` (for a new
        observation; NaN for Deterministics) and ``scale``, on which the limits of the mean are
        symmetric. Natural scale.
    level : float
        Coverage of both pairs of limits.
    interval : str
        ``delta`` or ``draws``: how ``lower`` and ``upper`` were found.
    draws : int
        Number of draws behind the prediction limits; 0 where there are none.
    names : tuple of str
        What was predicted.
    simulated : tuple of str
        Observed variables whose mean has no closed form here: it is the average over
        simulated data at the estimate, and has no standard error.
    notes : tuple of str
    """

    table: pd.DataFrame
    level: float
    interval: str
    draws: int
    names: tuple[str, ...]
    simulated: tuple[str, ...]
    notes: tuple[str, ...]
    _targets: tuple[Target, ...] = field(repr=False)
    _coords: Mapping[str, Any] = field(repr=False)
    _kept: np.ndarray | None = field(default=None, repr=False)
    _jacobian: np.ndarray | None = field(default=None, repr=False)
    _covariance: Covariance | None = field(default=None, repr=False)
    _conditional: Any = field(default=None, repr=False)

    def to_xarray(self) -> xr.Dataset:
        """Arrays with the model's dims and coords.

        Returns
        -------
        xarray.Dataset
            One array for each of `names`; its last dim ``statistic`` holds ``estimate``,
            ``se``, ``lower``, ``upper``, ``prediction_lower`` and ``prediction_upper``.
        """
        total = sum(t.size for t in self._targets)
        numbers = np.full((total, len(COLUMNS)), np.nan)
        kept = slice(None) if self._kept is None else self._kept
        numbers[kept] = self.table[list(COLUMNS)].to_numpy(dtype=np.float64)
        arrays, at = {}, 0
        for each in self._targets:
            part = numbers[at : at + each.size].reshape((*each.shape, len(COLUMNS)))
            at += each.size
            dims = [dim or f"{each.name}_dim_{i}" for i, dim in enumerate(each.dims)]
            coords = {**self._coords, "statistic": list(COLUMNS)}
            arrays[each.name] = label_array(each.name, part, [*dims, "statistic"], coords)
        return xr.Dataset(arrays, attrs={"level": self.level, "interval": self.interval})

    @property
    def covariance(self) -> pd.DataFrame:
        """Delta-method covariance of all entries, labelled, for contrasts between them.

        NaN for means that were simulated. Computed when it is asked for. With random effects
        at their modes it includes the conditional covariance of these.
        """
        assert self._covariance is not None
        assert self._jacobian is not None
        kept = slice(None) if self._kept is None else self._kept
        matrix = self._covariance.of(self._jacobian[kept])
        if self._conditional is not None:
            matrix = matrix + self._conditional(kept)
        return pd.DataFrame(matrix, index=self.table.index, columns=self.table.index)

    def plot(self, var_name: str | None = None, ax: Any = None) -> Any:
        """Predictions one below the other, in ascending order, with both pairs of limits.

        Parameters
        ----------
        var_name : str, optional
            Which of `names`; by default the first.
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes
            Thick bars are limits of the mean, thin ones those for a new observation.
        """
        from pymle.plots.effects import caterpillar

        name = self.names[0] if var_name is None else var_name
        if name not in self.names:
            raise AnalysisError.unknown_variable(name, self.names)
        rows = [i for i in self.table.index if i == name or i.startswith(f"{name}[")]
        part = self.table.loc[rows].sort_values("estimate", kind="stable")
        labels = [i if i == name else i[len(name) + 1 : -1] for i in part.index]
        numbers = {c: part[c].to_numpy(dtype=np.float64) for c in COLUMNS}
        outer = numbers["prediction_lower"], numbers["prediction_upper"]
        return caterpillar(
            labels,
            numbers["estimate"],
            numbers["lower"],
            numbers["upper"],
            title=f"{name}: predictions with {100 * self.level:g}% limits",
            outer=outer if np.isfinite(outer[0]).any() else None,
            ax=ax,
        )

    def __getitem__(self, name: str) -> Any:
        """A column of the table, or the `to_xarray` array of a variable."""
        if name in self.table.columns:
            return self.table[name]
        return self.to_xarray()[name]

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        rows = self.table.to_string(max_rows=20)
        return "\n".join([self._title(), "", rows, *(f"note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        import html

        notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self.notes)
        rows = self.table.to_html(max_rows=20)
        return f"<div><strong>{html.escape(self._title())}</strong>{rows}{notes}</div>"

    def _title(self) -> str:
        return f"Predictions with {100 * self.level:g}% limits"


def predict(
    fitted: Fitted,
    data: Mapping[str, Any] | None = None,
    names: Sequence[str] | None = None,
    *,
    level: float = 0.95,
    groups: str | Mapping[str, str] | None = None,
    interval: str = "delta",
    prediction: bool = True,
    draws: int = DRAWS,
    random_seed: Any = 0,
    coords: Mapping[str, Any] | None = None,
    cov: Any = None,
    clusters: Any = None,
) -> Prediction:
    """Means of observed variables and Deterministics with limits.

    Parameters
    ----------
    fitted : Fitted
    data, names, level, groups, interval, prediction, draws, random_seed, coords, cov, clusters
        As in `Fit.predict`.

    Returns
    -------
    Prediction
    """
    if not 0.0 < level < 1.0:
        raise AnalysisError.argument("level", level, "a number between 0 and 1")
    if interval not in ("delta", "draws"):
        raise AnalysisError.argument("interval", interval, '"delta" or "draws"')
    if int(draws) < _LEAST:
        raise AnalysisError.argument("draws", draws, f"at least {_LEAST}")
    covariance = estimate_covariance(fitted, cov, clusters=clusters)
    first, second, third, fourth = seeds(random_seed, 4)
    choice = levels(fitted, groups, "kept", seed=fourth)
    new = NewData(fitted.problem, data)
    chosen = targets(fitted, new, default_targets(fitted) if names is None else names, choice)
    if not chosen:
        raise AnalysisError.nothing_to_predict()
    functions = Functions(new, chosen, choice)
    value, jacobian = functions.value_and_jacobian(fitted.estimate.x)
    low, high = functions.ranges(fitted.estimate.natural)
    conditional = functions.conditional_variance(fitted.estimate.x)
    exact = delta_limits(fitted, value, jacobian, low, high, level, covariance, conditional)
    columns = {key: functions.split(np.asarray(part)) for key, part in exact.items()}
    jacobians = functions.split(jacobian)
    notes = [f"se and limits of means: {_how(interval)} from the {covariance.text}"]
    notes += _about(choice, chosen)

    wanted = [t for t in chosen if t.observed and prediction and not t.categories]
    simulated = [t.name for t in chosen if t.observed and t.graph is None]
    known = _can_draw(fitted, covariance)
    count = min(int(draws), max(_LEAST, _ENTRIES // max(1, sum(t.size for t in wanted))))
    points = joint = None
    if known and (wanted or interval == "draws"):
        points = asymptotic_points(fitted, count, first, covariance, hold=True)
        joint = choice.joint(points, second.spawn(1)[0])
    if known and not _is_finite(covariance.unconstrained):
        notes.append(
            "all errors and limits are conditional on parameters that have no standard error, or "
            "on directions of them: these are held at the estimate, see `fit.verdict`"
        )
    elif not known:
        notes.append("no draws of the parameters: some have no standard error, see `fit.verdict`")
    ends = [0.5 * (1.0 - level), 0.5 * (1.0 + level)]
    if interval == "draws" and joint is not None and functions.targets:
        limits = np.quantile(functions.values(joint), ends, axis=0)
        columns["lower"] = functions.split(limits[0])
        columns["upper"] = functions.split(limits[1])
        columns["scale"] = functions.split(np.full(len(value), "draws"))
    outer: dict[str, np.ndarray] = {}
    if wanted and points is not None and joint is not None:
        normal = [t for t in wanted if t.normal and t.graph is not None]
        others = [t.name for t in wanted if t not in normal]
        outer = normal_limits(new, normal, joint, ends)
        if others:
            kept, held = choice.held_values(joint)
            rows = np.hstack([natural_rows(fitted, points), held])
            for name in others:
                # As its mean: given the values of the other observed variables.
                simulator = new.simulator([name], kept=kept, given=new.held_beside(name))
                outer[name] = _quantiles(simulator.draw(rows, second)[name], ends)
            notes.append(
                f"prediction limits of {', '.join(others)}: quantiles of one simulated "
                f"observation for each of {count} asymptotic draws of the parameters"
            )
        if normal:
            notes.append(
                f"prediction limits of {', '.join(t.name for t in normal)}: quantiles of the "
                f"normal distributions at {count} asymptotic draws of the parameters, mixed"
            )
    if simulated:
        simulator = new.simulator(simulated, kept=choice.named("kept", "typical"))
        centre = simulator.draw(simulated_point(fitted, choice), third, count)
        for name in simulated:
            columns["estimate"][name] = centre[name].mean(axis=0).ravel()
        notes.append(
            f"the mean of {', '.join(simulated)} has no closed form here: average of {count} "
            "data sets simulated at the estimate, without a standard error"
        )
    table = pd.concat([_frame(new, t, columns, outer) for t in chosen])
    kept = coords_kept([t.shape for t in chosen], [t.dims for t in chosen], new.coords, coords)
    k = len(fitted.estimate.x)
    return Prediction(
        table=table if kept is None else table[kept],
        level=level,
        interval=interval,
        draws=count if outer else 0,
        names=tuple(t.name for t in chosen),
        simulated=tuple(simulated),
        notes=tuple(notes),
        _targets=tuple(chosen),
        _coords=new.coords,
        _kept=kept,
        _jacobian=np.concatenate(
            [jacobians.get(t.name, np.full((t.size, k), np.nan)) for t in chosen]
        ),
        _covariance=covariance,
        _conditional=None if conditional is None else _conditional_of(fitted, functions, chosen),
    )


def _about(choice: Levels, chosen: Sequence[Target]) -> list[str]:
    """What was done about random effects."""
    graphs = [graph for t in chosen for graph in (t.graph, t.variance) if graph is not None]
    filled = [name for name in choice.reads(graphs, "kept") if name in choice.missing]
    imputed = [f"missing values ({', '.join(filled)}) at their conditional modes"] if filled else []
    if not choice.text:
        return imputed
    out = [f"random effects: {choice.text}", *imputed]
    if choice.reads(graphs, "kept"):
        out[0] += "; se and limits include what the data leave open about those at their modes"
    if choice.reads(graphs, "new"):
        out.append(
            f"means over new random effects: averages over {choice.draws} stratified draws; "
            "prediction limits include the variation between groups"
        )
    return out


def _conditional_of(fitted: Fitted, functions: Functions, chosen: Sequence[Target]) -> Any:
    """The conditional covariance between all entries, computed when it is asked for."""

    def matrix(kept: Any) -> np.ndarray:
        x = fitted.estimate.x
        through = functions.through(x)
        assert through is not None
        parts = functions.split(through)
        rows = np.concatenate(
            [parts.get(t.name, np.zeros((t.size, through.shape[1]))) for t in chosen]
        )
        return fitted.marginal.conditional_covariance(x, rows[kept])

    return matrix


def _frame(
    new: NewData,
    target: Target,
    columns: Mapping[str, Mapping[str, np.ndarray]],
    outer: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    nothing = np.full(target.size, np.nan)
    limits = outer.get(target.name, np.stack([nothing, nothing]))
    numbers = {
        key: columns[key].get(target.name, nothing) for key in ("estimate", "se", "lower", "upper")
    }
    return pd.DataFrame(
        {
            **numbers,
            "prediction_lower": limits[0].ravel(),
            "prediction_upper": limits[1].ravel(),
            "scale": columns["scale"].get(target.name, np.full(target.size, "-")),
        },
        index=list(new.labels_of(target.name, target.shape, target.dims)),
    )


def _how(interval: str) -> str:
    return "delta method" if interval == "delta" else "delta method and quantiles of draws"


def _quantiles(sample: np.ndarray, ends: Sequence[float]) -> np.ndarray:
    """Quantiles along the first axis: values that occurred where the variable is discrete."""
    method = "linear" if sample.dtype.kind == "f" else "inverted_cdf"
    return np.quantile(sample, ends, axis=0, method=method).astype(np.float64)


def _can_draw(fitted: Fitted, covariance: Covariance) -> bool:
    """Whether everything has standard errors, apart from directions that can be held."""
    if _is_finite(covariance.unconstrained):
        return True
    held = fitted.estimate.null_space
    if held is None or not 0 < held.shape[1] < len(held):
        return False
    basis = np.linalg.qr(held, mode="complete")[0][:, held.shape[1] :]
    return _is_finite(covariance.of(basis.T))


def _is_finite(matrix: np.ndarray) -> bool:
    return bool(np.all(np.isfinite(matrix)))
