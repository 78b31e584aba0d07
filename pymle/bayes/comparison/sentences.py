"""What a comparison says, in sentences, for what deserves one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pymle.bayes.comparison.diagnostics import RHAT
from pymle.errors.words import listing
from pymle.verdict import Status, Verdict

#: Pull in standard errors, and share of the information, from which the prior decides; half as
#: much and less is said to matter.
DECIDES, SHARE = 1.0, 0.5
MATTERS, SOME = 0.3, 0.2
#: Below this (in standard errors, and as a share) prior and posterior change nothing.
NOTHING = 0.1
#: Skewness from which the tails beyond the Wald limits are looked at.
SKEWED = 0.5
#: Pareto k from which importance weights, and so the approximation, are not to be trusted.
PARETO = 0.7
#: Ratio of posterior sd to standard error that the prior does not explain.
WIDER = 1.25
_SHOWN = 3


@dataclass(frozen=True)
class Remark:
    """One sentence about some scalars.

    Attributes
    ----------
    kind : str
        ``not converged``, ``divergences``, ``no maximum``, ``edge``, ``other maxima``,
        ``prior decides``, ``prior matters``, ``skewed``, ``multimodal``, ``wider``,
        ``approximation``, ``data decide``.
    labels : tuple of str
    text : str
    """

    kind: str
    labels: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return self.text


def remarks_on(
    table: pd.DataFrame,
    verdict: Verdict,
    *,
    level: float,
    chains: int,
    needed: float,
    divergences: int | None,
    pareto_k: float,
) -> tuple[Remark, ...]:
    """Sentences about a comparison.

    Parameters
    ----------
    table : pandas.DataFrame
        That of `PosteriorComparison`.
    verdict : Verdict
        Of the maximum-likelihood fit.
    level : float
    chains : int
    needed : float
        Effective draws below which nothing is compared.
    divergences : int or None
    pareto_k : float
        Of the normal approximation.

    Returns
    -------
    tuple of Remark
        The most urgent first.
    """
    drawn = table[np.isfinite(table["mean"])]
    compared = drawn[drawn["converged"]]
    found = [
        _not_converged(drawn[~drawn["converged"]], chains, needed),
        _diverged(divergences),
        _no_maximum(table, verdict),
        _prior_decides(compared),
        _prior_matters(compared),
        _skewed(compared, level),
        _multimodal(drawn),
        _wider(compared),
        _approximation(pareto_k),
        _data_decide(compared),
    ]
    return tuple(remark for remark in found if remark is not None)


def _not_converged(rows: pd.DataFrame, chains: int, needed: float) -> Remark | None:
    if rows.empty:
        return None
    worst, fewest = rows["r_hat"].max(), rows[["ess_bulk", "ess_tail"]].min(axis=None)
    text = (
        f"The sampler did not converge for {listing(rows.index)}: no comparison there. R-hat is up "
        f"to {worst:.3f} (at most {RHAT} is wanted) and the effective sample size down to "
        f"{fewest:.0f} ({needed:.0f} is wanted with {chains} chain{'s' * (chains > 1)}; Vehtari et "
        "al. 2021). Draw more, or look at the chains."
    )
    if (rows["modes"] > 1).any():
        text += " The draws have more than one mode: chains may sit in different ones."
    return Remark("not converged", tuple(rows.index), text)


def _diverged(divergences: int | None) -> Remark | None:
    if not divergences:
        return None
    text = (
        f"{divergences} transition{'s' * (divergences > 1)} of the sampler diverged: there may be "
        "regions of the posterior that it could not enter, and the posterior numbers may be "
        "biased. Raise `target_accept` or write the model non-centred."
    )
    return Remark("divergences", (), text)


def _no_maximum(table: pd.DataFrame, verdict: Verdict) -> Remark | None:
    if verdict.status in {Status.MAXIMUM, Status.KINK, Status.DERIVATIVE_FREE}:
        return None
    if verdict.status in {Status.LOCAL, Status.SEVERAL, Status.HIGHER_ELSEWHERE}:
        text = f"About the estimate: {verdict.status.sentence}"
        return Remark("other maxima", (), text)
    named = list(verdict.parameters)
    lost = tuple(table.index[~np.isfinite(table["mle"])])
    if verdict.status is Status.BOUNDARY:
        gone = tuple(table.index[np.isfinite(table["mle"]) & ~np.isfinite(table["se"])])
        text = (
            "The likelihood is highest at the edge of the support of "
            f"{listing(named or gone)}: the estimate has no standard error there, and the "
            "posterior, which stays inside, has no shift in standard errors. "
            'Compare its interval with `conf_int(method="profile")`.'
        )
        return Remark("edge", gone, text)
    if verdict.status is Status.SUPPORT:
        text = (
            "The likelihood is highest where the support of the data, which depends on "
            f"{listing(named)}, ends: beyond it the data are impossible. The posterior lies on one "
            "side of the estimate alone, and a shift in standard errors says little there."
        )
        return Remark("edge", tuple(named), text)
    if verdict.status is Status.NO_MAXIMUM:
        text = (
            "There is no maximum-likelihood estimate: the likelihood keeps rising as "
            f"{listing(named or lost)} {'runs' if len(named or lost) == 1 else 'run'} away. For "
            f"{listing(lost or named)} the posterior exists only through the prior: without it "
            "there would be none, and where it lies and how wide it is depends on the prior's "
            "scale."
        )
        return Remark("no maximum", lost, text)
    if verdict.status is Status.FLAT:
        text = (
            f"The data do not determine {listing(named or lost)}: the likelihood is flat along a "
            "direction. Along it the posterior exists only through the prior, which it repeats."
        )
        return Remark("no maximum", lost, text)
    text = (
        f"No maximum of the likelihood was found ({verdict.status.value}): there is no estimate "
        "to compare the posterior with. See `fit.verdict`."
    )
    return Remark("no maximum", lost, text)


def _pulled(rows: pd.DataFrame) -> pd.Series:
    """Size of the prior's pull in standard errors; the exact one where there is no other."""
    return rows["pull_se"].fillna(rows["map_shift"]).abs()


