"""Fixtures of the tests of voices and ears."""

from __future__ import annotations

import pytest

from soniox_sync.sandbox import engines


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if engines.available():
        return
    for item in items:
        if "sandbox/engines" in item.nodeid and "test_engines_load" not in item.nodeid:
            item.add_marker(pytest.mark.skip(reason="the extra 'sandbox' is not installed"))
