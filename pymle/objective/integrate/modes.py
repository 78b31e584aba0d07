"""Other modes of the conditional density of the random effects, looked for at one point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymle.objective.integrate.direct import Direct
from pymle.objective.integrate.marginal import Marginal

#: Two ends are the same mode if they are as near as this, relative to the size of the effects.
_SAME = 1e-3
#: A mode this far below the other has less than a thousandth of its weight.
_NEGLIGIBLE = 7.0
#: Blocks of which the other mode is looked at by itself.
_MOST_BLOCKS = 5


@dataclass(frozen=True)
class OtherMode:
    """A second mode of one independent block of random effects.

    Attributes
    ----------
    entry : int
        The coordinate that differs most between the two.
    here, there : float
        Its values, on the coordinates of integration.
    lower : float
        By how much the block's integral at the other mode, approximated there, is smaller
        (logarithms); negative where it is larger.
    blocks : int
        Blocks in which another mode was found.
    """

    entry: int
    here: float
    there: float
    lower: float
    blocks: int


def other_mode(likelihood: object, x: np.ndarray) -> OtherMode | None:
    """A mode of the random effects beside the one that is used, if one is found that counts.

    Parameters
    ----------
    likelihood : Likelihood
        None is returned for one without random effects, and where its linear algebra is not
        compiled.
    x : numpy.ndarray, shape (k,)

    Returns
    -------
    OtherMode or None
        The highest; None says that none was found, not that there is none.

    Notes
    -----
    The inner search starts at the mirror image of the mode in its first start, and at two
    places far out to alternating sides of that: four evaluations where it ends at the same
    mode.
    """
    if not isinstance(likelihood, Marginal) or isinstance(likelihood, Direct):
        return None
    value, mode = likelihood.started_at(x, likelihood.latest_start)
    if not np.isfinite(value):
        return None
    first = likelihood.first_start
    far = 3.0 * max(1.0, float(np.std(mode))) * np.where(np.arange(mode.size) % 2, -1.0, 1.0)
    best: OtherMode | None = None
    part = _blocks(likelihood, mode.size)
    for start in (2.0 * first - mode, first + far, first - far):
        height, end = likelihood.started_at(x, start)
        if not np.isfinite(height):
            continue
        moved = np.abs(end - mode) > _SAME * (1.0 + np.max(np.abs(mode)))
        blocks = list(dict.fromkeys(part[moved].tolist()))
        for block in blocks[:_MOST_BLOCKS]:
            own = part == block
            single, at = likelihood.started_at(x, np.where(own, end, mode))
            gap = np.where(own, np.abs(at - mode), 0.0)
            entry = int(np.argmax(gap))
            if not np.isfinite(single) or not moved[entry]:
                continue
            lower = value - single
            if lower < _NEGLIGIBLE and (best is None or lower < best.lower):
                best = OtherMode(
                    entry, float(mode[entry]), float(at[entry]), float(lower), len(blocks)
                )
    return best


def _blocks(likelihood: Marginal, size: int) -> np.ndarray:
    """Number of the independent block of each coordinate."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rows, columns = likelihood.plan.rows, likelihood.plan.columns
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    return connected_components(graph, directed=False)[1]
