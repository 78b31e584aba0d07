"""Labels, selections, containers, printed forms."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

import pymle

GOLDEN = Path(__file__).parent / "golden"
COORDS = {"site": ["a", "b"], "kind": ["x", "y", "z"], "year": [2001, 2002]}


@pytest.fixture(scope="module")
def table_model():
    """Cell means of a two-way layout, with entries of every kind of label."""
    values = np.arange(24.0).reshape(4, 2, 3) ** 1.5
    with pm.Model(coords=COORDS) as model:
        cell = pm.Normal("cell", 0, 10, dims=("site", "kind"))
        trend = pm.Normal("trend", 0, 10, dims="year")
        plain = pm.Normal("plain", 0, 10, shape=2)
        scale = pm.HalfNormal("scale", 10)
        pm.Deterministic("cell_total", cell.sum())
        pm.Deterministic("row", cell.sum(axis=1), dims="site")
        pm.Deterministic("long", trend[0] + np.arange(60))
        pm.Normal("y", cell, scale, observed=values)
        pm.Normal("t", trend, 1.0, observed=[1.0, 2.0], dims="year")
        pm.Normal("u", plain, 1.0, observed=[3.0, 4.0])
    return model


@pytest.fixture(scope="module")
def table_fit(table_model):
    return pymle.find_MLE(table_model)


def test_labels(table_fit):
    cells = [f"cell[{s}, {k}]" for s in "ab" for k in "xyz"]
    labels = [*cells, "trend[2001]", "trend[2002]", "plain[0]", "plain[1]", "scale"]
    table = table_fit.summary()
    assert list(table.index[: len(labels)]) == labels
    assert list(table.columns) == ["estimate", "se", "z", "p", "lower", "upper"]
    assert list(table_fit.covariance().columns) == labels
    assert list(table_fit.covariance("unconstrained").columns) == labels
    assert {"cell_total", "row[a]", "row[b]"} <= set(table.index)


def test_deterministics_of_more_than_fifty_entries_are_lazy(table_fit):
    assert not any(label.startswith("long") for label in table_fit.summary().index)
    asked = table_fit.summary(var_names="long")
    assert len(asked) == 60
    np.testing.assert_allclose(asked["estimate"], 1.0 + np.arange(60), rtol=1e-9)
    np.testing.assert_allclose(asked["se"], 1.0, rtol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"var_names": "scale"}, ["scale"]),
        ({"var_names": ["plain", "scale"]}, ["plain[0]", "plain[1]", "scale"]),
        (
            {"var_names": ["cel"], "filter_vars": "like", "coords": {"site": "a", "kind": "z"}},
            ["cell[a, z]", "cell_total"],
        ),
        ({"var_names": ["^r.w$"], "filter_vars": "regex"}, ["row[a]", "row[b]"]),
        ({"var_names": "trend", "coords": {"year": 2002}}, ["trend[2002]"]),
        (
            {"var_names": "cell", "coords": {"kind": ["x", "z"], "site": ["b"]}},
            ["cell[b, x]", "cell[b, z]"],
        ),
    ],
)
def test_selections(table_fit, arguments, expected):
    assert list(table_fit.summary(**arguments).index) == expected
    assert list(table_fit.conf_int(**arguments).index) == expected


def test_a_tilde_leaves_out(table_fit):
    kept = table_fit.summary(var_names=["~cell", "~plain"]).index
    assert "scale" in kept
    assert not any(label.startswith(("cell[", "plain")) for label in kept)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"var_names": "scal"}, "unknown name `scal`.*Did you mean `scale`"),
        ({"coords": {"sites": "a"}}, "unknown name `sites`.*Did you mean `site`"),
        ({"coords": {"site": "c"}}, "coords of `site`.*unknown name `c`"),
        ({"level": 1.5}, "`level` = 1.5: expected a number between 0 and 1"),
        ({"filter_vars": "glob"}, "`filter_vars` = 'glob'"),
    ],
)
def test_selections_that_do_not_fit(table_fit, arguments, text):
    with pytest.raises(pymle.AnalysisError, match=text):
        table_fit.summary(**arguments)


def test_level_moves_the_limits(table_fit):
    half = {}
    for level in (0.5, 0.95):
        row = table_fit.summary(var_names="plain", level=level).iloc[0]
        half[level] = (row["upper"] - row["lower"]) / 2
    np.testing.assert_allclose(half[0.5], 0.6744897501960817, rtol=1e-8)
    np.testing.assert_allclose(half[0.95], 1.959963984540054, rtol=1e-8)


def test_params_are_xarray_with_the_models_dims_and_coords(table_fit):
    params = table_fit.params
    assert isinstance(params, xr.Dataset)
    assert params["cell"].dims == ("site", "kind")
    np.testing.assert_allclose(
        params["cell"].sel(site="b", kind="y"), np.mean((np.arange(4) * 6.0 + 4) ** 1.5)
    )
    np.testing.assert_allclose(params["trend"].sel(year=2002), 2.0, rtol=1e-9)
    assert params["scale"].ndim == 0


def test_point_is_a_natural_scale_start(table_model, table_fit):
    point = table_fit.point
    assert list(point) == ["cell", "trend", "plain", "scale"]
    assert all(isinstance(value, np.ndarray) for value in point.values())
    again = pymle.find_MLE(table_model, start=point)
    np.testing.assert_allclose(again.loglik, table_fit.loglik, rtol=1e-12)
    assert pymle.compile(table_model).logp(point) == pytest.approx(table_fit.loglik, rel=1e-12)


def test_information_is_the_inverse_covariance(table_fit):
    product = table_fit.information.to_numpy() @ table_fit.covariance("unconstrained").to_numpy()
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-9)
    with pytest.raises(pymle.AnalysisError, match='"natural" or "unconstrained"'):
        table_fit.covariance(scale="log")


def test_the_record_says_what_ran(table_fit):
    record = table_fit.record
    assert record.route == "jax"
    assert record.route_reason == ""
    assert record.hessian == "exact"
    assert record.method
    assert record.iterations >= 0
    assert record.evaluations
    assert record.termination
    assert set(record.start) == set(record.end) == set(table_fit.point)
    assert record.end_value == table_fit.loglik >= record.start_value
    for seconds in (record.seconds_lower, record.seconds_compile, record.seconds_solve):
        assert seconds >= 0


def test_names_with_spaces_and_bars():
    with pm.Model(coords={"group": ["north west", "a|b"]}) as model:
        effect = pm.Normal("1|group", 0, 5, dims="group")
        pm.Normal("y", effect, 1.0, observed=[1.0, 2.0])
    fit = pymle.find_MLE(model, fixed={"1|group[a|b]": 0.5})
    assert list(fit.summary().index) == ["1|group[north west]"]
    np.testing.assert_allclose(fit.params["1|group"], [1.0, 0.5], rtol=1e-10)


def test_a_deterministic_of_observations_is_left_out_of_the_table():
    x = np.arange(5.0)
    with pm.Model(coords={"obs": range(5)}) as model:
        slope = pm.Normal("slope", 0, 1)
        mu = pm.Deterministic("mu", slope * x, dims="obs")
        pm.Deterministic("twice", 2 * slope)
        pm.Normal("y", mu, 1.0, observed=x, dims="obs")
    fit = pymle.find_MLE(model)
    assert list(fit.summary().index) == ["slope", "twice"]
    asked = fit.summary(var_names="mu")
    assert list(asked.index) == [f"mu[{i}]" for i in range(5)]
    np.testing.assert_allclose(asked["se"], x / np.sqrt(30), rtol=1e-8)


# ----- printed forms -----------------------------------------------------------------------


def golden_fits():
    """Small fits whose numbers are closed forms, so that printed digits agree everywhere."""
    y = np.array([-1.0, 2.0, 1.0, 5.0, 3.0])
    with pm.Model() as normal:
        mu, sigma = pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5)
        pm.Deterministic("ratio", mu / sigma)
        pm.Normal("y", mu, sigma, observed=y)
    with pm.Model(coords={"kind": ["a", "b", "c"]}) as counts:
        rate = pm.Gamma("rate", 2, 1, dims="kind")
        pm.Poisson("y", rate, observed=[[1, 2, 6], [3, 2, 4]])
    with pm.Model() as mode:
        pm.Binomial("y", 12, pm.Beta("p", 3, 5), observed=[4, 7])
    with pm.Model() as edge:
        pm.Binomial("first", 10, pm.Beta("p", 1, 1), observed=[0])
        pm.Binomial("second", 10, pm.Beta("q", 1, 1), observed=[4])
    return {
        "normal": lambda: pymle.find_MLE(normal, n_starts=1),
        "held": lambda: pymle.find_MLE(counts, n_starts=1, fixed={"rate[b]": 2.5}),
        "mode": lambda: pymle.find_MAP(mode, n_starts=1),
        "edge": lambda: pymle.find_MLE(edge, n_starts=1),
    }


def steady(text):
    """A number that is zero but for rounding written as zero, with the width of its column."""
    lines = text.splitlines()
    tiny = re.compile(r"-?\d(\.\d+)?e-(1[2-9]|[2-9]\d|\d{3})\b")
    for i, line in enumerate(lines):
        if tiny.search(line):
            lines[i] = re.sub(" +", " ", tiny.sub("0", line))
    return "\n".join(line.rstrip() for line in lines)


@pytest.mark.filterwarnings("ignore::pymle.NotCertifiedWarning")
@pytest.mark.parametrize("name", ["normal", "held", "mode", "edge"])
@pytest.mark.parametrize("form", ["txt", "html"])
def test_printed_forms_against_golden_files(name, form):
    fit = golden_fits()[name]()
    found = repr(fit) if form == "txt" else fit._repr_html_()
    expected = (GOLDEN / f"{name}.{form}").read_text(encoding="utf-8")
    assert steady(found) == expected.rstrip()


def test_roles_table_against_a_golden_file():
    with pm.Model(coords={"group": ["a", "b", "c"]}) as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        z = pm.Normal("z", 0, 1, dims="group")
        pm.Normal("idle", 0, 1)
        theta = pm.Deterministic("theta", mu + tau * z, dims="group")
        pm.Potential("ridge", -0.5 * mu**2)
        pm.Normal("y", theta, pm.Data("se", [1.0, 2.0, 1.5]), observed=[1.0, 0.0, 3.0])
    expected = (GOLDEN / "roles.txt").read_text(encoding="utf-8")
    assert repr(pymle.roles(model)).rstrip() == expected.rstrip()


def test_summary_is_a_pandas_frame(table_fit):
    for table in (table_fit.summary(), table_fit.conf_int(), table_fit.correlation()):
        assert isinstance(table, pd.DataFrame)
