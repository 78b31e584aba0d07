"""The record of a comparison of a point estimate with a posterior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from pymle.bayes.comparison.sentences import Remark, as_text

#: What is printed; `.table` has everything.
SHORT = [
    "mle", "se", "map", "mean", "sd", "hdi_lower", "hdi_upper", "shift", "pull_se", "sd_ratio",
    "overlap",
]  # fmt: skip
_HEADS = {"hdi_lower": "hdi_low", "hdi_upper": "hdi_high", "pull_se": "pull"}
_PRINTED = 40


@dataclass(frozen=True, eq=False)
class PosteriorComparison:
    """The maximum-likelihood estimate beside the posterior, scalar by scalar.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each scalar, labelled by coords; natural scale. The columns:

        - ``variable``, ``role``: parameter, random effect, missing value or deterministic.
        - ``mle``, ``se``, ``lower``, ``upper``: estimate (of random effects the conditional
          mode), standard error and Wald limits at ``level`` (profile limits after
          `with_profile`).
        - ``map``: the mode of likelihood times prior on the natural scale, random effects
          integrated out.
        - ``mean``, ``median``, ``sd``, ``hdi_lower``, ``hdi_upper``, ``eti_lower``,
          ``eti_upper``: of the posterior, with highest-density and equal-tailed interval.
        - ``mcse`` (Monte Carlo error of the mean), ``ess_bulk``, ``ess_tail``, ``r_hat``,
          ``converged``.
        - ``shift``: posterior mean less estimate, in standard errors. ``sd_ratio``: posterior
          sd over standard error. ``overlap``: area that the posterior density shares with the
          normal one of estimate and standard error, 1 for the same.
        - ``pull``: what the prior does to the estimate, ``(I + P)^-1`` times the gradient of
          the log-prior at the estimate; natural units. ``pull_se``: in standard errors.
          ``map_shift``: the exact MAP less the estimate, ``mean_less_map``: posterior mean less
          MAP, ``remainder``: ``shift`` less ``pull_se`` (skewness), all in standard errors.
          ``prior_share``: ``pull_se`` over ``shift``, where the shift is 0.1 or more.
          ``prior_weight``: share of the prior in the information.
        - ``skewness``; ``below``, ``above``: posterior probability beyond the limits; ``modes``.

        nan where there is no number: no estimate, no standard error, chains that did not
        converge (their own summaries stand, nothing is compared with them).
    remarks : tuple of Remark
        Sentences for what deserves one, the most urgent first.
    notes : tuple of str
        What the numbers rest on, and why some are missing.
    level : float
        Of all limits and intervals.
    status : str
        Status of the maximum-likelihood fit.
    pareto_k : float
        Of the importance weights of the posterior of all parameters against the normal law of
        the Wald limits: up to 0.7 that law is near.
    chains, draws : int
    divergences : int or None
    missing : tuple of str
        Variables of the model that the draws do not hold.
    unknown : tuple of str
        Variables of the draws that the model does not have.
    """

    table: pd.DataFrame
    remarks: tuple[Remark, ...]
    notes: tuple[str, ...]
    level: float
    status: str
    pareto_k: float
    chains: int
    draws: int
    divergences: int | None
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    work: Any = field(repr=False, default=None)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The remarks as text."""
        return tuple(remark.text for remark in self.remarks)

    def sensitivity(self) -> pd.DataFrame:
        """Sensitivity of each marginal posterior to stronger or weaker priors and data.

        Returns
        -------
        pandas.DataFrame
            ``prior`` and ``likelihood``: how fast the posterior moves as all priors of
            parameters, or the likelihood given the random effects, are raised to a power;
            ``diagnosis``: "prior and data disagree" where both are 0.05 or more, "strong prior
            or weak data" where only the prior's is.

        Raises
        ------
        AnalysisError
            Draws without some free variable.

        Notes
        -----
        By importance weights of the draws for the powers 0.99 and 1.01, without sampling again:
        the derivative of the cumulative Jensen-Shannon distance, as arviz-stats' ``psense`` has
        it and through it where it is installed. The laws of random effects belong to the model
        and are not scaled. Log-densities at the draws come from the fit's own compiled
        functions. Weights of observations do not enter: the posterior does not know them.

        References
        ----------
        Kallioinen, Paananen, Buerkner and Vehtari (2023), Detecting and diagnosing prior and
        likelihood sensitivity with power-scaling. doi:10.1007/s11222-023-10366-5
        """
        from pymle.bayes.comparison.sensitivity import power_scaling

        return power_scaling(self.work.mle, self.work.draws, list(self.table.index))

    def with_profile(
        self, labels: Sequence[str] | str | None = None, *, progressbar: bool = True
    ) -> PosteriorComparison:
        """The same comparison with profile-likelihood limits in the place of Wald limits.

        Parameters
        ----------
        labels : sequence of str or str, optional
            Names or labels; all parameters by default.
        progressbar : bool

        Returns
        -------
        PosteriorComparison
            ``lower``, ``upper``, ``below`` and ``above`` of those rows are new, and a column
            ``limits`` says ``profile`` or ``wald``.

        Raises
        ------
        AnalysisError
            Unknown labels, a fit that is no maximum, sampling weights.
        """
        from pymle.bayes.comparison.profiles import profiled

        return profiled(self, labels, progressbar=progressbar)

    def plot(self, var_names: Sequence[str] | str | None = None, axes: Any = None) -> Any:
        """Forest: estimate with limits, MAP, and posterior mean with its interval.

        Parameters
        ----------
        var_names : sequence of str or str, optional
            Variables or labels; all by default.
        axes : sequence of matplotlib.axes.Axes, optional
            One for each group of scalars on a common scale.

        Returns
        -------
        numpy.ndarray of matplotlib.axes.Axes

        Notes
        -----
        Scalars whose sizes differ much get axes of their own. Variables with many entries are
        sorted by their estimates.
        """
        from pymle.plots.posterior import draw_forest

        return draw_forest(self._rows(var_names), self.level, axes)

    def plot_densities(
        self,
        var_names: Sequence[str] | str | None = None,
        axes: Any = None,
        *,
        profile: bool = True,
    ) -> Any:
        """Likelihood, prior and posterior of chosen scalars, one panel each.

        Parameters
        ----------
        var_names : sequence of str or str, optional
            Variables or labels; by default the parameters, at most twelve: those that prior or
            skewness moved furthest.
        axes : sequence of matplotlib.axes.Axes, optional
        profile : bool
            The profile likelihood (a few refits each), scaled to area one; otherwise, and where
            there is none, the normal density of estimate and standard error.

        Returns
        -------
        numpy.ndarray of matplotlib.axes.Axes
        """
        from pymle.bayes.comparison.curves import curves_of
        from pymle.plots.posterior_densities import draw_densities

        rows = self._rows(var_names) if var_names is not None else self._telling(12)
        return draw_densities(curves_of(self, rows, profile=profile), axes)

    def plot_influence(
        self,
        var_names: Sequence[str] | str | None = None,
        ax: Any = None,
        *,
        most: int = 30,
    ) -> Any:
        """Bars of what the prior does to each estimate, in standard errors.

        Parameters
        ----------
        var_names : sequence of str or str, optional
        ax : matplotlib.axes.Axes, optional
        most : int
            How many bars; the largest are shown.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from pymle.plots.posterior import draw_influence

        return draw_influence(self._rows(var_names), most, ax)

    def plot_ridge(self, var_name: str | None = None, ax: Any = None, *, most: int = 40) -> Any:
        """Posterior densities of a vector's entries, one above the other, with the estimates.

        Parameters
        ----------
        var_name : str, optional
            By default the variable with most entries.
        ax : matplotlib.axes.Axes, optional
        most : int
            How many entries; beyond, evenly spaced ones in the order of the estimates.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from pymle.bayes.comparison.curves import ridge_of
        from pymle.plots.posterior_densities import draw_ridge

        if var_name is None:
            var_name = str(self.table["variable"].value_counts().index[0])
        rows = self._rows(var_name)
        return draw_ridge(ridge_of(self, rows, most), len(rows), ax)

    def _rows(self, var_names: Sequence[str] | str | None) -> pd.DataFrame:
        """The rows of variables or labels."""
        if var_names is None:
            return self.table
        asked = [var_names] if isinstance(var_names, str) else list(var_names)
        return self.table.loc[self.labels_of(asked)]

    def labels_of(self, asked: Sequence[str]) -> list[str]:
        """Labels of the rows that names and labels ask for.

        Parameters
        ----------
        asked : sequence of str

        Returns
        -------
        list of str

        Raises
        ------
        AnalysisError
            A name that is neither.
        """
        from pymle.errors import AnalysisError

        out: list[str] = []
        for name in asked:
            if name in self.table.index:
                found = [name]
            else:
                found = list(self.table.index[self.table["variable"] == name])
            if not found:
                known = [*dict.fromkeys(self.table["variable"]), *self.table.index]
                raise AnalysisError.unknown_variable(name, list(dict.fromkeys(known)))
            out += [label for label in found if label not in out]
        return out

    def _telling(self, most: int) -> pd.DataFrame:
        """The rows of parameters that say most, in the order of the table."""
        rows = self.table[np.isfinite(self.table["mean"])]
        own = rows[rows["role"] == "parameter"]
        rows = own if len(own) else rows
        if len(rows) <= most:
            return rows
        size = rows[["pull_se", "shift", "map_shift"]].abs().max(axis=1)
        size = size.fillna(np.inf)
        keep = np.sort(np.argsort(-size.to_numpy(), kind="stable")[:most])
        return rows.iloc[keep]

    def __repr__(self) -> str:
        head, foot = self._frame()
        shown = self._short()
        more = len(self.table) - len(shown)
        lines = [*head, shown.to_string(float_format=_number, na_rep="")]
        if more > 0:
            lines.append(f"... and {more} more rows in `.table`")
        return "\n".join([*lines, *foot])

    def _repr_html_(self) -> str:
        from html import escape

        head, _ = self._frame()
        table = self._short(10 * _PRINTED).to_html(float_format=_number, na_rep="")
        items = "".join(f"<li>{escape(r.text)}</li>" for r in self.remarks)
        notes = "".join(f"<p><small>{escape(note)}</small></p>" for note in self.notes)
        return f"<p>{escape(' '.join(head))}</p>{table}<ul>{items}</ul>{notes}"

    def _short(self, most: int = _PRINTED) -> pd.DataFrame:
        """What is printed: of long tables the first rows of every variable."""
        table = self.table
        if len(table) > most:
            place = table.groupby("variable", sort=False).cumcount()
            room = max([1, *(n for n in range(1, most) if (place < n).sum() <= most)])
            table = table[place < room].head(most)
        return table[SHORT].rename(columns=_HEADS)

    def _frame(self) -> tuple[list[str], list[str]]:
        percent = f"{100 * self.level:g}%"
        head = [
            f"Maximum likelihood ({self.status}) beside the posterior "
            f"({self.chains} chain{'s' * (self.chains > 1)} of {self.draws} draws); intervals "
            f"{percent} highest density; shift and pull in standard errors."
        ]
        foot = [""] if self.remarks or self.notes else []
        foot += as_text(self.remarks)
        foot += [f"({note})" for note in self.notes]
        return head, foot

    def replaced(self, **changes: Any) -> PosteriorComparison:
        """The same record with some attributes changed."""
        return replace(self, **changes)


def _number(value: float) -> str:
    """Four significant digits, without an exponent where it can be avoided."""
    if not np.isfinite(value):
        return str(value)
    size = abs(value)
    if value == 0.0 or 1e-3 <= size < 1e5:
        digits = 4 - (int(np.floor(np.log10(size))) + 1 if size >= 1 else 1)
        return f"{value:.{max(digits, 0)}f}"
    return f"{value:.3g}"
