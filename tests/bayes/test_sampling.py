"""Sampling from a fit: what is sampled, where chains start, what is refused.

Two short runs of PyMC's NUTS, interpreted in Python (nothing is compiled), are compared with
closed forms; everything else looks at the model and the plan that would be sampled.
"""

import re

import numpy as np
import pymc as pm
import pytest
from pytensor.compile.mode import Mode
from scipy import stats

import pymle
from pymle import AnalysisError, Notice
from pymle.bayes import sampling
from pymle.bayes.approximation import Approximation, posterior_of
from pymle.bayes.flat import with_flat_priors
from pymle.bayes.starts import dispersed_starts
from pymle.model.sampled import conditioned

QUIET = {"progressbar": False}
COUNTS = np.array([3, 1, 4, 1, 5, 9, 2, 6])
#: PyTensor's Python interpreter: slow to run, nothing to compile.
PLAIN = {"compile_kwargs": {"mode": Mode("py", "fast_compile")}}
#: PyMC writes some constants of its densities in single precision.
ROUGH = 1e-8
SHORT = {
    "draws": 400,
    "tune": 200,
    "chains": 2,
    "cores": 1,
    "random_seed": 1,
    "quiet": True,
    "progressbar": False,
    **PLAIN,
}
Z = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
SE = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def poisson():
    with pm.Model() as model:
        rate = pm.Gamma("rate", 2.0, 4.0)
        pm.Poisson("y", rate, observed=COUNTS)
    return model


def schools():
    with pm.Model(coords={"school": list("ABCDEFGH")}) as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        pm.Normal("y", theta, SE, observed=Z)
    return model


@pytest.fixture(scope="module")
def fit():
    return pymle.find_MLE(poisson(), **QUIET)


@pytest.fixture(scope="module")
def sampled(fit):
    with pytest.warns(Notice, match="Sampling with PyMC's NUTS. Each chain starts at a draw"):
        return fit.sample(sampler="pymc", **SHORT)


def _near_gamma(values, shape, rate):
    law = stats.gamma(shape, scale=1.0 / rate)
    chains, n = values.shape
    # About a third of the draws count as independent ones here.
    error = law.std() / np.sqrt(chains * n / 3)
    assert abs(values.mean() - law.mean()) < 4 * error
    assert values.std() == pytest.approx(law.std(), rel=0.15)


def test_the_posterior_under_the_priors_of_the_model(sampled):
    values = sampled.posterior["rate"].values
    assert values.shape == (2, 400)
    _near_gamma(values, COUNTS.sum() + 2, len(COUNTS) + 4)


def test_what_ran_is_recorded(sampled):
    attributes = sampled.posterior.attrs
    assert attributes["pymle_sampler"] == "pymc"
    assert "Laplace" in attributes["pymle_starts"]
    assert attributes["pymle_priors"] == "model"


def test_the_posterior_under_a_flat_prior_is_the_likelihood(fit):
    with pytest.warns(Notice, match="propriety of this posterior is not proven"):
        tree = fit.sample(sampler="pymc", priors="flat", **SHORT)
    _near_gamma(tree.posterior["rate"].values, COUNTS.sum() + 1, len(COUNTS))
    assert tree.posterior.attrs["pymle_priors"] == "flat"


def test_an_interrupted_run_returns_what_pymc_returns(fit):
    def stop(trace, draw):
        if draw.draw_idx > 40 and not draw.tuning:
            raise KeyboardInterrupt

    settings = {**SHORT, "chains": 1, "tune": 10, "draws": 300}
    with pytest.warns(Notice):
        tree = fit.sample(sampler="pymc", callback=stop, init="adapt_diag", **settings)
    assert 0 < tree.posterior.sizes["draw"] < 300


# ----- flat priors --------------------------------------------------------------------------


def _log_density(model):
    return model.compile_logp(mode=Mode("py", None))


def _flat(model, **given):
    return _log_density(with_flat_priors(pymle.find_MLE(model, **QUIET, **given)._fitted).model)


def test_flat_priors_leave_likelihood_and_jacobian():
    y = np.array([3.0, 5.5, 4.2, 7.1])
    with pm.Model() as model:
        mu = pm.Normal("mu", 1, 2)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=y)
    logp = _flat(model)
    for m, s in [(4.0, 1.0), (400.0, 0.01), (-3.0, 50.0)]:
        expected = stats.norm(m, s).logpdf(y).sum() + np.log(s)
        found = logp({"mu": np.array(m), "sigma_log__": np.log(s)})
        assert found == pytest.approx(expected, rel=ROUGH)


