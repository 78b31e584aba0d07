"""load: a saved fit, with its model or without."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pymle.bind import checked_weights, likelihood_of, natural_function
from pymle.compiled import make_problem
from pymle.errors.stored import ChangedModelError
from pymle.estimate import Estimate
from pymle.estimation import Estimator, Settings
from pymle.fit import Fit
from pymle.fit.saved import SavedFit
from pymle.fitted import Fitted
from pymle.model import Layout, Problem, constraints_of
from pymle.model.predictive.groups import constant_values, observed_values
from pymle.stored.content import Content, load_content

#: Relative difference of log-likelihoods of one model at one point, on any machine.
AGREES = 1e-8
#: Arguments that are passed on where they are None too.
_PLAIN = ("fixed", "random", "parameters", "potentials")


def load(path: Any, model: Any = None) -> SavedFit | Fit:
    """Load a fit that `Fit.save` wrote.

    Parameters
    ----------
    path : str or path-like
        A netCDF file (.nc, .nc4, .netcdf) or a zarr store (.zarr).
    model : pymc.Model, optional
        The model that was fitted, with its data. Without it the result says what the fit said;
        with it, it is that fit again and can do all that a fit can.

    Returns
    -------
    SavedFit or Fit
        Without a model a `SavedFit`: ``.summary()``, ``.conf_int()`` (Wald), ``.covariance()``,
        ``.params``, ``.point``, ``.verdict``, ``.loglik``, ``.aic`` and so on, the printed
        form and that of notebooks.

    Raises
    ------
    StoredError
        An unknown ending, no such file, a file that is damaged, not one of pymle's or of a
        later version, or a package that is missing to read it.
    ChangedModelError
        The model has other parameters than the one that was fitted, or another log-likelihood
        at the saved point (relative difference above 1e-8).

    Notes
    -----
    Nothing is fitted: with a model the objective is compiled and evaluated once, at the saved
    point. The arguments of the fit (``fixed``, ``random``, ``potentials``, ``weights``,
    ``constraints`` and so on) and data that replaced those of the model come from the file; the
    model's own data from the model. Files hold numbers and text only, no code: reading one runs
    nothing that it contains.

    Examples
    --------
    >>> import numpy as np, pymc as pm, pymle, tempfile
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 10)
    ...     y = pm.Normal("y", mu, 1, observed=np.array([1.0, 2.0, 3.0]))
    >>> folder = tempfile.mkdtemp()
    >>> path = pymle.find_MLE(model).save(f"{folder}/fit.nc")
    >>> float(pymle.load(path).params["mu"])
    2.0
    >>> pymle.load(path, model=model).profile("mu").lower < 1.0
    True
    """
    content, source = load_content(path)
    if model is None:
        return SavedFit(content, source)
    return _rebuilt(content, str(source), model)


def _rebuilt(content: Content, path: str, model: Any) -> Fit:
    """The fit with its model: the saved estimate, checked against the model."""
    asked: dict[str, Any] = dict(content.asked)
    constraints, kind = asked.pop("constraints", None), asked.pop("weights_kind")
    seed = asked.pop("random_seed")
    asked = {name: value for name, value in asked.items() if value is not None or name in _PLAIN}
    problem = make_problem(model, **asked)
    settings = Settings(
        method=asked["method"],
        n_starts=asked["n_starts"],
        random_seed=seed,
        quick=True,
        constraints=None if constraints is None else constraints_of(problem, constraints),
        weights_kind=kind,
        asked={
            "random": asked.get("random"),
            "parameters": asked.get("parameters"),
            "potentials": asked.get("potentials"),
            "constraints": constraints,
        },
    )
    estimator = Estimator(problem, settings)
    _check_layout(content.estimate.layout, problem.layout, path)
    at_data = problem.with_data(dict(content.given) or None)
    estimate = replace(content.estimate, layout=problem.layout)
    if not content.whole:
        estimate = _with_information(estimate, at_data, content.weights)
    _check_value(content, at_data, path)
    return Fit(Fitted(estimate, at_data, estimator, content.weights))


def _check_layout(saved: Layout, seen: Layout, path: str) -> None:
    """Stop where the parameters are not those of the fit."""
    mine, theirs = (
        {b.name: f"`{b.name}` of shape {b.shape}{_held(b)}" for b in layout.blocks}
        for layout in (seen, saved)
    )
    if mine != theirs:
        here = [text for name, text in mine.items() if theirs.get(name) != text]
        there = [text for name, text in theirs.items() if mine.get(name) != text]
        raise ChangedModelError.layout(path, here, there)
    if seen.size != saved.size:
        raise ChangedModelError.layout(
            path, [f"{seen.size} free coordinates"], [f"{saved.size} free coordinates"]
        )


def _held(block: Any) -> str:
    count = int(block.fixed.sum())
    return f" ({count} of {block.size} entries held)" if count else ""


def _check_value(content: Content, problem: Problem, path: str) -> None:
    """Stop where the log-likelihood at the saved point is not the saved one."""
    estimate, x = content.estimate, content.estimate.x
    likelihood = likelihood_of(problem, checked_weights(problem, content.weights))
    natural = natural_function(problem).value(x)
    size = np.maximum(np.abs(estimate.natural), 1.0)
    value = likelihood.value(x)
    pairs = [("objective", value, estimate.solution.value)]
    if estimate.objective != "mle":
        pairs.append(("log-likelihood", likelihood.further(x)[-1], estimate.loglik))
    for what, seen, saved in pairs:
        if not _agree(seen, saved):
            changed = _changed(content, problem)
            raise ChangedModelError.value(path, what, float(seen), float(saved), changed)
    moved = np.abs(natural - estimate.natural) > 1e-6 * size
    if np.any(moved & ~problem.layout.fixed):
        place = int(np.argmax(moved))
        label = problem.layout.labels[place]
        raise ChangedModelError.value(
            path,
            f"value of `{label}`",
            float(natural[place]),
            float(estimate.natural[place]),
            _changed(content, problem),
        )


def _agree(seen: float, saved: float) -> bool:
    if not (np.isfinite(seen) and np.isfinite(saved)):
        return bool(seen == saved) or bool(np.isnan(seen) and np.isnan(saved))
    return abs(seen - saved) <= AGREES * max(abs(saved), 1.0)


def _changed(content: Content, problem: Problem) -> list[str]:
    """Names of the data that are not the saved ones."""
    out = []
    for saved, seen in (
        (content.observed, observed_values(problem)),
        (content.constant, constant_values(problem)),
    ):
        for name in dict.fromkeys((*saved, *seen)):
            both = name in saved and name in seen
            if not both or not np.array_equal(
                np.asarray(saved[name]), np.asarray(seen[name]), equal_nan=True
            ):
                out.append(name)
    return out


def _with_information(estimate: Estimate, problem: Problem, weights: Any) -> Estimate:
    """The estimate of thousands of parameters, whose information is computed when asked for."""
    from pymle.estimation import hessian_of
    from pymle.verdict import curvature_of

    likelihood = likelihood_of(problem, checked_weights(problem, weights))

    def dense() -> Any:
        return curvature_of(-hessian_of(likelihood, estimate.x)[0])

    return replace(estimate, curvature_source=dense)
