"""Deselects native tests of features that the gateway does not have."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest

from tests.slng.as_native.gateway import KEY_IN_HEADER

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests in `LEFT_OUT` of their module, and those with keys outside a header."""
    left_out = [item for item in items if HERE in item.path.parents and _reason(item) is not None]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _reason(item: pytest.Item) -> Optional[str]:
    assert isinstance(item, pytest.Function)
    left_out: dict[str, str] = getattr(item.module, "LEFT_OUT", {})
    for name in left_out:
        assert hasattr(item.module, name), f"{item.module.__name__} has no test {name}"
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if parameters.get("auth", "header") != "header":
        return KEY_IN_HEADER
    return left_out.get(item.originalname)
