"""The output that README and the page on the table show is what their code prints."""

import contextlib
import io
import re

import pytest

from tests.house.repository import ROOT, python_blocks


def _without_starts(text: str) -> list[str]:
    """Lines of a printed fit; how many further starts ran depends on the machine."""
    return [line.rstrip() for line in text.splitlines() if not line.startswith("starts")]


@pytest.mark.parametrize("name", ["README.md", "docs/reading-the-table.md"])
def test_shown_output_is_what_the_code_prints(name):
    page = ROOT / name
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(python_blocks(page)[0][1], name, "exec"), {"__name__": "__main__"})
    fit = printed.getvalue()
    blocks = re.findall(r"^```text\n(.*?)^```$", page.read_text(encoding="utf-8"), re.S | re.M)
    (shown,) = [block for block in blocks if block.startswith("Maximum likelihood")]
    assert _without_starts(shown) == _without_starts(fit[fit.index("Maximum likelihood") :])
