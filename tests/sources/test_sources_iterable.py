"""`IterableSource` and `PipeSource`: what comes from the user's code and from other processes."""

from __future__ import annotations

import array
import io
import os
import queue
import socket
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO

import pytest
from source_helpers import PATIENCE_SEC, Collector, SkippingClock

from soniox_sync.audio import wav_header
from soniox_sync.errors import (
    AudioSourceError,
    ConfigurationError,
    InputTypeError,
    StateError,
)
from soniox_sync.sources import IterableSource, PipeSource, SourceAudio

PCM = bytes(range(256)) * 40


def deliver(source: Any) -> Collector:
    collector = Collector()
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    return collector


def test_chunks_in_order() -> None:
    """Every bytes-like chunk arrives in order, empty ones do not."""
    chunks = [b"ab", b"", bytearray(b"cd"), memoryview(b"ef"), array.array("h", [0x0101])]
    source = IterableSource(chunks)
    assert source.is_live is False and source.audio == SourceAudio("auto")
    got = deliver(source)
    assert got.chunks == [b"ab", b"cd", b"ef", b"\1\1"]
    assert got.names == ["data"] * 4 + ["end"]
    assert got.threads == {"soniox-source-iterable"}


def test_no_chunks() -> None:
    """An empty iterable ends without data."""
    assert deliver(IterableSource([])).names == ["end"]


@pytest.mark.parametrize("chunk", ["text", 5, None, [b"x"]])
def test_chunk_of_the_wrong_type(chunk: object) -> None:
    """A chunk that is no bytes ends the source with an error that names its type."""
    got = deliver(IterableSource([b"ab", chunk, b"cd"]))
    assert got.names == ["data", "error"]
    assert isinstance(got.error, InputTypeError)
    assert type(chunk).__name__ in str(got.error)


@pytest.mark.parametrize("obj", [b"ab", bytearray(b"ab"), "ab", 5, None])
def test_refused_iterable(obj: Any) -> None:
    """One chunk is not taken for an iterable of numbers."""
    with pytest.raises(InputTypeError, match="iterable of bytes"):
        IterableSource(obj)


class Odd(BaseException):
    """Is not even an `Exception`."""


@pytest.mark.parametrize("failure", [ValueError("mine"), SystemExit(3), Odd()])
def test_what_the_iterable_raises_arrives_unchanged(failure: BaseException) -> None:
    """The user's own exception object arrives at `on_error`, once, after the data before it."""

    def chunks() -> Iterator[bytes]:
        yield b"ab"
        raise failure

    got = deliver(IterableSource(chunks()))
    assert got.names == ["data", "error"]
    assert got.error is failure


def test_what_iter_raises_arrives() -> None:
    """An iterable that fails to begin is reported as one that fails later."""

    class Broken:
        def __iter__(self) -> Iterator[bytes]:
            raise LookupError("no")

    assert isinstance(deliver(IterableSource(Broken())).error, LookupError)


def test_generator_is_closed_on_stop() -> None:
    """Stopping closes the generator, on the source's own thread."""
    closed: list[str] = []

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                yield b"ab"
        finally:
            closed.append(threading.current_thread().name)

    collector = Collector()
    source = IterableSource(chunks())
    source.start(collector.handlers)
    collector.wait_for(lambda: len(collector.calls) > 3)
    source.stop()
    count = len(collector.calls)
    assert closed == ["soniox-source-iterable"]
    assert set(collector.names) == {"data"}
    assert len(collector.calls) == count


def test_generator_that_fails_to_close() -> None:
    """What a finished iterator's `close()` raises is reported, in place of the end."""

    class Chunks:
        def __iter__(self) -> Chunks:
            return self

        def __next__(self) -> bytes:
            raise StopIteration

        def close(self) -> None:
            raise OSError("cannot close")

    got = deliver(IterableSource(Chunks()))
    assert got.names == ["error"] and str(got.error) == "cannot close"


def test_list_is_not_consumed_by_close() -> None:
    """What is iterated over without being an iterator is not closed."""

    class Chunks:
        closed = False

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"a"])

        def close(self) -> None:
            self.closed = True

    chunks = Chunks()
    assert deliver(IterableSource(chunks)).data == b"a"
    assert not chunks.closed


