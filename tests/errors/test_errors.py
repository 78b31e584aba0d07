"""Each error names the variable, what was seen, what was expected, and the next step."""

import warnings

import numpy as np
import pymc as pm
import pytensor
import pytest

import pymle

Y = np.array([0.3, -1.2, 2.2, 0.7])


def normal_model(y=Y, **names):
    with pm.Model(coords={"predictor": ["x1", "x2"]}) as model:
        beta = pm.Normal("beta", 0, 10, dims="predictor")
        sigma = pm.HalfNormal("sigma", 1)
        x = np.column_stack([np.ones(len(y)), np.arange(len(y))])
        pm.Normal("y", x @ beta, sigma, observed=y)
    return model


def says(error, *parts):
    """All parts stand in the message."""
    text = str(error.value)
    missing = [part for part in parts if part not in text]
    assert not missing, f"{missing} not in: {text}"


CALLS = [pymle.find_MLE, pymle.find_MAP, pymle.compile]


@pytest.mark.parametrize("call", CALLS)
def test_no_likelihood(call):
    with pm.Model() as model:
        pm.Normal("mu", 0, 1)
        pm.HalfNormal("sigma", 1)
    with pytest.raises(pymle.ModelError) as error:
        call(model)
    says(error, "no likelihood", "`mu`", "`sigma`", "observed=", "pm.Potential")


@pytest.mark.parametrize("call", CALLS)
def test_no_model(call):
    with pytest.raises(pymle.ModelError) as error:
        call()
    says(error, "No model", "with pm.Model()", "Pass the model")


def test_minibatch():
    with pm.Model() as model:
        batch = pm.Minibatch(np.arange(100.0), batch_size=10)
        pm.Normal("y", pm.Normal("mu", 0, 1), 1.0, observed=batch, total_size=100)
    with pytest.raises(pymle.ModelError) as error:
        pymle.find_MLE(model)
    says(error, "`y`", "Minibatch", "random", "full data")


def test_minibatch_of_a_covariate():
    with pm.Model() as model:
        x, y = pm.Minibatch(np.arange(100.0), np.arange(100.0), batch_size=10)
        pm.Normal("y", pm.Normal("b", 0, 1) * x, 1.0, observed=y, total_size=100)
    with pytest.raises(pymle.ModelError) as error:
        pymle.find_MLE(model)
    says(error, "`y`", "Minibatch", "full data")


def test_total_size_that_rescales():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 1), 1.0, observed=Y, total_size=400)
    with pytest.raises(pymle.ModelError) as error:
        pymle.find_MLE(model)
    says(error, "`y`", "total_size", "leave `total_size` out")


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinite_response(bad):
    y = Y.copy()
    y[2] = bad
    with pytest.raises(pymle.DataError) as error:
        pymle.find_MLE(normal_model(y))
    says(error, "`y`", "infinite", "row(s) 2", "finite numbers", "Remove or replace")


def test_nan_in_a_container():
    """PyMC looks for missing values when a container is made, not when it is refilled."""
    y = Y.copy()
    y[[1, 3]] = np.nan
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 1), 1.0, observed=pm.Data("data", Y))
    model["data"].set_value(y)
    with pytest.raises(pymle.DataError) as error:
        pymle.find_MLE(model)
    says(error, "2 NaN", "row(s) 1, 3", "np.isfinite")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_covariate(bad):
    x = np.arange(4.0)
    x[1] = bad
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("b", 0, 1) * pm.Data("x", np.arange(4.0)), 1.0, observed=Y)
    model["x"].set_value(x)
    with pytest.raises(pymle.DataError) as error:
        pymle.find_MLE(model)
    says(error, "`x`", "NaN" if np.isnan(bad) else "infinite", "row(s) 1")


def test_bad_covariate_that_the_graph_captured():
    x = np.arange(4.0)
    x[3] = np.nan
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("b", 0, 1) * x, 1.0, observed=Y)
    with pytest.raises(pymle.PymleError) as error:
        pymle.find_MLE(model)
    says(error, "NaN", "3")


def test_empty_data():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 1), 1.0, observed=np.zeros(0))
    with pytest.raises(pymle.DataError) as error:
        pymle.find_MLE(model)
    says(error, "`y`", "no data", "(0,)", "at least one")


