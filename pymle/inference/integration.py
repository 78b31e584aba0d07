"""How far the integral over random effects is off, and whether it matters for the estimates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pymle.bind import LARGEST_PRODUCT, blocks_of, marginal_by
from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.covariance.information import standard_errors, whitened
from pymle.model import pareto_k
from pymle.objective.integrate.rules import Draws, GaussHermite

#: Points along each effect for blocks of one, two and three.
_POINTS = {1: 25, 2: 15, 3: 9}
#: Batches for the Monte Carlo error of a score.
_BATCHES = 8
#: Shifts, in standard errors, below which nothing and little changes.
_NEGLIGIBLE, _SMALL = 0.1, 0.5
#: Importance weights with a heavier tail have no usable mean (Vehtari et al. 2024).
_UNRELIABLE = 0.7
#: Degrees of freedom of the Student-t law that is tried where the normal one is too narrow.
_FREEDOM = 5.0
#: Spread of log-weights that is rounding.
_ROUNDING = 1e-9
#: Blocks of which the tail is fitted: those whose weights vary most.
_MOST_TAILS = 2000


@dataclass(frozen=True)
class IntegrationCheck:
    """The error of the integral over random effects, measured at the estimate.

    Attributes
    ----------
    blocks : pandas.DataFrame
        One row for each independent block of random effects: ``effects`` (their number),
        ``loglik`` (what the fit gives), ``error`` (that less the importance-sampled one),
        ``se`` (Monte Carlo standard error of the latter), ``pareto_k`` (tail of the importance
        weights, -inf where they are all equal, nan where it was not fitted) and, where blocks
        have up to three effects, ``quadrature_error`` (against fine quadrature).
    parameters : pandas.DataFrame
        One row for each parameter, natural scale: ``estimate``, ``shift`` (what an integral
        without error would add to it, to one Newton step), ``se``, ``shift_in_se`` and
        ``monte_carlo_se`` (of ``shift_in_se``; zero where quadrature gave it).
    method : str
        How the fit integrates.
    loglik, error, se : float
        Log-likelihood of the fit, its error against importance sampling (fit less sampled),
        and the Monte Carlo standard error of that.
    largest_k : float
        Largest Pareto k.
    draws : int
    shift_by : str
        ``quadrature`` or ``importance sampling``.
    reliable : bool
        The shift is by quadrature, or no Pareto k exceeds 0.7.
    largest_shift : float
        Largest shift of an estimate, in standard errors.
    text : str
        What it comes to, in a sentence, and what to do.
    """

    blocks: pd.DataFrame
    parameters: pd.DataFrame
    method: str
    loglik: float
    error: float
    se: float
    largest_k: float
    draws: int
    shift_by: str
    reliable: bool
    largest_shift: float
    text: str

    @property
    def matters(self) -> bool:
        """Whether an estimate shifts by more than a tenth of its standard error."""
        return not self.largest_shift < _NEGLIGIBLE

    def __repr__(self) -> str:
        shown = self.parameters.to_string(float_format=lambda v: f"{v:.4g}")
        return (
            f"{self.method}: log-likelihood {self.loglik:.4f}, off by {self.error:.3g} "
            f"(Monte Carlo se {self.se:.2g}, {self.draws} draws, {len(self.blocks)} blocks, "
            f"largest Pareto k {self.largest_k:.2f})\n{shown}\n{self.text}"
        )

    def _repr_html_(self) -> str:
        return f"<p>{self.text}</p>{self.parameters.to_html()}"


def check_integration(
    fitted: Fitted, draws: int = 1000, random_seed: int | None = None
) -> IntegrationCheck:
    """Measure the error of the integral over random effects at the estimate.

    Parameters
    ----------
    fitted : Fitted
    draws : int
        Importance draws, for all blocks at once.
    random_seed : int or None

    Returns
    -------
    IntegrationCheck

    Raises
    ------
    AnalysisError
        Nothing was integrated; too few draws.
    """
    problem, estimate = fitted.problem, fitted.estimate
    effects = problem.effects
    if effects is None:
        raise AnalysisError(
            "This fit has no random effects: nothing was integrated out (see `fit.roles`)."
        )
    whole = isinstance(draws, int | np.integer) and not isinstance(draws, bool)
    if not whole or draws < 100:
        raise AnalysisError.argument("draws", draws, "a whole number from 100")
    draws, seed = int(draws), 0 if random_seed is None else int(random_seed)
    x, weights, blocks = estimate.x, fitted.weights, blocks_of(problem)
    points = problem.quadrature or 1
    here = _logsum(marginal_by(problem, weights, GaussHermite, points).log_weights(x))
    law: tuple[Any, ...] = ()
    sampler = marginal_by(problem, weights, Draws, draws, seed)
    logs = sampler.log_weights(x)
    tails = _tails(logs)
    if np.nanmax(tails, initial=-np.inf) > _UNRELIABLE:
        # A law with heavier tails covers what the normal one misses, in few dimensions.
        other = marginal_by(problem, weights, Draws, draws, seed, _FREEDOM)
        heavier = other.log_weights(x)
        found = _tails(heavier)
        if np.nanmax(found) < np.nanmax(tails):
            law, sampler, logs, tails = (_FREEDOM,), other, heavier, found
    sampled = _logsum(logs)
    spread = np.exp(logs - sampled + np.log(draws))
    se = np.std(spread, axis=0, ddof=1) / np.sqrt(draws)
    table = pd.DataFrame(
        {
            "effects": blocks.sizes,
            "loglik": here,
            "error": here - sampled,
            "se": se,
            "pareto_k": tails,
        },
        index=pd.Index(_names(effects.layout.free_labels, blocks), name="block"),
    )
    largest = int(blocks.sizes.max(initial=0))
    _, score = fitted.likelihood.value_and_score(x)
    if largest <= LARGEST_PRODUCT:
        fine = marginal_by(problem, weights, GaussHermite, max(_POINTS[largest], 2 * points + 1))
        table["quadrature_error"] = here - _logsum(fine.log_weights(x))
        moved = fine.value_and_score(x)[1] - score
        noise = np.zeros((1, len(x)))
        by = "quadrature"
    else:
        moved = sampler.value_and_score(x)[1] - score
        noise = _batches(problem, weights, x, draws, seed, law) - score
        by = "importance sampling"
    parameters = _shifts(fitted, moved, noise)
    worst = float(np.nanmax(table["pareto_k"], initial=-np.inf))
    off = parameters["shift_in_se"].abs()
    shift = float(off.max()) if off.notna().any() else float("nan")
    reliable = by == "quadrature" or worst <= _UNRELIABLE
    method = "Laplace's approximation" if points == 1 else f"Quadrature with {points} points"
    return IntegrationCheck(
        blocks=table,
        parameters=parameters,
        method=method,
        loglik=estimate.loglik,
        error=float(table["error"].sum()),
        se=float(np.sqrt(np.sum(se**2))),
        largest_k=worst,
        draws=draws,
        shift_by=by,
        reliable=reliable,
        largest_shift=shift,
        text=_sentence(method, parameters, table, shift, reliable, largest),
    )


def _logsum(logs: np.ndarray) -> np.ndarray:
    top = logs.max(axis=0)
    return top + np.log(np.sum(np.exp(logs - top), axis=0))


def _tails(logs: np.ndarray) -> np.ndarray:
    """Pareto k of the weights of every block; those that vary most where there are many."""
    spread = np.ptp(logs, axis=0)
    out = np.where(spread <= _ROUNDING * np.maximum(1.0, np.abs(logs).max(axis=0)), -np.inf, np.nan)
    varying = np.flatnonzero(np.isnan(out))
    chosen = varying[np.argsort(-np.var(logs[:, varying], axis=0), kind="stable")[:_MOST_TAILS]]
    if len(chosen):
        out[chosen] = pareto_k(logs[:, chosen].T)
    return out


def _batches(
    problem: Any, weights: Any, x: np.ndarray, draws: int, seed: int, law: tuple[Any, ...]
) -> np.ndarray:
    """Scores (batches, k) from disjoint parts of the draws."""
    size = draws // _BATCHES
    parts = [
        marginal_by(problem, weights, Draws, size, seed, *law, first=i * size)
        for i in range(_BATCHES)
    ]
    return np.array([part.value_and_score(x)[1] for part in parts])


def _shifts(fitted: Fitted, score: np.ndarray, noise: np.ndarray) -> pd.DataFrame:
    """One Newton step along a score, by parameter, with its Monte Carlo error."""
    estimate = fitted.estimate
    half, known = whitened(estimate, estimate.jacobian)
    steps = half @ whitened(estimate, np.vstack([score, noise]))[0].T
    steps[~known] = np.nan
    se = standard_errors(estimate, estimate.jacobian)
    free = ~estimate.layout.fixed
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = steps / se[:, None]
    batches = relative[:, 1:]
    error = np.zeros(len(se))
    if batches.shape[1] > 1:
        error = np.std(batches, axis=1, ddof=1) / np.sqrt(batches.shape[1])
    table = pd.DataFrame(
        {
            "estimate": estimate.natural,
            "shift": steps[:, 0],
            "se": se,
            "shift_in_se": relative[:, 0],
            "monte_carlo_se": error,
        },
        index=list(estimate.layout.labels),
    )
    return table[free]


def _names(labels: Any, blocks: Any) -> list[str]:
    """The first effect of each block, and how many more there are."""
    first = np.full(blocks.count, -1)
    first[blocks.effects[::-1]] = np.arange(len(blocks.effects))[::-1]
    return [
        labels[at] if size == 1 else f"{labels[at]} and {size - 1} more"
        for at, size in zip(first, blocks.sizes, strict=True)
    ]


def _sentence(
    method: str,
    parameters: pd.DataFrame,
    blocks: pd.DataFrame,
    shift: float,
    reliable: bool,
    largest: int,
) -> str:
    if not reliable:
        bad = blocks.index[blocks["pareto_k"] > _UNRELIABLE]
        return (
            f"Nothing can be said: the importance weights of `{bad[0]}` have too heavy a tail "
            f"(Pareto k above {_UNRELIABLE}; {len(bad)} of {len(blocks)} blocks), so that the "
            "integral is far from normal or has too many dimensions for sampling. Compare with "
            "`fit.sample()`."
        )
    if np.isnan(shift):
        return (
            "No parameter has a standard error, so that shifts cannot be judged; see `.error` "
            "for the log-likelihood."
        )
    worst = parameters["shift_in_se"].abs().idxmax()
    size = f"the estimate that moves most, `{worst}`, by {shift:.2g} standard errors"
    if shift < _NEGLIGIBLE:
        return f"{method} does not matter for the estimates: its error moves {size}."
    advice = (
        "Fit again with `quadrature=15`"
        if method.startswith("Q")
        else ("Fit again with `quadrature=7`")
    )
    if largest > LARGEST_PRODUCT:
        advice = "Blocks are too large for quadrature: compare with `fit.sample()`"
    if shift < _SMALL:
        return f"The error of the integral moves {size}: small, but visible. {advice}."
    return f"The error of the integral matters: it moves {size}. {advice}."
