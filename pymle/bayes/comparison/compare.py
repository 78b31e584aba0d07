"""A maximum-likelihood estimate set beside a posterior."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pymle.bayes.comparison.diagnostics import convergence
from pymle.bayes.comparison.influence import Influence, NormalApproximation, Priors, influence_of
from pymle.bayes.comparison.influence import other_objective as other_fit
from pymle.bayes.comparison.matching import Draws, match, posterior_of
from pymle.bayes.comparison.record import PosteriorComparison
from pymle.bayes.comparison.scalars import (
    EFFECT,
    MISSING,
    STRICT,
    Scalars,
    known_names,
    scalars_of,
    values_at,
)
from pymle.bayes.comparison.sentences import remarks_on
from pymle.bayes.comparison.summaries import SMALL_SHIFT, contrast_table, posterior_table
from pymle.errors.words import listing
from pymle.fitted import Fitted

#: Order of the columns.
COLUMNS = [
    "variable", "role", "mle", "se", "lower", "upper", "map", "mean", "median", "sd", "hdi_lower",
    "hdi_upper", "eti_lower", "eti_upper", "mcse", "ess_bulk", "ess_tail", "r_hat", "converged",
    "shift", "sd_ratio", "overlap", "pull", "pull_se", "map_shift", "mean_less_map", "remainder",
    "prior_share", "prior_weight", "skewness", "below", "above", "modes",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Work:
    """What a comparison was made of, for what is asked of it later.

    Attributes
    ----------
    mle : Fitted
    mapped : Fitted or None
    draws : Draws
    scalars : Scalars
    priors : Priors
    wrap : callable
        Makes a `Fit` of a `Fitted`.
    counting : callable
        ``counting(shown, what)``: a context that yields a callback for progress.
    needed : float
        Effective draws below which nothing is compared.
    """

    mle: Fitted
    mapped: Fitted | None
    draws: Draws
    scalars: Scalars
    priors: Priors
    wrap: Callable[[Fitted], Any]
    counting: Callable[..., Any]
    needed: float


def compare(
    fitted: Fitted,
    idata: Any,
    names: Sequence[str],
    *,
    map_estimate: bool = True,
    level: float = 0.95,
    random_seed: Any = 0,
    wrap: Callable[[Fitted], Any] = lambda fitted: fitted,
    counting: Callable[..., Any] = lambda *_: nullcontext(None),
    callback: Callable[..., object] | None = None,
) -> PosteriorComparison:
    """Set an estimate beside a posterior.

    Parameters
    ----------
    fitted : Fitted
        A maximum-likelihood fit, or a MAP fit (whose MLE is then found).
    idata : arviz.InferenceData, xarray.DataTree or xarray.Dataset
    names : sequence of str
        Variables to compare.
    map_estimate : bool
        Find the MAP too.
    level : float
    random_seed : int, sequence of int, SeedSequence, Generator or RandomState
        For the draws from the normal approximation.
    wrap : callable
        Makes of a `Fitted` what users are given.
    counting : callable
        Makes progress bars for what is asked of the record later.
    callback : callable, optional
        Called at every iteration of the search for the other estimate.

    Returns
    -------
    PosteriorComparison

    Raises
    ------
    ComparisonError
        Draws that do not belong to the model.
    """
    notes: list[str] = []
    flat = posterior_of(idata).attrs.get("pymle_priors") == "flat"
    if flat:
        notes.append(
            'The draws are of a posterior with flat priors (`priors="flat"`): the priors of the '
            "model had no part in them. There is no pull and no MAP; every shift is skewness."
        )
    mle, mapped = _both(fitted, map_estimate and not flat, notes, callback)
    mapped = None if flat else mapped
    problem = mle.problem
    # A MAP fit determines what the likelihood does not depend on, too.
    own = known_names(problem)
    scalars = scalars_of(mle, [name for name in names if name in own] or names, level)
    known = [*problem.model.named_vars, *[d.name for d in problem.model.deterministics]]
    draws = match(idata, scalars.variables, problem.layout.coords, known, problem.model)
    judged = convergence(draws.values)
    point = scalars.table.reset_index(drop=True)
    posterior = posterior_table(draws.values, judged, level)
    usable = judged.converged
    contrast = contrast_table(point, posterior, draws.values, scalars.low, scalars.high, usable)
    priors = Priors(mle)
    influence = Influence(np.full(len(point), np.nan), np.full(len(point), np.nan))
    if not flat:
        influence = influence_of(mle, priors, scalars.jacobian, point["se"].to_numpy())
    if influence.reason:
        notes.append(f"No pull of the prior: {influence.reason}.")
    modes = np.full(len(point), np.nan)
    if mapped is not None:
        modes = values_at(mapped, scalars.variables)
        if mapped.estimate.verdict.status not in STRICT:
            notes.append(
                f"The search for the MAP ended so: {mapped.estimate.verdict.status.value}."
            )
    shifts = _shifts(point, posterior, contrast, influence.pull, modes, usable)
    table = pd.concat(
        [
            point, posterior, contrast, shifts,
            pd.DataFrame({
                "map": modes,
                "converged": usable,
                "pull": influence.pull,
                "prior_weight": influence.weight,
            }),
        ],
        axis=1,
    )[COLUMNS]  # fmt: skip
    table.index = scalars.table.index
    pareto_k = NormalApproximation(mle, None if flat else priors, random_seed).pareto_k
    verdict = mle.estimate.verdict
    remarks = remarks_on(
        table,
        verdict,
        level=level,
        chains=draws.values.shape[1],
        needed=judged.needed,
        divergences=draws.divergences,
        pareto_k=pareto_k,
    )
    return PosteriorComparison(
        table=table,
        remarks=remarks,
        notes=(*_about(mle, draws, table), *notes),
        level=level,
        status=verdict.status.value,
        pareto_k=pareto_k,
        chains=draws.values.shape[1],
        draws=draws.values.shape[2],
        divergences=draws.divergences,
        missing=draws.missing,
        unknown=draws.unknown,
        work=Work(mle, mapped, draws, scalars, priors, wrap, counting, judged.needed),
    )


def _both(
    fitted: Fitted,
    map_estimate: bool,
    notes: list[str],
    callback: Callable[..., object] | None,
) -> tuple[Fitted, Fitted | None]:
    """The maximum-likelihood fit, and the MAP fit where it is wanted."""
    if fitted.estimate.objective == "mle":
        if not map_estimate:
            return fitted, None
        other = other_fit(fitted, "map", callback=callback)
        if isinstance(other, str):
            notes.append(f"No MAP: {other}.")
            return fitted, None
        return fitted, other
    penalised = fitted.problem.penalty is not None
    other = other_fit(fitted, "mle", callback=callback)
    if isinstance(other, str):
        from pymle.errors.comparison import ComparisonError

        raise ComparisonError.no_likelihood_fit(other)
    if penalised:
        notes.append(
            "The fit compared is a penalised one, which is neither column: the maximum-likelihood "
            "estimate was found for it, and the MAP with the priors in the place of the penalty."
        )
        return _both(other, map_estimate, notes, callback)
    if fitted.problem.jacobian:
        notes.append("The MAP is that of the unconstrained scale (`jacobian=True`).")
    notes.append("The fit compared is a MAP fit; its maximum-likelihood estimate was found for it.")
    return other, fitted


def _shifts(
    point: pd.DataFrame,
    posterior: pd.DataFrame,
    contrast: pd.DataFrame,
    pull: np.ndarray,
    modes: np.ndarray,
    usable: np.ndarray,
) -> pd.DataFrame:
    """Where the posterior mean went, taken apart, in standard errors."""
    se = point["se"].to_numpy()
    mle = point["mle"].to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = np.where(se > 0.0, se, np.nan)
        pulled = pull / unit
        shift = contrast["shift"].to_numpy()
        share = np.where(np.abs(shift) >= SMALL_SHIFT, pulled / shift, np.nan)
        from_mode = np.where(usable, (posterior["mean"].to_numpy() - modes) / unit, np.nan)
    return pd.DataFrame(
        {
            "pull_se": pulled,
            "map_shift": (modes - mle) / unit,
            "mean_less_map": from_mode,
            "remainder": shift - pulled,
            "prior_share": share,
        }
    )


def _about(mle: Fitted, draws: Draws, table: pd.DataFrame) -> list[str]:
    """What a reader of the numbers has to know."""
    out = []
    if draws.missing:
        out.append(
            f"The draws do not hold {listing(draws.missing)}: these rows have an estimate alone."
        )
    if draws.unknown:
        out.append(f"The model does not have {listing(draws.unknown)} of the draws.")
    if draws.moved:
        out.append(
            f"{listing(draws.moved)} of the draws was that of the formula, as bambi returns it; it "
            "was moved back to centred predictors, of which the fit has the intercept."
        )
    if mle.given_weights is not None:
        out.append(
            "The fit is weighted; PyMC samples the model without these weights, so that the "
            "posterior is that of unweighted data unless you gave it weights too."
        )
    named = {b.name for b in mle.problem.layout.blocks}
    named |= set(mle.problem.effects.names if mle.problem.effects else ())
    free = [rv.name for rv in mle.problem.model.free_RVs]
    beside = [name for name in free if name not in named and name in draws.posterior]
    if beside:
        out.append(
            f"The likelihood does not depend on {listing(beside)}: there is no row, the posterior "
            "repeats its law."
        )
    held = [b.name for b in mle.problem.layout.blocks if b.fixed.any()]
    if held:
        out.append(
            f"{listing(held)} was held in the fit: the posterior is comparable if it was "
            "held in the sampled model too."
        )
    if mle.estimate.restriction is not None:
        out.append("The fit has constraints; the posterior does not know them.")
    if set(table["role"]) & {EFFECT, MISSING}:
        out.append(
            "Rows of random effects and missing values have conditional modes in the place of "
            "estimates, with standard errors that contain those of the parameters."
        )
    return out
