"""How hard XLA tries."""

import numpy as np

from pymle.objective.compiling import effort_for, little_effort


def test_little_effort_gives_the_same_numbers_and_only_small_work_gets_it():
    import jax

    def function(x):
        return jax.scipy.special.gammaln(x).sum() + jax.numpy.dot(x, x)

    x = np.linspace(0.1, 5.0, 50)
    little = jax.jit(jax.value_and_grad(function), compiler_options=little_effort())
    value, slope = little(x)
    expected, along = jax.jit(jax.value_and_grad(function))(x)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(slope, along, rtol=1e-13)
    assert effort_for(1e4) == little_effort()
    assert effort_for(1e9) is None
