"""The audio of a stream: read, iterated, saved, measured."""

from __future__ import annotations

import io
import threading
import wave
from typing import Any

import pytest

from soniox_sync.errors import NetworkError, SonioxTimeoutError, StateError
from soniox_sync.protocol.tts import Timestamps
from tests.peers import RawPeer
from tests.realtime.servers import (
    VOICE,
    audio,
    begin,
    connected_tts,
    failure,
    raised_by,
    terminated,
    whole,
)
from tests.waiting import Task, eventually


def test_a_read_that_times_out_loses_nothing(raw_peer: RawPeer) -> None:
    """A read that timed out loses nothing, whichever way the rest is consumed."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        remote.send(audio("s1", b"one "))
        eventually(lambda: stream.metrics.audio_bytes == 4)
        with pytest.raises(SonioxTimeoutError):
            stream.read(0.05)
        remote.send(audio("s1", b"two ", end=True))
        eventually(lambda: stream.metrics.audio_bytes == 8)
        with pytest.raises(SonioxTimeoutError):
            stream.read(0)
        remote.send(terminated("s1"))
        assert stream.read(10) == b"one two "
        assert stream.read(10) == b""


def test_a_timeout_mentions_that_the_text_was_not_ended(raw_peer: RawPeer) -> None:
    """Without the end of the text the audio never ends: waits that time out mention it.

    They name the seconds, too, and how to wait longer.
    """
    with connected_tts(raw_peer) as (connection, _):
        stream = connection.stream(**VOICE)
        stream.send_text("One.")
        for wait in (stream.read, stream.wait):
            with pytest.raises(SonioxTimeoutError, match=r"not ended: pass end=True or call fin"):
                wait(0.05)
        stream.finish()
        for wait in (stream.read, stream.wait):
            with pytest.raises(SonioxTimeoutError) as caught:
                wait(0.05)
            assert "finish()" not in str(caught.value)
            assert " within 0.05 s: wait longer with timeout_sec=..., or close()" in str(
                caught.value
            )


@pytest.mark.parametrize("way", ["iter", "events", "save"])
def test_the_next_consumer_gets_what_a_timed_out_read_had(raw_peer: RawPeer, way: str) -> None:
    """Audio consumed by a read that timed out is part of a later iteration or save."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        remote.send(audio("s1", b"one "))
        eventually(lambda: stream.metrics.audio_bytes == 4)
        with pytest.raises(SonioxTimeoutError):
            stream.read(0.02)
        remote.send(whole("s1", b"two"))
        if way == "iter":
            received = b"".join(stream)
        elif way == "events":
            received = b"".join(chunk.audio for chunk in stream.events())
        else:
            out = io.BytesIO()
            stream.save(out)
            received = out.getvalue()
        assert received == b"one two"


def test_events_carry_timestamps_and_the_end(raw_peer: RawPeer) -> None:
    """`events()` yields audio, character times and the mark of the last chunk as received."""
    times = {
        "characters": ["H", "i"],
        "character_start_times_seconds": [0.0, 0.1],
        "character_end_times_seconds": [0.1, 0.2],
    }
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1", return_timestamps=True)
        remote.send(audio("s1", b"hi", timestamps=times))
        remote.send(audio("s1", b"", end=True), terminated("s1"))
        chunks = [(c.audio, c.timestamps, c.audio_end) for c in stream.events()]
    assert chunks == [
        (b"hi", Timestamps(("H", "i"), (0.0, 0.1), (0.1, 0.2)), False),
        (b"", None, True),
    ]


def test_a_stream_saves_to_a_path_and_to_a_file_object(raw_peer: RawPeer, tmp_path: Any) -> None:
    """`save` writes a WAV with correct length fields, and raw audio unchanged."""
    pcm = bytes(range(256)) * 10
    header = io.BytesIO()
    with wave.open(header, "wb") as writer:
        writer.setparams((1, 2, 24000, 0, "NONE", ""))
        writer.writeframesraw(b"")
    streamed = header.getvalue()[:40] + b"\xff\xff\xff\xff"  # a streamed header contains no length
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1", audio_format="wav")
        remote.send(audio("s1", streamed + pcm[:100]), whole("s1", pcm[100:]))
        path = tmp_path / "hello.wav"
        assert stream.save(path) == 44 + len(pcm)
        with wave.open(str(path)) as reader:
            assert reader.getnframes() == len(pcm) // 2
            assert reader.readframes(10_000) == pcm
        raw = begin(connection, remote, "s2")
        remote.send(whole("s2", pcm))
        target = io.BytesIO()
        assert raw.save(target) == len(pcm)
        assert target.getvalue() == pcm


def test_a_save_that_failed_leaves_no_file(raw_peer: RawPeer, tmp_path: Any) -> None:
    """If a stream fails half way `save` raises and leaves no file."""
    path = tmp_path / "hello.wav"
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1", audio_format="wav")
        remote.send(audio("s1", b"RIFF" + bytes(60)), failure(stream_id="s1"), terminated("s1"))
        assert isinstance(raised_by(lambda: stream.save(path)), NetworkError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["read", "save"])
def test_audio_of_a_stream_without_text_is_refused(
    raw_peer: RawPeer, tmp_path: Any, verb: str
) -> None:
    """Before any text no audio can come: both raise instead of waiting for ever."""
    path = tmp_path / "hello.pcm"
    with connected_tts(raw_peer) as (connection, _):
        stream = connection.stream(**VOICE, stream_id="s1")
        uses = {"read": stream.read, "save": lambda: stream.save(path)}
        error = raised_by(uses[verb])
        assert isinstance(error, StateError)
        assert str(error) == f"cannot {verb}: no text was sent yet; call send_text() first"
    assert list(tmp_path.iterdir()) == []


def test_metrics_measure_a_stream(raw_peer: RawPeer) -> None:
    """The metrics count bytes and seconds of audio; times are `None` until they are known."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = connection.stream(**VOICE, stream_id="s1")
        assert stream.metrics.time_to_first_audio_sec is None
        assert stream.metrics.wall_sec is None
        stream.send_text("Hello.", end=True)
        remote.send(whole("s1", bytes(48000)))
        assert len(stream.read(10)) == 48000
        stream.wait(10)
        metrics = stream.metrics
        assert metrics.audio_bytes == 48000
        assert metrics.audio_sec == 1.0
        assert 0 <= metrics.time_to_first_audio_sec <= metrics.wall_sec
        ended = metrics.wall_sec
        assert metrics.wall_sec == ended


def test_audio_that_ended_before_our_end_of_text_is_complete(raw_peer: RawPeer) -> None:
    """A stream that the server completed before `finish()` ends without an error."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        remote.send(whole("s1", b"all"))
        assert stream.read(10) == b"all"
        stream.wait(10)
        stream.finish()
        assert stream.state == "ended"


def test_two_threads_share_one_stream_without_losing_a_chunk(raw_peer: RawPeer) -> None:
    """Two threads that iterate one stream get every chunk once between them, and both end."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        start = threading.Barrier(3)

        def consume() -> list[bytes]:
            start.wait()
            return list(stream)

        tasks = [Task(consume) for _ in range(2)]
        start.wait()
        pieces = [b"%04d" % n for n in range(500)]
        for piece in pieces:
            remote.send(audio("s1", piece))
        remote.send(whole("s1", b"last"))
        got = [task.result() for task in tasks]
        assert sorted(got[0] + got[1]) == sorted([*pieces, b"last"])
        assert all(part == sorted(part, key=lambda p: (p == b"last", p)) for part in got)
