"""Frames of speech are read alike on both paths; streams are separate; errors are raised once."""

from __future__ import annotations

import base64
import json
from typing import Any, Optional

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soniox_sync import AudioChunk, BadRequestError, NetworkError, SonioxConnectionError, StateError
from soniox_sync.protocol import tts as module
from soniox_sync.protocol.states import TtsPhase
from soniox_sync.protocol.tts import StreamRecord, Timestamps, TtsFrame, TtsStreams, read_frame

CONFIG = {"stream_id": "s1", "model": "m", "voice": "v"}


def wire(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def frame(**fields: Any) -> TtsFrame:
    got = read_frame(wire(**fields))
    assert got is not None
    return got


# -- reading frames -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 3, 100, 9600, 40_000])
def test_audio_frames_are_read(size: int) -> None:
    """Audio of any size is returned unchanged, with its id; it is last only if marked so."""
    audio = bytes(range(256)) * (size // 256) + bytes(size % 256)
    got = frame(stream_id="s1", audio=b64(audio), audio_end=False)
    assert got.chunk is not None
    assert (got.stream_id, got.error, got.terminated) == ("s1", None, False)
    assert (got.chunk.weight, got.chunk.audio, got.chunk.audio_end) == (size, audio, False)
    assert got.chunk.audio is got.chunk.audio


def test_one_frame_may_contain_everything() -> None:
    """Audio, its end, timestamps, an error and the termination may share one frame."""
    times = {
        "characters": ["h"],
        "character_start_times_seconds": [0.0],
        "character_end_times_seconds": [0.1],
    }
    got = frame(
        stream_id="s1",
        audio=b64(b"x" * 900),
        audio_end=True,
        timestamps=times,
        terminated=True,
        error_code=500,
        error_message="oh",
        request_id="r",
    )
    assert got.chunk is not None
    assert (got.chunk.audio, got.chunk.audio_end) == (b"x" * 900, True)
    assert got.chunk.timestamps == Timestamps(("h",), (0.0,), (0.1,))
    assert isinstance(got.error, NetworkError)
    assert got.terminated


def test_last_frame_may_be_empty() -> None:
    """The end of the audio may be sent with empty audio, or without any."""
    for fields in ({"audio": ""}, {}, {"audio": None}):
        got = frame(stream_id="s1", audio_end=True, **fields)
        assert got.chunk is not None
        assert (got.chunk.audio, got.chunk.audio_end, got.chunk.weight) == (b"", True, 0)


def test_a_frame_may_contain_only_timestamps() -> None:
    """A frame of timestamps without audio is a chunk without audio."""
    got = frame(stream_id="s1", timestamps=times([], [], []))
    assert got.chunk is not None
    assert (got.chunk.audio, got.chunk.timestamps) == (b"", Timestamps((), (), ()))


def times(characters: Any, starts: Any, ends: Any) -> dict[str, Any]:
    return {
        "characters": characters,
        "character_start_times_seconds": starts,
        "character_end_times_seconds": ends,
    }


@pytest.mark.parametrize(
    "timestamps",
    [
        *("no", 1, [], {}, {"characters": ["a"]}),
        times(["a"], [0.0], [0.1, 0.2]),
        times(["a", "b"], [0.0], [0.1]),
        times([1], [0.0], [0.1]),
        times("a", [0.0], [0.1]),
        times(["a"], ["0"], [0.1]),
        times(["a"], [True], [0.1]),
        times(["a"], [0.0], [None]),
        times(["a"], [0.0], [10**400]),
        times(["a"], {}, [0.1]),
    ],
)
def test_invalid_timestamps_are_dropped(timestamps: Any) -> None:
    """Lists of another length or with other values are dropped; the audio of the frame stays."""
    got = frame(stream_id="s1", audio=b64(b"x"), timestamps=timestamps)
    assert got.chunk is not None
    assert (got.chunk.audio, got.chunk.timestamps) == (b"x", None)


@pytest.mark.parametrize("at", [b"NaN", b"Infinity", b"1e999"])
def test_times_that_are_not_finite_are_dropped(at: bytes) -> None:
    """Some JSON parsers accept such numbers, others refuse the frame."""
    timestamps = b'{"characters":["a"],"character_start_times_seconds":[0],'
    timestamps += b'"character_end_times_seconds":[' + at + b"]}"
    try:
        got = read_frame(b'{"stream_id":"s","timestamps":' + timestamps + b"}")
    except SonioxConnectionError as error:
        assert error.code == "protocol_error"
    else:
        assert got is not None and got.chunk is not None
        assert got.chunk.timestamps is None


def test_timestamps_are_frozen_and_have_a_repr() -> None:
    """Whole numbers become floats; equal ones are equal; the repr shows text and times."""
    got = frame(stream_id="s1", timestamps=times(["H", "i"], [0, 1], [1, 2]))
    assert got.chunk is not None
    stamps = got.chunk.timestamps
    assert stamps is got.chunk.timestamps
    assert stamps == Timestamps(("H", "i"), (0.0, 1.0), (1.0, 2.0))
    assert repr(stamps) == "<Timestamps 'Hi' 0.00 to 2.00 s>"
    assert repr(Timestamps((), (), ())) == "<Timestamps of nothing>"
    with pytest.raises(AttributeError):
        stamps.characters = ()  # type: ignore[misc, union-attr]


@pytest.mark.parametrize("stream_id", [None, ""])
def test_connection_errors_have_no_stream(stream_id: Optional[str]) -> None:
    """No id, null and the empty id all mean the connection itself."""
    got = frame(stream_id=stream_id, error_code=400, error_message="x")
    assert got.stream_id == ""
    assert isinstance(got.error, BadRequestError)
    got = frame(error_code=400, error_message="x")
    assert got.stream_id == ""


def test_null_error_fields_are_no_error() -> None:
    """A frame may carry its error fields as null."""
    got = frame(stream_id="s", audio=b64(b"x"), error_code=None, error_message=None)
    assert got.error is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"x",
        b"[]",
        b"null",
        b'{"stream_id":5}',
        b'{"stream_id":"s","audio":5}',
        b'{"stream_id":"s","audio":["' + b"A" * 600 + b'"]}',
        b'{"stream_id":"s","audio":"' + b"A" * 600,
        b'{"stream_id":"s","audio":"' + b"A" * 600 + b'"} trailing',
        b'{"stream_id":"\xff","audio":"' + b"A" * 600 + b'"}',
        b'{"stream_id":NaN,"audio":"' + b"A" * 600 + b'"}',
    ],
)
def test_malformed_frames_are_refused(payload: bytes) -> None:
    """A message that is not a frame raises a protocol error."""
    with pytest.raises(SonioxConnectionError) as caught:
        read_frame(payload)
    assert caught.value.code == "protocol_error"


