"""What standard errors are conditional on, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymle.verdict import Status

#: Entries of one variable that are named one by one.
_MOST = 4


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
    if estimate.verdict.status is Status.SUPPORT:
        return ", ".join(
            f"{label} = {estimate.natural[place[label]]:g} (the edge of the data's support)"
            if label in place
            else f"{label} at the edge of the data's support"
            for label in estimate.verdict.parameters
        )
    held: dict[tuple[str, str], list[str]] = {}
    for label, side in estimate.verdict.parameters.items():
        bounds = estimate.lower if side < 0 else estimate.upper
        at = float(bounds[place[label]]) if label in place else float("nan")
        held.setdefault((label.split("[")[0], _where(at)), []).append(label)
    parts = []
    for (stem, where), labels in held.items():
        if len(labels) > _MOST:
            parts.append(f"{len(labels)} entries of {stem} {where}")
        else:
            parts += [f"{label} {where}" for label in labels]
    return ", ".join(parts)


def _where(at: float) -> str:
    if np.isnan(at):
        return "at its limit"
    if np.isinf(at):
        return f"= {'' if at > 0 else '-'}infinity"
    return f"= {at:g} (the edge of its support)"
