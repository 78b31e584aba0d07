"""Special functions of log-densities, with derivatives of every order they are asked for.

Each function is written once over an array namespace (``numpy`` or ``jax.numpy``), so that the
fallback route and the JAX route compute the same numbers. Where a definition is an integral it
is computed as an integral of a positive, analytic integrand over an interval that does not
depend on the arguments: differentiating the quadrature then is differentiating the function.

Notes
-----
Accuracy against 40-digit arithmetic is a few 1e-13, relative, in bulk and tail (see
``tests/matrix``). JAX is imported by :func:`jax_functions` only.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from pymle.model.graphs.special_ratio import log1p_minus, ratio_functions, stirling_error

__all__ = ["jax_functions", "numpy_functions"]

Array = Any

# (1 + 2 x) erfcx(x) for x >= 0 as a Chebyshev series in (x - 3.75) / (x + 3.75), the form of
# Shepherd and Laframboise (1981), Math. Comp. 36, 249-253; coefficients from 40-digit arithmetic.
_ERFCX = (
    1.1775789345674017541,
    -0.0045900545806464773309,
    -0.084249133366517915584,
    0.059209939998191890498,
    -0.026658668435305752277,
    0.0090749976707052650939,
    -0.0024131635404176081909,
    0.00049077583652580863229,
    -0.000069169733025012063671,
    4.1390279860730101675e-6,
    7.7403830661984906686e-7,
    -2.1886401049234395661e-7,
    1.0764999465670910377e-8,
    4.5219598112182868979e-9,
    -7.7544002088313511065e-10,
    -6.3180883408866844944e-11,
    2.8687950109306698981e-11,
    1.945586854577734723e-13,
    -9.6546967484334389059e-13,
    3.2525481481487398415e-14,
    3.3478119482068853878e-14,
    -1.8645628804193131015e-15,
    -1.2507950530688647085e-15,
    7.418235256624043463e-17,
    5.0681489047961113168e-17,
    -2.2370566594359995974e-18,
    -2.187342944303017665e-18,
)
_TWO_OVER_ROOT_PI = 2.0 / np.sqrt(np.pi)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
# exp(-40) is 4e-18: what the quadratures leave out is below the last digit of what they keep.
_DROP = 40.0


def _erfcx_positive(x: Array) -> Array:
    """Return exp(x**2) erfc(x) for x >= 0."""
    t = (x - 3.75) / (x + 3.75)
    ahead = later = 0.0 * t
    for coefficient in reversed(_ERFCX[1:]):
        ahead, later = 2.0 * t * ahead - later + coefficient, ahead
    return (t * ahead - later + _ERFCX[0]) / (1.0 + 2.0 * x)


def _erfcx(xp: ModuleType, x: Array) -> Array:
    positive = _erfcx_positive(xp.abs(x))
    # exp is asked for negative x only: the other branch would overflow.
    low = xp.where(x < 0, x, 0.0)
    return xp.where(x < 0, 2.0 * xp.exp(low * low) - positive, positive)


def _erfcx_asymptotic_d1(x: Array) -> Array:
    """Return the derivative of erfcx for x >= 10, free of the cancellation of 2 x erfcx(x)."""
    # erfcx(x) = 1 / (x sqrt(pi)) sum (-1)^n (2n-1)!! / (2 x^2)^n; term by term.
    inverse = 1.0 / (x * x)
    total, term = 0.0 * x, 1.0 + 0.0 * x
    for n in range(14):
        total = total - (2 * n + 1) * term
        term = term * (-(2 * n + 1) / 2.0) * inverse
    return total * inverse / np.sqrt(np.pi)


def _erfcx_d1(xp: ModuleType, x: Array) -> Array:
    near = 2.0 * x * _erfcx(xp, x) - _TWO_OVER_ROOT_PI
    return xp.where(x > 10.0, _erfcx_asymptotic_d1(xp.where(x > 10.0, x, 10.0)), near)


def _log_erfc(xp: ModuleType, sp: Any, x: Array) -> Array:
    high = xp.where(x > 0, x, 0.0)
    upper = xp.log(_erfcx_positive(high)) - high * high
    return xp.where(x > 0, upper, xp.log1p(-sp.erf(xp.where(x > 0, 0.0, x))))


def _log_half_erfc(xp: ModuleType, x: Array) -> Array:
    """Return log(erfc(x) / 2), the normal tail, with its digits where it is nearly 0 too."""
    high = xp.where(x > 0, x, 0.0)
    upper = xp.log(_erfcx_positive(high) / 2.0) - high * high
    mirrored = xp.where(x > 0, 0.0, -x)
    other = _erfcx_positive(mirrored) * xp.exp(-mirrored * mirrored) / 2.0
    return xp.where(x > 0, upper, xp.log1p(-other))


def _log_erfc_d1(xp: ModuleType, sp: Any, x: Array) -> Array:
    high = xp.where(x > 0, x, 0.0)
    low = xp.where(x > 0, 0.0, x)
    lower = -_TWO_OVER_ROOT_PI * xp.exp(-low * low) / (1.0 - sp.erf(low))
    return xp.where(x > 0, -_TWO_OVER_ROOT_PI / _erfcx_positive(high), lower)


def _log_i0(xp: ModuleType, sp: Any, x: Array) -> Array:
    return xp.log(sp.i0e(x)) + xp.abs(x)


def _log_i0_d1_asymptotic(x: Array) -> Array:
    """Return I1(x) / I0(x) for x >= 30, from the asymptotic series of I0 (DLMF 10.40.1)."""
    inverse = 1.0 / x
    total, slope, coefficient = 1.0 + 0.0 * x, 0.0 * x, 1.0
    power = 1.0 + 0.0 * x
    for k in range(1, 22):
        coefficient *= (2 * k - 1) ** 2 / (8.0 * k)
        slope = slope + k * coefficient * power
        power = power * inverse
        total = total + coefficient * power
    return 1.0 - 0.5 * inverse - slope * inverse * inverse / total


def _log_i0_d1(xp: ModuleType, sp: Any, x: Array) -> Array:
    size = xp.abs(x)
    ratio = xp.where(
        size > 30.0,
        _log_i0_d1_asymptotic(xp.where(size > 30.0, size, 30.0)),
        sp.i1e(size) / sp.i0e(size),
    )
    return xp.sign(x) * ratio


def _log1mexp(xp: ModuleType, x: Array) -> Array:
    """Return log(1 - exp(x)) for x <= 0."""
    near = x > -0.6931471805599453
    small = xp.log(-xp.expm1(xp.where(near, x, -1.0)))
    return xp.where(near, small, xp.log1p(-xp.exp(xp.where(near, -1.0, x))))


def _gamma_head(xp: ModuleType, sp: Any, k: Array, x: Array) -> Array:
    """Return k log(x) - x - gammaln(k + 1), without cancellation for large k."""
    large = k > 15.0
    big = xp.where(large, k, 15.0)
    u = (x - big) / big
    # u = -1 only where x is 0: kept off by the callers.
    stable = (
        big * log1p_minus(xp, xp.where(large, u, 0.0))
        - 0.5 * xp.log(2.0 * np.pi * big)
        - stirling_error(big)
    )
    return xp.where(large, stable, k * xp.log(x) - x - sp.gammaln(k + 1.0))


def _gamma_split(xp: ModuleType, k: Array, x: Array) -> tuple[Array, Array, Array]:
    """Return (is lower tail, an argument for the lower tail, one for the upper tail)."""
    lower = x <= k
    return lower, xp.where(lower, x, k), xp.where(lower, k, x)


def _gamma_lower(xp: ModuleType, stop: Callable, k: Array, x: Array) -> tuple[Array, Array]:
    """Return J and its derivative in k, where P(k, x) = head(k, x) (1 + x J), for x <= k.

    J is the integral over d in (-inf, 0) of exp((k + 1) d - x expm1(d)): one step of the
    recurrence in k keeps the integrand's decay at 1 or more.
    """
    a = k + 1.0
    a0, x0 = stop(a), stop(x)
    # s + expm1(-s) >= s^2 / (2 + s) gives a width that is slightly too large; two Newton steps.
    p = _DROP - 2.0 * (a0 - x0)
    width = (p + xp.sqrt(p * p + 8.0 * a0 * _DROP)) / (2.0 * a0)
    for _ in range(2):
        gap = a0 * width + x0 * xp.expm1(-width) - _DROP
        width = width - gap / (a0 - x0 * xp.exp(-width))
    d = -width[..., None] * (0.5 - 0.5 * _NODES)
    weight = (0.5 * _WEIGHTS) * width[..., None]
    integrand = weight * xp.exp(a[..., None] * d - x[..., None] * xp.expm1(d))
    return integrand.sum(-1), (integrand * d).sum(-1)


def _gamma_upper(xp: ModuleType, stop: Callable, k: Array, x: Array) -> tuple[Array, Array]:
    """Return J and its derivative in k, where Q(k, x) = k head(k, x) J, for x >= k.

    J is the integral over d in (0, inf) of exp(k d - x expm1(d)).
    """
    k0, x0 = stop(k), stop(x)
    # Too large by the quadratic bound of the exponential, or by its quarter beyond 1.2.
    p = x0 - k0
    quadratic = (xp.sqrt(p * p + 2.0 * x0 * _DROP) - p) / x0
    width = xp.minimum(quadratic, xp.maximum(1.2, xp.log(4.0 * _DROP) - xp.log(x0)))
    for _ in range(3):
        gap = x0 * xp.expm1(width) - k0 * width - _DROP
        width = width - gap / (x0 * xp.exp(width) - k0)
    d = width[..., None] * (0.5 + 0.5 * _NODES)
    weight = (0.5 * _WEIGHTS) * width[..., None]
    integrand = weight * xp.exp(k[..., None] * d - x[..., None] * xp.expm1(d))
    return integrand.sum(-1), (integrand * d).sum(-1)


def _gamma_tails(
    xp: ModuleType, sp: Any, stop: Callable, k: Array, x: Array
) -> tuple[Array, Array, Array, Array]:
    """Return log P, log Q and their derivatives in k, for k > 0 and 0 < x < inf."""
    lower, low, high = _gamma_split(xp, k, x)
    j, j1 = _gamma_lower(xp, stop, k, low)
    log_p = _gamma_head(xp, sp, k, low) + xp.log1p(low * j)
    log_p1 = xp.log(low) - sp.digamma(k + 1.0) + low * j1 / (1.0 + low * j)
    i, i1 = _gamma_upper(xp, stop, k, high)
    log_q = _gamma_head(xp, sp, k, high) + xp.log(k) + xp.log(i)
    log_q1 = xp.log(high) - sp.digamma(k) + i1 / i
    # Only the smaller tail is integrated; the other one is its complement.
    log_q_low, log_p_high = _log1mexp(xp, log_p), _log1mexp(xp, log_q)
    return (
        xp.where(lower, log_p, log_p_high),
        xp.where(lower, log_q_low, log_q),
        xp.where(lower, log_p1, -xp.exp(log_q - log_p_high) * log_q1),
        xp.where(lower, -xp.exp(log_p - log_q_low) * log_p1, log_q1),
    )


def _beta_lower(
    xp: ModuleType, stop: Callable, a: Array, b: Array, x: Array
) -> tuple[Array, Array, Array]:
    """Return J and its derivatives in a and b, for x below the mean a / (a + b).

    I_x(a, b) = head (1 + x (a + b) J) with head = x^a (1-x)^b / (a B(a, b)), and J the integral
    over d in (-inf, 0) of exp((a + 1) d - (a + b + 1) log1p(x expm1(d))), the logit of the
    integration variable being measured from that of x.
    """
    rate, both = a + 1.0, a + b + 1.0
    r0, s0, x0 = stop(rate), stop(both), stop(x)
    # Too large by two bounds of log1p(x expm1(-s)): its limit, and a parabola at 0.
    p, q = r0 - s0 * x0, s0 * x0 * (1.0 - x0)
    far = 2.0 * p + q
    parabola = (_DROP - p + xp.sqrt((_DROP - p) ** 2 + 2.0 * _DROP * far)) / far
    width = xp.minimum(parabola, (_DROP - s0 * xp.log1p(-x0)) / r0)
    for _ in range(6):
        inner = x0 * xp.expm1(-width)
        gap = r0 * width + s0 * xp.log1p(inner) - _DROP
        width = width - gap / (r0 - s0 * x0 * xp.exp(-width) / (1.0 + inner))
    d = -width[..., None] * (0.5 - 0.5 * _NODES)
    weight = (0.5 * _WEIGHTS) * width[..., None]
    bend = xp.log1p(x[..., None] * xp.expm1(d))
    integrand = weight * xp.exp(rate[..., None] * d - both[..., None] * bend)
    return (
        integrand.sum(-1),
        (integrand * (d - bend)).sum(-1),
        -(integrand * bend).sum(-1),
    )


def _log_beta(xp: ModuleType, sp: Any, a: Array, b: Array) -> Array:
    """Return log B(a, b), without the cancellation of three large log-gammas."""
    large = xp.maximum(a, b)
    small = xp.minimum(a, b)
    asymptotic = large > 15.0
    top = xp.where(asymptotic, large, 15.0)
    # gammaln(top) - gammaln(top + small), by the difference of Stirling's forms.
    ratio = (
        -(top - 0.5) * xp.log1p(small / top)
        - small * xp.log(top + small)
        + small
        + stirling_error(top)
        - stirling_error(top + small)
    )
    plain = sp.gammaln(large) - sp.gammaln(large + small)
    return sp.gammaln(small) + xp.where(asymptotic, ratio, plain)


def _beta_tails(
    xp: ModuleType, sp: Any, stop: Callable, a: Array, b: Array, x: Array
) -> tuple[Array, ...]:
    """Return log I, log(1 - I) and the derivatives of both in a and b, for 0 < x < 1."""
    lower = x * (a + b) <= a
    # The upper tail of (a, b) at x is the lower tail of (b, a) at 1 - x.
    p, q = xp.where(lower, a, b), xp.where(lower, b, a)
    y, z = xp.where(lower, x, 1.0 - x), xp.where(lower, 1.0 - x, x)
    j, jp, jq = _beta_lower(xp, stop, p, q, y)
    body = 1.0 + y * (p + q) * j
    tail = p * xp.log(y) + q * xp.log(z) - xp.log(p) - _log_beta(xp, sp, p, q) + xp.log(body)
    psi = sp.digamma(p + q)
    tail_p = xp.log(y) - 1.0 / p - sp.digamma(p) + psi + y * (j + (p + q) * jp) / body
    tail_q = xp.log(z) - sp.digamma(q) + psi + y * (j + (p + q) * jq) / body
    other = _log1mexp(xp, tail)
    factor = -xp.exp(tail - other)
    return (
        xp.where(lower, tail, other),
        xp.where(lower, other, tail),
        xp.where(lower, tail_p, factor * tail_q),
        xp.where(lower, tail_q, factor * tail_p),
        xp.where(lower, factor * tail_p, tail_q),
        xp.where(lower, factor * tail_q, tail_p),
    )


def _functions(xp: ModuleType, sp: Any, stop: Callable) -> dict[str, Callable]:
    """Bind the functions to one array namespace, with their values at the support's ends."""

    def gamma(which: int, at_zero: float, at_inf: float) -> Callable:
        def function(k: Array, x: Array) -> Array:
            k, x = xp.broadcast_arrays(xp.asarray(k, dtype=float), xp.asarray(x, dtype=float))
            inside = (x > 0) & (x < np.inf) & (k > 0) & (k < np.inf)
            safe_k, safe_x = xp.where(inside, k, 1.0), xp.where(inside, x, 1.0)
            value = _gamma_tails(xp, sp, stop, safe_k, safe_x)[which]
            edge = xp.where(x == 0, at_zero, xp.where(x == np.inf, at_inf, np.nan))
            return xp.where(inside, value, xp.where(k > 0, edge, np.nan))

        return function

    def beta(which: int, at_zero: float, at_one: float) -> Callable:
        def function(a: Array, b: Array, x: Array) -> Array:
            a, b, x = xp.broadcast_arrays(*(xp.asarray(v, dtype=float) for v in (a, b, x)))
            positive = (a > 0) & (b > 0) & (a < np.inf) & (b < np.inf)
            inside = (x > 0) & (x < 1) & positive
            safe = [xp.where(inside, v, other) for v, other in ((a, 1.0), (b, 1.0), (x, 0.5))]
            value = _beta_tails(xp, sp, stop, *safe)[which]
            edge = xp.where(x == 0, at_zero, xp.where(x == 1, at_one, np.nan))
            return xp.where(inside, value, xp.where(positive, edge, np.nan))

        return function

    return ratio_functions(xp, sp) | {
        "erfcx": lambda x: _erfcx(xp, x),
        "erfcx_d1": lambda x: _erfcx_d1(xp, x),
        "log_erfc": lambda x: _log_erfc(xp, sp, x),
        "log_half_erfc": lambda x: _log_half_erfc(xp, x),
        "log_erfc_d1": lambda x: _log_erfc_d1(xp, sp, x),
        "log_i0": lambda x: _log_i0(xp, sp, x),
        "log_i0_d1": lambda x: _log_i0_d1(xp, sp, x),
        "log_gamma_p": gamma(0, -np.inf, 0.0),
        "log_gamma_q": gamma(1, 0.0, -np.inf),
        "log_gamma_p_dk": gamma(2, -np.inf, 0.0),
        "log_gamma_q_dk": gamma(3, 0.0, np.inf),
        "log_beta_p": beta(0, -np.inf, 0.0),
        "log_beta_q": beta(1, 0.0, -np.inf),
        "log_beta_p_da": beta(2, -np.inf, 0.0),
        "log_beta_p_db": beta(3, np.inf, 0.0),
        "log_beta_q_da": beta(4, 0.0, np.inf),
        "log_beta_q_db": beta(5, 0.0, -np.inf),
    }


