"""The code on the pages runs, and links between pages lead somewhere."""

import re

import pytest

from .repository import ROOT, files, python_blocks

PAGES = [path for path in files() if path.suffix == ".md"]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


# PyMC says so whenever data have missing values.
@pytest.mark.filterwarnings("ignore::pymc.exceptions.ImputationWarning", "ignore::pymle.Notice")
@pytest.mark.parametrize("name", NAMES)
def test_code_on_the_page_runs(name, tmp_path, monkeypatch):
    """The blocks of a page run in order, in one namespace, as a reader would run them."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for line, code in python_blocks(ROOT / name):
        # Blank lines in front make a traceback point into the page.
        exec(compile("\n" * line + code, name, "exec"), namespace)


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    page = ROOT / name
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []
