"""Sparse Jacobians against JAX's dense ones, and their patterns against what they should be."""

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from jax.experimental import sparse as jsparse

import pymle
from pymle.objective.sparse.jacobian import NotSparseError, dependence, sparse_jacobian
from tests.objective import models
from tests.objective.models import GROUP, ITEM, RING, G, H, T

#: Programs of these tests run once: compiling them takes longer than anything else.
QUICK = {"xla_backend_optimization_level": 0}

D = 8
rng = np.random.default_rng(5)
U = rng.uniform(0.2, 1.5, D)
LEFT, RIGHT = rng.integers(0, 4, 20), rng.integers(4, 8, 20)
WEIGHT = rng.uniform(0.5, 1.5, D)
DENSE = rng.normal(size=(5, D))
SPARSE = DENSE * (rng.random((5, D)) < 0.2)
SQUARE = np.eye(4) + 0.1 * rng.normal(size=(4, 4))


@pytest.fixture(autouse=True, scope="module")
def _double_precision():
    with jax.enable_x64(True):
        yield


def _entries(plan):
    return set(zip(plan.rows.tolist(), plan.cols.tolist(), strict=True))


def _dense(plan, values):
    out = np.zeros(plan.shape)
    out[plan.rows, plan.cols] = values
    return out


def _agree(function, u, *args, plan=None):
    """The plan, checked against the dense Jacobian."""
    plan = sparse_jacobian(function, u, *args) if plan is None else plan
    both = jax.jit(
        lambda fixed, u, *a: (plan.evaluate(fixed, u, *a), jax.jacfwd(function)(u, *a)),
        compiler_options=QUICK,
    )
    values, expected = both(plan.arguments, u, *args)
    expected = np.asarray(expected).reshape(plan.shape)
    assert len(_entries(plan)) == plan.nnz
    np.testing.assert_array_equal(np.lexsort((plan.cols, plan.rows)), np.arange(plan.nnz))
    np.testing.assert_allclose(_dense(plan, values), expected, rtol=1e-10, atol=1e-12)
    return plan, expected


def _grid(u):
    return u.reshape(2, 4)


def _by_entries(matrix):
    at = np.argwhere(matrix)
    return jsparse.BCOO((matrix[tuple(at.T)], at), shape=matrix.shape)