def test_flat_priors_are_flat_over_bounded_supports():
    with pm.Model() as model:
        p = pm.Beta("p", 2, 5)
        a = pm.TruncatedNormal("a", 0, 1, lower=-1, upper=3, shape=2)
        pm.Binomial("k", 10, p, observed=4)
        pm.Normal("y", a, 1.0, observed=np.array([0.5, 1.0]))
    logp = _flat(model)
    for u, v in [(0.3, np.array([0.2, -0.1])), (-2.0, np.array([3.0, -4.0]))]:
        prob, a = 1 / (1 + np.exp(-u)), -1 + 4 / (1 + np.exp(-v))
        expected = (
            stats.binom(10, prob).logpmf(4)
            + np.log(prob * (1 - prob))
            + stats.norm(a, 1).logpdf([0.5, 1.0]).sum()
            + np.sum(np.log((a + 1) * (3 - a) / 4))
        )
        found = logp({"p_logodds__": np.array(u), "a_interval__": v})
        assert found == pytest.approx(expected, rel=ROUGH)


@pytest.mark.filterwarnings("ignore::pymle.NotCertifiedWarning")
def test_random_effects_keep_their_law_under_flat_priors():
    with pm.Model() as model:
        mu = pm.Normal("mu", 2, 1)
        theta = pm.Normal("theta", mu, 2.0, shape=3)
        pm.Normal("y", theta, 1.0, observed=np.array([0.0, 4.0, 9.0]))
    logp = _flat(model, random=["theta"])
    theta = np.array([1.0, 2.0, 3.0])
    expected = stats.norm(theta, 1).logpdf([0, 4, 9]).sum() + stats.norm(5, 2).logpdf(theta).sum()
    assert logp({"mu": np.array(5.0), "theta": theta}) == pytest.approx(expected, rel=ROUGH)


def test_a_held_root_without_a_density_has_none_to_take_away():
    with pm.Model() as model:
        m, a = pm.Normal("m", 0, 1), pm.Gamma("a", 2, 1)
        pm.Normal("y", m + a, 1.0, observed=Z)
    fitted = pymle.find_MLE(model, fixed={"a": 0.0}, **QUIET)._fitted
    flat = with_flat_priors(fitted)
    logp = _log_density(conditioned(flat.model, {"a": np.array(0.0)}))
    expected = stats.norm(3.0, 1).logpdf(Z).sum()
    assert logp({"m": np.array(3.0)}) == pytest.approx(expected, rel=ROUGH)


def test_the_users_model_is_left_as_it_was(fit):
    model = poisson()
    fitted = pymle.find_MLE(model, **QUIET)
    before = [v.name for v in model.basic_RVs], dict(model.rvs_to_initial_values)
    with_flat_priors(fitted._fitted)
    assert ([v.name for v in model.basic_RVs], dict(model.rvs_to_initial_values)) == before
    assert not model.potentials


@pytest.mark.filterwarnings("ignore::pymle.NotCertifiedWarning")
def test_a_flat_prior_is_refused_without_an_identified_maximum():
    with pm.Model() as flat:
        a, b = pm.Normal("a"), pm.Normal("b")
        pm.Normal("y", a + b, 1.0, observed=Z)
    x = np.arange(6.0)
    with pm.Model() as separated:
        b = pm.Normal("b", 0, 1)
        pm.Bernoulli("y", logit_p=b * (x - 2.5), observed=x > 2)
    with pm.Model() as spike:
        m, s = pm.Normal("m", 0, 1), pm.HalfNormal("s", 1)
        pm.Normal("y", m, s, observed=np.array([2.0]))
    for model in (flat, separated, spike):
        fitted = pymle.find_MLE(model, **QUIET)
        with pytest.raises(AnalysisError, match=r"verdict of the fit is.*Keep the priors"):
            fitted.sample(priors="flat")


def test_a_map_fit_has_no_verdict_about_the_likelihood():
    with pytest.raises(AnalysisError, match="find_MLE"):
        pymle.find_MAP(poisson(), **QUIET).sample(priors="flat")


# ----- starts -------------------------------------------------------------------------------


def _starts(model, chains=200, **given):
    fitted = pymle.find_MAP(model, jacobian=True, **QUIET, **given)._fitted
    approximation = Approximation(posterior_of(fitted))
    return dispersed_starts(approximation, model, chains, np.random.default_rng(0))


def test_starts_are_dispersed_more_than_the_posterior():
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 100, shape=2)
        pm.Normal("y", beta * np.array([1.0, 1e-3]), 0.5, observed=np.array([4.0, 0.3]))
    starts = _starts(model, chains=2000)
    precision = np.array([1.0, 1e-6]) / 0.25 + 1e-4
    mean = np.array([4.0, 0.3e-3]) / 0.25 / precision
    assert starts.variance == pytest.approx(1 / precision, rel=0.3)
    assert np.all(np.abs(starts.mean - mean) < 5 * np.sqrt(1 / precision / 400))
    drawn = np.array([point["beta"] for point in starts.points])
    # Four degrees of freedom: twice the variance, and tails that take long to show.
    assert np.all(np.var(drawn, axis=0) > 1.4 / precision)
    quartile = np.quantile(np.abs(drawn - mean) * np.sqrt(precision), 0.5, axis=0)
    assert quartile == pytest.approx(np.full(2, stats.t(4).ppf(0.75)), rel=0.1)


