"""The record of a bootstrap: replicates, what failed, limits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pymle.errors import AnalysisError, Notice
from pymle.inference.bootstrap import limits
from pymle.inference.bootstrap.refits import Draws, Outcome
from pymle.inference.bootstrap.spread import Spread, acceleration_of, spread_of
from pymle.inference.bootstrap.values import replicates_of
from pymle.inference.quantity import Quantity, quantity
from pymle.verdict import Status


@dataclass(frozen=True, eq=False, repr=False)
class Bootstrap:
    """Refits to resampled or simulated data, and limits from them.

    Made by `Fit.bootstrap`. Prints as a table.

    Parameters
    ----------
    draws : Draws
    outcome : Outcome
    items : tuple of Quantity
    asked : int
        Number of replicates that were asked for.

    Attributes
    ----------
    kind : str
        What ran: ``case``, ``cluster``, ``stratified``, ``block``, ``moving-block``,
        ``bayesian`` or ``parametric``.
    text : str
        What is drawn, in words.
    random_seed : int
        Repeats it exactly.
    interrupted : bool
        Whether an interruption ended it early.
    """

    draws: Draws
    outcome: Outcome
    items: tuple[Quantity, ...]
    asked: int

    @property
    def kind(self) -> str:
        """What ran."""
        return self.draws.scheme.kind

    @property
    def text(self) -> str:
        """What is drawn, in words."""
        return self.draws.scheme.text

    @property
    def random_seed(self) -> int:
        """The seed that repeats it."""
        return self.draws.entropy

    @property
    def interrupted(self) -> bool:
        """Whether an interruption ended it early."""
        return self.outcome.interrupted

    @property
    def n(self) -> int:
        """Number of replicates that ran, failed ones included."""
        return len(self.outcome.status)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the entries."""
        return tuple(label for item in self.items for label in item.labels)

    @cached_property
    def estimate(self) -> pd.Series:
        """The estimates of the fit, natural scale."""
        x = self.draws.fitted.estimate.x
        values = np.concatenate([np.ravel(item.function.value(x)) for item in self.items])
        return pd.Series(values, index=list(self.labels), name="estimate")

    @cached_property
    def replicates(self) -> pd.DataFrame:
        """Estimates from every resample (n rows), natural scale.

        NaN in the rows of failed refits; infinite where the likelihood of a resample has its
        supremum at infinity.
        """
        parts = [replicates_of(self.draws.fitted, i, self.outcome) for i in self.items]
        index = pd.RangeIndex(self.n, name="replicate")
        return pd.DataFrame(np.concatenate(parts, axis=1), index=index, columns=list(self.labels))

    @property
    def status(self) -> pd.Series:
        """What each refit is: the verdict's status, as text."""
        index = pd.RangeIndex(self.n, name="replicate")
        return pd.Series([s.value for s in self.outcome.status], index=index, name="status")

    @cached_property
    def failures(self) -> pd.DataFrame:
        """Refits that did not end at a strict maximum, by status.

        Columns ``refits`` (their number), ``used`` (how they enter the limits), ``parameters``
        (the labels that their verdicts name most) and ``advice``.
        """
        outcome, usable = self.outcome, self.outcome.usable
        rows = []
        for status in dict.fromkeys(outcome.status):
            here = np.array([s is status for s in outcome.status])
            if status is Status.MAXIMUM:
                continue
            if status is Status.NO_MAXIMUM:
                used = "as infinite" if usable[here].any() else "no"
            elif status is Status.BOUNDARY:
                used = "at the edge of the support"
            else:
                used = "yes" if usable[here].any() else "no"
            counts = outcome.parameters.get(status, {})
            named = sorted(counts, key=lambda label: -counts[label])[:6]
            rows.append(
                {
                    "status": status.value,
                    "refits": int(here.sum()),
                    "used": used,
                    "parameters": ", ".join(named),
                    "advice": outcome.advice.get(status, ""),
                }
            )
        columns = ["status", "refits", "used", "parameters", "advice"]
        return pd.DataFrame(rows, columns=columns).set_index("status")

    @cached_property
    def se(self) -> pd.Series:
        """Standard deviation of the replicates (divisor n - 1).

        Infinite where a replicate is. Failed refits are left out.
        """
        return self._moments()[1]

    @cached_property
    def bias(self) -> pd.Series:
        """Mean of the replicates less the estimate; not finite where a replicate is not."""
        return self._moments()[0] - self.estimate.rename(None)

    def _moments(self) -> tuple[pd.Series, pd.Series]:
        mean, sd = [], []
        for j in range(len(self.labels)):
            values = self._column(j)
            finite = bool(np.all(np.isfinite(values)))
            with np.errstate(all="ignore"):
                mean.append(values.mean() if len(values) else np.nan)
            enough = len(values) > 1
            sd.append(values.std(ddof=1) if finite and enough else np.inf if enough else np.nan)
        index = list(self.labels)
        return pd.Series(mean, index=index), pd.Series(sd, index=index)

    def _column(self, j: int) -> np.ndarray:
        """Replicates of one entry, without those that have none."""
        values = self.replicates.to_numpy()[:, j]
        return values[~np.isnan(values)]

    @cached_property
    def _spread(self) -> Spread:
        return spread_of(self.draws, self.outcome)

    @cached_property
    def _accelerations(self) -> tuple[np.ndarray, str]:
        found = [acceleration_of(self.draws, self.outcome, item) for item in self.items]
        return np.concatenate([a for a, _ in found]), found[0][1]

    def conf_int(
        self, method: str = "percentile", level: float = 0.95, *, scale: str = "support"
    ) -> pd.DataFrame:
        """Limits.

        Parameters
        ----------
        method : {"percentile", "bca", "studentized", "basic", "normal"}
            Quantiles of the replicates; the same, corrected for bias and for a standard error
            that changes with the parameter; replicates in units of their own standard
            errors; replicates reflected about the estimate; a normal approximation with the
            bias and the standard deviation of the replicates.
        level : float
            Coverage, in (0, 1).
        scale : {"support", "identity"}
            Scale on which basic, normal and studentised limits are formed: that of Wald limits
            (log for positive entries, logit for probabilities, Fisher's z for correlations) or
            the natural one. The other methods do not depend on it.

        Returns
        -------
        pandas.DataFrame
            Columns ``lower``, ``upper``, ``scale`` and ``replicates`` (how many entered).
            Infinite where the quantile is an infinite replicate.

        Raises
        ------
        AnalysisError
            An unknown method or level, too few usable replicates, or a method that does not go
            with what was drawn.

        Notes
        -----
        Percentile and basic limits cover to first order in 1/sqrt(n), BCa and studentised
        limits to second order [1]_ [2]_. All need about a thousand replicates at 0.95. Failed
        refits are left out, which is right only if they say nothing about the parameter: see
        `failures`.

        References
        ----------
        .. [1] Davison and Hinkley (1997), Bootstrap Methods and Their Application, chapter 5.
           doi:10.1017/CBO9780511802843
        .. [2] DiCiccio and Efron (1996), Bootstrap confidence intervals.
           doi:10.1214/ss/1032280214
        """
        if method not in limits.METHODS:
            raise AnalysisError.argument("method", method, f"one of {', '.join(limits.METHODS)}")
        if not 0.0 < level < 1.0:
            raise AnalysisError.argument("level", level, "a number between 0 and 1")
        if scale not in ("support", "identity"):
            raise AnalysisError.argument("scale", scale, '"support" or "identity"')
        if self.outcome.usable.sum() < 2:
            counted = self.status.value_counts()
            failed = ", ".join(f"{count} {name}" for name, count in counted.items())
            raise AnalysisError.no_replicates(failed or "none ran")
        accelerations = self._accelerations[0] if method == "bca" else None
        errors = self._errors if method == "studentized" else None
        rows = []
        for j, (item, entry) in enumerate(self._entries):
            rows.append(self._limits(j, item, entry, method, level, scale, accelerations, errors))
        columns = ["lower", "upper", "scale", "replicates", "beyond"]
        table = pd.DataFrame(rows, index=list(self.labels), columns=columns)
        if table["beyond"].any():
            short = table.index[table["beyond"]]
            warnings.warn(
                Notice.few_replicates(method, level, list(short), int(table["replicates"].max())),
                stacklevel=2,
            )
        return table.drop(columns="beyond")

    @property
    def _entries(self) -> list[tuple[Quantity, int]]:
        return [(item, entry) for item in self.items for entry in range(item.size)]

    @cached_property
    def _errors(self) -> tuple[np.ndarray, np.ndarray]:
        x = self.draws.fitted.estimate.x
        found = [self._spread.errors(item, x, self.outcome.x) for item in self.items]
        own = np.concatenate([np.ravel(a) for a, _ in found])
        return own, np.concatenate([b for _, b in found], axis=1)

    def _limits(
        self,
        j: int,
        item: Quantity,
        entry: int,
        method: str,
        level: float,
        scale: str,
        accelerations: np.ndarray | None,
        errors: tuple[np.ndarray, np.ndarray] | None,
    ) -> tuple[float, float, str, int, bool]:
        value, values = float(self.estimate.iloc[j]), self._column(j)
        held = item.free is not None and not item.free[entry]
        if len(values) < 2 or held or not np.isfinite(value):
            return np.nan, np.nan, "-", len(values), False
        tails = limits.tails(level)
        if method == "bca":
            assert accelerations is not None
            tails = limits.bca_tails(value, values, float(accelerations[j]), level)
        beyond = method != "normal" and limits.beyond(tails, len(values))
        if method in ("percentile", "bca"):
            return *limits.at(tails, values), "-", len(values), beyond
        low, high = float(item.low[entry]), float(item.high[entry])
        column = self.replicates.to_numpy()[:, j]
        there = ~np.isnan(column)

        def formed(on: limits.Scale) -> tuple[float, float]:
            if method == "basic":
                return limits.basic(value, values, level, on)
            if method == "normal":
                return limits.normal(value, values, level, on)
            assert errors is not None
            own = float(errors[0][j])
            return limits.studentized(value, own, values, errors[1][there, j], level, on)

        # Entries that constrain each other keep the natural scale unless that leaves the support.
        on = limits.scale_for(value, low, high, plain=scale == "identity" or item.joint)
        found = formed(on)
        if scale != "identity" and item.joint and not limits.inside(found, low, high):
            on = limits.scale_for(value, low, high, plain=False)
            found = formed(on)
        return *found, on.name, len(values), beyond

    def summary(self, method: str = "percentile", level: float = 0.95) -> pd.DataFrame:
        """Estimates with bias, standard error and limits.

        Parameters
        ----------
        method, level
            As in `conf_int`.

        Returns
        -------
        pandas.DataFrame
            Columns ``estimate``, ``bias``, ``se``, ``lower``, ``upper``.
        """
        table = pd.DataFrame({"estimate": self.estimate, "bias": self.bias, "se": self.se})
        return table.join(self.conf_int(method, level)[["lower", "upper"]])

    def of(self, what: Any) -> Bootstrap:
        """The same refits, other quantities.

        Parameters
        ----------
        what : str, callable, or sequence or mapping of them
            Labels, Deterministics, expressions or functions of the parameters, as in
            `Fit.derived`.

        Returns
        -------
        Bootstrap
            Nothing is fitted again.
        """
        return replace(self, items=quantities(self.draws.fitted, what))

    def to_xarray(self) -> xr.Dataset:
        """Replicates as arrays with the dims and coords of the model.

        Returns
        -------
        xarray.Dataset
            Dim ``replicate`` first; the status of each refit beside them.
        """
        problem, values, at = self.draws.fitted.problem, self.replicates.to_numpy(), 0
        arrays: dict[str, Any] = {}
        for item in self.items:
            block = values[:, at : at + item.size].reshape((self.n, *item.shape))
            at += item.size
            dims = [
                dim if dim is not None else f"{item.name}_dim_{i}"
                for i, dim in enumerate(item.dims)
            ]
            known = {**problem.layout.coords, **dict(item.coords)}
            coords = {
                dim: list(known[dim])
                for dim, length in zip(dims, item.shape, strict=True)
                if dim in known and len(known[dim]) == length
            }
            arrays[item.name] = xr.DataArray(block, dims=["replicate", *dims], coords=coords)
        arrays["status"] = xr.DataArray(self.status.to_numpy(), dims=["replicate"])
        return xr.Dataset(arrays)

    def plot(self, ax: Any = None, *, method: str = "percentile", level: float = 0.95) -> Any:
        """Histograms of the replicates with the estimate and limits.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, optional
            One for each entry; new ones by default.
        method, level
            Of the limits, as in `conf_int`.

        Returns
        -------
        matplotlib Axes or numpy.ndarray of them
        """
        from pymle.plots.bootstrap import plot_replicates

        table = self.conf_int(method, level)
        return plot_replicates(
            self.replicates.to_numpy(),
            self.estimate.to_numpy(),
            table[["lower", "upper"]].to_numpy(),
            list(self.labels),
            ax=ax,
        )

    def __repr__(self) -> str:
        return "\n".join([*self._head(), "", self.summary().to_string()])

    def _repr_html_(self) -> str:
        from html import escape

        head = "<br>".join(escape(line) for line in self._head())
        return f"<p>{head}</p>{self.summary().to_html()}"

    def _head(self) -> list[str]:
        maxima = int(self.outcome.regular.sum())
        lines = [
            f"Bootstrap ({self.kind}): {self.text}",
            f"{self.n} refits {self.outcome.route}, seed {self.random_seed}: {maxima} maxima"
            + "".join(
                f", {row.refits} {name} (used: {row.used})"
                for name, row in self.failures.iterrows()
            ),
        ]
        if self.interrupted:
            lines.append(f"Interrupted after {self.n} of {self.asked}.")
        return lines


def quantities(fitted: Any, what: Any) -> tuple[Quantity, ...]:
    """Quantities from what a user writes; by default all parameters that are estimated.

    Parameters
    ----------
    fitted : Fitted
    what : None, str, callable, or sequence or mapping of them

    Returns
    -------
    tuple of Quantity
    """
    if what is None:
        blocks = fitted.estimate.layout.blocks
        return tuple(quantity(fitted, b.name) for b in blocks if not b.wholly_fixed)
    if isinstance(what, dict):
        return tuple(quantity(fitted, w, name) for name, w in what.items())
    if isinstance(what, Sequence) and not isinstance(what, str):
        return tuple(quantity(fitted, each) for each in what)
    return (quantity(fitted, what),)
