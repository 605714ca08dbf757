"""A sandbox that recognises numbered audio, and its client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.engines.numbered import NumberedRecognizer


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(engines="tones") as box:
        box.hear_with(NumberedRecognizer())
        yield box


@pytest.fixture
def client(sandbox: Sandbox) -> SonioxClient:
    made: SonioxClient = sandbox.client()
    return made
