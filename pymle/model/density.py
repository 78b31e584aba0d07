"""The log-density of a model as a graph of one unconstrained vector.

PyMC derives every term on the natural scale; the natural values are then replaced by the
working transforms of the unconstrained vector, so that PyTensor's stabilising rewrites see
both. Data, large constants, weights and held values are inputs of the graph, never part of
it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.initial_point import make_initial_point_expression
from pymc.logprob.basic import transformed_conditional_logp
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors, toposort
from pytensor.tensor.random.type import RandomType

from pymle.errors import ModelError
from pymle.model import compat, walks
from pymle.model.graphs.fields import missing_constant
from pymle.model.graphs.repairs import before_derivation, before_gradient
from pymle.model.layout import Block, Layout
from pymle.model.sources import observed_sources

#: Variables beyond which each is derived by itself, given values of the others.
_MANY = 30
_LARGE = 64  # constants with more entries become inputs: XLA would fold and hold them


@dataclass(frozen=True)
class Term:
    """One additive term of the objective.

    Attributes
    ----------
    name : str
    kind : str
        ``observed``, ``potential``, ``prior``, ``jacobian`` or ``support``.
    logp : Variable
        Elementwise log-density in terms of the natural value variables.
    shape : tuple of int
        Shape of the elementwise log-density at the present data.
    rows : int
        Number of observations it stands for (0 unless observed).
    """

    name: str
    kind: str
    logp: Any
    shape: tuple[int, ...] = ()
    rows: int = 0


@dataclass(frozen=True)
class DataInput:
    """An array that the graph takes as an argument.

    Attributes
    ----------
    name : str or None
        Name by which ``data=`` replaces it; None for a captured constant.
    source : Variable
        Shared variable or constant that it stands for.
    symbol : Variable
        The graph's input.
    value : numpy.ndarray
        The present value.
    """

    name: str | None
    source: Any
    symbol: Any
    value: np.ndarray


@dataclass
class Density:
    """The pieces of an objective, all functions of ``x``.

    Attributes
    ----------
    model : pymc.Model
    layout : Layout
    terms : tuple of Term
    x : Variable
        The unconstrained vector.
    held : Variable
        Natural vector with the values of the fixed entries.
    values : dict
        Natural value variable of each free random variable, by name.
    naturals : dict
        Each parameter's natural value as an expression of ``x`` and ``held``, by name.
    """

    model: Any
    layout: Layout
    terms: tuple[Term, ...]
    x: Any
    held: Any
    values: dict[str, Any]
    naturals: dict[str, Any] = field(default_factory=dict)

    def substitute(self, outputs: Sequence[Any]) -> list[Any]:
        """Replace natural value variables by expressions of ``x`` and ``held``."""
        swaps = {self.values[name]: expression for name, expression in self.naturals.items()}
        return clone_replace(list(outputs), swaps)

    def replace_random(self, graphs: Sequence[Any]) -> list[Any]:
        """Graphs of the model's own variables as functions of ``x`` and ``held``."""
        return self.substitute(replace_random(self.model, self.values, graphs))


def replace_random(model: Any, values: Mapping[str, Any], graphs: Sequence[Any]) -> list[Any]:
    """Put value variables in the place of the free random variables of some graphs."""
    swaps = {model[name]: value for name, value in values.items()}
    swaps |= {rv: model.rvs_to_values[rv] for rv in model.observed_RVs}
    return compat.replace_rvs(list(graphs), swaps)


def natural_values(model: Any, also: Sequence[str] = ()) -> dict[str, Any]:
    """A fresh natural-scale value variable for every free random variable, and for ``also``."""
    chosen = [*model.free_RVs, *(model[name] for name in also)]
    return {rv.name: rv.type(name=f"{rv.name}") for rv in chosen}


