"""find_MLE, find_MAP and compile: the verbs that everything starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymle.compiled import Compiled, checked_weights_kind, make_problem
from pymle.errors import AnalysisError
from pymle.estimation import Settings
from pymle.fit import Fit
from pymle.model import constraints_of


def find_MLE(
    model: Any = None,
    *,
    start: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
    parameters: Sequence[str] | None = None,
    random: Sequence[str] | None = None,
    potentials: Mapping[str, str] | None = None,
    weights: Any = None,
    weights_kind: str = "frequency",
    constraints: str | Sequence[str] | None = None,
    quadrature: int | None = None,
    reml: Sequence[str] | None = None,
    penalty: str | None = None,
    n_starts: int | str = "auto",
    method: str = "auto",
    backend: str = "auto",
    on_problem: str = "warn",
    progressbar: bool = True,
    random_seed: int | None = None,
) -> Fit:
    """Find the maximum-likelihood estimate of a PyMC model.

    The priors of the parameters are dropped (flat priors on the natural scale, no
    Jacobian), their supports stay; everything else that the model holds is its likelihood.

    Parameters
    ----------
    model : pymc.Model, optional
        Default: the model of the open ``with`` block.
    start : mapping, optional
        Natural-scale starting values by variable name or entry label (``"beta[x1]"``);
        may be partial. Default: PyMC's initial point.
    fixed : mapping, optional
        Natural-scale values to hold, by variable name or entry label; the edge of a
        support is allowed.
    parameters : sequence of str, optional
        Variables to estimate whatever the graph suggests.
    random : sequence of str, optional
        Variables to integrate out besides those that the graph shows to be random effects;
        ``[]`` integrates nothing.
    potentials : mapping of str to {"likelihood", "prior"}, optional
        ``"prior"`` drops a Potential.
    weights : array_like or mapping, optional
        Weights of the log-densities, one per observation (by observed variable if there are
        several).
    weights_kind : {"frequency", "sampling"}
        What they are. A row with frequency weight 3 stands for three equal rows. A row with
        sampling weight 3 stands for three members of a population of whom one was sampled:
        standard errors are then those of the sandwich, and AIC, BIC, likelihood-ratio tests
        and profiles raise.
    constraints : str or sequence of str, optional
        Equations and inequalities between parameters, on the natural scale and by label:
        ``["beta[x1] = beta[x2]", "beta[x3] >= 0", "w[0] + w[1] <= 0.8"]``. The fit maximises
        where they hold; inequalities that bind are reported, and standard errors are
        conditional on them. Smooth constraints that are not linear are allowed too
        (``"exp(a) * b = 1"``).
    quadrature : int, optional
        Integrate random effects by adaptive Gauss-Hermite quadrature with so many points
        along each effect (lme4's ``nAGQ``), where independent groups have one to three
        effects. By default, and with 1, by Laplace's approximation.
    reml : sequence of str, optional
        Parameters to integrate out under a flat measure (``["beta"]``): the restricted
        likelihood of what is left. They come back in `Fit.random_effects`.
    penalty : {"firth"}, optional
        Maximise Firth's penalised likelihood: half the log-determinant of the expected
        information is added, which keeps estimates finite under separation and takes out their
        first-order bias in logistic regressions. For observations with finitely many outcomes
        (Bernoulli, binomial, categorical, ordered), where the expectation is an exact sum.
        Reported as penalised: without AIC, BIC and likelihood-ratio tests.
    n_starts : int or "auto"
        Number of starts; "auto" adds starts unless the log-likelihood looks concave.
    method : {"auto", "newton", "newton-cg", "lbfgs"}
        Optimiser; "auto" is trust-region Newton with exact Hessians up to 400
        coordinates and Hessian-free Newton beyond.
    backend : {"auto", "jax", "pytensor"}
        "auto" is JAX, and PyTensor's interpreter where JAX cannot express the model.
    on_problem : {"warn", "raise"}
        What to do when the fit has no certificate.
    progressbar : bool
        Show progress of fits that take longer than a few seconds.
    random_seed : int, optional
        For dispersed starts; results are reproducible without it too.

    Returns
    -------
    Fit

    Raises
    ------
    ModelError
        No likelihood, random effects that cannot be integrated, discrete free variables that
        cannot be summed out, ambiguous roles, minibatches, single precision.
    DataError
        Empty or non-finite observations, bad weights.
    PointError
        Unknown names, values outside the support, a log-likelihood that is not finite
        at the start.
    AnalysisError
        Constraints that do not read, contradict each other or the supports, or hold only at
        the edge of a support.
    NotCertifiedError
        With ``on_problem="raise"``, when the fit is no certified maximum; its attribute
        ``fit`` holds the fit.

    Warns
    -----
    NotCertifiedWarning
        The fit is no certified maximum, with the reason and the remedy.
    Notice
        Something in the model is read in a way worth saying.

    Examples
    --------
    >>> import numpy as np, pymc as pm, pymle
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 10)
    ...     y = pm.Normal("y", mu, 1, observed=np.array([1.0, 2.0, 3.0]))
    >>> float(pymle.find_MLE(model).params["mu"])
    2.0
    """
    compiled = _compile(
        model,
        quick=True,
        objective="mle",
        fixed=fixed,
        parameters=parameters,
        random=random,
        potentials=potentials,
        n_starts=n_starts,
        method=method,
        backend=backend,
        random_seed=random_seed,
        constraints=constraints,
        weights_kind=weights_kind,
        quadrature=quadrature,
        reml=reml,
        penalty=penalty,
    )
    return compiled.fit(
        start=start,
        weights=weights,
        on_problem=on_problem,
        progressbar=progressbar,
        stacklevel=3,
    )


def find_MAP(
    model: Any = None,
    *,
    start: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
    parameters: Sequence[str] | None = None,
    random: Sequence[str] | None = None,
    potentials: Mapping[str, str] | None = None,
    weights: Any = None,
    constraints: str | Sequence[str] | None = None,
    quadrature: int | None = None,
    n_starts: int | str = "auto",
    method: str = "auto",
    backend: str = "auto",
    on_problem: str = "warn",
    progressbar: bool = True,
    random_seed: int | None = None,
    jacobian: bool = False,
) -> Fit:
    """Find the maximum a posteriori (MAP) point of a PyMC model.

    Maximises likelihood times priors on the natural scale (no Jacobian), as PyMC, Turing
    and Stan's ``jacobian=false`` do.

    Parameters
    ----------
    model, start, fixed, parameters, potentials, weights, constraints, quadrature, n_starts, \