@pytest.mark.parametrize(
    "audio", ["!", "=", "==", "A", "AB", "AB=", "A" * 601, "*" * 800, "é" * 400]
)
def test_bad_base64_raises_where_it_is_used(audio: str) -> None:
    """Audio that is not base64 raises in the consumer, every time, and still counts."""
    got = frame(stream_id="s1", audio=audio)
    assert got.chunk is not None
    assert got.chunk.weight > 0
    for _ in range(2):
        with pytest.raises(SonioxConnectionError) as caught:
            _ = got.chunk.audio
        assert caught.value.code == "protocol_error"


def test_errors_show_only_the_start_of_a_frame() -> None:
    """The message of a protocol error is short however long the frame."""
    with pytest.raises(SonioxConnectionError) as caught:
        read_frame(b"x" * 100_000)
    assert len(str(caught.value)) < 400


# -- the two paths --------------------------------------------------------------------------------


def parsed(payload: bytes, sliced: bool) -> Any:
    """Read a frame on one path; return what a consumer gets, or that it is refused."""
    worth = module._WORTH_SLICING
    module._WORTH_SLICING = 0 if sliced else 1 << 60
    try:
        got = read_frame(payload)
        assert got is not None
        chunk = None
        if got.chunk is not None:
            chunk = (got.chunk.audio, got.chunk.timestamps, got.chunk.audio_end, got.chunk.weight)
    except SonioxConnectionError as error:
        return error.code
    finally:
        module._WORTH_SLICING = worth
    error = got.error and (type(got.error), str(got.error), got.error.error_type)
    return got.stream_id, chunk, error, got.terminated


_ids = st.one_of(
    st.none(), st.text(max_size=4), st.sampled_from(["audio", '"audio":"QUJD"', "\\", '"', "~"])
)
_audios = st.one_of(
    st.none(),
    st.binary(max_size=40).map(b64),
    st.text('AQ=+/\\"\n é~u0', max_size=12),
    st.integers(),
    st.dictionaries(st.sampled_from(["audio", "x"]), st.text(max_size=4), max_size=2),
)
_fields = st.dictionaries(
    st.sampled_from(
        [
            "stream_id",
            "audio",
            "Audio",
            "audio_end",
            "timestamps",
            "terminated",
            "error_code",
            "error_message",
            "meta",
            "au\\dio",
        ]
    ),
    st.one_of(
        _ids,
        _audios,
        st.booleans(),
        st.fixed_dictionaries({"audio": st.binary(max_size=9).map(b64)}),
        st.lists(_audios, max_size=2),
    ),
    max_size=6,
)


