"""Grouped binary outcomes by adaptive Gauss-Hermite quadrature, against lme4's ``nAGQ``.

``glmer`` is measured in the same run where ``Rscript`` and lme4 are found.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pymc as pm

from tests.benchmarks.measure import Row, seconds

POINTS = 7
R_SCRIPT = """
args <- commandArgs(TRUE); suppressMessages(library(lme4)); d <- read.csv(args[1])
took <- system.time({fit <- glmer(y ~ x + time + (1 | g), d, binomial, nAGQ = as.integer(args[2]))
invisible(summary(fit))})[["elapsed"]]
cat(took, format(as.numeric(logLik(fit)), digits = 15), sep = "\\t"); cat("\\n")
"""


def visits(rows, seed=1):
    """Seven binary outcomes of each patient: group, a covariate of the group, time, outcome."""
    rng = np.random.default_rng(seed)
    group = np.arange(rows) // 7
    groups = int(group[-1]) + 1
    x, time = rng.integers(0, 2, groups)[group].astype(float), (np.arange(rows) % 7).astype(float)
    eta = -0.5 - 0.3 * x - 0.4 * time + 2.0 * rng.normal(size=groups)[group]
    return group, x, time, (rng.random(rows) < 1 / (1 + np.exp(-eta))).astype(int)


def visits_model(group, x, time, outcome):
    """A random intercept for each patient."""
    with pm.Model() as model:
        b = pm.Normal("b", 0, 5, shape=3)
        u = pm.Normal("u", 0, pm.HalfNormal("sd", 3), shape=int(group.max()) + 1)
        eta = b[0] + b[1] * x + b[2] * time + u[group]
        pm.Bernoulli("y", logit_p=eta, observed=outcome)
    return model


def quadrature(sizes=(2_100, 21_000, 49_000)):
    """find_MLE and its table with seven points, a refit, and glmer with nAGQ = 7."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            data = visits(size)
            path = Path(folder) / "visits.csv"
            table = np.column_stack(data)
            np.savetxt(path, table, delimiter=",", header="g,x,time,y", comments="", fmt="%g")
            peer = by_glmer(path)
            took = apart(path)
            what = f"{size:,} rows, {int(data[0][-1]) + 1:,} groups"
            if peer is not None:
                note = f"log-likelihood {peer[1]:.6f}"
                rows.append(Row(f"glmer, nAGQ = {POINTS}, {what}", peer[0], note=note))
            for key, text in (("first", "find_MLE and table"), ("again", "refit")):
                ratio = None if peer is None else took[key] / peer[0]
                note = f"{took['status']}; log-likelihood {took['loglik']:.6f}"
                bar = "" if peer is None else "less than 1"
                named = {} if peer is None else {"peer": "glmer"}
                rows.append(
                    Row(f"{text}, {what}", took[key], ratio=ratio, bar=bar, note=note, **named)
                )
    return rows


def by_glmer(path):
    """Seconds and log-likelihood of glmer, or None where it is not installed."""
    if shutil.which("Rscript") is None:
        return None
    script = path.with_suffix(".R")
    script.write_text(R_SCRIPT, encoding="utf-8")
    done = subprocess.run(
        ["Rscript", str(script), str(path), str(POINTS)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode or "\t" not in done.stdout:
        return None
    took, loglik = done.stdout.splitlines()[-1].split("\t")
    return float(took), float(loglik)


def apart(path):
    """A first fit and a refit in a process of its own, imports not counted."""
    done = subprocess.run(
        [sys.executable, "-c", "from tests.benchmarks.quadrature import main; main()"],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"BENCHMARK_DATA": str(path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main():
    """Fit what ``BENCHMARK_DATA`` holds and print what was measured, as JSON."""
    import pymle

    group, x, time, outcome = np.loadtxt(os.environ["BENCHMARK_DATA"], delimiter=",", skiprows=1).T
    model = visits_model(group.astype(int), x, time, outcome.astype(int))

    def ours():
        fit = pymle.find_MLE(model, quadrature=POINTS, progressbar=False)
        fit.summary()
        return fit

    first, fit = seconds(ours)
    compiled = pymle.compile(model, quadrature=POINTS)
    compiled.fit(progressbar=False)
    again, _ = seconds(lambda: compiled.fit(progressbar=False).summary())
    status = fit.verdict.status.name.lower()
    print(json.dumps({"first": first, "again": again, "loglik": fit.loglik, "status": status}))
