"""Programs over many rows in blocks of rows: the same value, score and Hessian as the whole."""

import jax
import numpy as np
import pymc as pm
import pytest

import pymle
from pymle.bind import likelihood_of
from pymle.compiled import make_problem
from pymle.objective import blocks

N = 230  # no multiple of the blocks' rows
rng = np.random.default_rng(3)
X = rng.normal(size=(N, 3))
GROUP = rng.integers(0, 7, N)
COUNTS = rng.poisson(1.5, N)
POSITIVE = rng.gamma(2.0, size=N)
ZERO_ONE = rng.integers(0, 2, N)


def _normal(eta):
    pm.Normal("y", eta, pm.HalfNormal("sigma"), observed=POSITIVE)


def _student(eta):
    nu, sigma = pm.HalfNormal("nu", 5), pm.HalfNormal("sigma")
    pm.StudentT("y", nu=nu, mu=eta, sigma=sigma, observed=POSITIVE)


def _poisson(eta):
    pm.Poisson("y", pm.math.exp(eta), observed=COUNTS)


def _negative_binomial(eta):
    alpha = pm.HalfNormal("alpha")
    pm.NegativeBinomial("y", mu=pm.math.exp(eta), alpha=alpha, observed=COUNTS)


def _zero_inflated(eta):
    psi = pm.Beta("psi", 1, 1)
    pm.ZeroInflatedPoisson("y", psi=psi, mu=pm.math.exp(eta), observed=COUNTS)


def _bernoulli(eta):
    pm.Bernoulli("y", logit_p=eta, observed=ZERO_ONE)


def _binomial(eta):
    pm.Binomial("y", n=20, logit_p=eta, observed=COUNTS)


def _gamma(eta):
    pm.Gamma("y", mu=pm.math.exp(eta), sigma=pm.HalfNormal("sigma"), observed=POSITIVE)


def _groups(eta):
    effect = pm.Normal("effect", 0, 5, shape=7)
    pm.Normal("y", eta + effect[GROUP], pm.HalfNormal("sigma"), observed=POSITIVE)


def _two_outcomes(eta):
    pm.Normal("y", eta, pm.HalfNormal("sigma"), observed=POSITIVE)
    pm.Poisson("z", pm.math.exp(eta), observed=COUNTS)


MODELS = [
    _normal,
    _student,
    _poisson,
    _negative_binomial,
    _zero_inflated,
    _bernoulli,
    _binomial,
    _gamma,
    _groups,
    _two_outcomes,
]


def _likelihood(outcome, objective="mle", **options):
    with pm.Model() as model:
        data = pm.Data("X", X)
        outcome(pm.Normal("a", 0, 2) + data @ pm.Normal("b", 0, 2, shape=3))
    chosen = dict.fromkeys(("fixed", "parameters", "random", "potentials"))
    problem = make_problem(
        model,
        objective=objective,
        method="auto",
        backend="auto",
        n_starts="auto",
        jacobian=False,
        **(chosen | options),
    )
    return likelihood_of(problem)


def _arguments(likelihood):
    return likelihood._call, *likelihood._arguments


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "_FEWEST", 50)
    monkeypatch.setattr(blocks, "_MOST", 50)


@pytest.mark.parametrize("outcome", MODELS)
@pytest.mark.parametrize("objective", ["mle", pytest.param("map", marks=pytest.mark.slow)])
def test_blocks_add_up_to_the_whole(outcome, objective, small_blocks):
    likelihood = _likelihood(outcome, objective)
    x = 0.3 * np.random.default_rng(1).normal(size=likelihood.size)
    whole, *arguments = _arguments(likelihood)
    program = blocks.block_program(whole, *arguments, likelihood.size)
    value, score, hessian, exact = jax.jit(program)(x, *arguments)
    assert exact
    assert float(value) == pytest.approx(likelihood.value(x), rel=1e-13)
    assert np.allclose(score, likelihood.value_and_score(x)[1], rtol=1e-12, atol=1e-11)
    size = np.abs(likelihood.hessian(x)).max()
    assert np.allclose(hessian, likelihood.hessian(x), rtol=1e-12, atol=1e-13 * size)


def test_hessian_in_blocks_is_the_closed_form(small_blocks):
    likelihood = _likelihood(_bernoulli)
    x = np.array([0.2, 0.5, -1.0, 0.3])
    whole, *arguments = _arguments(likelihood)
    program = blocks.block_program(whole, *arguments, likelihood.size)
    design = np.column_stack([np.ones(N), X])
    p = 1 / (1 + np.exp(-design @ x))
    assert np.allclose(
        jax.jit(program)(x, *arguments)[2], -(design.T * (p * (1 - p))) @ design, rtol=1e-12
    )


def test_check_that_fails_in_one_block_is_reported(small_blocks):
    def linear_probability(eta):
        pm.Bernoulli("y", p=0.5 + 0.01 * eta, observed=ZERO_ONE)

    likelihood = _likelihood(linear_probability)
    whole, *arguments = _arguments(likelihood)
    program = jax.jit(blocks.block_program(whole, *arguments, likelihood.size))
    last = int(np.argmax(X[:, 0]))
    inside = np.array([0.0, 45 / X[last, 0], 0.0, 0.0])
    assert program(inside, *arguments)[3]
    assert not program(1.2 * inside, *arguments)[3]
    assert likelihood.value(1.2 * inside) == -np.inf


def test_what_is_no_sum_over_rows_is_refused(small_blocks):
    def walk(eta):
        pm.AR("y", rho=pm.Normal("rho"), sigma=1.0, init_dist=pm.Normal.dist(), observed=POSITIVE)
        pm.Normal("z", eta.mean() ** 2, 1.0, observed=POSITIVE)

    def ranked(eta):
        pm.Normal("y", pm.math.max(eta), 1.0, observed=POSITIVE)

    for outcome in (walk, ranked):
        likelihood = _likelihood(outcome)
        whole, *arguments = _arguments(likelihood)
        with pytest.raises(blocks.NotRowwiseError):
            blocks.block_program(whole, *arguments, likelihood.size)


@pytest.mark.parametrize("n", [40_000, 40_001])
def test_large_fit_runs_in_blocks_and_is_the_maximum(n):
    draws = np.random.default_rng(5)
    design = draws.normal(size=(n, 3))
    y = (draws.random(n) < 1 / (1 + np.exp(-design @ [0.5, -1.0, 0.2]))).astype(int)
    with pm.Model() as model:
        slope = pm.Normal("slope", 0, 5, shape=3)
        pm.Bernoulli("y", logit_p=pm.Data("X", design) @ slope, observed=y)
    compiled = pymle.compile(model)
    fit = compiled.fit(progressbar=False)
    assert compiled._likelihood()._blocks is not None
    assert fit.verdict.ok
    p = 1 / (1 + np.exp(-design @ fit.point["slope"]))
    assert np.abs(design.T @ (y - p)).max() < 1e-8
    information = (design.T * (p * (1 - p))) @ design
    assert np.allclose(fit.covariance().to_numpy(), np.linalg.inv(information), rtol=1e-10)


def test_prior_counts_once_in_blocks():
    n = 50_000
    y = np.random.default_rng(6).normal(1.0, 1.0, n)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 0.005)
        pm.Normal("y", mu, 1.0, observed=y)
    fit = pymle.find_MAP(model, progressbar=False)
    assert fit.point["mu"] == pytest.approx(y.sum() / (n + 1 / 0.005**2), rel=1e-12)
