"""Prints the bank of reference problems case by case for the installed versions.

Run ``python -m tests.reference.table [name ...]`` from the root of the repository.
"""

from __future__ import annotations

import sys
from importlib.metadata import version

import numpy as np

from tests.reference.bank import PROBLEMS, identifier
from tests.reference.compare import Comparison, compare

HEAD = "{:34s} {:9s} {:22s} {:>9s} {:>8s} {:>8s} {:>6s}".format(
    "case", "start", "status", "loglik", "est/SE", "SE rel", "s"
)


def line(name: str, start: str | None, found: Comparison) -> str:
    mark = "" if found.ok and found.right else "   <- " + ("WRONG" if found.ok else "not certified")
    return (
        f"{name:34s} {start or 'own':9s} {found.status[:22]:22s} {found.loglik:+9.1e} "
        f"{found.estimate:8.1e} {found.se:8.1e} {found.seconds:6.2f}{mark}"
    )


def main(names: list[str]) -> int:
    stack = [f"{package} {version(package)}" for package in ("pymc", "pytensor", "jax")]
    print(", ".join(stack), "| Python", sys.version.split()[0])
    print(HEAD)
    failed = total = 0
    for problem in PROBLEMS:
        if names and problem.name not in names:
            continue
        for start in (None, *problem.starts):
            try:
                found = compare(problem, start)
            except Exception as error:  # noqa: BLE001 - the table shows every failure
                nan = np.nan
                found = Comparison(
                    False, type(error).__name__, nan, nan, nan, nan, None, str(error)
                )
            total += 1
            failed += not (found.ok and found.right)
            print(line(identifier(problem), start, found), flush=True)
    print(f"{total - failed} of {total} right and certified")
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
