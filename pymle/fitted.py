"""A fit as analyses see it: the estimate, the problem it belongs to, and its data and weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pymle.bind import call_at, checked_weights, likelihood_of, natural_function
from pymle.estimate import Estimate
from pymle.estimation import Estimator
from pymle.model import Problem
from pymle.objective import Likelihood

if TYPE_CHECKING:
    from pymle.objective.integrate.marginal import Marginal


class Fitted:
    """An estimate with everything that is needed to evaluate its objective again.

    Parameters
    ----------
    estimate : Estimate
    problem : Problem
        At the data of the fit.
    estimator : Estimator
        What made the estimate, for refits.
    weights : array_like, mapping or None
        Weights as the user gave them.

    Attributes
    ----------
    estimate, problem, estimator
    """

    def __init__(
        self, estimate: Estimate, problem: Problem, estimator: Estimator, weights: Any = None
    ) -> None:
        self.estimate = estimate
        self.problem = problem
        self.estimator = estimator
        self.given_weights = weights
        #: What one analysis found and another may use, by name.
        self.kept: dict[str, Any] = {}

    @cached_property
    def weights(self) -> list[np.ndarray] | None:
        """Weights by observed variable, None where all are one."""
        return checked_weights(self.problem, self.given_weights)

    @cached_property
    def likelihood(self) -> Likelihood:
        """The objective at the data and weights of the fit; compiled programs are shared."""
        likelihood = likelihood_of(self.problem, self.weights)
        likelihood.difference_if_needed(self.estimate.x)
        return likelihood

    @property
    def marginal(self) -> Marginal:
        """The objective of a fit in which something was integrated out."""
        from pymle.objective.integrate.marginal import Marginal

        assert isinstance(self.likelihood, Marginal)
        return self.likelihood

    @cached_property
    def natural(self) -> Any:
        """The natural vector and its derivatives as functions of the unconstrained one."""
        return natural_function(self.problem)

    @cached_property
    def modes(self) -> dict[str, np.ndarray]:
        """Natural values of what was integrated out, at their conditional modes."""
        effects = self.problem.effects
        if effects is None:
            return {}
        graphs = [self.problem.variable(name) for name in effects.names]
        lowered = self.problem.lowered_graphs(graphs)
        values = call_at(self.problem, lowered, self.likelihood.joint(self.estimate.x))
        return {n: np.asarray(v) for n, v in zip(effects.names, values, strict=True)}

    def refit(
        self,
        *,
        start: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        weights: Any = None,
    ) -> Fitted:
        """Fit again with a verdict of its own: from elsewhere, with other data or weights.

        Parameters
        ----------
        start : mapping, optional
            Natural-scale values by name or label.
        data : mapping, optional
            New values of ``pm.Data`` or observed variables, besides those of this fit.
        weights : array_like or mapping, optional
            In place of those of this fit.

        Returns
        -------
        Fitted
        """
        used = self.given_weights if weights is None else weights
        given = {**self.problem.given, **(data or {})}
        estimate, problem = self.estimator.estimate(
            data=given or None, start=start, weights=used, callback=None
        )
        return Fitted(estimate, problem, self.estimator, used)