def test_stop_while_the_iterable_blocks() -> None:
    """A stop does not wait for ever for the user's code, which delivers nothing afterwards."""
    items: queue.Queue[bytes] = queue.Queue()
    asked, closed = threading.Event(), threading.Event()

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                asked.set()
                yield items.get()
        finally:
            closed.set()

    collector = Collector()
    source = IterableSource(chunks())
    source.start(collector.handlers)
    assert asked.wait(PATIENCE_SEC)
    source.stop()
    items.put(b"late")
    assert closed.wait(PATIENCE_SEC)
    assert collector.names == []


def test_iterable_is_read_once() -> None:
    """A second start is refused rather than silently empty."""
    source = IterableSource([b"ab"])
    deliver(source)
    with pytest.raises(StateError, match="once"):
        source.start(Collector().handlers)


def test_back_pressure() -> None:
    """The next chunk is asked for when the last was taken."""
    asked: list[int] = []
    may_go = threading.Event()

    def chunks() -> Iterator[bytes]:
        for number in range(5):
            asked.append(number)
            yield b"ab"

    collector = Collector(lambda data: may_go.wait(PATIENCE_SEC))
    source = IterableSource(chunks())
    source.start(collector.handlers)
    collector.wait_for(lambda: len(collector.calls) == 1)
    assert asked == [0]
    may_go.set()
    collector.wait_over()
    source.stop()


def test_told_format() -> None:
    """The told format is what `audio` says, before and after the start."""
    source = IterableSource(
        [PCM], audio_format="pcm_alaw", sample_rate=8000, num_channels=1, pace=False
    )
    assert source.audio == SourceAudio("alaw", 8000, 1)
    deliver(source)
    assert source.audio == SourceAudio("alaw", 8000, 1)
    with pytest.raises(ConfigurationError, match="headerless"):
        IterableSource([PCM], audio_format="mulaw")


def test_paced_chunks_are_cut() -> None:
    """A paced big chunk arrives in pieces of 120 ms on the audio's clock."""
    clock = SkippingClock()
    times: list[float] = []
    collector = Collector(lambda data: times.append(round(clock.time - 100, 6)))
    source = IterableSource(
        [bytes(3000), bytes(1000)],
        audio_format="mulaw",
        sample_rate=8000,
        num_channels=1,
        pace=2.0,
        clock=clock,
    )
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    assert [len(chunk) for chunk in collector.chunks] == [960, 960, 960, 120, 960, 40]
    expected = [0.0, 0.06, 0.12, 0.18, 0.1875, 0.2475]
    assert times == [pytest.approx(value, abs=1e-4) for value in expected]


WAV = wav_header(sample_rate=24000, num_channels=1, data_bytes=len(PCM)) + PCM


@pytest.mark.parametrize("size", [1, 7, 44, 45, 4096, 100_000])
def test_wav_stream(size: int) -> None:
    """A stream said to be WAV arrives as samples, however it is cut; its format comes first."""
    whole = WAV + b"LIST\0\0\0\0"
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    formats: list[object] = []
    collector = Collector(lambda data: formats.append(source.audio))
    source = IterableSource(pieces, audio_format="wav")
    assert source.audio is None
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    assert collector.data == PCM
    assert set(formats) == {SourceAudio("pcm_s16le", 24000, 1)}
    assert collector.names[-1] == "end"


def test_wav_stream_that_is_none() -> None:
    """What is no WAV, and one that ends inside its header, are errors."""
    assert isinstance(deliver(IterableSource([PCM], audio_format="wav")).error, ConfigurationError)
    cut = deliver(IterableSource([WAV[:20]], audio_format="wav"))
    assert isinstance(cut.error, AudioSourceError) and cut.names == ["error"]


def test_unsaid_wav_passes_unchanged() -> None:
    """A stream of which nothing was said is delivered byte for byte."""
    assert deliver(IterableSource([WAV])).data == WAV


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as reader, os.fdopen(write_end, "wb", buffering=0) as writer:
        yield reader, writer  # type: ignore[misc]


