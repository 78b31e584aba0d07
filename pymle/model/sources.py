"""Which data feed an observed variable."""

from __future__ import annotations

from typing import Any

from pytensor.scalar.basic import Cast
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.shape import SpecifyShape


def observed_sources(model: Any) -> dict[str, str]:
    """The `pm.Data` behind each observed variable that takes its values as they are.

    Parameters
    ----------
    model : pymc.Model

    Returns
    -------
    dict of str to str
        Name of the data by name of the observed variable. PyMC casts the data to the type of
        the distribution, which is looked through.
    """
    named = set(model.data_vars)
    out = {}
    for rv in model.observed_RVs:
        value = source_of(model.rvs_to_values[rv])
        if value in named:
            out[rv.name] = value.name
        elif rv.name.endswith("_observed") and value.name is None:
            # The part of missing data that was seen goes by the name that the user gave.
            out[rv.name] = rv.name.removesuffix("_observed")
    return out


def source_of(value: Any) -> Any:
    """The variable behind casts and checks of a shape.

    Parameters
    ----------
    value : Variable

    Returns
    -------
    Variable
    """
    while value.owner is not None and _passes(value.owner.op):
        value = value.owner.inputs[0]
    return value


def _passes(op: Any) -> bool:
    return isinstance(op, SpecifyShape) or (
        isinstance(op, Elemwise) and isinstance(op.scalar_op, Cast)
    )
