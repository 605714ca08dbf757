"""Rules of reading what the service sends that show in one place each: limits, edges, defaults."""

from __future__ import annotations

import json
from typing import Any, Optional
from unittest import mock

import pytest

from soniox_sync import SonioxConnectionError
from soniox_sync.protocol.dialects import NATIVE_STT, NATIVE_TTS, SttDialect
from soniox_sync.protocol.messages import ParsedText, find_error, malformed, parse_object
from soniox_sync.protocol.stt import SttReceiver, explain_first_error
from soniox_sync.protocol.tokens import (
    Result,
    SttEvent,
    Token,
    join_said,
    join_translated,
    milliseconds,
)
from tests.recorder.driver import frame_error
from tests.recorder.world import AUDIO

# -- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (-5, -5),
        (1234, 1234),
        (12.9, 12),
        (9e14, 900_000_000_000_000),
        (1e15, None),
        (-1e15, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        ("12", None),
        (None, None),
    ],
)
def test_milliseconds_are_whole_numbers(value: object, expected: Optional[int]) -> None:
    """A float loses its fraction; what is no number, or none that fits, is none."""
    assert milliseconds(value) == expected
    token = Token.from_wire({"start_ms": value, "end_ms": value}, "a")
    assert (token.start_ms, token.end_ms) == (expected, expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((0.5, 0.5), (1, 1.0), (0, 0.0), (True, None), ("1", None), (None, None)),
        *((999_999_999, 999_999_999.0), (10**9, None), (-(10**9), None), (10**400, None)),
    ],
)
def test_a_confidence_is_a_float(value: object, expected: Optional[float]) -> None:
    """An int counts; anything else is none."""
    confidence = Token.from_wire({"confidence": value}, "a").confidence
    assert confidence == expected and type(confidence) is type(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", "1"), ("", ""), (2, "2"), (True, None), (1.5, None), (None, None), ([], None)],
)
def test_a_label_is_a_string(value: object, expected: Optional[str]) -> None:
    """Older servers sent the number of a speaker: its digits are the label."""
    fields = ("speaker", "language", "translation_status", "source_language")
    token = Token.from_wire(dict.fromkeys(fields, value), "a")
    assert [getattr(token, name) for name in fields] == [expected] * 4
    assert Result(raw={"model": value}).model == expected


@pytest.mark.parametrize("value", [1, "true", None])
def test_only_true_is_final(value: object) -> None:
    """Whatever else stands there is no promise that the token never changes."""
    assert not Token.from_wire({"is_final": value}, "a").is_final
    assert Token.from_wire({"is_final": True}, "a").is_final


# -- values --------------------------------------------------------------------------------------

_TOKEN = {
    "text": "a",
    "start_ms": 1,
    "end_ms": 2,
    "confidence": 0.5,
    "is_final": True,
    "speaker": "1",
    "language": "en",
    "translation_status": "original",
    "source_language": "de",
    "session": 3,
}
_OTHER = {
    "text": "b",
    "start_ms": 0,
    "end_ms": 3,
    "confidence": 0.6,
    "is_final": False,
    "speaker": "2",
    "language": "fr",
    "translation_status": "none",
    "source_language": "it",
    "session": 4,
}


@pytest.mark.parametrize("name", _TOKEN)
def test_tokens_differ_in_any_field(name: str) -> None:
    """All that was said of a token counts, but not what it was received as."""
    token = Token(**_TOKEN)
    assert token == Token(**_TOKEN, raw={"text": "other"})
    assert hash(token) == hash(Token(**_TOKEN))
    assert token != Token(**{**_TOKEN, name: _OTHER[name]})
    assert getattr(token, name) == _TOKEN[name]


def test_a_token_of_a_received_one_has_defaults() -> None:
    """What was not sent is none; the session is the first."""
    token = Token.from_wire({}, "a")
    assert (token.session, token.start_ms, token.speaker, token.is_final) == (0, None, None, False)
    assert token == Token("a")
    assert token != "a"


def test_results_differ_in_tokens_counters_and_end() -> None:
    """A tuple of tokens is like a list; what it was received as does not count."""
    result = Result([Token("a")], 1, 2, True)
    assert result == Result((Token("a"),), 1, 2, True, {"x": 1})
    assert hash(result) == hash(Result((Token("a"),), 1, 2, True))
    for other in (
        Result([Token("b")], 1, 2, True),
        Result([Token("a")], 0, 2, True),
        Result([Token("a")], 1, 0, True),
        Result([Token("a")], 1, 2, False),
        "a",
    ):
        assert result != other
    assert Result() == Result((), 0, 0, False, {}) and Result().raw == {}


