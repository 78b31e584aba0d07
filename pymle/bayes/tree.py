"""A fit as a tree that ArviZ reads: asymptotic draws with what goes with them, and the estimate."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from pymle.bayes.approximation import Approximation
from pymle.bayes.densities import log_densities
from pymle.bayes.ordering import SAMPLE
from pymle.bind import point_function
from pymle.errors import AnalysisError, Notice
from pymle.errors.comparison import ComparisonError
from pymle.errors.draws import DrawsError
from pymle.errors.words import listing
from pymle.fitted import Fitted
from pymle.inference import Derived, estimate_covariance
from pymle.inference.groups import estimate_groups
from pymle.inference.prediction.draws import asymptotic_points
from pymle.model import compat
from pymle.model.joint import LIKELIHOOD, PRIORS
from pymle.model.predictive.groups import data_groups, labelled_stack
from pymle.version import VERSION

#: Numbers in the group ``log_likelihood`` up to which it is computed.
MOST_TERMS = 50_000_000
#: Attributes of a tree whose posterior was sampled.
_OF_ALL = ("inference_library", "inference_library_version", "objective", "verdict")
#: What estimates are called.
_ESTIMATES = {
    "mle": "maximum-likelihood",
    "penalised": "penalised-likelihood",
    "map": "MAP",
}
#: Groups that a tree of a fit holds besides the data and the draws.
OWN = ("estimate", "standard_error", "covariance", "verdict")


def fit_tree(
    fitted: Fitted,
    deterministics: Sequence[Derived],
    *,
    draws: int,
    chains: int,
    random_seed: Any,
    posterior: Any,
    log_likelihood: bool,
) -> Any:
    """The tree of a fit.

    Parameters
    ----------
    fitted : Fitted
    deterministics : sequence of Derived
        Those whose estimates and standard errors are part of it.
    draws, chains, random_seed, posterior, log_likelihood
        As in `Fit.to_datatree`.

    Returns
    -------
    arviz.InferenceData or xarray.DataTree
    """
    for name, count in (("draws", draws), ("chains", chains)):
        if int(count) < 1:
            raise AnalysisError.argument(name, count, "a positive number")
    about = _about(fitted)
    given = None if posterior is None else groups_of(posterior)
    asymptotic = _asymptotic(fitted, int(draws), int(chains), random_seed, about)
    own = estimate_groups(fitted, deterministics)
    own |= data_groups(fitted.problem)
    if given is None:
        groups: dict[str, xr.Dataset] = {}
        if asymptotic is not None:
            groups["posterior"] = asymptotic
            groups |= _densities(fitted, asymptotic, about, log_likelihood, known=())
        return compat.tree({**groups, **own}, about)
    if "posterior" not in given:
        raise AnalysisError.argument(
            "posterior", sorted(given), "a tree with a group `posterior`, or that group itself"
        )
    _check_common(fitted, given["posterior"])
    extra = _densities(fitted, given["posterior"], {}, log_likelihood, known=tuple(given))
    if asymptotic is not None:
        extra["asymptotic"] = asymptotic
    kept = {name: group for name, group in given.items() if name not in (*OWN, "asymptotic")}
    own = {name: group for name, group in own.items() if name not in kept}
    # What is said about asymptotic draws is not true of those of a sampler.
    whole = {name: about[name] for name in _OF_ALL}
    return compat.tree({**kept, **extra, **own}, {**whole, "posterior": "sampled"})


def groups_of(tree: Any) -> dict[str, xr.Dataset]:
    """The groups of a tree by name; a dataset or a mapping of arrays is the posterior.

    Parameters
    ----------
    tree : arviz.InferenceData, xarray.DataTree, xarray.Dataset or mapping

    Returns
    -------
    dict of str to xarray.Dataset

    Raises
    ------
    AnalysisError
        Anything else.
    """
    if isinstance(tree, xr.Dataset):
        return {"posterior": tree}
    if isinstance(tree, xr.DataTree):
        if not tree.children and tree.data_vars:
            return {"posterior": tree.to_dataset()}
        return {str(name): child.to_dataset() for name, child in tree.children.items()}
    if callable(getattr(tree, "groups", None)) and hasattr(tree, "attrs"):
        return {name: tree[name] for name in tree.groups()}
    if isinstance(tree, Mapping) and all(isinstance(v, xr.Dataset) for v in tree.values()):
        return {str(name): group for name, group in tree.items()}
    raise AnalysisError.argument(
        "posterior",
        type(tree).__name__,
        "what `fit.sample()` or `pm.sample` returns, or its group `posterior`",
    )


def _about(fitted: Fitted) -> dict[str, Any]:
    """Attributes that say what the draws are."""
    estimate = fitted.estimate
    what = _ESTIMATES[estimate.objective]
    return {
        "inference_library": "pymle",
        "inference_library_version": VERSION,
        "kind": "asymptotic draws",
        "draws": "asymptotic",
        "objective": estimate.objective,
        "verdict": str(estimate.verdict.status.value),
        "description": (
            f"Draws from the normal approximation around the {what} estimate, made on the "
            "unconstrained scale; no posterior sample. Independent draws, cut into chains: "
            "diagnostics of convergence say nothing."
        ),
    }


def _asymptotic(
    fitted: Fitted, n: int, chains: int, random_seed: Any, about: Mapping[str, Any]
) -> xr.Dataset | None:
    """Draws with dims chain and draw; None, with a notice, where there is no law to draw from."""
    problem = fitted.problem
    try:
        arrays = _drawn(fitted, n * chains, random_seed)
    except AnalysisError as error:
        warnings.warn(Notice(f"The tree has no asymptotic draws: {error}"), stacklevel=4)
        return None
    made = {}
    for name, value in arrays.items():
        own = value.reshape((chains, n, *value.shape[1:]))
        dims = problem.dims_of(name, value.ndim - 1)
        made[name] = labelled_stack(name, own, ("chain", "draw"), dims, problem.layout.coords)
    out = xr.Dataset(made).assign_coords(chain=np.arange(chains), draw=np.arange(n))
    return out.assign_attrs(about)


def _drawn(fitted: Fitted, n: int, random_seed: Any) -> dict[str, np.ndarray]:
    """Natural-scale draws (n, ...) of all variables that the objective determines, by name."""
    problem, effects = fitted.problem, fitted.problem.effects
    rng = np.random.default_rng(random_seed)
    names = list(problem.names)
    if effects is None:
        points = asymptotic_points(fitted, n, rng, estimate_covariance(fitted))
    else:
        # Each draw of the parameters has its own conditional mode of the effects.
        covariance = estimate_covariance(fitted).unconstrained
        points = Approximation(fitted, covariance).draw(n, rng).points
        names += effects.names
    above = {d.name: problem.undetermined(d) for d in problem.model.deterministics}
    names += [name for name, free in above.items() if set(free) <= set(names)]
    graphs = [problem.variable(name) for name in names]
    function = point_function(problem, problem.lowered_graphs(graphs))
    flat, out, at = function.values(points), {}, 0
    for name, shape in zip(names, function.shapes(points[0]), strict=True):
        size = int(np.prod(shape, dtype=int))
        out[name] = flat[:, at : at + size].reshape((n, *shape))
        at += size
    return out


def _check_common(fitted: Fitted, posterior: xr.Dataset) -> None:
    """Stop at a posterior that has nothing to do with the model, or no dims of draws."""
    lacking = [dim for dim in SAMPLE if dim not in posterior.sizes]
    if lacking:
        raise ComparisonError.no_dims(lacking, [str(dim) for dim in posterior.sizes])
    free = [str(rv.name) for rv in fitted.problem.model.free_RVs]
    if not set(free) & set(map(str, posterior.data_vars)):
        raise DrawsError.lack(free, [str(name) for name in posterior.data_vars])


def _densities(
    fitted: Fitted,
    posterior: xr.Dataset,
    about: Mapping[str, Any],
    log_likelihood: bool,
    known: Sequence[str],
) -> dict[str, xr.Dataset]:
    """The groups ``log_likelihood`` and ``log_prior`` at draws, but for those at hand."""
    problem, wanted = fitted.problem, {}
    n = int(np.prod([posterior.sizes[dim] for dim in SAMPLE]))
    rows = sum(int(np.prod(term.shape, dtype=int)) for term in problem.observed)
    if log_likelihood and "log_likelihood" not in known:
        if n * rows > MOST_TERMS:
            warnings.warn(
                Notice(
                    f"The tree has no group `log_likelihood`: {n} draws of {rows} observations "
                    f"are more than {MOST_TERMS:,} numbers. Ask for fewer draws, or pass "
                    "`log_likelihood=False`."
                ),
                stacklevel=4,
            )
        else:
            wanted[LIKELIHOOD] = "log_likelihood"
    if "log_prior" not in known:
        wanted[PRIORS] = "log_prior"
    out: dict[str, xr.Dataset] = {}
    failed: dict[str, list[str]] = {}
    for kind, group in wanted.items():
        try:
            found = log_densities(problem, posterior, kinds=(kind,))
        except (DrawsError, ComparisonError) as error:
            failed.setdefault(str(error), []).append(group)
            continue
        made = found.log_likelihood if kind == LIKELIHOOD else found.log_prior
        if kind == LIKELIHOOD:
            made = _weighted(fitted, made)
        if made.data_vars:
            out[group] = made.assign_attrs({**about, **_said(fitted, kind, about)})
    for text, groups in failed.items():
        warnings.warn(Notice(f"The tree has no group {listing(groups)}: {text}"), stacklevel=4)
    return out


def _weighted(fitted: Fitted, terms: xr.Dataset) -> xr.Dataset:
    """Every log-density times its weight, as the likelihood adds them up."""
    if fitted.weights is None:
        return terms
    out = terms.copy()
    for term, weight in zip(fitted.problem.observed, fitted.weights, strict=True):
        out[term.name] = terms[term.name].copy(data=terms[term.name].values * weight)
    return out


def _said(fitted: Fitted, kind: str, about: Mapping[str, Any]) -> dict[str, str]:
    """What deserves to be said about a group of log-densities."""
    said = []
    if kind == LIKELIHOOD:
        if fitted.problem.effects is not None:
            said.append("Conditional on random effects and missing values.")
        if fitted.weights is not None:
            said.append("Each entry times its weight.")
    if kind == PRIORS:
        said.append("Priors of the parameters on the natural scale, without Jacobians.")
        if about and fitted.estimate.objective != "map":
            said.append("The draws come from the likelihood alone: these priors had no part in it.")
    return {"densities": " ".join(said)} if said else {}