#: Functions whose pattern must be exactly that of the derivatives which are not zero.
EXACT = {
    "elementwise": lambda u: jnp.exp(-u) * jnp.log1p(u) / (2.0 + jnp.tanh(u)) - u**3,
    "special": lambda u: lax.lgamma(u) + lax.digamma(u) * lax.erf(u) + lax.erfc(u),
    "powers": lambda u: u**1.7 + jnp.sqrt(u) + 2.0**u + u**u + jnp.square(u) + jnp.cbrt(u),
    "extremes": lambda u: jnp.maximum(u, 0.0) + jnp.minimum(u, 10.0) + jnp.abs(u),
    "clipped": lambda u: jnp.clip(u, -5.0, 5.0) + u,
    "scalar operand": lambda u: u[0] * u[1:4],
    "stretched": lambda u: _grid(u) * _grid(u)[:, :1],
    "lookup": lambda u: jnp.tanh(u[LEFT] + 2.0 * u[RIGHT]),
    "lookup of rows": lambda u: _grid(u)[np.array([0, 1, 1])] * WEIGHT[:4],
    "lookup of pairs": lambda u: _grid(u)[np.array([0, 1, 1]), np.array([3, 0, 2])],
    "filled": lambda u: jnp.take(u, np.array([1, 99, -3]), mode="fill", fill_value=0.0),
    "clamped": lambda u: jnp.take(u, np.array([1, 99, 3]), mode="clip"),
    "scattered sum": lambda u: jnp.zeros(4).at[LEFT].add(jnp.sin(u[LEFT] * u[RIGHT])),
    "set": lambda u: (u**2).at[np.array([1, 5])].set(u[:2]),
    "updated": lambda u: lax.dynamic_update_slice(u**2, u[:2], (3,)),
    "moved window": lambda u: lax.dynamic_slice(u**2, (5,), (3,)),
    "pieces": lambda u: jnp.concatenate([u[::2], u[::-1], jnp.ones(2), u[3:5] * u[0]]),
    "padded": lambda u: lax.pad(u, 0.0, [(-1, 2, 1)]) * 2.0,
    "padded with": lambda u: lax.pad(u[1:], u[0], [(1, 1, 0)]),
    "turned": lambda u: (_grid(u).T + jnp.ones((4, 2))).ravel(),
    "copied": lambda u: jnp.broadcast_to(u[:, None], (D, 3)),
    "split": lambda u: jnp.split(u, 4)[1] * jnp.split(u, 4)[3],
    "stacked": lambda u: jnp.stack([u, 2.0 * u[::-1]], axis=1) * jnp.tile(u[:2], 4)[:, None],
    "sums": lambda u: jnp.concatenate([_grid(u).sum(0), _grid(u).sum(1), u.sum()[None]]),
    "differences": lambda u: jnp.diff(jnp.sin(u), n=2),
    "cumulated": lambda u: jnp.cumsum(_grid(u) ** 2, axis=1),
    "cumulated back": lambda u: lax.cumsum(_grid(u) ** 2, axis=0, reverse=True),
    "matrix": lambda u: jnp.exp(DENSE @ u),
    "sparse matrix": lambda u: jnp.exp(SPARSE @ u),
    "matrix of entries": lambda u: jnp.exp(_by_entries(SPARSE) @ u),
    "turned matrix of entries": lambda u: _grid(u)[:, :3] @ _by_entries(SPARSE[:3]),
    "matrix of matrices": lambda u: SQUARE @ _grid(u).T,
    "both matrices": lambda u: _grid(u) @ _grid(u).T,
    "stack of products": lambda u: jnp.einsum(
        "bij,bj->bi", DENSE[:, :8].reshape(2, 5, 4), _grid(u)
    ),
    "softmax": lambda u: jax.nn.softmax(_grid(u), axis=1),
    "logsumexp": lambda u: jax.nn.logsumexp(_grid(u), axis=1),
    "custom": lambda u: jax.nn.relu(u) * jax.nn.softplus(u) + jax.nn.silu(u),
    "held": lambda u: lax.stop_gradient(u[::-1]) * u + jnp.sign(u) + jnp.floor(u[::-1]),
    "remembered": lambda u: jax.checkpoint(lambda z: jnp.sin(z) * z)(u),
    "loop": lambda u: lax.fori_loop(0, 3, lambda _i, z: jnp.sin(z) + z, u),
    "gradient": lambda u: jax.grad(lambda v: jnp.log1p(jnp.exp(v[LEFT] + v[RIGHT])).sum())(u),
    "gradient of a product": lambda u: jax.grad(lambda v: jnp.exp(SPARSE @ v).sum())(u),
}

#: Functions with an operation whose structure is not known: the pattern may be larger.
COVERED = {
    "selected": lambda u: jnp.where(u > 0.7, jnp.exp(u), u[::-1] * 0.5 + u),
    "greatest": lambda u: jnp.exp(_grid(u)) - jnp.max(_grid(u), axis=1, keepdims=True) * _grid(u),
    "solved": lambda u: lax.linalg.triangular_solve(SQUARE, _grid(u).T, left_side=True, lower=True),
    "greatest alone": lambda u: jnp.max(_grid(u), axis=1),
    "product": lambda u: jnp.prod(_grid(u), axis=1),
    "cumulated product": lambda u: jnp.cumprod(_grid(u), axis=1),
    "sorted": lambda u: jnp.sort(_grid(u), axis=1),
    "cholesky": lambda u: jnp.linalg.cholesky(jnp.outer(u, u) + 3.0 * jnp.eye(D))[2:4],
    "solve": lambda u: jnp.linalg.solve(jnp.eye(D) + jnp.outer(u, u), u),
    "scan": lambda u: lax.scan(lambda c, x: (0.5 * c + x, jnp.sin(c)), 0.0, u)[1],
    "branches": lambda u: lax.cond(u[0] > 0, jnp.sin, jnp.cos, u),
    "set twice": lambda u: jnp.zeros(3).at[np.array([0, 0, 1])].set(u[:3]),
    "index that moves": lambda u: u[jnp.argmax(u)] * u,
    "convolved": lambda u: jnp.convolve(u, WEIGHT[:3], mode="valid"),
}


