"""Random effects: crossed factors against R's packages, and how cost grows with size.

R's times are measured in the same run where ``Rscript`` and the package are found, and not
claimed otherwise. ``INSTEVAL_CSV`` names a file with the columns s, d, service, y of InstEval
(``write.csv(lme4::InstEval, "insteval.csv")``); simulated ratings of the same sizes and the same
imbalance stand in for it otherwise.
"""

import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pymc as pm

from tests.benchmarks.measure import Row, seconds

R_SCRIPT = """
args <- commandArgs(TRUE)
d <- read.csv(args[1]); d$s <- factor(d$s); d$d <- factor(d$d); d$z <- as.integer(d$y >= 4)
f <- y ~ service + (1 | s) + (1 | d); g <- z ~ service + (1 | s) + (1 | d)
run <- function(name, package, call) {
  if (!requireNamespace(package, quietly = TRUE)) return(invisible())
  took <- system.time({fit <- call(); invisible(summary(fit))})[["elapsed"]]
  cat(name, took, format(as.numeric(logLik(fit)), digits = 15), sep = "\\t"); cat("\\n")
}
run("gaussian lmer", "lme4", function() lme4::lmer(f, d, REML = FALSE))
run("gaussian glmmTMB", "glmmTMB", function() glmmTMB::glmmTMB(f, d))
run("logistic glmer", "lme4", function() lme4::glmer(g, d, family = binomial))
run("logistic glmmTMB", "glmmTMB", function() glmmTMB::glmmTMB(g, d, family = binomial))
"""


def ratings(rows=73_421, students=2_972, lecturers=1_128, departments=14, seed=1):
    """Ratings like InstEval: who rated whom, whether as a service, and the rating (1 to 5).

    Students rate about 25 lecturers, four in five of them of their own department; lecturers
    have very unequal numbers of ratings.
    """
    rng = np.random.default_rng(seed)
    home, place = rng.integers(0, departments, students), rng.integers(0, departments, lecturers)
    weight = np.exp(1.1 * rng.normal(size=lecturers))
    student = np.r_[np.arange(students), rng.integers(0, students, max(rows - students, 0))][:rows]
    away = rng.random(len(student)) < 0.2
    lecturer = rng.choice(lecturers, len(student), p=weight / weight.sum())
    for each in range(departments):
        own, there = np.flatnonzero(~away & (home[student] == each)), np.flatnonzero(place == each)
        if len(there):
            chance = weight[there] / weight[there].sum()
            lecturer[own] = rng.choice(there, len(own), p=chance)
    lecturer[rng.permutation(len(student))[:lecturers]] = np.arange(lecturers)[: len(student)]
    service = (home[student] != place[lecturer]).astype(float)
    mean = 3.3 - 0.1 * service + 0.33 * rng.normal(size=students)[student]
    mean += 0.52 * rng.normal(size=lecturers)[lecturer]
    rating = np.clip(np.round(mean + 1.18 * rng.normal(size=len(student))), 1, 5)
    return student, lecturer, service, rating


def insteval():
    """The ratings of ``INSTEVAL_CSV``, or None."""
    name = os.environ.get("INSTEVAL_CSV")
    if not name:
        return None
    with Path(name).open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    codes = [np.unique([row[key] for row in table], return_inverse=True)[1] for key in ("s", "d")]
    return (*codes, *(np.array([float(row[key]) for row in table]) for key in ("service", "y")))


def crossed_model(family, student, lecturer, service, rating):
    """Two crossed factors: normal ratings, or whether a rating is at least 4."""
    with pm.Model() as model:
        mean, slope = pm.Normal("mean", 0, 10), pm.Normal("service", 0, 10)
        sd_s, sd_d = pm.HalfNormal("sd_s", 1), pm.HalfNormal("sd_d", 1)
        u = pm.Normal("u", 0, sd_s, shape=int(student.max()) + 1)
        v = pm.Normal("v", 0, sd_d, shape=int(lecturer.max()) + 1)
        eta = mean + slope * service + u[student] + v[lecturer]
        if family == "gaussian":
            pm.Normal("y", eta, pm.HalfNormal("sigma", 2), observed=rating)
        else:
            pm.Bernoulli("y", logit_p=eta, observed=(rating >= 4).astype(int))
    return model


def fill(model):
    """How much of the information about the effects there is, and what elimination adds."""
    import pymle
    from pymle.bind import likelihood_of

    plan = likelihood_of(pymle.compile(model)._problem).plan
    elimination = plan.elimination
    return (
        f"{elimination.size:,} effects, {len(plan.elimination.upper):,} entries off the diagonal, "
        f"{elimination.pairs:,} products, a dense core of {elimination.core_size:,}"
    )


def by_r(data):
    """Times and log-likelihoods of R's packages, for those that are there."""
    if shutil.which("Rscript") is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        table, script = Path(folder) / "ratings.csv", Path(folder) / "fits.R"
        np.savetxt(table, np.column_stack(data), delimiter=",", header="s,d,service,y", comments="")
        script.write_text(R_SCRIPT, encoding="utf-8")
        done = subprocess.run(
            ["Rscript", str(script), str(table)], stdout=subprocess.PIPE, text=True, check=False
        )
    parts = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 2]
    return {name: (float(took), float(loglik)) for name, took, loglik in parts}


