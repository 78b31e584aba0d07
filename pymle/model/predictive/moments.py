"""Means and variances of distributions as graphs of their parameters.

They are the closed forms of the textbooks, in the parameters that the random variables of
PyMC carry, composed for mixtures (zero-inflated and hurdle ones among them) and for truncated
counts. ``None`` means that no closed form is known here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.basic import logp
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.type import RandomType

from pymle.model import compat

_EULER = float(np.euler_gamma)


@dataclass(frozen=True)
class Moments:
    """Mean and variance of a random variable given its parameters.

    Attributes
    ----------
    mean : Variable
        With an axis of categories at the end where ``categories``.
    variance : Variable or None
    low, high : float or Variable
        Range of the mean; infinite where it has none.
    categories : bool
        The variable is a category: its "mean" are the probabilities of the categories.
    """

    mean: Any
    variance: Any | None
    low: Any = -np.inf
    high: Any = np.inf
    categories: bool = False


def moments_of(rv: Any) -> Moments | None:
    """Mean and variance of a random variable, given everything above it in the graph.

    Parameters
    ----------
    rv : TensorVariable or XTensorVariable
        A random variable of PyMC.

    Returns
    -------
    Moments or None
        None where no closed form is known. The shapes are those that the parameters
        broadcast to, which may be smaller than that of the variable.
    """
    if rv.owner is None:
        return None
    name = type(rv.owner.op).__name__
    if name in {"MixtureRV", "_HurdleRV", "MarginalMixtureRV"}:
        return _mixture(rv)
    if name == "TruncatedRV":
        return _truncated(rv)
    if name == "CensoredRV":
        return _censored(rv)
    if name in _FORMULAS:
        return _FORMULAS[name](*_parameters(rv))
    return _by_pymc(rv)


#: Distributions of which PyMC's own mean was compared with draws on both generations.
_PYMC_MEANS = {"HalfStudentTRV", "SkewStudentTRV", "VonMisesRV"}


def _by_pymc(rv: Any) -> Moments | None:
    """The mean that PyMC itself knows, without a variance."""
    from pymc.distributions.moments import mean

    if type(rv.owner.op).__name__ not in _PYMC_MEANS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = _float(mean(rv))
    except (NotImplementedError, TypeError, ValueError, AttributeError):
        return None
    # Some of PyMC's expressions take the shape of the variable from a draw of it.
    own = [v for v in ancestors([found]) if v is rv]
    return None if own else Moments(found, None)


def _parameters(rv: Any) -> list[Any]:
    """A random variable's parameters, without random states and size."""
    node = rv.owner
    if hasattr(node.op, "dist_params"):
        found = node.op.dist_params(node)
    else:
        found = node.inputs[2:]
    return [_float(p) for p in found if not isinstance(p.type, RandomType)]


def _float(value: Any) -> Any:
    tensor = compat.as_tensor(value)
    return tensor if tensor.dtype == "float64" else tensor.astype("float64")


def _mixture(rv: Any) -> Moments | None:
    weights, *components = [v for v in rv.owner.inputs if not isinstance(v.type, RandomType)]
    support = rv.owner.op.ndim_supp
    parts = [moments_of(c) for c in components]
    if support or any(part is None or part.categories for part in parts):
        return None
    weights = _float(weights)
    known = [part for part in parts if part is not None]
    if len(components) == 1:
        means, variances = known[0].mean, known[0].variance
        low, high = known[0].low, known[0].high
        mean = pt.sum(weights * means, axis=-1)
        second = None if variances is None else pt.sum(weights * (variances + means**2), axis=-1)
    else:
        mean = sum(weights[..., i] * part.mean for i, part in enumerate(known))
        second = (
            None
            if any(part.variance is None for part in known)
            else sum(weights[..., i] * (p.variance + p.mean**2) for i, p in enumerate(known))
        )
        low, high = _common_range([p for p in known if p.variance is not _NONE_MOVES])
    return Moments(mean, None if second is None else second - mean**2, low, high)


#: Variance of a point mass: it does not widen the range of a mixture's mean.
_NONE_MOVES = pt.zeros(())


