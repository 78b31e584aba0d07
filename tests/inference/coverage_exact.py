"""The limits of the coverage study computed once more, without pymle: formulas and SciPy.

A `Reference` gives the estimate, its standard error and the likelihood ratio for many data sets at
once. Whether Wald, profile and auto limits cover follows from these three. Where the law of the
statistic is known, summing over it gives the exact coverage; elsewhere the reference is applied to
the data sets of the simulation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special, stats

from tests.inference.coverage_models import CENSORED_AT, DOSES, GROUP, PER_DOSE, TIMES

Z = float(stats.norm.ppf(0.975))
#: Deviation of the signed root at which auto turns from Wald to profile limits, as documented.
ENOUGH = 0.02

LINES: dict[str, tuple[Callable, Callable, Callable]] = {
    # to the line, back, derivative of the natural value by the line at a natural value
    "identity": (lambda v: v, lambda u: u, np.ones_like),
    "log": (np.log, np.exp, lambda v: v),
    "logit": (special.logit, special.expit, lambda v: v * (1.0 - v)),
    "fisher z": (np.arctanh, np.tanh, lambda v: 1.0 - v**2),
}


@dataclass(frozen=True)
class Reference:
    """How one scalar is estimated from statistics of the data, rows one data set each."""

    statistics: Callable[[np.ndarray], np.ndarray]
    point: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    ratio: Callable[[np.ndarray, np.ndarray], np.ndarray]
    scale: str
    law: Callable[[], tuple[np.ndarray, np.ndarray]] | None = None

    def wald(self, rows: np.ndarray, natural: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Limits, nan where there is no standard error."""
        with np.errstate(all="ignore"):
            value, se = self.point(rows)
            plain = value - Z * se, value + Z * se
            if natural:
                return plain
            scale = "logit" if self.scale == "simplex" else self.scale
            to, back, slope = LINES[scale]
            half = Z * se / slope(value)
            low, high = back(to(value) - half), back(to(value) + half)
            if self.scale == "simplex":  # on the natural scale unless that leaves (0, 1)
                inside = (plain[0] > 0.0) & (plain[1] < 1.0)
                low, high = np.where(inside, plain[0], low), np.where(inside, plain[1], high)
            none = ~np.isfinite(se) | (se == 0.0) | ~np.isfinite(low) | ~np.isfinite(high)
            return np.where(none, np.nan, low), np.where(none, np.nan, high)

    def covers(self, rows: np.ndarray, truth: float) -> dict[str, np.ndarray]:
        """Whether the limits of each method contain the truth; without limits they do not."""
        low, high = self.wald(rows)
        natural = self.wald(rows, natural=True)
        wald = (low <= truth) & (truth <= high)
        profile = self.ratio(rows, np.full(len(rows), truth)) <= Z**2
        measure = np.full(len(rows), np.inf)
        known = np.isfinite(low) & np.isfinite(high)
        for end in (low, high):
            with np.errstate(all="ignore"):
                root = np.sqrt(np.maximum(self.ratio(rows[known], end[known]), 0.0))
            off = np.abs(root / Z - 1.0)
            measure[known] = np.fmax(off, np.where(np.isinf(measure[known]), 0.0, measure[known]))
        straight = measure <= ENOUGH
        return {
            "natural": (natural[0] <= truth) & (truth <= natural[1]),
            "wald": wald,
            "profile": profile,
            "auto": np.where(straight, wald, profile),
            "straight": straight,
        }

    def exact(self, truth: float) -> dict[str, float] | None:
        """Coverage of each method, where the law of the statistic is known."""
        if self.law is None:
            return None
        rows, weights = self.law()
        return {k: float(weights @ v) for k, v in self.covers(rows, truth).items()}


def _column(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows, dtype=float)[:, None]


