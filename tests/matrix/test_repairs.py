"""The graph repairs by themselves: what they replace, and what they leave alone."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.distributions.dist_math import check_parameters
from pytensor.compile.mode import Mode
from pytensor.raise_op import Assert

from pymle.model.graphs.precision import promote
from pymle.model.graphs.repairs import before_gradient, before_lowering, differenced_ops
from pymle.model.graphs.special import numpy_functions


def evaluate(inputs, outputs, *values):
    mode = Mode(linker="py", optimizer=None)
    function = pytensor.function(inputs, outputs, mode=mode, on_unused_input="ignore")
    return [np.asarray(v) for v in function(*values)]


def test_failed_checks_make_the_whole_term_minus_infinity() -> None:
    x, s = pt.dvector("x"), pt.dscalar("s")
    checked = check_parameters(-x / s, s > 0, msg="s > 0")
    terms = before_gradient([checked, pt.log1mexp(checked), Assert("finite")(x * s, s < 9.0)])
    inside = evaluate([x, s], terms, np.array([1.0, 2.0]), 2.0)
    np.testing.assert_allclose(inside[0], [-0.5, -1.0])
    np.testing.assert_allclose(inside[1], np.log1p(-np.exp([-0.5, -1.0])))
    outside = evaluate([x, s], terms, np.array([1.0, 2.0]), -2.0)
    assert np.all(outside[0] == -np.inf)
    assert np.all(outside[1] == -np.inf)
    assert np.all(evaluate([x, s], terms, np.array([1.0, 2.0]), 10.0)[2] == -np.inf)


def test_the_callers_graph_and_roots_stay() -> None:
    x = pt.dvector("x")
    term = check_parameters(pt.log(pt.erfc(x)), x > -9)
    before = term.owner
    [repaired] = before_gradient([term])
    assert term.owner is before
    assert repaired is not term
    np.testing.assert_allclose(
        evaluate([x], [repaired], np.array([30.0]))[0], float(mp.log(mp.erfc(30)))
    )


def test_single_precision_and_narrow_integers_are_promoted() -> None:
    s = pt.dscalar("s")
    graph = s * pt.sqrt(2.0) + pt.gammaln(np.int8(7)) + pt.as_tensor(np.int8(100)) * np.int8(2)
    [value] = evaluate([s], promote([graph]), 1.0)
    assert value == pytest.approx(np.sqrt(2.0) + np.log(720.0) + 200.0, rel=1e-15)


def test_a_folded_constant_is_recognised() -> None:
    s = pt.dscalar("s")
    folded = pt.constant(float(np.float32(np.sqrt(2.0))))
    kept = pt.constant(float(np.float32(0.123456789)))
    [value] = evaluate([s], promote([s * folded + kept]), 1.0)
    assert value == np.sqrt(2.0) + float(np.float32(0.123456789))


def test_checks_inside_a_loop_stay_inside() -> None:
    x = pt.dvector("x")
    steps = pytensor.scan(
        lambda v: check_parameters(pt.sqrt(v), v > 0), sequences=[x], return_updates=False
    )
    [repaired] = before_gradient([steps])
    got = evaluate([x], [repaired], np.array([4.0, -1.0, 9.0]))[0]
    np.testing.assert_array_equal(got, [2.0, -np.inf, 3.0])


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda x: pt.gammainc(x, 2.0), ()),
        (lambda x: pt.betainc(x, 2.0, 0.3), ()),
        (lambda x: pt.erfcx(x), ()),
        (lambda x: pt.hyp2f1(1.5, 2.0, x, 0.3), ("Hyp2F1",)),
    ],
)
def test_differenced_ops_names_what_jax_cannot_differentiate(build, expected) -> None:
    x = pt.dscalar("x")
    assert differenced_ops(before_lowering(before_gradient([build(x)]))) == expected


def test_other_users_of_pytensors_jax_linker_are_left_alone() -> None:
    from pytensor.link.jax.dispatch import jax_funcify
    from pytensor.scalar.math import Erfcx, GammaInc

    before_lowering([pt.erfcx(pt.dscalar("x"))])
    for op in (Erfcx, GammaInc):
        assert jax_funcify.dispatch(op).__module__.startswith("pytensor.")


@pytest.mark.parametrize("k", [1e-3, 0.7, 20.0, 300.0])
@pytest.mark.parametrize("ratio", [1e-6, 0.3, 0.99, 1.3])
def test_gamma_tails_against_their_series(k: float, ratio: float) -> None:
    x = k * ratio
    with mp.workdps(60):
        total = term = mp.mpf(1)
        n = 0
        while term > total * mp.mpf(10) ** -58:
            n += 1
            term *= mp.mpf(x) / (mp.mpf(k) + n)
            total += term
        lower = mp.exp(k * mp.log(x) - x - mp.loggamma(mp.mpf(k) + 1)) * total
        expected = [float(mp.log(lower)), float(mp.log(1 - lower))]
    functions = numpy_functions()
    got = [float(functions[name](k, x)) for name in ("log_gamma_p", "log_gamma_q")]
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("a", [0.05, 3.0, 200.0])
@pytest.mark.parametrize("b", [0.1, 4.0, 3000.0])
@pytest.mark.parametrize("x", [1e-8, 0.3, 0.99])
def test_beta_tails_against_mpmath(a: float, b: float, x: float) -> None:
    with mp.workdps(60):

        def tail(p, q, y):
            p, q, y = map(mp.mpf, (p, q, y))
            head = p * mp.log(y) + q * mp.log(1 - y) - mp.log(p) - mp.log(mp.beta(p, q))
            return mp.exp(head) * mp.hyp2f1(p + q, 1, p + 1, y)

        below = x * (a + b) <= a
        small = tail(a, b, x) if below else tail(b, a, 1 - mp.mpf(x))
        pair = [float(mp.log(small)), float(mp.log1p(-small))]
        expected = pair if below else pair[::-1]
    functions = numpy_functions()
    got = [float(functions[name](a, b, x)) for name in ("log_beta_p", "log_beta_q")]
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-15)
