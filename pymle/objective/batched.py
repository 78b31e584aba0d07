"""One log-likelihood at many points, each with other weights or other data, in one program.

Weights and data are inputs of the compiled program, so that thousands of refits compile once. What
refits need at every step is the score and the Hessian; the value is asked for only where steps are
judged by it, since a logarithm per observation costs more than both.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from pymle.objective.likelihood import Likelihood

__all__ = ["MOST_COORDINATES", "Batch", "can_batch", "spread_many", "unit_scores"]

#: Beyond this many coordinates refits go through the solver, one by one.
MOST_COORDINATES = 100
#: Points below which a thread costs more than it saves.
_SHARE = 8


def can_batch(likelihood: Likelihood) -> bool:
    """Whether many points can be evaluated in one program.

    Parameters
    ----------
    likelihood : Likelihood

    Returns
    -------
    bool
        JAX has its exact second derivatives, and it has at most `MOST_COORDINATES`.
    """
    return (
        likelihood.route == "jax"
        and likelihood.has_hessian
        and 0 < likelihood.size <= MOST_COORDINATES
    )


class Batch:
    """A log-likelihood with weights or data of its own for each of n refits.

    Parameters
    ----------
    likelihood : Likelihood
        `can_batch` must hold.
    shares : numpy.ndarray, shape (n, u), optional
        A factor for each of u units, on top of the likelihood's own weights.
    index : sequence of (numpy.ndarray of int or None)
        For each array of weights the unit of every entry, in its shape; None leaves it.
    replaced : mapping of int to numpy.ndarray, shape (n, ...), optional
        New values for the data arguments at these places.
    piece : int, optional
        Refits in one call of the program, which is compiled once for each size: shorter calls
        are filled up, with what is not evaluated. All of them by default.

    Attributes
    ----------
    size : int
        Number of coordinates.
    """

    def __init__(
        self,
        likelihood: Likelihood,
        *,
        shares: np.ndarray | None = None,
        index: Sequence[np.ndarray | None] = (),
        replaced: Mapping[int, np.ndarray] | None = None,
        piece: int | None = None,
    ) -> None:
        self.size = likelihood.size
        self._likelihood = likelihood
        self._shares = shares
        self._index = tuple(None if i is None else np.asarray(i, dtype=np.int32) for i in index)
        self._replaced = {k: np.asarray(v) for k, v in sorted((replaced or {}).items())}
        self._piece = piece
        # Each entry its own unit, in order: no look-up.
        self._plain = tuple(
            i is not None
            and shares is not None
            and i.shape == shares.shape[1:]
            and bool(np.array_equal(i, np.arange(len(i))))
            for i in self._index
        )

    def evaluate(
        self, rows: np.ndarray, points: np.ndarray, *, values: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values, scores and Hessians of some of the refits.

        Parameters
        ----------
        rows : numpy.ndarray of int, shape (m,)
        points : numpy.ndarray, shape (m, k)
        values : bool
            Otherwise values are nan.

        Returns
        -------
        values : numpy.ndarray, shape (m,)
        scores : numpy.ndarray, shape (m, k)
        hessians : numpy.ndarray, shape (m, k, k)
        """
        program = self._program(values)
        held, weights, data = self._likelihood._arguments
        index = tuple(None if p else i for p, i in zip(self._plain, self._index, strict=True))
        piece = self._piece or len(rows)
        # A program over small data keeps no more than one core busy: each gets its share.
        few = self._piece is not None and self._shares is None and not self._replaced
        step = min(piece, max(_SHARE, -(-len(rows) // (os.cpu_count() or 1)))) if few else piece

        def evaluated(at: int) -> np.ndarray:
            here = rows[at : at + step]
            short = piece - len(here)
            chosen: Any = here if not short else np.concatenate([here, np.repeat(here[:1], short)])
            if not short and here[-1] - here[0] + 1 == piece and np.all(np.diff(here) == 1):
                chosen = slice(int(here[0]), int(here[-1]) + 1)  # a view, no copy
            x = points[at : at + step]
            given = (
                np.int32(len(here)),
                x if not short else np.concatenate([x, np.repeat(x[:1], short, axis=0)]),
                None if self._shares is None else self._shares[chosen],
                tuple(v[chosen] for v in self._replaced.values()),
            )
            return np.asarray(program(given, held, weights, data, index))[: len(here)]

        pieces = range(0, len(rows), step)
        if len(pieces) < 2:
            flat = np.concatenate([evaluated(at) for at in pieces])
        else:
            with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
                flat = np.concatenate(list(pool.map(evaluated, pieces)))
        k = self.size
        value = np.where(flat[:, -1] > self._likelihood._ceiling + 1e-6, np.nan, flat[:, -1])
        hessian = flat[:, k : k + k * k].reshape(-1, k, k)
        return value, flat[:, :k], 0.5 * (hessian + np.swapaxes(hessian, 1, 2))

    def _program(self, values: bool) -> Any:
        import jax

        name = f"refits {tuple(self._replaced)} {values} {self._plain}"
        programs = self._likelihood._programs
        if name not in programs:
            programs[name] = jax.jit(
                _evaluations(self._likelihood, tuple(self._replaced), values, self._plain)
            )
        return programs[name]


def _evaluations(
    likelihood: Likelihood, places: tuple[int, ...], values: bool, plain: tuple[bool, ...]
) -> Any:
    import jax
    import jax.numpy as jnp

    call = likelihood._call
    # On a processor one after the other keeps everything in its cache.
    side_by_side = None if jax.default_backend() == "cpu" else 256

    def program(given: Any, held: Any, weights: Any, data: Any, index: Any) -> Any:
        count, *parts = given

        def one(row: Any) -> Any:
            point, share, arrays = row
            own = list(data)
            for place, array in zip(places, arrays, strict=True):
                own[place] = array
            used = _weighted(weights, share, index, plain)

            def score(z: Any) -> Any:
                value, gradient = call(z, held, used, tuple(own))[:2]
                return gradient, (value if values else jnp.asarray(jnp.nan), gradient)

            hessian, (value, gradient) = jax.jacfwd(score, has_aux=True)(point)
            return jnp.concatenate([gradient, hessian.ravel(), value[None]])

        if side_by_side is not None:
            return jax.lax.map(one, tuple(parts), batch_size=side_by_side)

        def following(i: Any, out: Any) -> Any:
            return out.at[i].set(one(jax.tree.map(lambda a: a[i], tuple(parts))))

        # What a piece is filled up with is left out.
        k = likelihood.size
        return jax.lax.fori_loop(0, count, following, jnp.zeros((len(parts[0]), k + k * k + 1)))

    return program


def spread_many(
    likelihood: Likelihood,
    points: np.ndarray,
    shares: np.ndarray,
    index: Sequence[np.ndarray | None],
    counts: np.ndarray,
) -> np.ndarray:
    """Sums over units of outer products of their scores, weighted as at the refits.

    Parameters
    ----------
    likelihood : Likelihood
    points : numpy.ndarray, shape (n, k)
    shares : numpy.ndarray, shape (n, u)
    index : sequence of (numpy.ndarray of int or None)
        As in `refit_many`.
    counts : numpy.ndarray, shape (u,)
        How many equal units each stands for by the likelihood's own weights.

    Returns
    -------
    numpy.ndarray, shape (n, k, k)
    """
    import jax

    name, programs = "spread", likelihood._programs
    if name not in programs:
        programs[name] = jax.jit(_spread_program(likelihood))
    held, weights, data = likelihood._arguments
    index = tuple(None if i is None else np.asarray(i, dtype=np.int32) for i in index)
    given = points, shares
    return np.asarray(programs[name](given, np.maximum(counts, 1e-300), held, weights, data, index))


def unit_scores(
    likelihood: Likelihood, x: np.ndarray, shares: np.ndarray, index: Sequence[np.ndarray | None]
) -> np.ndarray:
    """Scores by unit: derivatives of the score with respect to the units' factors.

    Parameters
    ----------
    likelihood : Likelihood
    x : numpy.ndarray, shape (k,)
    shares : numpy.ndarray, shape (u,)
        Factors at which they are taken (the score is linear in them).
    index : sequence of (numpy.ndarray of int or None)

    Returns
    -------
    numpy.ndarray, shape (u, k)
    """
    import jax

    name, programs = "unit scores", likelihood._programs
    if name not in programs:
        programs[name] = jax.jit(_unit_scores(likelihood))
    held, weights, data = likelihood._arguments
    index = tuple(None if i is None else np.asarray(i, dtype=np.int32) for i in index)
    return np.asarray(programs[name](x, shares, held, weights, data, index)).T


def _weighted(
    weights: Sequence[Any], share: Any, index: Sequence[Any], plain: Sequence[bool] = ()
) -> tuple:
    """Weights times the factors of their units."""
    if share is None:
        return tuple(weights)
    plain = plain or (False,) * len(weights)
    return tuple(
        w * share if p else w if i is None else w * share[i]
        for w, i, p in zip(weights, index, plain, strict=True)
    )


def _unit_scores(likelihood: Likelihood) -> Any:
    import jax

    call = likelihood._call

    def program(x: Any, share: Any, held: Any, weights: Any, data: Any, index: Any) -> Any:
        def score(s: Any) -> Any:
            return call(x, held, _weighted(weights, s, index), data)[1]

        return jax.jacrev(score)(share)

    return program


def _spread_program(likelihood: Likelihood) -> Any:
    import jax

    scores = _unit_scores(likelihood)

    def program(given: Any, counts: Any, held: Any, weights: Any, data: Any, index: Any) -> Any:
        def one(row: Any) -> Any:
            x, share = row
            each = scores(x, share, held, weights, data, index)
            return (each * (share / counts)) @ each.T

        return jax.lax.map(one, given)

    return program
