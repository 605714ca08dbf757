"""Lets these tests use the helpers, and the test bodies, of the end-to-end tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the ways of authenticating that the gateway does not have (PROTOCOL 8.1)."""
    foreign = [item for item in items if HERE in item.path.parents and not _by_header(item)]
    if foreign:
        config.hook.pytest_deselected(items=foreign)
        items[:] = [item for item in items if item not in foreign]


def _by_header(item: pytest.Item) -> bool:
    params = getattr(getattr(item, "callspec", None), "params", {})
    return params.get("auth", "header") == "header"