@pytest.mark.parametrize("name", EXACT)
def test_operations_that_keep_their_structure(name):
    plan, expected = _agree(EXACT[name], U)
    assert _entries(plan) == set(zip(*(i.tolist() for i in np.nonzero(expected)), strict=True))


@pytest.mark.parametrize("name", COVERED)
def test_operations_without_a_rule(name):
    _agree(COVERED[name], U)


def test_operations_along_an_axis_stay_within_their_rows():
    for name in ("product", "greatest alone", "sorted", "cumulated product"):
        plan = sparse_jacobian(COVERED[name], U)
        per_row = plan.shape[0] // 2
        assert _entries(plan) <= {
            (i, j) for i in range(plan.shape[0]) for j in range(D) if i // per_row == j // 4
        }


def test_a_derivative_of_its_own_is_respected():
    @jax.custom_jvp
    def odd(x):
        return x.sum() + x

    @odd.defjvp
    def _(primals, tangents):
        return odd(*primals), 7.0 * tangents[0] * primals[0]

    plan, _ = _agree(lambda u: odd(u) * u, U)
    assert _entries(plan) == {(i, i) for i in range(D)}


UNARY = [
    jnp.sin,
    jnp.tanh,
    lambda x: x * x,
    lax.logistic,
    lambda x: jnp.exp(-x),
    lambda x: 1.0 / (2.0 + x**2),
]
BINARY = [jnp.add, jnp.subtract, jnp.multiply, lambda a, b: a / (1.0 + b * b), jnp.maximum]
MOVES = [
    lambda x: x[::-1],
    lambda x: jnp.roll(x, 1),
    lambda x: x[np.array([0, 0, 3, 1, 2, 2])],
    lambda x: jnp.zeros(6).at[np.array([5, 1, 1, 0, 4, 4])].add(x),
    lambda x: jnp.concatenate([x[1:], x[:1] * x[2:3]]),
    lambda x: jnp.cumsum(x),
    lambda x: x.reshape(2, 3).T.reshape(6),
    lambda x: jnp.broadcast_to(x.reshape(3, 2).sum(1)[:, None], (3, 2)).reshape(6),
    lambda x: x - x.mean(),
    lambda x: jnp.where(np.array([1, 0, 0, 1, 0, 0], bool), x, 0.0),
]


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 59), st.integers(0, 9)), max_size=8))
def test_random_expressions(steps):
    def function(u):
        made = [u, jnp.sin(u)]
        for kind, which, where in steps:
            x, y = made[where % len(made)], made[-1]
            if kind == 0:
                made.append(UNARY[which % len(UNARY)](x))
            elif kind == 1:
                made.append(BINARY[which % len(BINARY)](x, y))
            else:
                made.append(MOVES[which % len(MOVES)](y))
        return made[-1]

    _agree(function, U[:6])


# ----- log-densities of PyMC ----------------------------------------------------------------


def _near(size, distance):
    return {(i, j) for i in range(size) for j in range(size) if abs(i - j) <= distance}


def _blocks(label):
    return {(i, j) for i, a in enumerate(label) for j, b in enumerate(label) if a == b}


def _with(pairs, size):
    return _near(size, 0) | set(pairs) | {(j, i) for i, j in pairs}


