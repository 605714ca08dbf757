"""Calls through the sandbox: a scripted caller, an agent, and the whole way between them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync import Conversation, SonioxClient
from soniox_sync.sandbox import Caller, Sandbox

# Audio passes so many times as fast as real time: a call of a minute takes six seconds. More, and a
# loaded machine falls behind it.
SPEED = 10.0
# the service waits for 2 s of silence by default
STT = {"max_endpoint_delay_ms": 500}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs voices where there are none."""
    if importlib.util.find_spec("espeakng_loader") is None:
        skip = pytest.mark.skip(reason="a caller speaks, which needs the extra sandbox")
        for item in items:
            if "call" in getattr(item, "fixturenames", ()):
                item.add_marker(skip)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Provide a sandbox with voices."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[SonioxClient]:
    """Provide a client of it."""
    with sandbox.client() as client:
        yield client


class Call:
    """A caller, and a conversation with it that listens."""

    def __init__(self, caller: Caller, conversation: Conversation) -> None:
        self.caller = caller
        self.conversation = conversation


@pytest.fixture
def call(sandbox: Sandbox, client: SonioxClient) -> Iterator[Callable[..., Call]]:
    """Provide a function that lets a caller call; `reply` answers it."""
    calls: list[Call] = []

    def begin(lines: Any, reply: Any, *, sink: Any = ..., **keywords: Any) -> Call:
        caller = sandbox.caller(lines, speed=SPEED)
        options = {"voice": "Adrian", "language": "en", "stt": STT, **keywords}
        target = caller if sink is ... else sink
        conversation = client.realtime.converse(caller, reply, target, **options)
        calls.append(Call(caller, conversation))
        return calls[-1]

    yield begin
    for each in calls:
        each.conversation.close()
