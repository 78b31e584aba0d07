"""Graphs to functions: JAX through PyTensor's own linker, or PyTensor's interpreter.

The value and its symbolic gradient go through one lowering, so that PyTensor's stabilising
rewrites reach both; JAX differentiates the lowered score once more where curvature is needed.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytensor
import pytensor.tensor as pt
from pymc.pytensorf import rewrite_pregrad
from pytensor.compile.mode import Mode
from pytensor.gradient import NullTypeGradError
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import ancestors

from pymle.model import compat
from pymle.model.density import DataInput, data_inputs, freeze_shared
from pymle.model.graphs.decompositions import decomposed, gathered
from pymle.model.graphs.products import vector_first
from pymle.model.graphs.repairs import before_lowering, differenced_ops


@dataclass(frozen=True)
class Lowered:
    """A function of ``(x, held, weights, data)``.

    Attributes
    ----------
    call : callable
        Returns a tuple of arrays. Pure and traceable by JAX on the route ``jax``.
    data : tuple of DataInput
        What the function expects as data, in order.
    weights : tuple of Variable
        Weight inputs, in order.
    route : str
        ``jax`` or ``pytensor``.
    reason : str
        Why another route than JAX with data as arguments was taken; empty otherwise.
    has_score : bool
        Whether the second output is the score.
    differenced : tuple of str
        Operations whose second derivative JAX lacks: the Hessian is differenced from
        the exact score.
    seconds : float
        Time the lowering took.
    """

    call: Callable[..., tuple[Any, ...]]
    data: tuple[DataInput, ...]
    weights: tuple[Any, ...]
    route: str
    reason: str
    has_score: bool
    differenced: tuple[str, ...]
    seconds: float


@contextmanager
def double_precision() -> Any:
    """Constants that PyTensor makes on the way stay in double precision.

    Nor does it note for every node which line made it, which takes a tenth of the rewriting.
    """
    with pytensor.config.change_flags(cast_policy="numpy+floatX", traceback__limit=0):
        yield


def lower_objective(
    model: Any,
    total: Any,
    extra: Sequence[Any],
    *,
    x: Any,
    held: Any,
    weights: Sequence[Any],
    backend: str,
) -> Lowered:
    """Lower a scalar objective, its score and further outputs.

    Parameters
    ----------
    model : pymc.Model
    total : Variable
        The scalar objective, parameter checks already repaired.
    extra : sequence of Variable
        Further outputs, returned after value and score.
    x, held : Variable
        The unconstrained vector and the held natural values.
    weights : sequence of Variable
    backend : {"auto", "jax", "pytensor"}

    Returns
    -------
    Lowered
        Outputs ``(value, score, *extra)``; the score is missing where an operation has
        no gradient.
    """
    return _lower(
        model,
        [total, *extra],
        inputs=[x, held, *weights],
        n_weights=len(weights),
        backend=backend,
        differentiate=x,
        started=time.perf_counter(),
    )


def lower_outputs(
    model: Any, outputs: Sequence[Any], *, x: Any, held: Any, backend: str
) -> Lowered:
    """Lower functions of the point without derivatives (natural values, Deterministics)."""
    return _lower(
        model,
        list(outputs),
        inputs=[x, held],
        n_weights=0,
        backend=backend,
        differentiate=None,
        started=time.perf_counter(),
    )


def _with_score(outputs: list[Any], x: Any) -> tuple[list[Any], bool, str]:
    """The outputs with the score in second place, whether there is one, and why not.

    Data are inputs of the graph by now: the rewrites would otherwise fold functions of the
    data (their logarithms, say) into constants that a refit with other data does not reach.
    """
    with double_precision():
        total, *extra = outputs
        if any(compat.is_xtensor(v) for v in ancestors([total])):
            # Operations on named dimensions have no gradient of their own. (Without their
            # module imported, the mere query would occupy the name of this rewrite.)
            total = cast("list[Any]", rewrite_graph([total], include=("lower_xtensor",)))[0]
        [total] = rewrite_pregrad([total])
        score, reason = _score(total, x)
    return [total, *([] if score is None else [score]), *extra], score is not None, reason


def _score(total: Any, x: Any) -> tuple[Any, str]:
    try:
        gradient = pytensor.grad(total, x, disconnected_inputs="ignore")
    except (NotImplementedError, NullTypeGradError) as error:
        return None, f"an operation has no gradient ({_first_line(error)})"
    return gradient, ""


def _lower(
    model: Any,
    outputs: list[Any],
    *,
    inputs: list[Any],
    n_weights: int,
    backend: str,
    differentiate: Any | None,
    started: float,
) -> Lowered:
    reasons: list[str] = []
    observed = [model.rvs_to_values[rv] for rv in model.observed_RVs]
    outputs = gathered(decomposed(outputs, observed), observed)

    def frozen_outputs(*, as_arguments: bool) -> tuple[list[DataInput], list[Any], bool]:
        data = data_inputs(model, outputs, as_arguments=as_arguments)
        frozen, has_score = freeze_shared(outputs, data), False
        if differentiate is not None:
            frozen, has_score, reason = _with_score(frozen, differentiate)
            if reason and reason not in reasons:
                reasons.append(reason)
        return data, frozen, has_score

    if backend != "pytensor":
        for as_arguments in (True, False):
            data, frozen, has_score = frozen_outputs(as_arguments=as_arguments)
            frozen = before_lowering(frozen)
            symbols = [item.symbol for item in data]
            try:
                call = _to_jax([*inputs, *symbols], frozen)
            except Exception as error:  # any failure of translation or tracing names the route
                if backend == "jax" and not as_arguments:
                    raise
                reasons.append(_first_line(error))
                continue
            return Lowered(
                call=call,
                data=tuple(data),
                weights=tuple(inputs[2 : 2 + n_weights]),
                route="jax",
                reason="; ".join(reasons),
                has_score=has_score,
                differenced=differenced_ops(frozen) if has_score else (),
                seconds=time.perf_counter() - started,
            )
    data, frozen, has_score = frozen_outputs(as_arguments=True)
    call = _to_pytensor([*inputs, *[item.symbol for item in data]], frozen)
    return Lowered(
        call=call,
        data=tuple(data),
        weights=tuple(inputs[2 : 2 + n_weights]),
        route="pytensor",
        reason="; ".join(dict.fromkeys(reasons)) or "asked for",
        has_score=has_score,
        differenced=("the whole graph",) if has_score else (),
        seconds=time.perf_counter() - started,
    )


def _to_jax(inputs: list[Any], outputs: list[Any]) -> Callable[..., tuple]:
    """Translate a graph and trace it once, to a JAX program of its own.

    Tracing finds at once what JAX cannot express. The translation runs inside the trace:
    outside of it JAX would compile one small program for every constant of the graph.
    """
    import jax

    rewriter, translate = compat.jax_linker()
    graph = FunctionGraph(inputs, outputs, clone=True)

    def program(function: Any, *arrays: Any) -> tuple:
        out = function(*arrays)
        out = out if isinstance(out, tuple | list) else (out,)
        return tuple(jax.numpy.asarray(o) for o in out)

    shapes = [jax.ShapeDtypeStruct(v.type.shape, np.dtype(v.type.dtype)) for v in inputs]
    with warnings.catch_warnings(), _quiet_pytensor():
        warnings.simplefilter("ignore")
        rewriter.rewrite(graph)
        vector_first.rewrite(graph)
        try:
            traced = jax.make_jaxpr(lambda *a: program(translate(graph), *a))(*shapes)
        except (jax.errors.JAXTypeError, jax.errors.JAXIndexError):
            # Masks and shapes that are constants of the graph have to be known to the trace.
            function = translate(graph)
            traced = jax.make_jaxpr(lambda *a: program(function, *a))(*shapes)

    # (`jax.extend`, which has a function for this, imports a compiler of kernels.)
    def call(x: Any, held: Any, weights: Sequence[Any], data: Sequence[Any]) -> tuple:
        arrays = (x, held, *weights, *data)
        return tuple(jax.core.eval_jaxpr(traced.jaxpr, traced.consts, *arrays))

    return call


def _to_pytensor(inputs: list[Any], outputs: list[Any]) -> Callable[..., tuple]:
    # Interpreted thunk by thunk: compiling one model through C or Numba takes longer than
    # most fits. Fusion is left out because fused loops are slow when interpreted.
    mode = Mode(linker="py", optimizer="fast_run").excluding("fusion", "inplace")
    with warnings.catch_warnings(), _quiet_pytensor():
        warnings.simplefilter("ignore")
        function = pytensor.function(
            inputs, outputs, mode=mode, on_unused_input="ignore", allow_input_downcast=True
        )

    def call(x: Any, held: Any, weights: Sequence[Any], data: Sequence[Any]) -> tuple:
        return tuple(function(x, held, *weights, *data))

    return call


@contextmanager
def _quiet_pytensor() -> Any:
    """PyTensor logs a rewrite that fails and goes on without it; that is no news to a user."""
    logger = logging.getLogger("pytensor")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else ''}"[:200]


def flat_sum(logp: Any, weight: Any | None) -> Any:
    """Sum of an elementwise log-density, weighted where weights are given."""
    return pt.sum(logp if weight is None else weight * logp)
