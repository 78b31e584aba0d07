"""Replicates, their spread and limits, against refits, closed forms and published values."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest

import pymle
from pymle.errors import AnalysisError
from tests.inference.bootstrapped import AIR, bootstrap, exponential, fit, logistic, normal

rng = np.random.default_rng(20240611)


@pytest.fixture(scope="module")
def air():
    return exponential(AIR)


@pytest.fixture(scope="module")
def regression():
    draws = np.random.default_rng(1)
    X = draws.normal(size=(120, 2))
    y = (draws.random(120) < 1 / (1 + np.exp(-(0.3 + X @ [1.0, -0.5])))).astype(int)
    return X, y, logistic(X, y)


# ----- replicates ----------------------------------------------------------------------------


def test_replicates_are_fits_to_the_resamples(regression):
    X, y, fitted = regression
    found = bootstrap(fitted, 130, random_seed=7)
    assert found.kind == "case"
    assert (found.status == "maximum").all()
    seed = np.random.SeedSequence(7, spawn_key=(1,))
    factors = found.draws.scheme.draw(np.random.default_rng(seed), 100)
    for i in (0, 13, 29):
        rows = np.repeat(np.arange(len(y)), factors[i].astype(int))
        own = logistic(X[rows], y[rows])
        expected = [own.point["a"], *own.point["b"]]
        np.testing.assert_allclose(found.replicates.iloc[100 + i], expected, atol=1e-8)


def test_a_seed_repeats_the_replicates_also_of_a_longer_run(regression):
    fitted = regression[2]
    one, two = (bootstrap(fitted, n, random_seed=3) for n in (60, 160))
    pd.testing.assert_frame_equal(one.replicates, two.replicates.iloc[:60])
    other = bootstrap(fitted, 60)
    again = bootstrap(fitted, 60, random_seed=other.random_seed)
    pd.testing.assert_frame_equal(other.replicates, again.replicates)
    assert not np.allclose(one.replicates, other.replicates)


def test_parametric_replicates_are_fits_to_simulated_data(regression):
    X, _, fitted = regression
    one, two = (bootstrap(fitted, n, "parametric", random_seed=3) for n in (40, 140))
    pd.testing.assert_frame_equal(one.replicates, two.replicates.iloc[:40])
    _, block = next(iter(one.draws.blocks(40)))
    for i in (0, 39):
        own = logistic(X, block["y"][i])
        np.testing.assert_allclose(
            one.replicates.iloc[i], [own.point["a"], *own.point["b"]], atol=1e-8
        )


def test_normal_sample_has_closed_forms():
    y = rng.normal(3, 2, size=30)
    fitted = normal(y)
    found = bootstrap(fitted, 300, random_seed=1)
    seed = np.random.SeedSequence(1, spawn_key=(0,))
    factors = found.draws.scheme.draw(np.random.default_rng(seed), 100)
    mean = factors @ y / 30
    np.testing.assert_allclose(found.replicates["mu"][:100], mean, rtol=1e-10)
    sd = np.sqrt(factors @ y**2 / 30 - mean**2)
    np.testing.assert_allclose(found.replicates["sigma"][:100], sd, rtol=1e-9)
    # The standard deviation of 300 replicates is good to 1/sqrt(600).
    assert found.se["mu"] == pytest.approx(y.std() / np.sqrt(30), rel=4 / np.sqrt(600))
    assert found.bias["mu"] == pytest.approx(0, abs=4 * y.std() / 30)


@pytest.mark.filterwarnings("ignore:Of 12 replicates:pymle.Notice")
def test_interpreted_route_and_processes_give_the_same():
    x = rng.normal(size=40)
    y = rng.poisson(np.exp(0.5 + 0.3 * x))
    with pm.Model() as model:
        a = pm.Normal("a")
        b = pm.Normal("b")
        pm.Poisson("y", pm.math.exp(a + b * x), observed=y)
    compiled, interpreted = fit(model), fit(model, backend="pytensor")
    for kind in ("case", "parametric"):
        one = bootstrap(compiled, 12, kind, random_seed=1)
        two = bootstrap(interpreted, 12, kind, random_seed=1)
        assert "compiled" in one.outcome.route
        assert "compiled" not in two.outcome.route
        np.testing.assert_allclose(one.replicates, two.replicates, atol=1e-8)
        np.testing.assert_allclose(
            one.conf_int("bca")[["lower", "upper"]],
            two.conf_int("bca")[["lower", "upper"]],
            atol=1e-6,
        )
    apart = bootstrap(interpreted, 12, "case", random_seed=1, processes=2)
    again = bootstrap(interpreted, 12, "case", random_seed=1)
    pd.testing.assert_frame_equal(apart.replicates, again.replicates)


# ----- what is drawn -------------------------------------------------------------------------


def test_clusters_against_the_cluster_robust_errors():
    groups = np.repeat(np.arange(60), 5)
    x = rng.normal(size=60)[groups]
    y = 1 + 0.5 * x + rng.normal(size=60)[groups] + rng.normal(size=300)
    with pm.Model() as model:
        a = pm.Normal("a", 0, 10)
        b = pm.Normal("b", 0, 10)
        pm.Normal("y", a + b * x, pm.HalfNormal("sigma", 5), observed=y)
    fitted = fit(model)
    found = bootstrap(fitted, 1000, clusters=groups, random_seed=1)
    assert found.kind == "cluster"
    assert "60 clusters" in found.text
    robust = fitted.summary(cov="CR0", clusters=groups)["se"]
    np.testing.assert_allclose(found.se[["a", "b"]], robust[["a", "b"]], rtol=0.12)
    rows = bootstrap(fitted, 200, random_seed=1)
    assert rows.se["a"] < 0.7 * found.se["a"]
    own, _ = found._errors
    np.testing.assert_allclose(own[:2], robust[["a", "b"]], rtol=1e-6)
    assert found.conf_int("bca").notna().all(axis=None)


def test_bayesian_weights_spread_as_the_sandwich():
    x = rng.normal(size=150)
    y = 1 + 0.5 * x + (0.3 + np.abs(x)) * rng.normal(size=150)
    with pm.Model() as model:
        a = pm.Normal("a", 0, 10)
        b = pm.Normal("b", 0, 10)
        pm.Normal("y", a + b * x, pm.HalfNormal("sigma", 5), observed=y)
    fitted = fit(model)
    found = bootstrap(fitted, 1000, "bayesian", random_seed=1)
    robust = fitted.summary(cov="sandwich")["se"]
    np.testing.assert_allclose(found.se, robust, rtol=0.12)
    factors = np.concatenate([block for _, block in found.draws.blocks(20)])
    np.testing.assert_allclose(factors.sum(axis=1), 150)
    with pytest.raises(AnalysisError, match="percentile"):
        found.conf_int("bca")


def test_strata_keep_their_sizes(regression):
    _, y, fitted = regression
    found = bootstrap(fitted, 50, strata=y, random_seed=1)
    assert found.kind == "stratified"
    factors = next(iter(found.draws.blocks(50)))[1]
    np.testing.assert_allclose(factors @ y, y.sum())
    np.testing.assert_allclose(factors.sum(axis=1), len(y))


def test_blocks_of_a_series():
    """The standard error of the mean of an AR(1) series, against that of its long-run variance."""
    n, phi = 600, 0.6
    noise = np.random.default_rng(4).normal(size=n + 100)
    series = np.zeros(n + 100)
    for t in range(1, n + 100):
        series[t] = phi * series[t - 1] + noise[t]
    fitted = normal(series[100:])
    rows = bootstrap(fitted, 400, random_seed=1)
    expected = 1 / (1 - phi) / np.sqrt(n)
    for kind in ("block", "moving-block"):
        found = bootstrap(fitted, 400, kind, block_length=25, random_seed=1)
        assert "25 rows" in found.text
        assert found.se["mu"] == pytest.approx(expected, rel=0.25)
        assert found.se["mu"] > 1.5 * rows.se["mu"]
        factors = next(iter(found.draws.blocks(5)))[1]
        np.testing.assert_array_equal(factors.sum(axis=1), n)
    with pytest.raises(AnalysisError, match="block_length"):
        bootstrap(fitted, 10, block_length=n)


def test_frequency_weights_stand_for_observations():
    counts = np.array([3, 1, 2, 4, 0, 5])
    y = np.array([1.0, 2.0, 4.0, 5.0, 7.0, 9.0])
    weighted, expanded = normal(y, weights=counts), normal(np.repeat(y, counts))
    one = bootstrap(weighted, 2000, random_seed=1)
    two = bootstrap(expanded, 2000, random_seed=2)
    assert "15" in one.text
    np.testing.assert_allclose(one.se, two.se, rtol=0.08)
    for method in ("studentized", "bca"):
        ours, theirs = (b.conf_int(method).loc["mu", ["lower", "upper"]] for b in (one, two))
        np.testing.assert_allclose(ours.astype(float), theirs.astype(float), atol=0.5)
    own = np.repeat(y, counts)
    assert one._errors[0][0] == pytest.approx(own.std() / np.sqrt(15), rel=1e-8)
    # Jackknife values of an observation that is there three times, three times.
    a = [b._accelerations[0][0] for b in (one, two)]
    assert a[0] == pytest.approx(a[1], abs=1e-8)
    with pytest.raises(AnalysisError, match="frequency weight"):
        bootstrap(weighted, 10, "parametric")


def test_shared_rows_are_drawn_together_and_others_apart():
    x, z = rng.normal(size=(2, 20))
    w = rng.normal(size=31)
    with pm.Model(coords={"row": range(20)}) as model:
        mu = pm.Normal("mu", 0, 10, shape=3)
        pm.Normal("x", mu[0], 1, observed=x, dims="row")
        pm.Normal("z", mu[1], 1, observed=z, dims="row")
        pm.Normal("w", mu[2], 1, observed=w)
    found = bootstrap(fit(model), 30, random_seed=1)
    factors = next(iter(found.draws.blocks(30)))[1]
    assert factors.shape[1] == 51
    np.testing.assert_array_equal(factors[:, :20].sum(axis=1), 20)
    expected = np.column_stack(
        [factors[:, :20] @ x / 20, factors[:, :20] @ z / 20, factors[:, 20:] @ w / 31]
    )
    np.testing.assert_allclose(found.replicates, expected, atol=1e-10)


def test_dependent_data_are_simulated():
    t = np.arange(12.0)
    cov = np.exp(-np.abs(t[:, None] - t)) + 0.1 * np.eye(12)
    y = np.linalg.cholesky(cov) @ rng.normal(size=12)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.MvNormal("y", mu * np.ones(12), cov, observed=y)
    fitted = fit(model)
    found = bootstrap(fitted, 500, random_seed=1)
    assert found.kind == "parametric"
    exact = 1 / np.sqrt(np.linalg.inv(cov).sum())
    assert found.se["mu"] == pytest.approx(exact, rel=4 / np.sqrt(1000))
    for kind in ("case", "block"):
        with pytest.raises(AnalysisError, match="parametric bootstrap"):
            bootstrap(fitted, 10, kind)


def test_constrained_supports_and_fixed_entries():
    counts = np.random.default_rng(0).multinomial(40, [0.5, 0.3, 0.2], size=15)
    with pm.Model(coords={"kind": ["u", "v", "w"]}) as model:
        p = pm.Dirichlet("p", np.ones(3), dims="kind")
        pm.Multinomial("n", n=40, p=p, observed=counts)
    found = bootstrap(fit(model), 60, random_seed=1)
    factors = next(iter(found.draws.blocks(60)))[1]
    expected = factors @ counts / (40 * 15)
    np.testing.assert_allclose(found.replicates, expected, atol=1e-8)
    data = found.to_xarray()
    assert data["p"].dims == ("replicate", "kind")
    assert list(data["kind"].values) == ["u", "v", "w"]
    assert found.conf_int("studentized").notna().all(axis=None)

    rows = np.random.default_rng(1).normal(size=(25, 2)) @ np.array([[1.0, 0.4], [0, 1]])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10, shape=2)
        chol, _, _ = pm.LKJCholeskyCov("chol", eta=1, n=2, sd_dist=pm.HalfNormal.dist(2))
        pm.MvNormal("y", mu, chol=chol, observed=rows)
    found = bootstrap(
        fit(model, fixed={"mu": [0.0, 0.0]}), 30, what="chol_corr[0, 1]", random_seed=1
    )
    factors = next(iter(found.draws.blocks(30)))[1]
    second = np.einsum("bi,ij,ik->bjk", factors, rows, rows) / 25
    expected = second[:, 0, 1] / np.sqrt(second[:, 0, 0] * second[:, 1, 1])
    np.testing.assert_allclose(found.replicates.to_numpy()[:, 0], expected, atol=1e-8)


# ----- what fails ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def separated():
    x = np.array([[-2.0], [-1.5], [-1.0], [-0.5], [0.2], [0.4], [0.8], [1.0], [1.6], [2.0]])
    return x, logistic(x, np.array([0, 0, 0, 1, 0, 1, 0, 1, 1, 1]))


def test_separated_resamples_are_infinite_and_counted(separated):
    x, fitted = separated
    y = np.array([0, 0, 0, 1, 0, 1, 0, 1, 1, 1])
    found = bootstrap(fitted, 300, random_seed=1)
    factors = np.concatenate([block for _, block in found.draws.blocks(300)]) > 0
    below = np.array([x[f & (y == 1)].min(initial=np.inf) for f in factors])
    above = np.array([x[f & (y == 0)].max(initial=-np.inf) for f in factors])
    apart = below >= above
    infinite = np.isinf(found.replicates["b[x1]"].to_numpy())
    constant = ~np.isfinite(below) | ~np.isfinite(above)  # one outcome alone: the intercept
    np.testing.assert_array_equal(infinite | constant, apart)
    assert (found.replicates["b[x1]"][infinite] == np.inf).mean() > 0.9
    assert found.failures.loc["no maximum", "refits"] == int((found.status == "no maximum").sum())
    assert found.failures.loc["no maximum", "used"] == "as infinite"
    assert "b[x1]" in found.failures.loc["no maximum", "parameters"]
    limits = found.conf_int().loc["b[x1]"]
    assert limits["upper"] == np.inf
    assert np.isfinite(limits["lower"])
    assert found.se["b[x1]"] == np.inf
    assert "as infinite" in repr(found)
    # A probability has a limit where the slope has none.
    share = found.of("exp(a + b[x1]) / (1 + exp(a + b[x1]))").replicates.to_numpy()
    assert np.isfinite(share).all()


def test_edge_of_a_support_is_an_estimate():
    """The share of successes: a resample without any is at zero."""
    y = np.array([1, 0, 0, 0, 0, 0, 0, 1])
    with pm.Model() as model:
        p = pm.Beta("p", 2, 2)
        pm.Bernoulli("y", p, observed=y)
    found = bootstrap(fit(model), 200, random_seed=1)
    factors = np.concatenate([block for _, block in found.draws.blocks(200)])
    np.testing.assert_allclose(found.replicates["p"], factors @ y / 8, atol=1e-8)
    assert found.failures.loc["boundary", "used"] == "at the edge of the support"
    assert found.conf_int().loc["p", "lower"] == 0.0


def test_kinks_are_estimates():
    y = rng.laplace(2, 1.5, 9)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Laplace("y", mu, 1, observed=y)
    with pytest.warns(pymle.NotCertifiedWarning):
        fitted = fit(model)
    found = bootstrap(fitted, 5, random_seed=1)
    factors = next(iter(found.draws.blocks(5)))[1].astype(int)
    expected = [np.median(np.repeat(y, f)) for f in factors]
    np.testing.assert_allclose(found.replicates["mu"], expected, atol=1e-5)


def test_fits_without_a_maximum_are_refused():
    x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    with pytest.warns(pymle.NotCertifiedWarning):
        fitted = logistic(x, np.array([0, 0, 1, 1]))
    with pytest.raises(AnalysisError, match="no maximum"):
        bootstrap(fitted, 10)


def test_potentials_are_refused():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("y", mu, 1, observed=np.arange(5.0))
        pm.Potential("more", -((mu - 1) ** 2))
    fitted = fit(model, potentials={"more": "likelihood"})
    for kind in ("case", "parametric"):
        with pytest.raises(AnalysisError, match="more"):
            bootstrap(fitted, 10, kind)
    penalised = pymle.find_MAP(model, potentials={"more": "prior"}, progressbar=False)
    found = bootstrap(penalised, 20, random_seed=1)
    factors = next(iter(found.draws.blocks(20)))[1]
    expected = (factors @ np.arange(5.0) + 2) / (5 + 2 + 1 / 100)
    np.testing.assert_allclose(found.replicates["mu"], expected, atol=1e-8)


def test_interruption_returns_what_is_done(air):
    from pymle.inference.bootstrap import bootstrap as run

    def stop(done, total):
        if done >= 200:
            raise KeyboardInterrupt

    found = run(air._fitted, 1000, random_seed=1, callback=stop)
    assert found.interrupted
    assert 100 <= found.n < 1000
    assert "Interrupted" in repr(found)
    whole = bootstrap(air, 1000, random_seed=1)
    pd.testing.assert_frame_equal(found.replicates, whole.replicates.iloc[: found.n])
    assert found.conf_int().notna().all(axis=None)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"kind": "jackknife"}, "kind"),
        ({"kind": "cluster"}, "clusters"),
        ({"kind": "stratified"}, "strata"),
        ({"kind": "case", "clusters": np.arange(12)}, "clusters"),
        ({"kind": "case", "block_length": 3}, "block_length"),
        ({"n": 1}, "n"),
        ({"random_seed": "a"}, "random_seed"),
        ({"strata": np.arange(3)}, "strata"),
        ({"processes": 0}, "processes"),
        ({"what": "nu"}, "nu"),
    ],
)
def test_arguments_that_do_not_go_together(air, options, text):
    with pytest.raises(AnalysisError, match=text):
        bootstrap(air, **options)


def test_limits_refuse_what_they_do_not_know(air):
    found = bootstrap(air, 20, random_seed=1)
    for options in ({"method": "abc"}, {"level": 2}, {"scale": "log"}):
        with pytest.raises(AnalysisError, match=next(iter(options))):
            found.conf_int(**options)


# ----- the surface ---------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Of .* replicates:pymle.Notice")
def test_limits_of_a_table(regression):
    fitted = regression[2]
    table = fitted.conf_int(method="bootstrap", n_boot=199, random_seed=1, progressbar=False)
    found = bootstrap(fitted, 199, random_seed=1)
    assert list(table.index) == ["a", "b[x1]", "b[x2]"]
    assert set(table["method"]) == {"bca, case"}
    np.testing.assert_allclose(
        table[["lower", "upper"]].astype(float), found.conf_int("bca")[["lower", "upper"]]
    )
    again = fitted.conf_int("b", method="bootstrap", bootstrap=found)
    np.testing.assert_allclose(again["lower"].astype(float), table["lower"].astype(float)[1:])
    one = fitted.conf_int(
        "a",
        method="bootstrap",
        bootstrap={"n": 99, "limits": "percentile", "random_seed": 1},
        progressbar=False,
    )
    assert one["method"].item() == "percentile, case"
    with pytest.raises(AnalysisError, match="another fit"):
        exponential(AIR).conf_int(method="bootstrap", bootstrap=found)


def test_quantities_and_pictures(air):
    found = bootstrap(air, 50, random_seed=1)
    more = found.of({"rate": "1/mu", "pair": lambda p: np.array([p["mu"], 2 * p["mu"]])})
    np.testing.assert_allclose(more.replicates["rate"], 1 / found.replicates["mu"], rtol=1e-10)
    assert list(more.labels) == ["rate", "pair[0]", "pair[1]"]
    axes = more.plot()
    assert len(axes) == 3
    assert found.plot().get_title() == "mu"
    summary = found.summary()
    assert list(summary.columns) == ["estimate", "bias", "se", "lower", "upper"]
    assert "mu" in found._repr_html_()
