"""The examples whose answers have a closed form."""

import numpy as np
import pytest

from examples import bernoulli, gaussian, linear_regression


def test_gaussian(tmp_path):
    picture = tmp_path / "picture.png"
    found = gaussian.main(picture)
    y, fit = found["y"], found["fit"]
    n, sd = len(y), np.std(y)

    assert n == 100
    # The first draws of the seed, so that the data are those that were asked for.
    np.testing.assert_allclose(y[:2], [5 + 2 * 0.4967141530112327, 5 - 2 * 0.13826430117118466])
    assert fit.verdict.ok
    table = fit.summary()
    np.testing.assert_allclose(table["estimate"], [y.mean(), sd], rtol=1e-10)
    np.testing.assert_allclose(table["se"], [sd / np.sqrt(n), sd / np.sqrt(2 * n)], rtol=1e-8)
    assert fit.loglik == pytest.approx(-n / 2 * (np.log(2 * np.pi * sd**2) + 1), abs=1e-10)
    assert picture.stat().st_size > 10_000


def test_linear_regression(tmp_path):
    picture = tmp_path / "picture.png"
    found = linear_regression.main(picture)
    x, y, fit, theirs = found["x"], found["y"], found["fit"], found["least_squares"]
    n = len(y)
    X = np.column_stack([np.ones(n), x])
    coefficients = np.linalg.solve(X.T @ X, X.T @ y)
    sigma = np.sqrt(np.mean((y - X @ coefficients) ** 2))

    assert (x[0], x[-1], n) == (-10, 30, 100)
    assert fit.verdict.ok
    table = fit.summary()
    np.testing.assert_allclose(table["estimate"], [*coefficients, sigma], rtol=1e-9)
    errors = sigma * np.sqrt(np.diagonal(np.linalg.inv(X.T @ X)))
    np.testing.assert_allclose(table["se"], [*errors, sigma / np.sqrt(2 * n)], rtol=1e-8)

    np.testing.assert_allclose(table["estimate"].iloc[:2], theirs.params, rtol=1e-9)
    # The explanation that the example prints, as numbers.
    ratio = np.sqrt(n / (n - 2))
    assert np.sqrt(theirs.scale) == pytest.approx(ratio * table.loc["sigma", "estimate"], rel=1e-9)
    np.testing.assert_allclose(theirs.bse, ratio * table["se"].iloc[:2], rtol=1e-8)
    assert fit.loglik == pytest.approx(theirs.llf, abs=1e-9)
    assert picture.stat().st_size > 10_000


def test_linear_regression_explains_the_divisor(tmp_path, capsys):
    linear_regression.main(tmp_path / "picture.png")
    printed = capsys.readouterr().out
    assert "sqrt(RSS / n)" in printed
    assert "sqrt(RSS / (n - 2))" in printed
    assert "1.010153" in printed


def test_bernoulli(tmp_path):
    picture = tmp_path / "picture.png"
    found = bernoulli.main(picture)
    y, fit, grid, curve = found["y"], found["fit"], found["grid"], found["curve"]
    z, n = y.mean(), len(y)

    assert fit.verdict.ok
    assert float(fit.params["z"]) == pytest.approx(z, abs=1e-10)
    assert fit.summary().loc["z", "se"] == pytest.approx(np.sqrt(z * (1 - z) / n), rel=1e-8)
    np.testing.assert_allclose(
        curve, y.sum() * np.log(grid) + (n - y.sum()) * np.log1p(-grid), rtol=1e-12
    )
    assert grid[np.argmax(curve)] == pytest.approx(z)
    assert curve.max() <= fit.loglik
    assert picture.stat().st_size > 10_000
