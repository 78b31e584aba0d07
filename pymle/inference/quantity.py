"""Anything that is a function of the parameters: an entry, a Deterministic, an expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.bind import point_function
from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.derived import Derived
from pymle.objective import CallableFunction, Rows


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
        on the identity scale.
    rows : numpy.ndarray of int or None
        Places in the natural vector, for entries of parameters.
    function : object
        ``value(x)``, ``value_and_jacobian(x)`` with shapes (m,) and (m, k), and
        ``second(x, weights)``, the (k, k) second derivatives of the weighted sum.
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

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self.labels)

    def at(self, x: np.ndarray) -> Derived:
        """Value and derivative at an unconstrained point (k,)."""
        value, jacobian = self.function.value_and_jacobian(x)
        return Derived(self.name, self.labels, value, jacobian, self.low, self.high)


def quantity(
    fitted: Fitted,
    what: str | Callable[[Mapping[str, np.ndarray]], Any],
    name: str | None = None,
) -> Quantity:
    """A function of the parameters from what a user writes.

    Parameters
    ----------
    fitted : Fitted
    what : str or callable
        The name or label of a parameter (``beta[x1]``) or of a Deterministic, an expression
        of such names (``"exp(a) * b"``), or a function of the natural-scale point (a dict of
        arrays by parameter name) that returns a number or an array. A function that JAX can
        trace is differentiated exactly, one written with PyMC's or PyTensor's operations
        too; any other by extrapolated differences.
    name : str, optional
        What to call it; by default the text itself, or the function's name.

    Returns
    -------
    Quantity

    Raises
    ------
    AnalysisError
        Unknown names or labels (the nearest is suggested), an expression that does not read,
        or one that depends on a variable which the likelihood leaves undetermined.
    """
    if callable(what):
        return _of_callable(fitted, what, name)
    problem, estimate = fitted.problem, fitted.estimate
    place = problem.place_of(what)
    if place is not None and place[0] in {b.name for b in estimate.layout.blocks}:
        return _of_parameter(fitted, place[0], place[1], name or what)
    if place is not None and place[1] is None:
        graph, own = problem.variable(what), what
    else:
        graph, own = problem.expression(what), None
    return _of_graph(fitted, graph, name or what, own if name is None else None)


def _of_parameter(fitted: Fitted, own: str, entry: int | None, name: str) -> Quantity:
    estimate = fitted.estimate
    block = estimate.layout.block(own)
    rows = np.arange(block.natural.start, block.natural.stop)
    rows = rows if entry is None else rows[[entry]]
    labels = tuple(estimate.layout.labels[i] for i in rows)
    return Quantity(
        name=name,
        labels=labels if name in (own, *labels) else (name,),
        shape=block.shape if entry is None else (),
        dims=block.dims if entry is None else (),
        low=estimate.lower[rows],
        high=estimate.upper[rows],
        joint=not block.support.elementwise,
        rows=rows,
        function=Rows(fitted.natural, rows),
    )


def _of_graph(fitted: Fitted, graph: Any, name: str, own: str | None) -> Quantity:
    problem = fitted.problem
    undetermined = problem.undetermined(graph)
    if undetermined:
        raise AnalysisError.undetermined(name, undetermined)
    [shape] = problem.shapes_of([graph], fitted.estimate.natural)
    size = int(np.prod(shape, dtype=int))
    low, high = problem.range_of(graph)
    return Quantity(
        name=name,
        labels=problem.labels_of(own or name, shape),
        shape=tuple(shape),
        dims=problem.dims_of(own, len(shape)),
        low=np.full(size, low),
        high=np.full(size, high),
        joint=False,
        rows=None,
        function=point_function(problem, problem.lowered_graphs([graph])),
    )


def _of_callable(
    fitted: Fitted, function: Callable[[Mapping[str, np.ndarray]], Any], name: str | None
) -> Quantity:
    problem, layout = fitted.problem, fitted.estimate.layout
    name = name or getattr(function, "__name__", "function").replace("<lambda>", "function")
    graph = problem.symbolic(function(layout.to_point(fitted.estimate.natural)), function)
    if graph is not None:
        return _of_graph(fitted, graph, name, None)
    wrapped = CallableFunction(function, layout.to_point, fitted.natural, fitted.estimate.x)
    size = int(np.prod(wrapped.shape, dtype=int))
    return Quantity(
        name=name,
        labels=problem.labels_of(name, wrapped.shape),
        shape=wrapped.shape,
        dims=(None,) * len(wrapped.shape),
        low=np.full(size, -np.inf),
        high=np.full(size, np.inf),
        joint=False,
        rows=None,
        function=wrapped,
    )
