"""Messages of the gateway's dialects, without a connection: errors, starts, transcripts."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest

from soniox_sync import ConfigurationError
from soniox_sync.protocol.slng.dialects import (
    SLNG_STT_BRIDGE,
    SLNG_STT_PASSED,
    SLNG_STT_RT_V3,
    SLNG_STT_RT_V4,
    SLNG_TTS,
    holds_error,
    model_of_speech,
    open_envelope,
    read_error,
)
from soniox_sync.protocol.slng.transcripts import TranscriptReader

RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}

# -- errors --------------------------------------------------------------------------------------

# PROTOCOL 8.3 and 2.6
STATUS = {
    400: "invalid_request model_not_available invalid_stream_state max_concurrent_streams_reached",
    401: "auth_error unauthorized unauthenticated",
    402: "organization_balance_exhausted organization_monthly_budget_exhausted "
    "project_monthly_budget_exhausted",
    403: "forbidden permission_denied temp_api_key_session_expired",
    408: "request_timeout",
    413: "max_duration_reached max_audio_duration_reached",
    429: "rate_limit_exceeded limit_exceeded max_concurrent_connections_reached",
    500: "internal_error",
    503: "service_unavailable",
}


@pytest.mark.parametrize(
    ("code", "status"), [(c, status) for status, codes in STATUS.items() for c in codes.split()]
)
@pytest.mark.parametrize("field", ["code", "error_code", "error_type"])
def test_the_code_of_an_error_has_the_status_of_the_service(
    code: str, status: int, field: str
) -> None:
    """Whatever the field that carries the word is called."""
    error = read_error({field: code, "message": "No."})
    assert (error["error_code"], error["error_type"]) == (status, code)
    assert error["error_message"].startswith("No")


@pytest.mark.parametrize(
    ("fields", "code", "kind", "message"),
    [
        ({}, None, None, "the gateway reported an error without a message"),
        ({"code": 402}, 402, None, "the gateway reported an error without a message"),
        ({"code": "402"}, "402", None, "the gateway reported an error without a message"),
        ({"error_code": 500, "code": "auth_error"}, 500, "auth_error", None),
        ({"error_code": 500, "code": 400}, 500, None, None),
        ({"error_type": "odd", "code": "auth_error"}, None, "odd", None),
        ({"code": "odd", "error_message": "a", "message": "b"}, None, "odd", "a"),
        ({"message": "b", "error": "c"}, None, None, "b"),
        ({"message": " . ", "error": "c"}, None, None, "c"),
        ({"message": 7, "error": {"c": 1}}, None, None, None),
        ({"error_type": 7}, None, 7, None),
    ],
)
def test_the_fields_of_an_error_are_found(
    fields: dict[str, Any], code: Any, kind: Any, message: Optional[str]
) -> None:
    """A number is the status, the first word the type; the first text that says anything counts."""
    error = read_error(fields)
    assert (error["error_code"], error["error_type"]) == (code, kind)
    assert message is None or error["error_message"] == message
    assert all(error[name] == value for name, value in fields.items() if "error" not in name)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("auth_error", "SLNG_API_KEY"),
        ("unauthorized", "SLNG_API_KEY"),
        ("backend_connection_failed", "X-Slng-Provider-Key"),
    ],
)
def test_some_errors_have_advice(code: str, advice: str) -> None:
    """Behind the gateway's own words."""
    message = read_error({"code": code, "message": "Bad key."})["error_message"]
    assert message.startswith("Bad key: ") and advice in message


@pytest.mark.parametrize("name", ["error_code", "error_type", "error_message", "error"])
def test_an_error_may_have_any_type(name: str) -> None:
    """A field says so, unless it is empty."""
    assert holds_error("error", {})
    assert holds_error("", {name: "x"})
    for nothing in (None, "", {}, False):
        assert not holds_error("ready", {name: nothing})


