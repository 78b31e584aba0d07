"""Fits side by side: information criteria."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.hypotheses.same_data import same_data

CRITERIA = ("aic", "aicc", "bic")


def criteria(loglik: float, k: int, n: float) -> dict[str, float]:
    """Information criteria.

    Parameters
    ----------
    loglik : float
    k : int
        Number of parameters.
    n : float
        Number of observations; nan where it is unknown.

    Returns
    -------
    dict
        ``aic``, ``aicc`` (infinite if n <= k + 1) and ``bic``.
    """
    aic = 2.0 * k - 2.0 * loglik
    aicc = aic + 2.0 * k * (k + 1) / (n - k - 1) if n > k + 1 else float("inf")
    if not np.isfinite(n):
        aicc = float("nan")
    return {"aic": aic, "aicc": aicc, "bic": k * float(np.log(n)) - 2.0 * loglik}


def compare_table(fits: Mapping[str, Fitted], by: str = "aic") -> pd.DataFrame:
    """Fits to the same data, best first.

    Parameters
    ----------
    fits : mapping of str to Fitted
    by : {"aic", "aicc", "bic"}

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    AnalysisError
        Fewer than two fits, an unknown criterion, MAP fits, different data.
    """
    if by not in CRITERIA:
        raise AnalysisError.argument("by", by, f"one of {', '.join(CRITERIA)}")
    if len(fits) < 2:
        raise AnalysisError.argument("fits", list(fits), "at least two fits")
    same_data(list(fits.values()), [f"`{name}`" for name in fits])
    counts = {name: fitted.estimate.nobs for name, fitted in fits.items()}
    if len(set(counts.values())) > 1 and not all(np.isnan(n) for n in counts.values()):
        said = ", ".join(f"`{name}` {n:g}" for name, n in counts.items())
        raise AnalysisError.not_comparable(f"their numbers of observations differ: {said}.")
    if by != "aic" and any(np.isnan(n) for n in counts.values()):
        raise AnalysisError.needs_nobs(by.upper())
    rows: dict[str, dict[str, Any]] = {}
    for name, fitted in fits.items():
        estimate = fitted.estimate
        found = criteria(estimate.loglik, estimate.nparams, estimate.nobs)
        rows[name] = {
            "loglik": estimate.loglik,
            "nparams": estimate.nparams,
            "nobs": estimate.nobs,
            **found,
            "verdict": str(estimate.verdict.status.value),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").sort_values(by, kind="stable")
    delta = table[by] - table[by].iloc[0]
    relative = np.exp(-0.5 * delta.to_numpy(dtype=np.float64))
    table.insert(6, "delta", np.where(np.isinf(table[by]), np.inf, delta))
    table.insert(7, "weight", np.nan_to_num(relative) / np.nansum(relative))
    return table
