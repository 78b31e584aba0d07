"""Where searches from several starts ended, and what their agreement is worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pymle.fitted import Fitted
from pymle.optimize import Exploration, Solution, same_value

#: Distance of a start from the best end, in its standard errors, from which on it lay apart.
_APART = 3.0
#: Searches from apart that have to agree before it counts as evidence.
_ENOUGH = 3


@dataclass(frozen=True)
class Starts:
    """The searches of a fit: where each began, where it ended, and how.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each search, the best end first: ``loglik`` (of a MAP fit the
        log-posterior), ``below`` (by how much it is below the best), ``converged`` (with a score
        of zero and a curvature that is negative in every direction), ``place`` (number of the end
        point, 1 is the best; searches that ended at one point share it), ``distance`` (of the
        start from the best end, root mean square in conditional standard errors; NaN without
        them), ``iterations``, ``ended`` (why, in a word).
    places : pandas.DataFrame
        One row for each end point: ``loglik``, ``searches``, ``converged``, and the estimates
        there, natural scale, one column for each entry (up to fifty).
    run : int
        Number of searches.
    left : int
        Starts that were at hand and not tried.
    best_share : float
        Share of the searches that converged to the best log-likelihood.
    apart : int
        Searches that converged to the best log-likelihood from starts more than three
        conditional standard errors away from it.
    equivalent : int
        Different points with the best log-likelihood.
    concave : bool
        No further searches ran: the log-likelihood was concave at all points looked at.
    ended : str
        Why no more searches ran.
    seconds : float
    """

    table: pd.DataFrame
    places: pd.DataFrame
    run: int
    left: int
    best_share: float
    apart: int
    equivalent: int
    concave: bool
    ended: str
    seconds: float
    _top: float = field(default=float("nan"), repr=False)

    @property
    def evidence(self) -> str:
        """What the starts say about a higher maximum elsewhere, in a sentence."""
        if self.run == 1:
            if self.concave:
                return (
                    "One search: the log-likelihood was concave at every point looked at, so that "
                    "a second maximum would have to hide between them."
                )
            return "One search: nothing is known about other maxima (`n_starts=` looks for them)."
        reached = round(self.best_share * self.run)
        text = (
            f"{reached} of {self.run} searches converged to the highest log-likelihood, "
            f"{self.apart} of them from starts apart from it"
        )
        if self.equivalent > 1:
            text += f", at {self.equivalent} different points"
        if not self.table["converged"].iloc[0]:
            return f"{text}. Without a certified end their agreement is no evidence."
        if self.apart < _ENOUGH:
            return f"{text}: too few to count as evidence that no higher maximum exists."
        return f"{text}: evidence, no proof, that no higher maximum exists."

    def plot(self, ax: Any = None) -> Any:
        """Waterfall: how far each search ended below the best, best first.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        matplotlib.axes.Axes
        """
        from pymle.plots.waterfall import draw_waterfall

        return draw_waterfall(self, ax)

    def __repr__(self) -> str:
        shown = self.table.head(12).to_string(float_format=lambda v: f"{v:.6g}")
        more = len(self.table) - 12
        return f"{self.evidence}\n\n{shown}" + (f"\n... {more} more" if more > 0 else "")

    def _repr_html_(self) -> str:
        import html

        return f"<div><p>{html.escape(self.evidence)}</p>{self.table.head(12).to_html()}</div>"


def starts_of(fitted: Fitted) -> Starts:
    """The searches behind a fit.

    Parameters
    ----------
    fitted : Fitted

    Returns
    -------
    Starts
    """
    estimate = fitted.estimate
    exploration = estimate.exploration
    if exploration is None:
        solutions: tuple[Solution, ...] = (estimate.solution,)
        clusters: list[tuple[float, np.ndarray, tuple[int, ...]]] = [
            (estimate.solution.value, estimate.solution.x, (0,))
        ]
    else:
        solutions = exploration.solutions
        clusters = [(c.value, c.x, c.members) for c in _certified_first(exploration)]
    best = solutions[0]
    units = _units(best)
    number = {i: n for n, (_, _, members) in enumerate(clusters, 1) for i in members}
    rows = []
    for i, each in enumerate(solutions):
        gap = float(np.sqrt(np.mean(((each.record.start - best.x) / units) ** 2)))
        rows.append(
            {
                "loglik": each.value,
                "below": best.value - each.value,
                "converged": each.converged,
                "place": number.get(i, 0),
                "distance": gap,
                "iterations": each.record.iterations,
                "ended": each.termination.name.lower().replace("_", " "),
            }
        )
    reached = [s for s in solutions if s.converged and same_value(s.value, best.value)]
    table = pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="search"))
    apart = sum(
        row["converged"] and same_value(row["loglik"], best.value) and row["distance"] > _APART
        for row in rows
    )
    return Starts(
        table=table,
        places=_places(fitted, solutions, clusters),
        run=len(solutions),
        left=0 if exploration is None else exploration.starts_left,
        best_share=len(reached) / len(solutions),
        apart=int(apart),
        equivalent=1 if exploration is None else max(len(exploration.top_clusters), 1),
        concave=exploration is None and "concave" in str(estimate.verdict.evidence.get("starts")),
        ended="One search." if exploration is None else exploration.termination,
        seconds=best.record.seconds if exploration is None else exploration.seconds,
        _top=best.value,
    )


def _certified_first(exploration: Exploration) -> list[Any]:
    """Places with converged searches first, each kind by height."""
    return sorted(exploration.clusters, key=lambda c: (c.converged == 0, -c.value))


def _units(best: Solution) -> np.ndarray:
    """Conditional standard errors at the best end, where its curvature gives them."""
    if best.hessian is None:
        return np.full(len(best.x), np.nan)
    curvature = -np.diagonal(best.hessian)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(curvature > 0, 1.0 / np.sqrt(curvature), np.nan)


def _places(
    fitted: Fitted,
    solutions: tuple[Solution, ...],
    clusters: list[tuple[float, np.ndarray, tuple[int, ...]]],
) -> pd.DataFrame:
    labels = fitted.estimate.layout.labels[:50]
    rows = []
    for value, x, members in clusters:
        with np.errstate(all="ignore"):
            natural = np.asarray(fitted.natural.value(x))[: len(labels)]
        row: dict[str, Any] = {
            "loglik": value,
            "searches": len(members),
            "converged": sum(solutions[i].converged for i in members),
        }
        rows.append(row | dict(zip(labels, natural, strict=True)))
    return pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="place"))
