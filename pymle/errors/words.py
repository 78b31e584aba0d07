"""Names in messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def listing(names: Iterable[str], most: int = 8) -> str:
    """Names in backquotes; beyond ``most`` only their number."""
    names = list(names)
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def row_numbers(rows: Sequence[object], most: int = 6) -> str:
    """Row numbers; beyond ``most`` an ellipsis."""
    shown = ", ".join(str(row) for row in list(rows)[:most])
    return shown + (", ..." if len(rows) > most else "")


def unknown_name(argument: str, name: str, known: Iterable[str]) -> str:
    """An unknown name, the nearest known one, and all of them."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return f"{argument}: unknown name `{name}`.{hint} Known: {listing(known, 20)}."
