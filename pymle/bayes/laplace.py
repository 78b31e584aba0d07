"""Draws of Laplace's approximation to a posterior, with what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pymle.bayes.approximation import Approximation, posterior_of
from pymle.errors import AnalysisError
from pymle.errors.sampling import PosteriorError
from pymle.fitted import Fitted
from pymle.model import compat, pareto_k
from pymle.model.predictive.groups import data_groups, labelled_stack
from pymle.verdict import Status

#: Importance weights with a heavier tail have no usable mean (Vehtari et al. 2024).
UNRELIABLE = 0.7
#: Below it importance weights have a finite variance.
GOOD = 0.5
#: Draws below which the tail of importance weights says nothing.
_FEW = 25
#: Spread of log-weights that is rounding: then the approximation is exact.
_ROUNDING = 1e-8


@dataclass(frozen=True)
class LaplaceDraws:
    """Draws of the Laplace approximation to a posterior.

    Attributes
    ----------
    draws : xarray.Dataset
        Natural scale, with dims ``chain`` (of length 1), ``draw`` and the model's: parameters,
        random effects, missing values, and Deterministics.
    table : pandas.DataFrame
        One row for each entry of ``draws``: ``mode`` (of the posterior on the unconstrained
        scale, mapped to the natural one), ``mean``, ``sd``, ``lower`` and ``upper``
        (equal-tailed, 95%) of the draws.
    log_weights : numpy.ndarray, shape (n,)
        Logarithms of the importance weights: joint log-density of data, parameters and effects
        less the log-density of the approximation, with all constants.
    pareto_k : float
        Shape of the tail of these weights: below 0.5 the approximation is close, above 0.7 it
        is not to be used for means and intervals. -inf where all weights are equal (the
        posterior is normal), nan with fewer than 25 draws.
    mode : xarray.Dataset
        The mode, natural scale.
    verdict : Verdict
        Of that mode.
    refused : int
        Draws at which the random effects have no conditional mode, for which others were taken.
    text : str
        What it is worth, in a sentence.
    """

    draws: xr.Dataset
    table: pd.DataFrame
    log_weights: np.ndarray
    pareto_k: float
    mode: xr.Dataset
    verdict: Any
    refused: int
    text: str
    _groups: dict[str, xr.Dataset]

    def __repr__(self) -> str:
        head = f"Laplace approximation of the posterior, {self.draws.sizes['draw']} draws"
        return f"{head}\n{self.table.to_string(float_format=lambda v: f'{v:.4g}')}\n{self.text}"

    def _repr_html_(self) -> str:
        return f"{self.table.to_html()}<p>{self.text}</p>"

    def to_datatree(self) -> Any:
        """The draws as an ArviZ tree, with the data of the model.

        Returns
        -------
        arviz.InferenceData or xarray.DataTree
            What the installed ArviZ works with, group ``posterior``; diagnostics of convergence
            say nothing about independent draws.
        """
        about = dict(self.draws.attrs)
        return compat.tree({"posterior": self.draws, **self._groups}, about)


def laplace(fitted: Fitted, draws: int = 1000, random_seed: Any = None) -> LaplaceDraws:
    """Draw from the Laplace approximation to a posterior.

    Parameters
    ----------
    fitted : Fitted
        A MAP fit, with or without the Jacobian.
    draws : int
    random_seed : int, sequence of int, SeedSequence, numpy.random.Generator or None

    Returns
    -------
    LaplaceDraws

    Raises
    ------
    AnalysisError
        A maximum-likelihood fit, fewer than one draw, constraints, no gradient, or no mode with
        a positive definite curvature.
    """
    if fitted.estimate.objective != "map":
        raise PosteriorError.needs_map("Laplace's approximation")
    count = checked_count("draws", draws)
    approximation = Approximation(posterior_of(fitted))
    rows = approximation.draw(count, np.random.default_rng(random_seed))
    log_weights = approximation.log_posterior(rows.points) - rows.log_density
    # A density of zero is a weight of zero; one that is no number is reported, not hidden.
    k = _tail(log_weights)
    names = (*approximation.names, *approximation.deterministics)
    problem = approximation.problem
    values = approximation.natural(rows.points, names)
    peak = approximation.natural(approximation.mode[None], names)
    about = {
        "draws": "Laplace approximation",
        "description": (
            "Draws from the normal approximation to the posterior around its mode on the "
            "unconstrained scale (Jacobian included), random effects normal given the "
            "parameters. Independent draws in one chain: diagnostics of convergence say nothing."
        ),
        "pareto_k": k,
        "inference_library": "pymle",
    }
    arrays, modes = {}, {}
    for name, value in values.items():
        dims = problem.dims_of(name, value.ndim - 1)
        arrays[name] = labelled_stack(
            name, value[None], ("chain", "draw"), dims, problem.layout.coords
        )
        modes[name] = problem.labelled(name, peak[name][0])
    made = xr.Dataset(arrays).assign_coords(chain=[0], draw=np.arange(count))
    made.attrs.update(about)
    verdict = approximation.fitted.estimate.verdict
    return LaplaceDraws(
        draws=made,
        table=_table(problem, names, values, peak),
        log_weights=log_weights,
        pareto_k=k,
        mode=xr.Dataset(modes),
        verdict=verdict,
        refused=rows.refused,
        text=_sentence(k, log_weights, rows.refused, verdict),
        _groups=data_groups(problem),
    )


def checked_count(name: str, value: Any) -> int:
    """A positive whole number.

    Parameters
    ----------
    name : str
        The argument.
    value : int

    Returns
    -------
    int

    Raises
    ------
    AnalysisError
        It is none.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or int(value) < 1:
        raise AnalysisError.argument(name, value, "a whole number from 1")
    return int(value)


