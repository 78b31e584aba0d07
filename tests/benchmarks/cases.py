"""The benchmarks. Each function takes sizes and repeats, and returns rows; none asserts a time."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.benchmarks.effects import crossed, structures
from tests.benchmarks.measure import Row, clocks, interleaved, process, seconds
from tests.benchmarks.quadrature import quadrature
from tests.benchmarks.starts import starts

HERE = Path(__file__).resolve().parent


def cold(repeats=7):
    """A whole process that fits a logistic regression, against the imports it cannot avoid."""
    times = interleaved(
        {"fit": [str(HERE / "cold_process.py")], "imports": ["-c", "import pymc, jax"]}, repeats
    )
    fit, imports = (np.array(times[name]) for name in ("fit", "imports"))
    rows = []
    for clock, unit in enumerate(("s", "s CPU")):
        took, peer = np.median(fit[:, clock]), np.median(imports[:, clock])
        fastest = fit[:, clock].min() / imports[:, clock].min()
        rows.append(Row("python -c 'import pymc, jax'", float(peer), unit))
        rows.append(
            Row(
                "build, find_MLE, print (1,000 x 5)",
                float(took),
                unit,
                ratio=float(took / peer),
                peer="the imports",
                bar="at most 1.4",
                note=f"ratio of the fastest runs {fastest:.2f}",
            )
        )
    return rows


def imports(repeats=7):
    """What `import pymle` adds to `import pymc`, and what it leaves alone."""
    times = interleaved(
        {"both": ["-c", "import pymc, pymle"], "pymc": ["-c", "import pymc"]}, repeats
    )
    both, alone = (np.median(np.array(times[name]), axis=0) for name in ("both", "pymc"))
    # Whatever PyTensor compiles it leaves in this directory, which is empty at first.
    process(
        [
            "-c",
            "import pymc, pytensor, sys, pathlib; "
            "found = lambda: {*pathlib.Path(pytensor.config.compiledir).rglob('*')}; "
            "before = found(); import pymle; assert 'jax' not in sys.modules and found() == before",
        ]
    )
    note = "JAX is not imported and nothing is compiled (checked)"
    return [
        Row("import pymc", float(alone[0])),
        Row("import pymle adds", float(both[0] - alone[0]), bar="less than 1 s", note=note),
        Row("import pymle adds", float(both[1] - alone[1]), "s CPU"),
    ]


def refit(n=1000, k=5, repeats=50, peer_repeats=3):
    """A refit of a compiled model against a second `pm.find_MAP` in the same process."""
    import pymc as pm

    import pymle
    from tests.benchmarks.models import logistic, logistic_data

    X, y = logistic_data(n, k)
    model = logistic(X, y)
    compiled = pymle.compile(model)
    compiled.fit(progressbar=False)
    others = [dict(zip("XY", logistic_data(n, k, seed), strict=True)) for seed in range(2, 7)]
    fresh = iter(others * (repeats // len(others) + 1))
    *same, fit = clocks(lambda: compiled.fit(progressbar=False), repeats)
    *new, _ = clocks(lambda: compiled.fit(data=next(fresh), progressbar=False), repeats)
    first, _ = seconds(lambda: pm.find_MAP(model=model, progressbar=False))
    *later, _ = clocks(lambda: pm.find_MAP(model=model, progressbar=False), peer_repeats)
    rows = [Row("pm.find_MAP, first call", first)]
    for clock, unit in enumerate(("s", "s CPU")):
        rows.append(Row("pm.find_MAP, later calls", later[clock], unit))
        for what, took in (("refit, same data", same), ("refit, new data", new)):
            rows.append(
                Row(
                    what,
                    took[clock],
                    unit,
                    ratio=later[clock] / took[clock],
                    peer="a later pm.find_MAP / refit",
                    bar="at least 100",
                    note=fit.verdict.status.name.lower(),
                )
            )
    return rows


def large(n=1_000_000, k=20, repeats=3):
    """A large logistic regression against statsmodels, compilation counted and not."""
    import statsmodels.api as sm

    import pymle
    from tests.benchmarks.models import logistic, logistic_data

    X, y = logistic_data(n, k)
    design = sm.add_constant(X)
    model = logistic(X, y)
    refits = pymle.compile(model)
    runs = {
        "cold": lambda: pymle.find_MLE(model, progressbar=False),
        "GLM": lambda: sm.GLM(y, design, family=sm.families.Binomial()).fit(),
        "Logit": lambda: sm.Logit(y, design).fit(disp=0),
        "warm": lambda: refits.fit(progressbar=False),
    }
    first, _ = seconds(runs["cold"])  # JAX is imported here
    runs["warm"]()
    walls, cpus = {name: [] for name in runs}, {name: [] for name in runs}
    results = {}
    for repeat in range(repeats):
        for name in list(runs) if repeat % 2 == 0 else list(runs)[::-1]:
            wall, cpu, results[name] = clocks(runs[name])
            walls[name].append(wall)
            cpus[name].append(cpu)
    wall, cpu = ({k: statistics.median(v) for k, v in times.items()} for times in (walls, cpus))
    apart = max(abs(results[name].loglik - results["Logit"].llf) for name in ("cold", "warm"))
    note = f"{results['cold'].verdict.status.name.lower()}; log-likelihoods differ by {apart:.1g}"
    rows = [
        Row(f"statsmodels {peer}", wall[peer], note=f"{cpu[peer]:.2g} s CPU")
        for peer in ("GLM", "Logit")
    ]
    for what, took, text in (
        ("find_MLE, the first, with the import of JAX", first, note),
        ("find_MLE, compilation counted", wall["cold"], f"{cpu['cold']:.2g} s CPU"),
        ("refit of a compiled model", wall["warm"], f"{cpu['warm']:.2g} s CPU"),
    ):
        for peer, bar in (("GLM", "at least 4"), ("Logit", "more than 1 for the refit")):
            ratio = wall[peer] / took
            rows.append(Row(what, took, ratio=ratio, peer=f"{peer} / pymle", bar=bar, note=text))
    return rows


def parameters(groups=10_000, per_group=10, errors=True):
    """Many parameters, against the closed form; and the time of their standard errors."""
    import pymle
    from tests.benchmarks.models import count_data, poisson_effects

    group, counts = count_data(groups, per_group)
    model = poisson_effects(group, counts)
    took, fit = seconds(lambda: pymle.find_MLE(model, progressbar=False))
    total = np.bincount(group, counts)
    distance = np.abs(fit.point["effect"] - np.log(total / per_group)) * np.sqrt(total)
    status = fit.verdict.status.name.lower().replace("_", " ")
    note = f"{status}; at most {distance.max():.1g} SE from the closed form"
    rows = [Row(f"find_MLE, {groups:,} parameters, {len(counts):,} rows", took, note=note)]
    if errors:
        took, table = seconds(fit.summary)
        apart = np.abs(table["se"].to_numpy() * np.sqrt(total) - 1).max()
        note = f"relative distance from the closed form at most {apart:.1g}"
        rows.append(Row("their standard errors (fit.summary())", took, note=note))
    return rows


def bootstrap(n=1000, k=5, refits=1000, repeats=5):
    """Case resampling of a logistic regression against a loop of statsmodels fits.

    The peer resamples rows and calls `sm.Logit(...).fit(disp=0)` on arrays; its time for all
    refits is that of a fifth of them, times five.
    """
    import statsmodels.api as sm

    import pymle
    from tests.benchmarks.models import logistic, logistic_data

    X, y = logistic_data(n, k)
    fit = pymle.find_MLE(logistic(X, y), progressbar=False)

    def ours():
        return fit.bootstrap(refits, random_seed=1, progressbar=False)

    design, rng = sm.add_constant(X), np.random.default_rng(1)

    def loop(family=None):
        for _ in range(max(refits // 5, 1)):
            rows = rng.integers(0, n, n)
            if family is None:
                sm.Logit(y[rows], design[rows]).fit(disp=0)
            else:
                sm.GLM(y[rows], design[rows], family=family).fit()

    *first, boot = clocks(ours)
    loops, glms = [], []
    later = []
    for _ in range(repeats):
        # In turn, so that a busy moment hits all of them.
        later.append(clocks(ours)[:2])
        loops.append(clocks(loop)[:2])
        glms.append(clocks(lambda: loop(sm.families.Binomial()))[:2])
    rows = []
    seeds = next(iter(boot.draws.blocks(3)))[1].astype(int)
    picked = [np.repeat(np.arange(n), times) for times in seeds]
    exact = [sm.Logit(y[i], design[i]).fit(disp=0, tol=1e-12).params for i in picked]
    apart = np.abs(boot.replicates.to_numpy()[:3] - exact).max()
    for clock, unit in enumerate(("s", "s CPU")):
        loop_took, glm_took, took = (
            5 * float(np.median([each[clock] for each in loops])),
            5 * float(np.median([each[clock] for each in glms])),
            float(np.median([each[clock] for each in later])),
        )
        rows.append(Row(f"{refits:,} sm.Logit fits", loop_took, unit))
        rows.append(Row(f"{refits:,} sm.GLM fits", glm_took, unit))
        for what, seconds_, bar in (
            ("fit.bootstrap, compiled", took, "at least 20"),
            ("fit.bootstrap, compilation counted", first[clock], "at least 3"),
        ):
            rows.append(
                Row(
                    what,
                    seconds_,
                    unit,
                    ratio=loop_took / seconds_,
                    peer="the Logit loop",
                    bar=bar,
                    note=f"{glm_took / seconds_:.1f} times GLM; replicates agree to {apart:.1g}",
                )
            )
    return rows


def profiles(n=300, k=6, repeats=5):
    """Profile limits of every coefficient, in refits' worth of evaluations and of time.

    The peer is the loop that one would write oneself: Brent's method on the likelihood ratio, with
    a refit of a model with the coefficient as data (compiled once) at each of its steps.
    """
    import pymc as pm
    from scipy.optimize import brentq

    import pymle
    from tests.benchmarks.models import logistic, logistic_data

    X, y = logistic_data(n, k)
    fit = pymle.find_MLE(logistic(X, y), progressbar=False)
    refits = pymle.compile(logistic(X, y))
    refits.fit(progressbar=False)
    labels = [f"slope[x{i + 1}]" for i in range(k)]
    found = fit.profile(labels, progressbar=False)
    counts = dict(refits.fit(progressbar=False).record.evaluations)
    worst = max(
        max(one.evaluations[what] / counts[what] for what in ("value_and_score", "hessian"))
        for one in found.values()
    )
    took = clocks(lambda: fit.profile(labels, progressbar=False), repeats)[:2]
    refit = clocks(lambda: refits.fit(progressbar=False), repeats)[:2]

    with pm.Model() as model:
        others = pm.Normal("others", 0, 10, shape=k - 1)
        alpha = pm.Normal("alpha", 0, 10)
        offset = pm.Data("offset", np.zeros(n))
        pm.Bernoulli("y", logit_p=alpha + X[:, 1:] @ others + offset, observed=y)
    held = pymle.compile(model)
    one, steps = found[labels[0]], []

    def ratio(value):
        steps.append(value)
        there = held.fit(data={"offset": X[:, 0] * value}, progressbar=False)
        return 2 * (fit.loglik - there.loglik) - one.cutoff**2

    far = 2.5 * (one.upper - one.lower)

    def loop():
        return [brentq(ratio, one.estimate, one.estimate + side * far) for side in (-1.0, 1.0)]

    loop()
    steps.clear()
    *naive, ends = clocks(loop, 1)
    apart = max(abs(ends[0] - one.lower), abs(ends[1] - one.upper)) / one.se
    rows = [
        Row(
            "profile limits, most refits of a parameter",
            worst,
            "refits",
            bar="at most 12",
            note=f"evaluations; {np.mean([m.places for m in found.values()]):.1f} values each",
        )
    ]
    for clock, unit in enumerate(("s", "s CPU")):
        each = took[clock] / k
        rows.append(
            Row(
                "profile limits of one coefficient",
                each,
                unit,
                ratio=naive[clock] / each,
                peer=f"Brent's method, {len(steps)} refits",
                bar="faster",
                note=f"{each / refit[clock]:.1f} refits; limits agree to {apart:.1g} SE",
            )
        )
    return rows


CASES = {
    "cold": cold,
    "imports": imports,
    "refit": refit,
    "large": large,
    "parameters": parameters,
    "bootstrap": bootstrap,
    "profiles": profiles,
    "crossed": crossed,
    "quadrature": quadrature,
    "structures": structures,
    "starts": starts,
}


def run_apart(name):
    """Rows of a benchmark, in a process of its own so that none warms up another."""
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.benchmarks.cases import main; main({name!r})"],
        cwd=HERE.parents[1],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])]


def main(name):
    """Print the rows of a benchmark as JSON, on the last line."""
    print(json.dumps([row.as_dict() for row in CASES[name]()]))
