"""Gradient evaluations for each effective draw: `fit.sample` against `pm.sample`.

`python -m tests.benchmarks.sampling` prints what docs/sampling.md holds; some minutes.
"""

import warnings

import arviz
import numpy as np
import pymc as pm

import pymle

SETTINGS = {
    "draws": 500,
    "tune": 500,
    "chains": 4,
    "cores": 1,
    "progressbar": False,
    "quiet": True,
    "discard_tuned_samples": False,
}


def regression(scales, rng):
    """A linear regression whose predictors have given scales."""
    x = rng.normal(size=(100, len(scales))) * scales
    y = x @ (1.0 / np.array(scales)) + rng.normal(size=100)
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 10 / np.array(scales), shape=len(scales))
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", x @ beta, sigma, observed=y)
    return model


def cost(tree):
    """Evaluations in all and while tuning, and the smallest effective sample size."""
    tuning = int(tree["warmup_sample_stats"]["n_steps"].sum())
    kept = int(tree["sample_stats"]["n_steps"].sum())
    found = arviz.ess(tree)
    sizes = getattr(found, "posterior", found)
    smallest = min(float(sizes[name].min()) for name in sizes.data_vars)
    return tuning + kept, tuning, smallest


def compare(model, seed):
    """One line: both ways of sampling the same model."""
    plain = cost(pm.sample(model=model, nuts_sampler="pymc", random_seed=seed, **SETTINGS))
    fit = pymle.find_MLE(model, progressbar=False)
    started = cost(fit.sample(sampler="pymc", random_seed=seed, **SETTINGS))
    return "   ".join(
        f"{name}: {steps} evaluations ({tuning} tuning), {steps / size:.1f} per effective draw"
        for name, (steps, tuning, size) in (("pm.sample", plain), ("fit.sample", started))
    )


def main():
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(3)
    models = {
        "even scales": regression([1.0, 1.0, 1.0], rng),
        "bad scales": regression([1e-3, 1e3, 1.0, 1e4], rng),
    }
    for name, model in models.items():
        for seed in (1, 2):
            print(f"{name}, seed {seed}: {compare(model, seed)}", flush=True)


if __name__ == "__main__":
    main()