def _common_range(parts: list[Moments]) -> tuple[Any, Any]:
    """The widest of the components' ranges, where those are numbers."""
    lows, highs = [p.low for p in parts], [p.high for p in parts]
    numbers = all(isinstance(v, float) for v in lows)
    low = min(lows) if numbers else -np.inf
    if len(parts) == 1:
        return low, highs[0]
    return low, max(highs) if all(isinstance(v, float) for v in highs) else np.inf


def _truncated(rv: Any) -> Moments | None:
    """Counts without their zeros, as hurdle models have them."""
    *inputs, lower, upper = rv.owner.inputs
    base_op = rv.owner.op.base_rv_op
    base = base_op.make_node(*inputs).default_output()
    bounds = [getattr(b, "data", None) for b in (lower, upper)]
    counts = {"PoissonRV", "NegBinomialRV", "BinomialRV"}
    if type(base_op).__name__ not in counts or bounds[0] is None or bounds[1] is None:
        return None
    if not (np.all(bounds[0] == 1) and np.all(np.isinf(bounds[1]))):
        return None
    whole = moments_of(base)
    if whole is None:
        return None
    values = pt.zeros_like(whole.mean).astype(base.dtype)
    positive = -pt.expm1(_float(logp(base, values)))
    mean = whole.mean / positive
    second = (whole.variance + whole.mean**2) / positive
    return Moments(mean, second - mean**2, 1.0, whole.high)


def _censored(rv: Any) -> Moments | None:
    """A normal variable of which values beyond a bound are set to it (tobit)."""
    base, lower, upper = rv.owner.inputs
    if type(base.owner.op).__name__ != "NormalRV":
        return None
    mu, sigma = _parameters(base)
    low, high = _float(lower), _float(upper)
    a, b = (low - mu) / sigma, (high - mu) / sigma

    def inside(bound: Any, z: Any, power: int) -> Any:
        # The bound times the probability of reaching it, which is nothing at infinity.
        finite = pt.switch(pt.isinf(bound), 0.0, bound)
        return finite**power * 0.5 * pt.erfc(z / np.sqrt(2.0))

    mass = 0.5 * (pt.erfc(a / np.sqrt(2.0)) - pt.erfc(b / np.sqrt(2.0)))
    below, above = (pt.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) for z in (a, b))

    def times(bound: Any, density: Any) -> Any:
        return pt.switch(pt.isinf(bound), 0.0, bound) * density

    mean = inside(low, -a, 1) + inside(high, b, 1) + mu * mass + sigma * (below - above)
    second = (
        inside(low, -a, 2)
        + inside(high, b, 2)
        + (mu**2 + sigma**2) * mass
        + sigma * (mu * (below - above) + times(low, below) - times(high, above))
    )
    return Moments(mean, second - mean**2, _number(lower, -np.inf), _number(upper, np.inf))


def _number(bound: Any, otherwise: float) -> float:
    value = getattr(bound, "data", None)
    return float(value) if value is not None and np.ndim(value) == 0 else otherwise


def _positive(mean: Any, variance: Any | None) -> Moments:
    return Moments(mean, variance, 0.0)


def _share(mean: Any, variance: Any | None) -> Moments:
    return Moments(mean, variance, 0.0, 1.0)


def _normal(mu: Any, sigma: Any) -> Moments:
    return Moments(mu, sigma**2)


def _truncated_normal(mu: Any, sigma: Any, lower: Any, upper: Any) -> Moments:
    a, b = (lower - mu) / sigma, (upper - mu) / sigma

    def density(z: Any) -> Any:
        return pt.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)

    def times(z: Any) -> Any:
        # z times its density is zero at infinity.
        return pt.switch(pt.isinf(z), 0.0, pt.switch(pt.isinf(z), 0.0, z) * density(z))

    # The smaller of the two tails keeps its digits.
    mass = pt.switch(
        pt.gt(a, 0.0),
        0.5 * (pt.erfc(a / np.sqrt(2.0)) - pt.erfc(b / np.sqrt(2.0))),
        0.5 * (pt.erfc(-b / np.sqrt(2.0)) - pt.erfc(-a / np.sqrt(2.0))),
    )
    shift = (density(a) - density(b)) / mass
    variance = sigma**2 * (1.0 + (times(a) - times(b)) / mass - shift**2)
    return Moments(mu + sigma * shift, variance)