def numpy_functions() -> dict[str, Callable]:
    """Return the functions by name, over NumPy arrays."""
    from scipy import special

    spec = SimpleNamespace(
        erf=special.erf,
        erfinv=special.erfinv,
        erfcinv=special.erfcinv,
        gammaln=special.gammaln,
        digamma=special.digamma,
        i0e=special.i0e,
        i1e=special.i1e,
    )

    def quiet(function: Callable) -> Callable:
        def evaluate(*args: Array) -> Array:
            with np.errstate(all="ignore"):
                return function(*(np.asarray(a, dtype=float) for a in args))

        return evaluate

    bound = _functions(np, spec, lambda value: value)
    return {name: quiet(function) for name, function in bound.items()}


def jax_functions() -> dict[str, Callable]:
    """Return the functions by name, over JAX arrays, differentiable in forward mode.

    The two ratios whose own formula loses digits when differentiated carry their derivative in
    closed form.
    """
    import jax
    import jax.numpy as jnp
    from jax.scipy import special

    spec = SimpleNamespace(
        erf=special.erf,
        # By the normal quantile, which keeps its digits in the tails.
        erfinv=lambda x: special.ndtri(0.5 + 0.5 * x) / np.sqrt(2.0),
        erfcinv=lambda x: -special.ndtri(0.5 * x) / np.sqrt(2.0),
        gammaln=special.gammaln,
        digamma=special.digamma,
        i0e=special.i0e,
        i1e=special.i1e,
    )
    plain = _functions(jnp, spec, jax.lax.stop_gradient)

    def with_slope(value: Callable, slope: Callable) -> Callable:
        function = jax.custom_jvp(value)

        @function.defjvp
        def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
            (x,), (dx,) = primals, tangents
            return function(x), slope(x) * dx

        return lambda x: function(jnp.asarray(x, dtype=float))

    erfcx_d1 = with_slope(
        plain["erfcx_d1"], lambda x: 2.0 * plain["erfcx"](x) + 2.0 * x * plain["erfcx_d1"](x)
    )
    log_erfc_d1 = with_slope(
        plain["log_erfc_d1"],
        lambda x: -plain["log_erfc_d1"](x) * (2.0 * x + plain["log_erfc_d1"](x)),
    )

    def ratio_slope(x: Array) -> Array:
        far = jnp.abs(x) > 30.0
        near = jnp.where(far, 1.0, x)
        r = plain["log_i0_d1"](near)
        # r / x -> 1/2 at the origin.
        quotient = jnp.where(near == 0.0, 0.5, r / jnp.where(near == 0.0, 1.0, near))
        size = jnp.where(far, jnp.abs(x), 30.0)
        _, asymptotic = jax.jvp(_log_i0_d1_asymptotic, (size,), (jnp.ones_like(size),))
        return jnp.where(far, asymptotic, 1.0 - quotient - r * r)

    log_i0_d1 = with_slope(plain["log_i0_d1"], ratio_slope)
    return plain | {
        "erfcx_d1": erfcx_d1,
        "erfcx": with_slope(plain["erfcx"], erfcx_d1),
        "log_erfc_d1": log_erfc_d1,
        "log_erfc": with_slope(plain["log_erfc"], log_erfc_d1),
        "log_half_erfc": with_slope(plain["log_half_erfc"], log_erfc_d1),
        "log_i0_d1": log_i0_d1,
        "log_i0": with_slope(plain["log_i0"], log_i0_d1),
    }
