"""Fixtures of the tests of speech: sandboxes whose audio can be read back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest
from letters import client_of, letter_engines

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes that speak in letters, and close them."""
    made: list[Sandbox] = []

    def make(**limits: Any) -> Sandbox:
        limits.setdefault("tts_pace", None)
        made.append(Sandbox(engines=letter_engines(), limits=limits).start())
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.close()


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """Serve one sandbox with the service's limits, as fast as it can."""
    return make_sandbox()


@pytest.fixture
def client(sandbox: Sandbox) -> SonioxClient:
    """Give a client of the sandbox, with all that speech needs."""
    return client_of(sandbox)
