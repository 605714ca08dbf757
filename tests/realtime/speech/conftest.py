"""Fixtures of the tests of speech: sandboxes whose audio can be read back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox
from tests.realtime.speech.letters import client_of, letter_engines


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
    """Provide a sandbox with the service's limits that speaks as fast as possible."""
    return make_sandbox()


@pytest.fixture
def client(sandbox: Sandbox) -> SonioxClient:
    """Provide a client of the sandbox, with defaults for speech."""
    return client_of(sandbox)