def test_events_differ_in_kind_and_result() -> None:
    """Only a result has texts: a marker's are empty."""
    said, translated = (
        Token("Hallo", is_final=True),
        Token("Hello", translation_status="translation"),
    )
    result = Result([said, Token(" Welt"), translated])
    event = SttEvent("result", result)
    assert event == SttEvent("result", Result([said, Token(" Welt"), translated]))
    assert event != SttEvent("endpoint", result) and event != SttEvent("result", Result())
    assert event != "result" and hash(event) == hash(SttEvent("result", result))
    assert (event.text, event.final_text, event.translated_text) == ("Hallo Welt", "Hallo", "Hello")
    marker = SttEvent("endpoint", result)
    assert (marker.text, marker.final_text, marker.translated_text) == ("", "", "")
    assert event.dispatched is False


def test_what_another_object_equals_is_its_own_affair() -> None:
    """A token, a result and an event equal a thing that says so, such as a test's `ANY`."""
    for thing in (Token("a"), Result(), SttEvent("result", Result())):
        assert thing == mock.ANY
        assert (thing == "a") is False


def test_languages_are_never_mixed() -> None:
    """One text has what was said, the other its translation."""
    tokens = [Token("Hallo"), Token("Hello", translation_status="translation"), Token("!")]
    assert (join_said(tokens), join_translated(tokens)) == ("Hallo!", "Hello")
    result = Result([*tokens, Token("?", is_final=True)])
    assert result.final_tokens == [Token("?", is_final=True)]
    assert result.non_final_tokens == tokens


# -- responses -----------------------------------------------------------------------------------


def receive(receiver: SttReceiver, **fields: Any) -> list[SttEvent]:
    return receiver.receive(json.dumps(fields).encode())


def test_nothing_follows_the_last_response() -> None:
    """What a server sends after `finished`, or after an error, is not delivered."""
    for last in ({"finished": True}, {"error_code": 500}):
        receiver = SttReceiver()
        receive(receiver, **last)
        assert receive(receiver, tokens=[{"text": "late"}]) == []


def test_only_the_last_event_is_finished() -> None:
    """Not the words and markers that come with it in one message."""
    tokens = [{"text": "a"}, {"text": "<end>"}, {"text": "b"}]
    events = receive(SttReceiver(), tokens=tokens, finished=True)
    assert [event.kind for event in events] == ["result", "endpoint", "result", "finished"]
    assert [event.result.finished for event in events] == [False, False, False, True]


def test_before_any_counter_nothing_was_processed() -> None:
    """Both begin at 0."""
    (first,) = receive(SttReceiver(), tokens=[{"text": "a"}])
    assert (first.result.final_audio_proc_ms, first.result.total_audio_proc_ms) == (0, 0)


def test_only_a_total_tells_how_much_was_processed() -> None:
    """Without one in the last response nobody knows; the counters of before are kept."""
    receiver = SttReceiver()
    receive(receiver, tokens=[], final_audio_proc_ms=100, total_audio_proc_ms=200)
    (last,) = receive(receiver, finished=True)
    assert (last.result.final_audio_proc_ms, last.result.total_audio_proc_ms) == (100, 200)
    assert last.result.finished and receiver.processed_ms is None
    for total in (0, 300):
        receiver = SttReceiver()
        receive(receiver, finished=True, total_audio_proc_ms=total)
        assert receiver.processed_ms == total


def test_words_before_an_error_are_delivered_with_their_marker() -> None:
    """In one message with it; an error alone has no result."""
    receiver = SttReceiver()
    tokens = [{"text": "a", "is_final": True}, {"text": "<end>"}]
    events = receive(receiver, tokens=tokens, error_code=500)
    assert [event.kind for event in events] == ["result", "endpoint"]
    assert receiver.error is not None
    assert receive(SttReceiver(), tokens=[], error_code=500) == []


def test_audio_may_be_sent_at_once_unless_the_dialect_waits() -> None:
    """A gateway says when it is ready; the service itself need not."""
    assert SttReceiver().ready
    waiting = _dialect(waits_for_ready=True)
    receiver = SttReceiver(waiting)
    assert not receiver.ready
    assert receive(receiver, ready=1) != [] and not receiver.ready
    assert receive(receiver, ready=True) == [] and receiver.ready


