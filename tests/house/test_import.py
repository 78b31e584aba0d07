"""What `import pymle` does to a process: nothing that the user would notice."""

import os
import subprocess
import sys

import pytest

from .repository import ROOT


def in_fresh_process(code: str) -> str:
    """Run code in a new interpreter at the root of the repository; return what it prints."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def effects() -> dict[str, str]:
    """What changed between `import pymc` and `import pymle`, by name."""
    code = """
import logging, os, sys, warnings
import pymc
import pytensor.compile

# JAX may only come with pymle's first fit, whatever PyMC has installed beside it.
def state():
    return {
        "environment": dict(os.environ),
        "handlers": list(logging.root.handlers),
        "filters": list(warnings.filters),
        "jax": {name for name in sys.modules if name.split(".")[0] in {"jax", "jaxlib"}},
        # Modules that only JAX's users need, and that cost seconds or change settings.
        "linker": {"pymc.sampling.jax", "pytensor.link.jax.dispatch"} & set(sys.modules),
    }

before = state()
compiled = []
maker = pytensor.compile.FunctionMaker
start = maker.__init__
def watch(self, *args, **kwargs):
    compiled.append(1)
    start(self, *args, **kwargs)
maker.__init__ = watch

import pymle
after = state()
for name in before:
    print(name, "same" if before[name] == after[name] else "changed")
print("compiled", len(compiled))
"""
    return dict(line.split(" ", 1) for line in in_fresh_process(code).splitlines())


@pytest.mark.parametrize("what", ["jax", "linker"])
def test_jax_is_not_imported(effects, what):
    assert effects[what] == "same"


def test_nothing_is_compiled(effects):
    assert effects["compiled"] == "0"


@pytest.mark.parametrize("what", ["environment", "handlers", "filters"])
def test_no_global_setting_is_changed(effects, what):
    assert effects[what] == "same"
