"""The objective piece by piece: every element of its terms, with a weight for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt

from pymle.model import compat, walks
from pymle.model.density import repaired
from pymle.model.lower import Lowered, double_precision, lower_objective


@dataclass(frozen=True)
class Pieces:
    """All elements of an objective's terms as one vector.

    Attributes
    ----------
    lowered : Lowered
        ``(weighted sum, its score, elements)`` of ``(z, held, [weights], data)``.
    names, kinds : tuple of str
        Of the terms, in order.
    sizes : tuple of int
        Elements of each.
    """

    lowered: Lowered
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    sizes: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements (m,)."""
        return sum(self.sizes)

    @property
    def offsets(self) -> np.ndarray:
        """Where the elements of each term begin, and where the last ends."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(int)


def make_pieces(problem: Any) -> Pieces:
    """Lower the elements of an objective's terms.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Pieces
    """
    density = problem.density
    with problem._swapped(), double_precision():
        logps = density.substitute(repaired([_unsummed(t.logp) for t in problem.terms]))
        flat = [compat.as_tensor(logp).flatten().astype("float64") for logp in logps]
        at = {
            density.x: np.zeros(density.x.type.shape),
            density.held: problem.coordinates.held_vector,
        }
        shapes = walks.evaluate([f.shape[0] for f in flat], at)
        sizes = tuple(int(n) for n in shapes)
        weights = pt.vector("weights", shape=(sum(sizes),), dtype="float64")
        elements = pt.concatenate(flat) if len(flat) > 1 else flat[0]
        lowered = lower_objective(
            problem.model,
            pt.sum(weights * elements),
            [elements],
            x=density.x,
            held=density.held,
            weights=[weights],
            backend=problem.backend,
        )
    return Pieces(
        lowered,
        tuple(t.name for t in problem.terms),
        tuple(t.kind for t in problem.terms),
        sizes,
    )


def _unsummed(logp: Any) -> Any:
    """What a sum over everything adds up; the log-density itself where it is none."""
    logp = compat.as_tensor(logp)
    while logp.owner is not None and type(logp.owner.op).__name__ == "Sum" and logp.type.ndim == 0:
        logp = logp.owner.inputs[0]
    return logp


def places_in(items: Sequence[Any], others: Sequence[Any]) -> list[int | None]:
    """Where each data input stands among those of another lowered function; None: nowhere.

    Parameters
    ----------
    items, others : sequence of DataInput

    Returns
    -------
    list of (int or None)
    """
    out: list[int | None] = []
    for item in items:
        found = [i for i, other in enumerate(others) if other.source is item.source]
        if not found and item.name:
            found = [i for i, other in enumerate(others) if other.name == item.name]
        if not found and not item.name:
            found = [
                i
                for i, other in enumerate(others)
                if not other.name
                and other.value.dtype == item.value.dtype
                and np.array_equal(other.value, item.value)
            ]
        out.append(found[0] if found else None)
    return out
