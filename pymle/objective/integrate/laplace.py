"""Random effects integrated out by Laplace's approximation.

For parameters ``x`` and random effects ``u`` with joint log-density ``l(x, u)``,

    L(x) = l(x, û) + d/2 log(2 pi) - 1/2 log det H(x, û),    û = argmax_u l(x, u),

where H is minus the second derivative with respect to ``u``. Exact where ``l`` is quadratic
in ``u``. The derivative of û is that of the implicit function theorem: the score of L is
exact, and nothing is differenced. An inner search that fails gives nan, never a number.

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

from pymle.objective.integrate.elimination import Elimination, Factor

#: The inner search ends with one more Newton step once twice the expected gain is below this.
_NEAR = 1e-12
_MOST_STEPS = 200
#: Pivots of the information relative to its largest diagonal entry that are none.
SINGULAR = 1e-13
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
    entries : int
        Length of those values.
    reverse : bool
        JAX has reverse derivatives of them.
    """

    def __init__(
        self,
        joint: Callable[..., tuple],
        *,
        outer: int,
        inner: int,
        information: Callable[..., Any],
        elimination: Elimination,
        entries: int,
        reverse: bool = True,
    ) -> None:
        self.outer, self.inner = outer, inner
        self._joint_call = joint
        self._information = information
        self._elimination = elimination
        self.entries, self.reverse = entries, reverse
        self._mode = self._make_mode()

    def call(
        self, x: Any, held: Any, weights: Sequence[Any], data: Sequence[Any], static: Any, u0: Any
    ) -> tuple:
        """Marginal log-likelihood, its score (k,), further outputs of the joint, and the mode.

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

        weights, data = tuple(weights), tuple(data)
        u, converged = self._mode(x, weights, held, data, static, u0)

        def spread(x: Any, u: Any) -> Any:
            return -0.5 * self.factor(x, u, held, weights, data, static).logdet

        term, along_x, along_u = self._derivatives(spread, x, u)
        # The mode moves by H^-1 l_ux dx; adjoint: one solve, one derivative along its result.
        moved = self.factor(x, u, held, weights, data, static).solve(along_u)
        value, score = self._joint_call(self._join(x, u), held, weights, data)[:2]
        cross = jax.jvp(
            lambda u: self._joint_call(self._join(x, u), held, weights, data)[1][: self.outer],
            (u,),
            (moved,),
        )[1]
        marginal = value + 0.5 * self.inner * np.log(2.0 * np.pi) + term
        marginal = jax.numpy.where(converged > 0, marginal, jax.numpy.nan)
        extra = self._joint_call(self._join(x, u), held, weights, data)[2:]
        return (
            marginal,
            score[: self.outer] + along_x + cross,
            *[marginal + (each - value) for each in extra],
            u,
        )

    def _derivatives(self, term: Any, x: Any, u: Any) -> tuple[Any, Any, Any]:
        """A function of x and u, and its derivatives along both."""
        import jax

        if self.reverse:
            value, (along_x, along_u) = jax.value_and_grad(term, argnums=(0, 1))(x, u)
            return value, along_x, along_u
        # Loops of unknown length (incomplete gamma functions) have forward derivatives only.
        return term(x, u), jax.jacfwd(term)(x, u), jax.jacfwd(term, argnums=1)(x, u)

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

    def look(
        self, x: Any, u: Any, held: Any, weights: Sequence[Any], data: Sequence[Any], static: Any
    ) -> tuple[Any, Any, Any]:
        """Slope (d,), information about the random effects and its smallest pivot at a point."""
        slope = self._inner(x, u, held, tuple(weights), tuple(data))[1]
        values = self._information(static["information"], x, u, held, weights, data)
        return (
            slope,
            values,
            self._elimination.factorise(static["elimination"], values).smallest_pivot,
        )

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
        """Damped Newton to the mode; a saddle is left along its negative curvature."""
        import jax
        import jax.numpy as jnp

        diagonal = static["elimination"]["diagonal"]
        # Of one sign, so that effects that are alike leave a saddle together, and of
        # different sizes, so that no symmetry among them is kept.
        push = 1.0 + 0.5 * jnp.sin(1.0 + jnp.arange(u0.shape[0]))

        def evaluate(u: Any) -> tuple[Any, Any, Any]:
            value, slope = self._inner(x, u, held, weights, data)
            values = self._information(static["information"], x, u, held, weights, data)
            return value, slope, values

        def advance(state: Any) -> Any:
            at = evaluate(state["trial"])
            finite = jnp.array([jnp.all(jnp.isfinite(each)) for each in at]).all()
            noise = 1e-10 * jnp.maximum(jnp.abs(at[0]), 1.0)
            twice = state["twice"]
            enough = at[0] - state["at"][0] >= jnp.where(twice > noise, 5e-5 * twice, -noise)
            accept = state["definite"] & finite & (enough | state["near"])
            u = jnp.where(accept, state["trial"], state["u"])
            at = jax.tree.map(lambda a, b: jnp.where(accept, a, b), at, state["at"])
            eased = jnp.where(state["damping"] > 1e-6, 0.1 * state["damping"], 0.0)
            pressed = jnp.maximum(10.0 * state["damping"], _DAMPING)
            damping = jnp.where(accept, eased, pressed)
            _, slope, values = at
            size = jnp.maximum(jnp.abs(values[diagonal]), 1e-300)
            damped = values.at[diagonal].add(damping * size)
            factor = self._elimination.factorise(static["elimination"], damped)
            # No slope where the information was not positive definite: a saddle (u ** 2 at zero).
            # The damping that just makes it so leaves the directions of negative curvature
            # as the long ones of the solution.
            saddle = ~state["definite"] & (jnp.sum(slope**2 / size) < _NEAR)
            step = factor.solve(jnp.where(saddle, push * jnp.sqrt(size), slope))
            length = jnp.max(jnp.abs(step) * jnp.sqrt(size)) * 2.0 ** state["pushes"]
            step = jnp.where(saddle, step / length, step)
            # A pivot that is zero but for rounding is one: nothing holds these effects.
            definite = (factor.smallest_pivot > SINGULAR * size.max()) & jnp.all(jnp.isfinite(step))
            twice = jnp.dot(step, slope)
            return {
                "u": u,
                "at": at,
                "trial": u + jnp.where(definite, step, 0.0),
                "twice": twice,
                "definite": definite,
                "near": definite & ~saddle & (twice < _NEAR) & (damping == 0.0),
                "damping": damping,
                "steps": state["steps"] + 1,
                "pushes": state["pushes"] + (saddle & definite),
                "done": accept & state["near"],
            }

        def going(state: Any) -> Any:
            return (
                ~state["done"] & (state["steps"] < _MOST_STEPS) & (state["damping"] < _MOST_DAMPING)
            )

        no, yes = jnp.zeros((), dtype=bool), jnp.ones((), dtype=bool)
        first = {
            "u": u0,
            "at": (
                jnp.array(-jnp.inf),
                jnp.zeros_like(u0),
                jnp.zeros(self.entries),
            ),
            "trial": u0,
            "twice": jnp.zeros(()),
            "definite": yes,
            "near": no,
            # Eased to zero when the start is accepted.
            "damping": jnp.zeros(()),
            "steps": jnp.zeros((), dtype=int),
            "pushes": jnp.zeros((), dtype=int),
            "done": no,
        }
        last = jax.lax.while_loop(going, advance, first)
        return last["u"], jnp.where(last["done"], 1.0, 0.0)
