"""PyTensor Ops around the functions of `pymle.model.graphs.special`, and piecewise polynomials.

Only these Ops get a JAX translation here: what PyTensor's JAX linker does with its own Ops is
left as it is for everybody else in the process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import grad_not_implemented
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.scalar.basic import ScalarOp, exp, log, log1p, switch, upgrade_to_float
from pytensor.scalar.math import gammaln
from pytensor.tensor.elemwise import Elemwise

from pymle.model.graphs.special import jax_functions, numpy_functions

__all__ = ["PiecewisePolynomial", "Special", "register_with_jax", "special"]

Scalar = Any

_ARGUMENTS = dict.fromkeys(("log_beta_p", "log_beta_q"), 3) | dict.fromkeys(
    ("log_gamma_p", "log_gamma_q", "gamma_gap", "scaled_log1p", "log1p_ratio"), 2
)
_HALF_ROOT_PI = float(np.sqrt(np.pi) / 2.0)


def _gamma_slope(k: Scalar, x: Scalar, log_tail: Scalar) -> Scalar:
    return exp((k - 1.0) * log(x) - x - gammaln(k) - log_tail)


def _beta_slope(a: Scalar, b: Scalar, x: Scalar, log_tail: Scalar) -> Scalar:
    log_beta = gammaln(a) + gammaln(b) - gammaln(a + b)
    return exp((a - 1.0) * log(x) + (b - 1.0) * log1p(-x) - log_beta - log_tail)


def _partials(key: str, inputs: list[Scalar], out: Scalar) -> list[Scalar | None]:
    """Return the partial derivatives by PyTensor expressions; None where it has none.

    JAX differentiates those functions itself.
    """
    x = inputs[-1]
    match key:
        case "erfcx" | "log_erfc" | "log_i0":
            return [_scalar(f"{key}_d1")(x)]
        case "log_half_erfc":
            return [_scalar("log_erfc_d1")(x)]
        case "erfcx_d1":
            return [2.0 * _scalar("erfcx")(x) + 2.0 * x * out]
        case "log_erfc_d1":
            return [-out * (2.0 * x + out)]
        case "log_i0_d1":
            return [1.0 - switch(x * x > 0.0, out / x, 0.5) - out * out]
        case "log_gamma_p":
            return [_scalar("log_gamma_p_dk")(*inputs), _gamma_slope(*inputs, out)]
        case "log_gamma_q":
            return [_scalar("log_gamma_q_dk")(*inputs), -_gamma_slope(*inputs, out)]
        case "log_beta_p" | "log_beta_q":
            shapes = [_scalar(f"{key}_d{name}")(*inputs) for name in "ab"]
            slope = _beta_slope(*inputs, out)
            return [*shapes, slope if key == "log_beta_p" else -slope]
        case "gamma_gap":
            return [_scalar(f"gamma_gap_d{name}")(*inputs) for name in "ab"]
        case "scaled_log1p":
            n = inputs[0]
            return [_scalar("log1p_gap")(x / n), 1.0 / (1.0 + x / n)]
        case "log1p_ratio":
            return [_scalar("log1p_ratio_dn")(*inputs), 1.0 / (inputs[0] + x)]
        case "log1p_gap":
            return [x / (1.0 + x) / (1.0 + x)]
        case "erfinv" | "erfcinv":
            slope = _HALF_ROOT_PI * exp(out * out)
            return [slope if key == "erfinv" else -slope]
        case _:
            return [None] * len(inputs)


@cache
def _numpy() -> dict[str, Callable]:
    return numpy_functions()


class Special(ScalarOp):
    """A scalar function of :mod:`pymle.model.graphs.special`.

    Parameters
    ----------
    key : str
        Its name there.
    """

    nout = 1

    def __init__(self, key: str) -> None:
        self.key = key
        self.nin = _ARGUMENTS.get(key.partition("_d")[0], 1)
        super().__init__(upgrade_to_float, name=key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Special) and self.key == other.key

    def __hash__(self) -> int:
        return hash((Special, self.key))

    def impl(self, *args: float) -> float:
        """Return the value at float arguments (the routes without JAX)."""
        return _numpy()[self.key](*args)[()]

    def _cotangents(self, inputs: list, outputs: list, grads: list) -> list:
        return [
            grad_not_implemented(self, i, x) if partial is None else grads[0] * partial
            for i, (x, partial) in enumerate(
                zip(inputs, _partials(self.key, inputs, outputs[0]), strict=True)
            )
        ]

    # PyTensor 2 asks for L_op, PyTensor 3 for pullback, and warns when it finds the other one.
    if hasattr(ScalarOp, "pullback"):
        pullback = _cotangents
    else:
        L_op = _cotangents


@cache
def _scalar(key: str) -> Special:
    return Special(key)


@cache
def special(key: str) -> Elemwise:
    """Return the elementwise Op of that name."""
    return Elemwise(_scalar(key))


class PiecewisePolynomial(Op):
    """A function given by polynomials between breakpoints, zero outside of them.

    Parameters
    ----------
    breaks : tuple of float
        Increasing breakpoints, n + 1 of them.
    coefficients : tuple of tuple of float
        One tuple of n per power, highest power first, in distance from the left breakpoint.
    """

    __props__ = ("breaks", "coefficients")

    def __init__(
        self, breaks: tuple[float, ...], coefficients: tuple[tuple[float, ...], ...]
    ) -> None:
        self.breaks = breaks
        self.coefficients = coefficients

    def make_node(self, x: Any) -> Apply:
        """Apply to a tensor of any shape."""
        x = pt.as_tensor_variable(x)
        return Apply(self, [x], [x.type.clone(dtype="float64")()])

    def evaluate(self, xp: Any, x: Any) -> Any:
        """Return the values over an array namespace."""
        breaks, coefficients = xp.asarray(self.breaks), xp.asarray(self.coefficients)
        piece = xp.clip(xp.searchsorted(breaks, x, side="right") - 1, 0, len(self.breaks) - 2)
        distance, value = x - breaks[piece], 0.0
        for power in coefficients:
            value = value * distance + power[piece]
        return xp.where((x >= breaks[0]) & (x <= breaks[-1]), value, 0.0)

    def perform(self, node: Apply, inputs: list, output_storage: list) -> None:
        """Evaluate with NumPy."""
        del node
        output_storage[0][0] = np.asarray(self.evaluate(np, inputs[0]), dtype="float64")

    def infer_shape(self, *args: Any) -> list:
        """Return the shape of the input (the last argument on both PyTensor generations)."""
        return args[-1]

    def _cotangents(self, inputs: list, outputs: list, grads: list) -> list:
        del outputs
        degree = len(self.coefficients) - 1
        slopes = tuple(
            tuple((degree - i) * c for c in row) for i, row in enumerate(self.coefficients[:-1])
        ) or ((0.0,) * (len(self.breaks) - 1),)
        return [grads[0] * PiecewisePolynomial(self.breaks, slopes)(inputs[0])]

    if hasattr(Op, "pullback"):
        pullback = _cotangents
    else:
        L_op = _cotangents


@cache
def register_with_jax() -> None:
    """Tell PyTensor's JAX linker how to translate the Ops of this module, and nothing else."""
    import jax.numpy as jnp
    from pytensor.link.jax.dispatch import jax_funcify

    functions = jax_functions()

    def translate_special(op: Special, **_: Any) -> Callable:
        return functions[op.key]

    def translate_piecewise(op: PiecewisePolynomial, **_: Any) -> Callable:
        return lambda x: op.evaluate(jnp, x)

    jax_funcify.register(Special, translate_special)
    jax_funcify.register(PiecewisePolynomial, translate_piecewise)
