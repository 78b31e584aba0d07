"""The likelihood as a posterior: priors flat on the natural scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pymle.bayes.approximation import fit_posterior, held_values, without_restriction
from pymle.errors.sampling import PosteriorError
from pymle.fitted import Fitted
from pymle.model import Problem, Roles
from pymle.model.roles import DISCRETE, PARAMETER, SUMMED
from pymle.model.sampled import at_data, flat_model
from pymle.model.walks import ModelGraph
from pymle.verdict import Status

#: Verdicts with which a flat prior is taken: something like a highest point was found.
_PEAKED = {
    Status.MAXIMUM, Status.LOCAL, Status.SEVERAL, Status.KINK, Status.DERIVATIVE_FREE,
    Status.SUPPORT,
}  # fmt: skip


@dataclass(frozen=True)
class FlatModel:
    """A model with flat priors.

    Attributes
    ----------
    model : pymc.Model
        A copy of the user's at the data of the fit.
    roles : Roles
    text : str
        What it stands on, in words.
    """

    model: Any
    roles: Roles
    text: str


def with_flat_priors(fitted: Fitted) -> FlatModel:
    """Copy the model of a fit with flat priors for its parameters.

    Parameters
    ----------
    fitted : Fitted
        A maximum-likelihood fit.

    Returns
    -------
    FlatModel

    Raises
    ------
    AnalysisError
        A MAP fit, discrete parameters, or a verdict without a finite, identified maximum.
    """
    problem, estimate = fitted.problem, fitted.estimate
    if estimate.objective != "mle":
        raise PosteriorError.flat_needs_mle()
    verdict = estimate.verdict
    edge = verdict.status is Status.BOUNDARY and _bounded(fitted)
    if verdict.status not in _PEAKED and not edge:
        raise PosteriorError.improper(
            f"The verdict of the fit is '{verdict.status.value}': {verdict}"
        )
    roles = without_restriction(problem)
    discrete = [*roles.names(DISCRETE), *roles.names(SUMMED)]
    discrete = [n for n in discrete if n not in held_values(problem)]
    if discrete:
        raise PosteriorError.flat_discrete(discrete)
    graph = ModelGraph(problem.model)
    whole = [block.name for block in problem.layout.blocks if block.wholly_fixed]
    # A held root becomes a constant without a density (`conditioned`): nothing to take away, and
    # at the edge of a support nothing that could be.
    constant = {n for n in whole if not graph.free_parents(problem.model[n])}
    names = [name for name in roles.names(PARAMETER) if name not in constant]
    with at_data(problem):
        model, made = flat_model(problem.model, roles, names)
    said = (
        "The priors of the parameters are flat on the natural scale, over their supports "
        f"(Jacobians included). The propriety of this posterior is not proven: the verdict of the "
        f"fit ('{verdict.status.value}') says that the likelihood has a highest point, and nothing "
        "about its tails, whose integral may be infinite. Chains that wander off, or sds that "
        "grow with the number of draws, are signs of that."
    )
    return FlatModel(model, made, said)


def flat_posterior(fitted: Fitted, flat: FlatModel) -> Fitted:
    """The mode of the posterior with flat priors on the unconstrained scale.

    Parameters
    ----------
    fitted : Fitted
    flat : FlatModel

    Returns
    -------
    Fitted
    """
    own = Problem(
        flat.model,
        flat.roles,
        objective="map",
        jacobian=True,
        fixed=held_values(fitted.problem),
        backend=fitted.problem.backend,
    )
    return fit_posterior(own, fitted, {})


def _bounded(fitted: Fitted) -> bool:
    """Whether an estimate at an edge is finite, everything else being settled there."""
    tails = fitted.estimate.tails
    return tails is not None and not tails.rising and not tails.infinite