def _prior_decides(rows: pd.DataFrame) -> Remark | None:
    chosen = rows[(_pulled(rows) >= DECIDES) | (rows["prior_weight"] >= SHARE)]
    return _about_prior(chosen, "prior decides", "The prior decides about")


def _prior_matters(rows: pd.DataFrame) -> Remark | None:
    pulled = _pulled(rows)
    matters = (pulled >= MATTERS) | (rows["prior_weight"] >= SOME)
    chosen = rows[matters & ~((pulled >= DECIDES) | (rows["prior_weight"] >= SHARE))]
    return _about_prior(chosen, "prior matters", "Prior and data both count for")


def _about_prior(rows: pd.DataFrame, kind: str, start: str) -> Remark | None:
    if rows.empty:
        return None
    order = np.argsort(-_pulled(rows).to_numpy(), kind="stable")  # without a pull: last
    rows = rows.iloc[order]
    text = f"{start} {listing(rows.index)}: "
    text += _each(rows, _pull_in_words)
    return Remark(kind, tuple(rows.index), text + ".")


def _pull_in_words(row: pd.Series) -> str:
    pull = row["pull_se"] if np.isfinite(row["pull_se"]) else row["map_shift"]
    parts = []
    if np.isfinite(pull):
        parts.append(f"the prior pulls the estimate by {pull:+.2f} standard errors")
    if np.isfinite(row["prior_weight"]) and row["prior_weight"] >= 0.005:
        parts.append(f"holds {_percent(row['prior_weight'])} of the information")
    return " and ".join(parts)