method, backend, on_problem, progressbar, random_seed
        As in `find_MLE`; a Potential counts as part of the posterior either way.
    random : sequence of str, optional
        ``[]`` treats every free variable as a parameter: PyMC's joint mode, random
        effects included.
    jacobian : bool
        Add the Jacobian of the working transforms: the mode on the unconstrained scale.

    Returns
    -------
    Fit
        With ``loglik`` and ``logposterior``; its standard errors come from the posterior
        curvature. AIC, BIC and p-values raise.

    Raises
    ------
    ModelError, DataError, PointError, NotCertifiedError
        As in `find_MLE`.
    """
    compiled = _compile(
        model,
        quick=True,
        objective="map",
        fixed=fixed,
        parameters=parameters,
        random=random,
        potentials=potentials,
        n_starts=n_starts,
        method=method,
        backend=backend,
        random_seed=random_seed,
        jacobian=jacobian,
        constraints=constraints,
        quadrature=quadrature,
    )
    return compiled.fit(
        start=start,
        weights=weights,
        on_problem=on_problem,
        progressbar=progressbar,
        stacklevel=3,
    )


def compile(
    model: Any = None,
    *,
    objective: str = "mle",
    fixed: Mapping[str, Any] | None = None,
    parameters: Sequence[str] | None = None,
    random: Sequence[str] | None = None,
    potentials: Mapping[str, str] | None = None,
    n_starts: int | str = "auto",
    method: str = "auto",
    backend: str = "auto",
    random_seed: int | None = None,
    jacobian: bool = False,
    weights: Any = None,
    weights_kind: str = "frequency",
    constraints: str | Sequence[str] | None = None,
    quadrature: int | None = None,
    reml: Sequence[str] | None = None,
    penalty: str | None = None,
) -> Compiled:
    """Compile a model's objective once, for many fits and evaluations.

    Parameters
    ----------
    model : pymc.Model, optional
        Default: the model of the open ``with`` block.
    objective : {"mle", "map"}
    fixed, parameters, random, potentials, n_starts, method, backend, random_seed, jacobian, \
weights, weights_kind, constraints, quadrature, reml, penalty
        As in `find_MLE` and `find_MAP`.

    Returns
    -------
    Compiled
        ``.fit(data=..., start=...)``, ``.logp(point)``, ``.score(point)``,
        ``.hessian(point)``, ``.logp_per_observation(point)``.

    Raises
    ------
    ModelError, DataError, PointError
        As in `find_MLE`.
    """
    return _compile(
        model,
        quick=False,
        objective=objective,
        fixed=fixed,
        parameters=parameters,
        random=random,
        potentials=potentials,
        n_starts=n_starts,
        method=method,
        backend=backend,
        random_seed=random_seed,
        jacobian=jacobian,
        weights=weights,
        weights_kind=weights_kind,
        constraints=constraints,
        quadrature=quadrature,
        reml=reml,
        penalty=penalty,
    )


def _compile(
    model: Any,
    *,
    quick: bool,
    objective: str,
    fixed: Mapping[str, Any] | None,
    parameters: Sequence[str] | None,
    random: Sequence[str] | None,
    potentials: Mapping[str, str] | None,
    n_starts: int | str,
    method: str,
    backend: str,
    random_seed: int | None,
    jacobian: bool = False,
    weights: Any = None,
    weights_kind: str = "frequency",
    constraints: str | Sequence[str] | None = None,
    quadrature: int | None = None,
    reml: Sequence[str] | None = None,
    penalty: str | None = None,
) -> Compiled:
    """Compile, with less effort (``quick``) where a single fit follows."""
    problem = make_problem(
        model,
        objective=objective,
        fixed=fixed,
        parameters=parameters,
        random=random,
        potentials=potentials,
        method=method,
        backend=backend,
        n_starts=n_starts,
        jacobian=jacobian,
        quadrature=quadrature,
        reml=reml,
        penalty=penalty,
    )
    if penalty is not None and constraints is not None:
        raise AnalysisError.penalty_with("constraints")
    if penalty is not None and weights_kind == "sampling":
        raise AnalysisError.penalty_with("sampling weights")
    seed = 0 if random_seed is None else int(random_seed)
    settings = Settings(
        method=method,
        n_starts=n_starts,
        random_seed=seed,
        quick=quick,
        constraints=None if constraints is None else constraints_of(problem, constraints),
        weights_kind=checked_weights_kind(weights_kind, objective),
        asked={
            "random": random,
            "parameters": parameters,
            "potentials": potentials,
            "constraints": constraints,
        },
    )
    return Compiled(problem, settings, weights)
