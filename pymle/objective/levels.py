"""Functions of parameters and random effects where some effects are averaged over draws."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np

from pymle.objective.integrate.conditional import AtModes
from pymle.objective.natural import PointFunction


class AtLevels:
    """A function of ``[x, u]``: some effects at their conditional modes, others averaged out.

    Parameters
    ----------
    call : callable
        As lowered, ``(z, held, weights, data) -> tuple of arrays`` with ``z = [x, u]``.
    marginal : Marginal
        Of the fit, whose data decide the modes.
    kept : numpy.ndarray of int
        Coordinates of ``u`` at their modes.
    draws : numpy.ndarray, shape (n, d), optional
        Values of ``u`` to average over; those of ``kept`` are not read. Without draws all
        other coordinates are zero.
    held, data
        As `PointFunction` takes them.
    """

    def __init__(
        self,
        call: Callable[..., tuple],
        marginal: Any,
        kept: np.ndarray,
        draws: np.ndarray | None,
        *,
        held: np.ndarray,
        data: list[Any],
    ) -> None:
        size = marginal.plan.laplace.inner
        self._kept, self._size = kept, size
        given = np.zeros((1, size)) if draws is None else draws
        self._wide = PointFunction(
            _averaged(call, kept), held=held, data=[*data, given], route="jax", programs={}
        )
        self._modes = AtModes(self._wide, marginal, kept)

    def value(self, x: np.ndarray) -> np.ndarray:
        """Values (m,) at ``x`` (k,)."""
        return self._modes.value(x)

    def value_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (m,) and total derivatives (m, k): the modes move with the parameters."""
        return self._modes.value_and_jacobian(x)

    def conditional_variance(self, x: np.ndarray) -> np.ndarray:
        """Variances (m,) that remain when the parameters are known."""
        if len(self._kept) == 0:
            return np.zeros(len(self.value(x)))
        return self._modes.conditional_variance(x)

    def through(self, x: np.ndarray) -> np.ndarray:
        """Derivatives (m, d) with respect to the random effects at their modes."""
        return self._modes.through(x)

    def values(self, points: np.ndarray) -> np.ndarray:
        """Values (n, m) at several points ``[x, u]`` (n, k + d), averaged as everywhere."""
        k = points.shape[1] - self._size
        return self._wide.values(np.hstack([points[:, :k], points[:, k:][:, self._kept]]))


def _averaged(call: Callable[..., tuple], kept: np.ndarray) -> Callable[..., tuple]:
    """A function of ``[x, u_kept]`` whose last data argument holds the draws."""

    def average(wide: Any, held: Any, weights: Any, data: Any) -> tuple:
        import jax
        import jax.numpy as jnp

        *own, draws = data
        k = wide.shape[0] - len(kept)

        def one(u: Any) -> Any:
            z = jnp.concatenate([wide[:k], jnp.asarray(u).at[kept].set(wide[k:])])
            outputs = call(z, held, weights, tuple(own))
            return jnp.concatenate([jnp.ravel(jnp.asarray(o, dtype=jnp.float64)) for o in outputs])

        if draws.shape[0] == 1:
            return (one(draws[0]),)
        first = jnp.zeros_like(one(draws[0]))
        # A running sum: derivatives at all draws side by side would need gigabytes.
        total, _ = jax.lax.scan(lambda sum_, u: (sum_ + one(u), None), first, draws)
        return (total / draws.shape[0],)

    return average


def stratified_normals(n: int, size: int, seed: Any) -> np.ndarray:
    """Standard normal draws (n, size), each coordinate spread evenly over its quantiles.

    Notes
    -----
    Latin hypercube sampling (McKay, Beckman and Conover 1979, doi:10.2307/1268522): averages of
    functions of one coordinate have next to no simulation error, those of sums neither.
    """
    rng, law = np.random.default_rng(seed), NormalDist()
    column = np.array([law.inv_cdf((i + 0.5) / n) for i in range(n)])
    column = column / np.sqrt(np.mean(column**2))
    return np.stack([rng.permutation(column) for _ in range(size)], axis=1).reshape(n, size)