@given(fields=_fields, ascii_only=st.booleans(), indent=st.sampled_from([None, 0, 1]))
@example(fields={"meta": {"audio": "QUJD"}, "audio": "REVG"}, ascii_only=True, indent=None)
@example(fields={"meta": {"audio": "QUJD"}}, ascii_only=True, indent=None)
@example(fields={"stream_id": "audio", "audio": "QUJD"}, ascii_only=True, indent=None)
def test_paths_agree_on_json(fields: dict[str, Any], ascii_only: bool, indent: Any) -> None:
    """The slicing path and the plain path read the same frame from any JSON."""
    written = json.dumps(fields, ensure_ascii=ascii_only, indent=indent)
    payload = written.encode("utf-8", "surrogatepass")
    assert parsed(payload, True) == parsed(payload, False)


_pieces = st.sampled_from(
    [
        b'"audio"',
        b'"audio":"',
        b'"audio" : "',
        b'"\\u0061udio":"QQ=="',
        b'"audio_end":true',
        b'"audio":"QUJD"',
        b'"audio":"QUJD",',
        b'"audio":null',
        b'"audio":"QU\\u004aD"',
        b'"stream_id":"s"',
        b'"meta":{"audio":"QUJD"}',
        b'"a\\"audio":"QUJD"',
        b'"x":"\\"audio\\":\\"QUJD\\""',
        b'"timestamps":{"characters":["\xc3\xa9"]}',
        b"{",
        b"}",
        b",",
        b":",
        b'"',
        b"\\",
        b"\n",
        b"\xff",
        b"QUJD",
        b"NaN",
        b"  ",
        b"true",
    ]
)


@given(st.lists(_pieces, max_size=9).map(b"".join), st.booleans())
@example(b'"audio":"QUJD","audio":"REVG"', True)
@example(b'"audio":"QUJD","audio":5', True)
@example(b'"audio":"QUJD","audio":"R\\u0045VG"', True)
@example(b'"\\u0061udio":"QQ==","audio":"QUJD"', True)
@example(b'"audio":"QUJD","\\u0061udio":"QQ=="', True)
@example(b'"audio":"","stream_id":"s"', True)
@example(b'"audio":     "QUJD"', True)
@example(b'"audio":         "QUJD"', True)
@example(b'"audio":"QU\nJD"', True)
@example(b'"audio":"QU\xffJD"', True)
@example(b'"audio":"QUJD"}{', True)
def test_paths_agree_on_hostile_bytes(content: bytes, braces: bool) -> None:
    """The slicing path and the plain path agree on any bytes, refusals included."""
    payload = b"{" + content + b"}" if braces else content
    assert parsed(payload, True) == parsed(payload, False)


def test_no_frame_can_contain_the_placeholder() -> None:
    """A server cannot send the placeholder that replaces the audio while the rest is parsed."""
    guess = "~" + "0" * 16 + "~"
    payload = wire(stream_id="s", audio=guess)
    assert parsed(payload, True) == "protocol_error"
    assert parsed(payload, False) == "protocol_error"
    assert guess != module._PLACEHOLDER_TEXT


# -- chunks ---------------------------------------------------------------------------------------


def test_chunks_can_be_constructed() -> None:
    """A chunk can be made of plain bytes; decoding it changes nothing."""
    chunk = AudioChunk(b"abc", Timestamps(("a",), (0.0,), (0.1,)), True)
    chunk.decode()
    assert (chunk.audio, chunk.weight, chunk.audio_end) == (b"abc", 3, True)
    assert repr(chunk) == "<AudioChunk 3 bytes end>"
    assert AudioChunk().audio == b""


# -- streams --------------------------------------------------------------------------------------


@pytest.fixture
def table() -> TtsStreams:
    return TtsStreams()


@pytest.fixture
def record(table: TtsStreams) -> StreamRecord:
    return table.open("s1", CONFIG)


def sent(messages: list[str]) -> list[Any]:
    return [json.loads(message) for message in messages]


def audio(data: bytes = b"abc", end: bool = False, **more: Any) -> TtsFrame:
    return frame(stream_id="s1", audio=b64(data), audio_end=end, **more)


