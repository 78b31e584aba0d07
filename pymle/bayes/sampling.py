"""The posterior of a fit's model by MCMC, through PyMC's own sampling function."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.bayes.approximation import held_values, posterior_of, refuse_constraints
from pymle.bayes.flat import flat_posterior, with_flat_priors
from pymle.bayes.laplace import checked_count
from pymle.bayes.starts import FREEDOM, Starts, starts_or_reason
from pymle.errors import AnalysisError, Notice
from pymle.errors.sampling import PosteriorError
from pymle.fitted import Fitted
from pymle.model import compat
from pymle.model.sampled import at_data, conditioned

#: What "auto" takes, the first that is installed. blackjax only where it is asked for: PyMC's
#: interface to it does not run with all of its versions.
_PREFERRED = ("nutpie", "numpyro", "pymc")
_SAMPLERS = ("auto", "pymc", "nutpie", "numpyro", "blackjax")
#: Samplers that PyMC hands a start for each chain.
_PER_CHAIN = {"pymc", "numpyro", "blackjax"}
#: Pseudo-observations that the starting variances count for while PyMC adapts its own.
_WEIGHT = 10
#: Arguments with which the user decides about starts and steps.
_OWN_STEPS = {"step", "init", "n_init", "backend", "nuts_sampler_kwargs"}


@dataclass(frozen=True)
class Plan:
    """What will be sampled, and how.

    Attributes
    ----------
    model : pymc.Model
    sampler : str
    starts : Starts or None
    arguments : dict
        For ``pm.sample``.
    text : str
        What ran, in sentences.
    """

    model: Any
    sampler: str
    starts: Starts | None
    arguments: dict[str, Any]
    text: str


def sample(
    fitted: Fitted,
    draws: int,
    tune: int,
    chains: int,
    sampler: str,
    priors: str,
    random_seed: Any,
    arguments: Mapping[str, Any],
    stacklevel: int = 3,
) -> Any:
    """Sample the posterior of a fit's model.

    Parameters
    ----------
    fitted : Fitted
    draws, tune, chains, sampler, priors, random_seed
        As in `Fit.sample`.
    arguments : mapping
        Further arguments of ``pm.sample``.
    stacklevel : int
        Whose line notices name.

    Returns
    -------
    arviz.InferenceData, xarray.DataTree or pymc MultiTrace
        What ``pm.sample`` returns.
    """
    import pymc as pm

    plan = make_plan(fitted, draws, tune, chains, sampler, priors, random_seed, arguments)
    warnings.warn(plan.text, Notice, stacklevel=stacklevel)
    with at_data(fitted.problem), _forks():
        found = pm.sample(
            draws=int(draws),
            tune=int(tune),
            chains=int(chains),
            random_seed=random_seed,
            model=plan.model,
            nuts_sampler=plan.sampler,
            **plan.arguments,
        )
    posterior = getattr(found, "posterior", None)
    if posterior is not None and hasattr(posterior, "attrs"):
        starts = "dispersed draws of the Laplace approximation" if plan.starts else "the sampler's"
        posterior.attrs.update(pymle_sampler=plan.sampler, pymle_starts=starts, pymle_priors=priors)
    return found


def make_plan(
    fitted: Fitted,
    draws: int,
    tune: int,
    chains: int,
    sampler: str,
    priors: str,
    random_seed: Any,
    arguments: Mapping[str, Any],
) -> Plan:
    """Check a request and prepare it: model, sampler, starts.

    Parameters
    ----------
    fitted : Fitted
    draws, tune, chains, sampler, priors, random_seed, arguments
        As in `sample`.

    Returns
    -------
    Plan

    Raises
    ------
    AnalysisError
        As `Fit.sample` says.
    """
    checked_count("draws", draws)
    checked_count("chains", chains)
    if isinstance(tune, bool) or not isinstance(tune, int | np.integer) or tune < 0:
        raise AnalysisError.argument("tune", tune, "a whole number from 0")
    if priors not in ("model", "flat"):
        raise AnalysisError.argument("priors", priors, '"model" or "flat"')
    for name, instead in {
        "model": "It samples the model of the fit",
        "nuts_sampler": "Choose with `sampler=`",
        "start": "Pass starting points as `initvals=`",
    }.items():
        if name in arguments:
            raise PosteriorError.sampling_argument(name, instead)
    _check_model(fitted)
    problem = fitted.problem
    flat = with_flat_priors(fitted) if priors == "flat" else None
    held = {b.name: held_values(problem)[b.name] for b in problem.layout.blocks if b.wholly_fixed}
    with at_data(problem):
        model = conditioned(problem.whole_model if flat is None else flat.model, held)
    chosen, said = _choose(sampler, model, problem.lowered.has_score, arguments)
    sentences = [said]
    if flat is not None:
        sentences.append(flat.text)
    if held:
        names = ", ".join(f"`{name}`" for name in held)
        sentences.append(f"{names} is held as in the fit: the posterior is conditional on that.")
    extra = dict(arguments)
    starts: Starts | None = None
    if "initvals" in extra:
        sentences.append("The chains start at the `initvals` given.")
    elif chosen not in _PER_CHAIN:
        sentences.append(
            f"PyMC hands {chosen} no starting point for each chain, so that the chains start "
            f"where {chosen} puts them."
        )
    else:

        def mode() -> Fitted:
            return posterior_of(fitted) if flat is None else flat_posterior(fitted, flat)

        found = starts_or_reason(fitted, mode, model, int(chains), _generator(random_seed))
        if isinstance(found, str):
            sentences.append(f"The chains start where PyMC puts them, because {found}.")
        else:
            starts = found
            extra["initvals"] = list(found.points)
            sentences.append(_started(chosen, extra, model, found, problem.lowered.has_score))
    return Plan(model, chosen, starts, extra, " ".join(sentences))


def _started(
    sampler: str, extra: dict[str, Any], model: Any, starts: Starts, differentiable: bool
) -> str:
    """Give the sampler what is known about scales, and say so; ``extra`` is completed."""
    said = (
        "Each chain starts at a draw of its own from the Laplace approximation of the posterior "
        f"(Student-t with {FREEDOM:g} degrees of freedom on the unconstrained scale)"
    )
    if _OWN_STEPS & set(extra):
        return f"{said}."
    if sampler != "pymc":
        compat.without_jitter(extra)
        return f"{said}."
    if model.discrete_value_vars or not differentiable:
        return f"{said}."
    extra["step"] = _step(model, starts, extra)
    return f"{said}, and the mass matrix at its variances."


def _step(model: Any, starts: Starts, extra: dict[str, Any]) -> Any:
    """PyMC's NUTS with a first mass matrix; takes its own arguments out of ``extra``."""
    import pymc as pm
    from pymc.step_methods.hmc.quadpotential import QuadPotentialDiagAdapt

    options = dict(extra.pop("nuts", None) or {})
    for name in ("target_accept", "max_treedepth", "early_max_treedepth", "step_scale"):
        if name in extra:
            options[name] = extra.pop(name)
    if "compile_kwargs" in extra:
        options["compile_kwargs"] = extra["compile_kwargs"]
    potential = QuadPotentialDiagAdapt(len(starts.mean), starts.mean, starts.variance, _WEIGHT)
    return pm.NUTS(model=model, potential=potential, **options)


