"""Published hierarchical models: the role of each variable, and what fits of some of them say."""

from __future__ import annotations

import pytest

import pymle
from tests.roles import published_books, published_gallery  # noqa: F401 - register their models
from tests.roles.published import CASES, model_of


@pytest.mark.parametrize("name", list(CASES))
def test_roles(name: str):
    model = model_of(name)
    found = pymle.roles(model)
    shown = found.to_frame()["role"]
    assert {rv.name: shown[rv.name] for rv in model.free_RVs} == dict(CASES[name][1])
    for variable in found.ambiguous:
        assert f'random=["{variable}"]' in repr(found)
        assert f'parameters=["{variable}"]' in repr(found)
