"""Profile limits in a comparison, on demand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pymle.bayes.comparison.sentences import remarks_on
from pymle.inference.profile import Asked, profile


def asked_for(
    comparison: Any, labels: Sequence[str], *, at_edge: bool = False
) -> list[tuple[str, Any]]:
    """What to profile for each label; random effects have no likelihood of their own.

    Parameters
    ----------
    comparison : PosteriorComparison
    labels : sequence of str
    at_edge : bool
        Estimates at the edge of their support too, which have no standard error.

    Returns
    -------
    list of (label, Asked)
    """
    out = []
    table = comparison.table
    for variable in comparison.work.scalars.variables:
        if variable.role not in ("parameter", "deterministic"):
            continue
        for entry, label in enumerate(variable.labels):
            if label not in labels or not np.isfinite(table.loc[label, "mle"]):
                continue
            if table.loc[label, "se"] > 0.0 or (at_edge and np.isnan(table.loc[label, "se"])):
                out.append((label, Asked(variable.name, entry)))
    return out


def profiled(comparison: Any, labels: Sequence[str] | str | None, *, progressbar: bool) -> Any:
    """A comparison with profile limits.

    Parameters
    ----------
    comparison : PosteriorComparison
    labels : sequence of str, str or None
    progressbar : bool

    Returns
    -------
    PosteriorComparison
    """
    table, work = comparison.table.copy(), comparison.work
    if labels is None:
        wanted = list(table.index[table["role"] == "parameter"])
    else:
        wanted = comparison.labels_of([labels] if isinstance(labels, str) else list(labels))
    asked = asked_for(comparison, wanted)
    if "limits" not in table:
        table.insert(table.columns.get_loc("upper") + 1, "limits", "wald")
    with work.counting(progressbar, "profile") as callback:
        found = profile(
            work.mle,
            [each for _, each in asked],
            level=comparison.level,
            callback=callback,
            wrap=work.wrap,
        )
    position = {label: i for i, label in enumerate(table.index)}
    for (label, _), one in zip(asked, found.members, strict=False):
        row = position[label]
        table.loc[label, ["lower", "upper"]] = one.lower, one.upper
        table.loc[label, "limits"] = "profile"
        draws = work.draws.values[row].ravel()
        if table.at[label, "converged"] and np.all(np.isfinite(draws)):
            table.loc[label, "below"] = _beyond(draws < one.lower, one.lower)
            table.loc[label, "above"] = _beyond(draws > one.upper, one.upper)
    remarks = remarks_on(
        table,
        work.mle.estimate.verdict,
        level=comparison.level,
        chains=comparison.chains,
        needed=work.needed,
        divergences=comparison.divergences,
        pareto_k=comparison.pareto_k,
    )
    return comparison.replaced(table=table, remarks=remarks)


def _beyond(outside: np.ndarray, limit: float) -> float:
    return float("nan") if np.isnan(limit) else float(np.mean(outside))
