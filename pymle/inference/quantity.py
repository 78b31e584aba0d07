"""Anything that is a function of the parameters: an entry, a Deterministic, an expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pymle.bind import parameter_function, point_function
from pymle.errors import AnalysisError
from pymle.estimate import Estimate
from pymle.fitted import Fitted
from pymle.inference.covariance.information import whitened
from pymle.inference.derived import ROUNDING, Derived
from pymle.inference.returned import Returned, returned
from pymle.inference.wald import JOINT
from pymle.model import entry_labels
from pymle.objective import AtModes, CallableFunction, Rows
from pymle.verdict import Status

#: Steps of differences, in standard errors of one coordinate at a time.
_STEP = 0.01
#: Relative change of a standard error towards an edge, by which it has no limit there.
_SETTLED = 0.05


@dataclass(frozen=True)
class Quantity:
    """A function of the unconstrained vector with labels for its entries.

    Attributes
    ----------
    name : str
    labels : tuple of str
        One per entry, in C order.
    shape : tuple of int
    dims : tuple of (str or None)
        One per axis where the model names them.
    low, high : numpy.ndarray, shape (m,)
        Range that each entry cannot leave, else infinite.
    joint : bool
        Entries constrain each other (a simplex, a Cholesky factor): their limits are formed
        on the identity scale unless one would cross a bound.
    rows : numpy.ndarray of int or None
        Places in the natural vector, for entries of parameters.
    function : object
        ``value(x)``, ``value_and_jacobian(x)`` with shapes (m,) and (m, k), and
        ``second(x, weights)``, the (k, k) second derivatives of the weighted sum.
    coords : mapping of dim to sequence
        Labels along the dims that are not the model's (those of an array that a function
        returned).
    free : numpy.ndarray of bool or None, shape (m,)
        Entries of parameters that are estimated; None where it is no entry of a parameter.
    predicted : tuple of str
        The random effects and missing values that it depends on: it is predicted at their
        conditional modes, not estimated.
    """

    name: str
    labels: tuple[str, ...]
    shape: tuple[int, ...]
    dims: tuple[str | None, ...]
    low: np.ndarray
    high: np.ndarray
    joint: bool
    rows: np.ndarray | None
    function: Any
    coords: Mapping[str, Any]
    free: np.ndarray | None = None
    predicted: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self.labels)

    def at_estimate(self, estimate: Estimate) -> Derived:
        """As `at`, at the estimate; what has no standard error there has a derivative of NaN.

        Beside parameters at an edge of their support a function is asked once more further on: a
        standard error that goes on growing has no limit (the correlation with an effect of no
        variance).
        """
        found = self.at(estimate.x)
        null = estimate.null_space
        if self.predicted or null is None or not null.shape[1]:
            return found
        if estimate.verdict.status is Status.FLAT:
            return found
        further = estimate.x + (null / np.max(np.abs(null), axis=0)).sum(axis=1)
        moved = self.function.value_and_jacobian(further)[1]
        both = np.concatenate([found.jacobian, moved])
        if not np.all(np.isfinite(both)):
            return found
        here, there = np.split(np.linalg.norm(whitened(estimate, both)[0], axis=1), 2)
        larger = np.maximum(here, there)
        lost = np.abs(here - there) > _SETTLED * larger
        lost &= larger > ROUNDING * np.abs(found.value)
        jacobian = np.where(lost[:, None], np.nan, found.jacobian)
        return replace(found, jacobian=jacobian)

    def at(self, x: np.ndarray) -> Derived:
        """Value and derivative at an unconstrained point (k,)."""
        value, jacobian = self.function.value_and_jacobian(x)
        conditional = self.function.conditional_variance(x) if self.predicted else None
        return Derived(
            self.name,
            self.labels,
            value,
            jacobian,
            self.low,
            self.high,
            self.joint,
            self.free,
            conditional,
        )


def quantity(fitted: Fitted, what: Any, name: str | None = None) -> Quantity:
    """A function of the parameters from what a user writes.

    Raises
    ------
    AnalysisError
        As `estimated_or_predicted`, and where it depends on random effects: those are
        predicted, and have no likelihood of their own to profile or test.
    """
    found = estimated_or_predicted(fitted, what, name)
    if found.predicted:
        raise AnalysisError.predicted(found.name, found.predicted)
    return found


def estimated_or_predicted(fitted: Fitted, what: Any, name: str | None = None) -> Quantity:
    """A function of the parameters and random effects from what a user writes.

    Parameters
    ----------
    fitted : Fitted
    what : str, callable or symbolic variable
        The name or label of a parameter (``beta[x1]``) or of a Deterministic, an expression
        of such names (``"exp(a) * b"``), or a function of the natural-scale point (a dict of
        arrays by parameter name) that returns a number or an array. A function that JAX can
        trace is differentiated exactly, one written with PyMC's or PyTensor's operations
        too; any other by extrapolated differences. A variable of the model, or an expression
        of such variables, is taken as well.
    name : str, optional
        What to call it; by default the text itself, or the function's name.

    Returns
    -------
    Quantity

    Raises
    ------
    AnalysisError
        Unknown names or labels (the nearest is suggested), an expression that does not read
        or cannot be computed, an observed variable, one that depends on a variable which the
        likelihood leaves undetermined, or a function that fails.
    """
    problem, estimate = fitted.problem, fitted.estimate
    if not isinstance(what, str):
        if problem.is_symbolic(what):
            return _of_symbolic(fitted, what, name)
        if callable(what):
            return _of_callable(fitted, what, name)
        raise AnalysisError.argument(
            "what", what, "a name, a label, an expression as text, or a function of the point"
        )
    inner = what.strip()
    if inner[:1] == inner[-1:] == "`" and "`" not in inner[1:-1]:
        what = inner[1:-1]
    place = problem.place_of(what)
    if place is not None and place[0] in {b.name for b in estimate.layout.blocks}:
        return _of_parameter(fitted, place[0], place[1], name or what)
    if place is not None:
        if problem.is_observed(place[0]):
            raise AnalysisError.observed_quantity(place[0])
        within = _bounds_of_effect(fitted, *place)
        if place[1] is None:
            return _of_graph(fitted, problem.variable(what), name or what, what, within)
        # Quoted, so that a name or a label with spaces or signs is taken as it stands.
        return _of_graph(fitted, problem.expression(f"`{what}`"), name or what, None, within)
    return _of_graph(fitted, problem.expression(what), name or what, None)


def _of_parameter(fitted: Fitted, own: str, entry: int | None, name: str) -> Quantity:
    estimate = fitted.estimate
    block = estimate.layout.block(own)
    rows = np.arange(block.natural.start, block.natural.stop)
    rows = rows if entry is None else rows[[entry]]
    labels = tuple(estimate.layout.labels[i] for i in rows)
    shape = block.shape if entry is None else ()
    dims = block.dims if entry is None else ()
    if name not in (own, *labels):
        labels = entry_labels(name, shape, dims, estimate.layout.coords)
    elif entry is not None:
        name = labels[0]
    return Quantity(
        name=name,
        labels=labels,
        shape=shape,
        dims=dims,
        low=estimate.lower[rows],
        high=estimate.upper[rows],
        joint=block.support.kind in JOINT,
        rows=rows,
        function=Rows(fitted.natural, rows),
        coords={},
        free=~estimate.layout.fixed[rows],
    )


def _bounds_of_effect(fitted: Fitted, own: str, entry: int | None) -> tuple[Any, Any] | None:
    """Bounds of what was integrated out, or of one entry; None for anything else."""
    effects = fitted.problem.effects
    if effects is None or own not in effects.names:
        return None
    place = effects.layout.block(own).natural
    bounds = effects.coordinates.flat_bounds(effects.layout.to_natural(fitted.modes))
    low, high = (each[place] if entry is None else each[place][[entry]] for each in bounds)
    return low, high


def _of_graph(
    fitted: Fitted,
    graph: Any,
    name: str,
    own: str | None,
    within: tuple[Any, Any] | None = None,
) -> Quantity:
    problem = fitted.problem
    effects = problem.effects
    above = problem.undetermined(graph)
    predicted = tuple(each for each in above if effects is not None and each in effects.names)
    if len(predicted) < len(above):
        undetermined = [each for each in above if each not in predicted]
        raise AnalysisError.undetermined(name, undetermined)
    function: Any
    try:
        [shape] = problem.shapes_of([graph], fitted.estimate.natural)
        lowered = problem.lowered_graphs([graph])
        if predicted:
            function = AtModes(point_function(problem, lowered), fitted.marginal)
        else:
            function = parameter_function(problem, lowered)
    except (ValueError, TypeError, IndexError, AssertionError, NotImplementedError) as error:
        raise AnalysisError.bad_expression(name, _said(error)) from error
    size = int(np.prod(shape, dtype=int))
    low, high = within or problem.range_of(graph)
    dims = problem.dims_of_expression(graph) if own is None else problem.dims_of(own, len(shape))
    return Quantity(
        name=name,
        labels=entry_labels(
            _bracketed(name, problem) if shape else name, shape, dims, problem.layout.coords
        ),
        shape=tuple(shape),
        dims=dims,
        low=np.broadcast_to(low, size),
        high=np.broadcast_to(high, size),
        joint=False,
        rows=None,
        function=function,
        coords={},
        predicted=predicted,
    )


def _of_symbolic(fitted: Fitted, variable: Any, name: str | None) -> Quantity:
    problem = fitted.problem
    own = problem.name_of(variable)
    if own is not None:
        return estimated_or_predicted(fitted, own, name)
    graph = problem.symbolic(variable, lambda _: variable)
    return _of_graph(fitted, graph, name or getattr(variable, "name", None) or "expression", None)


def _of_callable(
    fitted: Fitted, function: Callable[[Mapping[str, np.ndarray]], Any], name: str | None
) -> Quantity:
    problem, estimate = fitted.problem, fitted.estimate
    layout = estimate.layout
    if name is None:
        name = str(getattr(function, "__name__", "function")).replace("<lambda>", "function")
    own: str = name

    def call(point: Mapping[str, Any]) -> Any:
        try:
            return function(point)
        except Exception as error:
            raise AnalysisError.function_failed(own, _said(error), list(point)) from error

    point = layout.to_point(estimate.natural)
    result = call(point)
    graph = problem.symbolic(result, call)
    if graph is not None:
        return _of_graph(fitted, graph, own, None)
    seen: Returned = returned(own, result)
    wrapped = CallableFunction(call, layout.to_point, fitted.natural, estimate.x, _steps(estimate))
    coords = {**layout.coords, **seen.coords}
    return Quantity(
        name=own,
        labels=entry_labels(own, seen.shape, seen.dims, coords),
        shape=seen.shape,
        dims=seen.dims,
        low=np.full(seen.size, -np.inf),
        high=np.full(seen.size, np.inf),
        joint=False,
        rows=None,
        function=wrapped,
        coords=seen.coords,
    )


def _steps(estimate: Estimate) -> np.ndarray | None:
    """A small share of each coordinate's standard error with the others held."""
    curvature = estimate.curvature
    if curvature is None or not curvature.finite or not np.all(curvature.scale > 0):
        return None
    return _STEP / curvature.scale


def _bracketed(name: str, problem: Any) -> str:
    """An expression in parentheses, where brackets are to follow it."""
    plain = name.isidentifier() or problem.place_of(name) is not None
    return name if plain else f"({name})"


def _said(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else ''}".rstrip(": ")
