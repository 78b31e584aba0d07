"""Discrete latent variables summed out: against sums written by hand."""

from __future__ import annotations

import warnings
from importlib.util import find_spec

import numpy as np
import pymc as pm
import pytest
from scipy import integrate, stats

import pymle

#: The chains of pymc-extras need it, which CI leaves out: it holds PyMC back.
with_chains = pytest.mark.skipif(find_spec("pymc_extras") is None, reason="needs pymle[discrete]")
RNG = np.random.default_rng(53)
STEPS = np.arange(40)
COUNTS = np.concatenate([RNG.poisson(4, 22), RNG.poisson(1, 18)])
Y = np.concatenate([RNG.normal(-1, 0.7, 15), RNG.normal(2, 0.7, 15)])
GROUP = np.repeat(np.arange(6), 5)


def change_point() -> pm.Model:
    with pm.Model() as model:
        tau = pm.DiscreteUniform("tau", 0, 39)
        early, late = pm.Exponential("early", 1), pm.Exponential("late", 1)
        rate = pm.Deterministic("rate", pm.math.switch(tau > STEPS, early, late))
        pm.Deterministic("ratio", early / late)
        pm.Poisson("y", rate, observed=COUNTS)
    return model


def test_a_change_point():
    fit = pymle.find_MLE(change_point(), progressbar=False)
    assert fit.verdict.ok
    early, late = float(fit.params["early"]), float(fit.params["late"])
    terms = [
        stats.poisson(np.where(t > STEPS, early, late)).logpmf(COUNTS).sum() for t in range(40)
    ]
    assert fit.loglik == pytest.approx(np.logaddexp.reduce(terms) - np.log(40), abs=1e-9)
    assert fit.roles["tau"].role == "summed out"
    # What does not depend on it is reported, and the model is left as it was.
    assert "ratio" in fit.summary().index
    model = change_point()
    before = list(model.deterministics), dict(model.named_vars)
    pymle.compile(model)
    assert {v.name for v in model.deterministics} == {v.name for v in before[0]}
    assert set(model.named_vars) == set(before[1])


def test_mixture_indicators():
    with pm.Model() as model:
        w = pm.Beta("w", 1, 1)
        mu = pm.Normal("mu", 0, 5, shape=2, initval=[-1.0, 3.0])
        z = pm.Bernoulli("z", w, shape=30)
        pm.Normal("y", mu[z], pm.HalfNormal("sigma", 2), observed=Y)
    at = {"w": 0.4, "mu": np.array([-0.8, 1.9]), "sigma": 0.8}
    expected = np.logaddexp(
        np.log(0.6) + stats.norm(-0.8, 0.8).logpdf(Y), np.log(0.4) + stats.norm(1.9, 0.8).logpdf(Y)
    ).sum()
    assert pymle.compile(model).logp(at) == pytest.approx(expected, abs=1e-9)


def test_continuous_effects_and_discrete_ones():
    """A group effect integrated over what is left when indicators of rows are summed out."""
    with pm.Model() as model:
        p, tau = pm.Beta("p", 1, 1), pm.HalfNormal("tau", 2)
        u = pm.Normal("u", 0, tau, shape=6)
        z = pm.Bernoulli("z", p, shape=30)
        pm.Normal("y", u[GROUP] + 3.0 * z, 0.7, observed=Y)
    likelihood = pymle.compile(model, quadrature=41)

    def group(g: int) -> float:
        def density(u: float) -> float:
            y = Y[g == GROUP] - u
            terms = 0.7 * stats.norm(0, 0.7).pdf(y) + 0.3 * stats.norm(3, 0.7).pdf(y)
            return float(np.prod(terms) * stats.norm(0, 0.9).pdf(u))

        parts = [
            integrate.quad(density, a, b, epsabs=0, epsrel=1e-11, limit=200)[0]
            for a, b in ((-8, -1.5), (-1.5, 0), (0, 1.5), (1.5, 8))
        ]
        return float(np.log(sum(parts)))

    expected = sum(group(g) for g in range(6))
    assert likelihood.logp({"p": 0.3, "tau": 0.9}) == pytest.approx(expected, abs=1e-3)


@with_chains
def test_a_hidden_markov_chain():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pymc_extras.distributions import DiscreteMarkovChain

    P = np.array([[0.9, 0.1], [0.2, 0.8]])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5, shape=2, initval=[-1.0, 2.0])
        start = pm.Categorical.dist([0.5, 0.5])
        chain = DiscreteMarkovChain("chain", P=P, init_dist=start, steps=29)
        pm.Normal("y", mu[chain], 0.7, observed=Y)
    means = np.array([-0.9, 1.8])
    emission = stats.norm(means, 0.7).logpdf(Y[:, None])
    forward = np.log(0.5) + emission[0]
    for row in emission[1:]:
        forward = np.logaddexp.reduce(forward[:, None] + np.log(P), axis=0) + row
    expected = np.logaddexp.reduce(forward)
    assert pymle.compile(model).logp({"mu": means}) == pytest.approx(expected, abs=1e-8)


def test_infinite_support_cannot_be_summed():
    with pm.Model() as model:
        n = pm.Poisson("n", pm.Exponential("rate", 1))
        pm.Normal("y", n, 0.7, observed=Y)
    with pytest.raises(pymle.ModelError, match=r"`n` .* no greatest value.*pm.Truncated"):
        pymle.compile(model)
