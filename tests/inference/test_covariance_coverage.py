"""Coverage of limits from several covariances where observations come in clusters."""

import numpy as np
import pymc as pm
import pytest
from scipy.stats import binomtest

import pymle

TRIALS = 500


def _coverage(clusters):
    rng = np.random.default_rng(clusters)
    group = np.repeat(np.arange(clusters), 5)
    with pm.Model() as model:
        x = pm.Data("x", np.zeros(5 * clusters))
        y = pm.Data("counts", np.zeros(5 * clusters, dtype=int))
        a, b = pm.Normal("a", 0, 10), pm.Normal("b", 0, 10)
        pm.Poisson("y", pm.math.exp(a + b * x), observed=y)
    compiled = pymle.compile(model)
    inside = dict.fromkeys(("observed", "HC0", "CR0", "CR1"), 0)
    for _ in range(TRIALS):
        between = rng.normal(size=clusters)[group]
        effect = 0.5 * rng.normal(size=clusters)[group]
        data = {"x": between, "counts": rng.poisson(np.exp(0.5 + 0.3 * between + effect))}
        fit = compiled.fit(data=data, progressbar=False)
        for name in inside:
            how = {"clusters": group} if name.startswith("CR") else {}
            lower, upper = fit.summary("b", cov=name, **how)[["lower", "upper"]].iloc[0]
            inside[name] += lower < 0.3 < upper
    return inside


@pytest.mark.slow
def test_clusters_bring_back_most_of_the_coverage():
    found = {clusters: _coverage(clusters) for clusters in (10, 40, 160, 1000)}
    for clusters, inside in found.items():
        shares = ", ".join(f"{name} {100 * n / TRIALS:.1f}%" for name, n in inside.items())
        print(f"{clusters} clusters: {shares}")
    for inside in found.values():
        assert inside["observed"] < inside["HC0"] < inside["CR0"] <= inside["CR1"]
    # With many clusters the coverage is what it says.
    assert binomtest(found[1000]["CR1"], TRIALS, 0.95).pvalue > 0.005
    assert binomtest(found[10]["observed"], TRIALS, 0.95).pvalue < 1e-6
