"""Audio that cannot be transcribed ends a recording before anything is connected or sent."""

from __future__ import annotations

import array
import io
import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync.audio import wav_header
from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.sources import AudioSourceHandlers, IterableSource, as_source
from tests.audio.wav.helpers import chunk, fmt, riff
from tests.peers import RawPeer
from tests.realtime.servers import (
    RAW,
    client_for,
    connected_stt,
    finished,
    raised_by,
    result,
    token,
)
from tests.waiting import Task, drain

M4A = b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(4000)
CAF = b"caff\0\1\0\0desc" + bytes(4000)
HEADER = wav_header(sample_rate=44_100, data_bytes=0)
WAV = wav_header(sample_rate=44_100) + b"\1\0" * 4000
ADPCM = riff(chunk(b"fmt ", fmt(0x11, 1, 8000, 1)), chunk(b"data", bytes(4000)))
W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000") + bytes(4000)
PAGE = b"<!DOCTYPE html>\n<html><body>Not found</body></html>"
FLOATS = array.array("f", [0.1] * 1000)
WORDS = array.array("h", [100] * 1000)


def at_end(data: bytes) -> io.BytesIO:
    """Return a file that was read already."""
    file = io.BytesIO(data)
    file.read()
    return file


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Split data as a network might."""
    return iter([data[at : at + size] for at in range(0, len(data), size)])


WRONG: dict[str, tuple[Callable[[], Any], dict[str, Any], str]] = {
    "m4a": (lambda: M4A, {}, "client.stt.transcribe_and_wait() reads it as it is"),
    "m4a in pieces": (lambda: pieces(M4A, 3), {}, "got m4a"),
    "caf, declared raw": (lambda: pieces(CAF, 500), RAW, "got caf"),
    "WAV, declared raw": (lambda: WAV, RAW, "got wav; leave audio_format out"),
    "WAV in pieces, declared raw": (lambda: pieces(WAV, 5), RAW, "got wav"),
    "header only": (lambda: HEADER, {}, "expected audio to transcribe, got no audio"),
    "header in pieces": (
        lambda: pieces(HEADER, 7),
        {},
        "expected audio to transcribe, got no audio",
    ),
    "w64": (lambda: W64, {}, "got w64; convert it, for instance with ffmpeg"),
    "mov in pieces": (lambda: pieces(b"\0\0\0\10wide" + M4A, 1), {}, "got mov"),
    "RIFX": (lambda: b"RIFX" + WAV[4:], {}, "got RIFX (big-endian WAV); convert it"),
    "compressed": (lambda: ADPCM, {}, "IMA ADPCM"),
    "compressed, in pieces": (lambda: pieces(ADPCM, 7), {}, "IMA ADPCM"),
    "compressed, declared": (lambda: pieces(ADPCM, 500), {"audio_format": "wav"}, "IMA ADPCM"),
    "another container": (lambda: pieces(WAV, 9), {"audio_format": "mp3"}, "got wav; leave"),
    "samples, declared WAV": (lambda: bytes(100), {"audio_format": "wav"}, "got none; headerless"),
    "a short m4a": (lambda: [M4A[:13]], {}, "got m4a; convert it"),
    "a short WAV": (lambda: [WAV[:13]], {}, "the WAV ends inside its header"),
    "no chunks, WAV": (list, {"audio_format": "wav"}, "expected audio to transcribe, got no audio"),
    "a web page": (lambda: PAGE, {}, "got text; pass an audio file"),
    "a web page in pieces": (lambda: pieces(PAGE, 4), {}, "got text; pass an audio file"),
    "chunks of nothing": (lambda: iter([b"", b""]), {}, "expected audio to transcribe, got no"),
    "a file at its end": (lambda: at_end(WAV), {}, "is at its end; go back before, with seek(0)"),
    "dates": (lambda: iter([memoryview(b"")]), RAW, "expected audio to transcribe, got no audio"),
    "no bytes": (lambda: b"", {}, "expected audio to transcribe, got no audio"),
    "no chunks": (list, {}, "expected audio to transcribe, got no audio"),
    "no chunks, raw": (list, RAW, "expected audio to transcribe, got no audio"),
    "floats": (lambda: FLOATS, RAW, "got a buffer of float32; convert it"),
    "floats in chunks": (lambda: iter([FLOATS]), RAW, "got a buffer of float32; convert it"),
    "words without a format": (lambda: WORDS, {}, "say what it holds: audio_format='pcm_s16"),
    "URL": (lambda: "https://example.com/a.mp3", {}, "got a URL"),
    "directory": (lambda: "/", {}, "got a directory"),
    "path as bytes": (lambda: b"/tmp/a.wav", {}, "pass a path as str"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_audio_is_refused_and_nothing_is_sent(name: str) -> None:
    """Each is a `ConfigurationError` that names the cause; no session gets any audio."""
    make, config, message = WRONG[name]
    with RawPeer(answer=lambda remote: None) as peer:  # a session would never open

        def transcribe() -> None:
            for _ in client_for(peer.url).realtime.transcribe(make(), **config):
                raise AssertionError("an event of nothing")

        error = raised_by(transcribe)
        assert peer.idle
    assert isinstance(error, ConfigurationError), error
    assert message in str(error)


def test_the_client_s_default_format_counts_as_declared(raw_peer: RawPeer) -> None:
    """An array that contradicts `stt_defaults` is refused; one that matches is sent."""
    client = client_for(raw_peer.url, stt_defaults=RAW)
    assert "float32" in str(raised_by(lambda: list(client.realtime.transcribe(FLOATS))))
    assert "got wav" in str(raised_by(lambda: list(client.realtime.transcribe(WAV))))
    transcription = client.realtime.transcribe(WORDS, pace=False)
    task = Task(lambda: drain(transcription))
    with raw_peer.accept() as remote:
        assert remote.recv_message().json["audio_format"] == "pcm_s16le"
        assert remote.recv_message().payload == WORDS.tobytes()
        assert not remote.recv_message().payload  # the end of the audio
        remote.send(result(token("One")), finished())
    assert [event.kind for event in task.result()] == ["result", "finished"]


class OneShot:
    """Source of the user that delivers one object and ends."""

    is_live = False

    def __init__(self, data: Any) -> None:
        self._data = data

    def start(self, handlers: AudioSourceHandlers) -> None:
        def run() -> None:
            if self._data is not None:
                handlers.on_data(self._data)
            assert handlers.on_end is not None
            handlers.on_end()

        threading.Thread(target=run, name="gives").start()

    def stop(self) -> None:
        """Do nothing: the source ends by itself."""


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (None, ConfigurationError, "expected audio to transcribe, got no audio"),
        (FLOATS, InputTypeError, "float32"),
        (WAV, ConfigurationError, "got wav"),
        (5, InputTypeError, "audio: expected bytes or anything with a buffer, got int"),
        ("text", InputTypeError, "got str"),
    ],
)
def test_sources_of_users_are_checked_too(data: Any, error: type[Exception], message: str) -> None:
    """Data from a source of the user is checked like any other."""
    with RawPeer(answer=lambda remote: None) as peer:
        recording = client_for(peer.url).realtime.record(source=OneShot(data), **RAW)
        raised = raised_by(lambda: recording.wait(10))
        recording.close()
    assert type(raised) is error
    assert message in str(raised)


def test_record_refuses_what_is_not_a_source(raw_peer: RawPeer) -> None:
    """Bytes or a path given to `record()` are refused with a hint to `transcribe()`."""
    client = client_for(raw_peer.url)
    for source in (b"\1\0", "a.wav", iter([b"x"])):
        error = raised_by(lambda source=source: client.realtime.record(source=source))  # type: ignore[misc]
        assert isinstance(error, InputTypeError)
        assert str(error).startswith(
            "source: expected an AudioSource, with start() and stop(), got"
        )
        assert "transcribe()" in str(error)


@pytest.mark.parametrize(
    "make",
    [IterableSource, lambda chunks: as_source(chunks[0]), lambda chunks: as_source(iter(chunks))],
    ids=["IterableSource", "array", "arrays"],
)
def test_arrays_of_a_source_without_a_format_are_checked(make: Callable[[Any], Any]) -> None:
    """Arrays of a source that has no format must hold what the recording's format says."""
    with RawPeer(answer=lambda remote: None) as peer:
        realtime = client_for(peer.url).realtime
        for chunk, config, message in (
            (FLOATS, RAW, "audio: expected samples of pcm_s16le, got a buffer of float32; convert"),
            (WORDS, {}, "say what it holds: audio_format='pcm_s16le'"),
        ):
            recording = realtime.record(source=make([chunk]), **config)
            raised = raised_by(lambda recording=recording: recording.wait(10))  # type: ignore[misc]
            recording.close()
            assert isinstance(raised, InputTypeError)
            assert message in str(raised)


