"""Searches from many starts: in one batch, one after the other, and by scipy.optimize."""

import warnings

import numpy as np
import pymc as pm

from tests.benchmarks.measure import Row, seconds

#: Problems of NIST's collection (nonlinear least squares), beside a mixture.
NIST = ("nist_gauss1", "nist_mgh09")
#: Searches of which the peers' loops are timed; times are scaled to all.
TIMED = 100


def mixture(n=160, seed=3):
    """Three normal components with unequal scales: many local maxima, and no highest point."""
    rng = np.random.default_rng(seed)
    of = rng.choice(3, size=n, p=[0.4, 0.35, 0.25])
    y = rng.normal(np.array([-2.0, 1.0, 4.0])[of], np.array([1.0, 0.5, 1.0])[of])
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", np.ones(3))
        mean = pm.Normal("mean", 0, 5, shape=3)
        scale = pm.HalfNormal("scale", 2, shape=3)
        pm.NormalMixture("y", weights, mean, scale, observed=y)
    return model


def models(names=(*NIST, "mixture")):
    """The models by name."""
    from tests.reference.bank import PROBLEMS

    known = {problem.name: problem.model for problem in PROBLEMS} | {"mixture": mixture}
    return {name: known[name]() for name in names}


def starts(names=(*NIST, "mixture"), counts=(100, 1000), timed=TIMED):
    """Fits from many starts, against loops over the same starts and the same compiled functions.

    `scipy.optimize.minimize(method="trust-exact")` is given value, score and Hessian; the searches
    one after the other are pymle's own.
    """
    rows = []
    for name, model in models(names).items():
        for count in counts:
            rows += _one(name, model, count, timed)
    return rows


def _one(name, model, count, timed):
    import pymle
    from pymle.optimize import explore

    compiled = pymle.compile(model, n_starts=count)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, _ = seconds(lambda: compiled.fit(progressbar=False))
        again, fit = seconds(lambda: compiled.fit(progressbar=False))
    likelihood, found = fit._fitted.likelihood, fit._fitted.estimate.exploration
    began = [s.record.start for s in found.solutions]
    chosen = np.array(began)[np.random.default_rng(0).permutation(len(began))[:timed]]
    single, alone = seconds(lambda: explore(likelihood, chosen))
    loop, values = seconds(lambda: _scipy(likelihood, chosen))
    scale = len(began) / len(chosen)
    top = found.best.value
    what = f"{name}, {len(began)} starts"
    share = [
        np.mean([s.converged and abs(s.value - top) < 1e-4 for s in solutions])
        for solutions in (found.solutions, alone.solutions)
    ]
    by_scipy = np.mean(np.abs(np.array(values) - top) < 1e-4)
    return [
        Row(f"{what}: scipy's loop", loop * scale, note=f"{by_scipy:.0%} reached the best"),
        Row(f"{what}: one after the other", single * scale, note=f"{share[1]:.0%}"),
        Row(
            f"{what}: first fit",
            first,
            ratio=loop * scale / first,
            peer="scipy's loop",
            bar="none",
            note=f"{first - again:.2f} s more than a refit",
        ),
        Row(
            f"{what}: refit",
            again,
            ratio=loop * scale / again,
            peer="scipy's loop",
            bar="none",
            note=f"{share[0]:.0%} reached the best, {single * scale / again:.1f} times as fast as "
            "one after the other",
        ),
    ]


def _scipy(likelihood, points):
    """Log-likelihoods where scipy's trust-region method ends."""
    from scipy.optimize import minimize

    def fun(x):
        value, score = likelihood.value_and_score(x)
        return (-value, -score) if np.isfinite(value) else (np.inf, np.zeros_like(x))

    def hess(x):
        matrix = -likelihood.hessian(x)
        return matrix if np.all(np.isfinite(matrix)) else np.eye(len(x))

    ends = []
    for x in points:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                end = minimize(fun, x, jac=True, hess=hess, method="trust-exact")
                ends.append(-float(end.fun))
            except (ValueError, np.linalg.LinAlgError):
                ends.append(-np.inf)
    return ends