BIPARTITE = _with({(int(g), G + int(h)) for g, h in zip(GROUP, ITEM, strict=True)}, G + H)
RINGS = _with({(int(i), int(j)) for i, j in zip(*np.nonzero(RING), strict=True)}, G)

#: Random effects of each model, and the pairs of them with a second derivative.
MODELS = {
    "intercept_centred": (["a"], _near(G, 0)),
    "intercept_offset": (["z"], _near(G, 0)),
    "intercept_and_slope": (["a", "b"], _blocks([*range(G), *range(G)])),
    "crossed": (["a", "b"], BIPARTITE),
    "crossed_data": (["a", "b"], BIPARTITE),
    "nested": (["b", "a"], _with({(i % 3, 3 + i) for i in range(G)}, 3 + G)),
    "matrix_of_effects": (["z"], _blocks(np.repeat(range(G), 2))),
    "multivariate_normal": (["u"], _blocks(np.repeat(range(G), 2))),
    "random_walk": (["w"], _near(T, 1)),
    "random_walk_by_hand": (["z"], _near(T, T)),
    "autoregression_by_slices": (["x"], _near(T, 1)),
    "differences": (["x"], _near(T, 2)),
    "autoregression": (["x"], _near(T, 1)),
    "autoregression_by_scan": (["z"], _near(T, T)),
    "autoregressive_field": (["u"], RINGS),
    "sparse_field": (["u"], RINGS),
    "gaussian_process": (["z"], _near(T, T)),
    "zero_sum": (["a"], _near(G - 1, G)),
    "design_matrix": (["a"], _near(G, 0)),
    "scaled_by_an_effect": (["a", "s"], _blocks([*range(G), *range(G)])),
    "gamma_effects": (["a"], _near(G, 0)),
    "mixture": (["a"], _near(G, 0)),
    "categories": (["a"], _blocks(np.repeat(range(G), 3))),
}


def _score_of(name):
    """The score of a model's effects as a function of them, and what it is applied to."""
    with pm.Model() as model:
        getattr(models, name)()
    compiled = pymle.compile(model, objective="map", random=[])
    problem, (held, weights, data) = compiled._problem, compiled._likelihood()._arguments
    places = [problem.layout.block(effect).free for effect in MODELS[name][0]]
    at = np.concatenate([np.arange(place.start, place.stop) for place in places])
    x = 0.3 * np.random.default_rng(1).normal(size=problem.layout.size)

    def score(u, x, held, weights, data):
        return problem.lowered.call(x.at[at].set(u), held, weights, data)[1][at]

    return score, (jnp.asarray(x[at]), jnp.asarray(x), held, weights, data)


@pytest.mark.parametrize("name", MODELS)
def test_scores_of_models(name):
    score, arguments = _score_of(name)
    leaves = jax.tree.leaves(arguments[1:])
    matrices = [i for i, leaf in enumerate(leaves) if leaf.ndim == 2]
    plan = sparse_jacobian(score, *arguments, known=matrices)
    _, expected = _agree(score, *arguments, plan=plan)
    assert np.all(np.isfinite(expected))
    assert np.any(expected != 0)
    assert _entries(plan) == MODELS[name][1]


@pytest.mark.parametrize("name", ["crossed", "multivariate_normal", "gaussian_process"])
def test_derivatives_of_the_entries(name):
    score, (u, x, *others) = _score_of(name)
    plan = sparse_jacobian(score, u, x, *others)
    rng = np.random.default_rng(2)
    du, dx, cotangent = (rng.normal(size=n) for n in (len(u), len(x), plan.nnz))

    @lambda f: jax.jit(f, compiler_options=QUICK)
    def program(fixed, u, x, *others):
        def entries(u, x):
            return plan.evaluate(fixed, u, x, *others)

        def dense(u, x):
            return jax.jacfwd(score)(u, x, *others)[plan.rows, plan.cols]

        forward = [jax.jvp(f, (u, x), (du, dx))[1] for f in (entries, dense)]
        return forward, jax.vjp(entries, u, x)[1](cotangent)

    (found, expected), backward = program(plan.arguments, u, x, *others)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
    # The two directions are each other's transpose.
    np.testing.assert_allclose(cotangent @ found, backward[0] @ du + backward[1] @ dx, rtol=1e-9)


