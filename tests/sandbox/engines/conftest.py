"""The tests of the engines are skipped if numpy or espeak-ng is missing."""

from __future__ import annotations

import pytest

from soniox_sync.sandbox import engines


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lacking = {"numpy", engines.SYNTHESIZER} & set(engines.missing())
    if not lacking:
        return
    for item in items:
        if "sandbox/engines" in item.nodeid and "test_load" not in item.nodeid:
            item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(sorted(lacking))}"))
