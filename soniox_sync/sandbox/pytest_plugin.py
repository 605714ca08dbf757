"""Fixtures for tests of programs that use the library; loaded by pytest through `pytest11`.

Imports nothing but pytest: the plugin is loaded in every pytest run of an environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from soniox_sync.client import SonioxClient
    from soniox_sync.sandbox import Sandbox


@pytest.fixture
def soniox_sandbox() -> Iterator[Sandbox]:
    """Serve a fresh sandbox with default settings for one test."""
    from soniox_sync.sandbox import Sandbox

    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def soniox_client(soniox_sandbox: Sandbox) -> SonioxClient:
    """Give a client that talks to the test's sandbox."""
    return soniox_sandbox.client()
