"""What a verdict costs beside the search it is about, on the reference problems.

``python -m tests.existence.cost`` fits every reference problem from one start, twice, and prints
for the second fit the seconds of the search (from preparing the start to its end) and of everything
after it: curvature, tails, ridges, the check of derivatives, the diagnosis. Cold seconds are those
of the first fit, with what is compiled on the way.
"""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any

import pymle
from pymle.estimation import Estimator
from tests.reference.bank import PROBLEMS

#: A verdict may cost as much as the fit, or so many seconds.
ALLOWED = 0.1


class Clock:
    """Adds up the time spent in the verdict."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._plain = Estimator._finish
        self._depth = 0

    def __enter__(self) -> Clock:
        clock = self

        def finish(estimator: Estimator, *args: Any, **kwargs: Any) -> Any:
            clock._depth += 1
            began = time.perf_counter()
            try:
                return clock._plain(estimator, *args, **kwargs)
            finally:
                clock._depth -= 1
                if clock._depth == 0:
                    clock.seconds += time.perf_counter() - began

        Estimator._finish = finish
        return self

    def __exit__(self, *_: object) -> None:
        Estimator._finish = self._plain


def measured(problem: Any) -> tuple[float, float, float, float, str]:
    """Seconds of fit and verdict, cold and warm, and the verdict."""
    out = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.perf_counter()
        likelihood = pymle.compile(problem.model(), n_starts=1)
        weights = {} if not problem.weights else {"weights": problem.data[problem.weights]}
        for _ in range(2):
            with Clock() as clock:
                fit = likelihood.fit(**weights)
            out += [time.perf_counter() - began - clock.seconds, clock.seconds]
            began = time.perf_counter()
    return out[0], out[1], out[2], out[3], str(fit.verdict.status)


def main(names: list[str]) -> None:
    """Print one line for each problem."""
    print(f"{'problem':34}{'cold fit':>9}{'verdict':>9}{'warm fit':>9}{'verdict':>9}")
    over = []
    for problem in PROBLEMS:
        if names and problem.name not in names:
            continue
        cold, cold_verdict, warm, warm_verdict, status = measured(problem)
        print(
            f"{problem.name:34}{cold:9.3f}{cold_verdict:9.3f}{warm:9.4f}{warm_verdict:9.4f}"
            f"  {'' if status == 'maximum' else status}",
            flush=True,
        )
        if warm_verdict > max(warm, ALLOWED) or cold_verdict > max(cold, ALLOWED):
            over.append(problem.name)
    print(f"over the allowance: {', '.join(over) or 'none'}")


if __name__ == "__main__":
    main(sys.argv[1:])
