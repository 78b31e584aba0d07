"""Models of bambi: the PyMC model behind one. The package itself is never imported."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import xarray as xr

from pymle.errors import Notice
from pymle.errors.draws import DrawsError

#: From here to the line that called a verb of `pymle.find`.
_CALLER = 6
#: Attribute by which bambi marks what it returns.
_INTERFACE = "modeling_interface"


@dataclass(frozen=True)
class Centred:
    """An intercept beside predictors that bambi centred.

    Attributes
    ----------
    intercept : str
    terms : tuple of str
        Variables of the coefficients.
    means : numpy.ndarray, shape (p,)
        Of the predictors, in the order of the coefficients' entries.
    """

    intercept: str
    terms: tuple[str, ...]
    means: np.ndarray


#: What bambi centred in the PyMC models that were taken out of its models.
_CENTRED: WeakKeyDictionary[Any, tuple[Centred, ...]] = WeakKeyDictionary()


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
    _CENTRED[inner] = _centred(model.backend)
    for each in _CENTRED[inner]:
        warnings.warn(
            f"`{each.intercept}` is that of centred predictors, as bambi writes its models. The "
            f"intercept of the formula is `{each.intercept}` less each coefficient times the mean "
            f'of its predictor: `fit.derived("{each.intercept} - 4.2 * x")` where the mean of '
            "`x` is 4.2. Coefficients are the same.",
            Notice,
            stacklevel=_CALLER,
        )
    return inner


def _centred(backend: Any) -> tuple[Centred, ...]:
    """The intercepts beside predictors that bambi centred: it keeps those as they were."""
    out = []
    for component in getattr(backend, "distributional_components", {}).values():
        design = getattr(component, "design_matrix_without_intercept", None)
        if design is None:
            continue
        terms = component.component
        names = tuple(_named(term) for term in terms.common_terms.values())
        out.append(Centred(_named(terms.intercept_term), names, np.mean(design, axis=0)))
    return tuple(out)


def _named(term: Any) -> str:
    return str(getattr(term, "alias", None) or term.name)


def at_centred_predictors(draws: xr.Dataset, model: Any) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Draws that bambi returned, with the intercepts that its PyMC model has.

    After sampling bambi moves its intercepts to those of the formula.

    Parameters
    ----------
    draws : xarray.Dataset
        A posterior; others than bambi's stay as they are.
    model : pymc.Model
        Of the fit.

    Returns
    -------
    draws : xarray.Dataset
    moved : tuple of str
        The intercepts that were moved back.

    Raises
    ------
    DrawsError
        Draws of bambi without the coefficients, or a PyMC model of which it is not known whether
        bambi centred its predictors.
    """
    if draws.attrs.get(_INTERFACE) != "bambi":
        return draws, ()
    if model not in _CENTRED:
        free = {rv.name for rv in model.free_RVs}
        found = [n for n in map(str, draws.data_vars) if n in free and n.endswith("Intercept")]
        if found:
            raise DrawsError.centred_intercepts(found)
        return draws, ()
    moved = [each for each in _CENTRED[model] if each.intercept in draws]
    for each in moved:
        lacking = [name for name in each.terms if name not in draws]
        if lacking:
            raise DrawsError.lack(lacking, [str(name) for name in draws.data_vars])
        intercept, at = draws[each.intercept], 0
        total = intercept
        for name in each.terms:
            coefficient = draws[name]
            own = [dim for dim in coefficient.dims if dim not in intercept.dims]
            count = int(np.prod([coefficient.sizes[dim] for dim in own], dtype=int))
            shape = [coefficient.sizes[dim] for dim in own]
            means = xr.DataArray(each.means[at : at + count].reshape(shape), dims=own)
            total = total + (coefficient * means).sum(own)
            at += count
        draws = draws.assign({each.intercept: total.transpose(*intercept.dims)})
    if moved:
        # They are no longer as bambi returned them.
        about = {k: v for k, v in draws.attrs.items() if k != _INTERFACE}
        draws = draws.copy()
        draws.attrs = about
    return draws, tuple(each.intercept for each in moved)
