"""The marginal log-likelihood at given data: a `Likelihood` with random effects behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from pymle.objective.compiling import effort_for
from pymle.objective.integrate.elimination import Elimination, eliminate
from pymle.objective.integrate.independent import Independent
from pymle.objective.integrate.integrals import Blockwise, Elements
from pymle.objective.integrate.laplace import Laplace
from pymle.objective.likelihood import Evaluation, Likelihood
from pymle.objective.sparse.jacobian import sparse_jacobian

#: Rows, and entries of the pattern times points of a rule, beyond which a search by exact scores
#: alone takes less than one with differenced curvature.
_MANY_POINTS = 5_000


@dataclass(frozen=True)
class Plan:
    """What is known of the information about the random effects before any number is.

    Attributes
    ----------
    laplace : Laplace
    static : pytree of arrays
    entries : int
        Entries on its pattern, and products of two in a factorisation.
    rows, columns : numpy.ndarray of int
        The pattern.
    relied_on : tuple of int
        Places of the data on whose values the pattern rests.
    steps : int
        Operations of the program that gives the information: what its compilation costs.
    """

    laplace: Laplace
    elimination: Elimination
    static: Any
    entries: int
    rows: np.ndarray
    columns: np.ndarray
    relied_on: tuple[int, ...] = ()
    steps: int = 0


def make_plan(
    joint: Callable[..., tuple],
    *,
    outer: int,
    inner: int,
    held: np.ndarray,
    weights: Sequence[Any],
    data: Sequence[Any],
) -> Plan:
    """Find the pattern of the information about the random effects and plan with it.

    Parameters
    ----------
    joint : callable
        As lowered, of ``[x, u]``.
    outer, inner : int
    held, weights, data
        As the joint function takes them; integer data decide the pattern.

    Returns
    -------
    Plan
    """
    import jax
    import jax.numpy as jnp

    def minus_slope(u: Any, x: Any, held: Any, weights: Any, data: Any) -> Any:
        return -joint(jnp.concatenate([x, u]), held, weights, data)[1][outer:]

    found = sparse_jacobian(
        minus_slope, np.zeros(inner), np.zeros(outer), held, tuple(weights), tuple(data)
    )
    rows, columns = np.asarray(found.rows), np.asarray(found.cols)
    present = np.zeros(inner, dtype=bool)
    present[rows[rows == columns]] = True
    missing = np.flatnonzero(~present)
    # An effect without curvature of its own has a structural zero on the diagonal.
    rows, columns = np.concatenate([rows, missing]), np.concatenate([columns, missing])
    elimination = eliminate(rows, columns, inner)

    def information(arrays: Any, x: Any, u: Any, held: Any, weights: Any, data: Any) -> Any:
        values = found.evaluate(arrays, u, x, held, tuple(weights), tuple(data))
        return jnp.concatenate([values, jnp.zeros(len(missing))]) if len(missing) else values

    laplace = Laplace(
        joint,
        outer=outer,
        inner=inner,
        information=information,
        elimination=elimination,
        entries=len(rows),
    )
    static = {"elimination": elimination.arrays, "information": list(found.arguments)}
    entries = len(rows) + elimination.pairs + elimination.core_size**2
    before = 2 + len(weights)  # the parameters, what is held, the weights
    relied = tuple(i - before for i in found.relied_on if i >= before)
    static, steps = jax.device_put(static), found.steps
    return Plan(laplace, elimination, static, entries, rows, columns, relied, steps)


def with_rule(plan: Plan, elements: Elements, blocks: Independent, rule: Any) -> Plan:
    """The plan of the same integral by a rule of points instead of Laplace's approximation.

    Parameters
    ----------
    plan : Plan
    elements : Elements
    blocks : Independent
    rule : GaussHermite or Draws

    Returns
    -------
    Plan
    """
    import jax

    blockwise = Blockwise(plan.laplace, elements, blocks, rule)
    static = {**plan.static, **jax.device_put(blockwise.static)}
    return replace(plan, laplace=blockwise, static=static, entries=plan.entries * rule.count)


def starting_at(plan: Plan, first: int) -> Plan:
    """The same plan with other draws: those from a number on. Programs are shared.

    Parameters
    ----------
    plan : Plan
        With `Draws`.
    first : int

    Returns
    -------
    Plan
    """
    import jax

    rule = {**plan.static["rule"], "first": jax.device_put(np.asarray(first, dtype=np.uint32))}
    return replace(plan, static={**plan.static, "rule": rule})


class Marginal(Likelihood):
    """A marginal log-likelihood of the parameters at given data.

    Parameters
    ----------
    plan : Plan
    start : numpy.ndarray, shape (d,)
        Where the inner search begins.
    **rest
        As `Likelihood`; ``call`` and ``size`` come from the plan.

    Notes
    -----
    By Laplace's approximation or the rule of the plan; exact where the joint log-density is
    quadratic in the random effects, given the parameters. Where the conditional mode is not
    found the value is nan.
    """

    #: Scores take long enough for Hessians on the way to be differenced with little effort.
    dear = True
    #: Scores take so long that curvature is not differenced on the way.
    costly = False

    def __init__(
        self, plan: Plan, start: np.ndarray, *, data: Sequence[Any], rows: int, **rest: Any
    ) -> None:
        import jax

        leaves, shape = jax.tree.flatten(plan.static)
        count = len(data)
        self.plan = plan
        self._count, self._shape = count, shape
        self._highest = -np.inf
        self._moved = False

        def call(x: Any, held: Any, weights: Any, data: Any) -> tuple:
            static = jax.tree.unflatten(shape, data[count:-1])
            return plan.laplace.call(x, held, weights, data[:count], static, data[-1])

        # An exact Hessian is a program twice as long, which takes longer to compile than the
        # differences of exact scores take to compute.
        super().__init__(
            call,
            size=plan.laplace.outer,
            data=[*data, *leaves, np.asarray(start, dtype=np.float64)],
            route="jax",
            has_score=True,
            differenced=True,
            rows=max(rows, plan.entries),
            **rest,
        )
        self._begin = self._arguments[2][-1]
        by_points = isinstance(plan.laplace, Blockwise) and rows + plan.entries > _MANY_POINTS
        self.costly = self.costly or by_points
        evaluations = 100 + 4 * self.size if self.costly else 40 * self.size
        work = evaluations * max(rows, plan.entries)
        self._options = effort_for(work) if self._quick else None

    @cached_property
    def _plain_program(self) -> Any:
        import jax

        return jax.jit(self._call, compiler_options=self._options)

    def mode(self, x: np.ndarray) -> np.ndarray:
        """Conditional mode of the random effects (d,) on their own coordinates.

        nan where the inner search fails.
        """
        u, converged = self._run("mode", x)
        return np.where(np.asarray(converged), np.asarray(u), np.nan)

    @property
    def first_start(self) -> np.ndarray:
        """Where the first inner search began (d,)."""
        return np.asarray(self._begin, dtype=np.float64)

    @property
    def latest_start(self) -> np.ndarray:
        """Where inner searches begin by now (d,)."""
        return np.asarray(self._arguments[2][-1], dtype=np.float64)

    def started_at(self, x: np.ndarray, start: np.ndarray) -> tuple[float, np.ndarray]:
        """The log-likelihood, and the mode at which it is approximated, from another start.

        Parameters
        ----------
        x : numpy.ndarray, shape (k,)
        start : numpy.ndarray, shape (d,)
            Where the inner search begins.

        Returns
        -------
        value : float
            nan where no mode is found.
        mode : numpy.ndarray, shape (d,)
        """
        if "plain" not in self._programs:
            self._run("plain", x)
        held, weights, data = self._arguments
        start = np.asarray(start, dtype=np.float64)
        out = self._programs["plain"](x, held, weights, (*data[:-1], start))
        return float(out[0]), np.asarray(out[-1], dtype=np.float64)

    def inner_state(self, x: np.ndarray) -> tuple[np.ndarray, bool, np.ndarray, np.ndarray, float]:
        """Where the inner search ends: point, whether it is the mode, slope, curvature, pivot.

        Parameters
        ----------
        x : numpy.ndarray, shape (k,)

        Returns
        -------
        u : numpy.ndarray, shape (d,)
        converged : bool
        slope, diagonal : numpy.ndarray, shape (d,)
            Derivative of the joint log-density, and the diagonal of minus its second derivative.
        pivot : float
            The smallest of its factorisation.
        """
        u, converged = self._run("mode", x)
        held, weights, data = self._arguments
        static, own, laplace = self._static(data), data[: self._count], self.plan.laplace
        slope, values, pivot = laplace.look(x, u, held, weights, own, static)
        diagonal = np.asarray(values)[np.asarray(static["elimination"]["diagonal"])]
        return np.asarray(u), bool(converged), np.asarray(slope), diagonal, float(pivot)

    def _at(self, x: np.ndarray) -> Any:
        """The evaluation at a point; later searches begin at the mode of the best one."""
        x = np.asarray(x, dtype=np.float64)
        key = x.tobytes()
        if self._last is None or self._last.key != key:
            out = self._run("plain", x)
            if self._moved and np.isnan(out[0]):
                # Too far from that mode: standardised effects have a start that suits everywhere.
                held, weights, data = self._arguments
                out = self._programs["plain"](x, held, weights, (*data[:-1], self._begin))
            value = self._plausible(float(out[0]))
            self._last = Evaluation(key, value, np.asarray(out[1], dtype=np.float64), None)
            if value > self._highest:
                self._highest = value
                held, weights, data = self._arguments
                self._arguments, self._moved = (held, weights, (*data[:-1], out[-1])), True
        return self._last

    def further(self, x: np.ndarray) -> tuple[float, ...]:
        """What the program gives besides value, score and mode (a MAP's log-likelihood)."""
        return tuple(float(each) for each in self._run("plain", x)[2:-1])

    def joint(self, x: np.ndarray) -> np.ndarray:
        """The point with the random effects at their conditional mode (k + d,)."""
        return np.concatenate([x, self.mode(x)])

    def mode_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Conditional mode (d,) and its derivative (d, k) with respect to the parameters."""
        u, jacobian = self._run("moded", x)
        return np.asarray(u), np.asarray(jacobian)

    def conditional_variance(self, x: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
        """Conditional variances of functions of the random effects.

        Parameters
        ----------
        x : numpy.ndarray, shape (k,)
        jacobian : numpy.ndarray, shape (m, d)
            Derivatives of the functions at the conditional mode.

        Returns
        -------
        numpy.ndarray, shape (m,)
        """
        return np.asarray(self._run("conditional", x, jacobian))

    def conditional_covariance(self, x: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
        """Conditional covariance (m, m) of functions of the random effects.

        Parameters
        ----------
        x : numpy.ndarray, shape (k,)
        jacobian : numpy.ndarray, shape (m, d)
            Derivatives of the functions at the conditional mode.

        Returns
        -------
        numpy.ndarray, shape (m, m)
        """
        found = np.asarray(self._run("solved", x, jacobian)) @ jacobian.T
        return 0.5 * (found + found.T)

    def conditional_draws(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Draws of the random effects from their normal approximation at several points.

        Parameters
        ----------
        points : numpy.ndarray, shape (n, k)
        normals : numpy.ndarray, shape (n, d)
            Standard normal.

        Returns
        -------
        numpy.ndarray, shape (n, d)
            nan where the inner search fails.

        Notes
        -----
        Each is made with the dense covariance there: for some hundred effects.
        """
        held, weights, data = self._arguments
        return np.asarray(self._drawn_program(points, normals, held, weights, data))

    def block_scores(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores of the independent blocks, and of all elements that touch no random effect.

        Parameters
        ----------
        x : numpy.ndarray, shape (k,)

        Returns
        -------
        blocks : numpy.ndarray, shape (count, k)
            Derivatives of what each block contributes to the log-likelihood.
        elements : numpy.ndarray, shape (m, k)
            Of each element of the joint log-density, given the mode; only rows of elements
            that touch no effect mean anything by themselves.

        Notes
        -----
        For plans with a rule (`with_rule`).
        """
        blocks, elements = self._run("blocks", x)
        return np.asarray(blocks).T, np.asarray(elements).T

    def log_weights(self, x: np.ndarray) -> np.ndarray:
        """Logarithms of what each point of the rule adds to each block's integral.

        Parameters
        ----------
        x : numpy.ndarray, shape (k,)

        Returns
        -------
        numpy.ndarray, shape (points, count)

        Notes
        -----
        For plans with a rule (`with_rule`).
        """
        return np.asarray(self._run("points", x))

    @cached_property
    def _blocks_program(self) -> Any:
        import jax

        def blocks(x: Any, held: Any, weights: Any, data: Any) -> Any:
            own, static, rule = data[: self._count], self._static(data), self._blockwise

            def both(z: Any) -> Any:
                rest = held, weights, own, static, data[-1]
                return rule.contributions(z, *rest), rule.apart(z, *rest)

            return jax.lax.map(lambda v: jax.jvp(both, (x,), (v,))[1], jax.numpy.eye(self.size))

        return jax.jit(blocks)

    @cached_property
    def _points_program(self) -> Any:
        import jax

        def points(x: Any, held: Any, weights: Any, data: Any) -> Any:
            own, static = data[: self._count], self._static(data)
            return self._blockwise.log_weights(x, held, weights, own, static, data[-1])

        return jax.jit(points)

    @property
    def _blockwise(self) -> Blockwise:
        assert isinstance(self.plan.laplace, Blockwise)
        return self.plan.laplace

    @cached_property
    def _mode_program(self) -> Any:
        import jax

        return jax.jit(self._mode_at)

    @cached_property
    def _moded_program(self) -> Any:
        import jax

        def moded(x: Any, held: Any, weights: Any, data: Any) -> Any:
            def mode(z: Any) -> Any:
                u, _ = self._mode_at(z, held, weights, data)
                return u, u

            jacobian, u = jax.jacfwd(mode, has_aux=True)(x)
            return u, jacobian

        return jax.jit(moded)

    @cached_property
    def _conditional_program(self) -> Any:
        import jax
        import jax.numpy as jnp

        def conditional(x: Any, rows: Any, held: Any, weights: Any, data: Any) -> Any:
            u, _ = self._mode_at(x, held, weights, data)
            own, static = data[: self._count], self._static(data)
            factor = self.plan.laplace.factor(x, u, held, weights, own, static)
            return jax.lax.map(lambda row: jnp.dot(row, factor.solve(row)), rows, batch_size=64)

        return jax.jit(conditional)

    @cached_property
    def _drawn_program(self) -> Any:
        import jax
        import jax.numpy as jnp

        def drawn(points: Any, normals: Any, held: Any, weights: Any, data: Any) -> Any:
            own, static = data[: self._count], self._static(data)

            def one(given: Any) -> Any:
                x, normal = given
                u, converged = self._mode_at(x, held, weights, data)
                factor = self.plan.laplace.factor(x, u, held, weights, own, static)
                covariance = jax.vmap(factor.solve)(jnp.eye(len(normal)))
                root = jnp.linalg.cholesky(0.5 * (covariance + covariance.T))
                return jnp.where(converged, u + root @ normal, jnp.nan)

            return jax.lax.map(one, (points, normals))

        return jax.jit(drawn)

    @cached_property
    def _solved_program(self) -> Any:
        import jax

        def solved(x: Any, rows: Any, held: Any, weights: Any, data: Any) -> Any:
            u, _ = self._mode_at(x, held, weights, data)
            own, static = data[: self._count], self._static(data)
            factor = self.plan.laplace.factor(x, u, held, weights, own, static)
            return jax.lax.map(factor.solve, rows, batch_size=64)

        return jax.jit(solved)

    def _static(self, data: Any) -> Any:
        import jax

        return jax.tree.unflatten(self._shape, data[self._count : -1])

    def _mode_at(self, x: Any, held: Any, weights: Any, data: Any) -> Any:
        static, own = self._static(data), data[: self._count]
        return self.plan.laplace.mode(x, held, weights, own, static, data[-1])