def _dialect(**more: Any) -> SttDialect:
    return SttDialect("test", lambda wire: "", lambda ms: "", "", "", **more)


@pytest.mark.parametrize(
    ("code", "frames", "is_end"),
    [
        (1000, [], True),
        (1000, [{"tokens": [{"text": "a", "is_final": True}]}], True),
        (1000, [{"tokens": [{"text": "a", "is_final": True}, {"text": "b"}]}], False),
        (1000, [{"tokens": [{"text": "a"}]}, {"tokens": []}], True),
        (1000, [{"tokens": [{"text": "a"}, {"text": "<end>"}]}], False),
        (1000, [{"tokens": [{"text": "a"}]}, {"tokens": [{"text": "<end>"}]}], False),
        (
            1000,
            [
                {"tokens": [{"text": "a"}]},
                {"tokens": [{"text": "a", "is_final": True}, {"text": "<end>"}]},
            ],
            True,
        ),
        (1000, [{"finished": True}], False),
        (1000, [{"error_code": 500}], False),
        (1001, [], False),
        (None, [], False),
    ],
)
def test_closing_is_an_end_only_where_all_words_are_final(
    code: Optional[int], frames: list[dict[str, Any]], is_end: bool
) -> None:
    """With a dialect whose last response is the close itself; of the service it is a loss."""
    receiver = SttReceiver(_dialect(ends_by_closing=True))
    for fields in frames:
        receive(receiver, **fields)
    last = receiver.closed(code)
    assert (last is not None) is is_end
    assert last is None or (last.kind == "finished" and receiver.finished)
    assert SttReceiver().closed(code) is None


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        (408, "Request timeout", True),
        (400, "Audio decode error", True),
        (400, "Invalid AUDIO DATA", True),
        (400, "Invalid language", False),
        (500, "Cannot decode", False),
    ],
)
def test_only_what_may_be_the_audio_has_advice_about_it(
    code: int, message: str, advice: bool
) -> None:
    """A 408, and a 400 that could not decode; the advice names the format, or asks for it."""
    error = frame_error(code)
    error.args = (message,)
    assert ("1000 Hz with 1 channel(s)" in str(explain_first_error(error, AUDIO))) is advice
    error = frame_error(code)
    error.args = (message,)
    assert ("Is this an audio file?" in str(explain_first_error(error, None))) is advice


def test_other_errors_have_no_advice_about_audio() -> None:
    """Only the service can tell that it does not understand the audio."""
    error = SonioxConnectionError("Audio decode error")
    assert explain_first_error(error, AUDIO) is error


# -- messages ------------------------------------------------------------------------------------


def test_a_message_is_an_object() -> None:
    """One that was parsed before is not parsed again; lists and garbage violate the protocol."""
    assert parse_object(b'{"a": 1}') == {"a": 1}
    parsed = ParsedText(b"not JSON")
    parsed.value = {"a": 2}
    assert parse_object(parsed) == {"a": 2}
    parsed.value = [1]
    for payload in (parsed, b"[1]", b"1", b"{", b""):
        with pytest.raises(SonioxConnectionError) as caught:
            parse_object(payload)
        assert caught.value.code == "protocol_error"


def test_only_the_start_of_a_bad_message_is_shown() -> None:
    """80 bytes of it."""
    assert "'" + "x" * 80 + "'" in str(malformed("y", b"x" * 100))
    assert "sent y; a proxy" in str(malformed("y"))


@pytest.mark.parametrize("name", ["error_code", "error_message", "error_type"])
def test_one_error_field_is_enough(name: str) -> None:
    """Null and absent ones are none."""
    assert find_error({name: None}) is None and find_error({}) is None
    error = find_error({name: 400 if name == "error_code" else "odd"})
    assert error is not None
    assert (error.status_code == 400) is (name == "error_code")


def test_the_service_s_own_messages() -> None:
    """Byte for byte; the default of a dialect is to change nothing."""
    assert NATIVE_TTS.keep_alive == '{"keep_alive":true}'
    assert NATIVE_TTS.cancel("s1") == '{"stream_id":"s1","cancel":true}'
    assert NATIVE_TTS.text("s1", "é", True) == '{"text":"é","text_end":true,"stream_id":"s1"}'
    assert (NATIVE_TTS.name, NATIVE_STT.name) == ("native", "native")
    assert NATIVE_STT.has_times and not NATIVE_STT.ends_by_closing
    assert NATIVE_STT.read({"a": 1}) == {"a": 1} and NATIVE_STT.reader is None
