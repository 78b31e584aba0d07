"""Fit one problem and measure how far the answer lies from the reference."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

import pymle
from tests.reference.problem import Problem


@dataclass(frozen=True)
class Comparison:
    """Differences of one fit from the nearest of the equivalent reference optima.

    Attributes
    ----------
    ok : bool
        ``fit.verdict.ok``.
    status : str
        ``fit.verdict.status``, or the class of the error that stopped the fit.
    loglik : float
        Log-likelihood minus the reference's.
    estimate : float
        Largest difference of an estimate, in standard errors.
    se : float
        Largest relative difference of a standard error.
    seconds : float
        Wall time of the fit.
    fit : pymle.Fit or None
    detail : str
        The error's text, or the parameter that is furthest off.
    """

    ok: bool
    status: str
    loglik: float
    estimate: float
    se: float
    seconds: float
    fit: Any
    detail: str

    @property
    def right(self) -> bool:
        """Log-likelihood to 1e-6, estimates to 1e-4 SE, standard errors to 1e-4 relative."""
        return bool(abs(self.loglik) < 1e-6 and self.estimate < 1e-4 and self.se < 1e-4)


def arguments(problem: Problem, start: str | None) -> dict[str, Any]:
    """What ``find_MLE`` is called with."""
    given: dict[str, Any] = {"progressbar": False}
    if problem.weights is not None:
        given["weights"] = problem.data[problem.weights].to_numpy()
    if start is not None:
        given["start"] = problem.starts[start]
    return given


def compare(problem: Problem, start: str | None = None) -> Comparison:
    """Fit from the model's own start (None) or from a named one, and compare."""
    model = problem.model()
    began = time.perf_counter()
    with warnings.catch_warnings():
        # The verdict is looked at here; that it is also warned about is tested elsewhere.
        warnings.simplefilter("ignore")
        fit = pymle.find_MLE(model, **arguments(problem, start))
    seconds = time.perf_counter() - began
    table = fit.summary()
    best = (np.inf, np.inf, "")
    for estimates, errors in problem.equivalents():
        far = wide = 0.0
        worst = ""
        for name, label in problem.labels.items():
            row = table.loc[label]
            shift = abs(float(row["estimate"]) - estimates[name]) / errors[name]
            if not shift <= far:
                far, worst = shift, name
            wide = np.fmax(wide, abs(float(row["se"]) / errors[name] - 1))
            wide = np.inf if np.isnan(row["se"]) else wide
        if not far >= best[0]:
            best = (far, wide, worst)
    far, wide, worst = best
    return Comparison(
        ok=bool(fit.verdict.ok),
        status=str(getattr(fit.verdict.status, "name", fit.verdict.status)),
        loglik=float(fit.loglik) - problem.value["loglik"],
        estimate=far,
        se=wide,
        seconds=seconds,
        fit=fit,
        detail=worst,
    )