# ----- the plan ------------------------------------------------------------------------------


def _pairs(u, group, y):
    return jax.grad(lambda v: jnp.sum(y * jnp.exp(v[group])))(u)


def test_numbers_may_change_and_indices_may_not():
    group, y = np.array([0, 1, 1, 3]), np.arange(1.0, 5.0)
    plan = sparse_jacobian(_pairs, U, group, y)
    assert plan.relied_on == (0,)
    np.testing.assert_array_equal(plan.rows, [0, 1, 3])
    new = 2.0 * U, group.copy(), y[::-1]
    np.testing.assert_allclose(
        plan.values(*new), np.diag(jax.jit(jax.jacfwd(_pairs))(*new))[[0, 1, 3]]
    )
    with pytest.raises(ValueError, match="argument 0"):
        plan.values(U, group[::-1], y)


def test_zeros_of_arguments_count_only_where_they_stay():
    def function(u, Z):
        return jnp.exp(Z @ u)

    assert sparse_jacobian(function, U, SPARSE).nnz == SPARSE.size
    plan = sparse_jacobian(function, U, SPARSE, known=[0])
    assert plan.nnz == np.count_nonzero(SPARSE)
    assert plan.relied_on == (0,)
    # Factors that are zero today: an outcome, a weight.
    assert sparse_jacobian(lambda u, y: y * u, U, np.zeros(D, dtype=int)).nnz == D


def test_batches_of_points():
    plan = sparse_jacobian(EXACT["gradient"], U)
    points = U + rng.normal(size=(3, D))
    found = jax.jit(jax.vmap(plan.evaluate, (None, 0)))(plan.arguments, points)
    one_by_one = np.stack([plan.values(point) for point in points])
    np.testing.assert_allclose(found, one_by_one, rtol=1e-12)


def test_which_outputs_depend_on_which_coordinates():
    rows, cols = dependence(lambda u: jnp.tanh(u[LEFT] * u[RIGHT]), U)
    np.testing.assert_array_equal(rows, np.repeat(np.arange(20), 2))
    np.testing.assert_array_equal(cols, np.stack([LEFT, RIGHT], axis=1).ravel())


def test_nothing_depends():
    plan = sparse_jacobian(lambda u, y: y + lax.stop_gradient(u), U, WEIGHT)
    assert plan.nnz == 0
    assert plan.values(U, WEIGHT).shape == (0,)


def test_too_many_derivatives_are_refused_before_they_are_made():
    with pytest.raises(NotSparseError, match="more than 50"):
        sparse_jacobian(lambda u: jnp.outer(u, u), U, most=50)


def test_complex_numbers_on_the_way_are_refused():
    with pytest.raises(NotSparseError, match="complex"):
        sparse_jacobian(lambda u: jnp.fft.rfft(u).real, U)


def test_what_is_cut_off_costs_nothing():
    def function(u):
        dense = jnp.outer(jnp.ones(1000), u).sum(1) * u.sum()
        return jnp.concatenate([dense, jnp.exp(u)])[1000:]

    plan = sparse_jacobian(function, U, most=20)
    assert _entries(plan) == _near(D, 0)


def test_memory_and_time_are_linear_in_rows():
    rows, groups = 200_000, 20_000
    group = np.random.default_rng(0).integers(0, groups, rows)
    u = np.zeros(groups)
    plan = sparse_jacobian(_pairs, u, group, np.ones(rows), most=2 * rows)
    assert plan.nnz == len(np.unique(group))
    assert sum(a.size for a in plan.arguments) < 4 * rows
    np.testing.assert_array_equal(
        plan.values(u, group, np.ones(rows)), np.bincount(group)[np.unique(group)]
    )