TERMINATED = {"stream_id": "s1", "terminated": True}
ERROR = {"stream_id": "s1", "error_code": 408, "error_message": "Request timeout"}


def test_config_goes_with_the_first_text(table: TtsStreams, record: StreamRecord) -> None:
    """The config is sent once, immediately before the first text."""
    assert sent(table.text(record, "Hello ", False)) == [
        CONFIG,
        {"text": "Hello ", "text_end": False, "stream_id": "s1"},
    ]
    assert sent(table.text(record, "world.", True)) == [
        {"text": "world.", "text_end": True, "stream_id": "s1"}
    ]
    assert record.phase is TtsPhase.FINISHING
    assert record.text_bytes == len("Hello world.")


def test_text_and_end_may_be_the_first(table: TtsStreams, record: StreamRecord) -> None:
    """One message may contain the only text and its end."""
    assert [m.get("text_end") for m in sent(table.text(record, "hé", True))] == [None, True]
    assert record.text_bytes == 3
    with pytest.raises(StateError, match="cannot send text: stream 's1' is finishing"):
        table.text(record, "more", False)
    with pytest.raises(StateError):
        table.text(record, "", True)


def test_end_without_text_sends_nothing(table: TtsStreams, record: StreamRecord) -> None:
    """A stream that ends before any text ends at once, and its id is free."""
    assert table.text(record, "", True) == []
    assert record.phase is TtsPhase.ENDED
    assert table.live == {}


def test_refused_text_changes_nothing(table: TtsStreams, record: StreamRecord) -> None:
    """Text that cannot be encoded leaves the stream unchanged, its config unsent."""
    with pytest.raises(UnicodeEncodeError):
        table.text(record, "\ud800", False)
    assert record.phase is TtsPhase.NEW
    assert len(table.text(record, "ok", False)) == 2


def test_at_most_five_streams(table: TtsStreams) -> None:
    """A sixth stream, or an id in use, is refused, and the message says what to do."""
    for number in range(5):
        table.open(f"s{number}", {})
    with pytest.raises(StateError, match="5 live streams"):
        table.open("s5", {})
    with pytest.raises(StateError, match="'s3' is in use"):
        table.open("s3", {})
    table.cancel(table.live["s0"])
    assert not table.is_full
    table.open("s0", {})


def test_normal_end(table: TtsStreams, record: StreamRecord) -> None:
    """After text end, audio end and terminated the stream has ended and its id is free."""
    table.text(record, "hi", True)
    assert table.receive(record, audio()) is not None
    assert table.receive(record, audio(end=True)) is not None
    assert "s1" in table.live
    assert table.receive(record, frame(**TERMINATED)) is None
    assert (record.phase, record.error) == (TtsPhase.ENDED, None)
    assert table.live == {}


def test_everything_in_one_frame_is_a_normal_end(table: TtsStreams, record: StreamRecord) -> None:
    """The last audio, its end and the termination may be one frame."""
    table.text(record, "hi", True)
    chunk = table.receive(record, audio(end=True, terminated=True))
    assert chunk is not None
    assert chunk.audio == b"abc"
    assert (record.phase, record.error) == (TtsPhase.ENDED, None)


@pytest.mark.parametrize("end", [True, False])
def test_terminated_without_audio_end_is_a_failure(
    table: TtsStreams, record: StreamRecord, end: bool
) -> None:
    """A stream that the server ended early fails with a retriable error, text ended or not."""
    table.text(record, "hi", end)
    table.receive(record, audio())
    table.receive(record, frame(**TERMINATED))
    assert isinstance(record.error, NetworkError)
    assert record.error.error_type == "terminated_early"
    assert record.phase is TtsPhase.DEAD


def test_audio_after_its_end_is_not_whole(table: TtsStreams, record: StreamRecord) -> None:
    """Audio that follows `audio_end` takes it back: terminated then, the stream was cut off."""
    table.text(record, "hi", True)
    table.receive(record, audio(end=True))
    late = table.receive(record, audio(b"late"))
    assert late is not None and late.audio == b"late"
    table.receive(record, frame(**TERMINATED))
    assert isinstance(record.error, NetworkError)
    assert record.error.error_type == "terminated_early"


def test_an_empty_frame_after_the_end_of_audio_changes_nothing(
    table: TtsStreams, record: StreamRecord
) -> None:
    """A frame without audio after `audio_end` does not take it back."""
    table.text(record, "hi", True)
    table.receive(record, audio(end=True))
    table.receive(record, audio(b""))
    table.receive(record, frame(**TERMINATED))
    assert (record.phase, record.error) == (TtsPhase.ENDED, None)


