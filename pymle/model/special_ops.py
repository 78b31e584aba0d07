"""PyTensor scalar Ops around the functions of :mod:`pymle.model.special`.

Only these Ops get a JAX translation here: what PyTensor's JAX linker does with its own Ops is
left as it is for everybody else in the process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from pytensor.scalar.basic import ScalarOp, exp, log, log1p, switch, upgrade_to_float
from pytensor.scalar.math import gammaln, psi
from pytensor.tensor.elemwise import Elemwise

from pymle.model.special import jax_functions, numpy_functions

__all__ = ["Special", "register_with_jax", "special"]

Scalar = Any
_TWO_OVER_ROOT_PI = 2.0 / np.sqrt(np.pi)


def _log_beta(a: Scalar, b: Scalar) -> Scalar:
    return gammaln(a) + gammaln(b) - gammaln(a + b)


def _gamma_slope(k: Scalar, x: Scalar, log_tail: Scalar) -> Scalar:
    return exp((k - 1.0) * log(x) - x - gammaln(k) - log_tail)


def _beta_slope(a: Scalar, b: Scalar, x: Scalar, log_tail: Scalar) -> Scalar:
    return exp((a - 1.0) * log(x) + (b - 1.0) * log1p(-x) - _log_beta(a, b) - log_tail)


def _i0_curvature(x: Scalar, ratio: Scalar) -> Scalar:
    return 1.0 - switch(x * x > 0.0, ratio / x, 0.5) - ratio * ratio


# name -> number of inputs, and the partial derivatives as functions of the inputs and the
# output. None: PyTensor has no symbolic derivative there, JAX differentiates the function itself.
_TABLE: dict[str, tuple[int, tuple[Callable | None, ...]]] = {
    "erfcx": (1, (lambda x, out: scalar("erfcx_d1")(x),)),
    "erfcx_d1": (1, (lambda x, out: 2.0 * scalar("erfcx")(x) + 2.0 * x * out,)),
    "log_erfc": (1, (lambda x, out: scalar("log_erfc_d1")(x),)),
    "log_erfc_d1": (1, (lambda x, out: -out * (2.0 * x + out),)),
    "log_i0": (1, (lambda x, out: scalar("log_i0_d1")(x),)),
    "log_i0_d1": (1, (_i0_curvature,)),
    "log_gamma_p": (2, (lambda k, x, out: scalar("log_gamma_p_dk")(k, x), _gamma_slope)),
    "log_gamma_q": (
        2,
        (
            lambda k, x, out: scalar("log_gamma_q_dk")(k, x),
            lambda k, x, out: -_gamma_slope(k, x, out),
        ),
    ),
    "log_gamma_p_dk": (2, (None, None)),
    "log_gamma_q_dk": (2, (None, None)),
    "log_beta_p": (
        3,
        (
            lambda a, b, x, out: scalar("log_beta_p_da")(a, b, x),
            lambda a, b, x, out: scalar("log_beta_p_db")(a, b, x),
            _beta_slope,
        ),
    ),
    "log_beta_p_da": (3, (None, None, None)),
    "log_beta_p_db": (3, (None, None, None)),
}


@cache
def _numpy() -> dict[str, Callable]:
    return numpy_functions()


class Special(ScalarOp):
    """A special function known by its key in the table above.

    Parameters
    ----------
    key : str
        Name of the function in :mod:`pymle.model.special`.
    """

    nout = 1

    def __init__(self, key: str) -> None:
        self.key = key
        self.nin = _TABLE[key][0]
        super().__init__(upgrade_to_float, name=key)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.key == other.key  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self.key))

    def impl(self, *args: float) -> float:
        """Return the value at float arguments (the non-JAX routes)."""
        return _numpy()[self.key](*args)[()]

    def _cotangents(self, inputs: list, outputs: list, grads: list) -> list:
        from pytensor.gradient import grad_not_implemented

        return [
            grad_not_implemented(self, i, x)
            if partial is None
            else grads[0] * partial(*inputs, outputs[0])
            for i, (x, partial) in enumerate(zip(inputs, _TABLE[self.key][1], strict=True))
        ]

    # PyTensor 2 asks for L_op, PyTensor 3 for pullback, and warns when it finds the other one.
    if hasattr(ScalarOp, "pullback"):
        pullback = _cotangents
    else:
        L_op = _cotangents


@cache
def scalar(key: str) -> Special:
    """Return the scalar Op of that name."""
    return Special(key)


@cache
def special(key: str) -> Elemwise:
    """Return the elementwise Op of that name."""
    return Elemwise(scalar(key))


@cache
def register_with_jax() -> None:
    """Tell PyTensor's JAX linker how to translate :class:`Special`, and nothing else."""
    from pytensor.link.jax.dispatch import jax_funcify

    functions = jax_functions()

    @jax_funcify.register(Special)
    def _(op: Special, **kwargs: Any) -> Callable:
        return functions[op.key]
