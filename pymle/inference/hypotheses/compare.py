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
        if not np.isfinite(estimate.loglik):
            raise AnalysisError.not_comparable(
                f"`{name}` has log-likelihood {estimate.loglik} ({estimate.verdict.status.value}). "
                "Leave it out, or mend the fit."
            )
        if estimate.verdict.unbounded:
            raise AnalysisError.not_comparable(
                f"the log-likelihood of `{name}` grows without bound, and its value is where the "
                "search stopped. Leave it out, or mend the fit (`fit.verdict.advice`)."
            )
        rows[name] = {
            "loglik": estimate.loglik,
            "nparams": estimate.nparams,
            "nobs": estimate.nobs,
            **{criterion: getattr(estimate, criterion) for criterion in CRITERIA},
            "verdict": str(estimate.verdict.status.value),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").sort_values(by, kind="stable")
    value = table[by].to_numpy(dtype=np.float64)
    # AICc is infinite for a model with too many parameters: no weight, and none for any if all are.
    delta = np.full(len(value), np.inf)
    np.subtract(value, value[0], out=delta, where=np.isfinite(value))
    relative = np.exp(-0.5 * delta)
    total = relative.sum()
    table.insert(6, "delta", delta)
    table.insert(7, "weight", relative / total if total > 0.0 else np.full(len(value), np.nan))
    return table
