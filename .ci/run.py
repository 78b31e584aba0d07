"""Run pymle from a bare checkout: all that is needed is Python and its pip.

    python3 .ci/run.py example   the main job on real data (examples/main.py)
    python3 .ci/run.py test      lint, types, import direction, and the tests on both stacks
    python3 .ci/run.py slow      the simulations and benchmarks that take minutes, on both stacks

Environments are made in .venv/ of the checkout, one per Python version, and remade when
pyproject.toml changes. The two stacks are Python 3.11 with PyMC 5 and a later Python with PyMC 6.
Whatever follows the subcommand is passed on to the example or to pytest.

Standard library only, and written for older Pythons too: it has to start, in order to say what is
missing.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".venv"
WINDOWS = os.name == "nt"

# In the order of preference. PyMC 6 runs on any of the second stack's; one of them is tested.
STACKS = {"PyMC 5": ["3.11"], "PyMC 6": ["3.13", "3.12", "3.14"]}

# pymc-extras (the extra `discrete`) may hold PyMC below its last release; its tests run where it
# does not, and are skipped, with the reason, elsewhere.
EXTRAS = {"PyMC 5": ["discrete", "test"], "PyMC 6": ["test"]}

PYTEST = ["-m", "pytest"]

# Says what an interpreter is, and fails where it cannot make environments (Debian splits ensurepip
# off). The base executable, so that an environment is not built on another environment.
PROBE = (
    "import sys, venv, ensurepip; "
    "print('%d.%d' % sys.version_info[:2]); "
    "print(getattr(sys, '_base_executable', None) or sys.executable)"
)


def say(text):
    print(text, flush=True)


def run(command, env=None):
    """Run a command from the root of the checkout and return its exit status."""
    return run_and_quote(command, env)[0]


def run_and_quote(command, env=None):
    """Run a command, show what it prints, and return its exit status and its last line."""
    say("$ " + " ".join(shlex.quote(str(part)) for part in command))
    started = time.monotonic()
    last = ""
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=str(ROOT),
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            last = line.strip("= \n") or last
    say(f"  -> exit {process.returncode} after {time.monotonic() - started:.0f} s")
    return process.returncode, last


def pyenv_versions():
    """Interpreters that pyenv has built; its shims work only for the version that is selected."""
    roots = [os.environ.get("PYENV_ROOT"), str(Path.home() / ".pyenv")]
    pyenv = shutil.which("pyenv")
    if pyenv:
        answer = subprocess.run([pyenv, "root"], capture_output=True, text=True)
        roots.append(answer.stdout.strip())
    for root in dict.fromkeys(filter(None, roots)):
        for version in sorted(Path(root, "versions").glob("3.*"), reverse=True):
            yield version / "bin" / "python"


def candidates(versions):
    """Paths that may be one of the wanted Pythons."""
    yield sys.executable
    for version in versions:
        for folder in os.get_exec_path():
            yield Path(folder, f"python{version}")
    for folder in os.get_exec_path():
        yield Path(folder, "python.exe" if WINDOWS else "python3")
    yield from pyenv_versions()
    # Where uv keeps the Pythons that it has installed.
    yield from Path.home().glob(".local/share/uv/python/*/bin/python3")


def interpreters(versions):
    """Map each version to the first interpreter of that version that really runs."""
    found = {}
    for path in dict.fromkeys(map(str, candidates(versions))):
        if not Path(path).is_file():
            continue
        try:
            answer = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            continue
        lines = answer.stdout.split("\n")
        if answer.returncode == 0 and len(lines) >= 2 and lines[0] in versions:
            found.setdefault(lines[0], lines[1].strip())
        if len(found) == len(versions):
            break
    return found


def environment(version, interpreter, extras):
    """Make or reuse the environment of one Python version; return the path of its Python."""
    folder = ENVIRONMENTS / version
    python = folder / ("Scripts/python.exe" if WINDOWS else "bin/python")
    stamp = folder / "installed"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()
    has = stamp.read_text().split() if stamp.is_file() else []
    if python.is_file() and has[:1] == [wanted] and set(extras) <= set(has[1:]):
        return python

    if stamp.is_file():
        # An install that is interrupted must not pass for a finished one.
        stamp.unlink()
    keep = has[1:] if has[:1] == [wanted] else []
    say(f"Installing pymle for Python {version} into {folder.relative_to(ROOT)} (minutes)")
    if not keep:
        # Afresh, so that nothing an earlier pyproject.toml asked for hides a missing dependency.
        status = run([interpreter, "-m", "venv", "--clear", folder])
        if status:
            raise SystemExit(f"No environment could be made with {interpreter}.")
    target = ".[{}]".format(",".join(extras)) if extras else "."
    if run([python, "-m", "pip", "install", "--quiet", "--editable", target]):
        raise SystemExit(f"pip could not install pymle for Python {version}; see above.")
    stamp.write_text(" ".join([wanted, *sorted({*keep, *extras})]) + "\n")
    return python


def settings(python):
    """The environment variables of a command in an environment."""
    folder = python.parent.parent
    env = dict(os.environ)
    env["PATH"] = str(python.parent) + os.pathsep + env.get("PATH", "")
    env["VIRTUAL_ENV"] = str(folder)
    env["PYTHONPATH"] = ""
    # PyTensor's compiled code stays with the environment that it was compiled for.
    cache = "base_compiledir={}".format(folder / "pytensor")
    env["PYTENSOR_FLAGS"] = ",".join(filter(None, [env.get("PYTENSOR_FLAGS"), cache]))
    env.setdefault("MPLBACKEND", "Agg")
    return env


def choose(versions):
    """The preferred one of the versions that are here, with its interpreter, or None."""
    found = interpreters(versions)
    for version in versions:
        if version in found:
            return version, found[version]
    return None


def example(arguments):
    own = "{}.{}".format(*sys.version_info[:2])
    every = [version for versions in STACKS.values() for version in versions]
    # Prefer the Python that runs this: it is the user's choice.
    ordered = sorted(every, key=lambda version: version != own)
    chosen = choose(ordered)
    if chosen is None:
        return nothing_found()
    python = environment(*chosen, extras=[])
    return run([python, "examples/main.py", *arguments], settings(python))


def nothing_found():
    say(f"pymle needs Python 3.11 to 3.14 (with venv and ensurepip); this is {sys.version}.")
    return 1


def check(arguments, slow):
    """Lint once, test on each stack; return 0 if everything that could run passed."""
    chosen = {stack: choose(versions) for stack, versions in STACKS.items()}
    present = {stack: choice for stack, choice in chosen.items() if choice}
    if not present:
        return nothing_found()

    failed = []
    results = []

    def step(name, command, env):
        status, last = run_and_quote(command, env)
        outcome = "passed" if status == 0 else f"FAILED ({status})"
        results.append(f"{name}: {outcome}" + (f": {last}" if command[1:3] == PYTEST else ""))
        if status:
            failed.append(name)

    linting = None if slow else list(present)[-1]
    for stack, (version, interpreter) in present.items():
        lint = stack == linting
        say(f"\n=== {stack}: Python {version} ({interpreter})")
        extras = ["lint", *EXTRAS[stack]] if lint else EXTRAS[stack]
        python = environment(version, interpreter, extras)
        env = settings(python)
        if lint:
            tools = python.parent
            step("ruff check", [tools / "ruff", "check", "."], env)
            step("ruff format", [tools / "ruff", "format", "--check", "."], env)
            step("pyright", [tools / "pyright", "--pythonpath", python], env)
            step("import-linter", [tools / "lint-imports"], env)
        # Two workers share two cores: more threads each would only fight.
        for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            env.setdefault(threads, "1")
        selection = ["-m", "slow"] if slow else ["-m", "not slow", "-n", "2"]
        command = [python, *PYTEST, *selection, "--durations=10", *arguments]
        step(f"pytest on {stack} (Python {version})", command, env)

    missing = [stack for stack in STACKS if stack not in present]
    say("\n=== Summary")
    for line in results:
        say(line)
    for stack in missing:
        say(f"NOT TESTED on {stack}: no Python {' or '.join(STACKS[stack])} was found.")
    if missing and os.environ.get("CI") == "true":
        say("In CI a missing stack is a failure.")
        return 1
    return 1 if failed else 0


def main():
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that cannot show a character must not end the run.
        sys.stdout.reconfigure(errors="replace")
    command, arguments = (sys.argv[1:2] or ["help"])[0], sys.argv[2:]
    if command == "example":
        return example(arguments)
    if command in ("test", "slow"):
        return check(arguments, slow=command == "slow")
    say((__doc__ or "").strip())
    return 0 if command in ("help", "-h", "--help") else 2


if __name__ == "__main__":
    sys.exit(main())
