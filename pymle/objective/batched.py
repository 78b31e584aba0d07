"""Many refits of one log-likelihood in one compiled program: other weights, or other data.

Each refit is a Newton iteration with exact Hessians from a start that is near: at an estimate, for
a resample of its data. It ends where the solver ends (half the squared Newton decrement below
1e-10, definite curvature, then Newton steps while they help), and only there does it say that it
converged. Whatever does not get there is left to the solver.

Two programs: a plain one takes full steps and asks for no values, since a logarithm per observation
costs more than score and Hessian together; a damped one accepts a step by the value that it gains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from pymle.objective.likelihood import Likelihood

__all__ = [
    "MOST_COORDINATES",
    "Refits",
    "can_batch",
    "refit_many",
    "spread_many",
    "unit_scores",
]

#: Beyond this many coordinates refits go through the solver, one by one.
MOST_COORDINATES = 100

#: Expected gain in log-likelihood at which an iteration has converged, and what is no gain.
_GAIN, _NOTHING = 1e-10, 1e-24
#: Length of the Newton step (units of the curvature at the start) that a maximum has there:
#: on a tail towards infinity the gain vanishes while the steps do not.
_SHORT = 1e-3
_MOST_STEPS, _MOST_PLAIN = 60, 12
#: Damping, relative to the diagonal of the information, at which a search is stuck.
_STUCK = 1e10
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Refits:
    """Outcomes of refits, along the first axis.

    Attributes
    ----------
    x : numpy.ndarray, shape (n, k)
        Unconstrained points; where the iteration stopped if it did not converge.
    value : numpy.ndarray, shape (n,)
        Log-likelihoods there; nan where values were not asked for.
    score : numpy.ndarray, shape (n, k)
    hessian : numpy.ndarray, shape (n, k, k)
        Second derivatives there.
    converged : numpy.ndarray of bool, shape (n,)
        Strict local maxima to rounding.
    start_value : numpy.ndarray, shape (n,)
        Log-likelihoods at the starts, with the same weights and data; as `value`.
    start_score : numpy.ndarray, shape (n, k)
        Scores at the starts.
    steps : numpy.ndarray of int, shape (n,)
        Evaluations.
    """

    x: np.ndarray
    value: np.ndarray
    score: np.ndarray
    hessian: np.ndarray
    converged: np.ndarray
    start_value: np.ndarray
    start_score: np.ndarray
    steps: np.ndarray

    def __getitem__(self, rows: Any) -> Refits:
        return Refits(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Refits]) -> Refits:
        """Several batches, one after the other."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


class _State(NamedTuple):
    """An iteration: the best point so far, the next one to be tried, and what is expected."""

    x: Any
    value: Any
    score: Any
    hessian: Any
    gain: Any
    trial: Any
    predicted: Any
    damping: Any
    units: Any
    polishing: Any
    done: Any
    count: Any
    start_value: Any
    start_score: Any