def crossed(**sizes):
    """InstEval, or ratings like it, crossed: find_MLE and its table in a process of its own."""
    data = None if sizes else insteval()
    which = "simulated" if data is None else "InstEval"
    data = ratings(**sizes) if data is None else data
    peers = by_r(data)
    rows = []
    for family in ("gaussian", "logistic"):
        took = apart(family, data)
        note = f"{took['status']}; log-likelihood {took['loglik']:.6f}; {took['note']}"
        mine = [(name, *found) for name, found in peers.items() if name.startswith(family)]
        for name, each, loglik in mine:
            rows.append(Row(name, each, note=f"log-likelihood {loglik:.6f}"))
        what = f"find_MLE and table, {family}, {which}"
        bar = "less than glmmTMB's 16 s" if family == "gaussian" else "less than glmmTMB's 10.7 s"
        rows.append(Row(what, took["seconds"], bar=bar, note=note))
    return rows


def structures(sizes=(10_000, 100_000, 1_000_000), kinds=("grouped", "nested", "series")):
    """Cost and memory against size: binary outcomes of groups, two levels, a local level."""
    rows = []
    for kind in kinds:
        for size in sizes:
            took = apart(kind, size)
            note = (
                f"{took['status']}; {took['megabytes']:.0f} MB beyond the imports; {took['note']}"
            )
            rows.append(Row(f"{kind}, {size:,} rows", took["seconds"], note=note))
    return rows


def structure_model(kind, size, seed=1):
    """Groups of ten binary outcomes; groups in groups; one state for each observation."""
    rng = np.random.default_rng(seed)
    group, half = np.arange(size) // 10, pm.HalfNormal
    groups, above = int(group.max()) + 1, int(group.max()) // 10 + 1
    with pm.Model() as model:
        if kind == "grouped":
            x = rng.normal(size=size)
            eta = 0.3 + 0.5 * x + rng.normal(size=groups)[group]
            outcome = (rng.random(size) < 1 / (1 + np.exp(-eta))).astype(int)
            mean, slope = pm.Normal("mean", 0, 5), pm.Normal("slope", 0, 5)
            u = pm.Normal("u", 0, half("sd", 2), shape=groups)
            pm.Bernoulli("y", logit_p=mean + slope * x + u[group], observed=outcome)
        elif kind == "nested":
            outer = group // 10
            y = 0.7 * rng.normal(size=above)[outer] + 0.5 * rng.normal(size=groups)[group]
            u = pm.Normal("u", 0, half("sd_u", 2), shape=groups)
            v = pm.Normal("v", 0, half("sd_v", 2), shape=above)
            eta = pm.Normal("mean", 0, 5) + u[group] + v[outer]
            pm.Normal("y", eta, half("sigma", 2), observed=1 + y + rng.normal(size=size))
        else:
            y = np.cumsum(0.3 * rng.normal(size=size)) + rng.normal(size=size)
            first = pm.Normal.dist(0, 10)
            level = pm.GaussianRandomWalk("level", sigma=half("sd", 2), init_dist=first, shape=size)
            pm.Normal("y", level, half("sigma", 2), observed=y)
    return model


def apart(kind, what):
    """A first fit in a process of its own, imports not counted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        single = isinstance(what, int)
        arrays = {"size": what} if single else dict(zip("sdxy", what, strict=True))
        np.savez(path, **arrays)
        done = subprocess.run(
            [sys.executable, "-c", f"from tests.benchmarks.effects import main; main({kind!r})"],
            cwd=Path(__file__).resolve().parents[2],
            env=os.environ | {"BENCHMARK_DATA": str(path)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return json.loads(done.stdout.splitlines()[-1])


def main(kind):
    """Fit what ``BENCHMARK_DATA`` holds and print what was measured, as JSON."""
    import pymle

    data = np.load(os.environ["BENCHMARK_DATA"])
    if "size" in data:
        model = structure_model(kind, int(data["size"]))
    else:
        model = crossed_model(kind, *(data[name] for name in "sdxy"))

    def ours():
        fit = pymle.find_MLE(model, progressbar=False)
        fit.summary()
        return fit

    before = peak()
    took, fit = seconds(ours)
    used = peak() - before
    record = fit.record
    note = (
        f"compilation {record.seconds_compile:.1f} s, "
        f"{record.evaluations['value_and_score']} scores in the search"
    )
    print(
        json.dumps(
            {
                "seconds": took,
                "loglik": fit.loglik,
                "status": fit.verdict.status.name.lower(),
                "megabytes": used,
                "note": note if "size" in data else f"{note}; {fill(model)}",
            }
        )
    )


def peak():
    """Peak memory of this process in MB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (2**20 if sys.platform == "darwin" else 2**10)
