"""The verb: a bootstrap of a fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.bootstrap.record import Bootstrap, quantities
from pymle.inference.bootstrap.refits import Callback, Draws, run_refits
from pymle.inference.bootstrap.scheme import make_scheme
from pymle.verdict import Status

#: Statuses of fits that are an estimate.
_ESTIMATES = frozenset(
    {
        Status.MAXIMUM,
        Status.LOCAL,
        Status.SEVERAL,
        Status.HIGHER_ELSEWHERE,
        Status.BOUNDARY,
        Status.KINK,
        Status.DERIVATIVE_FREE,
    }
)


def bootstrap(
    fitted: Fitted,
    n: int = 1000,
    kind: str = "auto",
    *,
    what: Any = None,
    clusters: Any = None,
    strata: Any = None,
    block_length: int | None = None,
    groups: Any = None,
    random_seed: Any = None,
    processes: int = 1,
    callback: Callback | None = None,
) -> Bootstrap:
    """Refit to resampled or simulated data.

    Parameters
    ----------
    fitted : Fitted
    n : int
        Number of replicates.
    kind, what, clusters, strata, block_length, groups, random_seed, processes
        As in `pymle.Fit.bootstrap`.
    callback : callable, optional
        Called with the numbers of replicates done and asked for.

    Returns
    -------
    Bootstrap
    """
    whole = isinstance(n, int | np.integer) and not isinstance(n, bool)
    if not whole or int(n) < 2:
        raise AnalysisError.argument("n", n, "a whole number of replicates, 2 or more")
    whole = isinstance(processes, int | np.integer) and not isinstance(processes, bool)
    if not whole or int(processes) < 1:
        raise AnalysisError.argument("processes", processes, "a whole number, 1 or more")
    verdict = fitted.estimate.verdict
    if verdict.status not in _ESTIMATES:
        raise AnalysisError.bootstrap_needs_maximum(verdict.status.value, verdict.status.sentence)
    items = quantities(fitted, what)
    scheme = make_scheme(
        fitted, kind, clusters=clusters, strata=strata, block_length=block_length, groups=groups
    )
    draws = Draws(fitted, scheme, _entropy(random_seed))
    outcome = run_refits(draws, int(n), callback, processes=int(processes))
    return Bootstrap(draws, outcome, items, int(n))


def _entropy(random_seed: Any) -> int:
    if isinstance(random_seed, np.random.Generator):
        return int(random_seed.integers(2**63))
    if random_seed is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> np.uint64(1))
    whole = isinstance(random_seed, int | np.integer) and not isinstance(random_seed, bool)
    if whole and int(random_seed) >= 0:
        return int(random_seed)
    raise AnalysisError.argument(
        "random_seed", random_seed, "a whole number from 0, a numpy Generator or None"
    )