def _equal(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values, np.full(len(values), 1.0 / len(values))


_LEVELS = (np.arange(400_000) + 0.5) / 400_000


# Normal, n = 8: mean and variance with divisor n.


def _moments(data: np.ndarray) -> np.ndarray:
    return np.column_stack([data.mean(axis=1), data.var(axis=1)])


def _normal_references(n: int) -> dict[str, Reference]:
    def mean_law():
        t = stats.t(n - 1).ppf(_LEVELS)
        return _equal(np.column_stack([t / np.sqrt(n - 1), np.ones(len(t))]))

    def sigma_law():
        variance = stats.chi2(n - 1).ppf(_LEVELS) / n
        return _equal(np.column_stack([np.zeros(len(variance)), variance]))

    mean = Reference(
        _moments,
        lambda r: (r[:, 0], np.sqrt(r[:, 1] / n)),
        lambda r, v: n * np.log1p((r[:, 0] - v) ** 2 / r[:, 1]),
        "identity",
        mean_law,
    )
    sigma = Reference(
        _moments,
        lambda r: (np.sqrt(r[:, 1]), np.sqrt(r[:, 1] / (2 * n))),
        lambda r, v: n * (r[:, 1] / v**2 - 1.0 - np.log(r[:, 1] / v**2)),
        "log",
        sigma_law,
    )
    return {"mu": mean, "sigma": sigma}


def _exponential_reference(n: int) -> Reference:
    return Reference(
        lambda data: _column(data.sum(axis=1)),
        lambda r: (n / r[:, 0], n / r[:, 0] / np.sqrt(n)),
        lambda r, v: 2.0 * (r[:, 0] * v - n - n * np.log(r[:, 0] * v / n)),
        "log",
        lambda: _equal(_column(stats.gamma(n).ppf(_LEVELS))),
    )


def _share_ratio(y: np.ndarray, n: np.ndarray | float, p: np.ndarray) -> np.ndarray:
    """Likelihood ratio of a binomial share."""
    with np.errstate(all="ignore"):
        top = special.xlogy(y, y / n) + special.xlogy(n - y, 1.0 - y / n)
        here = special.xlogy(y, p) + special.xlog1py(n - y, -p)
    return np.where(n == 0, 0.0, 2.0 * (np.where(n == 0, 0.0, top) - here))


def _binomial_reference(n: int, p: float, scale: str = "logit", column: int | None = None):
    def statistics(data):
        return _column(data if column is None else data[:, column])

    outcomes = np.arange(n + 1)
    return Reference(
        statistics,
        lambda r: (r[:, 0] / n, np.sqrt(r[:, 0] * (n - r[:, 0]) / n**3)),
        lambda r, v: _share_ratio(r[:, 0], float(n), v),
        scale,
        lambda: (_column(outcomes), stats.binom(n, p).pmf(outcomes)),
    )


def _poisson_reference(n: int, mean: float) -> Reference:
    totals = np.arange(200)
    return Reference(
        lambda data: _column(data.sum(axis=1)),
        lambda r: (r[:, 0] / n, np.sqrt(r[:, 0]) / n),
        lambda r, v: 2.0 * (special.xlogy(r[:, 0], r[:, 0] / (n * v)) - r[:, 0] + n * v),
        "log",
        lambda: (_column(totals), stats.poisson(n * mean).pmf(totals)),
    )


def _two_poissons_reference(first: float, second: float) -> Reference:
    """Totals of two groups; given their sum, the second is binomial with log-odds b."""

    def point(r):
        with np.errstate(all="ignore"):
            return np.log(r[:, 1] / r[:, 0]), np.sqrt(1.0 / r[:, 0] + 1.0 / r[:, 1])

    def law():
        totals = np.arange(80)
        a, b = (g.ravel() for g in np.meshgrid(totals, totals, indexing="ij"))
        weights = stats.poisson(first).pmf(a) * stats.poisson(second).pmf(b)
        return np.column_stack([a, b]).astype(float), weights

    return Reference(
        lambda data: np.column_stack([data[:, g == GROUP].sum(axis=1) for g in (0, 1)]),
        point,
        lambda r, v: _share_ratio(r[:, 1], r.sum(axis=1), special.expit(v)),
        "identity",
        law,
    )


# Logistic regression on five doses: counts at each dose.


def _logistic_loglik(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    eta = a[:, None] + b[:, None] * DOSES
    return (y * eta - PER_DOSE * np.logaddexp(0.0, eta)).sum(axis=1)


def _logistic_held(y: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Maximum over the intercept, which equates expected and observed totals."""
    total, size = y.sum(axis=1), PER_DOSE * len(DOSES)
    low, high = np.full(len(y), -400.0), np.full(len(y), 400.0)
    for _ in range(80):
        middle = 0.5 * (low + high)
        above = PER_DOSE * special.expit(middle[:, None] + b[:, None] * DOSES).sum(axis=1) > total
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    found = _logistic_loglik(y, 0.5 * (low + high), b)
    return np.where((total == 0) | (total == size), 0.0, found)


def _logistic_free(y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate, standard error and supremum; nan and the limit where the data are separated."""
    none, some = y < PER_DOSE, y > 0
    first = [np.where(w, DOSES, np.inf).min(axis=1) for w in (none, some)]
    last = [np.where(w, DOSES, -np.inf).max(axis=1) for w in (none, some)]
    separated = (last[0] <= first[1]) | (last[1] <= first[0])
    share = y / PER_DOSE
    saturated = special.xlogy(y, share) + special.xlog1py(PER_DOSE - y, -share)
    beta = np.zeros((len(y), 2))
    design = np.column_stack([np.ones(len(DOSES)), DOSES])
    information = np.zeros((len(y), 2, 2))
    for _ in range(60):
        p = special.expit(beta @ design.T)
        weight = PER_DOSE * p * (1.0 - p)
        information = np.einsum("mi,ij,ik->mjk", weight, design, design)
        information[separated] = np.eye(2)
        score = (y - PER_DOSE * p) @ design
        score[separated] = 0.0
        step = np.linalg.solve(information, score[..., None])[..., 0]
        beta += step / np.maximum(1.0, np.abs(step).max(axis=1, keepdims=True))
    value = _logistic_loglik(y, beta[:, 0], beta[:, 1])
    error = np.sqrt(np.linalg.inv(information)[:, 1, 1])
    return (
        np.where(separated, np.nan, beta[:, 1]),
        np.where(separated, np.nan, error),
        np.where(separated, saturated.sum(axis=1), value),
    )


def _logistic_reference(slope: float) -> Reference:
    def law():
        grids = np.meshgrid(*[np.arange(PER_DOSE + 1)] * len(DOSES), indexing="ij")
        y = np.column_stack([g.ravel() for g in grids]).astype(float)
        return y, stats.binom(PER_DOSE, special.expit(slope * DOSES)).pmf(y).prod(axis=1)

    return Reference(
        lambda data: data.reshape(len(data), len(DOSES), PER_DOSE).sum(axis=2),
        lambda y: _logistic_free(y)[:2],
        lambda y, v: 2.0 * (_logistic_free(y)[2] - _logistic_held(y, v)),
        "identity",
        law,
    )


def _correlation_reference(n: int, rho: float) -> Reference:
    def statistics(data):
        centred = data - data.mean(axis=1, keepdims=True)
        cross = np.einsum("mij,mik->mjk", centred, centred)
        return _column(cross[:, 0, 1] / np.sqrt(cross[:, 0, 0] * cross[:, 1, 1]))

    def law():
        z = np.linspace(-3.5, 4.5, 400_001)
        r = np.tanh(z)
        log_density = 0.5 * (n - 4) * np.log1p(-(r**2)) - (n - 1.5) * np.log1p(-rho * r)
        density = np.exp(log_density) * special.hyp2f1(0.5, 0.5, n - 0.5, 0.5 * (rho * r + 1.0))
        weights = density * (1.0 - r**2)
        return _column(r), weights / weights.sum()

    return Reference(
        statistics,
        lambda r: (r[:, 0], (1.0 - r[:, 0] ** 2) / np.sqrt(n)),
        lambda r, v: (
            n * (2 * np.log1p(-v * r[:, 0]) - np.log1p(-(v**2)) - np.log1p(-(r[:, 0] ** 2)))
        ),
        "fisher z",
        law,
    )


# Models whose statistic has no known law: the likelihood is maximised over one nuisance
# parameter by a grid and golden sections, all data sets at once.

_GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)


def _highest(
    f: Callable[[np.ndarray], np.ndarray], m: int, low: float, high: float, places: int = 60
) -> tuple[np.ndarray, np.ndarray]:
    """Place and height of the maximum of each of m functions of one number."""
    grid = np.linspace(low, high, places)
    heights = np.stack([f(np.full(m, g)) for g in grid])
    best = np.nanargmax(heights, axis=0)
    a, b = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, places - 1)]
    c, d = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
    fc, fd = f(c), f(d)
    for _ in range(45):
        left = fc > fd
        a, b = np.where(left, a, c), np.where(left, d, b)
        c, d = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
        fc, fd = f(c), f(d)
    return 0.5 * (a + b), np.maximum(fc, fd)


