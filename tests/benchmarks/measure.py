"""Clocks, fresh processes, and a description of the machine."""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("pymc", "pytensor", "jax", "numpy", "scipy", "statsmodels")


@dataclass(frozen=True)
class Row:
    """One measured figure: median seconds, or what `unit` says, and its ratio to the peer's.

    `bar` is what the project asks for, in words; `note` what was checked beside the clock.
    """

    what: str
    value: float
    unit: str = "s"
    ratio: float | None = None
    peer: str = ""
    bar: str = ""
    note: str = ""

    def as_dict(self):
        return asdict(self)


def seconds(function, repeats=1):
    """Median wall time of some calls, and the last result."""
    wall, _, result = clocks(function, repeats)
    return wall, result


def clocks(function, repeats=1):
    """Median wall and CPU time of some calls, and the last result.

    Where others keep the machine busy the CPU time says more: waiting is no part of it.
    """
    walls, cpus, result = [], [], None
    for _ in range(repeats):
        started, used = time.perf_counter(), time.process_time()
        result = function()
        walls.append(time.perf_counter() - started)
        cpus.append(time.process_time() - used)
    return statistics.median(walls), statistics.median(cpus), result


def process(arguments):
    """Wall and CPU seconds of a Python process that starts with empty compile caches."""
    with tempfile.TemporaryDirectory() as empty:
        flags = [os.environ.get("PYTENSOR_FLAGS", ""), f"base_compiledir={empty}"]
        environment = os.environ | {
            "PYTENSOR_FLAGS": ",".join(flag for flag in flags if flag),
            "JAX_ENABLE_COMPILATION_CACHE": "0",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        # Every installed library has its bytecode on disk; the untimed run writes pymle's.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        started = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *arguments], env=environment, cwd=empty, stdout=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
    # The child is reaped already: Popen must not wait for it again.
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"python {' '.join(arguments)} ended with {child.returncode}")
    return wall, usage.ru_utime + usage.ru_stime


def interleaved(commands, repeats):
    """Times of several processes, taken in turn so that a busy minute hits all of them.

    Returns a dict from name to a list of (wall, CPU) seconds. One untimed run of each comes
    first: it fills the disk cache and the bytecode of the libraries.
    """
    for arguments in commands.values():
        process(arguments)
    names, times = list(commands), {name: [] for name in commands}
    for repeat in range(repeats):
        for name in names if repeat % 2 == 0 else names[::-1]:
            times[name].append(process(commands[name]))
    return times


def machine():
    """What the figures depend on."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def load():
    """The load average of the last minute: how busy others keep the machine."""
    return round(os.getloadavg()[0], 2)


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
