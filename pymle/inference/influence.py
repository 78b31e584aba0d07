"""Influence of single units: what deleting one would change, from scores and information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.covariance import (
    Units,
    scores_of,
    standard_errors,
    units_of,
    whitened,
)
from pymle.objective.contributions import observation_informations

#: Units times observations up to which log-likelihoods are evaluated without each unit.
_MOST_WORK = 50_000_000


@dataclass(frozen=True)
class Influence:
    """One-step influence of every independent unit on the estimates.

    Attributes
    ----------
    units : Units
        What was deleted, one at a time.
    labels : tuple of str
        Estimated entries, natural scale.
    dfbeta : numpy.ndarray, shape (n, m)
        Estimate less the estimate without the unit, to one Newton step.
    dfbetas : numpy.ndarray, shape (n, m)
        The same, divided by the standard errors of the fit.
    cook : numpy.ndarray, shape (n,)
        ``d' I d / k`` with d the change of all k unconstrained parameters and I the observed
        information: Cook's distance.
    displacement : numpy.ndarray, shape (n,)
        ``2 (l(estimate) - l(estimate without the unit))``, the likelihood displacement.
    displacement_exact : bool
        Whether the log-likelihood was evaluated for it; otherwise it is its quadratic
        approximation ``d' I d``.
    leverage : numpy.ndarray or None, shape (n,)
        Trace of the unit's share of the information; its sum is the number of parameters.
    step : str
        ``leave-one-out information`` (one exact Newton step from the estimate) or
        ``full information`` (to first order in the unit's weight).
    """

    units: Units
    labels: tuple[str, ...]
    dfbeta: np.ndarray
    dfbetas: np.ndarray
    cook: np.ndarray
    displacement: np.ndarray
    displacement_exact: bool
    leverage: np.ndarray | None
    step: str

    @property
    def table(self) -> pd.DataFrame:
        """One row for each unit: Cook's distance, displacement, leverage, dfbetas."""
        columns: dict[str, Any] = {"cook": self.cook, "displacement": self.displacement}
        if self.leverage is not None:
            columns["leverage"] = self.leverage
        for j, label in enumerate(self.labels):
            columns[f"dfbetas {label}"] = self.dfbetas[:, j]
        return pd.DataFrame(columns, index=self.units.index)

    @property
    def changes(self) -> pd.DataFrame:
        """Estimate less the estimate without each unit, natural scale."""
        return pd.DataFrame(self.dfbeta, index=self.units.index, columns=list(self.labels))

    def largest(self, n: int = 5) -> pd.DataFrame:
        """The rows of `table` with the largest Cook's distances.

        Parameters
        ----------
        n : int

        Returns
        -------
        pandas.DataFrame
        """
        return self.table.sort_values("cook", ascending=False).head(n)

    def __repr__(self) -> str:
        rows = self._shown(5).to_string(float_format=lambda v: f"{v:.4g}")
        return f"influence of deleting one of {self.units.text} ({self.step})\n{rows}"

    def _repr_html_(self) -> str:
        return f"<p>{self.units.text}</p>{self._shown(10).to_html()}"

    def _shown(self, n: int) -> pd.DataFrame:
        """The first rows of `largest`, with the estimate that each moves most."""
        rows = self.largest(n)
        scaled = rows.iloc[:, -len(self.labels) :].to_numpy()
        most = np.argmax(np.where(np.isfinite(scaled), np.abs(scaled), -1.0), axis=1)
        out = rows.iloc[:, : -len(self.labels)].copy()
        out["moves most"] = [
            f"{self.labels[j]} ({row[j]:+.2f} se)" for j, row in zip(most, scaled, strict=True)
        ]
        return out

    def plot(self, names: Sequence[str] | str | None = None, ax: Any = None, mark: int = 3) -> Any:
        """Draw Cook's distances, or dfbetas of some parameters, one stem for each unit.

        Parameters
        ----------
        names : sequence of str or str, optional
            Labels of parameters; Cook's distance by default.
        ax : matplotlib.axes.Axes, optional
        mark : int
            How many of the largest are labelled.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from pymle.plots.influence import draw_stems

        if names is None:
            return draw_stems(
                {"Cook's distance": self.cook}, [str(u) for u in self.units.index], ax, mark
            )
        wanted = [names] if isinstance(names, str) else list(names)
        for name in wanted:
            if name not in self.labels:
                raise AnalysisError.unknown_variable(name, self.labels)
        series = {f"dfbetas {n}": self.dfbetas[:, self.labels.index(n)] for n in wanted}
        return draw_stems(series, [str(u) for u in self.units.index], ax, mark)


def influence(fitted: Fitted, clusters: Any = None) -> Influence:
    """Influence of every independent unit.

    Parameters
    ----------
    fitted : Fitted
    clusters : optional
        See `pymle.Fit.covariance`; one way.

    Returns
    -------
    Influence

    Raises
    ------
    AnalysisError
        Dependent data, Potentials, MAP fits, a fit without curvature.

    Notes
    -----
    Without unit i the score at the estimate is minus its own score s and the information I
    less its own share H; one Newton step gives the change ``inv(I - H) s``. Where the second
    derivatives of the single observations are not at hand, or too many, the change is
    ``inv(I) s``.
    """
    what = "Influence"
    estimate = fitted.estimate
    units = units_of(fitted, clusters, what)
    scores = scores_of(fitted, what)
    if estimate.null_space is None:
        raise AnalysisError(
            "Influence needs the curvature at a strict maximum, and this fit is none "
            f"({estimate.verdict.status.value})."
        )
    # A row is deleted as it stands, with its weight.
    values = units.sums(scores.weighted)
    half = whitened(estimate, values)[0]
    shares = _shares(fitted, units, scores.weights)
    if shares is None:
        change, leverage, step = half, None, "full information"
    else:
        leverage = np.trace(shares, axis1=1, axis2=2)
        rest = np.eye(half.shape[1]) - shares
        change, step = _solved(rest, half), "leave-one-out information"
    back = _from_white(estimate)
    steps = change @ back.T
    quadratic = np.sum(change**2, axis=1)
    displacement = _displacement(fitted, steps)
    jacobian = estimate.jacobian
    jacobian = jacobian if isinstance(jacobian, np.ndarray) else jacobian.toarray()
    keep = ~estimate.layout.fixed
    natural = (steps @ jacobian.T)[:, keep]
    covariance = None
    if estimate.weights_kind == "sampling":
        from pymle.inference.covariance import estimate_covariance

        covariance = estimate_covariance(fitted)
    se = standard_errors(estimate, jacobian[keep], covariance)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = natural / se
    exact = displacement is not None
    return Influence(
        units=units,
        labels=tuple(np.array(estimate.layout.labels, dtype=object)[keep]),
        dfbeta=np.where(np.isfinite(se), natural, np.nan),
        dfbetas=np.where(np.isfinite(se), scaled, np.nan),
        cook=quadratic / max(half.shape[1], 1),
        displacement=displacement if exact else quadratic,
        displacement_exact=exact,
        leverage=leverage,
        step=step,
    )


def _from_white(estimate: Any) -> np.ndarray:
    """The matrix (k, r) from the whitened scale back to the unconstrained one."""
    return whitened(estimate, np.eye(len(estimate.x)))[0]


def _shares(fitted: Fitted, units: Units, weights: Any) -> np.ndarray | None:
    """The units' shares (n, r, r) of the whitened information, None if not at hand."""
    found = observation_informations(fitted.likelihood, fitted.estimate.x)
    if found is None:
        return None
    k = len(fitted.estimate.x)
    if weights is not None:
        found = [w[..., None, None] * a for w, a in zip(weights, found, strict=True)]
    summed = units.sums([a.reshape(*a.shape[:-2], k * k) for a in found])
    rows = whitened(fitted.estimate, summed.reshape(-1, k))[0]
    r = rows.shape[1]
    turned = np.swapaxes(rows.reshape(-1, k, r), 1, 2)
    return whitened(fitted.estimate, turned.reshape(-1, k))[0].reshape(-1, r, r)


def _solved(rest: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Solutions for each unit; nan where the information without it is not positive definite."""
    out = np.full_like(half, np.nan)
    lowest = np.linalg.eigvalsh(rest)[:, 0] if half.shape[1] else np.ones(len(half))
    fine = lowest > 1e-10
    out[fine] = np.linalg.solve(rest[fine], half[fine][..., None])[..., 0]
    return out


def _displacement(fitted: Fitted, steps: np.ndarray) -> np.ndarray | None:
    likelihood, estimate = fitted.likelihood, fitted.estimate
    rows = sum(int(np.prod(term.shape, dtype=int)) for term in fitted.problem.observed)
    if len(steps) * rows > _MOST_WORK or not likelihood.batched:
        return None
    fine = np.all(np.isfinite(steps), axis=1)
    out = np.full(len(steps), np.nan)
    top = likelihood.value(estimate.x)
    out[fine] = 2.0 * (top - likelihood.values(estimate.x - steps[fine]))
    return out