def _check_model(fitted: Fitted) -> None:
    """Stop where PyMC's model is not the one that was fitted."""
    problem = fitted.problem
    refuse_constraints(fitted, "Sampling")
    if fitted.given_weights is not None:
        raise PosteriorError.posterior_with_weights()
    shared = {variable.name for variable in problem.model.data_vars}
    captured = [name for name in problem.given if name not in shared]
    if captured:
        raise PosteriorError.captured_data(captured)
    partly = [
        block.labels[i]
        for block in problem.layout.blocks
        if not block.wholly_fixed
        for i in np.flatnonzero(block.fixed)
    ]
    if partly:
        raise PosteriorError.partly_held(partly)


def _choose(
    sampler: str, model: Any, differentiable: bool, arguments: Mapping[str, Any]
) -> tuple[str, str]:
    """The sampler and a sentence about the choice."""
    if sampler not in _SAMPLERS:
        near = difflib.get_close_matches(str(sampler), _SAMPLERS, n=1, cutoff=0.5)
        raise PosteriorError.unknown_sampler(sampler, _SAMPLERS, near[0] if near else "")
    why = ""
    if not differentiable:
        why = "the log-density has no gradient"
    elif model.discrete_value_vars:
        names = ", ".join(f"`{model.values_to_rvs[v].name}`" for v in model.discrete_value_vars)
        why = f"{names} is discrete"
    elif {"step", "return_inferencedata", "trace"} & set(arguments):
        why = "`step=`, `trace=` and `return_inferencedata=` are for PyMC's own sampler"
    if sampler == "auto":
        chosen = "pymc" if why else next(s for s in _PREFERRED if _installed(s))
    elif not _installed(sampler):
        raise PosteriorError.sampler_not_installed(sampler, sampler)
    elif sampler != "pymc" and why:
        raise PosteriorError.sampler_needs_gradient(sampler, why)
    else:
        chosen = sampler
    if chosen != "pymc":
        return chosen, f"Sampling with the NUTS of {chosen}."
    if "step" in arguments:
        return chosen, "Sampling with PyMC and the steps given."
    if not differentiable:
        return chosen, f"Sampling with PyMC's own choice of steps (Slice, Metropolis): {why}."
    if model.discrete_value_vars:
        return chosen, f"Sampling with PyMC's NUTS, and steps of their own where {why}."
    return chosen, "Sampling with PyMC's NUTS."


def _installed(sampler: str) -> bool:
    """Whether a sampler's package is there and its own dependencies are."""
    if importlib.util.find_spec(sampler) is None:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(sampler)
    except ImportError:
        return False
    return True


def _generator(random_seed: Any) -> np.random.Generator:
    """Random numbers for the starts, from what ``pm.sample`` is seeded with."""
    if isinstance(random_seed, np.random.Generator):
        return random_seed.spawn(1)[0]
    if isinstance(random_seed, np.random.RandomState):
        return np.random.default_rng(random_seed.randint(2**31))
    return np.random.default_rng(random_seed)


@contextmanager
def _forks() -> Iterator[None]:
    """No warnings that this process has threads when PyMC forks it for its chains.

    JAX made them. The chains run PyMC's compiled functions and never enter JAX, so that no lock
    of its threads can hold them up; where PyMC itself samples through JAX it does not fork.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*os\.fork\(\)", category=RuntimeWarning)
        warnings.filterwarnings("ignore", message=r".*fork", category=DeprecationWarning)
        yield
