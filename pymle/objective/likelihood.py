"""The log-likelihood as functions of one vector: value, score, Hessian and products.

Knows no model: it wraps a function of ``(x, held, weights, data)`` and evaluates it at the
present data. On the JAX route everything beyond value and score is a JAX transformation of
that one function; on the interpreted route the Hessian is differenced from the exact score.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pymle.objective.blocks import NotRowwiseError, block_program

#: Below this many multiplications compilation takes longer than a fit.
_SMALL_WORK = 200_000
#: Up to this many coordinates, and entries of a design matrix with them, the curvature is
#: computed along with every score: one program is compiled instead of two. (In blocks of rows
#: the number of entries does not matter.)
_FUSED_SIZE, _FUSED_ENTRIES = 30, 2_000_000
#: Entries of one batch of forward derivatives when a Hessian is built (about 0.3 GB).
_BATCH_ENTRIES = 40_000_000
#: Size up to which the Hessian at the start is looked at.
_LOOKED_AT = 400
#: Rounding by which a sum of log-probabilities may exceed its ceiling.
_OVER = 1e-6
#: Rows of one call where many points are evaluated with their derivatives; the program's mark.
_PIECE, _TOGETHER = 64, "evaluated together"
#: Evaluations of small problems that are kept.
_KEPT = 400
#: Below so many points a loop costs less than compiling a batch.
_FEW_ROWS = 200


@dataclass(frozen=True)
class Evaluation:
    """What was computed at one point."""

    key: bytes
    value: float
    score: np.ndarray
    hessian: np.ndarray | None


class Likelihood:
    """A log-likelihood (or log-posterior) of the unconstrained vector at given data.

    Parameters
    ----------
    call : callable
        ``(x, held, weights, data) -> (value, score, ...)`` as lowered.
    size : int
        Length of ``x``.
    held : numpy.ndarray
        Natural vector that carries the values of fixed entries.
    weights, data : sequence of arrays
    route : {"jax", "pytensor"}
    has_score : bool
    differenced : bool
        JAX lacks second derivatives here: the Hessian is left to differences of the score.
    rows : int
        Size of the data, for the choice of batches.
    programs : dict, optional
        Compiled programs to share between objects over one lowered function.
    lasting : sequence of arrays, optional
        Those among the arguments that never change: JAX gets them once for all objects that
        share programs.
    ceiling : float
        Value that no point can exceed (zero for probabilities of discrete data): what lies
        above it is an artefact of rounding, and becomes nan.
    rowwise : bool
        Whether the function may be a sum over rows of the data.
    quick : bool
        Compile small problems in half the time to programs that run half as fast: for a
        single fit, where compilation takes most of the time.

    Attributes
    ----------
    size, has_score, has_hessian
        As the optimiser asks.
    batched : bool
        `values` evaluates many points at once.
    compile_seconds : float
        Time of first calls, compilation included.
    """

    def __init__(
        self,
        call: Callable[..., tuple],
        *,
        size: int,
        held: np.ndarray,
        weights: Sequence[Any],
        data: Sequence[Any],
        route: str,
        has_score: bool,
        differenced: bool,
        rows: int,
        programs: dict[str, Any] | None = None,
        lasting: Sequence[Any] = (),
        ceiling: float = np.inf,
        rowwise: bool = True,
        quick: bool = False,
    ) -> None:
        self.size = size
        self.has_score = has_score
        self.has_hessian = has_score and not differenced
        self.compile_seconds = 0.0
        self.route = route
        self.batched = route == "jax"
        self.differenced = differenced
        self._call = call
        self._rows = max(rows, 1)
        self._ceiling = ceiling
        self._quick = quick
        self._programs = {} if programs is None else programs
        self._small = self._rows * size * max(size, 4) <= _SMALL_WORK
        self._arguments = self._place(held, weights, data, lasting)
        curved = route == "jax" and has_score and not differenced
        self._blocks = self._find_blocks() if curved and rowwise and not self._small else None
        few = size <= _FUSED_SIZE and (rows * size <= _FUSED_ENTRIES or self._blocks is not None)
        self._fused = curved and (self._small or few)
        self._last: Evaluation | None = None
        self._recent: dict[bytes, Evaluation] = {}
        self._curved: tuple[bytes, np.ndarray] | None = None

    @property
    def program(self) -> tuple[Callable[..., tuple], Any, Any, Any]:
        """The function of ``(x, held, weights, data)``, and its arguments but the first."""
        return self._call, *self._arguments

    def value(self, x: np.ndarray) -> float:
        """Log-likelihood at ``x`` (k,); nan or -inf outside the support."""
        if self.has_score:
            return self.value_and_score(x)[0]
        return self._plausible(float(self._run("plain", x)[0]))

    def value_and_score(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood and its gradient (k,)."""
        here = self._at(x)
        return here.value, here.score.copy()

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """Second derivatives (k, k), symmetric to rounding."""
        matrix = self._at(x).hessian if self._fused else None
        if matrix is None:
            # The start is looked at before the search begins there.
            key = np.asarray(x, dtype=np.float64).tobytes()
            if self._curved is None or self._curved[0] != key:
                self._curved = key, self._hessian_alone(x)
            matrix = self._curved[1]
        return 0.5 * (matrix + matrix.T)

    def _hessian_alone(self, x: np.ndarray) -> np.ndarray:
        if self._blocks is not None and not self._fused:
            found = self._together("block", x)
            if found is not None:
                return found[2]
        return np.asarray(self._run("hessian", x))

    def _together(self, name: str, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray] | None:
        """Value, score and Hessian from one program; None where that does not hold at ``x``."""
        flat, size = np.asarray(self._run(name, x)), self.size
        if name == "block" and not flat[-1]:
            return None
        return (
            flat[0],
            flat[1 : size + 1],
            flat[size + 1 : (size + 1) ** 2 - size].reshape(size, size),
        )

    def _at(self, x: np.ndarray) -> Evaluation:
        """The evaluation at a point; the last one is kept, for callers that ask in parts.

        Of small problems the last few hundred are: the questions that a verdict asks meet at some
        points.
        """
        x = np.asarray(x, dtype=np.float64)
        key = x.tobytes()
        if self._last is None or self._last.key != key:
            self._last = self._recent.get(key)
        if self._last is None:
            name = "fused" if self._blocks is None else "block"
            out = self._together(name, x) if self._fused else None
            value, score, hessian = (*self._run("plain", x)[:2], None) if out is None else out
            self._last = Evaluation(
                key=key,
                value=self._plausible(float(value)),
                score=np.asarray(score, dtype=np.float64),
                hessian=hessian,
            )
            if self._fused:
                self._recent[key] = self._last
                if len(self._recent) > _KEPT:
                    del self._recent[next(iter(self._recent))]
        return self._last

    def further(self, x: np.ndarray) -> tuple[float, ...]:
        """What the program gives besides value and score (a MAP's log-likelihood)."""
        out = self._call(x, *self._arguments) if self._fused else self._run("plain", x)
        return tuple(float(each) for each in out[2 if self.has_score else 1 :])

    def joint(self, x: np.ndarray) -> np.ndarray:
        """The point with what is integrated at its conditional mode; here there is nothing."""
        return x

    def difference_if_needed(self, x: np.ndarray) -> None:
        """Leave the Hessian to differences of the score where its program gives no numbers.

        Second derivatives of expressions such as ``0 ** k`` can be undefined in JAX
        although the score is right.
        """
        if not self.has_hessian or self.size > _LOOKED_AT:
            return
        value, score = self.value_and_score(x)
        fine = np.isfinite(value) and np.all(np.isfinite(score))
        if fine and not np.all(np.isfinite(self.hessian(x))):
            self.differenced, self.has_hessian, self._fused = True, False, False
            self._last, self._recent = None, {}

    def hessian_product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Second derivatives times ``v`` (k,)."""
        if self.differenced:
            raise NotImplementedError("products are differenced from the score on this route")
        return np.asarray(self._run("product", x, np.asarray(v, dtype=np.float64)))

    def values(self, X: np.ndarray) -> np.ndarray:
        """Log-likelihoods at the rows of ``X`` (n, k); many rows in one compiled program."""
        X = np.atleast_2d(np.asarray(X, dtype=np.float64))
        if not self.batched or len(X) < _FEW_ROWS:
            return np.array([self.value(x) for x in X])
        size = int(max(16, min(2048, _BATCH_ENTRIES // (8 * self._rows))))
        out = np.empty(len(X))
        for at in range(0, len(X), size):
            part = X[at : at + size]
            filled = np.concatenate([part, np.repeat(part[:1], size - len(part), axis=0)])
            out[at : at + len(part)] = np.asarray(self._run("batch", filled))[: len(part)]
        return np.where(out > self._ceiling + _OVER, np.nan, out)

    @property
    def together(self) -> bool:
        """Whether `evaluations` is there, and cheap enough for many searches in step."""
        from pymle.objective.batched import can_batch

        return self._fused and self._blocks is None and can_batch(self)

    def evaluations(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values (n,), scores (n, k) and Hessians (n, k, k) at the rows of ``X`` (n, k).

        One program for any number of rows; only where `together`.
        """
        from pymle.objective.batched import Batch

        first, started = _TOGETHER not in self._programs, time.perf_counter()
        batch = Batch(self, piece=_PIECE)
        out = batch.evaluate(np.arange(len(X)), np.asarray(X, dtype=np.float64), values=True)
        if first:
            self._programs[_TOGETHER] = True
            self.compile_seconds += time.perf_counter() - started
        return out

    def _plausible(self, value: float) -> float:
        return float("nan") if value > self._ceiling + _OVER else value

    def _place(
        self, held: Any, weights: Sequence[Any], data: Sequence[Any], lasting: Sequence[Any]
    ) -> tuple:
        if self.route != "jax":
            return np.asarray(held), tuple(weights), tuple(data)
        import jax

        kept = self._programs.setdefault("placed", {})
        stays = {id(array) for array in lasting}

        def placed(array: Any) -> Any:
            if id(array) not in stays:
                return jax.device_put(np.asarray(array))
            if id(array) not in kept:
                # With the array itself, whose identity is the key.
                kept[id(array)] = array, jax.device_put(np.asarray(array))
            return kept[id(array)][1]

        return placed(held), tuple(placed(w) for w in weights), tuple(placed(d) for d in data)

    def _find_blocks(self) -> Any:
        """The program in blocks of rows, or None if it cannot be written so."""
        if "in blocks" not in self._programs:
            started = time.perf_counter()
            try:
                held, weights, data = self._arguments
                found = block_program(self._call, held, weights, data, self.size)
            except NotRowwiseError:
                found = None
            self._programs["in blocks"] = found
            self.compile_seconds += time.perf_counter() - started
        return self._programs["in blocks"]

    def _run(self, name: str, x: np.ndarray, *more: Any) -> Any:
        x = np.asarray(x, dtype=np.float64)
        if self.route != "jax":
            return self._call(x, *self._arguments)
        first = name not in self._programs
        if first:
            self._programs[name] = getattr(self, f"_{name}_program")
        started = time.perf_counter()
        out = self._programs[name](x, *more, *self._arguments)
        if first:
            import jax

            jax.block_until_ready(out)
            self.compile_seconds += time.perf_counter() - started
        return out

    @cached_property
    def _plain_program(self) -> Any:
        import jax

        return jax.jit(self._call)

    @cached_property
    def _fused_program(self) -> Any:
        import jax
        import jax.numpy as jnp

        def fused(x: Any, held: Any, weights: Any, data: Any) -> Any:
            def score(z: Any) -> Any:
                value, gradient = self._call(z, held, weights, data)[:2]
                return gradient, (value, gradient)

            hessian, (value, gradient) = jax.jacfwd(score, has_aux=True)(x)
            # In one piece: each array costs a transfer.
            return jnp.concatenate([value[None], gradient, hessian.ravel()])

        options = {"xla_backend_optimization_level": 0} if self._quick and self._small else None
        return jax.jit(fused, compiler_options=options)

    @cached_property
    def _block_program(self) -> Any:
        import jax
        import jax.numpy as jnp

        blocks = self._blocks
        assert blocks is not None

        def block(x: Any, held: Any, weights: Any, data: Any) -> Any:
            value, gradient, hessian, exact = blocks(x, held, weights, data)
            pieces = value[None], gradient, hessian.ravel(), exact[None].astype(value.dtype)
            return jnp.concatenate(pieces)

        return jax.jit(block)

    @cached_property
    def _batch_program(self) -> Any:
        import jax

        def batch(rows: Any, held: Any, weights: Any, data: Any) -> Any:
            return jax.vmap(lambda x: self._call(x, held, weights, data)[0])(rows)

        return jax.jit(batch)

    @cached_property
    def _product_program(self) -> Any:
        import jax

        def product(x: Any, v: Any, held: Any, weights: Any, data: Any) -> Any:
            return jax.jvp(lambda z: self._call(z, held, weights, data)[1], (x,), (v,))[1]

        return jax.jit(product)

    @cached_property
    def _hessian_program(self) -> Any:
        import jax
        import jax.numpy as jnp

        batch = int(max(1, min(self.size, _BATCH_ENTRIES // self._rows, 64)))

        def hessian(x: Any, held: Any, weights: Any, data: Any) -> Any:
            def score(z: Any) -> Any:
                return self._call(z, held, weights, data)[1]

            _, push = jax.linearize(score, x)
            basis = jnp.eye(self.size)
            if batch >= self.size:
                return jax.vmap(push)(basis)
            return jax.lax.map(push, basis, batch_size=batch)

        return jax.jit(hessian)