def can_batch(likelihood: Likelihood) -> bool:
    """Whether refits can run in one program.

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


def refit_many(
    likelihood: Likelihood,
    starts: np.ndarray,
    *,
    shares: np.ndarray | None = None,
    index: Sequence[np.ndarray | None] = (),
    replaced: Mapping[int, np.ndarray] | None = None,
    values: bool = False,
    least: np.ndarray | None = None,
    piece: int | None = None,
) -> Refits:
    """Refit with other weights, with other data, or both.

    Parameters
    ----------
    likelihood : Likelihood
        `can_batch` must hold.
    starts : numpy.ndarray, shape (k,) or (n, k)
        Unconstrained points.
    shares : numpy.ndarray, shape (n, u), optional
        A factor for each of u units, on top of the likelihood's own weights.
    index : sequence of (numpy.ndarray of int or None)
        For each array of weights the unit of every entry, in its shape; None leaves it.
    replaced : mapping of int to numpy.ndarray, shape (n, ...), optional
        New values for the data arguments at these places.
    values : bool
        Run the damped iteration, which is the more robust one and gives the values.
    least : numpy.ndarray, shape (k,), optional
        Smallest units of the coordinates in which a step is judged to be short; the roots of the
        curvature's diagonal at the start, where they are larger.
    piece : int, optional
        Refits in one call of the program, to which the last call is filled up: the program
        is compiled once for each size.

    Returns
    -------
    Refits
    """
    import jax

    replaced = dict(sorted((replaced or {}).items()))
    n = len(shares) if shares is not None else len(next(iter(replaced.values()), starts))
    starts = np.broadcast_to(np.asarray(starts, dtype=np.float64), (n, likelihood.size))
    piece = n if piece is None else piece
    name = "refits", tuple(replaced), values
    programs = likelihood._programs
    if name not in programs:
        programs[name] = jax.jit(_refits_program(likelihood, tuple(replaced), values))
    held, weights, data = likelihood._arguments
    index = tuple(None if i is None else np.asarray(i, dtype=np.int32) for i in index)
    least = np.zeros(likelihood.size) if least is None else np.asarray(least, dtype=np.float64)
    parts = []
    for at in range(0, n, piece):
        rows = slice(at, min(at + piece, n))
        short = piece - (rows.stop - at)
        given = (
            _filled(starts[rows], short),
            None if shares is None else _filled(shares[rows], short),
            tuple(_filled(np.asarray(v)[rows], short) for v in replaced.values()),
        )
        out = programs[name](given, held, weights, data, index, least)
        parts.append(Refits(*(np.asarray(a)[: rows.stop - at] for a in out)))
    return Refits.joined(parts)


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


def _filled(array: np.ndarray, more: int) -> np.ndarray:
    if not more:
        return array
    return np.concatenate([array, np.repeat(array[:1], more, axis=0)])


def _weighted(weights: Sequence[Any], share: Any, index: Sequence[Any]) -> tuple:
    if share is None:
        return tuple(weights)
    return tuple(w if i is None else w * share[i] for w, i in zip(weights, index, strict=True))


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


def _refits_program(likelihood: Likelihood, places: tuple[int, ...], values: bool) -> Any:
    import jax

    call, ceiling, size = likelihood._call, likelihood._ceiling, likelihood.size
    # On a processor one after the other keeps everything in its cache.
    side_by_side = None if jax.default_backend() == "cpu" else 256

    def program(given: Any, held: Any, weights: Any, data: Any, index: Any, least: Any) -> Any:
        def one(row: Any) -> Any:
            start, share, arrays = row
            own = list(data)
            for place, array in zip(places, arrays, strict=True):
                own[place] = array
            used = _weighted(weights, share, index)

            def function(z: Any) -> tuple:
                return call(z, held, used, tuple(own))[:2]

            if values:
                return _damped(function, start, least, size, ceiling)
            return _plain(function, start, least, size)

        return jax.lax.map(one, given, batch_size=side_by_side)

    return program


class _Step(NamedTuple):
    """A plain iteration: the point, what is known there, and the step from it."""

    x: Any
    score: Any
    hessian: Any
    gain: Any
    step: Any
    units: Any
    stationary: Any
    done: Any
    count: Any
    start_score: Any


def _plain(function: Any, start: Any, least: Any, size: int) -> tuple:
    """Full Newton steps, while the decrement falls."""
    import jax
    import jax.numpy as jnp
    from jax.lax.linalg import cholesky, triangular_solve

    tolerance = 64.0 * size * _EPS * jnp.eye(size)

    def evaluate(x: Any) -> tuple:
        def score(z: Any) -> Any:
            gradient = function(z)[1]
            return gradient, gradient

        return jax.jacfwd(score, has_aux=True)(x)

    def body(s: _Step) -> _Step:
        x = s.x + s.step
        hessian, score = evaluate(x)
        own = jnp.sqrt(-jnp.diagonal(hessian))
        first = s.count == 0
        units = jnp.where(first, jnp.maximum(own, least), s.units)
        scaled = -hessian / (own[:, None] * own)
        lower = cholesky(scaled - tolerance, symmetrize_input=False)
        half = triangular_solve(lower, (score / own)[:, None], left_side=True, lower=True)
        gain = 0.5 * jnp.sum(half * half)
        y = triangular_solve(lower, half, left_side=True, lower=True, transpose_a=True)
        step = y[:, 0] / own
        # Comparisons with nan, where the curvature is not definite, are false.
        falls = gain < 0.49 * s.gain
        small = (gain < _GAIN) & jnp.all(jnp.abs(units * step) < _SHORT)
        # A last step that does not help, at rounding, is not taken.
        taken = (gain < s.gain) | ~s.stationary
        return _Step(
            jnp.where(taken, x, s.x),
            jnp.where(taken, score, s.score),
            jnp.where(taken, hessian, s.hessian),
            jnp.where(taken, gain, s.gain),
            step,
            units,
            s.stationary | small,
            ~falls | (small & (gain < _NOTHING)) | (s.count >= _MOST_PLAIN),
            s.count + 1,
            jnp.where(first, score, s.start_score),
        )

    nothing = jnp.zeros(size)
    begin = _Step(
        x=start,
        score=nothing,
        hessian=jnp.zeros((size, size)),
        gain=jnp.asarray(jnp.inf),
        step=nothing,
        units=nothing,
        stationary=jnp.asarray(False),
        done=jnp.asarray(False),
        count=jnp.asarray(0),
        start_score=nothing,
    )
    end = jax.lax.while_loop(lambda s: ~s.done, body, begin)
    unknown = jnp.asarray(jnp.nan)
    return (
        end.x,
        unknown,
        end.score,
        0.5 * (end.hessian + end.hessian.T),
        end.stationary,
        unknown,
        end.start_score,
        end.count,
    )


def _damped(function: Any, start: Any, least: Any, size: int, ceiling: float) -> tuple:
    """Maximise one function: a loop whose body evaluates a trial point and chooses the next."""
    import jax
    import jax.numpy as jnp
    from jax.lax.linalg import cholesky, triangular_solve

    eye = jnp.eye(size)
    tolerance = 64.0 * size * _EPS

    def factor(matrix: Any) -> Any:
        return cholesky(matrix, symmetrize_input=False)

    def forward(lower: Any, vector: Any) -> Any:
        return triangular_solve(lower, vector[:, None], left_side=True, lower=True)[:, 0]

    def backward(lower: Any, vector: Any) -> Any:
        return triangular_solve(
            lower, vector[:, None], left_side=True, lower=True, transpose_a=True
        )[:, 0]

    def evaluate(x: Any) -> tuple:
        def score(z: Any) -> Any:
            value, gradient = function(z)
            return gradient, (value, gradient)

        hessian, (value, gradient) = jax.jacfwd(score, has_aux=True)(x)
        value = jnp.where(value > ceiling + 1e-6, jnp.nan, value)
        return value, gradient, 0.5 * (hessian + hessian.T)

    def expected_gain(score: Any, hessian: Any) -> tuple:
        """Half the squared Newton decrement; infinite unless the information is definite."""
        own = jnp.sqrt(jnp.abs(jnp.diagonal(hessian)))
        own = jnp.where(own > 0.0, own, 1.0)
        lower = factor(-hessian / (own[:, None] * own) - tolerance * eye)
        half = forward(lower, score / own)
        gain = 0.5 * half @ half
        return jnp.where(jnp.isfinite(gain), gain, jnp.inf), own

    def body(s: _State) -> _State:
        value, score, hessian = evaluate(s.trial)
        first = s.count == 0
        finite = jnp.isfinite(value) & jnp.all(jnp.isfinite(score)) & jnp.all(jnp.isfinite(hessian))
        gain, own = expected_gain(score, hessian)
        units = jnp.where(first, jnp.maximum(own, least), s.units)
        slack = 1e-9 + 1e3 * _EPS * jnp.maximum(1.0, jnp.abs(s.value))
        rise = value - s.value
        # Below the rounding of the log-likelihood a step is judged by the score.
        helped = (rise >= -slack) & (gain < s.gain)
        enough = (rise >= 1e-4 * s.predicted) | ((s.predicted < slack) & helped)
        taken = finite & (first | jnp.where(s.polishing, helped, enough))
        x = jnp.where(taken, s.trial, s.x)
        new_value = jnp.where(taken, value, s.value)
        new_score = jnp.where(taken, score, s.score)
        new_hessian = jnp.where(taken, hessian, s.hessian)
        new_gain = jnp.where(taken, gain, s.gain)

        ratio = rise / s.predicted
        small = s.damping < 1e-6
        eased = jnp.where(small, 0.0, 0.1 * s.damping)
        raised = jnp.maximum(4.0 * s.damping, 1e-3)
        kept = jnp.where((ratio > 0.75) | (s.predicted < slack), eased, s.damping)
        damping = jnp.where(
            taken, jnp.where((ratio < 0.25) & (s.predicted >= slack), raised, kept), 4.0 * raised
        )
        damping = jnp.where(first, 0.0, damping)

        own = jnp.sqrt(jnp.abs(jnp.diagonal(new_hessian)))
        own = jnp.maximum(own, 1e-3 * units)
        scaled = -new_hessian / (own[:, None] * own)
        slope = new_score / own
        small_gain = new_gain < _GAIN
        damping = jnp.where(small_gain, 0.0, damping)
        usable = jnp.all(jnp.isfinite(scaled))

        def again(pair: Any) -> Any:
            damping, lower = pair
            return usable & ~jnp.all(jnp.isfinite(lower)) & (damping < _STUCK)

        def more(pair: Any) -> Any:
            damping = jnp.maximum(4.0 * pair[0], 1e-3)
            return damping, factor(scaled + damping * eye)

        damping, lower = jax.lax.while_loop(again, more, (damping, factor(scaled + damping * eye)))
        y = backward(lower, forward(lower, slope))
        step = y / own
        predicted = slope @ y - 0.5 * y @ (scaled @ y)

        stationary = small_gain & jnp.all(jnp.abs(units * step) < _SHORT)
        polishing = stationary | (s.polishing & ~taken)
        ended = s.polishing & ~(taken & (gain < 0.49 * s.gain))
        done = (
            (first & ~finite)
            | ended
            | (polishing & (new_gain < _NOTHING))
            | (damping >= _STUCK)
            | ~jnp.all(jnp.isfinite(step))
            | (s.count + 1 >= _MOST_STEPS)
        )
        return _State(
            x,
            new_value,
            new_score,
            new_hessian,
            new_gain,
            x + step,
            predicted,
            damping,
            units,
            polishing,
            done,
            s.count + 1,
            jnp.where(first, value, s.start_value),
            jnp.where(first, score, s.start_score),
        )

    nothing = jnp.zeros(size)
    begin = _State(
        x=start,
        value=jnp.asarray(-jnp.inf),
        score=nothing,
        hessian=jnp.zeros((size, size)),
        gain=jnp.asarray(jnp.inf),
        trial=start,
        predicted=jnp.asarray(0.0),
        damping=jnp.asarray(0.0),
        units=jnp.ones(size),
        polishing=jnp.asarray(False),
        done=jnp.asarray(False),
        count=jnp.asarray(0),
        start_value=jnp.asarray(jnp.nan),
        start_score=nothing,
    )
    end = jax.lax.while_loop(lambda s: ~s.done, body, begin)
    return (
        end.x,
        end.value,
        end.score,
        end.hessian,
        end.polishing & jnp.isfinite(end.value),
        end.start_value,
        end.start_score,
        end.count,
    )
