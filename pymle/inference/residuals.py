"""Residuals: randomised quantile residuals, response and Pearson residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.prediction.draws import seeds, simulated_point
from pymle.inference.prediction.levels import Levels, levels
from pymle.inference.prediction.targets import Target, targets
from pymle.model.layout import label_array
from pymle.model.predictive.cdf import Cumulative, cumulative
from pymle.model.predictive.groups import observed_values
from pymle.model.predictive.newdata import NewData
from pymle.model.problem import Problem

SIMULATED = "simulated"


@dataclass(frozen=True)
class Residuals:
    """Residuals of the observed variables.

    Attributes
    ----------
    kind : str
        ``quantile``, ``response`` or ``pearson``.
    table : pandas.DataFrame
        One row per observed entry, labelled; columns ``residual``, ``fitted`` (the mean of the
        entry, for a category the mean of its number, one step ahead of series) and ``observed``.
    how : mapping of str to str
        By observed variable: ``exact`` (from the distribution function), ``one step ahead``
        (given the series so far), ``given the entries before`` (of a multivariate normal vector),
        ``simulated``; ``mean`` for the other kinds.
    n : int
        Number of data sets that were simulated; 0 if none.
    groups : str
        What random effects were, in words; empty where there are none.
    """

    kind: str
    table: pd.DataFrame
    how: dict[str, str]
    n: int
    _arrays: dict[str, xr.DataArray] = field(repr=False)
    groups: str = ""

    def to_xarray(self) -> xr.Dataset:
        """Residuals with the model's dims and coords, one array for each observed variable."""
        return xr.Dataset(self._arrays, attrs={"kind": self.kind, **self.how})

    def __getitem__(self, name: str) -> Any:
        """A column of the table, or the residuals of a variable with dims and coords."""
        return self.table[name] if name in self.table.columns else self._arrays[name]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.table["residual"].to_numpy(), dtype=dtype)

    def __len__(self) -> int:
        return len(self.table)

    def plot(self, var_name: str | None = None, axes: Any = None) -> Any:
        """Normal quantile plot, and residuals against fitted means.

        Parameters
        ----------
        var_name : str, optional
            One observed variable; by default all together.
        axes : sequence of two matplotlib Axes, optional

        Returns
        -------
        numpy.ndarray of matplotlib Axes, shape (2,)
        """
        from pymle.plots.residuals import plot_residuals

        if var_name is not None and var_name not in self._arrays:
            raise AnalysisError.unknown_variable(var_name, self._arrays)
        rows = self.table
        if var_name is not None:
            rows = rows[self._owner == var_name]
        return plot_residuals(
            rows["residual"].to_numpy(), rows["fitted"].to_numpy(), self.kind, axes
        )

    @property
    def _owner(self) -> np.ndarray:
        """The observed variable of every row."""
        return np.repeat(list(self._arrays), [a.size for a in self._arrays.values()])

    def summary(self) -> pd.DataFrame:
        """Number, mean, standard deviation and extremes by observed variable.

        Quantile residuals of a model that fits have mean near 0 and standard deviation near 1.
        """
        groups = self.table["residual"].groupby(self._owner, sort=False)
        return groups.agg(["count", "mean", "std", "min", "max"])

    def __repr__(self) -> str:
        return f"{self._title()}\n\n{self.table.to_string(max_rows=20)}"

    def _repr_html_(self) -> str:
        import html

        title = html.escape(self._title())
        return f"<div><strong>{title}</strong>{self.table.to_html(max_rows=20)}</div>"

    def _title(self) -> str:
        said = ", ".join(f"{name}: {how}" for name, how in self.how.items())
        said += f"; random effects: {self.groups}" if self.groups else ""
        return f"{self.kind} residuals ({said})"