@pytest.mark.parametrize(
    ("frame", "kind", "fields"),
    [
        ({"type": "Ready", "a": 1}, "ready", {"type": "Ready", "a": 1}),
        ({"a": 1}, "", {"a": 1}),
        ({"type": 7}, "", {"type": 7}),
        ({"data": {"type": "X", "a": 1}, "b": 2}, "x", {"type": "X", "a": 1, "b": 2}),
        ({"type": "Y", "data": {"type": "X"}}, "y", {"type": "X"}),
        ({"type": "error", "error": {"code": "c"}}, "error", None),
        ({"type": "audio_chunk", "data": "QUJD"}, "audio_chunk", None),
    ],
)
def test_envelopes_are_opened(
    frame: dict[str, Any], kind: str, fields: Optional[dict[str, Any]]
) -> None:
    """Fields may be one level deeper; the outer type counts before the inner one."""
    found, opened = open_envelope(frame)
    assert found == kind
    assert fields is None or opened == fields
    if "error" in frame:
        assert opened["code"] == "c"


# -- speech --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("soniox/tts-rt:v1", "tts-rt-v1"),
        ("tts-rt:v1", "tts-rt-v1"),
        ("tts-rt-v1", "tts-rt-v1"),
        ("other/tts:v1", "other/tts-v1"),
    ],
)
def test_a_speech_model_has_the_service_s_name(given: str, name: str) -> None:
    """However it was given."""
    assert model_of_speech(given) == name
    assert json.loads(SLNG_TTS.config({"model": given})) == {"type": "init", "model": name}


def test_speech_messages_have_a_type() -> None:
    """Otherwise they are the service's own; there is no keepalive."""
    assert json.loads(SLNG_TTS.text("s", "a", True)) == {
        "type": "text",
        "stream_id": "s",
        "text": "a",
        "text_end": True,
    }
    assert json.loads(SLNG_TTS.cancel("s")) == {"type": "clear", "stream_id": "s", "cancel": True}
    assert SLNG_TTS.keep_alive is None and SLNG_TTS.name == "slng"


@pytest.mark.parametrize(
    ("frame", "fields"),
    [
        ({"type": "audio_end"}, {"audio_end": True}),
        ({"type": "terminated"}, {"terminated": True}),
        ({"type": "audio_chunk", "data": "QUJD"}, {"audio": "QUJD"}),
        ({"type": "audio_chunk", "data": "QUJD", "audio": "QQ=="}, {"audio": "QQ=="}),
        ({"type": "error", "code": "auth_error"}, {"error_code": 401}),
    ],
)
def test_frames_of_speech_become_native(frame: dict[str, Any], fields: dict[str, Any]) -> None:
    """Types become fields; all that was received is kept."""
    read = SLNG_TTS.read(frame)
    assert read is not None
    assert {name: read[name] for name in fields} == fields
    assert read["type"] == frame["type"]


def test_other_types_have_no_audio() -> None:
    """A `data` that is no text is no audio, nor that of another type."""
    for frame in ({"type": "ready", "data": "QUJD"}, {"type": "audio_chunk", "data": 7}):
        read = SLNG_TTS.read(dict(frame))
        assert read is not None and "audio" not in read


# -- transcription -------------------------------------------------------------------------------


def test_control_messages_of_each_route() -> None:
    """Byte for byte."""
    wire = {"model": "m"}
    assert SLNG_STT_RT_V4.start(wire) == '{"type":"config","model":"m"}'
    assert SLNG_STT_RT_V4.end == '{"type":""}'
    assert SLNG_STT_PASSED.start(wire) == '{"model":"m"}'
    assert SLNG_STT_PASSED.end == ""
    for passing in (SLNG_STT_RT_V4, SLNG_STT_PASSED):
        assert passing.keep_alive == '{"type":"keepalive"}'
        assert passing.finalize(None) == '{"type":"finalize"}'
        assert not passing.waits_for_ready and not passing.ends_by_closing and passing.has_times
    for typed in (SLNG_STT_RT_V3, SLNG_STT_BRIDGE):
        assert typed.finalize(300) == '{"type":"finalize"}'
        assert (typed.keep_alive, typed.end) == ('{"type":"keepalive"}', '{"type":"close"}')
        assert typed.waits_for_ready and typed.ends_by_closing and not typed.has_times
    assert SLNG_STT_RT_V3.audio is not None and SLNG_STT_BRIDGE.audio is None
    assert SLNG_STT_RT_V3.audio(b"ABC") == '{"type":"audio","data":"QUJD"}'
    names = [d.name for d in (SLNG_STT_RT_V4, SLNG_STT_PASSED, SLNG_STT_RT_V3, SLNG_STT_BRIDGE)]
    assert names == ["slng rt-v4", "slng passed", "slng rt-v3", "slng bridge"]


