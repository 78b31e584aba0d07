"""Live comparison with statsmodels, on data that statsmodels ships.

Each case builds the model twice, as a statsmodels model and in PyMC, and compares the
log-likelihood (1e-6), the estimates (1e-4 SE) and the standard errors from the observed
information (1e-4 relative). Nothing is stored: the reference is the installed statsmodels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import statsmodels.api as sm
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.regression.quantile_regression import QuantReg

import pymle

EXACT = {"method": "newton", "maxiter": 200, "tol": 1e-13, "disp": 0}


@dataclass(frozen=True)
class Case:
    """A PyMC model, statsmodels' answer, and the rows of the table in statsmodels' order."""

    model: pm.Model
    labels: list[str]
    estimates: np.ndarray
    errors: np.ndarray
    loglik: float


def named(variable: str, columns) -> list[str]:
    return [f"{variable}[{column}]" for column in columns]


def regression(exog, outcome: Callable) -> pm.Model:
    """Coefficients with a vague prior, one per column; ``outcome`` adds the likelihood."""
    columns = [str(c) for c in exog.columns]
    with pm.Model(coords={"predictor": columns}) as model:
        X = pm.Data("X", exog.to_numpy(dtype=float), dims=("obs", "predictor"))
        beta = pm.Normal("beta", 0, 10, dims="predictor")
        outcome(pm.math.dot(X, beta))
    return model


def spector(link: str) -> Case:
    data = sm.datasets.spector.load_pandas()
    y, X = data.endog.to_numpy().astype(int), sm.add_constant(data.exog)

    def outcome(eta):
        if link == "logit":
            pm.Bernoulli("grade", logit_p=eta, observed=y)
        else:
            pm.Bernoulli("grade", p=pm.math.invprobit(eta), observed=y)

    fit = (sm.Logit if link == "logit" else sm.Probit)(y, X).fit(**EXACT)
    model = regression(X, outcome)
    return Case(model, named("beta", X.columns), fit.params, fit.bse, fit.llf)


def anes_multinomial() -> Case:
    """Seven parties: a baseline category and six columns of coefficients."""
    data = sm.datasets.anes96.load_pandas()
    y = data.endog.to_numpy().astype(int)
    exog = data.exog.copy()
    exog["logpopul"] = np.log(data.data["popul"] + 0.1)
    X = sm.add_constant(exog[["logpopul", "selfLR", "age", "educ", "income"]])
    fit = sm.MNLogit(y, X).fit(**EXACT)
    columns = [str(c) for c in X.columns]
    coords = {"predictor": columns, "party": range(1, 7)}
    with pm.Model(coords=coords) as model:
        beta = pm.Normal("beta", 0, 10, dims=("predictor", "party"))
        eta = pt.dot(X.to_numpy(), beta)
        eta = pt.concatenate([pt.zeros((len(y), 1)), eta], axis=1)
        pm.Categorical("pid", logit_p=eta, observed=y)
    labels = [f"beta[{c}, {party}]" for party in range(1, 7) for c in columns]
    params, errors = np.asarray(fit.params), np.asarray(fit.bse)
    return Case(model, labels, params.T.ravel(), errors.T.ravel(), fit.llf)


def anes_ordered() -> Case:
    """Ordered logit with the cutpoints as an ordered vector."""
    data = sm.datasets.anes96.load_pandas().data
    X = data[["selfLR", "age", "educ"]].astype(float)
    y = data["PID"].to_numpy().astype(int)
    reference = OrderedModel(y, X, distr="logit")
    with warnings.catch_warnings():
        # Its optimiser stops early and says so; Newton steps on its own score finish the work.
        warnings.simplefilter("ignore")
        fit = reference.fit(method="bfgs", disp=0)
    params = np.asarray(fit.params)
    for _ in range(5):
        params = params - np.linalg.solve(reference.hessian(params), reference.score(params))
    cuts = reference.transform_threshold_params(params)[1:-1]
    # statsmodels' thresholds are increments in logs: delta method to the cutpoints.
    k, n_cuts = X.shape[1], len(cuts)
    jacobian = np.eye(len(params))
    for j in range(n_cuts):
        jacobian[k + j, k:] = 0
        jacobian[k + j, k] = 1
        for i in range(1, j + 1):
            jacobian[k + j, k + i] = np.exp(params[k + i])
    covariance = jacobian @ np.linalg.inv(-reference.hessian(params)) @ jacobian.T
    coords = {"predictor": list(X.columns), "threshold": range(n_cuts)}
    with pm.Model(coords=coords) as model:
        beta = pm.Normal("beta", 0, 10, dims="predictor")
        cut = pm.Normal(
            "cut",
            0,
            10,
            dims="threshold",
            transform=pm.distributions.transforms.ordered,
            initval=np.linspace(-3, 3, n_cuts),
        )
        pm.OrderedLogistic("pid", eta=pt.dot(X.to_numpy(), beta), cutpoints=cut, observed=y)
    labels = [*named("beta", X.columns), *named("cut", range(n_cuts))]
    estimates = np.r_[params[:k], cuts]
    return Case(
        model, labels, estimates, np.sqrt(np.diag(covariance)), float(reference.loglike(params))
    )


def star98() -> Case:
    """Binomial counts with 21 columns on scales from 1e-7 to 1e1 in the coefficients."""
    data = sm.datasets.star98.load_pandas()
    X = sm.add_constant(data.exog)
    successes = data.endog.iloc[:, 0].to_numpy().astype(int)
    trials = data.endog.sum(axis=1).to_numpy().astype(int)
    fit = sm.GLM(data.endog, X, family=sm.families.Binomial()).fit(tol=1e-14, maxiter=100)

    def outcome(eta):
        pm.Binomial("above", n=trials, logit_p=eta, observed=successes)

    return Case(regression(X, outcome), named("beta", X.columns), fit.params, fit.bse, fit.llf)


def executions() -> Case:
    data = sm.datasets.cpunish.load_pandas()
    y, exog = data.endog.to_numpy().astype(int), data.exog.copy()
    X = sm.add_constant(exog)
    fit = sm.GLM(y, X, family=sm.families.Poisson()).fit(tol=1e-14, maxiter=100)

    def outcome(eta):
        pm.Poisson("executions", mu=pm.math.exp(eta), observed=y)

    return Case(regression(X, outcome), named("beta", X.columns), fit.params, fit.bse, fit.llf)


def visits() -> Case:
    """Negative binomial (NB2) on 20,190 rows; statsmodels estimates 1/alpha of PyMC."""
    data = sm.datasets.randhie.load_pandas()
    y, X = data.endog.to_numpy().astype(int), sm.add_constant(data.exog)
    first = sm.NegativeBinomial(y, X).fit(method="bfgs", maxiter=1000, disp=0)
    fit = sm.NegativeBinomial(y, X).fit(start_params=first.params, **EXACT)
    columns = [str(c) for c in X.columns]
    with pm.Model(coords={"predictor": columns}) as model:
        design = pm.Data("X", X.to_numpy(), dims=("obs", "predictor"))
        beta = pm.Normal("beta", 0, 10, dims="predictor")
        alpha = pm.HalfNormal("alpha", 5)
        mu = pm.math.exp(pm.math.dot(design, beta))
        pm.NegativeBinomial("visits", mu=mu, alpha=1 / alpha, observed=y)
    return Case(model, [*named("beta", columns), "alpha"], fit.params, fit.bse, fit.llf)


CASES = {
    "spector-logit": lambda: spector("logit"),
    "spector-probit": lambda: spector("probit"),
    "anes96-multinomial": anes_multinomial,
    "anes96-ordered": anes_ordered,
    "star98-binomial": star98,
    "cpunish-poisson": executions,
    "randhie-negbin": visits,
}


@pytest.mark.parametrize("name", CASES)
def test_fit_equals_statsmodels(name: str):
    case = CASES[name]()
    fit = pymle.find_MLE(case.model, progressbar=False)
    assert fit.verdict.ok, fit.verdict
    assert fit.loglik == pytest.approx(case.loglik, abs=1e-6)
    table = fit.summary().loc[case.labels]
    errors = np.asarray(case.errors)
    shift = np.abs(table["estimate"].to_numpy() - np.asarray(case.estimates)) / errors
    assert shift.max() < 1e-4
    np.testing.assert_allclose(table["se"], errors, rtol=1e-4)


def test_median_regression_is_not_given_smooth_standard_errors():
    """An asymmetric Laplace likelihood has kinks: the maximum is right or not certified."""
    data = sm.datasets.engel.load_pandas().data
    X = sm.add_constant(data["income"] / 1000)
    y = data["foodexp"].to_numpy() / 1000
    best = QuantReg(y, X).fit(q=0.5, p_tol=1e-12, max_iter=5000)  # iterative: good to 1e-5
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 10), pm.Normal("b", 0, 10)
        scale = pm.HalfNormal("scale", 1)
        pm.Laplace("food", a + b * X["income"].to_numpy(), scale, observed=y)
    scale = np.abs(best.resid).mean()
    reference = -len(y) * (np.log(2 * scale) + 1)
    with pytest.warns(pymle.errors.NotCertifiedWarning):
        fit = pymle.find_MLE(model, progressbar=False)
    assert not fit.verdict.ok
    assert fit.loglik == pytest.approx(reference, abs=1e-5)
