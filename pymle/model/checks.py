"""What is refused before anything is computed, and small questions about model variables."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.type import RandomType

from pymle.errors import DataError, ModelError, PointError
from pymle.model import compat, walks
from pymle.model.points import Held
from pymle.model.supports import Support, bounds_of


def check_model(model: Any) -> None:
    """Refuse models without a likelihood, with random or rescaled data, in single precision.

    Raises
    ------
    ModelError
    """
    free = [rv.name for rv in model.free_RVs]
    if not model.observed_RVs and not model.potentials:
        raise ModelError.no_likelihood(free)
    for rv in model.free_RVs:
        if rv.dtype == "float32":
            raise ModelError.float32(rv.name)
    for rv in model.observed_RVs:
        value = model.rvs_to_values[rv]
        above = list(ancestors([value]))
        if any(isinstance(v.type, RandomType) for v in above):
            raise ModelError.minibatch(rv.name)
        inputs = list(ancestors(list(rv.owner.inputs), blockers=model.free_RVs))
        if any(v.owner and "Minibatch" in type(v.owner.op).__name__ for v in inputs + above):
            raise ModelError.minibatch(rv.name)
        if type(rv.owner.op).__name__ == "MinibatchRandomVariable" and _rescaled(rv, value):
            raise ModelError.minibatch(rv.name)
        if "Simulator" in type(rv.owner.op).__name__ or "Simulator" in str(rv.owner.op):
            raise ModelError.simulator(rv.name)


def check_data(model: Any) -> None:
    """Refuse empty and non-finite observations.

    Raises
    ------
    DataError
    """
    for rv in model.observed_RVs:
        name = rv.name.removesuffix("_observed")
        value = walks.evaluate([compat.as_tensor(model.rvs_to_values[rv])])[0]
        if value.size == 0:
            raise DataError.empty(name, value.shape)
        if value.dtype.kind == "f":
            problem = _not_finite(name, value)
            if problem:
                raise DataError.not_finite(*problem)


def check_new_data(
    model: Any, name: str, value: Any, item: Any, *, is_named: bool
) -> tuple[np.ndarray, bool]:
    """New data for a name, in the dtype of the old; whether the shape changed.

    Raises
    ------
    DataError
    """
    if item is None:
        old = np.asarray(model[name].get_value())
    else:
        old = item.value
    array = np.asarray(value)
    if array.ndim != old.ndim:
        raise DataError.wrong_ndim(name, array.ndim, old.ndim)
    if array.size == 0:
        raise DataError.empty(name, array.shape)
    if array.dtype.kind == "f":
        problem = _not_finite(name, array)
        if problem:
            raise DataError.not_finite(*problem)
    changed = array.shape != old.shape
    if changed and not is_named:
        raise DataError.captured(name, array.shape, old.shape)
    if old.dtype.kind in "iu" and array.dtype.kind == "f" and np.any(array != np.round(array)):
        raise DataError.not_integer(name)
    return array.astype(old.dtype), changed


@contextmanager
def swapped_data(model: Any, data: Mapping[str, np.ndarray]) -> Iterator[None]:
    """The model's ``pm.Data`` hold other values inside the block, dim lengths included."""
    before: dict[Any, np.ndarray] = {}
    try:
        for name, value in data.items():
            shared = model[name]
            before[shared] = shared.get_value()
            shared.set_value(value)
            dims = model.named_vars_to_dims.get(name) or ()
            for dim, length in zip(dims, value.shape, strict=False):
                size = model.dim_lengths.get(dim)
                if isinstance(size, SharedVariable) and size not in before:
                    before[size] = size.get_value()
                    size.set_value(np.asarray(length, dtype=before[size].dtype))
        yield
    finally:
        for shared, value in before.items():
            shared.set_value(value)


def first_not_finite(item: Any) -> tuple[str, str, list, int] | None:
    """Name, kind, rows and count of the non-finite entries of a data input."""
    if item.value.dtype.kind != "f":
        return None
    return _not_finite(item.name or "a captured array", item.value)


def check_held(
    model: Any, name: str, part: Held, support: Support, initial: Mapping[str, np.ndarray]
) -> None:
    """Refuse held values outside the closure of their support.

    Raises
    ------
    PointError
    """
    rv = model[name]
    given = part.values[part.mask]
    lower, upper = (_number(bound) for bound in bounds_of(support, rv))
    if lower is not None and np.any(given < lower):
        raise PointError.outside_support("fixed", name, given, f"at least {lower:g}")
    if upper is not None and np.any(given > upper):
        raise PointError.outside_support("fixed", name, given, f"at most {upper:g}")
    if support.elementwise:
        return
    if not part.mask.all():
        raise PointError.not_single(name, support.text)
    value = part.values.reshape(initial[name].shape)
    held = compat.like_rv(compat.as_tensor(value), rv)
    inputs = rv.owner.inputs
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        inner = support.transform.forward(held, *inputs)
        back = support.transform.backward(inner, *inputs)
        image = walks.evaluate([compat.as_tensor(back)])[0]
    if not np.allclose(image, value, rtol=1e-8, atol=1e-10):
        raise PointError.outside_support("fixed", name, value, support.text)


