"""Progress of fits that take longer than a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pymle.optimize import TraceStep

_PATIENCE = 3.0


@contextmanager
def progress(shown: bool) -> Iterator[Callable[[TraceStep], None] | None]:
    """A callback that shows a status line once a fit has taken a few seconds.

    Parameters
    ----------
    shown : bool

    Yields
    ------
    callable or None
        To be called with every iteration's `TraceStep`.
    """
    if not shown:
        yield None
        return
    began = time.perf_counter()
    line = None

    def callback(step: TraceStep) -> None:
        nonlocal line
        if time.perf_counter() - began < _PATIENCE:
            return
        if line is None:
            from rich.console import Console

            line = Console(stderr=True).status("")
            line.start()
        line.update(
            f"iteration {step.iteration}: log-likelihood {step.value:.6f}, "
            f"expected gain {step.expected_gain:.2g}"
        )

    try:
        yield callback
    finally:
        if line is not None:
            line.stop()


@contextmanager
def counting(shown: bool, what: str) -> Iterator[Callable[[str, int, int], None] | None]:
    """A callback that shows how far a list of jobs is, once it has taken a few seconds.

    Parameters
    ----------
    shown : bool
    what : str
        The kind of job.

    Yields
    ------
    callable or None
        To be called with the name of the job at hand, the number done, and that of all.
    """
    if not shown:
        yield None
        return
    began = time.perf_counter()
    line = None

    def callback(name: str, done: int, total: int) -> None:
        nonlocal line
        if time.perf_counter() - began < _PATIENCE:
            return
        if line is None:
            from rich.console import Console

            line = Console(stderr=True).status("")
            line.start()
        line.update(f"{what} {done + 1} of {total}: {name}")

    try:
        yield callback
    finally:
        if line is not None:
            line.stop()