def test_a_source_without_a_format_has_that_of_the_recording(raw_peer: RawPeer) -> None:
    """Arrays of a source without a format are accepted if they match the recording's."""
    recording = client_for(raw_peer.url).realtime.record(source=IterableSource([WORDS]), **RAW)
    with raw_peer.accept() as remote:
        remote.recv_message()
        assert remote.recv_message().payload == WORDS.tobytes()
        recording.close()


# -- a session without a recording -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            FLOATS,
            "data: expected samples of pcm_s16le, got a buffer of float32; convert it: (x.clip",
        ),
        (WAV, "data: expected samples without a header"),
        (M4A, "data: expected audio that can be transcribed in real time, got m4a"),
        (W64, "data: expected audio that can be transcribed in real time, got w64"),
    ],
)
def test_a_session_refuses_it_and_stays_open(raw_peer: RawPeer, data: Any, message: str) -> None:
    """`send_audio()` and `send_stream()` refuse wrong audio; none of it is sent."""
    with connected_stt(raw_peer) as (session, remote):
        for send in (session.send_audio, lambda chunk: session.send_stream([chunk])):
            error = raised_by(lambda send=send: send(data))  # type: ignore[misc]
            assert str(error).startswith(message)
        session.send_audio(WORDS)
        assert remote.recv_message().payload == WORDS.tobytes()
        session.send_audio(WAV)  # after the start such bytes are samples
        assert remote.recv_message().payload == WAV


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ADPCM, "WAV format 0x0011 (IMA ADPCM) cannot be streamed as samples"),
        (W64, "data: expected audio that can be transcribed in real time, got w64"),
        (PAGE, "data: expected audio that can be transcribed in real time, got text"),
    ],
)
@pytest.mark.parametrize("step", [8, 10_000])
def test_a_session_for_files_refuses_what_a_recording_does(
    raw_peer: RawPeer, data: bytes, message: str, step: int
) -> None:
    """With `audio_format="auto"` the same files are refused, also if they come in pieces."""
    session = client_for(raw_peer.url).realtime.stt()
    with raw_peer.accept() as remote:
        remote.recv_message()
        error = raised_by(lambda: session.send_stream(pieces(data, step)))
        assert isinstance(error, ConfigurationError)
        assert str(error).startswith(message)
        session.close()


def test_a_session_refuses_samples_where_a_file_is_expected(raw_peer: RawPeer) -> None:
    """With `audio_format="auto"` an array of samples is refused, and the right format named."""
    client = client_for(raw_peer.url)
    session = client.realtime.stt()
    with raw_peer.accept() as remote:
        remote.recv_message()
        error = raised_by(lambda: session.send_audio(WORDS))
        assert isinstance(error, InputTypeError)
        assert "audio_format='pcm_s16le', sample_rate=..., num_channels=..." in str(error)
        session.close()
