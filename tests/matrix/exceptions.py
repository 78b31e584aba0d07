"""Where PyMC's own log-density differs from the reference, and why.

``docs/limitations.md`` prints this table; the test fails when an entry is missing and when one
is no longer needed. Sizes are relative to max(1, |log-likelihood|); ``inf``: PyMC gives minus
infinity (or NaN) where the log-likelihood is finite.
"""

from __future__ import annotations

SINGLE = "PyMC builds a constant in single precision"
UNDERFLOW = "PyMC takes the logarithm of a probability that underflows or rounds to 1"

#: (case, point) -> (largest relative difference, reason)
PYMC_DIFFERS: dict[tuple[str, int], tuple[float, str]] = {}
