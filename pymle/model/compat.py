"""Everything that differs between the two PyMC, PyTensor and ArviZ generations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.utils import replace_rvs_by_values
from pytensor.tensor.type import TensorType


def replace_rvs(graphs: Sequence[Any], swaps: Mapping[Any, Any]) -> list[Any]:
    """Replace random variables by value variables in some graphs."""
    return list(replace_rvs_by_values(list(graphs), rvs_to_values=dict(swaps)))


def is_xtensor(variable: Any) -> bool:
    """Whether a variable is a labelled array of ``pymc.dims``."""
    return type(variable.type).__name__ == "XTensorType"


def is_array_type(type_: Any) -> bool:
    """Whether a type is that of a dense array."""
    return isinstance(type_, TensorType) or type(type_).__name__ == "XTensorType"


def as_tensor(value: Any) -> Any:
    """A plain tensor of a graph variable or number."""
    if hasattr(value, "type") and is_xtensor(value):
        return value.values
    return pt.as_tensor_variable(value)


def like_rv(tensor: Any, rv: Any) -> Any:
    """A tensor in the type family of a random variable."""
    if is_xtensor(rv):
        # PyTensor 2 warns when this module is imported: only models that use it do.
        from pytensor.xtensor import as_xtensor

        return as_xtensor(tensor, dims=rv.type.dims)
    return tensor


def input_like(variable: Any, value: np.ndarray) -> Any:
    """An explicit input with the static shape of the present value."""
    return variable.type.clone(shape=value.shape)(name=variable.name)


def constant_like(shared: Any) -> Any:
    """A constant with the present value of a shared variable."""
    value = np.asarray(shared.get_value(borrow=True))
    return shared.type.clone(shape=value.shape).make_constant(value)


def jax_linker() -> tuple[Any, Any]:
    """PyTensor's JAX rewriter and its translator, imported when first needed."""
    from pytensor.compile.mode import get_mode
    from pytensor.link.jax.dispatch import jax_funcify

    return get_mode("JAX").optimizer, jax_funcify


def tree(groups: Mapping[str, Any], attrs: Mapping[str, Any]) -> Any:
    """Groups of datasets in the container of the installed ArviZ.

    Parameters
    ----------
    groups : mapping of str to xarray.Dataset
    attrs : mapping

    Returns
    -------
    arviz.InferenceData or xarray.DataTree
        The first with ArviZ 0.x, the second from ArviZ 1.
    """
    import arviz

    if arviz.__version__.startswith("0."):
        return arviz.InferenceData(**groups, attrs=dict(attrs))
    import xarray as xr

    made = xr.DataTree.from_dict({f"/{name}": dataset for name, dataset in groups.items()})
    made.attrs.update(attrs)
    return made


def pareto_k(log_weights: np.ndarray) -> np.ndarray:
    """Shapes of generalized Pareto laws fitted to the tails of importance weights.

    Parameters
    ----------
    log_weights : numpy.ndarray, shape (m, n)
        Logarithms of n weights for each of m integrals.

    Returns
    -------
    numpy.ndarray, shape (m,)
    """
    import arviz

    if arviz.__version__.startswith("0."):
        return np.atleast_1d(np.asarray(arviz.psislw(np.array(log_weights))[1], dtype=np.float64))
    from arviz_stats.base import array_stats

    # It takes log-likelihoods that are left out: logarithms of inverse weights.
    return np.atleast_1d(np.asarray(array_stats.psislw(-np.array(log_weights))[1], np.float64))


def without_jitter(arguments: dict[str, Any]) -> None:
    """Complete the arguments of ``pm.sample`` so that JAX samplers keep the starts they are given.

    Parameters
    ----------
    arguments : dict
        Changed in place.
    """
    import pymc

    name = "nuts_sampler_kwargs" if pymc.__version__.startswith("5.") else "nuts"
    arguments[name] = {"jitter": False, **dict(arguments.get(name) or {})}
