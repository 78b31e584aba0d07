"""Random effects integrated out block by block, by a rule of points around the mode.

Value, score and the contributions of the blocks are those of the function that is computed:
points move with mode and curvature, and their derivatives are taken with them.

References
----------
.. [1] Liu and Pierce (1994), A note on Gauss-Hermite quadrature. doi:10.1093/biomet/81.3.624
.. [2] Pinheiro and Bates (1995), Approximations to the log-likelihood function in the nonlinear
   mixed-effects model. doi:10.1080/10618600.1995.10474663
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pymle.objective.integrate.elimination import Factor
from pymle.objective.integrate.independent import (
    Independent,
    inverse_root,
    logdet_by_block,
    pivot_blocks,
)
from pymle.objective.integrate.laplace import Laplace


class Elements:
    """The elements of a joint log-density and their derivatives.

    Parameters
    ----------
    call : callable
        ``(z, held, [weights], data) -> (weighted sum, its score, elements)`` as lowered.
    places : sequence of (int or None)
        Where its data stand among those of the objective; None for constants.
    constants : sequence of array
        In place of those.
    observed : sequence of (int or None)
        For each term, which of the weights of the objective multiplies it.
    sizes : sequence of int
        Elements of each term.
    """

    def __init__(
        self,
        call: Callable[..., tuple],
        places: Sequence[int | None],
        constants: Sequence[Any],
        observed: Sequence[int | None],
        sizes: Sequence[int],
    ) -> None:
        self._call, self._places = call, tuple(places)
        self.constants = list(constants)
        self._observed, self._sizes = tuple(observed), tuple(sizes)
        self._elements = self._make()

    def weights(self, weights: Sequence[Any]) -> Any:
        """Weights (m,) of all elements from those of the observations."""
        import jax.numpy as jnp

        parts = [
            jnp.ones(size) if i is None else jnp.ravel(weights[i])
            for i, size in zip(self._observed, self._sizes, strict=True)
        ]
        return jnp.concatenate(parts)

    def score(self, z: Any, held: Any, weights: Any, data: Sequence[Any], constants: Any) -> Any:
        """Score of the sum of the elements with any weights (m,)."""
        return self._call(z, held, (weights,), self._data(data, constants))[1]

    def __call__(self, z: Any, held: Any, data: Sequence[Any], constants: Any) -> Any:
        """The elements (m,), unweighted; their derivatives are those of the lowered score."""
        return self._elements(z, held, tuple(self._data(data, constants)))

    def plain(self, z: Any, held: Any, data: Sequence[Any], constants: Any) -> Any:
        """The elements (m,) as lowered."""
        ones = np.ones(sum(self._sizes))
        return self._call(z, held, (ones,), self._data(data, constants))[2]

    def _data(self, data: Sequence[Any], constants: Sequence[Any]) -> list[Any]:
        rest = iter(constants)
        return [next(rest) if i is None else data[i] for i in self._places]

    def _make(self) -> Any:
        import jax

        size = sum(self._sizes)

        @jax.custom_jvp
        def elements(z: Any, held: Any, own: Any) -> Any:
            return self._call(z, held, (jax.numpy.ones(size),), own)[2]

        @elements.defjvp
        def rule(primals: Any, tangents: Any) -> Any:
            z, held, own = primals
            # The score is linear in the weights: its derivative is the Jacobian, transposed.
            _, pull = jax.vjp(lambda w: self._call(z, held, (w,), own)[1], jax.numpy.ones(size))
            return elements(z, held, own), pull(tangents[0])[0]

        return elements


class Blockwise(Laplace):
    """A marginal log-likelihood that is a sum over independent blocks.

    Parameters
    ----------
    laplace : Laplace
        The same integral by Laplace's approximation.
    elements : Elements
    blocks : Independent
    rule : GaussHermite or Draws
    """

    def __init__(self, laplace: Laplace, elements: Elements, blocks: Independent, rule: Any):
        self.__dict__.update(laplace.__dict__)
        self.elements, self.blocks, self.rule = elements, blocks, rule

    @property
    def static(self) -> dict[str, Any]:
        """Arrays that programs need beyond those of the Laplace plan."""
        return {
            "rule": self.rule.arrays,
            "pivots": pivot_blocks(self._elimination, self.blocks.effects),
            "of": self.blocks.elements,
            "constants": self.elements.constants,
        }

    def call(
        self, x: Any, held: Any, weights: Sequence[Any], data: Sequence[Any], static: Any, u0: Any
    ) -> tuple:
        """As `Laplace.call`, by the rule."""
        import jax
        import jax.numpy as jnp

        weights, data = tuple(weights), tuple(data)
        u, converged = self._mode(x, weights, held, data, static, u0)
        each = self.elements.weights(weights)

        def parts(x: Any, u: Any) -> Any:
            factor = self.factor(x, u, held, weights, data, static)
            return factor.steps, factor.core

        found, pull = jax.vjp(parts, x, u)
        count = self.rule.count
        logs = self._logs(x, u, found, held, each, data, static)
        top = jax.scipy.special.logsumexp(logs, axis=0)
        share = jnp.exp(logs - top)
        blocks = self.blocks.count
        # What touches no effect is the same at all points.
        share = jnp.concatenate([share, jnp.full((count, 1), 1.0 / count)], axis=1)

        def spread(found: Any) -> Any:
            factor = Factor(static["elimination"], *found)
            return -0.5 * logdet_by_block(factor, static["pivots"], blocks).sum()

        term, slope = jax.value_and_grad(spread)(found)

        def add(total: Any, item: Any) -> Any:
            j, part = item
            z, _ = self.rule.at(static["rule"], j)
            node, back = jax.vjp(lambda f: u + self._root(f, z, static), found)
            score = self.elements.score(
                jnp.concatenate([x, node]),
                held,
                each * part[static["of"]],
                data,
                static["constants"],
            )
            along = score[: self.outer], score[self.outer :], back(score[self.outer :])[0]
            return jax.tree.map(jnp.add, total, along), None

        zero = jnp.zeros(self.outer), jnp.zeros(self.inner), slope
        (along_x, along_u, slope), _ = jax.lax.scan(add, zero, (jnp.arange(count), share))
        through_x, through_u = pull(slope)
        along_x, along_u = along_x + through_x, along_u + through_u
        moved = Factor(static["elimination"], *found).solve(along_u)
        cross = jax.jvp(
            lambda u: self._joint_call(self._join(x, u), held, weights, data)[1][: self.outer],
            (u,),
            (moved,),
        )[1]
        value, _, *extra = self._joint_call(self._join(x, u), held, weights, data)
        rest = self._rest(x, u, held, each, data, static)
        marginal = jnp.where(converged > 0, top.sum() + term + rest, jnp.nan)
        return (marginal, along_x + cross, *[marginal + (more - value) for more in extra], u)

    def contributions(
        self, x: Any, held: Any, weights: Sequence[Any], data: Sequence[Any], static: Any, u0: Any
    ) -> Any:
        """Marginal log-likelihood of each block (count,), a function that JAX differentiates."""
        import jax

        weights, data = tuple(weights), tuple(data)
        u, _ = self._mode(x, weights, held, data, static, u0)
        logs, logdets = self._points(x, u, held, weights, data, static)
        return jax.scipy.special.logsumexp(logs, axis=0) - 0.5 * logdets

    def log_weights(
        self, x: Any, held: Any, weights: Sequence[Any], data: Sequence[Any], static: Any, u0: Any
    ) -> Any:
        """Logarithms of the terms that add up to each block's integral (count of rule, blocks)."""
        weights, data = tuple(weights), tuple(data)
        u, _ = self._mode(x, weights, held, data, static, u0)
        logs, logdets = self._points(x, u, held, weights, data, static)
        return logs - 0.5 * logdets

    def apart(
        self, x: Any, held: Any, weights: Sequence[Any], data: Sequence[Any], static: Any, u0: Any
    ) -> Any:
        """All elements, weighted, at the mode: for those that touch no effect."""
        weights, data = tuple(weights), tuple(data)
        u, _ = self._mode(x, weights, held, data, static, u0)
        each = self.elements.weights(weights)
        return each * self.elements(self._join(x, u), held, data, static["constants"])

    def _points(
        self, x: Any, u: Any, held: Any, weights: Any, data: Any, static: Any
    ) -> tuple[Any, Any]:
        factor = self.factor(x, u, held, weights, data, static)
        each, found = self.elements.weights(weights), (factor.steps, factor.core)
        logs = self._logs(x, u, found, held, each, data, static)
        return logs, logdet_by_block(factor, static["pivots"], self.blocks.count)

    def _logs(
        self, x: Any, u: Any, found: Any, held: Any, each: Any, data: Any, static: Any
    ) -> Any:
        """Log-density of every block at every point, with the weight of the rule."""
        import jax
        import jax.numpy as jnp

        def at(j: Any) -> Any:
            z, logs = self.rule.at(static["rule"], j)
            node = u + self._root(found, z, static)
            return self._by_block(x, node, held, each, data, static)[:-1] + logs

        return jax.lax.map(at, jnp.arange(self.rule.count))

    def _by_block(self, x: Any, node: Any, held: Any, each: Any, data: Any, static: Any) -> Any:
        import jax.numpy as jnp

        values = each * self.elements(self._join(x, node), held, data, static["constants"])
        return jnp.zeros(self.blocks.count + 1).at[static["of"]].add(values)

    def _rest(self, x: Any, u: Any, held: Any, each: Any, data: Any, static: Any) -> Any:
        return self._by_block(x, u, held, each, data, static)[-1]

    def _root(self, found: Any, z: Any, static: Any) -> Any:
        return inverse_root(Factor(static["elimination"], *found), z)