def test_whole_audio_before_our_text_end_is_complete(
    table: TtsStreams, record: StreamRecord
) -> None:
    """A server that ended the audio before our text_end has spoken everything: no error."""
    table.text(record, "hi", False)
    table.receive(record, audio(end=True))
    table.receive(record, frame(**TERMINATED))
    assert (record.phase, record.error) == (TtsPhase.ENDED, None)


def test_error_then_terminated_is_one_failure(table: TtsStreams, record: StreamRecord) -> None:
    """The stream keeps the error frame's error; the termination only frees the id."""
    table.text(record, "hi", False)
    got = frame(**ERROR)
    table.receive(record, got)
    assert record.error is got.error
    assert (record.phase, "s1" in table.live) == (TtsPhase.FAILED, True)
    with pytest.raises(StateError, match="is error"):
        table.text(record, "more", False)
    assert table.receive(record, audio()) is None
    table.receive(record, frame(**{**ERROR, "error_code": 500}))
    table.receive(record, frame(**TERMINATED))
    assert record.error is got.error
    assert (record.phase, table.live) == (TtsPhase.DEAD, {})


def test_error_and_terminated_in_one_frame(table: TtsStreams, record: StreamRecord) -> None:
    """Both in one frame are one failure, and the id is free."""
    table.text(record, "hi", True)
    got = frame(**{**ERROR, **TERMINATED})
    table.receive(record, got)
    assert record.error is got.error
    assert (record.phase, table.live) == (TtsPhase.DEAD, {})


def test_audio_on_an_error_frame_is_not_lost(table: TtsStreams, record: StreamRecord) -> None:
    """Audio in an error frame precedes the error: the user gets both."""
    table.text(record, "hi", True)
    chunk = table.receive(record, audio(error_code=408, error_message="Request timeout"))
    assert chunk is not None
    assert record.error is not None


def test_cancel_before_text_sends_nothing(table: TtsStreams, record: StreamRecord) -> None:
    """The server does not know a stream without text: nothing is sent, and the id is free."""
    assert table.cancel(record) == []
    assert (record.phase, table.live) == (TtsPhase.ENDED, {})


@pytest.mark.parametrize("end", [True, False])
def test_cancel_drops_late_audio(table: TtsStreams, record: StreamRecord, end: bool) -> None:
    """After a cancel, sent once, audio is dropped until terminated, without an error."""
    table.text(record, "hi", end)
    assert sent(table.cancel(record)) == [{"stream_id": "s1", "cancel": True}]
    assert table.cancel(record) == []
    assert table.receive(record, audio()) is None
    assert table.receive(record, frame(**ERROR)) is None
    assert "s1" in table.live
    table.receive(record, frame(**TERMINATED))
    assert (record.phase, record.error, table.live) == (TtsPhase.ENDED, None, {})
    assert table.cancel(record) == []


def test_frames_for_an_unsent_stream_are_ignored(table: TtsStreams, record: StreamRecord) -> None:
    """Frames received before the first text belong to an earlier stream with the same id."""
    for late in (audio(), frame(**ERROR), frame(**TERMINATED)):
        assert table.receive(record, late) is None
    assert (record.phase, record.error) == (TtsPhase.NEW, None)


def test_lost_connection_fails_what_is_open(table: TtsStreams) -> None:
    """A lost connection fails open streams; cancelled and failed ones end as usual."""
    lost = NetworkError("lost")
    new, active, cancelled, failed = (table.open(name, {}) for name in "nacf")
    for record in (active, cancelled, failed):
        table.text(record, "x", False)
    table.cancel(cancelled)
    own = frame(**{**ERROR, "stream_id": "f"})
    table.receive(failed, own)
    for record in (new, active, cancelled, failed):
        table.connection_lost(record, lost)
        table.connection_lost(record, NetworkError("again"))
    assert (new.error, active.error) == (lost, lost)
    assert cancelled.error is None
    assert failed.error is own.error
    assert table.live == {}
    assert [r.phase for r in (new, active, cancelled, failed)] == [
        TtsPhase.DEAD,
        TtsPhase.DEAD,
        TtsPhase.ENDED,
        TtsPhase.DEAD,
    ]


def test_freeing_spares_the_next_stream_with_the_same_id(
    table: TtsStreams, record: StreamRecord
) -> None:
    """Freeing an old stream does not touch a new one with its id."""
    table.free(record)
    again = table.open("s1", {})
    table.free(record)
    assert table.live == {"s1": again}
