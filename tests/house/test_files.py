"""Rules about the files of the repository."""

import ast
import re

import pytest

from .repository import ROOT, files, python_files, text_files

LONGEST = 600


@pytest.mark.parametrize("folder", ["pymle", "tests", "examples", ".ci"])
def test_no_room_grows_too_large(folder):
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files(folder)
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def _is_reexport(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return [ast.unparse(target) for target in node.targets] == ["__all__"]
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or isinstance(node, ast.Import | ast.ImportFrom)


def test_init_files_only_reexport():
    more = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files("pymle")
        if path.name == "__init__.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if not _is_reexport(node)
    ]
    assert more == []


def test_top_level_is_tidy():
    allowed = {"pyproject.toml", "README.md", "LICENSE", "pymle", "tests", "examples", "docs"}
    top = {path.relative_to(ROOT).parts[0] for path in files()}
    assert {name for name in top if not name.startswith(".")} <= allowed


def test_no_registry_no_machine_and_no_lock_file():
    # The words are put together here, or this file would be the one that names them.
    words = [
        r"\.".join(["pypi", "org"]),
        r"\.".join(["pythonhosted", "org"]),
        r"\.".join(["npmjs", "(org|com)"]),
        r"\.".join(["anaconda", "org"]),
        "-".join(["index", "url"]),
        "-".join(["find", "links"]),
        # A home or root directory of somebody's machine.
        r"(?<![\w.~}])/" + r"(root|home|Users)/\w",
    ]
    forbidden = re.compile("|".join(words))
    named = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), start=1)
        if forbidden.search(line)
    ]
    assert named == []

    locks = {"uv.lock", "poetry.lock", "pdm.lock", "pixi.lock", "package-lock.json"}
    assert [path for path in files() if path.name in locks] == []
