"""A progress bar for jobs that are counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE = 1.0


@contextmanager
def bar(shown: bool, what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A callback that shows a bar once a job has taken a second.

    Parameters
    ----------
    shown : bool
    what : str
        What is counted.

    Yields
    ------
    callable or None
        To be called with the number done and that of all.
    """
    if not shown:
        yield None
        return
    began = time.perf_counter()
    line = task = None

    def callback(done: int, total: int) -> None:
        nonlocal line, task
        if line is None:
            if time.perf_counter() - began < _PATIENCE or done >= total:
                return
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

            line = Progress(
                "{task.description}",
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            task = line.add_task(what, total=total)
            line.start()
        assert task is not None
        line.update(task, completed=done)

    try:
        yield callback
    finally:
        if line is not None:
            line.stop()
