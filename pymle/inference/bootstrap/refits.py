"""All refits of a bootstrap: drawn in blocks, run in batches, what is left by the solver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.fitted import Fitted
from pymle.inference.bootstrap.batch import batchable, data_places
from pymle.inference.bootstrap.judge import USABLE, Refit, refit_one
from pymle.inference.bootstrap.processes import refits_apart
from pymle.inference.bootstrap.scheme import Scheme
from pymle.inference.prediction.draws import simulated_point
from pymle.model.predictive.simulate import Simulator
from pymle.objective.refits import Refits, refit_many
from pymle.verdict import Status

#: Refits in one call of a compiled program, which is compiled for that number; fewer where a
#: call would take longer than about so many seconds, with the seconds of an operation.
_PIECE, _PATIENCE, _EACH = 250, 0.02, 2e-10
#: Refits whose steps are taken together, and entries of their factors or data.
_TOGETHER, _ENTRIES = 500, 20_000_000
#: Seconds after which progress should be seen, and steps that a refit usually takes.
_SHOWN, _STEPS = 1.0, 5
#: Share of a block that the plain program may leave before the damped one is compiled.
_LEFT = 0.2
#: Conditional standard error on a log or log-odds scale beyond which a tail is looked for.
_WIDE = 5.0

Callback = Callable[[int, int], object]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of the refits that ran.

    Attributes
    ----------
    x : numpy.ndarray, shape (n, k)
        Unconstrained points.
    status : numpy.ndarray of Status, shape (n,)
    directions : dict of int to numpy.ndarray
        For refits that ran to an edge or to infinity: the way there.
    advice : dict of Status to str
        For the first refit of each status.
    parameters : dict of Status to dict
        How often each label was named in verdicts of a status.
    start_score : numpy.ndarray, shape (n, k)
        Scores of the resampled data at the estimate; nan where they were not needed.
    interrupted : bool
    route : str
        How they ran, in words.
    """

    x: np.ndarray
    status: np.ndarray
    directions: dict[int, np.ndarray]
    advice: dict[Status, str]
    parameters: dict[Status, dict[str, int]]
    start_score: np.ndarray
    interrupted: bool
    route: str

    @property
    def usable(self) -> np.ndarray:
        """Refits with an estimate, infinite ones included."""
        out = np.array([s in USABLE or s is Status.BOUNDARY for s in self.status], dtype=bool)
        infinite = np.array([s is Status.NO_MAXIMUM for s in self.status], dtype=bool)
        known = np.zeros(len(out), dtype=bool)
        known[list(self.directions)] = True
        return out | (infinite & known)

    @property
    def regular(self) -> np.ndarray:
        """Refits that ended at a strict maximum inside."""
        return np.array([s is Status.MAXIMUM for s in self.status], dtype=bool)


