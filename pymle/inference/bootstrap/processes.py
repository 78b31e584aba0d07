"""Refits in worker processes, each with the model of its own."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from pymle.fitted import Fitted
from pymle.inference.bootstrap.judge import Refit, refit_one
from pymle.model import Problem

#: What a problem computes when it is first asked for; functions among it cannot travel.
_LAZY = ("density", "observed", "lowered", "lowered_terms", "lowered_natural", "notices")

#: The fit of a worker process, sent once.
_HERE: dict[str, Any] = {}


def refits_apart(
    fitted: Fitted, codes: list[np.ndarray] | None, jobs: Iterator[Any], processes: int
) -> Iterator[Refit]:
    """Refits in spawned processes, in the order of the jobs.

    Parameters
    ----------
    fitted : Fitted
    codes : list of numpy.ndarray or None
        The unit of every observation, by observed variable; None for data sets.
    jobs : iterator of numpy.ndarray (u,) or dict
        Factors of the units, or a data set, for each refit.
    processes : int

    Yields
    ------
    Refit

    Notes
    -----
    Processes are spawned, never forked: threads of JAX do not survive a fork. Each imports
    pymle and compiles the model once, which takes some seconds. Scripts that call this need
    the usual ``if __name__ == "__main__":``.
    """
    import multiprocessing

    import cloudpickle

    payload = cloudpickle.dumps((_bare(fitted), codes))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        processes, mp_context=context, initializer=_receive, initargs=(payload,)
    )
    waiting: deque[Future[Refit]] = deque()
    try:
        # A few at a time: the resamples of all need not be in memory.
        for job in jobs:
            waiting.append(pool.submit(_refit, job))
            if len(waiting) > 3 * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _bare(fitted: Fitted) -> Fitted:
    """The fit without what was compiled."""
    problem: Problem = copy.copy(fitted.problem)
    for name in _LAZY:
        problem.__dict__.pop(name, None)
    problem.programs = {}
    curvature = fitted.estimate.curvature if fitted.estimate.curvature_is_cheap else None
    estimate = replace(
        fitted.estimate, curvature_source=None if curvature is None else lambda: curvature
    )
    estimator = copy.copy(fitted.estimator)
    estimator.__dict__["_problem"] = problem
    return Fitted(estimate, problem, estimator, fitted.given_weights)


def _receive(payload: bytes) -> None:
    import signal

    import cloudpickle

    # An interruption is the parent's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _HERE["fitted"], _HERE["codes"] = cloudpickle.loads(payload)


def _refit(job: Any) -> Refit:
    if isinstance(job, dict):
        return refit_one(_HERE["fitted"], data=job)
    return refit_one(_HERE["fitted"], shares=job, codes=_HERE["codes"])