def test_impossible_rows_at_every_start():
    """A negative value under an exponential law is impossible whatever the rate."""
    with pm.Model() as model:
        pm.Exponential("wait", pm.HalfNormal("lam", 1), observed=np.array([1.0, 2.0, -3.0, 4.0]))
    with pytest.raises(pymle.PointError) as error:
        pymle.find_MLE(model)
    says(error, "not finite at the start", "`wait`", "row(s) [2]", "-inf", "lam =", "`start=`")


def test_the_right_variable_is_named_among_several():
    with pm.Model() as model:
        p = pm.Beta("p", 1, 1)
        pm.Bernoulli("hits", p, observed=[0, 1])
        pm.Binomial("wins", 3, p, observed=np.array([1, 2, 5]))
    with pytest.raises(pymle.PointError) as error:
        pymle.find_MLE(model)
    says(error, "`wins`", "row(s) [2]")
    assert "`hits`" not in str(error.value)


def test_a_start_at_which_data_are_impossible():
    with pm.Model() as model:
        top = pm.HalfNormal("top", 10)
        pm.Uniform("y", 0, top, observed=np.array([0.5, 2.0]))
    with pytest.raises(pymle.PointError) as error:
        pymle.find_MLE(model, start={"top": 1.0})
    says(error, "`y`", "row(s) [1]", "top = 1", "`start=`")


@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_start_outside_the_support(value):
    with pytest.raises(pymle.PointError) as error:
        pymle.find_MLE(normal_model(), start={"sigma": value})
    says(error, "start", "`sigma`", f"{value:g}", "positive", "natural scale")


def test_start_outside_an_interval_shows_its_bounds():
    with pm.Model() as model:
        pm.Normal("y", pm.Uniform("mu", -2, 7), 1.0, observed=Y)
    with pytest.raises(pymle.PointError) as error:
        pymle.find_MLE(model, start={"mu": 8.0})
    says(error, "`mu`", "8", "between -2", "7")


def test_start_that_is_no_simplex():
    with pm.Model() as model:
        pm.Categorical("y", pm.Dirichlet("p", np.ones(3)), observed=[0, 1, 2])
    with pytest.raises(pymle.PointError) as error:
        pymle.find_MLE(model, start={"p": [0.5, 0.7, 0.1]})
    says(error, "`p`", "sum to 1")


@pytest.mark.parametrize("argument", ["start", "fixed"])
@pytest.mark.parametrize(
    ("name", "nearest"), [("sgima", "sigma"), ("bet", "beta"), ("beta[x3]", "beta[x")]
)
def test_unknown_names_suggest_the_nearest(argument, name, nearest):
    with pytest.raises(pymle.PointError) as error:
        pymle.find_MLE(normal_model(), **{argument: {name: 1.0}})
    says(error, f"{argument}: unknown name `{name}`", f"Did you mean `{nearest}", "Known:")


@pytest.mark.parametrize("argument", ["start", "fixed"])
@pytest.mark.parametrize(
    ("point", "parts"),
    [
        ({"beta": [1.0, 2.0, 3.0]}, ["`beta`", "(2,)", "(3,)", "by label"]),
        ({"sigma": np.nan}, ["`sigma`", "nan", "finite"]),
        ({"beta[x1]": np.inf}, ["`beta[x1]`", "inf", "finite"]),
        ({"beta[x1]": [1.0, 2.0]}, ["`beta[x1]`", "(2,)"]),
    ],
)
def test_values_that_do_not_fit(argument, point, parts):
    with pytest.raises(pymle.PointError) as error:
        pymle.find_MLE(normal_model(), **{argument: point})
    says(error, argument, *parts)


def test_fixed_outside_the_support():
    with pytest.raises(pymle.PointError) as error:
        pymle.find_MLE(normal_model(), fixed={"sigma": -0.5})
    says(error, "fixed", "`sigma`", "-0.5", "at least 0")


def test_fixed_above_the_support():
    with pm.Model() as model:
        p, q = pm.Beta("p", 1, 1), pm.Beta("q", 1, 1)
        pm.Bernoulli("y", p * q, observed=[0, 1])
    with pytest.raises(pymle.PointError) as error:
        pymle.find_MLE(model, fixed={"p": 1.5})
    says(error, "fixed", "`p`", "1.5", "at most 1")


def test_single_entries_of_a_simplex_cannot_be_held():
    with pm.Model() as model:
        pm.Categorical("y", pm.Dirichlet("p", np.ones(3)), observed=[0, 1, 2])
    with pytest.raises(pymle.PointError) as error:
        pymle.find_MLE(model, fixed={"p[0]": 0.2})
    says(error, "`p`", "sum to 1", "Fix the whole variable")