def _skewed(rows: pd.DataFrame, level: float) -> Remark | None:
    each = 0.5 * (1.0 - level)
    beyond = rows[["below", "above"]].max(axis=1)
    wald = rows["limits"] == "wald" if "limits" in rows else np.ones(len(rows), dtype=bool)
    chosen = rows[(rows["skewness"].abs() >= SKEWED) & (beyond > 2.0 * each) & wald]
    if chosen.empty:
        return None
    chosen = chosen.iloc[np.argsort(-beyond[chosen.index].to_numpy(), kind="stable")]

    def words(row: pd.Series) -> str:
        return (
            f"{_percent(row['below'])} of it lies below them and {_percent(row['above'])} above "
            f"(skewness {row['skewness']:.1f})"
        )

    text = (
        f"The posterior of {listing(chosen.index)} is skewed, and the Wald limits mislead: "
        f"{_each(chosen, words)}, where {_percent(each)} on each side is meant. Take profile "
        "limits or the posterior's."
    )
    return Remark("skewed", tuple(chosen.index), text)


def _multimodal(rows: pd.DataFrame) -> Remark | None:
    chosen = rows[rows["modes"] > 1]
    if chosen.empty:
        return None
    most = int(chosen["modes"].max())
    text = (
        f"The posterior of {listing(chosen.index)} has {'up to ' * (len(chosen) > 1)}{most} modes: "
        "one estimate with a standard error describes one of them at best, and a posterior mean "
        "may lie between them."
    )
    return Remark("multimodal", tuple(chosen.index), text)


def _wider(rows: pd.DataFrame) -> Remark | None:
    light = rows["prior_weight"].abs() < NOTHING
    chosen = rows[(rows["sd_ratio"] >= WIDER) & light]
    if chosen.empty:
        return None
    chosen = chosen.iloc[np.argsort(-chosen["sd_ratio"].to_numpy(), kind="stable")]
    text = (
        f"The posterior of {listing(chosen.index)} is wider than the standard error says (by a "
        f"factor of up to {chosen['sd_ratio'].max():.2g}), and not through the prior: few "
        "observations, and what is not known about the other parameters, widen it."
    )
    return Remark("wider", tuple(chosen.index), text)


def _approximation(pareto_k: float) -> Remark | None:
    if not pareto_k > PARETO:
        return None
    text = (
        "The normal approximation behind standard errors and Wald limits is far from the "
        f"posterior taken as a whole (Pareto k {pareto_k:.2g}; up to {PARETO} is near)."
    )
    return Remark("approximation", (), text)


def _data_decide(rows: pd.DataFrame) -> Remark | None:
    chosen = rows[
        (rows["shift"].abs() < NOTHING)
        & ~(_pulled(rows) >= NOTHING)
        & ((rows["sd_ratio"] - 1.0).abs() < NOTHING)
        & ~(rows["prior_weight"].abs() >= NOTHING)
        & (rows["modes"] <= 1)
    ]
    if chosen.empty:
        return None
    all_rows = len(chosen) == len(rows) and len(chosen) > 1
    what = f"all {len(chosen)} that were compared" if all_rows else listing(chosen.index)
    text = (
        f"The data decide about {what}: estimate and posterior mean lie within {NOTHING} standard "
        "errors of each other"
    )
    # Of what has no pull (random effects, fits at an edge) it is not known.
    text += ", and the prior moves neither." if _pulled(chosen).notna().all() else "."
    return Remark("data decide", tuple(chosen.index), text)


def _each(rows: pd.DataFrame, words: Callable[[pd.Series], str]) -> str:
    """What is said about each of a few rows; of many the first."""
    if len(rows) == 1:
        return words(rows.iloc[0])
    parts = [f"for `{label}` {words(row)}" for label, row in rows.head(_SHOWN).iterrows()]
    return "; ".join(parts)


def _percent(share: float) -> str:
    digits = 1 if share < 0.0995 else 0
    return f"{100 * share:.{digits}f}%"


def as_text(remarks: Sequence[Remark]) -> list[str]:
    """The sentences as lines of a list."""
    return [f"- {remark.text}" for remark in remarks]