def test_random_effects_start_within_their_funnel():
    starts = _starts(schools(), chains=100)
    tau = np.array([point["tau"] for point in starts.points])
    mu = np.array([point["mu"] for point in starts.points])
    theta = np.array([point["theta"] for point in starts.points])
    standard = (theta - mu[:, None]) / tau[:, None]
    # Narrow scales have near effects: no start lies outside the funnel's mouth.
    assert np.abs(standard).max() < 8
    assert np.median(np.abs(theta - mu[:, None])[tau < 1]) < 1


def test_the_order_of_scales_is_that_of_the_sampler():
    with pm.Model() as model:
        b = pm.Normal("b", 0, 1000)
        a = pm.Normal("a", 0, 0.001)
        pm.Normal("y", a + b, 1.0, observed=Z)
    starts = _starts(model)
    order = [value.name for value in model.continuous_value_vars]
    scales = dict(zip(order, np.sqrt(starts.variance), strict=True))
    assert scales["a"] == pytest.approx(0.001, rel=0.2)
    assert scales["b"] == pytest.approx(1 / np.sqrt(8), rel=0.2)


@pytest.fixture
def captured(monkeypatch):
    """What would be handed to ``pm.sample``."""
    seen = {}

    def sample(**arguments):
        seen.update(arguments)
        return "what pm.sample returns"

    monkeypatch.setattr(pm, "sample", sample)
    return seen


def test_arguments_reach_pymc(fit, captured):
    with pytest.warns(Notice):
        out = fit.sample(7, 8, 3, random_seed=5, init="adapt_diag", target_accept=0.9, cores=1)
    assert out == "what pm.sample returns"
    chosen = {k: captured[k] for k in ("draws", "tune", "chains", "random_seed", "cores")}
    assert chosen == {"draws": 7, "tune": 8, "chains": 3, "random_seed": 5, "cores": 1}
    assert captured["target_accept"] == 0.9
    assert captured["init"] == "adapt_diag"
    assert captured["model"] is fit._problem.model
    assert len({float(point["rate"]) for point in captured["initvals"]}) == 3


def test_starts_of_the_user_count(fit, captured):
    with pytest.warns(Notice, match="start at the `initvals` given"):
        fit.sample(5, 5, 1, initvals={"rate": 2.0})
    assert captured["initvals"] == {"rate": 2.0}
    assert "step" not in captured


def test_the_same_seed_gives_the_same_starts(fit, captured):
    starts = []
    for seed in (3, 3, 4, np.random.default_rng(3), np.random.default_rng(3)):
        with pytest.warns(Notice):
            fit.sample(5, 5, 1, random_seed=seed, init="adapt_diag")
        starts.append(float(captured["initvals"][0]["rate"]))
    assert starts[0] == starts[1] != starts[2]
    assert starts[3] == starts[4]


def test_samplers_are_chosen_by_what_is_installed(fit, captured, monkeypatch):
    present = {"numpyro", "nutpie"}
    monkeypatch.setattr(sampling, "_installed", lambda name: name in {"pymc", *present})
    with pytest.warns(Notice, match="NUTS of nutpie.*where nutpie puts them"):
        fit.sample(5, 5, 1)
    assert captured["nuts_sampler"] == "nutpie"
    assert "initvals" not in captured
    captured.clear()
    present.discard("nutpie")
    with pytest.warns(Notice, match=r"NUTS of numpyro. Each chain starts"):
        fit.sample(5, 5, 2)
    assert captured["nuts_sampler"] == "numpyro"
    options = captured.get("nuts") or captured.get("nuts_sampler_kwargs")
    assert options == {"jitter": False}
    assert len(captured["initvals"]) == 2
    present.clear()
    with pytest.raises(AnalysisError, match="pip install numpyro"):
        fit.sample(sampler="numpyro")


@pytest.mark.filterwarnings("ignore::pymle.NotCertifiedWarning")
def test_a_posterior_without_a_mode_starts_where_pymc_does(captured):
    with pm.Model() as model:
        a, b = pm.Flat("a"), pm.Flat("b")
        pm.Normal("y", a + b, 1.0, observed=Z)
    fitted = pymle.find_MLE(model, **QUIET)
    with pytest.warns(Notice, match=r"start where PyMC puts them, because .*flat direction"):
        fitted.sample(5, 5, 1)
    assert "initvals" not in captured


