"""Wrong arguments of `converse()` and of a conversation's methods."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from soniox_sync import ConfigurationError, ConversationOptions, SonioxClient
from soniox_sync.sources import IterableSource
from tests.arguments import (
    Entry,
    check_complete,
    check_refusals,
    entry,
    options_of,
    unreachable_client,
)
from tests.realtime.conversation.stage import Stage

ENTRIES = [
    entry(
        "conversation.say",
        {"text": "str", "barge_in": "bool", "remember": "bool"},
        needs={"text": "Hi."},
    ),
    entry("conversation.user_said", {"text": "str"}, needs={"text": "Hi."}),
    entry("conversation.stop", {"farewell": "str", "timeout_sec": "limit"}),
    entry("conversation.wait", {"timeout_sec": "limit"}),
    entry(
        "conversation.on",
        {"event": "choice", "handler": "callable"},
        needs={"event": "turn", "handler": print},
    ),
]
IN = {"source": b"\0\0", "reply": str, "sink": None, "voice": "Emma"}


@pytest.fixture
def world() -> Iterator[Any]:
    """Provide a conversation."""
    with Stage(str) as stage:
        yield SimpleNamespace(conversation=stage.conversation)


@pytest.fixture
def client() -> Iterator[SonioxClient]:
    """Provide a client whose requests would fail."""
    with unreachable_client() as client:
        yield client


@pytest.mark.parametrize(("where", "name"), options_of(ENTRIES))
def test_wrong_arguments_are_refused(world: Any, where: Entry, name: str) -> None:
    """A wrong type is an `InputTypeError`, a wrong value another `ConfigurationError`, by name."""
    check_refusals(world, where, name)


@pytest.mark.parametrize("where", ENTRIES, ids=lambda each: each.name)
def test_no_option_is_forgotten(world: Any, where: Entry) -> None:
    """Every parameter is in the table."""
    check_complete(world, where)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"voise": "Emma"}, "converse() has no field 'voise'; did you mean 'voice'?"),
        ({"bargein": True}, "converse() has no field 'bargein'; did you mean 'barge_in'?"),
        ({"options": {"patience": 1}}, "did you mean 'patience_sec'?"),
        ({"tts": {"voise": "Emma"}}, "tts has no field 'voise'; did you mean 'voice'?"),
        ({"stt": {"language_hint": ["en"]}}, "did you mean 'language_hints'?"),
        ({"voice": None}, "speech needs voice"),
        ({"audio_format": "mp3"}, "audio_format: expected a headerless format"),
        ({"stream_id": "s1"}, "stream_id: expected None, as a conversation has many streams"),
        ({"stt": {"enable_endpoint_detection": False}}, "turns end at endpoints"),
        ({"duplex": "half"}, "only headerless audio can be replaced by silence"),
        ({"max_quiet_sec": 9.0}, "max_quiet_sec: expected"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    client: SonioxClient, given: dict[str, Any], message: str
) -> None:
    """Before anything is started, with what to do."""
    source = IterableSource([b"OggS" + bytes(20)], audio_format="ogg")
    with pytest.raises(ConfigurationError) as caught:
        client.realtime.converse(**{**IN, "source": source, **given})
    assert message in str(caught.value)


def test_flat_keywords_win() -> None:
    """Over `options` and `tts`, which may be mappings; an options object is not changed."""
    from soniox_sync.realtime.conversation.opening import _split

    given = ConversationOptions(patience_sec=1.0, max_turn_sec=30.0)
    options, speech = _split(
        given, {"voice": "Emma", "speed": 1.1}, {"patience_sec": 2.0, "voice": "Nina"}
    )
    assert (options.patience_sec, options.max_turn_sec, given.patience_sec) == (2.0, 30.0, 1.0)
    assert speech == {"voice": "Nina", "speed": 1.1}
    options, _ = _split({"patience_sec": 1.0}, None, {})
    assert options.patience_sec == 1.0


@pytest.mark.parametrize("fields", [{"audio_format": "wav"}, {"sample_rate": 8000}, {"bitrate": 1}])
def test_the_format_is_no_part_of_a_voice(client: SonioxClient, fields: dict[str, Any]) -> None:
    """`set_voice()` cannot change what the sink plays."""
    with client.realtime.converse(**IN) as conversation:
        with pytest.raises(ConfigurationError, match="belongs to the sink, not to a voice"):
            conversation.set_voice(**fields)
        with pytest.raises(
            ConfigurationError, match=r"set_voice\(\) has no field 'voise'; did you mean 'voice'"
        ):
            conversation.set_voice(voise="Nina")  # type: ignore[call-arg]
