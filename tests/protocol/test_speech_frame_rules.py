"""Rules of reading the frames of speech that show in one place each: limits, edges, defaults."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from soniox_sync import SonioxConnectionError
from soniox_sync.protocol import messages
from soniox_sync.protocol import tts as module
from soniox_sync.protocol.dialects import NATIVE_TTS
from soniox_sync.protocol.tts import AudioChunk, Timestamps, read_frame


@pytest.mark.parametrize("length", [100, 600])
@pytest.mark.parametrize(
    "spelled",
    [
        '{"stream_id":"s","audio":"%s"}',
        '{"audio":"%s","stream_id":"s"}',
        '{ "audio" :\t"%s" , "stream_id" : "s" }',
        '{"audio"      :"%s","stream_id":"s"}',
        '{"audio"           :     "%s","stream_id":"s"}',
        '{"text":"\\"audio\\"","audio":"%s","stream_id":"s"}',
        '{"\\"audio\\":\\"":1,"audio":"%s","stream_id":"s"}',
        '{"nested":{"audio":"QUJD"},"audio":"%s","stream_id":"s"}',
        '{"audio":"QUJD","audio":"%s","stream_id":"s"}',
    ],
)
def test_audio_is_found_wherever_it_stands(spelled: str, length: int) -> None:
    """Long frames are cut before JSON is parsed, short ones not: the result is the same."""
    frame = read_frame((spelled % ("QUJD" * (length // 4))).encode())
    assert frame is not None and frame.chunk is not None
    assert (frame.stream_id, frame.chunk.audio) == ("s", b"ABC" * (length // 4))
    assert frame.chunk.weight == len(frame.chunk.audio)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the sizes of what is parsed as JSON."""
    sizes: list[int] = []

    def loads(data: bytes) -> Any:
        sizes.append(len(data))
        return json.loads(data)

    for parser in (module, messages):
        monkeypatch.setattr(parser, "json_loads", loads)
    return sizes


def test_long_audio_is_not_parsed_as_json(parsed: list[int]) -> None:
    """Only what is left without it, whichever blanks there are."""
    for head in (b'{"audio":"', b'{"audio" : "', b'{"stream_id":"s","audio"\t:  "'):
        frame = read_frame(head + b"QUJD" * 1000 + b'"}')
        assert frame is not None and frame.chunk is not None
        assert frame.chunk.audio == b"ABC" * 1000
    assert len(parsed) == 3 and max(parsed) < 100


def test_a_long_frame_without_a_text_of_audio_is_parsed_once(
    parsed: list[int],
) -> None:
    """What follows the key is looked at first: there is nothing to cut out."""
    payload = b'{"stream_id":"s","audio":null,"pad":"' + b"x" * 1000 + b'"}'
    frame = read_frame(payload)
    assert frame is not None and frame.chunk is None
    assert parsed == [len(payload)]


def test_a_frame_that_a_dialect_ignores_is_none() -> None:
    """Whatever is in it."""
    ignoring = replace(NATIVE_TTS, read=lambda frame: None)
    assert read_frame(b'{"stream_id":"s","audio":"QUJD"}', ignoring) is None