def natural_terms(model: Any, values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Elementwise log-densities on the natural scale, without Jacobians.

    Parameters
    ----------
    model : pymc.Model
    values : mapping of name to value variable
        For all free variables.
    names : sequence of str
        Random variables whose terms are wanted (free and observed).

    Returns
    -------
    dict of str to Variable

    Raises
    ------
    ModelError
        PyMC cannot derive a term, or random draws remain in it.
    """
    to_values = {model[name]: value for name, value in values.items()}
    to_values |= {rv: model.rvs_to_values[rv] for rv in model.observed_RVs}
    # PyMC's rewrites merge equal constants. Observed values equal to other numbers of the model (as
    # many successes as trials) would become one with them, and other data would replace both.
    observed = [v for v in map(model.rvs_to_values.get, model.observed_RVs) if _is_constant(v)]
    stand_ins = {value: value.type() for value in observed}
    to_values = {rv: stand_ins.get(value, value) for rv, value in to_values.items()}
    prepared = dict(zip(to_values, before_derivation(list(to_values)), strict=True))
    if len(prepared) > _MANY:
        prepared = _separate(prepared, to_values)
    wanted = [prepared[model[name]] for name in names]
    try:
        with warnings.catch_warnings():
            # PyMC calls functions of PyTensor that are deprecated; its user cannot help it.
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=FutureWarning)
            logps = transformed_conditional_logp(
                wanted,
                rvs_to_values={prepared[rv]: value for rv, value in to_values.items()},
                rvs_to_transforms={},
                jacobian=False,
            )
    except (NotImplementedError, RuntimeError, ValueError, TypeError) as error:
        raise ModelError.no_logp(error) from error
    back = {stand_in: value for value, stand_in in stand_ins.items()}
    logps = clone_replace([compat.as_tensor(logp) for logp in logps], back)
    found = dict(zip(names, logps, strict=True))
    for name in names:
        constant = missing_constant(model[name])
        if constant is not None:
            found[name] = found[name] + replace_random(model, values, [constant])[0]
    draws = [
        v.name or str(v.owner.op)
        for v in ancestors(list(found.values()))
        if isinstance(v.type, RandomType)
    ]
    if draws:
        raise ModelError.random_objective(sorted(set(map(str, draws)))[:3])
    return found


def _separate(prepared: Mapping[Any, Any], to_values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Random variables whose arguments are values: no chain of them is left.

    PyMC goes through everything above each variable, which along a chain takes the square of its
    length.
    """
    values = {prepared[rv]: value for rv, value in to_values.items()}
    own, now = {}, {}
    for node in toposort(list(values)):
        inputs = [now.get(v, v) for v in node.inputs]
        moved = any(new is not old for new, old in zip(inputs, node.inputs, strict=True))
        outputs = (
            node.clone_with_new_inputs(inputs, strict=False).outputs if moved else node.outputs
        )
        for old, new in zip(node.outputs, outputs, strict=True):
            now[old] = values.get(old, new)
            if old in values:
                own[old] = new
                new.name = old.name
    return {rv: own[found] for rv, found in prepared.items()}


def _is_constant(value: Any) -> bool:
    return isinstance(value, Constant)


def parameter_expressions(
    model: Any, layout: Layout, values: Mapping[str, Any], x: Any, held: Any
) -> dict[str, Any]:
    """Every variable's natural value as an expression of ``x``, ``held`` and other values."""
    out: dict[str, Any] = {}
    for block in layout.blocks:
        rv = model[block.name]
        inputs: list[Any] = []
        if block.support.transform is not None:
            inputs = _restore_inputs(rv, replace_random(model, values, _plain_inputs(rv)))
        out[block.name] = _natural(block, rv, inputs, x, held)
    return out


def completed(expressions: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Expressions in which no natural value is left: each is put into those that need it.

    Raises
    ------
    ModelError
        They depend on each other in a circle.
    """
    out = dict(expressions)
    for _ in out:
        swaps = {values[name]: expression for name, expression in out.items()}
        inside = set(ancestors(list(out.values())))
        if not any(value in inside for value in swaps):
            return out
        names = list(out)
        out = dict(zip(names, clone_replace([out[n] for n in names], swaps), strict=True))
    if set(ancestors(list(out.values()))) & {values[name] for name in out}:
        raise ModelError("The supports of the parameters depend on each other in a circle.")
    return out


def jacobian_term(
    block: Block, model: Any, values: Mapping[str, Any], x: Any, *, whole: bool = True
) -> Any:
    """Log-determinant of the derivative of a block's working transform, summed if ``whole``."""
    rv = model[block.name]
    if block.support.transform is None or block.wholly_fixed:
        return pt.zeros(())
    inputs = _restore_inputs(rv, replace_random(model, values, _plain_inputs(rv)))
    inner = _inner(block, rv, x)
    found = compat.as_tensor(block.support.transform.log_jac_det(inner, *inputs))
    return found.sum() if whole else found


def support_term(logp: Any) -> Any:
    """Zero where a density is positive, minus infinity elsewhere."""
    return pt.switch(pt.all(pt.gt(logp, -np.inf)), 0.0, -np.inf)


def data_inputs(model: Any, outputs: Sequence[Any], *, as_arguments: bool) -> list[DataInput]:
    """Shared data and large constants under some graphs.

    Parameters
    ----------
    model : pymc.Model
    outputs : sequence of Variable
    as_arguments : bool
        False keeps everything but the observed values and named data as constants
        (for graphs whose shapes are computed from data).

    Returns
    -------
    list of DataInput
        Integer scalars are left out unless they are observed: shapes are computed from them.
    """
    observed = {rv.name for rv in model.observed_RVs} | set(observed_sources(model).values())
    names = {var: var.name for var in model.data_vars}
    for rv in model.observed_RVs:
        value = model.rvs_to_values[rv]
        names.setdefault(value, rv.name.removesuffix("_observed"))
    found: list[DataInput] = []
    for variable in dict.fromkeys(ancestors(list(outputs))):
        value = _array(variable)
        if value is None:
            continue
        named = variable in names
        small = not as_arguments or value.size <= _LARGE or value.dtype == bool
        if isinstance(variable, Constant) and not named and small:
            continue
        structural = value.ndim == 0 and value.dtype.kind in "iub"
        if structural and names.get(variable) not in observed:
            continue
        if not as_arguments and value.dtype.kind in "iub" and not isinstance(variable, Constant):
            continue
        symbol = compat.input_like(variable, value)
        found.append(DataInput(names.get(variable), variable, symbol, value))
    return found


def freeze_shared(outputs: Sequence[Any], inputs: Sequence[DataInput]) -> list[Any]:
    """Replace data by inputs, and what shared values remain by constants."""
    swaps: dict[Variable, Variable] = {item.source: item.symbol for item in inputs}
    for variable in ancestors(list(outputs)):
        shared = isinstance(variable, SharedVariable) and variable not in swaps
        if shared and not isinstance(variable.type, RandomType):
            swaps[variable] = compat.constant_like(variable)
    return clone_replace(list(outputs), swaps)


def initial_values(model: Any, also: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """PyMC's initial point on the natural scale, evaluated without compilation.

    Of the free variables, and of those named besides.
    """
    free = [*model.free_RVs, *(model[name] for name in also)]
    expressions = make_initial_point_expression(
        free_rvs=free,
        rvs_to_transforms={},
        initval_strategies=model.rvs_to_initial_values,
        default_strategy="support_point",
        return_transformed=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = walks.evaluate([compat.as_tensor(e) for e in expressions])
    names = [rv.name for rv in free]
    return {n: np.asarray(v, dtype=float) for n, v in zip(names, values, strict=True)}


def observed_rows(logp_shape: tuple[int, ...], value_shape: tuple[int, ...], op_name: str) -> int:
    """Number of observations behind an elementwise log-density.

    One per entry of the log-density; a single joint density of a series or of a Gaussian
    process counts the rows of its value, a single multivariate count or share counts one.
    """
    if logp_shape or not value_shape:
        return int(np.prod(logp_shape, dtype=int))
    if op_name in {"MultinomialRV", "DirichletRV", "DirichletMultinomialRV"}:
        return 1
    return int(value_shape[0])


def repaired(outputs: Sequence[Any]) -> list[Any]:
    """Parameter checks turned into minus infinity, before any gradient is taken."""
    return before_gradient(list(outputs))


def _natural(block: Block, rv: Any, inputs: Sequence[Any], x: Any, held: Any) -> Any:
    kept = held[block.natural.start : block.natural.stop]
    if block.wholly_fixed:
        return compat.like_rv(kept.reshape(block.shape).astype(rv.dtype), rv)
    transform = block.support.transform
    if not block.fixed.any():
        inner = _inner(block, rv, x)
        natural = inner if transform is None else transform.backward(inner, *inputs)
        return compat.like_rv(compat.as_tensor(natural).reshape(block.shape), rv)
    free = np.flatnonzero(~block.fixed)
    padded = pt.set_subtensor(pt.zeros(block.size)[free], x[block.free.start : block.free.stop])
    inner = compat.like_rv(padded.reshape(block.shape), rv)
    natural = inner if transform is None else transform.backward(inner, *inputs)
    flat = compat.as_tensor(natural).reshape((block.size,))
    mixed = pt.set_subtensor(kept[free], flat[free])
    return compat.like_rv(mixed.reshape(block.shape), rv)


def _inner(block: Block, rv: Any, x: Any) -> Any:
    values = x[block.free.start : block.free.stop].reshape(block.inner_shape)
    return compat.like_rv(values, rv)


def _plain_inputs(rv: Any) -> list[Any]:
    return [i for i in rv.owner.inputs if not isinstance(i.type, RandomType)]


def _restore_inputs(rv: Any, replaced: Sequence[Any]) -> list[Any]:
    """Put random states back in their places: transforms count argument positions."""
    queue = list(replaced)
    return [i if isinstance(i.type, RandomType) else queue.pop(0) for i in rv.owner.inputs]


def _array(variable: Any) -> np.ndarray | None:
    """Value of a shared array or constant, None for anything else."""
    if not compat.is_array_type(variable.type):
        return None
    if isinstance(variable, SharedVariable):
        return np.asarray(variable.get_value(borrow=True))
    if isinstance(variable, Constant):
        return np.asarray(variable.data)
    return None