def _student(df: Any, mu: Any, sigma: Any) -> Moments:
    mean = pt.switch(pt.gt(df, 1.0), mu, np.nan)
    variance = pt.switch(pt.gt(df, 2.0), sigma**2 * df / (df - 2.0), np.inf)
    return Moments(mean, variance)


def _lognormal(mu: Any, sigma: Any) -> Moments:
    mean = pt.exp(mu + 0.5 * sigma**2)
    return _positive(mean, mean**2 * pt.expm1(sigma**2))


def _weibull(alpha: Any, beta: Any) -> Moments:
    first = pt.exp(pt.gammaln(1.0 + 1.0 / alpha))
    second = pt.exp(pt.gammaln(1.0 + 2.0 / alpha))
    return _positive(beta * first, beta**2 * (second - first**2))


def _beta(a: Any, b: Any) -> Moments:
    total = a + b
    return _share(a / total, a * b / (total**2 * (total + 1.0)))


def _beta_binomial(n: Any, a: Any, b: Any) -> Moments:
    share, total = a / (a + b), a + b
    variance = n * share * (1.0 - share) * (total + n) / (total + 1.0)
    return Moments(n * share, variance, 0.0, n)


def _negative_binomial(n: Any, p: Any) -> Moments:
    mean = n * (1.0 - p) / p
    return _positive(mean, mean / p)


def _inverse_gamma(shape: Any, scale: Any) -> Moments:
    mean = pt.switch(pt.gt(shape, 1.0), scale / (shape - 1.0), np.inf)
    variance = pt.switch(pt.gt(shape, 2.0), scale**2 / ((shape - 1.0) ** 2 * (shape - 2.0)), np.inf)
    return _positive(mean, variance)


def _pareto(alpha: Any, m: Any) -> Moments:
    mean = pt.switch(pt.gt(alpha, 1.0), alpha * m / (alpha - 1.0), np.inf)
    variance = pt.switch(
        pt.gt(alpha, 2.0), m**2 * alpha / ((alpha - 1.0) ** 2 * (alpha - 2.0)), np.inf
    )
    return _positive(mean, variance)


def _skew_normal(mu: Any, sigma: Any, alpha: Any) -> Moments:
    delta = alpha / pt.sqrt(1.0 + alpha**2)
    return Moments(
        mu + sigma * delta * np.sqrt(2 / np.pi), sigma**2 * (1.0 - 2.0 * delta**2 / np.pi)
    )


def _asymmetric_laplace(b: Any, kappa: Any, mu: Any) -> Moments:
    return Moments(mu + (1.0 / kappa - kappa) / b, (1.0 / kappa**2 + kappa**2) / b**2)


def _kumaraswamy(a: Any, b: Any) -> Moments:
    def moment(r: float) -> Any:
        return b * pt.exp(pt.gammaln(1.0 + r / a) + pt.gammaln(b) - pt.gammaln(1.0 + r / a + b))

    return _share(moment(1.0), moment(2.0) - moment(1.0) ** 2)


def _hypergeometric(good: Any, bad: Any, n: Any) -> Moments:
    total = good + bad
    share = good / total
    return Moments(n * share, n * share * (1.0 - share) * (total - n) / (total - 1.0), 0.0, n)


def _multinomial(n: Any, p: Any) -> Moments:
    trials = n[..., None]
    return Moments(trials * p, trials * p * (1.0 - p), 0.0, trials)


def _dirichlet_multinomial(n: Any, a: Any) -> Moments:
    trials, total = n[..., None], pt.sum(a, axis=-1, keepdims=True)
    share = a / total
    variance = trials * share * (1.0 - share) * (trials + total) / (1.0 + total)
    return Moments(trials * share, variance, 0.0, trials)


def _dirichlet(a: Any) -> Moments:
    total = pt.sum(a, axis=-1, keepdims=True)
    share = a / total
    return _share(share, share * (1.0 - share) / (total + 1.0))


