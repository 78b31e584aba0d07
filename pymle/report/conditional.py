"""What standard errors are conditional on, in words."""

from __future__ import annotations

from typing import Any

import numpy as np


def conditional_on(estimate: Any) -> str:
    """Where parameters that ran to an edge or to infinity are held, in words: ``tau = 0``.

    Parameters
    ----------
    estimate : Estimate

    Returns
    -------
    str
        Empty where none did.
    """
    if estimate.tails is None:
        return ""
    place = {label: i for i, label in enumerate(estimate.layout.labels)}
    parts = []
    for label, side in estimate.verdict.parameters.items():
        bounds = estimate.lower if side < 0 else estimate.upper
        at = float(bounds[place[label]]) if label in place else float("nan")
        if np.isnan(at):
            parts.append(f"{label} at its limit")
        elif np.isinf(at):
            parts.append(f"{label} = {'' if at > 0 else '-'}infinity")
        else:
            parts.append(f"{label} = {at:g} (the edge of its support)")
    return ", ".join(parts)
