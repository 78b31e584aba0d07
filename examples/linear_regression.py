"""A straight line: maximum likelihood beside ordinary least squares.

Needs statsmodels, which the extra `test` installs: pip install '.[test]'

    python examples/linear_regression.py [picture.png]
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pymc as pm
import statsmodels.api as sm

import pymle

PICTURE = Path(__file__).parent / "pictures" / "linear_regression.png"


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit both ways, print, draw; return data, fits and table."""
    np.random.seed(42)  # noqa: NPY002 - the noise is that of this seed and this generator
    x = np.linspace(-10, 30, 100)
    noise = np.random.normal(10, 5, size=100)  # noqa: NPY002
    y = 10 + 4 * x + noise

    with pm.Model() as model:
        intercept = pm.Normal("intercept", 0, 100)
        slope = pm.Normal("slope", 0, 10)
        sigma = pm.HalfNormal("sigma", 10)
        pm.Normal("y", intercept + slope * x, sigma, observed=y)

    fit = pymle.find_MLE(model)
    least_squares = sm.OLS(y, sm.add_constant(x)).fit()
    print(fit)

    n, k = len(y), 2
    table = fit.summary()[["estimate", "se"]].rename(columns={"estimate": "MLE", "se": "MLE se"})
    table["OLS"] = [*least_squares.params, np.sqrt(least_squares.scale)]
    table["OLS se"] = [*least_squares.bse, np.nan]
    table["OLS / MLE"] = table["OLS"] / table["MLE"]
    print("\nBeside ordinary least squares:\n")
    print(table.to_string(float_format="{:.6f}".format, na_rep=""))
    print(explanation(n, k))

    draw(picture, x, y, fit.params, least_squares.params)
    return {"x": x, "y": y, "fit": fit, "least_squares": least_squares, "table": table}


def explanation(n: int, k: int) -> str:
    ratio = np.sqrt(n / (n - k))
    return f"""
Intercept and slope agree: with normal noise the likelihood is largest where the sum of squared
residuals is smallest. The intercept is near 20, not 10: the noise itself has mean 10.

sigma differs. The likelihood is largest at sqrt(RSS / n), with n = {n} observations; least squares
reports sqrt(RSS / (n - {k})), which makes the variance unbiased: the residuals of a line with {k}
fitted coefficients are a little smaller than the noise. The ratio is
sqrt(n / (n - {k})) = {ratio:.6f}. The standard errors of the coefficients are proportional to
sigma, and differ by it too."""


def draw(picture: Path | str, x: np.ndarray, y: np.ndarray, mle: Any, ols: np.ndarray) -> None:
    intercept, slope, sigma = (float(mle[name]) for name in ("intercept", "slope", "sigma"))
    line = intercept + slope * x
    figure, axes = plt.subplots(figsize=(7, 4.6), layout="constrained")
    axes.fill_between(
        x, line - 2 * sigma, line + 2 * sigma, color="C0", alpha=0.12, lw=0, label="line ± 2 sigma"
    )
    axes.scatter(x, y, s=18, color="0.35", label="100 observations", zorder=3)
    label = f"least squares: {ols[0]:.2f} + {ols[1]:.3f} x"
    axes.plot(x, ols[0] + ols[1] * x, color="C1", lw=6, alpha=0.6, label=label)
    label = f"maximum likelihood: {intercept:.2f} + {slope:.3f} x"
    axes.plot(x, line, color="C0", lw=1.8, ls="--", label=label, zorder=4)
    axes.set(xlabel="x", ylabel="y", title="Maximum likelihood and least squares: the same line")
    axes.legend(frameon=False, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:])