@pytest.mark.parametrize(
    ("frame", "is_read"),
    [
        ({"type": "ready"}, False),
        ({"type": "x", "tokens": []}, True),
        ({"type": "x", "finished": True}, True),
        ({"type": "x", "finished": 1}, False),
        ({"anything": 1}, True),
        ({"type": "error"}, True),
    ],
)
def test_passed_frames_are_responses_or_errors(frame: dict[str, Any], is_read: bool) -> None:
    """Other types are the gateway's own, and say nothing about the transcription."""
    read = SLNG_STT_RT_V4.read(frame)
    assert (read is not None) is is_read
    if frame.get("type") == "error":
        assert read is not None and read["tokens"] == [] and "error_message" in read


def test_the_start_of_rt_v3_has_what_was_given() -> None:
    """Absent options are left out, unknown ones passed on."""
    start = json.loads(SLNG_STT_RT_V3.start({"model": "m", **RAW}))
    assert start == {
        "type": "init",
        "config": {"sample_rate": 16000, "audio_format": "pcm_s16le", "enable_partials": True},
    }
    wire = {"model": "m", **RAW, "language_hints": ["de", "en"], "new": 1}
    config = json.loads(SLNG_STT_RT_V3.start({**wire, "enable_speaker_diarization": True}))[
        "config"
    ]
    assert (config["language"], config["language_hints"]) == ("de", ["de", "en"])
    assert (config["enable_speaker_diarization"], config["new"]) == (True, 1)
    assert not {"model", "num_channels"} & set(config)


@pytest.mark.parametrize(
    ("given", "name"), [("pcm_s16le", "linear16"), ("mp3", "mp3"), ("opus", "opus")]
)
def test_the_bridge_has_names_of_its_own_for_formats(given: str, name: str) -> None:
    """It takes only these."""
    wire = {"model": "m", "audio_format": given, "sample_rate": 8000, "language_hints": ["de"]}
    assert json.loads(SLNG_STT_BRIDGE.start(wire))["config"] == {
        "sample_rate": 8000,
        "encoding": name,
        "language": "de",
        "enable_partials": True,
    }


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"num_channels": 2}, "num_channels=2"),
        ({"language_hints_strict": True}, "language_hints_strict"),
        ({"context": {"terms": ["a"]}}, "context"),
        ({"enable_language_identification": True}, "enable_language_identification"),
        ({"enable_endpoint_detection": True}, "enable_endpoint_detection"),
        ({"max_endpoint_delay_ms": 500}, "max_endpoint_delay_ms"),
        ({"endpoint_sensitivity": 0.5}, "endpoint_sensitivity"),
        ({"endpoint_latency_adjustment_level": 1}, "endpoint_latency_adjustment_level"),
        ({"enable_agent_text_input": True}, "enable_agent_text_input"),
        ({"translation": {"type": "one_way"}}, "translation"),
        ({"client_reference_id": "x"}, "client_reference_id"),
    ],
)
def test_what_a_route_lacks_is_refused(more: dict[str, Any], named: str) -> None:
    """It is named rather than dropped, on both routes."""
    for dialect, route in ((SLNG_STT_RT_V3, "rt-v3"), (SLNG_STT_BRIDGE, "bridge")):
        with pytest.raises(ConfigurationError, match=f"gateway's {route} does not take {named}"):
            dialect.start({"model": "m", **RAW, **more})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"enable_speaker_diarization": True}, "bridge does not take enable_speaker_diarization"),
        ({"audio_format": "flac"}, "not 'flac'"),
        ({"language_hints": ["de", "en"]}, "takes one language"),
    ],
)
def test_the_bridge_takes_less(more: dict[str, Any], said: str) -> None:
    """Neither speakers nor several languages nor other formats."""
    with pytest.raises(ConfigurationError, match=said):
        SLNG_STT_BRIDGE.start({"model": "m", **RAW, **more})


# -- transcripts ---------------------------------------------------------------------------------


def texts(reader: TranscriptReader, kind: str, **frame: Any) -> Optional[list[str]]:
    read = reader.read(kind, frame)
    return None if read is None else [token["text"] for token in read["tokens"]]


