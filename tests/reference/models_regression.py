"""Linear, generalised linear and related regressions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

from tests.reference.problem import Problem, entries, same


def design(data: pd.DataFrame, columns: list[str]) -> np.ndarray:
    return data[columns].to_numpy()


STACKLOSS = ["Air_Flow", "Water_Temp", "Acid_Conc"]


def stackloss(data: pd.DataFrame) -> pm.Model:
    with pm.Model(coords={"predictor": STACKLOSS}) as model:
        X = pm.Data("X", design(data, STACKLOSS), dims=("obs", "predictor"))
        intercept = pm.Normal("Intercept", 0, 10)
        beta = pm.Normal("beta", 0, 10, dims="predictor")
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", intercept + X @ beta, sigma, observed=data["y"].to_numpy(), dims="obs")
    return model


LONGLEY = [f"x{i}" for i in range(1, 7)]


def longley(data: pd.DataFrame) -> pm.Model:
    """In NIST's own units: the intercept is -3.5 million and the scales span eight decades."""
    X = design(data, LONGLEY)
    with pm.Model(coords={"regressor": LONGLEY}) as model:
        b0 = pm.Normal("b0", 0, 1000)
        b = pm.Normal("b", 0, 1000, dims="regressor")
        sigma = pm.HalfCauchy("sigma", 100)
        pm.Normal("y", b0 + pm.math.dot(X, b), sigma, observed=data["y"].to_numpy())
    return model


def pontius(data: pd.DataFrame) -> pm.Model:
    """Coefficients of 1e-4, 1e-6 and 1e-15 in one model."""
    x = data["x"].to_numpy()
    with pm.Model() as model:
        b0, b1, b2 = (pm.Normal(f"b{i}", 0, 1) for i in range(3))
        sigma = pm.HalfNormal("sigma", 1)
        pm.Normal("y", b0 + b1 * x + b2 * x**2, sigma, observed=data["y"].to_numpy())
    return model


def filip(data: pd.DataFrame) -> pm.Model:
    """A polynomial of degree ten: the scaled information is singular in double precision."""
    powers = np.vander(data["x"].to_numpy(), 11, increasing=True)
    with pm.Model(coords={"power": range(11)}) as model:
        b = pm.Normal("b", 0, 1000, dims="power")
        sigma = pm.HalfNormal("sigma", 1)
        pm.Normal("y", pt.dot(powers, b), sigma, observed=data["y"].to_numpy())
    return model


