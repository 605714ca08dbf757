"""What the methods of `client.realtime` do unless they are told otherwise."""

from __future__ import annotations

import importlib.util
import inspect
from typing import Any

import pytest

from soniox_sync import ConversationOptions, SonioxClient, TtsPool
from soniox_sync.realtime import facade, slng
from soniox_sync.realtime.speech.planner import SpeechLimits


def test_a_speech_is_quiet_for_three_seconds_at_most() -> None:
    """The service would end a stream after 5.2 s; it is the same whoever speaks."""
    realtime: Any = SonioxClient("key").realtime
    for speak in (realtime.speak, realtime.tts.pool().speak):
        given = inspect.signature(speak).parameters["max_quiet_sec"].default
        assert given == SpeechLimits().max_quiet_sec == 3.0


def test_a_pool_has_three_connections() -> None:
    """Fifteen streams, unless the account allows fewer."""
    assert inspect.signature(TtsPool).parameters["max_connections"].default == 3


@pytest.mark.parametrize("module", [facade, slng])
def test_what_is_loaded_before_the_first_thread_exists(module: Any) -> None:
    """A thread that loads a module of its own may wait for the one that waits for it."""
    names = {
        name
        for constant, value in vars(module).items()
        if constant.isupper() and isinstance(value, tuple)
        for name in value
        if isinstance(name, str)
    }
    assert [name for name in sorted(names) if importlib.util.find_spec(name) is None] == []


def test_turns_end_at_endpoints() -> None:
    """A conversation needs no button."""
    assert ConversationOptions().turn_end == "endpoint"