@pytest.mark.parametrize("length", [100, 600])
@pytest.mark.parametrize("end", ['\\u0041"}', '\\/"}'])
def test_escaped_audio_is_read_as_json(length: int, end: str) -> None:
    """Base64 needs no escapes, and may have them."""
    frame = read_frame(
        b'{"stream_id":"s","audio":"' + b"QUJD" * (length // 4) + b"QUJ" + end.encode()
    )
    assert frame is not None and frame.chunk is not None
    assert len(frame.chunk.audio) == 3 * (length // 4) + 3


@pytest.mark.parametrize(
    "payload",
    [
        b'{"stream_id":"s","audio":"' + b"Q" * 600,
        b'{"stream_id":"s","audio":"' + b"Q" * 600 + b'"',
        b'["audio":"' + b"Q" * 600 + b'"]',
        b'["audio","' + b"Q" * 600 + b'"]',
        b'{"audio":7,"pad":"' + b"Q" * 600 + b'"}',
        b'{"stream_id":7,"pad":"' + b"Q" * 600 + b'"}',
        b'{"audio":7}',
        b'{"stream_id":7}',
    ],
)
def test_a_broken_frame_is_refused(payload: bytes) -> None:
    """On both ways."""
    with pytest.raises(SonioxConnectionError) as caught:
        read_frame(payload)
    assert caught.value.code == "protocol_error"


@pytest.mark.parametrize(
    ("encoded", "weight"),
    [(b"", 0), (b"QUJD", 3), (b"QUI=", 2), (b"QQ==", 1), (b"=", 1), (b"QUJDQUI=", 5), (b"Q", 1)],
)
def test_the_size_of_audio_is_known_before_it_is_decoded(encoded: bytes, weight: int) -> None:
    """By its padding; what is malformed is never empty."""
    assert AudioChunk(encoded=encoded).weight == weight


def test_a_chunk_is_decoded_once() -> None:
    """The text is freed; what was given as bytes needs no decoding."""
    chunk = AudioChunk(encoded=b"QUJD")
    chunk.decode()
    assert chunk.audio == b"ABC" and chunk.audio is chunk.audio
    chunk.decode()
    assert chunk.audio == b"ABC"
    given = AudioChunk(b"xy")
    given.decode()
    assert (given.audio, given.weight, given.audio_end, given.dispatched) == (
        b"xy",
        2,
        False,
        False,
    )
    with pytest.raises(SonioxConnectionError, match="base64"):
        AudioChunk(encoded=b"?").decode()


def test_a_chunk_has_the_times_it_was_made_with() -> None:
    """As they are: only those that were received are read."""
    made = Timestamps(("a",), (0.0,), (0.5,))
    assert AudioChunk(b"xy", made).timestamps is made and AudioChunk(b"xy").timestamps is None


def test_a_frame_without_audio_has_no_chunk() -> None:
    """Unless it has timestamps, or ends the audio."""
    for payload, has_chunk in [
        (b'{"stream_id":"s"}', False),
        (b'{"stream_id":"s","audio":null}', False),
        (b'{"stream_id":"s","audio":""}', True),
        (b'{"stream_id":"s","audio_end":true}', True),
        (b'{"stream_id":"s","audio_end":1}', False),
        (b'{"stream_id":"s","timestamps":{}}', True),
    ]:
        frame = read_frame(payload)
        assert frame is not None and (frame.chunk is not None) is has_chunk, payload
        assert frame.terminated is False and frame.error is None


def times(**changed: Any) -> dict[str, Any]:
    lists: dict[str, Any] = {
        "characters": ["a"],
        "character_start_times_seconds": [0],
        "character_end_times_seconds": [0.5],
    }
    return {**lists, **changed}


@pytest.mark.parametrize(
    ("at", "is_time"),
    [
        (0, True),
        (-1, True),
        (999_999_999, True),
        (10**9, False),
        (-(10**9), False),
        (1e300, True),
        (float("inf"), False),
        (True, False),
        ("1", False),
    ],
)
def test_times_are_numbers_that_fit(at: object, is_time: bool) -> None:
    """Integers below a billion, and finite floats."""
    found = Timestamps.from_wire(times(character_start_times_seconds=[at]))
    assert (found is not None) is is_time
    assert found is None or found.character_start_times_seconds == (float(at),)  # type: ignore[arg-type]


def test_times_come_as_three_lists_of_one_length() -> None:
    """Anything else is none."""
    assert Timestamps.from_wire(times()) == Timestamps(("a",), (0.0,), (0.5,))
    for name in times():
        assert Timestamps.from_wire(times(**{name: []})) is None
        assert Timestamps.from_wire(times(**{name: "a"})) is None
    assert Timestamps.from_wire(times(characters=[1])) is None


def test_times_are_moved_by_whole_tenths_of_a_millisecond() -> None:
    """Starts and ends alike: less is noise of the addition."""
    shifted = Timestamps(("a", "b"), (0.00004, 0.1), (0.50004, 0.2)).shifted(1.5)
    assert shifted == Timestamps(("a", "b"), (1.5, 1.6), (2.0, 1.7))


def test_the_times_of_a_chunk_are_read_on_first_use() -> None:
    """And stay the same object."""
    chunk = AudioChunk(b"", wire_times=times())
    assert chunk.timestamps is not None and chunk.timestamps is chunk.timestamps
