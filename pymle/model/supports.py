"""The support of each free variable and the working transform that goes with it.

The transform follows from the support alone, so that it is the same on both PyMC
generations, also where PyMC attaches none (``LogitNormal``, ``default_transform=None``,
``Wishart`` and ``LKJCorr`` on PyMC 5). A transform that the user gave is part of the
declaration (``transform=ordered``) and is kept.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from pymc.distributions import transforms as pmt
from pymc.distributions.transforms import _default_transform
from pymc.logprob.transforms import Transform

from pymle.model import walks
from pymle.model.correlation import (
    CorrelationFactorTransform,
    CovarianceTransform,
    PackedCorrelationTransform,
)

# Distributions over the whole real line (or R^n): without a transform they need none.
_REAL = {
    "AutoRegressiveRV",
    "AsymmetricLaplaceRV",
    "CARRV",
    "CauchyRV",
    "EulerMaruyamaRV",
    "ExGaussianRV",
    "FlatRV",
    "GARCH11RV",
    "GumbelRV",
    "ICARRV",
    "KroneckerNormalRV",
    "LaplaceRV",
    "LogisticRV",
    "MatrixNormalRV",
    "MoyalRV",
    "MvNormalRV",
    "MvStudentTRV",
    "NormalRV",
    "PrecisionMvNormalRV",
    "RandomWalkRV",
    "SkewNormalRV",
    "SkewStudentTRV",
    "StudentTRV",
    "TRV",
}

# PyMC 5 gives LKJCorr one interval per entry, which leaves the positive definite matrices.
_LKJ_DEFAULTS = {"MultivariateIntervalTransform", "NoneType"}

_KINDS = {
    "LogTransform": "positive",
    "LogExpM1": "positive",
    "LogOddsTransform": "interval",
    "IntervalTransform": "interval",
    "Interval": "interval",
    "CircularTransform": "circular",
    "SimplexTransform": "simplex",
    "SumTo1": "simplex",
    "Ordered": "ordered",
    "ZeroSumTransform": "zerosum",
    "CholeskyCovPacked": "cholesky",
    "CholeskyCovTransform": "covariance",
    "CovarianceTransform": "covariance",
    "CholeskyCorrTransform": "correlation",
    "PackedCorrelationTransform": "correlation",
    "CorrelationFactorTransform": "correlation",
}

_TEXT = {
    "real": "any real number",
    "positive": "positive",
    "interval": "an interval",
    "circular": "an angle in (-pi, pi)",
    "simplex": "non-negative entries that sum to 1",
    "ordered": "increasing entries",
    "zerosum": "entries that sum to zero",
    "cholesky": "a packed Cholesky factor with a positive diagonal",
    "covariance": "a positive definite matrix",
    "correlation": "correlations of a positive definite matrix",
    "custom": "the image of the transform that the model gives",
    "unknown": "where its own distribution has a positive density",
}


@dataclass(frozen=True)
class Support:
    """Where a variable lives and how the optimiser moves there.

    Attributes
    ----------
    kind : str
        ``real``, ``positive``, ``interval``, ``circular`` (one entry at a time) or
        ``simplex``, ``ordered``, ``zerosum``, ``cholesky``, ``covariance``,
        ``correlation``, ``custom`` (entries constrain each other), or ``unknown``.
    transform : pymc Transform or None
        Natural to unconstrained (``forward``) and back (``backward``); None is the identity.
    given : bool
        The user gave the transform in the declaration.
    """

    kind: str
    transform: Transform | None
    given: bool = False

    @property
    def elementwise(self) -> bool:
        """Whether each entry has its own unconstrained coordinate."""
        return self.kind in {"real", "positive", "interval", "circular", "unknown"}

    @property
    def text(self) -> str:
        """The support in words."""
        return _TEXT[self.kind]


def support_of(model: Any, rv: Any) -> Support:
    """Find the support of a free variable.

    Parameters
    ----------
    model : pymc.Model
    rv : TensorVariable or XTensorVariable
        One of ``model.free_RVs``.

    Returns
    -------
    Support
        ``unknown`` where nothing but the variable's own density tells (a free
        ``CustomDist`` or ``Censored``): the objective then keeps the indicator of
        that density, so that the dropped prior does not take the support with it.
    """
    op = rv.owner.op
    name = type(op).__name__
    registered = model.rvs_to_transforms.get(rv)
    default = _quiet_default(rv)
    if name == "LKJCorrRV" and type(registered).__name__ in _LKJ_DEFAULTS and rv.ndim == 1:
        return Support("correlation", PackedCorrelationTransform())
    if registered is not None and not _same(registered, default):
        return Support(_KINDS.get(type(registered).__name__, "custom"), registered, given=True)
    if name == "WishartRV":
        return Support("covariance", CovarianceTransform())
    if default is not None:
        kind = _KINDS.get(type(default).__name__)
        if kind is None:
            kind = "interval" if isinstance(default, pmt.Interval) else "custom"
        return Support(kind, _with_constant_order(default))
    if name == "LogitNormal":
        return Support("interval", pmt.logodds)
    if name in _REAL or _dims_real(op):
        return Support("real", None)
    return Support("unknown", None)


def bounds_of(support: Support, rv: Any) -> tuple[Any, Any]:
    """Symbolic lower and upper bound of an elementwise support.

    Parameters
    ----------
    support : Support
    rv : TensorVariable

    Returns
    -------
    lower, upper : number, symbolic expression of the variable's own inputs, or None
        None where the variable is unbounded on that side.
    """
    if support.kind == "positive":
        return 0.0, None
    if support.kind != "interval":
        return None, None
    transform = support.transform
    if type(transform).__name__ == "LogOddsTransform":
        return 0.0, 1.0
    if hasattr(transform, "args_fn"):
        return transform.args_fn(*rv.owner.inputs)
    return transform.lower, transform.upper  # the interval of pymc.dims


def _quiet_default(rv: Any) -> Transform | None:
    with warnings.catch_warnings():
        # A free Mixture of unlike components warns that it has no safe transform;
        # such a variable is `unknown` here, and the indicator of its density stays.
        warnings.simplefilter("ignore")
        return _default_transform(rv.owner.op, rv)


def _with_constant_order(transform: Transform) -> Transform:
    """Our own form of PyMC 6's Cholesky factor of a correlation matrix, which JAX can trace."""
    if type(transform).__name__ != "CholeskyCorrTransform" or transform.upper:
        return transform
    order = transform.n
    if hasattr(order, "type"):
        order = walks.evaluate([order])[0]
    return CorrelationFactorTransform(int(order))


def _same(registered: Transform, default: Transform | None) -> bool:
    if default is None or type(registered) is not type(default):
        return False
    if type(registered).__name__ == "Interval":
        # A user's Interval is made by `lower=, upper=`; the default one closes over the
        # distribution's argument positions. They differ in the function they carry.
        made_by = registered.args_fn.__code__.co_filename, registered.args_fn.__code__.co_name
        default_by = default.args_fn.__code__.co_filename, default.args_fn.__code__.co_name
        return made_by == default_by and made_by[1] != "bounds_fn"
    return True


def _dims_real(op: Any) -> bool:
    # pymc.dims wraps the plain random variable in an XRV that names its core op.
    core = getattr(op, "core_op", None)
    return core is not None and type(core).__name__ in _REAL