def test_everything_held():
    with pytest.raises(pymle.ModelError) as error:
        pymle.find_MLE(normal_model(), fixed={"beta": [0.0, 1.0], "sigma": 1.0})
    says(error, "Nothing to estimate", "every parameter is fixed", "Leave at least one")


@pytest.mark.parametrize("call", [pymle.find_MLE, pymle.find_MAP])
def test_random_effects_that_cannot_be_integrated(call):
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, shape=4)
        pm.Normal("y", theta, 1.0, observed=Y)
    with pytest.raises(pymle.ModelError) as error:
        call(model, backend="pytensor")
    says(error, "`theta`", "random effects", "find_MAP(model, random=[])")
    assert "`mu`" not in str(error.value)


def test_discrete_variable_without_a_greatest_value():
    with pm.Model() as model:
        n = pm.Poisson("n", 3.0)
        pm.Normal("y", pm.Normal("mu", 0, 1) + n, 1.0, observed=Y)
    with pytest.raises(pymle.ModelError) as error:
        pymle.find_MLE(model)
    says(error, "`n`", "discrete", "no greatest value", "pm.Truncated", "upper=", "`fixed=`")
    assert "`mu`" not in str(error.value)


def test_discrete_variable_may_be_held():
    with pm.Model() as model:
        z = pm.Bernoulli("z", 0.5)
        pm.Normal("y", pm.Normal("mu", 0, 1) + 2.0 * z, 1.0, observed=Y)
    fit = pymle.find_MLE(model, fixed={"z": 1})
    np.testing.assert_allclose(fit.params["mu"], Y.mean() - 2.0, rtol=1e-10)
    assert fit.nparams == 1


def test_simulator():
    def draw(rng, mu, size):
        return rng.normal(mu, 1, size)

    with warnings.catch_warnings(), pm.Model() as model:
        # PyMC 6 builds the simulator by a call that PyTensor 3 deprecates.
        warnings.simplefilter("ignore")
        pm.Simulator("y", draw, pm.Normal("mu", 0, 1), observed=Y)
    with pytest.raises(pymle.ModelError) as error:
        pymle.find_MLE(model)
    says(error, "`y`", "Simulator", "no log-density", "pm.sample_smc")


def test_single_precision():
    with pytensor.config.change_flags(floatX="float32"), pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 1), 1.0, observed=Y)
    with pytest.raises(pymle.ModelError) as error:
        pymle.find_MLE(model)
    says(error, "`mu`", "float32", 'floatX = "float64"', "before building")


def test_no_log_density():
    def draw(mu, size):
        return pm.math.floor(pm.Normal.dist(mu, 1, size=size) ** 3 + pm.Gamma.dist(2, 1))

    with pm.Model() as model:
        pm.CustomDist("y", pm.Normal("mu", 0, 1), dist=draw, observed=Y)
    with pytest.raises(pymle.ModelError) as error:
        pymle.find_MLE(model)
    says(error, "log-density", "logp=")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"method": "simplex"}, ["`method`", "'simplex'", "newton-cg"]),
        ({"backend": "numba"}, ["`backend`", "'numba'", "pytensor"]),
        ({"n_starts": 0}, ["`n_starts`", "0", "positive whole number"]),
        ({"on_problem": "ignore"}, ["`on_problem`", "'ignore'", '"raise"']),
    ],
)
def test_arguments_out_of_their_lists(arguments, parts):
    with pytest.raises(pymle.PymleError) as error:
        pymle.find_MLE(normal_model(), **arguments)
    says(error, *parts)


def test_on_problem_raise_carries_the_fit():
    with pm.Model() as model:
        logit = pm.Normal("b", 0, 1) * np.array([-2.0, -1.0, 1.0, 2.0])
        pm.Bernoulli("y", logit_p=logit, observed=[0, 0, 1, 1])
    with pytest.raises(pymle.NotCertifiedError) as error:
        pymle.find_MLE(model, on_problem="raise")
    fit = error.value.fit
    assert not fit.verdict.ok
    says(error, fit.verdict.status.value, "`b`", "pymle.find_MAP")


def test_every_error_is_a_pymle_error():
    for kind in (
        pymle.AnalysisError,
        pymle.DataError,
        pymle.ModelError,
        pymle.NotCertifiedError,
        pymle.PointError,
    ):
        assert issubclass(kind, pymle.PymleError)
    for kind in (pymle.NotCertifiedWarning, pymle.Notice):
        assert issubclass(kind, pymle.PymleWarning)
        assert issubclass(kind, UserWarning)
