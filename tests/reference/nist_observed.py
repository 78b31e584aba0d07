"""Observed information of the NIST problems in 60-digit arithmetic (mpmath, run by hand).

``python -m tests.reference.nist_observed nist_hahn1`` starts at the certified values, refines
them by Newton's method on the residual sum of squares, and prints the standard errors from the
full Hessian of the likelihood. NIST certifies Gauss-Newton standard deviations with divisor
``n - p``; they are recomputed on the way and the digits that agree are printed as the check.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import mpmath as mp

from tests.reference.nist_means import MEANS

HERE = Path(__file__).parent
mp.mp.dps = 60
MATHS = SimpleNamespace(exp=mp.exp, cos=mp.cos, sin=mp.sin, arctan=mp.atan, pi=mp.pi)
STEP = mp.mpf(10) ** -16


def rows(name: str, file: str) -> tuple[list, list]:
    """Responses and predictors as exact decimals (Nelson's response is the log of y)."""
    with (HERE / "data" / file).open() as handle:
        table = list(csv.DictReader(handle))
    xs = [[mp.mpf(row[key]) for key in row if key != "y"] for row in table]
    ys = [mp.mpf(row["y"]) for row in table]
    return ([mp.log(y) for y in ys] if name == "nist_nelson" else ys), xs


def derivatives(name: str, xs: list, b: list) -> tuple[list, list, list]:
    """Means, gradients and Hessians per row, by central differences in 60 digits."""
    mean, p = MEANS[name], len(b)
    h = [STEP * max(abs(v), STEP) for v in b]

    def at(*moves):
        c = list(b)
        for j, sign in moves:
            c[j] = c[j] + sign * h[j]
        return [mean(MATHS, *x, *c) for x in xs]

    centre = at()
    up, down = [at((j, 1)) for j in range(p)], [at((j, -1)) for j in range(p)]
    n = len(xs)
    first = [[(up[j][i] - down[j][i]) / (2 * h[j]) for j in range(p)] for i in range(n)]
    second = [mp.matrix(p, p) for _ in range(n)]
    for j in range(p):
        for k in range(j, p):
            if j == k:
                value = [(up[j][i] - 2 * centre[i] + down[j][i]) / h[j] ** 2 for i in range(n)]
            else:
                pp, mm = at((j, 1), (k, 1)), at((j, -1), (k, -1))
                pm, mp_ = at((j, 1), (k, -1)), at((j, -1), (k, 1))
                value = [(pp[i] + mm[i] - pm[i] - mp_[i]) / (4 * h[j] * h[k]) for i in range(n)]
            for i in range(n):
                second[i][j, k] = second[i][k, j] = value[i]
    return centre, first, second


def observed(name: str, file: str, certified: dict[str, float]) -> dict:
    """Refined estimates, RSS, Gauss-Newton and observed-information standard errors."""
    ys, xs = rows(name, file)
    n = len(ys)
    b = [mp.mpf(str(v)) for v in certified.values()]
    p = len(b)
    for _ in range(6):
        centre, first, second = derivatives(name, xs, b)
        residual = [y - m for y, m in zip(ys, centre, strict=True)]
        gauss_newton, curvature = mp.matrix(p, p), mp.matrix(p, p)
        gradient = mp.matrix(p, 1)
        for i in range(n):
            for j in range(p):
                gradient[j] += first[i][j] * residual[i]
                for k in range(p):
                    product = first[i][j] * first[i][k]
                    gauss_newton[j, k] += product
                    curvature[j, k] += product - residual[i] * second[i][j, k]
        step = mp.lu_solve(curvature, gradient)
        b = [v + step[j] for j, v in enumerate(b)]
        if max(abs(step[j] / b[j]) for j in range(p)) < mp.mpf(10) ** -20:
            break
    rss = sum(r**2 for r in residual)
    sigma = mp.sqrt(rss / n)
    inverse, gn_inverse = curvature**-1, gauss_newton**-1
    names = list(certified)
    return {
        "estimates": {k: float(v) for k, v in zip(names, b, strict=True)} | {"sigma": float(sigma)},
        "rss": float(rss),
        "certified_sd": {
            k: float(mp.sqrt(rss / (n - p) * gn_inverse[j, j])) for j, k in enumerate(names)
        },
        "se_observed": {k: float(sigma * mp.sqrt(inverse[j, j])) for j, k in enumerate(names)}
        | {"sigma": float(sigma / mp.sqrt(2 * n))},
        "loglik": float(-mp.mpf(n) / 2 * (mp.log(2 * mp.pi * rss / n) + 1)),
    }


if __name__ == "__main__":
    values = json.loads((HERE / "values.json").read_text())
    for case in sys.argv[1:] or [k for k in values if k.startswith("nist_")]:
        entry = values[case]
        start = {k: v for k, v in entry["estimates"].items() if k != "sigma"}
        answer = observed(case, entry["data"], start)
        worst = max(abs(answer["se_observed"][k] / v - 1) for k, v in entry["se"].items())
        print(f"{case:16s} loglik {answer['loglik'] - entry['loglik']:+.1e}  SE {worst:.1e}")