@pytest.mark.filterwarnings("ignore::pymle.NotCertifiedWarning")
def test_a_black_box_gets_steps_of_its_own(captured, monkeypatch):
    import pytensor.tensor as pt
    from pytensor.graph.basic import Apply
    from pytensor.graph.op import Op

    class Box(Op):
        def make_node(self, mu):
            return Apply(self, [pt.as_tensor_variable(mu)], [pt.dscalar()])

        def perform(self, _, inputs, outputs):
            outputs[0][0] = np.asarray(-0.5 * np.sum((inputs[0] - Z) ** 2))

    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Potential("box", Box()(mu))
    fitted = pymle.find_MLE(model, potentials={"box": "likelihood"}, **QUIET)
    with pytest.warns(Notice, match=r"Slice.*no gradient"):
        fitted.sample(5, 5, 1)
    assert captured["nuts_sampler"] == "pymc"
    monkeypatch.setattr(sampling, "_installed", lambda _: True)
    with pytest.raises(AnalysisError, match="no gradient"):
        fitted.sample(sampler="numpyro")


# ----- what is held, and data ---------------------------------------------------------------


def test_a_held_root_is_a_constant_and_a_held_effect_is_observed():
    model = schools()
    theta = np.linspace(-1, 2, 8)
    logp = _log_density(conditioned(model, {"tau": np.array(2.0)}))
    expected = (
        stats.norm(0, 5).logpdf(1.0)
        + stats.norm(1.0, 2.0).logpdf(theta).sum()
        + stats.norm(theta, SE).logpdf(Z).sum()
    )
    found = logp({"mu": np.array(1.0), "theta": theta})
    assert found == pytest.approx(expected, rel=ROUGH)
    logp = _log_density(conditioned(model, {"theta": theta}))
    expected += stats.halfcauchy(0, 5).logpdf(2.0) + np.log(2.0)
    found = logp({"mu": np.array(1.0), "tau_log__": np.log(2.0)})
    assert found == pytest.approx(expected, rel=ROUGH)


@pytest.mark.filterwarnings("ignore::pymle.NotCertifiedWarning")
def test_fixed_parameters_are_held_while_sampling(captured):
    fitted = pymle.find_MLE(schools(), fixed={"tau": 5.0}, **QUIET)
    with pytest.warns(Notice, match="`tau` is held as in the fit"):
        fitted.sample(5, 5, 2, init="adapt_diag", random_seed=1)
    assert [rv.name for rv in captured["model"].free_RVs] == ["mu", "theta"]
    assert set(captured["initvals"][0]) == {"mu", "theta"}


def test_new_data_are_those_of_the_fit(captured, monkeypatch):
    with pm.Model() as model:
        y = pm.Data("obs", Z)
        mu = pm.Normal("mu", 0, 100)
        pm.Normal("y", mu, 1.0, observed=y, shape=y.shape)
    fitted = pymle.compile(model).fit(data={"obs": Z[:5] + 100}, **QUIET)
    held = {}
    monkeypatch.setattr(pm, "sample", lambda **a: held.update(y=a["model"]["obs"].get_value()))
    with pytest.warns(Notice):
        fitted.sample(5, 5, 1, init="adapt_diag")
    assert np.array_equal(held["y"], Z[:5] + 100)
    assert np.array_equal(model["obs"].get_value(), Z)


def test_what_pymc_does_not_know_is_refused(fit):
    weighted = pymle.find_MLE(poisson(), weights=np.arange(1.0, 9.0), **QUIET)
    with pytest.raises(AnalysisError, match="weights of this fit"):
        weighted.sample()
    captured = pymle.compile(poisson()).fit(data={"y": COUNTS + 1}, **QUIET)
    with pytest.raises(AnalysisError, match="`y`"):
        captured.sample()
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 5, shape=2)
        pm.Normal("y", beta[0] + beta[1] * np.arange(8.0), 1.0, observed=Z)
    with pytest.raises(AnalysisError, match=re.escape("`beta[1]` is held")):
        pymle.find_MLE(model, fixed={"beta[1]": 0.5}, **QUIET).sample()
    with pytest.raises(AnalysisError, match="constraints of this fit"):
        pymle.find_MLE(model, constraints="beta[0] = beta[1]", **QUIET).sample()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"priors": "flatt"}, '"model" or "flat"'),
        ({"sampler": "nutpy"}, "Did you mean 'nutpie'"),
        ({"draws": 0}, "draws"),
        ({"tune": -1}, "tune"),
        ({"chains": 1.5}, "chains"),
        ({"nuts_sampler": "pymc"}, "`sampler=`"),
        ({"model": None}, "model of the fit"),
    ],
)
def test_arguments_are_checked(fit, arguments, text):
    with pytest.raises(AnalysisError, match=text):
        fit.sample(**arguments)