def test_pipe_does_not_wait_for_full_chunks(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    """A few bytes arrive while the writer still holds the pipe; its close is the end."""
    reader, writer = pipe
    collector = Collector()
    source = PipeSource(reader)
    source.start(collector.handlers)
    writer.write(b"ab")
    collector.wait_for(lambda: len(collector.calls) == 1)
    writer.write(b"c")
    collector.wait_for(lambda: len(collector.calls) == 2)
    writer.close()
    collector.wait_over()
    source.stop()
    assert collector.calls == [("data", b"ab"), ("data", b"c"), ("end", None)]
    assert not reader.closed
    assert collector.threads == {"soniox-source-pipe"}


@pytest.mark.skipif(os.name == "nt", reason="pipes cannot be waited for there")
def test_stop_wakes_a_blocked_pipe(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    """Stopping a pipe that says nothing ends its thread."""
    reader, _ = pipe
    before = threading.active_count()
    source = PipeSource(reader)
    collector = Collector()
    source.start(collector.handlers)
    source.stop()
    source.stop()
    assert threading.active_count() == before
    assert collector.names == []


def test_raw_pipe(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    """An unbuffered file is read as it comes."""
    reader, writer = pipe
    writer.write(PCM)
    writer.close()
    raw: BinaryIO = reader.raw  # type: ignore[attr-defined]
    assert deliver(PipeSource(raw)).data == PCM


def test_socket_file() -> None:
    """A socket's file is delivered to its end and its stop does not hang."""
    here, there = socket.socketpair()
    with here, there, here.makefile("rb") as file:
        there.sendall(b"abc")
        there.shutdown(socket.SHUT_WR)
        assert deliver(PipeSource(file)).data == b"abc"


def test_stream_without_descriptor() -> None:
    """Objects with nothing but `read` are read to their end."""

    class Plain:
        def __init__(self) -> None:
            self.left = [b"ab", b"cd", b""]

        def read(self, size: int = -1) -> bytes:
            return self.left.pop(0)

    assert deliver(PipeSource(Plain())).chunks == [b"ab", b"cd"]  # type: ignore[arg-type]
    assert deliver(PipeSource(io.BytesIO(PCM))).data == PCM


def test_pipe_error() -> None:
    """What the stream raises arrives unchanged."""

    class Broken:
        def read(self, size: int = -1) -> bytes:
            raise OSError("gone")

    got = deliver(PipeSource(Broken()))  # type: ignore[arg-type]
    assert str(got.error) == "gone" and got.names == ["error"]


def test_non_blocking_pipe(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    """A non-blocking pipe is waited for, not taken for ended."""
    reader, writer = pipe
    os.set_blocking(reader.fileno(), False)
    collector = Collector()
    source = PipeSource(reader.raw)  # type: ignore[attr-defined]
    source.start(collector.handlers)
    writer.write(b"ab")
    collector.wait_for(lambda: len(collector.calls) == 1)
    source.stop()
    assert collector.names == ["data"]


def test_pipe_refusals() -> None:
    """Text streams and closed ones are refused with a reason."""
    with pytest.raises(InputTypeError, match=r"\.buffer"):
        PipeSource(io.StringIO("a"))  # type: ignore[arg-type]
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(StateError, match="closed"):
        PipeSource(closed).start(Collector().handlers)


def test_paused_pipe_delivers_nothing(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    """What comes during a pause is held until the end of it."""
    reader, writer = pipe
    paused = threading.Event()

    def pause(data: bytes) -> None:
        if data == b"ab":
            source.pause()
            paused.set()

    collector = Collector(pause)
    source = PipeSource(reader)
    source.start(collector.handlers)
    writer.write(b"ab")
    assert paused.wait(PATIENCE_SEC)
    writer.write(b"cd")
    assert collector.chunks == [b"ab"]
    source.resume()
    collector.wait_for(lambda: len(collector.calls) == 2)
    source.stop()
    assert collector.chunks == [b"ab", b"cd"]
