"""Bootstrap limits against closed forms, published values and SciPy."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymle
from tests.inference.bootstrapped import AIR, bootstrap, exponential, fit, logistic, normal

rng = np.random.default_rng(20240611)

# Efron and Tibshirani (1993), tables 14.1 and 3.1.
SPATIAL = np.concatenate(
    [
        [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6.0],
        [0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41.0],
    ]
)
LSAT = np.array([576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594.0])
GPA = np.array(
    [3.39, 3.3, 2.81, 3.03, 3.44, 3.07, 3, 3.43, 3.36, 3.13, 3.12, 2.74, 2.76, 2.88, 2.96]
)


@pytest.fixture(scope="module")
def air():
    return exponential(AIR)


@pytest.fixture(scope="module")
def regression():
    draws = np.random.default_rng(1)
    X = draws.normal(size=(120, 2))
    y = (draws.random(120) < 1 / (1 + np.exp(-(0.3 + X @ [1.0, -0.5])))).astype(int)
    return X, y, logistic(X, y)


def test_air_conditioning_against_the_book_and_scipy(air):
    """Davison and Hinkley (1997), with their own functions, now R's boot: R = 999.

    Example 5.4: percentile limits 43.9 and 192.1; example 5.8: BCa limits 55.33 and 243.5.
    The Monte Carlo error of a limit from 999 replicates is about 3 below and 12 above.
    """
    found = bootstrap(air, 9999, random_seed=1)
    percentile, bca = (found.conf_int(m).loc["mu"] for m in ("percentile", "bca"))
    assert percentile["lower"] == pytest.approx(43.9, abs=6)
    assert percentile["upper"] == pytest.approx(192.1, abs=15)
    assert bca["lower"] == pytest.approx(55.33, abs=6)
    assert bca["upper"] == pytest.approx(243.5, abs=25)
    for name, method in (("percentile", "percentile"), ("BCa", "bca"), ("basic", "basic")):
        theirs = stats.bootstrap(
            (AIR,), np.mean, n_resamples=9999, method=name, random_state=np.random.default_rng(0)
        ).confidence_interval
        ours = found.conf_int(method, scale="identity").loc["mu"]
        assert ours["lower"] == pytest.approx(theirs.low, abs=6)
        assert ours["upper"] == pytest.approx(theirs.high, abs=6)


def test_exponential_mean_has_exact_limits(air):
    """The simulated mean is a gamma variable, its ratio to the true one a pivot."""
    found = bootstrap(air, 4999, "parametric", random_seed=2)
    gamma = stats.gamma(12, scale=AIR.mean() / 12)
    np.testing.assert_allclose(
        found.conf_int("percentile").loc["mu", ["lower", "upper"]].astype(float),
        gamma.ppf([0.025, 0.975]),
        rtol=0.04,
    )
    # 65.9 and 209.2 (Davison and Hinkley 1997, example 2.11).
    exact = 24 * AIR.mean() / stats.chi2(24).ppf([0.975, 0.025])
    for method in ("studentized", "basic"):
        limits = found.conf_int(method).loc["mu"]
        assert limits["scale"] == "log"
        np.testing.assert_allclose(limits[["lower", "upper"]].astype(float), exact, rtol=0.04)
    np.testing.assert_allclose(
        found.conf_int("bca").loc["mu", ["lower", "upper"]].astype(float), exact, rtol=0.06
    )
    acceleration, text = found._accelerations
    assert acceleration[0] == pytest.approx(1 / (3 * np.sqrt(12)), abs=4 * np.sqrt(6 / 4999) / 6)
    assert "simulated" in text


def test_nonparametric_acceleration_is_that_of_the_jackknife(air):
    found = bootstrap(air, 50, random_seed=1)
    centred = AIR - AIR.mean()
    expected = np.sum(centred**3) / (6 * np.sum(centred**2) ** 1.5)  # 0.0938
    assert found._accelerations[0][0] == pytest.approx(expected, rel=1e-9)


def test_studentised_limits_of_a_mean(air):
    """Each replicate in units of its own sqrt(sum (y - mean)^2) / n."""
    found = bootstrap(air, 400, random_seed=5)
    limits = found.conf_int("studentized", scale="identity").loc["mu"]
    factors = np.concatenate([block for _, block in found.draws.blocks(400)])
    mean = factors @ AIR / 12
    se = np.sqrt(factors @ AIR**2 / 12 - mean**2) / np.sqrt(12)
    t = np.sort((mean - AIR.mean()) / se)
    own = AIR.std() / np.sqrt(12)
    place = (401 * 0.025, 401 * 0.975)
    inside = [t[int(p) - 1] for p in place], [t[int(p)] for p in place]
    assert AIR.mean() - own * inside[1][1] <= limits["lower"] <= AIR.mean() - own * inside[0][1]
    assert AIR.mean() - own * inside[1][0] <= limits["upper"] <= AIR.mean() - own * inside[0][0]


def test_variance_of_spatial_data_against_efron_and_tibshirani():
    """Table 14.2, 90%: percentile 100.8 and 233.9, BCa 115.8 and 259.6 (2000 replicates)."""
    found = bootstrap(normal(SPATIAL), 4999, what={"variance": "sigma**2"}, random_seed=1)
    assert found.estimate["variance"] == pytest.approx(171.534, abs=1e-3)
    limits = {m: found.conf_int(m, 0.90).iloc[0] for m in ("percentile", "bca")}
    assert limits["percentile"]["lower"] == pytest.approx(100.8, abs=5)
    assert limits["percentile"]["upper"] == pytest.approx(233.9, abs=5)
    assert limits["bca"]["lower"] == pytest.approx(115.8, abs=5)
    assert limits["bca"]["upper"] == pytest.approx(259.6, abs=10)
    # Their acceleration and bias correction: 0.061 and 0.146.
    assert found._accelerations[0][0] == pytest.approx(0.061, abs=5e-4)


def test_law_school_correlation_against_efron_and_tibshirani():
    """Standard error 0.132 (their table 6.1), 90% BCa limits 0.410 and 0.923 (page 266).

    The percentile limits are those of the correlations of so many resamples.
    """
    data = np.column_stack([(LSAT - 600) / 40, (GPA - 3) / 0.25])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10, shape=2)
        sd = pm.HalfNormal("sd", 10, shape=2)
        rho = pm.Uniform("rho", -1, 1)
        pm.Normal("lsat", mu[0], sd[0], observed=data[:, 0])
        slope = rho * sd[1] / sd[0]
        pm.Normal(
            "gpa",
            mu[1] + slope * (data[:, 0] - mu[0]),
            sd[1] * pm.math.sqrt(1 - rho**2),
            observed=data[:, 1],
        )
    found = bootstrap(fit(model), 3999, what="rho", random_seed=1)
    assert "15 rows of `lsat`, `gpa`" in found.text
    assert found.estimate["rho"] == pytest.approx(0.7763744912894071, abs=1e-8)
    assert found.se["rho"] == pytest.approx(0.132, abs=0.012)
    factors = np.concatenate([block for _, block in found.draws.blocks(3999)])
    mean = factors @ data / 15
    second = np.einsum("bi,ij,ik->bjk", factors, data, data) / 15
    second -= mean[:, :, None] * mean[:, None, :]
    exact = second[:, 0, 1] / np.sqrt(second[:, 0, 0] * second[:, 1, 1])
    np.testing.assert_allclose(found.replicates["rho"], exact, atol=1e-8)
    limits = found.conf_int("bca", 0.90).loc["rho"]
    assert limits["lower"] == pytest.approx(0.410, abs=0.05)
    assert limits["upper"] == pytest.approx(0.923, abs=0.015)


def test_percentiles_interpolate_as_boot_does():
    """`boot:::norm.inter(1:99, c(.025, .975))` is places 2.5 and 97.5 on the normal scale."""
    from pymle.inference.bootstrap.limits import quantiles

    values = np.arange(1.0, 100.0)
    low, high = quantiles(values, np.array([0.025, 0.975]))
    z = stats.norm.ppf
    share = (z(0.025) - z(0.02)) / (z(0.03) - z(0.02))
    assert low == pytest.approx(2 + share, abs=1e-12)
    assert high == pytest.approx(100 - low, abs=1e-9)
    assert quantiles(values, np.array([0.05]))[0] == 5.0
    assert quantiles(np.array([1.0, 2.0, np.inf]), np.array([0.25, 0.5, 0.7])).tolist() == [
        1.0, 2.0, np.inf,
    ]  # fmt: skip


def test_replicates_on_the_edge_are_infinitely_far():
    """Three events in ten: zero events in exp(-3) of the replicates, whose error is infinite."""
    with pm.Model() as model:
        pm.Poisson("y", pm.HalfNormal("mean"), observed=[1, 0, 0, 1, 0, 0, 0, 1, 0, 0])
    found = bootstrap(fit(model), 999, "parametric", random_seed=1)
    counts = np.round(10 * found.replicates["mean"])
    assert np.mean(counts == 0) > 0.03
    limits = found.conf_int("studentized").loc["mean"]
    assert limits["upper"] == np.inf
    assert limits["replicates"] == 999
    with np.errstate(all="ignore"):  # the standard error of a log mean is 1 / sqrt(events)
        away = np.log(counts / 3)
        t = np.sort(np.where(counts > 0, away * np.sqrt(counts), -np.inf))
    assert limits["lower"] == pytest.approx(0.3 * np.exp(-t[974] / np.sqrt(3)), rel=1e-6)


def test_a_limit_beyond_the_last_replicate_is_said(air):
    """An exponential mean of 12 hours is skewed: the upper tail of 0.005 moves further out."""
    found = bootstrap(air, 99, "parametric", random_seed=1)
    with pytest.warns(pymle.Notice, match=r"first or last is a bca limit of `mu`"):
        table = found.conf_int("bca", 0.99)
    assert table.loc["mu", "upper"] == found.replicates["mu"].max()
    with pytest.warns(pymle.Notice, match=r"percentile limit of `mu`"):
        found.conf_int("percentile", 0.99)
