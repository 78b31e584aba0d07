"""Random effects integrated out by Laplace's approximation.

For parameters ``x`` and random effects ``u`` with joint log-density ``l(x, u)``,

    L(x) = l(x, û) + d/2 log(2 pi) - 1/2 log det H(x, û),    û = argmax_u l(x, u),

where H is minus the second derivative with respect to ``u``. Exact where ``l`` is quadratic
in ``u``. The derivative of û is that of the implicit function theorem, written as JAX's rule
for the inner search, so that score and Hessian of L are JAX's derivatives of one expression
and nothing is differenced. An inner search that fails gives nan, never a number.

References
----------
.. [1] Tierney and Kadane (1986), Accurate approximations for posterior moments and marginal
   densities. doi:10.1080/01621459.1986.10478240
.. [2] Kristensen et al. (2016), TMB: automatic differentiation and Laplace approximation.
   doi:10.18637/jss.v070.i05
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pymle.objective.elimination import Elimination, Factor

#: The inner search ends with one more Newton step once twice the expected gain is below this.
_NEAR = 1e-12
_MOST_STEPS = 200
#: Damping relative to the diagonal, after the first refused step and at most.
_DAMPING, _MOST_DAMPING = 1e-3, 1e12


class Laplace:
    """The marginal log-likelihood of a joint log-density, as a traceable function.

    Parameters
    ----------
    joint : callable
        ``(z, held, weights, data) -> (value, score, *extra)`` as lowered, with
        ``z = [x, u]``.
    outer, inner : int
        Lengths of ``x`` and ``u``.
    information : callable
        ``(arrays, x, u, held, weights, data) -> values`` of minus the second derivative with
        respect to ``u``, on the pattern that ``elimination`` was planned for.
    elimination : Elimination
    """

    def __init__(
        self,
        joint: Callable[..., tuple],
        *,
        outer: int,
        inner: int,
        information: Callable[..., Any],
        elimination: Elimination,
    ) -> None:
        self.outer, self.inner = outer, inner
        self._joint_call = joint
        self._information = information
        self._elimination = elimination
        self._value = _with_given_score(joint)
        self._mode = self._make_mode()

    def call(
        self, x: Any, held: Any, weights: Sequence[Any], data: Sequence[Any], static: Any, u0: Any
    ) -> tuple:
        """Marginal log-likelihood, its score (k,), and what further outputs the joint has.

        Parameters
        ----------
        x : array, shape (k,)
        held, weights, data
            As the joint function takes them.
        static : pytree
            Arrays of the plan.
        u0 : array, shape (d,)
            Where the inner search begins.

        Returns
        -------
        tuple
            A further output of the joint function is a log-density that lacks terms of
            ``x`` alone: its difference to the joint value at the mode carries over.
        """
        import jax

        def marginal(x: Any) -> Any:
            u, converged = self._mode(x, tuple(weights), held, tuple(data), static, u0)
            return self.at_mode(x, u, converged, held, weights, data, static), u

        def both(x: Any) -> Any:
            value, u = marginal(x)
            return value, (value, u)

        score, (value, u) = jax.jacfwd(both, has_aux=True)(x)
        joint = self._joint_call(self._join(x, u), held, weights, data)
        return value, score, *[value + (each - joint[0]) for each in joint[2:]]

    def mode(
        self, x: Any, held: Any, weights: Sequence[Any], data: Sequence[Any], static: Any, u0: Any
    ) -> tuple[Any, Any]:
        """Conditional mode of the random effects and whether it was found.

        Parameters
        ----------
        x, held, weights, data, static, u0
            As in `call`.

        Returns
        -------
        u : array, shape (d,)
        converged : array of bool
        """
        u, converged = self._mode(x, tuple(weights), held, tuple(data), static, u0)
        return u, converged > 0

    def factor(
        self, x: Any, u: Any, held: Any, weights: Sequence[Any], data: Sequence[Any], static: Any
    ) -> Factor:
        """The factorised information about the random effects."""
        values = self._information(static["information"], x, u, held, weights, data)
        return self._elimination.factorise(static["elimination"], values)

    def at_mode(
        self,
        x: Any,
        u: Any,
        converged: Any,
        held: Any,
        weights: Sequence[Any],
        data: Sequence[Any],
        static: Any,
    ) -> Any:
        """The approximation at a given mode; nan where none was found."""
        import jax.numpy as jnp

        value = self._value(self._join(x, u), held, tuple(weights), tuple(data))
        logdet = self.factor(x, u, held, weights, data, static).logdet
        value = value + 0.5 * self.inner * np.log(2.0 * np.pi) - 0.5 * logdet
        return jnp.where(converged > 0, value, jnp.nan)

    def _join(self, x: Any, u: Any) -> Any:
        import jax.numpy as jnp

        return jnp.concatenate([x, u])

    def _inner(self, x: Any, u: Any, held: Any, weights: Any, data: Any) -> tuple[Any, Any]:
        value, score = self._joint_call(self._join(x, u), held, weights, data)[:2]
        return value, score[self.outer :]

    def _make_mode(self) -> Any:
        import jax
        import jax.numpy as jnp

        @jax.custom_jvp
        def mode(x: Any, weights: Any, held: Any, data: Any, static: Any, u0: Any) -> Any:
            return self._search(x, weights, held, data, static, u0)

        @mode.defjvp
        def rule(primals: Any, tangents: Any) -> Any:
            x, weights, held, data, static, _ = primals
            u, converged = mode(*primals)

            def slope(x: Any, weights: Any, held: Any, data: Any) -> Any:
                return self._inner(x, u, held, weights, data)[1]

            change = jax.jvp(slope, (x, weights, held, data), tangents[:4])[1]
            moved = self.factor(x, u, held, weights, data, static).solve(change)
            return (u, converged), (moved, jnp.zeros_like(converged))

        return mode

    def _search(
        self, x: Any, weights: Any, held: Any, data: Any, static: Any, u0: Any
    ) -> tuple[Any, Any]:
        """Damped Newton to the mode."""
        import jax
        import jax.numpy as jnp

        diagonal = static["elimination"]["diagonal"]

        def evaluate(u: Any) -> tuple[Any, Any, Any]:
            value, slope = self._inner(x, u, held, weights, data)
            values = self._information(static["information"], x, u, held, weights, data)
            return value, slope, values

        def step_from(state: Any) -> tuple[Any, Any, Any]:
            """Newton's step, the expected gain twice, and whether the matrix is definite."""
            _, slope, values = state["at"]
            size = jnp.maximum(jnp.abs(values[diagonal]), 1e-300)
            damped = values.at[diagonal].add(state["damping"] * size)
            factor = self._elimination.factorise(static["elimination"], damped)
            step = factor.solve(slope)
            definite = (factor.smallest_pivot > 0) & jnp.all(jnp.isfinite(step))
            return jnp.where(definite, step, 0.0), jnp.dot(step, slope), definite

        def advance(state: Any) -> Any:
            value, _, _ = state["at"]
            step, twice, definite = step_from(state)
            near = definite & (twice < _NEAR) & (state["damping"] == 0.0)
            trial = state["u"] + step
            at = evaluate(trial)
            finite = jnp.isfinite(at[0]) & jnp.all(jnp.isfinite(at[1])) & jnp.all(
                jnp.isfinite(at[2])
            )
            noise = 1e-10 * jnp.maximum(jnp.abs(value), 1.0)
            risen = at[0] - value >= jnp.where(twice > noise, 1e-4 * 0.5 * twice, -noise)
            accept = definite & finite & (risen | near)
            eased = jnp.where(state["damping"] > 1e-6, 0.1 * state["damping"], 0.0)
            pressed = jnp.maximum(10.0 * state["damping"], _DAMPING)
            return {
                "u": jnp.where(accept, trial, state["u"]),
                "at": jax.tree.map(lambda a, b: jnp.where(accept, a, b), at, state["at"]),
                "damping": jnp.where(accept, eased, pressed),
                "steps": state["steps"] + 1,
                "done": near & accept,
            }

        def going(state: Any) -> Any:
            return (
                ~state["done"]
                & (state["steps"] < _MOST_STEPS)
                & (state["damping"] < _MOST_DAMPING)
            )

        first = {
            "u": u0,
            "at": evaluate(u0),
            "damping": jnp.zeros(()),
            "steps": jnp.zeros((), dtype=int),
            "done": jnp.zeros((), dtype=bool),
        }
        last = jax.lax.while_loop(going, advance, first)
        return last["u"], jnp.where(last["done"], 1.0, 0.0)


def _with_given_score(joint: Callable[..., tuple]) -> Any:
    """The joint value as a function whose derivative is the lowered score.

    PyTensor's stabilised gradient is finite where JAX's own of the value may not be.
    """
    import jax

    @jax.custom_jvp
    def value(z: Any, held: Any, weights: Any, data: Any) -> Any:
        return joint(z, held, weights, data)[0]

    @value.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        z, held, weights, data = primals
        out, score = joint(z, held, weights, data)[:2]
        other = jax.jvp(
            lambda h, w, d: joint(z, h, w, d)[0], (held, weights, data), tangents[1:]
        )[1]
        return out, score @ tangents[0] + other

    return value
