"""Run benchmarks and print medians and ratios.

python tests/benchmarks/run.py [name ...] [--json FILE] [--install-r]

Names: cold, imports, refit, large, parameters, bootstrap, profiles, crossed,
quadrature, structures, starts; all of them by default.
Statsmodels is needed for `large` and `bootstrap`. Nothing here fails because it is slow.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.cases import CASES, run_apart
from tests.benchmarks.measure import load, machine
from tests.benchmarks.r_packages import install


def main():
    parser = argparse.ArgumentParser(description="Medians and ratios against a peer.")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(CASES))
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument(
        "--install-r", action="store_true", help="install R with lme4 and glmmTMB first (Debian)"
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in CASES]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)} (known: {', '.join(CASES)})")
    if arguments.install_r:
        install()
    about, found = machine(), {}
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    print(f"{about['processor']}, {about['cores']} cores, {about['system']}")
    print(f"Python {about['python']}, {versions}")
    for name in arguments.names or CASES:
        before = load()
        rows = run_apart(name)
        print(f"\n{name} (load average {before} before, {load()} after)", flush=True)
        for row in rows:
            print(f"  {line(row)}", flush=True)
        found[name] = {"load": [before, load()], "rows": [row.as_dict() for row in rows]}
    if arguments.json:
        text = json.dumps({"machine": about, "benchmarks": found}, indent=1)
        arguments.json.write_text(text + "\n", encoding="utf-8")


def line(row):
    """One figure as text."""
    small = row.value < 0.1
    figure = f"{1000 * row.value:.2f} m{row.unit}" if small else f"{row.value:.2f} {row.unit}"
    parts = [f"{row.what:<46} {figure:>12}"]
    if row.ratio is not None:
        parts.append(f"ratio {row.ratio:.2f} ({row.peer}; asked: {row.bar})")
    elif row.bar:
        parts.append(f"asked: {row.bar}")
    return "  ".join([*parts, row.note] if row.note else parts)


if __name__ == "__main__":
    main()