def residuals(
    fitted: Fitted,
    kind: str = "quantile",
    *,
    n: int = 250,
    random_seed: Any = None,
    var_names: Sequence[str] | None = None,
    method: str = "auto",
    groups: str | Mapping[str, str] | None = None,
) -> Residuals:
    """Residuals of the observed variables at the estimate.

    Parameters
    ----------
    fitted : Fitted
    kind, n, random_seed, var_names, method, groups
        As in `Fit.residuals`.

    Returns
    -------
    Residuals
    """
    if kind not in ("quantile", "response", "pearson"):
        raise AnalysisError.argument("kind", kind, '"quantile", "response" or "pearson"')
    if method not in ("auto", SIMULATED):
        raise AnalysisError.argument("method", method, '"auto" or "simulated"')
    if int(n) < 20:
        raise AnalysisError.argument("n", n, "at least 20 simulated data sets")
    problem, natural = fitted.problem, fitted.estimate.natural
    known = observed_values(problem)
    names = list(known) if var_names is None else list(var_names)
    for name in names:
        if name not in known:
            raise AnalysisError.unknown_variable(name, known)
    new = NewData(problem)
    choice = levels(fitted, groups, "new" if kind == "quantile" else "kept")
    found = targets(fitted, new, names, choice)
    grouped = [name for name in names if _depends(choice, problem, name)]
    first, second = seeds(random_seed, 2)
    rng = np.random.default_rng(first)
    exact: dict[str, Cumulative] = {}
    if kind == "quantile" and method == "auto":
        # Distribution functions are those of the observed given the effects.
        for name in [name for name in names if name not in grouped]:
            one = cumulative(problem, name, known[name], natural)
            if one is not None:
                exact[name] = one
    elif kind != "quantile" and any(t.categories for t in found):
        raise AnalysisError.categories_have_no_mean([t.name for t in found if t.categories], kind)
    means = _moments(fitted, new, found, choice)
    ahead = {name for name, each in exact.items() if each.mean is not None}
    missing = [t.name for t in found if t.name not in means and t.name not in ahead]
    short = [name for name in names if kind == "quantile" and name not in exact]
    without = [
        t.name for t in found if kind == "pearson" and means.get(t.name, (0, None))[1] is None
    ]
    asked = [name for name in names if name in {*missing, *short, *without}]
    drawn: dict[str, np.ndarray] = {}
    if asked:
        redrawn = levels(fitted, groups, "new" if kind == "quantile" else "kept", missing="new")
        simulator = new.simulator(asked, kept=redrawn.named("kept", "typical"))
        drawn = simulator.draw(simulated_point(fitted, redrawn), second, int(n))
    how, frames, arrays = {}, [], {}
    for target in found:
        name, y = target.name, known[target.name]
        mean, variance = means.get(name, (None, None))
        if name in exact and exact[name].mean is not None:
            mean = exact[name].mean
        if mean is None:
            mean = drawn[name].mean(axis=0)
        if variance is None and kind == "pearson":
            variance = drawn[name].var(axis=0, ddof=1)
        how[name] = exact[name].how if name in exact else SIMULATED
        if kind == "quantile":
            one = exact.get(name)
            values = _ranks(y, drawn[name], rng) if one is None else _scores(one, rng)
        else:
            how[name] = "mean" if name not in asked else SIMULATED
            values = y - mean
            if kind == "pearson":
                with np.errstate(divide="ignore", invalid="ignore"):
                    values = values / np.sqrt(np.asarray(variance))
        dims = new.dims_of(name, y.ndim)
        named = [dim or f"{name}_dim_{i}" for i, dim in enumerate(dims)]
        arrays[name] = label_array(name, values, named, new.coords)
        columns = {"residual": values, "fitted": np.broadcast_to(mean, y.shape), "observed": y}
        frames.append(
            pd.DataFrame(
                {key: np.ravel(value) for key, value in columns.items()},
                index=list(new.labels_of(name, y.shape, dims)),
            )
        )
    return Residuals(kind, pd.concat(frames), how, int(n) if asked else 0, arrays, choice.text)


def _depends(choice: Levels, problem: Problem, name: str) -> bool:
    """Whether what an observed variable is drawn from depends on what was integrated out."""
    inputs = [v for v in problem.model[name].owner.inputs if hasattr(v.type, "dtype")]
    return bool(choice.reads([v for v in inputs if hasattr(v.type, "ndim")]))


def _moments(
    fitted: Fitted, new: NewData, found: Sequence[Target], choice: Levels
) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """Means, and variances where there is a closed form, by name."""
    out: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    natural = fitted.estimate.natural
    for target in found:
        if target.graph is None:
            continue
        graphs = [g for g in (target.graph, target.variance) if g is not None]
        if choice.reads(graphs, "new"):
            if target.categories:
                raise AnalysisError.argument(
                    "groups", "new", '"kept" or "typical" for residuals of categories'
                )
            mean = choice.function(new, [target.graph]).value(fitted.estimate.x)
            out[target.name] = (mean.reshape(target.shape), None)
            continue
        if choice.reads(graphs):
            flat = choice.function(new, graphs).value(fitted.estimate.x)
            parts = [part.reshape(target.shape) for part in np.split(flat, len(graphs))]
        else:
            parts = [np.broadcast_to(new.number(g, natural), target.shape) for g in graphs]
        mean = parts[0]
        if target.categories:
            out[target.name] = (mean @ np.arange(mean.shape[-1]), None)
            continue
        out[target.name] = (mean, parts[1] if len(parts) > 1 else None)
    return out


def _scores(found: Cumulative, rng: np.random.Generator) -> np.ndarray:
    """Standard normal scores of probabilities, uniform over the mass of each observation.

    Both tails keep their digits: the smaller of the two probabilities is used.
    """
    if found.scores is not None:
        return found.scores
    from scipy.special import ndtri

    share = rng.uniform(size=found.upto.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        below, upto = np.exp(found.below), np.exp(found.upto)
        above, from_here = -np.expm1(found.upto), -np.expm1(found.below)
        lower = below + share * (upto - below)
        upper = above + (1.0 - share) * (from_here - above)
        return np.where(lower < 0.5, ndtri(lower), -ndtri(upper))


def _ranks(y: np.ndarray, drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Normal scores of the places of observations among simulated ones, ties broken at random."""
    from scipy.special import ndtri

    smaller = np.sum(drawn < y, axis=0)
    equal = np.sum(drawn == y, axis=0)
    share = rng.uniform(size=y.shape)
    return ndtri((smaller + share * (equal + 1)) / (len(drawn) + 1))
