"""The constraints of a fit as a table and in words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pymle.estimate import Estimate
from pymle.inference.covariance import whitened


def constraint_table(estimate: Estimate) -> pd.DataFrame:
    """Every constraint with its slack and its multiplier.

    Parameters
    ----------
    estimate : Estimate

    Returns
    -------
    pandas.DataFrame
        Index: the constraints. Columns ``difference`` (left side minus right side), ``binds``
        (equations, and inequalities that hold with equality) and ``multiplier`` (derivative
        of the maximum log-likelihood with respect to the right side). No rows without
        constraints.
    """
    restriction = estimate.restriction
    columns = ["difference", "binds", "multiplier"]
    if restriction is None:
        return pd.DataFrame(columns=columns)
    # What a search under constraints leaves of an equation is rounding.
    difference = np.where(restriction.active, 0.0, restriction.values)
    return pd.DataFrame(
        {
            "difference": difference,
            "binds": restriction.active,
            "multiplier": restriction.multipliers,
        },
        index=list(restriction.texts),
    )


def held_by_constraints(estimate: Estimate) -> tuple[str, ...]:
    """Labels of the estimated entries that the binding constraints hold at a value.

    Parameters
    ----------
    estimate : Estimate

    Returns
    -------
    tuple of str
    """
    if estimate.restriction is None or estimate.null_space is None:
        return ()
    half, known = whitened(estimate, estimate.jacobian)
    held = known & ~np.any(half != 0.0, axis=1) & ~estimate.layout.fixed
    return tuple(
        label for label, is_held in zip(estimate.layout.labels, held, strict=True) if is_held
    )


def constraint_notes(estimate: Estimate) -> list[str]:
    """What the constraints mean for the table, in sentences.

    Parameters
    ----------
    estimate : Estimate

    Returns
    -------
    list of str
        Empty without constraints.
    """
    restriction = estimate.restriction
    if restriction is None:
        return []
    notes = []
    binding = restriction.binding
    held = held_by_constraints(estimate)
    if binding:
        quoted = ", ".join(f'"{text}"' for text in binding[:8])
        more = f" and {len(binding) - 8} more" if len(binding) > 8 else ""
        notes.append(
            f"at its constraint: {quoted}{more}; standard errors are conditional on what binds, "
            "as if it were an equation"
        )
    if held:
        shown = ", ".join(held[:8]) + (f" and {len(held) - 8} more" if len(held) > 8 else "")
        notes.append(f"held by constraints, so without standard error: {shown}")
    return notes
