"""Large marginal likelihoods: the search for the mode and the factorisations run in NumPy.

One compiled program holds the elimination of a large pattern twice, with its derivative: minutes
of compilation. Here three short programs give the joint log-density with its score and the
information, the derivative of the information along the inverse, and one mixed second
derivative; the rest is linear algebra. Value and score are those of `Laplace`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pymle.objective.integrate.laplace import SINGULAR
from pymle.objective.integrate.marginal import Marginal
from pymle.objective.integrate.numeric import Numeric, NumericFactor
from pymle.objective.likelihood import Evaluation

#: Twice the expected gain after which one more Newton step ends the search, and after which
#: nothing is left to gain.
_NEAR, _NOTHING = 1e-12, 1e-20
_MOST_STEPS, _MOST_CHORDS = 200, 12
#: Damping relative to the diagonal, after the first refused step and at most.
_DAMPING, _MOST_DAMPING = 1e-3, 1e12
#: Fall of twice the expected gain in a step below which a factorisation is used again.
_FAST = 1e-2
#: Twice the gain left beyond which another place to begin is looked at.
_FAR = 10.0


@dataclass(frozen=True)
class Look:
    """What is computed at a point of parameters and random effects.

    Attributes
    ----------
    u : numpy.ndarray, shape (d,)
    value : float
    score : numpy.ndarray, shape (k,)
    slope : numpy.ndarray, shape (d,)
    further : tuple of float
        Other outputs of the joint function.
    values : numpy.ndarray, shape (nnz,)
        Information about the random effects, on the pattern.
    """

    u: np.ndarray
    value: float
    score: np.ndarray
    slope: np.ndarray
    further: tuple[float, ...]
    values: np.ndarray

    @property
    def finite(self) -> bool:
        """Whether all of it is."""
        parts = self.value, self.slope, self.values
        return all(bool(np.all(np.isfinite(part))) for part in parts)


def _away(factor: NumericFactor, size: np.ndarray) -> np.ndarray:
    """A step that leaves a saddle, from the damping that just makes the information definite.

    Its solution is long along negative curvature. The right-hand side is of one sign, so that
    effects that are alike leave together, and of different sizes, so that no symmetry is kept.
    """
    step = factor.solve((1.0 + 0.5 * np.sin(1.0 + np.arange(len(size)))) * np.sqrt(size))
    return step / np.max(np.abs(step) * np.sqrt(size))


@dataclass(frozen=True)
class Mode:
    """A conditional mode with the factorised information there."""

    x: np.ndarray
    look: Look
    factor: NumericFactor


class Direct(Marginal):
    """A marginal log-likelihood whose linear algebra is not compiled.

    Parameters
    ----------
    plan : Plan
    start : numpy.ndarray, shape (d,)
    **rest
        As `Marginal`.
    """

    #: Scores take so long that curvature is not differenced on the way.
    costly = True

    def __init__(self, plan: Any, start: np.ndarray, **rest: Any) -> None:
        super().__init__(plan, start, **rest)
        self.batched = False
        self._start = np.asarray(start, dtype=np.float64)
        if "numeric" not in self._programs:
            self._programs["numeric"] = Numeric(plan.elimination)
        self._numeric: Numeric = self._programs["numeric"]
        self._best: Mode | None = None
        self._latest: Mode | None = None
        self._linear = False
        self._waiting: dict[str, Any] = {}

    # ----- the conditional mode -------------------------------------------------------------

    def _mode_near(self, x: np.ndarray) -> Mode | None:
        """The conditional mode, None where it is not found."""
        x = np.asarray(x, dtype=np.float64)
        known = [each for each in (self._latest, self._best) if each is not None]
        for each in known:
            if np.array_equal(each.x, x):
                return each
        nearest = min(known, key=lambda each: float(np.linalg.norm(each.x - x)), default=None)
        with np.errstate(all="ignore"):
            found = self._search(x, nearest)
        if found is not None:
            self._latest = found
        return found

    def _search(self, x: np.ndarray, nearest: Mode | None) -> Mode | None:
        at = self._look(x, self._start if nearest is None else nearest.look.u)
        if not at.finite and nearest is not None:
            # Too far from there: standardised effects have a start that suits everywhere.
            nearest, at = None, self._look(x, self._start)
        if not at.finite:
            return None
        if nearest is not None and not self._linear:
            at, left = self._chords(x, at, nearest.factor)
            if left > _FAR:
                # Standardised effects may lie nearer to their start than to another mode.
                first = self._look(x, self._start)
                at = first if first.finite and first.value > at.value else at
        return self._newton(x, at)

    def _chords(self, x: np.ndarray, at: Look, factor: NumericFactor) -> tuple[Look, float]:
        """Steps with the factorisation of a neighbour, as long as they gain much.

        With twice the gain that the last of them leaves.
        """
        step = factor.solve(at.slope)
        twice = float(step @ at.slope)
        for _ in range(_MOST_CHORDS):
            if not twice > _NOTHING:
                break
            trial = self._look(x, at.u + step)
            if not trial.finite or trial.value < at.value - self._noise(at):
                break
            step = factor.solve(trial.slope)
            before, twice = twice, float(step @ trial.slope)
            if not twice < before:
                break
            at = trial
            if twice > _FAST * before:
                break
        return at, twice

    def _newton(self, x: np.ndarray, at: Look) -> Mode | None:
        """Damped Newton to the mode; at its end the factorisation is that of the mode."""
        diagonal, damping, known = self._numeric.diagonal, 0.0, None
        refused, pushes = False, 0
        for _ in range(_MOST_STEPS):
            size = np.maximum(np.abs(at.values[diagonal]), 1e-300)
            if known is not None and damping == 0.0 and np.array_equal(known.values, at.values):
                # The information does not depend on the effects: one step is all there is.
                factor, self._linear = known, True
            else:
                damped = at.values.copy()
                damped[diagonal] += damping * size
                factor = self._numeric.factorise(damped)
            definite = factor.smallest_pivot > SINGULAR * size.max()
            step = factor.solve(at.slope) if definite else at.slope
            twice = float(step @ at.slope)
            definite = definite and bool(np.all(np.isfinite(step)))
            if definite and refused and twice < _NEAR:
                # No slope where the information is not positive definite: a saddle.
                step, pushes = _away(factor, size) * 0.5**pushes, pushes + 1
            refused = not definite
            if definite and damping == 0.0 and twice < _NOTHING:
                return Mode(x, at, factor)
            trial = self._look(x, at.u + step) if definite else None
            last = definite and damping == 0.0 and twice < _NEAR
            noise = self._noise(at)
            needed = 5e-5 * twice if twice > noise else -noise
            if trial is not None and trial.finite and (last or trial.value - at.value >= needed):
                at, known = trial, factor if damping == 0.0 else None
                damping = 0.1 * damping if damping > 1e-6 else 0.0
                if last:
                    return self._ended(x, at, factor)
                continue
            damping = max(10.0 * damping, _DAMPING)
            known = None
            if damping >= _MOST_DAMPING:
                break
        return None

    def _ended(self, x: np.ndarray, at: Look, factor: NumericFactor) -> Mode | None:
        if not np.array_equal(factor.values, at.values):
            factor = self._numeric.factorise(at.values)
        size = np.abs(at.values[self._numeric.diagonal]).max()
        return Mode(x, at, factor) if factor.smallest_pivot > SINGULAR * size else None

    @staticmethod
    def _noise(at: Look) -> float:
        return 1e-10 * max(abs(at.value), 1.0)

    def _look(self, x: np.ndarray, u: np.ndarray) -> Look:
        if "look" not in self._programs:
            self._compile(np.asarray(x, dtype=np.float64), u)
        (value, score, *further), values = self._run("look", x, u)
        score, k = np.asarray(score), self.size
        rest = tuple(float(each) for each in further)
        return Look(u, float(value), score[:k], score[k:], rest, np.asarray(values))

    # ----- value and score ------------------------------------------------------------------

    def value(self, x: np.ndarray) -> float:
        """Marginal log-likelihood at ``x`` (k,); nan where the mode is not found."""
        x = np.asarray(x, dtype=np.float64)
        if self._last is not None and self._last.key == x.tobytes():
            return self._last.value
        return self._value_at(self._mode_near(x))

    def _value_at(self, mode: Mode | None) -> float:
        if mode is None:
            return float("nan")
        size = self.plan.laplace.inner
        value = mode.look.value + 0.5 * size * np.log(2.0 * np.pi) - 0.5 * mode.factor.logdet
        value = self._plausible(value)
        if value > self._highest:
            self._highest, self._best = value, mode
        return value

    def _at(self, x: np.ndarray) -> Evaluation:
        x = np.asarray(x, dtype=np.float64)
        key = x.tobytes()
        if self._last is None or self._last.key != key:
            mode = self._mode_near(x)
            value = self._value_at(mode)
            score = np.full(self.size, np.nan) if mode is None else self._score_at(mode)
            self._last = Evaluation(key, value, score, None)
        return self._last

    def _score_at(self, mode: Mode) -> np.ndarray:
        x, u = mode.x, mode.look.u
        inverse = -0.5 * mode.factor.logdet_slope()
        along_x, along_u = (np.asarray(each) for each in self._run("along", x, u, inverse))
        score = mode.look.score + along_x
        # The mode moves by H^-1 l_ux dx. What is left of the slope there counts too.
        right = along_u + mode.look.slope
        moved = mode.factor.solve(right)
        if np.any(along_u) or float(moved @ right) > _NOTHING:
            score = score + np.asarray(self._run("cross", x, u, moved))
        return score

    def further(self, x: np.ndarray) -> tuple[float, ...]:
        """What the program gives besides value and score (a MAP's log-likelihood)."""
        mode = self._mode_near(x)
        if mode is None:
            return ()
        marginal = self._value_at(mode)
        return tuple(marginal + (each - mode.look.value) for each in mode.look.further)

    # ----- what analyses ask ----------------------------------------------------------------

    def mode(self, x: np.ndarray) -> np.ndarray:
        """Conditional mode of the random effects (d,); nan where the inner search fails."""
        mode = self._mode_near(x)
        return np.full(len(self._start), np.nan) if mode is None else mode.look.u.copy()

    def mode_and_jacobian(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Conditional mode (d,) and its derivative (d, k) with respect to the parameters."""
        mode = self._mode_near(x)
        if mode is None:
            shape = len(self._start), self.size
            return np.full(shape[0], np.nan), np.full(shape, np.nan)
        mixed = np.asarray(self._run("mixed", mode.x, mode.look.u)).T
        return mode.look.u.copy(), mode.factor.solve(mixed)

    def inner_state(self, x: np.ndarray) -> tuple[np.ndarray, bool, np.ndarray, np.ndarray, float]:
        """As `Marginal.inner_state`; a search that fails is looked at where it began."""
        mode = self._mode_near(x)
        at = self._look(np.asarray(x), self._start) if mode is None else mode.look
        factor = self._numeric.factorise(at.values) if mode is None else mode.factor
        diagonal = at.values[self._numeric.diagonal]
        return at.u, mode is not None, at.slope, diagonal, factor.smallest_pivot

    def conditional_draws(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """As `Marginal.conditional_draws`, one point after the other."""
        out = np.full((len(points), len(self._start)), np.nan)
        for row, x, z in zip(out, points, normals, strict=True):
            mode = self._mode_near(x)
            if mode is not None:
                row[:] = mode.look.u + mode.factor.root(np.asarray(z))
        return out

    def conditional_variance(self, x: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
        """As `Marginal.conditional_variance`; rows of one effect each cost nothing."""
        mode = self._mode_near(x)
        if mode is None:
            return np.full(len(jacobian), np.nan)
        out = np.zeros(len(jacobian))
        counts = np.count_nonzero(jacobian, axis=1)
        single, several = np.flatnonzero(counts == 1), np.flatnonzero(counts > 1)
        if len(single):
            at = np.argmax(jacobian[single] != 0.0, axis=1)
            diagonal, _ = mode.factor.on_pattern()
            out[single] = jacobian[single, at] ** 2 * diagonal[at]
        for i in range(0, len(several), 64):
            rows = jacobian[several[i : i + 64]]
            out[several[i : i + 64]] = np.einsum("md,dm->m", rows, mode.factor.solve(rows.T))
        return out

    def conditional_covariance(self, x: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
        """As `Marginal.conditional_covariance`."""
        mode = self._mode_near(x)
        if mode is None:
            return np.full((len(jacobian), len(jacobian)), np.nan)
        found = jacobian @ mode.factor.solve(np.ascontiguousarray(jacobian.T))
        return 0.5 * (found + found.T)

    # ----- programs -------------------------------------------------------------------------

    def _compile(self, x: np.ndarray, u: np.ndarray) -> None:
        """Compile what every score needs, side by side, by calling it once."""
        from concurrent.futures import ThreadPoolExecutor

        import jax

        started = time.perf_counter()
        some = {"along": np.zeros(self.plan.laplace.entries), "cross": np.zeros(len(u))}
        self._programs["look"] = self._look_program
        pool = ThreadPoolExecutor(2)
        for name, array in some.items():
            program = self._programs[name] = getattr(self, f"_{name}_program")
            self._waiting[name] = pool.submit(program, x, u, array, *self._arguments)
        pool.shutdown(wait=False)
        jax.block_until_ready(self._programs["look"](x, u, *self._arguments))
        self.compile_seconds += time.perf_counter() - started

    def _run(self, name: str, x: np.ndarray, *more: Any) -> Any:
        waiting = self._waiting.pop(name, None)
        if waiting is not None:
            started = time.perf_counter()
            waiting.result()
            self.compile_seconds += time.perf_counter() - started
        return super()._run(name, x, *more)

    @cached_property
    def _look_program(self) -> Any:
        import jax

        def look(x: Any, u: Any, held: Any, weights: Any, data: Any) -> Any:
            return self._joint(x, u, held, weights, data), self._info(x, u, held, weights, data)

        return jax.jit(look, compiler_options=self._options)

    @cached_property
    def _along_program(self) -> Any:
        import jax

        def along(x: Any, u: Any, inverse: Any, held: Any, weights: Any, data: Any) -> Any:
            def information(x: Any, u: Any) -> Any:
                return self._info(x, u, held, weights, data)

            return jax.vjp(information, x, u)[1](inverse)

        return jax.jit(along, compiler_options=self._options)

    @cached_property
    def _cross_program(self) -> Any:
        import jax

        def cross(x: Any, u: Any, moved: Any, held: Any, weights: Any, data: Any) -> Any:
            def score(u: Any) -> Any:
                return self._joint(x, u, held, weights, data)[1][: self.size]

            return jax.jvp(score, (u,), (moved,))[1]

        return jax.jit(cross, compiler_options=self._options)

    @cached_property
    def _mixed_program(self) -> Any:
        import jax

        def mixed(x: Any, u: Any, held: Any, weights: Any, data: Any) -> Any:
            def slope(x: Any) -> Any:
                return self._joint(x, u, held, weights, data)[1][self.size :]

            def along(v: Any) -> Any:
                return jax.jvp(slope, (x,), (v,))[1]

            return jax.lax.map(along, jax.numpy.eye(self.size))

        return jax.jit(mixed, compiler_options=self._options)

    def _joint(self, x: Any, u: Any, held: Any, weights: Any, data: Any) -> Any:
        import jax.numpy as jnp

        # Pieces of a plan that only its own likelihoods know.
        return self.plan.laplace._joint_call(
            jnp.concatenate([x, u]), held, weights, data[: self._count]
        )

    def _info(self, x: Any, u: Any, held: Any, weights: Any, data: Any) -> Any:
        own, static = data[: self._count], self._static(data)
        return self.plan.laplace._information(static["information"], x, u, held, weights, own)
