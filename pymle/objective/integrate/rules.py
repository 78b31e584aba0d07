"""Points at which integrals over random effects are evaluated, around mode and curvature.

A rule is a set of points ``z_j`` and weights ``w_j`` for which

    log integral exp(l(u)) du  ~  log sum_j w_j exp(l(û + R z_j)) - 1/2 log det H,   R R' = H^-1,

block by block, all blocks moved at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.objective.integrate.independent import Independent

_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True)
class GaussHermite:
    """Products of Gauss-Hermite rules; with one point Laplace's approximation.

    Parameters
    ----------
    blocks : Independent
    points : int
        Along each effect.
    """

    blocks: Independent
    points: int

    @property
    def count(self) -> int:
        """Number of points of the largest block."""
        return int(self.points ** int(self.blocks.sizes.max(initial=0)))

    @property
    def arrays(self) -> dict[str, Any]:
        """What `at` needs, as arguments of a program."""
        nodes, weights = np.polynomial.hermite.hermgauss(self.points)
        logs = np.log(weights) + nodes**2 + 0.5 * np.log(2.0)
        return {
            "nodes": np.sqrt(2.0) * nodes,
            "logs": logs,
            "stride": self.points**self.blocks.places,
            "effects": self.blocks.effects,
            "used": self.points**self.blocks.sizes,
        }

    def at(self, arrays: dict[str, Any], j: Any) -> tuple[Any, Any]:
        """Point ``j`` (d,) and the logarithms of its weights by block.

        Blocks with fewer effects than the largest are done earlier: weight zero.
        """
        import jax.numpy as jnp

        digit = (j // arrays["stride"]) % self.points
        logs = jnp.zeros(self.blocks.count).at[arrays["effects"]].add(arrays["logs"][digit])
        return arrays["nodes"][digit], jnp.where(j < arrays["used"], logs, -jnp.inf)


@dataclass(frozen=True)
class Draws:
    """Importance sampling: standard normal or Student-t draws, the same for every block size.

    Parameters
    ----------
    blocks : Independent
    count : int
        Number of draws.
    seed : int
    freedom : float
        Degrees of freedom of a multivariate t; infinite for the normal law.
    """

    blocks: Independent
    count: int
    seed: int
    freedom: float = np.inf

    @property
    def arrays(self) -> dict[str, Any]:
        """What `at` needs, as arguments of a program."""
        return {
            "effects": self.blocks.effects,
            "sizes": self.blocks.sizes.astype(np.float64),
            "first": np.zeros((), dtype=np.uint32),
        }

    def at(self, arrays: dict[str, Any], j: Any) -> tuple[Any, Any]:
        """Draw ``j`` (d,) and the logarithms of its weights by block."""
        import jax
        import jax.numpy as jnp
        from jax.scipy.special import gammaln

        key = jax.random.fold_in(jax.random.key(self.seed), j + arrays["first"])
        z = jax.random.normal(key, (len(self.blocks.effects),), dtype=np.float64)
        effects, sizes = arrays["effects"], arrays["sizes"]
        if np.isinf(self.freedom):
            square = jnp.zeros(self.blocks.count).at[effects].add(z**2)
            return z, 0.5 * square + sizes * _HALF_LOG_2PI - np.log(self.count)
        nu = self.freedom
        chi = 2.0 * jax.random.gamma(
            jax.random.fold_in(key, 1), 0.5 * nu, (self.blocks.count,), dtype=np.float64
        )
        z = z * jnp.sqrt(nu / chi)[effects]
        square = jnp.zeros(self.blocks.count).at[effects].add(z**2)
        density = (
            gammaln(0.5 * (nu + sizes))
            - gammaln(0.5 * nu)
            - 0.5 * sizes * np.log(nu * np.pi)
            - 0.5 * (nu + sizes) * jnp.log1p(square / nu)
        )
        return z, -density - np.log(self.count)
