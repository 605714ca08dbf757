"""The audio of a stream, however it is taken: read, iterated, saved, measured."""

from __future__ import annotations

import io
import threading
import wave
from typing import Any

import pytest
from peers import RawPeer, Task, eventually
from servers import (
    VOICE,
    audio,
    begin,
    failure,
    raised_by,
    terminated,
    tts_line,
    whole,
)

from soniox_sync.errors import (
    NetworkError,
    SonioxTimeoutError,
)


def test_read_keeps_what_came_before_its_timeout(raw_peer: RawPeer) -> None:
    """A read that timed out loses nothing, whichever way the rest is taken."""
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        line.send(audio("s1", b"one "))
        eventually(lambda: stream.metrics.audio_bytes == 4)
        with pytest.raises(SonioxTimeoutError):
            stream.read(0.05)
        line.send(audio("s1", b"two ", end=True))
        eventually(lambda: stream.metrics.audio_bytes == 8)
        with pytest.raises(SonioxTimeoutError):
            stream.read(0)
        line.send(terminated("s1"))
        assert stream.read(10) == b"one two "
        assert stream.read(10) == b""


@pytest.mark.parametrize("way", ["iter", "events", "save"])
def test_what_a_timed_out_read_took_comes_out_of_the_next_consumer(
    raw_peer: RawPeer, way: str
) -> None:
    """Audio taken by a read that timed out is not lost to an iteration or a save after it."""
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        line.send(audio("s1", b"one "))
        eventually(lambda: stream.metrics.audio_bytes == 4)
        with pytest.raises(SonioxTimeoutError):
            stream.read(0.02)
        line.send(whole("s1", b"two"))
        if way == "iter":
            heard = b"".join(stream)
        elif way == "events":
            heard = b"".join(chunk.audio for chunk in stream.events())
        else:
            out = io.BytesIO()
            stream.save(out)
            heard = out.getvalue()
        assert heard == b"one two"


def test_events_carry_timestamps_and_the_end(raw_peer: RawPeer) -> None:
    """`events()` gives audio, character times and the mark of the last piece as they came."""
    times = {
        "characters": ["H", "i"],
        "character_start_times_seconds": [0.0, 0.1],
        "character_end_times_seconds": [0.1, 0.2],
    }
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1", return_timestamps=True)
        line.send(audio("s1", b"hi", timestamps=times))
        line.send(audio("s1", b"", end=True), terminated("s1"))
        chunks = [(c.audio, c.timestamps, c.audio_end) for c in stream.events()]
    assert chunks == [(b"hi", times, False), (b"", None, True)]


def test_a_stream_saves_to_a_path_and_to_a_file_object(raw_peer: RawPeer, tmp_path: Any) -> None:
    """`save` writes a WAV whose length fields are right, and raw audio as it is."""
    pcm = bytes(range(256)) * 10
    header = io.BytesIO()
    with wave.open(header, "wb") as writer:
        writer.setparams((1, 2, 24000, 0, "NONE", ""))
        writer.writeframesraw(b"")
    streamed = header.getvalue()[:40] + b"\xff\xff\xff\xff"  # a streamed header knows no length
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1", audio_format="wav")
        line.send(audio("s1", streamed + pcm[:100]), whole("s1", pcm[100:]))
        path = tmp_path / "hello.wav"
        assert stream.save(path) == 44 + len(pcm)
        with wave.open(str(path)) as reader:
            assert reader.getnframes() == len(pcm) // 2
            assert reader.readframes(10_000) == pcm
        raw = begin(connection, line, "s2")
        line.send(whole("s2", pcm))
        target = io.BytesIO()
        assert raw.save(target) == len(pcm)
        assert target.getvalue() == pcm


def test_a_save_that_failed_leaves_no_file(raw_peer: RawPeer, tmp_path: Any) -> None:
    """A stream that fails half way raises out of `save` and leaves nothing under the path."""
    path = tmp_path / "hello.wav"
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1", audio_format="wav")
        line.send(audio("s1", b"RIFF" + bytes(60)), failure(stream_id="s1"), terminated("s1"))
        assert isinstance(raised_by(lambda: stream.save(path)), NetworkError)
    assert list(tmp_path.iterdir()) == []


def test_metrics_measure_a_stream(raw_peer: RawPeer) -> None:
    """The metrics count bytes and seconds of audio, and know no time before it passed."""
    with tts_line(raw_peer) as (connection, line):
        stream = connection.stream(**VOICE, stream_id="s1")
        assert stream.metrics.time_to_first_audio_sec is None
        assert stream.metrics.wall_sec is None
        stream.send_text("Hello.", end=True)
        line.send(whole("s1", bytes(48000)))
        assert len(stream.read(10)) == 48000
        stream.wait(10)
        metrics = stream.metrics
        assert metrics.audio_bytes == 48000
        assert metrics.audio_sec == 1.0
        assert 0 <= metrics.time_to_first_audio_sec <= metrics.wall_sec
        ended = metrics.wall_sec
        assert metrics.wall_sec == ended


def test_audio_that_ended_before_our_end_of_text_is_whole(raw_peer: RawPeer) -> None:
    """A stream that the server completed before `finish()` ends without an error."""
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        line.send(whole("s1", b"all"))
        assert stream.read(10) == b"all"
        stream.wait(10)
        stream.finish()
        assert stream.state == "ended"


def test_two_threads_share_one_stream_without_losing_a_chunk(raw_peer: RawPeer) -> None:
    """Two threads that iterate one stream get every chunk once between them, and both end."""
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        start = threading.Barrier(3)

        def consume() -> list[bytes]:
            start.wait()
            return list(stream)

        tasks = [Task(consume) for _ in range(2)]
        start.wait()
        pieces = [b"%04d" % n for n in range(500)]
        for piece in pieces:
            line.send(audio("s1", piece))
        line.send(whole("s1", b"last"))
        got = [task.result() for task in tasks]
        assert sorted(got[0] + got[1]) == sorted([*pieces, b"last"])
        assert all(part == sorted(part, key=lambda p: (p == b"last", p)) for part in got)
