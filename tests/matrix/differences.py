"""Extrapolated central differences (Richardson), each entry with the level it trusts most."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np


def differences(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray, steps: np.ndarray):
    """Derivative of ``function`` at ``x`` (k,): array (k, *value shape)."""
    return np.array([_one(function, x, i, steps[i]) for i in range(len(x))])


def _one(function, x, i, step, levels=5):
    table = []
    for level in range(levels):
        h = step / 2**level
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        high, low = np.asarray(function(up)), np.asarray(function(down))
        table.append((high - low) / (up[i] - down[i]))
    best, error = table[-1], np.full(np.shape(table[-1]), np.inf)
    rows = [table]
    for k in range(1, levels):
        last = rows[-1]
        rows.append([(4**k * b - a) / (4**k - 1) for a, b in pairwise(last)])
        for j, entry in enumerate(rows[-1]):
            spread = np.maximum(np.abs(entry - last[j]), np.abs(entry - last[j + 1]))
            best = np.where(spread < error, entry, best)
            error = np.minimum(spread, error)
    return best