def _tail(log_weights: np.ndarray) -> float:
    if len(log_weights) < _FEW or np.any(np.isnan(log_weights)):
        return float("nan")
    finite = log_weights[np.isfinite(log_weights)]
    if not len(finite):
        return float("nan")
    if len(finite) == len(log_weights) and np.ptp(finite) <= _ROUNDING * max(
        1.0, float(np.max(np.abs(finite)))
    ):
        return float("-inf")
    return float(pareto_k(log_weights[None])[0])


def _table(problem: Any, names: Sequence[str], values: Any, peak: Any) -> pd.DataFrame:
    parts = []
    for name in names:
        flat = values[name].reshape(len(values[name]), -1)
        lower, upper = np.quantile(flat, [0.025, 0.975], axis=0)
        many = len(flat) > 1
        columns = {
            "mode": peak[name].ravel(),
            "mean": flat.mean(axis=0),
            "sd": flat.std(axis=0, ddof=1) if many else np.full(flat.shape[1], np.nan),
            "lower": lower,
            "upper": upper,
        }
        labels = problem.labels_of(name, values[name].shape[1:])
        parts.append(pd.DataFrame(columns, index=list(labels)))
    return pd.concat(parts)


def _sentence(k: float, log_weights: np.ndarray, refused: int, verdict: Any) -> str:
    said = []
    if np.any(np.isnan(log_weights)):
        said.append(
            f"The posterior density is no number at {int(np.sum(np.isnan(log_weights)))} of "
            f"{len(log_weights)} draws, so that their importance weights cannot be judged."
        )
    elif np.isnan(k):
        said.append("Too few draws for a Pareto k.")
    elif k == -np.inf:
        said.append("All importance weights are equal: on this scale the posterior is normal.")
    elif k <= GOOD:
        said.append(f"Pareto k is {k:.2f}: the approximation is close to the posterior.")
    elif k <= UNRELIABLE:
        said.append(
            f"Pareto k is {k:.2f}: the approximation is usable, though the posterior has heavier "
            "tails; weighting by `log_weights` corrects means."
        )
    else:
        said.append(
            f"Pareto k is {k:.2f}, above {UNRELIABLE}: the posterior is far from this "
            "approximation, whose means and intervals should not be used. Sample it "
            "(`fit.sample()`)."
        )
    if refused:
        said.append(
            f"At {refused} further draws the random effects had no conditional mode; others "
            "were taken in their place."
        )
    if verdict.status is not Status.MAXIMUM:
        said.append(f"The mode: {verdict.status.sentence}")
    return " ".join(said)
