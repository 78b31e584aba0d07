"""Every public name explains itself, in numpydoc."""

import inspect
import re
from enum import Enum

import pytest

import pymle


def _functions():
    """Every public function, and every public method and property of a public class."""
    for name in pymle.__all__:
        thing = getattr(pymle, name)
        if inspect.isclass(thing):
            for attribute, member in _members(thing).items():
                if isinstance(member, classmethod | staticmethod):
                    member = member.__func__
                if isinstance(member, property) or inspect.isfunction(member):
                    yield f"{name}.{attribute}", member
        elif inspect.isfunction(thing):
            yield name, thing


def _members(thing: type) -> dict[str, object]:
    """The public members of a class that pymle itself wrote, inherited ones included."""
    return {
        attribute: member
        for base in reversed(thing.__mro__)
        if base.__module__.split(".")[0] == "pymle"
        for attribute, member in vars(base).items()
        if not attribute.startswith("_")
    }


FUNCTIONS = dict(_functions())


def _section(doc: str, title: str) -> str | None:
    """The body of a numpydoc section, or None where the docstring has none of that title."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^\S[^\n]*\n-{{3,}}$|\Z)", doc, re.S | re.M)
    return found[1] if found else None


def test_every_public_name_exists_once():
    assert len(set(pymle.__all__)) == len(pymle.__all__)
    assert [name for name in pymle.__all__ if not hasattr(pymle, name)] == []


@pytest.mark.parametrize("name", pymle.__all__)
def test_public_name_has_a_docstring(name):
    thing = getattr(pymle, name)
    if inspect.isclass(thing):
        # Its own, not that of a base class, and not the signature that dataclasses write.
        doc = vars(thing).get("__doc__") or ""
        assert doc.strip()
        assert not doc.startswith(f"{thing.__name__}(")
    elif callable(thing):
        assert (thing.__doc__ or "").strip()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring_is_complete(name):
    member = FUNCTIONS[name]
    doc = inspect.getdoc(member)
    assert doc, f"{name} has no docstring"
    if isinstance(member, property):
        return

    signature = inspect.signature(member)
    wanted = [p for p in signature.parameters if p not in {"self", "cls"}]
    section = _section(doc, "Parameters")
    listed = re.findall(r"^(\*{0,2}\w[^:\n]*?)(?: ?:.*)?$", section or "", re.M)
    named = {part.strip().lstrip("*") for line in listed for part in line.split(",")}
    assert [p for p in wanted if p not in named] == [], "parameters that are not documented"

    returns = signature.return_annotation
    assert returns is not inspect.Signature.empty, f"{name} does not say what it returns"
    if returns not in (None, "None"):
        assert _section(doc, "Returns") or _section(doc, "Yields"), f"{name}: no Returns section"


def test_public_enums_explain_each_member():
    enums = [
        thing
        for thing in (getattr(pymle, name) for name in pymle.__all__)
        if inspect.isclass(thing) and issubclass(thing, Enum)
    ]
    # The value of a status is the sentence that it stands for, or the member documents itself.
    silent = [
        member
        for enum in enums
        for member in enum
        if not (member.name in (enum.__doc__ or "") or " " in str(member.value))
    ]
    assert silent == []
