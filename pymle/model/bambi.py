"""Models of bambi: the PyMC model behind one. The package itself is never imported."""

from __future__ import annotations

import warnings
from typing import Any

from pymle.errors import Notice

#: From here to the line that called a verb of `pymle.find`.
_CALLER = 6


def pymc_model_of(model: Any) -> Any:
    """The PyMC model behind a bambi model, which is built if it was not; others as they are.

    Parameters
    ----------
    model : object
        What has ``build`` and ``backend`` is taken for a bambi model.

    Returns
    -------
    object

    Warns
    -----
    Notice
        bambi centred the predictors, so that the intercept is not that of the formula.
    """
    if not (hasattr(model, "backend") and callable(getattr(model, "build", None))):
        return model
    if not getattr(model, "built", False) or model.backend is None:
        model.build()
    inner = getattr(model.backend, "model", None)
    if inner is None:
        return model
    if _centred(model, inner):
        warnings.warn(
            "`Intercept` is that of centred predictors, as bambi writes its models. The intercept "
            "of the formula is `Intercept` less each coefficient times the mean of its predictor: "
            '`fit.derived("Intercept - 4.2 * x")` where the mean of `x` is 4.2. Coefficients are '
            "the same.",
            Notice,
            stacklevel=_CALLER,
        )
    return inner


def _centred(model: Any, inner: Any) -> bool:
    """Whether an intercept stands beside predictors that bambi centred."""
    if not getattr(model, "center_predictors", False):
        return False
    if "Intercept" not in getattr(inner, "named_vars", {}):
        return False
    parts = getattr(model, "components", None) or getattr(model, "_components", None) or {}
    common = [getattr(part, "common_terms", {}) for part in parts.values()]
    return any(name != "Intercept" for terms in common for name in terms)