Height = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _by_search(
    profile: Height,
    scale: str,
    low: float,
    high: float,
    place: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Reference:
    """A reference from a profile log-likelihood of (data, places on the line).

    `place` finds the estimate on the line where that is easier than by search. Rows are the data
    with the place and the height of the maximum.
    """
    to, back, slope = LINES[scale]

    def statistics(data):
        if place is None:
            found, height = _highest(lambda u: profile(data, u), len(data), low, high)
        else:
            found = place(data)
            height = profile(data, found)
        return np.column_stack([data, found, height])

    def point(rows):
        data, found, height = rows[:, :-2], rows[:, -2], rows[:, -1]

        def fall(step):
            ends = profile(data, found + step), profile(data, found - step)
            return 2.0 * (2.0 * height - ends[0] - ends[1])

        with np.errstate(all="ignore"):
            unit = np.sqrt(2.0 * 1e-4 / fall(np.full(len(data), 0.01)))
            # Differences over three steps, extrapolated to a step of zero.
            curved = [fall(s * unit) / (s * unit) ** 2 for s in (0.2, 0.1, 0.05)]
            twice = [(4.0 * curved[i + 1] - curved[i]) / 3.0 for i in (0, 1)]
            error = np.sqrt(2.0 / ((16.0 * twice[1] - twice[0]) / 15.0))
        inside = (found > low + 1e-3) & (found < high - 1e-3)
        value = np.where(inside, back(found), np.nan)
        return value, np.where(inside, error * slope(value), np.nan)

    def ratio(rows, value):
        if not len(rows):
            return np.zeros(0)
        return 2.0 * (rows[:, -1] - profile(rows[:, :-2], to(value)))

    return Reference(statistics, point, ratio, scale)


def _negative_binomial_loglik(y, mu, alpha):
    mu, alpha = mu[:, None], alpha[:, None]
    combinations = special.gammaln(y + alpha) - special.gammaln(alpha) - special.gammaln(y + 1.0)
    failures = special.xlogy(y, mu / (alpha + mu)) - alpha * np.log1p(mu / alpha)
    return (combinations + failures).sum(axis=1)


def _over(loglik: Callable, low: float, high: float) -> Height:
    """The profile of the first argument: the maximum over the second, on a line."""

    def profile(data, place):
        return _highest(lambda nuisance: loglik(data, place, nuisance), len(data), low, high, 40)[1]

    return profile


def _weibull_profile(t: np.ndarray, log_alpha: np.ndarray) -> np.ndarray:
    """The scale has a closed form given the shape."""
    alpha = np.exp(log_alpha)
    seen = t < CENSORED_AT
    d = seen.sum(axis=1)
    powers = (t ** alpha[:, None]).sum(axis=1)
    logs = np.where(seen, np.log(t), 0.0).sum(axis=1)
    return d * (log_alpha - np.log(powers / d) - 1.0) + (alpha - 1.0) * logs


def _weibull_log_beta(t: np.ndarray) -> np.ndarray:
    log_alpha = _highest(lambda u: _weibull_profile(t, u), len(t), -2.0, 3.0)[0]
    alpha = np.exp(log_alpha)
    events = (t < CENSORED_AT).sum(axis=1)
    return np.log((t ** alpha[:, None]).sum(axis=1) / events) / alpha


def _weibull_loglik(t, log_beta, log_alpha):
    alpha, beta = np.exp(log_alpha)[:, None], np.exp(log_beta)[:, None]
    seen = t < CENSORED_AT
    hazard = np.log(alpha / beta) + (alpha - 1.0) * np.log(t / beta)
    return (np.where(seen, hazard, 0.0) - (t / beta) ** alpha).sum(axis=1)


def _mixture_loglik(y, share, mu):
    first = (1.0 - share)[:, None] * np.exp(-0.5 * y**2)
    second = share[:, None] * np.exp(-0.5 * (y - mu[:, None]) ** 2)
    return np.log(first + second).sum(axis=1)


def _decay_profile(y: np.ndarray, log_k: np.ndarray) -> np.ndarray:
    """Height of the curve and sigma have closed forms given the rate."""
    curve = np.exp(-np.exp(log_k)[:, None] * TIMES)
    rest = (y**2).sum(axis=1) - (y * curve).sum(axis=1) ** 2 / (curve**2).sum(axis=1)
    return -0.5 * y.shape[1] * np.log(rest)


REFERENCES: dict[str, dict[str, Reference]] = {
    "normal, n = 8": _normal_references(8),
    "exponential, n = 10": {"rate": _exponential_reference(10)},
    "binomial, 20 trials": {"p": _binomial_reference(20, 0.2)},
    "Poisson, n = 10": {"mean": _poisson_reference(10, 0.5)},
    "Poisson regression, n = 10": {"b": _two_poissons_reference(3.0, 6.0)},
    "logistic regression, n = 20": {"b": _logistic_reference(0.8)},
    "negative binomial, n = 30": {
        "mu": _by_search(
            _over(lambda y, u, w: _negative_binomial_loglik(y, np.exp(u), np.exp(w)), -4.0, 12.0),
            "log",
            -2.0,
            4.0,
            lambda y: np.log(y.mean(axis=1)),
        ),
        "alpha": _by_search(
            lambda y, u: _negative_binomial_loglik(y, y.mean(axis=1), np.exp(u)), "log", -4.0, 12.0
        ),
    },
    "Weibull, censored, n = 25": {
        "alpha": _by_search(_weibull_profile, "log", -2.0, 3.0),
        "beta": _by_search(_over(_weibull_loglik, -2.0, 3.0), "log", -2.0, 3.0, _weibull_log_beta),
    },
    "correlation, n = 20": {"rho": _correlation_reference(20, 0.5)},
    "simplex, n = 30": {
        f"p[{i}]": _binomial_reference(30, p, "simplex", i) for i, p in enumerate((0.1, 0.3, 0.6))
    },
    "mixture, n = 60": {
        "share": _by_search(
            _over(lambda y, u, mu: _mixture_loglik(y, special.expit(u), mu), -4.0, 9.0),
            "logit",
            -6.0,
            6.0,
        ),
        "mu": _by_search(
            _over(lambda y, mu, u: _mixture_loglik(y, special.expit(u), mu), -8.0, 8.0),
            "identity",
            -4.0,
            9.0,
        ),
    },
    "exponential decay, n = 12": {"k": _by_search(_decay_profile, "log", -4.0, 3.0)},
}


# Discrete data: the coverage jumps as the true value moves, so that it is averaged over a range.

_MAKERS: dict[tuple[str, str], Callable[[float], Reference]] = {
    ("binomial, 20 trials", "p"): lambda p: _binomial_reference(20, p),
    ("Poisson, n = 10", "mean"): lambda mean: _poisson_reference(10, mean),
    ("Poisson regression, n = 10", "b"): lambda b: _two_poissons_reference(3.0, 3.0 * np.exp(b)),
    ("logistic regression, n = 20", "b"): _logistic_reference,
    ("simplex, n = 30", "p[0]"): lambda p: _binomial_reference(30, p, "simplex"),
}
AVERAGED: dict[tuple[str, str], np.ndarray] = {
    ("binomial, 20 trials", "p"): np.linspace(0.1, 0.5, 81),
    ("Poisson, n = 10", "mean"): np.linspace(0.3, 2.0, 86),
    ("Poisson regression, n = 10", "b"): np.linspace(-1.0, 1.0, 21),
    ("logistic regression, n = 20", "b"): np.linspace(0.0, 1.2, 13),
    ("simplex, n = 30", "p[0]"): np.linspace(0.05, 0.6, 111),
}


def averaged(name: str, label: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """True values, and the exact coverage of each method at each of them."""
    truths = AVERAGED[name, label]
    rows = [_MAKERS[name, label](float(truth)).exact(float(truth)) or {} for truth in truths]
    return truths, {method: np.array([row[method] for row in rows]) for method in rows[0]}


# Bootstrap limits where estimate and truth form a pivot, so that any truth will do.


def _bca_covers(
    truth: np.ndarray, replicates: np.ndarray, scores: np.ndarray, centre: float
) -> np.ndarray:
    """Whether BCa limits cover; replicates and truth are relative to the estimate, rows are sets.

    Levels beyond the first or last replicate take that one, as in R's boot.
    """
    n = replicates.shape[1]
    bias = stats.norm.ppf((replicates < centre).mean(axis=1))
    scores = scores - scores.mean(axis=1, keepdims=True)
    acceleration = (scores**3).mean(axis=1) / (scores**2).mean(axis=1) ** 1.5 / 6.0
    ordered, ends = np.sort(replicates, axis=1), []
    for z in (-Z, Z):
        below = 1.0 - acceleration * (bias + z)
        place = (n + 1) * stats.norm.cdf(bias + (bias + z) / below) - 1.0
        place = np.clip(place, 0.0, n - 1.0)
        first = np.minimum(place.astype(int), n - 2)[:, None]
        pair = np.take_along_axis(ordered, np.hstack([first, first + 1]), axis=1)
        share = place - first[:, 0]
        end = (1.0 - share) * pair[:, 0] + share * pair[:, 1]
        ends.append(np.where(below > 0.0, end, np.nan))  # beyond, there are no limits
    return (ends[0] <= truth) & (truth <= ends[1])


def _mean_sets(rng, sets, n):
    y, own = rng.normal(size=(sets, n, 8)).mean(axis=2), rng.normal(size=(sets, 8))
    return -own.mean(axis=1) / own.std(axis=1), y, y, 0.0


def _sigma_sets(rng, sets, n):
    y, own = rng.normal(size=(sets, n, 8)), rng.normal(size=(sets, 8))
    return 1.0 / own.std(axis=1), y.std(axis=2), (y**2).sum(axis=2), 1.0


def _rate_sets(rng, sets, n):
    totals, own = rng.gamma(10.0, size=(sets, n)), rng.gamma(10.0, size=sets)
    return own / 10.0, 10.0 / totals, -totals, 1.0


BOOTSTRAPS: dict[tuple[str, str], Callable] = {
    ("normal, n = 8", "mu"): _mean_sets,
    ("normal, n = 8", "sigma"): _sigma_sets,
    ("exponential, n = 10", "rate"): _rate_sets,
}


@cache
def bootstrapped(name: str, label: str, replicates: int = 399) -> dict[str, float]:
    """Coverage of parametric bootstrap limits: exact for studentised ones, whose ends are order
    statistics of a pivot; for BCa limits to 0.002, from 20,000 sets of the pivot."""
    if (name, label) not in BOOTSTRAPS:
        return {}
    rng = np.random.default_rng(1)
    inside = [
        _bca_covers(*BOOTSTRAPS[name, label](rng, 1000, replicates)).mean() for _ in range(20)
    ]
    return {"bca": float(np.mean(inside)), "studentized": 0.95}