def test_pieces_are_joined_by_a_space() -> None:
    """It leads the next piece, also a partial one; a piece without words changes nothing."""
    reader = TranscriptReader()
    assert texts(reader, "partial_transcript", transcript="hello") == ["hello"]
    assert texts(reader, "final_transcript", transcript=" Hello. ") == ["Hello."]
    assert texts(reader, "partial_transcript", transcript="how") == [" how"]
    assert texts(reader, "final_transcript", transcript="") == []
    assert texts(reader, "final_transcript", transcript="How?") == [" How?"]


@pytest.mark.parametrize("last", ["は", "ไ", "က", "ក", "、", "好", "！", "𠀀", "豈"])
def test_scripts_without_spaces_get_none(last: str) -> None:
    """Neither Chinese nor Japanese, Thai, Lao, Myanmar and Khmer."""
    reader = TranscriptReader()
    texts(reader, "final_transcript", transcript=last)
    assert texts(reader, "final_transcript", transcript="b") == ["b"]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (0x0E00, 0x0EFF),  # Thai, Lao
        (0x1000, 0x109F),  # Myanmar
        (0x1780, 0x17FF),  # Khmer
        (0x2E80, 0x9FFF),  # from the CJK radicals to the CJK ideographs
        (0xF900, 0xFAFF),  # CJK compatibility ideographs
        (0xFF00, 0xFFEF),  # halfwidth and fullwidth forms
        (0x20000, 0x3FFFF),  # the planes of ideographs
    ],
)
def test_scripts_without_spaces_are_whole_blocks(first: int, last: int) -> None:
    """Of Unicode: the letters around a block, such as Latin ligatures, get one."""
    for point in (first - 1, first, last, last + 1):
        reader = TranscriptReader()
        texts(reader, "final_transcript", transcript=chr(point))
        space = "" if first <= point <= last else " "
        assert texts(reader, "final_transcript", transcript="b") == [f"{space}b"]


def test_tokens_count_if_they_are_the_transcript() -> None:
    """With their times and labels, else those of the piece; the blanks round it are not part."""
    reader = TranscriptReader()
    tokens = [
        {"text": " Hello", "start_ms": 1, "end_ms": 2, "confidence": 0.5, "speaker": "2"},
        {"text": " world ", "start_ms": "x"},
    ]
    frame = {"transcript": "Hello world", "tokens": tokens, "speaker": "1", "language": "en"}
    read = reader.read("final_transcript", frame)
    assert read is not None and read["transcript"] == "Hello world"
    assert read["tokens"] == [
        {
            "text": "Hello",
            "is_final": True,
            "start_ms": 1,
            "end_ms": 2,
            "confidence": 0.5,
            "speaker": "2",
            "language": "en",
        },
        {"text": " world", "is_final": True, "speaker": "1", "language": "en"},
    ]
    for wrong in ([{"text": "Bye"}], [{"text": 7}], [7], "Hello", None, []):
        frame = {"transcript": "Hello", "tokens": wrong, "confidence": 0.5}
        read = TranscriptReader().read("partial_transcript", frame)
        assert read is not None
        assert read["tokens"] == [{"text": "Hello", "is_final": False, "confidence": 0.5}]


def test_other_frames_have_no_words() -> None:
    """Except the end of an utterance, which is a marker, and native responses."""
    reader = TranscriptReader()
    assert texts(reader, "utterance_end") == ["<end>"]
    assert texts(reader, "", tokens=[{"text": "a"}]) == ["a"]
    assert texts(reader, "") is None
    assert texts(reader, "other", tokens=[{"text": "a"}]) is None
    assert texts(reader, "final_transcript", transcript=7) == []


def test_a_typed_connection_says_when_it_is_ready() -> None:
    """Each connection has a reader of its own."""
    assert SLNG_STT_RT_V3.reader is not None
    read = SLNG_STT_RT_V3.reader()
    assert read({"type": "ready", "session_id": "x"}) == {"ready": True}
    error = read({"type": "error", "code": "auth_error", "message": "No."})
    assert error is not None and (error["tokens"], error["error_code"]) == ([], 401)
    read({"type": "final_transcript", "transcript": "One."})
    for reader, text in ((read, " Two"), (SLNG_STT_RT_V3.reader(), "Two")):
        frame = reader({"type": "partial_transcript", "transcript": "Two"})
        assert frame is not None and frame["tokens"][0]["text"] == text