def breaks_sum(support: Support, value: np.ndarray) -> bool:
    """Whether the entries do not sum to what their support asks for.

    The transforms of a simplex and of zero-sum effects move such a value onto the support
    without a word; other transforms give nan outside theirs.
    """
    if support.kind == "simplex":
        return bool(np.any(np.abs(value.sum(axis=-1) - 1.0) > 1e-6))
    if support.kind == "zerosum":
        size = max(1.0, float(np.max(np.abs(value), initial=0.0)))
        axes = support.transform.zerosum_axes
        return any(np.any(np.abs(value.sum(axis=axis)) > 1e-6 * size) for axis in axes)
    return False


def plain_inputs(rv: Any) -> list[Any]:
    """A random variable's inputs without its random states."""
    return [i for i in rv.owner.inputs if not isinstance(i.type, RandomType)]


def with_states(rv: Any, replaced: list[Any]) -> list[Any]:
    """Put random states back in their places: transforms count argument positions."""
    queue = list(replaced)
    return [i if isinstance(i.type, RandomType) else queue.pop(0) for i in rv.owner.inputs]


def draw_function(model: Any, name: str) -> Callable[[np.random.Generator], Any]:
    """A function that draws a variable from its prior, or gives None where none can be.

    Random states are inputs of the function: the model's own are left as they are.
    """
    rv = model[name]
    states = [
        v
        for v in ancestors([rv])
        if isinstance(v, SharedVariable) and isinstance(v.type, RandomType)
    ]
    symbols = [state.type() for state in states]
    [graph] = clone_replace([compat.as_tensor(rv)], dict(zip(states, symbols, strict=True)))
    function = walks.interpret(symbols, graph)

    def draw(rng: np.random.Generator) -> Any:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                return function(*rng.spawn(len(symbols)))
        except Exception:  # noqa: BLE001 - a prior that cannot be drawn (Flat) is no reason not to fit
            return None

    return draw


def _rescaled(rv: Any, value: Any) -> bool:
    shape = walks.evaluate([compat.as_tensor(value)])[0].shape
    for length, total in zip(shape, rv.owner.inputs[1:], strict=False):
        known = isinstance(total, Constant) and getattr(total, "data", None) is not None
        if known and int(total.data) != length:
            return True
    return False


def _not_finite(name: str, value: np.ndarray) -> tuple[str, str, list, int] | None:
    bad = np.argwhere(~np.isfinite(value))
    if not len(bad):
        return None
    kind = "NaN" if np.isnan(value).any() else "infinite"
    rows = [int(i[0]) if len(i) == 1 else tuple(int(j) for j in i) for i in bad[:6]]
    return name, kind, rows, len(bad)


def _number(bound: Any) -> float | None:
    """A bound as a number: None where it is absent, infinite or depends on other variables."""
    if bound is None:
        return None
    if hasattr(bound, "owner"):
        roots = [v for v in ancestors([bound]) if v.owner is None]
        if not all(isinstance(r, Constant) for r in roots):
            return None
        bound = walks.evaluate([compat.as_tensor(bound)])[0]
    number = np.asarray(bound, dtype=float)
    return float(number) if number.ndim == 0 and np.isfinite(number) else None


def check_held_effects(integrated: Sequence[str], fixed: Mapping[str, Any] | None) -> None:
    """Refuse to hold single entries of what is integrated out.

    Parameters
    ----------
    integrated : sequence of str
    fixed : mapping or None
        By name or label.

    Raises
    ------
    ModelError
    """
    for label in fixed or ():
        for name in integrated:
            if label.startswith(f"{name}["):
                raise ModelError.part_of_an_effect(label, name)


def check_integrals(problem: Any) -> None:
    """Make sure that what is integrated or summed out can be.

    Parameters
    ----------
    problem : Problem

    Raises
    ------
    ModelError
        Naming a parameter under a flat measure that is not real, or a discrete variable that
        cannot be summed out.
    """
    effects = problem.effects if problem.reml else None
    for block in effects.layout.blocks if effects else ():
        if block.name in problem.reml and block.support.kind != "real":
            raise ModelError.not_restrictable(
                block.name, f"its values are constrained ({block.support.text})"
            )
    if problem.roles.names("summed out") and problem.summed:
        _ = problem.density  # in which they are summed