def mtcars(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        wt = pm.Data("weight", data["wt"].to_numpy())
        intercept = pm.Normal("Intercept", 0, 100)
        slope = pm.Normal("wt", 0, 10)
        sigma = pm.Exponential("sigma", 1)
        sd = sigma * np.sqrt(data["disp"].to_numpy())
        pm.Normal("mpg", intercept + slope * wt, sd, observed=data["y"].to_numpy())
    return model


BIRTHWT = ["age", "lwt", "factor_race_2", "factor_race_3", "smoke", "ptl", "ht", "ui", "ftv"]


def birthwt(data: pd.DataFrame) -> pm.Model:
    with pm.Model(coords={"predictor": BIRTHWT}) as model:
        X = pm.Data("X", design(data, BIRTHWT), dims=("obs", "predictor"))
        intercept = pm.Normal("Intercept", 0, 10)
        beta = pm.Normal("beta", 0, 2.5, dims="predictor")
        eta = intercept + X @ beta
        pm.Bernoulli("low", logit_p=eta, observed=data["y"].to_numpy().astype(int), dims="obs")
    return model


def beetles(data: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        dose = pm.Data("dose", data["logdose"].to_numpy())
        intercept = pm.Normal("Intercept", 0, 100)
        slope = pm.Normal("logdose", 0, 100)
        p = 1 - pm.math.exp(-pm.math.exp(intercept + slope * dose))
        pm.Binomial(
            "killed",
            n=data["exposed"].to_numpy().astype(int),
            p=p,
            observed=data["killed"].to_numpy().astype(int),
        )
    return model


INSURANCE = [f"{kind}{level}" for kind in ("District", "Group", "Age") for level in (2, 3, 4)]


def insurance(data: pd.DataFrame) -> pm.Model:
    with pm.Model(coords={"predictor": INSURANCE}) as model:
        intercept = pm.Normal("Intercept", 0, 10)
        beta = pm.Normal("beta", 0, 1, dims="predictor")
        eta = intercept + pt.dot(design(data, INSURANCE), beta)
        mu = data["Holders"].to_numpy() * pm.math.exp(eta)
        pm.Poisson("claims", mu, observed=data["y"].to_numpy().astype(int))
    return model


QUINE = ["EthN", "SexM", "AgeF1", "AgeF2", "AgeF3", "LrnSL"]


def quine(data: pd.DataFrame) -> pm.Model:
    with pm.Model(coords={"predictor": QUINE}) as model:
        X = pm.Data("X", design(data, QUINE), dims=("obs", "predictor"))
        intercept = pm.Normal("Intercept", 0, 5)
        beta = pm.Normal("beta", 0, 5, dims="predictor")
        theta = pm.Gamma("theta", 2, 0.1)
        mu = pm.Deterministic("mu", pm.math.exp(intercept + X @ beta), dims="obs")
        days = data["y"].to_numpy().astype(int)
        pm.NegativeBinomial("days", mu=mu, alpha=theta, observed=days, dims="obs")
    return model


BIOCHEMISTS = ["femWomen", "marMarried", "kid5", "phd", "ment"]


def biochemists(data: pd.DataFrame) -> pm.Model:
    terms = ["Intercept", *BIOCHEMISTS]
    with pm.Model(coords={"term": terms}) as model:
        X = np.column_stack([np.ones(len(data)), design(data, BIOCHEMISTS)])
        count = pm.Normal("count", 0, 2, dims="term")
        zero = pm.Normal("zero", 0, 2, dims="term")
        mu = pm.math.exp(X @ count)
        psi = 1 - pm.math.invlogit(X @ zero)
        articles = data["y"].to_numpy().astype(int)
        pm.ZeroInflatedPoisson("articles", psi=psi, mu=mu, observed=articles)
    return model


def infert(data: pd.DataFrame) -> pm.Model:
    """Conditional logistic regression: the whole likelihood is a Potential."""
    columns = ["spontaneous", "induced"]
    stratum = pd.factorize(data["stratum"])[0]
    member = data["case"].to_numpy()
    strata = np.arange(stratum.max() + 1)[:, None] == stratum[None, :]
    with pm.Model(coords={"exposure": columns}) as model:
        beta = pm.Normal("beta", 0, 5, dims="exposure")
        eta = pt.dot(design(data, columns), beta)
        total = pt.log(pt.dot(strata.astype(float), pt.exp(eta)))
        pm.Potential("conditional_likelihood", pt.dot(member, eta) - total.sum())
    return model


def infert_categorical(data: pd.DataFrame) -> pm.Model:
    """The same likelihood as the choice of one row of each matched set."""
    groups = [rows for _, rows in data.groupby("stratum", sort=False)]
    x = np.zeros((len(groups), 3, 2))
    absent = np.full((len(groups), 3), -np.inf)
    chosen = np.zeros(len(groups), dtype=int)
    for i, rows in enumerate(groups):
        x[i, : len(rows)] = rows[["spontaneous", "induced"]]
        absent[i, : len(rows)] = 0.0
        chosen[i] = int(rows["case"].to_numpy().argmax())
    with pm.Model(coords={"exposure": ["spontaneous", "induced"]}) as model:
        beta = pm.Normal("beta", 0, 5, dims="exposure")
        p = pm.math.softmax(pt.dot(x, beta) + absent, axis=-1)
        pm.Categorical("chosen", p=p, observed=chosen)
    return model


def with_intercept(columns: list[str]) -> dict[str, str]:
    return same("Intercept") | entries("beta", columns)


INFERT = {name: f"beta[{name}]" for name in ("spontaneous", "induced")}
TERMS = {
    f"{part}_{term}": f"{part}[{term}]"
    for part in ("count", "zero")
    for term in ("Intercept", *BIOCHEMISTS)
}

PROBLEMS = [
    Problem("glm_gaussian_stackloss", stackloss, with_intercept(STACKLOSS) | same("sigma")),
    Problem(
        "hard_nist_longley",
        longley,
        same("b0", "sigma") | {f"b{i}": f"b[x{i}]" for i in range(1, 7)},
    ),
    Problem("hard_nist_pontius_scales", pontius, same("b0", "b1", "b2", "sigma")),
    Problem("hard_nist_filip", filip, same("sigma") | {f"b{i}": f"b[{i}]" for i in range(11)}),
    Problem("hard_weights_mtcars", mtcars, same("Intercept", "wt", "sigma")),
    Problem("glm_logit_birthwt", birthwt, with_intercept(BIRTHWT)),
    Problem("glm_cloglog_beetles", beetles, same("Intercept", "logdose")),
    Problem("glm_poisson_insurance", insurance, with_intercept(INSURANCE)),
    Problem("glm_negbin_quine", quine, with_intercept(QUINE) | same("theta")),
    Problem("count_zip_biochemists", biochemists, TERMS),
    Problem("clogit_infert", infert, INFERT),
    Problem("clogit_infert", infert_categorical, INFERT),
]