@dataclass(frozen=True, eq=False)
class Draws:
    """Resamples one block at a time; a block does not depend on how many there are.

    Attributes
    ----------
    fitted : Fitted
    scheme : Scheme
    entropy : int
        Seed.
    """

    fitted: Fitted
    scheme: Scheme
    entropy: int

    def blocks(self, n: int) -> Iterator[tuple[int, Any]]:
        """Number of the first replicate, and factors (b, u) or data sets, for each block."""
        simulator, natural = None, self.fitted.estimate.natural
        if self.scheme.units is None:
            levels = self.scheme.levels
            kept = () if levels is None else levels.named("kept", "typical")
            simulator = Simulator(self.fitted.problem, kept=kept)
            if levels is not None:
                natural = simulated_point(self.fitted, levels)
        size = self.scheme.at_once
        for at in range(0, n, size):
            count = min(size, n - at)
            seed = np.random.SeedSequence(self.entropy, spawn_key=(at // size,))
            if simulator is not None:
                yield at, simulator.draw(natural, seed, count)
            else:
                # Whole blocks, cut: a stratum is drawn for all replicates of a block at once.
                yield at, self.scheme.draw(np.random.default_rng(seed), size)[:count]


def run_refits(
    draws: Draws, n: int, callback: Callback | None = None, *, processes: int = 1
) -> Outcome:
    """Refit to all resamples.

    Parameters
    ----------
    draws : Draws
    n : int
        Number of resamples.
    callback : callable, optional
        Called with the numbers done and asked for.
    processes : int
        Worker processes, where the refits cannot run in one compiled program.

    Returns
    -------
    Outcome
        What was done when a `KeyboardInterrupt` came, if one did.
    """
    fitted = draws.fitted
    state = _State(n, len(fitted.estimate.x))
    in_batch, interrupted = batchable(fitted), False
    try:
        if in_batch:
            _run_in_batches(draws, state, callback)
        else:
            jobs = _jobs(draws, n)
            codes = None if draws.scheme.units is None else draws.scheme.codes
            refits = (
                (_alone(draws, job) for job in jobs)
                if processes == 1
                else refits_apart(fitted, codes, jobs, processes)
            )
            for i, refit in enumerate(refits):
                state.add(i, refit)
                state.done = i + 1
                _tell(callback, i + 1, n)
    except KeyboardInterrupt:
        interrupted = True
    done = state.done
    names = [name for name in state.advice if name is not Status.MAXIMUM]
    return Outcome(
        x=state.x[:done],
        status=state.status[:done],
        directions={i: d for i, d in state.directions.items() if i < done},
        advice={name: state.advice[name] for name in names},
        parameters={name: state.named[name] for name in names},
        start_score=state.start_score[:done],
        interrupted=interrupted,
        route=_route(in_batch, state.by_solver, processes),
    )


class _State:
    """What is known so far; private to `run_refits`, which freezes it."""

    def __init__(self, n: int, k: int) -> None:
        self.x, self.start_score = np.full((n, k), np.nan), np.full((n, k), np.nan)
        self.status = np.full(n, None, dtype=object)
        self.directions: dict[int, np.ndarray] = {}
        self.advice: dict[Status, str] = {}
        self.named: dict[Status, dict[str, int]] = {}
        self.done = self.by_solver = 0

    def add(self, i: int, refit: Refit) -> None:
        status = refit.verdict.status
        self.x[i], self.status[i] = refit.x, status
        if refit.direction is not None:
            self.directions[i] = refit.direction
        self.advice.setdefault(status, refit.verdict.advice)
        counts = self.named.setdefault(status, {})
        for label in refit.verdict.parameters:
            counts[label] = counts.get(label, 0) + 1
        self.by_solver += 1


def _run_in_batches(draws: Draws, state: _State, callback: Callback | None) -> None:
    n = len(state.status)
    for first, group in _grouped(draws.blocks(n)):
        count, together = _length(group), _together(draws.fitted)
        for start in range(0, count, together):
            part = _cut(group, slice(start, min(start + together, count)))
            at = first + start
            refits = refit_block(draws, part)
            settled = refits.converged & ~_wide(draws.fitted, refits)
            rows = slice(at, at + len(settled))
            state.x[rows], state.start_score[rows] = refits.x, refits.start_score
            state.status[rows][settled] = Status.MAXIMUM
            for j in np.flatnonzero(~settled):
                state.add(at + int(j), _alone(draws, _job(part, int(j))))
            state.done = rows.stop
            _tell(callback, state.done, n)


def _length(block: Any) -> int:
    return len(next(iter(block.values()))) if isinstance(block, dict) else len(block)


def _cut(block: Any, rows: slice) -> Any:
    return {k: v[rows] for k, v in block.items()} if isinstance(block, dict) else block[rows]


def _work(fitted: Fitted) -> float:
    """About how many seconds one evaluation takes."""
    size = len(fitted.estimate.x)
    return _EACH * fitted.likelihood._rows * size * (size + 20)


def _together(fitted: Fitted) -> int:
    """Refits after which progress is shown, and kept in an interruption."""
    return int(np.clip(_SHOWN / (_STEPS * _work(fitted)), 1, _TOGETHER))


def _grouped(blocks: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Blocks joined to groups, as far as they fit in memory."""
    waiting: list[Any] = []
    first = count = entries = 0
    for at, block in blocks:
        first = first if waiting else at
        waiting.append(block)
        arrays = list(block.values()) if isinstance(block, dict) else [block]
        count += len(arrays[0])
        entries += sum(a.size for a in arrays)
        if count >= _TOGETHER or entries * (1 + 1 / len(waiting)) > _ENTRIES:
            yield first, _joined(waiting)
            waiting, count, entries = [], 0, 0
    if waiting:
        yield first, _joined(waiting)


def _joined(blocks: list[Any]) -> Any:
    if len(blocks) == 1:
        return blocks[0]
    if isinstance(blocks[0], dict):
        return {name: np.concatenate([b[name] for b in blocks]) for name in blocks[0]}
    return np.concatenate(blocks)


def _jobs(draws: Draws, n: int) -> Iterator[Any]:
    for _, block in draws.blocks(n):
        for j in range(_length(block)):
            yield _job(block, j)


def _job(block: Any, j: int) -> Any:
    """One data set, or one set of factors, of a block."""
    return {name: v[j] for name, v in block.items()} if isinstance(block, dict) else block[j]


def _alone(draws: Draws, job: Any) -> Refit:
    if isinstance(job, dict):
        return refit_one(draws.fitted, data=job)
    return refit_one(draws.fitted, shares=job, codes=draws.scheme.codes)


def _tell(callback: Callback | None, done: int, n: int) -> None:
    if callback is not None:
        callback(done, n)


def _route(in_batch: bool, by_solver: int, processes: int) -> str:
    if not in_batch:
        return "by the solver" + (f" in {processes} processes" if processes > 1 else "")
    if not by_solver:
        return "in one compiled program"
    return f"in one compiled program, {by_solver} of them by the solver"


def refit_block(
    draws: Draws,
    block: Any,
    *,
    start: np.ndarray | None = None,
    damped: bool = True,
) -> Refits:
    """A block in the compiled programs: the plain one, and the damped one for what is left.

    Parameters
    ----------
    draws : Draws
    block : numpy.ndarray (b, u) or dict
        As `Draws.blocks` gives it.
    start : numpy.ndarray, shape (b, k), optional
        The estimate by default.
    damped : bool
        Run the damped program where the plain one leaves many.

    Returns
    -------
    Refits
        Which program ran depends on the block alone, so that a seed repeats the numbers.
    """
    fitted, scheme = draws.fitted, draws.scheme
    problem, likelihood = fitted.problem, fitted.likelihood
    shares: np.ndarray | None = None
    index: list[np.ndarray | None] = []
    replaced: dict[int, np.ndarray] = {}
    if isinstance(block, dict):
        replaced = data_places(problem, block)
        count = len(next(iter(block.values())))
    else:
        shares, count = block, len(block)
        index = [c.reshape(t.shape) for c, t in zip(scheme.codes, problem.observed, strict=True)]
    size = len(fitted.estimate.x)
    piece = int(np.clip(_PATIENCE / _work(fitted), 1, _PIECE))
    begin = np.broadcast_to(fitted.estimate.x if start is None else start, (count, size))

    def refit(rows: np.ndarray, values: bool) -> Refits:
        return refit_many(
            likelihood,
            begin[rows],
            shares=None if shares is None else shares[rows],
            index=index,
            replaced={place: v[rows] for place, v in replaced.items()},
            values=values,
            least=_least(fitted),
            piece=piece,
        )

    found = refit(np.arange(count), values=False)
    left = np.flatnonzero(~found.converged)
    if damped and len(left) > max(_LEFT * count, 1):
        again = refit(left, values=True)
        better = again.converged
        for name in ("x", "score", "hessian", "converged"):
            getattr(found, name)[left[better]] = getattr(again, name)[better]
    return found


def _least(fitted: Fitted) -> np.ndarray:
    """Smallest units of the coordinates: a step of one is long on a log or log-odds scale."""
    return fitted.problem.coordinates.bent_coordinates.astype(np.float64)


def _wide(fitted: Fitted, refits: Refits) -> np.ndarray:
    """Refits that may have ended in a tail of a log or log-odds scale."""
    bent = fitted.problem.coordinates.bent_coordinates
    curvature = -np.diagonal(refits.hessian, axis1=1, axis2=2)
    return np.any(curvature[:, bent] < _WIDE**-2, axis=1)