def _mvstudent(nu: Any, mu: Any, scale: Any) -> Moments:
    factor: Any = pt.switch(pt.gt(nu, 2.0), nu / (nu - 2.0), np.inf)
    return Moments(mu, factor[..., None] * _diagonal(scale))


def _diagonal(matrix: Any) -> Any:
    return pt.diagonal(matrix, axis1=-2, axis2=-1)


_FORMULAS: Mapping[str, Callable[..., Moments]] = {
    "AsymmetricLaplaceRV": _asymmetric_laplace,
    "BernoulliRV": lambda p: _share(p, p * (1.0 - p)),
    "BetaBinomialRV": _beta_binomial,
    "BetaRV": _beta,
    "BinomialRV": lambda n, p: Moments(n * p, n * p * (1.0 - p), 0.0, n),
    "CauchyRV": lambda mu, sigma: Moments(mu * np.nan, sigma * np.inf),
    "CategoricalRV": lambda p: Moments(p, None, 0.0, 1.0, categories=True),
    "ChiSquareRV": lambda df: _positive(df, 2.0 * df),
    "DiracDeltaRV": lambda c: Moments(c, _NONE_MOVES),
    "DirichletMultinomialRV": _dirichlet_multinomial,
    "DirichletRV": _dirichlet,
    "DiscreteUniformRV": lambda low, high: Moments(
        0.5 * (low + high), ((high - low + 1.0) ** 2 - 1.0) / 12.0
    ),
    "ExGaussianRV": lambda mu, sigma, nu: Moments(mu + nu, sigma**2 + nu**2),
    "ExponentialRV": lambda scale: _positive(scale, scale**2),
    "GammaRV": lambda shape, scale: _positive(shape * scale, shape * scale**2),
    "GeometricRV": lambda p: Moments(1.0 / p, (1.0 - p) / p**2, 1.0),
    "GumbelRV": lambda mu, beta: Moments(mu + _EULER * beta, np.pi**2 / 6.0 * beta**2),
    "HalfCauchyRV": lambda loc, sigma: _positive(loc + sigma * np.inf, sigma * np.inf),
    "HalfNormalRV": lambda loc, sigma: Moments(
        loc + sigma * np.sqrt(2 / np.pi), sigma**2 * (1.0 - 2.0 / np.pi)
    ),
    "HyperGeometricRV": _hypergeometric,
    "InvGammaRV": _inverse_gamma,
    "KroneckerNormalRV": lambda mu, *_: Moments(mu, None),
    "KumaraswamyRV": _kumaraswamy,
    "LaplaceRV": lambda mu, b: Moments(mu, 2.0 * b**2),
    "LogNormalRV": _lognormal,
    "LogisticRV": lambda mu, s: Moments(mu, np.pi**2 / 3.0 * s**2),
    "MatrixNormalRV": lambda mu, *_: Moments(mu, None),
    "MoyalRV": lambda mu, sigma: Moments(
        mu + sigma * (_EULER + np.log(2.0)), np.pi**2 / 2.0 * sigma**2
    ),
    "MultinomialRV": _multinomial,
    "MvNormalRV": lambda mu, cov: Moments(mu, _diagonal(cov)),
    "MvStudentTRV": _mvstudent,
    "NegBinomialRV": _negative_binomial,
    "NegativeBinomialRV": _negative_binomial,
    "NormalRV": _normal,
    "ParetoRV": _pareto,
    "PoissonRV": lambda mu: _positive(mu, mu),
    "PrecisionMvNormalRV": lambda mu, _: Moments(mu, None),
    "SkewNormalRV": _skew_normal,
    "StudentTRV": _student,
    "TriangularRV": lambda low, c, high: Moments(
        (low + c + high) / 3.0,
        (low**2 + c**2 + high**2 - low * c - low * high - c * high) / 18.0,
    ),
    "TruncatedNormalRV": _truncated_normal,
    "UniformRV": lambda low, high: Moments(0.5 * (low + high), (high - low) ** 2 / 12.0),
    "WaldRV": lambda mu, lam, alpha: Moments(mu + alpha, mu**3 / lam),
    "WeibullBetaRV": _weibull,
}
