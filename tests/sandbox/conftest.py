"""Fixtures of the sandbox's tests: sandboxes that play tones instead of speech."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync.sandbox import Sandbox


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Provide a function that starts a sandbox, which is closed at the end of the test."""
    made: list[Sandbox] = []

    def make(**options: Any) -> Sandbox:
        options.setdefault("engines", "tones")
        made.append(Sandbox(**options).start())
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.close()


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """Provide a sandbox with default limits that speaks as fast as possible."""
    return make_sandbox(limits={"tts_pace": None})
